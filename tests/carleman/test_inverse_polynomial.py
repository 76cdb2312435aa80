from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import chebyshev

from qhn.carleman.inverse_polynomial import MARGIN, InversePolynomial, inverse_polynomial
from qhn.errors import QhnError

CASES = [(kappa, epsilon) for kappa in (1.0, 1.3, 4.5, 8.0, 77.0) for epsilon in (0.5, 0.1, 1e-2, 1e-6, 1e-10)]


@pytest.mark.parametrize(("kappa", "epsilon"), CASES)
def test_residual_is_at_most_epsilon_and_no_lower_degree_does(kappa: float, epsilon: float) -> None:
    polynomial = inverse_polynomial(kappa, epsilon)
    x = np.linspace(1 / kappa, 1, 20_001)
    residual = np.abs(1 - x * polynomial(x)).max()
    assert residual <= epsilon
    assert residual == pytest.approx(polynomial.residual, rel=1e-4, abs=1e-13)
    if polynomial.half_degree > 1:
        assert InversePolynomial(polynomial.condition, polynomial.half_degree - 1).residual > epsilon


def test_residual_oscillates_between_its_extremes_as_the_optimal_one_does() -> None:
    """The theorem of Chebyshev: k + 1 extremes of equal size and alternating sign in x²."""
    polynomial = inverse_polynomial(4.5, 0.1)
    x = np.linspace(1 / 4.5, 1, 100_001)
    residual = 1 - x * polynomial(x)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(residual)))) + 1
    extremes = residual[[0, *turns, -1]]
    assert len(extremes) == polynomial.half_degree + 1
    assert np.abs(extremes) == pytest.approx(polynomial.residual, rel=1e-6)
    assert (np.diff(np.sign(extremes)) != 0).all()


@pytest.mark.parametrize(("kappa", "epsilon"), CASES)
def test_coefficients_are_of_an_odd_polynomial_below_one(kappa: float, epsilon: float) -> None:
    polynomial = inverse_polynomial(kappa, epsilon)
    x = np.cos(np.linspace(0, np.pi, 5_001 + 64 * polynomial.degree))
    scaled = chebyshev.chebval(x, polynomial.chebyshev / polynomial.scale)
    assert len(polynomial.chebyshev) == polynomial.degree + 1
    assert scaled == pytest.approx(polynomial(x) / polynomial.scale, abs=1e-9)
    assert MARGIN * 0.999 <= np.abs(scaled).max() < 1


def test_values_near_zero_have_no_cancellation() -> None:
    """Near 0 the polynomial is −L_k'(0) x, and the derivative of the residual is that of its Chebyshev polynomial."""
    polynomial = inverse_polynomial(8.0, 0.01)
    k, q = polynomial.half_degree, 1 / 64
    outer = (1 + q) / (1 - q)
    derivative = chebyshev.Chebyshev.basis(k).deriv()(outer) / chebyshev.Chebyshev.basis(k)(outer) * -2 / (1 - q)
    for x in 1e-3, 1e-8, 1e-100:
        assert polynomial(np.array([x, -x])) / x == pytest.approx(
            [-derivative, derivative], rel=1e-2 if x > 1e-4 else 1e-9
        )
    assert polynomial(np.zeros(1))[0] == 0


@pytest.mark.parametrize(
    ("kappa", "epsilon", "message"),
    [(0.5, 0.1, "at least 1, got 0.5"), (np.inf, 0.1, "finite"), (2, 1.0, "below 1, got 1.0"), (2, 1e-13, "1e-12")],
)
def test_what_has_no_polynomial_is_refused(kappa: float, epsilon: float, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        inverse_polynomial(kappa, epsilon)
