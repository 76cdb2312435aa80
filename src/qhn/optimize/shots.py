"""Shots of each row of angles, step by step: the same in all, growing, or as many as the price of a job suggests."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol


class Shots(Protocol):
    """A rule that says how many bitstrings of each row of angles a step measures."""

    def at(self, step: int) -> int:
        """The number of shots of each row of angles in a step; 0 if E is computed without shots."""
        ...

    @property
    def most(self) -> int:
        """The largest number of shots of a row in any step."""
        ...


@dataclass(frozen=True)
class GeometricShots:
    """Shots that grow geometrically from the first step to a given one, and stay from then on.

    Attributes:
        first: number of shots of a row in the first step.
        last: number of shots of a row in the step ``over`` and in all later ones.
        over: number of steps over which the shots grow; 0 if they are ``last`` in all steps.

    >>> [GeometricShots(100, 800, over=3).at(step) for step in range(5)], GeometricShots.constant(50).at(9)
    ([100, 200, 400, 800, 800], 50)
    """

    first: int
    last: int
    over: int

    @classmethod
    def constant(cls, shots: int) -> GeometricShots:
        """A constant number of shots in all steps; 0 to compute E without shots."""
        return cls(shots, shots, 0)

    @property
    def most(self) -> int:
        """The largest number of shots of a row in any step."""
        return max(self.first, self.last)

    def at(self, step: int) -> int:
        """The number of shots of each row of angles in a step."""
        if step >= self.over:
            return self.last
        share = step / self.over
        return round(math.exp((1 - share) * math.log(self.first) + share * math.log(self.last)))
