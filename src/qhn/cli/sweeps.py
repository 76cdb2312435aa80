"""Verbs of the command line about many runs: sweep, compare, reproduce."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhn.cli.app import app
from qhn.cli.executors import AddressOption, ExecutorOption, WorkersOption, executor_of_options
from qhn.cli.options import (
    FAILED,
    OutputOption,
    QuietOption,
    ResultsOption,
    SetOption,
    TrustOption,
    all_settings,
    say_where,
)
from qhn.cli.terminal import put, redraw, tell
from qhn.errors import QhnError

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from qhn.run.record import Record
    from qhn.sweep.plan import Sweep


@app.command()
def sweep(
    source: Annotated[
        str | None, typer.Argument(metavar="[SWEEP]", help="A .toml file, or one that comes with qhn.")
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Members of each combination; as in the file by default.")] = None,
    settings: SetOption = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = "processes",
    address: AddressOption = None,
    results: ResultsOption = None,
    quiet: QuietOption = False,
) -> None:
    """Many runs: every combination of some settings; without a name, what there is."""
    from qhn.sweep.plan import load_sweep, sweeps

    if source is None:
        for name, title in sweeps().items():
            put(f"{name:<19} {title}")
        return
    with executor_of_options(executor, workers, address, results) as opened:
        chosen = load_sweep(source, all_settings(settings, {"seeds": seeds}))
        failures = _advance(chosen, opened, results, quiet)
    if failures:
        raise typer.Exit(FAILED)


def _advance(sweep: Sweep, executor: Executor, results: Path | None, quiet: bool) -> int:
    """Run the members of a sweep, then the classical searches, and print the report; returns the number of failures."""
    from qhn.cli.progress import sweep_progress
    from qhn.sweep.classical import search_all
    from qhn.sweep.report import SweepReport
    from qhn.sweep.survey import Survey
    from qhn.sweep.workers import advance

    last = sweep_progress(advance(sweep, executor, results=results), quiet)
    for member, message in last.failures[:3]:
        tell(f"qhn: {member.title} failed: {message}")
    if last.failures:
        tell(f"qhn: {len(last.failures)} members failed; the same command tries them again")
    if last.finished == 0:
        return len(last.failures)
    survey = Survey(sweep, results)
    report = SweepReport(survey, search_all(survey, executor, lambda text: None if quiet else tell(text)))
    paths = report.write()
    if not quiet:
        put(report.page() + "\n")
    for path in paths:
        put(str(path))
    return len(last.failures)


@app.command()
def compare(
    names: Annotated[list[str], typer.Argument(metavar="RUN [RUN]...", help="Paths or run ids of runs.")],
    results: ResultsOption = None,
    output: OutputOption = None,
    trust: TrustOption = False,
) -> None:
    """Several runs side by side, or one on a device beside the noisy twin of its calibration."""
    from qhn.report.attempt import attempt
    from qhn.report.compare import Comparison
    from qhn.run.directories import find_run, results_directory
    from qhn.run.record import Record

    place = results_directory(results)
    records = [Record.load(find_run(place, name)) for name in names]
    if len(records) == 1:
        _against_twin(records[0], output, trust)
        return
    comparison = Comparison(records)
    put(comparison.page() + "\n")
    drawn = None
    with attempt("of the comparison"):
        drawn = comparison.figure(output or place / "compare")
    if drawn is not None:
        put(str(drawn))


def _against_twin(record: Record, output: Path | None, trust: bool) -> None:
    """Print and draw a run on a device beside the noisy twin of its calibration."""
    from qhn.report.against_twin import AgainstTwin
    from qhn.report.attempt import attempt
    from qhn.report.folder import figures_folder
    from qhn.report.page import Report

    report = Report(record, trust=trust)
    found = AgainstTwin.of(record, report.ansatz, report.landscape.costs if report.landscape else None)
    put(found.page() + "\n")
    drawn = None
    with attempt("twin.png"):
        drawn = found.figure(figures_folder(record, output))
    if drawn is not None:
        say_where(record.directory, output, [drawn])
        put(str(drawn))


@app.command()
def reproduce(
    parts: Annotated[
        list[str] | None, typer.Argument(metavar="[PART]...", help="2 3 4 5 6 encoding …; by default the paper's.")
    ] = None,
    mnist: Annotated[Path | None, typer.Option(help="Directory of the original IDX files of MNIST.")] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Starts a circuit; the paper's 200 by default.")] = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = "processes",
    address: AddressOption = None,
    results: ResultsOption = None,
    quiet: QuietOption = False,
) -> None:
    """The experiments of the paper, run again, with a report on every claim."""
    from qhn.paper.lab import Lab
    from qhn.paper.reproduce import reproduce as run_parts

    with executor_of_options(executor, workers, address, results) as opened:
        if mnist is not None and not mnist.is_dir():
            raise QhnError(f"--mnist {mnist} is not a directory; it must hold train-images-idx3-ubyte and other files")
        lab = Lab(opened, results, mnist, seeds, _ignore if quiet else _show)
        paths = run_parts(lab, parts or ())
    if not quiet:
        tell("")
    for path in paths:
        put(str(path))


def _show(text: str, last: bool) -> None:
    """Print progress of a reproduction: in place on a terminal, elsewhere only finished parts."""
    if sys.stderr.isatty():
        redraw(text, last)
    elif last:
        tell(f"{time.strftime('%H:%M:%S')} {text}")


def _ignore(text: str, last: bool) -> None:
    pass
