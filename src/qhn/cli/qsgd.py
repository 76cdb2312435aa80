"""The verb of the command line about quantum gradient descents: qsgd."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qhn.cli.app import app
from qhn.cli.options import (
    BackendOption,
    JsonOption,
    QuietOption,
    ResubmitOption,
    ResultsOption,
    RetryOption,
    SeedOption,
    SetOption,
    all_settings,
)
from qhn.cli.runs import agreed_budget
from qhn.cli.signals import at_signals_to_end, stop_kindly
from qhn.cli.terminal import put, tell
from qhn.errors import QhnError

if TYPE_CHECKING:
    from qhn.quantum_sgd.config import QsgdConfig
    from qhn.quantum_sgd.loop import QuantumDescent
    from qhn.quantum_sgd.reading import Task
    from qhn.quantum_sgd.segment import Segment

ASKED = "estimate."  # keys of settings that only a resource estimate reads
KEYS = {  # dotted key of the setting that each option gives
    "keep": "prune.keep",
    "segments": "descent.segments",
    "steps": "descent.steps",
    "order": "lift.order",
    "solver": "solver.name",
    "shots": "machine.shots",
    "backend": "machine.backend",
    "seed": "descent.seed",
}


@app.command()
def qsgd(
    source: Annotated[
        str, typer.Argument(metavar="[DESCENT]", help="One that comes with qhn, a .toml file, or a table: data.csv.")
    ] = "digits",
    label: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="The column of a table that is predicted: classes or numbers.")
    ] = None,
    keep: Annotated[int | None, typer.Option(help="Parameters that are kept when all are pruned.")] = None,
    segments: Annotated[int | None, typer.Option(help="Segments: uploads and downloads.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps T of a segment, which are solved at once.")] = None,
    order: Annotated[int | None, typer.Option(help="Truncation order N of the Carleman lift.")] = None,
    solver: Annotated[str | None, typer.Option(help="qsvt, hhl, or classical by forward substitution.")] = None,
    shots: Annotated[
        str | None, typer.Option(help="Shots of a segment: a number, or none for exact amplitudes.")
    ] = None,
    backend: BackendOption = None,
    seed: SeedOption = None,
    settings: SetOption = None,
    results: ResultsOption = None,
    restart: Annotated[bool, typer.Option(help="Set an existing record of this configuration aside.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="What it takes of a fault-tolerant computer; nothing is solved.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Spend what a descent on a QPU takes at most, without asking.")
    ] = False,
    detach: Annotated[
        bool,
        typer.Option("--detach", help="Do not wait for a QPU: submit and return; the same command goes on."),
    ] = False,
    retry_self_test: RetryOption = False,
    resubmit: ResubmitOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Gradient descent by a quantum linear solver: prune, upload, solve T steps at once, download; again resumes."""
    from qhn.quantum_sgd.load import load_descent

    given = {"keep": keep, "segments": segments, "steps": steps, "order": order, "solver": solver, "seed": seed}
    given |= {"shots": shots, "backend": backend}
    chosen = all_settings(settings, {KEYS[name]: value for name, value in given.items()})
    asked = {key.removeprefix(ASKED): chosen.pop(key) for key in sorted(chosen) if key.startswith(ASKED)}
    if asked and not estimate:
        raise QhnError(f"--set {ASKED}{min(asked)} is of a resource estimate: add --estimate")
    if "num_parameters" in asked:
        _estimate_any(asked, as_json)
        return
    config = load_descent(source, chosen, label)
    if estimate:
        _estimate(config, asked, as_json)
        return
    options = {"restart": restart, "detach": detach, "retry_self_test": retry_self_test, "resubmit": resubmit}
    _advance(_begin(config, results, yes, **options), quiet or as_json, as_json)


def _estimate_any(asked: dict[str, Any], as_json: bool) -> None:
    """Print what a model of any size takes of a fault-tolerant quantum computer."""
    from qhn.carleman.resources import estimate_resources
    from qhn.quantum_sgd.estimate import estimate_json, estimate_words, question_about

    found = estimate_resources(question_about(asked))
    put(estimate_json(found) if as_json else estimate_words(found))


