"""Rates of the same starts: how they differ when every start is its own control."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import TypeVar

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.errors import QhnError
from qhn.paper.contrast import TAIL, Interval, deviations
from qhn.paper.inference import Difference, Hypothesis
from qhn.statistics import wilson

ROUNDING = 1e-9  # a sum of weights below is 0
Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Paired:
    """A weighted sum of rates of the same starts, such as a difference of two rates.

    Attributes:
        difference: the sum, with an interval that counts the correlation of the rates.
        more: number of starts whose own weighted sum of successes is positive; of a difference of two rates, of those
            that succeed in the first only.
        fewer: number of starts whose sum is negative.
    """

    difference: Difference
    more: int
    fewer: int

    @classmethod
    def of(cls, outcomes: Mapping[Name, Bools], weights: Mapping[Name, float]) -> Paired:
        """The weighted sum of rates of the same starts.

        The interval combines Wilson's of the rates by the method of variance estimates recovery for correlated
        estimates (Zou and Donner, Statist. Med. 27, 1693, 2008), with the correlations φ of the successes, of which
        positive ones are corrected for continuity. For a difference of two rates that is Newcombe's interval for paired
        data (Statist. Med. 17, 2635, 1998, method 10).

        Args:
            outcomes: whether each start succeeds, ``[starts]``, by circuit; the same starts in the same order.
            weights: the weight of each rate, by circuit.

        Raises:
            QhnError: if the numbers of starts differ.

        >>> first, second = np.arange(100) < 60, np.arange(100) < 50
        >>> found = Paired.of({"first": first, "second": second}, {"first": 1, "second": -1})
        >>> str(found.difference), found.more, found.fewer
        ('+0.10 (+0.04 to +0.16)', 10, 0)
        """
        chosen = {name: weight for name, weight in weights.items() if abs(weight) > ROUNDING}
        if not chosen:
            return cls(Difference(0.0, 0.0, 0.0), 0, 0)
        if len(sizes := {len(outcomes[name]) for name in chosen}) > 1:
            raise QhnError(f"paired circuits must have the same starts, got {sorted(sizes)} of them")
        table, factors = np.array([outcomes[name] for name in chosen], dtype=np.float64), np.array([*chosen.values()])
        trials, rates, phi = table.shape[1], table.mean(axis=1), _correlations(table)

        def at(tail: float) -> Interval:
            ends = np.array([wilson(int(row.sum()), trials, deviations(tail)) for row in table])
            down, up = rates - ends[:, 0], ends[:, 1] - rates
            below = factors * np.where(factors > 0, down, up)  # signed: what is common to both sides of a difference
            above = factors * np.where(factors > 0, up, down)  # makes it narrower
            return value - _length(below, phi), value + _length(above, phi)

        value, scores = float(factors @ rates), factors @ table
        more, fewer = int((scores > ROUNDING).sum()), int((scores < -ROUNDING).sum())
        return cls(Difference(value, *at(TAIL), at), more, fewer)

    @property
    def counts(self) -> str:
        """The numbers of starts that speak for a positive sum and against it, in words."""
        return f"{self.more:,} : {self.fewer:,}"


def _correlations(table: Floats) -> Floats:
    """The correlations φ of successes ``[circuits, starts]``, positive ones corrected for continuity; of itself 1."""
    trials, counts = table.shape[1], table.sum(axis=1)
    product = trials * (table @ table.T) - np.outer(counts, counts)
    product = np.where(product > 0, np.maximum(product - trials / 2, 0.0), product)
    spread = np.sqrt(counts * (trials - counts))
    scale = np.outer(spread, spread)
    phi: Floats = np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
    np.fill_diagonal(phi, 1.0)
    return phi


def _length(margins: Floats, phi: Floats) -> float:
    """The root of the sum of products of margins ``[n]``, each with the correlation ``[n, n]`` of its pair."""
    return sqrt(max(float(margins @ phi @ margins), 0.0))


def mcnemar(became: int, ceased: int) -> Hypothesis:
    """The statement that success rises, by McNemar's exact test on the starts that changed.

    >>> mcnemar(6, 0).holds, mcnemar(4, 0).holds, mcnemar(0, 8).holds, mcnemar(0, 0).p_value
    (True, None, False, 1.0)
    """
    from scipy.stats import binom  # half a second to import

    total = became + ceased
    supports, refutes = float(binom.sf(became - 1, total, 0.5)), float(binom.cdf(became, total, 0.5))
    return Hypothesis(f"+{became} −{ceased}", supports, refutes)


def rise(became: int, ceased: int, trials: int) -> Difference:
    """The rise of a rate between two looks at the same trials, with the adjusted Wald interval of Bonett and Price.

    One imaginary trial that changes in either direction is added (Psychol. Methods 17, 276, 2012), so that the interval
    is of use where hardly a trial has changed.

    Args:
        became: number of trials that succeed at the second look only.
        ceased: number of trials that succeed at the first look only.
        trials: number of all trials.

    >>> str(rise(10, 2, 200)), str(rise(0, 0, 200))
    ('+0.04 (+0.00 to +0.08)', '+0.000 (-0.014 to +0.014)')
    """
    up, down = (became + 1) / (trials + 2), (ceased + 1) / (trials + 2)
    error = sqrt((up + down - (up - down) ** 2) / (trials + 2))

    def at(tail: float) -> Interval:
        bound = deviations(tail) * error
        return max(up - down - bound, -1.0), min(up - down + bound, 1.0)

    return Difference((became - ceased) / trials, *at(TAIL), at)
