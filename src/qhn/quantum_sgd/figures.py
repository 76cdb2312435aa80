"""The figures of a quantum gradient descent, each with its data beside it as CSV."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qhn.quantum_sgd.segment import Segment
from qhn.quantum_sgd.start import Start
from qhn.report.plotting import Axes, MaxNLocator, in_own_style, label_of, save
from qhn.report.style import BLACK, BLUE, COLOURS, GREEN, GREY, MARKERS, RED, new_figure, write_csv

MAX_NAMED = 12  # parameters in the legend: those that change most
SMALLEST = 1e-16  # an error below is rounding, and has no place on a logarithmic axis


@in_own_style
def losses(folder: Path, segments: Sequence[Segment]) -> Path:
    """Draw the loss after each segment beside true descent and classical Carleman, and the errors of the update.

    Args:
        folder: the directory for ``losses.png`` and ``losses.csv``.
        segments: the segments, at least one.

    Returns:
        The path of the PNG file.
    """
    numbers = np.arange(len(segments) + 1)
    first = segments[0].beside.losses["before"]
    series = {
        name: np.array([first, *[one.beside.losses[key] for one in segments]])
        for name, key in (("quantum", "after"), ("true", "true_path"), ("carleman", "carleman"))
    }
    stated = np.array([0.0, *[one.beside.loss_std_error for one in segments]])
    errors = {
        "update": np.array([np.nan, *[one.update_error for one in segments]]),
        "decrease": np.array([np.nan, *[one.decrease_error for one in segments]]),
        "stated": np.array([np.nan, *[one.stated_error for one in segments]]),
        "truncation": np.array([np.nan, *[one.carleman_error for one in segments]]),
    }
    table = {"segment": numbers, **{f"loss_{name}": values for name, values in series.items()}, "std_error": stated}
    write_csv(folder / "losses.csv", table | {f"error_of_{name}": values for name, values in errors.items()})
    figure, (left, right) = new_figure(columns=2)
    left.plot(numbers, series["true"], color=BLACK, linewidth=1.0, label="true sparse descent")
    left.plot(numbers, series["carleman"], "s", color=GREEN, markersize=4, fillstyle="none", label="classical Carleman")
    left.errorbar(
        numbers, series["quantum"], stated, fmt="o", color=BLUE, markersize=2.5, linewidth=0.8, label="downloaded"
    )
    left.set_ylabel("loss")
    left.legend(fontsize=6, frameon=False)
    shown = {"update": (BLUE, "o", "update, downloaded"), "decrease": (RED, "^", "decrease of the loss")}
    shown["truncation"] = (GREEN, "s", "update, classical Carleman")
    for name, (colour, marker, label) in shown.items():
        values = np.maximum(errors[name][1:], SMALLEST)
        right.plot(numbers[1:], values, marker, color=colour, markersize=3, linestyle="-", linewidth=0.6, label=label)
    if stated.any():
        right.plot(numbers[1:], errors["stated"][1:], ":", color=RED, linewidth=0.8, label="decrease, stated by shots")
    right.axhline(0.01, color=GREY, linewidth=0.5, linestyle="--")
    right.set_yscale("log")
    right.set_ylabel("error, relative to true descent")
    right.legend(fontsize=6, frameon=False)
    for axes in (left, right):
        _by_segment(axes)
    return save(figure, folder / "losses.png")


@in_own_style
def parameters(folder: Path, start: Start, segments: Sequence[Segment]) -> Path:
    """Draw every kept parameter along the segments beside true descent, and each segment's errors with intervals.

    Args:
        folder: the directory for ``parameters.png`` and ``parameters.csv``.
        start: where the descent starts.
        segments: the segments, at least one.

    Returns:
        The path of the PNG file.
    """
    numbers = np.arange(len(segments) + 1)
    theta = np.array([start.theta, *[one.after for one in segments]])
    true = np.array([start.theta, *[one.beside.true_path for one in segments]])
    low = np.array([start.theta, *[one.read.low if one.read else one.after for one in segments]])
    high = np.array([start.theta, *[one.read.high if one.read else one.after for one in segments]])
    columns: dict[str, Any] = {"segment": numbers}
    for place, name in enumerate(start.names):
        for kind, values in (("", theta), (" low", low), (" high", high), (" true", true)):
            columns[f"{name}{kind}"] = values[:, place]
    write_csv(folder / "parameters.csv", columns)
    figure, (left, right) = new_figure(columns=2)
    after = np.array([one.beside.true for one in segments])
    named = set(np.argsort(-np.abs(theta[-1] - theta[0]), kind="stable")[:MAX_NAMED].tolist())
    for place, name in enumerate(start.names):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        style: dict[str, Any] = {"fmt": marker, "color": colour, "markersize": 3, "elinewidth": 0.7}
        left.plot(numbers, true[:, place] - true[0, place], color=colour, linewidth=0.8)
        bars = np.array([theta - low, high - theta])[:, :, place].clip(min=0)
        label = label_of(name) if place in named else None
        left.errorbar(numbers, theta[:, place] - theta[0, place], bars, label=label, **style)
        shift = 0.6 * ((place + 0.5) / len(start.names) - 0.5)  # so that the intervals stand side by side
        right.errorbar(numbers[1:] + shift, theta[1:, place] - after[:, place], bars[:, 1:], **style)
    left.set_ylabel("change (lines: true descent)")
    right.axhline(0.0, color=GREY, linewidth=0.5)
    right.set_ylabel("error of the update, and its 95 %" if bars.any() else "error of the update")
    title = f"the {MAX_NAMED} of {len(start.names)} that change most" if len(start.names) > MAX_NAMED else None
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "ncols": 2 if title is None else 3}
    left.legend(title=title, title_fontsize=6, fontsize=6, frameon=False, **above)
    for axes in (left, right):
        _by_segment(axes)
    return save(figure, folder / "parameters.png")


@in_own_style
def circuits(folder: Path, segments: Sequence[Segment]) -> Path:
    """Draw the condition number, and the probabilities that a shot succeeds and shows the last displacement.

    Args:
        folder: the directory for ``circuits.png`` and ``circuits.csv``.
        segments: the segments, at least one, all solved by circuits.

    Returns:
        The path of the PNG file.
    """
    solved = [one.solved for one in segments if one.solved is not None]
    numbers = np.arange(1, len(solved) + 1)
    success = np.array([one.success for one in solved])
    weight = np.array([one.weight for one in solved])
    condition = np.array([one.told.condition for one in segments])
    write_csv(
        folder / "circuits.csv",
        {
            "segment": numbers,
            "condition": condition,
            "degree": np.array([one.degree for one in solved]),
            "success": success,
            "weight": weight,
            "useful": success * weight,
        },
    )
    figure, (left, right) = new_figure(columns=2)
    left.plot(numbers, condition, "o-", color=BLUE, markersize=3, linewidth=0.8)
    left.set_ylabel("condition number κ")
    left.set_ylim(0, 1.1 * condition.max())
    for values, colour, marker, label in (
        (success, BLUE, "o", "success of the solver"),
        (weight, GREEN, "s", "weight of the last displacement"),
        (success * weight, RED, "^", "both: a useful shot"),
    ):
        right.plot(numbers, values, marker, color=colour, markersize=3, linestyle="-", linewidth=0.8, label=label)
    right.set_yscale("log")
    right.set_ylim(top=1.2)
    right.set_ylabel("probability")
    right.legend(fontsize=6, frameon=False, loc="lower left", bbox_to_anchor=(0, 1))
    for axes in (left, right):
        _by_segment(axes)
    return save(figure, folder / "circuits.png")


def _by_segment(axes: Axes) -> None:
    axes.set_xlabel("segment")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
