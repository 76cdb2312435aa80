"""Trials that are runs: paused, continued, found again, and the same whoever trains them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.backend import BackendError
from qhn.config.file import load_config
from qhn.errors import QhnError, RecordError
from qhn.learning_curves.curve import on_grid
from qhn.parallel import processes
from qhn.run.record import Record, load_run
from qhn.run.training import resume, train
from qhn.search import trials as trials_module
from qhn.search.config import StudyPlan, load_study, make_study
from qhn.search.runs import RunStudy, open_study

SMALL = {"data.samples": 40, "data.validation_samples": 0, "ansatz.num_layers": 1}
SAMPLED = SMALL | {"train.shots": 12, "train.backend": "exact"}
RATES = {"train.optimizer.learning_rate": {"low": 0.1, "high": 1.0, "log": True}}
BYTES = ("steps.jsonl", "checkpoint.npz", "checkpoint-before.npz", "evaluations.bin", "best.json", "config.json")


def plan_of(settings: dict[str, Any], **fields: Any) -> StudyPlan:
    given = {"experiment": "figure-1", "scheduler": "successive-halving", "trials": 3, "max_resource": 6, "eta": 3}
    if fields.get("scheduler", "").endswith("hyperband"):
        del given["trials"]
    return make_study(**given | {"set": settings} | fields)


def finished(plan: StudyPlan, results: Path) -> RunStudy:
    opened = open_study(plan, results)
    with ThreadPoolExecutor(1) as executor:
        last = list(opened.advance(executor))[-1]
    assert last.failures == ()
    assert opened.study.is_done
    return opened


def told(study: RunStudy) -> list[dict[str, Any]]:
    """What the journal holds of each job, whatever order they ended in."""
    lines = map(json.loads, (study.folder / "trials.jsonl").read_text("utf-8").splitlines())
    return sorted(({key: line[key] for key in ("until", "told")} for line in lines), key=json.dumps)


def files_of(directory: Path) -> dict[str, bytes]:
    samples = {path.name: path.read_bytes() for path in sorted((directory / "samples").iterdir())}
    return {name: (directory / name).read_bytes() for name in BYTES} | samples


OPTIMIZERS = {
    "adam": {},
    "sgd": {"train.optimizer": "sgd"},
    "spsa": {"train.optimizer": "spsa", "train.gradient": "spsa"},
    "sinusoid": {"train.optimizer": "sinusoid"},
    "sparse": {"train.angles": {"name": "sparse", "threshold": 0.5, "rest": 2}},
    "cvar": {"train.objective": {"name": "cvar", "alpha": 0.5}},
    "schedule": {"train.shots": 20, "train.shot_schedule": {"first": 5, "over": 3}},
}


@pytest.mark.parametrize("backend", ["exact", "aer"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_promoted_run_equals_an_uninterrupted_one_byte_for_byte(name: str, backend: str, tmp_path: Path) -> None:
    study = finished(plan_of(SAMPLED | {"train.backend": backend} | OPTIMIZERS[name]), tmp_path / "study")
    best = study.study.best()
    assert best is not None
    config = study.trials.config(best)
    assert config.train.steps == study.grid.most_steps(best.number)
    list(train(config, results=tmp_path / "alone"))
    paused = tmp_path / "study" / "figure-1" / config.run_id
    alone = tmp_path / "alone" / "figure-1" / config.run_id
    assert len(Record.load(paused).sessions()) == 2
    assert files_of(paused) == files_of(alone)
    assert load_run(paused).outcome() == load_run(alone).outcome()


def test_a_paused_run_says_so_and_can_be_resumed(tmp_path: Path, qhn) -> None:
    study = finished(plan_of(SAMPLED), tmp_path)
    paused = [path for path in (tmp_path / "figure-1").glob("*/outcome.json") if b"paused" in path.read_bytes()]
    assert len(paused) == 2
    directory = paused[0].parent
    outcome = load_run(directory).outcome()
    assert outcome is not None
    assert outcome.name == "paused"
    assert outcome.message.startswith("paused by the study study after 2 of 6 steps")
    listed = [line for line in qhn("list", "--results", str(tmp_path)).out.splitlines() if " 2/6 " in line]
    assert len(listed) == 2
    assert all(" paused " in line for line in listed)
    assert ": 2 steps, paused\n" in qhn("show", str(directory)).out
    assert [step.step for step in resume(directory)] == [0, 1, 2, 3, 4, 5]
    assert load_run(directory).outcome().name == "done"
    assert study.study.is_done


def test_what_exists_is_read_and_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = finished(plan_of(SAMPLED), tmp_path)
    for number in range(3):
        list(train(first.trials.config(first.study._trial(number, 6)), results=tmp_path))  # longer than they were

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a run was trained again")

    monkeypatch.setattr(trials_module, "train", refuse)
    again = finished(plan_of(SAMPLED, name="again"), tmp_path)
    for number in range(3):
        np.testing.assert_array_equal(again.study.curves.of(number), first.study.curves.of(number))
    assert told(again) == told(first)


def test_curves_hold_the_last_loss_that_is_paid_for(tmp_path: Path) -> None:
    """Read again from the records, on the grid, by the shots that the steps really took."""
    vary = {"ansatz.num_layers": [0, 1, 2]}
    settings = {key: value for key, value in SAMPLED.items() if key != "ansatz.num_layers"}
    study = finished(plan_of(settings, vary=vary, scheduler="all", trials=6, max_resource=7), tmp_path)
    lengths = set()
    for number in range(6):
        facts = study.study.facts[number]
        steps = load_run(tmp_path / "figure-1" / facts["run"]).steps()
        expected = on_grid([s.mean for s in steps], [s.shots for s in steps], study.grid.unit, 7)
        np.testing.assert_array_equal(study.study.curves.of(number), expected)
        assert facts["shots"] == steps[-1].shots <= 7 * study.grid.unit
        assert len(steps) == facts["steps"] == study.grid.most_steps(number)
        lengths.add(len(steps))
    assert len(lengths) > 1
    assert study.grid.unit == min(load_run(path.parent).steps()[0].shots for path in tmp_path.glob("*/*/config.json"))


def test_a_run_that_ends_by_its_own_rule_keeps_its_last_loss(tmp_path: Path) -> None:
    study = finished(plan_of(SAMPLED | {"train.target": 100.0}, scheduler="all", trials=2), tmp_path)
    for number in range(2):
        curve = study.study.curves.of(number)
        assert (curve == curve[0]).all()
        assert study.study.facts[number]["outcome"] == "target"
        assert study.study.facts[number]["steps"] == 1


def test_a_trial_that_cannot_be_configured_fails_and_others_go_on(tmp_path: Path) -> None:
    cvar = {"name": "cvar", "alpha": 0.5}
    vary = {"train.optimizer": ["adam", "sinusoid"], "train.objective": ["mean", cvar]}
    study = finished(plan_of(SAMPLED, vary=vary, trials=9), tmp_path)
    failed = [number for number in range(9) if "error" in study.study.facts[number]]
    drawn = [study.study.values(number) for number in range(9)]
    assert failed == [n for n, v in enumerate(drawn) if v == {"train.optimizer": "sinusoid", "train.objective": cvar}]
    assert failed
    assert "second derivatives" in study.study.facts[failed[0]]["error"]
    assert np.isinf(study.study.curves.of(failed[0])).all()
    assert study.study.best().number not in failed


def test_a_machine_that_fails_is_not_held_against_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calm, broken = trials_module.train, [True]

    def fails_once(*words: Any, **options: Any) -> Any:
        if broken:
            broken.clear()
            raise BackendError("the machine is away")
        return calm(*words, **options)

    monkeypatch.setattr(trials_module, "train", fails_once)
    opened = open_study(plan_of(SAMPLED), tmp_path)
    with ThreadPoolExecutor(1) as executor:
        last = list(opened.advance(executor))[-1]
    assert [str(error) for _, error in last.failures] == ["the machine is away"]
    assert not opened.study.is_done
    again = finished(plan_of(SAMPLED), tmp_path)
    whole = finished(plan_of(SAMPLED), tmp_path.with_name("whole"))
    assert told(again) == told(whole)


@pytest.mark.parametrize("workers", [ThreadPoolExecutor, pytest.param(processes, marks=pytest.mark.slow)])
def test_one_and_four_workers_tell_the_same(workers: Any, tmp_path: Path) -> None:
    fields = {"scheduler": "hyperband", "max_resource": 4, "eta": 2, "vary": RATES | {"ansatz.num_layers": [0, 1]}}
    settings = {key: value for key, value in SAMPLED.items() if key != "ansatz.num_layers"}
    one = finished(plan_of(settings, **fields), tmp_path / "one")
    opened = open_study(plan_of(settings, **fields), tmp_path / "four")
    with workers(4) as executor:
        list(opened.advance(executor))
    assert told(opened) == told(one)
    assert set(map(repr, opened.study.decisions)) == set(map(repr, one.study.decisions))


KILLED = """
import os, signal, sys
from concurrent.futures import ThreadPoolExecutor
from qhn.search.config import load_study
from qhn.search.runs import open_study
with ThreadPoolExecutor(1) as executor:
    for jobs, _ in enumerate(open_study(load_study(sys.argv[1]), sys.argv[2]).advance(executor)):
        if jobs == 3:
            os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("backend", ["sampled", "batch"])
