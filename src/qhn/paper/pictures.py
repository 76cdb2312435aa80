"""The pictures of the report; each is saved with its data beside it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.report.plotting import Axes, Figure, MaxNLocator, in_own_style, save
from qhn.report.style import BLACK, BLUE, COLOURS, COLUMN, GREY, MARKERS, RED, bars, new_figure, write_csv
from qhn.sweep.survey import Group, Rate, Survey

BINS = 5  # bins a decade of E − C*
LEAST = 1e-8  # the smallest E − C* that is told from C*
LOWEST_GAP = 1e-5  # in place of 0 on a logarithmic axis
FLOOR = 1e-8  # the smallest share of the variance that is drawn
LOWEST = 200  # configurations whose density the paper shows
ORDERS = ("eq5", "authors")


def name_of(num_layers: int) -> str:
    """The name of a circuit in words."""
    return "product" if num_layers == 0 else f"{num_layers} layer{'s' * (num_layers > 1)}"


@in_own_style
def energies(path: Path, survey: Survey) -> Path:
    """Draw histograms of E − C* of all starts and of C − C* of the lowest costs, one panel per circuit.

    The axis is logarithmic, since no E lies below C*; the first bin holds all that is not above ``LEAST``.
    """
    depths = list(dict.fromkeys(group.values[1] for group in survey.groups))
    figure, panels = new_figure(len(depths), len(ORDERS), width=0.5 * COLUMN, height=0.45 * COLUMN)
    landscape = survey.groups[0].landscape
    assert landscape is not None
    lowest = landscape.sorted_costs[:LOWEST] - landscape.optimum
    gaps = {group.values: group.mean - group.optimum for group in survey.groups}
    edges = gap_bins(max(float(gap.max()) for gap in (lowest, *gaps.values())))
    grey = gap_shares(lowest, edges)
    columns: dict[str, NDArray[Any]] = {"from": edges[:-1], "to": edges[1:], "lowest_configurations": grey}
    for axes, ((order, num_layers), gap) in zip(panels, gaps.items(), strict=True):
        shares = columns[f"{order}_{num_layers}_layers"] = gap_shares(gap, edges)
        axes.stairs(shares, edges, fill=True, color=BLUE, alpha=0.5, label="E − C*, share of the starts")
        axes.stairs(grey, edges, color=GREY, lw=1, label=f"C − C*, share of the {LOWEST} lowest configurations")
        for epsilon, line in zip(survey.epsilon, ("--", ":"), strict=False):
            axes.axvline(epsilon, color=RED, lw=0.8, ls=line, label=f"ε = {epsilon:g}")
        axes.set_title(f"{name_of(num_layers)}, {order}", fontsize=7)
        axes.set_xscale("log")
        axes.set_xlim(edges[0], edges[-1])
        axes.set_xticks([10.0**power for power in range(-8, 2, 2) if 10.0**power < edges[-1]])
        axes.minorticks_off()
    top = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(0, top)
    for axes in panels[:: len(depths)]:
        axes.set_ylabel("share")
    for axes in panels[-len(depths) :]:
        axes.set_xlabel("E − C*, C − C*")
    one_legend(figure, panels, fontsize=7, ncols=4)
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)


def gap_bins(largest: float) -> Floats:
    """The edges of logarithmic bins from ``LEAST`` to above the largest E − C*, ``BINS`` a decade."""
    low = round(np.log10(LEAST))
    decades = max(1, int(np.ceil(np.log10(max(largest, LEAST) * (1 + 1e-9)))) - low)
    edges: Floats = np.logspace(low, low + decades, BINS * decades + 1)
    return edges


def gap_shares(gaps: Floats, edges: Floats) -> Floats:
    """The shares of E − C* in bins; what is below the first bin, or below 0 by rounding, counts as in it.

    >>> gap_shares(np.array([-1e-15, 0.0, 1e-3, 0.5]), np.array([1e-2, 1e-1, 1.0])).tolist()
    [0.75, 0.25]
    """
    shares: Floats = np.histogram(np.clip(gaps, edges[0], edges[-1]), edges)[0] / len(gaps)
    return shares


def intervals(rates: Sequence[Rate]) -> tuple[Floats, Floats, Floats]:
    """The rates, and the lower and upper ends of their intervals."""
    value = np.array([rate.value for rate in rates])
    low, high = np.array([rate.interval for rate in rates]).T
    return value, np.minimum(low, value), np.maximum(high, value)


@in_own_style
def interactions(path: Path, weights: Mapping[str, Floats]) -> Path:
    """Draw the shares of the variance of C from interactions of S qubits, for several tasks (the paper's Fig. 5)."""
    figure, (axes,) = new_figure(width=1.4 * COLUMN, height=0.85 * COLUMN)
    most = max(len(shares) for shares in weights.values())
    columns: dict[str, NDArray[Any]] = {"qubits": np.arange(1, most + 1)}
    for number, (name, shares) in enumerate(weights.items()):
        sizes = np.arange(1, len(shares) + 1)
        shown = shares > FLOOR  # without the orders that a symmetry forbids
        axes.plot(
            sizes[shown], shares[shown], color=COLOURS[number], marker=MARKERS[number], markersize=3.5, lw=1, label=name
        )
        columns[name] = np.pad(shares, (0, most - len(shares)), constant_values=np.nan)
    axes.axhline(FLOOR, color=BLACK, lw=0.7, ls=":", label=f"{FLOOR:g}, the smallest share drawn")
    axes.set_yscale("log")
    axes.set_ylim(FLOOR / 3, 2)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("interaction of S qubits")
    axes.set_ylabel("W(S) / Σ W")
    figure.legend(fontsize=6, frameon=False, loc="outside upper center", ncols=2)
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)


