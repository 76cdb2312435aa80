"""Directories that version a397256 wrote, the last with naming 1, read by this one and by one with other defaults.

``written.zip`` holds what that version made of ``mine.toml`` and ``sweeping.toml``: runs that are finished, one of them
as versions without checksums wrote it, a run of a Python object, two runs with a paid job in flight, which the service
knows from ``waiting.json`` and ``unheard.json``, and a sweep. The configurations leave almost everything to defaults.
"""

from __future__ import annotations

import json
import pickle
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from qiskit.qpy.common import QPY_VERSION

import qhn as package
from qhn.backend.service import connection, jobs
from qhn.config import RunConfig
from qhn.config.ansatz import HypernetworkConfig
from qhn.config.data import MixtureData
from qhn.config.defaults import NAMING, defaults_of, present_defaults
from qhn.config.device import DeviceConfig
from qhn.config.file import load_config, parse_config, presets
from qhn.config.network import NetworkConfig
from qhn.config.section import Section
from qhn.config.strategy import AdamConfig
from qhn.config.train import OBJECTIVE_SECTIONS, StopRules, TrainConfig
from qhn.report.compare import Comparison
from qhn.report.jobs import job_lines
from qhn.run.record import Record
from qhn.run.replay import replay
from qhn.run.training import Training, resume, train
from qhn.sweep.plan import load_sweep
from qhn.sweep.survey import Survey
from qhn.sweep.workers import advance
from runs import finished
from service import Service
from service.jobs import Job

FINISHED, OLD, OWN = "mine/a0af2940a8", "mine/4ac0b1d057", "own/e97a91a529"
IN_FLIGHT = {"waiting": "mine/0fb4992f88", "unheard": "mine/d9da25af37"}
MEMBERS = ["b00ef995cd-6f35973e41", "152ab7cd11-6f35973e41", "27deefe20e-6f35973e41", "90d3c1c3c6-6f35973e41"]
MEMBER_FILES = {"5222162136.npz", "7297045207.npz", "b28fc01c59.npz"}
ROWS = 29  # of a gradient of these circuits
WRITTEN_QPY = 18  # of the circuits in waiting.json and unheard.json
CHANGED: dict[type[Section], dict[str, Any]] = {  # defaults of another version
    AdamConfig: {"learning_rate": 0.05, "beta1": 0.5},
    OBJECTIVE_SECTIONS["cvar"]: {"alpha": 0.75},
    HypernetworkConfig: {"num_layers": 1, "order": "authors"},
    NetworkConfig: {"bias": (False,), "qubit_order": "reversed"},
    MixtureData: {"samples": 50},
    DeviceConfig: {"max_bond": 32, "guard": False, "p1": 0.5},
    StopRules: {"steps": 5, "plateau": 2},
    TrainConfig: {"shots": 70, "steps": 5, "plateau": 2, "seed": 1},
}
DEFAULTS = {"network": NetworkConfig, "ansatz": HypernetworkConfig, "train": TrainConfig, "device": DeviceConfig}


@pytest.fixture(autouse=True)
def _quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qhn.report.page.Report.figures", lambda self, output=None: [])
    for module, name in (
        *((connection, name) for name in ("FIRST_PAUSE", "LONGEST_PAUSE")),
        *((jobs, name) for name in ("LISTING_DELAY", "FULL_QUEUE_PAUSE")),
    ):
        monkeypatch.setattr(module, name, 0.05)


def rebuild(changes: dict[type[Section], dict[str, Any]]) -> dict[type[Section], dict[str, Any]]:
    """Change defaults of the tables, and with them those of the whole configuration; returns what they were."""
    before = {section: {key: section.model_fields[key].default for key in keys} for section, keys in changes.items()}
    for section, keys in changes.items():
        for key, value in keys.items():
            section.model_fields[key].default = value
        if section is TrainConfig:
            section.model_fields["optimizer"].default = AdamConfig()
        section.model_rebuild(force=True)
    for table, section in DEFAULTS.items():
        RunConfig.model_fields[table].default = section()
    RunConfig.model_rebuild(force=True)
    defaults_of(NAMING).update(present_defaults(RunConfig))
    return before