def test_a_study_that_is_killed_goes_on_to_the_same_end(backend: str, tmp_path: Path) -> None:
    """Twice after three jobs, while the next one is under way."""
    text = 'experiment = "figure-1"\nscheduler = "hyperband"\nmax_resource = 8\neta = 2\n[set]\ndata.samples = 40\n'
    text += 'data.validation_samples = 0\ntrain.backend = "exact"\n' + "train.shots = 12\n" * (backend == "sampled")
    text += "[vary]\nansatz.num_layers = [0, 1]\ntrain.optimizer.learning_rate = { low = 0.1, high = 1.0 }\n"
    path = tmp_path / "killed.toml"
    path.write_text(text)
    for _ in range(2):
        killed = subprocess.run([sys.executable, "-c", KILLED, str(path), str(tmp_path / "killed")], check=False)
        assert killed.returncode == -signal.SIGKILL
    assert not open_study(load_study(path), tmp_path / "killed").study.is_done
    again = finished(load_study(path), tmp_path / "killed")
    whole = finished(load_study(path), tmp_path / "whole")
    assert told(again) == told(whole)
    assert set(map(repr, again.study.decisions)) == set(map(repr, whole.study.decisions))


def test_what_a_reader_should_know_is_said(tmp_path: Path) -> None:
    vary = {"ansatz.num_layers": [0, 2]}
    settings = {key: value for key, value in SAMPLED.items() if key != "ansatz.num_layers"}
    fields = {"scheduler": "hyperband", "max_resource": 9, "eta": 3, "vary": vary}
    notes = open_study(plan_of(settings, **fields, experiment="gaussian-activation"), tmp_path).notes()
    assert notes[0].startswith("a unit is ")
    assert notes[1] == "the learning rate of a trial falls over the steps that it takes if it is not stopped"
    assert notes[2] == "7 of 17 trials have made no step at the end of their first round, and rank last there"
    fixed = plan_of(settings | {"train.optimizer.decay_steps": "none"}, **fields, name="fixed")
    assert not any("learning rate" in line for line in open_study(fixed, tmp_path).notes())


