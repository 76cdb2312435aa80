"""The picture of spectra after pruning, saved with its data beside it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from qhn.paper.pictures import one_legend, write_rows
from qhn.paper.pruned_training import AT, HORIZON, SHARE, Moment, Training, Trainings
from qhn.report.plotting import Axes, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLUMN, GREEN, RED, bars, new_figure

COLOURS = {Training.DENSE: BLACK, Training.FINE_TUNED: BLUE, Training.SAME_START: RED, Training.NEW_START: GREEN}
MARKERS = {Training.DENSE: "o", Training.FINE_TUNED: "s", Training.SAME_START: "^", Training.NEW_START: "v"}
OFFSET = 0.06  # between the marks of two trainings
Quantity = Callable[[Moment], Any]


@in_own_style
def spectra_along_trainings(path: Path, found: Trainings) -> Path:
    """Draw masses of all and of the kept parameters' Hessian, their ratio, and the error of linearised descents.

    Args:
        path: the file.
        found: the trainings.
    """
    figure, panels = new_figure(2, 2, width=1.05 * COLUMN, height=0.82 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, part, title in (
        (panels[0], "full", "all parameters, at the pruned point"),
        (panels[1], "kept", "kept parameters alone"),
    ):
        for sign, line in (("positive", "-"), ("negative", ":")):
            _lines(axes, found, f"{part} {sign}", _per_parameter(part, sign), line, rows)
        axes.set_title(title, fontsize=8)
        axes.set_ylabel("mass per parameter")
    _lines(panels[2], found, "ratio", lambda one: one.ratio, "-", rows)
    panels[2].set_ylabel("negative / positive mass, kept")
    for axes in panels[:3]:
        axes.set_yscale("log")
        axes.set_xticks(range(len(AT)), [str(step) for step in AT])
        axes.set_xlabel("step of the training")
    _errors(panels[3], found, rows)
    one_legend(figure, panels, fontsize=7, ncols=2)
    panels[0].text(0.03, 0.04, "solid: positive, dotted: negative", fontsize=6, transform=panels[0].transAxes)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _per_parameter(part: str, sign: str) -> Quantity:
    def quantity(one: Moment) -> float:
        spectrum = getattr(one, part)
        return float(getattr(spectrum, sign).value / spectrum.num_parameters)

    return quantity


def _lines(axes: Axes, found: Trainings, name: str, quantity: Quantity, line: str, rows: list[dict[str, Any]]) -> None:
    """Draw medians and ranges over seeds along each training, and add them to the rows of the data."""
    for number, (training, colour) in enumerate(COLOURS.items()):
        values = np.stack([found.values(quantity, training, step) for step in AT])
        middle, low, high = np.median(values, axis=1), values.min(axis=1), values.max(axis=1)
        places = np.arange(len(AT)) + OFFSET * (number - 1.5)
        axes.errorbar(
            places, middle, bars(middle, low, high), color=colour, marker=MARKERS[training], markersize=3, lw=1,
            elinewidth=0.5, linestyle=line, label=str(training) if line == "-" else None,
        )  # fmt: skip
        rows += [
            {"training": str(training), "quantity": name, "step": step, "horizon": 0}
            | {"median": middle[at], "low": low[at], "high": high[at], "seeds": values.shape[1]}
            for at, step in enumerate(AT)
        ]


def _errors(axes: Axes, found: Trainings, rows: list[dict[str, Any]]) -> None:
    """Draw the errors of descents that are linearised at some moments, by the number of steps since then."""
    steps = np.arange(1, HORIZON + 1)
    for training, step, line in (
        (Training.DENSE, 0, "--"), (Training.DENSE, AT[-1], "-"), (Training.FINE_TUNED, 0, "--"),
        (Training.FINE_TUNED, AT[-1], "-"), (Training.SAME_START, 0, "--"), (Training.NEW_START, 0, "--"),
    ):  # fmt: skip
        errors = found.values(lambda one: one.errors, training, step)
        middle, low, high = np.median(errors, axis=0), errors.min(axis=0), errors.max(axis=0)
        axes.plot(steps, middle, color=COLOURS[training], lw=1, ls=line)
        axes.fill_between(steps, low, high, color=COLOURS[training], alpha=0.12, linewidth=0)
        rows += [
            {"training": str(training), "quantity": "linearisation error", "step": step, "horizon": horizon}
            | {"median": middle[at], "low": low[at], "high": high[at], "seeds": len(errors)}
            for at, horizon in enumerate(steps.tolist())
        ]
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(2, HORIZON)  # the first step is exact
    axes.set_ylim(1e-6, 1e3)
    axes.axhline(1.0, color=BLACK, lw=0.4)
    axes.set_xlabel("steps since the linearisation")
    axes.set_ylabel("error / way of the true descent")
    axes.set_title(f"linearised at step 0 (dashed) and {AT[-1]:,} (solid)", fontsize=8)


CAPTION = (
    f"Spectra along trainings of 289 parameters, {SHARE:.0%} pruned: masses per parameter of the full Hessian and of "
    "that of the kept parameters, their ratio, and the distance of the linearised descent from the true one. Medians "
    "and ranges over seeds; step 0 of the fine-tuning is just after pruning."
)
