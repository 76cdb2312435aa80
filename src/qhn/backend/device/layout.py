"""The layout: the chain of a device's qubits, or the disjoint chains, on which a circuit is expected to fail least.

The estimate is the product of 1 − error over the readout of every qubit and over every gate, as the calibration reports
them: the probability that nothing goes wrong in a shot. It leaves out idle times and crosstalk.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np

from qhn.arrays import Floats
from qhn.backend.device.chain_search import Grid, Path, cheapest, connected
from qhn.backend.device.chip import DEAD, Chip
from qhn.backend.device.load import Load
from qhn.errors import QhnError

WORTH = 0.6  # share of the best chain's fidelity below which "auto" leaves a chain out
LEAD = 0.85  # share of the best chain's fidelity that the first tile should have, as single rows are measured there
ROUNDS = 24  # packings tried, around the best chain and without it
BEAM = 30  # width of the beam search for a chain in a packing
BONUS = 0.25  # bonus of a stranded qubit, as a share of the average cost of a qubit of the best chain


@dataclass(frozen=True)
class QubitChain:
    """Neighbouring qubits of a device that take one circuit, with the estimated fidelity.

    Attributes:
        qubits: the device's qubits for the ansatz's qubits 0, 1, …
        readout, one_qubit, two_qubit: the products of 1 − error over all readouts, one-qubit gates and two-qubit gates.
        exact: whether it is certain that no chain of the device's usable qubits is better.
    """

    qubits: tuple[int, ...]
    readout: float
    one_qubit: float
    two_qubit: float
    exact: bool = False

    @property
    def used(self) -> tuple[int, ...]:
        """The qubits of the chain, which are all that the circuit uses."""
        return self.qubits

    @property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The pairs ``(a, b)``, a < b, of neighbours along the chain."""
        return tuple((min(hop), max(hop)) for hop in pairwise(self.qubits))

    @property
    def fidelity(self) -> float:
        """The estimated probability that nothing goes wrong in a shot."""
        return self.readout * self.one_qubit * self.two_qubit


def best_chain(chip: Chip, load: Load, *, exclude: Iterable[int] = ()) -> QubitChain:
    """The chain of the highest estimated fidelity among all chains of usable qubits, in both directions.

    The result is certain within milliseconds at 14 to 27 qubits of a heavy-hex chip and a fraction of a second at 50.
    On denser chips, or for longer chains, the search ends after half a million steps with the best chain found, and
    ``exact`` is False.

    Args:
        chip: calibration of the device. Pairs and qubits whose gates or readout do not work (error 1) and faulty qubits
            are never used.
        load: numbers of gates of the circuit on each place of the chain.
        exclude: qubits of the device not to use.

    Raises:
        ValueError: if the chip has too few qubits or no such chain.
    """
    grid = _grid(chip, load, exclude)
    path, exact = cheapest(grid)
    if path is None:
        raise QhnError(_why_none(chip, "chain", grid, exclude, certain=exact))
    return chain_of(chip, load, path, exact=exact)


