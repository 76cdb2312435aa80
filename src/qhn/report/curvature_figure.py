"""The picture of the curvature along a run: trace and bounds, the curvature along the steps, inactive angles."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qhn.arrays import Floats
from qhn.report.curvature import CurvatureReport
from qhn.report.plotting import Axes, MaxNLocator, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLUMN, GREEN, GREY, RED, new_figure, write_csv
from qhn.statistics import TWO_SIDED

FEW = 20  # steps up to which each has a marker


@in_own_style
def curvature_curves(folder: Path, report: CurvatureReport) -> Path:
    """Draw what is known of the curvature of E against the step, with 95 % bands.

    Args:
        folder: the directory for ``curvature.png`` and ``curvature.csv``.
        report: the curvature along a run.

    Returns:
        The path of the PNG file.
    """
    has_errors = bool(report.diagonals) and not np.isnan(report.diagonals[0].positive_mass)
    shown = [
        (_draw_hessian, bool(report.diagonals or report.spectra)),
        (_draw_along, bool(report.along)),
        (_draw_inactive, has_errors and not report.ansatz.shared_angles.size),
    ]
    drawn = [draw for draw, known in shown if known]
    figure, panels = new_figure(1, len(drawn), height=0.65 * COLUMN)
    for panel, draw in zip(panels, drawn, strict=True):
        draw(panel, report)
        panel.set_xlim(-0.5, max(report.steps[-1].step, 1) + 0.5)
        panel.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
        panel.legend(fontsize=6, frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    panels[-1].set_xlabel("step")
    write_csv(folder / "curvature.csv", curvature_columns(report))
    return save(figure, folder / "curvature.png")


def curvature_columns(report: CurvatureReport) -> dict[str, Floats]:
    """The data of the picture, one value per step; nan where a number is not known.

    Args:
        report: the curvature along a run.
    """
    of_diagonal = ("trace", "trace_std_error", "positive_mass", "negative_mass", "largest", "smallest")
    of_counts = ("num_angles", "fewest_inactive", "most_inactive")
    numbers = [step.step for step in report.steps]
    place = {number: k for k, number in enumerate(numbers)}
    columns = {"step": np.array(numbers)}

    def column(name: str, values: dict[int, float]) -> None:
        columns[name] = np.full(len(numbers), np.nan)
        for number, value in values.items():
            columns[name][place[number]] = value

    for name in of_diagonal + of_counts:
        column(name, {one.step: getattr(one, name) for one in report.diagonals})
    for name in ("positive", "negative"):
        column(f"exact_{name}_mass", {number: getattr(one, name).value for number, one in report.spectra.items()})
    for name in ("largest", "smallest"):
        column(f"exact_{name}", {number: getattr(one, name) for number, one in report.spectra.items()})
    for name in ("curvature", "std_error", "rate"):
        column(f"along_{name}", {one.step: getattr(one, name) for one in report.along})
    return columns


def _draw_hessian(axes: Axes, report: CurvatureReport) -> None:
    number = np.array([one.step for one in report.diagonals])
    marker, exact = "." if len(number) < FEW else "", "exact" if report.train.is_ideal else "ideal circuit"
    if report.diagonals:
        trace = np.array([one.trace for one in report.diagonals])
        error = TWO_SIDED * np.nan_to_num([one.trace_std_error for one in report.diagonals])
        axes.fill_between(number, trace - error, trace + error, color=BLUE, alpha=0.3, linewidth=0)
        axes.plot(number, trace, color=BLUE, marker=marker, linewidth=1, label="trace" + ", 95 %" * bool(error.any()))
    for sign, name, color in ((1, "positive", GREEN), (-1, "negative", RED)):
        if report.diagonals:
            bound = sign * np.array([getattr(one, f"{name}_mass") for one in report.diagonals])
            label = f"{name}, bound by diagonal"
            axes.plot(number, bound, color=color, linewidth=1, linestyle="--", marker=marker, label=label)
        if report.spectra:
            mass = [sign * getattr(one, name).value for one in report.spectra.values()]
            places = list(report.spectra)
            axes.plot(places, mass, color=color, marker="o", markersize=2.5, linewidth=0, label=f"{name}, {exact}")
    axes.axhline(0, color=GREY, linewidth=0.6)
    axes.set_ylabel("sums of eigenvalues, C/rad²")


def _draw_along(axes: Axes, report: CurvatureReport) -> None:
    number = np.array([one.step for one in report.along])
    curvature = np.array([one.curvature for one in report.along])
    error = TWO_SIDED * np.nan_to_num([one.std_error for one in report.along])
    limit = np.array([2 / one.rate for one in report.along])
    axes.errorbar(
        number,
        curvature,
        error,
        color=BLUE,
        marker="o",
        markersize=2,
        linewidth=0,
        elinewidth=0.8,
        label="λ along the step" + ", 95 %" * bool(error.any()),
    )
    axes.plot(number, limit, color=BLACK, linewidth=0.8, linestyle=":", label="2/η, where it diverges")
    axes.axhline(0, color=GREY, linewidth=0.6)
    known = error <= np.median(error)  # short steps with large errors would press all others flat
    low = min(float((curvature - error)[known].min()), 0.0)
    high = max(float((curvature + error)[known].max()), *limit[known & np.isfinite(limit)][:1], 0.0)
    margin = 0.1 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)
    axes.set_ylabel("curvature λ, C/rad²")


def _draw_inactive(axes: Axes, report: CurvatureReport) -> None:
    number = np.array([one.step for one in report.diagonals])
    few, many = (
        np.array([getattr(one, name) / max(one.num_angles, 1) for one in report.diagonals])
        for name in ("fewest_inactive", "most_inactive")
    )
    axes.fill_between(number, few, many, color=BLUE, alpha=0.3, linewidth=0, label="not decided")
    axes.plot(number, few, color=BLUE, linewidth=1, label="inactive, A < 0.1 max. A")
    axes.set_ylim(-0.03, 1.03)
    axes.set_ylabel("share of angles")
