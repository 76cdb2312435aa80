"""Verbs of the command line about one run: run, resume, list, show, report, ensemble, evaluate."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhn.cli.app import app
from qhn.cli.options import (
    BAD_INPUT,
    DEFAULT_EXPERIMENT,
    INTERRUPTED,
    LEAST_BUSY,
    AnsatzOption,
    BackendOption,
    DetachOption,
    ExperimentArgument,
    JsonOption,
    LabelOption,
    LayersOption,
    MitigationOption,
    OrderOption,
    OutputOption,
    PythonOption,
    QuietOption,
    ResubmitOption,
    ResultsOption,
    RetryOption,
    RunArgument,
    SeedOption,
    SetOption,
    ShotsOption,
    StepsOption,
    TilesOption,
    TrustOption,
    all_settings,
    find,
    is_experiment,
    load,
    planned,
    print_paths,
    say_where,
    source_of,
)
from qhn.cli.signals import at_signals_to_end, stop_kindly
from qhn.cli.terminal import put, tell
from qhn.errors import EvaluationError, QhnError

if TYPE_CHECKING:
    from qhn.config import RunConfig
    from qhn.config.from_table import Draft
    from qhn.run.checks import BudgetNeeded
    from qhn.run.step import Outcome
    from qhn.run.training import Training

MARGIN = 1.25  # ratio of a budget to the forecast price: a job may be billed a little more than it should take


@app.command()
def run(
    experiment: ExperimentArgument = DEFAULT_EXPERIMENT,
    label: LabelOption = None,
    backend: BackendOption = None,
    shots: ShotsOption = None,
    ansatz: AnsatzOption = None,
    layers: LayersOption = None,
    order: OrderOption = None,
    seed: SeedOption = None,
    steps: StepsOption = None,
    tiles: TilesOption = None,
    mitigation: MitigationOption = None,
    init_from: Annotated[
        str | None, typer.Option(metavar="RUN", help="Begin with the last angles of a run of the same circuit.")
    ] = None,
    warm_start: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="Train here first: ideal, the whole circuit, or product, its last block alone.",
        ),
    ] = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    restart: Annotated[bool, typer.Option(help="Set an existing run of this configuration aside.")] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Spend what a run on a QPU takes at most, or what is left, without asking.")
    ] = False,
    detach: DetachOption = False,
    retry_self_test: RetryOption = False,
    resubmit: ResubmitOption = False,
    trust: TrustOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train; the same command again resumes, or shows a finished run."""
    options = {"backend": backend, "shots": shots, "ansatz": ansatz, "layers": layers, "order": order}
    options |= {"seed": seed, "steps": steps, "tiles": tiles, "mitigation": mitigation}
    if init_from is not None and warm_start is not None:
        raise QhnError("--init-from and --warm-start both give the first angles; leave out one")

    source = planned(experiment, label, settings, say=not (quiet or as_json), **options)

    def configured(naming: int | None = None) -> RunConfig:
        config = load(source, settings, naming, **options).without_code(trust)
        if init_from is None:
            return config
        from qhn.run.record import Record
        from qhn.run.warm_start import angles_of, begun_at

        return begun_at(config, angles_of(Record.load(find(init_from, results)), config))

    config = configured()
    if backend == LEAST_BUSY:
        options["backend"] = config.train.backend  # asked for once
    if warm_start is None:
        _tell_of_earlier(config, configured, results, restart)
    else:
        from qhn.run.warm_start import warm_started

        said = (lambda words: None) if quiet or as_json else tell
        config = warm_started(config, warm_start, results=results, tell=said, trust=trust)
    asked = {"restart": restart, "trust": trust, "detach": detach}
    asked |= {"retry_self_test": retry_self_test, "resubmit": resubmit}
    _advance(lambda: _kept(source, _begin(config, yes, results=results, **asked)), quiet, as_json, trust)


def _kept(source: str | Draft, training: Training) -> Training:
    """The training, once its record holds the file that the configuration for a table would be."""
    if not isinstance(source, str) and training.record is not None:
        source.keep(training.record.directory)
    return training


def _tell_of_earlier(
    config: RunConfig, configured: Callable[[int], RunConfig], results: Path | None, restart: bool
) -> None:
    """Name the run that an earlier version of qhn began by the same command, which is another one now.

    Args:
        config: the configuration of the run that is asked for.
        configured: gives the configuration that the command had under an earlier naming.
        results: the directory of all runs; None for the default.
        restart: whether a run beside the one that exists is asked for.

    Raises:
        QhnError: if the earlier run is paid for and has not ended.
        RecordError: if its record is damaged.
    """
    from qhn.config.defaults import FIRST
    from qhn.run.directories import results_directory
    from qhn.run.record import Record
    from qhn.run.step import Ending

    folder = results_directory(results) / config.experiment
    if Record(folder / config.run_id, config).exists:
        return
    for naming in range(FIRST, config.naming):
        directory = folder / configured(naming).run_id
        if not Record(directory, config).exists:
            continue
        record = Record.load(directory)
        name, outcome = record.config.run_id, record.outcome()
        words = f"an earlier version of qhn began run {name} by this command; qhn resume {name} goes on with it"
        is_open = outcome is None or outcome.name in (Ending.INTERRUPTED, Ending.DETACHED, Ending.PAUSED)
        if is_open and record.config.train.machine.bills and not restart:
            raise QhnError(f"{words}, --restart pays for another run")
        tell(f"{words}; this is another run")


