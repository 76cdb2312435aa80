"""Costs as polynomials of spins."""

from __future__ import annotations

import numpy as np
import pytest

from qhn import bitstrings
from qhn.errors import QhnError
from qhn.problem.landscape import Landscape
from qhn.problem.polynomial import SpinPolynomial

TERMS = {(): 0.75, (0,): -1.0, (2,): 0.5, (0, 1): 2.0, (1, 3): -0.25, (0, 1, 2): 1.5, (0, 1, 2, 3): -3.0}


def everything(num_qubits: int) -> np.ndarray:
    return bitstrings.from_integers(np.arange(2**num_qubits), num_qubits)


def test_values_are_sums_of_products_of_spins() -> None:
    polynomial = SpinPolynomial.of(4, TERMS)
    for bits, value in zip(everything(4), polynomial(everything(4)), strict=True):
        spins = [1 if bit else -1 for bit in bits]
        assert value == pytest.approx(
            sum(f * np.prod([spins[q] for q in term]) for term, f in TERMS.items()), abs=1e-14
        )


def test_weights_of_interactions_are_those_of_all_values() -> None:
    polynomial = SpinPolynomial.of(4, TERMS)
    weights = np.zeros(5)
    for term, factor in TERMS.items():
        weights[len(term)] += factor**2
    np.testing.assert_allclose(Landscape(polynomial(everything(4))).walsh_weights, weights, atol=1e-13)
    assert polynomial.degree == 4
    assert polynomial.constant == 0.75
    assert polynomial.constant == pytest.approx(polynomial(everything(4)).mean())
    assert polynomial.spread == pytest.approx(polynomial(everything(4)).std())


def test_bounds_hold_for_all_values_and_are_reached_by_independent_spins() -> None:
    values = SpinPolynomial.of(4, TERMS)(everything(4))
    low, high = SpinPolynomial.of(4, TERMS).bounds
    assert low <= values.min() <= values.max() <= high
    fields = SpinPolynomial.of(3, {(): 1.0, (0,): 2.0, (1,): -3.0, (2,): 0.5})
    assert fields.bounds == (-4.5, 6.5) == (fields(everything(3)).min(), fields(everything(3)).max())


def test_equal_sets_of_qubits_are_one_term_and_zeros_none() -> None:
    polynomial = SpinPolynomial.of(3, {(2, 0): 1.0, (0, 2): 0.5, (1,): 0.0, (0, 1): 1.0, (1, 0): -1.0})
    assert polynomial.terms == ((0, 2),)
    assert polynomial.coefficients.tolist() == [1.5]


def test_shapes_of_bits_are_kept() -> None:
    polynomial = SpinPolynomial.of(2, {(0, 1): 1.0})
    assert polynomial(np.zeros(2, dtype=np.uint8)).shape == ()
    assert polynomial(np.zeros((3, 4, 2), dtype=np.uint8)).shape == (3, 4)
    constant = SpinPolynomial.of(2, {})
    assert (constant.degree, constant.constant, constant.spread) == (0, 0.0, 0.0)
    assert constant(np.zeros((3, 2), dtype=np.uint8)).tolist() == [0.0] * 3


@pytest.mark.parametrize("terms", [((0, 0),), ((1, 0),), ((0, 3),), ((-1, 0),)])
def test_terms_that_are_no_sets_of_qubits_are_refused(terms: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(QhnError, match="a term must name different qubits from 0 to 2"):
        SpinPolynomial(3, terms, np.ones(1))


def test_there_is_a_coefficient_for_each_term() -> None:
    with pytest.raises(QhnError, match="2 terms need as many coefficients"):
        SpinPolynomial(3, ((0,), (1,)), np.ones(1))
