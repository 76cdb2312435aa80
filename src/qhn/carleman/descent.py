"""Gradient descent on some or all parameters, on all samples or on some of them in each step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.carleman.pruning import check_support
from qhn.errors import QhnError
from qhn.fields import Number, Whole, settle
from qhn.seeds import Key, Purpose


class Trainable(Protocol):
    """A mean loss over samples that has a gradient, such as that of a network.

    Attributes:
        inputs: the features of the samples, ``[m, features]``.
    """

    @property
    def inputs(self) -> Floats:
        """The features of the samples, ``[m, features]``."""
        ...

    def gradient(self, theta: Floats, rows: Integers | None = None) -> Floats:
        """The gradient at parameters ``[n]``, of the samples ``rows`` or of all."""
        ...


@dataclass(frozen=True)
class Descent:
    """The settings of gradient descent.

    Attributes:
        learning_rate: the step size η, above 0.
        steps: number of steps, at least 0.
        batch: number of samples drawn without replacement for each step; None for all of them, in every step.
        seed: seed of the samples that are drawn.
    """

    learning_rate: float
    steps: int
    batch: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        settle(self, learning_rate=Number(above=0), steps=Whole(0), seed=Whole(0))
        if self.batch is not None:
            settle(self, batch=Whole(1))

    def rows(self, step: int, num_samples: int) -> Integers | None:
        """The numbers of the samples of a step, ascending, ``[batch]``; None for all samples.

        Args:
            step: number of the step, from 0.
            num_samples: number of samples to draw from.

        Raises:
            QhnError: if a batch is larger than the number of samples.
        """
        if self.batch is None:
            return None
        size = Whole(1, num_samples)("batch", self.batch)
        rng = Key(self.seed, Purpose.DIRECTION, step).generator()
        return np.sort(rng.choice(num_samples, size, replace=False))


def descend(model: Trainable, theta: ArrayLike, descent: Descent, support: ArrayLike | None = None) -> Iterator[Floats]:
    """The parameters ``[n]`` along a descent: before the first step, and after each one.

    Args:
        model: what is trained.
        theta: the first parameters, ``[n]``.
        descent: the settings.
        support: indices of the parameters that are trained; all others stay as they are. None for all.

    Yields:
        The parameters, ``descent.steps + 1`` times.

    Raises:
        QhnError: if a batch is larger than the number of samples, or a descent diverges.
    """
    values = np.array(theta, dtype=np.float64)
    trained = np.zeros(len(values))
    trained[slice(None) if support is None else check_support(support, len(values))] = 1.0
    yield values.copy()
    for step in range(descent.steps):
        rows = descent.rows(step, len(model.inputs))
        with np.errstate(over="ignore", invalid="ignore"):
            values = values - descent.learning_rate * trained * model.gradient(values, rows)
        if not np.isfinite(values).all():
            raise QhnError(
                f"the descent diverged in step {step + 1}; take a learning rate below {descent.learning_rate:g}"
            )
        yield values