def test_curves_of_a_study_teach_the_next_one(tmp_path: Path) -> None:
    """Also those of trials that advanced in a batch, of which no run was recorded."""
    pytest.importorskip("sklearn")
    for settings in (SAMPLED, SMALL | {"train.backend": "exact"}):
        results = tmp_path / str(settings.get("train.shots"))
        first = finished(plan_of(settings, vary=RATES, scheduler="all", trials=4), results)
        swift = {"scheduler": "swift-hyperband", "predictor": "ridge", "vary": RATES, "seed": 1}
        for number, place in enumerate(("all", [str(first.folder)])):
            opened = open_study(plan_of(settings, **swift, warm_start=place, name=f"second{number}"), results)
            known = opened.study.rule.earlier
            assert opened.notes()[-1] == "4 learning curves of earlier trainings teach the predictor as well"
            expected = first.study.curves.until(range(4), 6)
            np.testing.assert_allclose(np.sort(known.curves, axis=0), np.sort(expected, axis=0))
            numbers = first.study.curves.settings(range(4))
            np.testing.assert_allclose(np.sort(known.settings, axis=0), np.sort(numbers, axis=0))
        finished(plan_of(settings, vary=RATES, scheduler="all", trials=6, seed=9, name="third"), results)
        again = open_study(plan_of(settings, **swift, warm_start="all", name="second0"), results)
        assert len(again.study.rule.earlier.curves) == 4  # as it began
    with pytest.raises(QhnError, match=r"warm_start: 0 learning curves"):
        open_study(plan_of(SAMPLED | {"train.shots": 33}, **swift, warm_start="all", name="none"), tmp_path / "12")


def test_a_study_begun_with_other_numbers_is_refused(tmp_path: Path) -> None:
    finished(plan_of(SAMPLED), tmp_path)
    with pytest.raises(QhnError, match="holds another study"):
        open_study(plan_of(SAMPLED | {"train.shots": 13}), tmp_path)
    grid = tmp_path / "figure-1" / "study-study" / "resource.json"
    grid.write_text(grid.read_text("utf-8").replace('"unit"', '"unti"'))
    with pytest.raises(RecordError, match=r"resource.json is damaged"):
        open_study(plan_of(SAMPLED), tmp_path)


