"""The rule of a survey, against stages and numbers that are counted by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.scheduling.curves import Verdict
from qhn.scheduling.scheduler import Scheduler
from qhn.scheduling.survey_rule import SurveyRule


def test_the_first_trials_of_each_group_go_on_whatever_their_losses() -> None:
    rule = SurveyRule(groups=2, trials_per_group=20, max_resource=10, known=0.35, full_share=0.8)
    assert (rule.num_trials, rule.decision_point, rule.whole_per_group) == (40, 4, 16)
    assert (rule.most_units, rule.units_of_all) == (2 * (16 * 10 + 4 * 4), 400)
    scheduler = Scheduler(rule)
    stages = []
    while stage := scheduler.ask():
        stages.append((stage.bracket, stage.until, stage.trials))
        for trial in stage.trials:
            scheduler.tell(trial, [-trial] * (stage.until - scheduler.curves.reached(trial)))
    assert sorted(stages) == [
        (0, 4, tuple(range(20))),
        (0, 10, tuple(range(16))),
        (1, 4, tuple(range(20, 40))),
        (1, 10, tuple(range(20, 36))),
    ]
    assert scheduler.units == rule.most_units
    stopped = [one.trial for one in scheduler.decisions if one.verdict is Verdict.STOPPED]
    assert stopped == [*range(16, 20), *range(36, 40)] == [n for n in range(40) if not rule.is_whole(n)]
    assert [*rule.trials(1)] == [*range(20, 40)]


def test_who_is_stopped_depends_on_no_loss(rng: np.random.Generator) -> None:
    rule = SurveyRule(groups=2, trials_per_group=40, max_resource=12, known=0.25, full_share=0.4)

    def decide(losses: Callable[[], float]) -> list[tuple[int, str]]:
        scheduler = Scheduler(rule)
        while stage := scheduler.ask():
            for trial in rng.permutation(stage.trials):
                scheduler.tell(int(trial), [losses() for _ in range(scheduler.curves.reached(int(trial)), stage.until)])
        return sorted((decision.trial, str(decision.verdict)) for decision in scheduler.decisions)

    decisions = decide(lambda: 1.0)
    assert decide(rng.normal) == decisions == decide(lambda: np.inf)
    assert sum(verdict == Verdict.FULL for _, verdict in decisions) == 32
    assert sum(verdict == Verdict.STOPPED for _, verdict in decisions) == 48


@pytest.mark.parametrize(
    ("trials", "full", "whole"), [(100, 0.5, 50), (100, 0.07, 15), (100, 0.201, 21), (9, 0.1, 9), (40, 1.0, 40)]
)
def test_at_least_15_trials_of_a_group_go_on(trials: int, full: float, whole: int) -> None:
    assert SurveyRule(1, trials, 10, full_share=full).whole_per_group == whole


@pytest.mark.parametrize(("known", "point"), [(0.001, 1), (0.5, 5), (0.51, 6), (1.0, 10)])
def test_the_decision_point_is_a_share_of_the_most_resource(known: float, point: int) -> None:
    rule = SurveyRule(1, 20, 10, known=known)
    assert rule.decision_point == point
    scheduler = Scheduler(rule)
    while stage := scheduler.ask():
        for trial in stage.trials:
            scheduler.tell(trial, [0.0] * (stage.until - scheduler.curves.reached(trial)))
    assert len(scheduler.stages) == 1 + (point < 10)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"groups": 0}, "groups must be at least 1, got 0"),
        ({"trials_per_group": 0}, "trials_per_group must be at least 1, got 0"),
        ({"max_resource": 0}, "max_resource must be at least 1, got 0"),
        ({"known": 0}, r"known must be a finite number in \(0, 1\], got 0"),
        ({"known": 1.1}, "known must be"),
        ({"full_share": 0}, r"full_share must be a finite number in \(0, 1\], got 0"),
        ({"full_share": 1.1}, "full_share must be"),
    ],
)
def test_numbers_out_of_bounds_are_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(QhnError, match=words):
        SurveyRule(**{"groups": 1, "trials_per_group": 20, "max_resource": 10} | fields)
