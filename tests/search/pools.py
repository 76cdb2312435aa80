"""Curves, settings and predictors for the tests of schedulers, and how a scheduler is driven by whole curves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.search.scheduler import Rule, Scheduler, Stage


def random_curves(rng: np.random.Generator, number: int, length: int) -> Floats:
    """Falling curves that cross each other, ``[number, length]``."""
    finals, speeds = rng.random((number, 1)), rng.uniform(1, length / 2 + 1, (number, 1))
    return finals + rng.uniform(0.2, 2, (number, 1)) * np.exp(-np.arange(1, length + 1) / speeds)


def with_faults(rng: np.random.Generator, curves: Floats, share: float) -> Floats:
    """Curves of which a share begins with nan, and as many others fail somewhere."""
    faulty = curves.copy()
    number, length = curves.shape
    for trial in range(number):
        kind, place = rng.random(), int(rng.integers(length))
        if kind < share:
            faulty[trial, :place] = np.nan
        elif kind < 2 * share:
            faulty[trial, place:] = np.inf
    return faulty


@dataclass(frozen=True)
class Line:
    """A predictor by the least squares of the loss at the end on the last known loss and the settings."""

    def fit(self, curves: Floats, settings: Floats, finals: Floats) -> FittedLine:
        columns = np.column_stack([np.ones(len(curves)), np.nan_to_num(curves[:, -1]), settings])
        return FittedLine(np.linalg.lstsq(columns, finals, rcond=None)[0])


@dataclass(frozen=True)
class FittedLine:
    weights: Floats

    def predict(self, curves: Floats, settings: Floats) -> Floats:
        return np.column_stack([np.ones(len(curves)), curves[:, -1], settings]) @ self.weights


def drive(rule: Rule, curves: Floats, settings: Floats | None = None, workers: int = 1, seed: int = 0) -> Scheduler:
    """Tell a scheduler whole curves in a random order, of as many trials at a time as there are workers."""
    rng = np.random.default_rng(seed)
    scheduler = Scheduler(rule, lambda trial: () if settings is None else settings[trial])
    waiting: list[tuple[Stage, int]] = []
    busy: list[tuple[Stage, int]] = []
    while True:
        while stage := scheduler.ask():
            waiting += [(stage, trial) for trial in stage.trials]
        rng.shuffle(waiting)
        while waiting and len(busy) < workers:
            busy.append(waiting.pop())
        if not busy:
            return scheduler
        stage, trial = busy.pop(int(rng.integers(len(busy))))
        scheduler.tell(trial, curves[trial, scheduler.curves.reached(trial) : stage.until].tolist())


def reached(scheduler: Scheduler) -> list[int]:
    """The resource that each trial has reached."""
    return [scheduler.curves.reached(trial) for trial in range(scheduler.rule.num_trials)]