def _begin(config: RunConfig, yes: bool, **options: Any) -> Training:
    """Begin the training; on a QPU without a budget, the user is asked to agree to one."""
    from qhn.config.file import with_settings
    from qhn.run.checks import BudgetNeeded
    from qhn.run.training import train

    try:
        return train(config, **options)
    except BudgetNeeded as error:
        if not yes and not sys.stdin.isatty():
            raise
        agreed = agreed_budget(error, yes)
    return train(with_settings(config, {f"train.{name}": limit for name, limit in agreed.items()}), **options)


def agreed_budget(asked: BudgetNeeded, yes: bool) -> dict[str, float]:
    """The budget that the user agrees to spend, by the name of its limit: QPU seconds, or shots without a price.

    Raises:
        ValueError: if the account has less left than the first step takes.
        Exit: if the user does not agree.
    """
    from qhn.backend import machine_of

    machine = machine_of(asked.backend)
    if asked.price and (machine.bills_seconds or not machine.bills):
        return {"max_qpu_seconds": _agreed_seconds(asked, yes)}
    tell(f"{asked.backend}: {_steps_words(asked)} take {asked.shots:,} shots, of whose price qhn knows nothing")
    _ask(f"spend up to {asked.shots:,} shots?", yes)
    return {"max_shots": asked.shots}


def _steps_words(asked: BudgetNeeded) -> str:
    """The steps that a budget is asked for, in words."""
    return f"{f'{asked.num_steps:,} steps' if asked.num_steps > 1 else 'one step'} and a self-test"


def _ask(words: str, yes: bool) -> None:
    """Ask the user to agree.

    Raises:
        Exit: if they do not.
    """
    if not yes and not typer.confirm(words, err=True):
        tell("nothing was submitted")
        raise typer.Exit(BAD_INPUT)


def _agreed_seconds(asked: BudgetNeeded, yes: bool) -> float:
    """The QPU seconds to which the user agrees: the run's price and a reserve, at most what the account has left.

    Raises:
        ValueError: if the account has less left than the first step takes.
        Exit: if the user does not agree.
    """
    from qhn.backend.ibm.account import connect, usage

    left = usage(connect()).remaining
    budget = min(math.ceil(MARGIN * asked.price), math.inf if left is None else left)
    known = "" if left is None else f"; the account has {left:,.0f} left"
    tell(f"{asked.backend}: {_steps_words(asked)} should take {asked.price:,.1f} QPU seconds{known}")
    if budget < asked.first.seconds:
        raise QhnError(
            f"the account has {budget:,.1f} QPU seconds left, the first step takes up to {asked.first.seconds:,.1f}; "
            "qhn estimate says what saves"
        )
    if budget < asked.price:
        tell("that is less than all steps take: the run will stop early, with a complete record")
    _ask(f"spend up to {budget:,.1f} QPU seconds, a reserve for bills above the price included?", yes)
    return budget


