"""Weighted sums of the rates of independent experiments, with intervals, and how small a difference they can show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import hypot, sqrt

from qhn.errors import QhnError
from qhn.statistics import wilson
from qhn.sweep.survey import Rate

SIGNIFICANT = 0.05  # two-sided p-value, corrected for the family of a test, below which it decides
TAIL = SIGNIFICANT / 2  # probability beyond either end of an interval of 95 %
Interval = tuple[float, float]


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of independent rates and a constant, such as a difference of two rates, or of differences.

    Rates have the names of their experiments: those of equal name are one experiment, whose weights add up. So what
    two differences share, such as the same runs of a product state, cancels in the difference of both.

    Attributes:
        rates: the rates by the names of their experiments.
        weights: the weight of each rate, by the same names.
        constant: number that is added.

    Raises:
        QhnError: when contrasts are added that give different rates the same name.

    >>> one, two, product = (Contrast.of(name, Rate(n, 200)) for name, n in (("1", 86), ("2", 118), ("product", 104)))
    >>> ((two - product) - (one - product)).interval(TAIL) == (two - one).interval(TAIL)
    True
    """

    rates: Mapping[str, Rate]
    weights: Mapping[str, float]
    constant: float = 0.0

    @classmethod
    def of(cls, name: str, rate: Rate) -> Contrast:
        """The rate of the experiment with the given name, alone."""
        return cls({name: rate}, {name: 1.0})

    def __add__(self, other: Contrast | float) -> Contrast:
        if not isinstance(other, Contrast):
            return Contrast(self.rates, self.weights, self.constant + other)
        for name, rate in self.rates.items():
            if other.rates.get(name, rate) != rate:
                raise QhnError(f"two experiments have the name {name!r}: {rate} and {other.rates[name]}")
        rates = {**self.rates, **other.rates}
        weights = {name: self.weights.get(name, 0.0) + other.weights.get(name, 0.0) for name in rates}
        kept = {name: weight for name, weight in weights.items() if weight}
        return Contrast({name: rates[name] for name in kept}, kept, self.constant + other.constant)

    def __sub__(self, other: Contrast | float) -> Contrast:
        return self + -1.0 * other

    def __rmul__(self, factor: float) -> Contrast:
        weights = {name: factor * weight for name, weight in self.weights.items()}
        return Contrast(self.rates, weights, factor * self.constant)

    @property
    def value(self) -> float:
        """The weighted sum of the rates and the constant."""
        return self.constant + sum(weight * self.rates[name].value for name, weight in self.weights.items())

    def interval(self, tail: float) -> Interval:
        """The ends of the interval beyond each of which lies a probability of ``tail``, at most ½.

        It combines Wilson intervals of the rates by the method of variance estimates recovery (Zou and Donner, Statist.
        Med. 27, 1693, 2008), which for a difference of two rates is Newcombe's (Statist. Med. 17, 873, 1998, method
        10), and for a single rate Wilson's own.
        """
        below = above = 0.0
        for name, weight in self.weights.items():
            rate = self.rates[name]
            low, high = wilson(rate.successes, rate.trials, deviations(tail))
            down, up = weight * (rate.value - low), weight * (high - rate.value)
            if weight < 0:
                down, up = -up, -down
            below, above = hypot(below, down), hypot(above, up)
        return self.value - below, self.value + above


def detectable(trials: int, near: float, *, tests: int = 1, power: float = 0.9) -> float:
    """The smallest difference of two rates that a test of both finds with some probability.

    Args:
        trials: number of trials of each rate.
        near: mean of the two rates.
        tests: number of tests in the family, for which the smallest p-value is corrected.
        power: probability with which the difference is found.

    >>> round(detectable(526, 0.5), 3), round(detectable(890, 0.5, tests=15), 3)
    (0.1, 0.1)
    """
    apart = deviations(TAIL / tests) + deviations(1 - power)
    return apart * sqrt(2 * near * (1 - near) / trials)


def above(rate: Rate, share: float) -> bool | None:
    """Whether a rate is above a share; None if its interval contains the share."""
    low, high = rate.interval
    return None if low <= share <= high else rate.value > share


def pooled(*rates: Rate) -> Rate:
    """The rate of all trials of several rates together."""
    return Rate(sum(rate.successes for rate in rates), sum(rate.trials for rate in rates))


def deviations(tail: float) -> float:
    """The number of standard deviations beyond which a normal distribution has the given probability, on one side."""
    from scipy.stats import norm  # half a second to import

    return max(float(norm.isf(tail)), 1e-9)
