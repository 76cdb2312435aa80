"""Scores of predictions, against scikit-learn and SciPy, and the curves that were learned from, against the fits."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from qhn.arrays import Floats
from qhn.search.curves import Verdict
from qhn.search.prediction_quality import cross_validated, decision_points, largest, lessons, quality
from studies import done, swift

GENERATOR = np.random.default_rng(7)


@pytest.mark.parametrize("number", [3, 8, 200])
def test_scores_of_one_decision_point_are_those_of_scikit_learn_and_scipy(number: int) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    reached = GENERATOR.normal(size=number).round(1)
    predicted = reached + GENERATOR.normal(size=number).round(1)
    found = quality([(predicted, reached)])
    assert found.r2 == pytest.approx(metrics.r2_score(reached, predicted))
    assert found.rank == pytest.approx(spearmanr(predicted, reached).statistic)
    assert found.count == number


def test_intervals_hold_the_truth_in_95_of_100_repetitions() -> None:
    hits, repetitions, truth = 0, 150, 0.5
    for _ in range(repetitions):
        predicted = GENERATOR.normal(size=60)
        reached = predicted + GENERATOR.normal(size=60)  # the predictions explain half of the variance
        low, high = quality([(predicted, reached)]).r2_interval
        hits += low < truth < high
    assert 0.90 <= hits / repetitions <= 0.99


def test_the_lengths_of_rounds_are_not_told() -> None:
    """Two points at different levels: noise within each, though both levels are told right."""
    pairs = []
    for level in (0.0, 100.0):
        pairs.append((level + GENERATOR.normal(size=500), level + GENERATOR.normal(size=500)))
    found = quality(pairs)
    assert found.r2 < -0.5
    assert abs(found.rank) < 0.15


def test_too_few_predictions_have_no_interval() -> None:
    assert quality([]).count == quality([(np.ones(1), np.ones(1))]).count == 0
    found = quality([(np.array([1.0, 2.0]), np.array([1.0, 2.0]))])
    assert (found.count, found.r2, found.rank) == (2, 1.0, 1.0)
    assert np.isnan([*found.r2_interval, *found.rank_interval]).all()


def test_equal_losses_explain_nothing() -> None:
    found = quality([(np.zeros(9), np.zeros(9))])
    assert found.count == 9
    assert not np.isfinite(found.rank)


class Remembering:
    """A predictor of the first value, which remembers what it learned from."""

    def __init__(self) -> None:
        self.learned: list[tuple[Floats, Floats, Floats]] = []

    def fit(self, curves: Floats, settings: Floats, finals: Floats) -> Remembering:
        self.learned.append((curves, settings, finals))
        return self

    def predict(self, curves: Floats, settings: Floats) -> Floats:
        return curves[:, 0] + 0.01 * settings[:, 0]


@pytest.mark.parametrize("jobs", [None, 90])
def test_lessons_are_the_curves_that_the_predictor_learned_from(jobs: int | None) -> None:
    predictor = Remembering()
    study = done(swift(50, predictor), failing=7, jobs=jobs)  # type: ignore[arg-type]
    found = lessons(study)
    assert len(found) == len(predictor.learned) == len(decision_points(study)) > 0
    for lesson, (curves, settings, finals) in zip(found, predictor.learned, strict=True):
        np.testing.assert_array_equal(lesson.curves, curves)
        np.testing.assert_array_equal(lesson.settings, settings)
        np.testing.assert_array_equal(lesson.finals, finals)


def test_only_trials_that_went_on_can_be_checked() -> None:
    study = done(swift(50), failing=7)
    points = decision_points(study)
    went_on = sum(decision.verdict is Verdict.CONTINUED for decision in study.decisions)
    assert 0 < sum(point.num_checked for point in points) <= went_on
    for point in points:
        for trial, reached in zip(point.trials, point.reached, strict=True):
            if np.isfinite(reached):
                assert reached == study.curves.loss(trial, point.until)
        np.testing.assert_array_equal(point.predicted, point.last)  # the predictor is the last value


def test_cross_validation_never_predicts_a_curve_that_was_learned() -> None:
    class Knowing:
        """A predictor that knows the ends of the curves that it learned from, and of no others."""

        def fit(self, curves: Floats, settings: Floats, finals: Floats) -> Knowing:
            self.ends = {curve.tobytes(): final for curve, final in zip(curves, finals, strict=True)}
            return self

        def predict(self, curves: Floats, settings: Floats) -> Floats:
            return np.array([self.ends.get(curve.tobytes(), 99.0) for curve in curves])

    pairs = cross_validated(Knowing(), largest(lessons(done(swift(50)))))  # type: ignore[arg-type]
    assert pairs
    assert all((predicted == 99.0).all() for predicted, _ in pairs)
