"""Linear systems for tests of their solvers."""

from __future__ import annotations

import numpy as np

from qhn.arrays import Floats
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.history import HistorySystem
from qhn.carleman.polynomial import PolynomialGradient


def random_system(size: int, condition: float, seed: int) -> tuple[Floats, Floats]:
    """A matrix whose condition number is as given, of any norm, and a right side."""
    rng = np.random.default_rng(seed)
    left, right = (np.linalg.qr(rng.normal(size=(size, size)))[0] for _ in range(2))
    values = np.exp(np.log(condition) * np.sort(np.r_[0, 1, rng.uniform(size=max(0, size - 2))])[:size])
    return rng.uniform(0.1, 10) * (left * values) @ right, rng.normal(size=size)


def descent(
    num_parameters: int, order: int, num_steps: int, num_times: int | None = None, rate: float = 0.3, seed: int = 0
) -> HistorySystem:
    """The history of a descent on a cubic loss around a minimum."""
    rng = np.random.default_rng(seed)
    third = rng.normal(size=(num_parameters,) * 3) * 0.1
    axes = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
    tensors = (
        rng.normal(size=num_parameters) * 0.05,
        np.diag(rng.uniform(0.5, 1.5, size=num_parameters)),
        np.mean([third.transpose(order) for order in axes], axis=0),
    )
    gradient_map = GradientMap(PolynomialGradient(np.zeros(num_parameters), 0.0, tensors), rate)
    start = rng.normal(size=num_parameters) * 0.3
    return HistorySystem.of(lift(gradient_map, order), start, num_steps, num_times)


def relative_error(found: Floats, expected: Floats) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
