"""Whether a directory of results can take a run that is paid for: room, locks, and a journal that is read as written.

Trials are made in a hidden directory beside the runs, which is removed again.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from qhn.backend.doctor import Finding
from qhn.backend.events import Entry, Event
from qhn.backend.journal import Journal
from qhn.errors import QhnError
from qhn.lock import Lock
from qhn.run.record import shown_error

ELSEWHERE = "give another --results"


def examine_room(place: Path, needed: int) -> Finding:
    """Check that files can be written into the directory of all runs, and that it has room.

    Args:
        place: the directory, which need not exist yet.
        needed: number of bytes that the run needs at most.
    """
    try:
        here = _existing(place)
        with tempfile.TemporaryDirectory(dir=here, prefix=".qhn-") as folder:
            (Path(folder) / "trial").write_bytes(b"qhn")
        free = shutil.disk_usage(here).free
    except (QhnError, OSError) as error:
        return Finding("results", "bad", f"{place} cannot be written: {shown_error(error)}; {ELSEWHERE}")
    words = f"{place}, {free / 1e9:,.1f} GB free, up to {needed / 1e9:,.2f} GB needed"
    if free < needed:
        return Finding("results", "bad", f"{words}; free some, or {ELSEWHERE}")
    return Finding("results", "ok", words)


def examine_locks(place: Path) -> Finding:
    """Check that a lock keeps a second writer out of a directory there, and that a journal is read as it was written.

    Args:
        place: the directory of all runs, which need not exist yet.
    """
    try:
        with tempfile.TemporaryDirectory(dir=_existing(place), prefix=".qhn-") as folder, Lock(Path(folder)):
            if not _is_locked(Path(folder)):
                return Finding("journal", "bad", f"locks do not work in this file system: {ELSEWHERE}")
            path = Path(folder) / "jobs.jsonl"
            Journal(path).append(Entry(Event.OPENED, record="trial"))
            if Journal(path).history().record != "trial":
                return Finding("journal", "bad", f"it is not read as it was written: {ELSEWHERE}")
    except (QhnError, OSError) as error:
        return Finding("journal", "bad", f"{shown_error(error)}; {ELSEWHERE}")
    return Finding("journal", "ok", "can be locked, written and read again")


def _existing(place: Path) -> Path:
    """The directory, or the nearest one above it that exists.

    Raises:
        QhnError: if something else is in its place.
    """
    for folder in (place.absolute(), *place.absolute().parents):
        if folder.is_dir():
            return folder
        if folder.exists() or folder.is_symlink():
            raise QhnError(f"{folder} is no directory")
    raise QhnError(f"{place} is in no directory that exists")


def _is_locked(path: Path) -> bool:
    """Whether another object is kept out of a directory whose lock is held."""
    try:
        with Lock(path):
            return False
    except QhnError:
        return True
