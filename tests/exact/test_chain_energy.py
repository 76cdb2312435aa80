"""E and its gradient on long chains: against enumeration, finite differences, shots and closed forms."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from qhn import bitstrings
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork, product_state
from qhn.errors import QhnError
from qhn.exact.chain import Chain
from qhn.exact.chain_energy import ChainEnergy
from qhn.exact.energy import Energy
from qhn.problem.polynomial import SpinPolynomial


def dense(num_qubits: int, rng: np.random.Generator) -> SpinPolynomial:
    """A polynomial with a constant, all fields and all couplings."""
    terms = [(), *combinations(range(num_qubits), 1), *combinations(range(num_qubits), 2)]
    return SpinPolynomial.of(num_qubits, dict(zip(terms, rng.normal(size=len(terms)), strict=True)))


def sparse(num_qubits: int, rng: np.random.Generator) -> SpinPolynomial:
    """A polynomial with couplings of some pairs far from each other, and no fields."""
    pairs = [pair for pair in combinations(range(num_qubits), 2) if rng.random() < 2 / num_qubits]
    return SpinPolynomial.of(num_qubits, dict(zip(pairs, rng.normal(size=len(pairs)), strict=True)))


def quintic(num_qubits: int, rng: np.random.Generator) -> SpinPolynomial:
    """A polynomial with some terms of three, four and five spins."""
    sets = [some for size in (3, 4, 5) for some in combinations(range(num_qubits), size) if rng.random() < 0.1]
    return SpinPolynomial.of(num_qubits, dict(zip(sets, rng.normal(size=len(sets)), strict=True)))


def angles(ansatz: Hypernetwork, rng: np.random.Generator, num_rows: int = 2) -> np.ndarray:
    return rng.uniform(-np.pi, np.pi, (num_rows, ansatz.num_parameters))


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("num_layers", range(5))
@pytest.mark.parametrize("num_qubits", [1, 2, 3, 4, 7, 8, 11])
def test_energy_and_gradient_are_those_of_enumeration(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = angles(ansatz, rng)
    for make in (dense, sparse, quintic):
        polynomial = make(num_qubits, rng)
        energy = ChainEnergy(ansatz, polynomial)
        costs = polynomial(bitstrings.from_integers(np.arange(2**num_qubits), num_qubits))
        expected, slopes = Energy(ansatz, costs).value_and_grad(thetas)
        values, grads = energy.value_and_grad(thetas)
        np.testing.assert_allclose(values, expected, atol=1e-11)
        np.testing.assert_allclose(grads, slopes, atol=1e-11)
        np.testing.assert_array_equal(energy(thetas), values)


@pytest.mark.parametrize(("num_layers", "order"), [(2, "eq5"), (3, "authors")])
def test_the_gradient_at_100_qubits_is_the_finite_difference(
    num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(100, num_layers, order)
    energy = ChainEnergy(ansatz, dense(100, rng))
    theta = angles(ansatz, rng, 1)
    _, grad = energy.value_and_grad(theta)
    direction = rng.normal(size=theta.shape)
    ahead, behind = energy(np.concatenate([theta + 1e-5 * direction, theta - 1e-5 * direction]))
    assert (ahead - behind) / 2e-5 == pytest.approx(float((grad * direction).sum()), rel=1e-7)
    shifted = ansatz.active.nonzero()[0][::97]
    turns = 0.5 * np.pi * np.eye(ansatz.num_parameters)[shifted]
    rows = theta + np.concatenate([turns, -turns])
    values = energy(rows)
    np.testing.assert_allclose(grad[0, shifted], 0.5 * (values[: len(shifted)] - values[len(shifted) :]), atol=1e-10)
    assert not grad[0, ~ansatz.active].any()


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_shots_of_100_qubits_have_this_mean(order: str, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(100, 2, order)
    polynomial = dense(100, rng)
    thetas = angles(ansatz, rng, 3)
    means = ChainEnergy(ansatz, polynomial)(thetas)
    costs = polynomial(Chain(ansatz).sample(thetas, 4000, rng))
    errors = costs.std(axis=1, ddof=1) / np.sqrt(costs.shape[1])
    assert (np.abs(costs.mean(axis=1) - means) < 5 * errors).all()


def test_independent_qubits_have_products_of_means(rng: np.random.Generator) -> None:
    ansatz, polynomial = product_state(200), dense(200, rng)
    theta = angles(ansatz, rng, 1)
    spins = -np.cos(theta[0, :200])
    means = [spins[list(term)].prod() for term in polynomial.terms]
    expected = float(polynomial.coefficients @ means)
    assert ChainEnergy(ansatz, polynomial)(theta)[0] == pytest.approx(expected, abs=1e-9)


def test_a_bitstring_has_its_own_cost(rng: np.random.Generator) -> None:
    ansatz, polynomial = hypernetwork(101, 3), dense(101, rng)
    theta = np.pi * rng.integers(0, 2, (1, ansatz.num_parameters)).astype(np.float64)
    bits = Chain(ansatz).sample(theta, 1, rng)[0, 0]
    assert ChainEnergy(ansatz, polynomial)(theta)[0] == pytest.approx(float(polynomial(bits)), abs=1e-9)


def test_a_constant_has_no_slope() -> None:
    energy = ChainEnergy(hypernetwork(3, 1), SpinPolynomial.of(3, {(): 2.0}))
    value, grad = energy.value_and_grad(np.ones((1, 12)))
    assert value.tolist() == [2.0]
    assert not grad.any()


def test_results_do_not_depend_on_the_rows_beside_or_the_threads(rng: np.random.Generator) -> None:
    ansatz, polynomial = hypernetwork(30, 2), sparse(30, rng)
    thetas = angles(ansatz, rng, 5)
    values, grads = ChainEnergy(ansatz, polynomial, num_threads=3).value_and_grad(thetas)
    alone = [ChainEnergy(ansatz, polynomial, num_threads=1).value_and_grad(row[None]) for row in thetas]
    np.testing.assert_array_equal(values, [value[0] for value, _ in alone])
    np.testing.assert_array_equal(grads, [grad[0] for _, grad in alone])


def test_what_is_too_deep_is_refused_with_the_remedy(rng: np.random.Generator) -> None:
    with pytest.raises(QhnError, match=r"7 layers takes 5,\d+ transfers .* use fewer layers, or give --shots"):
        ChainEnergy(hypernetwork(100, 7), dense(100, rng))
    with pytest.raises(QhnError, match="the ansatz has 4 qubits, the polynomial 3 spins"):
        ChainEnergy(hypernetwork(4, 1), SpinPolynomial.of(3, {}))
