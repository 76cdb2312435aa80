"""Predictions of curves that a predictor has not learnt from, by cross-validation."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.learning_curves.features import as_curves
from qhn.learning_curves.predictors import Predictor

FOLDS = 5


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
