"""The pictures of success against the depth of the circuit; each is saved with its data beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qhn.paper.inference import Difference
from qhn.paper.pictures import ORDERS, intervals, one_legend, write_rows
from qhn.report.plotting import Axes, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLOURS, COLUMN, GREY, MARKERS, bars, new_figure
from qhn.sweep.survey import Rate, Survey


@in_own_style
def success(path: Path, surveys: Mapping[str, Survey]) -> Path:
    """Draw the success rate against depth with 95 % intervals: a panel per survey, both orders, every ε."""
    figure, panels = new_figure(len(surveys), width=0.9 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, (title, survey) in zip(panels, surveys.items(), strict=True):
        for number, order in enumerate(ORDERS):
            groups = [group for group in survey.groups if group.values[0] == order]
            depths = np.array([group.values[1] for group in groups])
            for epsilon, line in zip(survey.epsilon, ("-", ":"), strict=False):
                rates = [group.success(epsilon) for group in groups]
                value, low, high = intervals(rates)
                axes.errorbar(
                    depths + 0.06 * (2 * number - 1), value, bars(value, low, high), color=COLOURS[number],
                    marker=MARKERS[number], markersize=4, linestyle=line, capsize=2, label=f"{order}, ε = {epsilon:g}",
                )  # fmt: skip
                for depth, rate in zip(depths.tolist(), rates, strict=True):
                    rows.append(
                        {"task": title, "order": order, "num_layers": depth, "epsilon": epsilon, "success": rate.value}
                        | dict(zip(("low", "high"), rate.interval, strict=True))
                        | {"starts": rate.trials}
                    )
        axes.set_title(title, fontsize=8)
        axes.set_xticks(depths, ["product" if depth == 0 else str(depth) for depth in depths])
        axes.set_xlabel("layers")
        axes.set_ylabel("success rate")
        axes.set_ylim(0, 1.35)
        axes.set_yticks(np.linspace(0, 1, 6))
        axes.legend(fontsize=6, frameon=False, loc="upper center", ncols=2)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def by_data_set(path: Path, rates: Mapping[str, Mapping[int, list[Rate]]], epsilon: float) -> Path:
    """Draw the success rate against depth: a thin line per data set, a thick one for the mean, a panel per order."""
    figure, panels = new_figure(len(rates), width=0.9 * COLUMN)
    rows: list[dict[str, Any]] = []
    every = (rate.value for found in rates.values() for row in found.values() for rate in row)
    top = 1.25 * max(every, default=0.0) or 1.0  # with room for the legend
    for axes, (order, found) in zip(panels, rates.items(), strict=True):
        depths = list(found)
        table = np.array([[rate.value for rate in found[depth]] for depth in depths])
        axes.plot(depths, table, color=GREY, lw=0.6)
        axes.plot(depths, table.mean(axis=1), color=BLUE, marker="o", label=f"mean of {table.shape[1]} data sets")
        axes.set_xticks(depths, ["product" if depth == 0 else str(depth) for depth in depths])
        axes.set_title(f"{order}, ε = {epsilon:g}", fontsize=8)
        axes.set_xlabel("layers")
        axes.set_ylabel("success rate")
        axes.set_ylim(0, top)
        axes.legend(fontsize=6, frameon=False)
        rows += [
            {"order": order, "num_layers": depth, "data_set": number, "success": rate.value}
            for depth in depths
            for number, rate in enumerate(found[depth], start=1)
        ]
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def optimum(
    path: Path,
    success: Mapping[float, Mapping[str, Mapping[int, Difference]]],
    factors: Mapping[str, Mapping[int, Difference]],
    random: Mapping[float, float],
    what: str,
) -> Path:
    """Draw success at several distances ε beside each other, and how many times rarer layers make that at the last.

    Args:
        path: file of the picture.
        success: the rates of success with their intervals, by ε, order of gates and number of layers, from 0.
        factors: the rate of the product state divided by that of layers, at the last ε, by order and number of layers.
        random: the share of all networks that lie within each ε.
        what: what a rate is of, in words.
    """
    figure, panels = new_figure(len(success) + 1, width=0.7 * COLUMN, height=0.75 * COLUMN)
    rows: list[dict[str, Any]] = []
    layers = sorted({depth for found in factors.values() for depth in found})
    for axes, (epsilon, orders) in zip(panels, success.items(), strict=False):
        product = next(iter(orders.values()))[0]
        axes.axhline(product.value, color=GREY, lw=1, ls="--", label="product state")
        axes.axhspan(product.low, product.high, color=GREY, alpha=0.25, lw=0, label="product state, 95 %")
        axes.axhline(random[epsilon], color=BLACK, lw=1, ls=":", label="share of all networks (floor)")
        top = max(one.high for found in orders.values() for one in found.values())
        for number, (order, found) in enumerate(orders.items()):
            _bars(axes, number, order, {depth: found[depth] for depth in layers}, 1.2 * top)
            rows += _rows(f"success, {epsilon:g}", order, found)
        axes.set_ylim(-0.02 * top, 1.12 * top)
        axes.set_title(f"E − C* < {epsilon:g}", fontsize=8)
        axes.set_ylabel(what)
    last, axes = list(success)[-1], panels[-1]
    axes.axhline(1, color=GREY, lw=1, ls="--")
    ends = [end for found in factors.values() for one in found.values() for end in (one.value, one.low, one.high)]
    inside = [end for end in ends if 0 < end < np.inf] or [1.0]
    least, most = min(0.8, 0.8 * min(inside)), max(1.25, 1.25 * max(inside))
    for number, (order, found) in enumerate(factors.items()):
        _bars(axes, number, order, found, most, least)
        rows += _rows(f"times rarer, {last:g}", order, found)
    axes.set_yscale("log")
    axes.set_ylim(least, most)
    ticks = [tick for tick in (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100) if least < tick < most]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_title(f"E − C* < {last:g}", fontsize=8)
    axes.set_ylabel("times rarer than product")
    for axes in panels:
        axes.set_xticks(layers)
        axes.set_xlim(layers[0] - 0.5, layers[-1] + 0.5)
        axes.set_xlabel("layers")
    one_legend(figure, panels, fontsize=7, ncols=5)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _bars(
    axes: Axes, number: int, order: str, found: Mapping[int, Difference], most: float, least: float = 0.0
) -> None:
    """Draw values with their intervals against depth, cut to a range."""
    value, low, high = (np.clip([getattr(one, end) for one in found.values()], least, most) for end in _ENDS)
    axes.errorbar(
        np.array([*found]) + 0.06 * (2 * number - 1), value, bars(value, low, high), color=COLOURS[number],
        marker=MARKERS[number], markersize=4, lw=1.2, capsize=2, label=order,
    )  # fmt: skip


def _rows(quantity: str, order: str, found: Mapping[int, Difference]) -> list[dict[str, Any]]:
    return [
        {"quantity": quantity, "order": order, "num_layers": depth, **{end: getattr(one, end) for end in _ENDS}}
        for depth, one in found.items()
    ]


_ENDS = ("value", "low", "high")
