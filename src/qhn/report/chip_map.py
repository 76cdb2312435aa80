"""A picture of a chip: the errors of its qubits and pairs, the ones out of order, and the chosen qubits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qhn.arrays import Floats
from qhn.report.plotting import (
    Figure,
    FuncFormatter,
    Line2D,
    LineCollection,
    ListedColormap,
    LogLocator,
    LogNorm,
    colormaps,
    in_own_style,
    label_of,
    save,
)
from qhn.report.style import COLOURS, write_csv

if TYPE_CHECKING:
    from qhn.backend.device.chip import Chip
    from qhn.backend.device.region import Region

SPACING = 0.42  # inches between neighbours
SHADES = ListedColormap(colormaps["Greys"](np.linspace(0.05, 0.8, 256)))  # black is kept for numbers
TILE_COLOURS = (*COLOURS[:6], "#f0e442", "#882255", "#44aa99", "#999933", "#332288", "#aa4499")


@in_own_style
def chip_map(path: Path, chip: Chip, chains: Sequence[Region] = ()) -> Path:
    """Draw a chip: qubits shaded by readout error, pairs by two-qubit error, and the pairs in use as coloured bands.

    Qubits that are out of order are crossed out, and pairs without a working gate are dotted. The circuit's qubit 0 is
    measured where the ring is. Qubits of a route that only help to swap are part of its band, too. The numbers that
    are drawn are saved beside the picture, as ``<name>.csv`` with a row per qubit and ``<name>-pairs.csv`` with a row
    per pair.

    Args:
        path: the PNG file to write; a PDF is written beside it.
        chip: the calibration of the device.
        chains: the chains of qubits in use, one per tile, or the route of a circuit that is no chain.

    Returns:
        The path of the PNG file.
    """
    place = places(chip.num_qubits, list(chip.pairs)) * [1, -1] * SPACING
    low, high = place.min(axis=0) - 0.7 * SPACING, place.max(axis=0) + 0.7 * SPACING
    width, height = np.maximum(high - low, [8 * SPACING, 2 * SPACING])
    figure = Figure(figsize=(width + 0.2, height + 1.3), dpi=200, layout="constrained")
    grid = figure.add_gridspec(2, 2, height_ratios=[height, 0.1])
    axes = figure.add_subplot(grid[0, :])
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_xlim(low[0], high[0])
    axes.set_ylim(low[1], high[1])
    axes.set_title(
        f"{label_of(chip.name)}, {chip.num_qubits} qubits{', ' * bool(chip.date)}{chip.date[:10]}", fontsize=8
    )

    for tile, (chain, colour) in enumerate(zip(chains, _colours(len(chains)), strict=True)):
        label = f"tile {tile}, F = {chain.fidelity:.3f}"
        for line in _strokes(chain):
            band = axes.plot(*place[line].T, color=colour, linewidth=11, alpha=0.75, solid_capstyle="round")
            band[0].set_solid_joinstyle("round")
        axes.plot([], [], color=colour, linewidth=4, label=label)
        first = place[chain.qubits[0]]
        axes.plot(*first, "o", markersize=14.5, markerfacecolor="none", markeredgecolor=colour, markeredgewidth=1.6)

    pairs = sorted(chip.pairs.items())
    dead = [pair for pair, error in pairs if error >= 1]
    alive = [(pair, error) for pair, error in pairs if error < 1]
    errors = np.array([error for _, error in alive])
    lines = LineCollection([place[list(pair)] for pair, _ in alive], linewidths=2.2, cmap=SHADES, norm=_scale(errors))
    lines.set_array(errors)
    axes.add_collection(lines)
    axes.add_collection(LineCollection([place[list(pair)] for pair in dead], colors="#999999", linestyles=":"))

    readout, scale = chip.readout_error, _scale(chip.readout_error)
    dots = axes.scatter(place[:, 0], place[:, 1], s=105, c=readout, cmap=SHADES, norm=scale, zorder=3)
    dots.set(edgecolor="#555555", linewidth=0.5)
    darkness = np.ma.filled(scale(np.maximum(readout, 1e-9)), 0)
    for qubit, (x, y) in enumerate(place.tolist()):
        colour = "white" if darkness[qubit] > 0.6 else "black"
        axes.text(x, y, str(qubit), color=colour, ha="center", va="center_baseline", fontsize=5, zorder=4)
        if qubit in chip.faulty:
            axes.plot(x, y, "x", color=COLOURS[1], markersize=9, zorder=5)

    for column, (shown, label) in enumerate(((dots, "readout error"), (lines, "two-qubit error"))):
        panel = figure.add_subplot(grid[1, column])
        bar = figure.colorbar(shown, cax=panel, orientation="horizontal", ticks=LogLocator(subs=(1, 2, 5)))
        bar.minorticks_off()
        bar.formatter = FuncFormatter(lambda error, _: f"{100 * error:g}%")
        bar.set_label(label, fontsize=7)
        panel.tick_params(labelsize=6)
    handles, _ = axes.get_legend_handles_labels()
    if dead:
        handles.append(Line2D([], [], color="#999999", linestyle=":", label=f"{len(dead)} dead pairs"))
    if handles:
        figure.legend(
            handles=handles, fontsize=7, frameon=False, loc="outside upper center", ncols=max(1, int(width // 1.2))
        )
    _write(path, chip, chains, place / [SPACING, -SPACING])
    return save(figure, path)


def places(num_qubits: int, pairs: Sequence[tuple[int, int]]) -> Floats:
    """The place at which to draw each qubit, ``[num_qubits, 2]``: x to the right and y downwards, neighbours 1 apart.

    IBM numbers the qubits of a lattice row by row, so that the next qubit is to the right and any other neighbour of a
    higher number below. Where that leads to a contradiction, distances in the graph are scaled to the plane.

    Args:
        num_qubits: number of qubits of the chip.
        pairs: pairs ``(a, b)``, a < b, of neighbouring qubits.

    >>> places(4, [(0, 1), (0, 2), (2, 3), (1, 3)]).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]
    """
    steps = {(a, b): (1, 0) if b == a + 1 else (0, 1) for a, b in pairs}
    found, ahead = {0: (0, 0)}, [0]
    while ahead:
        here = ahead.pop()
        for (a, b), (right, down) in steps.items():
            if here in (a, b):
                sign, other = (1, b) if here == a else (-1, a)
                if other not in found:
                    found[other] = (found[here][0] + sign * right, found[here][1] + sign * down)
                    ahead.append(other)
    fits = len(found) == len(set(found.values())) == num_qubits and all(
        (found[b][0] - found[a][0], found[b][1] - found[a][1]) == step for (a, b), step in steps.items()
    )
    if fits:
        return np.array([found[qubit] for qubit in range(num_qubits)], dtype=np.float64)
    return _scaled(num_qubits, pairs)


def _scaled(num_qubits: int, pairs: Sequence[tuple[int, int]]) -> Floats:
    """The places by classical scaling of the distances in the graph to two dimensions, neighbours about 1 apart."""
    far = float(num_qubits)
    distance = np.full((num_qubits, num_qubits), far)
    np.fill_diagonal(distance, 0)
    for a, b in pairs:
        distance[a, b] = distance[b, a] = 1
    for middle in range(num_qubits):
        distance = np.minimum(distance, distance[:, [middle]] + distance[[middle]])
    centre = np.eye(num_qubits) - 1 / num_qubits
    values, vectors = np.linalg.eigh(-0.5 * centre @ distance**2 @ centre)
    plane: Floats = vectors[:, [-1, -2]] * np.sqrt(np.maximum(values[[-1, -2]], 0))
    lengths = [float(np.hypot(*(plane[a] - plane[b]))) for a, b in pairs]
    return plane / max(min(lengths, default=1.0), 0.1)


def _colours(count: int) -> list[str]:
    return [TILE_COLOURS[tile % len(TILE_COLOURS)] for tile in range(count)]


def _scale(errors: Floats) -> LogNorm:
    """A logarithmic scale over all errors but 0 and 1, which stands for what is out of order."""
    known = errors[(errors > 0) & (errors < 1)]
    low, high = (known.min(), known.max()) if known.size else (1e-3, 1e-1)
    return LogNorm(low, max(high, 1.01 * low), clip=True)


def _strokes(chain: Region) -> list[list[int]]:
    """The lines of qubits that make a band: along a chain in one stroke, or one for each pair of a route."""
    ends = Counter(qubit for pair in chain.pairs for qubit in pair)
    along = {(min(hop), max(hop)) for hop in pairwise(chain.qubits)}
    if along == set(chain.pairs):
        return [list(chain.qubits)]
    alone = [[qubit, qubit] for qubit in chain.used if qubit not in ends]
    return [*map(list, chain.pairs), *alone]


def _write(path: Path, chip: Chip, chains: Sequence[Region], place: Floats) -> None:
    where = {qubit: (tile, -1) for tile, chain in enumerate(chains) for qubit in chain.used}  # measured or helping
    where |= {qubit: (tile, j) for tile, chain in enumerate(chains) for j, qubit in enumerate(chain.qubits)}
    qubits = np.arange(chip.num_qubits)
    both = np.array([where.get(qubit, (-1, -1)) for qubit in qubits.tolist()])
    columns = {"qubit": qubits, "x": place[:, 0], "y": place[:, 1], "readout_error": chip.readout_error}
    write_csv(path.with_suffix(".csv"), columns | {"tile": both[:, 0], "position": both[:, 1]})
    hops = {pair for chain in chains for pair in chain.pairs}
    rows = [(a, b, error, int((a, b) in hops)) for (a, b), error in sorted(chip.pairs.items())]
    names = ("first", "second", "error", "in_a_chain")
    written = zip(names, zip(*rows, strict=True) if rows else [()] * 4, strict=True)
    write_csv(path.with_name(f"{path.stem}-pairs.csv"), {name: np.array(column) for name, column in written})
