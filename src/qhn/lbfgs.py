"""L-BFGS, many initialisations at once: the optimizer for exact gradients.

The method is that of Liu and Nocedal (Math. Program. 45, 503, 1989), the line search that of Moré and Thuente (ACM TOMS
20, 286, 1994) with the constants of L-BFGS-B, so that a start leads to the minimum that SciPy's ``L-BFGS-B`` finds from
it. All rows of θ advance together, and each call of the function serves all that are still searching along their line:
a step costs a few array operations for the whole batch.

Sampled gradients are not for it: curvature and sufficient decrease, read off noise, mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.gradient import ValueAndGrad

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Function = Callable[[Floats], ValueAndGrad]
Rows = Callable[[Floats], tuple[Floats, Floats]]  # θ[n, P] → values[n], gradients[n, P]

DECREASE, CURVATURE, INTERVAL = 1e-3, 0.9, 0.1  # of the line search, as in L-BFGS-B
NEGLIGIBLE = np.finfo(np.float64).eps  # a pair with less curvature than this, relative, is not kept


class LbfgsState(NamedTuple):
    """The last pairs of steps and changes of the gradient, in a ring; axis 0 is the place in the ring.

    Attributes:
        num_steps: steps taken.
        steps: s, ``[memory, ..., num_parameters]``.
        changes: y, of the same shape.
        weights: 1/(s·y), ``[memory, ...]``; 0 where there is no pair.
        scale: s·y/(y·y) of the newest pair, ``[...]``.
    """

    num_steps: NDArray[np.int64]
    steps: Floats
    changes: Floats
    weights: Floats
    scale: Floats


@dataclass(frozen=True)
class Lbfgs:
    """L-BFGS with a line search; see the module.

    Attributes:
        memory: pairs to remember, at least 1.
        max_line_search: evaluations along a line before the memory is dropped, at least 2.
    """

    memory: int = 10
    max_line_search: int = 20

    @property
    def max_evaluations(self) -> int:
        return 1 + self.max_line_search

    def init(self, theta: Floats) -> LbfgsState:
        shape = (self.memory, *theta.shape)
        zeros, none = np.zeros(shape), np.zeros(shape[:-1])
        return LbfgsState(np.zeros((), dtype=np.int64), zeros, zeros.copy(), none, np.ones(theta.shape[:-1]))

    def step(self, fn: Function, theta: Floats, state: LbfgsState) -> tuple[Floats, LbfgsState, ValueAndGrad]:
        info = fn(theta)
        rows = theta.reshape(-1, theta.shape[-1])

        def evaluate(chosen: Floats) -> tuple[Floats, Floats]:
            found = fn(chosen[0] if theta.ndim == 1 else chosen)
            return np.atleast_1d(found.value), np.atleast_2d(found.grad)

        shapes = ((self.memory, *rows.shape), (self.memory, *rows.shape), (self.memory, len(rows)), (len(rows),))
        fields = (field.reshape(shape).copy() for field, shape in zip(state[1:], shapes, strict=True))
        batched = LbfgsState(state.num_steps, *fields)
        value, grad = np.atleast_1d(info.value), np.atleast_2d(info.grad)
        found, batched = self.advance(evaluate, Point(rows, value, grad), batched)
        shaped = (new.reshape(old.shape) for new, old in zip(batched[1:], state[1:], strict=True))
        return found.theta.reshape(theta.shape), LbfgsState(batched.num_steps, *shaped), info

    def advance(self, fn: Rows, point: Point, state: LbfgsState) -> tuple[Point, LbfgsState]:
        """One step of every row, from values and gradients that are known; the arrays of ``state`` are used again."""
        direction = -_inverse_hessian_times(point.grad, state)
        uphill = np.einsum("bp,bp->b", direction, point.grad) >= 0
        state.weights[:, uphill] = 0.0
        direction[uphill] = -point.grad[uphill]
        has_pairs = (state.weights != 0).any(axis=0)
        norm = np.linalg.norm(direction, axis=1)
        first = np.where(has_pairs, 1.0, 1.0 / np.maximum(norm, NEGLIGIBLE))  # without memory, one radian
        found, success = _line_search(fn, point, direction, first, self.max_line_search)

        steps, changes = found.theta - point.theta, found.grad - point.grad
        curvature, square = np.einsum("bp,bp->b", steps, changes), np.einsum("bp,bp->b", changes, changes)
        keep = success & (curvature > NEGLIGIBLE * square)
        place = int(state.num_steps) % self.memory
        state.steps[place], state.changes[place] = steps, changes
        state.weights[place] = np.divide(1.0, curvature, out=np.zeros_like(curvature), where=keep)
        state.scale[keep] = curvature[keep] / square[keep]
        state.weights[:, ~success] = 0.0
        state.scale[~success] = 1.0
        return found, state._replace(num_steps=state.num_steps + 1)


class Point(NamedTuple):
    """Angles ``[B, num_parameters]``, values ``[B]`` and gradients of the same rows."""

    theta: Floats
    value: Floats
    grad: Floats


@dataclass(frozen=True)
class Minima:
    """Where :func:`minimize` ended, one row an initialisation.

    Attributes:
        theta: angles ``[B, num_parameters]``.
        value: ``[B]``.
        grad: ``[B, num_parameters]``.
        converged: ``[B]``; the others ran out of steps, or found no descent.
        num_steps: steps of each row.
        num_evaluations: gradients of single rows, in all.
    """

    theta: Floats
    value: Floats
    grad: Floats
    converged: Bools
    num_steps: NDArray[np.int64]
    num_evaluations: int


def minimize(
    fn: Function,
    thetas: ArrayLike,
    *,
    max_steps: int = 300,
    tolerance: float = 1e-6,
    value_tolerance: float = 1e-12,
    optimizer: Lbfgs | None = None,
) -> Minima:
    """Minima reached from many initial θ, which advance together; a row that has converged costs nothing more.

    Args:
        fn: value and gradient of rows ``[n, num_parameters]``, e.g. ``ExactEstimator(…).value_and_grad``.
        thetas: initial angles ``[B, num_parameters]`` in radians.
        max_steps: at most so many steps a row.
        tolerance: converged when no component of the gradient is larger,
        value_tolerance: or a step lowers the value by less than this times the larger of 1 and the value.
        optimizer: with other settings than the default ones.

    Raises:
        ValueError: if thetas is not a matrix.

    >>> from qhn import ExactEstimator, TableProblem, hypernetwork
    >>> estimator = ExactEstimator(hypernetwork(2, 1), TableProblem([3.0, 1.0, 4.0, 1.5]))
    >>> found = minimize(estimator.value_and_grad, np.random.default_rng(1).uniform(0, 6.28, (5, 8)))
    >>> found.value.round(9), bool(found.converged.all())
    (array([1., 1., 1., 1., 1.]), True)
    """
    theta = np.array(thetas, dtype=np.float64)
    if theta.ndim != 2:
        raise ValueError(f"thetas must have shape [B, num_parameters], got {list(theta.shape)}")
    method = optimizer or Lbfgs()
    num_evaluations = 0

    def evaluate(rows: Floats) -> tuple[Floats, Floats]:
        nonlocal num_evaluations
        num_evaluations += len(rows)
        info = fn(rows)
        return info.value, info.grad

    end = Point(theta, *(part.copy() for part in evaluate(theta)))
    converged = np.abs(end.grad).max(axis=1, initial=0.0) <= tolerance
    num_steps = np.zeros(len(theta), dtype=np.int64)
    rows = np.flatnonzero(~converged)
    point, state = Point(*(part[rows] for part in end)), method.init(theta[rows])
    for _ in range(max_steps):
        if len(rows) == 0:
            break
        before, had_pairs = point, (state.weights != 0).any(axis=0)
        point, state = method.advance(evaluate, point, state)
        num_steps[rows] += 1
        decrease = before.value - point.value
        stuck = (point.theta == before.theta).all(axis=1)
        small = ~stuck & (decrease <= value_tolerance * np.maximum(1.0, np.abs(point.value)))
        flat = np.abs(point.grad).max(axis=1) <= tolerance
        converged[rows] = flat | small
        for target, part in zip(end, point, strict=True):
            target[rows] = part
        going = ~(flat | small | (stuck & ~had_pairs))  # without memory, no descent along the gradient itself
        if not going.all():
            rows = rows[going]
            point = Point(*(part[going] for part in point))
            _, steps, changes, weights, scale = state
            state = LbfgsState(state.num_steps, steps[:, going], changes[:, going], weights[:, going], scale[going])
    return Minima(*end, converged, num_steps, num_evaluations)


def _inverse_hessian_times(grad: Floats, state: LbfgsState) -> Floats:
    """The two-loop recursion; a pair of weight 0 changes nothing."""
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


# ---------------------------------------------------------------- Moré and Thuente, all rows at once


@dataclass
class _Bracket:
    """Where the minimum along each line is known to lie: ``x`` is the best step so far, ``y`` the other end."""

    x: Floats
    value_x: Floats
    slope_x: Floats
    y: Floats
    value_y: Floats
    slope_y: Floats
    is_closed: Bools

    def narrow(
        self, rows: NDArray[np.intp], step: Floats, value: Floats, slope: Floats, low: Floats, high: Floats
    ) -> Floats:
        """Take in a trial step of some rows, and return their next ones: ``dcstep`` of MINPACK-2, in its four cases."""
        x, fx, dx = self.x[rows], self.value_x[rows], self.slope_x[rows]
        y, fy, dy = self.y[rows], self.value_y[rows], self.slope_y[rows]
        closed = self.is_closed[rows]
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            opposite = slope * np.sign(dx) < 0
            theta = 3 * (fx - value) / (step - x) + dx + slope
            size = np.maximum.reduce([np.abs(theta), np.abs(dx), np.abs(slope)])
            root = size * np.sqrt(np.maximum(0.0, (theta / size) ** 2 - dx / size * (slope / size)))
            # 1: a higher value; the minimum is bracketed
            gamma = np.where(step < x, -root, root)
            cubic = x + (gamma - dx + theta) / (gamma - dx + gamma + slope) * (step - x)
            quadratic = x + dx / ((fx - value) / (step - x) + dx) / 2 * (step - x)
            nearer = np.abs(cubic - x) < np.abs(quadratic - x)
            case_1 = np.where(nearer, cubic, cubic + (quadratic - cubic) / 2)
            # 2: a lower value and slopes of opposite sign; the minimum is bracketed
            gamma = np.where(step > x, -root, root)
            cubic = step + (gamma - slope + theta) / (gamma - slope + gamma + dx) * (x - step)
            secant = step + slope / (slope - dx) * (x - step)
            case_2 = np.where(np.abs(cubic - step) > np.abs(secant - step), cubic, secant)
            # 3: a lower value, the same sign, and a smaller slope
            ratio = (gamma - slope + theta) / (gamma + (dx - slope) + gamma)
            inside = (ratio < 0) & (gamma != 0)
            cubic = np.where(inside, step + ratio * (x - step), np.where(step > x, high, low))
            nearer = np.abs(cubic - step) < np.abs(secant - step)
            within = np.where(nearer, cubic, secant)
            limit = step + 0.66 * (y - step)
            within = np.where(step > x, np.minimum(limit, within), np.maximum(limit, within))
            beyond = np.clip(np.where(nearer, secant, cubic), low, high)
            case_3 = np.where(closed, within, beyond)
            # 4: a lower value, the same sign, and a slope that does not shrink
            theta = 3 * (value - fy) / (y - step) + dy + slope
            size = np.maximum.reduce([np.abs(theta), np.abs(dy), np.abs(slope)])
            gamma = size * np.sqrt(np.maximum(0.0, (theta / size) ** 2 - dy / size * (slope / size)))
            gamma = np.where(step > y, -gamma, gamma)
            cubic = step + (gamma - slope + theta) / (gamma - slope + gamma + dy) * (y - step)
            case_4 = np.where(closed, cubic, np.where(step > x, high, low))
        higher = value > fx
        flatter = np.abs(slope) < np.abs(dx)
        following: Floats = np.select([higher, opposite, flatter], [case_1, case_2, case_3], case_4)

        # the interval that contains a minimum
        to_y = higher
        swap = ~higher & opposite
        self.y[rows] = np.where(to_y, step, np.where(swap, x, y))
        self.value_y[rows] = np.where(to_y, value, np.where(swap, fx, fy))
        self.slope_y[rows] = np.where(to_y, slope, np.where(swap, dx, dy))
        self.x[rows] = np.where(to_y, x, step)
        self.value_x[rows] = np.where(to_y, fx, value)
        self.slope_x[rows] = np.where(to_y, dx, slope)
        self.is_closed[rows] = closed | higher | opposite
        return following


def _line_search(fn: Rows, point: Point, direction: Floats, first: Floats, max_evaluations: int) -> tuple[Point, Bools]:
    """Steps along ``direction[B, P]`` that lower the value and flatten the slope enough, and whether there are any.

    Rows that fail stay where they were.
    """
    num = len(direction)
    start_slope = np.einsum("bp,bp->b", direction, point.grad)
    zero = np.zeros(num)
    bracket = _Bracket(
        zero.copy(), point.value.copy(), start_slope.copy(), zero.copy(), point.value.copy(), start_slope.copy(),
        np.zeros(num, dtype=bool),
    )  # fmt: skip
    low, high = zero.copy(), 5 * first
    width, width_before = np.full(num, np.inf), np.full(num, np.inf)
    in_first_stage = np.ones(num, dtype=bool)
    step = first.copy()
    end = Point(point.theta.copy(), point.value.copy(), point.grad.copy())
    success = np.zeros(num, dtype=bool)
    rows = np.flatnonzero(start_slope < 0)
    for _ in range(max_evaluations):
        if len(rows) == 0:
            break
        trial = point.theta[rows] + step[rows, None] * direction[rows]
        value, grad = fn(trial)
        slope = np.einsum("bp,bp->b", direction[rows], grad)
        a, f0, d0 = step[rows], point.value[rows], start_slope[rows]
        enough = f0 + a * DECREASE * d0
        in_first_stage[rows] &= ~((value <= enough) & (slope >= 0))
        closed, lo, hi = bracket.is_closed[rows], low[rows], high[rows]
        exhausted = closed & ((a <= lo) | (a >= hi) | (hi - lo <= INTERVAL * hi))
        good = (value <= enough) & (np.abs(slope) <= -CURVATURE * d0)
        done = good | (exhausted & (value < f0))
        ended = rows[done]
        end.theta[ended], end.value[ended], end.grad[ended] = trial[done], value[done], grad[done]
        success[ended] = True
        on = ~(done | exhausted)
        rows, a, value, slope, lo, hi, enough = (part[on] for part in (rows, a, value, slope, lo, hi, enough))
        if len(rows) == 0:
            break
        step[rows] = _next_trial(bracket, rows, a, value, slope, lo, hi, enough, in_first_stage, start_slope)

        closed = bracket.is_closed[rows]
        x, y = bracket.x[rows], bracket.y[rows]
        slow = closed & (np.abs(y - x) >= 0.66 * width_before[rows])
        step[rows] = np.where(slow, x + 0.5 * (y - x), step[rows])
        width_before[rows] = np.where(closed, width[rows], width_before[rows])
        width[rows] = np.where(closed, np.abs(y - x), width[rows])
        low[rows] = np.where(closed, np.minimum(x, y), step[rows] + 1.1 * (step[rows] - x))
        high[rows] = np.where(closed, np.maximum(x, y), step[rows] + 4.0 * (step[rows] - x))
        hopeless = closed & (
            (step[rows] <= low[rows]) | (step[rows] >= high[rows]) | (high[rows] - low[rows] <= INTERVAL * high[rows])
        )
        step[rows] = np.where(hopeless, x, step[rows])
    return end, success


def _next_trial(
    bracket: _Bracket, rows: NDArray[np.intp], step: Floats, value: Floats, slope: Floats, low: Floats, high: Floats,
    enough: Floats, in_first_stage: Bools, start_slope: Floats,
) -> Floats:  # fmt: skip
    """As long as no step has lowered the value enough, the search is for the minimum of the value minus that line."""
    tilted = in_first_stage[rows] & (value <= bracket.value_x[rows]) & (value > enough)
    tilt = np.where(tilted, DECREASE * start_slope[rows], 0.0)
    bracket.value_x[rows] -= bracket.x[rows] * tilt
    bracket.value_y[rows] -= bracket.y[rows] * tilt
    bracket.slope_x[rows] -= tilt
    bracket.slope_y[rows] -= tilt
    following = bracket.narrow(rows, step, value - step * tilt, slope - tilt, low, high)
    bracket.value_x[rows] += bracket.x[rows] * tilt
    bracket.value_y[rows] += bracket.y[rows] * tilt
    bracket.slope_x[rows] += tilt
    bracket.slope_y[rows] += tilt
    return following
