"""The lock of a directory, on file systems with and without locks."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from qhn.errors import QhnError, QhnWarning
from qhn.lock import Lock


@pytest.fixture(params=["ENOLCK", "ENOTSUP", "EOPNOTSUPP", "ENOSYS"])
def without_locks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file system that has no ``flock``; the words of its error."""
    number = getattr(errno, request.param)

    def flock(file: int, how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)
    return os.strerror(number)


def test_one_holds_a_directory_and_may_enter_again(tmp_path: Path) -> None:
    lock = Lock(tmp_path)
    with lock:
        with lock, pytest.raises(QhnError, match="is being written by another process"), Lock(tmp_path):
            pass
        with pytest.raises(QhnError, match="is being written"), Lock(tmp_path):  # the inner context has ended
            pass
    with Lock(tmp_path):
        pass


def test_without_locks_of_the_file_system_a_file_stands_for_one(tmp_path: Path, without_locks: str) -> None:
    lock = Lock(tmp_path)
    with pytest.warns(QhnWarning, match="has no locks") as told:
        lock.__enter__()
    assert [without_locks in str(one.message) for one in told] == [True]
    held = (tmp_path / ".lock-held").read_text()
    with pytest.warns(QhnWarning), pytest.raises(QhnError) as refused:
        Lock(tmp_path).__enter__()
    lock.__exit__()
    assert f"host {os.uname().nodename}, process {os.getpid()}, since 20" in held
    assert held.strip() in str(refused.value)
    assert f"delete {tmp_path / '.lock-held'}" in str(refused.value)
    assert not (tmp_path / ".lock-held").exists()


@pytest.mark.parametrize("has_locks", [True, False])
def test_the_file_of_a_killed_process_stays_until_the_user_deletes_it(
    has_locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a host on which the file system has locks: the other one may still be at work."""
    code = (
        "import errno, fcntl, os, pathlib, sys, warnings\n"
        "def flock(*_): raise OSError(errno.ENOLCK, 'none')\n"
        "fcntl.flock = flock; warnings.simplefilter('ignore')\n"
        "from qhn.lock import Lock\n"
        "with Lock(pathlib.Path(sys.argv[1])): os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False).returncode == 9
    if not has_locks:
        monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "none")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", QhnWarning)
        for _ in range(2):
            with pytest.raises(QhnError, match=r"if that process has ended, delete .*lock-held"), Lock(tmp_path):
                pass
        (tmp_path / ".lock-held").unlink()
        with Lock(tmp_path):
            pass


def test_a_link_in_place_of_the_lock_is_refused_and_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / ".lock").symlink_to(victim)
    with pytest.raises(QhnError, match="lock is a symbolic link"), Lock(folder):
        pass
    assert victim.read_text() == "precious"


def test_what_a_stranger_wrote_into_a_lock_file_is_shown_as_text(tmp_path: Path) -> None:
    (tmp_path / ".lock-held").write_bytes(b"\x1b[2Jhost \xff\n\tx" + b"y" * 5000)
    with pytest.raises(QhnError) as refused, Lock(tmp_path):
        pass
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 600


def test_a_lock_file_that_a_link_stands_for_is_not_followed(tmp_path: Path, without_locks: str) -> None:
    (tmp_path / ".lock-held").symlink_to(tmp_path / "absent")
    with pytest.warns(QhnWarning), pytest.raises(QhnError, match="another process"), Lock(tmp_path):
        pass
    assert not (tmp_path / "absent").exists()


def test_a_renamed_directory_is_let_go_and_its_name_can_be_locked_anew(tmp_path: Path, without_locks: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    lock, anew = Lock(folder), Lock(folder)
    with pytest.warns(QhnWarning):
        lock.__enter__()
    folder.rename(tmp_path / "run~1")
    folder.mkdir()
    with pytest.warns(QhnWarning):
        anew.__enter__()
    lock.__exit__()
    assert (folder / ".lock-held").exists()
    anew.__exit__()
    assert not list(tmp_path.rglob(".lock-held"))


def test_an_error_of_the_disk_is_no_missing_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(errno.EIO, "broken")))
    with pytest.raises(OSError, match="broken"), Lock(tmp_path):
        pass
    monkeypatch.undo()
    with Lock(tmp_path):  # nothing was left open
        pass
