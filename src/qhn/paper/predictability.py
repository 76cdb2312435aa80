"""How well the ends of learning curves are predicted, by predictor, features and number of curves to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.learning_curves.predictors import predictor
from qhn.paper.curve_pool import Pool, kept
from qhn.paper.lab import Lab
from qhn.paper.plan import PREDICTION

KNOWN = PREDICTION.known  # share of a curve that is known
TESTED = 150  # curves whose ends are predicted in each split, at most
CHUNK = 5  # splits of a job


@dataclass(frozen=True)
class Model:
    """A predictor with its features, and the number of curves from which it learns.

    Attributes:
        name: name of the predictor in tables.
        predictor: name of the predictor.
        features: the kind of features.
        count: number of curves.
        options: the options of the predictor, as pairs of a name and a value.
        most_splits: the largest number of splits of a slow predictor; None for as many as of all.
    """

    name: str
    predictor: str
    features: str
    count: int
    options: tuple[tuple[str, Any], ...] = ()
    most_splits: int | None = None


@dataclass(frozen=True)
class Scores:
    """How well a model predicts, one value for each split of the curves into those to learn from and others.

    Attributes:
        r2: the share of the variance of the ends that is explained, ``[splits]``; below 0 if their mean does better.
        rank: the rank correlation (Spearman) of predicted and reached ends, ``[splits]``.
        energy_gap: the energy of the solution of the dual above its continuous optimum, as a share of the size of that
            optimum, ``[splits]``; nan of predictors that are no QUBO.
    """

    r2: Floats
    rank: Floats
    energy_gap: Floats


def score_all(lab: Lab, pool: Pool, models: Sequence[Model], splits: int) -> dict[Model, Scores]:
    """The scores of each model for which there are curves enough.

    Args:
        lab: the workers, and the folder where scores are kept.
        pool: whole curves.
        models: the models; splits of one seed are the same for all.
        splits: number of splits.
    """
    found = {}
    for model in models:
        if 2 * model.count <= len(pool):
            key = {"splits": repr(model), "pool": pool.digest, "qhn": version("qhn")}
            number = min(splits, model.most_splits or splits)
            what = f"prediction, {pool.name}, {model.name}, splits"
            found[model] = Scores(*kept(lab, key, number, partial(scores_of, pool, model), what, CHUNK)["scores"].T)
    return found


def scores_of(pool: Pool, model: Model, seeds: range) -> dict[str, Floats]:
    """R², rank correlation and energy gap of some splits, ``[splits, 3]``."""
    return {"scores": np.array([_score(pool, model, seed) for seed in seeds])}


def _score(pool: Pool, model: Model, seed: int) -> tuple[float, float, float]:
    from scipy.stats import spearmanr

    order = np.random.default_rng(seed).permutation(len(pool))
    learnt, tested = order[: model.count], order[-min(TESTED, len(pool) - model.count) :]
    point = round(pool.units * KNOWN)
    beginnings, ends = pool.curves[:, :point], pool.curves[:, -1]
    fitted: Any = predictor(model.predictor, model.features, **dict(model.options)).fit(
        beginnings[learnt], pool.settings[learnt], ends[learnt]
    )
    predicted = fitted.predict(beginnings[tested], pool.settings[tested])
    right = ends[tested]
    r2 = 1 - ((predicted - right) ** 2).sum() / ((right - right.mean()) ** 2).sum()
    return float(r2), float(spearmanr(predicted, right).statistic), _energy_gap(fitted)


def _energy_gap(fitted: Any) -> float:
    """The energy gap of a regression as a QUBO; nan of others."""
    return float(getattr(getattr(fitted, "regressor", None), "relative_energy_gap_", np.nan))
