"""The search for gates of a circuit that have no effect on its measured bits.

Three ways find gates without one, and none of them takes an angle for inert that is not. From the start, qubits are
followed that are still in a state |0⟩ or |1⟩, on which a rotation about Z is a phase. From the end, qubits are followed
that a measurement still sees as they are, but for a relabelling of bitstrings: a gate that is diagonal on them changes
phases only. In small circuits the derivatives of a random cost at random angles tell what is left: a derivative that is
zero at such points is zero everywhere, but for a chance of measure zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qhn.arrays import Bools, Complexes, Floats
from qhn.circuit.ansatz import Gate
from qhn.circuit.decomposition import AXES

PAULI = {
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]]),
    "Z": np.diag([1.0 + 0j, -1.0]),
}
CX = np.array(
    [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]], dtype=np.complex128
)  # control least significant
MAX_PROBED = 2**19  # amplitudes times gates up to which derivatives are probed; half a second
NUM_PROBES = 3
ROUNDING = 1e-10  # a derivative of no more is zero; of a gate with an effect it is smaller with no noticeable chance


def matrix_of(gate: Gate) -> Complexes:
    """The unitary of a fixed gate, the first of its qubits the least significant."""
    return CX if gate.matrix is None else gate.matrix


def pauli_matrix(name: str) -> Complexes:
    """The Pauli string of a rotation as a matrix, the first of its qubits the least significant."""
    matrix = np.ones((1, 1), dtype=np.complex128)
    for letter in AXES[name]:
        matrix = np.kron(PAULI[letter], matrix)
    return matrix


def with_effect(num_qubits: int, gates: Sequence[Gate]) -> Bools:
    """Whether the measured bits depend on each gate, by one mask for all: those without an effect can go together.

    Args:
        num_qubits: the number of qubits, all of which start in |0⟩ and are measured.
        gates: the gates in time order.
    """
    found = np.ones(len(gates), dtype=bool)
    supports = _from_the_start(gates, found)
    _from_the_end(num_qubits, gates, supports, found)
    if (1 << num_qubits) * max(len(gates), 1) <= MAX_PROBED:
        kept = np.flatnonzero(found).tolist()
        rotations = [index for index in kept if gates[index].angle is not None]
        is_flat = _derivatives(num_qubits, [gates[index] for index in kept]) < ROUNDING
        found[np.array(rotations, dtype=np.int64)[is_flat]] = False
    return found


def _from_the_start(gates: Sequence[Gate], found: Bools) -> list[tuple[int, ...]]:
    """Mark gates that act on |0⟩ and |1⟩ as phases; return the qubits on which each gate acts as more than a sign."""
    from collections import defaultdict

    known: dict[int, int] = defaultdict(int)
    unknown: set[int] = set()
    supports = []
    for index, gate in enumerate(gates):
        fixed = {place: known[qubit] for place, qubit in enumerate(gate.qubits) if qubit not in unknown}
        if gate.angle is not None:
            is_sign = all(AXES[gate.name][place] == "Z" for place in fixed)
            supports.append(tuple(q for q in gate.qubits if q in unknown) if is_sign else gate.qubits)
            found[index] = bool(supports[-1])
            unknown |= {q for place, q in enumerate(gate.qubits) if AXES[gate.name][place] != "Z"}
            continue
        matrix, supports = matrix_of(gate), [*supports, gate.qubits]
        columns = [k for k in range(len(matrix)) if all(k >> place & 1 == bit for place, bit in fixed.items())]
        reached = np.flatnonzero(np.abs(matrix[:, columns]).max(axis=1) > 1e-12)
        phase = matrix[columns[0], columns[0]]
        found[index] = not np.allclose(matrix[:, columns], phase * np.eye(len(matrix))[:, columns], atol=1e-12)
        for place, qubit in enumerate(gate.qubits):
            bits = {int(row) >> place & 1 for row in reached}
            if len(bits) == 1:
                known[qubit] = bits.pop()
                unknown.discard(qubit)
            else:
                unknown.add(qubit)
    return supports


def _from_the_end(num_qubits: int, gates: Sequence[Gate], supports: list[tuple[int, ...]], found: Bools) -> None:
    """Mark gates that only change phases of bitstrings, or what becomes of them until the measurement."""
    seen = set(range(num_qubits))  # qubits on which a diagonal operator at this time changes no measured bit
    for index in reversed(range(len(gates))):
        gate = gates[index]
        if not found[index]:
            continue
        if gate.angle is not None:
            letters = dict(zip(gate.qubits, AXES[gate.name], strict=True))
            if all(letters[qubit] == "Z" and qubit in seen for qubit in supports[index]):
                found[index] = False
            else:
                seen -= {qubit for qubit in gate.qubits if letters[qubit] != "Z"}
            continue
        matrix = matrix_of(gate)
        if _is_diagonal(matrix) and seen.issuperset(gate.qubits):
            found[index] = False
            continue
        open_places = [place for place, qubit in enumerate(gate.qubits) if qubit in seen]
        still = {qubit for place, qubit in enumerate(gate.qubits) if _stays_diagonal(matrix, place, open_places)}
        seen = (seen - set(gate.qubits)) | still


def _is_diagonal(matrix: Complexes) -> bool:
    return np.allclose(matrix, np.diag(np.diagonal(matrix)), atol=1e-12)


def _stays_diagonal(matrix: Complexes, place: int, open_places: list[int]) -> bool:
    """Whether a gate turns Z on one of its qubits, after it, into an operator that is diagonal on the open ones."""
    index = np.arange(len(matrix))
    after = matrix @ np.diag(1.0 - 2.0 * (index >> place & 1)) @ matrix.conj().T
    opened = sum(1 << k for k in open_places)
    diagonal = np.diagonal(after)
    return _is_diagonal(after) and np.allclose(diagonal, diagonal[index & opened], atol=1e-12)


def _derivatives(num_qubits: int, gates: Sequence[Gate]) -> Floats:
    """The size of the derivative by the angle of each rotation, the largest over a few random angles and costs."""
    rng = np.random.default_rng(20230119)
    largest = np.zeros(sum(gate.angle is not None for gate in gates))
    for _ in range(NUM_PROBES):
        angles = iter(rng.uniform(0, 2 * np.pi, len(largest)))
        unitaries = [
            matrix_of(gate) if gate.angle is None else _turn(pauli_matrix(gate.name), next(angles)) for gate in gates
        ]
        state = np.zeros(1 << num_qubits, dtype=np.complex128)
        state[0] = 1.0
        for gate, unitary in zip(gates, unitaries, strict=True):
            state = applied(state, unitary, gate.qubits)
        costate = rng.normal(size=len(state)) * state
        slopes = []
        for gate, unitary in zip(reversed(gates), reversed(unitaries), strict=True):
            if gate.angle is not None:
                slopes.append(np.vdot(costate, applied(state, pauli_matrix(gate.name), gate.qubits)).imag)
            back = unitary.conj().T
            state, costate = applied(state, back, gate.qubits), applied(costate, back, gate.qubits)
        largest = np.maximum(largest, np.abs(slopes[::-1]))
    return largest


def _turn(pauli: Complexes, angle: float) -> Complexes:
    """The rotation exp(−iφP/2) about a Pauli string."""
    turned: Complexes = np.cos(angle / 2) * np.eye(len(pauli)) - 1j * np.sin(angle / 2) * pauli
    return turned


def applied(state: Complexes, matrix: Complexes, qubits: tuple[int, ...]) -> Complexes:
    """A state vector ``[2**n]`` after a gate; the first of the gate's qubits is the least significant of its matrix."""
    n, k = state.size.bit_length() - 1, len(qubits)
    axes = [n - 1 - qubit for qubit in reversed(qubits)]
    tensor = matrix.reshape((2,) * (2 * k))
    product = np.tensordot(tensor, state.reshape((2,) * n), axes=(range(k, 2 * k), axes))
    after: Complexes = np.moveaxis(product, range(k), axes).reshape(-1)
    return after
