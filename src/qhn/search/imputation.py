"""The ends of stopped trials, imputed: a predictor with its errors on whole curves gives a predictive distribution.

The predictor learns from the trials of a survey that are trained to the end. What it predicts for these themselves it
predicts out of fold: by predictors that have learnt from nine tenths of them without the trial in question. The errors
of these predictions are those that it makes for stopped trials. So a stopped trial ends where it is predicted to, plus
one of the errors that were made for trials with about the same prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache, cached_property

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.errors import QhnError
from qhn.learning_curves.predictors import Predictor
from qhn.search.two_phase import Estimate, estimate_mean, estimate_rate

FOLDS = 10
NEIGHBOURS = 15  # errors that were made for trials with about the same prediction


@dataclass(frozen=True)
class Trials:
    """The trials of a survey at its end: the beginnings of all curves, and the ends of some.

    Attributes:
        beginnings: the losses of all trials up to the decision point, ``[n, units]``; not finite where a trial failed.
        settings: the hyper-parameters as numbers, ``[n, k]``.
        ends: the losses at the most resource, ``[n]``: infinite for a trial that failed, nan for one that was stopped.
        is_whole: whether a trial belongs to the random part that is trained to the end, ``[n]``.
        group: the number of the group of each trial, ``[n]``.

    Raises:
        QhnError: at construction, if the arrays do not fit together, or a trial outside the random part has an end.
    """

    beginnings: Floats
    settings: Floats
    ends: Floats
    is_whole: Bools
    group: Integers

    def __post_init__(self) -> None:
        number = len(self.ends)
        if not number or any(len(getattr(self, field.name)) != number for field in fields(self)):
            raise QhnError("the trials of a survey need a row each in every array, and there must be one at least")
        if not np.isnan(self.ends[~self.is_whole]).all():
            raise QhnError(
                "a trial outside the random part must have the end nan: those that went on because they did well are "
                "no fair sample of all, and statistics of the finished ones alone are biased"
            )

    @cached_property
    def has_begun_well(self) -> Bools:
        """Whether a trial had not failed at the decision point, ``[n]``."""
        last = self.beginnings[:, -1]
        has_ended = np.isnan(last) & np.isfinite(self.beginnings).any(axis=1)  # a loss that was no number any more
        well: Bools = ~(np.isinf(last) | has_ended)
        return well


@dataclass(frozen=True)
class Imputation:
    """The trials of a group with the ends predicted for them, and the statistics that follow.

    Attributes:
        ends: the losses at the end, ``[n]``: infinite for a trial that failed, nan for one that was stopped.
        is_whole: whether a trial belongs to the random part that is trained to the end, ``[n]``.
        has_begun_well: whether a trial had not failed at the decision point, ``[n]``.
        predicted: the predicted losses at the end, ``[n]``; out of fold for whole trials.
        possible: losses at which each trial may end, equally probable, ``[n, m]``; out of fold for whole trials. Rows
            are filled up with nan.
    """

    ends: Floats
    is_whole: Bools
    has_begun_well: Bools
    predicted: Floats
    possible: Floats

    def mean(self) -> Estimate:
        """The mean loss at the end over all trials but those that failed.

        A stopped trial counts as one that would not have failed after the decision point.
        """
        known, others = self.is_whole & np.isfinite(self.ends), ~self.is_whole & self.has_begun_well
        return estimate_mean(self.ends[known], self.predicted[known], self.predicted[others])

    def rate_below(self, threshold: float) -> Estimate:
        """The share of all trials whose loss at the end is below a threshold; a trial that failed is not.

        Args:
            threshold: the loss.
        """
        chances = self.chances_below(threshold)
        whole = self.is_whole
        return estimate_rate((self.ends[whole] < threshold).astype(float), chances[whole], chances[~whole])

    def quantile(self, share: float) -> Estimate:
        """A quantile of the losses at the end over all trials, of which failed ones count as infinite.

        Its interval holds the losses at which the interval of the share below holds ``share`` (Woodruff 1952).

        Args:
            share: the share of trials with losses below the quantile, in (0, 1).
        """
        losses = self.possible_ends
        rates = [self.rate_below(float(np.nextafter(loss, np.inf))) for loss in losses]
        value = _first_at(losses, [rate.value for rate in rates], share)
        interval, sweep_interval = (
            (
                _first_at(losses, [high for _, high in intervals], share),
                _first_at(losses, [low for low, _ in intervals], share),
            )
            for intervals in ([rate.interval for rate in rates], [rate.sweep_interval for rate in rates])
        )
        return Estimate(value, interval, sweep_interval, min((rate.trials for rate in rates), default=0))

    def chances_below(self, threshold: float) -> Floats:
        """The probability that each trial ends below a threshold, ``[n]``; for whole trials predicted out of fold."""
        below = _mean_of_known(self.possible < threshold, self.possible)
        return np.where(self.has_begun_well, below, 0.0)

    def predictive_interval(self, share: float = 0.9) -> tuple[Floats, Floats]:
        """The ends of the central interval that holds the end of each trial with a probability, ``[n]`` each.

        They are nan where no end is known, and infinite where as many trials are expected to fail.

        Args:
            share: the probability.
        """
        limits = np.full((2, len(self.ends)), np.nan)
        rows = ~np.isnan(self.possible).all(axis=1)
        tails = [(1 - share) / 2, (1 + share) / 2]
        with np.errstate(invalid="ignore"):  # between losses of which one is infinite
            limits[:, rows] = np.nanquantile(self.possible[rows], tails, axis=1, method="weibull")
            limits[1, rows] = np.where(np.isnan(limits[1, rows]), np.inf, limits[1, rows])
        return limits[0], limits[1]

    def draw(self, number: int, generator: np.random.Generator) -> Floats:
        """The losses at the end of all trials, ``[number, n]``: known ones as they are, others drawn at random.

        Args:
            number: number of imputations.
            generator: the generator of the random numbers.
        """
        stopped = np.flatnonzero(~self.is_whole & self.has_begun_well)
        ends = np.tile(np.where(self.has_begun_well, self.ends, np.inf), (number, 1))
        choices = np.sort(self.possible[stopped], axis=1)  # nan comes last
        chosen = (generator.random((number, len(stopped))) * (~np.isnan(choices)).sum(axis=1)).astype(int)
        ends[:, stopped] = choices[np.arange(len(stopped)), chosen]
        return ends

    @property
    def possible_ends(self) -> Floats:
        """Known ends, and what the others are predicted to be with every error, ascending and a few hundred of them."""
        known = self.ends[self.is_whole & np.isfinite(self.ends)]
        imputed = self.possible[~self.is_whole & self.has_begun_well].ravel()
        every = np.sort(np.concatenate([known, imputed[np.isfinite(imputed)]]))
        return np.unique(every[np.linspace(0, len(every) - 1, min(len(every), 200)).round().astype(int)])


def impute(trials: Trials, predictor: Predictor, lowest: Sequence[float] | None = None) -> list[Imputation]:
    """The imputation of each group of trials, in the order of their numbers.

    Args:
        trials: the trials of all groups.
        predictor: the predictor, which learns from the whole trials of all groups.
        lowest: the lowest loss that is possible in each group, nan where it is not known; None if it is nowhere.
    """
    fold = assign_folds(trials)

    @cache
    def without(folds: frozenset[int]) -> Floats:
        """What is predicted for all trials by a predictor that knows no end in some folds."""
        return _predict(trials, (fold >= 0) & ~np.isin(fold, list(folds)) & np.isfinite(trials.ends), predictor)

    predictions = [predict_out_of_fold(fold, number, without) for number in range(fold.max() + 1)]
    imputations = []
    for number in range(int(trials.group.max()) + 1):
        own = trials.group == number
        least = -np.inf if lowest is None or np.isnan(lowest[number]) else lowest[number]
        predicted, possible = _combined([one.of(own) for one in predictions], fold[own], trials.ends[own])
        arrays = (trials.ends[own], trials.is_whole[own], trials.has_begun_well[own], predicted)
        imputations.append(Imputation(*arrays, np.maximum(possible, least)))
    return imputations


def assign_folds(trials: Trials) -> Integers:
    """The number of the fold of each whole trial, and −1 for the others, ``[n]``.

    The whole trials of each group go to the folds in turn, and there are no more folds than whole trials.
    """
    whole = np.flatnonzero(trials.is_whole & trials.has_begun_well)
    fold = np.full(len(trials.ends), -1)
    fold[whole[np.argsort(trials.group[whole], kind="stable")]] = np.arange(len(whole)) % FOLDS
    return fold


@dataclass(frozen=True)
class OutOfFold:
    """Predictions that know nothing of the ends in one fold.

    Attributes:
        predicted: the predicted ends of all trials, ``[n]``.
        known: the predicted ends of whole trials of other folds, ``[n]``, by predictors that know nothing of their fold
            either; nan for all other trials. Their errors are those of ``predicted``.
    """

    predicted: Floats
    known: Floats

    def of(self, own: Bools) -> OutOfFold:
        """The predictions for some of the trials."""
        return OutOfFold(self.predicted[own], self.known[own])

    def possible(self, ends: Floats) -> Floats:
        """Losses at which each trial may end, ``[n, neighbours]``: its prediction and the errors of near ones."""
        known = np.flatnonzero(~np.isnan(self.known))
        distance = np.abs(self.predicted[:, None] - self.known[known])
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
        found: Floats = self.predicted[:, None] + (ends - self.known)[known][nearest]
        return found


def predict_out_of_fold(fold: Integers, number: int, without: Callable[[frozenset[int]], Floats]) -> OutOfFold:
    """The predictions that know nothing of one fold.

    Chances that follow from them for the trials of this fold are, on average over which trials are whole, exactly
    those for stopped trials.

    Args:
        fold: the number of the fold of each whole trial, ``[n]``; −1 for the others.
        number: the number of the fold.
        without: a function that tells what is predicted for all trials, ``[n]``, without the ends in some folds.
    """
    known = np.full(len(fold), np.nan)
    others = [other for other in range(fold.max() + 1) if other != number]
    for other in others if len(others) > 1 else []:
        own = fold == other
        known[own] = without(frozenset({number, other}))[own]
    return OutOfFold(without(frozenset({number})), known)


def _combined(predictions: Sequence[OutOfFold], fold: Integers, ends: Floats) -> tuple[Floats, Floats]:
    """The predictions for the trials of a group, ``[n]``, and losses at which they may end, ``[n, m]``.

    Those for a whole trial know nothing of its fold; those for any other are the mean, and all, of all folds.
    """
    if not predictions:
        return np.zeros(len(fold)), np.full((len(fold), 1), np.nan)
    every = np.array([one.predicted for one in predictions])
    shares = np.bincount(fold[fold >= 0], minlength=len(predictions)).astype(float)
    weights = shares if shares.any() else np.ones(len(predictions))
    predicted = np.where(fold >= 0, every[fold, np.arange(len(fold))], np.average(every, axis=0, weights=weights))
    parts = []
    for number, one in enumerate(predictions):
        possible = one.possible(ends)
        possible[(fold >= 0) & (fold != number)] = np.nan
        parts.append(possible)
    return predicted, np.concatenate([np.empty((len(fold), 0)), *parts, np.full((len(fold), 1), np.nan)], axis=1)


def calibrate(predicted: Floats, ends: Floats, learnt: Bools) -> Floats:
    """The predictions for the trials of a group, on the line that fits best how known ends follow from them, ``[n]``.

    So a predictor need not know the level of the ends, nor differences between groups. The line does not fall: a
    predictor that ranks trials the wrong way is replaced by the mean.

    Args:
        predicted: predictions for all trials of the group, ``[n]``.
        ends: the losses at the end, ``[n]``.
        learnt: whether the line may follow from the end of a trial, ``[n]``.

    >>> predicted, ends = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.1, 0.2, 0.3, np.nan])
    >>> calibrate(predicted, ends, np.array([True, True, True, False])).round(3).tolist()
    [0.1, 0.2, 0.3, 0.4]
    """
    if not learnt.any():
        return predicted
    level, middle = ends[learnt].mean(), predicted[learnt].mean()
    scatter = predicted[learnt] - middle
    square = float(scatter @ scatter)
    slope = max(float(scatter @ ends[learnt]) / square, 0.0) if square > 0 else 0.0
    calibrated: Floats = level + slope * (predicted - middle)
    return calibrated


def _predict(trials: Trials, learnt: Bools, predictor: Predictor) -> Floats:
    """What a predictor that has learnt from some trials predicts for all, calibrated for each group, ``[n]``.

    A prediction goes no further beyond the ends that were learnt than they span; where nothing can be predicted it is
    their mean.
    """
    if not learnt.any():
        return np.zeros(len(learnt))
    ends = trials.ends[learnt]
    fitted = predictor.fit(trials.beginnings[learnt], trials.settings[learnt], ends)
    found = fitted.predict(trials.beginnings, trials.settings)
    usable = np.isfinite(found)
    found = np.where(usable, found, 0.0)
    for number in np.unique(trials.group):
        own = trials.group == number
        found[own] = calibrate(found[own], trials.ends[own], (learnt & usable)[own])
    span = float(np.ptp(ends))
    return np.where(usable, np.clip(found, ends.min() - span, ends.max() + span), ends.mean())


def _mean_of_known(values: Bools, known: Floats) -> Floats:
    """The means of rows over the columns where another array is a number, ``[n]``; 0.5 where there is none."""
    is_known = ~np.isnan(known)
    number = is_known.sum(axis=1)
    return np.where(number, (values & is_known).sum(axis=1) / np.maximum(number, 1), 0.5)


def _first_at(losses: Floats, rates: Sequence[float], share: float) -> float:
    """The first of ascending losses at which a rate reaches a share; infinite if none does."""
    for loss, rate in zip(losses, rates, strict=True):
        if rate >= share:
            return float(loss)
    return np.inf
