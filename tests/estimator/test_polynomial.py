"""The estimator of polynomial costs: at few qubits that of a table of all costs, at many what is told of them."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from qhn.backend import open_backend
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.noisy import without_shots
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.optimize.lbfgs import minimize
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import polynomial_for_table
from qhn.problem.max_cut import max_cut
from qhn.problem.polynomial import SpinPolynomial
from qhn.problem.quadratic import QuadraticProblem
from qhn.seeds import Key


def qubo(num_qubits: int, rng: np.random.Generator) -> QuadraticProblem:
    return QuadraticProblem.from_qubo(rng.normal(size=(num_qubits, num_qubits)), 0.5)


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_it_is_the_estimator_of_all_costs(order: str, rng: np.random.Generator) -> None:
    ansatz, problem = hypernetwork(9, 2, order), qubo(9, rng)
    thetas = rng.uniform(-np.pi, np.pi, (2, 3, ansatz.num_parameters))
    known, found = ExactEstimator(ansatz, problem), PolynomialEstimator(ansatz, problem)
    np.testing.assert_allclose(found(thetas).mean, known(thetas).mean, atol=1e-10)
    expected, gradient = known.value_and_grad(thetas), found.value_and_grad(thetas)
    np.testing.assert_allclose(gradient.value, expected.value, atol=1e-10)
    np.testing.assert_allclose(gradient.grad, expected.grad, atol=1e-10)
    assert not gradient.std_error.any()
    for theta in thetas.reshape(-1, ansatz.num_parameters):
        np.testing.assert_array_equal(found.likely_bits(theta), known.most_probable(theta)[0])
    other = qubo(9, rng)
    theta = thetas[0, 0]
    assert found.expectation(other, theta, found(theta)) == pytest.approx(
        known.expectation(other, theta, known(theta)), abs=1e-10
    )


def test_only_what_was_evaluated_counts(rng: np.random.Generator) -> None:
    ansatz, problem = product_state(60), qubo(60, rng)
    known = Evaluations(problem)
    estimator = PolynomialEstimator(ansatz, problem, evaluations=known)
    bits = rng.integers(0, 2, (2, 60), dtype=np.uint8)
    thetas = np.concatenate([np.pi * bits, np.zeros((2, 60))], axis=1)
    found = [estimator.value_and_grad(theta).estimates for theta in (thetas[0], thetas[0], thetas[1])]
    assert [one.distinct for one in found] == [1, 1, 2]
    costs = problem.cost(bits)
    assert found[-1].best_cost == known.best_cost == pytest.approx(costs.min(), rel=1e-12)
    np.testing.assert_array_equal(found[-1].best_bits, bits[costs.argmin()])
    np.testing.assert_allclose([one.mean[0] for one in found], [costs[0], costs[0], costs[1]], atol=1e-9)
    np.testing.assert_array_equal(estimator.solutions(thetas[1], found[-1]), bits[1:])


def test_shots_of_100_qubits_have_its_mean(rng: np.random.Generator) -> None:
    ansatz, problem = hypernetwork(100, 2), qubo(100, rng)
    theta = rng.uniform(-np.pi, np.pi, (3, ansatz.num_parameters))
    backend = open_backend("exact")
    exact = without_shots(ansatz, problem, backend.compile(ansatz))
    assert isinstance(exact, PolynomialEstimator)
    sampled = SamplingEstimator(ansatz, problem, backend, shots=4000)(theta, Key(5))
    assert (np.abs(sampled.mean - exact(theta).mean) < 5 * sampled.std_error).all()


def test_a_ring_of_100_spins_is_solved_without_shots() -> None:
    ring = max_cut(nx.cycle_graph(100))
    estimator = PolynomialEstimator(hypernetwork(100, 2), ring)
    start = np.random.default_rng(3).uniform(0, 2 * np.pi, (1, 800))
    found = minimize(estimator.value_and_grad, start, max_steps=300)
    assert found.value[0] < -90
    assert ring.cost(estimator.likely_bits(found.theta[0])) <= found.value[0] + 1e-6


def test_the_scale_is_how_far_the_lowest_cost_lies_below_the_mean(rng: np.random.Generator) -> None:
    energies = [qubo(14, rng) for _ in range(20)]
    estimators = [PolynomialEstimator(product_state(14), one) for one in energies]
    heights = [ExactEstimator(product_state(14), one).scale for one in energies]
    ratios = [one.scale / height for one, height in zip(estimators, heights, strict=True)]
    assert 0.5 < np.median(ratios) < 2


def test_small_problems_keep_their_table(rng: np.random.Generator) -> None:
    assert polynomial_for_table(qubo(24, rng)) is None
    assert polynomial_for_table(qubo(25, rng)) is not None
    ansatz, problem = product_state(8), qubo(8, rng)
    assert isinstance(without_shots(ansatz, problem, open_backend("exact").compile(ansatz)), ExactEstimator)


def test_what_it_cannot_do_is_refused_in_one_line(rng: np.random.Generator) -> None:
    with pytest.raises(QhnError, match=r"CVaR of the lowest 20% of 30 qubits needs the costs of all .*; take shots"):
        PolynomialEstimator(product_state(30), qubo(30, rng), objective="cvar")

    class Unknown:
        num_qubits = 30

        def cost(self, bits: np.ndarray) -> np.ndarray:
            return np.zeros(bits.shape[:-1])

    with pytest.raises(QhnError, match="E of 30 qubits without shots needs a polynomial of spins; give --shots"):
        PolynomialEstimator(product_state(30), Unknown())


def test_a_polynomial_of_other_signs_is_refused() -> None:
    class Flipped:
        num_qubits = 30
        polynomial = SpinPolynomial.of(30, {(0,): 1.0, (1, 2): 1.0})

        def cost(self, bits: np.ndarray) -> np.ndarray:
            return self.polynomial(1 - bits)

    with pytest.raises(QhnError, match=r"polynomial is .* and its cost .* for bitstring [01]{30}; bit 1 is spin \+1"):
        PolynomialEstimator(product_state(30), Flipped())
