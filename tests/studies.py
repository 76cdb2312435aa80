"""Studies of curves that are written down here, for tests of what is said about studies."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from qhn.learning_curves.predictors import LastValue, Predictor
from qhn.scheduling.scheduler import Rule
from qhn.scheduling.space import Range
from qhn.scheduling.study import Study
from qhn.scheduling.swift_hyperband import SwiftHyperband
from qhn.scheduling.trial import Trial

SPACE = {"rate": Range(1e-3, 1, log=True), "hidden": [16, 32, 64]}


def losses(trial: Trial, noise: float = 0.01) -> list[float]:
    """A curve that falls to a level of its own at a speed of its own, with noise."""
    generator = np.random.default_rng(trial.seed)
    level, height, speed = generator.uniform(0.05, 0.6), generator.uniform(0.5, 1.5), generator.uniform(0.05, 1)
    units = np.arange(1, trial.until + 1)
    curve = level + height * np.exp(-speed * units) + noise * generator.normal(size=trial.until)
    return [float(loss) for loss in curve[trial.reached :]]


def done(rule: Rule, folder: Path | None = None, *, failing: int = 0, jobs: int | None = None) -> Study:
    """A study whose every so many-th trial fails, with all jobs done, or the first ones."""
    study = Study(rule, SPACE, folder=folder)
    told = 0
    while (jobs is None or told < jobs) and (trial := study.ask()):
        if failing and trial.number % failing == failing - 1:
            study.tell(trial, [math.inf] * (trial.until - trial.reached), error="ValueError: no\nsense")
        else:
            study.tell(trial, losses(trial), steps=2 * trial.until)
        told += 1
    study.close()
    return study


def swift(max_resource: int = 27, predictor: Predictor | None = None) -> SwiftHyperband:
    """Swift-Hyperband with η = 2."""
    return SwiftHyperband(max_resource, predictor or LastValue(), 2)
