"""Samples split into those of training and those of validation, with the same share of each class held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.errors import QhnError

Places = NDArray[np.intp]


@dataclass(frozen=True)
class Split:
    """How samples are split and scaled.

    Attributes:
        validation_fraction: share of the samples of each class that is held out for validation, in [0, 1).
        standardise: whether every feature is shifted and scaled to mean 0 and standard deviation 1 over the training
            samples.
        seed: seed of the split.
    """

    validation_fraction: float
    standardise: bool
    seed: int

    def places(self, y: NDArray[Any]) -> tuple[Places, Places]:
        """The places of training and of validation samples, with the same share of each class held out.

        Args:
            y: the class of each sample.

        Raises:
            QhnError: if the share is out of bounds, or leaves a class without training samples.
        """
        return split(y, self.validation_fraction, self.seed)


def split(y: NDArray[Any], fraction: float, seed: int) -> tuple[Places, Places]:
    """The places of training and of validation samples, with the same share of each class held out.

    Args:
        y: the class of each sample.
        fraction: the share of each class that is held out.
        seed: the seed.

    Raises:
        QhnError: if the share is out of bounds, or leaves a class without training samples.
    """
    if not 0 <= fraction < 1:
        raise QhnError(f"validation_fraction must be in [0, 1), got {fraction}")
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(y), dtype=bool)
    for value in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == value))
        held_out[members[: round(fraction * len(members))]] = True
    if len(set(y[~held_out])) < len(set(y)):
        raise QhnError(f"validation_fraction {fraction} leaves a class without training samples; lower it")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
