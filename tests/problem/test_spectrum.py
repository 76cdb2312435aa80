"""The polynomial of a problem that is only known by its costs: against the sums that define its factors."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from qhn import QhnError, bitstrings
from qhn.problem import spectrum
from qhn.problem.cost import TableProblem
from qhn.problem.labs import LabsProblem
from qhn.problem.polynomial import SpinPolynomial
from qhn.problem.spectrum import polynomial_of


def every(num_qubits: int) -> np.ndarray:
    return bitstrings.from_integers(np.arange(2**num_qubits), num_qubits)


def test_factors_of_a_table_are_means_with_products_of_spins(rng: np.random.Generator) -> None:
    costs = rng.normal(size=32)
    found = polynomial_of(TableProblem(costs), "x")
    factors = dict(zip(found.terms, found.coefficients, strict=True))
    spins = 2.0 * every(5) - 1
    sets = [some for size in range(6) for some in combinations(range(5), size)]
    assert set(factors) == set(sets)
    for some in sets:
        assert factors[some] == pytest.approx(float(np.mean(costs * spins[:, some].prod(axis=1))), abs=1e-14)
    np.testing.assert_allclose(found(every(5)), costs, atol=1e-12)


def test_factors_that_are_only_rounding_are_left_out(rng: np.random.Generator) -> None:
    given = SpinPolynomial.of(10, {(): 1e6, (0, 9): 0.1, (3,): -1e-5, (1, 2, 4): 3.0})
    found = polynomial_of(TableProblem(given(every(10))), "x")
    assert set(found.terms) == set(given.terms)
    assert polynomial_of(TableProblem(np.zeros(4)), "x").terms == ()


def test_a_problem_that_knows_its_polynomial_is_not_enumerated() -> None:
    problem = LabsProblem(40)
    assert polynomial_of(problem, "x").num_qubits == 40


def test_a_problem_of_too_many_costs_or_terms_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own:
        num_qubits = 3

        def cost(self, bits: np.ndarray) -> np.ndarray:
            return np.asarray(bits, dtype=float).sum(axis=-1)

    with pytest.raises(QhnError, match=r"my ansatz is made of .* this problem does not offer; .* up to 20 qubits"):
        polynomial_of(Own(), "my ansatz")
    monkeypatch.setattr(spectrum, "MAX_QUBITS", 3)
    monkeypatch.setattr(spectrum, "MAX_TERMS", 8)
    costs = np.random.default_rng(1).normal(size=16)
    assert len(polynomial_of(TableProblem(costs[:8]), "x").terms) == 8
    with pytest.raises(QhnError, match=r"does not offer; .* up to 3 qubits only; use another ansatz"):
        polynomial_of(TableProblem(costs), "x")
    monkeypatch.setattr(spectrum, "MAX_TERMS", 7)
    with pytest.raises(QhnError, match=r"my ansatz .* has 8 terms, more than 7; use another ansatz"):
        polynomial_of(TableProblem(costs[:8]), "my ansatz")