# ---------------------------------------------------------------- exact trials in batches


def test_exact_trials_of_one_circuit_advance_as_one_batch(tmp_path: Path) -> None:
    settings = {key: value for key, value in SMALL.items() if key != "ansatz.num_layers"} | {"train.backend": "exact"}
    vary = RATES | {"ansatz.num_layers": [0, 1]}
    study = finished(plan_of(settings, vary=vary, trials=12, max_resource=9), tmp_path)
    assert study.grid.resource == "steps"
    assert not list(tmp_path.glob("*/*/config.json"))  # no run of its own
    first = [line for line in told(study) if line["until"] == 1]
    assert len(first) == 2
    for number in range(12):
        trial = study.study._trial(number, 9)
        steps = list(train(study.trials.config(trial), record=False))
        curve = study.study.curves.of(number)
        np.testing.assert_allclose(curve, [step.mean for step in steps[: len(curve)]], rtol=1e-9)
    directory = study.record_winner()
    assert directory is not None
    run = load_run(directory)
    assert run.outcome().name == "done"
    best = study.study.best()
    assert run.steps()[-1].mean == pytest.approx(study.study.curves.of(best.number)[-1], rel=1e-9)
    assert study.study.facts[best.number]["run"] == directory.name


def test_a_job_that_was_done_and_not_told_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = SMALL | {"train.backend": "exact"}
    whole = finished(plan_of(settings, vary=RATES, trials=6), tmp_path)
    journal = whole.folder / "trials.jsonl"
    lines = journal.read_bytes()
    journal.write_bytes(lines[: lines.index(b"\n") + 1])
    monkeypatch.setattr("qhn.search.batches.Batch", None)
    again = finished(plan_of(settings, vary=RATES, trials=6), tmp_path)
    assert journal.read_bytes() == lines
    assert again.study.is_done


def test_states_that_are_gone_are_missed(tmp_path: Path) -> None:
    settings = SMALL | {"train.backend": "exact"}
    whole = finished(plan_of(settings, vary=RATES, trials=6), tmp_path)
    journal = whole.folder / "trials.jsonl"
    lines = journal.read_bytes()
    journal.write_bytes(lines[: lines.index(b"\n") + 1])
    for path in (whole.folder / "batches").iterdir():
        path.unlink()
    opened = open_study(plan_of(settings, vary=RATES, trials=6), tmp_path)
    with ThreadPoolExecutor(1) as executor:
        last = list(opened.advance(executor))[-1]
    assert "is missing in" in str(last.failures[0][1])


@pytest.mark.parametrize(
    ("settings", "loss", "together"),
    [
        ({}, "mean", True),
        ({}, "value", True),
        ({}, "best_cost", False),
        ({"train.objective": {"name": "cvar", "alpha": 0.5}}, "value", False),
        ({"train.objective": {"name": "cvar", "alpha": 0.5}}, "mean", True),
        ({"train.optimizer": "lbfgs"}, "mean", True),
        ({"data.validation_samples": 30}, "validation", True),
    ],
)
def test_every_loss_is_that_of_the_run(settings: dict[str, Any], loss: str, together: bool, tmp_path: Path) -> None:
    study = finished(
        plan_of(SMALL | {"train.backend": "exact"} | settings, loss=loss, scheduler="all", trials=2), tmp_path
    )
    for number in range(2):
        steps = list(train(study.trials.config(study.study._trial(number, 6)), record=False))
        losses = [getattr(step, loss) for step in steps]
        expected = [losses[min(unit, len(losses) - 1)] for unit in range(6)]
        np.testing.assert_allclose(study.study.curves.of(number), expected, rtol=1e-9)
    assert (study.folder / "batches").exists() == together


def test_the_learning_rate_falls_over_the_steps_of_the_trial() -> None:
    own = {"experiment": "gaussian-activation"}
    assert plan_of(SAMPLED, **own).trained({}, 0, 6).train.decay_steps == 6
    assert plan_of(SAMPLED | {"train.optimizer.decay_steps": 30}, **own).trained({}, 0, 6).train.decay_steps == 30
    vary = {"train.optimizer.decay_steps": [10, 20]}
    assert plan_of(SAMPLED, vary=vary, **own).trained({"train.optimizer.decay_steps": 20}, 0, 6).train.decay_steps == 20
    same = load_config("figure-1", SAMPLED | {"train.seed": 4, "train.steps": 6, "train.optimizer.decay_steps": 25})
    assert plan_of(SAMPLED).trained({}, 4, 6).run_id == same.run_id  # the preset's own is kept


