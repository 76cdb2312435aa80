"""Labelled samples over which losses are summed, each as often as it counts."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn.arrays import Floats, Integers


@dataclass(frozen=True)
class Samples:
    """Samples over which the mean loss is Σ_i w_i loss_i / Σ_i w_i.

    Attributes:
        x: the features, ``[samples, num_features]``.
        y: the classes, from 0.0, ``[samples]``.
        weights: the weight w of each sample, ``[samples]``.
    """

    x: Floats
    y: Floats
    weights: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, class_weights: tuple[float, ...] | None = None) -> Samples:
        """The samples of a data set.

        Args:
            x: the features, ``[samples, num_features]``.
            y: the classes, from 0.0, ``[samples]``.
            class_weights: the weight of a sample of each class; None if all samples count alike.

        >>> Samples.of(np.zeros((3, 2)), np.array([0.0, 1.0, 0.0]), (1.0, 4.0)).weights
        array([0.25, 1.  , 0.25])
        """
        if class_weights is None:
            return cls(x, y, np.ones(len(y)))
        relative = np.array(class_weights) / max(class_weights)  # of which no sum overflows
        return cls(x, y, relative[y.astype(np.intp)])

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def total(self) -> float:
        """The sum of all weights."""
        return float(self.weights.sum())

    @cached_property
    def count_alike(self) -> bool:
        """Whether all weights are 1."""
        return bool((self.weights == 1.0).all())

    @cached_property
    def groups(self) -> list[tuple[float, Integers]]:
        """A weight and the places of the samples that have it, ``[n]``, for each of the different weights."""
        return [(float(weight), np.flatnonzero(self.weights == weight)) for weight in np.unique(self.weights)]

    def mean(self, losses: Floats) -> Floats:
        """The weighted means over samples, and the sums over other axes: ``[B, samples, …]`` → ``[B]``."""
        if not self.count_alike:
            losses = losses * self.weights.reshape(-1, *(1 for _ in losses.shape[2:]))
        total: Floats = losses.reshape(len(losses), -1).sum(axis=1) / self.total
        return total
