from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from qhn.predict.metrics import majority, metrics, roc_auc, roc_curve
from qhn.problem.built_in_data import gaussian_mixture
from qhn.problem.cost import BinnProblem
from qhn.problem.search_space import SearchSpace

KINDS = ("smooth", "ties", "zeros and ones")


def predictions(kind: str, num_classes: int, rng: np.random.Generator) -> np.ndarray:
    p = rng.dirichlet(np.full(num_classes, 0.7), size=300)
    if kind == "ties":
        p = np.round(4 * p)
        p[:, 0] += p.sum(axis=1) == 0
        p /= p.sum(axis=1, keepdims=True)
    if kind == "zeros and ones":
        p = np.eye(num_classes)[p.argmax(axis=1)]
    return p


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("num_classes", [2, 3, 7])
@pytest.mark.parametrize("is_absent", [False, True])
def test_each_number_is_that_of_scikit_learn(
    kind: str, num_classes: int, is_absent: bool, rng: np.random.Generator
) -> None:
    p = predictions(kind, num_classes, rng)
    y = rng.integers(0, num_classes - is_absent, 300)
    found, labels = metrics(p, y), np.arange(num_classes)
    predicted = p.argmax(axis=1)
    np.testing.assert_array_equal(found.confusion, sk.confusion_matrix(y, predicted, labels=labels))
    assert found.accuracy == sk.accuracy_score(y, predicted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a class that is predicted and absent
        assert found.balanced_accuracy == pytest.approx(sk.balanced_accuracy_score(y, predicted), rel=1e-12)
    assert found.log_loss == pytest.approx(sk.log_loss(y, p, labels=labels), rel=1e-9)
    several = {"multi_class": "ovr", "labels": labels} if num_classes > 2 else {}
    score = p if num_classes > 2 else p[:, 1]
    if is_absent:
        assert found.roc_auc is None
    else:
        assert found.roc_auc == pytest.approx(sk.roc_auc_score(y, score, **several), rel=1e-12)
    squares = sk.brier_score_loss(y, score, labels=labels)
    assert found.brier == pytest.approx(squares, rel=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_the_curve_has_the_corners_and_the_area_of_scikit_learn(kind: str, rng: np.random.Generator) -> None:
    score, is_positive = predictions(kind, 2, rng)[:, 1], rng.random(300) < 0.3
    found = roc_curve(score, is_positive)
    assert found is not None
    wrong, right, thresholds = sk.roc_curve(is_positive, score, drop_intermediate=False)
    places = np.searchsorted(-thresholds, -found.thresholds)
    np.testing.assert_array_equal(thresholds[places], found.thresholds)
    np.testing.assert_allclose(found.false_positives, wrong[places])
    np.testing.assert_allclose(found.true_positives, right[places])
    area = np.trapezoid(found.true_positives, found.false_positives)
    assert area == pytest.approx(roc_auc(score, is_positive), rel=1e-12)
    assert found.false_positives[[0, -1]].tolist() == found.true_positives[[0, -1]].tolist() == [0.0, 1.0]
    steps = np.diff(np.stack([found.false_positives, found.true_positives]), axis=1)
    turns = steps[0, :-1] * steps[1, 1:] - steps[1, :-1] * steps[0, 1:]
    assert (np.abs(turns) > 1e-9).all()  # no corner lies on the line between its neighbours


def test_a_thinned_curve_keeps_its_ends_and_nearly_its_area(rng: np.random.Generator) -> None:
    found = roc_curve(rng.random(300), rng.random(300) < 0.3)
    assert found is not None
    thinned = found.thinned(60)
    assert 50 < len(thinned.thresholds) <= 60
    assert np.isin(thinned.thresholds, found.thresholds).all()
    assert np.isinf(thinned.thresholds[0])
    assert thinned.area == pytest.approx(found.area, abs=0.01)
    assert found.thinned(2).false_positives.tolist() == found.thinned(2).true_positives.tolist() == [0.0, 1.0]
    everything = found.thinned(len(found.thresholds))
    np.testing.assert_array_equal(everything.thresholds, found.thresholds)


def test_what_is_not_defined_is_none() -> None:
    assert roc_auc([0.2, 0.7], [True, True]) is None
    assert roc_curve([0.2, 0.7], [False, False]) is None
    assert metrics([[0.2, 0.8]], [1]).roc_auc is None
    assert metrics([[0.2, 0.8]], [1]).balanced_accuracy == 1.0


def test_the_losses_are_those_of_networks(rng: np.random.Generator) -> None:
    data, space = gaussian_mixture(200, validation_samples=0, means_scale=0.5), SearchSpace(2, (3,))
    bits = rng.integers(0, 2, space.num_qubits, dtype=np.uint8)
    found = metrics(space.probabilities(bits[None], data.x)[0], data.y)
    assert found.brier == pytest.approx(float(BinnProblem(space, data, "mse").cost(bits)))
    assert found.log_loss == pytest.approx(float(BinnProblem(space, data, "cross-entropy").cost(bits)))
    assert found.accuracy == float(BinnProblem(space, data).accuracy(bits)[0])


def test_a_certain_mistake_costs_52_bits() -> None:
    found = metrics([[1.0, 0.0], [0.0, 1.0]], [1, 1])
    assert found.log_loss == pytest.approx(52 * np.log(2) / 2)
    assert found.brier == 0.5


def test_the_interval_is_that_of_wilson() -> None:
    found = metrics(np.eye(2)[[0] * 8 + [1] * 2], np.zeros(10))
    assert found.interval == pytest.approx((0.490, 0.943), abs=5e-4)
    assert found.facts()["accuracy_interval"] == list(found.interval)


def test_the_majority_class_predicts_the_shares_of_the_classes(rng: np.random.Generator) -> None:
    from sklearn.dummy import DummyClassifier

    y = rng.integers(0, 3, 50) % 2 * 2
    prior = DummyClassifier(strategy="prior").fit(np.zeros((50, 1)), y)
    np.testing.assert_allclose(majority(y, 3)[[0, 2]], prior.predict_proba([[0.0]])[0])
