from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from qhn.cli import progress as progress_module
from qhn.cli.progress import study_progress
from qhn.scheduling.study import StudyProgress

STUDY = """
experiment = "figure-1"
max_resource = 3
[set]
train.backend = "exact"
train.shots = 12
data.samples = 40
data.validation_samples = 0
train.optimizer = "adam"
[vary]
ansatz.num_layers = [0, 1]
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(STUDY)
    return path


@pytest.fixture
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that is a thread, and so begins at once."""
    monkeypatch.setattr("qhn.parallel.open_executor", lambda *words: ThreadPoolExecutor(1))


def test_search_trains_and_reports(qhn, study_file: Path) -> None:
    result = qhn("search", str(study_file), "--workers", "1")
    assert result.code == 0
    assert result.out.startswith("study study-mine: Hyperband, R = 3 units, η = 3; 5 trials, done\n")
    assert "\na unit is 108 shots; R = 3 units are " in result.out
    assert "the learning rate of a trial falls over the steps" in result.out
    assert result.err.startswith("a unit is 108 shots; R = 3 units are ")
    assert "11 of 11 units, 5 trials, best " in result.err
    folder = Path("results/figure-1/study-mine")
    names = {path.name for path in folder.iterdir()}
    assert names >= {"study.json", "resource.json", "trials.jsonl", "page.txt", "trials.csv"}
    winner = Path(result.out.splitlines()[-1])
    assert "3 steps, done" in qhn("show", str(winner)).out or "1 steps, done" in qhn("show", str(winner)).out
    journal = (folder / "trials.jsonl").read_bytes()
    again = qhn("search", str(study_file), "-q")
    assert (again.code, again.err) == (0, "")
    assert (folder / "trials.jsonl").read_bytes() == journal
    assert again.out.splitlines()[-1] == str(winner)


@pytest.mark.usefixtures("_in_this_process")
def test_other_numbers_need_another_name(qhn, study_file: Path) -> None:
    assert qhn("search", str(study_file), "-q").code == 0
    other = qhn("search", str(study_file), "-q", "--set", "train.shots=13")
    assert other.code == 2
    assert "holds another study" in other.err
    named = qhn("search", str(study_file), "-q", "--set", "train.shots=13", "--set", "name=other")
    assert named.code == 0


@pytest.mark.usefixtures("_in_this_process")
def test_a_job_that_fails_ends_with_exit_code_4(qhn, study_file: Path) -> None:
    """A record that is damaged is no fault of the trial, and the same command goes on once it is mended."""
    words = ("search", str(study_file), "--set", "scheduler=all", "--set")
    assert qhn(*words, "trials=1").code == 0
    found = next(Path("results/figure-1").glob("*/config.json"))
    whole = found.read_bytes()
    found.write_bytes(whole[:-9])
    broken = qhn(*words, "trials=2", "--set", "name=second")
    assert broken.code == 4
    assert "qhn: trial 0 failed: " in broken.err
    assert "1 job failed; the same command tries them again" in broken.err
    found.write_bytes(whole)
    assert qhn(*words, "trials=2", "--set", "name=second").code == 0


def test_ctrl_c_stops_and_keeps_what_is_finished(study_file: Path) -> None:
    study_file.write_text(STUDY.replace("max_resource = 3", "max_resource = 81"))
    command = [sys.executable, "-m", "qhn", "search", str(study_file), "--workers", "1", "--results", "stopped"]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ.copy())
    journal, deadline = Path("stopped/figure-1/study-mine/trials.jsonl"), time.monotonic() + 120
    while not (journal.exists() and journal.read_bytes().count(b"\n") >= 2) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=120)
    assert running.returncode == 130
    assert b"stopped; what is finished is kept, and the same command goes on" in err
    lines = journal.read_bytes()
    assert lines.count(b"\n") >= 2


def test_plain_lines_end_where_a_study_ends(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trials that were stopped took less than was counted on."""
    clock = iter(range(0, 1000, 4))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: float(next(clock)))
    units = [0, 10, 20, 60, 80]
    going: Any = iter([StudyProgress(done, 100, done // 10, 0.5 - done / 1000) for done in units])
    assert study_progress(going, quiet=False).units == 80
    assert capsys.readouterr().err.splitlines() == [
        "0 of 100 units, 0 trials, best 0.5",
        "60 of 100 units, 6 trials, best 0.44  ETA 6 s",
        "80 of 100 units, 8 trials, best 0.42",
    ]


@pytest.mark.usefixtures("_in_this_process")
def test_runs_of_one_study_are_not_made_again_by_another(qhn, study_file: Path) -> None:
    one = qhn("search", str(study_file), "-q", "--set", "scheduler=all", "--set", "trials=2")
    assert one.code == 0
    made = {path: path.read_bytes() for path in Path("results").glob("*/*/steps.jsonl")}
    assert len(made) == 2
    words = ("--set", "scheduler=successive-halving", "--set", "trials=2", "--set", "name=again")
    assert qhn("search", str(study_file), "-q", *words).code == 0
    assert {path: path.read_bytes() for path in Path("results").glob("*/*/steps.jsonl")} == made
