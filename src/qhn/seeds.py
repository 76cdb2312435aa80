"""The seeds of all random numbers.

A random choice is named by a :class:`Key`: its purpose, the training step and the evaluation within the step. It
derives from the run's seed through ``numpy.random.SeedSequence``. Nothing repeats, everything can be drawn again, and a
resumed run draws what an uninterrupted one would have drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from qhn.fields import Whole, settle


class Purpose(IntEnum):
    """The purpose of a random number; the values are part of every run's identity and must never be renumbered."""

    INITIAL_THETA = 0
    SHOTS = 1
    DIRECTION = 2
    EVALUATION = 3
    RANDOM_SEARCH = 4
    BASELINE = 5
    TRIAL = 6


@dataclass(frozen=True)
class Key:
    """The name of one random choice, from which its random numbers derive.

    Attributes:
        seed: the run's seed, a non-negative integer.
        purpose: the purpose of the random numbers.
        step: the training step, from 0.
        evaluation: the evaluation within the step, from 0; a line search makes several.
        run: identifier of the run, used to tag jobs; it does not change the random numbers.

    >>> Key(seed=7).uint32() == Key(seed=7, run="other").uint32() != Key(seed=7, step=1).uint32()
    True
    """

    seed: int
    purpose: Purpose = Purpose.SHOTS
    step: int = 0
    evaluation: int = 0
    run: str = ""

    def __post_init__(self) -> None:
        settle(self, **dict.fromkeys(("seed", "step", "evaluation"), Whole(0)))

    def generator(self) -> np.random.Generator:
        """A new random generator, seeded by this key."""
        return np.random.default_rng(self._sequence())

    def uint32(self) -> int:
        """A 32-bit seed derived from this key, for simulators that take an integer."""
        return int(self._sequence().generate_state(1, np.uint32)[0])

    @property
    def tag(self) -> str:
        """The tag of this evaluation's jobs at a service: ``qhn:<run>:<step>:<evaluation>``."""
        return f"qhn:{self.run}:{self.step}:{self.evaluation}"

    def _sequence(self) -> np.random.SeedSequence:
        return np.random.SeedSequence(self.seed, spawn_key=(int(self.purpose), self.step, self.evaluation, 0))
