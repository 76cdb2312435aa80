"""Ratios of rates with intervals, such as the factor by which one thing is rarer than another."""

from __future__ import annotations

from math import exp, inf, sqrt

import numpy as np
from numpy.typing import ArrayLike

from qhn.errors import QhnError
from qhn.paper.contrast import TAIL, Interval, deviations
from qhn.paper.inference import Difference
from qhn.sweep.survey import Rate

FARTHEST = 40.0  # logarithm of the largest ratio that is told from infinity
ROUNDING = 1e-9  # share of a sum below which it is 0


def ratio(first: Rate, second: Rate) -> Difference:
    """The ratio ``first / second`` of two independent rates, with the score interval of Koopman.

    The interval (Biometrics 40, 513, 1984) holds all ratios that the score test does not refute, whose standard error
    is that of rates of just this ratio. It serves rare successes, and rates of 0, for which an end is 0 or infinite.

    Args:
        first: the rate above the line.
        second: the rate below the line; the ratio to a rate of 0 is infinite, and that of two rates of 0 is called 1.

    >>> ratio(Rate(36, 40), Rate(16, 80)).words(2), ratio(Rate(3, 100), Rate(0, 100)).words(2)
    ('4.50 (2.94 to 7.15)', 'inf (0.79 to inf)')
    """
    top, bottom = first.value, second.value
    value = top / bottom if bottom else inf if top else 1.0

    def at(tail: float) -> Interval:
        width = deviations(tail)
        low = _root(first, second, width) if top else 0.0
        return low, _root(first, second, -width) if bottom else inf

    return Difference(value, *at(TAIL), at)


def _root(first: Rate, second: Rate, width: float) -> float:
    """The ratio of which two rates are off by so many standard deviations; infinite if it is beyond all."""
    from scipy.optimize import brentq  # half a second to import

    def excess(log_ratio: float) -> float:
        return _score(first, second, exp(log_ratio)) - width

    if excess(FARTHEST) > 0:
        return inf
    return 0.0 if excess(-FARTHEST) < 0 else exp(brentq(excess, -FARTHEST, FARTHEST, xtol=1e-9))


def _score(first: Rate, second: Rate, factor: float) -> float:
    """The number of standard deviations by which two rates are off a ratio, as they scatter if it is the true one."""
    trials = first.trials + second.trials
    linear = first.trials * factor + first.successes + second.trials + second.successes * factor
    root = sqrt(max(linear**2 - 4 * trials * factor * (first.successes + second.successes), 0.0))
    below = 2 * (first.successes + second.successes) / (linear + root)  # the likeliest second rate for this ratio
    above = min(factor * below, 1.0)
    variance = above * (1 - above) / first.trials + factor**2 * below * (1 - below) / second.trials
    distance = first.value - factor * second.value
    return distance / sqrt(variance) if variance > 0 else 0.0 if distance == 0 else inf if distance > 0 else -inf


def ratio_of_means(first: ArrayLike, second: ArrayLike) -> Difference:
    """The ratio of the means of paired values of at least 0, such as rates on the same data sets.

    What the values of a pair have in common so counts, and each pair counts once, however many trials its rates are of.
    The interval is Student's, of the logarithm of the ratio, with the jackknife's standard error (Efron and Stein, Ann.
    Stat. 9, 586, 1981), which leaves out one pair after the other. For 12 data sets whose rates of .059 and .021 to
    .011 scatter by 0 to 80 % either end misses the true ratio in 1.4 to 2.8 % of cases; Fieller's interval misses it
    from below in 3.6 to 4.4 %. Where one pair has all of a side the interval is from 0 to infinity.

    Args:
        first: values above the line, ``[n]``.
        second: values below the line, ``[n]``, each paired with the one above.

    Raises:
        QhnError: if there are not as many of both.

    >>> ratio_of_means([2.0, 4.2, 5.8], [1.0, 2.0, 3.0]).words(1), ratio_of_means([2.0], [1.0]).words(1)
    ('2.0 (1.7 to 2.3)', '2.0 (0.0 to inf)')
    """
    from scipy.stats import t as student_t  # half a second to import

    top, bottom = (np.asarray(side, dtype=np.float64) for side in (first, second))
    if top.ndim != 1 or top.shape != bottom.shape:
        raise QhnError(f"a ratio takes as many values above the line as below, got {top.shape} and {bottom.shape}")
    whole, others, number = top.sum(), (top.sum() - top, bottom.sum() - bottom), len(top)
    value = float(whole / bottom.sum()) if bottom.any() else inf if top.any() else 1.0
    if number < 2 or min(side.min() / (side.max() or 1.0) for side in others) <= ROUNDING:
        return Difference(value, 0.0, inf, lambda tail: (0.0, inf))
    logs = np.log(others[0] / others[1])
    error = sqrt((number - 1) / number * float(np.square(logs - logs.mean()).sum()))

    def at(tail: float) -> Interval:
        factor = exp(min(error * float(student_t.isf(tail, number - 1)), FARTHEST))
        return value / factor, value * factor

    return Difference(value, *at(TAIL), at)
