"""The line search of Moré and Thuente: its two conditions, its path against SciPy's, and rows apart."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize._dcsrch import DCSRCH

from qhn.optimize.line_search import CURVATURE, DECREASE, Point, line_search

Scalar = Callable[[np.ndarray], np.ndarray]


def numeric(function: Scalar) -> Scalar:
    return lambda a: (function(a + 1e-6) - function(a - 1e-6)) / 2e-6


def quartic(a: np.ndarray) -> np.ndarray:
    return (a - 0.7) ** 4 - 0.3 * a


LINES: dict[str, tuple[Scalar, Scalar, tuple[float, ...]]] = {  # value and slope along a line, and first steps
    "bowl": (lambda a: (a - 2) ** 2, lambda a: 2 * (a - 2), (0.01, 1.0, 3.0, 30.0)),
    "the first of the paper": (
        lambda a: -a / (a**2 + 2),
        lambda a: (a**2 - 2) / (a**2 + 2) ** 2,
        (1e-3, 0.1, 10.0, 1000.0),
    ),
    "the second of the paper": (
        lambda a: (a + 0.004) ** 5 - 2 * (a + 0.004) ** 4,
        lambda a: 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3,
        (1e-3, 0.1, 10.0),
    ),
    "cosine": (lambda a: np.cos(a + 0.3), lambda a: -np.sin(a + 0.3), (0.05, 0.5, 5.0, 9.0)),
    "quartic": (quartic, numeric(quartic), (0.02, 0.3, 2.0)),
    "steep": (lambda a: np.exp(3 * a) - 9 * a, lambda a: 3 * np.exp(3 * a) - 9, (0.001, 0.2, 2.0)),
    "wavy": (lambda a: 0.2 * a**2 - np.sin(3 * a), lambda a: 0.4 * a - 3 * np.cos(3 * a), (0.01, 0.4, 1.5, 6.0)),
}
LEVEL = "the second of the paper"  # so level at first that the interval is small before the slope is
CASES = [(name, first) for name, (_, _, firsts) in LINES.items() for first in firsts]


def along(name: str, first: float, most: int = 40) -> tuple[list[float], float, bool, int]:
    """The steps that were tried along a line, where it ended, whether it succeeded, and its evaluations."""
    value, slope, _ = LINES[name]
    tried: list[float] = []

    def function(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        tried.extend(theta[:, 0].tolist())
        return value(theta[:, 0]), slope(theta[:, 0])[:, None]

    start = np.zeros((1, 1))
    point = Point(start, value(start[:, 0]), slope(start[:, 0])[:, None])
    found = line_search(function, point, np.ones((1, 1)), np.array([first]), most)
    return tried, float(found.point.theta[0, 0]), bool(found.success[0]), int(found.num_evaluations[0])


@pytest.mark.parametrize(("name", "first"), [case for case in CASES if case[0] != LEVEL])
def test_the_end_is_lower_and_flatter(name: str, first: float) -> None:
    """The conditions of Wolfe, with the constants of L-BFGS-B."""
    value, slope, _ = LINES[name]
    tried, end, success, evaluations = along(name, first)
    zero = np.zeros(())
    assert success
    assert len(tried) == evaluations
    assert end == tried[-1]
    assert value(np.array(end)) <= value(zero) + DECREASE * end * slope(zero) + 1e-15
    assert abs(slope(np.array(end))) <= CURVATURE * abs(slope(zero))


@pytest.mark.parametrize(("name", "first"), CASES)
def test_the_steps_are_those_of_minpack(name: str, first: float) -> None:
    """Of SciPy's translation of ``dcsrch``, to which L-BFGS-B and this search both go back."""
    value, slope, _ = LINES[name]
    theirs: list[float] = []

    def recorded(a: float) -> float:
        theirs.append(a)
        return float(value(np.array(a)))

    search = DCSRCH(recorded, lambda a: float(slope(np.array(a))), DECREASE, CURVATURE, 0.1, 0.0, 1e10)
    search(first, float(value(np.zeros(()))), float(slope(np.zeros(()))), maxiter=40)
    tried, *_ = along(name, first)
    shared = min(len(tried), len(theirs))
    np.testing.assert_allclose(tried[:shared], theirs[:shared], rtol=1e-6)
    assert abs(len(tried) - len(theirs)) <= 1


def test_rows_are_searched_apart_and_only_as_long_as_they_need() -> None:
    chosen = [("bowl", 1.0), ("cosine", 0.05), ("steep", 2.0)]
    asked: list[int] = []

    def values(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        asked.append(len(theta))
        lines = [LINES[chosen[int(which)][0]] for which in theta[:, 1]]
        value = np.array([line[0](a) for line, a in zip(lines, theta[:, 0], strict=True)])
        slope = np.array([line[1](a) for line, a in zip(lines, theta[:, 0], strict=True)])
        return value, np.stack([slope, np.zeros_like(slope)], axis=1)

    start = np.stack([np.zeros(3), np.arange(3.0)], axis=1)
    direction = np.array([[1.0, 0.0]] * 3)
    found = line_search(values, Point(start, *values(start)), direction, np.array([step for _, step in chosen]), 40)
    alone = [along(*case) for case in chosen]
    np.testing.assert_allclose(found.point.theta[:, 0], [end for _, end, _, _ in alone], rtol=1e-12)
    assert found.num_evaluations.tolist() == [evaluations for *_, evaluations in alone]
    longest = found.num_evaluations.max()
    assert asked[1:] == [(found.num_evaluations > k).sum() for k in range(longest)]


def test_a_line_uphill_or_with_no_evaluation_left_stays_where_it_was() -> None:
    def bowl(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return (theta**2).sum(axis=1), 2 * theta

    start = np.array([[1.0, -2.0]] * 3)
    point = Point(start, *bowl(start))
    directions = np.array([[1.0, -2.0], [2.0, 1.0], [-1.0, 2.0]])  # uphill, level, and down
    found = line_search(bowl, point, directions, np.full(3, 100.0), 1)
    np.testing.assert_array_equal(found.point.theta, start)
    np.testing.assert_array_equal(found.point.value, point.value)
    np.testing.assert_array_equal(found.point.grad, point.grad)
    assert not found.success.any()
    assert found.num_evaluations.tolist() == [0, 0, 1]
