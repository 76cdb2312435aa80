"""L-BFGS for many initialisations at once: the optimizer for exact gradients.

The method is that of Liu and Nocedal (Math. Program. 45, 503, 1989), with the line search of L-BFGS-B
(:mod:`qhn.optimize.line_search`), so that an initialisation leads to the minimum that SciPy's ``L-BFGS-B`` finds from
it. All rows of θ advance together, and each call of the function serves all rows that are still searching along their
line: a step costs a few array operations for the whole batch.

It does not suit sampled gradients: curvature and sufficient decrease cannot be read off noise.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Bools, Floats, Integers
from qhn.circuit.angles import as_angles
from qhn.errors import QhnError, QhnWarning
from qhn.estimator.gradient import ValueAndGrad
from qhn.fields import Whole, settle
from qhn.optimize.line_search import Found, Point, Rows, line_search
from qhn.optimize.optimizer import EPSILON, TINY, TOLERANCE, vanishes

Function = Callable[[Floats], ValueAndGrad]
MAX_STEPS = 2_000  # the default; :func:`minimize` says on what it was measured


@runtime_checkable
class HasScale(Protocol):
    """An estimator that knows how far costs typically lie above the optimum."""

    @property
    def scale(self) -> float:
        """How far a typical cost lies above the optimum (:attr:`qhn.problem.landscape.Landscape.scale`)."""
        ...


class LbfgsState(NamedTuple):
    """The last pairs of steps s and changes y of the gradient, in a ring buffer along axis 0.

    Attributes:
        num_steps: number of steps taken.
        steps: the steps s of θ, ``[memory, ..., num_parameters]``.
        changes: the changes y of the gradient, ``[memory, ..., num_parameters]``.
        weights: the numbers 1/(s·y) of the pairs, ``[memory, ...]``; 0 where there is no pair.
        scale: the number s·y/(y·y) of the newest pair, ``[...]``.
    """

    num_steps: Integers
    steps: Floats
    changes: Floats
    weights: Floats
    scale: Floats


@dataclass(frozen=True)
class Lbfgs:
    """L-BFGS with a line search; the module describes the method.

    Attributes:
        memory: number of pairs of steps and gradient changes to remember, at least 1.
        max_line_search: number of evaluations along a line after which the memory is dropped, at least 2.

    Raises:
        ValueError: at construction, if ``memory`` is below 1 or ``max_line_search`` below 2.
    """

    memory: int = 10
    max_line_search: int = 20

    def __post_init__(self) -> None:
        settle(self, memory=Whole(1), max_line_search=Whole(2))

    @property
    def max_evaluations(self) -> int:
        """The number of calls of ``fn`` that one step makes at most."""
        return 1 + self.max_line_search

    def init(self, theta: Floats) -> LbfgsState:
        """The state before the first step at ``theta[..., num_parameters]``, an empty memory."""
        shape = (self.memory, *theta.shape)
        zeros, none = np.zeros(shape), np.zeros(shape[:-1])
        return LbfgsState(np.zeros((), dtype=np.int64), zeros, zeros.copy(), none, np.ones(theta.shape[:-1]))

    def step(self, fn: Function, theta: Floats, state: LbfgsState) -> tuple[Floats, LbfgsState, ValueAndGrad]:
        """The next θ and state, and what ``fn`` returned at the old θ."""
        info = fn(theta)
        rows = theta.reshape(-1, theta.shape[-1])

        def evaluate(chosen: Floats) -> tuple[Floats, Floats]:
            found = fn(chosen[0] if theta.ndim == 1 else chosen)
            return np.atleast_1d(found.value), np.atleast_2d(found.grad)

        shapes = ((self.memory, *rows.shape), (self.memory, *rows.shape), (self.memory, len(rows)), (len(rows),))
        fields = (field.reshape(shape).copy() for field, shape in zip(state[1:], shapes, strict=True))
        batched = LbfgsState(state.num_steps, *fields)
        value, grad = np.atleast_1d(info.value), np.atleast_2d(info.grad)
        (found, _, _), batched = self.advance(evaluate, Point(rows, value, grad), batched)
        shaped = (new.reshape(old.shape) for new, old in zip(batched[1:], state[1:], strict=True))
        return found.theta.reshape(theta.shape), LbfgsState(batched.num_steps, *shaped), info

    def advance(self, fn: Rows, point: Point, state: LbfgsState) -> tuple[Found, LbfgsState]:
        """Take one step of every row from known values and gradients; the arrays of ``state`` are changed in place."""
        direction = -_inverse_hessian_times(point.grad, state)
        uphill = np.einsum("bp,bp->b", direction, point.grad) >= 0
        state.weights[:, uphill] = 0.0
        direction[uphill] = -point.grad[uphill]
        has_pairs = (state.weights != 0).any(axis=0)
        norm = np.linalg.norm(direction, axis=1)
        first = np.where(has_pairs, 1.0, 1.0 / np.maximum(norm, TINY))  # without memory, one radian
        found = line_search(fn, point, direction, first, self.max_line_search)
        end, success = found.point, found.success

        steps, changes = end.theta - point.theta, end.grad - point.grad
        curvature, square = np.einsum("bp,bp->b", steps, changes), np.einsum("bp,bp->b", changes, changes)
        sizes = np.linalg.norm(steps, axis=1) * np.sqrt(square)
        keep = success & (curvature > EPSILON * sizes)
        place = int(state.num_steps) % self.memory
        state.steps[place], state.changes[place] = steps, changes
        state.weights[place] = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=keep)
        state.scale[keep] = curvature[keep] / square[keep]
        state.weights[:, ~success] = 0.0
        state.scale[~success] = 1.0
        return found, state._replace(num_steps=state.num_steps + 1)


@dataclass(frozen=True)
class Minima:
    """The minima that :func:`minimize` found, one row per initialisation.

    Attributes:
        theta: the final angles ``[B, num_parameters]`` in radians.
        value: the values at ``theta``, ``[B]``.
        grad: the gradients at ``theta``, ``[B, num_parameters]``.
        converged: whether each row converged, ``[B]``; the others ran out of steps, or found no descent.
        num_steps: the number of steps of each row, ``[B]``.
        num_evaluations: the number of evaluations of value and gradient of each row, ``[B]``.
    """

    theta: Floats
    value: Floats
    grad: Floats
    converged: Bools
    num_steps: Integers
    num_evaluations: Integers

    @property
    def num_unconverged(self) -> int:
        """The number of rows that did not converge."""
        return int(np.count_nonzero(~self.converged))

    @property
    def largest_gradient(self) -> float:
        """The largest magnitude of a component of the gradient that is left in rows that did not converge, or 0."""
        return float(np.abs(self.grad[~self.converged]).max(initial=0.0))

    def shortfall(self, max_steps: int) -> str:
        """What keeps rows from having converged, and what to do, in one sentence; empty if all converged.

        Args:
            max_steps: the largest number of steps that a row could take.

        >>> one, none = np.ones(1), np.zeros((1, 2))
        >>> Minima(none, one, none + 0.5, np.array([False]), np.array([3]), np.array([4])).shortfall(3)
        '1 of 1 starts had not converged after 3 steps, with a gradient of up to 0.5 left; give a larger max_steps'
        """
        if not self.num_unconverged:
            return ""
        stuck = int(np.count_nonzero(~self.converged & (self.num_steps < max_steps)))
        advice = ["give a larger max_steps"] if stuck < self.num_unconverged else []
        if stuck:
            advice.append(f"{stuck:,} found no descent, for which give a larger tolerance, or the right gradient")
        return (
            f"{self.num_unconverged:,} of {len(self.converged):,} starts had not converged after "
            f"{self.num_steps[~self.converged].max():,} steps, with a gradient of up to {self.largest_gradient:.2g} "
            f"left; {'; '.join(advice)}"
        )


def minimize(
    fn: Function | Rows,
    thetas: ArrayLike,
    *,
    max_steps: int = MAX_STEPS,
    tolerance: float | None = None,
    value_tolerance: float = 1e-12,
    optimizer: Lbfgs | None = None,
) -> Minima:
    """Minimise a function from many initial θ, which advance together.

    A row that has converged is not evaluated again. The default number of steps was chosen on the presets
    gaussian-activation and mnist-01-published with 0 to 4 layers in both orders of gates, 40 starts each: all converged
    to a gradient of 1e-6, the slowest after 1,106 steps (4 layers on the digits; with 300 steps none of 3 layers there
    does). Trained circuits have valleys that are nearly flat: at an optimum of 2 layers on the digits, besides the 17
    inert angles, some 25 of 136 directions have no curvature and some 40 less than 1e-4. SciPy's L-BFGS-B takes as many
    steps along them.

    Args:
        fn: a function that takes rows ``[n, num_parameters]`` and returns their values and gradients, e.g.
            ``ExactEstimator(…).value_and_grad``, or returns them as a pair ``[n]``, ``[n, num_parameters]``, e.g.
            ``Energy(…).value_and_grad``.
        thetas: initial angles ``[B, num_parameters]`` in radians.
        max_steps: the largest number of steps of a row.
        tolerance: a row has converged when no component of its gradient is larger in magnitude; None takes 1e-6 of the
            scale of the costs, if ``fn`` is a method of an estimator that knows it, and 1e-6 otherwise.
        value_tolerance: a row has also converged when a step lowers its value by less than this number times the larger
            of the scale, which is 10⁶ times the tolerance, and the value's magnitude.
        optimizer: the settings of L-BFGS; None takes the default ones.

    Raises:
        ValueError: if ``thetas`` is not a matrix.

    Warns:
        QhnWarning: if a row did not converge; it says how many, after how many steps, and how large their gradients
            are. Callers for whom the number of steps is the experiment take :func:`descend`, which does not warn.

    >>> from qhn import ExactEstimator, TableProblem, hypernetwork
    >>> estimator = ExactEstimator(hypernetwork(2, 1), TableProblem([3.0, 1.0, 4.0, 1.5]))
    >>> found = minimize(estimator.value_and_grad, np.random.default_rng(1).uniform(0, 6.28, (5, 8)))
    >>> found.value.round(9), bool(found.converged.all())
    (array([1., 1., 1., 1., 1.]), True)
    """
    *_, last = descend(
        fn,
        thetas,
        max_steps=max_steps,
        tolerance=tolerance,
        value_tolerance=value_tolerance,
        optimizer=optimizer,
    )
    if last.num_unconverged:
        warnings.warn(QhnWarning(last.shortfall(max_steps)), stacklevel=2)
    return last


def descend(
    fn: Function | Rows,
    thetas: ArrayLike,
    *,
    max_steps: int = MAX_STEPS,
    tolerance: float | None = None,
    value_tolerance: float = 1e-12,
    optimizer: Lbfgs | None = None,
) -> Iterator[Minima]:
    """Yield the state of all rows of :func:`minimize` at the start and after every step.

    The next step changes the arrays in place.

    Raises:
        ValueError: if ``thetas`` is not a matrix.
    """
    theta = np.array(as_angles(thetas, name="thetas"))
    if theta.ndim != 2:
        raise QhnError(f"thetas must have shape [B, num_parameters], got {list(theta.shape)}")
    method = optimizer or Lbfgs()

    def evaluate(rows: Floats) -> tuple[Floats, Floats]:
        found = fn(rows)
        return found if isinstance(found, tuple) else (found.value, found.grad)

    limit = tolerance_of(fn) if tolerance is None else tolerance
    end = Point(theta, *(part.copy() for part in evaluate(theta)))
    converged = vanishes(end.grad, end.value, limit)
    num_steps, num_evaluations = np.zeros(len(theta), dtype=np.int64), np.ones(len(theta), dtype=np.int64)
    standing = Minima(*end, converged, num_steps, num_evaluations)
    yield standing
    rows = np.flatnonzero(~converged)
    point, state = Point(*(part[rows] for part in end)), method.init(theta[rows])
    for _ in range(max_steps):
        if len(rows) == 0:
            break
        before, had_pairs = point, (state.weights != 0).any(axis=0)
        found, state = method.advance(evaluate, point, state)
        point = found.point
        num_steps[rows] += 1
        num_evaluations[rows] += found.num_evaluations
        decrease = before.value - point.value
        stuck = (point.theta == before.theta).all(axis=1)
        small = ~stuck & (decrease <= value_tolerance * np.maximum(limit / TOLERANCE, np.abs(point.value)))
        flat = vanishes(point.grad, point.value, limit)
        converged[rows] = flat | small
        for target, part in zip(end, point, strict=True):
            target[rows] = part
        yield standing
        going = ~(flat | small | (stuck & ~had_pairs))  # without memory, no descent along the gradient itself
        if not going.all():
            rows = rows[going]
            point = Point(*(part[going] for part in point))
            _, steps, changes, weights, scale = state
            state = LbfgsState(state.num_steps, steps[:, going], changes[:, going], weights[:, going], scale[going])


def tolerance_of(fn: Function | Rows) -> float:
    """The default tolerance of a gradient: 1e-6 of the scale of the costs, which is 1 where it is not known.

    Args:
        fn: the function to minimise; the method of an estimator that knows all costs knows their scale.
    """
    owner = getattr(fn, "__self__", None)
    return TOLERANCE * (owner.scale if isinstance(owner, HasScale) else 1.0)


def _inverse_hessian_times(grad: Floats, state: LbfgsState) -> Floats:
    """The inverse Hessian times the gradient, by the two-loop recursion; pairs of weight 0 change nothing."""
    memory = len(state.weights)
    newest_first = [(int(state.num_steps) - 1 - age) % memory for age in range(min(memory, int(state.num_steps)))]
    result = grad.copy()
    alphas = {}
    for k in newest_first:
        alphas[k] = state.weights[k] * np.einsum("bp,bp->b", state.steps[k], result)
        result -= alphas[k][:, None] * state.changes[k]
    result *= state.scale[:, None]
    for k in reversed(newest_first):
        beta = state.weights[k] * np.einsum("bp,bp->b", state.changes[k], result)
        result += (alphas[k] - beta)[:, None] * state.steps[k]
    return result
