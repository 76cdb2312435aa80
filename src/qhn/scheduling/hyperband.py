"""Hyperband, successive halving, and no stopping at all: rules that look at the losses at the end of each round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from qhn.fields import Whole, settle
from qhn.scheduling.curves import Curves, Decision, Verdict
from qhn.scheduling.schedule import Bracket, halving_bracket, hyperband_brackets, settle_sizes
from qhn.scheduling.scheduler import Stage, Stages


@dataclass(frozen=True)
class Hyperband:
    """Hyperband (Li et al. 2017): brackets of successive halving that begin with fewer and fewer trials.

    The brackets do not depend on each other and run side by side.

    Attributes:
        max_resource: the most resource R that a trial takes, in units.
        eta: the factor η: the best of every η trials goes on to the next round, and is trained η times as long.

    Raises:
        QhnError: at construction, if a number is out of bounds.

    >>> Hyperband(max_resource=35, eta=2).num_trials, Hyperband(max_resource=35, eta=2).most_units
    (84, 872)
    """

    max_resource: int
    eta: int = 3

    def __post_init__(self) -> None:
        settle_sizes(self)

    @cached_property
    def brackets(self) -> tuple[Bracket, ...]:
        """The brackets, that with the most trials first."""
        return hyperband_brackets(self.max_resource, self.eta)

    @property
    def num_trials(self) -> int:
        """The number of trials of all brackets."""
        return sum(bracket.trials for bracket in self.brackets)

    @property
    def most_units(self) -> int:
        """The resource that all trials take together, in units."""
        return sum(bracket.units for bracket in self.brackets)

    def begin(self, curves: Curves, decisions: list[Decision]) -> Sequence[Stages]:
        """A generator of stages for each bracket; see :meth:`qhn.scheduling.scheduler.Rule.begin`."""
        return [
            _halve(number, bracket, trials, curves, decisions)
            for number, (bracket, trials) in enumerate(with_trials(self.brackets))
        ]


@dataclass(frozen=True)
class SuccessiveHalving:
    """Successive halving: one bracket, whose trials are trained ever longer while ever fewer are left.

    Attributes:
        num_trials: number of trials at first.
        max_resource: the most resource R that a trial takes, in units.
        eta: the factor η: the best of every η trials goes on to the next round, and is trained η times as long.

    Raises:
        QhnError: at construction, if a number is out of bounds.
    """

    num_trials: int
    max_resource: int
    eta: int = 3

    def __post_init__(self) -> None:
        settle(self, num_trials=Whole(1))
        settle_sizes(self)

    @cached_property
    def bracket(self) -> Bracket:
        """The bracket."""
        return halving_bracket(self.num_trials, self.max_resource, self.eta)

    @property
    def most_units(self) -> int:
        """The resource that all trials take together, in units."""
        return self.bracket.units

    def begin(self, curves: Curves, decisions: list[Decision]) -> Sequence[Stages]:
        """The generator of stages; see :meth:`qhn.scheduling.scheduler.Rule.begin`."""
        return [_halve(0, self.bracket, tuple(range(self.num_trials)), curves, decisions)]


@dataclass(frozen=True)
class RunAll:
    """Every trial is trained for the most resource, and none is stopped: what all other rules are compared with.

    Attributes:
        num_trials: number of trials.
        max_resource: the resource that each takes, in units.

    Raises:
        QhnError: at construction, if a number is out of bounds.
    """

    num_trials: int
    max_resource: int

    def __post_init__(self) -> None:
        settle(self, num_trials=Whole(1))
        settle_sizes(self)

    @property
    def most_units(self) -> int:
        """The resource that all trials take together, in units."""
        return self.num_trials * self.max_resource

    def begin(self, curves: Curves, decisions: list[Decision]) -> Sequence[Stages]:
        """The generator of the only stage; see :meth:`qhn.scheduling.scheduler.Rule.begin`."""
        return [(stage for stage in [Stage(0, 0, self.max_resource, tuple(range(self.num_trials)))])]


def with_trials(brackets: Sequence[Bracket]) -> Iterator[tuple[Bracket, tuple[int, ...]]]:
    """Each bracket with the numbers of its trials, which go on from bracket to bracket."""
    begun = 0
    for bracket in brackets:
        yield bracket, tuple(range(begun, begun + bracket.trials))
        begun += bracket.trials


def promote(
    trials: Sequence[int], kept: int, stage: Stage, curves: Curves, decisions: list[Decision]
) -> tuple[int, ...]:
    """The best trials at the end of a round, in the order of their numbers; all are noted as promoted or dropped.

    A trial that has failed is dropped, even if fewer go on then.

    Args:
        trials: the trials that have reached the end of the round.
        kept: number of those that go on.
        stage: the last stage of the round.
        curves: the curves of all trials.
        decisions: the list to which each decision is added.
    """
    ranked = curves.ranked(trials, stage.until)
    promoted = [trial for trial in ranked if not curves.has_failed(trial)][:kept]
    for trial in ranked:
        verdict = Verdict.PROMOTED if trial in promoted else Verdict.DROPPED
        decisions.append(Decision(stage.bracket, stage.round, stage.until, trial, verdict))
    return tuple(sorted(promoted))


def _halve(number: int, bracket: Bracket, trials: tuple[int, ...], curves: Curves, decisions: list[Decision]) -> Stages:
    """The stages of a bracket: one a round, after which the best trials go on."""
    for place, (one, kept) in enumerate(zip(bracket.rounds, bracket.kept, strict=True)):
        stage = Stage(number, place, one.resource, trials)
        yield stage
        trials = promote(trials, kept, stage, curves, decisions)
