"""Asynchronous successive halving (ASHA), simulated on whole learning curves: a peer of the synchronous rules.

A free worker promotes a trial that is among the best η-th of its rung so far, or else begins a new one. Nothing waits,
so that the result depends on which trial ends first, and so on the number of workers if trials differ in speed.

Source: Li et al., *A system for massively parallel hyperparameter tuning*, MLSys (2020).
"""

from __future__ import annotations

import bisect
import heapq
import math
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.fields import Number, Whole, settle
from qhn.scheduling.curves import KnownCurves
from qhn.scheduling.replay import Replay, draw, final_losses
from qhn.scheduling.schedule import settle_sizes


@dataclass(frozen=True)
class Asha:
    """The settings of asynchronous successive halving.

    Attributes:
        num_trials: number of trials that are begun.
        max_resource: the most resource R that a trial takes, in units.
        eta: the factor η: a trial is promoted if it is among the best of every η in its rung.
        min_resource: the resource of the lowest rung, in units.
        workers: number of workers.
        variation: standard deviation of the logarithm of the time that a unit of resource takes a trial.

    Raises:
        QhnError: at construction, if a number is out of bounds.

    >>> Asha(num_trials=9, max_resource=9).rungs
    (1, 3, 9)
    """

    num_trials: int
    max_resource: int
    eta: int = 3
    min_resource: int = 1
    workers: int = 1
    variation: float = 0.0

    def __post_init__(self) -> None:
        settle_sizes(self)
        settle(self, num_trials=Whole(1), min_resource=Whole(1, self.max_resource), workers=Whole(1))
        settle(self, variation=Number(low=0))

    @property
    def rungs(self) -> tuple[int, ...]:
        """The resource at each rung, in units; the highest is the most resource, whatever the powers of η are."""
        rungs, resource = [], self.min_resource
        while resource < self.max_resource:
            rungs.append(resource)
            resource *= self.eta
        return (*rungs, self.max_resource)


def replay_asha(asha: Asha, pool: KnownCurves, *, seed: int = 0, replace: bool | None = None) -> Replay:
    """Simulate asynchronous successive halving on trials that are drawn from whole curves.

    It ends when all trials have begun and none can be promoted. A trial that has failed is not promoted.

    Args:
        asha: the settings.
        pool: curves of at least the most resource.
        seed: the seed of the draw.
        replace: whether a curve can be drawn several times; by default if there are fewer curves than trials.

    Raises:
        QhnError: if the pool has no curves, too short ones, or fewer than are drawn without replacement.
    """
    rows = draw(pool, asha.num_trials, asha.max_resource, seed, replace)
    curves, rungs = pool.curves[rows], asha.rungs
    ladder = _Ladder(curves, rungs, asha.eta)
    reached = np.zeros(len(rows), dtype=np.int64)
    seconds = np.exp(asha.variation * np.random.default_rng([seed, 1]).standard_normal(len(rows)))  # a unit, by trial
    busy: list[tuple[float, int, int, int]] = []  # when a job ends, its number, trial and rung
    now, begun, jobs = 0.0, 0, 0
    while True:
        while len(busy) < asha.workers and (job := ladder.promotion() or _next(begun, len(rows))):
            trial, rung = job
            begun += rung == 0
            duration = float((rungs[rung] - reached[trial]) * seconds[trial])
            heapq.heappush(busy, (now + duration, jobs, trial, rung))
            jobs += 1
        if not busy:
            break
        now, _, trial, rung = heapq.heappop(busy)
        reached[trial] = rungs[rung]
        ladder.enter(trial, rung)
    finals = final_losses(curves, asha.max_resource)
    return Replay(rows, reached, finals, winner=ladder.best())


def _next(begun: int, trials: int) -> tuple[int, int] | None:
    """A new trial and the lowest rung, if there is one."""
    return (begun, 0) if begun < trials else None


class _Ladder:
    """The trials that have reached each rung, and those that were promoted from it."""

    def __init__(self, curves: Floats, rungs: tuple[int, ...], eta: int) -> None:
        self._losses = np.stack([final_losses(curves, resource) for resource in rungs])
        self._eta = eta
        self._entered: list[list[tuple[float, int]]] = [[] for _ in rungs]
        self._promoted: list[set[int]] = [set() for _ in rungs]

    def enter(self, trial: int, rung: int) -> None:
        """Note that a trial has reached a rung."""
        bisect.insort(self._entered[rung], (float(self._losses[rung, trial]), trial))

    def promotion(self) -> tuple[int, int] | None:
        """The trial to be promoted next and its new rung, from the highest rung that has one; None if none has."""
        for rung in reversed(range(len(self._entered) - 1)):
            entered = self._entered[rung]
            for loss, trial in entered[: len(entered) // self._eta]:
                if trial not in self._promoted[rung] and loss < math.inf:
                    self._promoted[rung].add(trial)
                    return trial, rung + 1
        return None

    def best(self) -> int | None:
        """The trial with the lowest loss on the highest rung that any has reached without having failed."""
        for entered in reversed(self._entered):
            if entered and entered[0][0] < math.inf:
                return entered[0][1]
        return None
