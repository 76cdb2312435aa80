"""The claims of the paper, and the verdicts on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.sweep.survey import Rate

RESAMPLES = 2_000  # from which an interval is taken


class Verdict(StrEnum):
    """The verdict on a claim."""

    REPRODUCED = "reproduced"
    TEXT_ONLY = "reproduced only in the text's order of gates (eq5)"
    AUTHORS_ONLY = "reproduced only under the authors' code's convention"
    TEXT_AT_LEAST = "reproduced in the text's order of gates (eq5), not decided in the program's"
    AUTHORS_AT_LEAST = "reproduced under the authors' code's convention, not decided in the text's"
    NOT_REPRODUCED = "not reproduced"
    UNDECIDED = "not decided: within the error"
    UNTESTABLE = "not testable here"


@dataclass(frozen=True)
class Claim:
    """A statement of the paper in our words, with our verdict and evidence.

    Attributes:
        source: the place in the paper, or in its authors' program, that makes the statement.
        statement: the statement.
        verdict: whether the statement holds.
        evidence: the numbers that the verdict rests on.
    """

    source: str
    statement: str
    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Difference:
    """The difference of two independent rates with Newcombe's 95 % interval (Statist. Med. 17, 873, 1998, method 10).

    >>> Difference.of(Rate(90, 200), Rate(60, 200)).holds, Difference.of(Rate(60, 200), Rate(60, 200)).holds
    (True, None)
    """

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, first: Rate, second: Rate) -> Difference:
        """The difference ``first − second`` of two independent rates."""
        value = first.value - second.value
        (low_1, high_1), (low_2, high_2) = first.interval, second.interval
        below = sqrt((first.value - low_1) ** 2 + (high_2 - second.value) ** 2)
        above = sqrt((high_1 - first.value) ** 2 + (second.value - low_2) ** 2)
        return cls(value, value - below, value + above)

    @classmethod
    def of_means(cls, values: ArrayLike) -> Difference:
        """The mean of paired differences with Student's 95 % interval, which is infinite for a single difference.

        >>> str(Difference.of_means([0.2, 0.3, 0.4]))
        '+0.30 (+0.05 to +0.55)'
        """
        from scipy.stats import t as student_t  # half a second to import

        gains = np.asarray(values, dtype=np.float64)
        mean, error = mean_and_error(gains)
        bound = error * float(student_t.ppf(0.975, len(gains) - 1)) if len(gains) > 1 else np.inf
        return cls(mean, mean - bound, mean + bound)

    @classmethod
    def of_resamples(cls, values: ArrayLike) -> Difference:
        """The mean of values with the 95 % interval of means of resamples, which is infinite for a single value.

        The interval does not rest on a normal distribution: it is between quantiles of 2,000 resamples. Those of few
        values scatter too little, so that the quantiles lie as much further out as Student's t is wider (the expanded
        percentile interval: Hesterberg, The American Statistician 69, 371, 2015).

        >>> str(Difference.of_resamples([0.0, 0.0, 0.0, 1.0] * 10)), str(Difference.of_resamples([0.0, 0.1, 0.3]))
        ('+0.25 (+0.12 to +0.40)', '+0.13 (+0.00 to +0.30)')
        """
        from scipy.stats import norm  # half a second to import
        from scipy.stats import t as student_t

        gains = np.asarray(values, dtype=np.float64)
        number = len(gains)
        if number < 2:
            return cls(float(gains.mean()), -np.inf, np.inf)
        chosen = np.random.default_rng(0).integers(number, size=(RESAMPLES, number))
        tail = float(norm.sf(sqrt(number / (number - 1)) * student_t.ppf(0.975, number - 1)))
        low, high = np.quantile(gains[chosen].mean(axis=1), [tail, 1 - tail])
        return cls(float(gains.mean()), float(low), float(high))

    def within(self, low: float, high: float) -> bool | None:
        """Whether the difference lies in a range; None if its interval reaches beyond an end of the range.

        >>> one = Difference(0.2, 0.1, 0.3)
        >>> one.within(0.0, 0.5), one.within(0.25, 0.5), one.within(0.4, 0.5)
        (True, None, False)
        """
        if self.high < low or self.low > high:
            return False
        return True if low <= self.low and self.high <= high else None

    def words(self, digits: int, scale: float = 1.0) -> str:
        """The difference with its interval in words, as ``"9.7 (9.1 to 10.3)"``.

        Args:
            digits: number of digits behind the decimal point.
            scale: factor of all numbers, such as 100 for percent.
        """
        value, low, high = (f"{scale * end:z.{digits}f}" for end in (self.value, self.low, self.high))
        return f"{value} ({low} to {high})"

    def minus(self, other: Difference) -> Difference:
        """The difference of two independent differences, with an interval by the same method."""
        value = self.value - other.value
        below = sqrt((self.value - self.low) ** 2 + (other.high - other.value) ** 2)
        above = sqrt((self.high - self.value) ** 2 + (other.value - other.low) ** 2)
        return Difference(value, value - below, value + above)

    @property
    def holds(self) -> bool | None:
        """Whether the difference is positive; None if its interval contains zero."""
        return None if self.low <= 0 <= self.high else self.low > 0

    def __str__(self) -> str:
        return f"{self.value:+.2f} ({self.low:+.2f} to {self.high:+.2f})"


def by_order(holds: Mapping[str, bool | None], *, differ: bool = False) -> Verdict:
    """The verdict on a claim that is true, false or undecided (None) in each order of gates.

    That a claim holds *only* in one order takes more than being undecided in the other: it must be refuted there, or
    the two orders must ``differ`` significantly.

    >>> by_order({"eq5": True, "authors": None}).name, by_order({"eq5": True, "authors": None}, differ=True).name
    ('TEXT_AT_LEAST', 'TEXT_ONLY')
    """
    text, authors = holds["eq5"], holds["authors"]
    if text and authors:
        return Verdict.REPRODUCED
    if text:
        return Verdict.TEXT_ONLY if authors is False or differ else Verdict.TEXT_AT_LEAST
    if authors:
        return Verdict.AUTHORS_ONLY if text is False or differ else Verdict.AUTHORS_AT_LEAST
    return Verdict.UNDECIDED if text is None and authors is None else Verdict.NOT_REPRODUCED


def by_difference(differences: Mapping[str, Difference]) -> Verdict:
    """The verdict on a claim that a difference is positive, in each order of gates."""
    apart = differences["eq5"].minus(differences["authors"]).holds is not None
    return by_order({order: found.holds for order, found in differences.items()}, differ=apart)


def verdict_of(holds: bool | None) -> Verdict:
    """The verdict on a claim that does not depend on the order of gates."""
    return Verdict.UNDECIDED if holds is None else Verdict.REPRODUCED if holds else Verdict.NOT_REPRODUCED


def in_all(holds: Sequence[bool | None]) -> bool | None:
    """Whether a claim holds on all tasks; None if it is undecided on one, and refuted on none.

    >>> in_all([True, True]), in_all([True, None]), in_all([None, False])
    (True, None, False)
    """
    return False if False in holds else None if None in holds else True


def above(rate: Rate, share: float) -> bool | None:
    """Whether a rate is above a share; None if its interval contains the share."""
    low, high = rate.interval
    return None if low <= share <= high else rate.value > share


def pooled(*rates: Rate) -> Rate:
    """The rate of all trials of several rates together."""
    return Rate(sum(rate.successes for rate in rates), sum(rate.trials for rate in rates))


def mean_and_error(values: Floats) -> tuple[float, float]:
    """The mean of values ``[n]`` and its standard error, which is 0 for a single value."""
    return float(values.mean()), float(values.std(ddof=min(1, len(values) - 1)) / sqrt(len(values)))
