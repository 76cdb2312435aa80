"""Replays: units and regret against other implementations, and what of a rule's decisions was wrong."""

from __future__ import annotations

import heapq
import math

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.paper.optuna_peers import PRUNERS, replay_pruner
from qhn.scheduling.asha import Asha, _Ladder, replay_asha
from qhn.scheduling.curves import Decision, KnownCurves, Verdict
from qhn.scheduling.hyperband import Hyperband, RunAll
from qhn.scheduling.replay import _wrongly_stopped, replay
from qhn.scheduling.swift_hyperband import SwiftHyperband
from scheduling.pools import Line, drive, random_curves, reached, with_faults


@pytest.fixture
def pool(rng: np.random.Generator) -> KnownCurves:
    return KnownCurves(random_curves(rng, 200, 81), rng.random((200, 2)))


def test_a_replay_is_the_rule_on_the_curves_that_were_drawn(pool: KnownCurves) -> None:
    for rule in (Hyperband(81, 3), SwiftHyperband(81, Line(), 3), RunAll(20, 81)):
        found = replay(rule, pool, seed=5)
        done = drive(rule, pool.curves[found.rows], pool.settings[found.rows], workers=3)
        assert found.reached.tolist() == reached(done)
        assert (found.units, found.winner) == (done.units, done.best())
        assert found.regret == pool.curves[found.rows[found.winner], 80] - pool.curves[found.rows, 80].min()
        assert len(set(found.rows.tolist())) == rule.num_trials, "without replacement while there are enough"
    assert replay(RunAll(20, 81), pool).regret == 0


def test_draws(pool: KnownCurves) -> None:
    rule = RunAll(200, 81)
    assert sorted(replay(rule, pool, seed=1).rows.tolist()) == list(range(200))
    assert len(set(replay(rule, pool, seed=1, replace=True).rows.tolist())) < 180
    assert len(replay(RunAll(300, 81), pool).rows) == 300
    assert replay(rule, pool, seed=1).rows.tolist() != replay(rule, pool, seed=2).rows.tolist()
    with pytest.raises(QhnError, match="300 trials cannot be drawn without replacement from 200 curves"):
        replay(RunAll(300, 81), pool, replace=False)
    with pytest.raises(QhnError, match="a replay needs curves of 82 units, got 200 of 81"):
        replay(RunAll(3, 82), pool)


def test_wrongly_stopped_trials_are_counted_by_their_definition(rng: np.random.Generator) -> None:
    rule = SwiftHyperband(35, Line(), training_curves=3)
    curves = with_faults(rng, random_curves(rng, 300, 35), 0.1)
    seen = 0
    for seed in range(20):
        found = replay(rule, KnownCurves(curves), seed=seed)
        drawn, wrong = curves[found.rows], 0
        for number, bracket in enumerate(rule.brackets):
            for place, one in enumerate(bracket.rounds):
                here = [d for d in found.decisions if (d.bracket, d.round) == (number, place)]
                promoted = {d.trial for d in here if d.verdict is Verdict.PROMOTED}
                ranked = sorted(
                    {d.trial for d in here}, key=lambda t: (np.nan_to_num(drawn[t, one.resource - 1], nan=math.inf), t)
                )
                stopped = {d.trial for d in here if d.verdict is Verdict.STOPPED}
                would = [t for t in ranked if np.isfinite(drawn[t, one.resource - 1])][: len(promoted)]
                wrong += len(stopped & set(would))
        assert found.wrongly_stopped == wrong <= found.stopped
        seen += wrong
    assert seen, "a straight line is not always right"


# ---------------------------------------------------------------- asynchronous successive halving


