"""The record of a quantum gradient descent on disk, from which it goes on after a kill at any point.

::

    results/<name>/qsgd-<id>/
      config.json       what was asked, with a checksum
      data/             a copy of the user's data
      manifest.json     versions, machine and backend of every session that advanced the descent
      segments.jsonl    one line a segment, with its number and a checksum of the file so far
      timing.jsonl      seconds, QPU seconds and job ids of each segment, which are not reproducible
      jobs.jsonl        on a QPU: each job's intent, id, price and outcome; kept/: the bits that were paid for
      outcome.json      why it ended
      report.md, *.csv, *.png

A segment is complete when its line is on the disk. Bits that were paid for are kept before, so that a segment which was
not completed is made again without another shot.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from qhn import checksums
from qhn.backend.journal import Journal
from qhn.backend.machines import recorded
from qhn.checksums import End, Line
from qhn.config.data import FileData, MnistData
from qhn.durable import append, clear_abandoned, replace, subfolder, truncate
from qhn.errors import BusyError, NotFoundError, QhnError, RecordError
from qhn.lock import Lock
from qhn.problem.mnist_files import idx_bytes, read_mnist
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.load import parse_descent
from qhn.quantum_sgd.segment import Segment
from qhn.run.directories import DESCENT, results_directory
from qhn.run.record import end_line, renamed
from qhn.run.session import Session
from qhn.run.step import Outcome

SCHEMA = 1
CONFIG, MANIFEST, SEGMENTS, TIMING, OUTCOME = (
    "config.json",
    "manifest.json",
    "segments.jsonl",
    "timing.jsonl",
    "outcome.json",
)
JOURNAL, PAGE = "jobs.jsonl", "report.md"
REMEDY = "restore it, or move the directory away"


def descent_directory(config: QsgdConfig, results: str | Path | None = None) -> Path:
    """The directory of a descent's record, ``<results>/<name>/qsgd-<id>``.

    Args:
        config: the configuration.
        results: the directory of all runs; by default ``$QHN_RESULTS`` or ``results``.
    """
    return results_directory(results) / config.name / f"{DESCENT}{config.run_id}"


class DescentRecord:
    """The record of a descent: a directory of files, which one process at a time writes.

    Args:
        directory: the directory.
        config: the configuration.

    Attributes:
        directory: the directory.
        config: the configuration.
    """

    def __init__(self, directory: Path, config: QsgdConfig) -> None:
        self.directory, self.config = directory, config
        self._lock = lock_of(directory)
        self._segments_end = self._timing_end = End()
        self._is_anew = False  # whether what stands in the directory is to be set aside

    @classmethod
    def of(cls, config: QsgdConfig, results: str | Path | None = None, *, restart: bool = False) -> DescentRecord:
        """The record of a configuration: the one that exists, or a new one, of which nothing is written yet.

        Args:
            config: the configuration, whose number of segments and budgets take the place of those of the record.
            results: the directory of all runs; by default ``$QHN_RESULTS`` or ``results``.
            restart: whether an existing record will be set aside, and another one begun.

        Raises:
            RecordError: if the record is damaged.
        """
        directory = descent_directory(config, results)
        if restart or not (directory / CONFIG).exists():
            found = cls(directory, config)
            found._is_anew = restart and directory.exists()
            return found
        found = cls.load(directory)
        if found.config.run_id != config.run_id:
            raise RecordError(f"{directory} holds a descent of another configuration; move it away")
        found.config = found._extended(config)
        return found

    @classmethod
    def load(cls, directory: str | Path) -> DescentRecord:
        """The record in a directory.

        Raises:
            FileNotFoundError: if there is none.
            RecordError: if its configuration is damaged, or of a newer version of qhn.
        """
        directory = Path(directory)
        path = directory / CONFIG
        if not path.is_file():
            raise NotFoundError(f"{directory} is not a descent: it has no {CONFIG}")
        try:
            tree = checksums.parse_document(path.read_bytes())
            schema = tree.pop("schema")
            if schema != SCHEMA:
                raise QhnError(f"its schema is {schema}, and this version of qhn reads {SCHEMA}")
            backend = tree.get("machine", {}).get("backend")
            if isinstance(backend, str):
                recorded(backend, has_chip=False, bills=(directory / JOURNAL).exists())
            for place in ("file", "directory"):
                if tree["data"].get(place):
                    tree["data"][place] = str(_inside(directory, tree["data"][place]))
            return cls(directory, parse_descent(tree))
        except (ValueError, LookupError, TypeError) as error:
            raise RecordError(f"{path} is damaged ({error}); {REMEDY}") from None

    @cached_property
    def journal(self) -> Journal:
        """The journal of the jobs of a QPU."""
        return Journal(self.directory / JOURNAL, plain=False)

    @contextmanager
    def open_for_writing(self) -> Iterator[None]:
        """Hold the record against other processes, and cut off what a killed one left of a line.

        The directory is made, and the configuration written, if that has not been done.

        Raises:
            RecordError: if another process writes it, or its files are damaged.
            OSError: if it cannot be written.
        """
        if self._is_anew:
            with self._lock:
                renamed(self.directory)
            self._is_anew = False
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._lock:
            clear_abandoned(self.directory)
            self._begin()
            segments = self._lines(SEGMENTS)
            timing = self._lines(TIMING)[: len(segments)]  # a timing without its segment is written again
            self._segments_end = segments[-1].end if segments else End()
            self._timing_end = timing[-1].end if timing else End()
            for name, end in ((SEGMENTS, self._segments_end), (TIMING, self._timing_end)):
                if (self.directory / name).exists():
                    truncate(self.directory / name, end.size)
                    end_line(self.directory / name, end.size)
            yield

    def segments(self) -> list[Segment]:
        """The complete segments, each checked against its checksum.

        Raises:
            RecordError: if one was changed, or they are not numbered from 0.
        """
        try:
            found = [Segment.from_tree(line.tree) for line in self._lines(SEGMENTS)]
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._damage(SEGMENTS, error) from None
        if [one.number for one in found] != list(range(len(found))):
            raise self._damage(SEGMENTS, "segments are missing")
        return found

    def timing(self) -> list[dict[str, Any]]:
        """The seconds and jobs of each complete segment."""
        return [line.tree for line in self._lines(TIMING)]

    def append(self, segment: Segment, timing: Mapping[str, Any]) -> None:
        """Write a segment, and wait until it is on the disk; its timing is written before.

        Raises:
            OSError: if the files cannot be written.
        """
        timing_line = checksums.line(json.dumps(dict(timing)), self._timing_end)
        append(self.directory / TIMING, timing_line)
        self._timing_end = self._timing_end.after(timing_line)
        line = checksums.line(segment.to_json(), self._segments_end)
        append(self.directory / SEGMENTS, line)
        self._segments_end = self._segments_end.after(line)

    def append_session(self, backend: Mapping[str, Any]) -> None:
        """Add a session that begins to advance the descent to the manifest.

        Args:
            backend: the machine's description of itself.
        """
        session = Session.of_this_process(backend).to_json()
        self._write(MANIFEST, {"schema": SCHEMA, "sessions": [*self.sessions(), session]})

    def sessions(self) -> list[dict[str, Any]]:
        """The sessions that advanced the descent."""
        return list((self._read(MANIFEST) or {}).get("sessions", []))

    def write_outcome(self, outcome: Outcome | None) -> None:
        """Write why the descent ended; None to forget it."""
        if outcome is None:
            (self.directory / OUTCOME).unlink(missing_ok=True)
        else:
            self._write(OUTCOME, asdict(outcome))

    def outcome(self) -> Outcome | None:
        """Why the descent ended; None if it has not."""
        tree = self._read(OUTCOME)
        return None if tree is None else Outcome(tree["name"], tree["message"])

    def _begin(self) -> None:
        """Write the configuration, if there is none or another number of segments or budget is asked for."""
        if not (self.directory / CONFIG).exists():
            self._copy_data()
            self._write_config()
        elif DescentRecord.load(self.directory).config != self.config:
            self._write_config()
            self.write_outcome(None)

    def _extended(self, config: QsgdConfig) -> QsgdConfig:
        """The configuration with the number of segments and the budgets of another, but no fewer segments than done."""
        segments = max(config.descent.segments, len(self._lines(SEGMENTS)))
        descent = self.config.descent.model_copy(update={"segments": segments})
        lift = self.config.lift.model_copy(update={"force": config.lift.force})
        return self.config.model_copy(update={"descent": descent, "machine": config.machine, "lift": lift})

    def _copy_data(self) -> None:
        """Copy the user's file of data, or the images of their MNIST files, so that the descent needs no other."""
        data, folder = self.config.data, self.directory / "data"
        if isinstance(data, FileData):
            copy = subfolder(folder) / data.file.name
            with data.unchanged().open("rb") as source:
                replace(copy, partial(shutil.copyfileobj, source))
            self._take({"file": copy})
        if isinstance(data, MnistData) and data.directory:
            for name, array in read_mnist(data.directory).items():
                _write(subfolder(folder) / name, idx_bytes(array))
            self._take({"directory": folder})

    def _take(self, places: dict[str, Path]) -> None:
        data = self.config.data.model_copy(update=places)
        self.config = self.config.model_copy(update={"data": data})

    def _write_config(self) -> None:
        tree = self.config.model_dump(mode="json")
        for place in ("file", "directory"):
            if tree["data"].get(place):
                tree["data"][place] = str(Path(tree["data"][place]).relative_to(self.directory))
        self._write(CONFIG, {"schema": SCHEMA} | tree)

    def _lines(self, name: str) -> list[Line]:
        path = self.directory / name
        if self._is_anew:
            return []
        try:
            return list(checksums.lines_of(path.read_bytes() if path.exists() else b""))
        except QhnError as error:
            raise self._damage(name, error) from None

    def _read(self, name: str) -> dict[str, Any] | None:
        path = self.directory / name
        if not path.exists():
            return None
        try:
            return checksums.parse_document(path.read_bytes())
        except ValueError as error:
            raise self._damage(name, error) from None

    def _write(self, name: str, tree: Mapping[str, Any]) -> None:
        _write(self.directory / name, checksums.document(tree))

    def _damage(self, name: str, why: object) -> RecordError:
        return RecordError(f"{self.directory / name} is damaged ({why}); {REMEDY}")


def descent_lines(results: Path) -> Iterator[str]:
    """The descents below a directory of results that have begun, a heading and one line each; nothing without any.

    Args:
        results: directory that holds the runs.
    """
    folders = sorted(path.parent for path in results.glob(f"*/{DESCENT}*/{CONFIG}"))
    if folders:
        yield f"\ndescents in {results}, which qhn qsgd goes on with"
    for folder in folders:
        page = folder / PAGE
        yield f"  {folder.parent.name:<21} {folder.name}" + (f", read {page}" if page.exists() else "")


def lock_of(directory: Path) -> Lock:
    """The lock of a descent's directory, which is not taken yet."""
    return Lock(directory, BusyError, "the same command goes on when it has ended")


def _write(path: Path, content: bytes) -> None:
    replace(path, lambda file: file.write(content))


def _inside(directory: Path, place: str) -> Path:
    """The path of a file of the record.

    Raises:
        QhnError: if it leads out of the directory.
    """
    path = directory / place
    if not path.resolve().is_relative_to(directory.resolve()):
        raise QhnError("its data are not in the directory of the descent")
    return path
