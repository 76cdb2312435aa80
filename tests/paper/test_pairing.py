"""Paired intervals against published tables, planted correlations and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from qhn.arrays import Bools
from qhn.errors import QhnError
from qhn.paper.contrast import Contrast
from qhn.paper.inference import Difference
from qhn.paper.pairing import Paired, mcnemar, rise
from qhn.sweep.survey import Rate


def two(both: int, first: int, second: int, neither: int) -> Paired:
    """The difference of two rates from the counts of a table of pairs."""
    pairs = np.repeat([[True, True], [True, False], [False, True], [False, False]], (both, first, second, neither), 0)
    return Paired.of(dict(enumerate(pairs.T)), {0: 1.0, 1: -1.0})


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ((59, 6, 16, 80), (-0.0621, -0.1186, -0.0046)),  # Cavo et al. 2012, in Fagerland, Lydersen and Laake, chapter 8
        ((1, 1, 7, 12), (-0.2857, -0.507, -0.026)),  # Bentur et al. 2009, the same, Statist. Med. 33, 2850, 2014
    ],
)
def test_the_interval_of_a_paired_difference_is_newcombes(table, expected: tuple[float, float, float]) -> None:
    found = two(*table)
    assert (found.difference.value, found.difference.low, found.difference.high) == pytest.approx(expected, abs=6e-4)
    assert (found.more, found.fewer) == table[1:3]


def test_without_correlation_it_is_the_interval_of_independent_rates() -> None:
    found = two(10, 10, 30, 30).difference
    independent = Difference.of(Rate(20, 80), Rate(40, 80))
    assert (found.low, found.high) == pytest.approx((independent.low, independent.high))


def test_a_negative_correlation_makes_a_difference_wider_and_a_positive_one_narrower() -> None:
    widths = [found.difference.high - found.difference.low for found in (two(40, 10, 10, 40), two(10, 40, 40, 10))]
    independent = Difference.of(Rate(50, 100), Rate(50, 100))
    assert widths[0] < 0.8 * (independent.high - independent.low) < 1.1 * widths[1]
    assert widths[1] > 1.1 * (independent.high - independent.low)


def test_equal_circuits_cancel_and_different_starts_are_refused() -> None:
    runs = {"product": np.arange(40) < 7, "deep": np.arange(40) < 20}
    assert Paired.of(runs, {"product": 0.0}) == Paired(Difference(0.0, 0.0, 0.0), 0, 0)
    assert Paired.of(runs, {"deep": 1.0, "product": 0.0}).difference.value == 0.5
    with pytest.raises(QhnError, match=r"the same starts, got \[39, 40\]"):
        Paired.of(runs | {"other": np.arange(39) < 7}, {"deep": 1.0, "other": -1.0})


def correlated(rng: np.random.Generator, rates: list[float], correlation: float, starts: int) -> Bools:
    """Successes with the given rates from normal variables of a common correlation, ``[circuits, starts]``."""
    common = rng.normal(size=starts)
    noise = rng.normal(size=(len(rates), starts))
    latent = np.sqrt(correlation) * common + np.sqrt(1 - correlation) * noise
    drawn: Bools = latent < norm.ppf(rates)[:, None]
    return drawn


CASES = [
    ([0.57, 0.43], [1.0, -1.0]),  # a layer against the product state
    ([0.57, 0.43, 0.57], [-1.0, 0.5, 0.5]),  # two depths against it
    ([0.55, 0.60, 0.64, 0.63], [0.5, 0.5, -0.5, -0.5]),  # the orders against each other
    ([0.07, 0.02], [1.0, -1.0]),  # the optimum itself
    ([0.07, 0.02, 0.01, 0.01], [1.0, -1 / 3, -1 / 3, -1 / 3]),
]


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.8])
@pytest.mark.parametrize(("rates", "weights"), CASES)
def test_intervals_hold_the_true_value_of_correlated_rates(
    rates: list[float], weights: list[float], correlation: float, rng: np.random.Generator
) -> None:
    repeats, names = 300, range(len(rates))
    factors = dict(zip(names, weights, strict=True))
    found = [
        Paired.of(dict(zip(names, correlated(rng, rates, correlation, 200), strict=True)), factors).difference
        for _ in range(repeats)
    ]
    held = np.mean([one.low <= np.dot(rates, weights) <= one.high for one in found])
    assert 0.95 - 4 * np.sqrt(0.95 * 0.05 / repeats) < held
    scatter, width = np.std([one.value for one in found]), np.mean([one.high - one.low for one in found])
    assert width < 1.25 * 2 * 1.96 * scatter  # it is no wider than it must be


def test_independent_intervals_of_correlated_rates_are_too_wide(rng: np.random.Generator) -> None:
    """What the paired form is for: the same data, taken as independent, hide a difference that is there."""
    decided = {"paired": 0, "independent": 0}
    for _ in range(200):
        first, second = correlated(rng, [0.50, 0.58], 0.8, 200)
        decided["paired"] += Paired.of({0: first, 1: second}, {0: -1.0, 1: 1.0}).difference.low > 0
        arms = [Contrast.of(str(k), Rate(int(one.sum()), 200)) for k, one in enumerate((first, second))]
        decided["independent"] += Difference.contrast(arms[1] - arms[0]).low > 0
    assert decided["paired"] > decided["independent"] + 40


@pytest.mark.parametrize(("became", "ceased"), [(9, 1), (1, 9), (3, 3), (0, 0), (6, 0)])
def test_mcnemars_test_is_a_binomial_one(became: int, ceased: int) -> None:
    test = mcnemar(became, ceased)
    expected = binomtest(became, became + ceased).pvalue if became + ceased else 1.0
    assert test.p_value == pytest.approx(expected)
    assert test.holds is (None if expected >= 0.05 else became > ceased)


@pytest.mark.parametrize(("up", "down"), [(0.0, 0.0), (0.05, 0.0), (0.03, 0.03), (0.2, 0.1)])
def test_the_paired_interval_holds_the_true_rise(rng: np.random.Generator, up: float, down: float) -> None:
    counts = rng.multinomial(200, [up, down, 1 - up - down], size=1000)
    found = [rise(int(became), int(ceased), 200) for became, ceased, _ in counts]
    assert np.mean([one.low <= up - down <= one.high for one in found]) > 0.93
