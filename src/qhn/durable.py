"""Files that survive a crash: appended through to the disk, or replaced as a whole."""

from __future__ import annotations

import json
import os
import secrets
import time
from calendar import timegm
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

TIME = "%Y-%m-%dT%H:%M:%SZ"


def seconds_of(text: str) -> float:
    """Seconds since 1970 of a journal's time, to the second.

    >>> seconds_of("1970-01-01T00:01:00Z")
    60.0
    """
    return float(timegm(time.strptime(text, TIME)))


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


class Journal:
    """``jobs.jsonl``: lines written through to disk before the machine is asked for more."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        """Of the run's directory and of every copy of it, drawn when first asked for: two runs of one configuration
        have different ones.
        """
        known = [str(entry["record"]) for entry in self.entries() if entry.get("record")]
        if not known:
            known = [secrets.token_hex(8)]
            self.append({"event": "opened", "record": known[0]})
        return known[0]

    def append(self, entry: dict[str, Any]) -> None:
        torn = self.path.exists() and not self.path.read_bytes().endswith(b"\n")
        line = json.dumps({"time": time.strftime(TIME, time.gmtime())} | entry)
        append(self.path, (("\n" if torn else "") + line + "\n").encode())

    def keep(self, tag: str, digest: str, arrays: Mapping[str, Any]) -> None:
        """Write what a job measured, through to disk; ``digest`` names what it was asked to measure."""
        path = self._kept_path(tag)
        path.parent.mkdir(exist_ok=True)
        replace(path, lambda file: np.savez(file, digest=digest, **arrays))

    def kept(self, tag: str, digest: str) -> dict[str, Any] | None:
        """What :meth:`keep` was given; None if there is nothing, or something else was asked.

        Raises:
            ValueError: if the file is damaged.
        """
        path = self._kept_path(tag)
        if not path.exists():
            return None
        try:
            with np.load(path, allow_pickle=False) as stored:
                return dict(stored) if str(stored["digest"]) == digest else None
        except Exception as error:  # numpy raises BadZipFile, KeyError, ValueError, OSError or zlib.error here
            raise ValueError(f"{path} holds paid shots and is damaged ({type(error).__name__}); move it away") from None

    def _kept_path(self, tag: str) -> Path:
        return self.path.parent / "jobs" / (tag.replace(":", "-") + ".npz")

    def entries(self) -> list[dict[str, Any]]:
        """All entries, in order; torn or damaged lines are left out."""
        found = []
        for line in self.path.read_bytes().split(b"\n") if self.path.exists() else []:
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                found.append(entry)
        return found
