"""How the condition number κ of the history system grows with the number of steps T: curves through measured points.

The points are κ at T = 3 and 63 of two-parameter models in three regimes. A curve through them is an extrapolation in
T, and using it for more parameters is one more: whoever can measure κ should.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from qhn.carleman.regimes import Regime

MAX_CONDITION = 1e60
IDLE_SLOPE = (77 - 7.7) / 56  # κ gained by each idle copy, measured between none and 56 of them

DISSIPATIVE = 20.9, 14.5  # the limit, and the steps after which half of it is reached: 4.5 at T = 3, 17 at T = 63
ALMOST = (140 - 5.6) / 60  # the gain with each step: 5.6 at T = 3, 140 at T = 63
DIVERGENT = math.log(18_454 / 6.8) / 60  # the rate of the exponential: 6.8 at T = 3, 18,454 at T = 63


def _dissipative(num_steps: int) -> float:
    limit, half = DISSIPATIVE
    return limit * (num_steps + 1) / (num_steps + 1 + half)


def _almost(num_steps: int) -> float:
    return 5.6 + ALMOST * (num_steps - 3)


def _divergent(num_steps: int) -> float:
    exponent = DIVERGENT * (num_steps - 3)
    return 6.8 * math.exp(exponent) if exponent < math.log(MAX_CONDITION) else math.inf


REGIMES: dict[Regime, Callable[[int], float]] = {
    Regime.DISSIPATIVE: _dissipative,
    Regime.ALMOST: _almost,
    Regime.DIVERGENT: _divergent,
}


def extrapolated_condition(regime: Regime, num_steps: int, idle: int = 0) -> float:
    """The condition number κ that a curve through measured points gives; infinite where it exceeds 1e60 by far.

    Args:
        regime: how displacements develop: κ saturates if they decay, is linear in T if they almost do, and is
            exponential in T if they diverge.
        num_steps: number T of steps.
        idle: number of idle copies of the last state; each adds 1.24, measured in one system.

    >>> [round(extrapolated_condition(regime, 63), 1) for regime in REGIMES]
    [17.0, 140.0, 18454.0]
    """
    return max(1.0, REGIMES[regime](num_steps) + IDLE_SLOPE * idle)
