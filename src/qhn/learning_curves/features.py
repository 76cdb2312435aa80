"""Features of the beginnings of learning curves, from which a regression predicts how the curves end."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Bools, Floats
from qhn.errors import QhnError
from qhn.text import did_you_mean, shown

FEATURES = ("curve", "curve+differences", "curve+differences+settings", "curve+settings")
FENCE = 10.0  # interquartile ranges
LARGEST = 1e100  # magnitude of losses up to which squares and their sums are finite


def check_features(features: Any) -> str:
    """The name of a kind of features, if there is one of that name.

    Raises:
        QhnError: if there is none.

    >>> check_features("curve+settings")
    'curve+settings'
    """
    if features not in FEATURES:
        hint = did_you_mean(str(features), FEATURES, otherwise=f"there are {', '.join(FEATURES)}")
        raise QhnError(f"features must be the name of a kind of features, got {shown(features)}; {hint}")
    return str(features)


def as_curves(curves: ArrayLike, settings: ArrayLike) -> tuple[Floats, Floats]:
    """Beginnings of learning curves and their hyper-parameters as arrays of numbers that fit together.

    Args:
        curves: losses on the common grid of resource, ``[n, p]`` with p of at least 1.
        settings: hyper-parameters as numbers, ``[n, k]``, where k may be 0.

    Returns:
        Both as arrays of floating-point numbers. Before its first step a curve has its first known value.

    Raises:
        QhnError: if the shapes are others, or a hyper-parameter is not finite.

    >>> as_curves([[np.nan, 0.5, 0.4]], np.empty((1, 0)))[0]
    array([[0.5, 0.5, 0.4]])
    """
    losses, numbers = np.asarray(curves, dtype=np.float64), np.asarray(settings, dtype=np.float64)
    if losses.ndim != 2 or losses.shape[1] < 1:
        raise QhnError(
            f"curves must have the shape [curves, resource] with a resource of at least 1, got {losses.shape}"
        )
    if numbers.ndim != 2 or len(numbers) != len(losses):
        words = f"settings must have a row for each of the {len(losses)} curves, got the shape {numbers.shape}"
        raise QhnError(f"{words}; without hyper-parameters give one of ({len(losses)}, 0)")
    if not np.isfinite(numbers).all():
        raise QhnError("settings must be finite numbers; leave a hyper-parameter out that not every curve has")
    return _begun(losses), numbers


def _begun(curves: Floats) -> Floats:
    """The curves ``[n, p]`` whose nan before the first known value have been replaced by it."""
    is_known = ~np.isnan(curves)
    first = is_known.argmax(axis=1)
    values = curves[np.arange(len(curves)), first]
    before = np.arange(curves.shape[1]) < first[:, None]
    return np.where(before, values[:, None], curves)


def is_predictable(curves: Floats) -> Bools:
    """Whether the end of a learning curve can be predicted: ``[n, p]`` → ``[n]``.

    Curves without any value cannot be continued, nor those with values that are not finite or exceed 1e100.

    >>> is_predictable(np.array([[0.5, 0.4], [0.5, np.inf], [np.nan, np.nan]])).tolist()
    [True, False, False]
    """
    return np.array((np.abs(curves) <= LARGEST).all(axis=1))


def features_of(kind: str, curves: Floats, settings: Floats) -> Floats:
    """The features of curves, ``[n, columns]``.

    Args:
        kind: the name of the kind of features, one of ``FEATURES``.
        curves: losses on the common grid, ``[n, p]``, all of them finite.
        settings: hyper-parameters as numbers, ``[n, k]``.

    >>> features_of("curve+differences+settings", np.array([[0.5, 0.4, 0.4]]), np.array([[2.0]])).round(2)
    array([[ 0.5,  0.4,  0.4, -0.1,  0. ,  2. ]])
    """
    parts = {"curve": curves, "differences": np.diff(curves, axis=1), "settings": settings}
    return np.hstack([parts[part] for part in kind.split("+")])


def fences(columns: Floats) -> tuple[Floats, Floats]:
    """The bounds of each column beyond which values are those of trainings that diverged, ``[columns]`` each.

    They lie ten interquartile ranges beyond the quartiles: single curves of 1e9 among losses below 1 would else set the
    scale for all. A column without such a range has no bounds.

    Args:
        columns: values ``[n, columns]``, all of them finite.
    """
    lower, upper = np.quantile(columns, (0.25, 0.75), axis=0)
    reach = np.where(upper > lower, FENCE * (upper - lower), np.inf)
    return lower - reach, upper + reach
