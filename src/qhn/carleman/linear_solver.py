"""Circuits that solve a linear system A x = b: what every quantum linear solver returns, and the solution without one.

A solver prepares |b⟩, applies an approximation of A⁻¹ that is a block of a unitary, and leaves x in the amplitudes of
its solution register whenever its ancilla qubits are all measured as 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy.linalg
import scipy.sparse
import scipy.sparse.linalg

from qhn.arrays import Floats
from qhn.errors import QhnError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

MAX_QUBITS = 24  # of a statevector: 256 MB
SINGULAR = 1e-13  # smallest singular value, divided by the largest, of a matrix that is taken as invertible
Matrix = Any  # a NumPy array or a SciPy sparse matrix, [D, D]
Solver = Callable[[Matrix, Floats], "SolverCircuit"]


class Amplitudes(NamedTuple):
    """The solution that a solver's circuit holds, without shots.

    Attributes:
        vector: solution x of A x = b, ``[D]``, as accurate as the circuit.
        success: probability that all ancilla qubits are measured as 0.
    """

    vector: Floats
    success: float


@dataclass(frozen=True)
class SolverFacts:
    """What a solver's circuit was built for, and what it is made of.

    Attributes:
        method: name of the solver, ``"qsvt"`` or ``"hhl"``.
        encoding: kind of the block encoding or evolution: ``"dilation"``, ``"structured"`` or ``"evolution"``.
        condition: bound κ on the condition number of A that the circuit is built for.
        subnormalisation: factor α by which A is divided in the block encoding.
        effective_condition: α·‖A⁻¹‖, which the degree grows with.
        error_bound: bound on ‖x − x'‖/‖x‖ of the circuit's solution x', or ``None`` where none is proven.
        degree: degree of the polynomial, or the largest power of the evolution operator.
        queries: uses of the block encoding of A, or of the evolution operator.
    """

    method: str
    encoding: str
    condition: float
    subnormalisation: float
    effective_condition: float
    error_bound: float | None
    degree: int
    queries: int


@dataclass(frozen=True)
class SolverCircuit:
    """A circuit whose amplitudes, where its ancilla qubits are 0, are the solution of a linear system.

    Attributes:
        circuit: circuit without measurements, started in |0…0⟩.
        solution: qubits of the solution register, least significant first.
        ancillas: qubits that must be measured as 0.
        scale: factor from amplitudes to the solution x.
        num_unknowns: length D of x, which begins the register; the rest pads it to a power of two.
        facts: how the circuit was built.
    """

    circuit: QuantumCircuit
    solution: tuple[int, ...]
    ancillas: tuple[int, ...]
    scale: float
    num_unknowns: int
    facts: SolverFacts

    @property
    def num_qubits(self) -> int:
        """Number of all qubits of the circuit."""
        return int(self.circuit.num_qubits)

    def amplitudes(self) -> Amplitudes:
        """The solution and the probability of success by simulation of the statevector.

        A real system has a real solution, and these circuits add no imaginary part to it.

        Raises:
            QhnError: if the circuit has too many qubits for a statevector.
        """
        from qiskit.quantum_info import Statevector

        if self.num_qubits > MAX_QUBITS:
            raise QhnError(
                f"the solver's circuit has {self.num_qubits} qubits, a statevector at most {MAX_QUBITS}: "
                "measure it, or lower the truncation or the number of steps"
            )
        state = np.asarray(Statevector(self.circuit).data).reshape((2,) * self.num_qubits)  # the last axis is qubit 0
        kept = state[tuple(0 if q in self.ancillas else slice(None) for q in reversed(range(self.num_qubits)))]
        order = [q for q in reversed(range(self.num_qubits)) if q not in self.ancillas]
        amplitudes = kept.transpose([order.index(q) for q in reversed(self.solution)]).reshape(-1)
        success = float(np.vdot(amplitudes, amplitudes).real)
        return Amplitudes(self.scale * amplitudes[: self.num_unknowns].real, success)

    def measured(self) -> QuantumCircuit:
        """The circuit with measurements: first the solution's qubits, least significant first, then the ancillas.

        A shot counts when all bits of the ancillas are 0; bit i of the solution's index is classical bit i.
        """
        from qiskit import ClassicalRegister

        circuit = self.circuit.copy()
        qubits = [*self.solution, *self.ancillas]
        register = ClassicalRegister(len(qubits), "measured")
        circuit.add_register(register)
        circuit.measure(qubits, register)
        return circuit


def append_state(circuit: QuantumCircuit, vector: Floats, qubits: Sequence[int]) -> float:
    """Append the preparation of a real vector divided by its norm, from |0…0⟩, with its sign.

    Args:
        circuit: circuit to append to.
        vector: the vector, ``[2ⁿ]``, which is not zero.
        qubits: the n qubits, least significant first.

    Returns:
        The norm of the vector.
    """
    from qiskit.circuit.library import StatePreparation

    norm = float(scipy.linalg.norm(vector))
    sign = math.copysign(1.0, vector[np.abs(vector).argmax()])
    circuit.append(StatePreparation(sign * vector / norm), list(qubits))
    if sign < 0:  # not left to StatePreparation, which makes |0…0⟩ of −|0…0⟩
        circuit.global_phase += math.pi
    return norm


def checked(matrix: Matrix, right_side: Floats) -> tuple[Matrix, Floats]:
    """The matrix and the right side of a linear system, once they are known to be one that circuits can hold.

    Raises:
        QhnError: if the matrix is not real and square, numbers are not finite, shapes differ, or b is zero.

    >>> checked(np.eye(2), np.zeros(2))
    Traceback (most recent call last):
    qhn.errors.QhnError: the right side is zero, and so is the solution: a state of norm 1 cannot hold it
    """
    try:
        matrix = matrix.tocsr() if scipy.sparse.issparse(matrix) else np.asarray(matrix)
        right_side = np.asarray(right_side)
    except ValueError as error:  # of lists of different lengths, and of sparse arrays with another number of axes
        raise QhnError(f"matrix and right side must be arrays: {error}") from None
    for name, array in ("matrix", matrix), ("right side", right_side):
        if array.dtype.kind not in "biuf":
            raise QhnError(f"the {name} must hold real numbers, got numbers of type {array.dtype}")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not matrix.shape[0]:
        raise QhnError(f"the matrix must be square, got shape {matrix.shape}")
    if right_side.shape != matrix.shape[:1]:
        raise QhnError(f"the right side must have shape ({matrix.shape[0]},), got {right_side.shape}")
    values = matrix.data if scipy.sparse.issparse(matrix) else matrix
    for name, array in ("matrix", values), ("right side", right_side):
        if bad := int((~np.isfinite(array)).sum()):
            raise QhnError(f"the {name} must be finite, got {bad} of {array.size} numbers that are not")
    if not right_side.any():
        raise QhnError("the right side is zero, and so is the solution: a state of norm 1 cannot hold it")
    return matrix.astype(np.float64), right_side.astype(np.float64)


def padded(matrix: Floats, right_side: Floats, diagonal: float = 1.0) -> tuple[Floats, Floats]:
    """A system of at least 2 and a power of two of unknowns: those that are added are 0 and independent of the others.

    Args:
        matrix: matrix A, ``[D, D]``.
        right_side: right side b, ``[D]``.
        diagonal: the entry that A gets on the diagonal; between its singular values, it leaves κ as it is.

    >>> padded(np.diag([2.0, 3.0, 4.0]), np.ones(3), diagonal=2.0)[0].diagonal()
    array([2., 3., 4., 2.])
    """
    found = len(right_side)
    size = max(2, 1 << (found - 1).bit_length())
    larger = np.eye(size) * diagonal
    larger[:found, :found] = matrix
    return larger, np.pad(right_side, (0, size - found))


def singular_values(matrix: Floats) -> Floats:
    """The singular values of a dense matrix, the largest first.

    Raises:
        QhnError: if the matrix is singular in the precision of the numbers.
    """
    values = np.linalg.svd(matrix, compute_uv=False)
    if not values[-1] > SINGULAR * values[0]:
        raise QhnError(f"the matrix is singular: its singular values are from {values[-1]:.3g} to {values[0]:.3g}")
    return np.asarray(values)


def solve_classically(matrix: Matrix, right_side: Floats) -> Floats:
    """The solution of A x = b by a direct method, sparse for a sparse matrix.

    Raises:
        QhnError: if the system is not one (see :func:`checked`), or A is singular.

    >>> solve_classically(np.array([[1.0, 0.0], [-0.5, 1.0]]), np.array([1.0, 0.0]))
    array([1. , 0.5])
    """
    matrix, right_side = checked(matrix, right_side)
    try:
        if scipy.sparse.issparse(matrix):
            factors = scipy.sparse.linalg.splu(matrix.tocsc())
            return np.asarray(factors.solve(right_side))
        return np.asarray(np.linalg.solve(matrix, right_side), dtype=np.float64)
    except (np.linalg.LinAlgError, RuntimeError):  # SuperLU says so by a RuntimeError
        raise QhnError("the matrix is singular: it has no unique solution") from None
