"""Directories of runs that several processes want, that a stranger made, or that cannot be written."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import qhn as package
from pictures import command
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import RecordError, RecordWarning
from qhn.run.directories import find_run
from qhn.run.record import load_run, lock_of
from qhn.run.training import resume, train
from runs import rewrite_json, rewrite_lines

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def finish(config: RunConfig, results: Path) -> Path:
    training = train(config, results=results)
    list(training)
    return training.record.directory


def state(directory: Path) -> dict[str, tuple[int, bytes]]:
    """The contents of a directory, and when what changed."""
    paths = [directory, *sorted(directory.rglob("*"))]
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"") for path in paths}


# ------------------------------------------------------------ two at once


def test_of_runs_started_together_one_runs_and_the_others_say_so(tmp_path: Path) -> None:
    words = ("run", "figure-1", "--steps", "40", "--shots", "1000", "--quiet", "--results", str(tmp_path))
    started = [
        subprocess.Popen(command(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(8)
    ]
    ended = [(*process.communicate(), process.returncode) for process in started]
    (directory,) = (tmp_path / "figure-1").iterdir()
    refused = f"qhn: {directory} is being written by another process; qhn show {directory} says how far it is\n"
    for out, err, code in ended:  # one that starts late may find the run finished
        assert (out, err, code) in ((f"{directory}\n", "", 0), ("", refused, 2))
    assert sorted(code for *_, code in ended)[0] == 0
    record = load_run(directory)
    assert len(record.steps()) == 40
    assert len(record.sessions()) == 1
    assert not list(directory.rglob("*.part"))


def test_nothing_is_written_without_the_lock(small_config: RunConfig, tmp_path: Path) -> None:
    directory = tmp_path / small_config.experiment / small_config.run_id
    directory.mkdir(parents=True)
    with lock_of(directory), pytest.raises(RecordError, match="being written by another process"):
        train(small_config, results=tmp_path)
    assert [path.name for path in directory.iterdir()] == [".lock"]
    assert finish(small_config, tmp_path) == directory


# ------------------------------------------------------------ from a stranger

FILES = (
    *(".lock", "outcome.json", "steps.jsonl", "timing.jsonl", "evaluations.bin", "checkpoint.npz", "manifest.json"),
    *("best.json", "network.npz", "landscape.npy", "figures/training.png", "samples/step-000004.npz"),
)


@pytest.mark.parametrize("name", FILES)
def test_what_a_link_points_to_is_neither_cut_nor_overwritten(
    name: str, small_config: RunConfig, tmp_path: Path, qhn: Callable
) -> None:
    assert qhn("run", "figure-1", "--steps", "2", "--shots", "50", "--results", "results").code == 0
    (directory,) = (tmp_path / "results" / "figure-1").iterdir()
    path, victim = directory / name, tmp_path / "victim"
    content = (path.read_bytes() if path.exists() else b"") + b"and more of theirs"
    victim.write_bytes(content)
    path.unlink(missing_ok=True)
    path.symlink_to(victim)
    found = qhn("resume", str(directory), "--steps", "6", "--quiet")
    assert found.code in (0, 2)
    told = path.name == "checkpoint.npz"  # it is damaged then, and the step before it is there
    assert found.err.count("\n") == (found.code == 2) + told
    assert victim.read_bytes() == content


@pytest.mark.parametrize("name", ["figures", "samples"])
def test_no_folder_of_a_run_leads_elsewhere(name: str, tmp_path: Path, qhn: Callable) -> None:
    assert qhn("run", "figure-1", "--steps", "2", "--shots", "50", "--results", "results").code == 0
    (directory,) = (tmp_path / "results" / "figure-1").iterdir()
    (directory / name).rename(tmp_path / "elsewhere")
    before = state(tmp_path / "elsewhere")
    (directory / name).symlink_to(tmp_path / "elsewhere")
    found = qhn("resume", str(directory), "--steps", "4", "--quiet")
    assert found.code == 2
    assert f"{directory / name} is a symbolic link where qhn expects a folder of its own" in found.err
    assert state(tmp_path / "elsewhere") == before


@pytest.mark.parametrize("name", ["outcome.json", "steps.jsonl", "landscape.npy", "jobs.jsonl", "calibration/x.json"])
def test_a_pipe_in_a_directory_is_not_read(name: str, small_config: RunConfig, tmp_path: Path) -> None:
    directory = finish(small_config, tmp_path)
    (directory / name).parent.mkdir(exist_ok=True)
    (directory / name).unlink(missing_ok=True)
    os.mkfifo(directory / name)
    with pytest.raises(RecordError, match=f"{name} is a pipe, a socket or a device, and no file of a run"):
        load_run(directory)


def test_a_directory_that_its_user_linked_is_one_like_others(small_config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "large disk").mkdir()
    (tmp_path / "results").symlink_to(tmp_path / "large disk")
    directory = finish(small_config, tmp_path / "results")
    directory.rename(tmp_path / directory.name)
    directory.symlink_to(tmp_path / directory.name)
    assert len(list(resume(directory, {"train.steps": 6}))) == 6


# ------------------------------------------------------------ read-only


@pytest.fixture
def frozen(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Path], None]]:
    """Makes a directory read-only, also for the superuser."""
    real_open, real_access, real_mkdir = os.open, os.access, os.mkdir

    def freeze(directory: Path) -> None:
        def is_inside(path: object) -> bool:
            return Path(os.path.abspath(os.fspath(path))).is_relative_to(directory.resolve())

        def access(path, mode: int, **options) -> bool:
            return not (mode & os.W_OK and is_inside(path)) and real_access(path, mode, **options)

        def refuse(path) -> None:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))

        def open_(path, flags: int, *rest, **options) -> int:
            return refuse(path) if flags & WRITING and is_inside(path) else real_open(path, flags, *rest, **options)

        def mkdir(path, *rest, **options) -> None:
            refuse(path) if is_inside(path) and not Path(path).exists() else real_mkdir(path, *rest, **options)

        monkeypatch.setattr(os, "open", open_)
        monkeypatch.setattr(os, "access", access)
        monkeypatch.setattr(os, "mkdir", mkdir)

    return freeze


def test_a_read_only_run_is_shown_reported_and_replayed(
    small_config: RunConfig, tmp_path: Path, frozen: Callable, qhn: Callable
) -> None:
    directory = finish(small_config, tmp_path / "results")
    before = state(directory)
    frozen(directory)
    for words in (("show",), ("replay",), ("evaluate",)):
        assert qhn(*words, str(directory)).code == 0, words
    assert qhn("list").code == 0
    for verb, picture in (("report", "training.png"), ("ensemble", "calibration.png"), ("replay", None)):
        settings = ("--set", "train.objective.name=cvar", "--set", "train.objective.alpha=0.2") * (verb == "replay")
        found = qhn(verb, str(directory), *settings)
        assert found.code == 0
        assert found.err == f"qhn: {directory} is read-only; the files are in {directory.name}-figures\n"
        assert picture is None or (tmp_path / f"{directory.name}-figures" / picture).exists()
        found = qhn(verb, str(directory), *settings, "--output", "here/and/there")
        assert (found.code, found.err) == (0, "")
        assert picture is None or (tmp_path / "here" / "and" / "there" / picture).exists()
    assert package.load_ensemble("here/and/there/ensemble.npz").num_networks > 1
    assert state(directory) == before
    found = qhn("resume", str(directory), "--steps", "9")
    assert found.code == 2
    assert found.err == f"qhn: {directory}: Read-only file system; qhn show, report and replay do not write a run\n"


def test_what_only_reads_changes_nothing(small_config: RunConfig, tmp_path: Path, qhn: Callable) -> None:
    directory = finish(small_config, tmp_path / "results")
    (directory / "landscape.npy").unlink(missing_ok=True)
    before = state(directory)
    page = qhn("show", str(directory)).out
    for words in (("replay",), ("evaluate",), ("report", "--output", "x"), ("ensemble", "--output", "x")):
        assert qhn(words[0], str(directory), *words[1:]).code == 0
    assert qhn("list").code == 0
    assert state(directory) == before
    assert qhn("report", str(directory)).code == 0
    assert np.load(directory / "landscape.npy").shape == (2**4,)
    assert qhn("show", str(directory)).out == page


# ------------------------------------------------------------ the latest


def test_the_latest_run_is_the_one_that_was_advanced_last(
    small_config: RunConfig, tmp_path: Path, qhn: Callable
) -> None:
    """Whatever is read, drawn, copied or restored afterwards."""
    results = tmp_path / "results"
    first, second = (finish(with_settings(small_config, {"train.seed": seed}), results) for seed in (1, 2))
    for verb in ("show", "report", "ensemble", "replay"):
        assert qhn(verb, str(first)).code == 0
        assert find_run(results, None) == second
    for path in first.iterdir():
        os.utime(path)
    set_time(first, "2026-01-01T00:00:01Z")
    set_time(second, "2026-01-01T00:00:02Z")
    assert find_run(results, None) == second
    third = first.with_name("0123456789")
    third.mkdir()
    (third / "config.json").write_bytes((first / "config.json").read_bytes())
    os.utime(third / "config.json", (1, 1))
    os.mkfifo(third / "manifest.json")  # which is not waited for
    os.mkfifo(third / "timing.jsonl")
    with pytest.warns(RecordWarning, match=r"(manifest|timing)\.jsonl? cannot be read"):
        assert find_run(results, None) == second
    shutil.rmtree(third)
    list(resume(first, {"train.steps": 5}))
    assert find_run(results, None) == first
    (second / "timing.jsonl").write_bytes(b"\x00{")  # torn
    assert find_run(results, None) == first
    (second / "manifest.json").write_bytes(b"\x00{")  # damaged: it is told by its other files
    with pytest.warns(RecordWarning, match=r"manifest\.json cannot be read"):
        assert find_run(results, None) == first


def set_time(directory: Path, time: str) -> None:
    """Let a run have been advanced at another time."""
    rewrite_json(directory / "manifest.json", lambda tree: [one.update(time=time) for one in tree["sessions"]])
    rewrite_lines(directory / "timing.jsonl", lambda tree: tree.update(time=time))


# ------------------------------------------------------------ without locks


def test_a_file_system_without_locks_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, qhn: Callable
) -> None:
    def flock(file: int, how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    words = ("run", "figure-1", "--steps", "2", "--shots", "50", "--quiet", "--results", str(tmp_path))
    found = qhn(*words)
    directory = Path(found.out.strip())
    told = f"qhn: the file system of {directory} has no locks (No locks available): .lock-held is made there instead\n"
    assert (found.code, found.err) == (0, told)
    assert len(load_run(directory).steps()) == 2
    (directory / ".lock-held").write_text("host far, process 7, since 2026-01-01T00:00:00Z\n")
    found = qhn("resume", str(directory), "--steps", "4", "--quiet")
    assert found.code == 2
    assert "another process (host far, process 7, since 2026-01-01T00:00:00Z; if that process has ended" in found.err
    assert qhn("show", str(directory)).err == ""
    (directory / ".lock-held").unlink()
    assert qhn("resume", str(directory), "--steps", "4", "--quiet").code == 0
    assert not (directory / ".lock-held").exists()


@pytest.mark.parametrize("name", ["manifest.json", "timing.jsonl"])
def test_a_changed_time_does_not_make_another_run_the_latest_without_a_word(
    name: str, small_config: RunConfig, tmp_path: Path
) -> None:
    earlier = finish(small_config, tmp_path)
    latest = finish(with_settings(small_config, {"train.seed": 8}), tmp_path)
    assert find_run(tmp_path, None) == latest
    path = earlier / name
    head, _, tail = path.read_bytes().rpartition(b'"time": "2')
    path.write_bytes(head + b'"time": "9' + tail)
    with pytest.warns(RecordWarning, match=rf"{name} cannot be read, or was changed"):
        assert find_run(tmp_path, None) == latest
