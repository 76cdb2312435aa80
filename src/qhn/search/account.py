"""What became of the trials of a study, and what each round of each bracket took: the numbers of its report."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from qhn.search.curves import Curves, Verdict
from qhn.search.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.search.schedule import Bracket
from qhn.search.scheduler import Rule, Stage
from qhn.search.study import Study
from qhn.search.swift_hyperband import SwiftHyperband


class Fate(StrEnum):
    """What became of a trial."""

    WINNER = "winner"  # has the lowest loss at the most resource that any trial has reached
    FINISHED = "finished"  # has taken the most resource
    DROPPED = "dropped"  # was not among the best at the end of a round
    STOPPED = "stopped"  # was predicted to be no good, at a decision point within a round
    FAILED = "failed"  # has raised an error, or its loss is not finite
    UNDER_WAY = "under way"  # is trained, or waits for others
    NOT_BEGUN = "not begun"


Place = tuple[int, int]  # the numbers of a bracket and of a round in it
LOSERS = {Verdict.DROPPED: Fate.DROPPED, Verdict.STOPPED: Fate.STOPPED}


def fates(study: Study) -> list[Fate]:
    """What became of each trial of a study, by its number.

    Args:
        study: the study, which need not be done.

    >>> from qhn.search.hyperband import SuccessiveHalving
    >>> study = Study(SuccessiveHalving(num_trials=3, max_resource=3, eta=3), {"slope": [1, 2, 3]})
    >>> while trial := study.ask():
    ...     study.tell(trial, [trial.number + 1.0] * (trial.until - trial.reached))
    >>> [str(fate) for fate in fates(study)]
    ['winner', 'dropped', 'dropped']
    """
    last = {decision.trial: decision.verdict for decision in study.decisions}
    best = study.best()
    winner = None if best is None else best.number
    return [_fate(study, trial, last.get(trial), is_best=trial == winner) for trial in range(study.rule.num_trials)]


def _fate(study: Study, trial: int, verdict: Verdict | None, *, is_best: bool) -> Fate:
    reached = study.curves.reached(trial)
    if not reached:
        return Fate.NOT_BEGUN
    if study.curves.has_failed(trial):
        return Fate.FAILED
    if is_best:
        return Fate.WINNER
    if reached == study.rule.max_resource:
        return Fate.FINISHED
    return Fate.UNDER_WAY if verdict is None else LOSERS.get(verdict, Fate.UNDER_WAY)


@dataclass(frozen=True)
class RoundAccount:
    """What was decided in a round of a bracket, and what it took.

    Attributes:
        bracket: the number of the bracket, from 0.
        round: the number of the round in the bracket, from 0.
        trials: the numbers of the trials that began the round.
        point: the resource of the decision point within the round, in units; None if there was none.
        resource: the resource at the end of the round, in units.
        verdicts: how often each verdict was given.
        units: the resource that its trials have taken in it, in units.
        failed: the resource that failed trials were to take in it and did not, in units.
        planned: the resource that its trials take in it if none is stopped within a round, in units.
    """

    bracket: int
    round: int
    trials: tuple[int, ...]
    point: int | None
    resource: int
    verdicts: Counter[Verdict]
    units: int
    failed: int
    planned: int

    @property
    def saved(self) -> float:
        """The share of the planned resource that was not taken because trials were stopped within the round."""
        return 1 - (self.units + self.failed) / self.planned

    @property
    def at_end(self) -> int:
        """The number of trials about which was decided at the end of the round."""
        return self.verdicts[Verdict.PROMOTED] + self.verdicts[Verdict.DROPPED]


def planned_brackets(rule: Rule) -> tuple[Bracket, ...]:
    """The brackets that a rule has planned; none for a rule that is not known, or without rounds."""
    if isinstance(rule, (Hyperband, SwiftHyperband)):
        return rule.brackets
    return (rule.bracket,) if isinstance(rule, SuccessiveHalving) else ()


def rounds(study: Study) -> list[RoundAccount]:
    """What was decided in each round that has begun, and what it took, in the order of brackets.

    Args:
        study: the study, which need not be done.
    """
    verdicts: dict[Place, Counter[Verdict]] = {}
    for decision in study.decisions:
        verdicts.setdefault((decision.bracket, decision.round), Counter())[decision.verdict] += 1
    units, failed = Counter[Place](), Counter[Place]()
    before: Counter[int] = Counter()  # resource at the beginning of a trial's next stage
    stages: dict[Place, list[Stage]] = {}
    for stage in study.stages:
        place = stage.bracket, stage.round
        stages.setdefault(place, []).append(stage)
        for trial in stage.trials:
            taken, not_taken = _taken(study.curves, trial, before[trial], stage.until)
            units[place] += taken
            failed[place] += not_taken
            before[trial] = stage.until
    accounts = []
    for place, of_round in sorted(stages.items()):
        begun, end = of_round[0], _end(study.rule, of_round)
        point = begun.until if begun.until < end else None
        planned = len(begun.trials) * (end - _begin(study.rule, begun))
        found = verdicts.get(place, Counter())
        accounts.append(RoundAccount(*place, begun.trials, point, end, found, units[place], failed[place], planned))
    return accounts


def _taken(curves: Curves, trial: int, begin: int, end: int) -> tuple[int, int]:
    """The units that a trial has taken from one resource to another, and those that it was to take, but had failed."""
    losses = curves.of(trial)[begin:end]
    failed = int((losses == math.inf).sum())
    return len(losses) - failed, failed


def _end(rule: Rule, stages: Sequence[Stage]) -> int:
    """The resource at the end of the round of some stages, which need not have been opened so far."""
    plan, first = planned_brackets(rule), stages[0]
    return plan[first.bracket].rounds[first.round].resource if plan else max(stage.until for stage in stages)


def _begin(rule: Rule, stage: Stage) -> int:
    """The resource at the beginning of the round of a stage."""
    plan = planned_brackets(rule)
    return plan[stage.bracket].rounds[stage.round - 1].resource if plan and stage.round else 0


@dataclass(frozen=True)
class Expense:
    """What a study took, and what other rules take.

    Attributes:
        units: the resource that its trials have taken, in units, without those that failed trials did not take.
        failed: the resource that failed trials are charged with and did not take, in units.
        hyperband: what Hyperband with the same R and η takes, in units, and the number of its trials.
        everything: what all trials take if each takes the most resource, in units.
    """

    units: int
    failed: int
    hyperband: tuple[int, int] | None
    everything: int


def expense(study: Study) -> Expense:
    """What a study took so far, and what Hyperband and training every trial to its end take.

    Args:
        study: the study, which need not be done.
    """
    rule = study.rule
    taken = [_taken(study.curves, trial, 0, rule.max_resource) for trial in range(rule.num_trials)]
    units, failed = map(sum, zip(*taken, strict=True))
    eta = getattr(rule, "eta", None)
    plain = None if eta is None or isinstance(rule, RunAll) else Hyperband(rule.max_resource, eta)
    hyperband = None if plain is None else (plain.most_units, plain.num_trials)
    return Expense(units, failed, hyperband, rule.num_trials * rule.max_resource)
