"""Runs of a function of the user's: kept, resumed, limited; and never run by what only reads a record."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from qhn.backend.machines import MACHINES
from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.errors import QhnError
from qhn.run.record import Record
from qhn.run.training import train
from runs import finished, rewrite_json

FUNCTION = """
import os, time
with open(os.environ["NOTES"] + ".imports", "a") as file:
    file.write("imported\\n")

def cost(bits):
    with open(os.environ["NOTES"], "a") as file:
        file.write("".join(map(str, bits)) + "\\n")
    time.sleep(float(os.environ.get("SECONDS", "0")))
    return float(bits @ range(len(bits))) - 3 * bits[0] * bits[1]
"""
CONFIG = """
[problem]
python = "mine:cost"
num_qubits = {num_qubits}
workers = {workers}
[ansatz]
num_layers = 1
[train]
shots = 30
steps = 2
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a function and a configuration, beside the working directory."""
    monkeypatch.setenv("NOTES", str(tmp_path / "notes"))
    monkeypatch.delitem(sys.modules, "mine", raising=False)  # of another test
    place = tmp_path / "theirs"
    place.mkdir()
    (place / "mine.py").write_text(FUNCTION)
    write_config(place)
    return place


def write_config(folder: Path, num_qubits: int = 5, workers: int = 1) -> None:
    (folder / "mine.toml").write_text(CONFIG.format(num_qubits=num_qubits, workers=workers))


def noted() -> list[str]:
    path = Path(os.environ["NOTES"])
    return path.read_text().split() if path.exists() else []


def imports() -> int:
    path = Path(os.environ["NOTES"] + ".imports")
    return len(path.read_text().split()) if path.exists() else 0


def the_run() -> Path:
    (found,) = Path("results/mine").glob("?" * 10)
    return found


def test_reading_commands_never_import_it_and_others_only_as_it_is_named_again(qhn, folder: Path) -> None:
    assert qhn("run", str(folder / "mine.toml"), "--quiet").code == 0
    run, known = str(the_run()), imports()
    shown = qhn("show", run)
    assert "problem     mine:cost, source" in shown.out
    for words in (["list"], ["report", run], ["show", run]):
        assert qhn(*words).code == 0, words
    for words in (["jobs", run], ["ensemble", run], ["compare", run, run]):
        assert qhn(*words).code == 2
    for words in (["resume", run, "--steps", "3"], ["replay", run], ["evaluate", run]):
        refused = qhn(*words)
        assert refused.code == 2
        assert "this would run mine:cost, a program" in refused.err
    assert imports() == known
    for words in (["resume", run, "--steps", "3", "-q"], ["replay", run], ["evaluate", run]):
        assert "there is no module 'mine'" in qhn(*words, "--python", "mine:cost").err, "it is in another folder"
        found = qhn(*words, "--trust")
        assert found.code == 0, found.err
    shutil.copy(folder / "mine.py", "mine.py")
    for words in (["resume", run, "--steps", "4", "-q"], ["replay", run], ["evaluate", run]):
        assert qhn(*words, "--python", "mine:cost").code == 0
        assert "the function of this run is mine:cost, not mine:other" in qhn(*words, "--python", "mine:other").err
    assert imports() > known
    assert qhn("run", str(folder / "mine.toml"), "--quiet", "--steps", "5").code == 0
    assert len(Record.load(run).steps()) == 5
    counts = Counter(noted())
    assert sum(counts.values()) - len(counts) <= imports(), "one comparison a session, and nothing else twice"


def test_a_changed_function_is_refused_and_a_new_run_begins(qhn, folder: Path) -> None:
    qhn("run", str(folder / "mine.toml"), "--quiet")
    run, content = the_run(), (folder / "mine.py").read_text()
    (folder / "mine.py").write_text(content + "# another\n")
    Path("mine.py").write_text(content + "# another\n")
    known = imports()
    for option in (["--trust"], ["--python", "mine:cost"]):
        for words in (["resume", str(run), "--steps", "3"], ["replay", str(run)]):
            refused = qhn(*words, *option)
            assert (refused.code, len(refused.err.splitlines())) == (2, 1)
            assert "restore it, or begin a new run" in refused.err
    assert qhn("show", str(run)).code == 0
    assert imports() == known
    qhn("run", str(folder / "mine.toml"), "--quiet")
    assert len(list(Path("results/mine").iterdir())) == 2
    assert (run / "data" / "mine.py").read_text() == content, "a copy to restore it from"


def test_the_id_of_a_run_is_that_of_source_version_and_size(folder: Path) -> None:
    def run_id(**settings: object) -> str:
        return load_config(folder / "mine.toml", {f"problem.{key}": value for key, value in settings.items()}).run_id

    first = run_id()
    assert first == run_id(workers=3) == run_id(time_limit=5.0) == run_id(noun="design")
    assert len({first, run_id(version="2"), run_id(num_qubits=4)}) == 3
    elsewhere = folder.with_name("elsewhere")
    shutil.copytree(folder, elsewhere)
    assert load_config(elsewhere / "mine.toml").run_id == first, "wherever the file is"
    (folder / "mine.py").write_text(FUNCTION + "\n")
    assert run_id() != first
    assert imports() == 0


def test_a_record_of_a_stranger_runs_nothing_and_leads_nowhere(qhn, folder: Path, tmp_path: Path) -> None:
    """Its module may stand anywhere: in the record, in the working directory, or among the installed ones."""
    qhn("run", str(folder / "mine.toml"), "--quiet")
    run, known = the_run(), imports()
    for place in (run, run / "data", tmp_path):
        (place / "mine.py").write_text(FUNCTION)
    (tmp_path / "secret.csv").write_text("label\n1\n")

    def changed(**values: object):
        return lambda tree: tree["problem"].update(values)

    tree = (run / "config.json").read_bytes()
    for change in (
        changed(source=str(run / "mine.py")),
        changed(source="/nowhere/mine.py"),
        changed(source=None),
        changed(sha256=""),
        changed(file="../../../secret.csv"),
        changed(directory=str(tmp_path)),
        lambda tree: tree.update(problem={"name": "table", "file": str(tmp_path / "secret.csv"), "sha256": "0"}),
        lambda tree: tree.update(problem={"name": "table", "file": "../../../secret.csv"}),
    ):
        rewrite_json(run / "config.json", change)
        for words in (["show"], ["report"], ["list"], ["jobs"], ["replay"], ["resume", "--steps", "9"]):
            found = qhn(*words, *([str(run)] if words != ["list"] else []))
            assert len(found.err.splitlines()) <= 1
            assert "Traceback" not in found.err
        (run / "config.json").write_bytes(tree)
    assert imports() == known


@pytest.mark.parametrize("value", ["../../../secret.csv", "/etc/hostname", "data/link.csv"])
def test_a_record_names_no_file_outside_its_directory(value: str, tmp_path: Path, qhn) -> None:
    (tmp_path / "secret.csv").write_text("size,label\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(20)))
    config = load_config("figure-1", {"data.file": "secret.csv", "train.steps": 1, "train.shots": 20})
    run = finished(config, tmp_path / "results").directory
    (run / "data" / "link.csv").symlink_to(tmp_path / "secret.csv")
    rewrite_json(run / "config.json", lambda tree: tree["data"].update(file=value))
    for words in (["show", str(run)], ["report", str(run)], ["list"]):
        found = qhn(*words)
        assert "is not in the directory of the run" in found.err + found.out


def test_a_run_that_is_killed_in_a_step_evaluates_only_what_was_in_flight_again(folder: Path, tmp_path: Path) -> None:
    write_config(folder, num_qubits=8, workers=2)
    command = [sys.executable, "-m", "qhn", "run", str(folder / "mine.toml"), "--quiet", "--results", "results"]
    slow = os.environ | {"SECONDS": "0.1"}
    run = subprocess.Popen(command, env=slow, cwd=tmp_path)
    while len(noted()) < 20:
        time.sleep(0.02)
    run.kill()
    run.wait()
    time.sleep(0.5)  # the workers end
    before = Counter(noted())
    subprocess.run(command, check=True, cwd=tmp_path)
    steps = Record.load(the_run()).steps()
    assert len(noted()) <= steps[-1].distinct + 2 + 2, "two in flight, and a comparison a session"
    assert len(before) >= 17
    again = finished(load_config(folder / "mine.toml"), tmp_path / "again")
    assert (again.directory / "steps.jsonl").read_bytes() == (the_run() / "steps.jsonl").read_bytes()


def test_an_interrupt_leaves_no_process_and_loses_nothing(folder: Path, tmp_path: Path) -> None:
    write_config(folder, num_qubits=8, workers=2)
    command = [sys.executable, "-m", "qhn", "run", str(folder / "mine.toml"), "--results", "results"]
    run = subprocess.Popen(command, env=os.environ | {"SECONDS": "0.2"}, stderr=subprocess.PIPE, cwd=tmp_path)
    while len(noted()) < 16:
        time.sleep(0.02)
    for _ in range(2):
        run.send_signal(signal.SIGINT)
        time.sleep(0.5)
    words = run.communicate()[1].decode()  # which ends when no process holds it open
    assert run.returncode == 130
    assert "the next step evaluates up to 256 bitstrings" in words
    assert "evaluated, about" in words
    number = len(noted())
    time.sleep(0.6)
    assert len(noted()) == number
    (cache,) = Path("results/.costs").glob("*/*.costs")
    assert cache.stat().st_size // 13 >= number - 1 - 2, "all but the comparison and what was in flight"


@pytest.mark.parametrize("shots", [30, None])
def test_the_number_of_evaluations_ends_a_run_and_raising_it_goes_on(shots: int | None, folder: Path) -> None:
    settings = {"train.steps": 30, "train.max_evaluations": 32, "train.shots": shots or "none"}
    config = load_config(folder / "mine.toml", settings | {"problem.num_qubits": 5, "train.backend": "exact"})
    training = train(config, record=False)
    assert len(list(training)) == 30, "all there are"
    assert len(set(noted())) <= 32


def test_a_step_that_could_exceed_the_number_of_evaluations_is_not_begun(qhn, folder: Path) -> None:
    write_config(folder, num_qubits=12)
    asked = ["run", str(folder / "mine.toml"), "--set", "train.gradient=spsa", "--set", "train.max_evaluations=200"]
    found = qhn(*asked, "--steps", "50", "--quiet")
    assert found.code == 3
    assert "of train.max_evaluations remain; raise it to go on" in found.err
    run = the_run()
    last = Record.load(run).steps()[-1]
    assert 200 - 90 < last.distinct <= 200  # three rows of 30 shots
    assert len(set(noted())) == last.distinct
    more = qhn("resume", str(run), "--trust", "--set", "train.max_evaluations=none", "--quiet")
    assert more.code == 0
    assert len(Record.load(run).steps()) == 50


def test_a_first_step_that_does_not_fit_is_refused_with_what_fits(qhn, folder: Path) -> None:
    write_config(folder, num_qubits=12)
    command = ["run", str(folder / "mine.toml"), "--set", "train.max_evaluations=700"]
    refused = qhn(*command)
    assert refused.code == 2
    assert not Path("results").exists()
    assert noted() == []
    assert "the first step evaluates up to 2,190 bitstrings; what fits: train.shots = 9, or " in refused.err
    assert "train.gradient = 'spsa' with train.shots = 233" in refused.err
    for settings in (["train.shots=9"], ["train.gradient=spsa", "train.shots=233"]):
        fits = [word for one in settings for word in ("--set", one)]
        assert qhn(*command, *fits, "--steps", "1", "--quiet").code == 0
    for settings in (["train.shots=10"], ["train.gradient=spsa", "train.shots=234"]):
        does_not = [word for one in settings for word in ("--set", one)]
        assert qhn(*command, *does_not, "--steps", "1", "--quiet").code == 2
    exact = qhn(*command, "--backend", "exact")
    assert "the first step evaluates up to 4,096 bitstrings" in exact.err


def test_another_run_of_the_same_function_takes_what_is_known(folder: Path) -> None:
    config = load_config(folder / "mine.toml")
    finished(config, Path("results"))
    first = Counter(noted())
    other = finished(load_config(folder / "mine.toml", {"train.seed": 8}), Path("results"))
    both = Counter(noted())
    assert sum(both.values()) - len(both) <= 2, "a comparison a session"
    assert other.steps()[-1].distinct > len(both) - len(first), "what is known counts for the run all the same"


@pytest.mark.parametrize("tiles", [1, 2])
def test_no_step_meets_more_bitstrings_than_it_was_priced_at(tiles: int, folder: Path) -> None:
    assert any(machine.has_chip for machine in MACHINES)
    settings = {"problem.num_qubits": 9, "train.backend": "fake_torino", "device.tiles": tiles, "train.steps": 1}
    config = load_config(folder / "mine.toml", settings | {"train.shots": 3, "train.max_evaluations": 10_000})
    training = train(config, record=False)
    most = training._machine.evaluations(0)
    (step,) = training
    rows = 1 + 2 * int(training.ansatz.active.sum())
    assert step.distinct <= most == min(512, 3 * (rows + tiles - 1))


def test_a_configuration_of_a_function_is_checked(folder: Path) -> None:
    good = {"python": "mine:cost", "num_qubits": 4}
    os.chdir(folder)
    for wrong, words in (
        ({"workers": 0}, "workers"),
        ({"time_limit": 0}, "time_limit"),
        ({"cost_range": [2, 1]}, "cost_range"),
        ({"noun": "two\nlines"}, "noun"),
        ({"num_qubits": 0}, "num_qubits"),
    ):
        with pytest.raises((QhnError, ValueError), match=words):
            RunConfig(problem=good | wrong)
    assert np.isclose(load_config("mine.toml").problem(trust=True).cost([1, 1, 0, 0, 0]), -2)


@pytest.mark.parametrize("backend", ["aer", "exact"])
def test_the_members_of_a_sweep_share_what_they_evaluate(qhn, backend: str, folder: Path) -> None:
    varied = '"train.shots" = [10, 20]' if backend == "aer" else '"ansatz.num_layers" = [0, 1]'
    (folder / "sweep.toml").write_text(
        f'experiment = "mine.toml"\nseeds = 2\nrepeats = 1\n[set]\n"train.backend" = "{backend}"\n[vary]\n{varied}\n'
    )
    found = qhn("sweep", str(folder / "sweep.toml"), "--workers", "1", "--quiet")
    assert found.code == 0, found.err
    counts = Counter(noted())
    assert len(counts) <= 32
    assert sum(counts.values()) - len(counts) <= imports(), "a comparison for each time that it was loaded"
