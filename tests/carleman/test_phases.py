from __future__ import annotations

import sys

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from qhn.carleman import phases
from qhn.carleman.inverse_polynomial import inverse_polynomial
from qhn.carleman.phases import inverse_phases, phases_of, response
from qhn.errors import QhnError

X = np.cos(np.linspace(0, np.pi, 201))


def product(found: np.ndarray, x: float) -> complex:
    """The entry of the product of 2 × 2 matrices, one by one."""
    root = np.sqrt(1 - x * x)
    matrix = np.diag(np.exp([1j * found[0], -1j * found[0]]))
    for phase in found[1:]:
        matrix = matrix @ np.array([[x, root], [root, -x]]) @ np.diag(np.exp([1j * phase, -1j * phase]))
    return complex(matrix[0, 0])


@pytest.mark.parametrize(("kappa", "epsilon"), [(1.0, 0.1), (4.5, 0.1), (4.5, 1e-4), (8.0, 1e-8), (30.0, 1e-3)])
def test_product_of_the_matrices_is_the_polynomial(kappa: float, epsilon: float) -> None:
    polynomial = inverse_polynomial(kappa, epsilon)
    found = inverse_phases(polynomial)
    assert len(found) == polynomial.degree + 1
    assert [product(found, x).real for x in X] == pytest.approx(polynomial(X) / polynomial.scale, abs=1e-10)


@pytest.mark.parametrize("degree", [1, 4, 7, 30])
def test_any_polynomial_of_a_parity(degree: int) -> None:
    coefficients = np.zeros(degree + 1)
    coefficients[degree % 2 :: 2] = np.random.default_rng(degree).normal(size=degree // 2 + 1)
    coefficients *= 0.9 / np.abs(chebyshev.chebval(X, coefficients)).max()
    assert response(phases_of(coefficients), X).real == pytest.approx(chebyshev.chebval(X, coefficients), abs=1e-10)


def test_phases_are_the_callers_own() -> None:
    polynomial = inverse_polynomial(2.0, 0.1)
    inverse_phases(polynomial)[:] = 0
    assert inverse_phases(polynomial).any()


def test_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QhnError, match="nlft-qsp finds no phases for degree 1"):
        phases_of(np.array([0.0, 1.5]))
    with pytest.raises(
        QhnError, match=r"condition number of 3000 needs a polynomial of degree 15,\d+, more than 10,001"
    ):
        inverse_phases(inverse_polynomial(3000.0, 0.01))
    monkeypatch.setattr(phases, "phases_of", lambda chebyshev: np.zeros(len(chebyshev)))
    with pytest.raises(QhnError, match="wrong by"):
        inverse_phases(inverse_polynomial(3.21, 0.1))


def test_a_missing_library_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nlft_qsp", None)
    with pytest.raises(QhnError, match=r"needs nlft-qsp .*: pip install 'qhn\[qsgd\]'"):
        phases_of(np.array([0.0, 0.5]))
