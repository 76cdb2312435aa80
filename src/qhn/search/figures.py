"""The figures of a study: learning curves and where they ended, rounds, and predicted losses beside reached ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qhn.arrays import Floats
from qhn.report.plotting import Axes, FuncFormatter, Line2D, LineCollection, LogLocator, colormaps, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLUMN, GREY, RED, new_figure, one_panel, write_csv
from qhn.search.account import Fate, RoundAccount
from qhn.search.curves import Verdict
from qhn.search.prediction_quality import DecisionPoint
from qhn.search.study import Study
from qhn.text import counted

ORANGE = "#e69f00"
STYLES = {  # colour, marker at the end, width and order of the curves of each fate
    Fate.DROPPED: (GREY, "", 0.6, 1),
    Fate.UNDER_WAY: ("#56b4e9", "", 0.7, 2),
    Fate.STOPPED: (ORANGE, "v", 0.7, 3),
    Fate.FAILED: (BLACK, "x", 0.7, 4),
    Fate.FINISHED: (BLUE, "", 0.9, 5),
    Fate.WINNER: (RED, "o", 1.6, 6),
}
LABELS = {
    Fate.WINNER: "best",
    Fate.FINISHED: "to the end",
    Fate.STOPPED: "stopped at a decision point",
    Fate.DROPPED: "dropped at a round's end",
    Fate.FAILED: "failed",
    Fate.UNDER_WAY: "under way",
}
MOST_POINTS = 200  # of a curve that are drawn
MANY = 60  # curves, above which they become transparent
PLAIN = FuncFormatter(lambda value, _: f"{value:,g}")
FEW = 150.0  # ratio of the ends of a logarithmic axis up to which 2 and 5 stand on it
WIDE = 20.0  # ratio of positive losses from which their scale is logarithmic


@in_own_style
def learning_curves(folder: Path, study: Study, found: Sequence[Fate]) -> Path:
    """Draw the learning curves of all trials, coloured by what became of them, each as far as it went.

    Args:
        folder: the directory for ``curves.png`` and ``curves.csv``, which holds the points that are drawn.
        study: the study.
        found: what became of each trial, by its number.

    Returns:
        The path of the PNG file.
    """
    figure, axes = one_panel(0.8 * COLUMN)
    drawn = {trial: _thinned(study.curves.of(trial)) for trial, fate in enumerate(found) if fate in STYLES}
    write_csv(
        folder / "curves.csv",
        {
            "trial": np.repeat(list(drawn), [len(x) for x, _ in drawn.values()]),
            "fate": np.repeat([str(found[trial]) for trial in drawn], [len(x) for x, _ in drawn.values()]),
            "resource": np.concatenate([x for x, _ in drawn.values()]),
            "loss": np.concatenate([y for _, y in drawn.values()]),
        },
    )
    counts = Counter(found)
    for fate, (colour, marker, width, order) in STYLES.items():
        lines = [np.column_stack(drawn[trial]) for trial in drawn if found[trial] is fate]
        alpha = 1.0 if fate is Fate.WINNER else max(0.2, min(0.8, MANY / max(counts[fate], 1)))
        axes.add_collection(
            LineCollection(
                lines, colors=colour, linewidths=width, alpha=alpha, zorder=order, rasterized=len(lines) > MANY
            )
        )
        ends = [line[np.isfinite(line[:, 1])][-1] for line in lines if np.isfinite(line[:, 1]).any()]
        if ends:
            shape = marker or "."
            x, y = np.array(ends).T
            axes.plot(x, y, shape, color=colour, markersize=3, alpha=max(alpha, 0.4), zorder=order, markeredgewidth=0.7)
    values = np.concatenate([y[np.isfinite(y)] for _, y in drawn.values()])
    _scale(axes, values)
    most = max(float(x[-1]) for x, _ in drawn.values())
    axes.set_xscale("log")
    axes.set_xlim(0.9, max(most, 2.0) * 1.15)
    _plain(axes, "x", most)
    axes.set_xlabel("resource of a trial, in units")
    axes.set_ylabel("loss")
    _legend(axes, [fate for fate in LABELS if counts[fate]], counts)
    return save(figure, folder / "curves.png")


def _thinned(curve: Floats) -> tuple[Floats, Floats]:
    """The resource and loss of at most so many points of a curve, evenly spread on a logarithmic scale."""
    last = len(curve)
    if last > MOST_POINTS:
        units = np.unique(np.geomspace(1, last, MOST_POINTS).round().astype(np.int64))
    else:
        units = np.arange(1, last + 1)
    return units.astype(np.float64), curve[units - 1]


def _scale(axes: Axes, values: Floats) -> None:
    """Limits that hold all losses but the few that are far above all others, on a scale that shows them."""
    if not len(values):
        return
    low, high = float(values.min()), float(np.quantile(values, 0.98))
    if low > 0 and values.max() > WIDE * low:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.15, float(values.max()) * 1.15)
        if values.max() < 1000 * low:
            _plain(axes, "y", values.max() / low)
        return
    if values.max() < low + 1.5 * (high - low):
        high = float(values.max())
    margin = 0.05 * (high - low) or 0.05 * max(abs(low), 1e-9)
    axes.set_ylim(low - margin, high + margin)


def _plain(axes: Axes, name: Literal["x", "y"], span: float) -> None:
    """Plain numbers on a logarithmic axis, more of them the fewer powers of ten it spans."""
    axis = axes.xaxis if name == "x" else axes.yaxis
    if span < FEW:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(PLAIN)
    axis.set_minor_formatter("")


def _legend(axes: Axes, shown: Iterable[Fate], counts: Counter[Fate]) -> None:
    handles = [
        Line2D([], [], color=STYLES[fate][0], linewidth=1.5, marker=STYLES[fate][1] or "None", markersize=3.5)
        for fate in shown
    ]
    labels = [LABELS[fate] + (f" ({counts[fate]:,})" if counts[fate] > 1 else "") for fate in shown]
    axes.legend(
        handles, labels, fontsize=6, frameon=False, handlelength=1.6, ncols=2, loc="lower left", bbox_to_anchor=(0, 1)
    )


# ---------------------------------------------------------------- rounds


@in_own_style
def rounds(folder: Path, study: Study, found: Sequence[Fate], accounts: Sequence[RoundAccount]) -> Path:
    """Draw how many trials each bracket trained on the way to R, and what they took and would have if none was stopped.

    Args:
        folder: the directory for ``rounds.png`` and ``rounds.csv``; what each trial took is in ``trials.csv``.
        study: the study.
        found: what became of each trial, by its number.
        accounts: the rounds that have begun.

    Returns:
        The path of the PNG file.
    """
    write_csv(folder / "rounds.csv", rounds_table(accounts))
    figure, (left, right) = new_figure(2)
    brackets = sorted({account.bracket for account in accounts})
    colours = dict(zip(brackets, colormaps["viridis"](np.linspace(0, 0.9, len(brackets))), strict=True))
    for bracket in brackets:
        of_bracket = [account for account in accounts if account.bracket == bracket]
        x, y = _survivors(of_bracket)
        left.step(x, y, where="post", color=colours[bracket], linewidth=1.2)
        points = [account for account in of_bracket if account.point is not None and account.verdicts[Verdict.FULL]]
        at = [float(account.point or 0) for account in points]
        left.plot(at, list(map(_going_on, points)), "v", color=colours[bracket], markersize=3)
    left.set_xscale("log")
    left.set_yscale("log")
    _plain(left, "x", max(account.resource for account in accounts))
    _plain(left, "y", max(len(account.trials) for account in accounts))
    left.set_xlabel("resource of a trial, in units")
    left.set_ylabel("trials that are trained")
    _bars(right, study, found, accounts, brackets)
    for label, bracket in zip(right.get_yticklabels(), brackets, strict=True):
        label.set_color(colours[bracket])
    return save(figure, folder / "rounds.png")


def rounds_table(accounts: Sequence[RoundAccount]) -> dict[str, Any]:
    """A table with a row for each round: trials, verdicts and resource.

    Args:
        accounts: the rounds that have begun.
    """
    table: dict[str, Any] = {
        "bracket": np.array([account.bracket for account in accounts]),
        "round": np.array([account.round for account in accounts]),
        "trials": np.array([len(account.trials) for account in accounts]),
        "decided_at": np.array([np.nan if account.point is None else account.point for account in accounts]),
        "until": np.array([account.resource for account in accounts]),
    }
    table |= {str(verdict): np.array([account.verdicts[verdict] for account in accounts]) for verdict in Verdict}
    table["units"] = np.array([account.units for account in accounts])
    table["units_if_none_stopped"] = np.array([account.planned for account in accounts])
    return table


def _going_on(account: RoundAccount) -> int:
    return account.verdicts[Verdict.FULL] + account.verdicts[Verdict.CONTINUED]


def _survivors(accounts: Sequence[RoundAccount]) -> tuple[list[float], list[float]]:
    """The number of trials of a bracket that are trained beyond each resource, as a step function."""
    x, y, before = [], [], 0.5
    for account in accounts:
        x.append(before)
        y.append(float(len(account.trials)))
        if account.point is not None and account.verdicts[Verdict.FULL]:
            x.append(float(account.point))
            y.append(float(_going_on(account)))
        before = float(account.resource)
    return [*x, before], [*y, y[-1]]


def _bars(
    axes: Axes, study: Study, found: Sequence[Fate], accounts: Sequence[RoundAccount], brackets: Sequence[int]
) -> None:
    """The resource of each bracket by what became of its trials, and what it takes if none is stopped in a round."""
    spent = {bracket: Counter[Fate]() for bracket in brackets}
    for account in accounts:
        if account.round == 0:
            for trial in account.trials:
                spent[account.bracket][found[trial]] += int((study.curves.of(trial) != np.inf).sum())
    planned = [sum(account.planned for account in accounts if account.bracket == bracket) for bracket in brackets]
    place, begin = np.arange(len(brackets)), np.zeros(len(brackets))
    axes.barh(place, planned, 0.75, facecolor="none", edgecolor=GREY, hatch="//////", linewidth=0.5, label="not spent")
    shown = [fate for fate in LABELS if any(of_bracket[fate] for of_bracket in spent.values())]
    for fate in shown:
        width = np.array([spent[bracket][fate] for bracket in brackets], dtype=np.float64)
        axes.barh(place, width, 0.75, begin, color=STYLES[fate][0], linewidth=0, label=LABELS[fate])
        begin += width
    axes.set_yticks(place, [f"bracket {bracket}" for bracket in brackets])
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PLAIN)
    axes.set_xlabel("resource of all its trials, in units")
    handles, labels = axes.get_legend_handles_labels()
    if np.allclose(begin, planned):
        handles, labels = handles[1:], labels[1:]
    axes.figure.legend(handles, labels, fontsize=6, frameon=False, ncols=6, loc="outside upper center")


# ---------------------------------------------------------------- predictions


@in_own_style
def predictions(folder: Path, points: Sequence[DecisionPoint]) -> Path:
    """Draw predicted losses against those that were reached, as far as trials went on, beside the last known ones.

    Args:
        folder: the directory for ``predictions.png`` and ``predictions.csv``.
        points: the decision points.

    Returns:
        The path of the PNG file.
    """
    write_csv(folder / "predictions.csv", predictions_table(points))
    figure, axes = one_panel(0.9 * COLUMN)
    ends = sorted({point.until for point in points if point.num_checked})
    colours = colormaps["viridis"](np.linspace(0, 0.9, len(ends)))
    is_last = all(np.array_equal(point.predicted, point.last) for point in points)
    values = []
    for point in points:
        last, reached = point.pairs(point.last)
        values += [last, reached]
        if not is_last:
            axes.plot(reached, last, "x", color=GREY, markersize=3, markeredgewidth=0.6, zorder=1)
    for end, colour in zip(ends, colours, strict=True):
        pairs = [point.pairs(point.predicted) for point in points if point.until == end]
        predicted, reached = (np.concatenate(part) for part in zip(*pairs, strict=True))
        values.append(predicted)
        axes.plot(reached, predicted, "o", color=colour, markersize=3.5, alpha=0.8, zorder=2, markeredgewidth=0)
    every = np.concatenate(values)
    low, high = float(every.min()), float(every.max())
    margin = 0.04 * (high - low) or 0.01
    axes.plot([low, high], [low, high], color=BLACK, linewidth=0.6, zorder=0)
    axes.set_xlim(low - margin, high + margin)
    axes.set_ylim(low - margin, high + margin)
    axes.set_xlabel("loss reached at the end of the round")
    axes.set_ylabel("predicted at the decision point")
    shown = list(zip(ends, colours, strict=True))
    handles = [Line2D([], [], color=colour, marker="o", linestyle="", markersize=3.5) for _, colour in shown]
    labels = [f"at {counted(end, 'unit')}" for end in ends]
    if not is_last:
        handles.append(Line2D([], [], color=GREY, marker="x", linestyle="", markersize=3))
        labels.append("last value instead")
    axes.legend(handles, labels, fontsize=6, frameon=False, handletextpad=0.2)
    return save(figure, folder / "predictions.png")


def predictions_table(points: Sequence[DecisionPoint]) -> dict[str, Any]:
    """A table with a row for each predicted loss, and what was reached, nan of a trial that was stopped.

    Args:
        points: the decision points.
    """
    sizes = [len(point.trials) for point in points]
    whole = ("bracket", "round", "resource", "until")
    table = {name: np.repeat([getattr(point, name) for point in points], sizes) for name in whole}
    table["trial"] = np.concatenate([point.trials for point in points])
    return table | {
        name: np.concatenate([getattr(point, name) for point in points]) for name in ("predicted", "last", "reached")
    }
