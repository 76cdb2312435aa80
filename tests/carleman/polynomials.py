"""Polynomial gradients with random coefficients, and two-parameter examples whose regimes are known."""

from __future__ import annotations

import numpy as np

from qhn.arrays import Floats
from qhn.carleman.polynomial import PolynomialGradient, symmetrised


def random_gradient(num_parameters: int, degree: int, seed: int = 0, drive: float = 1.0) -> PolynomialGradient:
    """A gradient whose tensors are drawn at random and symmetrised."""
    rng = np.random.default_rng(seed)
    tensors = [symmetrised(rng.normal(size=(num_parameters,) * (order + 1))) for order in range(degree + 1)]
    return PolynomialGradient(rng.normal(size=num_parameters), rng.normal(), (drive * tensors[0], *tensors[1:]))


def quartic(curvatures: tuple[float, float], drive: float = 0.0) -> PolynomialGradient:
    """A quartic function of two parameters with mixed cubic terms, at its minimum if there is no drive."""
    cubic = symmetrised(np.arange(8.0).reshape(2, 2, 2)) / 20
    fourth = np.zeros((2, 2, 2, 2))
    fourth[0, 0, 0, 0] = fourth[1, 1, 1, 1] = 0.2
    return PolynomialGradient(np.zeros(2), 0.0, (np.full(2, drive), np.diag(curvatures), cubic, fourth))


def product_saddle() -> PolynomialGradient:
    """The function (w1 w2 − 1)² / 2 of a linear network with two layers, about its saddle at 0."""
    flip = np.array([[0.0, 1.0], [1.0, 0.0]])
    fourth = symmetrised(np.einsum("ij,kl->ijkl", flip, flip)) / 2
    return PolynomialGradient(np.zeros(2), 0.5, (np.zeros(2), -flip, np.zeros((2, 2, 2)), fourth))


def descended(polynomial: PolynomialGradient, displacement: Floats, learning_rate: float, num_steps: int) -> Floats:
    """The displacement after true gradient descent."""
    u = np.array(displacement, dtype=np.float64)
    for _ in range(num_steps):
        u = u - learning_rate * polynomial.gradient(u)
    return u
