from __future__ import annotations

import numpy as np
import pytest
from sklearn import datasets
from sklearn.linear_model import LogisticRegression as Sklearn
from sklearn.preprocessing import StandardScaler

from qhn.baseline.logistic_regression import LogisticRegression, _Losses

Samples = tuple[np.ndarray, np.ndarray]


def _separable() -> Samples:
    x = np.random.default_rng(3).normal(size=(200, 3))
    return x, (x[:, 0] > 0).astype(int)


def _constant() -> Samples:
    x, y = _separable()
    return np.column_stack([x, np.full(200, 0.1), np.zeros(200)]), y


def _unbalanced() -> Samples:
    y = np.repeat([0, 1], [980, 20])
    return np.random.default_rng(4).normal(size=(1000, 4)) + 0.7 * y[:, None], y


SETS = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "wine": lambda: datasets.load_wine(return_X_y=True),
    "breast cancer": lambda: datasets.load_breast_cancer(return_X_y=True),
    "separable": _separable,
    "constant features": _constant,
    "unbalanced": _unbalanced,
}


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("strength", [1.0, 0.1])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_it_is_the_logistic_regression_of_scikit_learn(name: str, strength: float, is_weighted: bool) -> None:
    x, y = SETS[name]()
    weights = np.arange(1.0, y.max() + 2) ** 2 if is_weighted else None
    found = LogisticRegression.fit(x, y, class_weights=weights, strength=strength)
    scaled = StandardScaler().fit_transform(x)
    by_class = None if weights is None else dict(enumerate(weights))
    expected = Sklearn(C=strength, class_weight=by_class, solver="newton-cholesky", tol=1e-10, max_iter=1000)
    expected.fit(scaled, y)
    shift = expected.intercept_.mean() if len(expected.intercept_) > 1 else 0.0
    np.testing.assert_allclose(found.coefficients, expected.coef_, atol=1e-4)
    np.testing.assert_allclose(found.intercepts, expected.intercept_ - shift, atol=1e-4)
    np.testing.assert_allclose(found.probabilities(x), expected.predict_proba(scaled), atol=1e-4)
    assert found.has_converged


def test_a_hundred_thousand_samples_give_back_the_model_that_drew_them(rng: np.random.Generator) -> None:
    x = rng.normal(size=(100_000, 20)) @ rng.normal(size=(20, 20))
    w = rng.normal(size=20) / 5
    y = x @ w + rng.logistic(size=len(x)) > 0
    found = LogisticRegression.fit(x, y)
    assert found.has_converged
    np.testing.assert_allclose(found.coefficients[0] / found.scale, w, atol=0.1)


@pytest.mark.parametrize("classes", [2, 3])
def test_losses_of_any_step_are_numbers(classes: int, rng: np.random.Generator) -> None:
    losses = _Losses(rng.normal(size=(9, 2)), np.arange(9) % classes, classes, np.ones(9), 1.0)
    value, gradient = losses(1e4 * rng.normal(size=3 * losses.num_outputs))
    assert 0 < value < np.inf
    assert np.isfinite(gradient).all()


def test_a_class_without_samples_becomes_improbable() -> None:
    x, y = SETS["iris"]()
    found = LogisticRegression.fit(x, y, num_classes=4)
    assert found.probabilities(x)[:, 3].max() < 1e-3


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        ([[1.0]], [0, 1], {}, "one class a sample"),
        (np.empty((0, 1)), [], {}, "at least one sample"),
        ([[1.0]], [2], {"num_classes": 2}, "classes must be from 0 to 1, got 2 to 2"),
        ([[1.0]], [0], {"strength": 0.0}, "strength must be above 0"),
        ([[1.0]], [0], {"class_weights": [1.0]}, "class_weights must be 2 numbers"),
    ],
)
def test_what_does_not_fit_is_refused(x: list, y: list, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LogisticRegression.fit(x, y, **options)
