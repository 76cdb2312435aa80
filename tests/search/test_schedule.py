"""The numbers of Hyperband against published ones, and against a direct implementation of its definition."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import pytest

from qhn.errors import QhnError
from qhn.search.schedule import MAX_RESOURCE, halving_bracket, hyperband_brackets, largest_power, share_of


def direct(most: int, eta: int) -> list[list[tuple[int, int]]]:
    """Hyperband's brackets as they are defined, with fractions."""
    s_max = max(s for s in range(20) if Fraction(eta) ** s <= most)
    brackets = []
    for s in range(s_max, -1, -1):
        n = math.ceil(Fraction((s_max + 1) * eta**s, s + 1))
        r = Fraction(most) / Fraction(eta) ** s
        brackets.append([(math.floor(n / Fraction(eta) ** i), round(r * eta**i)) for i in range(s + 1)])
    return brackets


@pytest.mark.parametrize("eta", [2, 3, 4])
def test_numbers_are_those_of_the_definition(eta: int) -> None:
    for most in range(1, 301):
        brackets = hyperband_brackets(most, eta)
        assert [[(one.trials, one.resource) for one in bracket.rounds] for bracket in brackets] == direct(most, eta)


@pytest.mark.parametrize("eta", [2, 3, 4])
def test_every_round_trains_at_least_one_trial_further(eta: int) -> None:
    for most in range(1, 301):
        for bracket in hyperband_brackets(most, eta):
            resources = [0, *(one.resource for one in bracket.rounds)]
            assert all(one < two for one, two in itertools.pairwise(resources))
            assert min(one.trials for one in bracket.rounds) >= 1
            assert bracket.rounds[-1].resource == most


@pytest.mark.parametrize(("most", "trials", "units"), [(100, 163, 3213), (35, 84, 872), (300, 608, 15380)])
def test_published_numbers(most: int, trials: int, units: int) -> None:
    brackets = hyperband_brackets(most, 2)
    assert (sum(one.trials for one in brackets), sum(one.units for one in brackets)) == (trials, units)


def test_first_bracket_of_100_units() -> None:
    rounds = [(one.trials, one.resource) for one in hyperband_brackets(100, 2)[0].rounds]
    assert rounds == [(64, 2), (32, 3), (16, 6), (8, 12), (4, 25), (2, 50), (1, 100)]


def test_all_brackets_of_81_units() -> None:
    """The first and the last stand so in Table 1 of Li et al., whose others begin with ⌊5/(s+1)⌋·3^s trials."""
    brackets = hyperband_brackets(81, 3)
    assert [[(one.trials, one.resource) for one in bracket.rounds] for bracket in brackets] == [
        [(81, 1), (27, 3), (9, 9), (3, 27), (1, 81)],
        [(34, 3), (11, 9), (3, 27), (1, 81)],
        [(15, 9), (5, 27), (1, 81)],
        [(8, 27), (2, 81)],
        [(5, 81)],
    ]


def test_no_bracket_is_lost_at_powers() -> None:
    """Log 243 to base 3 is less than 5 in floating point."""
    for eta in (2, 3, 5, 10):
        for power in range(8):
            if eta**power <= MAX_RESOURCE:
                assert len(hyperband_brackets(eta**power, eta)) == power + 1
                assert largest_power(eta**power, eta) == power


def test_halving_ends_with_the_most_resource_and_begins_with_a_unit_or_more() -> None:
    for most in range(1, 65):
        for trials in range(1, 40):
            bracket = halving_bracket(trials, most, 2)
            assert bracket.rounds[-1].resource == most
            assert bracket.rounds[0].resource >= 1
            assert bracket.trials == trials
            assert bracket.kept[-1] == 1


def test_a_share_is_what_it_is_written_as() -> None:
    """In floating point 7 % of 100 are more than 7."""
    for percent in range(1, 101):
        for number in range(1, 301):
            assert share_of(percent / 100, number) == -(-percent * number // 100)


@pytest.mark.parametrize(
    ("most", "eta", "message"),
    [
        (0, 2, "max_resource must be at least 1, got 0"),
        (100_001, 2, "max_resource must be at most 100,000, got 100001"),
        (9, 1, "eta must be at least 2, got 1"),
        (2.5, 2, "max_resource must be an integer of at least 1, got 2.5"),
        ("9", 2, "max_resource must be an integer of at least 1, got '9'"),
    ],
)
def test_sizes_are_refused_at_the_door(most: int, eta: int, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        hyperband_brackets(most, eta)


def test_a_bracket_has_no_more_rounds_than_units() -> None:
    with pytest.raises(QhnError, match="rounds must be at most 4, got 5"):
        halving_bracket(8, 8, 2, rounds=5)
