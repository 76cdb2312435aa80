"""The verb that recomputes a run from its bits."""

from __future__ import annotations

from typing import Annotated

import typer

from qhn.cli.app import app
from qhn.cli.options import ResultsOption, RunArgument, SetOption, all_settings, find

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a step instead of a table.")]


@app.command()
def replay(
    name: RunArgument = None, settings: SetOption = None, results: ResultsOption = None, as_json: JsonOption = False
) -> None:
    """Recompute a run from its bits: whether it agrees with its record, or what other settings make of it."""
    from qhn.estimator.means import with_error
    from qhn.report.replay import write_replay
    from qhn.run.record import Record
    from qhn.run.replay import disagreement, replayed_config
    from qhn.run.replay import replay as replayed
    from qhn.run.step import RecordError
    from qhn.text import aligned

    record, chosen = Record.load(find(name, results)), all_settings(settings, {})
    config, steps, found = replayed_config(record.config, chosen), record.steps(), []
    is_same = config.run_id == record.config.run_id
    for one in replayed(record, chosen):
        found.append(one)
        if as_json:
            typer.echo(one.to_json())
        if is_same and (words := disagreement(steps[one.step], one)):
            raise RecordError(f"{record.directory}: {words}")
    if as_json:
        return
    if is_same:
        typer.echo(_agreement(len(steps), found[0].grad is not None, steps[0].raw_mean is not None))
        return
    objective = config.train.objective.build()
    tail = [objective.label] if objective.label else []
    rows = [
        [
            step.step,
            with_error(step.mean, step.mean_std_error),
            with_error(one.mean, one.mean_std_error),
            *[with_error(one.value, one.std_error) for _ in tail],
            f"{one.best_cost:.6g}",
        ]
        for step, one in zip(steps, found, strict=True)
    ]
    typer.echo(aligned(["step", "E as recorded", "recomputed", *tail, "best C"], rows))
    path = write_replay(record, config, found)
    typer.echo(f"\n{path}\n{path.with_suffix('.csv')}")


def _agreement(count: int, has_gradients: bool, is_mitigated: bool) -> str:
    what = "E, its gradient and the best network follow from the bits again"
    if not has_gradients:
        raw = " without mitigation" * is_mitigated
        kept = "the bits of gradients are kept of paid runs only"
        what = f"E{raw} and the best network follow from the bits again; {kept}"
    return f"{f'all {count:,} steps agree' if count > 1 else 'the one step agrees'} with the record: {what}"
