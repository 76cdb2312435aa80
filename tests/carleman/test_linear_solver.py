from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector

from qhn.carleman.linear_solver import SolverCircuit, SolverFacts, append_state, checked, padded, solve_classically
from qhn.errors import QhnError

FACTS = SolverFacts("qsvt", "dilation", 1.0, 1.0, 1.0, None, 1, 1)


def entangled(num_qubits: int, seed: int) -> QuantumCircuit:
    rng = np.random.default_rng(seed)
    circuit = QuantumCircuit(num_qubits)
    for _ in range(3):
        for qubit in range(num_qubits):
            circuit.ry(rng.uniform(0, 6), qubit)
        for qubit in range(num_qubits - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit


@pytest.mark.parametrize(("solution", "ancillas"), [((0, 1), (2, 3)), ((3, 1), (0, 2)), ((2, 0, 3), (1,))])
def test_amplitudes_are_those_of_the_solution_register(solution: tuple[int, ...], ancillas: tuple[int, ...]) -> None:
    circuit = entangled(4, seed=1)
    state = Statevector(circuit).data
    expected = np.zeros(2 ** len(solution))
    for index, amplitude in enumerate(state):
        if not any(index >> q & 1 for q in ancillas):
            expected[sum((index >> q & 1) << place for place, q in enumerate(solution))] = amplitude.real
    solver = SolverCircuit(circuit, solution, ancillas, 2.5, 2 ** len(solution) - 1, FACTS)
    vector, success = solver.amplitudes()
    assert vector == pytest.approx(2.5 * expected[:-1], abs=1e-14)
    assert success == pytest.approx((expected**2).sum())


def test_measured_bits_are_the_solution_then_the_ancillas() -> None:
    circuit = QuantumCircuit(3)
    circuit.x(2)
    measured = SolverCircuit(circuit, (2, 0), (1,), 1.0, 4, FACTS).measured()
    found = [(measured.find_bit(i.qubits[0]).index, measured.find_bit(i.clbits[0]).index) for i in measured.data[1:]]
    assert found == [(2, 0), (0, 1), (1, 2)]
    assert circuit.num_clbits == 0


@pytest.mark.parametrize("vector", [[-1, 0], [0, -2], [3, 0], [-1e-9, 1, 0, -2], [-1, 1e-12], [1e200, -1e200]])
def test_prepared_state_has_the_sign_of_the_vector(vector: list[float]) -> None:
    circuit = QuantumCircuit(len(vector).bit_length() - 1)
    norm = append_state(circuit, np.array(vector, dtype=float), range(circuit.num_qubits))
    assert norm * Statevector(circuit).data == pytest.approx(np.array(vector), rel=1e-9, abs=1e-9 * norm)


def test_direct_solution() -> None:
    rng = np.random.default_rng(0)
    matrix, right_side = rng.normal(size=(5, 5)), rng.normal(size=5)
    for form in matrix, scipy.sparse.csc_matrix(matrix), scipy.sparse.coo_array(matrix):
        assert matrix @ solve_classically(form, right_side) == pytest.approx(right_side)


@pytest.mark.parametrize(
    ("matrix", "right_side", "message"),
    [
        (np.ones((2, 3)), np.ones(2), r"square, got shape \(2, 3\)"),
        (np.zeros((0, 0)), np.ones(0), "square"),
        ([[1.0], [1.0, 2.0]], np.ones(2), "must be arrays"),
        (np.eye(2), np.ones(3), r"shape \(2,\), got \(3,\)"),
        (np.eye(2) * np.nan, np.ones(2), "matrix must be finite, got 4 of 4"),
        (np.eye(2), np.array([1, np.inf]), "right side must be finite, got 1 of 2"),
        (np.eye(2) * 1j, np.ones(2), "real numbers, got numbers of type complex128"),
        (scipy.sparse.eye_array(2) * np.inf, np.ones(2), "matrix must be finite, got 2 of 2"),
        (np.eye(2), np.zeros(2), "right side is zero"),
        (np.ones((2, 2)), np.ones(2), "singular"),
        (scipy.sparse.csr_array(np.ones((2, 2))), np.ones(2), "singular"),
    ],
)
def test_what_is_no_system_is_refused(matrix: object, right_side: np.ndarray, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        solve_classically(matrix, right_side)


def test_padding_leaves_the_solution_and_the_condition_number() -> None:
    matrix, right_side = padded(np.diag([4.0, 8.0, 5.0]), np.ones(3), diagonal=5.0)
    assert np.linalg.cond(matrix) == pytest.approx(2)
    assert np.linalg.solve(matrix, right_side) == pytest.approx([0.25, 0.125, 0.2, 0])
    assert padded(np.array([[3.0]]), np.ones(1))[0].shape == (2, 2)
    assert checked(np.eye(2, dtype=int), np.ones(2, dtype=int))[0].dtype == np.float64
