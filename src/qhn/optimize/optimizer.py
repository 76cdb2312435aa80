"""Optimizers as pairs of pure functions: ``init(theta) → state`` and ``step(fn, theta, state) → (theta, state, info)``.

A state is a named tuple of plain arrays, so that a checkpoint is nothing but these arrays. ``step`` is given the
function, not its gradient, so that a line search fits too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.errors import QhnError
from qhn.estimator.gradient import ValueAndGrad
from qhn.fields import Number, Whole, optional, settle

Function = Callable[[Floats], ValueAndGrad]
ABOVE_0, FROM_0, SHARE = Number(above=0), Number(low=0), Number(low=0, below=1)
STEPS = optional(Whole(1))
TOLERANCE = 1e-6  # gradient at which a training has converged, relative to the scale of the costs
MOST_EPSILON = 1e-6  # Adam's epsilon at most, relative to the largest root of a mean square
EPSILON = float(np.finfo(np.float64).eps)
TINY = float(np.finfo(np.float64).tiny)


def vanishes(grad: Floats, value: Floats | float, tolerance: float) -> Bools:
    """Whether no component of a gradient exceeds a tolerance, or what rounding of the value leaves: ``[...]``.

    Args:
        grad: gradients ``[..., num_parameters]``.
        value: values of the function, ``[...]``.
        tolerance: the largest magnitude of a component, in units of the value.
    """
    largest = np.abs(grad).max(axis=-1, initial=0.0)
    found: Bools = largest <= np.maximum(tolerance, EPSILON * np.abs(value))
    return found


def decayed(learning_rate: float, step: Integers, decay_steps: int | None) -> Floats:
    """The learning rate of a step: it falls linearly, and stays what it is in the last step of the fall.

    Where shots or a device make gradients noisy, θ comes to rest only as the learning rate goes to 0.

    Args:
        learning_rate: learning rate of the first step.
        step: number of the step, from 0.
        decay_steps: number of steps over which the rate falls; None for a constant rate.

    >>> [float(decayed(0.5, np.array(step), 5)) for step in (0, 1, 4, 99)], float(decayed(0.5, np.array(9), None))
    ([0.5, 0.4, 0.1, 0.1], 0.5)
    """
    left = 1.0 if decay_steps is None else np.maximum(decay_steps - step, 1) / decay_steps
    return np.asarray(learning_rate * left)


class Optimizer(Protocol):
    """A rule that turns θ and its gradient into the next θ."""

    @property
    def max_evaluations(self) -> int:
        """The number of calls of ``fn`` that one step makes at most."""
        ...

    def init(self, theta: Floats) -> Any:
        """The state before the first step at ``theta[..., num_parameters]``: a named tuple of arrays."""
        ...

    def step(self, fn: Function, theta: Floats, state: Any) -> tuple[Floats, Any, ValueAndGrad]:
        """The next θ and state, and what ``fn`` returned at the old θ."""
        ...


class AdamState(NamedTuple):
    """The number of steps taken, and the running means of the gradient and of its square."""

    num_steps: Integers
    first_moment: Floats
    second_moment: Floats

    def rows(self, chosen: Bools) -> AdamState:
        """The state of the chosen rows of θ ``[B, num_parameters]``."""
        return AdamState(self.num_steps, self.first_moment[chosen], self.second_moment[chosen])


@dataclass(frozen=True)
class Adam:
    """The optimizer Adam (Kingma and Ba, arXiv:1412.6980, algorithm 1).

    The defaults were measured on sampled gradients of three tasks (``make reproduce FIG=frugal``).

    Attributes:
        learning_rate: size of the first step of an angle, in radians, above 0.
        beta1, beta2: decay factors of the running means of the gradient and of its square, in [0, 1).
        epsilon: number added to the root of the mean square, above 0. None, or a number above it, is a millionth of the
            largest root of all angles, which shortens no step noticeably, and equally in any unit of the costs.
        decay_steps: number of steps over which the learning rate falls linearly towards 0 (:func:`decayed`), at least
            1; None for a constant rate.
    """

    learning_rate: float = 0.5
    beta1: float = 0.6
    beta2: float = 0.99
    epsilon: float | None = None
    decay_steps: int | None = 60

    max_evaluations: ClassVar[int] = 1

    def __post_init__(self) -> None:
        settle(self, learning_rate=ABOVE_0, beta1=SHARE, beta2=SHARE, epsilon=optional(ABOVE_0), decay_steps=STEPS)

    def init(self, theta: Floats) -> AdamState:
        """The state before the first step at ``theta[..., num_parameters]``."""
        return AdamState(np.zeros((), dtype=np.int64), np.zeros_like(theta), np.zeros_like(theta))

    def step(self, fn: Function, theta: Floats, state: AdamState) -> tuple[Floats, AdamState, ValueAndGrad]:
        """The next θ and state, and what ``fn`` returned at the old θ."""
        info = fn(theta)
        return *self.update(theta, info.grad, state), info

    def update(self, theta: Floats, grad: Floats, state: AdamState) -> tuple[Floats, AdamState]:
        """The next θ and state, given the gradient at θ."""
        num_steps = state.num_steps + 1
        first = self.beta1 * state.first_moment + (1 - self.beta1) * grad
        second = self.beta2 * state.second_moment + (1 - self.beta2) * np.square(grad)
        unbiased_first, unbiased_second = first / (1 - self.beta1**num_steps), second / (1 - self.beta2**num_steps)
        root = np.sqrt(unbiased_second)
        most = np.maximum(MOST_EPSILON * root.max(axis=-1, keepdims=True), TINY)
        rate = decayed(self.learning_rate, state.num_steps, self.decay_steps)
        epsilon = most if self.epsilon is None else np.minimum(self.epsilon, most)
        step = rate * unbiased_first / (root + epsilon)
        return theta - step, AdamState(num_steps, first, second)


class SgdState(NamedTuple):
    """The running sum of gradients, and the number of steps taken."""

    velocity: Floats
    num_steps: Integers


@dataclass(frozen=True)
class Sgd:
    """Gradient descent with momentum: v ← momentum·v + ∇, θ ← θ − learning_rate·v.

    A good learning rate is in the unit of the costs, of which Adam's is free. The default solved .35 of 40 starts of
    ``gaussian-activation`` and .55 of 20 of ``mnist-01``, a rate of 1 .00 and .32 of them.

    Attributes:
        learning_rate: step in radians per unit of gradient, above 0.
        momentum: factor by which the sum of gradients decays in a step, in [0, 1).
        decay_steps: number of steps over which the learning rate falls linearly towards 0 (:func:`decayed`), at least
            1; None for a constant rate.
    """

    learning_rate: float = 4.0
    momentum: float = 0.9
    decay_steps: int | None = 60

    max_evaluations: ClassVar[int] = 1

    def __post_init__(self) -> None:
        settle(self, learning_rate=ABOVE_0, momentum=SHARE, decay_steps=STEPS)

    def init(self, theta: Floats) -> SgdState:
        """The state before the first step at ``theta[..., num_parameters]``."""
        return SgdState(np.zeros_like(theta), np.zeros((), dtype=np.int64))

    def step(self, fn: Function, theta: Floats, state: SgdState) -> tuple[Floats, SgdState, ValueAndGrad]:
        """The next θ and state, and what ``fn`` returned at the old θ."""
        info = fn(theta)
        velocity = self.momentum * state.velocity + info.grad
        rate = decayed(self.learning_rate, state.num_steps, self.decay_steps)
        return theta - rate * velocity, SgdState(velocity, state.num_steps + 1), info


class SpsaState(NamedTuple):
    """The number of steps taken."""

    num_steps: Integers


@dataclass(frozen=True)
class SpsaGains:
    """Gradient descent with the gain sequence of SPSA (Spall 1998): a_k = learning_rate / (k + 1 + stability)^decay.

    Attributes:
        learning_rate: step in radians per unit of gradient, before it decays, above 0.
        decay: exponent of the decay, at least 0; Spall recommends 0.602.
        stability: number of steps by which the decay is delayed, at least 0; about a tenth of the planned steps.
    """

    learning_rate: float = 5.0
    decay: float = 0.602
    stability: float = 10.0

    max_evaluations: ClassVar[int] = 1

    def __post_init__(self) -> None:
        settle(self, learning_rate=ABOVE_0, decay=FROM_0, stability=FROM_0)

    def init(self, theta: Floats) -> SpsaState:
        """The state before the first step at ``theta[..., num_parameters]``."""
        return SpsaState(np.zeros((), dtype=np.int64))

    def step(self, fn: Function, theta: Floats, state: SpsaState) -> tuple[Floats, SpsaState, ValueAndGrad]:
        """The next θ and state, and what ``fn`` returned at the old θ."""
        info = fn(theta)
        gain = self.learning_rate / (state.num_steps + 1 + self.stability) ** self.decay
        return theta - gain * info.grad, SpsaState(state.num_steps + 1), info


class SinusoidState(NamedTuple):
    """The number of steps taken."""

    num_steps: Integers


@dataclass(frozen=True)
class Sinusoid:
    """Damped jumps of all angles at once towards the minimum of the sinusoid that E is in each of them alone.

    With E′ = g and E″ = h, which parameter shift of a mean measures, E(θ_i + x) = const + g·sin x − h·cos x where one
    half-angle gate has the angle, and its minimum lies at x = atan2(−g, h). Sequential jumps of single angles
    (Nakanishi, Fujii and Todo, arXiv:1903.12166) take them whole, one job an angle; simultaneous ones must be damped.

    Attributes:
        damping: share of the way to its minimum that each angle goes in the first step, in (0, 1].
        decay_steps: number of steps over which the share falls linearly towards 0 (:func:`decayed`), at least 1; None
            for a constant share.
    """

    damping: float = 0.5
    decay_steps: int | None = 60

    max_evaluations: ClassVar[int] = 1

    def __post_init__(self) -> None:
        settle(self, damping=Number(above=0, high=1), decay_steps=STEPS)

    def init(self, theta: Floats) -> SinusoidState:
        """The state before the first step at ``theta[..., num_parameters]``."""
        return SinusoidState(np.zeros((), dtype=np.int64))

    def step(self, fn: Function, theta: Floats, state: SinusoidState) -> tuple[Floats, SinusoidState, ValueAndGrad]:
        """The next θ and state, and what ``fn`` returned at the old θ.

        Raises:
            QhnError: if ``fn`` measures no second derivatives.
        """
        info = fn(theta)
        if info.hessian_diag is None:
            raise QhnError("sinusoid jumps by second derivatives, which this gradient does not measure")
        share = decayed(self.damping, state.num_steps, self.decay_steps)
        jump = np.arctan2(-info.grad, info.hessian_diag)
        return theta + share * jump, SinusoidState(state.num_steps + 1), info
