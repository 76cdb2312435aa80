"""Predictors of a study that learn from curves of earlier sweeps and studies."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.learning_curves.store import load_curves
from qhn.run.record import Record
from qhn.scheduling.curves import KnownCurves
from qhn.scheduling.swift_hyperband import SwiftHyperband
from qhn.search.config import StudyPlan, make_study
from qhn.search.runs import RunStudy, open_study
from qhn.search.warm_start import wanted
from qhn.sweep.plan import Sweep, make_sweep
from qhn.sweep.workers import advance

SMALL = {"data.samples": 40, "data.validation_samples": 0, "train.backend": "exact", "train.optimizer": "adam"}
SAMPLED = SMALL | {"train.shots": 12}
R = 4
DEEP = 14  # units in which a circuit of one layer takes two steps
RATES = {"train.optimizer.learning_rate": {"low": 0.1, "high": 1.0, "log": True}}
DEPTHS = {"ansatz.num_layers": [0, 1]}


def plan_of(name: str, settings: dict[str, Any], **fields: Any) -> StudyPlan:
    base = {"name": name, "experiment": "figure-1", "max_resource": R, "scheduler": "swift-hyperband", "eta": 2}
    return make_study(**base | {"set": settings} | fields)


def all_of(name: str, settings: dict[str, Any], **fields: Any) -> StudyPlan:
    return plan_of(name, settings, scheduler="all", trials=5, **fields)


def finished(plan: StudyPlan, results: Path) -> RunStudy:
    opened = open_study(plan, results)
    with ThreadPoolExecutor(1) as executor:
        list(opened.advance(executor))
    assert opened.study.is_done
    return opened


def swept(results: Path, **settings: Any) -> Sweep:
    sweep = make_sweep(
        name="s", experiment="figure-1", seeds=3, set=SAMPLED | settings, vary={"ansatz.num_layers": [0]}
    )
    with ThreadPoolExecutor(1) as executor:
        list(advance(sweep, executor, results=results))
    return sweep


def earlier_of(study: RunStudy) -> KnownCurves:
    rule = study.study.rule
    assert isinstance(rule, SwiftHyperband)
    assert rule.earlier is not None
    return rule.earlier


@pytest.mark.parametrize("settings", [SAMPLED, SMALL], ids=["sampled runs", "exact batches"])
@pytest.mark.parametrize(("vary", "most"), [(RATES, R), (DEPTHS, DEEP)], ids=["rates", "depths"])
def test_all_whole_curves_of_an_earlier_study_of_the_same_kind_are_learnt(
    tmp_path: Path, settings: dict[str, Any], vary: dict[str, Any], most: int
) -> None:
    """Deep circuits take fewer steps for as many shots, over which their learning rate has fallen."""
    first = finished(all_of("first", settings, vary=vary, seed=1, max_resource=most), tmp_path)
    second = open_study(
        plan_of("second", settings, vary=vary, warm_start=[str(first.folder)], max_resource=most), tmp_path
    )
    found = earlier_of(second)
    expected = first.study.curves.until(range(5), most)
    assert np.isfinite(expected[:, -1]).all()
    order, wanted_order = np.lexsort(found.curves.T[::-1]), np.lexsort(expected.T[::-1])
    np.testing.assert_array_equal(found.curves[order], expected[wanted_order])
    np.testing.assert_allclose(found.settings[order], first.study.curves.settings(range(5))[wanted_order])


def test_curves_of_a_sweep_are_learnt_where_its_learning_rate_fell_as_the_studys(tmp_path: Path) -> None:
    sweep = swept(tmp_path, **{"train.steps": R, "train.optimizer": {"name": "adam", "decay_steps": R}})
    study = open_study(plan_of("mine", SAMPLED, vary={"ansatz.num_layers": [0]}, warm_start="all"), tmp_path)
    records = [Record.load(tmp_path / "figure-1" / member.config.run_id) for member in sweep.members]
    np.testing.assert_array_equal(earlier_of(study).curves, [[step.mean for step in one.steps()] for one in records])
    longer = tmp_path / "longer"
    swept(longer, **{"train.steps": R})
    words = "refused: their learning rate falls over 60 steps, and the study's over all of its steps"
    with pytest.raises(QhnError, match=f"^warm_start: 0 learning curves of earlier trainings taken; {words}"):
        open_study(plan_of("mine", SAMPLED, vary={"ansatz.num_layers": [0]}, warm_start="all"), longer)


def test_a_study_goes_on_with_the_curves_with_which_it_began(tmp_path: Path) -> None:
    first = finished(all_of("first", SAMPLED, vary=RATES, seed=1), tmp_path)
    plan = plan_of("second", SAMPLED, vary=RATES, warm_start="all", predictor="last")
    begun = earlier_of(open_study(plan, tmp_path))
    assert len(load_curves(plan.directory(tmp_path) / "earlier.npz")) == 5
    finished(all_of("third", SAMPLED, vary=RATES, seed=3), tmp_path)
    shutil.rmtree(first.folder)
    for run in first.study.facts.values():
        shutil.rmtree(tmp_path / "figure-1" / run["run"])
    again = finished(plan, tmp_path)
    np.testing.assert_array_equal(earlier_of(again).curves, begun.curves)
    np.testing.assert_array_equal(earlier_of(again).settings, begun.settings)


def test_earlier_curves_save_the_trials_that_are_trained_to_learn_from(tmp_path: Path) -> None:
    """With enough of them nothing goes on in any case but the share that is promoted."""
    finished(all_of("first", SAMPLED, vary=RATES, seed=1), tmp_path)
    fields = {"vary": RATES, "training_curves": 5, "predictor": "last"}
    cold = finished(plan_of("cold", SAMPLED, **fields), tmp_path)
    warm = finished(plan_of("warm", SAMPLED, warm_start=[str(tmp_path / "figure-1/study-first")], **fields), tmp_path)
    assert warm.study.units < cold.study.units


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SAMPLED | {"train.shots": 24}, "their train.shots is 12, and the study's 24"),
        (SAMPLED | {"data.samples": 50}, r"taken; skipped: of another problem \(5\)$"),
        (SMALL, "their train.shots is 12, and the study's None"),
    ],
)
def test_curves_that_do_not_fit_are_refused_with_the_reason(
    tmp_path: Path, settings: dict[str, Any], words: str
) -> None:
    first = finished(all_of("first", SAMPLED, vary=RATES), tmp_path)
    plan = plan_of("second", settings, vary=RATES, warm_start=[str(first.folder)])
    with pytest.raises(QhnError, match=words):
        open_study(plan, tmp_path)


def test_damage_to_another_study_is_passed_over_unless_it_is_named(tmp_path: Path) -> None:
    first = finished(all_of("first", SMALL, vary=RATES), tmp_path)
    other = finished(all_of("other", SMALL, vary=RATES, seed=1), tmp_path)
    (other.folder / "study.json").write_text("{}", encoding="utf-8")
    found = earlier_of(open_study(plan_of("second", SMALL, vary=RATES, warm_start="all"), tmp_path))
    assert len(found.curves) == 5
    with pytest.raises(QhnError, match="study-other holds no study of runs that can be read"):
        open_study(plan_of("third", SMALL, vary=RATES, warm_start=[str(first.folder), str(other.folder)]), tmp_path)


def test_what_is_wanted_follows_from_the_study(tmp_path: Path) -> None:
    study = open_study(all_of("mine", SAMPLED, vary=RATES, loss="value"), tmp_path)
    asked = wanted(study.plan, study.grid)
    assert (asked.quantity, asked.unit_of_cost, asked.unit, asked.length) == ("mean", "shots", study.grid.unit, R)
    assert asked.has_whole_decay
    fixed = {"train.optimizer": {"name": "adam", "decay_steps": 30}}
    other = open_study(all_of("other", SAMPLED | fixed, vary=DEPTHS), tmp_path)
    assert not wanted(other.plan, other.grid).has_whole_decay
