"""The rule of a survey: a random part of the trials is trained to the end, all others to the decision point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from qhn.fields import Number, Whole, settle
from qhn.scheduling.curves import Curves, Decision, Verdict
from qhn.scheduling.schedule import check_sizes, share_of
from qhn.scheduling.scheduler import Stage, Stages

FEWEST_WHOLE = 15  # trials of a group that are trained to the end at least, if it has as many


@dataclass(frozen=True)
class SurveyRule:
    """A rule that stops most trials early without looking at them, so that those left are a fair sample.

    The trials come in groups, such as depths, of equally many: the trials of group g have the numbers
    ``g·trials_per_group``, …. All are trained to the decision point, then the first ones of each group to the end.
    Trials of a group differ in their seed only, so the first ones are as random a part as any, and the choice depends
    neither on their curves nor on which of them ends first.

    Attributes:
        groups: number of groups.
        trials_per_group: number of trials of each group.
        max_resource: the resource R at which a trial ends, in units.
        known: share of R at which the decision point lies.
        full_share: share of the trials of each group that are trained to the end; at least 15 are, if there are as
            many.

    Raises:
        QhnError: at construction, if a number is out of bounds.

    >>> rule = SurveyRule(groups=3, trials_per_group=100, max_resource=60)
    >>> rule.num_trials, rule.decision_point, rule.whole_per_group, rule.most_units / rule.units_of_all
    (300, 30, 50, 0.75)
    """

    groups: int
    trials_per_group: int
    max_resource: int
    known: float = 0.5
    full_share: float = 0.5

    def __post_init__(self) -> None:
        settle(self, groups=Whole(1), trials_per_group=Whole(1))
        settle(self, known=Number(above=0, high=1), full_share=Number(above=0, high=1))
        check_sizes(self.max_resource, 2)

    @property
    def num_trials(self) -> int:
        """The number of trials of all groups."""
        return self.groups * self.trials_per_group

    @property
    def decision_point(self) -> int:
        """The resource at which the trials are paused and most of them stopped, in units."""
        return max(1, share_of(self.known, self.max_resource))

    @property
    def whole_per_group(self) -> int:
        """The number of trials of each group that are trained to the end."""
        return min(self.trials_per_group, max(FEWEST_WHOLE, share_of(self.full_share, self.trials_per_group)))

    @property
    def most_units(self) -> int:
        """The resource that all trials take together, in units."""
        whole = self.groups * self.whole_per_group
        return whole * self.max_resource + (self.num_trials - whole) * self.decision_point

    @property
    def units_of_all(self) -> int:
        """The resource that all trials would take together if none was stopped, in units."""
        return self.num_trials * self.max_resource

    def trials(self, group: int) -> range:
        """The numbers of the trials of a group."""
        return range(group * self.trials_per_group, (group + 1) * self.trials_per_group)

    def is_whole(self, trial: int) -> bool:
        """Whether a trial is one of those that are trained to the end."""
        return trial % self.trials_per_group < self.whole_per_group

    def begin(self, curves: Curves, decisions: list[Decision]) -> Sequence[Stages]:
        """A generator of stages for each group; see :meth:`qhn.scheduling.scheduler.Rule.begin`."""
        return [self._stages(group, decisions) for group in range(self.groups)]

    def _stages(self, group: int, decisions: list[Decision]) -> Stages:
        trials = tuple(self.trials(group))
        pause = Stage(group, 0, self.decision_point, trials)
        yield pause
        for trial in trials:
            verdict = Verdict.FULL if self.is_whole(trial) else Verdict.STOPPED
            decisions.append(Decision(group, 0, self.decision_point, trial, verdict))
        if self.decision_point < self.max_resource:
            yield replace(pause, until=self.max_resource, trials=trials[: self.whole_per_group])
