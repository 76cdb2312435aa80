"""The cut of a chain into two halves, and the order in which the gates of each half are applied.

A CX across the cut is a sum of two products, CX = |0⟩⟨0| ⊗ 1 + |1⟩⟨1| ⊗ X. So a circuit whose bricks cross the cut k
times gives, exactly and without truncation,

    ψ[h, l] = Σ_r A_r[l] B_r[h],   r = 0 … 2^k − 1,

with l the bits of the low half (qubits 0 … cut − 1), h those of the high half, and A_r, B_r the states of the halves
for one choice at every crossing. Every second brick crosses a given cut, so the number of branches R = 2^k is small
where a state vector is not, and the 2^num_qubits amplitudes need never be formed.

The gates of a half may be applied in any order that keeps the order on each qubit. Two rules make that order cheap:

* **grow late**: qubits join the state one by one, from the end of the chain towards the cut, each only when no gate is
left to apply to those already there. A gate then acts on a state as small as its past light cone. * **branch late**: a
crossing, which doubles the state, waits until nothing else can be done. A gate outside of its   future light cone is
then applied once, and not once per branch.

A qubit far from the cut, which joins first, also gets a low bit of the state's index, and those near the cut, with most
of the work, high bits and so long runs of consecutive memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from qhn.circuit.ansatz import Gate
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.errors import QhnError

ROTATION = 40  # multiplications per amplitude and gate, forwards and backwards; measured, with what short loops lose


class Op(IntEnum):
    """An operation on the state of a half; each names bits of the state's index, or an angle of θ."""

    GROW = 0  # (angle, –): a new highest bit in the state RY(θ)|0⟩
    RY = 1  # (angle, bit)
    RZ = 2  # (angle, bit): diag(1, e^{iθ}), which is RZ but for a global phase
    CX = 3  # (control bit, target bit)
    COPY = 4  # (bit, –): a new highest bit, the branch, that repeats a bit: the control's side of a crossing
    FLIP = 5  # (bit, –): a new highest bit, the branch, that says whether a bit is flipped: the target's side


_GROWING = (Op.GROW, Op.COPY, Op.FLIP)


@dataclass(frozen=True)
class Half:
    """One half of the chain: its qubits, and the operations that prepare its state.

    Attributes:
        qubits: the qubits of the half; the state's index has the first of them as its least significant bit, and the
            branches on top.
        ops: the operations in the order of application, ``uint64[num_ops, 3]``: an :class:`Op` and its two numbers.
        num_branches: the number R of branches of the state.
    """

    qubits: tuple[int, ...]
    ops: NDArray[np.uint64]
    num_branches: int

    @property
    def size(self) -> int:
        """The number of amplitudes of one branch."""
        return 1 << len(self.qubits)

    @property
    def work(self) -> int:
        """The number of amplitudes that all operations read."""
        size, total = 1, 0
        for op in self.ops[:, 0].tolist():
            size *= 2 if op in _GROWING else 1
            total += size
        return total


@dataclass(frozen=True)
class Cut:
    """A circuit cut into two halves.

    Attributes:
        cut: number of qubits of the low half, from 0 to num_qubits. At num_qubits the low half is the whole chain, with
            one branch: a plain state vector.
        low, high: the half of the qubits below ``cut``, and the half of the others.
    """

    cut: int
    low: Half
    high: Half

    @property
    def num_branches(self) -> int:
        """The number of branches R, which is at least the Schmidt rank across the cut."""
        return self.low.num_branches


def check_chain(ansatz: object) -> None:
    """Refuse what is no hypernetwork, whose gates are known to be RY, RZ and CX on a chain.

    Raises:
        ValueError: if the circuit is no hypernetwork.
    """
    if not isinstance(ansatz, Hypernetwork):
        raise QhnError(
            f"only a hypernetwork can be cut, not a circuit of type {type(ansatz).__name__}; qhn.ExactEstimator and "
            "backend exact take any circuit"
        )


