"""Numbers with intervals and p-values that agree: an interval at every level of confidence, and tests by inverting it.

A test says that a value lies above a bound where the lower end of its interval does; its p-value is the smallest tail
at which that end reaches the bound. So no number has an interval and a p-value that contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import hypot, inf, log, sqrt

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.paper.contrast import SIGNIFICANT, TAIL, Contrast, Interval, deviations
from qhn.statistics import TWO_SIDED
from qhn.sweep.survey import Rate

RESAMPLES = 2_000  # from which an interval is taken
SMALLEST = 1e-15  # p-value below which none is told from another


@dataclass(frozen=True)
class Hypothesis:
    """A statement about a number, and how strongly the data speak for it and against it.

    Attributes:
        words: the number with its interval, in words.
        supports: one-sided p-value of the data if the statement were false; small where the data speak for it.
        refutes: one-sided p-value of the data if the statement were true; small where the data speak against it.

    >>> Hypothesis("0.2 (0.1 to 0.3)", supports=0.001, refutes=0.999).holds
    True
    """

    words: str
    supports: float
    refutes: float

    @property
    def p_value(self) -> float:
        """The two-sided p-value, that of the more likely direction counted twice, at most 1."""
        return min(1.0, 2 * min(self.supports, self.refutes))

    @property
    def holds(self) -> bool | None:
        """Whether the statement holds by this test alone; None if it decides nothing."""
        return self.decided(self.p_value)

    def decided(self, p_value: float) -> bool | None:
        """Whether the statement holds at a p-value that is corrected for other tests; None if that decides nothing."""
        return None if p_value >= SIGNIFICANT else self.supports < self.refutes


@dataclass(frozen=True)
class Difference:
    """A number, such as a difference of two rates, with its interval of 95 % and those of every other level.

    Attributes:
        value: the number.
        low, high: the ends of its interval of 95 %.
        at: gives the ends of its interval for a probability beyond each end; None takes the interval of 95 % for that
            of a normal distribution, whose halves may differ in width.

    >>> [Difference.of(Rate(successes, 200), Rate(60, 200)).above().holds for successes in (90, 60, 30)]
    [True, None, False]
    """

    value: float
    low: float
    high: float
    at: Callable[[float], Interval] | None = field(default=None, repr=False, compare=False)

    @classmethod
    def of(cls, first: Rate, second: Rate) -> Difference:
        """The difference ``first − second`` of two independent rates, with Newcombe's interval (method 10)."""
        return cls.contrast(Contrast.of("first", first) - Contrast.of("second", second))

    @classmethod
    def contrast(cls, contrast: Contrast) -> Difference:
        """The value of a contrast of independent rates, with its interval (:meth:`Contrast.interval`)."""
        return cls(contrast.value, *contrast.interval(TAIL), contrast.interval)

    @classmethod
    def of_means(cls, values: ArrayLike) -> Difference:
        """The mean of paired differences with Student's interval, which is infinite for a single difference.

        >>> str(Difference.of_means([0.2, 0.3, 0.4]))
        '+0.30 (+0.05 to +0.55)'
        """
        from scipy.stats import t as student_t  # half a second to import

        gains = np.asarray(values, dtype=np.float64)
        mean, error = mean_and_error(gains)

        def at(tail: float) -> Interval:
            bound = error * float(student_t.isf(tail, len(gains) - 1)) if len(gains) > 1 else inf
            return mean - bound, mean + bound

        return cls(mean, *at(TAIL), at)

    @classmethod
    def of_resamples(cls, values: ArrayLike, resamples: int = RESAMPLES) -> Difference:
        """The mean of values with the interval of means of resamples, which is infinite for a single value.

        The interval does not rest on a normal distribution: it is between quantiles of the resamples. Those of few
        values scatter too little, so that the quantiles lie as much further out as Student's t is wider (the expanded
        percentile interval: Hesterberg, The American Statistician 69, 371, 2015).

        Args:
            values: the values, ``[n]``.
            resamples: number of resamples; no p-value is below twice its inverse.

        >>> str(Difference.of_resamples([0.0, 0.0, 0.0, 1.0] * 10)), str(Difference.of_resamples([0.0, 0.1, 0.3]))
        ('+0.25 (+0.12 to +0.40)', '+0.13 (+0.00 to +0.30)')
        """
        from scipy.stats import norm  # half a second to import
        from scipy.stats import t as student_t

        gains = np.asarray(values, dtype=np.float64)
        number = len(gains)
        if number < 2:
            return cls(float(gains.mean()), -inf, inf, lambda tail: (-inf, inf))
        chosen = np.random.default_rng(0).integers(number, size=(resamples, number))
        means = gains[chosen].mean(axis=1)

        def at(tail: float) -> Interval:
            if tail < 1 / resamples:
                return -inf, inf
            share = float(norm.sf(sqrt(number / (number - 1)) * student_t.isf(tail, number - 1)))
            low, high = np.quantile(means, [share, 1 - share])
            return float(low), float(high)

        return cls(float(gains.mean()), *at(TAIL), at)

    @classmethod
    def of_scatter(cls, values: ArrayLike) -> Difference:
        """The standard deviation of normal values with its χ² interval, which is infinite for a single value.

        >>> str(Difference.of_scatter([-1.0, 1.0] * 50))
        '+1.01 (+0.88 to +1.17)'
        """
        from scipy.stats import chi2  # half a second to import

        pulls = np.asarray(values, dtype=np.float64)
        freedom = len(pulls) - 1
        if freedom < 1:
            return cls(0.0, 0.0, inf, lambda tail: (0.0, inf))
        squares = float(np.square(pulls - pulls.mean()).sum())

        def at(tail: float) -> Interval:
            return sqrt(squares / chi2.isf(tail, freedom)), sqrt(squares / chi2.ppf(tail, freedom))

        return cls(sqrt(squares / freedom), *at(TAIL), at)

    def __sub__(self, other: Difference) -> Difference:
        """The difference of two independent numbers; its interval counts the errors of both (MOVER, as contrasts).

        >>> str(Difference(1.0, 0.7, 1.3) - Difference(0.5, 0.1, 0.9))
        '+0.50 (+0.00 to +1.00)'
        """

        def at(tail: float) -> Interval:
            (low, high), (least, most) = self.ends(tail), other.ends(tail)
            value = self.value - other.value
            below = hypot(self.value - low, most - other.value)
            return value - below, value + hypot(high - self.value, other.value - least)

        return Difference(self.value - other.value, *at(TAIL), at)

    def ends(self, tail: float) -> Interval:
        """The ends of the interval beyond each of which lies a probability of ``tail``, at most ½."""
        if self.at is not None:
            return self.at(tail)
        width = deviations(tail) / TWO_SIDED
        return self.value - width * (self.value - self.low), self.value + width * (self.high - self.value)

    def above(self, bound: float = 0.0) -> Hypothesis:
        """The statement that the number is above a bound.

        >>> test = Difference.of(Rate(90, 200), Rate(60, 200)).above(0.0)
        >>> test.holds, round(test.p_value, 4)
        (True, 0.0019)
        """
        return Hypothesis(str(self), self._tail(bound, above=True), self._tail(bound, above=False))

    def inside(self, low: float, high: float) -> Hypothesis:
        """The statement that the number lies in a range, as of two that are equivalent.

        It holds if the number is significantly above the lower bound and below the upper one (two one-sided tests),
        and is refuted by a number significantly beyond one of them.

        >>> [Difference.of(Rate(n, 400), Rate(200, 400)).inside(-0.1, 0.1).holds for n in (205, 235, 290)]
        [True, None, False]
        """
        supports = max(self._tail(low, above=True), self._tail(high, above=False))
        refutes = min(self._tail(low, above=False), self._tail(high, above=True))
        return Hypothesis(str(self), supports, refutes)

    def _tail(self, bound: float, *, above: bool) -> float:
        """The one-sided p-value of the number being above a bound, or below it, if it were at the bound."""
        from scipy.optimize import brentq  # half a second to import

        distance = self.value - bound if above else bound - self.value
        if distance == 0:
            return 0.5
        if distance < 0:
            return 1.0 - self._tail(bound, above=not above)

        def reach(log_tail: float) -> float:
            end = self.ends(float(np.exp(log_tail)))[0 if above else 1]
            return max(min(end - bound if above else bound - end, distance), -1e300)

        least, most = log(SMALLEST), log(0.4999999)
        if reach(most) <= 0:
            return 0.5
        return SMALLEST if reach(least) >= 0 else float(np.exp(brentq(reach, least, most, xtol=1e-6)))

    @property
    def p_value(self) -> float:
        """The two-sided p-value of the number being 0."""
        return self.above().p_value

    def words(self, digits: int, scale: float = 1.0) -> str:
        """The difference with its interval in words, as ``"9.7 (9.1 to 10.3)"``.

        Args:
            digits: number of digits behind the decimal point.
            scale: factor of all numbers, such as 100 for percent.
        """
        value, low, high = (f"{scale * end:z.{digits}f}" for end in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"

    def __str__(self) -> str:
        digits = 2 if not 0 < self.high - self.low < 0.05 else 3 if self.high - self.low >= 0.005 else 4
        return f"{self.value:+.{digits}f} ({self.low:+.{digits}f} to {self.high:+.{digits}f})"


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, corrected so that all verdicts are right with 95 % (Holm, Scand. J. Stat. 6, 65).

    >>> [round(p, 3) for p in holm([0.01, 0.2, 0.02])]
    [0.03, 0.2, 0.04]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable").tolist()):
        largest = max(largest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = largest
    return corrected


def mean_and_error(values: Floats) -> tuple[float, float]:
    """The mean of values ``[n]`` and its standard error, which is 0 for a single value."""
    return float(values.mean()), float(values.std(ddof=min(1, len(values) - 1)) / sqrt(len(values)))
