"""The pictures of the study of noise; each is saved with its data beside it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.paper.inference import mean_and_error
from qhn.paper.pictures import ORDERS, one_legend, write_rows
from qhn.report.plotting import in_own_style, save
from qhn.report.style import BLACK, COLOURS, COLUMN, MARKERS, new_figure, write_csv


@in_own_style
def noise_curves(
    path: Path, strengths: Sequence[float], rises: Mapping[str, Floats], optimal: Mapping[str, Floats], slope: float
) -> Path:
    """Draw the rise of ⟨C⟩ and the share of optimal shots against the strength of noise.

    Both are ``[circuits, strengths]`` by order of gates.
    """
    figure, panels = new_figure(2, width=0.9 * COLUMN)
    at = np.array(strengths)
    columns: dict[str, NDArray[Any]] = {"strength": at}
    for axes, name, curves in zip(panels, ("rise", "optimal"), (rises, optimal), strict=True):
        for color, marker, (order, values) in zip(COLOURS, MARKERS, curves.items(), strict=False):
            mean, low, high = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
            axes.fill_between(at, low, high, color=color, alpha=0.2, lw=0)
            axes.plot(at, mean, color=color, marker=marker, markersize=4, label=order)
            columns |= {f"{name}_{order}": mean, f"{name}_{order}_low": low, f"{name}_{order}_high": high}
        axes.set_xlabel("strength s of the noise")
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("rise of ⟨C⟩")
    panels[1].set_ylabel("share of optimal shots")
    panels[0].plot(at, slope * at, color=BLACK, lw=1, ls=":", label=f"{slope:g}·s")
    panels[0].legend(fontsize=6, frameon=False)
    write_csv(path.with_suffix(".csv"), columns)
    return save(figure, path)


@in_own_style
def trained_with_noise(
    path: Path, values: Mapping[str, Mapping[str, Sequence[tuple[float | str, float, float]]]], label: str
) -> Path:
    """Draw E − C* with noise against the machine: a panel per order of gates and a line per method of training.

    ``values[order][method]`` holds machines, means and standard errors; machines are strengths, or names that become
    ticks.
    """
    figure, panels = new_figure(len(values), width=0.9 * COLUMN, height=0.8 * COLUMN)
    rows: list[dict[str, Any]] = []
    names = list(dict.fromkeys(at for lines in values.values() for points in lines.values() for at, _, _ in points))
    has_names = isinstance(names[0], str)
    for axes, (order, lines) in zip(panels, values.items(), strict=True):
        for number, (method, points) in enumerate(lines.items()):
            aside = 0.12 * (number - (len(lines) - 1) / 2)
            place = [names.index(at) + aside if isinstance(at, str) else at for at, _, _ in points]
            means, errors = zip(*((mean, error) for _, mean, error in points), strict=True)
            axes.errorbar(
                place, means, yerr=errors, color=COLOURS[number], marker=MARKERS[number], markersize=4,
                lw=0 if has_names else 1, elinewidth=1, capsize=2, label=method,
            )  # fmt: skip
            rows += [
                {"order": order, "trained": method, "machine": at, "above_optimum": mean, "std_error": error}
                for at, mean, error in points
            ]
        axes.set_title(order, fontsize=8)
        axes.set_xlabel(label)
        axes.set_ylim(bottom=0)
        if has_names:
            axes.set_xticks(range(len(names)), [str(name).removeprefix("fake_") for name in names])
            axes.set_xlim(-0.5, len(names) - 0.5)
    top = max(axes.get_ylim()[1] for axes in panels)
    for axes in panels:
        axes.set_ylim(top=top)
    panels[0].set_ylabel("E − C* with noise")
    one_legend(figure, panels, fontsize=6, ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)


@in_own_style
def remaining_bias(path: Path, left: Mapping[tuple[str, str, str], Floats]) -> Path:
    """Draw the bias of E that mitigation leaves, in percent: a panel per task and order of gates.

    ``left[task, device, order]`` is ``[3, circuits]``: the shares left by folding, by inversion, and by both.
    """
    tasks, devices = (list(dict.fromkeys(key[side] for key in left)) for side in (0, 1))
    figure, panels = new_figure(len(ORDERS), len(tasks), width=0.8 * COLUMN, height=0.6 * COLUMN)
    rows: list[dict[str, Any]] = []
    for axes, (task, order) in zip(panels, itertools.product(tasks, ORDERS), strict=True):
        for number, name in enumerate(("folded", "inverted", "both")):
            shares = [100 * left[task, device, order][number] for device in devices]
            means = np.array([share.mean() for share in shares])
            errors = np.array([mean_and_error(share)[1] for share in shares])
            rows += [
                {"task": task, "order": order, "device": device, "mitigation": name, "left": mean, "std_error": error}
                for device, mean, error in zip(devices, means.tolist(), errors.tolist(), strict=True)
            ]
            if order == "eq5" or name == "inverted":  # in the other order there is nothing to fold
                axes.errorbar(
                    np.arange(len(devices)) + 0.15 * (number - 1), means, yerr=errors, color=COLOURS[number],
                    marker=MARKERS[number], markersize=4, lw=0, elinewidth=1, capsize=2, label=name,
                )  # fmt: skip
        axes.axhline(100, color=BLACK, lw=0.7)
        axes.axhline(50, color=BLACK, lw=0.7, ls=":")
        axes.set_ylim(0, 150)
        axes.set_xlim(-0.5, len(devices) - 0.5)
        axes.set_xticks(range(len(devices)), [device.removeprefix("fake_") for device in devices])
        axes.set_title(f"{task}, {order}", fontsize=7)
    for axes in panels[:: len(ORDERS)]:
        axes.set_ylabel("bias left (%)")
    one_legend(figure, panels, fontsize=6, ncols=3)
    write_rows(path.with_suffix(".csv"), rows)
    return save(figure, path)
