"""The journal of a run on a machine that bills: what happened to its jobs, written down before anything is waited for.

It is the file ``jobs.jsonl`` in the directory of the run, one entry a line. An :class:`Entry` is a line, checked when
it is made and when it is read; a :class:`History` is what all entries say together, by job and by session; and a
:class:`Journal` is the file, which is read on from where it was left.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import re
import secrets
import time
from calendar import timegm
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import IO, Any

import numpy as np

from qhn.backend.terms import Amount
from qhn.durable import append, replace
from qhn.errors import QhnError

TIME = "%Y-%m-%dT%H:%M:%SZ"


class Event(StrEnum):
    """What happened to a job, to a session, or to the run itself; the values are the words in the file.

    Old directories hold these words: never change one.
    """

    OPENED = "opened"  # the journal was begun, and the run got its name
    INTENT = "intent"  # a job is about to be submitted
    SUBMITTED = "submitted"  # the service accepted it
    ADOPTED = "adopted"  # the service had it already, and its bits will be used
    DUPLICATE = "duplicate"  # the service has it, and the bits of another will be used
    DONE = "done"  # its bits were read
    BILLED = "billed"  # its bill became known later
    FAILED = "failed"  # nothing more comes of it
    OUT_OF_REACH = "out of reach"  # nothing can be learnt of it; it may go on, and be adopted later
    CANCELLED = "cancelled"  # it was taken out of the queue
    SELF_TEST = "self-test"  # its bits told whether the device turns and measures what is meant
    SESSION = "session"  # a session was opened, or asked what it took so far
    SESSION_CLOSED = "session closed"  # it takes no more jobs


LOST = (Event.FAILED, Event.CANCELLED, Event.DUPLICATE)  # after which the bits of a job will not be used
FOUND = (Event.SUBMITTED, Event.ADOPTED, Event.DONE)  # of a job whose bits are there or will come


class Unsaid(Enum):
    """The value of a fact that an entry does not state, where None states something."""

    UNSAID = "unsaid"


UNSAID = Unsaid.UNSAID


@dataclass(frozen=True)
class Entry:
    """One line of the journal: what happened, to what, and when.

    Attributes:
        event: what happened.
        time: when it was written, in UTC; set by :meth:`Journal.append`.
        tag: name of the request that a job serves, ``qhn:<run>:<step>:<evaluation>``, and the number of its part if
            there are several; ``qhn:<run>:test:<number>`` of a self-test.
        job_id: name of the job on the service.
        digest: hash of everything that the job measures.
        rows: circuits that the job executes.
        shots: measurements of each circuit.
        price_seconds: QPU seconds that the job should take.
        record: name of the run's directory and of every copy of it.
        session_id: name of the session on the service.
        qpu_seconds: QPU seconds that a job or session billed; None if the service was asked and did not say.
        error: name of the exception by which the client told of a failure.
        kind: what kind of failure that was, in a word.
        complaint: what the self-test found wrong; None if it passed.
        versions: releases of the packages for which the self-test holds.

    Raises:
        QhnError: if a fact is missing that the event needs, or one cannot be what it should be.

    >>> Entry(Event.DONE, tag="qhn:r:0:0", job_id="job-1", qpu_seconds=2.5).to_json()
    {'event': 'done', 'tag': 'qhn:r:0:0', 'job_id': 'job-1', 'qpu_seconds': 2.5}
    """

    event: Event
    _: dataclasses.KW_ONLY
    time: str | None = None
    tag: str | None = None
    job_id: str | None = None
    digest: str | None = None
    rows: int | None = None
    shots: int | None = None
    price_seconds: float | None = None
    record: str | None = None
    session_id: str | None = None
    qpu_seconds: float | Unsaid | None = UNSAID
    error: str | None = None
    kind: str | None = None
    complaint: str | Unsaid | None = UNSAID
    versions: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        facts = self._facts()
        for name in NEEDED[self.event]:
            if name not in facts:
                raise QhnError(f"an entry {self.event!s} of the journal needs {name}")
        for name, value in facts.items():
            if not CHECKS[name](value):
                raise QhnError(f"{name} of an entry {self.event!s} of the journal cannot be {value!r}")

    @classmethod
    def from_json(cls, tree: object) -> Entry:
        """The entry that a line of the file holds; keys that are none of its facts are left out.

        Raises:
            QhnError: if it is no entry.
        """
        word = tree.get("event") if isinstance(tree, dict) else None
        if not isinstance(tree, dict) or word not in list(Event):
            raise QhnError("a line of the journal must be an object with one of its events")
        return cls(Event(word), **{name: tree[name] for name in DEFAULTS if name in tree})

    def to_json(self) -> dict[str, Any]:
        """The facts that the entry states, as the file has them, in its order."""
        facts = self._facts()
        stamp = {"time": facts.pop("time")} if "time" in facts else {}
        return stamp | {"event": self.event.value} | facts

    def _facts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name, default in DEFAULTS.items() if getattr(self, name) is not default}

    @property
    def billed(self) -> float | None:
        """QPU seconds that a job or session billed, as far as the entry says."""
        return None if isinstance(self.qpu_seconds, Unsaid) else self.qpu_seconds

    @property
    def price(self) -> Amount | None:
        """What the job should take; None if the entry does not say."""
        if self.price_seconds is None or self.rows is None or self.shots is None:
            return None
        return Amount(self.price_seconds, 1, self.rows * self.shots)

    @property
    def written(self) -> float | None:
        """When the entry was written, in seconds since 1970; None if it does not say."""
        try:
            return None if self.time is None else epoch_seconds(self.time)
        except ValueError:
            return None


DEFAULTS = {field.name: field.default for field in dataclasses.fields(Entry) if field.name != "event"}
SIZE = ("rows", "shots", "price_seconds")
NEEDED: dict[Event, tuple[str, ...]] = {  # the least that each event must state to be of use
    Event.OPENED: ("record",),
    Event.INTENT: ("tag",),
    Event.SUBMITTED: ("tag", "job_id", *SIZE),
    Event.ADOPTED: ("tag", "job_id", *SIZE),
    Event.DUPLICATE: ("tag", "job_id", *SIZE),
    Event.DONE: ("tag", "job_id"),
    Event.BILLED: ("tag", "job_id", "qpu_seconds"),
    Event.FAILED: ("tag",),
    Event.OUT_OF_REACH: ("tag",),
    Event.CANCELLED: ("tag",),
    Event.SELF_TEST: ("job_id", "complaint", "versions"),
    Event.SESSION: ("session_id",),
    Event.SESSION_CLOSED: ("session_id",),
}
TAG = re.compile(r"qhn:[^:]*:([0-9]+|test):[0-9]+(:[0-9]+)?")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < math.inf


CHECKS: dict[str, Callable[[Any], bool]] = {
    "time": _is_text,
    "tag": lambda value: isinstance(value, str) and TAG.fullmatch(value) is not None,
    "job_id": _is_name,
    "digest": _is_text,
    "rows": _is_count,
    "shots": _is_count,
    "price_seconds": _is_seconds,
    "record": _is_name,
    "session_id": _is_name,
    "qpu_seconds": lambda value: value is None or _is_seconds(value),
    "error": _is_text,
    "kind": _is_text,
    "complaint": lambda value: value is None or isinstance(value, str),
    "versions": lambda value: isinstance(value, dict) and all(map(_is_text, value.values())),
}


def epoch_seconds(text: str) -> float:
    """Seconds since 1970 of a journal's time, to the second.

    >>> epoch_seconds("1970-01-01T00:01:00Z")
    60.0
    """
    return float(timegm(time.strptime(text, TIME)))


@dataclass(frozen=True)
class KnownJob:
    """What the entries about a job say of it together.

    Attributes:
        tag: name of the request that it serves; see :class:`Entry`.
        price: what it should take.
        digest: hash of what it measures; empty if the journal does not say.
        billed: QPU seconds; None if they are not known.
        is_lost: whether its bits will not be used: it failed, was cancelled, or is there twice.
        session_id: the session that it is part of, if it is.
        failures: how often it was found to have failed.
        event: the last that happened to it, but for its bill.
    """

    tag: str
    price: Amount
    digest: str = ""
    billed: float | None = None
    is_lost: bool = False
    session_id: str | None = None
    failures: int = 0
    event: Event = Event.SUBMITTED

    @property
    def spent(self) -> Amount:
        """What it billed, or its price as long as the bill is not known."""
        return self.price if self.billed is None else dataclasses.replace(self.price, seconds=self.billed)

    @property
    def step(self) -> int | None:
        """The step of training that it is for; None of a self-test."""
        number = self.tag.split(":")[2]
        return int(number) if number.isdecimal() else None

    def after(self, entry: Entry) -> KnownJob:
        """What is known of the job once another entry about it was read."""
        event = entry.event
        return dataclasses.replace(
            self,
            is_lost=event in LOST or (self.is_lost and event not in FOUND),
            failures=self.failures + (event is Event.FAILED),
            billed=self.billed if entry.billed is None else entry.billed,
            event=self.event if event is Event.BILLED else event,
        )


@dataclass(frozen=True)
class KnownSession:
    """What the entries about a session say of it together.

    Attributes:
        session_id: name of the session on the service.
        seconds: QPU seconds that it billed, which are those of the clock; None if they are not known.
        is_closed: whether it takes no more jobs.
        is_settled: whether the seconds are all there will be.
    """

    session_id: str
    seconds: float | None = None
    is_closed: bool = False
    is_settled: bool = False

    def after(self, entry: Entry) -> KnownSession:
        """What is known of the session once another entry about it was read."""
        closed = entry.event is Event.SESSION_CLOSED
        return dataclasses.replace(
            self,
            seconds=self.seconds if entry.billed is None else entry.billed,
            is_closed=self.is_closed or closed,
            is_settled=self.is_settled or (closed and entry.billed is not None),
        )

    def idle_seconds(self, jobs: Iterable[KnownJob]) -> float:
        """Seconds that were billed for the session beyond those of its jobs."""
        own = sum(job.spent.seconds for job in jobs if job.session_id == self.session_id)
        return max(0.0, (self.seconds or 0.0) - own)


class History:
    """What all entries of a journal say together, by job, session and request; it grows entry by entry.

    >>> submitted = Entry(Event.SUBMITTED, tag="qhn:r:0:0", job_id="a", rows=10, shots=100, price_seconds=52.0)
    >>> history = History([submitted, Entry(Event.FAILED, tag="qhn:r:0:0")])
    >>> history.jobs()["a"].is_lost
    True
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: list[Entry] = []
        self._of_tag: dict[str, list[Entry]] = {}
        self._jobs: dict[str, KnownJob] = {}
        self._sessions: dict[str, KnownSession] = {}
        self._self_tests: list[Entry] = []
        self._record: str | None = None
        for entry in entries:
            self.add(entry)

    def add(self, entry: Entry) -> None:
        """Take in the next entry."""
        self._entries.append(entry)
        self._record = self._record or entry.record
        if entry.tag is not None:
            self._of_tag.setdefault(entry.tag, []).append(entry)
        if entry.event is Event.SELF_TEST:
            self._self_tests.append(entry)
        if entry.event in (Event.SESSION, Event.SESSION_CLOSED):
            session_id = entry.session_id or ""
            self._sessions[session_id] = self._sessions.get(session_id, KnownSession(session_id)).after(entry)
        elif entry.job_id is not None:
            if (known := self._jobs.get(entry.job_id) or _first_known(entry)) is not None:
                self._jobs[entry.job_id] = known.after(entry)
        elif entry.event in LOST:  # noted before anybody knew an id
            for job_id, job in self._jobs.items():
                if job.tag == entry.tag:
                    self._jobs[job_id] = dataclasses.replace(job, is_lost=True)

    @property
    def record(self) -> str | None:
        """The name of the run's directory and of every copy of it; None if no entry says."""
        return self._record

    def entries(self) -> list[Entry]:
        """All entries, in order."""
        return self._entries.copy()

    def of_tag(self, tag: str) -> list[Entry]:
        """The entries about one request, in order."""
        return self._of_tag.get(tag, []).copy()

    def intent(self, tag: str) -> Entry | None:
        """The last intent to submit a job for a request; None if there is none that says what the job should take."""
        known = (one for one in reversed(self._of_tag.get(tag, [])) if one.event is Event.INTENT)
        return next((one for one in known if one.price is not None), None)

    def jobs(self) -> dict[str, KnownJob]:
        """All jobs that the service accepted, by id, the oldest first."""
        return self._jobs.copy()

    def sessions(self) -> dict[str, KnownSession]:
        """All sessions, by id, the oldest first."""
        return self._sessions.copy()

    def self_tests(self) -> list[Entry]:
        """The outcomes of all self-tests of the device, in order."""
        return self._self_tests.copy()