@in_own_style
def overfitting(path: Path, curves: Mapping[int, tuple[Floats, Floats]]) -> Path:
    """Draw training and validation E against the iteration: means over data sets with errors, a panel per N_s.

    ``curves`` holds both as ``[data sets, steps]``.
    """
    figure, panels = new_figure(len(curves), width=0.5 * COLUMN, height=0.6 * COLUMN)
    columns: dict[str, NDArray[Any]] = {}
    for axes, (samples, pair) in zip(panels, curves.items(), strict=True):
        for values, color, line, label in zip(pair, (BLUE, RED), ("-", "--"), ("training", "validation"), strict=True):
            mean, error = values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))
            steps = np.arange(len(mean))
            axes.fill_between(steps, mean - error, mean + error, color=color, alpha=0.3, lw=0)
            axes.plot(steps, mean, color=color, ls=line, label=label)
            columns |= {"step": steps, f"{label}_{samples}": mean, f"{label}_{samples}_std_error": error}
        lowest = int(pair[1].mean(axis=0).argmin())
        axes.axvline(lowest, color=BLACK, lw=0.7, ls=":")
        axes.set_title(f"N_s = {samples:,}, lowest at {lowest}", fontsize=8)
        axes.set_xlabel("iteration")
        axes.set_ylim(0, 1.1 * max(float(side.mean(axis=0).max()) for pair in curves.values() for side in pair))
    panels[-1].legend(fontsize=6, frameon=False)
    panels[0].set_ylabel("E")
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)


@in_own_style
def along_training(path: Path, steps: Sequence[int], values: Mapping[str, Mapping[str, Floats]]) -> Path:
    """Draw quantities along training, medians and quartiles over starts: a panel per quantity, a line per circuit.

    ``values[quantity][circuit]`` is ``[starts, steps]``.
    """
    figure, panels = new_figure(len(values), width=0.8 * COLUMN)
    columns: dict[str, NDArray[Any]] = {"step": np.array(steps)}
    for axes, (quantity, lines) in zip(panels, values.items(), strict=True):
        for number, (circuit, found) in enumerate(lines.items()):
            low, middle, high = np.quantile(found, (0.25, 0.5, 0.75), axis=0)
            place = np.array(steps) + 1  # step 0 has no place on a logarithmic axis
            axes.fill_between(place, low, high, color=COLOURS[number], alpha=0.2, lw=0)
            axes.plot(place, middle, color=COLOURS[number], marker=MARKERS[number], markersize=3, lw=1, label=circuit)
            columns |= {f"{quantity}, {circuit}": middle}
        axes.set_xscale("log")
        axes.set_xlabel("step + 1")
        axes.set_ylabel(quantity)
        axes.legend(fontsize=6, frameon=False)
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)


