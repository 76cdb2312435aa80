"""Any circuit as a program for the state vector: turns of pairs of numbers, swaps, phases and 4×4 matrices.

The state is one row of numbers, real parts and then imaginary parts. A rotation exp(−iφP/2) about a Pauli string P that
flips bits turns disjoint pairs of these numbers by φ/2: with P|k⟩ = ±|k′⟩ or ±i|k′⟩ an amplitude's real part mixes with
the imaginary or with the real part of its partner, and with nothing else. A CX swaps pairs.

What is diagonal only multiplies amplitudes by phases e^{if(k)}, and on one and two qubits f is a quadratic form of the
bits, f(k) = Σ_{p≤q} F[p, q] k_p k_q, up to a phase of the whole state. All diagonal gates that can meet are therefore
one operation, whatever their number: RZ adds φ to F[q, q], RZZ = b_p ⊕ b_q adds φ to F[p, p] and F[q, q] and −2φ to
F[p, q]. To let them meet, gates are brought into layers in which those that flip bits and diagonal ones alternate.

A fixed gate on one qubit is a phase, an RY and a phase.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby

import numpy as np

from qhn.arrays import Complexes, Floats, Integers
from qhn.circuit.ansatz import Gate, GateCircuit
from qhn.errors import QhnError

Row = tuple[int, int, int, int, int, int]
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


@dataclass
class Program:
    """The operations of a circuit.

    Attributes:
        num_qubits: number of qubits.
        num_parameters: number of angles of the circuit.
        constants: fixed angles in radians, whose indices follow those of the circuit's angles.
        ops: the operations in the order of application, an :class:`Op`, its strides and its numbers each.
        terms: the terms of quadratic forms, ``(p, q, angle)`` with p ≤ q.
        weights: the factor of the angle of each term.
        matrices: the matrices ``[4, 4]`` of fixed gates.
    """

    num_qubits: int
    num_parameters: int
    constants: list[float] = field(default_factory=list)
    ops: list[Row] = field(default_factory=list)
    terms: list[tuple[int, int, int]] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    matrices: list[Complexes] = field(default_factory=list)

    def constant(self, angle: float) -> int:
        """The index of a new fixed angle."""
        self.constants.append(angle)
        return self.num_parameters + len(self.constants) - 1


@dataclass(frozen=True)
class Arrays:
    """A program as arrays, for compiled loops; see :class:`Program`."""

    ops: np.ndarray[tuple[int, int], np.dtype[np.uint64]]
    terms: Integers
    weights: Floats
    matrices: Complexes
    constants: Floats


def program_of(circuit: GateCircuit) -> Arrays:
    """The operations that prepare a circuit's state, but for its folded CX gates.

    Raises:
        QhnError: if a fixed gate acts on more than two qubits, or its matrix is not unitary.
    """
    program = Program(circuit.num_qubits, circuit.num_parameters)
    gates = [part for gate in circuit.gates(prune=True, fold=True) for part in _parts(gate, program)]
    for diagonal, layer in groupby(_layered(gates), _is_diagonal):
        if diagonal:
            _add_phases(layer, program)
        else:
            for gate in layer:
                program.ops += _operations(gate, program)
    return Arrays(
        np.array(program.ops, dtype=np.uint64).reshape(-1, 6),
        np.array(program.terms, dtype=np.int64).reshape(-1, 3),
        np.array(program.weights, dtype=np.float64),
        np.array(program.matrices, dtype=np.complex128).reshape(-1, 4, 4),
        np.array(program.constants, dtype=np.float64),
    )


# ---------------------------------------------------------------- fixed gates in terms of others


def _parts(gate: Gate, program: Program) -> Iterator[Gate]:
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
        yield from _phases(gate.qubits, np.angle(np.diag(matrix)), program)
    elif len(matrix) == 2:
        before, turn, after = _euler_angles(matrix)
        yield Gate("rz", gate.qubits, program.constant(before))
        yield Gate("ry", gate.qubits, program.constant(turn))
        yield Gate("rz", gate.qubits, program.constant(after))
    else:
        yield gate


def _phases(qubits: tuple[int, ...], phases: Floats, program: Program) -> Iterator[Gate]:
    """The diagonal gates that have the given phases on one or two qubits, up to one of the whole state."""
    for bit, qubit in enumerate(qubits):
        yield Gate("rz", (qubit,), program.constant(float(phases[1 << bit] - phases[0])))
    if len(qubits) == 2:
        yield Gate("cp", qubits, program.constant(float(phases[3] - phases[2] - phases[1] + phases[0])))


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


def _is_diagonal(gate: Gate) -> bool:
    return gate.name in ("rz", "rzz", "cp")


def _layered(gates: Iterable[Gate]) -> list[Gate]:
    """The gates in an order that keeps the one on each qubit and lets diagonal gates meet.

    Layers of odd number hold diagonal gates, which commute, and those of even number all others; each gate joins the
    earliest layer that it can.
    """
    latest: dict[int, int] = {}
    layers = []
    for gate in gates:
        layer = max(latest.get(qubit, 0) for qubit in gate.qubits)
        layer += layer % 2 != _is_diagonal(gate)
        latest |= dict.fromkeys(gate.qubits, layer)
        layers.append((layer, gate))
    return [gate for _, gate in sorted(layers, key=lambda pair: pair[0])]


# ---------------------------------------------------------------- operations


def _add_phases(gates: Iterable[Gate], program: Program) -> None:
    first = len(program.terms)
    for gate in gates:
        assert gate.angle is not None
        singles = [] if gate.name == "cp" else gate.qubits
        terms = [(qubit, qubit, gate.angle) for qubit in singles]
        weights = [1.0] * len(terms)
        if len(gate.qubits) == 2:
            terms.append((min(gate.qubits), max(gate.qubits), gate.angle))
            weights.append(1.0 if gate.name == "cp" else -2.0)
        program.terms += terms
        program.weights += weights
    program.ops.append((Op.PHASES, 0, 0, first, len(program.terms), 0))


def _operations(gate: Gate, program: Program) -> Iterator[Row]:
    """The operations of a gate that is not diagonal."""
    imag = 1 << program.num_qubits
    strides = [1 << qubit for qubit in gate.qubits]
    low, high = min(strides), max(strides) if len(strides) == 2 else imag
    if gate.matrix is not None:
        program.matrices.append(gate.matrix)
        yield Op.MATRIX, low, high, strides[0], strides[1], len(program.matrices) - 1
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
