"""The pictures of truncated lifts of gradient descent; each is saved with its data beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qhn.paper.lift_errors import HORIZONS, ORDERS, SEGMENTS, Batches, Horizon, Reexpansion, Truncation
from qhn.paper.pictures import write_rows
from qhn.report.plotting import in_own_style, save
from qhn.report.style import COLOURS, COLUMN, GREEN, GREY, MARKERS, RED, new_figure

REGIME_COLOURS = {"dissipative": GREEN, "flat": "#e69f00", "divergent": RED}


@in_own_style
def errors_by_order(path: Path, found: Sequence[Truncation]) -> Path:
    """Draw the truncation error of each problem against the order, with its bound and that of the Euler closure."""
    figure, panels = new_figure(2, width=COLUMN, height=0.85 * COLUMN)
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(found):
        colour = COLOURS[number]
        label = f"{one.name}, R = {one.diagnosis.nonlinearity:.2g}"
        panels[0].plot(ORDERS, one.errors, color=colour, marker=MARKERS[number], ms=3.5, lw=1, label=label)
        bounds = np.where(np.isfinite(one.bounds), one.bounds, np.nan)
        panels[0].plot(ORDERS, bounds, color=colour, lw=0.7, ls=":")
        panels[1].plot(ORDERS, one.errors, color=colour, marker=MARKERS[number], ms=3.5, lw=1)
        panels[1].plot(ORDERS, one.euler, color=colour, marker=MARKERS[number], ms=3.5, lw=1, ls="--", mfc="white")
        rows += [
            {"problem": one.name, "R": one.diagnosis.nonlinearity, "order": order, "exact": error, "euler": euler}
            | {"bound": bound}
            for order, error, euler, bound in zip(ORDERS, one.errors, one.euler, one.bounds, strict=True)
        ]
    titles = ("exact closure, and its rigorous bound (dotted)", "exact closure, and Euler closure (dashed)")
    for axes, title in zip(panels, titles, strict=True):
        axes.set_yscale("log")
        axes.set_xticks(ORDERS)
        axes.set_xlabel("truncation order N")
        axes.set_title(title, fontsize=8)
    panels[0].set_ylabel("error of the last displacement")
    panels[0].legend(fontsize=6, frameon=False)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def three_regimes(path: Path, found: Sequence[Horizon]) -> Path:
    """Draw the condition number, the truncation error and the weight of the last displacement against the horizon."""
    figure, panels = new_figure(3, width=0.8 * COLUMN, height=0.75 * COLUMN)
    series = ("condition_numbers", "errors", "weights")
    labels = (
        "condition number κ of the history",
        "relative truncation error, N = 2",
        "weight of the last displacement",
    )
    for axes, name, label in zip(panels, series, labels, strict=True):
        for number, one in enumerate(found):
            values = getattr(one, name)
            colour = REGIME_COLOURS[one.name]
            axes.plot(HORIZONS, values, color=colour, marker=MARKERS[number], ms=3.5, lw=1, label=one.name)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(HORIZONS, [str(horizon) for horizon in HORIZONS])
        axes.minorticks_off()
        axes.set_xlabel("steps T")
        axes.set_ylabel(label)
    panels[0].plot(HORIZONS, 2 * np.array(HORIZONS), color=GREY, lw=0.7, ls=":", label="2 T")
    panels[0].legend(fontsize=6, frameon=False)
    rows = [
        {"regime": one.name, "steps": steps, "condition_number": kappa, "relative_error": error, "weight": weight}
        for one in found
        for steps, kappa, error, weight in zip(HORIZONS, one.condition_numbers, one.errors, one.weights, strict=True)
    ]
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def reuploads(path: Path, found: Sequence[Reexpansion], batches: Batches) -> Path:
    """Draw the error of 40 steps by the length of a segment, and that of stochastic descent by the order."""
    figure, (left, right) = new_figure(2, width=COLUMN, height=0.75 * COLUMN)
    rows: list[dict[str, Any]] = []
    for number, one in enumerate(found):
        left.plot(SEGMENTS, one.errors, color=COLOURS[number], marker=MARKERS[number], ms=3.5, lw=1, label=one.name)
        rows += [
            {"problem": one.name, "steps": steps, "order": 2, "error": error}
            for steps, error in zip(SEGMENTS, one.errors, strict=True)
        ]
    left.set_xscale("log")
    left.set_xticks(SEGMENTS, [str(steps) for steps in SEGMENTS])
    left.minorticks_off()
    left.set_xlabel("steps from one re-upload to the next, N = 2")
    left.set_ylabel("relative error of 40 steps")
    left.legend(fontsize=7, frameon=False)
    for errors in batches.errors:
        right.plot(batches.orders, errors, color=GREY, marker="o", ms=2.5, lw=0.7)
    right.set_xticks(batches.orders)
    right.set_xlabel("truncation order N")
    right.set_ylabel("relative error of the update")
    right.set_title("stochastic descent, one lift a step", fontsize=8)
    for axes in (left, right):
        axes.set_yscale("log")
    rows += [
        {"problem": f"batches, seed {seed}", "steps": batches.num_steps, "order": order, "error": error}
        for seed, errors in enumerate(batches.errors)
        for order, error in zip(batches.orders, errors, strict=True)
    ]
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)
