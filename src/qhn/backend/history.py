"""What all entries of a journal say together: of each job, of each session, of the requests and the self-tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from qhn.backend.events import FOUND, LOST, Entry, Event
from qhn.backend.terms import Amount


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
