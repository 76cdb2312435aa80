"""Shots of each row of angles, step by step: the same in all, growing, or as many as the price of a job suggests.

On a device a job takes two seconds beside its shots. Fewer shots than fill a good part of them save nothing; many more
make a gradient better than training can use.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Protocol

from qhn.backend.device.price import JOB_SECONDS, Task, price

UNPRICED_SHOTS = 300  # of a row on machines that are no device: within 4 million shots of 60 gradients of 197 rows
SHARE_OF_JOB = 0.9  # of the seconds of a job beside its shots that these are to take
FEWEST_SHOTS, MOST_SHOTS = 50, 500  # of a row, whatever the price


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


def priced_shots(task: Task | None) -> int:
    """The number of shots of each row of angles that the price of a gradient suggests.

    It is the number with which the shots of a gradient take 0.9 of the two seconds that a job takes beside them,
    rounded to tens, and at least 50 and at most 500: 200 on six tiles of 14 qubits. On the noise of fake_torino and six
    tiles, 60 steps of 190 shots solved .48 of 100 starts of ``gaussian-activation``, and of 130 shots .32; with shot
    noise alone 200 shots solve .67 and 100 shots .58 (``make reproduce FIG=frugal``). Numbers that grow with the steps
    gave no more than constant ones.

    Args:
        task: the work of a gradient on the device, whatever its shots; None on machines that are no device, where they
            are 300.

    >>> from dataclasses import replace
    >>> task = Task(num_rows=197, shots=1, duration=2.4e-6, two_qubit_gates=26, rep_delay=250e-6, max_shots=100_000)
    >>> priced_shots(task), priced_shots(replace(task, tiles=6)), priced_shots(None)
    (50, 200, 300)
    """
    if task is None:
        return UNPRICED_SHOTS
    one = price(dataclasses.replace(task, shots=1))
    shots = SHARE_OF_JOB * JOB_SECONDS / (one.circuits * one.seconds_per_shot)
    return min(max(10 * round(shots / 10), FEWEST_SHOTS), MOST_SHOTS)
