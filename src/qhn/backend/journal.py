"""The journal of a run on a machine that bills: what happened to its jobs, written down before anything is waited for.

It is the file ``jobs.jsonl`` in the directory of the run, one JSON object a line, each with its number and a checksum
of the file so far (:mod:`qhn.checksums`). The number and checksum of the newest line are also in ``jobs.end.json``
beside it, so that lines which are lost at the end are noticed. An entry (:mod:`qhn.backend.events`) is checked when it
is made and when it is read; a history (:mod:`qhn.backend.history`) summarises all entries by job and session; and a
:class:`Journal` is the file itself, of which only new lines are read.
"""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from qhn import checksums
from qhn.backend.events import TIME, Entry, Event
from qhn.backend.history import History
from qhn.checksums import End, Line
from qhn.durable import alone, append, replace, subfolder
from qhn.errors import RecordError
from qhn.npz import read_npz

END = "jobs.end.json"
LOST = "restore it from a copy: it holds what was spent, and the names of jobs that may be on their way"


@dataclass(frozen=True)
class _Place:
    """What is needed to recognise the file that was read.

    Attributes:
        file: device number and inode of the file on its file system.
        size: number of bytes that were read.
        changed: time of the file's last change, in nanoseconds.
        last: the last bytes of the lines that were taken.
    """

    file: tuple[int, int] = (0, 0)
    size: int = 0
    changed: int = 0
    last: bytes = b""


LAST_BYTES = 256  # bytes by which a file is recognised as the one that was read, with more at its end


class Journal:
    """The file ``jobs.jsonl``: each line is flushed to disk before the machine is asked for more.

    Each line is parsed once; lines added by other processes are read, and a file put in its place is noticed.

    Args:
        path: path of the file.
        known: ends of the file that other files of the run have noted: it must have these lines.
        plain: whether the first lines may lack checksums, as in runs of older versions.
    """

    def __init__(self, path: Path, known: Iterable[End] = (), *, plain: bool = True) -> None:
        self.path = path
        self._known = tuple(end for end in known if end.lines)
        self._plain = plain
        self._forget()

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

    @property
    def end(self) -> End:
        """The end of the file, for other files to note.

        Raises:
            RecordError: if the file is damaged.
        """
        self.history()
        return self._ends[-1]

    def append(self, entry: Entry) -> None:
        """Write an entry with the present time into the file, and flush it to disk.

        Raises:
            RecordError: if the file is damaged.
        """
        stamped = dataclasses.replace(entry, time=time.strftime(TIME, time.gmtime()))
        self.history()  # refuses a damaged file before anything is made
        with alone(self.path):
            self.history()
            gap, here = self._before_next()
            line = checksums.line(json.dumps(stamped.to_json()), here)
            append(self.path, gap + line)
            note = checksums.document(here.after(line).to_json())
            replace(self.path.with_name(END), lambda file: file.write(note))

    def history(self) -> History:
        """The history of all entries so far, without a line that was being written when a process was killed.

        It is one object, which grows when the history is asked for again.

        Raises:
            RecordError: if the file was changed after it was written, or lines of it are lost.
        """
        try:
            file = self.path.open("rb")
        except (FileNotFoundError, NotADirectoryError):
            self._forget()
            self._check([*self._known, *self._noted_end()])
            return self._history
        with file:
            status = os.fstat(file.fileno())
            place, here = self._place, (status.st_dev, status.st_ino)
            if (here, status.st_size, status.st_mtime_ns) == (place.file, place.size, place.changed):
                return self._history
            known = [*self._known, *self._noted_end()]  # before the lines: another process may append meanwhile
            if here != place.file or status.st_size <= place.size or not self._is_continued(file):
                self._forget()
            self._read_on(file, here, status.st_mtime_ns)
        self._check(known)
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
        content = checksums.arrays(digest=digest, **arrays)
        replace(path, lambda file: file.write(content))

    def kept(self, tag: str, digest: str) -> dict[str, Any] | None:
        """The arrays that :meth:`keep` saved for a request; None if there are none, or their digest is another.

        Raises:
            RecordError: if the file is damaged.
        """
        path = self._kept_path(tag)
        if not path.exists():
            return None
        try:
            stored = read_npz(path, own=True, is_checked=not self._plain)
            return stored if str(stored["digest"]) == digest else None
        except (OSError, ValueError, KeyError) as error:
            raise RecordError(f"{path} holds paid shots and is damaged ({error}); move it away") from None

    def _kept_path(self, tag: str) -> Path:
        return self.path.parent / "jobs" / (tag.replace(":", "-") + ".npz")

    # ------------------------------------------------------------ reading on

    def _forget(self) -> None:
        self._history, self._place = History(), _Place()
        self._ends = [End()]  # after each line that was taken
        self._is_plain = self._plain  # as long as no line has a checksum

    def _noted_end(self) -> list[End]:
        """The end of the file as it was noted beside it; none if the note is missing or damaged: it is made again."""
        try:
            return [End.from_json(checksums.parse_document(self.path.with_name(END).read_bytes()))]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def _check(self, known: Iterable[End]) -> None:
        """Refuse a file without lines that it once had."""
        for end in known:
            if end not in self._ends:
                self._forget()
                raise RecordError(f"{self.path} lacks line {end.lines} as it was written; {LOST}")

    def _is_continued(self, file: IO[bytes]) -> bool:
        """Whether a longer file is the one that was read before, with more lines at its end."""
        place, taken = self._place, self._ends[-1].size
        file.seek(min(taken, place.size) - len(place.last))
        if file.read(len(place.last)) != place.last:
            return False
        return taken <= place.size or file.read(1) == b"\n"  # a last line may have been taken without its line end

    def _read_on(self, file: IO[bytes], here: tuple[int, int], changed: int) -> None:
        """Parse the lines that were not read before, and add them to the history."""
        before, start = self._place, self._ends[-1].size
        file.seek(start)
        content = file.read()
        try:
            for line in checksums.lines_of(content, self._ends[-1], plain=self._is_plain):
                self._take(line)
        except ValueError as error:
            self._forget()
            raise RecordError(f"{self.path}: {error}; {LOST}") from None
        last = (before.last + content[: self._ends[-1].size - start])[-LAST_BYTES:]
        self._place = _Place(here, start + len(content), changed, last)

    def _before_next(self) -> tuple[bytes, End]:
        """What must be written before the next line, to end a line that is torn, and the end of the file after it."""
        end = self._ends[-1]
        with self.path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(min(size, end.size))
            torn = file.read()
        if size < end.size:  # the last line lacks its line end alone, which counts already
            return b"\n", end
        gap = b"\n" if torn and not torn.endswith(b"\n") else b""
        return gap, end.after(torn + gap)

    def _take(self, line: Line) -> None:
        """Add a line to the history; a line without a checksum that is no entry is left out.

        Raises:
            ValueError: if a line with a right checksum is no entry.
        """
        try:
            entry = Entry.from_json(line.tree)
        except ValueError as error:
            if line.is_checked:
                raise ValueError(f"line {line.number} is no entry of this version of qhn ({error})") from None
            return
        self._is_plain = self._is_plain and not line.is_checked
        self._history.add(entry)
        self._ends.append(line.end)
