"""The summary of a journal's entries: the state of each job, session and request, and the outcomes of self-tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from qhn.backend.events import FOUND, LOST, Entry, Event
from qhn.backend.terms import Amount

DAY = 24 * 3600.0  # seconds
SETTLING_SECONDS = DAY  # after which the bill of a job that was ended at its limit is believed
CORRECTION_SECONDS = 28 * DAY  # within which bills are read again
MISSING = "missing"  # the kind of a failure of a job that the service no longer has, or has no result of
AT_LIMIT = "overtime"  # the kind of a failure, and of a bill, of a job that the service ended at its limit


@dataclass(frozen=True)
class KnownJob:
    """The state of a job according to all entries about it.

    Attributes:
        tag: name of the request that the job serves; see :class:`Entry`.
        price: QPU use that the job should have.
        digest: hash of everything that the job measures; empty if the journal does not say.
        bills: different readings of the QPU seconds billed, the oldest first: the service may correct a bill.
        is_lost: whether the job's bits will not be used, because it failed, was cancelled, or is a duplicate.
        session_id: id of the session in which the job runs; None outside sessions.
        failures: number of times the job was found to have failed.
        event: last event in the life of the job, apart from its bill.
        began: time of the first entry about the job, in seconds since 1970; None if it is not known.
        is_at_limit: whether the service ended the job at its limit of QPU seconds.
        ended: time at which it was noted that the service ended the job at its limit, in seconds since 1970; None if
            it did not, or if the time is not known.
        is_settled: whether the bill of a job that was ended at its limit was read again a day after that.
        is_missing: whether the service did not have the job, or no result of it, when it was measured once more.
    """

    tag: str
    price: Amount
    digest: str = ""
    bills: tuple[float, ...] = ()
    is_lost: bool = False
    session_id: str | None = None
    failures: int = 0
    event: Event = Event.SUBMITTED
    began: float | None = None
    is_at_limit: bool = False
    ended: float | None = None
    is_settled: bool = False
    is_missing: bool = False

    @property
    def billed(self) -> float | None:
        """QPU seconds billed by the newest reading; None if they are not known."""
        return self.bills[-1] if self.bills else None

    @property
    def spent(self) -> Amount:
        """The QPU use that the job billed, or its price as long as the bill is not known.

        A job that the service ended at its limit counts at the larger of the two until its bill was read again a day
        later: the service collects the use of a running job now and then, and may miss the last part.
        """
        if self.billed is None:
            return self.price
        is_low = self.is_at_limit and not self.is_settled
        seconds = max(self.billed, self.price.seconds) if is_low else self.billed
        return dataclasses.replace(self.price, seconds=seconds)

    def may_be_rebilled(self, now: float) -> bool:
        """Whether the service may still correct the job's bill, which it does within 28 days.

        Args:
            now: the present time in seconds since 1970.
        """
        return self.began is None or now - self.began <= CORRECTION_SECONDS

    def settles(self, now: float) -> bool:
        """Whether reading the bill at the given time, in seconds since 1970, makes it final for a job at its limit."""
        return self.is_at_limit and self.ended is not None and now - self.ended >= SETTLING_SECONDS

    def is_used_by(self, num_steps: int) -> bool:
        """Whether the bits of the job were read for one of the first ``num_steps`` steps."""
        return self.event is Event.DONE and self.step is not None and self.step < num_steps

    @property
    def step(self) -> int | None:
        """The step of training that the job belongs to; None for a self-test."""
        number = self.tag.split(":")[2]
        return int(number) if number.isdecimal() else None

    def after(self, entry: Entry) -> KnownJob:
        """The state of the job after another entry about it."""
        event, written, known = entry.event, entry.written, entry.billed
        at_limit = entry.kind == AT_LIMIT
        settled = known is not None and written is not None and self.settles(written)
        return dataclasses.replace(
            self,
            is_lost=event in LOST or (self.is_lost and event not in FOUND),
            failures=self.failures + (event is Event.FAILED),
            bills=self.bills if known in (None, self.billed) else (*self.bills, known),
            event=self.event if event is Event.BILLED else event,
            began=written if self.began is None else self.began,
            is_at_limit=self.is_at_limit or at_limit,
            ended=written if at_limit and self.ended is None else self.ended,
            is_settled=self.is_settled or settled,
            is_missing=self.is_missing or entry.kind == MISSING,
        )


@dataclass(frozen=True)
class KnownSession:
    """The state of a session according to all entries about it.

    Attributes:
        session_id: id of the session on the service.
        seconds: QPU seconds billed, which are the seconds for which the session was open; None if they are not known.
        is_closed: whether the session takes no more jobs.
        is_settled: whether ``seconds`` is final.
    """

    session_id: str
    seconds: float | None = None
    is_closed: bool = False
    is_settled: bool = False

    def after(self, entry: Entry) -> KnownSession:
        """The state of the session after another entry about it."""
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
    """The summary of a journal's entries by job, session and request, which grows entry by entry.

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
        """Add the next entry of the journal."""
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
        """All entries, in the order of the journal."""
        return self._entries.copy()

    def of_tag(self, tag: str) -> list[Entry]:
        """The entries about the request with the given tag, in the order of the journal."""
        return self._of_tag.get(tag, []).copy()

    def is_under_way(self, tag: str) -> bool:
        """Whether a job for the request may have been submitted whose bits can still be used."""
        own = self._of_tag.get(tag, [])
        return bool(own) and own[-1].event not in LOST

    def intent(self, tag: str) -> Entry | None:
        """The last noted intent to submit a job for a request; None if no intent states the job's price."""
        known = (one for one in reversed(self._of_tag.get(tag, [])) if one.event is Event.INTENT)
        return next((one for one in known if one.price is not None), None)

    def jobs(self) -> dict[str, KnownJob]:
        """All jobs that the service accepted, by id, the oldest first."""
        return self._jobs.copy()

    def sessions(self) -> dict[str, KnownSession]:
        """All sessions, by id, the oldest first."""
        return self._sessions.copy()

    def self_tests(self) -> list[Entry]:
        """The entries with the outcomes of all self-tests of the device, in order."""
        return self._self_tests.copy()


def _first_known(entry: Entry) -> KnownJob | None:
    """The state of a job after the first entry about it; None if the entry does not state the job's price."""
    if entry.tag is None or entry.price is None:
        return None
    return KnownJob(entry.tag, entry.price, entry.digest or "", session_id=entry.session_id)
