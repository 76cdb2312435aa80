"""Past light cones: the gates of a circuit on which the mean of a spin depends, and what they leave of the circuit.

Backwards in time, a gate joins the cone of ⟨σ_j⟩ if it does not commute with what the spin has become, as far as this
is told by where that acts: on some qubits it is *mixed*, on others diagonal in the bits. A diagonal gate commutes if it
is on none of the mixed ones; a CX commutes if its control is none of them, and its target beyond the cone. The cone of
a product of spins is the union of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from qhn.arrays import Bits, Integers
from qhn.circuit.ansatz import Gate


class Past(NamedTuple):
    """The past light cone of a product of spins: its qubits, and the indices of its gates in the circuit."""

    qubits: frozenset[int]
    gates: frozenset[int]


def past_of(gates: Sequence[Gate], spin: int) -> Past:
    """The past light cone of one spin.

    Args:
        gates: the gates of a circuit in time order.
        spin: the qubit of the spin.

    >>> cone = past_of([Gate("h", (0,)), Gate("rzz", (0, 1), 0), Gate("rzz", (1, 2), 1), Gate("rx", (1,), 2)], 1)
    >>> sorted(cone.qubits), sorted(cone.gates)
    ([0, 1, 2], [0, 1, 2, 3])
    """
    qubits, mixed, kept = {spin}, set[int](), set[int]()  # mixed: qubits on which it is not diagonal
    for index in range(len(gates) - 1, -1, -1):
        name, touched = gates[index].name, set(gates[index].qubits)
        if name == "cx":
            control, target = gates[index].qubits
            commutes = target not in qubits and control not in mixed
            joining = {target} if control in mixed else set()
        elif _is_diagonal(gates[index]):
            commutes, joining = not touched & mixed, set()
        else:
            commutes, joining = not touched & qubits, touched
        if not commutes:
            kept.add(index)
            qubits |= touched
            mixed |= joining
    return Past(frozenset(qubits), frozenset(kept))


@dataclass(frozen=True)
class Cone:
    """A past light cone as a circuit of its own, on the qubits that it has.

    Attributes:
        qubits: the qubits of the whole circuit, ascending; here they are called 0, 1, ….
        angles: the angles of the whole circuit, ascending; here they are called 0, 1, ….
        parts: the gates of the cone in time order, with qubits and angles as they are called here.
    """

    qubits: tuple[int, ...]
    angles: Integers
    parts: tuple[Gate, ...]

    @classmethod
    def of(cls, gates: Iterable[Gate], qubits: Iterable[int]) -> Cone:
        """The cone of some gates of a circuit on some of its qubits."""
        kept, names = list(gates), {qubit: name for name, qubit in enumerate(sorted(qubits))}
        angles = sorted({gate.angle for gate in kept if gate.angle is not None})
        places = {angle: place for place, angle in enumerate(angles)}
        parts = [
            gate._replace(
                qubits=tuple(names[qubit] for qubit in gate.qubits),
                angle=None if gate.angle is None else places[gate.angle],
            )
            for gate in kept
        ]
        return cls(tuple(names), np.array(angles, dtype=np.int64), tuple(parts))

    @property
    def num_qubits(self) -> int:
        """The number of qubits of the cone."""
        return len(self.qubits)

    @property
    def num_parameters(self) -> int:
        """The number of angles of the cone."""
        return len(self.angles)

    @property
    def folded_brick(self) -> list[tuple[int, int]]:
        """The CX gates that are left to :meth:`relabel`: none."""
        return []

    def relabel(self, bits: Bits) -> Bits:
        """The bits themselves."""
        return bits

    def gates(self, *, prune: bool = False, fold: bool = False) -> Iterator[Gate]:
        """The gates in time order; all of them have an effect."""
        return iter(self.parts)


def _is_diagonal(gate: Gate) -> bool:
    if gate.matrix is None:
        return gate.name in ("rz", "rzz")
    return not np.any(gate.matrix - np.diag(np.diag(gate.matrix)))
