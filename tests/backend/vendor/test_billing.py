"""Machines that bill, by a plug-in or a module: no job is paid for twice where that can be helped, and all count."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

import qhn as package
from clouds import ENOUGH, ROWS, SHOTS, STEPS, TEST, configured, jobs
from qhn.backend.history import History
from qhn.backend.journal import Journal
from qhn.run.record import Record
from vendors import SECRET, TROUBLE


def run_of(tmp_path: Path) -> Path:
    (run,) = (tmp_path / "results" / "figure-1").iterdir()
    return run


def history(tmp_path: Path) -> History:
    return Journal(run_of(tmp_path) / "jobs.jsonl").history()


def events(tmp_path: Path) -> list[tuple[str, str]]:
    return [
        (entry.tag.partition(":")[2].partition(":")[2], entry.event.value)
        for entry in history(tmp_path).entries()
        if entry.tag
    ]


def test_every_job_is_noted_before_it_is_waited_for(names: dict[str, str], tmp_path: Path) -> None:
    for kind in ("finds", "loses"):
        with closing(package.train(configured(names[kind], steps=2, max_shots=5000), results=kind)) as training:
            assert len(list(training)) == 2
    for kind in ("finds", "loses"):
        (run,) = (tmp_path / kind / "figure-1").iterdir()
        noted = Journal(run / "jobs.jsonl").history()
        entries = [(entry.tag.split(":", 2)[2], entry.event.value) for entry in noted.entries() if entry.tag]
        assert entries == [
            (tag, event) for tag in ("test:0", "0:0", "1:0") for event in ("intent", "submitted", "done")
        ]
        assert {job.price.seconds for job in noted.jobs().values()} == {0.0}
        record = Record.load(run)
        assert [entry["job_ids"] for entry in record.timing()] == [[job] for job in list(noted.jobs())[1:]]
        assert [entry["qpu_seconds"] for entry in record.timing()] == [None, None]  # nobody knows
    assert len(jobs(tmp_path)) == 6


def killed(tmp_path: Path, name: str) -> None:
    """A run in a process that is killed while it waits for its first job."""
    here = Path(__file__).parents[2]
    paths = [
        str(here),
        str(Path(package.__file__).parents[1]),
        str(tmp_path),
        *filter(None, [os.environ.get("PYTHONPATH")]),
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), TROUBLE: "kill-at-result"}
    command = [sys.executable, "-m", "qhn", "run", "figure-1", *STEPS, *ENOUGH, "--backend", name]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()


def test_a_job_of_a_killed_process_is_found_by_its_id(names: dict[str, str], qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    killed(tmp_path, names["finds"])
    (first,) = jobs(tmp_path)
    assert qhn("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["finds"], "-q").code == 0
    assert len(jobs(tmp_path)) == 3  # the self-test and two steps, none of them twice
    noted = history(tmp_path).jobs()
    assert list(noted) == jobs(tmp_path)
    assert [entry.event.value for entry in history(tmp_path).entries() if entry.job_id == first][:2] == [
        "submitted",
        "adopted",
    ]


@pytest.mark.parametrize("names", ["plug-in"], indirect=True)
def test_where_jobs_are_not_found_again_the_user_is_told(names: dict[str, str], qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    killed(tmp_path, names["loses"])
    (first,) = jobs(tmp_path)
    more = ("--set", f"train.max_shots={2 * TEST + 2 * ROWS * SHOTS}")
    result = qhn("run", "figure-1", *STEPS, *more, "--backend", names["loses"])
    assert result.code == 0
    assert f"the client cannot read the job {first} of an earlier process; it is submitted once more" in result.err
    assert len(jobs(tmp_path)) == 4
    assert Record.load(run_of(tmp_path)).last_step().shots == 2 * ROWS * SHOTS  # type: ignore[union-attr]
    lines = json.loads(qhn("jobs", "--json").out)["jobs"]
    assert len(lines) == 4  # the lost one counts as well
    assert "1,800 shots in 4 jobs" in qhn("jobs").out


def test_a_result_that_cannot_be_had_now_is_asked_for_again(
    names: dict[str, str],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["finds"], "-q")
    monkeypatch.setenv(TROUBLE, "fail-at-result")
    failed = qhn(*command)
    (first,) = jobs(tmp_path)
    assert failed.code == 4
    assert f"the job {first} of qhn:" in failed.err
    assert "RuntimeError" in failed.err
    assert SECRET not in failed.err
    monkeypatch.delenv(TROUBLE)
    assert qhn(*command).code == 0
    assert len(jobs(tmp_path)) == 3
    for path in run_of(tmp_path).rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_a_job_that_failed_is_submitted_anew(
    names: dict[str, str],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    more = ("--set", f"train.max_shots={2 * TEST + 2 * ROWS * SHOTS}")
    command = ("run", "figure-1", *STEPS, *more, "--backend", names["finds"], "-q")
    monkeypatch.setenv(TROUBLE, "state-FAILED")
    assert qhn(*command).code == 4
    monkeypatch.delenv(TROUBLE)
    assert qhn(*command).code == 0
    assert len(jobs(tmp_path)) == 4
    assert ("test:0", "failed") in events(tmp_path)


@pytest.mark.parametrize(("trouble", "kind"), [("fail-at-run", "FATAL"), ("time-out-at-run", "TRANSIENT")])
def test_a_failing_submission_is_told_without_the_vendors_words(
    names: dict[str, str],
    trouble: str,
    kind: str,
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["loses"])
    monkeypatch.setenv(TROUBLE, trouble)
    failed = qhn(*command)
    assert (failed.code, SECRET in failed.err, jobs(tmp_path)) == (4, False, [])
    assert ("it may go on at the vendor all the same, see your account" in failed.err) == (kind == "TRANSIENT")
    monkeypatch.delenv(TROUBLE)
    went_on = qhn(*command)
    assert went_on.code == 0
    assert "may have been accepted, although no answer came back" in went_on.err
    assert len(jobs(tmp_path)) == 3
    for path in run_of(tmp_path).rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


@pytest.mark.parametrize("names", ["plug-in"], indirect=True)
def test_jobs_that_are_not_waited_for_are_taken_up_later(
    names: dict[str, str],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    command = ("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["finds"])
    for state in ("queued", "in the fridge"):
        monkeypatch.setenv(TROUBLE, f"state-{state}")
        detached = qhn(*command, "--detach")
        assert detached.code == 0
        assert f"job {jobs(tmp_path)[0]} is on the way" in detached.out
        assert len(jobs(tmp_path)) == 1
        assert state.upper().replace(" ", "_").lower() in qhn("jobs", "--trust").out
    monkeypatch.delenv(TROUBLE)
    assert qhn(*command, "-q").code == 0
    assert len(jobs(tmp_path)) == 3
    table = qhn("jobs", "--trust").out
    assert table.count("used") == 3
    assert f"{TEST + 2 * ROWS * SHOTS:,} shots in 3 jobs" in table


def test_a_state_that_nobody_knows_is_not_asked_for_for_ever(
    names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client itself waits for the result."""
    monkeypatch.setenv(TROUBLE, "state-in the fridge")
    with closing(package.train(configured(names["finds"], steps=1, max_shots=5000))) as training:
        assert len(list(training)) == 1


