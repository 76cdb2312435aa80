"""Selections of the angles that a step shifts: all of them, or those along which the objective changes.

The objective is a sinusoid of each angle alone, with amplitude A = √(g² + h²): g is its derivative and h its second
derivative by the angle, both of which parameter shift measures. Where A is small the angle is inactive, and its two
rows can be spared for a while. The state of the other angles changes A, so that spared angles are measured again later.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.errors import QhnError
from qhn.estimator.gradient import ValueAndGrad
from qhn.fields import Number, Whole, settle

UPPER_95 = 1.6448536269514722  # standard deviations from the mean to the upper end of a one-sided 95 % interval


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


class SparseState(NamedTuple):
    """What is known of the amplitudes, and how long angles still rest; each array is ``[num_parameters]``.

    Attributes:
        weight: sum of the weights of the measurements of an angle since it was last selected anew.
        squares: weighted sum of A², without the bias that the noise of g and h gives it.
        variance: sum of the variances of g, or of h if that is larger, with the weights squared.
        squared_variance: sum of the squares of both variances, with the weights squared.
        resting: number of steps for which an angle is still not measured.
    """

    weight: Floats
    squares: Floats
    variance: Floats
    squared_variance: Floats
    resting: Integers


@dataclass(frozen=True)
class SparseAngles:
    """The selection that spares angles whose amplitude A is small with confidence.

    A² of an angle is estimated by g² + h² − var(g) − var(h), and pooled over the steps since the angle was last
    selected anew, later ones with a higher weight, as θ has moved since the others. The variance of h includes that of
    E at θ itself, which all angles share; from step to step it is independent. An angle rests if the upper 95 % limit
    of its A is below a share of the largest amplitude of any angle, that is if an A of this share would give so small
    an estimate in one case of twenty at most; after its rest it is measured, and all is forgotten of it.

    Attributes:
        threshold: share of the largest amplitude below which an angle rests, in (0, 1).
        rest: number of steps for which it rests, at least 1.
        memory: factor by which the weight of a measurement falls with each step, in [0, 1).

    >>> selection = SparseAngles(threshold=0.1, rest=2)
    >>> state = selection.init(np.zeros(2))
    >>> grad, none, everything = np.array([1.0, 0.01]), np.zeros(2), np.ones(2, dtype=bool)
    >>> info = ValueAndGrad(np.float64(0), np.float64(0), grad, none, none, none, None)
    >>> state = selection.updated(info, everything, everything, state)
    >>> selection.selected(everything, state)
    array([ True, False])
    """

    threshold: float = 0.1
    rest: int = 5
    memory: float = 0.8

    def __post_init__(self) -> None:
        settle(self, threshold=Number(above=0, below=1), rest=Whole(1), memory=Number(low=0, below=1))

    def init(self, theta: Floats) -> SparseState:
        """The state before the first step at ``theta[num_parameters]``, in which no angle rests."""
        none = np.zeros_like(theta)
        return SparseState(none, none, none, none, np.zeros(theta.shape, dtype=np.int64))

    def selected(self, active: Bools, state: SparseState) -> Bools:
        """The mask ``bool[num_parameters]`` of the active angles that do not rest."""
        chosen: Bools = active & (state.resting == 0)
        return chosen

    def updated(self, info: ValueAndGrad, measured: Bools, active: Bools, state: SparseState) -> SparseState:
        """The state after a step; see :meth:`Selection.updated`.

        Raises:
            QhnError: if the step measured no second derivatives.
        """
        if info.hessian_diag is None or info.hessian_diag_std_error is None:
            raise QhnError("sparse angles are selected by second derivatives, which this gradient does not measure")
        of_grad, of_hessian = np.square(info.grad_std_error), np.square(info.hessian_diag_std_error)
        measured = measured & np.isfinite(of_grad + of_hessian)  # one shot says nothing of an error
        squares = np.square(info.grad) + np.square(info.hessian_diag) - of_grad - of_hessian
        old = np.where(measured, self.memory, 1.0)  # angles at rest keep what is known of them until they return
        pooled = SparseState(
            old * state.weight + measured,
            old * state.squares + np.where(measured, squares, 0.0),
            old**2 * state.variance + np.where(measured, np.maximum(of_grad, of_hessian), 0.0),
            old**2 * state.squared_variance + np.where(measured, of_grad**2 + of_hessian**2, 0.0),
            state.resting,
        )
        quiet = measured & self._is_small(pooled, active)
        returning = (state.resting == 1) & ~quiet
        resting = np.where(quiet, self.rest, np.maximum(state.resting - 1, 0))
        kept = {name: np.where(returning, 0.0, part) for name, part in pooled._asdict().items()}
        return SparseState(**kept | {"resting": resting})

    def _is_small(self, known: SparseState, active: Bools) -> Bools:
        """Whether the upper 95 % limit of each amplitude is below its share of the largest one."""
        weight = np.where(known.weight > 0, known.weight, 1.0)
        squares = known.squares / weight
        share = self.threshold**2 * np.where(active & (known.weight > 0), squares, 0.0).max(initial=0.0)
        spread = np.sqrt(4 * share * known.variance + 2 * known.squared_variance) / weight  # of A² at this amplitude
        small: Bools = squares + UPPER_95 * spread < share
        return small
