from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.errors import NotFoundError, QhnError
from qhn.learning_curves.curve import LearningCurve, without_repeats
from qhn.learning_curves.sources import curve_of_run, find_curves
from qhn.learning_curves.store import save_curves
from qhn.run.record import Record
from qhn.run.training import train
from qhn.sweep.plan import Sweep, make_sweep
from qhn.sweep.workers import advance

SMALL = {"data.samples": 40, "data.validation_samples": 30, "train.steps": 4}
SAMPLED = SMALL | {"train.backend": "exact", "train.shots": 30}


def finished(results: Path, seeds: int = 2, **settings: Any) -> Sweep:
    vary = {"ansatz.num_layers": [0, 1]}
    sweep = make_sweep(name="s", experiment="figure-1", seeds=seeds, set=SAMPLED | settings, vary=vary)
    with ThreadPoolExecutor(1) as executor:
        list(advance(sweep, executor, results=results))
    return sweep


def run(results: Path, **settings: Any) -> tuple[RunConfig, list[Any]]:
    config = load_config("figure-1", SAMPLED | settings)
    return config, list(train(config, results=results))


def test_the_curve_of_a_run_is_that_of_its_steps(tmp_path: Path) -> None:
    config, steps = run(tmp_path)
    for loss in ("mean", "value", "validation", "best_cost"):
        (curve,) = find_curves(tmp_path / "figure-1" / config.run_id, loss).curves
        np.testing.assert_array_equal(curve.losses, [getattr(step, loss) for step in steps])
    assert curve.costs["shots"].tolist() == [step.shots for step in steps]
    assert curve.costs["steps"].tolist() == [1, 2, 3, 4]
    assert (curve.name, curve.problem, curve.quantity) == (config.run_id, config.problem_id, "best_cost")
    assert not curve.is_settled


@pytest.mark.parametrize("shot_schedule", [None, {"first": 10, "over": 3}])
def test_members_of_a_sweep_have_the_curves_of_their_runs(tmp_path: Path, shot_schedule: Any) -> None:
    """With equal shots a step the sweep's own files are enough; otherwise the records tell the shots of each step."""
    sweep = finished(tmp_path, **{"train.shot_schedule": shot_schedule} if shot_schedule else {})
    folder = sweep.directory(tmp_path)
    found = find_curves(folder).curves
    records = [Record.load(tmp_path / "figure-1" / member.config.run_id) for member in sweep.members]
    assert len(found) == 4
    for curve, record in zip(found, records, strict=True):
        alone = curve_of_run(record)
        assert alone is not None
        np.testing.assert_array_equal(curve.losses, alone.losses)
        np.testing.assert_allclose(curve.costs["shots"], alone.costs["shots"])
        assert (curve.name, curve.settings) == (alone.name, alone.settings)
    assert len(without_repeats(find_curves(tmp_path).curves)) == 4
    for record in records:
        shutil.rmtree(record.directory)
    without = find_curves(folder).curves
    assert [("shots" in one.costs) for one in without] == [shot_schedule is None] * 4


def test_exact_members_cost_steps_and_are_settled_once_they_converge(tmp_path: Path) -> None:
    exact = {"train.shots": None, "train.optimizer": "lbfgs", "train.steps": 80}
    sweep = finished(tmp_path, **exact)
    found = find_curves(sweep.directory(tmp_path)).curves
    assert {tuple(one.costs) for one in found} == {("steps",)}
    assert [one.is_settled for one in found] == [len(one) < 80 for one in found]
    assert any(one.is_settled for one in found)
    for one, member in zip(found, sweep.members, strict=True):
        steps = list(train(member.config, record=False))
        np.testing.assert_allclose(one.losses, [step.mean for step in steps][: len(one)], rtol=1e-5, atol=1e-7)


