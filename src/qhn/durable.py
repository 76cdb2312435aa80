"""Files that survive a crash: appended through to the disk, or replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an error of the operating system the name of the file that is read or written.

    A full disk, for one, is noticed in a write that knows no name.
    """
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def append(path: Path, content: bytes) -> None:
    """Append bytes to a file and wait until they are on the disk."""
    is_new = not path.exists()
    with naming(path), path.open("ab") as file:
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
    with naming(path), partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_names(path.parent)


def _sync_names(folder: Path) -> None:
    """Wait until the names of new files in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def truncate(path: Path, size: int) -> None:
    """Cut a file to ``size`` bytes if it is longer."""
    if path.stat().st_size > size:
        os.truncate(path, size)
