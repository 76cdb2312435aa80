"""How good the predictions of a study were: predicted losses beside those that were reached.

What is predicted of a trial can be checked only if it went on to the end of the round, so only of those that were
predicted to be good. That narrows the range of losses, and a share of explained variance with it. The trials that went
on in any case were chosen by nothing but their numbers: predictions of those, by cross-validation, tell of all trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.learning_curves.cross_validation import out_of_fold
from qhn.learning_curves.predictors import Predictor
from qhn.search.account import rounds
from qhn.search.curves import Decision, Verdict
from qhn.search.scheduler import Scheduler
from qhn.search.study import Study
from qhn.search.swift_hyperband import SwiftHyperband

RESAMPLES = 1_000
MIN_FOR_INTERVAL = 5  # predictions, below which resampling them says nothing
FOLDS = 5
Interval = tuple[float, float]


@dataclass(frozen=True)
class DecisionPoint:
    """A decision point of a round, and the trials of which something was predicted there.

    Attributes:
        bracket: the number of the bracket, from 0.
        round: the number of the round in the bracket, from 0.
        resource: the resource at the decision point, in units.
        until: the resource at the end of the round, in units.
        trials: the numbers of the trials.
        predicted: the predicted losses at the end of the round, ``[n]``.
        last: the last losses that were known then, ``[n]``.
        reached: the losses at the end of the round, ``[n]``; nan of a trial that was stopped or has not reached it.
    """

    bracket: int
    round: int
    resource: int
    until: int
    trials: tuple[int, ...]
    predicted: Floats
    last: Floats
    reached: Floats

    @cached_property
    def num_checked(self) -> int:
        """The number of trials whose prediction can be checked: they went on, and neither loss is infinite."""
        return len(self.pairs(self.predicted)[0])

    def pairs(self, predicted: Floats) -> tuple[Floats, Floats]:
        """Predicted losses ``[n]`` and the reached ones beside them, without those that cannot be checked."""
        usable = np.isfinite(self.reached) & np.isfinite(self.predicted) & np.isfinite(self.last)
        return predicted[usable], self.reached[usable]


def decision_points(study: Study) -> list[DecisionPoint]:
    """The decision points at which losses were predicted, in the order of decisions.

    Args:
        study: the study, which need not be done.
    """
    groups: dict[tuple[int, int], list[Decision]] = {}
    for decision in study.decisions:
        has_failed = np.isinf(study.curves.of(decision.trial)[decision.resource - 1])
        if not np.isnan(decision.threshold) and not has_failed:
            groups.setdefault((decision.bracket, decision.round), []).append(decision)
    ends = {(account.bracket, account.round): account.resource for account in rounds(study)}
    return [_point(study, made, ends[place]) for place, made in groups.items()]


def _point(study: Study, made: Sequence[Decision], until: int) -> DecisionPoint:
    one, curves = made[0], study.curves
    trials = tuple(decision.trial for decision in made)
    reached = [
        curves.loss(decision.trial, until)
        if decision.verdict is Verdict.CONTINUED and curves.reached(decision.trial) >= until
        else np.nan
        for decision in made
    ]
    last = [curves.loss(trial, one.resource) for trial in trials]
    predicted = [decision.predicted for decision in made]
    return DecisionPoint(
        one.bracket, one.round, one.resource, until, trials, np.array(predicted), np.array(last), np.array(reached)
    )


# ---------------------------------------------------------------- how good


@dataclass(frozen=True)
class Quality:
    """How good predictions are, within decision points, so that it is not the lengths of the rounds that are told.

    Attributes:
        count: number of predictions that were checked.
        r2: the share of the variance of losses that they explain; below 0 if the mean would have done better.
        r2_interval: the 95 % interval of ``r2``, from resampled trials.
        rank: the rank correlation (Spearman).
        rank_interval: the 95 % interval of ``rank``, from resampled trials.
    """

    count: int
    r2: float
    r2_interval: Interval
    rank: float
    rank_interval: Interval


def quality(pairs: Sequence[tuple[Floats, Floats]]) -> Quality:
    """How good predictions are.

    Args:
        pairs: predicted and reached losses of each decision point, ``[n]`` each; points with one pair tell nothing.

    >>> losses = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    >>> found = quality([(losses + 0.1, losses)])
    >>> found.count, round(found.r2, 9), round(found.rank, 9)
    (5, 0.5, 1.0)
    """
    pairs = [pair for pair in pairs if len(pair[0]) > 1]
    count = sum(len(predicted) for predicted, _ in pairs)
    if not count:
        return Quality(0, np.nan, (np.nan, np.nan), np.nan, (np.nan, np.nan))
    r2, rank = _scores([(predicted[None], reached[None]) for predicted, reached in pairs])
    if count < MIN_FOR_INTERVAL:
        return Quality(count, float(r2[0]), (np.nan, np.nan), float(rank[0]), (np.nan, np.nan))
    generator = np.random.default_rng(0)
    resampled = []
    for predicted, reached in pairs:
        chosen = generator.integers(len(predicted), size=(RESAMPLES, len(predicted)))
        resampled.append((predicted[chosen], reached[chosen]))
    r2s, ranks = _scores(resampled)
    return Quality(count, float(r2[0]), _interval(r2s), float(rank[0]), _interval(ranks))


def _scores(pairs: Sequence[tuple[Floats, Floats]]) -> tuple[Floats, Floats]:
    """R² and rank correlation of predicted and reached losses, ``[samples, n]`` of each decision point."""
    from scipy.stats import rankdata

    residual = total = shared = of_predicted = of_reached = np.zeros(len(pairs[0][0]))
    for predicted, reached in pairs:
        residual = residual + ((reached - predicted) ** 2).sum(axis=1)
        total = total + ((reached - reached.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
        x, y = (rankdata(values, axis=1) - (values.shape[1] + 1) / 2 for values in (predicted, reached))
        weight = x.shape[1] ** -2.0  # ranks of many trials are no larger than those of few
        shared = shared + weight * (x * y).sum(axis=1)
        of_predicted = of_predicted + weight * (x * x).sum(axis=1)
        of_reached = of_reached + weight * (y * y).sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - residual / total, shared / np.sqrt(of_predicted * of_reached)


def _interval(values: Floats) -> Interval:
    finite = values[np.isfinite(values)]
    if not len(finite):
        return np.nan, np.nan
    low, high = np.quantile(finite, [0.025, 0.975])
    return float(low), float(high)


# ---------------------------------------------------------------- what was learned from


@dataclass(frozen=True)
class Lesson:
    """The curves from which a predictor learned at a decision point.

    Attributes:
        resource: the resource at the decision point, in units.
        until: the resource at the end of the round, in units.
        curves: the beginnings of curves, ``[n, resource]``.
        settings: the hyper-parameters of their trials as numbers, ``[n, k]``.
        finals: the losses at the end of the round, ``[n]``.
    """

    resource: int
    until: int
    curves: Floats
    settings: Floats
    finals: Floats


class _Recorder:
    """A predictor that predicts again what was predicted in a study, and keeps the curves to learn from."""

    def __init__(self, points: Sequence[DecisionPoint]) -> None:
        self.points = list(points)
        self.lessons: list[Lesson] = []

    def fit(self, curves: ArrayLike, settings: ArrayLike, finals: ArrayLike) -> _Recorder:
        at = self.points[len(self.lessons)]
        arrays = [np.array(values, dtype=np.float64) for values in (curves, settings, finals)]
        self.lessons.append(Lesson(at.resource, at.until, *arrays))
        return self

    def predict(self, curves: ArrayLike, settings: ArrayLike) -> Floats:
        return self.points[len(self.lessons) - 1].predicted


def lessons(study: Study) -> list[Lesson]:
    """The curves from which the predictor of a study has learned, at each decision point in the order of decisions.

    Args:
        study: the study, which need not be done.
    """
    if not isinstance(study.rule, SwiftHyperband):
        return []
    recorder = _Recorder(decision_points(study))
    rule = replace(study.rule, predictor=recorder)
    scheduler = Scheduler(rule, lambda trial: study.space.as_numbers(study.values(trial)))
    while stage := scheduler.ask():
        if any(study.curves.reached(trial) < stage.until for trial in stage.trials):
            break
        for trial in stage.trials:
            scheduler.tell(trial, study.curves.of(trial)[scheduler.curves.reached(trial) : stage.until].tolist())
    return recorder.lessons


def largest(known: Sequence[Lesson], most: int | None = None) -> list[Lesson]:
    """The lessons that hold the curves of all others of the same two resources, if they have enough of them.

    Args:
        known: the lessons.
        most: the largest number of lessons, of which those with the most curves are taken; None for all.
    """
    last = {(lesson.resource, lesson.until): lesson for lesson in known if len(lesson.finals) >= 2 * FOLDS}
    return sorted(last.values(), key=lambda lesson: -len(lesson.finals))[:most]


def cross_validated(predictor: Predictor, known: Sequence[Lesson]) -> list[tuple[Floats, Floats]]:
    """Predicted and reached losses of the curves of lessons, each predicted from those of other folds.

    Args:
        predictor: the predictor.
        known: the lessons, of which none holds the curves of another.

    Returns:
        Predicted and reached losses, ``[n]`` each, of each lesson.
    """
    found = []
    for lesson in known:
        predicted = out_of_fold(predictor, lesson.curves, lesson.settings, lesson.finals, FOLDS)
        usable = np.isfinite(predicted)
        found.append((predicted[usable], lesson.finals[usable]))
    return found