@pytest.fixture(params=["same defaults", "other defaults"])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """The directory of results as it was written, read by a version with the same defaults, and one with others."""
    with zipfile.ZipFile(Path(__file__).parent / "written.zip") as archive:
        archive.extractall(tmp_path)
    if request.param == "same defaults":
        yield tmp_path / "results"
        return
    before = rebuild(CHANGED)
    try:
        assert load_config(tmp_path / "mine.toml").train.shots == 70
        assert load_config(tmp_path / "mine.toml").train.optimizer.learning_rate == 0.05
        yield tmp_path / "results"
    finally:
        rebuild(before)


def as_written(config: RunConfig) -> bool:
    """Whether a configuration has the values that were defaults when these directories were written."""
    train, ansatz, optimizer = config.train, config.ansatz, config.train.optimizer
    found = (train.shots, train.plateau, ansatz.num_layers, ansatz.order, optimizer.learning_rate, optimizer.beta1)
    return found == (1000, None, 2, "eq5", 0.2, 0.9)


def all_steps(training: Training) -> list[Any]:
    steps = list(training)
    training.close()
    return steps


@pytest.mark.parametrize("run", [FINISHED, OLD, *IN_FLIGHT.values()])
def test_they_are_shown_and_replayed_with_their_ids_and_settings(run: str, results: Path, qhn) -> None:
    directory, name = results / run, run.rpartition("/")[2]
    written = {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
    record = Record.load(directory)
    assert record.config.run_id == name
    assert as_written(record.config)
    for verb in ("show", "report"):
        shown = qhn(verb, name)
        assert shown.code == 0, shown.err
        assert name in shown.out
    replayed = list(replay(record))
    assert [step.mean for step in replayed] == [step.mean for step in record.steps()]
    assert len(replayed) == len(list(replay(record, {"train.objective": "cvar"}))) > 0
    chosen = qhn("replay", name, "--set", "train.objective=cvar")
    assert chosen.code == 0, chosen.err
    assert "cvar" in chosen.out.lower()
    assert "0.75" not in chosen.out  # the share of the version that reads it
    unchanged = {path for path, content in written.items() if path.read_bytes() == content}
    assert {path for path in written if "figures" not in path.parts} == unchanged


@pytest.mark.parametrize(("run", "seed"), [(FINISHED, 7), (OLD, 8)])
def test_they_are_extended_as_if_the_version_had_not_changed(
    run: str, seed: int, results: Path, tmp_path: Path, qhn
) -> None:
    schema = Record.load(results / run).schema
    found = qhn("resume", run.rpartition("/")[2], "--steps", "4", "-q")
    assert found.code == 0, found.err
    record = Record.load(results / run)
    assert (record.schema, record.config.naming, len(record.steps())) == (schema, 1, 4)
    assert [step.shots for step in record.steps()] == [ROWS * 1000 * (k + 1) for k in range(4)]
    config = load_config(tmp_path / "mine.toml", {"train.seed": seed, "train.steps": 4}, naming=1)
    assert config.run_id == record.config.run_id
    anew = finished(config, tmp_path / "anew")
    for step, again in zip(record.steps(), anew.steps(), strict=True):
        known, made = json.loads(step.to_json()), json.loads(again.to_json())
        for name in ("row_shots", "hessian_diag_std_error", "trace_std_error"):  # which that version did not record
            assert known.pop(name) in (None, made[name])
            assert made.pop(name) is not None
        assert known == made
    raised = train(config, results=results)  # the same configuration finds them
    assert raised.num_stored == 4
    raised.close()


@pytest.mark.parametrize("name", IN_FLIGHT)
def test_jobs_that_were_paid_for_are_collected_and_none_is_submitted_twice(
    name: str, service: Service, results: Path, tmp_path: Path, qhn
) -> None:
    if QPY_VERSION < WRITTEN_QPY:
        pytest.skip("the stand-in executes what was submitted, and this Qiskit cannot read circuits of a later one")
    for job in json.loads((tmp_path / f"{name}.json").read_text()):
        known = Job(job["job_id"], job["request"], time.time(), status=job["status"], seconds=job["seconds"])
        known.ended = time.time() if known.status == "Completed" else None
        service.jobs[known.job_id] = known
    assert [job.status for job in service.jobs.values()] == ["Completed", "Completed", "Queued"]
    directory = results / IN_FLIGHT[name]
    record = Record.load(directory)
    assert as_written(record.config)
    assert (record.config.train.max_qpu_seconds, record.config.train.steps) == (60, 3)
    run = ["run", str(tmp_path / "mine.toml"), "--set", f"train.seed={record.config.train.seed}", "--yes"]
    again = qhn(*run, "--backend", "ibm_manila", "--detach")  # the command by which it was begun
    assert again.code == 2
    assert f"qhn resume {record.config.run_id} goes on with it, --restart pays for another run" in again.err
    assert len(service.jobs) == 3
    assert qhn("jobs", record.config.run_id).code == 0
    collected = qhn("resume", record.config.run_id, "-q")
    assert collected.code == 0, collected.err
    assert service.requests["POST jobs"] == 1  # that of the third step
    last = list(service.jobs.values())[-1]
    assert f"qhn:{record.config.run_id}:2:0" in last.tags
    record = Record.load(directory)
    assert [step.shots for step in record.steps()] == [ROWS * 1000 * (k + 1) for k in range(3)]
    assert record.outcome().name == "done"
    measured = [line.job_id for line in job_lines(record, lambda job_id: None)]
    assert measured == list(service.jobs)
    assert [step.mean for step in replay(record)] == [step.mean for step in record.steps()]


def test_a_run_of_a_python_object_goes_on_with_that_object(results: Path) -> None:
    problem = package.TableProblem([3.0, 1.0, 2.0, 0.5])
    record = Record.load(results / OWN)
    with pytest.raises(ValueError, match="this run's problem is a TableProblem"):
        resume(record.directory, problem=package.TableProblem([3.0, 1.0, 2.0, 0.4]))
    assert len(all_steps(resume(record.directory, {"train.steps": 3}, problem=problem))) == 3
    asked = RunConfig(
        naming=1, experiment="own", train={"backend": "exact", "shots": 1000, "steps": 3, "plateau": None}
    )
    found = train(asked, problem=problem, results=results)
    assert found.num_stored == 3
    assert found.record is not None
    assert found.record.directory == record.directory
    found.close()
    new = train(RunConfig(experiment="own", train={"backend": "exact", "steps": 1}), problem=problem, results=results)
    assert new.num_stored == 0
    new.close()


@pytest.mark.filterwarnings("ignore:the sweep in:qhn.errors.QhnWarning")
def test_a_sweep_goes_on_with_the_members_and_the_defaults_that_it_has(results: Path, tmp_path: Path) -> None:
    for seeds, known, total in ((2, 4, 4), (3, 4, 6), (3, 6, 6)):
        sweep = load_sweep(tmp_path / "sweeping.toml", {"seeds": seeds})
        with ThreadPoolExecutor(1) as executor:
            every = list(advance(sweep, executor, results=results))
        assert (every[0].finished, every[-1].finished, every[-1].total) == (known, total, total)
        assert not every[-1].failures
    survey = Survey(sweep, results)
    found = [member for group in survey.groups for member in group.columns["member"].tolist()]
    assert set(found) > set(MEMBERS)
    assert found == [member.id for member in survey.sweep.members]
    assert all(member.config.naming == 1 for member in survey.sweep.members)
    sampled = survey.sweep.members[-1].config
    assert as_written(sampled)
    assert Record.load(results / "mine" / sampled.run_id).config.naming == 1
    assert json.loads((survey.folder / "sweep.json").read_text())["naming"] == 1
    named = load_sweep(tmp_path / "sweeping.toml", {"name": "another"})
    assert named.as_begun(results).naming == NAMING


def test_a_sweep_of_an_earlier_version_is_said_to_be_one(results: Path, tmp_path: Path, qhn) -> None:
    found = qhn("sweep", str(tmp_path / "sweeping.toml"), "--workers", "1", "-q")
    assert found.code == 0, found.err
    assert "was begun by an earlier version of qhn and goes on with its defaults" in found.err
    assert {path.name for path in (results / "mine" / "sweep-sweeping" / "members").iterdir()} == MEMBER_FILES


def test_a_sweep_whose_plan_is_damaged_or_newer_is_refused(results: Path, tmp_path: Path) -> None:
    path = results / "mine" / "sweep-sweeping" / "sweep.json"
    for content, words in ((b"{", "is damaged"), (b"[]", "is damaged"), (b'{"naming": 99}', "naming 99, this version")):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            Survey(load_sweep(tmp_path / "sweeping.toml"), results)


def test_a_new_run_has_a_directory_of_its_own_beside_them(results: Path, tmp_path: Path, qhn) -> None:
    before = {path.name for path in (results / "mine").iterdir()}
    found = qhn("run", str(tmp_path / "mine.toml"), "--steps", "2", "-q")
    assert found.code == 0, found.err
    assert "an earlier version of qhn began run a0af2940a8 by this command" in found.err
    (new,) = {path.name for path in (results / "mine").iterdir()} - before
    assert "earlier" not in qhn("run", str(tmp_path / "mine.toml"), "--steps", "2", "-q").err  # which is its own now
    config = Record.load(results / "mine" / new).config
    assert config.naming == NAMING
    listed = qhn("list").out
    assert all(run.rpartition("/")[2] in listed for run in (FINISHED, OLD, *IN_FLIGHT.values(), f"mine/{new}"))
    records = [Record.load(results / run) for run in (FINISHED, OLD, f"mine/{new}")]
    comparison = Comparison(records)
    shots = [record.config.train.shots for record in records]
    assert ("train.shots" in comparison.differences()) == (len(set(shots)) > 1)
    assert "naming" not in comparison.differences()
    assert all(run.rpartition("/")[2] in comparison.page() for run in (FINISHED, OLD, new))
    same = {record.config.problem_id for record in records}
    assert len(same) == len({record.config.network.qubit_order for record in records})


def test_config_json_is_complete(results: Path, tmp_path: Path) -> None:
    """Every value stands in it, so that it is read without any defaults."""
    record = finished(load_config(tmp_path / "mine.toml", {"train.steps": 1, "train.backend": "exact"}), results)
    tree = json.loads((record.directory / "config.json").read_text())
    assert (tree.pop("schema"), tree["naming"]) == (3, NAMING)
    tree.pop("checksum")
    assert tree == parse_config(tree).model_dump(mode="json", exclude={"instance", "cost"})


def test_stop_rules_that_nobody_gave_are_not_taken_for_given(results: Path, tmp_path: Path) -> None:
    directory = results / FINISHED
    all_steps(resume(directory, {"train.steps": 3, "train.patience": 9}))
    config = load_config(tmp_path / "mine.toml", naming=1)
    assert not config.train.model_fields_set & RunConfig.STOP_RULES
    training = train(config, results=results)
    assert (training.config.train.steps, training.config.train.patience) == (3, 9)
    training.close()


def test_an_objective_keeps_its_defaults_on_the_way_to_a_worker(results: Path, tmp_path: Path) -> None:
    config = load_config(tmp_path / "mine.toml", {"train.objective": "cvar"}, naming=1)
    there = pickle.loads(pickle.dumps(config))
    assert there == config
    assert there.train.objective.alpha == 0.2
    assert there.train.objective.model_fields_set == config.train.objective.model_fields_set == {"name"}


def test_an_experiment_that_samples_the_exact_circuit_begins(tmp_path: Path, qhn) -> None:
    """Its shots are its own, also where the command is looked up among those of earlier versions."""
    (tmp_path / "mine.toml").write_text(
        'data.name = "gaussian-mixture"\ndata.samples = 40\nnetwork.hidden = []\n'
        '[train]\nbackend = "exact"\nshots = 70\ngradient = "spsa"\nsteps = 2\n',
        encoding="utf-8",
    )
    found = qhn("run", str(tmp_path / "mine.toml"), "--json")
    assert found.code == 0, found.err
    assert [json.loads(line)["row_shots"] for line in found.out.splitlines()[:2]] == [70, 70]


PRESET_IDS = {  # as the earlier version printed them
    "digits-8x8": "caa910366a",
    "digits-8x8-four": "e588b19036",
    "figure-1": "56c92b49cc",
    "gaussian-activation": "6319721058",
    "gaussian-width": "129c16bdda",
    "mnist-01": "83c177e7e7",
    "mnist-01-published": "af90849e2b",
    "mnist-37-encoding": "34a7513074",
}


def test_presets_have_the_ids_that_the_earlier_version_gave_them() -> None:
    """So that a run of a preset that it began is found by the same command, also where the preset has changed since."""
    ids = {name: load_config(name, naming=1).run_id for name in PRESET_IDS}
    assert ids == PRESET_IDS
    assert not set(ids.values()) & {load_config(name).run_id for name in presets()}
