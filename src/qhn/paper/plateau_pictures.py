"""The pictures of the variance of gradients; each is saved with its data beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from qhn.circuit.hypernetwork import Order
from qhn.paper.gradient_variance import GLOBAL, Slopes, of_design
from qhn.paper.pictures import one_legend, write_rows
from qhn.report.plotting import Axes, in_own_style, save
from qhn.report.style import COLOURS, COLUMN, GREY, MARKERS, new_figure

POSITIONS = ("first", "middle", "last")
Depth = int | str  # a number of layers, or the name of one that grows with N
Found = Mapping[tuple[str, Depth, Order], Sequence[Slopes]]


@in_own_style
def by_size(path: Path, found: Found) -> Path:
    """Draw N times the median variance against N: a panel per cost, a colour per depth, a line style per order."""
    costs, depths = list(dict.fromkeys(key[0] for key in found)), list(dict.fromkeys(key[1] for key in found))
    figure, panels = new_figure(2, 2, width=COLUMN, height=0.8 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, cost in zip(panels, costs, strict=True):
        for (name, depth, order), some in found.items():
            if name != cost:
                continue
            number = depths.index(depth)
            sizes, shares = _means(some, [one.share for one in some])
            axes.plot(
                sizes, shares, color=COLOURS[number], marker=MARKERS[number], markersize=3.5, lw=1,
                ls="-" if order == "eq5" else ":", label=_label(depth) if order == "eq5" else "_",
            )  # fmt: skip
            rows += [
                {"cost": cost, "layers": one.case.num_layers, "depth": depth, "order": order}
                | {"qubits": one.case.num_qubits, "seed": one.case.seed, "share": one.share, "median": one.median}
                | {"relative_error": one.error, "shots": one.shots}
                for one in some
            ]
        _design(axes, found, cost)
        axes.set_title(cost, fontsize=8)
    _finish(panels, "N · median Var ∂E/∂θ")
    one_legend(figure, panels, fontsize=7, ncols=4)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def by_position(path: Path, found: Found) -> Path:
    """Draw N times the mean variance of the first, middle and last block against N, at 2 layers and at N layers."""
    costs = list(dict.fromkeys(key[0] for key in found))
    figure, panels = new_figure(2, 2, width=COLUMN, height=0.8 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, cost in zip(panels, costs, strict=True):
        shown: tuple[tuple[Depth, str], ...] = ((2, "-"), ("N", "--"))
        for depth, line in shown:
            some = found[cost, depth, "eq5"]
            for number, position in enumerate(POSITIONS):
                sizes, shares = _means(some, [one.at(position) for one in some])
                axes.plot(
                    sizes, shares, color=COLOURS[number], marker=MARKERS[number], markersize=3.5, lw=1, ls=line,
                    label=f"{position} block, {_label(depth)}",
                )  # fmt: skip
                rows += [
                    {"cost": cost, "depth": depth, "block": position, "qubits": size, "share": share}
                    for size, share in zip(sizes, shares, strict=True)
                ]
        axes.set_title(cost, fontsize=8)
    _finish(panels, "N · mean Var ∂E/∂θ of a block")
    one_legend(figure, panels, fontsize=7, ncols=2)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


def _means(some: Sequence[Slopes], shares: Sequence[float]) -> tuple[list[int], list[float]]:
    """The sizes, and the geometric mean of the numbers of each size over its seeds."""
    sizes = np.array([one.case.num_qubits for one in some])
    different = np.unique(sizes)
    return different.tolist(), [float(np.exp(np.log(np.array(shares)[sizes == size]).mean())) for size in different]


def _design(axes: Axes, found: Found, cost: str) -> None:
    """Draw the limit of a 2-design over the sizes of the deepest circuits."""
    some = found[cost, "N", "eq5"]
    sizes, shares = _means(
        some, [n.case.num_qubits * of_design(n.case.num_qubits) * n.cost_variance / n.unit**2 for n in some]
    )
    axes.plot(sizes, shares, color=GREY, ls="--", lw=1.5, label="2-design" + " (range 1)" * (cost == GLOBAL))


def _finish(panels: Sequence[Axes], label: str) -> None:
    for axes in panels:
        axes.set_yscale("log", base=2)
        axes.set_xlabel("qubits N")
    for axes in panels[::2]:
        axes.set_ylabel(label)


def _label(depth: Depth) -> str:
    return "product" if depth == 0 else f"{depth} layer{'s' * (depth != 1)}"
