"""The line search of Moré and Thuente (ACM TOMS 20, 286, 1994), along many lines at once.

Each line is searched for a step that lowers the value enough and flattens the slope enough, by safeguarded cubic and
quadratic interpolation, with the constants of L-BFGS-B. A call of the function serves all lines still searched.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Bools, Floats, Integers

Rows = Callable[[Floats], tuple[Floats, Floats]]  # θ[n, P] → values[n], gradients[n, P]
DECREASE, CURVATURE, INTERVAL = 1e-3, 0.9, 0.1


class Point(NamedTuple):
    """Angles ``[B, num_parameters]`` with their values ``[B]`` and gradients ``[B, num_parameters]``."""

    theta: Floats
    value: Floats
    grad: Floats


@dataclass
class _Bracket:
    """The interval of each line that holds its minimum: ``x`` is the best step so far, ``y`` the other end."""

    x: Floats
    value_x: Floats
    slope_x: Floats
    y: Floats
    value_y: Floats
    slope_y: Floats
    is_closed: Bools

    def tilt(self, rows: NDArray[np.intp], slant: Floats) -> None:
        """Add a straight line of slope ``slant`` to the values and slopes of some rows."""
        self.value_x[rows] += self.x[rows] * slant
        self.value_y[rows] += self.y[rows] * slant
        self.slope_x[rows] += slant
        self.slope_y[rows] += slant

    def narrow(
        self, rows: NDArray[np.intp], step: Floats, value: Floats, slope: Floats, low: Floats, high: Floats
    ) -> Floats:
        """Use a trial step of some rows and return their next steps: ``dcstep`` of MINPACK-2, in its four cases."""
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


class Found(NamedTuple):
    """The end point of the search along each line, its success ``[B]``, and its number of evaluations ``[B]``."""

    point: Point
    success: Bools
    num_evaluations: Integers


def line_search(fn: Rows, point: Point, direction: Floats, first: Floats, max_evaluations: int) -> Found:
    """Search along ``direction[B, P]`` for steps that lower the value and flatten the slope enough.

    Rows whose search fails stay at their starting point.
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
    success, num_evaluations = np.zeros(num, dtype=bool), np.zeros(num, dtype=np.int64)
    rows = np.flatnonzero(start_slope < 0)
    for _ in range(max_evaluations):
        if len(rows) == 0:
            break
        trial = point.theta[rows] + step[rows, None] * direction[rows]
        value, grad = fn(trial)
        num_evaluations[rows] += 1
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
        # as long as no step has lowered the value enough, the search is for the minimum of the value minus that line
        tilted = in_first_stage[rows] & (value <= bracket.value_x[rows]) & (value > enough)
        slant = np.where(tilted, DECREASE * start_slope[rows], 0.0)
        bracket.tilt(rows, -slant)
        step[rows] = bracket.narrow(rows, a, value - a * slant, slope - slant, lo, hi)
        bracket.tilt(rows, slant)

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
    return Found(end, success, num_evaluations)
