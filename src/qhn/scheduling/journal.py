"""The files of a study: what defines it, and the journal of the losses that it was told, one line a job.

Each line of the journal ends with its number and a checksum (:mod:`qhn.checksums`). A line that was torn when its
writer died is cut off by the next writer; a line that was changed is an error.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from qhn import checksums, durable
from qhn.checksums import End
from qhn.errors import QhnError, RecordError
from qhn.lock import Lock
from qhn.scheduling.trial import Job, Result
from qhn.text import clipped, parse_json, shown

JOURNAL, DEFINITION = "trials.jsonl", "study.json"
RUNS = "runs"  # the key of a digest of run ids, which says nothing to a reader
REMEDY = "restore it, or move the study's folder away"


class StudyJournal:
    """The files of a study in its folder, which one process at a time writes.

    Args:
        folder: the folder of the study, which need not exist.
        definition: what defines the study, as JSON values.
    """

    def __init__(self, folder: Path, definition: Mapping[str, Any]) -> None:
        self._folder = folder
        self._definition = json.loads(json.dumps(definition))
        self._lock: Lock | None = None
        self._end = End()  # of what was read and written

    @property
    def is_held(self) -> bool:
        """Whether this process is the one that writes."""
        return self._lock is not None

    def hold(self) -> None:
        """Be the only process that writes.

        Raises:
            RecordError: if another process is.
            OSError: if the folder cannot be written.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(self._folder, RecordError, "the same command goes on when it has ended")
        lock.__enter__()
        self._lock = lock
        durable.clear_abandoned(self._folder)

    def release(self) -> None:
        """Let other processes write; releasing twice does no harm."""
        if self._lock is not None:
            self._lock.__exit__()
            self._lock = None

    def begin(self) -> None:
        """Write the definition if there is none, and cut off a line that was torn; for the process that writes."""
        path = self._folder / JOURNAL
        if path.exists() and path.stat().st_size > self._end.size:
            durable.truncate(path, self._end.size)
        if not (self._folder / DEFINITION).exists():
            text = json.dumps(self._definition, indent=2, ensure_ascii=False) + "\n"
            durable.replace(self._folder / DEFINITION, lambda file: file.write(text.encode()))

    def append(self, job: Job, results: Sequence[Result]) -> None:
        """Write the results of a job, and wait until they are on the disk.

        Raises:
            OSError: if the journal cannot be written.
        """
        told = [
            {"trial": trial.number, "losses": [_as_json(loss) for loss in result.losses], "facts": dict(result.facts)}
            for trial, result in zip(job, results, strict=True)
        ]
        text = json.dumps({"until": job[0].until, "told": told}, ensure_ascii=False, allow_nan=False)
        line = checksums.line(text, self._end)
        durable.append(self._folder / JOURNAL, line)
        self._end = self._end.after(line)

    def read(self) -> Iterator[tuple[int, dict[int, Result]]]:
        """The jobs that were written since the last time: until which resource, and the result of each trial.

        Raises:
            QhnError: if they are those of another study.
            RecordError: if they are damaged, or do not follow from the study.
        """
        path = self._folder / JOURNAL
        if not self._is_begun():
            if path.exists() and path.stat().st_size:
                raise RecordError(f"{path} has no {DEFINITION} beside it; {REMEDY}")
            return
        content = path.read_bytes()[self._end.size :] if path.exists() else b""
        try:
            for line in checksums.lines_of(content[: content.rfind(b"\n") + 1], self._end):
                tree = line.tree
                told = {one["trial"]: Result([float(a) for a in one["losses"]], one["facts"]) for one in tree["told"]}
                yield tree["until"], told
                self._end = line.end
        except (ValueError, LookupError, TypeError) as error:
            raise self.damage(clipped(str(error))) from None

    def damage(self, words: str) -> RecordError:
        """The error of a line that does not follow from those before it."""
        return RecordError(f"{self._folder / JOURNAL} is damaged after byte {self._end.size:,} ({words}); {REMEDY}")

    def _is_begun(self) -> bool:
        return is_begun(self._folder, self._definition)


def is_begun(folder: Path, definition: Mapping[str, Any]) -> bool:
    """Whether a folder holds a study.

    Args:
        folder: the folder, which need not exist.
        definition: what defines the study, as JSON values.

    Raises:
        QhnError: if it holds another one.
        RecordError: if what defines it is damaged.
    """
    path, wanted = folder / DEFINITION, json.loads(json.dumps(definition))
    if not path.exists():
        return False
    try:
        found = parse_json(path.read_bytes())
    except ValueError as error:
        raise RecordError(f"{path} is damaged ({error}); {REMEDY}") from None
    if found != wanted:
        changed = _difference(found, wanted)
        raise QhnError(f"{folder} holds another study ({changed}); give this one another name or folder")
    return True


def _as_json(loss: float) -> float | str:
    """A loss as JSON has it, where numbers are finite."""
    return loss if math.isfinite(loss) else str(loss)


def _difference(before: Any, now: Mapping[str, Any]) -> str:
    """The first key in which two definitions differ, in words."""
    if not isinstance(before, dict):
        return f"{DEFINITION} is no table"
    key = next(name for name in [*now, *before] if before.get(name) != now.get(name))
    if key == RUNS:
        return "its runs have other ids, since the experiment's file or its data have changed"
    was, wanted = (shown(one[key]) if key in one else "not set" for one in (before, now))
    return f"its {key} is {was}, not {wanted}" if key in now else f"its {key} is {was}, which is not set now"
