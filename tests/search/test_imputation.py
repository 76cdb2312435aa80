"""Imputed ends: on synthetic curves whose distribution is known, whatever the predictor is worth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from qhn.arrays import Bools, Floats
from qhn.errors import QhnError
from qhn.learning_curves.predictors import LastValue, predictor
from qhn.search.imputation import FOLDS, Imputation, Trials, assign_folds, calibrate, impute

POINTS, TRIALS, WHOLE = 6, 67, 20
REPEATS = 250


def _curves(number: int, generator: np.random.Generator, scatter: float = 0.3) -> tuple[Floats, Floats]:
    """Curves that fall towards an end that they show more or less, and the ends: log-normal, and so skewed."""
    ends = np.exp(generator.normal(-1.5, 0.7, size=number))
    shown = ends * np.exp(scatter * generator.normal(size=number))
    start = generator.uniform(1, 2, size=number)
    units = np.arange(POINTS)
    return shown[:, None] + (start - shown)[:, None] * np.exp(-units / 2), ends


def _survey(curves: Floats, ends: Floats, whole: int = WHOLE, group: Any = None) -> Trials:
    is_whole = np.arange(len(ends)) < whole
    known = np.where(is_whole, ends, np.nan)
    return Trials(
        curves, np.empty((len(ends), 0)), known, is_whole, np.zeros(len(ends), int) if group is None else group
    )


@dataclass(frozen=True)
class Fake:
    """A predictor that distorts the last value, or that knows nothing."""

    kind: str

    def fit(self, curves: Floats, settings: Floats, finals: Floats) -> Fake:
        return self

    def predict(self, curves: Floats, settings: Floats) -> Floats:
        if self.kind == "useless":
            return np.random.default_rng(int(1e6 * curves.sum())).normal(size=len(curves))
        return {
            "biased": 10 + 3 * curves[:, -1],
            "reversed": -curves[:, -1],
            "infinite": np.full(len(curves), np.inf),
            "wild": 1e9 * curves[:, -1],
        }[self.kind]


def _held(interval: tuple[float, float], value: float) -> bool:
    return interval[0] - 1e-12 <= value <= interval[1] + 1e-12


@pytest.mark.parametrize("kind", ["last", "biased", "useless", "reversed", "infinite", "wild"])
def test_statistics_are_unbiased_and_covered_with_any_predictor(kind: str, rng: np.random.Generator) -> None:
    threshold, among_all = 0.15, 0.286  # Φ((ln 0.15 + 1.5)/0.7)
    errors, held = [], []
    for _ in range(REPEATS):
        curves, ends = _curves(TRIALS, rng)
        (found,) = impute(_survey(curves, ends), LastValue() if kind == "last" else Fake(kind))
        mean, rate = found.mean(), found.rate_below(threshold)
        full = (ends < threshold).mean()
        errors.append([mean.value - ends.mean(), rate.value - full])
        held.append(
            [
                _held(mean.sweep_interval, ends.mean()),
                _held(mean.interval, np.exp(-1.5 + 0.7**2 / 2)),
                _held(rate.sweep_interval, full),
                _held(rate.interval, among_all),
            ]
        )
    bias, scatter = np.mean(errors, axis=0), np.std(errors, axis=0) / np.sqrt(REPEATS)
    assert (np.abs(bias) <= 4 * scatter).all(), bias / scatter
    # 20 ends of a skewed distribution: Student's own interval holds their mean in 0.91
    assert (np.mean(held, axis=0) >= [0.89, 0.88, 0.92, 0.92]).all(), np.mean(held, axis=0)


def test_a_better_predictor_makes_narrower_intervals(rng: np.random.Generator) -> None:
    widths: dict[str, list[list[float]]] = {"good": [], "poor": [], "useless": []}
    for _ in range(60):
        ends = np.exp(rng.normal(-1.5, 0.7, size=TRIALS))
        for kind, scatter in (("good", 0.05), ("poor", 0.5), ("useless", 5.0)):
            curves = np.repeat((ends * np.exp(scatter * rng.normal(size=TRIALS)))[:, None], 2, axis=1)
            (found,) = impute(_survey(curves, ends), LastValue())
            widths[kind].append([float(np.diff(e.sweep_interval)[0]) for e in (found.mean(), found.rate_below(0.2))])
    good, poor, useless = (np.mean(widths[kind], axis=0) for kind in widths)
    assert (good < 0.7 * poor).all()
    assert (poor < 0.97 * useless).all()


@pytest.mark.parametrize(("threshold", "rate"), [(0.0, 0.0), (100.0, 1.0)])
def test_where_all_or_none_succeed_the_interval_is_as_wide_as_20_trials_leave_it(
    threshold: float, rate: float, rng: np.random.Generator
) -> None:
    (found,) = impute(_survey(*_curves(TRIALS, rng)), LastValue())
    estimate = found.rate_below(threshold)
    assert estimate.value == rate
    width = float(np.diff(estimate.interval)[0])
    assert width == pytest.approx(1.96**2 / (WHOLE + 1.96**2), rel=1e-3)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_intervals_of_quantiles_hold_them(share: float, rng: np.random.Generator) -> None:
    from scipy.stats import norm

    right = float(np.exp(-1.5 + 0.7 * norm.ppf(share)))
    held, values = [], []
    for _ in range(80):
        (found,) = impute(_survey(*_curves(TRIALS, rng)), LastValue())
        estimate = found.quantile(share)
        held.append(_held(estimate.interval, right))
        values.append(estimate.value)
        assert estimate.interval[0] <= estimate.value <= estimate.interval[1]
    assert np.mean(held) >= 0.91
    assert np.median(values) == pytest.approx(right, rel=0.12)


def test_no_end_is_known_to_what_is_predicted_for_it(rng: np.random.Generator) -> None:
    seen: list[set[float]] = []

    @dataclass(frozen=True)
    class Spy:
        def fit(self, curves: Floats, settings: Floats, finals: Floats) -> Spy:
            seen.append(set(finals.tolist()))
            return self

        def predict(self, curves: Floats, settings: Floats) -> Floats:
            return curves[:, -1]

    curves, ends = _curves(TRIALS, rng)
    trials = _survey(curves, ends)
    impute(trials, Spy())
    fold = assign_folds(trials)
    folds = [set(ends[fold == number].tolist()) for number in range(FOLDS)]
    every = set(ends[:WHOLE].tolist())
    left_out = [every - learnt for learnt in seen]
    assert sorted(map(len, left_out)) == [2] * FOLDS + [4] * (FOLDS * (FOLDS - 1) // 2)
    assert all(one in left_out for one in folds)
    assert all(one | other in left_out for one in folds for other in folds)
    assert (fold[WHOLE:] == -1).all()


def test_the_end_of_a_trial_does_not_change_what_is_predicted_for_it(rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    curves, ends = _curves(TRIALS, rng)
    (before,) = impute(_survey(curves, ends), predictor("ridge"))
    (after,) = impute(_survey(curves, ends + np.eye(TRIALS)[3]), predictor("ridge"))
    assert after.predicted[3] == pytest.approx(before.predicted[3], rel=1e-12)
    np.testing.assert_allclose(after.possible[3], before.possible[3])
    assert after.predicted[4] != before.predicted[4]


def test_a_predictor_that_knows_no_level_is_calibrated() -> None:
    ends = np.linspace(0.1, 2.0, 20)
    learnt = np.arange(20) % 2 == 0
    np.testing.assert_allclose(calibrate(5 * ends - 3, np.where(learnt, ends, np.nan), learnt), ends)
    assert np.ptp(calibrate(-ends, ends, learnt)) == 0
    np.testing.assert_array_equal(calibrate(ends, ends, np.zeros(20, bool)), ends)


def test_groups_of_one_predictor_have_their_own_levels(rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    curves, ends = _curves(3 * TRIALS, rng)
    group = np.repeat([0, 1, 2], TRIALS)
    shifted = ends + group  # which curves do not show
    trials = Trials(
        curves,
        np.empty((len(ends), 0)),
        np.where(is_whole := np.arange(len(ends)) % TRIALS < WHOLE, shifted, np.nan),
        is_whole,
        group,
    )
    found = impute(trials, predictor("nusvr"))
    means = [one.mean() for one in found]
    for number, estimate in enumerate(means):
        assert _held(estimate.sweep_interval, shifted[group == number].mean())
        assert abs(estimate.value - number - 0.28) < 0.15


def test_failed_trials_do_not_succeed_and_are_left_out_of_the_mean(rng: np.random.Generator) -> None:
    curves, ends = _curves(200, rng)
    failed_early, failed_late = np.arange(200) % 5 == 0, np.arange(200) % 10 == 1
    curves[failed_early, 3:] = np.inf
    ends[failed_early | failed_late] = np.inf
    (found,) = impute(_survey(curves, ends, 60), LastValue())
    well = np.isfinite(ends)
    assert _held(found.mean().sweep_interval, ends[well].mean())
    rate = found.rate_below(1e9)
    assert rate.value == pytest.approx(0.7, abs=0.05)
    assert _held(rate.sweep_interval, well.mean())
    assert (found.chances_below(1e9)[failed_early] == 0).all()
    assert np.isinf(found.draw(2, rng)[:, failed_early]).all()
    assert not np.isnan(found.predictive_interval()).any()


def test_a_trial_whose_losses_are_no_numbers_any_more_has_failed(rng: np.random.Generator) -> None:
    curves, ends = _curves(30, rng)
    curves[25, 2:] = np.nan
    curves[26] = np.nan  # which has made no step yet
    assert _survey(curves, ends).has_begun_well.tolist() == [trial != 25 for trial in range(30)]


@pytest.mark.parametrize("trials", [1, 2, 3, 5])
def test_tiny_groups_have_wide_intervals(trials: int, rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    curves, ends = _curves(trials, rng)
    whole = max(trials - 2, 1)
    (found,) = impute(_survey(curves, ends, whole), predictor("nusvr"))
    rate = found.rate_below(0.2)
    assert 0 <= rate.interval[0] <= rate.value <= rate.interval[1] <= 1
    assert np.diff(rate.interval)[0] > 0.4
    assert found.draw(3, rng).shape == (3, trials)
    if whole < 3:
        assert found.mean().interval == (-np.inf, np.inf)


def test_all_trials_whole_is_a_sweep(rng: np.random.Generator) -> None:
    curves, ends = _curves(40, rng)
    (found,) = impute(_survey(curves, ends, 40), LastValue())
    assert found.mean().value == pytest.approx(ends.mean())
    assert found.rate_below(0.2).value == pytest.approx((ends < 0.2).mean())
    assert np.diff(found.rate_below(0.2).sweep_interval)[0] == 0
    np.testing.assert_array_equal(found.draw(1, rng)[0], ends)


def test_draws_and_chances_tell_the_same_distribution(rng: np.random.Generator) -> None:
    (found,) = impute(_survey(*_curves(TRIALS, rng)), LastValue())
    draws = found.draw(4_000, rng)
    stopped = ~found.is_whole
    np.testing.assert_allclose((draws < 0.2).mean(axis=0)[stopped], found.chances_below(0.2)[stopped], atol=0.04)
    np.testing.assert_array_equal(draws[:, :WHOLE], np.tile(found.ends[:WHOLE], (4_000, 1)))
    low, high = found.predictive_interval()
    assert ((draws >= low) & (draws <= high))[:, stopped].mean() > 0.85


def test_predictive_intervals_hold_the_ends_of_stopped_trials(rng: np.random.Generator) -> None:
    held = []
    for _ in range(100):
        curves, ends = _curves(TRIALS, rng)
        (found,) = impute(_survey(curves, ends), LastValue())
        low, high = found.predictive_interval(0.8)
        held.append(((ends >= low) & (ends <= high))[WHOLE:].mean())
    assert 0.72 <= np.mean(held) <= 0.88


def test_nothing_is_imputed_below_the_lowest_possible_loss(rng: np.random.Generator) -> None:
    curves, ends = _curves(TRIALS, rng, scatter=2.0)
    (found,) = impute(_survey(curves, ends), LastValue(), [0.05])
    assert isinstance(found, Imputation)
    assert found.draw(50, rng)[:, WHOLE:].min() >= 0.05


def test_ends_of_trials_outside_the_random_part_are_refused(rng: np.random.Generator) -> None:
    """Trials that went on because they did well are the survivors whose statistics are biased."""
    curves, ends = _curves(30, rng)
    trials = _survey(curves, ends, 15)
    with pytest.raises(QhnError, match="no fair sample of all"):
        replace(trials, ends=ends)
    survivors: Bools = ends < np.median(ends)
    with pytest.raises(QhnError, match="finished ones alone are biased"):
        replace(trials, ends=np.where(trials.is_whole | survivors, ends, np.nan))


def test_arrays_of_other_lengths_are_refused(rng: np.random.Generator) -> None:
    curves, ends = _curves(30, rng)
    with pytest.raises(QhnError, match="a row each"):
        Trials(curves[:5], np.empty((30, 0)), ends, np.ones(30, bool), np.zeros(30, int))
