"""What people who classify expect of predicted probabilities: accuracy and what it hides, ROC curves, losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.predict.calibration import Calibration, calibration
from qhn.statistics import wilson


@dataclass(frozen=True)
class Metrics:
    """How well predicted class probabilities tell the classes of samples.

    A sample is predicted to be of its most probable class, of equally probable ones the first.

    Attributes:
        confusion: number of samples by true class, in rows, and predicted class, in columns, ``[K, K]``.
        roc_auc: area under the ROC curve, that of the second class of two, or the mean of those of each class against
            all others; None if it is not defined, since a class has no samples or all of them.
        calibration: accuracy, losses and calibration.
    """

    confusion: Integers
    roc_auc: float | None
    calibration: Calibration

    @property
    def num_samples(self) -> int:
        """The number of samples."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """The share of right predictions."""
        return self.calibration.accuracy

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95 % Wilson interval of the accuracy on new samples, if nothing was learned from these."""
        return wilson(int(np.trace(self.confusion)), self.num_samples)

    @property
    def balanced_accuracy(self) -> float:
        """The mean over classes of the share of right predictions of its samples; classes without any are left out."""
        sizes = self.confusion.sum(axis=1)
        return float((np.diag(self.confusion)[sizes > 0] / sizes[sizes > 0]).mean())

    @property
    def log_loss(self) -> float:
        """The cross-entropy: mean of −log of the true class's probability in nats, of at least 2.2e-16."""
        return self.calibration.cross_entropy

    @property
    def brier(self) -> float:
        """The Brier score: mean of (p − y)² with two classes, and of Σ_c (p_c − [y = c])² with more."""
        return self.calibration.brier

    def facts(self) -> dict[str, Any]:
        """All numbers by name, as values of JSON."""
        return {
            "num_samples": self.num_samples,
            "accuracy": self.accuracy,
            "accuracy_interval": list(self.interval),
            "balanced_accuracy": self.balanced_accuracy,
            "roc_auc": self.roc_auc,
            "log_loss": self.log_loss,
            "brier": self.brier,
            "calibration_error": self.calibration.error,
            "confusion": self.confusion.tolist(),
        }


def metrics(probabilities: ArrayLike, y: ArrayLike) -> Metrics:
    """Judge probabilities ``[S, K]`` by the true classes ``[S]``, numbered from 0.

    Raises:
        ValueError: if there are no samples, the shapes do not fit, or a class is beyond 0 … K − 1.

    >>> found = metrics([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8], [0.3, 0.7]], [0, 0, 1, 1])
    >>> found.confusion.tolist(), found.accuracy, found.balanced_accuracy, found.roc_auc
    ([[1, 1], [0, 2]], 0.75, 0.75, 1.0)
    """
    p, label = np.asarray(probabilities, dtype=np.float64), np.asarray(y).astype(np.intp)
    judged = calibration(p, label)
    num_classes = p.shape[1]
    confusion = np.bincount(num_classes * label + p.argmax(axis=1), minlength=num_classes**2)
    return Metrics(confusion.reshape(num_classes, num_classes), _area(p, label), judged)


def _area(p: Floats, label: Integers) -> float | None:
    """The area under the ROC curve by :attr:`Metrics.roc_auc`."""
    classes = (1,) if p.shape[1] == 2 else range(p.shape[1])
    areas = [roc_auc(p[:, c], label == c) for c in classes]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if len(known) == len(areas) else None


@dataclass(frozen=True)
class RocCurve:
    """The shares of samples that are called positive as the least score for it falls.

    Attributes:
        thresholds: the least scores, descending, ``[n]``; the first is infinite.
        false_positives: share of the negative samples at each of them, ``[n]``, from 0 to 1.
        true_positives: share of the positive samples at each of them, ``[n]``, from 0 to 1.
    """

    thresholds: Floats
    false_positives: Floats
    true_positives: Floats

    @property
    def area(self) -> float:
        """The area under the curve."""
        heights = self.true_positives[1:] + self.true_positives[:-1]
        return float(np.diff(self.false_positives) @ heights / 2)

    def thinned(self, most: int) -> RocCurve:
        """The curve with at most so many corners, which are evenly chosen among its own.

        Args:
            most: number of corners, at least 2; the first and the last always stay.
        """
        number = len(self.thresholds)
        chosen = np.unique(np.linspace(0, number - 1, min(number, most)).round().astype(np.intp))
        return RocCurve(self.thresholds[chosen], self.false_positives[chosen], self.true_positives[chosen])


def roc_curve(score: ArrayLike, is_positive: ArrayLike) -> RocCurve | None:
    """The corners of the ROC curve of scores ``[S]``; None if all samples are positive or none is.

    >>> roc_curve([0.1, 0.5, 0.5, 0.9], [False, False, True, True]).true_positives.tolist()
    [0.0, 0.5, 1.0, 1.0]
    """
    score, positive = np.asarray(score, dtype=np.float64), np.asarray(is_positive, dtype=bool)
    if positive.all() or not positive.any():
        return None
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)  # the last sample of each score
    right = np.append(0, np.cumsum(positive[order])[ends])
    wrong = np.append(0, ends + 1) - right
    is_corner = np.ones(len(right), dtype=bool)
    steps = np.diff(np.stack([right, wrong]), axis=1)
    is_corner[1:-1] = steps[0, :-1] * steps[1, 1:] != steps[0, 1:] * steps[1, :-1]  # else it lies on a line
    thresholds = np.append(np.inf, score[order][ends])
    return RocCurve(thresholds[is_corner], (wrong / wrong[-1])[is_corner], (right / right[-1])[is_corner])


def roc_auc(score: ArrayLike, is_positive: ArrayLike) -> float | None:
    """The area under the ROC curve: how often a positive sample scores higher than a negative one.

    Equal scores count a half.

    Args:
        score: score of each sample, ``[S]``.
        is_positive: whether each sample is positive, ``[S]``.

    Returns:
        A number from 0 to 1, or None if all samples are positive or none is.

    >>> roc_auc([0.1, 0.5, 0.5, 0.9], [False, False, True, True]), roc_auc([0.1], [True])
    (0.875, None)
    """
    curve = roc_curve(score, is_positive)
    return None if curve is None else curve.area


def majority(y: ArrayLike, num_classes: int) -> Floats:
    """The shares of the classes among training samples ``[S]``, which is what to predict without looking: ``[K]``.

    >>> majority([0, 0, 0, 1], 3)
    array([0.75, 0.25, 0.  ])
    """
    labels = np.asarray(y).astype(np.intp)
    return np.bincount(labels, minlength=num_classes) / len(labels)
