"""The numbers of Hyperband: how many trials each round of each bracket trains, and for how long.

Resource is counted in units: whatever the smallest trial takes for a step. All numbers are
integers computed from integers, since floating point loses a bracket: log 243 to base 3 is 4.999….

Source: Li et al., *Hyperband*, JMLR 18 (2017).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from qhn.fields import Whole, settle

MAX_RESOURCE = 100_000
MOST, FACTOR = Whole(1, MAX_RESOURCE), Whole(2)  # the rules of R and η


@dataclass(frozen=True)
class Round:
    """A round of a bracket: the trials that are left, and how far they are trained.

    Attributes:
        trials: number of trials.
        resource: the resource that each has taken at the end of the round, in units.
    """

    trials: int
    resource: int


@dataclass(frozen=True)
class Bracket:
    """A bracket: rounds of ever fewer trials that are trained ever longer.

    Attributes:
        rounds: the rounds, the first one first.
    """

    rounds: tuple[Round, ...]

    @property
    def trials(self) -> int:
        """The number of trials that the bracket begins."""
        return self.rounds[0].trials

    @property
    def kept(self) -> tuple[int, ...]:
        """The number of trials that go on after each round; one wins the last."""
        return (*(later.trials for later in self.rounds[1:]), 1)

    @property
    def units(self) -> int:
        """The resource that all trials of the bracket take together if each round trains all of them, in units."""
        steps = [(0, self.rounds[0]), *((one.resource, two) for one, two in pairwise(self.rounds))]
        return sum(one.trials * (one.resource - before) for before, one in steps)


def largest_power(number: int, base: int) -> int:
    """The largest s with base^s ≤ number.

    Args:
        number: the number, at least 1.
        base: the base, at least 2.

    >>> largest_power(243, 3), largest_power(242, 3)
    (5, 4)
    """
    power = 0
    while base ** (power + 1) <= number:
        power += 1
    return power


def hyperband_brackets(max_resource: int, eta: int) -> tuple[Bracket, ...]:
    """The brackets of Hyperband, that with the most trials first.

    Args:
        max_resource: the most resource R that a trial takes, in units.
        eta: the factor η: the best of every η trials goes on to the next round, and is trained η times as long.

    Raises:
        QhnError: if ``max_resource`` is below 1 or ``eta`` below 2.

    >>> brackets = hyperband_brackets(100, 2)
    >>> [(one.trials, one.resource) for one in brackets[0].rounds]
    [(64, 2), (32, 3), (16, 6), (8, 12), (4, 25), (2, 50), (1, 100)]
    >>> sum(bracket.trials for bracket in brackets), sum(bracket.units for bracket in brackets)
    (163, 3213)
    """
    max_resource, eta = check_sizes(max_resource, eta)
    most = largest_power(max_resource, eta)
    return tuple(
        halving_bracket(-(-(most + 1) * eta**s // (s + 1)), max_resource, eta, rounds=s + 1)
        for s in reversed(range(most + 1))
    )


def halving_bracket(trials: int, max_resource: int, eta: int, rounds: int | None = None) -> Bracket:
    """The bracket of successive halving, whose last round trains its trials for the most resource.

    Args:
        trials: number of trials at first.
        max_resource: the most resource R that a trial takes, in units.
        eta: the factor η: the best of every η trials goes on to the next round, and is trained η times as long.
        rounds: number of rounds; by default as many as leave one trial, if the first of them takes a unit or more.

    Raises:
        QhnError: if a number is below its least.

    >>> [(one.trials, one.resource) for one in halving_bracket(20, 81, 3).rounds]
    [(20, 9), (6, 27), (2, 81)]
    """
    max_resource, eta = check_sizes(max_resource, eta)
    trials = Whole(1)("trials", trials)
    most = min(largest_power(max_resource, eta), largest_power(trials, eta))
    last = most if rounds is None else Whole(1, largest_power(max_resource, eta) + 1)("rounds", rounds) - 1
    return Bracket(
        tuple(
            Round(trials // eta**i, round(Fraction(max_resource * eta**i, eta**last)))  # half to even
            for i in range(last + 1)
        )
    )


def share_of(share: float, number: int) -> int:
    """A share of a number, rounded up; the share is taken as the decimal number that it is written as.

    Args:
        share: the share, from 0 to 1.
        number: the number.

    >>> share_of(0.07, 100), math.ceil(0.07 * 100)
    (7, 8)
    """
    return math.ceil(Fraction(repr(share)) * number)


def settle_sizes(rule: object) -> None:
    """Make the sizes of a rule, a frozen dataclass, integers in its ``__post_init__``.

    Args:
        rule: the rule, with a ``max_resource`` and perhaps an ``eta``.

    Raises:
        QhnError: if ``max_resource`` is below 1 or above 100,000, or ``eta`` below 2.
    """
    settle(rule, max_resource=MOST)
    if hasattr(rule, "eta"):
        settle(rule, eta=FACTOR)


def check_sizes(max_resource: int, eta: int) -> tuple[int, int]:
    """The two sizes of a schedule as integers.

    Raises:
        QhnError: if ``max_resource`` is below 1 or above 100,000, or ``eta`` below 2.
    """
    return MOST("max_resource", max_resource), FACTOR("eta", eta)