def disjoint_chains(
    chip: Chip, load: Load, count: int | Literal["auto"], *, exclude: Iterable[int] = (), guard: bool = False
) -> list[QubitChain]:
    """Chains without a common qubit, the best one first.

    On a tile of fidelity F a component of the gradient is scaled by about F while shot noise stays, so its shots are
    worth F² of ideal ones: Σ F² is what a packing is chosen for. Taking the best chain, then the best of what is left,
    strands qubits between chains; so packings are made again and again, with a bonus for chains through qubits that
    were stranded before, around the best chain there is and without it. Rows that do not come in pairs are measured on
    the first chain alone, so a packing whose first chain has less than 0.85 of the best one's fidelity is taken only
    for want of another.

    Args:
        chip: calibration of the device.
        load: numbers of gates of the circuit on each place of a chain.
        count: number of chains; ``"auto"`` takes as many as have at least 0.6 of the best chain's fidelity.
        exclude: qubits of the device not to use.
        guard: keep an unused qubit between chains, against crosstalk.

    Raises:
        ValueError: if there is no chain, or there are fewer than ``count``.
    """
    if count != "auto" and count < 1:
        raise QhnError(f"tiles must be at least 1 or auto, got {count}")
    exclude = tuple(exclude)
    best = best_chain(chip, load, exclude=exclude)
    if count == 1:
        return [best]
    grid = _grid(chip, load, exclude)
    limit = chip.num_qubits if count == "auto" else count
    packings: list[list[Path]] = []
    for worst in (-np.log(WORTH * best.fidelity), np.inf):  # beyond, only if so many are asked for
        packings += [
            packing
            for apart in ([True] if guard else [False, True])
            for first in ([best.qubits], [])
            for packing in _packings(grid, best.qubits, first, limit, worst, _neighbours(chip) if apart else {})
        ]
        largest = max(map(len, packings))
        if count == "auto" or largest >= count:
            break
    if count != "auto" and largest < count:
        room = f"{largest} chain{'s' * (largest > 1)} of {load.num_qubits} qubits"
        between = " with an unused qubit between them" if guard else ""
        raise QhnError(f"{count} tiles do not fit on {chip.name}, which has room for {room}{between}")

    def value(packing: list[Path]) -> tuple[bool, float]:
        fidelities = [np.exp(-grid.cost(path)) for path in packing]
        return max(fidelities) >= LEAD * best.fidelity, sum(fidelity**2 for fidelity in fidelities)

    full = [packing for packing in packings if count == "auto" or len(packing) == count]
    chosen = max(full, key=value)  # the first of equals
    chains = [best if path == best.qubits else chain_of(chip, load, path) for path in chosen]
    return sorted(chains, key=lambda chain: (-chain.fidelity, chain.qubits))


def chain_of(chip: Chip, load: Load, qubits: Iterable[int], *, exact: bool = False) -> QubitChain:
    """The chain of given qubits of the chip, with its estimated fidelity.

    Raises:
        ValueError: if there are more or fewer qubits than in the load, or two consecutive ones are not neighbours.
    """
    chosen = tuple(int(qubit) for qubit in qubits)
    if len(chosen) != load.num_qubits:
        raise QhnError(f"the circuit needs {load.num_qubits} qubits, got {len(chosen)}")
    pairs = chip.pairs
    hops = [(min(hop), max(hop)) for hop in pairwise(chosen)]
    for hop in hops:
        if hop not in pairs:
            raise QhnError(f"qubits {hop[0]} and {hop[1]} of {chip.name} are not neighbours")
    one = chip.one_qubit_error[list(chosen)]
    two = np.array([pairs[hop] for hop in hops])
    return QubitChain(
        qubits=chosen,
        readout=float(np.prod(1 - chip.readout_error[list(chosen)])),
        one_qubit=float(np.prod((1 - one) ** np.array(load.one_qubit))),
        two_qubit=float(np.prod((1 - two) ** np.array(load.two_qubit))),
        exact=exact,
    )


def check_disjoint(chains: Iterable[QubitChain]) -> None:
    """Refuse chains that share a qubit, and a chain that visits a qubit twice.

    Raises:
        ValueError: if a qubit is used twice; the message names it.
    """
    counts = Counter(qubit for chain in chains for qubit in chain.qubits)
    for qubit, count in counts.items():
        if count > 1:
            raise QhnError(f"qubit {qubit} is asked for {count} times; tiles have no qubit in common")


def usable_part(chip: Chip, num_qubits: int, exclude: Iterable[int] = ()) -> tuple[int, ...]:
    """The largest part of the chip's working qubits that is connected by working pairs, in ascending order.

    Args:
        chip: calibration of the device.
        num_qubits: number of qubits that are needed.
        exclude: qubits of the device not to use.

    Raises:
        ValueError: if it has fewer than ``num_qubits`` qubits.
    """
    grid = _grid(chip, Load((0,) * num_qubits, (0,) * (num_qubits - 1)), exclude)
    if not grid.usable:
        raise QhnError(_why_none(chip, "part", grid, exclude, certain=True))
    return tuple(sorted(connected(grid.usable)[0]))


