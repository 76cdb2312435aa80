"""How well a predictor predicts curves that it has not learnt from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.learning_curves.features import as_curves
from qhn.learning_curves.predictors import Predictor

FOLDS = 5
RESAMPLES = 2000  # of the bootstrap
TAILS = (0.025, 0.975)  # the ends of an interval of 95 %


def out_of_fold(
    predictor: Predictor,
    curves: ArrayLike,
    settings: ArrayLike,
    finals: ArrayLike,
    folds: int = FOLDS,
    seed: int = 0,
) -> Floats:
    """The losses at the end of curves, each as predicted from the curves of the other folds (cross-validation).

    Their distances from the true losses show how far predictions of new curves are off. The predictor learns from fewer
    curves than there are, so that they are rather too large than too small.

    Args:
        predictor: the predictor.
        curves: losses at the beginning, on the common grid of resource, ``[n, p]``.
        settings: hyper-parameters as numbers, ``[n, k]``.
        finals: losses at the end, ``[n]``.
        folds: number of folds; with fewer curves than that, each curve is one.
        seed: seed of the division into folds.

    Returns:
        The predicted losses ``[n]``; infinite where nothing can be predicted.

    Raises:
        QhnError: if there are fewer than two curves or folds, or the arrays do not fit together.

    >>> from qhn.learning_curves.predictors import predictor
    >>> begun, ends = np.array([[0.9], [0.7], [0.5], [0.3]]), np.array([0.8, 0.6, 0.4, 0.2])
    >>> out_of_fold(predictor("ridge", alpha=1e-9), begun, np.empty((4, 0)), ends, folds=4).round(3)
    array([0.8, 0.6, 0.4, 0.2])
    """
    losses, numbers = as_curves(curves, settings)
    ends = np.asarray(finals, dtype=np.float64)
    if ends.shape != (len(losses),) or len(ends) < 2:
        raise QhnError(
            f"finals must be as many losses as curves, at least 2, got {ends.shape} for {len(losses)} curves"
        )
    folds, seed = min(Whole(2)("folds", folds), len(ends)), Whole(0)("seed", seed)
    fold = np.random.default_rng(seed).permutation(len(ends)) % folds
    predictions = np.empty(len(ends))
    for number in range(folds):
        held, others = fold == number, fold != number
        fitted = predictor.fit(losses[others], numbers[others], ends[others])
        predictions[held] = fitted.predict(losses[held], numbers[held])
    return predictions


@dataclass(frozen=True)
class RSquared:
    """The share R² of the variance of losses that predictions explain, with its 95 % interval by the bootstrap.

    Attributes:
        value: 1 for perfect predictions, 0 for the mean of all losses, below 0 for worse; nan if it is not defined.
        low: lower end of the interval.
        high: upper end of the interval.
        curves: number of curves.

    >>> str(RSquared(0.5, 0.3, 0.65, 100))
    '0.50 (0.30–0.65)'
    """

    value: float
    low: float
    high: float
    curves: int

    def __str__(self) -> str:
        return f"{self.value:.2f} ({self.low:.2f}–{self.high:.2f})".replace("-", "−")


def r_squared(finals: ArrayLike, predictions: ArrayLike, seed: int = 0) -> RSquared:
    """The share R² of the variance of losses that predictions explain, with its interval.

    The interval holds for other curves of the same kind, and for the predictor as it was trained: curves are drawn
    again with replacement, and nothing is learnt anew. Curves that failed, or about which nothing was predicted, are
    left out.

    Args:
        finals: the true losses, ``[n]``.
        predictions: the predicted losses, ``[n]``.
        seed: seed of the bootstrap.

    Raises:
        QhnError: if the arrays are not of the same length.

    >>> r_squared([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]).value
    1.0
    """
    truth, predicted = np.asarray(finals, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != predicted.shape:
        raise QhnError(f"predictions must be as many as finals, got the shapes {predicted.shape} and {truth.shape}")
    usable = np.isfinite(truth) & np.isfinite(predicted)
    truth, predicted = truth[usable], predicted[usable]
    number = len(truth)
    value = float(_explained(truth, predicted))
    if math.isnan(value):
        return RSquared(value, value, value, number)
    drawn = np.random.default_rng(seed).integers(number, size=(RESAMPLES, number))
    low, high = np.nanquantile(_explained(truth[drawn], predicted[drawn]), TAILS)
    return RSquared(value, float(low), float(high), number)


def _explained(truth: Floats, predicted: Floats) -> Floats:
    """R² over the last axis; nan where the losses do not vary."""
    mean = truth.sum(axis=-1, keepdims=True) / max(truth.shape[-1], 1)
    variance = ((truth - mean) ** 2).sum(axis=-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = ((truth - predicted) ** 2).sum(axis=-1) / variance
    return np.where(variance > 0, 1 - share, np.nan)[()]
