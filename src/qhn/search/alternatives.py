"""What other rules would have made of the trials of a study that trained every one to its end: replays on its curves.

Only there is known what a trial that a rule stops would have come to. The trials are drawn anew for each of some
repeats, with replacement if a rule begins more of them than there are, since one order of trials is one game of chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.learning_curves.predictors import LastValue, predictor
from qhn.search.curves import KnownCurves
from qhn.search.hyperband import Hyperband, RunAll
from qhn.search.replay import replay
from qhn.search.scheduler import Rule
from qhn.search.study import Study
from qhn.search.swift_hyperband import SwiftHyperband

REPEATS = 30
LEAST_TRIALS, LEAST_RESOURCE = 4, 4  # below which there is nothing to choose
MOST_RESOURCE = 100  # units of the grid on which longer curves are read
NOTHING = "random search with the units of Hyperband, η = 3"


@dataclass(frozen=True)
class Alternative:
    """What a rule would have made of the trials of a study, as means over repeats.

    Attributes:
        name: the rule in words.
        trials: number of trials that it begins.
        units: the resource that it takes, in units.
        share: the share of the resource that all of its trials take if each is trained to the end.
        regret: the loss of its winner at the most resource less the lowest of all trials that it began.
        regret_error: the standard error of that.
        above: the loss of its winner less the lowest of all trials of the study.
        above_error: the standard error of that.
        stopped: number of trials that it stopped within a round.
        wrongly: number of those that would have been promoted at the end of the round.
    """

    name: str
    trials: int
    units: float
    share: float
    regret: float
    regret_error: float
    above: float
    above_error: float
    stopped: float
    wrongly: float


def alternatives(study: Study) -> list[Alternative]:
    """What other rules would have made of a study's trials; nothing unless every trial was trained to its end.

    Args:
        study: the study.
    """
    rule = study.rule
    if not (isinstance(rule, RunAll) and study.is_done):
        return []
    if rule.num_trials < LEAST_TRIALS or rule.max_resource < LEAST_RESOURCE:
        return []
    pool, width = _pool(study)
    if not np.isfinite(pool.curves[:, -1]).any():
        return []
    return [_alternative(name, other, pool, width) for name, other in _rules(pool.curves.shape[1])]


def _pool(study: Study) -> tuple[KnownCurves, float]:
    """The curves of all trials, on a coarser grid if they are long, and the width of its units."""
    trials, longest = range(study.rule.num_trials), study.rule.max_resource
    points = min(longest, MOST_RESOURCE)
    units = -(-np.arange(1, points + 1) * longest // points)
    return KnownCurves(
        study.curves.until(trials, longest)[:, units - 1], study.curves.settings(trials)
    ), longest / points


def _rules(longest: int) -> Iterator[tuple[str, Rule]]:
    """The rules that are replayed, each with its name."""
    for eta in (2, 3):
        yield f"Hyperband, η = {eta}", Hyperband(longest, eta)
    for eta in (2, 3):
        yield f"Swift-Hyperband by the last value, η = {eta}", SwiftHyperband(longest, LastValue(), eta)
    with suppress(QhnError):  # if scikit-learn is not installed
        yield "Swift-Hyperband by NuSVR, η = 2", SwiftHyperband(longest, predictor("nusvr"), 2)
    yield NOTHING, RunAll(max(1, Hyperband(longest, 3).most_units // longest), longest)


def _alternative(name: str, rule: Rule, pool: KnownCurves, width: float) -> Alternative:
    made = [replay(rule, pool, seed=seed) for seed in range(REPEATS)]
    usable = [one for one in made if np.isfinite(one.loss)]
    best = float(pool.curves[:, -1][np.isfinite(pool.curves[:, -1])].min())
    units = float(np.mean([one.units for one in made]))
    return Alternative(
        name,
        rule.num_trials,
        units * width,
        units / (rule.num_trials * rule.max_resource),
        *_mean(np.array([one.regret for one in usable])),
        *_mean(np.array([one.loss - best for one in usable])),
        *(float(np.mean([getattr(one, what) for one in made])) for what in ("stopped", "wrongly_stopped")),
    )


def _mean(values: Floats) -> tuple[float, float]:
    """The mean of values and its standard error, nan of none."""
    if len(values) < 2:
        return (float(values[0]), np.nan) if len(values) else (np.nan, np.nan)
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))