def _grid(chip: Chip, load: Load, exclude: Iterable[int]) -> Grid:
    """The graph of usable qubits and pairs, with −log fidelity as costs."""
    if load.num_qubits > chip.num_qubits:
        raise QhnError(f"{chip.name} has {chip.num_qubits} qubits, the circuit needs {load.num_qubits}")
    left_out = set(exclude)
    for qubit in sorted(left_out):
        if not 0 <= qubit < chip.num_qubits:
            raise QhnError(f"{chip.name} has no qubit {qubit} to exclude; its qubits are 0 to {chip.num_qubits - 1}")
    one_qubit, readout = chip.one_qubit_error, chip.readout_error
    works = (one_qubit < DEAD) & (readout < DEAD)
    one = np.outer(np.array(load.one_qubit, dtype=np.float64), -np.log1p(-np.where(works, one_qubit, 0.0)))
    vertex: Floats = np.where(works, one - np.log1p(-np.where(works, readout, 0.0)), np.inf)
    edges = {pair: float(-np.log1p(-error)) for pair, error in sorted(chip.pairs.items()) if error < DEAD}
    return Grid(vertex, edges, np.array(load.two_qubit, dtype=np.float64)).without(left_out | chip.faulty)


def _neighbours(chip: Chip) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for a, b in chip.pairs:
        found.setdefault(a, set()).add(b)
        found.setdefault(b, set()).add(a)
    return found


def _packings(
    grid: Grid, best: Path, first: list[Path], limit: int, worst: float, neighbours: dict[int, set[int]]
) -> list[list[Path]]:
    """Find sets of at most ``limit`` disjoint paths that begin with ``first`` and cost at most ``worst`` each."""
    bonus_step = BONUS * grid.cost(best) / len(best)
    bonus: Floats = np.zeros(grid.vertex.shape[1])
    all_vertices = sorted({vertex for edge in grid.usable for vertex in edge})
    found = []
    for _ in range(ROUNDS):
        packing: list[Path] = []
        taken: set[int] = set()
        wanted = Grid(grid.vertex - bonus, grid.edges, grid.bonds)
        while len(packing) < limit:
            path = first[0] if first and not packing else cheapest(wanted.without(taken), nodes=0, beam=BEAM)[0]
            if path is None or grid.cost(path) > worst:
                break
            packing.append(path)
            taken.update(path, *(neighbours.get(vertex, set()) for vertex in path))
        if packing:
            found.append(packing)
        stranded = [vertex for vertex in all_vertices if vertex not in taken]
        if not stranded:
            break
        bonus[stranded] += bonus_step
    return found


def _why_none(chip: Chip, shape: str, grid: Grid, exclude: Iterable[int], *, certain: bool) -> str:
    """The reasons for which a chip has no chain, or no connected part, of as many qubits as a grid has positions."""
    pairs = chip.pairs
    dead = sum(error >= 1 for error in pairs.values())
    reasons = [f"{dead} of its {len(pairs)} pairs are {chip.dead}"]
    if chip.faulty:
        reasons.append(f"{len(chip.faulty)} qubits are faulty")
    reasons += [gap.words() for gap in chip.assumed if gap.excludes]
    if set(exclude):
        reasons.append(f"{len(set(exclude))} are excluded")
    usable = np.isfinite(grid.vertex.sum(axis=0))
    parts = connected([(a, b) for a, b in grid.edges if usable[a] and usable[b]])
    if parts:
        reasons.append(f"the largest connected part has {len(parts[0])} qubits")
    none = f"has no {shape}" if certain else f"seems to have no {shape}"
    words = f"{chip.name} {none} of {len(grid.vertex)} connected working qubits: {', '.join(reasons)}"
    return f"{words}; use another device, for example fake_torino"
