"""Replays of other rules on the curves of a study that trained every trial to its end."""

from __future__ import annotations

import math

import pytest

from qhn.search.alternatives import NOTHING, alternatives
from qhn.search.hyperband import Hyperband, RunAll
from qhn.search.study import Study
from studies import SPACE, done, swift


def test_what_rules_take_is_their_schedule() -> None:
    found = {one.name: one for one in alternatives(done(RunAll(60, 16)))}
    for eta in (2, 3):
        one = found[f"Hyperband, η = {eta}"]
        assert (one.units, one.trials) == (Hyperband(16, eta).most_units, Hyperband(16, eta).num_trials)
        assert one.share == one.units / (one.trials * 16)
    assert found["Swift-Hyperband by the last value, η = 2"].units < found["Hyperband, η = 2"].units


def test_random_search_has_no_regret_among_its_own_and_some_among_all() -> None:
    found = {one.name: one for one in alternatives(done(RunAll(60, 16)))}
    assert found[NOTHING].regret == 0
    assert found[NOTHING].above > 0
    assert all(0 <= one.regret <= one.above for one in found.values())


def test_curves_that_never_cross_leave_no_regret() -> None:
    study = Study(RunAll(60, 9), SPACE)
    while trial := study.ask():
        study.tell(trial, [trial.number + 1 / unit for unit in range(1, 10)])
    for one in alternatives(study):
        assert one.regret == 0
        assert one.wrongly == 0


def test_long_curves_are_read_on_a_coarser_grid_and_counted_in_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qhn.search.alternatives.MOST_RESOURCE", 20)
    one = alternatives(done(RunAll(8, 50)))[0]
    assert one.units == Hyperband(20, 2).most_units * 2.5


@pytest.mark.parametrize(
    "study",
    [
        done(swift(9)),
        done(RunAll(60, 9), jobs=59),
        done(RunAll(3, 9)),
        done(RunAll(9, 3)),
        done(RunAll(9, 9), failing=1),
    ],
)
def test_nothing_is_replayed_unless_all_curves_are_known(study: Study) -> None:
    assert alternatives(study) == []


def test_failed_trials_are_a_part_of_the_game() -> None:
    found = alternatives(done(RunAll(30, 9), failing=3))
    assert all(math.isfinite(one.regret) for one in found)
