"""Selections of the angles that a step shifts: all of them, or those along which the objective changes.

The objective is a sinusoid of each angle alone, with amplitude A = √(g² + h²): g is its derivative and h its second
derivative by the angle, both of which parameter shift measures. Where A is small the angle is inactive, and its two
rows can be spared for a while. The state of the other angles changes A, so that spared angles are measured again later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from qhn.arrays import Bools, Floats
from qhn.estimator.gradient import ValueAndGrad


class Selection(Protocol):
    """A rule that selects the angles which the next step shifts."""

    def init(self, theta: Floats) -> Any:
        """The state before the first step at ``theta[num_parameters]``: a named tuple of arrays."""
        ...

    def selected(self, active: Bools, state: Any) -> Bools:
        """The mask ``bool[num_parameters]`` of the angles to shift, among the active ones."""
        ...

    def updated(self, info: ValueAndGrad, measured: Bools, active: Bools, state: Any) -> Any:
        """The state after a step.

        Args:
            info: what the step measured.
            measured: mask ``bool[num_parameters]`` of the angles that the step shifted.
            active: mask ``bool[num_parameters]`` of all angles that change a probability.
            state: the state before the step.
        """
        ...


class NoState(NamedTuple):
    """The state of a rule that remembers nothing."""


@dataclass(frozen=True)
class AllAngles:
    """The selection of all angles that change a probability."""

    def init(self, theta: Floats) -> NoState:
        """The state, which holds nothing."""
        return NoState()

    def selected(self, active: Bools, state: NoState) -> Bools:
        """The mask of all active angles."""
        return active

    def updated(self, info: ValueAndGrad, measured: Bools, active: Bools, state: NoState) -> NoState:
        """The state, which holds nothing."""
        return state
