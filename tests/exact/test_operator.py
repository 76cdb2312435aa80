"""Matrix product operators of polynomials: their values on every bitstring, and how many states they take."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from qhn import bitstrings
from qhn.exact.operator import START, Operator, folded, operator_of
from qhn.problem.polynomial import SpinPolynomial


def value(operator: Operator, pairs: np.ndarray) -> float:
    """The value on two bits of each site, summed over all ways through the transitions."""
    weights = np.zeros(operator.num_states)
    weights[START] = 1.0
    for site, (first, second) in enumerate(2.0 * pairs - 1.0):
        for group in range(operator.sites[site], operator.sites[site + 1]):
            spins = [1.0, first, second, first * second][operator.patterns[group]]
            for one in range(operator.starts[group], operator.starts[group + 1]):
                weights[operator.targets[group]] += spins * operator.weights[one] * weights[operator.sources[one]]
    return float(weights[operator.final])


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_its_value_is_that_of_the_polynomial_on_every_bitstring(degree: int, rng: np.random.Generator) -> None:
    sets = [some for size in range(1, degree + 1) for some in combinations(range(6), size)]
    polynomial = SpinPolynomial.of(6, dict(zip(sets, rng.normal(size=len(sets)), strict=True)))
    operator = operator_of(polynomial, 3, lambda qubit: divmod(qubit, 2))
    everything = bitstrings.from_integers(np.arange(64), 6)
    found = [value(operator, bits.reshape(3, 2)) for bits in everything]
    np.testing.assert_allclose(found, polynomial(everything), atol=1e-12)


def test_folded_terms_are_those_before_the_gates(rng: np.random.Generator) -> None:
    sets = [some for size in range(4) for some in combinations(range(5), size)]
    polynomial = SpinPolynomial.of(5, dict(zip(sets, rng.normal(size=len(sets)), strict=True)))
    gates = [(0, 1), (2, 3), (1, 2)]
    before = bitstrings.from_integers(np.arange(32), 5)
    after = before.copy()
    for control, target in gates:
        after[:, target] ^= after[:, control]
    np.testing.assert_allclose(folded(polynomial, gates)(before), polynomial(after), atol=1e-12)


def test_a_dense_quadratic_polynomial_has_as_many_states_as_spins_and_not_terms() -> None:
    pairs = SpinPolynomial.of(100, dict.fromkeys(combinations(range(100), 2), 1.0))
    operator = operator_of(pairs, 50, lambda qubit: divmod(qubit, 2))
    assert operator.num_states < 50 * 52


def test_a_ring_has_five_states_at_a_bond() -> None:
    ring = SpinPolynomial.of(100, {(k, (k + 1) % 100): 1.0 for k in range(100)})
    operator = operator_of(ring, 50, lambda qubit: divmod(qubit, 2))
    assert operator.num_states <= 4 * 50  # nothing yet, the first spin, the one before, all complete