@pytest.mark.parametrize(
    ("scheduler", "unread"),
    [
        ("swift-hyperband", []),
        ("hyperband", ["predictor", "quantile", "warm_start"]),
        ("successive-halving", ["predictor", "quantile", "warm_start"]),
        ("all", ["eta", "predictor", "quantile", "warm_start"]),
    ],
)
def test_keys_that_the_scheduler_does_not_read_are_named(scheduler: str, unread: list[str], tmp_path: Path) -> None:
    """No curves are looked for either, of which there are none here."""
    plan = plan_of(SAMPLED, scheduler=scheduler, eta=2, predictor="last", quantile=0.5, warm_start="all")
    if not unread:
        with pytest.raises(QhnError, match="warm_start: 0 learning curves"):
            open_study(plan, tmp_path)
        return
    notes = open_study(plan, tmp_path).notes()
    assert [note for note in notes if "does not read" in note] == [
        f"scheduler = '{scheduler}' does not read {', '.join(unread)}"
    ]
    assert open_study(plan_of(SAMPLED, scheduler=scheduler, name="bare"), tmp_path).plan.config.unread == (
        ["eta"] if scheduler == "all" else []
    )


def test_an_experiment_that_has_changed_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("1,-2\n0,1\n")
    (tmp_path / "mine.toml").write_text('[problem]\nname = "qubo"\nfile = "q.csv"\n[train]\nshots = 5\n')
    fields = {"experiment": str(tmp_path / "mine.toml"), "max_resource": 2}
    finished(make_study(**fields), tmp_path)
    (tmp_path / "q.csv").write_text("1,-3\n0,1\n")
    with pytest.raises(QhnError, match="its runs have other ids, since the experiment's file or its data have changed"):
        open_study(make_study(**fields), tmp_path)


@pytest.mark.parametrize("changed", [{"trials": 9}, {"trials": 2}, {"max_resource": 12}, {"resource": "shots"}])
def test_a_study_of_other_sizes_is_another_one(tmp_path: Path, changed: dict[str, Any]) -> None:
    finished(plan_of(SAMPLED, resource="steps"), tmp_path)
    with pytest.raises(QhnError, match=rf"holds another study \(its {next(iter(changed))} is"):
        open_study(plan_of(SAMPLED, **{"resource": "steps"} | changed), tmp_path)


def test_a_grid_without_a_study_is_made_anew(tmp_path: Path) -> None:
    """A session that was killed before it began leaves its grid, and the study may have changed since."""
    opened = open_study(plan_of(SAMPLED), tmp_path)
    assert not (opened.folder / "study.json").exists()
    changed = plan_of(SAMPLED, trials=5, max_resource=9)
    assert finished(changed, tmp_path).grid == open_study(changed, tmp_path / "fresh").grid


@pytest.mark.parametrize("shots", [12, None])
def test_a_winner_that_was_paused_stays_paused(tmp_path: Path, shots: int | None) -> None:
    """Every trial that went on fails at its second step, and the best of the others is not trained at the end."""
    rates = {"train.optimizer": "sgd", "train.optimizer.learning_rate": 1e300}
    settings = SMALL | rates | {"train.backend": "exact"} | ({"train.shots": shots} if shots else {})
    opened = finished(plan_of(settings, resource="steps", trials=4, max_resource=2, eta=2), tmp_path)
    best = opened.study.best()
    assert best is not None
    assert best.until == 1
    directory = opened.record_winner()
    assert directory is not None
    assert len(Record.load(directory).steps()) == 1


def test_steps_before_a_failure_are_counted(tmp_path: Path) -> None:
    settings = SAMPLED | {"train.optimizer": "sgd", "train.optimizer.learning_rate": 1e300}
    study = finished(plan_of(settings, scheduler="all", resource="steps", trials=1, max_resource=3), tmp_path).study
    first, *later = study.curves.of(0).tolist()
    assert np.isfinite(first)
    assert later == [np.inf, np.inf]
    facts = study.facts[0]
    steps = Record.load(tmp_path / "figure-1" / facts["run"]).steps()
    assert (facts["steps"], facts["shots"]) == (1, steps[-1].shots)
    assert "theta must be from" in facts["error"]
