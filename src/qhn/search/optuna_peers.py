"""Replays of Optuna's pruners on whole learning curves: peers of the rules, counted in the same units.

A pruner stops a trial for good, and cannot pause one; so each trial is trained until it is pruned or has ended. Needs
Optuna: ``pip install 'qhn[peers]'``.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.search.curves import KnownCurves
from qhn.search.replay import Replay, draw, final_losses
from qhn.search.schedule import check_sizes
from qhn.text import did_you_mean, shown

PRUNERS: dict[str, Callable[[Any, int, int], Any]] = {
    "hyperband": lambda optuna, most, eta: optuna.pruners.HyperbandPruner(1, most, eta),
    "successive-halving": lambda optuna, most, eta: optuna.pruners.SuccessiveHalvingPruner(1, eta),
    "median": lambda optuna, most, eta: optuna.pruners.MedianPruner(),
}


def replay_pruner(
    name: str,
    pool: KnownCurves,
    *,
    num_trials: int,
    max_resource: int,
    eta: int = 3,
    seed: int = 0,
    replace: bool | None = None,
) -> Replay:
    """Replay a pruner of Optuna on trials that are drawn from whole curves.

    Args:
        name: ``"hyperband"``, ``"successive-halving"`` (asynchronous, one worker) or ``"median"``.
        pool: curves of at least the most resource.
        num_trials: number of trials.
        max_resource: the most resource that a trial takes, in units.
        eta: the factor η; the median pruner has none.
        seed: the seed of the draw, and of the brackets that Optuna gives the trials.
        replace: whether a curve can be drawn several times; by default if there are fewer curves than trials.

    Raises:
        QhnError: if there is no such pruner, Optuna is not installed, or the pool does not suffice.
    """
    if name not in PRUNERS:
        raise QhnError(f"there is no pruner {shown(name)}; {did_you_mean(name, PRUNERS, ', '.join(PRUNERS))}")
    max_resource, eta = check_sizes(max_resource, eta)
    try:
        import optuna
    except ImportError:
        raise QhnError("Optuna's pruners need Optuna: pip install 'qhn[peers]'") from None
    rows = draw(pool, Whole(1)("num_trials", num_trials), max_resource, seed, replace)
    curves = pool.curves[rows, :max_resource]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of features that Optuna may change
        optuna.logging.set_verbosity(logging.WARNING)
        study = optuna.create_study(
            study_name=f"replay-{seed}",  # from which it chooses the bracket of each trial
            sampler=optuna.samplers.RandomSampler(seed=seed),
            pruner=PRUNERS[name](optuna, max_resource, eta),
        )
        reached = np.array([_train(optuna, study, curve) for curve in curves])
    return Replay(rows, reached, final_losses(curves, max_resource), winner=_winner(curves, reached))


def _train(optuna: Any, study: Any, curve: Floats) -> int:
    """The resource until which a trial is trained before it is pruned, fails or ends."""
    trial = study.ask()
    for resource, loss in enumerate(curve.tolist(), 1):
        if math.isnan(loss):  # before its first step
            continue
        if math.isinf(loss):
            break
        trial.report(loss, resource)
        if trial.should_prune():
            break
    else:
        study.tell(trial, curve[-1])
        return len(curve)
    study.tell(trial, state=optuna.trial.TrialState.PRUNED)
    return resource


def _winner(curves: Floats, reached: np.ndarray[Any, Any]) -> int | None:
    """The trial with the lowest of the last losses at the most resource that any has reached without having failed."""
    last = curves[np.arange(len(curves)), reached - 1]
    sound = np.flatnonzero(np.isfinite(last))
    if not len(sound):
        return None
    longest = sound[reached[sound] == reached[sound].max()]
    return int(longest[np.argmin(last[longest])])