def _first_known(entry: Entry) -> KnownJob | None:
    """A job of which this is the first entry; None if it does not say what the job should take."""
    if entry.tag is None or entry.price is None:
        return None
    return KnownJob(entry.tag, entry.price, entry.digest or "", session_id=entry.session_id)


@dataclass(frozen=True)
class _Place:
    """How far a file was read: which file it was, how long, and when it changed; and what stands at the end.

    Attributes:
        file: device and number of the file on its file system.
        size: bytes that were read.
        changed: when the file last changed, in nanoseconds.
        taken: bytes of the lines that were taken in; those of a torn last line were not.
        last: the last of these bytes.
    """

    file: tuple[int, int] = (0, 0)
    size: int = 0
    changed: int = 0
    taken: int = 0
    last: bytes = b""


LAST_BYTES = 256  # by which a file is known to be the one that was read, with more at its end


class Journal:
    """``jobs.jsonl``: lines written through to disk before the machine is asked for more.

    Each line is parsed once; if others add lines, or put another file in its place, that is noticed.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._history = History()
        self._place = _Place()

    @property
    def name(self) -> str:
        """The name of the run's directory and of every copy of it, drawn when it is first asked for.

        Two runs of one configuration have different ones.
        """
        known = self.history().record
        if known is None:
            known = secrets.token_hex(8)
            self.append(Entry(Event.OPENED, record=known))
        return known

    def append(self, entry: Entry) -> None:
        """Write an entry through to disk, with the time."""
        stamped = dataclasses.replace(entry, time=time.strftime(TIME, time.gmtime()))
        line = json.dumps(stamped.to_json()) + "\n"
        append(self.path, (("\n" if self._is_torn() else "") + line).encode())

    def history(self) -> History:
        """What is noted so far; torn or damaged lines are left out. It grows when it is asked for again."""
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
            raise QhnError(f"{path} holds paid shots and is damaged ({type(error).__name__}); move it away") from None

    def _kept_path(self, tag: str) -> Path:
        return self.path.parent / "jobs" / (tag.replace(":", "-") + ".npz")

    # ------------------------------------------------------------ reading on

    def _forget(self) -> None:
        self._history, self._place = History(), _Place()

    def _is_continued(self, file: IO[bytes]) -> bool:
        """Whether a longer file is the one that was read, with more at its end."""
        place = self._place
        file.seek(place.taken - len(place.last))
        if file.read(len(place.last)) != place.last:
            return False
        # a last line without an end may have been taken; anything but its end would make another line of it
        return place.last.endswith(b"\n") or place.taken == 0 or file.read(1) == b"\n"

    def _read_on(self, file: IO[bytes], here: tuple[int, int], changed: int) -> None:
        """Take in the lines that were not read yet."""
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
        """Add a line to the history; False if it is no entry, or torn."""
        try:
            entry = Entry.from_json(json.loads(line))
        except ValueError:
            return False
        self._history.add(entry)
        return True

    def _is_torn(self) -> bool:
        """Whether the file does not end with the end of a line: a process was killed while it wrote."""
        if not self.path.exists():
            return False
        with self.path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 1))
            return file.read(1) != b"\n"
