"""Files that survive a crash: appended through to the disk, or replaced as a whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file, through to the disk."""
    is_new = not path.exists()
    with path.open("ab") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    if is_new:
        _sync_names(path.parent)


def replace(path: Path, write: Callable[[IO[bytes]], object]) -> None:
    """Write a file beside the old one and put it in its place, so that a reader finds one or the other."""
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        write(file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
    _sync_names(path.parent)


def _sync_names(folder: Path) -> None:
    """Make new names in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def truncate(path: Path, size: int) -> None:
    """Cut a file that is longer than ``size`` bytes."""
    if path.stat().st_size > size:
        os.truncate(path, size)