@in_own_style
def search_curves(
    path: Path,
    curves: Mapping[str, tuple[Floats, Floats]],
    optimum: float,
    marks: Mapping[str, str],
    passes: Mapping[str, int],
) -> Path:
    """Draw the mean best C − C* against distinct evaluations, and against passes over the samples.

    Args:
        path: file of the picture.
        curves: numbers of different networks ``[n]`` and mean best costs ``[n]`` of each search, by its name.
        optimum: the lowest cost C*.
        marks: the line style of each curve.
        passes: number of passes over the samples for each different network, of each curve.
    """
    figure, panels = new_figure(2, width=COLUMN, height=COLUMN)
    rows: list[dict[str, Any]] = []
    for number, (name, (counts, best)) in enumerate(curves.items()):
        for axes, price in zip(panels, (1, passes[name]), strict=True):
            axes.plot(
                price * counts, np.maximum(best - optimum, LOWEST_GAP), color=COLOURS[number % len(COLOURS)],
                ls=marks[name], lw=1.2, label=name,
            )  # fmt: skip
        rows += [
            {"search": name, "distinct": count, "passes": passes[name] * count, "best_cost_mean": cost}
            for count, cost in zip(counts.tolist(), best.tolist(), strict=True)
        ]
    for axes, label in zip(panels, ("different networks evaluated", "passes over the samples"), strict=True):
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel(label)
    panels[0].set_ylabel(f"mean of best C − C* ({LOWEST_GAP:g} stands for less)")
    one_legend(figure, panels, fontsize=6, ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@dataclass(frozen=True)
class Line:
    """The successes of training along its steps, and what they had cost by then.

    Attributes:
        name: name of the way of training.
        prices: the prices of all steps so far, by their unit: ``[steps]`` each.
        rates: the rate of starts that each step has solved, ``[steps]``.
    """

    name: str
    prices: Mapping[str, Floats]
    rates: Sequence[Rate]


@in_own_style
def against_price(path: Path, lines: Mapping[str, Sequence[Line]]) -> Path:
    """Draw the share of starts solved against prices: a row of panels per task, a panel per unit of the price.

    Lines without a price, of training without shots, are drawn across the panel with their interval.
    """
    units = list(next(iter(lines.values()))[0].prices)
    figure, panels = new_figure(len(units), len(lines), width=0.85 * COLUMN, height=0.75 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, ((task, some), unit) in zip(panels, itertools.product(lines.items(), units), strict=True):
        for number, line in enumerate(some):
            value, low, high = intervals(line.rates)
            at, colour, again = line.prices[unit], COLOURS[number % len(COLOURS)], number >= len(COLOURS)
            rows += [
                {"task": task, "training": line.name, "unit": unit, "price": price, "solved": rate.value}
                | dict(zip(("low", "high"), rate.interval, strict=True))
                for price, rate in zip(at.tolist(), line.rates, strict=True)
            ]
            if not at.any():
                axes.axhline(value[-1], color=GREY, lw=0.8, ls="--", label=line.name)
                axes.axhspan(low[-1], high[-1], color=GREY, alpha=0.15, lw=0)
                continue
            axes.plot(at, value, color=colour, ls="--" if again else "-", lw=1)
            axes.errorbar(
                at[-1:], value[-1:], bars(value, low, high)[:, -1:], color=colour, capsize=2, lw=1,
                ls="--" if again else "-", marker=MARKERS[number % len(MARKERS)], markersize=4,
                markerfacecolor="white" if again else colour, label=line.name,
            )  # fmt: skip
        ends = [line.prices[unit][-1] for line in some if line.prices[unit].any()]
        axes.set_xscale("log")
        axes.tick_params(which="minor", labelbottom=False)
        axes.set_xlim(0.06 * np.median(ends), 2 * max(ends))
        axes.set_ylim(0, 1.02)
        axes.set_xlabel(unit)
        axes.set_title(task, fontsize=8)
    for axes in panels[:: len(units)]:
        axes.set_ylabel("share of starts solved")
    one_legend(figure, panels, fontsize=7, ncols=5)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def one_legend(figure: Figure, panels: Sequence[Axes], *, fontsize: int, ncols: int) -> None:
    """Put the legend of the first panel above all of them, which show the same lines."""
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=fontsize, frameon=False, loc="outside upper center", ncols=ncols)


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write rows of the same keys as a CSV file."""
    write_csv(path, {name: np.array([row[name] for row in rows]) for name in rows[0]})


def best_of(groups: Sequence[Group]) -> tuple[Group, int]:
    """The member of lowest E among groups of runs: its group and its row in it."""
    group = min(groups, key=lambda group: group.mean.min())
    return group, int(group.mean.argmin())
