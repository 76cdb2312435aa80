"""Surveys beside full sweeps of trainings made here: how often intervals hold what a sweep found, and who is biased."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from qhn.arrays import Floats
from qhn.learning_curves.predictors import Predictor, predictor
from qhn.search.imputation import Imputation, Trials, impute
from qhn.sweep.plan import make_sweep
from qhn.sweep.survey import Survey
from qhn.sweep.workers import advance

STEPS, POINT = 40, 20
EPSILON = 0.02
DRAWN = 67  # trials of a survey, of which 20 are trained to the end; their ends are skewed, so that Student covers less
REPEATS = 150


@pytest.fixture(scope="module", params=[(None, 200), (200, 120)], ids=["exact", "200 shots"])
def sweep(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Survey:
    """A full sweep: 200 initialisations of each depth, or 120 with shots."""
    shots, seeds = request.param
    settings = {"train.backend": "exact", "train.optimizer": {"name": "adam", "learning_rate": 0.1}}
    settings |= {"train.steps": STEPS, "data.samples": 200, "data.validation_samples": 0}
    settings |= {} if shots is None else {"train.shots": shots}
    plan = make_sweep(experiment="figure-1", seeds=seeds, set=settings, vary={"ansatz.num_layers": [0, 1, 2]})
    results = tmp_path_factory.mktemp("sweep")
    with ThreadPoolExecutor(1) as executor:
        for _ in advance(plan, executor, results=results):
            pass
    return Survey(plan, results)


def _survey(curves: Floats, whole: int, using: Predictor, lowest: float) -> Imputation:
    is_whole = np.arange(len(curves)) < whole
    ends = np.where(is_whole, curves[:, -1], np.nan)
    nothing, group = np.empty((len(curves), 0)), np.zeros(len(curves), int)
    return impute(Trials(curves[:, :POINT], nothing, ends, is_whole, group), using, [lowest])[0]


def _held(interval: tuple[float, float], value: float) -> bool:
    return interval[0] - 1e-9 <= value <= interval[1] + 1e-9


def _repeat(curves: Floats, lowest: float, rng: np.random.Generator, *, replace: bool) -> tuple[Floats, Floats]:
    """How often the four intervals hold the right value, and the errors of mean and success rate with their errors.

    The trials of a survey are drawn from those of the sweep, which stands for all initialisations.
    """
    held, errors, limit = [], [], lowest + EPSILON
    all_ends = curves[:, -1]
    for _ in range(REPEATS):
        chosen = rng.choice(curves, DRAWN, replace=replace)
        ends = chosen[:, -1]
        found = _survey(chosen, 20, predictor("last"), lowest)
        mean, rate = found.mean(), found.rate_below(limit)
        right, share = ends.mean(), (ends < limit).mean()
        held.append(
            [
                _held(mean.sweep_interval, right),
                _held(rate.sweep_interval, share),
                _held(mean.interval, all_ends.mean()),
                _held(rate.interval, (all_ends < limit).mean()),
            ]
        )
        errors.append([mean.value - right, rate.value - share])
    return np.mean(held, axis=0), np.array(errors)


@pytest.mark.slow
def test_intervals_hold_what_the_full_sweep_found(sweep: Survey, rng: np.random.Generator) -> None:
    for group in sweep.groups:
        curves = group.columns["mean"]
        held, errors = _repeat(curves, group.optimum, rng, replace=False)
        assert (held[:2] >= [0.88, 0.91]).all(), (group.values, held)
        bias, scatter = errors.mean(axis=0), errors.std(axis=0) / np.sqrt(REPEATS)
        assert (np.abs(bias) <= 4 * scatter).all(), (group.values, bias, scatter)
        held, _ = _repeat(curves, group.optimum, rng, replace=True)
        assert (held[2:] >= [0.87, 0.91]).all(), (group.values, held)


@pytest.mark.slow
def test_survivors_are_biased_where_imputed_trials_are_not(sweep: Survey, rng: np.random.Generator) -> None:
    """Trials survive that are trained to the end in any case, or that are below a quarter of these at the decision."""
    bias: list[list[float]] = []
    for group in sweep.groups:
        curves = group.columns["mean"]
        for _ in range(60):
            chosen = curves[rng.permutation(len(curves))]
            ends, whole = chosen[:, -1], np.arange(len(curves)) < 60
            found = _survey(chosen, 60, predictor("last"), group.optimum)
            survives = whole | (found.predicted < np.quantile(ends[whole], 0.25))
            limit = group.optimum + EPSILON
            full, alone = [[e.mean(), (e < limit).mean()] for e in (ends, ends[survives])]
            imputed = [found.mean().value, found.rate_below(limit).value]
            bias.append([*np.subtract(alone, full) / full, *np.subtract(imputed, full) / full])
    mean, rate, imputed_mean, imputed_rate = np.mean(bias, axis=0)
    is_exact = sweep.sweep.members[0].config.train.shots is None
    assert mean < (-0.1 if is_exact else -0.05)
    assert rate > 0.2
    assert abs(imputed_mean) < min(0.02, -mean / 5)
    assert abs(imputed_rate) < min(0.05, rate / 5)


@pytest.mark.slow
def test_a_support_vector_regression_is_covered_as_well(sweep: Survey, rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    held = []
    for group in sweep.groups:
        for _ in range(40):
            curves = rng.permutation(group.columns["mean"])[:DRAWN]
            found = _survey(curves, 20, predictor("nusvr"), group.optimum)
            right, share = curves[:, -1].mean(), (curves[:, -1] < group.optimum + EPSILON).mean()
            rate = found.rate_below(group.optimum + EPSILON)
            held.append([_held(found.mean().sweep_interval, right), _held(rate.sweep_interval, share)])
    assert (np.mean(held, axis=0) >= 0.89).all(), np.mean(held, axis=0)
