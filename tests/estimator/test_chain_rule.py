"""Gradients of circuits whose angles turn several gates, with factors and offsets."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Statevector
from scipy.sparse import csr_array

from qhn.arrays import Floats
from qhn.circuit.ansatz import AngleMap
from qhn.circuit.hypernetwork import hypernetwork
from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz
from qhn.estimator.chain_rule import ChainRule, InGateAngles, parameter_shift, spsa
from qhn.estimator.gradient import ParameterShift, Spsa, ValueAndGrad
from qhn.estimator.means import Estimates, Means
from qhn.problem.objective import Objective
from qhn.seeds import Key

COSTS = np.array([0.5, -1.0, 2.0, 0.25, 3.0, -0.75, 1.5, -2.0])
THETA = np.array([0.4, -1.3, 2.2])


def shared() -> QuantumCircuit:
    a = ParameterVector("a", 3)
    circuit = QuantumCircuit(3)
    circuit.ry(a[0], 0)
    circuit.ry(a[0] + 0.3, 1)
    circuit.rx(-a[1], 2)
    circuit.cx(0, 1)
    circuit.rzz(2 * a[2], 0, 2)
    circuit.rxx(0.5 * a[1] + a[0], 1, 2)
    circuit.ry(a[2], 2)
    return circuit


def energy(circuit: QuantumCircuit, angles: Floats) -> float:
    bound = circuit.assign_parameters(dict(zip(circuit.parameters, angles, strict=True)))
    return float(Statevector(bound).probabilities() @ COSTS)


def measured(ansatz: CircuitAnsatz, rows: Floats, errors: Floats, shared_errors: Floats | None = None) -> Means:
    means = np.array([energy(ansatz.unrolled.circuit, row) for row in rows])
    return Means(means, errors, np.zeros((len(rows), 0)) if shared_errors is None else shared_errors)


def combined(rule: ChainRule | InGateAngles, rows: Means, theta: Floats = THETA) -> ValueAndGrad:
    unshifted = rows[np.zeros(rule.num_rows, dtype=np.int64)]
    estimates = Estimates(rows.mean, rows.own_error, rows.mean, rows.own_error, None, 0.0, np.zeros(3, np.uint8), 0)
    return rule.combine_means(rows, unshifted, estimates, Objective(), theta, Key(1))


def differences(theta: Floats, step: float = 1e-5) -> Floats:
    offsets = step * np.eye(len(theta))
    return np.array([energy(shared(), theta + o) - energy(shared(), theta - o) for o in offsets]) / (2 * step)


def test_the_gradient_by_shared_angles_is_that_of_finite_differences() -> None:
    ansatz = circuit_ansatz(shared())
    rule = parameter_shift(ansatz)
    assert isinstance(rule, ChainRule)
    rows = rule.shifted(THETA, Key(1))
    assert rows.shape == (rule.num_rows, ansatz.unrolled.num_parameters)
    found = combined(rule, measured(ansatz, rows, np.zeros(len(rows))))
    assert found.value == pytest.approx(energy(shared(), THETA), abs=1e-12)
    np.testing.assert_allclose(found.grad, differences(THETA), atol=1e-8)
    assert found.hessian_diag is None
    assert found.hessian_diag_std_error is None


def test_rows_are_counted_for_each_gate_and_chosen_by_angle() -> None:
    ansatz = circuit_ansatz(shared())
    rule = parameter_shift(ansatz)
    gates = np.abs(ansatz.angle_map.matrix.toarray()) > 0
    active = ansatz.unrolled.active
    assert rule.num_rows == 1 + 2 * int(active.sum())
    for angle in range(3):
        alone = rule.on(np.arange(3) == angle)
        assert alone.num_rows == 1 + 2 * int((active & gates[:, angle]).sum())
        rows = alone.shifted(THETA, Key(1))
        found = combined(alone, measured(ansatz, rows, np.zeros(len(rows))))
        np.testing.assert_allclose(found.grad, np.where(np.arange(3) == angle, differences(THETA), 0.0), atol=1e-8)
        assert (found.grad_std_error[np.arange(3) != angle] == 0).all()


def test_errors_of_gates_add_up_as_independent_and_shared_ones_do(rng: np.random.Generator) -> None:
    ansatz = circuit_ansatz(shared())
    rule = parameter_shift(ansatz)
    rows = rule.shifted(THETA, Key(1))
    own, common = rng.uniform(0.1, 1.0, len(rows)), rng.normal(size=(len(rows), 2))
    found = combined(rule, measured(ansatz, rows, own, common))
    matrix = ansatz.angle_map.matrix.toarray()[ansatz.unrolled.active]
    weights = np.zeros((len(rows), 3))  # of each row in the gradient
    weights[1::2], weights[2::2] = 0.5 * matrix, -0.5 * matrix
    variance = np.square(weights.T) @ np.square(own) + np.square(weights.T @ common).sum(axis=1)
    np.testing.assert_allclose(found.grad_std_error, np.sqrt(variance))


def test_curvatures_by_angles_of_one_gate_are_those_of_the_gates() -> None:
    a = ParameterVector("a", 2)
    circuit = QuantumCircuit(3)
    circuit.ry(0.3 - a[0], 0)
    circuit.cx(0, 2)
    circuit.ry(a[1] + 1.0, 2)
    ansatz, theta, step = circuit_ansatz(circuit), np.array([0.4, 1.1]), 1e-4
    assert not len(ansatz.shared_angles)
    rule = parameter_shift(ansatz)
    rows = rule.shifted(theta, Key(1))
    found = combined(rule, measured(ansatz, rows, np.ones(len(rows))), theta)
    middle = energy(circuit, theta)
    second = [
        (energy(circuit, theta + o) + energy(circuit, theta - o) - 2 * middle) / step**2 for o in step * np.eye(2)
    ]
    np.testing.assert_allclose(found.hessian_diag, second, atol=1e-6)
    np.testing.assert_allclose(found.hessian_diag_std_error, np.sqrt(0.25 + 0.25 + 1.0))
    np.testing.assert_allclose(found.trace_std_error, np.sqrt(2 * (0.25 + 0.25) + 2**2))  # E at θ counts twice


def test_simultaneous_perturbation_moves_the_angles_and_not_the_gates() -> None:
    ansatz = circuit_ansatz(shared())
    rule = spsa(ansatz, 0.1, 0.0, 2)
    assert isinstance(rule, InGateAngles)
    plain = Spsa(ansatz.active, 0.1, 0.0, 2)
    assert rule.num_rows == plain.num_rows == 5
    np.testing.assert_array_equal(
        rule.shifted(THETA, Key(1)), np.array([ansatz.angle_map(row) for row in plain.shifted(THETA, Key(1))])
    )
    rows = measured(ansatz, rule.shifted(THETA, Key(1)), np.zeros(5))
    assert combined(rule, rows).grad.shape == (3,)
    assert not rule.on(np.zeros(3, dtype=bool)).active.any()


def test_angles_that_are_the_gates_own_need_no_chain_rule() -> None:
    ansatz = hypernetwork(3, 1)
    assert isinstance(parameter_shift(ansatz), ParameterShift)
    assert isinstance(spsa(ansatz, 0.2, 0.1, 1), Spsa)


def test_maps_of_angles_are_affine_and_their_own_transpose(rng: np.random.Generator) -> None:
    matrix, offsets = rng.normal(size=(5, 3)) * (rng.random((5, 3)) < 0.6), rng.normal(size=5)
    found = AngleMap(csr_array(matrix), offsets)
    theta, grad = rng.normal(size=(2, 4, 3)), rng.normal(size=(2, 4, 5))
    np.testing.assert_allclose(found(theta), theta @ matrix.T + offsets)
    np.testing.assert_allclose(found.pull_back(grad), grad @ matrix)
    np.testing.assert_allclose(found.pull_back_errors(grad), np.sqrt(grad**2 @ matrix**2))
    for angle in range(3):
        assert found.gates_of(np.arange(3) == angle).tolist() == (matrix[:, angle] != 0).tolist()