@pytest.mark.parametrize("names", ["module", "plug-in"], indirect=True)
def test_a_paid_run_is_shown_and_replayed_offline(
    names: dict[str, str],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    new_process: Callable[[], None],
) -> None:
    assert qhn("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["finds"], "-q").code == 0
    (tmp_path / "acme.py").unlink()
    run = run_of(tmp_path)
    for path in [run, *run.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    try:
        for words in (("list",), ("show",), ("jobs",), ("replay",)):
            new_process()
            result = qhn(*words)
            assert (result.code, "Traceback" in result.err) == (0, False), (words, result.err)
        new_process()
        jobs_told = qhn("jobs")
        assert f"{TEST + 2 * ROWS * SHOTS:,} shots in 3 jobs" in jobs_told.out
        assert "this is what was last known" in jobs_told.err
        new_process()
        assert Record.load(run).config.train.machine.bills
    finally:
        for path in [run, *run.rglob("*")]:
            path.chmod(path.stat().st_mode | stat.S_IWUSR)


def test_answers_are_kept_of_ibm_s_service_alone(names: dict[str, str], qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert qhn("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["finds"], "-q").code == 0
    kept = qhn("jobs", "--keep-answers", "kept")
    assert kept.code == 2
    assert f"answers are kept of IBM's service, and {names['finds']} is none of its devices" in kept.err
    assert not (tmp_path / "kept").exists()


def test_a_lost_journal_is_noticed(names: dict[str, str], qhn, tmp_path: Path, new_process: Callable[[], None]) -> None:  # type: ignore[no-untyped-def]
    assert qhn("run", "figure-1", *STEPS, *ENOUGH, "--backend", names["finds"], "-q").code == 0
    (run_of(tmp_path) / "jobs.jsonl").unlink()
    new_process()
    assert "lacks" in (result := qhn("resume", "--steps", "3", "--trust")).err or "does not know" in result.err
    assert result.code == 2
    assert len(jobs(tmp_path)) == 3
