"""Files that are appended to and replaced: several writers, killed writers, and directories made by a stranger."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from qhn import durable
from qhn.errors import QhnError


def write(content: bytes) -> Callable:
    return lambda file: file.write(content)


def test_threads_that_replace_one_file_all_succeed_and_leave_one_whole_content(tmp_path: Path) -> None:
    path, errors = tmp_path / "x.json", []

    def work(number: int) -> None:
        try:
            for _ in range(25):
                durable.replace(path, write(bytes([65 + number]) * 50_000))
        except OSError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(set(path.read_bytes())) == 1
    assert os.listdir(tmp_path) == ["x.json"]


def test_a_failed_replacement_keeps_the_old_content_and_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x"
    durable.replace(path, write(b"old"))

    def fail(file) -> None:
        file.write(b"new")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left") as caught:
        durable.replace(path, fail)
    assert caught.value.filename == str(path)  # the name that the user knows
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_replaced_link_leaves_alone_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_bytes(b"theirs")
    link = tmp_path / "outcome.json"
    link.symlink_to(tmp_path / "theirs")
    durable.replace(link, write(b"ours"))
    assert (tmp_path / "theirs").read_bytes() == b"theirs"
    assert not link.is_symlink()
    assert link.read_bytes() == b"ours"


def symbolic_link(path: Path) -> None:
    target = path.with_name("theirs")
    target.write_bytes(b"theirs" * 100)
    path.symlink_to(target)


def dangling_link(path: Path) -> None:
    path.symlink_to(path.with_name("absent"))


def test_the_users_own_link_is_followed_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    link = tmp_path / "latest.npz"
    link.symlink_to(tmp_path / "store" / "net.npz")
    for content in (b"first", b"second"):
        durable.export(link, write(content))
        assert link.is_symlink()
        assert (tmp_path / "store" / "net.npz").read_bytes() == content


@pytest.mark.parametrize("change", [durable.replace, durable.export])
def test_no_directory_pipe_or_device_is_replaced(change: Callable, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path, kind in ((tmp_path / "folder", "directory"), (tmp_path / "pipe", "pipe"), (Path("/dev/null"), "device")):
        with pytest.raises(QhnError, match=f"{path} is a {kind} where qhn expects a file of its own"):
            change(path, write(b"x"))
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]


STRANGE = {  # makers of what may stand where a file of qhn's is expected, and the word for it
    "symbolic link": symbolic_link,
    "dangling symbolic link": dangling_link,
    "directory": Path.mkdir,
    "pipe": os.mkfifo,
}


@pytest.mark.parametrize("kind", STRANGE)
def test_nothing_is_appended_to_or_cut_that_is_no_file(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "steps.jsonl"
    STRANGE[kind](path)
    before = {name: name.read_bytes() for name in tmp_path.iterdir() if name.is_file()}
    with pytest.raises(QhnError, match=f"steps.jsonl is a {kind.removeprefix('dangling ')} where qhn expects a file"):
        durable.append(path, b"line\n")
    if path.exists() and path.stat().st_size:
        with pytest.raises(QhnError, match="is a"):
            durable.truncate(path, 0)
    assert {name: name.read_bytes() for name in tmp_path.iterdir() if name.is_file()} == before
    assert not (tmp_path / "absent").exists()


def test_devices_are_not_opened_as_files() -> None:
    with pytest.raises(QhnError, match="/dev/null is a device"):
        durable.append(Path("/dev/null"), b"line")


@pytest.mark.parametrize("change", [lambda path: durable.append(path, b"more"), lambda path: durable.truncate(path, 2)])
def test_the_other_names_of_a_file_keep_its_content(change: Callable[[Path], None], tmp_path: Path) -> None:
    """A backup of hard links, or a link to a file that a stranger chose."""
    path, other = tmp_path / "steps.jsonl", tmp_path / "backup"
    path.write_bytes(b"before")
    other.hardlink_to(path)
    change(path)
    assert other.read_bytes() == b"before"
    assert path.read_bytes() in (b"beforemore", b"be")
    assert sorted(os.listdir(tmp_path)) == ["backup", "steps.jsonl"]


def test_a_folder_of_a_run_is_not_a_link_to_another(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(QhnError, match="figures is a symbolic link where qhn expects a folder"):
        durable.subfolder(tmp_path / "figures")
    (tmp_path / "samples").write_bytes(b"")
    with pytest.raises(QhnError, match="samples is a file"):
        durable.subfolder(tmp_path / "samples")
    assert durable.subfolder(durable.subfolder(tmp_path / "jobs")).is_dir()


def test_what_killed_writers_leave_is_cleared_and_what_others_write_is_not(tmp_path: Path) -> None:
    code = (
        "import os, pathlib, sys; from qhn import durable\n"
        "durable.replace(pathlib.Path(sys.argv[1]), lambda file: (file.write(b'half'), file.flush(), os._exit(1)))"
    )
    for place in (tmp_path / "x.npz", durable.subfolder(tmp_path / "samples") / "y.npz"):
        subprocess.run([sys.executable, "-c", code, str(place)], check=False)
    (left,) = tmp_path.glob(".*.part")
    host, process, token = left.name[1:-5].split("-")
    mine = tmp_path / f".{host}-{os.getpid()}-{token}.part"
    foreign, old = tmp_path / f".00000000-{process}-{token}.part", tmp_path / f".00000001-{process}-{token}.part"
    for path in (mine, foreign, old, tmp_path / "users.part"):
        path.write_bytes(b"")
    os.utime(old, (1, 1))
    os.utime(tmp_path / "users.part", (1, 1))
    durable.clear_abandoned(tmp_path)
    assert {path.name for path in tmp_path.rglob("*.part")} == {mine.name, foreign.name, "users.part"}


def committed(folder: Path, content: bytes) -> None:
    durable.commit({folder / "a": b"one\n", folder / "b": b""}, folder / "state", content, folder / "before")


def test_a_commit_appends_and_replaces_and_keeps_what_was(tmp_path: Path) -> None:
    committed(tmp_path, b"first")
    assert not (tmp_path / "before").exists()
    committed(tmp_path, b"second")
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"a": b"one\none\n", "b": b"", "state": b"second", "before": b"first"}


def test_the_files_of_a_commit_are_on_the_disk_before_it_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(tmp_path, b"first")
    events: list[str] = []
    sync, move = os.fsync, Path.replace

    def fsync(descriptor: int) -> None:
        sync(descriptor)
        events.append(Path(f"/proc/self/fd/{descriptor}").resolve().name)

    def replace(path: Path, target: Path) -> Path:
        events.append(f"-> {target.name}")
        return move(path, target)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "replace", replace)
    committed(tmp_path, b"second")
    assert {name if not name.endswith(".part") else "state" for name in events[:3]} == {"a", "b", "state"}
    assert events[3:] == ["-> before", "-> state", tmp_path.name]


@pytest.mark.parametrize("name", ["a", "b", "state"])
def test_a_commit_that_cannot_be_synced_changes_nothing_that_counts(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    committed(tmp_path, b"first")
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        found = Path(f"/proc/self/fd/{descriptor}").resolve().name
        if found == name or (found.endswith(".part") and name == "state"):
            raise OSError(errno.EIO, "the disk is broken")
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="the disk is broken") as caught:
        committed(tmp_path, b"second")
    assert caught.value.filename == str(tmp_path / name)
    assert (tmp_path / "state").read_bytes() == b"first"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b", "state"]


@pytest.mark.parametrize("name", ["a", "state"])
def test_a_commit_writes_through_no_link_to_what_it_appends_to(name: str, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(b"keep")
    folder = durable.subfolder(tmp_path / "run")
    (folder / name).symlink_to(foreign)
    if name == "a":
        with pytest.raises(QhnError, match="symbolic link"):
            committed(folder, b"first")
    else:
        committed(folder, b"first")
        assert not (folder / "state").is_symlink()
    assert foreign.read_bytes() == b"keep"
