"""What there is to run and what was run, one line each: presets, and runs with where they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from qhn.config.file import presets
from qhn.config.section import Section
from qhn.errors import RecordError
from qhn.report.jobs import ledger_of
from qhn.run.directories import run_directories
from qhn.run.record import Record
from qhn.text import in_line

HEAD = ("experiment", "run", "backend", "layers", "circuit", "shots", "seed", "steps", "QPU s", "ended")
ROW = "  {:<21} {:<12} {:<15} {:>6} {:<15} {:>6} {:>5} {:>9} {:>7}  {:<12} {}"


def preset_lines() -> Iterator[str]:
    """The experiments that come with qhn, a heading and one line each with its title."""
    yield "presets"
    for name, title in presets().items():
        yield f"  {name:<21} {title}"


def run_lines(results: Path) -> Iterator[str]:
    """The runs below a directory of results, a heading and one line each, those with damaged files included.

    Args:
        results: directory that holds the runs.
    """
    found = run_directories(results)
    yield f"\nruns in {results}" + ("" if found else ": none")
    if found:
        yield ROW.format(*HEAD, "E, best C")
    for directory in found:
        try:
            yield _run_line(Record.load(directory))
        except (RecordError, OSError) as error:
            yield f"  {directory.parent.name:<21} {directory.name:<12} {error}"


def study_lines(results: Path) -> Iterator[str]:
    """The studies below a directory of results that have begun, a heading and one line each; nothing without any.

    Args:
        results: directory that holds the runs.
    """
    folders = sorted(path.parent for path in results.glob("*/study-*/study.json"))
    if folders:
        yield f"\nstudies in {results}, which qhn search goes on with"
    for folder in folders:
        page = folder / "page.txt"
        yield f"  {folder.parent.name:<21} {folder.name}" + (f", read {page}" if page.exists() else "")


def _run_line(record: Record) -> str:
    """One run's row of the table."""
    last, outcome, train, ansatz = record.last_step(), record.outcome(), record.config.train, record.config.ansatz
    spent = f"{ledger_of(record).spent.seconds:,.1f}" if train.machine.bills_seconds else "–"
    values = f"{last.stated_mean()}, {last.best_cost:.6g}" if last else ""
    return ROW.format(
        record.directory.parent.name,
        record.directory.name,
        in_line(train.backend, 15),
        getattr(ansatz, "num_layers", "–"),
        _circuit(ansatz),
        train.shots or "–",
        train.seed,
        f"{last.step + 1 if last else 0}/{train.steps}",
        spent,
        outcome.name if outcome else "unfinished",
        values,
    )


def _circuit(ansatz: Section) -> str:
    """The circuit of a run in a word: the order of a hypernetwork's gates, or the kind or file of any other."""
    file = getattr(ansatz, "file", None)
    words = [getattr(ansatz, "order", None), getattr(ansatz, "name", None), file and file.name]
    return next((str(word) for word in words if word), "own")
