"""The pictures of the controls of “entanglement helps”."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qhn.paper.control_arms import Arm
from qhn.paper.pictures import intervals, one_legend, write_rows
from qhn.report.plotting import in_own_style, save
from qhn.report.style import BLUE, COLOURS, COLUMN, GREY, RED, bars, new_figure


@in_own_style
def rates(path: Path, arms: Mapping[str, Arm], epsilons: Sequence[float]) -> Path:
    """Draw the success of a single start with 95 % intervals: a line per arm, a panel per ε."""
    figure, panels = new_figure(len(epsilons), width=1.1 * COLUMN, height=0.16 * COLUMN * len(arms) / 2)
    rows: list[dict[str, Any]] = []
    place = -np.arange(len(arms))
    is_circuit = np.array([name.split(",")[-1].strip() in ("product", "eq5", "authors") for name in arms])
    for axes, epsilon in zip(panels, epsilons, strict=True):
        found = [arm.success(epsilon) for arm in arms.values()]
        value, low, high = intervals(found)
        for chosen, colour, face, label in (
            (is_circuit, BLUE, BLUE, "Fig. 2"),
            (~is_circuit, RED, "white", "controls"),
        ):
            axes.errorbar(
                value[chosen], place[chosen], xerr=bars(value, low, high)[:, chosen], color=colour,
                marker="o", markersize=4, markerfacecolor=face, lw=0, elinewidth=1, capsize=2, label=label,
            )  # fmt: skip
        axes.axvline(value[0], color=GREY, lw=0.8, ls="--", label="product state")
        axes.set_yticks(place, list(arms) if axes is panels[0] else [""] * len(arms))
        axes.set_xlim(left=0)
        axes.set_xlabel(f"success of a start, ε = {epsilon:g}")
        rows += [
            {"arm": name, "epsilon": epsilon, "success": rate.value, "low": rate.interval[0], "high": rate.interval[1]}
            | {"starts": rate.trials, "gradients_a_start": float(arm.gradients.mean())}
            for (name, arm), rate in zip(arms.items(), found, strict=True)
        ]
    one_legend(figure, panels, fontsize=7, ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def chances(path: Path, arms: Mapping[str, Arm], epsilons: Sequence[float]) -> Path:
    """Draw the chance that restarts have succeeded against what they took: a line per arm, a column of panels per ε.

    The upper panels count gradients, the lower ones circuit rows, which classical models do not take.
    """
    figure, panels = new_figure(len(epsilons), 2, width=COLUMN, height=0.6 * COLUMN)
    rows: list[dict[str, Any]] = []
    budgets = np.geomspace(10, 30_000, 120).round()
    for upper, lower, epsilon in zip(panels, panels[len(epsilons) :], epsilons, strict=False):
        for number, (name, arm) in enumerate(arms.items()):
            chance = arm.chance(epsilon, budgets)
            style: dict[str, Any] = {"color": COLOURS[number % len(COLOURS)], "lw": 1.2, "label": name}
            upper.plot(budgets, chance, ls="--" if arm.rows is None else "-", **style)
            if arm.rows is not None:
                lower.plot(arm.rows * budgets, chance, **style)
            in_rows = np.nan if arm.rows is None else arm.rows
            rows += [
                {"arm": name, "epsilon": epsilon, "gradients": budget, "rows": in_rows * budget, "chance": share}
                for budget, share in zip(budgets.tolist(), chance.tolist(), strict=True)
            ]
        upper.set_title(f"ε = {epsilon:g}", fontsize=8)
        for axes, unit in ((upper, "gradients"), (lower, "circuit rows")):
            axes.set_xscale("log")
            axes.set_ylim(0, 1.02)
            axes.set_xlabel(f"{unit} spent, all restarts")
    for axes in panels[:: len(epsilons)]:
        axes.set_ylabel("chance of a success")
    one_legend(figure, panels, fontsize=6, ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)
