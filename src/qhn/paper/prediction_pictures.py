"""The pictures of the section on schedulers, predictors and surveys; each is saved with its data beside it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from qhn.paper.curve_pool import Pool
from qhn.paper.inference import Difference
from qhn.paper.pictures import one_legend, write_rows
from qhn.paper.predictability import Model, Scores
from qhn.paper.prediction_methods import METHODS, MODELS, QUBOS
from qhn.paper.prediction_tables import mean_of
from qhn.paper.replays import Method, Outcomes, one_replay
from qhn.report.plotting import Axes, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLOURS, COLUMN, GREEN, GREY, MARKERS, RED, new_figure
from qhn.scheduling.curves import Verdict

LOWEST_R2, HIGHEST_R2 = -1.5, 1.02  # that are drawn; none is above 1


@in_own_style
def spent_against_regret(path: Path, outcomes: Mapping[str, Mapping[str, Outcomes]], base: str) -> Path:
    """Draw the resource that each method spends against its regret: a panel per task.

    Args:
        path: the file.
        outcomes: the outcomes by task and method.
        base: the method whose resource is the unit.
    """
    figure, panels = new_figure(2, -(-len(outcomes) // 2), width=COLUMN, height=0.75 * COLUMN)
    drawn = [method for method in METHODS if method.kind != "all" and "of 12 bits" not in method.name]
    labels = list(dict.fromkeys(_without_eta(method.name) for method in drawn))
    rows: list[dict[str, Any]] = []
    for axes, (task, found) in zip(panels, outcomes.items(), strict=False):
        unit = found[base].units.mean()
        for method in drawn:
            if method.name not in found:
                continue
            spent = mean_of(found[method.name].units / unit)
            regret = mean_of(found[method.name].regret)
            _mark(axes, labels.index(_without_eta(method.name)), spent, regret, method)
            rows.append(
                {"task": task, "method": method.name, "replays": len(found[method.name])}
                | {f"spent{end}": value for end, value in _ends(spent).items()}
                | {f"regret{end}": value for end, value in _ends(regret).items()}
            )
        axes.set_title(task, fontsize=8)
        axes.set_xlabel("resource / that of Hyperband, η = 2")
        axes.set_ylabel("regret")
    for axes in panels[len(outcomes) :]:
        axes.set_axis_off()
    one_legend(figure, panels, fontsize=6, ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _without_eta(name: str) -> str:
    return name.replace(", η = 2", "").replace(", η = 3", "")


def _ends(one: Difference) -> dict[str, float]:
    return {"": one.value, "_low": one.low, "_high": one.high}


def _mark(axes: Axes, number: int, spent: Difference, regret: Difference, method: Method) -> None:
    """Draw a method at what it spends and misses; of those of two η the first one is in the legend."""
    colour = COLOURS[number % len(COLOURS)]
    least = (-np.inf, 0.0)  # of which there is no regret below
    reach = [
        [[max(one.value - max(one.low, low), 0)], [max(one.high - one.value, 0)]]
        for one, low in zip((spent, regret), least, strict=True)
    ]
    with_bars = [bars if np.isfinite(bars).all() else None for bars in reach]
    axes.errorbar(
        [spent.value], [regret.value], xerr=with_bars[0], yerr=with_bars[1], color=colour, lw=0, elinewidth=0.6,
        marker=MARKERS[number // len(COLOURS) + (number % 2) * 3], markersize=4,
        markerfacecolor="white" if method.eta == 3 else colour,
        label=_without_eta(method.name) if method.eta == 2 else None,
    )  # fmt: skip


@in_own_style
def one_study(path: Path, pool: Pool, method: Method) -> Path:
    """Draw the learning curves of a replay as far as they were trained, and where trials were stopped.

    Args:
        path: the file.
        pool: whole curves.
        method: the method, of which the first replay is drawn.
    """
    found, rows = one_replay(pool, method, 0)
    figure, (axes,) = new_figure(width=1.8 * COLUMN, height=1.1 * COLUMN)
    curves, units = pool.curves[rows], np.arange(1, pool.units + 1)
    for curve, reached in zip(curves, found.reached, strict=True):
        axes.plot(units[:reached], curve[:reached], color=BLUE, lw=0.4, alpha=0.35)
    table: list[dict[str, Any]] = [
        {"trial": one.trial, "bracket": one.bracket, "resource": one.resource, "verdict": str(one.verdict)}
        | {"loss": curves[one.trial, one.resource - 1], "predicted": one.predicted, "threshold": one.threshold}
        for one in found.decisions
    ]
    marks = {Verdict.STOPPED: (RED, "x", "stopped"), Verdict.CONTINUED: (GREEN, "o", "goes on, as predicted")}
    for verdict, (colour, marker, label) in marks.items():
        of_it = [row for row in table if row["verdict"] == verdict]
        axes.plot(
            [row["resource"] for row in of_it], [row["loss"] for row in of_it], color=colour, marker=marker,
            markersize=2.5, markeredgewidth=0.7, lw=0, label=label, zorder=3,
        )  # fmt: skip
    if found.winner is not None:
        axes.plot(units, curves[found.winner], color=BLACK, lw=1.2, label="winner", zorder=4)
    for resource in sorted({row["resource"] for row in table if row["verdict"] in marks}):
        axes.axvline(resource, color=GREY, lw=0.3, zorder=0)
    axes.set_xscale("log")
    axes.set_xlabel(f"resource (units of {pool.unit})")
    axes.set_ylabel(pool.loss)
    axes.legend(fontsize=7, frameon=False)
    write_rows(path.with_suffix(".csv"), table)
    return save(figure, path)


@in_own_style
def solvers(path: Path, scores: Mapping[str, Mapping[Model, Scores]]) -> Path:
    """Draw R² and the energy gap of the regressions as QUBOs, beside that of their classical peer.

    Args:
        path: the file.
        scores: the scores by task and model.
    """
    models = [model for model in MODELS if model.name in QUBOS and model.features == "curve"]
    figure, panels = new_figure(2, width=1.3 * COLUMN, height=0.9 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, quantity in zip(panels, ("r2", "energy_gap"), strict=True):
        for number, (task, found) in enumerate(scores.items()):
            shown = [(place, model) for place, model in enumerate(models) if model in found]
            ends = [mean_of(getattr(found[model], quantity)) for _, model in shown]
            value, low, high = np.array([(one.value, one.low, one.high) for one in ends]).T
            reach = np.stack([value - low, high - value])
            axes.errorbar(
                value, [place + 0.15 * (number - 1.5) for place, _ in shown],
                xerr=np.where(np.isfinite(reach), reach, 0), color=COLOURS[number], marker=MARKERS[number],
                markersize=3.5, lw=0, elinewidth=0.8, label=task,
            )  # fmt: skip
            rows += [
                {"task": task, "predictor": model.name, "curves": model.count, "quantity": quantity}
                | {"mean": one.value, "low": one.low, "high": one.high}
                for (_, model), one in zip(shown, ends, strict=True)
            ]
        axes.set_yticks(range(len(models)), [f"{model.name} ({model.count} curves)" for model in models])
        axes.set_ylim(len(models) - 0.5, -0.5)
    panels[0].set_xlabel("R²")
    panels[0].set_xlim(max(panels[0].get_xlim()[0], LOWEST_R2), min(panels[0].get_xlim()[1], HIGHEST_R2))
    panels[1].set_xlabel("energy gap / size of the optimum")
    panels[1].set_yticklabels([])
    one_legend(figure, panels, fontsize=7, ncols=4)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)