@app.command()
def resume(
    name: RunArgument = None,
    steps: StepsOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    python: PythonOption = None,
    trust: TrustOption = False,
    detach: DetachOption = False,
    retry_self_test: RetryOption = False,
    resubmit: ResubmitOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Go on with an interrupted run, or extend a finished one."""
    from qhn.run.training import resume as resume_run

    directory = find(name, results)
    chosen = all_settings(settings, {"train.steps": steps})
    asked: dict[str, Any] = {"python": python, "trust": trust, "detach": detach}
    asked |= {"retry_self_test": retry_self_test, "resubmit": resubmit}
    _advance(lambda: resume_run(directory, chosen, **asked), quiet, as_json, trust)


@app.command("list")
def list_runs(results: ResultsOption = None) -> None:
    """Presets, and runs, studies and descents with where they stand."""
    from qhn.quantum_sgd.record import descent_lines
    from qhn.report.listing import preset_lines, run_lines, study_lines
    from qhn.run.directories import results_directory

    place = results_directory(results)
    for lines in (preset_lines(), run_lines(place), study_lines(place), descent_lines(place)):
        for line in lines:
            put(line)


@app.command()
def show(name: RunArgument = None, results: ResultsOption = None, trust: TrustOption = False) -> None:
    """What a run found, what its bits mean, what was used."""
    from qhn.problem.capabilities import summary_of
    from qhn.report.page import Report
    from qhn.run.record import Record

    report = Report(Record.load(find(name, results)), trust=trust)
    layout = [report.device.layout()] if report.device else []
    put("\n\n".join([report.summary(), summary_of(report.problem), *layout, report.provenance()]))


@app.command()
def report(
    name: RunArgument = None, results: ResultsOption = None, output: OutputOption = None, trust: TrustOption = False
) -> None:
    """Draw a run's figures and print its page."""
    from qhn.report.page import Report
    from qhn.run.record import Record

    page = Report(Record.load(find(name, results)), trust=trust)
    paths = page.figures(output)
    put(page.summary() + "\n")
    say_where(page.record.directory, output, paths)
    for path in paths:
        put(str(path))


@app.command()
def ensemble(
    name: RunArgument = None,
    step: Annotated[
        str, typer.Option(help="A step's number, last, or best-validation, that of the lowest validation cost.")
    ] = "last",
    results: ResultsOption = None,
    output: OutputOption = None,
) -> None:
    """Predict by all networks measured at a step, and compare with single ones."""
    from qhn.report.ensemble import EnsembleReport
    from qhn.run.record import Record

    report = EnsembleReport.of(Record.load(find(name, results)), step)
    put(report.page())
    paths = report.write(output)
    say_where(report.record.directory, output, paths)
    print_paths(paths)


@app.command()
def evaluate(
    source: Annotated[str, typer.Argument(help="A run (its last θ), a preset or a .toml file.")],
    theta: Annotated[Path | None, typer.Option(help="Angles in radians, one row a θ: .npy, .npz, .json, .csv.")] = None,
    backend: BackendOption = None,
    shots: ShotsOption = None,
    seed: SeedOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    python: PythonOption = None,
    trust: TrustOption = False,
    as_json: JsonOption = False,
) -> None:
    """Estimate E of given angles."""
    from qhn.run.evaluate import evaluate_theta, read_theta
    from qhn.run.plan import named_again

    chosen = all_settings(settings, {"train.backend": backend, "train.shots": shots, "train.seed": seed})
    unused = {"train.optimizer": "adam", "train.gradient": "parameter-shift", "train.angles": "all"}
    chosen = unused | chosen  # they say how to train
    config, angles = source_of(source, results, chosen)
    if theta is not None:
        angles = read_theta(theta)
    if angles is None:
        raise QhnError("an experiment has no θ of its own; give a file of angles with --theta")
    config, is_named = named_again(config, python), is_experiment(source) or python is not None
    lines = evaluate_theta(config, angles, results=results, named=is_named, trust=trust)
    for line in lines:
        words = line.pop("text")
        put(json.dumps(line, allow_nan=False) if as_json else words)


def _advance(start: Callable[[], Training], quiet: bool, as_json: bool, trust: bool) -> None:
    """Run the steps of a training with a display, then draw and print its report."""
    from qhn.backend import BackendError
    from qhn.cli.progress import plain_lines, progress

    training = start()
    try:
        if not (quiet or as_json):
            for words in (training.announcement(), training.advice()):
                if words:
                    tell(words)
        with at_signals_to_end(stop_kindly(training.request_stop)):
            if quiet or as_json:
                for step in training:
                    if as_json:
                        put(step.to_json())
            elif sys.stderr.isatty():
                progress(training)
            else:
                plain_lines(training)
    except (BackendError, EvaluationError) as error:
        advice = "" if "qhn resume" in str(error) else ", and qhn resume goes on"
        raise type(error)(f"{error}; complete steps are kept{advice}") from error
    except KeyboardInterrupt:
        going = "; jobs that were submitted go on: qhn jobs" * training.config.train.machine.bills
        tell(f"qhn: stopped; complete steps are kept, and qhn resume goes on{going}")
        raise typer.Exit(INTERRUPTED) from None
    finally:
        training.close()
    _conclude(training, quiet, as_json, trust)


def _conclude(training: Training, quiet: bool, as_json: bool, trust: bool) -> None:
    """Draw and print the page of a training that has ended, and end with the exit code of its outcome."""
    from qhn.report.page import Report

    record, outcome = training.record, training.outcome
    assert record is not None
    assert outcome is not None
    has_steps = bool(record.steps()) and outcome.name != "detached"  # the page of a detached run is drawn later
    warning = ""
    if has_steps:
        networks = training.problem if record.config.data is not None else None  # whose data need not be read again
        report = Report(record, networks, trust)
        figures, warning = report.figures(), report.warning()
    if as_json:
        told = {"outcome": outcome.name, "message": outcome.message, "run": str(record.directory)}
        put(json.dumps(told | ({"warning": warning.removeprefix("warning: ")} if warning else {})))
    elif quiet:
        put(str(record.directory))
        if outcome.name.exit_code:
            tell(f"qhn: {_last_words(outcome, record.directory)}")
        if warning:
            tell(warning)
    else:
        if has_steps:
            put(report.summary())
            network = record.directory / "network.npz"
            print_paths([*figures, *[network] * network.exists()])
        put(_last_words(outcome, record.directory))
        if warning:
            put(warning)
    raise typer.Exit(outcome.name.exit_code)


def _last_words(outcome: Outcome, directory: Path) -> str:
    """Why a run ended, and how to go on with one that was interrupted."""
    if outcome.name == "interrupted":
        return f"{outcome.message}; go on with: qhn resume {directory}"
    return outcome.message
