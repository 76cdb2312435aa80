"""The space of hyper-parameters from which the trials of a study are drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qhn.errors import QhnError
from qhn.fields import Number, is_number, plain, settle, truth
from qhn.seeds import Key, Purpose
from qhn.text import shown


@dataclass(frozen=True)
class Range:
    """A range of numbers, from which a value is drawn uniformly.

    Attributes:
        low: the lower end.
        high: the upper end, which an integer can reach.
        log: whether the logarithm is uniform; both ends are then above 0.
        integer: whether values are integers.

    Raises:
        QhnError: at construction, if an end is out of bounds.

    >>> Range(1e-4, 1e-1, log=True).draw(np.random.default_rng(0))
    0.008144...
    """

    low: float
    high: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        settle(self, log=truth, integer=truth)
        settle(self, low=Number(above=0) if self.log else Number())
        settle(self, high=Number(low=self.low))
        if self.integer and not (float(self.low).is_integer() and float(self.high).is_integer()):
            raise QhnError(f"a range of integers needs integers at its ends, got {self.low:g} and {self.high:g}")

    def draw(self, generator: np.random.Generator) -> float | int:
        """A value of the range."""
        if not self.integer:
            ends = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
            value = float(generator.uniform(*ends))
            return min(max(math.exp(value), self.low), self.high) if self.log else value
        if self.log:
            value = math.exp(generator.uniform(math.log(self.low - 0.5), math.log(self.high + 0.5)))
            return int(min(max(round(value), self.low), self.high))
        return int(generator.integers(int(self.low), int(self.high), endpoint=True))


@dataclass(frozen=True)
class Space:
    """Hyper-parameters by name, each with a list of values or a range.

    Attributes:
        dimensions: a list of values or a :class:`Range` for each name.

    Raises:
        QhnError: at construction, if a hyper-parameter has no name or no values.

    >>> space = Space({"hidden": [16, 32, 64], "rate": Range(1e-4, 1e-1, log=True)})
    >>> space.draw(seed=0, trial=3) == space.draw(seed=0, trial=3) != space.draw(seed=0, trial=4)
    True
    """

    dimensions: Mapping[str, Sequence[Any] | Range]

    def __post_init__(self) -> None:
        if not isinstance(self.dimensions, Mapping):
            raise QhnError(f"a space must be a table of hyper-parameters by name, got {shown(self.dimensions)}")
        for name, values in self.dimensions.items():
            if not isinstance(name, str):
                raise QhnError(f"the name of a hyper-parameter must be a text, got {shown(name)}")
            if isinstance(values, Range):
                continue
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise QhnError(f"{name} must have a range or a list of at least one value, got {shown(values)}")

    def draw(self, seed: int, trial: int) -> dict[str, Any]:
        """The hyper-parameters of a trial, drawn independently of those of all others.

        Args:
            seed: the seed of the study.
            trial: the number of the trial.
        """
        generator = Key(seed, Purpose.TRIAL, trial).generator()
        return {
            name: values.draw(generator) if isinstance(values, Range) else values[int(generator.integers(len(values)))]
            for name, values in self.dimensions.items()
        }

    def as_numbers(self, values: Mapping[str, Any]) -> tuple[float, ...]:
        """Hyper-parameters as numbers, by which a predictor tells trials apart.

        A number stands for itself, or for its logarithm if its range is logarithmic or all values of its list are
        above 0 and span more than a factor of 10; anything else is a 1 among as many 0s as there are values.

        Args:
            values: the value of each hyper-parameter, as :meth:`draw` chooses them.
        """
        numbers: list[float] = []
        for name, dimension in self.dimensions.items():
            value = plain(values[name])
            if isinstance(dimension, Range):
                numbers.append(math.log(value) if dimension.log else float(value))
            elif len(dimension) > 1 and all(map(is_number, dimension)):
                low, high = min(map(float, dimension)), max(map(float, dimension))
                numbers.append(math.log(value) if low > 0 and high > 10 * low else float(value))
            elif len(dimension) > 1:
                numbers += [float(value == other) for other in dimension]
        return tuple(numbers)