def cut_at(ansatz: Hypernetwork, cut: int, *, fold: bool = True) -> Cut:
    """The two halves of an ansatz whose chain is cut after ``cut`` qubits.

    Args:
        ansatz: the circuit.
        cut: number of qubits of the low half, from 0 to num_qubits.
        fold: leave the trailing CX brick to ``ansatz.relabel``: it only relabels the measured bits, and where it
            crosses the cut it would double R. The state of the literal circuit, with its entanglement, needs
            ``fold=False``.

    Raises:
        ValueError: if ``cut`` is not from 0 to num_qubits, or the circuit is no hypernetwork.

    >>> halves = cut_at(Hypernetwork(14, 2), 7)
    >>> halves.num_branches, halves.low.qubits, halves.high.qubits[-1]
    (2, (0, 1, 2, 3, 4, 5, 6), 7)
    """
    check_chain(ansatz)
    num_qubits = ansatz.num_qubits
    if not 0 <= cut <= num_qubits:
        raise QhnError(f"cut must be between 0 and {num_qubits}, got {cut}")
    gates = list(ansatz.gates(prune=True, fold=fold))
    return Cut(cut, _half(gates, range(cut)), _half(gates, range(num_qubits - 1, cut - 1, -1)))


def num_crossings(ansatz: Hypernetwork, cut: int, *, fold: bool = True) -> int:
    """The number of CX gates that act across a cut.

    Raises:
        ValueError: if the circuit is no hypernetwork.
    """
    check_chain(ansatz)
    return sum(gate.qubits == (cut - 1, cut) for gate in ansatz.gates(prune=True, fold=fold))


def _half(gates: Sequence[Gate], qubits: Sequence[int]) -> Half:
    """The operations of one half, ordered by the two rules above; ``qubits`` run from the chain's end to the cut."""
    waiting: dict[int, deque[Gate]] = {qubit: deque() for qubit in qubits}
    for gate in gates:
        for qubit in set(gate.qubits) & set(qubits):
            waiting[qubit].append(gate)
    bits: dict[int, int] = {}
    ops: list[tuple[int, int, int]] = []
    num_branches = 1

    def is_first(gate: Gate) -> bool:
        return all(qubit in bits and waiting[qubit][0] is gate for qubit in gate.qubits)

    def apply_all() -> None:
        progress = True
        while progress:
            progress = False
            for qubit in bits:
                while waiting[qubit] and is_first(gate := waiting[qubit][0]):
                    progress = True
                    for other in gate.qubits:
                        waiting[other].popleft()
                    if gate.angle is None:
                        ops.append((Op.CX, bits[gate.qubits[0]], bits[gate.qubits[1]]))
                    else:
                        ops.append((Op.RY if gate.name == "ry" else Op.RZ, gate.angle, bits[gate.qubits[0]]))

    for qubit in qubits:
        first = waiting[qubit].popleft()  # on |0⟩, only an RY is not pruned away
        assert first.name == "ry"
        assert first.angle is not None
        bits[qubit] = len(bits)
        ops.append((Op.GROW, first.angle, 0))
        apply_all()
    while any(waiting.values()):
        edge = qubits[-1]
        crossing = waiting[edge].popleft()
        ops.append((Op.COPY if crossing.qubits[0] == edge else Op.FLIP, bits[edge], 0))
        num_branches *= 2
        apply_all()
    return Half(tuple(qubits), np.array(ops, dtype=np.uint64).reshape(-1, 3), num_branches)


@lru_cache(maxsize=64)
def best_cut(ansatz: Hypernetwork) -> Cut:
    """The cut at which E and its gradient take the fewest operations.

    It lies near the middle, where every second brick crosses: for the authors' order after an even number of qubits,
    for ``eq5`` after an odd one. Deep circuits are better left whole.
    """
    num_qubits = ansatz.num_qubits
    middle = num_qubits // 2
    candidates = [cut for cut in range(middle - 1, middle + 3) if 0 < cut < num_qubits]
    shallow = [cut for cut in candidates if num_crossings(ansatz, cut) <= num_qubits]
    return min((cut_at(ansatz, cut) for cut in [*shallow, num_qubits]), key=_operations)


def _operations(cut: Cut) -> int:
    """The approximate number of multiplications of one gradient."""
    branches = cut.num_branches
    table = min(2 * branches**2, 12 * branches) * cut.low.size * cut.high.size
    return int(table + ROTATION * (cut.low.work + cut.high.work))
