"""The weights of solutions: against the formulas in exact arithmetic, and what must hold of all rules."""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

import numpy as np
import pytest

from qhn.svr.combination import RULES, SEVEN, combinations, log_cosh


def exact_weights(residuals: np.ndarray, name: str) -> list[float]:
    """The weights of a rule of losses with fifty digits."""
    with localcontext(prec=60):
        losses = []
        for row in residuals:
            values = [Decimal(float(r)) for r in row]
            each = [r**2 if name.endswith("mse") else ((r.exp() + (-r).exp()) / 2).ln() for r in values]
            losses.append(sum(each) / len(each))
        inverse = [1 / loss for loss in losses]
        powers = [(x - max(inverse)).exp() for x in inverse] if name.startswith("softmax") else inverse
        return [float(p / sum(powers)) for p in powers]


@pytest.mark.parametrize("name", SEVEN[:4])
@pytest.mark.parametrize("size", [1e-3, 0.3, 1.0, 100.0])
def test_rules_of_losses(rng: np.random.Generator, name: str, size: float) -> None:
    residuals = size * rng.normal(size=(4, 15)) * np.array([1.0, 1.2, 0.9, 2.0])[:, None]
    weights = combinations(residuals, np.zeros(4))[name]
    np.testing.assert_allclose(weights, exact_weights(residuals, name), rtol=1e-6, atol=1e-300)
    order = np.argsort(np.square(residuals).mean(axis=1) if name.endswith("mse") else log_cosh(residuals).mean(axis=1))
    assert (np.diff(weights[order]) <= 0).all(), "the lower the loss, the higher the weight"


@pytest.mark.parametrize("size", [0.0, 1e-170, 1e-8, 1.0, 1e5])
def test_weights_are_finite_and_sum_up_to_one(rng: np.random.Generator, size: float) -> None:
    found = combinations(size * rng.normal(size=(3, 5)), rng.normal(size=3))
    assert tuple(found) == RULES
    for weights in found.values():
        assert np.isfinite(weights).all()
        assert (weights >= 0).all()
        assert weights.sum() == pytest.approx(1)


def test_single_rules_and_the_mean_of_seven(rng: np.random.Generator) -> None:
    residuals = np.array([[1.0, -1.0], [0.5, 0.5], [2.0, 2.0]])
    found = combinations(residuals, np.array([-1.0, 0.0, -2.0]))
    assert found["best"].tolist() == [0, 1, 0]
    assert found["minimum-energy"].tolist() == [0, 0, 1]
    assert found["mean"].tolist() == [1 / 3] * 3
    errors = [Fraction(1), Fraction(1, 4), Fraction(4)]
    inverse = [1 / error for error in errors]
    np.testing.assert_allclose(found["mse"], [float(x / sum(inverse)) for x in inverse])
    predictions = rng.normal(size=(3, 10))
    np.testing.assert_allclose(
        found["mean-of-seven"] @ predictions, np.mean([found[name] @ predictions for name in SEVEN], axis=0)
    )


def test_a_solution_without_error_takes_all() -> None:
    found = combinations(np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.0]]), np.zeros(3))
    for name in SEVEN[:4]:
        assert found[name].tolist() == [0.5, 0, 0.5]


def test_log_cosh_does_not_overflow() -> None:
    np.testing.assert_allclose(
        log_cosh(np.array([-1e5, 1e-3, 2.0])), [1e5 - np.log(2), np.log(np.cosh(1e-3)), np.log(np.cosh(2.0))]
    )


def test_the_best_solution_has_the_lowest_squared_error_and_not_the_lowest_log_cosh() -> None:
    weights = combinations(np.array([[1.0, 1.0], [0.0, 1.5]]), np.array([0.0, -1.0]))
    assert weights["best"].tolist() == [1, 0]
    assert weights["mse"][0] > 0.5 > weights["log-cosh"][0]
