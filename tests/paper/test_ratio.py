"""Ratios of rates: published intervals, the test they invert, and planted data."""

from __future__ import annotations

from math import inf, log

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.paper.ratio import ratio, ratio_of_means
from qhn.sweep.survey import Rate


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ((36, 40, 16, 80), (4.5, 2.940, 7.152)),  # Koopman's own example, Biometrics 40, 513, 1984
        ((70, 1000, 40, 3000), (5.25, 3.5909, 7.6718)),  # by confint_proportions_2indep of statsmodels, "score"
    ],
)
def test_the_interval_of_a_ratio_is_koopmans(counts: tuple[int, int, int, int], expected: tuple[float, ...]) -> None:
    found = ratio(Rate(*counts[:2]), Rate(*counts[2:]))
    assert (found.value, found.low, found.high) == pytest.approx(expected, rel=2e-4)
    turned = ratio(Rate(*counts[2:]), Rate(*counts[:2]))
    assert (turned.value, turned.low, turned.high) == pytest.approx([1 / expected[k] for k in (0, 2, 1)], rel=2e-4)


@pytest.mark.parametrize("counts", [(30, 200, 12, 300), (9, 50, 9, 80), (5, 1000, 25, 1000)])
def test_a_ratio_of_one_is_refuted_as_by_pearsons_test(counts: tuple[int, int, int, int]) -> None:
    from scipy.stats import chi2_contingency

    first, first_trials, second, second_trials = counts
    table = [[first, first_trials - first], [second, second_trials - second]]
    found = ratio(Rate(first, first_trials), Rate(second, second_trials)).above(1.0)
    assert found.p_value == pytest.approx(chi2_contingency(table, correction=False).pvalue, rel=1e-3)


def test_rates_of_0_and_1_have_intervals_that_decide_what_they_can() -> None:
    none, some = Rate(0, 1000), Rate(30, 1000)
    assert (ratio(some, none).value, ratio(some, none).high) == (inf, inf)
    assert ratio(some, none).above(3.0).holds is True
    assert (ratio(none, some).value, ratio(none, some).low) == (0.0, 0.0)
    assert ratio(none, some).above(0.5).holds is False
    assert (ratio(none, none).low, ratio(none, none).high) == (0.0, inf)
    assert [ratio(none, none).above(bound).holds for bound in (0.1, 1.0, 10.0)] == [None] * 3
    assert ratio(Rate(50, 50), Rate(50, 50)).low == pytest.approx(50 / (50 + 1.96**2), rel=1e-3)  # as Wilson's


@pytest.mark.parametrize(("bound", "holds"), [(1.0, True), (3.0, True), (5.25, None), (8.0, False)])
def test_verdicts_on_a_planted_factor(bound: float, holds: bool | None) -> None:
    assert ratio(Rate(70, 1000), Rate(40, 3000)).above(bound).holds is holds
    sets = np.array([0.05, 0.06, 0.07, 0.08, 0.09] * 4)
    noise = 1 + 0.2 * np.sin(np.arange(20))
    assert ratio_of_means(sets, sets / 5.25 * noise).above(bound).holds is holds


@pytest.mark.parametrize(("first", "second", "trials"), [(0.07, 0.014, (300, 900)), (0.07, 0.07, (300, 300))])
def test_score_intervals_hold_the_true_ratio_of_small_rates(
    first: float, second: float, trials: tuple[int, int], rng: np.random.Generator
) -> None:
    repeats = 400
    counts = zip(rng.binomial(trials[0], first, repeats), rng.binomial(trials[1], second, repeats), strict=True)
    found = [ratio(Rate(int(a), trials[0]), Rate(int(b), trials[1])) for a, b in counts]
    held = np.mean([one.low <= first / second <= one.high for one in found])
    assert abs(held - 0.95) < 5 * np.sqrt(0.95 * 0.05 / repeats)


@pytest.mark.parametrize(("rare", "scatter"), [(0.021, 0.4), (0.011, 0.4), (0.011, 0.0), (0.016, 0.8)])
def test_intervals_over_data_sets_hold_the_true_ratio_from_both_sides(
    rare: float, scatter: float, rng: np.random.Generator
) -> None:
    """Twelve data sets of 100 starts, whose rates go up and down together and apart."""
    repeats, sets, starts = 1000, 12, 100
    common = np.exp(scatter * rng.normal(size=(repeats, sets)) - scatter**2 / 2)
    apart = np.exp(0.5 * scatter * rng.normal(size=(repeats, sets)) - scatter**2 / 8)
    first = rng.binomial(starts, np.minimum(0.059 * common, 1)) / starts
    second = rng.binomial(starts, np.minimum(rare * common * apart, 1)) / starts
    found = [ratio_of_means(*rates) for rates in zip(first, second, strict=True)]
    bound = 0.025 + 5 * np.sqrt(0.025 * 0.975 / repeats)
    assert np.mean([one.low > 0.059 / rare for one in found]) < bound
    assert np.mean([one.high < 0.059 / rare for one in found]) < bound
    width = np.median([log(one.high / one.low) for one in found])
    error = np.std([log(one.value) for one in found if 0 < one.value < inf])
    assert width < 1.3 * 2 * 2.2 * error  # no wider than it must be: Student's factor with 11 degrees is 2.2


def test_trials_of_one_data_set_are_not_taken_for_independent() -> None:
    """Of two data sets one may differ from all others, whatever the number of starts on each."""
    first, second = np.array([0.12, 0.04]), np.array([0.02, 0.02])
    pooled = ratio(Rate(80_000, 1_000_000), Rate(20_000, 1_000_000))
    assert pooled.above(3.0).holds is True
    assert ratio_of_means(first, second).above(3.0).holds is None


def test_where_one_pair_has_it_all_nothing_is_known() -> None:
    found = ratio_of_means([0.1, 0.1, 0.1], [0.0, 0.03, 0.0])
    assert (found.value, found.low, found.high) == (pytest.approx(10.0), 0.0, inf)
    assert ratio_of_means([0.1, 0.1], [0.0, 0.0]).value == inf
    assert ratio_of_means([0.0, 0.0], [0.0, 0.0]).value == 1.0
    assert ratio_of_means([0.0, 0.0], [0.0, 0.0]).above(2.0).holds is None
    with pytest.raises(QhnError, match=r"as many values above the line as below, got \(3,\) and \(2,\)"):
        ratio_of_means([1, 2, 3], [1, 2])
