"""Any circuit as a program for the state vector: turns of pairs of numbers, swaps, phases and 4×4 matrices.

The state is one row of numbers, real parts and then imaginary parts. A rotation exp(−iφP/2) about a Pauli string P that
flips bits turns disjoint pairs of these numbers by φ/2: with P|k⟩ = ±|k′⟩ or ±i|k′⟩ an amplitude's real part mixes with
the imaginary or with the real part of its partner, and with nothing else. A CX swaps pairs.

What is diagonal only multiplies amplitudes by phases e^{if(k)}, and on one and two qubits f is a quadratic form of the
bits, f(k) = Σ_{p≤q} F[p, q] k_p k_q, up to a phase of the whole state. All diagonal gates that can meet are therefore
one operation, whatever their number: RZ adds φ to F[q, q], RZZ = b_p ⊕ b_q adds φ to F[p, p] and F[q, q] and −2φ to
F[p, q]. To let them meet, gates are brought into layers in which diagonal ones and those that flip bits alternate; of
the latter those that stay within a block of the state are applied block by block, from a cache.

A fixed gate on one qubit is a phase, an RY and a phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Complexes, Floats, Integers
from qhn.circuit.ansatz import Gate, GateSequence
from qhn.errors import QhnError

Row = tuple[int, int, int, int, int, int]
Unsigned = NDArray[np.uint64]
BLOCK_BITS = 14  # a block of a state and its adjoint, 512 KiB, stays in a core's second cache
NEGLIGIBLE = 1e-14  # entries of a unitary that are zero up to rounding


class Op(IntEnum):
    """An operation on the state; each has a low and a high stride, 2^bit, and three more numbers.

    The bases of an operation are the indices in which the bits of both strides are 0. Where only one bit is involved
    the high stride is the size of the state.
    """

    TURN = 0  # (first offset, second offset, angle): turn the numbers at both offsets from every base by half the angle
    SWAP = 1  # (first offset, second offset, –): swap the numbers at both offsets from every base
    PHASES = 2  # (first term, last term + 1, –): multiply by e^{if} with the quadratic form of some terms
    MATRIX = 3  # (stride of the first qubit, stride of the second qubit, matrix): multiply four amplitudes by a matrix


class Program(NamedTuple):
    """The operations that prepare a circuit's state, as arrays for compiled loops.

    Attributes:
        num_qubits: number of qubits.
        ops: the operations in the order of application, ``[num_ops, 6]``: an :class:`Op`, its strides and its numbers.
        groups: the groups of operations ``[num_groups, 3]``: the first one, the last one + 1, and a number of
            amplitudes. A group may be applied to that many consecutive amplitudes before the next ones are read.
        terms: the terms of quadratic forms, ``[num_terms, 3]``: (p, q, angle) with p ≤ q.
        weights: the factor of the angle of each term.
        matrices: the matrix of each fixed gate and its inverse, ``[num_matrices, 2, 4, 4]``.
        constants: fixed angles in radians, whose indices follow those of the circuit's angles.
    """

    num_qubits: int
    ops: Unsigned
    groups: Unsigned
    terms: Integers
    weights: Floats
    matrices: Complexes
    constants: Floats


@dataclass
class _Draft:
    """A program in the making; the lists are those of :class:`Program`."""

    num_qubits: int
    num_parameters: int
    ops: list[Row] = field(default_factory=list)
    terms: list[tuple[int, int, int]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    matrices: list[tuple[Complexes, Complexes]] = field(default_factory=list)
    constants: list[float] = field(default_factory=list)

    def constant(self, angle: float) -> int:
        """The index of a new fixed angle."""
        self.constants.append(angle)
        return self.num_parameters + len(self.constants) - 1

    def finished(self) -> Program:
        """The program."""
        return Program(
            self.num_qubits,
            np.array(self.ops, dtype=np.uint64).reshape(-1, 6),
            np.array(_groups(self.ops, 1 << self.num_qubits), dtype=np.uint64).reshape(-1, 3),
            np.array(self.terms, dtype=np.int64).reshape(-1, 3),
            np.array(self.weights, dtype=np.float64),
            np.array(self.matrices, dtype=np.complex128).reshape(-1, 2, 4, 4),
            np.array(self.constants, dtype=np.float64),
        )


def program_of(circuit: GateSequence) -> Program:
    """The operations that prepare a circuit's state, but for its folded CX gates.

    Raises:
        QhnError: if a fixed gate acts on more than two qubits, or its matrix is not unitary.
    """
    draft = _Draft(circuit.num_qubits, circuit.num_parameters)
    gates = [part for gate in circuit.gates(prune=True, fold=True) for part in _parts(gate, draft)]
    for kind, layer in groupby(_layered(gates), _kind):
        if kind is _Kind.DIAGONAL:
            _add_phases(layer, draft)
        else:
            for gate in layer:
                draft.ops += _operations(gate, draft)
    return draft.finished()


# ---------------------------------------------------------------- fixed gates in terms of others


def _parts(gate: Gate, draft: _Draft) -> Iterator[Gate]:
    """The gates that a fixed gate consists of, with constants for angles; other gates as they are.

    They are called as Qiskit calls them, and ``cp`` is the phase of two qubits that are both 1.
    """
    matrix = gate.matrix
    if matrix is None:
        yield gate
        return
    if len(matrix) not in (2, 4):
        raise QhnError(
            f"gate {gate.name} acts on {len(gate.qubits)} qubits; the exact engine takes fixed gates on 1 or 2 qubits"
        )
    if not np.allclose(matrix @ matrix.conj().T, np.eye(len(matrix)), atol=1e-8):
        raise QhnError(f"gate {gate.name} has a matrix that is not unitary")
    if np.abs(matrix - np.diag(np.diag(matrix))).max() < NEGLIGIBLE:
        yield from _phases(gate.qubits, np.angle(np.diag(matrix)), draft)
    elif len(matrix) == 2:
        before, turn, after = _euler_angles(matrix)
        yield Gate("rz", gate.qubits, draft.constant(before))
        yield Gate("ry", gate.qubits, draft.constant(turn))
        yield Gate("rz", gate.qubits, draft.constant(after))
    else:
        yield gate


def _phases(qubits: tuple[int, ...], phases: Floats, draft: _Draft) -> Iterator[Gate]:
    """The diagonal gates that have the given phases on one or two qubits, up to one of the whole state."""
    for bit, qubit in enumerate(qubits):
        yield Gate("rz", (qubit,), draft.constant(float(phases[1 << bit] - phases[0])))
    if len(qubits) == 2:
        yield Gate("cp", qubits, draft.constant(float(phases[3] - phases[2] - phases[1] + phases[0])))


def _euler_angles(matrix: Complexes) -> tuple[float, float, float]:
    """The angles of RZ, RY and RZ in time order that make a unitary ``[2, 2]``, up to a phase."""
    phase = np.angle(matrix)
    if abs(matrix[0, 0]) >= abs(matrix[1, 0]):
        after = phase[1, 0] - phase[0, 0]
        before = phase[1, 1] - phase[0, 0] - after
    else:
        after = phase[1, 0] - phase[0, 0]
        before = np.angle(-matrix[0, 1]) - phase[0, 0]
    return float(before), float(2 * np.arctan2(abs(matrix[1, 0]), abs(matrix[0, 0]))), float(after)


# ---------------------------------------------------------------- the order of the gates


class _Kind(IntEnum):
    """Kinds of gates that are applied together."""

    LOCAL = 0  # flips bits within blocks of the state
    WIDE = 1  # flips a bit beyond them
    DIAGONAL = 2


def _kind(gate: Gate) -> _Kind:
    if gate.matrix is None and gate.name in ("rz", "rzz", "cp"):
        return _Kind.DIAGONAL
    return _Kind.WIDE if max(gate.qubits) >= BLOCK_BITS else _Kind.LOCAL


def _layered(gates: Iterable[Gate]) -> list[Gate]:
    """The gates in an order that keeps the one on each qubit and lets gates of a kind meet.

    Layers hold gates of one kind each, in turns; each gate joins the earliest layer of its kind that it can. Diagonal
    gates commute, and others of a layer keep their order.
    """
    latest: dict[int, int] = {}
    layers = []
    for gate in gates:
        reached = max(latest.get(qubit, 0) for qubit in gate.qubits)
        layer = reached + (_kind(gate) - reached) % len(_Kind)
        latest |= dict.fromkeys(gate.qubits, layer)
        layers.append((layer, gate))
    return [gate for _, gate in sorted(layers, key=lambda pair: pair[0])]


def _groups(ops: list[Row], size: int) -> list[tuple[int, int, int]]:
    """The groups of a program's operations; see :class:`Program`. Those across blocks, and phases, are alone."""
    block = min(size, 1 << BLOCK_BITS)

    def is_local(op: Row) -> bool:
        kind, low, high = op[:3]
        return kind != Op.PHASES and max(low, high % size) < block

    groups = []
    for local, indices in groupby(range(len(ops)), lambda index: is_local(ops[index])):
        members = list(indices)
        if local:
            groups.append((members[0], members[-1] + 1, block))
        else:
            groups += [(index, index + 1, size) for index in members]
    return groups


