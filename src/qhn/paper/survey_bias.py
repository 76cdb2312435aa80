"""Surveys with early stopping on a pool of whole curves: how far their statistics are from those of full sweeps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib.metadata import version

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.learning_curves.predictors import predictor
from qhn.paper.curve_pool import Pool, kept
from qhn.paper.lab import Lab
from qhn.paper.plan import PREDICTION
from qhn.scheduling.survey_rule import SurveyRule
from qhn.search.imputation import Trials, impute
from qhn.search.two_phase import UNSEEN_MISS, Estimate, estimate_mean, estimate_rate

PER_GROUP = 60  # trials of a group in a survey, at most half of those of the pool
SOLVED = PREDICTION.solved  # share of all trials of the pool whose ends count as successes
SURVIVING = (
    PREDICTION.surviving
)  # share of the trials of a group that survive when those with the highest losses are dropped
PREDICTOR, FEATURES = "nusvr", "curve+differences+settings"
QUANTITIES = ("mean loss", "success rate")
CHUNK = 5  # surveys of a job


@dataclass(frozen=True)
class Found:
    """What surveys found about one group of trials: ``[surveys, 2]`` each, for the mean loss and the success rate.

    Attributes:
        group: the group.
        whole: what all trials of the pool have, ``[2]``.
        full: what the trials of each survey have, if all are trained to the end.
        survivors: what those have that survive when those with the highest losses at the decision point are dropped.
        part: what the random part has that is trained to the end.
        imputed: what is estimated with the ends of the stopped trials imputed.
        in_sweep: whether the interval for the trials of the survey holds ``full``.
        in_all: whether the interval for all initialisations holds ``whole``.
        width: the width of the interval for the trials of the survey.
        part_width: the width of the interval if nothing is predicted.
    """

    group: int
    whole: Floats
    full: Floats
    survivors: Floats
    part: Floats
    imputed: Floats
    in_sweep: Floats
    in_all: Floats
    width: Floats
    part_width: Floats


def survey_all(lab: Lab, pool: Pool, surveys: int) -> tuple[SurveyRule, list[Found]]:
    """The rule of surveys of a pool, and what they find about each group.

    Args:
        lab: the workers, and the folder where it is kept.
        pool: whole curves.
        surveys: number of surveys.
    """
    rule, limit = rule_for(pool), threshold(pool)
    key = {"surveys": repr((rule, limit, PREDICTOR, FEATURES, UNSEEN_MISS)), "pool": pool.digest, "qhn": version("qhn")}
    found = kept(lab, key, surveys, partial(surveys_of, pool), f"prediction, {pool.name}, surveys", CHUNK)["surveys"]
    return rule, [
        Found(int(group), _statistics(pool.curves[pool.groups == group, -1], limit), *found[:, place].swapaxes(0, 1))
        for place, group in enumerate(np.unique(pool.groups))
    ]


def rule_for(pool: Pool) -> SurveyRule:
    """The rule of a survey of a pool, with its default shares."""
    groups, sizes = np.unique(pool.groups, return_counts=True)
    return SurveyRule(len(groups), min(PER_GROUP, int(sizes.min()) // 2), pool.units)


def threshold(pool: Pool) -> float:
    """The loss below which a trial counts as a success."""
    return float(np.quantile(pool.curves[:, -1], SOLVED))


def surveys_of(pool: Pool, seeds: range) -> dict[str, Floats]:
    """What some surveys find, ``[surveys, groups, 8, 2]``; see the last eight attributes of :class:`Found`."""
    return {"surveys": np.array([_survey(pool, seed) for seed in seeds])}


def _survey(pool: Pool, seed: int) -> Floats:
    rule, generator = rule_for(pool), np.random.default_rng(seed)
    drawn = [
        generator.choice(np.flatnonzero(pool.groups == group), rule.trials_per_group, replace=False)
        for group in np.unique(pool.groups)
    ]
    rows = np.concatenate(drawn)
    ends, beginnings = pool.curves[rows, -1], pool.curves[rows, : rule.decision_point]
    is_whole = np.array([rule.is_whole(trial) for trial in range(rule.num_trials)])
    group = np.repeat(np.arange(rule.groups), rule.trials_per_group)
    trials = Trials(beginnings, pool.settings[rows], np.where(is_whole, ends, np.nan), is_whole, group)
    limit = threshold(pool)
    found = []
    for place, imputation in enumerate(impute(trials, predictor(PREDICTOR, FEATURES))):
        own = group == place
        full, estimates = ends[own], (imputation.mean(), imputation.rate_below(limit))
        among_all = _statistics(pool.curves[pool.groups == np.unique(pool.groups)[place], -1], limit)
        found.append(_compare(full, beginnings[own, -1], is_whole[own], among_all, estimates, limit))
    return np.array(found)


def _compare(
    full: Floats,
    last: Floats,
    is_whole: Bools,
    among_all: Floats,
    estimates: tuple[Estimate, Estimate],
    limit: float,
) -> Floats:
    """What a survey finds about a group of trials with ends ``full``, ``[8, 2]``."""
    right = _statistics(full, limit)
    survivors = np.argsort(last, kind="stable")[: round(SURVIVING * len(full))]
    nothing = np.zeros(len(full))
    alone = (
        estimate_mean(full[is_whole], nothing[is_whole], nothing[~is_whole]),
        estimate_rate((full[is_whole] < limit).astype(float), nothing[is_whole], nothing[~is_whole]),
    )
    return np.array(
        [
            right,
            _statistics(full[survivors], limit),
            _statistics(full[is_whole], limit),
            [one.value for one in estimates],
            [_holds(one.sweep_interval, value) for one, value in zip(estimates, right, strict=True)],
            [_holds(one.interval, value) for one, value in zip(estimates, among_all, strict=True)],
            [one.sweep_interval[1] - one.sweep_interval[0] for one in estimates],
            [one.sweep_interval[1] - one.sweep_interval[0] for one in alone],
        ]
    )


def _statistics(ends: Floats, limit: float) -> Floats:
    """The mean of losses, and the share of those below a limit."""
    return np.array([ends.mean(), (ends < limit).mean()])


def _holds(interval: tuple[float, float], value: float) -> float:
    low, high = interval
    return float(low - 1e-9 <= value <= high + 1e-9)
