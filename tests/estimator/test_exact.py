"""The estimator without shots: values and gradients of the definition, and the shapes of the one with shots."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from qhn.circuit.hypernetwork import hypernetwork
from qhn.estimator.exact import ExactEstimator
from qhn.problem.cost import TableProblem
from qhn.problem.objective import Objective


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("alpha", [1.0, 0.3, 0.05])
def test_exact_values_and_gradients_are_those_of_the_definition(
    order: str, alpha: float, rng: np.random.Generator
) -> None:
    ansatz, costs = hypernetwork(5, 2, order), rng.normal(size=32)
    estimator = ExactEstimator(ansatz, TableProblem(costs), objective=Objective(alpha))
    thetas = rng.uniform(0, 2 * np.pi, (2, ansatz.num_parameters))

    def cvar(theta: np.ndarray) -> float:
        return reference.cvar(costs, reference.probabilities(reference.literal_circuit(5, 2, order, theta)), alpha)

    found, at = estimator(thetas), estimator.value_and_grad(thetas)
    np.testing.assert_allclose(found.objective, [cvar(theta) for theta in thetas], atol=1e-13)
    np.testing.assert_allclose(found.mean, [reference.energy(5, 2, order, t, costs) for t in thetas], atol=1e-13)
    np.testing.assert_array_equal(at.value, found.objective)
    np.testing.assert_array_equal(at.estimates.mean[:, 0], found.mean)
    for index in rng.choice(np.flatnonzero(ansatz.active), 6, replace=False):
        step = np.zeros(ansatz.num_parameters)
        step[index] = 1e-5
        slope = (cvar(thetas[0] + step) - cvar(thetas[0] - step)) / 2e-5
        assert at.grad[0, index] == pytest.approx(slope, abs=1e-8)
    assert not at.grad[:, ~ansatz.active].any()


def test_the_exact_estimator_returns_what_the_sampling_one_returns(rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(4, 1), rng.normal(size=16)
    estimator = ExactEstimator(ansatz, TableProblem(costs))
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    found, at = estimator(theta), estimator.value_and_grad(theta)
    assert found.mean.shape == at.value.shape == ()
    assert at.grad.shape == theta.shape
    assert at.estimates.mean.shape == (1,)
    assert not at.std_error.any()
    assert not at.grad_std_error.any()
    assert found.samples is None
    assert (found.shots, found.distinct, found.best_cost) == (0, 16, costs.min())
    assert str(found).startswith(f"E = {float(found.mean):.6g}; best C = ")
    shaped = estimator.value_and_grad(np.tile(theta, (2, 3, 1)))
    assert shaped.grad.shape == (2, 3, ansatz.num_parameters)
    np.testing.assert_allclose(shaped.grad[1, 2], at.grad, atol=1e-14)
    bits, chance = estimator.distribution.most_probable(theta)
    probabilities = reference.probabilities(reference.literal_circuit(4, 1, "eq5", theta))
    assert chance == pytest.approx(probabilities.max())
    assert int(bits @ [1, 2, 4, 8]) == probabilities.argmax()