# ---------------------------------------------------------------- operations


def _add_phases(gates: Iterable[Gate], draft: _Draft) -> None:
    first = len(draft.terms)
    for gate in gates:
        assert gate.angle is not None
        singles = [] if gate.name == "cp" else gate.qubits
        terms = [(qubit, qubit, gate.angle) for qubit in singles]
        weights = [1.0] * len(terms)
        if len(gate.qubits) == 2:
            terms.append((min(gate.qubits), max(gate.qubits), gate.angle))
            weights.append(1.0 if gate.name == "cp" else -2.0)
        draft.terms += terms
        draft.weights += weights
    draft.ops.append((Op.PHASES, 0, 0, first, len(draft.terms), 0))


def _operations(gate: Gate, draft: _Draft) -> Iterator[Row]:
    """The operations of a gate that is not diagonal."""
    imag = 1 << draft.num_qubits
    strides = [1 << qubit for qubit in gate.qubits]
    low, high = min(strides), max(strides) if len(strides) == 2 else imag
    if gate.matrix is not None:
        draft.matrices.append((gate.matrix, gate.matrix.conj().T))
        yield Op.MATRIX, low, high, strides[0], strides[1], len(draft.matrices) - 1
    elif gate.name == "cx":
        control, target = strides
        for part in (0, imag):
            yield Op.SWAP, low, high, part + control, part + control + target, 0
    else:
        assert gate.angle is not None
        for first, second in _turns(gate.name[1:], strides, imag):
            yield Op.TURN, low, high, first, second, gate.angle


def _turns(paulis: str, strides: list[int], imag: int) -> Iterator[tuple[int, int]]:
    """The offsets of the pairs of numbers that a rotation turns; ``paulis`` has the letter of the first qubit first.

    P|k⟩ = i^y (−1)^(ones of k at Y and Z) |k′⟩ with y the number of Y, so that −iP is imaginary for even y.
    """
    flips = sum(stride for pauli, stride in zip(paulis, strides, strict=True) if pauli in "xy")
    signs = [stride for pauli, stride in zip(paulis, strides, strict=True) if pauli in "yz"]
    num_y = paulis.count("y")
    for corner in {0, *strides, sum(strides)}:
        partner = corner ^ flips
        if corner > partner:
            continue
        negative = (num_y == 2) != sum(bool(corner & stride) for stride in signs) % 2
        pairs = [(imag + partner, corner), (imag + corner, partner)]
        if num_y % 2:
            pairs = [(corner, partner), (imag + corner, imag + partner)]
        yield from ((b, a) if negative else (a, b) for a, b in pairs)
