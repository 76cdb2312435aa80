"""The journal of a run on a machine that bills: what happened to its jobs, written down before anything is waited for.

It is the file ``jobs.jsonl`` in the directory of the run, one JSON object a line. An entry (:mod:`qhn.backend.events`)
is checked when it is made and when it is read; a history (:mod:`qhn.backend.history`) summarises all entries by job and
session; and a :class:`Journal` is the file itself, of which only new lines are read.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from qhn.backend.events import TIME, Entry, Event
from qhn.backend.history import History
from qhn.durable import append, replace, subfolder
from qhn.errors import QhnError
from qhn.npz import open_npz
from qhn.text import parse_json


@dataclass(frozen=True)
class _Place:
    """The position up to which a file was read, and what is needed to recognise the file later.

    Attributes:
        file: device number and inode of the file on its file system.
        size: number of bytes that were read.
        changed: time of the file's last change, in nanoseconds.
        taken: number of bytes in lines that were parsed; a torn last line is not among them.
        last: the last bytes of the parsed lines.
    """

    file: tuple[int, int] = (0, 0)
    size: int = 0
    changed: int = 0
    taken: int = 0
    last: bytes = b""


LAST_BYTES = 256  # bytes by which a file is recognised as the one that was read, with more at its end


class Journal:
    """The file ``jobs.jsonl``: each line is flushed to disk before the machine is asked for more.

    Each line is parsed once; lines added by other processes are read, and a file put in its place is noticed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._history = History()
        self._place = _Place()

    @property
    def name(self) -> str:
        """The name of the run's directory and of every copy of it, drawn when it is first asked for.

        Two runs of one configuration have different names.
        """
        known = self.history().record
        if known is None:
            known = secrets.token_hex(8)
            self.append(Entry(Event.OPENED, record=known))
        return known

    def append(self, entry: Entry) -> None:
        """Write an entry with the present time into the file, and flush it to disk."""
        stamped = dataclasses.replace(entry, time=time.strftime(TIME, time.gmtime()))
        line = json.dumps(stamped.to_json()) + "\n"
        append(self.path, (("\n" if self._is_torn() else "") + line).encode())

    def history(self) -> History:
        """The history of all entries so far, without torn or damaged lines.

        It is one object, which grows when the history is asked for again.
        """
        try:
            file = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            self._forget()
            return self._history
        with file:
            status = os.fstat(file.fileno())
            place, here = self._place, (status.st_dev, status.st_ino)
            if (here, status.st_size, status.st_mtime_ns) == (place.file, place.size, place.changed):
                return self._history
            if here != place.file or status.st_size <= place.size or not self._is_continued(file):
                self._forget()
            self._read_on(file, here, status.st_mtime_ns)
        return self._history

    def keep(self, tag: str, digest: str, arrays: Mapping[str, Any]) -> None:
        """Save the measured arrays of a job in a file beside the journal, and flush it to disk.

        Args:
            tag: name of the request that the job serves.
            digest: hash of everything that the job measures.
            arrays: arrays by name.
        """
        path = self._kept_path(tag)
        subfolder(path.parent)
        replace(path, lambda file: np.savez(file, digest=digest, **arrays))

    def kept(self, tag: str, digest: str) -> dict[str, Any] | None:
        """The arrays that :meth:`keep` saved for a request; None if there are none, or their digest is another.

        Raises:
            ValueError: if the file is damaged.
        """
        path = self._kept_path(tag)
        if not path.exists():
            return None
        try:
            with open_npz(path, own=True) as stored:
                return dict(stored) if str(stored["digest"]) == digest else None
        except Exception as error:  # numpy raises BadZipFile, KeyError, ValueError, OSError or zlib.error here
            raise QhnError(f"{path} holds paid shots and is damaged ({type(error).__name__}); move it away") from None

    def _kept_path(self, tag: str) -> Path:
        return self.path.parent / "jobs" / (tag.replace(":", "-") + ".npz")

    # ------------------------------------------------------------ reading on

    def _forget(self) -> None:
        self._history, self._place = History(), _Place()

    def _is_continued(self, file: IO[bytes]) -> bool:
        """Whether a longer file is the one that was read before, with more lines at its end."""
        place = self._place
        file.seek(place.taken - len(place.last))
        if file.read(len(place.last)) != place.last:
            return False
        # a last line without an end may have been taken; anything but its end would make another line of it
        return place.last.endswith(b"\n") or place.taken == 0 or file.read(1) == b"\n"

    def _read_on(self, file: IO[bytes], here: tuple[int, int], changed: int) -> None:
        """Parse the lines that were not read before, and add them to the history."""
        before = self._place
        file.seek(before.taken)
        content = file.read()
        *lines, rest = content.split(b"\n")
        for line in lines:
            self._take(line)
        taken = len(content) if self._take(rest) else len(content) - len(rest)
        last = (before.last + content[:taken])[-LAST_BYTES:]
        self._place = _Place(here, before.taken + len(content), changed, before.taken + taken, last)

    def _take(self, line: bytes) -> bool:
        """Add a line to the history; False if it is torn or not an entry."""
        try:
            entry = Entry.from_json(parse_json(line))
        except ValueError:
            return False
        self._history.add(entry)
        return True

    def _is_torn(self) -> bool:
        """Whether the file's last line is incomplete, because a process was killed while it wrote."""
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 1))
            return file.read(1) != b"\n"
