"""The polynomial by which the quantum singular value transformation inverts a matrix: the optimal residual of 1/x.

Of all odd polynomials P of degree 2k − 1, the one whose residual 1 − x P(x) stays nearest to 0 on [1/κ, 1] has the
residual L_k(x²), where L_k is the Chebyshev polynomial of [1/κ², 1] that is 1 at 0:

    P(x) = (1 − L_k(x²))/x,  L_k(y) = T_k(u)/T_k(u₀),  u = (1 + q − 2y)/(1 − q),  u₀ = (1 + q)/(1 − q),  q = 1/κ².

The largest residual is 1/T_k(u₀). A residual of at most ε at every singular value of A is a relative error of at most
ε in the solution of A x = b, for every right side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.fft import dct

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Number

MIN_EPSILON = 1e-12  # below, rounding of the polynomial's coefficients is no longer small beside ε
MIN_CONDITION = 1 + 1e-4  # a smaller κ is taken as this one: the interval would be a point
MARGIN = 0.99  # largest value of the scaled polynomial: phases exist below 1, and cost more the nearer it is


@dataclass(frozen=True)
class InversePolynomial:
    """The odd polynomial of degree 2k − 1 that is nearest to 1/x on [1/κ, 1] in relative error.

    Attributes:
        condition: κ, above 1.
        half_degree: k, at least 1.

    >>> polynomial = inverse_polynomial(4.5, 0.1)
    >>> polynomial.degree, round(polynomial.residual, 3), round(float(polynomial(np.array([0.5]))[0]), 2)
    (13, 0.084, 1.84)
    """

    condition: float
    half_degree: int

    @property
    def degree(self) -> int:
        """The degree of the polynomial."""
        return 2 * self.half_degree - 1

    @property
    def residual(self) -> float:
        """The largest abs(1 − x P(x)) of all x in [1/κ, 1]."""
        return 1 / math.cosh(self.half_degree * _outer_angle(self.condition))

    def __call__(self, x: Floats) -> Floats:
        """The values of P at any x in [−1, 1], without cancellation near 0.

        Where x² is below 1/κ², with u = cosh t and u₀ = cosh t₀, the numerator is a difference of two cosh, which is a
        product of two sinh, of the half sum and the half difference of k t₀ and k t; t₀ − t follows from u₀ − u in the
        same way.
        """
        x = np.asarray(x, dtype=np.float64)
        k, outer, q = self.half_degree, _outer_angle(self.condition), self.condition**-2
        u = (1 + q - 2 * x**2) / (1 - q)
        inner = np.arccosh(np.maximum(u, 1))
        gap = 2 * np.arcsinh(np.minimum(x**2, q) / (1 - q) / np.sinh((outer + inner) / 2))
        near_zero = 2 * np.sinh(k * (outer + inner) / 2) * np.sinh(k * gap / 2) / math.cosh(k * outer)
        inside = 1 - np.cos(k * np.arccos(np.clip(u, -1, 1))) * self.residual
        return np.divide(np.where(u >= 1, near_zero, inside), x, out=np.zeros_like(x), where=x != 0)

    @cached_property
    def chebyshev(self) -> Floats:
        """Coefficients of P in Chebyshev polynomials T_0, T_1, …; those of even order are 0."""
        size = self.degree + 1
        nodes = np.cos(np.pi * (np.arange(size) + 0.5) / size)
        coefficients = dct(self(nodes)) / size
        coefficients[0::2] = 0
        return np.asarray(coefficients)

    @cached_property
    def maximum(self) -> float:
        """The largest abs(P(x)) of all x in [−1, 1], found on a grid that resolves every oscillation."""
        angles = np.linspace(0, np.pi / 2, 64 * (self.degree + 1))
        return float(np.abs(self(np.cos(angles))).max())

    @property
    def scale(self) -> float:
        """Factor from the polynomial that a circuit can apply, which nowhere exceeds ``MARGIN``, to P."""
        return self.maximum / MARGIN


def inverse_polynomial(condition: float, epsilon: float) -> InversePolynomial:
    """The polynomial of lowest degree whose residual on [1/κ, 1] is at most ε.

    Args:
        condition: κ, at least 1.
        epsilon: largest relative error ε of the solution of a linear system.

    Raises:
        QhnError: if κ is below 1 or not finite, or ε is not between ``MIN_EPSILON`` and 1.

    >>> [inverse_polynomial(4.5, epsilon).degree for epsilon in (0.1, 0.01, 1e-4)]
    [13, 23, 43]
    """
    condition, epsilon = Number(low=1)("the condition number", condition), Number()("epsilon", epsilon)
    if not MIN_EPSILON <= epsilon < 1:
        raise QhnError(f"epsilon must be at least {MIN_EPSILON:g} and below 1, got {epsilon}")
    condition = max(condition, MIN_CONDITION)
    half_degree = math.ceil(math.acosh(1 / epsilon) / _outer_angle(condition) - 1e-12)
    return InversePolynomial(condition, max(1, half_degree))


def _outer_angle(condition: float) -> float:
    """The t₀ with cosh t₀ = (κ² + 1)/(κ² − 1), which is 2 artanh(1/κ)."""
    return 2 * math.atanh(1 / condition)
