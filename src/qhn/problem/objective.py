"""The objective of a run: the mean cost E = ⟨C⟩ of measured bitstrings, or the mean of the lowest costs (CVaR).

CVaR_α is the mean of the lowest α of the costs. With t the α-quantile it is the plain mean of C̃ = t − (t − C)₊/α, and
because it is stationary in t, the gradient of CVaR is the gradient of ⟨C̃⟩ at fixed t. So one rule serves every
objective: transform the costs, then average. Shifting CVaR values themselves would not give its gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError


@dataclass(frozen=True)
class Objective:
    """The objective CVaR_α, the mean of the lowest share ``alpha`` of the costs; ``alpha = 1`` is the mean of all.

    Raises:
        ValueError: at construction, if alpha is not in (0, 1].

    >>> Objective(alpha=0.5).transform(np.array([1.0, 2.0, 3.0, 4.0])).mean()
    np.float64(1.5)
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.alpha <= 1:
            raise QhnError(f"alpha of CVaR must be in (0, 1], got {self.alpha}")

    @property
    def is_mean(self) -> bool:
        """Whether the objective is the mean of all costs."""
        return self.alpha == 1

    def transform(self, costs: Floats, reference: Floats | None = None) -> Floats:
        """The transformed costs C̃ whose mean is the objective: costs ``[..., shots]`` → the same shape.

        Args:
            costs: costs of the measured bitstrings.
            reference: the costs whose α-quantile is t, broadcastable to ``costs``; None stands for ``costs``. A
                gradient passes the costs measured at the unshifted angles.
        """
        if self.is_mean:
            return costs
        source = costs if reference is None else reference
        rank = int(np.ceil(self.alpha * source.shape[-1])) - 1
        return self.tail(costs, np.partition(source, rank, axis=-1)[..., rank, None])

    def tail(self, costs: Floats, t: Floats | float) -> Floats:
        """The transformed costs C̃ = t − (t − C)₊/α for a known quantile t."""
        return t - np.maximum(t - costs, 0.0) / self.alpha
