"""What became of trials and what rounds took, against sums that hold whatever was decided."""

from __future__ import annotations

import math
from collections import Counter

import pytest

from qhn.search.account import Fate, expense, fates, rounds
from qhn.search.curves import Verdict
from qhn.search.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.search.scheduler import Rule
from qhn.search.study import Study
from qhn.search.survey_rule import SurveyRule
from studies import done, swift

RULES = [
    swift(50),
    Hyperband(27, 3),
    SuccessiveHalving(20, 27, 3),
    RunAll(7, 9),
    SurveyRule(groups=2, trials_per_group=30, max_resource=8),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)
@pytest.mark.parametrize("jobs", [None, 0, 40])
def test_rounds_hold_every_decision_and_every_unit(rule: Rule, jobs: int | None) -> None:
    study = done(rule, failing=6, jobs=jobs)
    accounts = rounds(study)
    assert sum(account.units + account.failed for account in accounts) == study.units
    assert sum(account.failed for account in accounts) == expense(study).failed
    assert sum((account.verdicts for account in accounts), Counter()) == Counter(d.verdict for d in study.decisions)


@pytest.mark.parametrize("rule", [swift(50), Hyperband(27, 3), SuccessiveHalving(20, 27, 3)])
def test_what_is_planned_is_what_the_rule_takes_without_stopping(rule: Rule) -> None:
    accounts = rounds(done(rule))
    assert sum(account.planned for account in accounts) == rule.most_units
    assert all(0 <= account.saved < 1 for account in accounts)


def test_in_plain_hyperband_nothing_is_saved_and_in_swift_what_stopped_trials_leave() -> None:
    assert {account.saved for account in rounds(done(Hyperband(27, 3)))} == {0.0}
    for account in rounds(done(swift(50))):
        left = 0 if account.point is None else account.resource - account.point
        assert round(account.saved * account.planned) == account.verdicts[Verdict.STOPPED] * left


def test_fates_follow_from_the_last_decision_and_the_resource() -> None:
    study = done(swift(50), failing=9)
    last = {decision.trial: decision.verdict for decision in study.decisions}
    for trial, fate in enumerate(fates(study)):
        reached = study.curves.reached(trial)
        match fate:
            case Fate.FAILED:
                assert math.isinf(study.curves.of(trial)[-1])
            case Fate.WINNER | Fate.FINISHED:
                assert reached == 50
            case Fate.STOPPED:
                assert last[trial] is Verdict.STOPPED
            case Fate.DROPPED:
                assert (last[trial], reached < 50) == (Verdict.DROPPED, True)
            case _:
                pytest.fail(f"trial {trial} of a study that is done is {fate}")
    assert Counter(fates(study))[Fate.WINNER] == 1


def test_a_trial_before_its_first_step_has_neither_failed_nor_won() -> None:
    study = Study(Hyperband(9, 3), {"a": [1]})
    first = study.ask()
    assert first is not None
    study.tell(first, [math.nan])
    assert fates(study)[:2] == [Fate.UNDER_WAY, Fate.NOT_BEGUN]


def test_a_study_without_a_trial_that_works_has_no_winner() -> None:
    found = Counter(fates(done(Hyperband(9, 3), failing=1)))
    assert set(found) == {Fate.FAILED}


def test_units_that_failed_trials_did_not_take_are_not_spent() -> None:
    study = done(Hyperband(9, 3), failing=1)
    assert (expense(study).units, expense(study).failed) == (0, 9 * 1 + 5 * 3 + 3 * 9)
    assert expense(study).everything == 17 * 9


def test_hyperband_beside_swift_is_that_of_the_same_r_and_eta() -> None:
    assert expense(done(swift(35))).hyperband == (872, 84)
    assert expense(done(RunAll(3, 9))).hyperband is None
