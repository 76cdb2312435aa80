"""Estimates from a random part of known ends and predictions for all: unbiased, and as uncertain as they say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from qhn.arrays import Floats
from qhn.search.two_phase import Estimate, estimate_mean, estimate_rate
from qhn.statistics import wilson

REPEATS = 2_000
ALL, KNOWN = 67, 20


def _split(values: Floats, predicted: Floats, generator: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Known values, predictions for them, and those for all others, of a random part."""
    order = generator.permutation(len(values))
    known, others = order[:KNOWN], order[KNOWN:]
    return values[known], predicted[known], predicted[others]


def _held(interval: tuple[float, float], value: float) -> bool:
    return interval[0] - 1e-12 <= value <= interval[1] + 1e-12


PREDICTIONS = {  # of ends that are normal with a standard deviation of 1
    "right": lambda ends, generator: ends,
    "good": lambda ends, generator: ends + 0.3 * generator.normal(size=len(ends)),
    "biased": lambda ends, generator: 0.5 * ends + 7 + 0.2 * generator.normal(size=len(ends)),
    "useless": lambda ends, generator: generator.normal(size=len(ends)),
    "reversed": lambda ends, generator: -ends,
    "constant": lambda ends, generator: np.full(len(ends), 3.0),
}


@pytest.mark.parametrize("name", PREDICTIONS)
def test_means_are_unbiased_and_their_intervals_hold_95_percent_whatever_is_predicted(
    name: str, rng: np.random.Generator
) -> None:
    found, sweep, every = [], [], []
    for _ in range(REPEATS):
        ends = rng.normal(size=ALL)
        estimate = estimate_mean(*_split(ends, PREDICTIONS[name](ends, rng), rng))
        found.append(estimate.value - ends.mean())
        sweep.append(_held(estimate.sweep_interval, ends.mean()))
        every.append(_held(estimate.interval, 0.0))
    error = np.std(found) / np.sqrt(REPEATS)
    assert abs(np.mean(found)) <= 4 * error + 1e-12
    assert 0.93 <= np.mean(sweep) <= (1.0 if name == "right" else 0.97)
    assert 0.93 <= np.mean(every) <= 0.975


def test_intervals_hold_means_of_ends_that_are_exactly_predicted_but_for_a_few(rng: np.random.Generator) -> None:
    """As those of trainings are, of which most end where they are going, and few leave a plateau late."""
    held, widths = [], []
    for _ in range(REPEATS):
        ends = np.where(rng.random(ALL) < 0.5, 0.1, 0.4) + 0.001 * rng.normal(size=ALL)
        predicted = ends + np.where(rng.random(ALL) < 0.05, 0.1, 0.0)
        interval = estimate_mean(*_split(ends, predicted, rng)).sweep_interval
        held.append(_held(interval, ends.mean()))
        widths.append(interval[1] - interval[0])
    assert np.mean(held) >= 0.93
    assert np.mean(widths) < 0.3 * 2 * 2.1 * 0.15 * np.sqrt((1 - KNOWN / ALL) / KNOWN)  # of what the known ends tell


def test_predictions_narrow_the_interval_by_what_they_explain(rng: np.random.Generator) -> None:
    widths = {}
    for name, predict in PREDICTIONS.items():
        found = []
        for _ in range(300):
            ends = rng.normal(size=ALL)
            low, high = estimate_mean(*_split(ends, predict(ends, rng), rng)).sweep_interval
            found.append(high - low)
        widths[name] = np.mean(found)
    alone = 2 * 2.1 * np.sqrt((1 - KNOWN / ALL) / KNOWN)  # Student's distribution with 18 degrees of freedom
    unseen = 0.25 / (KNOWN - 2)  # the variance of a miss that need not be seen
    assert widths["right"] == pytest.approx(alone * np.sqrt(unseen), rel=0.07)
    assert widths["good"] == pytest.approx(alone * np.sqrt(0.09 / 1.09 + unseen), rel=0.1)
    for name in ("useless", "reversed", "constant"):
        assert widths[name] == pytest.approx(alone, rel=0.07), name


