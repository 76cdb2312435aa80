"""Hyperband and successive halving against a straightforward replay of their definitions."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.search.curves import Verdict
from qhn.search.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.search.scheduler import Scheduler
from search.pools import drive, random_curves, reached


def replayed(curves: Floats, most: int, eta: int) -> tuple[list[int], list[int]]:
    """How far Hyperband trains each trial, and the winner of each bracket, as Li et al. define it."""
    s_max = max(s for s in range(20) if eta**s <= most)
    trained, winners, begun = [0] * len(curves), [], 0
    for s in range(s_max, -1, -1):
        n = math.ceil(Fraction((s_max + 1) * eta**s, s + 1))
        alive = list(range(begun, begun + n))
        begun += n
        for i in range(s + 1):
            r_i = round(Fraction(most * eta**i, eta**s))
            for trial in alive:
                trained[trial] = r_i
            alive = sorted(alive, key=lambda trial: (curves[trial, r_i - 1], trial))
            alive = alive[: max(n // eta ** (i + 1), 1)]
        winners.append(alive[0])
    assert begun == len(curves)
    return trained, winners


@pytest.mark.parametrize("eta", [2, 3, 4])
@pytest.mark.parametrize("most", [1, 2, 5, 9, 16, 27, 35, 81, 100])
def test_hyperband_is_that_of_its_definition(most: int, eta: int, rng: np.random.Generator) -> None:
    rule = Hyperband(most, eta)
    for places in (1, 12):  # with and without ties
        curves = random_curves(rng, rule.num_trials, most).round(places)
        done = drive(rule, curves)
        trained, winners = replayed(curves, most, eta)
        assert reached(done) == trained
        assert done.units == sum(trained) == rule.most_units
        last = {d.bracket: d.trial for d in done.decisions if d.resource == most and d.verdict is Verdict.PROMOTED}
        assert [last[bracket] for bracket in range(len(winners))] == winners
        assert done.best() == min(winners, key=lambda trial: (curves[trial, -1], trial))


def test_brackets_run_side_by_side() -> None:
    rule = Hyperband(81, 3)
    scheduler = Scheduler(rule)
    stages = [scheduler.ask() for _ in range(6)]
    assert [stage and stage.bracket for stage in stages] == [0, 1, 2, 3, 4, None]
    assert sorted(trial for stage in stages if stage for trial in stage.trials) == list(range(rule.num_trials))


def test_successive_halving_keeps_the_best() -> None:
    curves = np.tile(np.arange(16.0)[::-1, None], (1, 8))
    done = drive(SuccessiveHalving(16, 8, 2), curves)
    assert reached(done) == [1] * 8 + [2] * 4 + [4] * 2 + [8] * 2
    assert done.best() == 15


def test_run_all_trains_all() -> None:
    done = drive(RunAll(5, 3), np.ones((5, 3)))
    assert (reached(done), done.best(), done.decisions) == ([3] * 5, 0, [])


def test_fewer_go_on_if_others_have_failed() -> None:
    curves = np.ones((8, 8))
    curves[:7] = np.inf
    done = drive(SuccessiveHalving(8, 8, 2), curves)
    assert reached(done) == [1] * 7 + [8]
    assert done.best() == 7
    verdicts = {d.trial: d.verdict for d in done.decisions}
    assert [verdicts[trial] for trial in range(8)] == [Verdict.DROPPED] * 7 + [Verdict.PROMOTED]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Hyperband(0), "max_resource must be at least 1, got 0"),
        (lambda: Hyperband(9, eta=1), "eta must be at least 2, got 1"),
        (lambda: SuccessiveHalving(0, 9), "num_trials must be at least 1, got 0"),
        (lambda: RunAll(3, -1), "max_resource must be at least 1, got -1"),
        (lambda: RunAll(True, 1), "num_trials must be an integer of at least 1, got True"),
    ],
)
def test_rules_are_refused_at_the_door(make: object, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        make()  # type: ignore[operator]
