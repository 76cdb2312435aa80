"""Labelled samples over which losses are summed: equal ones once, with their number, and each with a weight."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn.arrays import Floats, Integers

REPEATS = 2  # samples for each different one from which on equal ones are summed once


@dataclass(frozen=True)
class Samples:
    """Different samples over which the mean loss is Σ_i w_i loss_i / Σ_i w_i.

    Attributes:
        x: the features, ``[samples, num_features]``.
        y: the classes, from 0.0, ``[samples]``.
        counts: how often each sample stands in the data, ``[samples]``.
        class_weights: the weight of the class of each sample, relative to the largest one, ``[samples]``.
    """

    x: Floats
    y: Floats
    counts: Integers
    class_weights: Floats

    @classmethod
    def of(cls, x: Floats, y: Floats, class_weights: tuple[float, ...] | None = None) -> Samples:
        """The samples of a data set; equal ones become one if that leaves at most half of them.

        Args:
            x: the features, ``[samples, num_features]``.
            y: the classes, from 0.0, ``[samples]``.
            class_weights: the weight of a sample of each class; None if all samples count alike.

        >>> found = Samples.of(np.array([[1.0], [1.0], [3.0], [1.0]]), np.array([0.0, 0.0, 1.0, 0.0]), (1.0, 4.0))
        >>> found.x.ravel(), found.counts, found.weights
        (array([1., 3.]), array([3, 1]), array([0.75, 1.  ]))
        """
        first, counts = _different(x, y)
        if REPEATS * len(first) <= len(y):
            x, y = x[first], y[first]
        else:
            counts = np.ones(len(y), dtype=np.int64)
        relative = np.ones(int(y.max(initial=0.0)) + 1)
        if class_weights is not None:
            relative = np.array(class_weights) / max(class_weights)  # of which no sum overflows
        return cls(x, y, counts, relative[y.astype(np.intp)])

    def __len__(self) -> int:
        return len(self.y)

    @cached_property
    def weights(self) -> Floats:
        """The weight w of each sample, the number of equal ones times the weight of their class: ``[samples]``."""
        weights: Floats = self.counts * self.class_weights
        return weights

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
        """Sums over samples that count alike, whose weighted sum is that over all samples.

        Numbers of equal samples are sums of powers of two, so that a sample is in few of few groups.

        Returns:
            A weight for each group, and the places of its samples, ``[n]``.
        """
        found = []
        for weight in np.unique(self.class_weights):
            for bit in range(int(self.counts.max()).bit_length()):
                places = np.flatnonzero((self.class_weights == weight) & (self.counts >> bit & 1 == 1))
                if len(places):
                    found.append((float(weight * 2**bit), places))
        return found

    def mean(self, losses: Floats) -> Floats:
        """The weighted means over samples, and the sums over other axes: ``[B, samples, …]`` → ``[B]``."""
        if not self.count_alike:
            losses = losses * self.weights.reshape(-1, *(1 for _ in losses.shape[2:]))
        total: Floats = losses.reshape(len(losses), -1).sum(axis=1) / self.total
        return total

    def share(self, hits: Floats) -> Floats:
        """The share of the samples of the data, whatever their class, that are hit: ``[B, samples]`` → ``[B]``."""
        share: Floats = (hits * self.counts).sum(axis=1) / self.counts.sum()
        return share


def _different(x: Floats, y: Floats) -> tuple[Integers, Integers]:
    """The places of the first of all equal samples, ascending, and the numbers of equal ones: ``[n]`` each."""
    rows = np.ascontiguousarray(np.column_stack([x, y]))
    keys = rows.view(np.dtype((np.void, rows.itemsize * rows.shape[1]))).ravel()
    _, first, counts = np.unique(keys, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], counts[order]