def test_members_that_are_not_finished_are_counted(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    file = next((sweep.directory(tmp_path) / "members").iterdir())
    file.write_bytes(b"")
    found = find_curves(sweep.directory(tmp_path))
    assert len(found.curves) == 3
    assert found.words() == "3 learning curves found; skipped: members of sweeps that are not finished (1)"


def test_an_objective_that_is_no_mean_is_never_taken_for_e(tmp_path: Path) -> None:
    settings = {"train.objective": {"name": "cvar", "alpha": 0.5}}
    sweep = finished(tmp_path, **settings)
    folder = sweep.directory(tmp_path)
    assert {one.quantity for one in find_curves(folder, "mean").curves} == {"mean"}
    of_value = find_curves(folder, "value")
    assert not of_value.curves
    assert "do not keep an objective that is no mean (4)" in of_value.words()
    record = Record.load(tmp_path / "figure-1" / sweep.members[0].config.run_id)
    curve = curve_of_run(record, "value")
    assert curve is not None
    assert (curve.quantity, curve.losses.tolist()) == ("value", [step.value for step in record.steps()])


def test_only_the_problem_that_is_asked_for_is_found(tmp_path: Path) -> None:
    config, _ = run(tmp_path)
    run(tmp_path, **{"data.samples": 50})
    found = find_curves(tmp_path, problem=config.problem_id)
    assert [one.name for one in found.curves] == [config.run_id]
    assert found.words() == "1 learning curve found; skipped: of another problem (1)"
    assert len(find_curves(tmp_path).curves) == 2


def test_curves_outlive_the_runs_they_were_read_from(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    curves = without_repeats(find_curves(tmp_path).curves)
    save_curves(tmp_path / "kept.curves.npz", curves)
    shutil.rmtree(tmp_path / "figure-1")
    for place in (tmp_path, tmp_path / "kept.curves.npz"):
        found = find_curves(place)
        assert [one.name for one in found.curves] == [member.config.run_id for member in sweep.members]
        np.testing.assert_array_equal(found.curves[0].losses, curves[0].losses)
    assert find_curves(tmp_path, "validation").skipped == {"of another loss": 4}


def test_what_is_damaged_among_results_is_skipped_and_counted_and_refused_if_it_is_named(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    config, _ = run(tmp_path, **{"train.seed": 99})
    directory = tmp_path / "figure-1" / config.run_id
    (directory / "steps.jsonl").write_bytes(b"nothing")
    (tmp_path / "bad.curves.npz").write_bytes(b"nothing")
    plan = sweep.directory(tmp_path) / "sweep.json"
    plan.write_text("[]", encoding="utf-8")
    found = find_curves(tmp_path)
    assert sorted(one.name for one in found.curves) == sorted(member.config.run_id for member in sweep.members)
    assert found.skipped == {
        "runs that cannot be read": 1,
        "sweeps that cannot be read": 1,
        "files that cannot be read": 1,
    }
    for place in (directory, plan.parent, tmp_path / "bad.curves.npz"):
        with pytest.raises(QhnError):
            find_curves(place)


def test_the_directory_of_a_sweep_that_was_renamed_is_refused(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    other = sweep.directory(tmp_path).rename(tmp_path / "figure-1" / "sweep-other")
    with pytest.raises(QhnError, match=r"holds the sweep s of figure-1, and must be .*sweep-s; move it back"):
        find_curves(other)


def test_a_run_without_steps_is_skipped(tmp_path: Path) -> None:
    config = load_config("figure-1", SAMPLED)
    record = Record.create(config, tmp_path / "figure-1" / config.run_id)
    assert curve_of_run(record) is None
    assert find_curves(record.directory).skipped == {"without steps": 1}


def test_a_run_that_went_on_alone_is_taken_at_its_full_length(tmp_path: Path) -> None:
    sweep = finished(tmp_path)
    longer = sweep.members[0].config
    longer = longer.model_copy(update={"train": longer.train.model_copy(update={"steps": 6})})
    list(train(longer, results=tmp_path))
    found = without_repeats(find_curves(tmp_path).curves)
    assert sorted(map(len, found)) == [4, 4, 4, 6]


def test_trials_of_a_study_are_the_runs_its_journal_names(tmp_path: Path) -> None:
    configs = [run(tmp_path, **{"train.seed": seed})[0] for seed in (1, 2, 3)]
    folder = tmp_path / "figure-1" / "study-mine"
    folder.mkdir()
    (folder / "study.json").write_text("{}", encoding="utf-8")
    told = [{"trial": n, "losses": [0.5], "facts": {"run": one.run_id}} for n, one in enumerate(configs[:2])]
    told += [{"trial": 2, "losses": [0.5], "facts": {"run": "0000000000"}}, {"trial": 3, "losses": [0.5], "facts": {}}]
    lines = [json.dumps({"until": until, "told": told}) + "\n" for until in (1, 2)]
    journal = folder / "trials.jsonl"
    journal.write_text("".join(lines) + '{"until": 3, "to', encoding="utf-8")
    found = find_curves(folder)
    assert [one.name for one in found.curves] == [one.run_id for one in configs[:2]]
    assert found.skipped == {"trials of studies without a record of their run": 1}
    journal.write_text("[]\n", encoding="utf-8")
    with pytest.raises(QhnError, match=r"trials\.jsonl is damaged"):
        find_curves(folder)


def test_the_qpu_seconds_of_a_rehearsal_are_its_prices(tmp_path: Path) -> None:
    config = load_config("figure-1", SMALL | {"train.backend": "fake_torino", "train.shots": 20, "train.steps": 2})
    list(train(config, results=tmp_path))
    record = Record.load(tmp_path / "figure-1" / config.run_id)
    curve = curve_of_run(record)
    assert curve is not None
    prices = [entry["price_seconds"] for entry in record.timing()]
    np.testing.assert_allclose(curve.costs["qpu_seconds"], np.cumsum(prices))
    (record.directory / "timing.jsonl").unlink()
    with pytest.warns(UserWarning, match="are lost"):
        without = curve_of_run(record)
    assert isinstance(without, LearningCurve)
    assert sorted(without.costs) == ["shots", "steps"]


def test_places_and_losses_that_there_are_not_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone, in which learning curves are looked for, does not exist"):
        find_curves(tmp_path / "gone")
    with pytest.raises(QhnError, match="a learning curve has no loss 'means'; did you mean 'mean'"):
        find_curves(tmp_path, "means")
    assert not find_curves(tmp_path).curves
