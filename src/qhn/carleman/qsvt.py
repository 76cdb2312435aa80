"""The quantum singular value transformation as a linear solver: an odd polynomial near 1/x of the singular values.

With A = α W Σ V†, phases φ and a block encoding B of A/α, the sequence e^{iφ₀Π} B† e^{iφ₁Π} B … B† e^{iφ_dΠ}, where Π
is 1 if all ancillas are 0 and −1 otherwise, holds V p(Σ) W† at ancillas 0, which is A⁻¹ up to a factor. The real part
of p is what is wanted; one more qubit adds the sequences of φ and of −φ, and carries the phases, too.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
from qiskit import QuantumCircuit
from qiskit.circuit.library import XGate
from scipy.sparse.linalg import svds

from qhn.arrays import Floats
from qhn.carleman.block_encoding import MAX_DENSE, BlockEncoding, controlled, dilation
from qhn.carleman.history import HistorySystem
from qhn.carleman.history_encoding import history_encoding
from qhn.carleman.inverse_polynomial import inverse_polynomial
from qhn.carleman.linear_solver import (
    MAX_QUBITS,
    Matrix,
    SolverCircuit,
    SolverFacts,
    append_state,
    checked,
    padded,
    singular_values,
)
from qhn.carleman.phases import inverse_phases
from qhn.errors import QhnError
from qhn.fields import Number
from qhn.text import shown

ENCODINGS = ("dilation", "structured")


def qsvt(
    system: Matrix | HistorySystem,
    right_side: Floats | None = None,
    epsilon: float = 1e-2,
    *,
    encoding: str = "dilation",
    kappa: float | None = None,
) -> SolverCircuit:
    """The circuit that solves A x = b by the quantum singular value transformation.

    Args:
        system: matrix A, ``[D, D]``, or the history of a descent, whose matrix it is.
        right_side: right side b, ``[D]``; None for that of the history.
        epsilon: bound ε on ‖x' − x‖/‖x‖ of the circuit's solution x' without shots, whatever b is.
        encoding: ``"dilation"`` for any matrix, with one ancilla, or ``"structured"`` for the history of a descent
            whose steps are all alike, with three.
        kappa: bound κ on the condition number of A; None to compute it.

    Returns:
        The circuit, whose amplitudes at ancillas 0 times its scale are x'.

    Raises:
        QhnError: if A and b are no system, A is singular, ``kappa`` is below the condition number, the degree would be
            too large, or the encoding does not suit the system.

    >>> solver = qsvt(np.array([[1.0, 0.0], [-0.8, 1.0]]), np.array([1.0, 0.0]), epsilon=1e-3)
    >>> solution, success = solver.amplitudes()
    >>> solution.round(2), solver.num_qubits, solver.facts.degree, round(success, 2)
    (array([1. , 0.8]), 3, 15, 0.44)
    """
    history = system if isinstance(system, HistorySystem) else None
    if encoding not in ENCODINGS:
        raise QhnError(f"encoding must be one of {', '.join(ENCODINGS)}, got {shown(encoding)}")
    if history is None and encoding == "structured":
        raise QhnError("the structured encoding is of a HistorySystem, got a matrix: use encoding='dilation'")
    if right_side is None:
        if history is None:
            raise QhnError("a matrix needs a right side")
        right_side = history.right_side
    matrix, right_side = checked(system if history is None else history.matrix, right_side)
    epsilon = Number()("epsilon", epsilon)
    if kappa is None and history is not None and history.size > MAX_DENSE:
        kappa = history.condition_number()
    largest, condition = _spectrum(matrix, kappa)
    if history is not None and encoding == "structured":
        encoded, vector = history_encoding(history), right_side
    else:
        dense, vector = padded(_dense(matrix), right_side, diagonal=largest)
        encoded = dilation(dense)
    effective = condition * encoded.subnormalisation / largest
    polynomial = inverse_polynomial(effective, epsilon)
    circuit, norm = _sequence(encoded, inverse_phases(polynomial), vector)
    num_solution = encoded.gate.num_qubits - encoded.num_ancillas
    return SolverCircuit(
        circuit=circuit,
        solution=tuple(range(num_solution)),
        ancillas=tuple(range(num_solution, circuit.num_qubits)),
        scale=norm * polynomial.scale / encoded.subnormalisation,
        num_unknowns=len(right_side),
        facts=SolverFacts(
            method="qsvt",
            encoding=encoding,
            condition=condition,
            subnormalisation=encoded.subnormalisation,
            effective_condition=effective,
            error_bound=polynomial.residual,
            degree=polynomial.degree,
            queries=polynomial.degree,
        ),
    )


def _spectrum(matrix: Matrix, kappa: float | None) -> tuple[float, float]:
    """The largest singular value of a matrix, and κ: the bound that is given, or the condition number itself.

    Raises:
        QhnError: if the matrix is singular, the bound is below the condition number, or it is needed and missing.
    """
    size = matrix.shape[0]
    kappa = None if kappa is None else Number(low=1)("kappa", kappa)
    if size > MAX_DENSE:
        if kappa is None:
            raise QhnError(f"the condition number of {size:,} unknowns is not computed above {MAX_DENSE:,}: give kappa")
        start = np.random.default_rng(0).normal(size=size)
        largest = float(svds(matrix, k=1, v0=start, return_singular_vectors=False)[0])
    else:
        values = singular_values(_dense(matrix))
        largest, condition = float(values[0]), float(values[0] / values[-1])
        if kappa is None:
            return largest, condition
        if not kappa >= condition * (1 - 1e-9):
            raise QhnError(f"kappa must be at least the condition number {condition:.6g}, got {kappa:g}")
    return largest, kappa


def _dense(matrix: Matrix) -> Floats:
    """A matrix as a dense array, refused before it is one if it is too large for a dilation."""
    if matrix.shape[0] > MAX_DENSE:
        raise QhnError(
            f"the dilation of {matrix.shape[0]:,} unknowns needs a dense unitary, of at most {2 * MAX_DENSE:,} rows: "
            "use encoding='structured' (in qhn qsgd solver.encoding), or lower the order or the number of steps"
        )
    return np.asarray(matrix.toarray() if scipy.sparse.issparse(matrix) else matrix)


def _sequence(encoded: BlockEncoding, phases: Floats, right_side: Floats) -> tuple[QuantumCircuit, float]:
    """The circuit of the transformation of a right side, and that one's norm.

    Its qubits are those of the solution, of the encoding's ancillas, and one more.
    """
    num_encoded = encoded.gate.num_qubits
    if num_encoded + 1 > MAX_QUBITS:
        raise QhnError(f"the system needs {num_encoded + 1} qubits, more than {MAX_QUBITS}: lower its order or steps")
    register = list(range(num_encoded))
    first = num_encoded - encoded.num_ancillas
    ancillas, real = register[first:], num_encoded
    circuit = QuantumCircuit(num_encoded + 1, name="qsvt")
    norm = append_state(circuit, right_side, register[:first])
    inverse = encoded.gate.inverse()
    turn, begin, end = (_turn_signal, _entangle, _disentangle) if encoded.is_balanced else (_turn_reflected, _add, _add)
    begin(circuit, ancillas, real)
    turn(circuit, phases[-1], ancillas, real)
    for place, phase in enumerate(phases[-2::-1]):
        circuit.append(encoded.gate if place % 2 else inverse, register)
        turn(circuit, phase, ancillas, real)
    end(circuit, ancillas, real)
    return circuit, norm


def _entangle(circuit: QuantumCircuit, ancillas: list[int], real: int) -> None:
    """Append the preparation of (|00⟩ + |11⟩)/√2 of the ancilla of a balanced encoding and the other qubit.

    At value 1, that ancilla holds minus the conjugate of what it holds at value 0, since the polynomial is odd. So the
    pair gives the real part, without a gate between the two at each phase.
    """
    circuit.h(ancillas[0])
    circuit.cx(ancillas[0], real)


def _disentangle(circuit: QuantumCircuit, ancillas: list[int], real: int) -> None:
    """Append gates after which the pair is 0 where it was (|00⟩ − |11⟩)/√2."""
    circuit.cx(ancillas[0], real)
    circuit.z(ancillas[0])
    circuit.h(ancillas[0])


def _add(circuit: QuantumCircuit, ancillas: list[int], real: int) -> None:
    """Append the gate by which what the other qubit holds at 0 and at 1 is added, before and after."""
    circuit.h(real)


def _turn_signal(circuit: QuantumCircuit, phase: float, ancillas: list[int], real: int) -> None:
    """Append e^{iφZ} of the ancilla of a balanced encoding."""
    circuit.rz(-2 * phase, ancillas[0])


def _turn_reflected(circuit: QuantumCircuit, phase: float, ancillas: list[int], real: int) -> None:
    """Append e^{iφΠ} if the other qubit is 0, and e^{−iφΠ} if it is 1."""
    flip = controlled(XGate(), len(ancillas), 0)
    circuit.append(flip, [*ancillas, real])
    circuit.rz(2 * phase, real)
    circuit.append(flip, [*ancillas, real])
