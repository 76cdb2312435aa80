"""Files that survive a crash: appended through to the disk, or replaced as a whole."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


def append(path: Path, content: bytes) -> None:
    """Append bytes to a file and wait until they are on the disk."""
    is_new = not path.exists()
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_names(path.parent)


def replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Replace a file as a whole, so that a reader finds either the old or the new content.

    The new content is written beside the old file, which is then replaced in one step.
    """
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_names(path.parent)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Wait until no other process is in this context with the same file, which is made if it does not exist."""
    with path.open("ab") as file:
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _sync_names(folder: Path) -> None:
    """Wait until the names of new files in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_as(path: Path, other: Path) -> None:
    """Keep the present content of a file under another name too, before it is replaced; nothing if there is no file."""
    if not path.exists():
        return
    partial = other.with_name(other.name + ".part")
    partial.unlink(missing_ok=True)
    try:
        os.link(path, partial)
    except OSError:  # a file system without hard links
        replace(other, lambda file: file.write(path.read_bytes()))
    else:
        partial.replace(other)


def truncate(path: Path, size: int) -> None:
    """Cut a file to ``size`` bytes if it is longer."""
    if path.stat().st_size > size:
        os.truncate(path, size)