def asha_by_hand(curves: np.ndarray, eta: int, rungs: list[int]) -> tuple[list[int], int]:
    """Algorithm 2 of Li et al. with one worker: a loop of get_job and the training of that job."""
    at: list[dict[int, float]] = [{} for _ in rungs]
    promoted: list[set[int]] = [set() for _ in rungs]
    trained, begun = [0] * len(curves), 0
    while True:
        job = None
        for k in reversed(range(len(rungs) - 1)):
            top = heapq.nsmallest(len(at[k]) // eta, at[k], key=lambda trial: (at[k][trial], trial))
            able = [trial for trial in top if trial not in promoted[k]]
            if able:
                promoted[k].add(able[0])
                job = (able[0], k + 1)
                break
        if job is None:
            if begun == len(curves):
                break
            job, begun = (begun, 0), begun + 1
        trial, k = job
        at[k][trial] = curves[trial, rungs[k] - 1]
        trained[trial] = rungs[k]
    top = max(k for k in range(len(rungs)) if at[k])
    return trained, min(at[top], key=lambda trial: (at[top][trial], trial))


@pytest.mark.parametrize("eta", [2, 3, 4])
def test_asha_is_its_algorithm(pool: KnownCurves, eta: int) -> None:
    asha = Asha(60, 81, eta)
    found = replay_asha(asha, pool, seed=3)
    trained, winner = asha_by_hand(pool.curves[found.rows], eta, list(asha.rungs))
    assert (found.reached.tolist(), found.winner) == (trained, winner)


def test_asha_depends_on_workers_only_if_trials_differ_in_speed(pool: KnownCurves) -> None:
    same = {replay_asha(Asha(100, 81, 2, workers=workers), pool).units for workers in (1, 4, 30)}
    other = {replay_asha(Asha(100, 81, 2, workers=workers, variation=1.0), pool).units for workers in (1, 4, 30)}
    assert len(same) == 1 < len(other)


def test_asha_rungs_and_bounds() -> None:
    assert Asha(5, 100, 3, min_resource=2).rungs == (2, 6, 18, 54, 100)
    assert Asha(5, 1).rungs == (1,)
    with pytest.raises(QhnError, match="min_resource must be at most 9, got 10"):
        Asha(5, 9, min_resource=10)
    with pytest.raises(QhnError, match="workers must be at least 1, got 0"):
        Asha(5, 9, workers=0)


def test_asha_promotes_no_failed_trial() -> None:
    found = replay_asha(Asha(9, 9), KnownCurves(np.full((9, 9), math.inf)))
    assert (found.units, found.winner, found.loss) == (9, None, math.inf)


# ---------------------------------------------------------------- Optuna


def test_optunas_pruners_are_those_of_its_own_loop(rng: np.random.Generator) -> None:
    """The same pruner in ``study.optimize``, where Optuna itself counts the steps."""
    optuna = pytest.importorskip("optuna")
    pool = KnownCurves(random_curves(rng, 40, 27))
    for name in PRUNERS:
        found = replay_pruner(name, pool, num_trials=40, max_resource=27, seed=7)
        study = optuna.create_study(
            study_name="replay-7", sampler=optuna.samplers.RandomSampler(seed=7), pruner=PRUNERS[name](optuna, 27, 3)
        )

        def objective(trial: optuna.Trial, rows: np.ndarray = found.rows) -> float:
            for step, loss in enumerate(pool.curves[rows[trial.number]], 1):
                trial.report(loss, step)
                if trial.should_prune():
                    raise optuna.TrialPruned
            return float(loss)

        study.optimize(objective, n_trials=40)
        assert found.reached.tolist() == [max(trial.intermediate_values) for trial in study.trials]
        assert found.winner == study.best_trial.number
        assert found.units < 40 * 27


def test_optunas_pruners_with_faults(rng: np.random.Generator) -> None:
    pytest.importorskip("optuna")
    pool = KnownCurves(with_faults(rng, random_curves(rng, 30, 9), 0.3))
    found = replay_pruner("successive-halving", pool, num_trials=30, max_resource=9)
    assert found.winner is not None
    assert math.isfinite(found.loss)
    failed = KnownCurves(np.full((5, 9), math.inf))
    assert replay_pruner("median", failed, num_trials=5, max_resource=9).winner is None
    with pytest.raises(QhnError, match=r"there is no pruner 'medien'; did you mean 'median'\?"):
        replay_pruner("medien", pool, num_trials=5, max_resource=9)


def test_a_trial_without_a_loss_at_the_end_of_its_round_was_not_wrongly_stopped() -> None:
    """Nor would it have been promoted for its lower number, where a trial without a loss is."""
    made = [Decision(0, 0, 2, 0, Verdict.STOPPED), Decision(0, 0, 2, 1, Verdict.FULL)]
    made.append(Decision(0, 0, 3, 1, Verdict.PROMOTED))
    ends = {"better": 0.1, "worse": 0.9, "none": math.nan, "failed": math.inf}
    other = {"better": 0.5, "worse": 0.5, "none": math.nan, "failed": math.nan}
    wrong = {
        name: _wrongly_stopped(made, np.array([[1.0, 1.0, end], [1.0, 1.0, other[name]]])) for name, end in ends.items()
    }
    assert wrong == {"better": 1, "worse": 0, "none": 0, "failed": 0}


def test_asha_promotes_from_the_highest_rung_first() -> None:
    ladder = _Ladder(np.repeat([[0.4], [0.3], [0.2], [0.1]], 4, axis=1), rungs=(1, 2, 4), eta=2)
    for trial, rung in ((0, 0), (1, 0), (2, 0), (3, 0), (2, 1), (3, 1)):
        ladder.enter(trial, rung)
    assert [ladder.promotion() for _ in range(4)] == [(3, 2), (3, 1), (2, 1), None]
