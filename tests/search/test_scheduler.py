"""The state machine: in whatever order trials end, the same is decided; wrong calls are refused and change nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.search.curves import Curves, KnownCurves
from qhn.search.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.search.scheduler import Rule, Scheduler
from qhn.search.swift_hyperband import SwiftHyperband
from search.pools import Line, drive, random_curves, reached, with_faults

RULES = [
    Hyperband(20, 2),
    Hyperband(27, 3),
    SuccessiveHalving(30, 16, 2),
    RunAll(7, 5),
    SwiftHyperband(20, Line(), training_curves=4),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("faults", [0.0, 0.2])
def test_the_order_of_telling_does_not_matter(rule: Rule, faults: float, rng: np.random.Generator) -> None:
    curves = with_faults(rng, random_curves(rng, rule.num_trials, rule.max_resource), faults)
    one = drive(rule, curves)
    for seed in range(10):
        other = drive(rule, curves, workers=int(rng.integers(1, 40)), seed=seed)
        assert repr(other.decisions) == repr(one.decisions)  # nan equals nan
        assert (other.units, other.best(), reached(other)) == (one.units, one.best(), reached(one))
        assert other.is_done


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_rule_takes_no_more_units_than_it_says(rule: Rule, rng: np.random.Generator) -> None:
    done = drive(rule, random_curves(rng, rule.num_trials, rule.max_resource))
    assert sum(reached(done)) == done.units <= rule.most_units
    assert done.units == rule.most_units or isinstance(rule, SwiftHyperband)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_all_trials_fail(rule: Rule) -> None:
    done = drive(rule, np.full((rule.num_trials, rule.max_resource), math.inf))
    assert done.is_done
    assert done.best() is None
    assert done.units < rule.most_units or isinstance(rule, RunAll)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
def test_a_failed_trial_is_never_trained_again(rule: Rule, rng: np.random.Generator) -> None:
    curves = with_faults(rng, random_curves(rng, rule.num_trials, rule.max_resource), 0.3)
    scheduler = Scheduler(rule)
    while stage := scheduler.ask():
        for trial in stage.trials:
            assert not scheduler.curves.has_failed(trial)
            scheduler.tell(trial, curves[trial, scheduler.curves.reached(trial) : stage.until].tolist())
    assert scheduler.is_done


def test_one_unit() -> None:
    for rule in (Hyperband(1, 2), SwiftHyperband(1, Line()), RunAll(1, 1), SuccessiveHalving(1, 1)):
        done = drive(rule, np.array([[0.5]]))
        assert (done.is_done, done.best(), done.units) == (True, 0, 1)


def test_wrong_calls_are_refused_and_change_nothing() -> None:
    scheduler = Scheduler(SuccessiveHalving(4, 4, 2))
    scheduler.ask()
    with pytest.raises(QhnError, match="trial 9 is not to be trained now"):
        scheduler.tell(9, [0.5])
    with pytest.raises(QhnError, match="trial 0 needs 1 losses, one a unit of resource until 1, got 2"):
        scheduler.tell(0, [0.5, 0.4])
    scheduler.tell(0, [0.5])
    with pytest.raises(QhnError, match="trial 0 is not to be trained now"):
        scheduler.tell(0, [0.5])
    assert (scheduler.units, scheduler.until(0), scheduler.until(1)) == (1, None, 1)
    assert scheduler.ask() is None
    assert not scheduler.is_done


def test_a_study_whose_rule_raises_is_not_done() -> None:
    class Broken(Line):
        def fit(self, *arrays: object) -> Line:
            raise ZeroDivisionError

    rule = SwiftHyperband(8, Broken(), training_curves=2)
    with pytest.raises(ZeroDivisionError):
        drive(rule, np.arange(rule.num_trials * 8, dtype=float).reshape(-1, 8))
    scheduler = Scheduler(rule)
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        while stage := scheduler.ask():
            for trial in stage.trials:
                scheduler.tell(trial, [1.0] * (stage.until - scheduler.curves.reached(trial)))
    assert not scheduler.is_done
    assert scheduler.ask() is None


def test_best_of_a_study_that_is_under_way() -> None:
    scheduler = Scheduler(SuccessiveHalving(4, 4, 2))
    assert scheduler.best() is None
    scheduler.ask()
    for trial, loss in enumerate([math.nan, 0.5, 0.2, 0.3]):
        scheduler.tell(trial, [loss])
    assert scheduler.best() == 2
    scheduler.ask()
    scheduler.tell(3, [0.4])
    assert scheduler.best() == 3, "it has reached more than any other"
    scheduler.tell(2, [math.inf])
    assert scheduler.best() == 3, "trial 2 has failed"


def test_curves_keep_nan_before_the_first_step_and_infinity_from_a_failure_on() -> None:
    curves = Curves()
    curves.extend(0, [math.nan, math.nan, 0.5])
    curves.extend(0, [math.nan, 0.4])
    assert str(curves.of(0).tolist()) == "[nan, nan, 0.5, inf, inf]"
    curves.extend(1, [math.nan, -math.inf, 0.1])
    assert str(curves.of(1).tolist()) == "[nan, inf, inf]"
    curves.extend(2, [math.inf])
    assert [curves.has_failed(trial) for trial in range(4)] == [True, True, True, False]
    assert math.isnan(curves.last(3))
    assert (curves.settings([]).shape, curves.until([], 3).shape) == ((0, 0), (0, 3))


def test_earlier_curves_must_fit_together() -> None:
    with pytest.raises(QhnError, match=r"curves and settings must be \[n, units\] and \[n, k\]"):
        KnownCurves(np.ones((3, 5)), np.ones((2, 1)))
    with pytest.raises(QhnError, match="curves and settings must be"):
        KnownCurves(np.ones(5))
    assert KnownCurves(np.ones((3, 5))).settings.shape == (3, 0)