def _estimate(config: QsgdConfig, asked: dict[str, Any], as_json: bool) -> None:
    """Print what the first segment takes of a fault-tolerant quantum computer, and its diagnosis."""
    from qhn.carleman.resources import estimate_resources
    from qhn.quantum_sgd.estimate import estimate_json, estimate_words, question_of
    from qhn.quantum_sgd.loop import QuantumDescent

    task = QuantumDescent(config).task(force=True)
    if task is None:
        words = "the gradient is zero: there is nothing to solve"
        put(json.dumps({"message": words}) if as_json else words)
        return
    found, diagnosis = estimate_resources(question_of(config, task.upload, asked)), task.upload.diagnosis.words()
    put(estimate_json(found, diagnosis) if as_json else estimate_words(found, diagnosis))


def _begin(config: QsgdConfig, results: Path | None, yes: bool, **options: bool) -> QuantumDescent:
    """Begin the descent, or take up its record; on a QPU without a budget the user is asked to agree to one.

    Nothing is written before it is known that the descent can run.

    Raises:
        Exit: if the user does not agree.
    """
    from qhn.quantum_sgd.loop import quantum_descent
    from qhn.run.checks import BudgetNeeded

    try:
        return quantum_descent(config, results, **options)
    except BudgetNeeded as error:
        if not yes and not sys.stdin.isatty():
            raise
        budget = agreed_budget(error, yes)
    machine = config.machine.model_copy(update=budget)
    agreed = config.model_copy(update={"machine": machine})
    return quantum_descent(agreed, results, **options)


def _advance(descent: QuantumDescent, is_silent: bool, as_json: bool) -> None:
    """Advance a descent to its end with its progress, and print its report; ends with the exit code of its outcome."""
    from qhn.backend import BackendError

    going = iter(descent)
    try:
        with at_signals_to_end(stop_kindly(descent.request_stop)):
            while True:
                task = None if is_silent or descent.is_done else descent.task()
                if task is not None:
                    tell(_before(descent, task))
                segment = next(going, None)
                if segment is None:
                    break
                if as_json:
                    put(segment.to_json())
                elif not is_silent:
                    tell(_after(descent, segment))
    except BackendError as error:
        raise type(error)(f"{error}; complete segments are kept, and the same command goes on") from error
    _conclude(descent, is_silent, as_json)


def _before(descent: QuantumDescent, task: Task) -> str:
    """What is known of a segment before it is solved, in one line."""
    bound = task.upload.truncation_bound
    words = "" if bound is None else f", truncation error of the lift ≤ {bound:.2g}"
    of = f"segment {task.number + 1}/{descent.config.descent.segments}"
    return f"{of}: {task.upload.diagnosis.words()}; κ = {task.upload.condition:.1f}{words}"


def _after(descent: QuantumDescent, segment: Segment) -> str:
    """What a segment reached, in one line."""
    from qhn.quantum_sgd.page import percent

    losses = segment.beside.losses
    stated = f" ± {percent(segment.stated_error)}" if segment.read else ""
    return (
        f"segment {segment.number + 1}/{descent.config.descent.segments}: loss {losses['before']:.6f} → "
        f"{segment.loss:.6f}, by true descent {losses['true']:.6f}; error of the update "
        f"{percent(segment.update_error)}, of the decrease {percent(segment.decrease_error)}{stated}"
    )


def _conclude(descent: QuantumDescent, is_silent: bool, as_json: bool) -> None:
    """Draw and print the report on a descent that has ended, and end with the exit code of its outcome."""
    from qhn.quantum_sgd.report import page_of, write_report

    outcome, record = descent.outcome, descent.record
    assert outcome is not None
    assert record is not None
    paths = write_report(descent) if descent.segments else []
    if as_json:
        told: dict[str, Any] = {"outcome": outcome.name, "message": outcome.message, "run": str(record.directory)}
        put(json.dumps(told))
    elif is_silent:
        put(str(record.directory))
        if outcome.name.exit_code:
            tell(f"qhn: {outcome.message}")
    else:
        put(page_of(descent) + "\n")
        for path in paths:
            put(str(path))
        if outcome.name.exit_code:
            tell(f"qhn: {outcome.message}")
    raise typer.Exit(outcome.name.exit_code)
