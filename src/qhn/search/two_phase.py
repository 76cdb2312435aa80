"""Estimates from two phases of a survey: all trials are begun, and a random part of them is trained to the end.

The mean over all trials is that of their predicted ends, corrected by how far the predictions are off for the trials
whose ends are known. Since those are a random part of all, the correction removes any bias of the predictor, and its
scatter is the honest error: a bad predictor makes intervals wide, not wrong. This is the difference estimator of survey
sampling (Särndal, Swensson, Wretman, *Model Assisted Survey Sampling*, 1992, chapter 6), known as prediction-powered
inference (Angelopoulos et al., Science 382, 669, 2023), with the weight of the predictions chosen from the data
(PPI++, arXiv:2311.01453) so that a useless predictor is not used.

What is predicted for a trial whose end is known must come from a predictor that has not learnt from it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.statistics import TWO_SIDED

Interval = tuple[float, float]
FEWEST = 3  # known ends from which their scatter about the predictions can be told
UNSEEN_MISSES = 1.0  # squared misses that are added to those seen, since a few known ends need not show any
UNSEEN_MISS = 0.25  # squared miss of a mean, in variances of the ends: without it intervals held 78 % from 15 of 40


@dataclass(frozen=True)
class Estimate:
    """An estimate with its 95 % intervals.

    Attributes:
        value: the estimate; nan if nothing is known.
        interval: the ends of the interval for all initialisations, of which the trials are a random sample.
        sweep_interval: the ends of the interval for the trials of the survey alone: the value that they would have had
            if all of them had been trained to the end.
        trials: the number of trials that, if all of them were trained to the end, would tell the value as precisely.
    """

    value: float
    interval: Interval
    sweep_interval: Interval
    trials: float

    def __str__(self) -> str:
        low, high = self.interval
        return "–" if math.isnan(self.value) else f"{self.value:.3g} ({low:.3g}–{high:.3g})"


def estimate_mean(known: Floats, predicted_known: Floats, predicted_others: Floats) -> Estimate:
    """The mean of the ends of all trials.

    The intervals use Student's distribution. They are infinite with fewer than three known ends. To the misses of the
    predictions one by half a standard deviation of the ends is added: where most ends are predicted exactly and few are
    far off, a few known ends need not show any of these.

    Args:
        known: the ends of the trials that are trained to the end, ``[n]``, a random part of all.
        predicted_known: what was predicted for them without them, ``[n]``.
        predicted_others: what is predicted for all other trials, ``[m]``.

    >>> known, predicted = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.6, 1.4, 2.6, 3.4])  # 0.5 too low
    >>> estimate = estimate_mean(known, predicted, np.array([4.5, 5.5, 6.5, 7.5]))
    >>> print(f"{estimate.value:.2f}", [round(end, 2) for end in estimate.sweep_interval])
    4.50 [3.77, 5.23]
    """
    from scipy.special import stdtrit

    every = len(known) + len(predicted_others)
    value, residuals = _corrected_mean(known, predicted_known, predicted_others)
    if len(known) < FEWEST:
        return Estimate(value, (-math.inf, math.inf), (-math.inf, math.inf), len(known))
    degrees = len(known) - 2
    variance = float(known.var(ddof=1))
    missed = float(residuals @ residuals) + UNSEEN_MISS * variance
    of_sweep = len(predicted_others) / every * missed / degrees / len(known)
    of_all = of_sweep + variance / every
    trials = variance / of_all if of_all else every
    factor = float(stdtrit(degrees, 0.975))
    reach, sweep_reach = factor * math.sqrt(of_all), factor * math.sqrt(of_sweep)
    return Estimate(value, (value - reach, value + reach), (value - sweep_reach, value + sweep_reach), trials)


def estimate_rate(known: Floats, predicted_known: Floats, predicted_others: Floats) -> Estimate:
    """The share of successes among all trials.

    The intervals are Wilson's for as many trials as would tell the share as precisely. Predictions count as far as
    those for known ends were right. With no success or no failure among the known ends that cannot be seen, and the
    interval is Wilson's for the known ends alone, however many more are predicted to be alike.

    Args:
        known: 1 for each trial that is trained to the end and succeeds, 0 for one that does not, ``[n]``.
        predicted_known: the probabilities of success predicted for them without them, ``[n]``.
        predicted_others: the probabilities predicted for all other trials, ``[m]``.

    >>> known, predicted = np.repeat([1.0, 0.0], 20), np.repeat([0.9, 0.1], 20)
    >>> estimate = estimate_rate(known, predicted, np.repeat([0.9, 0.1], [60, 20]))
    >>> print(estimate, "in all,", [round(end, 2) for end in estimate.sweep_interval], "in the sweep")
    0.633 (0.533–0.723) in all, [0.59, 0.68] in the sweep
    >>> print(estimate_rate(np.zeros(20), np.zeros(20), np.zeros(80)))
    0 (0–0.161)
    """
    number, others = len(known), len(predicted_others)
    if not number:
        return Estimate(math.nan, (0.0, 1.0), (0.0, 1.0), 0)
    value, residuals = _corrected_mean(known, predicted_known, predicted_others)
    successes = float(known.sum())
    fewest, most = successes / (number + others), (successes + others) / (number + others)
    value = min(max(value, fewest), most)
    missed = _missed_share(known, residuals)
    sweep_part = others / (number + others) * missed / number  # variances in units of that of a single trial
    trials = 1 / (sweep_part + 1 / (number + others))
    low, high = _wilson(value, 1 / sweep_part) if others else (value, value)
    return Estimate(value, _wilson(value, trials), (max(low, fewest), min(high, most)), trials)


def _corrected_mean(known: Floats, predicted_known: Floats, predicted_others: Floats) -> tuple[float, Floats]:
    """The mean over all trials, and the residuals of the known ends about what is predicted and corrected, ``[n]``."""
    if not len(known):
        return math.nan, np.empty(0)
    weight = _weight(known, predicted_known)
    residuals = known - weight * predicted_known
    correction = residuals.mean()
    others = weight * predicted_others + correction
    return float((known.sum() + others.sum()) / (len(known) + len(others))), residuals - correction


def _weight(known: Floats, predicted: Floats) -> float:
    """The weight from 0 to 1 of predictions with which their residuals about known ends scatter the least."""
    scatter = predicted - predicted.mean()
    square = float(scatter @ scatter)
    return min(max(float(scatter @ known) / square, 0.0), 1.0) if square > 0 else 0.0


def _missed_share(known: Floats, residuals: Floats) -> float:
    """The share from 0 to 1 of the variance of successes that predictions do not explain, with what is unseen."""
    scatter = known - known.mean()
    seen = float(residuals @ residuals) * (len(known) - 1) / max(len(known) - 2, 1)
    return min((seen + UNSEEN_MISSES) / (float(scatter @ scatter) + UNSEEN_MISSES), 1.0)


def _wilson(share: float, trials: float) -> Interval:
    """Wilson's 95 % interval of a share from a number of trials that need not be an integer."""
    square = TWO_SIDED**2 / trials
    middle = (share + square / 2) / (1 + square)
    reach = math.sqrt(square * (share * (1 - share) + square / 4)) / (1 + square)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)
