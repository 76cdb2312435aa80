"""The ends of stopped trials, imputed: a predictor with its errors on whole curves gives a predictive distribution.

The predictor learns from the trials of a survey that are trained to the end. What it predicts for these themselves it
predicts out of fold: by predictors that have learnt from nine tenths of them without the trial in question. The errors
of these predictions are those that it makes for stopped trials. So a stopped trial ends where it is predicted to, plus
one of the errors that were made for trials with about the same prediction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.search.swift_hyperband import Predictor
from qhn.search.two_phase import Estimate, Interval, estimate_mean, estimate_rate

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
    """

    beginnings: Floats
    settings: Floats
    ends: Floats
    is_whole: Bools
    group: Integers

    @cached_property
    def has_begun_well(self) -> Bools:
        """Whether a trial had not failed at the decision point, ``[n]``."""
        well: Bools = ~np.isinf(self.beginnings[:, -1])
        return well


@dataclass(frozen=True)
class Imputation:
    """The trials of a group with the ends predicted for them, and the statistics that follow.

    Attributes:
        ends: the losses at the end, ``[n]``: infinite for a trial that failed, nan for one that was stopped.
        is_whole: whether a trial belongs to the random part that is trained to the end, ``[n]``.
        has_begun_well: whether a trial had not failed at the decision point, ``[n]``.
        predicted: the predicted losses at the end, ``[n]``; out of fold for whole trials.
        fold: the number of the fold of each whole trial, ``[n]``; −1 for the others.
    """

    ends: Floats
    is_whole: Bools
    has_begun_well: Bools
    predicted: Floats
    fold: Integers

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
        losses = self._possible_ends
        rates = [self.rate_below(float(np.nextafter(loss, np.inf))) for loss in losses]
        value = _first_at(losses, [rate.value for rate in rates], share)
        ends = [
            (
                _first_at(losses, [getattr(rate, name)[1] for rate in rates], share),
                _first_at(losses, [getattr(rate, name)[0] for rate in rates], share),
            )
            for name in ("interval", "sweep_interval")
        ]
        return Estimate(value, *ends)

    def chances_below(self, threshold: float) -> Floats:
        """The probability that each trial ends below a threshold, ``[n]``; for whole trials predicted out of fold."""
        below = self.predicted[:, None] + self._errors < threshold
        return np.where(self.has_begun_well, _mean_of_known(below, self._errors), 0.0)

    def predictive_interval(self, share: float = 0.9) -> tuple[Floats, Floats]:
        """The ends of the central interval that holds the end of each trial with a probability, ``[n]`` each.

        Args:
            share: the probability.
        """
        tails = [(1 - share) / 2, (1 + share) / 2]
        low, high = np.nanquantile(self.predicted[:, None] + self._errors, tails, axis=1)
        return low, high

    def draw(self, number: int, generator: np.random.Generator) -> Floats:
        """The losses at the end of all trials, ``[number, n]``: known ones as they are, others drawn at random.

        Args:
            number: number of imputations.
            generator: the generator of the random numbers.
        """
        stopped = np.flatnonzero(~self.is_whole & self.has_begun_well)
        ends = np.tile(np.where(self.has_begun_well, self.ends, np.inf), (number, 1))
        chosen = generator.integers(self._errors.shape[1], size=(number, len(stopped)))
        ends[:, stopped] = self.predicted[stopped] + self._errors[stopped, chosen]
        return ends

    @cached_property
    def _errors(self) -> Floats:
        """Errors of out-of-fold predictions that may be made for each trial, ``[n, neighbours]``; nan where too few."""
        known = np.flatnonzero(self.fold >= 0)
        if not len(known):
            return np.full((len(self.ends), 1), np.nan)
        errors = self.ends[known] - self.predicted[known]
        distance = np.abs(self.predicted[:, None] - self.predicted[known])
        distance[self.fold[:, None] == self.fold[known]] = np.inf  # its own, and those of predictors that know it
        nearest = np.argsort(distance, axis=1, kind="stable")[:, :NEIGHBOURS]
        return np.where(np.isfinite(np.take_along_axis(distance, nearest, axis=1)), errors[nearest], np.nan)

    @property
    def _possible_ends(self) -> Floats:
        """Known ends, and what the others are predicted to be with every error, ascending and a few hundred of them."""
        known = self.ends[self.is_whole & np.isfinite(self.ends)]
        imputed = (self.predicted[:, None] + self._errors)[~self.is_whole & self.has_begun_well].ravel()
        every = np.sort(np.concatenate([known, imputed[np.isfinite(imputed)]]))
        return np.unique(every[np.linspace(0, len(every) - 1, min(len(every), 200)).round().astype(int)])


def impute(trials: Trials, predictor: Predictor) -> list[Imputation]:
    """The imputation of each group of trials, in the order of their numbers.

    Args:
        trials: the trials of all groups.
        predictor: the predictor, which learns from the whole trials of all groups.
    """
    fold = assign_folds(trials)
    predicted = predict_out_of_fold(trials, fold, predictor)
    groups = [trials.group == number for number in range(int(trials.group.max()) + 1)]
    return [
        Imputation(trials.ends[own], trials.is_whole[own], trials.has_begun_well[own], predicted[own], fold[own])
        for own in groups
    ]


def assign_folds(trials: Trials) -> Integers:
    """The number of the fold of each whole trial, and −1 for the others, ``[n]``.

    The whole trials of each group go to the folds in turn, and there are no more folds than whole trials.
    """
    whole = np.flatnonzero(trials.is_whole & trials.has_begun_well)
    fold = np.full(len(trials.ends), -1)
    fold[whole[np.argsort(trials.group[whole], kind="stable")]] = np.arange(len(whole)) % FOLDS
    return fold


def predict_out_of_fold(trials: Trials, fold: Integers, predictor: Predictor) -> Floats:
    """The predicted ends of all trials, ``[n]``.

    A whole trial is predicted by the predictor that has not learnt from its fold, any other by the mean of all, each
    weighted by the size of the fold that it does not know. A prediction goes no further beyond the known ends than they
    span; where nothing can be predicted it is their mean.
    """
    is_known = fold >= 0
    predicted = np.zeros(len(fold))
    for number in range(fold.max() + 1):
        own = fold == number
        found = _predict(trials, is_known & ~own & np.isfinite(trials.ends), predictor)
        predicted[own] = found[own]
        predicted[~is_known] += own.sum() / is_known.sum() * found[~is_known]
    return predicted


def _predict(trials: Trials, learnt: Bools, predictor: Predictor) -> Floats:
    """What a predictor that has learnt from some trials predicts for all, ``[n]``."""
    if not learnt.any():
        return np.zeros(len(learnt))
    ends = trials.ends[learnt]
    fitted = predictor.fit(trials.beginnings[learnt], trials.settings[learnt], ends)
    found = fitted.predict(trials.beginnings, trials.settings)
    span = float(np.ptp(ends))
    bounded = np.clip(found, ends.min() - span, ends.max() + span)
    return np.where(np.isfinite(found), bounded, ends.mean())


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
