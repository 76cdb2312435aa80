"""What stopping early gains, measured on data that did not choose when to stop.

A step that is chosen where a curve is lowest looks better than it is: the lowest of many noisy values is low by chance.
So the step for a data set is chosen on other data sets (cross-fitting), and its gain is measured in the test E.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import inf

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.paper.claims import Verdict, verdict_of
from qhn.paper.family import Decisions, Family
from qhn.paper.inference import Difference, Hypothesis

FALL, RISE, GAIN, NO_RISE, NO_GAIN = "fall", "rise", "gain", "rise is negligible", "gain is negligible"


@dataclass(frozen=True)
class Curves:
    """E along the training of many data sets, ``[data sets, steps]`` each, and the step at which to stop.

    Attributes:
        training: E on the samples that it was trained on.
        validation: E on many validation samples.
        test: E on as many test samples, which choose nothing.
        few: E on as few further samples as there were for training.
        folds: number of parts of the data sets; the step for each part is chosen on the others.

    >>> flat = np.tile([3.0, 1.0, 2.0], (4, 1))
    >>> curves = Curves(flat, flat, flat, flat, folds=2)
    >>> curves.steps, curves.gain.value
    (array([1, 1, 1, 1]), 1.0)
    """

    training: Floats
    validation: Floats
    test: Floats
    few: Floats
    folds: int

    @cached_property
    def steps(self) -> Integers:
        """The step of each data set at which the mean validation E of the other parts is lowest, ``[data sets]``."""
        part = np.arange(len(self.validation)) % self.folds
        lowest = [int(self.validation[part != fold].mean(axis=0).argmin()) for fold in range(self.folds)]
        return np.array(lowest, dtype=np.int64)[part]

    @property
    def fall(self) -> Difference:
        """The fall of the validation E from the first step to the one at which to stop."""
        return Difference.of_means(self.validation[:, 0] - _at(self.validation, self.steps))

    @property
    def rise(self) -> Difference:
        """The rise of the validation E from the step at which to stop to the end."""
        return Difference.of_means(self.validation[:, -1] - _at(self.validation, self.steps))

    @property
    def gain(self) -> Difference:
        """The test E at the end minus that at the step which other data sets chose."""
        return self._gain(self.steps)

    @property
    def gain_by_few(self) -> Difference:
        """The test E at the end minus that at the step where E on few further samples is lowest."""
        return self._gain(self.few.argmin(axis=1))

    @property
    def gain_by_oracle(self) -> Difference:
        """The test E at the end minus that at the step where the data set's own validation E is lowest."""
        return self._gain(self.validation.argmin(axis=1))

    @property
    def gaps(self) -> Floats:
        """The validation E minus the training E at the end, ``[data sets]``."""
        return self.validation[:, -1] - self.training[:, -1]

    def _gain(self, steps: Integers) -> Difference:
        return Difference.of_means(self.test[:, -1] - _at(self.test, steps))


def add_claims(
    family: Family, curves: Curves, samples: int, negligible: float, *, rises: bool, where: str = "", source: str = ""
) -> None:
    """Add two claims: on the form of the validation curve, and that stopping early helps.

    Args:
        family: the family of tests that the claims join.
        curves: the curves of training on some number of samples.
        samples: number of training samples of a data set.
        negligible: share of the final E below which a rise or a gain is no more than a trace.
        rises: whether the curve is claimed to rise after its fall; otherwise it is claimed to fall throughout.
        where: a clause that begins the statements, such as on the data.
        source: the place that makes the statements; by default Fig. 6, and ours for gains that it does not claim.
    """
    end = negligible * float(curves.validation[:, -1].mean())
    fall, rise, gain = curves.fall, curves.rise, curves.gain
    tests: dict[str, Hypothesis] = {FALL: fall.above(), RISE: rise.above(), NO_RISE: rise.inside(-inf, end)}
    start = f"{where}with N_s = {samples:,}"
    start = start[0].upper() + start[1:]
    stop = f"from step {step_range(curves.steps)}, chosen on other data sets; negligible is below {end:.4f}"
    family.add(
        source or "Fig. 6",
        f"{start} the validation E {'falls and then rises' if rises else 'falls throughout'}",
        tests if rises else {FALL: tests[FALL], NO_RISE: tests[NO_RISE]},
        _falls_and_rises if rises else None,
        f"fall {fall}, rise {rise}, {stop}",
    )
    family.add(
        source or ("Fig. 6" if rises else "ours"),
        f"{start} stopping early helps",
        {GAIN: gain.above(), NO_GAIN: gain.inside(-inf, end)},
        _helps,
        f"lowers the test E by {gain} if stopped {stop.removeprefix('from ').replace('step', 'at step', 1)}",
    )


def gap_closes(family: Family, curves: Mapping[int, Curves]) -> None:
    """Add the claim that the gap between training and validation E closes from each number of samples to the next."""
    gaps = {samples: found.gaps for samples, found in curves.items()}
    tests = {
        f"from {few:,} to {many:,} by": Difference.of_means(gaps[few] - gaps[many]).above()
        for few, many in pairwise(gaps)
    }
    family.add("Fig. 6", "The gap between training and validation closes as N_s grows", tests)


def _falls_and_rises(holds: Decisions) -> Verdict:
    if holds[FALL] is False or holds[RISE] is False or (holds[NO_RISE] and not holds[RISE]):
        return Verdict.NOT_REPRODUCED
    return verdict_of(True if holds[FALL] and holds[RISE] else None)


def _helps(holds: Decisions) -> Verdict:
    if holds[GAIN] is None:
        return verdict_of(False if holds[NO_GAIN] else None)
    return verdict_of(holds[GAIN])


def _at(curves: Floats, steps: Integers) -> Floats:
    """The values of curves ``[n, steps]`` at a step each ``[n]``."""
    values: Floats = curves[np.arange(len(curves)), steps]
    return values


def step_range(steps: Integers) -> str:
    """The range of some steps in words.

    >>> step_range(np.array([3, 3])), step_range(np.array([3, 5]))
    ('3', '3–5')
    """
    first, last = int(steps.min()), int(steps.max())
    return str(first) if first == last else f"{first}–{last}"
