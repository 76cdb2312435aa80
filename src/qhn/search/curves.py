"""The learning curves of a study's trials on the common grid of resource, and what is decided from them."""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError

Settings = Callable[[int], Sequence[float]]  # the hyper-parameters of a trial as numbers, by its number


class Curves:
    """The learning curves of trials: losses on the grid of resource 1, 2, …, of which lower ones are better.

    The loss at a resource is that of the last step that a trial has made by then: nan before its first step, and
    infinite from where it failed, which is where it is no finite number after the first step. A trial that has failed
    stays so.

    Args:
        settings: a function that tells the hyper-parameters of a trial as numbers, for predictors that use them.

    >>> curves = Curves()
    >>> curves.extend(0, [math.nan, 0.5])
    >>> curves.extend(1, [0.4, 0.3, 0.2])
    >>> curves.reached(0), curves.loss(0, 1), curves.ranked([0, 1], 2)
    (2, inf, [1, 0])
    """

    def __init__(self, settings: Settings = lambda trial: ()) -> None:
        self._settings = settings
        self._losses: dict[int, list[float]] = {}

    def extend(self, trial: int, losses: Sequence[float]) -> None:
        """Add the losses of a trial at the units of resource that follow those it has reached."""
        curve = self._losses.setdefault(trial, [])
        before = curve[-1] if curve else math.nan
        for loss in map(float, losses):
            has_begun = not (math.isnan(before) and math.isnan(loss))
            is_sound = math.isfinite(loss) and not math.isinf(before)
            before = loss if is_sound or not has_begun else math.inf
            curve.append(before)

    def reached(self, trial: int) -> int:
        """The resource that a trial has reached, in units; 0 if it has not begun."""
        return len(self._losses.get(trial, ()))

    def loss(self, trial: int, resource: int) -> float:
        """The loss of a trial at a resource by which it is compared; infinite if it has none there."""
        loss = self._losses[trial][resource - 1]
        return math.inf if math.isnan(loss) else loss

    def last(self, trial: int) -> float:
        """The loss of a trial at the resource that it has reached; nan if it has not begun."""
        return self._losses[trial][-1] if self.reached(trial) else math.nan

    def has_failed(self, trial: int) -> bool:
        """Whether a trial has failed by the resource that it has reached."""
        return math.isinf(self.last(trial))

    def of(self, trial: int) -> Floats:
        """The curve of a trial as far as it has reached, ``[reached]``."""
        return np.array(self._losses.get(trial, ()), dtype=np.float64)

    def until(self, trials: Sequence[int], resource: int) -> Floats:
        """The curves of trials up to a resource that each has reached, ``[trials, resource]``."""
        return np.array([self._losses[trial][:resource] for trial in trials], dtype=np.float64).reshape(-1, resource)

    def settings(self, trials: Sequence[int]) -> Floats:
        """The hyper-parameters of trials as numbers, ``[trials, k]``."""
        rows = [tuple(self._settings(trial)) for trial in trials]
        return np.array(rows, dtype=np.float64).reshape(len(rows), len(rows[0]) if rows else 0)

    def ranked(self, trials: Sequence[int], resource: int) -> list[int]:
        """The trials by their loss at a resource, the best first; of equal ones the lower number."""
        return sorted(trials, key=lambda trial: (self.loss(trial, resource), trial))


@dataclass(frozen=True)
class KnownCurves:
    """Whole learning curves from which predictors can learn.

    Attributes:
        curves: losses at every unit of resource, ``[n, max_resource]``.
        settings: the hyper-parameters as numbers, ``[n, k]``; by default there are none.

    Raises:
        QhnError: at construction, if the arrays do not fit together.

    >>> KnownCurves([[0.5, 0.4], [0.6, 0.3]])
    KnownCurves(2 curves of 2 units, crc32 89c314b4)
    """

    curves: Floats
    settings: Floats = field(default_factory=lambda: np.empty((0, 0)))

    def __post_init__(self) -> None:
        curves = np.asarray(self.curves, dtype=np.float64)
        settings = np.asarray(self.settings, dtype=np.float64)
        if not settings.size:
            settings = settings.reshape(len(curves), 0)
        if curves.ndim != 2 or settings.ndim != 2 or len(curves) != len(settings):
            words = f"curves and settings must be [n, units] and [n, k], got {curves.shape} and {settings.shape}"
            raise QhnError(words)
        object.__setattr__(self, "curves", curves)
        object.__setattr__(self, "settings", settings)

    def __repr__(self) -> str:  # part of what defines a study
        number, length = self.curves.shape
        digits = zlib.crc32(self.settings.tobytes(), zlib.crc32(self.curves.tobytes()))
        return f"KnownCurves({number} curves of {length} units, crc32 {digits:08x})"


class Verdict(StrEnum):
    """What a scheduler decides about a trial.

    Those of a decision point within a round come before those at its end.
    """

    FULL = "full"  # goes on to the end of the round whatever is predicted: a curve to learn from
    CONTINUED = "continued"  # is predicted to be good enough
    STOPPED = "stopped"  # is predicted not to be
    PROMOTED = "promoted"  # is among the best of its round, and goes on to the next, or has won its bracket
    DROPPED = "dropped"  # is not


@dataclass(frozen=True)
class Decision:
    """A decision about a trial.

    Attributes:
        bracket: the number of the bracket, from 0.
        round: the number of the round in the bracket, from 0.
        resource: the resource at which it was decided, in units.
        trial: the number of the trial.
        verdict: what was decided.
        predicted: the predicted loss at the end of the round; nan if nothing was predicted.
        threshold: the loss below which a predicted loss was good enough; nan if nothing was predicted.
    """

    bracket: int
    round: int
    resource: int
    trial: int
    verdict: Verdict
    predicted: float = math.nan
    threshold: float = math.nan
