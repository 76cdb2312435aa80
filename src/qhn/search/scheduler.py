"""The state machine of a scheduler: which trials are to be trained, and until when; then what came of it.

A scheduler knows nothing of what it schedules. Its rule (:mod:`qhn.search.hyperband`,
:mod:`qhn.search.swift_hyperband`) is written as it is published, as generators of stages: trials that are trained until
the same resource, before the rule looks at their curves. So the result depends on no order in which trials end, on no
number of workers, and a study is resumed by telling its scheduler again what it was told before.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Protocol

from qhn.errors import QhnError
from qhn.search.curves import Curves, Decision, Settings


@dataclass(frozen=True)
class Stage:
    """Trials that are to be trained until the same resource before anything is decided.

    Attributes:
        bracket: the number of the bracket, from 0.
        round: the number of the round in the bracket, from 0.
        until: the resource at its end, in units.
        trials: the numbers of the trials.
    """

    bracket: int
    round: int
    until: int
    trials: tuple[int, ...]


Stages = Generator[Stage, None, None]


class Rule(Protocol):
    """A rule by which trials are paused, promoted and stopped."""

    @property
    def num_trials(self) -> int:
        """The number of trials that are begun, which have the numbers 0, 1, …."""
        ...

    @property
    def max_resource(self) -> int:
        """The most resource that a trial takes, in units."""
        ...

    @property
    def most_units(self) -> int:
        """The most resource that all trials can take together, in units."""
        ...

    def begin(self, curves: Curves, decisions: list[Decision]) -> Sequence[Stages]:
        """Generators of stages that run side by side, each with brackets of its own.

        When a generator is asked for its next stage, ``curves`` holds those of its last one.

        Args:
            curves: the curves of all trials.
            decisions: the list to which each decision is added.
        """
        ...


class Scheduler:
    """The state of a rule: trials to be trained are asked for, and their losses are told.

    Args:
        rule: the rule.
        settings: a function that tells the hyper-parameters of a trial as numbers, for predictors that use them.

    Attributes:
        rule: the rule.
        curves: the curves of all trials so far.
        units: the resource that all trials have taken together so far, in units.
        stages: the stages that were opened so far, in order.

    >>> from qhn.search.hyperband import SuccessiveHalving
    >>> scheduler = Scheduler(SuccessiveHalving(num_trials=4, max_resource=4, eta=2))
    >>> while stage := scheduler.ask():
    ...     for trial in stage.trials:
    ...         scheduler.tell(trial, [1 / (trial + 1)] * (stage.until - scheduler.curves.reached(trial)))
    >>> [(d.trial, d.resource, str(d.verdict)) for d in scheduler.decisions]
    [(3, 1, 'promoted'), (2, 1, 'promoted'), (1, 1, 'dropped'), (0, 1, 'dropped'), (3, 2, 'promoted'), ...]
    >>> scheduler.is_done, scheduler.best()
    (True, 3)
    """

    def __init__(self, rule: Rule, settings: Settings = lambda trial: ()) -> None:
        self.rule = rule
        self.curves = Curves(settings)
        self.units = 0
        self._decisions: list[Decision] = []
        self.stages: list[Stage] = []
        self._waiting: dict[int, Stage] = {}  # the stage of each trial that was asked for and not told
        self._left: dict[Stage, int] = {}
        self._new: list[Stage] = []
        self._stages: dict[Stage, Stages] = {}  # the generator of each stage that has not ended
        for stages in rule.begin(self.curves, self._decisions):
            self._open(stages)

    def ask(self) -> Stage | None:
        """The next trials to be trained; None if there are none until others have been told, or at the end."""
        return self._new.pop(0) if self._new else None

    def tell(self, trial: int, losses: Sequence[float]) -> None:
        """Take the losses of a trial that was asked for.

        Args:
            trial: the number of the trial.
            losses: the losses at every unit of resource that it took, in order; lower is better. nan stands for a unit
                before its first step; any other loss that is not finite for a trial that has failed.

        Raises:
            QhnError: if the trial is not to be trained now, or there are more or fewer losses.
        """
        stage = self._waiting.get(trial)
        if stage is None:
            raise QhnError(f"trial {trial} is not to be trained now; ask for trials first")
        needed = stage.until - self.curves.reached(trial)
        if len(losses) != needed:
            words = f"trial {trial} needs {needed} losses, one a unit of resource until {stage.until}"
            raise QhnError(f"{words}, got {len(losses)}")
        self.curves.extend(trial, losses)
        self.units += needed
        del self._waiting[trial]
        self._left[stage] -= 1
        if not self._left[stage]:
            self._open(self._stages[stage])
            del self._left[stage], self._stages[stage]

    def _open(self, stages: Stages) -> None:
        """Go on with a generator until its next stage that has trials to train."""
        for stage in stages:
            if stage.trials:
                self._stages[stage] = stages
                self._left[stage] = len(stage.trials)
                self._waiting |= dict.fromkeys(stage.trials, stage)
                self._new.append(stage)
                self.stages.append(stage)
                return

    @property
    def is_done(self) -> bool:
        """Whether no trial will be trained any more; it stays False if the rule has raised an error."""
        return not self._stages

    @property
    def decisions(self) -> list[Decision]:
        """The decisions so far, by bracket and round, in whatever order brackets that run side by side came to them."""
        return sorted(self._decisions, key=lambda decision: (decision.bracket, decision.round))

    def until(self, trial: int) -> int | None:
        """The resource until which a trial is to be trained now; None if it is not."""
        stage = self._waiting.get(trial)
        return None if stage is None else stage.until

    def best(self) -> int | None:
        """The trial with the lowest loss at the most resource that any has reached without having failed.

        It is None if none has a loss.
        """
        sound = [trial for trial in range(self.rule.num_trials) if math.isfinite(self.curves.last(trial))]
        most = max(map(self.curves.reached, sound), default=0)
        ranked = self.curves.ranked([trial for trial in sound if self.curves.reached(trial) == most], most)
        return ranked[0] if ranked else None
