"""E of a noisy machine without shots, and its gradient."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from qhn.backend.noise.channels import Depolarising
from qhn.backend.noise.twin import Twin
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.circuit.measurement import with_measurement
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ParameterShift, Spsa
from qhn.estimator.measurement import Measurement
from qhn.estimator.noisy import NoisyEstimator
from qhn.optimize.lbfgs import minimize
from qhn.problem.cost import TableProblem
from qhn.problem.objective import Objective
from qhn.seeds import Key

NOISE = Depolarising(p1=0.01, p2=0.03, readout_error=0.02)
SILENCE = Depolarising(p1=0.0, p2=0.0)


def estimator(ansatz: Hypernetwork, costs: np.ndarray, noise: Depolarising, alpha: float = 1.0) -> NoisyEstimator:
    twin = Twin(with_measurement(ansatz.circuit), noise)
    return NoisyEstimator(ansatz, TableProblem(costs), twin, objective=Objective(alpha))


@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize(("num_layers", "order"), [(0, "eq5"), (2, "eq5"), (2, "authors")])
def test_the_gradient_is_that_of_the_noisy_energy(
    num_layers: int, order: str, alpha: float, rng: np.random.Generator
) -> None:
    ansatz, costs = hypernetwork(4, num_layers, order), rng.random(16)
    theta = rng.uniform(0, 2 * np.pi, (2, ansatz.num_parameters))
    noisy = estimator(ansatz, costs, NOISE, alpha)
    found = noisy.value_and_grad(theta)
    probabilities = noisy.sampler.probabilities(theta)
    np.testing.assert_allclose(found.value, [reference.cvar(costs, row, alpha) for row in probabilities], atol=1e-12)
    np.testing.assert_allclose(found.estimates.mean[:, 0], probabilities @ costs, atol=1e-12)
    np.testing.assert_allclose(noisy(theta).objective, found.value, atol=1e-12)
    np.testing.assert_allclose(noisy(theta).mean, probabilities @ costs, atol=1e-12)

    step, unit = 1e-3, np.eye(ansatz.num_parameters)

    def at(shift: float) -> np.ndarray:
        return noisy(theta[:, None] + shift * unit).objective

    slopes = (8 * (at(step) - at(-step)) - (at(2 * step) - at(-2 * step))) / (12 * step)
    np.testing.assert_allclose(found.grad, slopes, atol=1e-9)
    if alpha == 1:
        curvature = (at(step) - 2 * at(0.0) + at(-step)) / step**2
        np.testing.assert_allclose(found.hessian_diag, curvature, atol=1e-6)
    assert np.all(found.grad_std_error == 0)
    assert np.all(found.std_error == 0)
    assert found.estimates.samples is None


@pytest.mark.parametrize("alpha", [1.0, 0.3])
def test_without_noise_it_is_the_exact_estimator(alpha: float, rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(5, 2), rng.random(32)
    theta = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    noisy = estimator(ansatz, costs, SILENCE, alpha)
    exact = ExactEstimator(ansatz, TableProblem(costs), objective=Objective(alpha))
    ours, theirs = noisy.value_and_grad(theta), exact.value_and_grad(theta)
    np.testing.assert_allclose(ours.value, theirs.value, atol=1e-12)
    np.testing.assert_allclose(ours.grad, theirs.grad, atol=1e-12)
    assert ours.estimates.mean.shape == theirs.estimates.mean.shape
    np.testing.assert_allclose(ours.estimates.mean, theirs.estimates.mean, atol=1e-12)
    for one, other in ((noisy(theta), exact(theta)), (noisy(theta[0]), exact(theta[0]))):
        np.testing.assert_allclose(one.mean, other.mean, atol=1e-12)
        np.testing.assert_allclose(one.objective, other.objective, atol=1e-12)
        np.testing.assert_array_equal(one.best_bits, other.best_bits)
        assert (one.best_cost, one.distinct, one.shots) == (other.best_cost, other.distinct, 0)
    bits, chance = noisy.most_probable(theta[1])
    expected, most = exact.distribution.most_probable(theta[1])
    np.testing.assert_array_equal(bits, expected)
    assert chance == pytest.approx(most, abs=1e-12)


def test_many_directions_of_spsa_average_to_the_gradient(rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(3, 1), rng.random(8)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    noisy = estimator(ansatz, costs, NOISE)
    rule = Spsa(ansatz.active, perturbation=0.01, num_directions=4000)
    found = noisy.value_and_grad(theta, Key(3), Measurement(rule, shots=0))
    grad = noisy.value_and_grad(theta).grad
    assert np.linalg.norm(found.grad - grad) < 5 * np.sqrt(ansatz.active.sum() / 4000) * np.linalg.norm(grad)
    again = noisy.value_and_grad(theta, Key(4), Measurement(rule, shots=0)).grad
    assert not np.array_equal(found.grad, again)


def test_training_under_noise_reaches_a_minimum_of_the_noisy_energy(rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(4, 1), rng.random(16)
    noisy = estimator(ansatz, costs, NOISE)
    starts = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    found = minimize(noisy.value_and_grad, starts)
    assert np.all(found.value < noisy(starts).mean - 0.01)
    assert np.abs(noisy.value_and_grad(found.theta).grad).max() < 1e-5
    assert found.value.min() > noisy.landscape.optimum + 0.01  # noise leaves no pure state


def test_what_does_not_fit_is_refused() -> None:
    twin = Twin(with_measurement(hypernetwork(2, 1).circuit), NOISE)
    with pytest.raises(ValueError, match="the ansatz has 2 qubits, the problem 1 bits"):
        NoisyEstimator(hypernetwork(2, 1), TableProblem([0.0, 1.0]), twin)
    noisy = NoisyEstimator(hypernetwork(2, 1), TableProblem(np.arange(4.0)), twin)
    with pytest.raises(ValueError, match=r"shape \[\.\.\., 8\], got \[7\]"):
        noisy.value_and_grad(np.zeros(7))
    assert ParameterShift(noisy.ansatz.active).num_rows == 13


def test_costs_that_are_known_are_not_computed_again(rng: np.random.Generator) -> None:
    costs, ansatz = rng.random(16), hypernetwork(4, 1)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    problem = TableProblem(np.zeros(16))
    given = NoisyEstimator(ansatz, problem, Twin(with_measurement(ansatz.circuit), NOISE), costs=costs)
    assert float(given(theta).mean) == pytest.approx(float(estimator(ansatz, costs, NOISE)(theta).mean), abs=1e-13)
