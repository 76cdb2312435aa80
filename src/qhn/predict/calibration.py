"""The calibration of predicted probabilities: accuracy, cross-entropy, Brier score, expected calibration error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError

NUM_BINS = 10
LEAST = float(np.finfo(np.float64).eps)  # a smaller probability p is lost in 1 − p


@dataclass(frozen=True)
class Calibration:
    """A comparison of predicted class probabilities with the true classes.

    A sample's confidence is the highest of its probabilities, and its prediction is right if that class is its own. Ten
    bins of equal width hold the samples by confidence, bin m those in (m/10, (m + 1)/10], m from 0 (Guo et al.,
    arXiv:1706.04599).

    Attributes:
        accuracy: the share of right predictions.
        cross_entropy: mean of −log of the true class's probability, in nats. A probability below 2.2e-16 counts as
            2.2e-16, so that one sample costs at most 36.04 nats.
        brier: mean of (p − y)² with two classes, p the probability of the second one, and of Σ_c (p_c − [y = c])² with
            more, from 0 to 2. It is the loss ``"mse"`` of a network without weights of classes.
        counts: number of samples in each bin, ``[10]``.
        confidence: mean confidence of the samples in each bin, ``[10]``, nan in an empty bin.
        right: share of right predictions in each bin, ``[10]``, nan in an empty bin.
    """

    accuracy: float
    cross_entropy: float
    brier: float
    counts: Integers
    confidence: Floats
    right: Floats

    @property
    def error(self) -> float:
        """The expected calibration error: Σ (count / all) · abs(share right − mean confidence) over the bins."""
        filled = self.counts > 0
        gaps = np.abs(self.right[filled] - self.confidence[filled])
        return float(gaps @ self.counts[filled] / self.counts.sum())


def calibration(probabilities: ArrayLike, y: ArrayLike) -> Calibration:
    """Compare probabilities ``[S, K]`` with the true classes ``[S]``, numbered from 0.

    Raises:
        ValueError: if there are no samples, the shapes do not fit, or a class is beyond 0 … K − 1.

    >>> found = calibration([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7]], [0, 1, 1, 1])
    >>> found.accuracy, round(found.brier, 3), round(found.error, 3)
    (0.75, 0.125, 0.3)
    """
    p, label = np.asarray(probabilities, dtype=np.float64), np.asarray(y).astype(np.intp)
    if p.ndim != 2 or label.shape != p.shape[:1] or not len(p):
        raise QhnError(
            f"probabilities must have shape [samples, classes], y one class a sample, at least one sample; got "
            f"{list(p.shape)} and {list(label.shape)}"
        )
    if label.min() < 0 or label.max() >= p.shape[1]:
        raise QhnError(f"classes must be from 0 to {p.shape[1] - 1}, got {label.min()} to {label.max()}")
    top = p.max(axis=1)
    is_right = p.argmax(axis=1) == label
    edges = np.arange(1, NUM_BINS) / NUM_BINS
    place = np.searchsorted(edges, top, side="left")
    counts = np.bincount(place, minlength=NUM_BINS)
    sums = [np.bincount(place, weights=values, minlength=NUM_BINS) for values in (top, is_right)]
    empty = np.where(counts, counts, np.nan)
    squares = np.square(p - np.eye(p.shape[1])[label])
    return Calibration(
        accuracy=float(is_right.mean()),
        cross_entropy=0.0 - float(np.log(np.maximum(p[np.arange(len(p)), label], LEAST)).mean()),
        brier=float((squares[:, 1] if p.shape[1] == 2 else squares.sum(axis=1)).mean()),
        counts=counts,
        confidence=sums[0] / empty,
        right=sums[1] / empty,
    )