def test_without_predictions_the_mean_is_that_of_the_known_ends_with_students_interval(
    rng: np.random.Generator,
) -> None:
    ends = rng.normal(size=12)
    estimate = estimate_mean(ends, np.zeros(12), np.empty(0))
    low, high = ttest_1samp(ends, 0.0).confidence_interval()
    assert estimate.value == pytest.approx(ends.mean())
    assert estimate.sweep_interval == pytest.approx((ends.mean(), ends.mean()))
    assert estimate.interval[0] == pytest.approx(low, abs=0.03)  # with 10 degrees of freedom in the place of 11
    assert estimate.interval[1] == pytest.approx(high, abs=0.03)
    assert estimate.trials == pytest.approx(12)


@pytest.mark.parametrize("chance", [0.0, 0.03, 0.1, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("skill", ["sure", "half", "useless", "overconfident"])
def test_intervals_of_rates_hold_95_percent_also_near_0_and_1(
    chance: float, skill: str, rng: np.random.Generator
) -> None:
    sweep, every = [], []
    for _ in range(REPEATS):
        successes = (rng.random(ALL) < chance).astype(float)
        predicted = {
            "sure": successes,
            "half": 0.5 * chance + 0.5 * successes,
            "useless": rng.random(ALL),
            "overconfident": np.where(rng.random(ALL) < 0.2, 1 - successes, successes),
        }[skill]
        estimate = estimate_rate(*_split(successes, predicted, rng))
        sweep.append(_held(estimate.sweep_interval, successes.mean()))
        every.append(_held(estimate.interval, chance))
    # Wilson's own interval holds 0.94 and more of most shares, and .92 of some between 0 and 0.1
    assert np.mean(sweep) >= 0.92
    assert np.mean(every) >= 0.92


@pytest.mark.parametrize("successes", [0, 3, 10, 20])
def test_without_predictions_a_rate_has_wilsons_interval(successes: int) -> None:
    known = (np.arange(20) < successes).astype(float)
    estimate = estimate_rate(known, np.zeros(20), np.empty(0))
    assert estimate.value == successes / 20
    assert estimate.interval == pytest.approx(wilson(successes, 20))
    assert estimate.sweep_interval == (successes / 20, successes / 20)


def test_where_the_known_ends_are_all_alike_predictions_narrow_nothing() -> None:
    for share in (0.0, 1.0):
        known = np.full(20, share)
        estimate = estimate_rate(known, known, np.full(80, share))
        assert estimate.value == share
        assert estimate.interval == pytest.approx(wilson(int(20 * share), 20), abs=1e-6)


def test_a_rate_is_within_what_the_known_ends_leave_open(rng: np.random.Generator) -> None:
    known = np.repeat([1.0, 0.0], [2, 18])
    estimate = estimate_rate(known, 1 - known, np.ones(80))  # every prediction for a known end is wrong
    low, high = estimate.sweep_interval
    assert 0.02 <= low <= estimate.value <= high <= 0.82


@pytest.mark.parametrize("number", [1, 2])
def test_from_one_or_two_ends_no_error_is_known(number: int) -> None:
    estimate = estimate_mean(np.ones(number), np.ones(number), np.ones(5))
    assert estimate.value == 1
    assert estimate.interval == estimate.sweep_interval == (-np.inf, np.inf)


def test_without_any_end_nothing_is_known() -> None:
    none = np.empty(0)
    assert np.isnan(estimate_mean(none, none, np.ones(5)).value)
    assert estimate_rate(none, none, np.ones(5)).interval == (0.0, 1.0)
    assert str(estimate_mean(none, none, none)) == "–"


def test_an_estimate_is_worth_as_many_trials_as_its_error_says(rng: np.random.Generator) -> None:
    def worth(predict: str) -> float:
        ends = [rng.normal(size=ALL) for _ in range(300)]
        return float(np.mean([estimate_mean(*_split(e, PREDICTIONS[predict](e, rng), rng)).trials for e in ends]))

    assert worth("right") == pytest.approx(1 / (1 / ALL + (1 - KNOWN / ALL) * 0.25 / (KNOWN - 2) / KNOWN), rel=1e-6)
    assert worth("useless") == pytest.approx(KNOWN, rel=0.1)
    assert isinstance(estimate_rate(np.ones(3), np.ones(3), np.ones(3)), Estimate)
