"""Schedulers and their peers replayed on a pool of whole learning curves: what they spend, and what they find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.learning_curves.predictors import predictor
from qhn.paper.curve_pool import Pool, kept
from qhn.paper.lab import Lab
from qhn.paper.optuna_peers import replay_pruner
from qhn.scheduling.asha import Asha, replay_asha
from qhn.scheduling.curves import KnownCurves
from qhn.scheduling.hyperband import Hyperband, RunAll
from qhn.scheduling.replay import Replay, replay
from qhn.scheduling.scheduler import Rule
from qhn.scheduling.swift_hyperband import SwiftHyperband

EARLIER = 60  # curves of an earlier sweep, from which a warm start learns; no trial of any method is one of them
WORKERS = 4  # of ASHA
CHUNK = 4  # replays of a job


@dataclass(frozen=True)
class Method:
    """A method that decides how long each trial is trained.

    Attributes:
        name: name of the method in tables.
        kind: ``"all"``, ``"hyperband"``, ``"swift"``, ``"asha"`` or ``"optuna"``.
        eta: the factor η.
        predictor: name of the predictor of Swift-Hyperband.
        options: the options of the predictor, as pairs of a name and a value.
        is_warm: whether it learns from earlier curves as well.
        most_replays: the largest number of replays of a slow method; None for as many as of all.
    """

    name: str
    kind: str
    eta: int = 2
    predictor: str = ""
    options: tuple[tuple[str, Any], ...] = ()
    is_warm: bool = False
    most_replays: int | None = None

    def rule(self, units: int, earlier: KnownCurves) -> Rule:
        """The rule of a method that is neither ASHA nor Optuna's.

        Args:
            units: the most resource of a trial.
            earlier: curves of an earlier sweep, for a warm start.
        """
        if self.kind == "hyperband":
            return Hyperband(units, self.eta)
        if self.kind == "all":
            return RunAll(Hyperband(units, self.eta).num_trials, units)
        predict = predictor(self.predictor, **dict(self.options))
        return SwiftHyperband(units, predict, self.eta, earlier=earlier if self.is_warm else None)


@dataclass(frozen=True)
class Outcomes:
    """What the replays of a method found, one row for each.

    Attributes:
        units: the resource that all trials took, in units, ``[replays]``.
        regret: the true loss of the winner less the lowest of all trials drawn, at the most resource, ``[replays]``.
        against_all: the true loss of the winner less that of the trial that is chosen if all are trained to the end,
            ``[replays]``.
        stopped: number of trials that were stopped at a decision point, ``[replays]``.
        wrongly_stopped: number of those that would have been promoted at the end of the round, ``[replays]``.
    """

    units: Floats
    regret: Floats
    against_all: Floats
    stopped: Floats
    wrongly_stopped: Floats

    def __len__(self) -> int:
        """The number of replays."""
        return len(self.units)


def replay_all(lab: Lab, pool: Pool, methods: Sequence[Method], replays: int) -> dict[str, Outcomes]:
    """The outcomes of each method by its name; Optuna's are left out if it is not installed.

    Args:
        lab: the workers, and the folder where outcomes are kept.
        pool: whole curves.
        methods: the methods; replays of one seed draw from the same curves.
        replays: number of replays.
    """
    found = {}
    for method in methods:
        if method.kind != "optuna" or find_spec("optuna"):
            key = {"replays": repr(method), "pool": pool.digest, "qhn": version("qhn")}
            number = min(replays, method.most_replays or replays)
            what = f"prediction, {pool.name}, {method.name}, replays"
            columns = kept(lab, key, number, partial(outcomes_of, pool, method), what, CHUNK)["outcomes"]
            found[method.name] = Outcomes(*columns.T)
    return found


def outcomes_of(pool: Pool, method: Method, seeds: range) -> dict[str, Floats]:
    """The outcomes of some replays, ``[replays, 5]``."""
    return {"outcomes": np.array([_outcome(pool, *one_replay(pool, method, seed)) for seed in seeds])}


def one_replay(pool: Pool, method: Method, seed: int) -> tuple[Replay, Integers]:
    """A replay of a method, and the row of the pool that each of its trials is, ``[trials]``.

    Args:
        pool: whole curves, of which each replay sets some aside as earlier ones.
        method: the method.
        seed: the seed of the draw.
    """
    order = np.random.default_rng(seed).permutation(len(pool))
    aside = num_earlier(pool)
    earlier = KnownCurves(pool.curves[order[:aside]], pool.settings[order[:aside]])
    others = order[aside:]
    drawn_from = KnownCurves(pool.curves[others], pool.settings[others])
    found = _replay(method, drawn_from, earlier, pool.units, seed)
    return found, others[found.rows]


def num_earlier(pool: Pool) -> int:
    """The number of curves of a pool that each replay sets aside as earlier ones."""
    return min(EARLIER, len(pool) // 4)


def _replay(method: Method, pool: KnownCurves, earlier: KnownCurves, units: int, seed: int) -> Replay:
    num_trials = Hyperband(units, method.eta).num_trials
    if method.kind == "asha":
        return replay_asha(Asha(num_trials, units, method.eta, workers=WORKERS), pool, seed=seed)
    if method.kind == "optuna":
        return replay_pruner("hyperband", pool, num_trials=num_trials, max_resource=units, eta=method.eta, seed=seed)
    return replay(method.rule(units, earlier), pool, seed=seed)


def _outcome(pool: Pool, found: Replay, rows: Integers) -> tuple[float, ...]:
    truth = pool.truth[rows, -1]
    if found.winner is None:
        raise QhnError(f"no trial of a replay on {pool.name} has a loss")
    winner = truth[found.winner]
    chosen = truth[int(found.finals.argmin())]
    return found.units, winner - truth.min(), winner - chosen, found.stopped, found.wrongly_stopped
