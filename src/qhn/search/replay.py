"""Replays of rules on learning curves that are known to their ends: what a rule would have spent, and what it finds.

A pool of whole curves stands for the trials that could have been trained. A replay draws as many of them as the rule
begins, and tells the rule of each curve only as much as the rule has asked to train.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.search.curves import Decision, KnownCurves, Verdict
from qhn.search.scheduler import Rule, Scheduler


@dataclass(frozen=True)
class Replay:
    """The result of a rule on trials whose whole curves are known.

    Attributes:
        rows: the row of the pool that each trial is, ``[trials]``.
        reached: the resource until which each trial was trained, in units, ``[trials]``.
        finals: the loss of each trial at the most resource, had it been trained so far, ``[trials]``.
        winner: the number of the trial that the rule finds; None if it finds none.
        decisions: the decisions about the trials.
        stopped: number of trials that were stopped at a decision point within a round.
        wrongly_stopped: number of those that would have been promoted at the end of the round.
    """

    rows: Integers
    reached: Integers
    finals: Floats
    winner: int | None
    decisions: tuple[Decision, ...] = ()
    stopped: int = 0
    wrongly_stopped: int = 0

    @property
    def units(self) -> int:
        """The resource that all trials took together, in units."""
        return int(self.reached.sum())

    @property
    def loss(self) -> float:
        """The loss of the winner at the most resource; infinite without a winner."""
        return float("inf") if self.winner is None else float(self.finals[self.winner])

    @property
    def regret(self) -> float:
        """The loss of the winner less the lowest of all trials that were drawn, both at the most resource."""
        return self.loss - float(self.finals.min())


def replay(rule: Rule, pool: KnownCurves, *, seed: int = 0, replace: bool | None = None) -> Replay:
    """Replay a rule on trials that are drawn from whole curves.

    Args:
        rule: the rule.
        pool: curves of at least the rule's most resource.
        seed: the seed of the draw.
        replace: whether a curve can be drawn several times; by default if there are fewer curves than trials.

    Raises:
        QhnError: if the pool has no curves, too short ones, or fewer than are drawn without replacement.

    >>> from qhn.search.hyperband import Hyperband
    >>> final, unit = np.linspace(0, 1, 20)[:, None], np.arange(1, 10)
    >>> pool = KnownCurves(final + 1 / unit, np.empty((20, 0)))
    >>> found = replay(Hyperband(max_resource=9, eta=3), pool, seed=1)
    >>> found.units, found.regret
    (69, 0.0)
    """
    rows = draw(pool, rule.num_trials, rule.max_resource, seed, replace)
    curves, settings = pool.curves[rows], pool.settings[rows]
    scheduler = Scheduler(rule, lambda trial: settings[trial])
    while stage := scheduler.ask():
        for trial in stage.trials:
            scheduler.tell(trial, curves[trial, scheduler.curves.reached(trial) : stage.until].tolist())
    decisions = tuple(scheduler.decisions)
    return Replay(
        rows=rows,
        reached=np.array([scheduler.curves.reached(trial) for trial in range(len(rows))]),
        finals=final_losses(curves, rule.max_resource),
        winner=scheduler.best(),
        decisions=decisions,
        stopped=sum(decision.verdict is Verdict.STOPPED for decision in decisions),
        wrongly_stopped=_wrongly_stopped(decisions, curves),
    )


def draw(pool: KnownCurves, trials: int, max_resource: int, seed: int, replace: bool | None = None) -> Integers:
    """The rows of a pool that trials are, ``[trials]``.

    Args:
        pool: the whole curves.
        trials: number of trials.
        max_resource: the resource that the curves must reach, in units.
        seed: the seed of the draw.
        replace: whether a curve can be drawn several times; by default if there are fewer curves than trials.

    Raises:
        QhnError: if the pool has no curves, too short ones, or fewer than are drawn without replacement.
    """
    number, length = pool.curves.shape
    if not number or length < max_resource:
        raise QhnError(f"a replay needs curves of {max_resource} units, got {number} of {length}")
    if replace is False and number < trials:
        raise QhnError(f"{trials} trials cannot be drawn without replacement from {number} curves")
    generator = np.random.default_rng(Whole(0)("seed", seed))
    return generator.choice(number, trials, replace=number < trials if replace is None else replace).astype(np.int64)


def final_losses(curves: Floats, max_resource: int) -> Floats:
    """The losses of whole curves at the most resource, ``[n]``; infinite where there is none."""
    finals = curves[:, max_resource - 1]
    return np.where(np.isnan(finals), np.inf, finals)


def _wrongly_stopped(decisions: Sequence[Decision], curves: Floats) -> int:
    """Number of trials stopped in a round that would have been among its best.

    Those that have failed by its end would not.
    """
    rounds: dict[tuple[int, int], list[Decision]] = {}
    for decision in decisions:
        rounds.setdefault((decision.bracket, decision.round), []).append(decision)
    wrong = 0
    for of_round in rounds.values():
        stopped = {decision.trial for decision in of_round if decision.verdict is Verdict.STOPPED}
        promoted = [decision for decision in of_round if decision.verdict is Verdict.PROMOTED]
        if stopped and promoted:
            kept, end = len(promoted), promoted[0].resource
            trials = np.array(sorted({decision.trial for decision in of_round}))
            losses = final_losses(curves[trials], end)
            best = np.lexsort((trials, losses))[:kept]
            wrong += sum(trials[place] in stopped and losses[place] < np.inf for place in best)
    return int(wrong)
