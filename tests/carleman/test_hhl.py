from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from qiskit.quantum_info import Operator, Statevector

from carleman.systems import descent, random_system, relative_error
from qhn.carleman import hhl as module
from qhn.carleman.hhl import hhl
from qhn.errors import QhnError


@pytest.mark.parametrize("condition", [1.0, 2.5, 8.0])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 32])
def test_solution(size: int, condition: float) -> None:
    matrix, right_side = random_system(size, condition, seed=size)
    solver = hhl(matrix, right_side)
    vector, success = solver.amplitudes()
    error = relative_error(vector, np.linalg.solve(matrix, right_side))
    assert error <= solver.facts.error_bound * (1 + 1e-6) + 1e-12
    assert solver.facts.error_bound < 5e-4
    assert np.linalg.norm(vector) == pytest.approx(solver.scale * np.sqrt(success))


def test_history_and_error_falling_with_the_phase_register() -> None:
    system = descent(2, 2, 3)
    errors = []
    for phase_qubits in 5, 7, 9:
        solver = hhl(system.matrix, system.right_side, phase_qubits)
        assert solver.num_qubits == 5 + 1 + phase_qubits + 1
        errors.append(relative_error(solver.amplitudes().vector, system.solution()))
    assert errors[0] < 2e-2
    assert errors[0] > 3 * errors[1] > 9 * errors[2]


def test_singular_vectors_get_the_predicted_amplitude() -> None:
    """Phase estimation of one eigenvalue, leakage included, is what the bound is computed from."""
    matrix = np.diag([1.0, 0.41])
    solver = hhl(matrix, np.array([0.0, 1.0]), 5)
    bins = module.LARGEST * 32 * 0.41
    found = solver.amplitudes().vector[1] / solver.scale
    assert found == pytest.approx(module.estimated(np.array([bins]), 5, bins)[0], rel=1e-10)


def test_gates_are_their_circuits() -> None:
    for gate in module._fourier(3), module._rotation(module._amplitudes(4, 2.3)), *module._powers(np.eye(2), 2):
        assert Operator(gate.definition).data == pytest.approx(Operator(gate).data, abs=1e-12)


def test_window_is_a_sine() -> None:
    from qiskit import QuantumCircuit

    circuit = QuantumCircuit(4)
    module._append_window(circuit, [0, 1, 2, 3])
    window = np.sin(np.pi * (np.arange(16) + 0.5) / 16)
    assert np.abs(Statevector(circuit).data) == pytest.approx(window / np.linalg.norm(window))
    assert abs(np.vdot(window / np.linalg.norm(window), Statevector(circuit).data)) == pytest.approx(1)


@pytest.mark.parametrize(
    ("matrix", "phase_qubits", "message"),
    [
        (np.diag([1.0, 0.01]), 7, "needs at least 8 phase qubits, got 7"),
        (np.eye(2), 2, "phase_qubits must be at least 3"),
        (np.eye(2), 22, "needs 25 qubits"),
        (np.ones((2, 2)), 5, "singular"),
        (scipy.sparse.eye_array(512), 5, "at most 256 unknowns, got 512: use qsvt"),
    ],
)
def test_refusals(matrix: object, phase_qubits: int, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        hhl(matrix, np.ones(matrix.shape[0]), phase_qubits)
