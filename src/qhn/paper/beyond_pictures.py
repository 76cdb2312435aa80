"""The picture of training beyond enumeration, with its data beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.paper.inference import Difference
from qhn.paper.pictures import write_rows
from qhn.report.plotting import in_own_style, save
from qhn.report.style import BLACK, COLOURS, COLUMN, GREY, new_figure

WINDOW = 10  # steps over which E is averaged, since few shots measure it
SEARCH_COLOURS = (GREY, *COLOURS[3:], "#f0e442")  # of searches, none of which is that of a circuit


@dataclass(frozen=True)
class Course:
    """The course of a training or of a search against the number of different networks evaluated.

    Attributes:
        name: the name of the circuit, or of the search.
        distinct: the number of different networks evaluated, ``[n]``.
        best: the mean of the lowest C so far, ``[n]``.
        mean: E as measured by each start, ``[starts, n]``; None for a search.
    """

    name: str
    distinct: Floats
    best: Floats
    mean: Floats | None = None

    def energies(self) -> tuple[Floats, list[Difference]]:
        """The numbers of networks and E with its interval, over windows of steps."""
        assert self.mean is not None
        width = min(WINDOW, self.mean.shape[1])
        number = self.mean.shape[1] // width
        inside = slice(0, number * width)
        windows = self.mean[:, inside].reshape(len(self.mean), number, width).mean(axis=2)
        at = self.distinct[inside].reshape(number, width).mean(axis=1)
        return at, [Difference.of_means(values) for values in windows.T]


@in_own_style
def courses(path: Path, found: Sequence[Course], random: float, lowest: float) -> Path:
    """Draw E and the lowest C so far against the number of different networks evaluated."""
    figure, (left, right) = new_figure(2, width=1.1 * COLUMN, height=COLUMN)
    rows: list[dict[str, Any]] = []
    circuits = [course for course in found if course.mean is not None]
    searches = [course for course in found if course.mean is None]
    for colour, course in zip(COLOURS, circuits, strict=False):
        at, energies = course.energies()
        values, low, high = np.array([(one.value, one.low, one.high) for one in energies]).T
        left.plot(at, values, color=colour, lw=1.2, label=course.name)
        if np.isfinite(low).all():
            left.fill_between(at, np.maximum(low, lowest), high, color=colour, alpha=0.2, linewidth=0)
        right.plot(course.distinct, course.best, color=colour, lw=1.4, label=course.name)
        rows += _rows(course.name, "E", at, values, low, high)
        rows += _rows(course.name, "lowest C", course.distinct, course.best)
    for colour, course in zip(SEARCH_COLOURS, searches, strict=False):
        right.plot(course.distinct, course.best, color=colour, lw=1.2, ls="--", label=f"{course.name}, search")
        rows += _rows(course.name, "lowest C", course.distinct, course.best)
    for level, words in ((random, "random networks"), (np.log(2), "constant prediction"), (lowest, "lowest known C")):
        left.axhline(level, color=BLACK, lw=0.6, ls=":")
        left.annotate(words, (0.02, level), xycoords=("axes fraction", "data"), fontsize=6, va="bottom")
    right.axhline(lowest, color=BLACK, lw=0.6, ls=":")
    left.set_ylabel("E, mean C of the distribution")
    right.set_ylabel("lowest C so far, mean")
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("different networks evaluated")
    left.legend(fontsize=6, frameon=False, loc="lower left", bbox_to_anchor=(0, 0.08))
    right.legend(fontsize=6, frameon=False)
    right.set_xlim(left=100)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _rows(name: str, what: str, at: Floats, value: Floats, *ends: Floats) -> list[dict[str, Any]]:
    low, high = ends or (np.full_like(value, np.nan),) * 2
    return [
        {"name": name, "what": what, "distinct": a, "value": v, "low": lo, "high": hi}
        for a, v, lo, hi in zip(at.tolist(), value.tolist(), low.tolist(), high.tolist(), strict=True)
    ]
