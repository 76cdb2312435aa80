from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from carleman.systems import descent, random_system, relative_error
from qhn.carleman.gate_counts import gate_counts
from qhn.carleman.history import HistorySystem
from qhn.carleman.linear_solver import solve_classically
from qhn.carleman.qsvt import qsvt
from qhn.errors import QhnError


@pytest.mark.parametrize("epsilon", [0.3, 1e-2, 1e-5])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 21, 32])
def test_solution_within_epsilon(size: int, epsilon: float) -> None:
    matrix, right_side = random_system(size, condition=6.0, seed=size)
    solver = qsvt(matrix, right_side, epsilon)
    vector, success = solver.amplitudes()
    assert (
        relative_error(vector, np.linalg.solve(matrix, right_side))
        <= solver.facts.error_bound * (1 + 1e-6)
        <= epsilon * (1 + 1e-6)
    )
    assert np.linalg.norm(vector) == pytest.approx(solver.scale * np.sqrt(success))
    assert solver.facts.condition == pytest.approx(np.linalg.cond(matrix))


@pytest.mark.parametrize("encoding", ["dilation", "structured"])
@pytest.mark.parametrize("epsilon", [0.1, 1e-3])
@pytest.mark.parametrize("shape", [(1, 1, 1, None), (2, 1, 3, None), (1, 2, 5, 8), (2, 2, 3, None)])
def test_history_of_a_descent(shape: tuple[int, int, int, int | None], epsilon: float, encoding: str) -> None:
    system = descent(*shape)
    solver = qsvt(system, epsilon=epsilon, encoding=encoding)
    vector, _ = solver.amplitudes()
    assert relative_error(vector, system.solution()) <= epsilon
    extra = {"dilation": 2, "structured": 4}[encoding]
    assert solver.num_qubits == system.size.bit_length() - 1 + extra
    assert len(solver.ancillas) == extra


def test_error_reaches_its_bound_where_the_right_side_is_the_worst() -> None:
    """The smallest singular value has the largest residual, and its vector shows it: the bound is no looser."""
    matrix, _ = random_system(4, condition=5.0, seed=3)
    left, values, _ = np.linalg.svd(matrix)
    solver = qsvt(matrix, left[:, -1] * values[-1], 0.05)
    expected = np.linalg.solve(matrix, left[:, -1] * values[-1])
    assert relative_error(solver.amplitudes().vector, expected) == pytest.approx(solver.facts.error_bound, rel=1e-6)


def test_another_right_side_of_a_history() -> None:
    system = descent(2, 1, 3)
    right_side = np.random.default_rng(0).normal(size=system.size)
    expected = solve_classically(system.matrix, right_side)
    for encoding in "dilation", "structured":
        assert relative_error(qsvt(system, right_side, 1e-3, encoding=encoding).amplitudes().vector, expected) <= 1e-3


def test_stochastic_descent_by_dilation_alone() -> None:
    one, other = descent(2, 1, 1, rate=0.3), descent(2, 1, 1, rate=0.2)
    system = HistorySystem.of([one.lifts[0], other.lifts[0], one.lifts[0]], np.array([0.3, -0.1]))
    assert relative_error(qsvt(system, epsilon=1e-3).amplitudes().vector, system.solution()) <= 1e-3
    with pytest.raises(QhnError, match="use encoding='dilation'"):
        qsvt(system, encoding="structured")


def test_a_bound_on_the_condition_number() -> None:
    matrix, right_side = random_system(4, condition=3.0, seed=1)
    solver = qsvt(scipy.sparse.csr_array(matrix), right_side, 1e-2, kappa=6.0)
    assert solver.facts.degree > qsvt(matrix, right_side, 1e-2).facts.degree
    assert relative_error(solver.amplitudes().vector, np.linalg.solve(matrix, right_side)) <= 1e-2
    with pytest.raises(QhnError, match=r"at least the condition number 3, got 2.9"):
        qsvt(matrix, right_side, kappa=2.9)


@pytest.mark.parametrize(("epsilon", "degree", "two_qubit_gates"), [(0.3, 3, 8), (0.1, 7, 16), (0.01, 11, 24)])
def test_smallest_history_has_two_cx_a_query(epsilon: float, degree: int, two_qubit_gates: int) -> None:
    """The 3-qubit circuit: two CX for each use of the encoding, and two for the real part."""
    solver = qsvt(np.array([[1.0, 0.0], [-0.8, 1.0]]), np.array([0.3, 0.02]), epsilon)
    assert (solver.num_qubits, solver.facts.degree) == (3, degree)
    counts = gate_counts(solver.circuit)
    assert (counts.two_qubit_gates, counts.is_compiled) == (two_qubit_gates, True)
    assert gate_counts(solver.circuit, optimization_level=2).two_qubit_gates <= 5


@pytest.mark.parametrize(
    ("matrix", "options", "message"),
    [
        (np.ones((2, 2)), {}, "singular"),
        (np.diag([1.0, 1e-6]), {}, "degree"),
        (np.eye(2), {"epsilon": 0.0}, "epsilon must be"),
        (np.eye(2), {"encoding": "sparse"}, "dilation, structured, got 'sparse'"),
        (np.eye(2), {"encoding": "structured"}, "HistorySystem"),
        (np.eye(2), {"epsilon": "small"}, "epsilon must be"),
        (np.eye(2), {"kappa": np.nan}, "kappa must be"),
        (np.eye(2), {"kappa": np.inf}, "kappa must be"),
        (np.eye(2), {"kappa": 0.5}, "of at least 1, got 0.5"),
        (scipy.sparse.eye_array(2048), {}, "give kappa"),
        (scipy.sparse.eye_array(2048), {"kappa": 1.0}, "dense unitary"),
    ],
)
def test_refusals(matrix: object, options: dict[str, object], message: str) -> None:
    with pytest.raises(QhnError, match=message):
        qsvt(matrix, np.ones(matrix.shape[0]), **options)
    with pytest.raises(QhnError, match="needs a right side"):
        qsvt(np.eye(2))
