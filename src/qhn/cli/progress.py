"""Progress of a run or a sweep: a live bar on a terminal, or a plain line every ten seconds elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from qhn.cli.terminal import messages, tell
from qhn.estimator.means import with_error
from qhn.run.step import Step
from qhn.text import counted, visible

if TYPE_CHECKING:
    from qhn.run.training import Training
    from qhn.scheduling.study import StudyProgress
    from qhn.sweep.workers import Progress

At = TypeVar("At")
SECONDS_BETWEEN_LINES = 10.0
WIDE = 110  # columns of a terminal from which on all numbers and the bar fit
MEDIUM = 60  # columns from which on there is room for a bar


def progress(training: Training) -> None:
    """Run all steps of a training with a live bar on standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        TextColumn,
        TimeRemainingColumn,
    )

    console, total = Console(file=messages()), training.config.train.steps
    width = 16 if console.width >= WIDE else 4 if console.width >= MEDIUM else 0
    drawn = (BarColumn(bar_width=width),) * bool(width)
    text = TextColumn("{task.description}", markup=False)
    columns: tuple[str | ProgressColumn, ...] = ("step", MofNCompleteColumn(), *drawn, text, "ETA")
    room = console.width - (width + bool(width)) - 2 * len(str(total)) - len("step /  ETA 0:00:00")
    with Progress(*columns, TimeRemainingColumn(), console=console) as bar:
        task = bar.add_task(fitted(room, "starting"), total=total, completed=training.num_stored)
        training.tell = lambda words: bar.update(task, description=fitted(room, visible(words)))
        for step in training:
            words = fitted(room, *versions(step, training))
            bar.update(task, completed=max(step.step + 1, training.num_stored), description=words)


def fitted(room: int, *versions: str) -> str:
    """The first version of a text that is not wider than ``room`` columns, or the beginning of the last one.

    >>> fitted(12, "E 0.1234 ± 0.0056", "E 0.1234"), fitted(6, "waiting for a job")
    ('E 0.1234', 'waiti…')
    """
    best = next((text for text in versions if len(text) <= room), versions[-1])
    return best if len(best) <= room else f"{best[: max(0, room - 1)]}…"


def plain_lines(training: Training) -> None:
    """Run all steps of a training, with a line on standard error for the first, the last, and every ten seconds."""
    total, printed, first = training.config.train.steps, 0.0, 0.0
    training.tell = Changes()
    for step in training:
        done = step.step + 1
        if done <= training.num_stored:
            continue
        now = time.monotonic()
        first = first or now  # the first step also waits for what is compiled once, and says nothing of the others
        others = done - training.num_stored - 1
        if others == 0 or done == total or now - printed >= SECONDS_BETWEEN_LINES:
            printed = now
            left = f"  ETA {(now - first) / others * (total - done):.0f} s" if others else ""
            tell(f"step {done}/{total}  {versions(step, training)[0]}{left}")


class Changes:
    """Printer of status messages on standard error that skips repetitions, which differ only in 'for <duration>'."""

    def __init__(self) -> None:
        self.last = ""

    def __call__(self, words: str) -> None:
        """Print the message up to its duration, unless it is the same as the last one."""
        what = words.partition(" for ")[0]
        if what != self.last:
            tell(what)
        self.last = what


def versions(step: Step, training: Training) -> list[str]:
    """The numbers of a step in one line, from the widest version to the narrowest, which is E alone.

    The narrower ones leave out the trace of the Hessian, then all but E and, for a run with a budget, the spending.
    """
    spent, numbers = training.budget_words(), _numbers(step)
    lines = [numbers, f"E {with_error(step.mean, step.mean_std_error)}"]
    if step.hessian_diag is not None:
        error = np.nan if step.trace_std_error is None else step.trace_std_error
        trace = with_error(float(step.hessian_diag.sum()), error if step.shots else 0.0)
        lines.insert(0, f"{numbers}  tr H {trace}")
    return [line + (f"  {spent}" if spent else "") for line in lines] + [f"E {step.mean:.4g}"]


def _numbers(step: Step) -> str:
    energy = f"E {with_error(step.mean, step.mean_std_error)}"
    if step.shots:
        return f"{energy}  best C {step.best_cost:.5g}  distinct {step.distinct:,}  shots {step.shots:,}"
    if step.distinct == 2 ** len(step.best_bits):  # it knows all costs, and reports that of the most probable network
        return f"{energy}  best of the most probable C {step.best_cost:.5g}"
    return f"{energy}  best C {step.best_cost:.5g}  distinct {step.distinct:,}"


@dataclass(frozen=True)
class Standing:
    """How far many runs are.

    Attributes:
        done: what is done so far, in the unit in which progress is counted.
        total: all there is to do.
        failed: what has failed of it.
        words: what else is told.
    """

    done: int
    total: int
    failed: int
    words: str = ""


def sweep_progress(going: Iterator[Progress], quiet: bool) -> Progress:
    """Follow a sweep to its end with a live bar or plain lines, and return its last progress."""
    return _followed(going, lambda at: Standing(at.finished, at.total, len(at.failures)), "members", quiet)


def study_progress(going: Iterator[StudyProgress], quiet: bool) -> StudyProgress:
    """Follow a study to its end with a live bar or plain lines, and return its last progress.

    Trials that are stopped take less than what it is measured by, so that a study may end before all is done.
    """

    def standing(at: StudyProgress) -> Standing:
        best = "" if math.isnan(at.best) else f", best {at.best:.4g}"
        return Standing(at.units, at.most_units, len(at.failures), f"{counted(at.trials, 'trial')}{best}")

    return _followed(going, standing, "units", quiet)


def _followed(going: Iterator[At], standing: Callable[[At], Standing], noun: str, quiet: bool) -> At:
    """Follow many runs to their end, and return the last of their progress."""
    if not quiet and sys.stderr.isatty():
        return _bar(going, standing, noun)
    started, printed, first, line = time.monotonic(), -SECONDS_BETWEEN_LINES, None, ""
    begun: tuple[float, int] | None = None  # when the first jobs had ended, which also waited for what is compiled once
    for at in going:
        now = standing(at)
        first = now if first is None else first
        elapsed, ended = time.monotonic() - started, now.done + now.failed
        begun = (elapsed, ended) if begun is None and ended > first.done else begun
        done = 0 if begun is None else ended - begun[1]
        left = f"  ETA {(elapsed - begun[0]) / done * (now.total - ended):.0f} s" if begun and done else ""
        failed = f", {now.failed:,} failed" if now.failed else ""
        line = f"{now.done:,} of {now.total:,} {noun}{failed}{f', {now.words}' if now.words else ''}{left}"
        if not quiet and (elapsed - printed >= SECONDS_BETWEEN_LINES or ended == now.total):
            tell(line)
            printed, line = elapsed, ""
    if line and not quiet:
        tell(line.partition("  ETA")[0])  # it ended before all was done
    return at


def _bar(going: Iterator[At], standing: Callable[[At], Standing], noun: str) -> At:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (
        noun,
        MofNCompleteColumn(),
        BarColumn(bar_width=24),
        TextColumn("{task.description}", markup=False),
        "ETA",
    )
    with Bar(*columns, TimeRemainingColumn(elapsed_when_finished=True), console=Console(file=messages())) as bar:
        task = None
        for at in going:
            now = standing(at)
            if task is None:
                task = bar.add_task("", total=now.total, completed=now.done)
            failed = f"{now.failed:,} failed" if now.failed else ""
            words = ", ".join(filter(None, (failed, now.words)))
            bar.update(task, completed=now.done + now.failed, description=words)
    return at
