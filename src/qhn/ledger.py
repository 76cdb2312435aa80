"""What a run has spent on a QPU, or would have: by its complete steps, by jobs that led to none, and by waiting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

LOST = ("failed", "cancelled", "duplicate")  # events after which the bits of a job will not be used
FOUND = ("submitted", "adopted", "done")  # events of a job whose bits are there or will come


@dataclass(frozen=True)
class Amount:
    """Of a QPU: seconds, jobs, and shots of all circuits.

    >>> Amount(52.0, 1, 1000) + Amount(2.5, 1, 50)
    Amount(seconds=54.5, jobs=2, shots=1050)
    """

    seconds: float = 0.0
    jobs: int = 0
    shots: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.seconds + other.seconds, self.jobs + other.jobs, self.shots + other.shots)

    def beyond(self, other: Amount) -> Amount:
        """What is left of it after another, at least 0 of each."""
        return Amount(
            max(0.0, self.seconds - other.seconds), max(0, self.jobs - other.jobs), max(0, self.shots - other.shots)
        )


@dataclass(frozen=True)
class Ledger:
    """What was spent. Seconds are as billed, or the price where the service did not say; in a rehearsal the price.

    Attributes:
        steps: by complete steps.
        lost: by jobs that led to no step and will not.
        begun: by jobs of the next step whose bits are there or will come.
        tests: by self-tests of the device.
        idle: by sessions beyond their jobs, in seconds alone.
        paid_ahead: the price of jobs that were begun, which their step need not pay again, whatever they billed.
    """

    steps: Amount
    lost: Amount = Amount()
    begun: Amount = Amount()
    tests: Amount = Amount()
    idle: Amount = Amount()
    paid_ahead: Amount = Amount()

    @property
    def spent(self) -> Amount:
        """All of it."""
        return self.steps + self.lost + self.begun + self.tests + self.idle


def ledger(timing: Sequence[Mapping[str, Any]], journal: Sequence[Mapping[str, Any]], shots: int) -> Ledger:
    """The ledger of a run.

    Args:
        timing: lines of ``timing.jsonl``, of the complete steps.
        journal: lines of ``jobs.jsonl``; see :func:`jobs_of`.
        shots: of the complete steps.

    >>> timing = [{"step": 0, "job_ids": ["a"], "qpu_seconds": 50.0}]
    >>> job = {"event": "submitted", "rows": 10, "shots": 100, "price_seconds": 52.0}
    >>> journal = [job | {"tag": "qhn:r:0:0", "job_id": "a"}, job | {"tag": "qhn:r:1:0", "job_id": "b"}]
    >>> ledger(timing, journal, 1000).spent
    Amount(seconds=102.0, jobs=2, shots=2000)
    """
    jobs, tested = jobs_of(journal), {entry["job_id"] for entry in journal if entry.get("event") == "self-test"}
    seconds, number = 0.0, 0
    for entry in timing:
        own = [jobs[job_id].billed if job_id in jobs else None for job_id in entry["job_ids"]]
        bills = [bill for bill in own if bill is not None]
        if own and len(bills) == len(own):
            seconds += sum(bills)
        elif own and entry["qpu_seconds"] is not None:
            seconds += entry["qpu_seconds"]
        else:
            seconds += entry.get("price_seconds", 0.0)
        number += len(entry["job_ids"]) or entry.get("price_jobs", 0)
    done = {job_id for entry in timing for job_id in entry["job_ids"]}
    coming = timing[-1]["step"] + 1 if timing else 0
    lost = begun = tests = paid_ahead = Amount()
    for job_id, job in jobs.items():
        if job_id in done:
            continue
        if job.step is None:
            tests += job.spent
        elif job.is_lost or job.step != coming:
            lost += job.spent
        else:
            begun += job.spent
        if not job.is_lost and (job.step == coming or (job.step is None and job_id not in tested)):
            paid_ahead += job.price
    idle = Amount(sum(session.idle_seconds(jobs.values()) for session in sessions_of(journal).values()))
    return Ledger(Amount(seconds, number, shots), lost, begun, tests, idle, paid_ahead)


@dataclass
class Job:
    """What a journal knows of a job.

    Attributes:
        tag: ``qhn:<run>:<step>:<evaluation>``, and the number of its part if there are several; ``qhn:<run>:test:…`` of
            a self-test.
        price: what it should take.
        digest: of what it measures; empty if the journal does not say.
        billed: QPU seconds; None if they are not known.
        is_lost: whether its bits will not be used: it failed, was cancelled, or is there twice.
        session_id: of the session that it is part of, if it is.
        failures: how often it was found to have failed.
        event: the last that was noted of it.
    """

    tag: str
    price: Amount
    digest: str = ""
    billed: float | None = None
    is_lost: bool = False
    session_id: str | None = None
    failures: int = 0
    event: str = "submitted"

    @property
    def spent(self) -> Amount:
        return self.price if self.billed is None else replace(self.price, seconds=self.billed)

    @property
    def step(self) -> int | None:
        """None of a self-test."""
        number = self.tag.split(":")[2]
        return int(number) if number.isdecimal() else None


def jobs_of(journal: Iterable[Mapping[str, Any]]) -> dict[str, Job]:
    """All jobs that were submitted, by id.

    Args:
        journal: lines of ``jobs.jsonl``. The first that has a job's id also has its ``tag``, ``rows``, ``shots`` and
            ``price_seconds``; a later one may say what it billed, as ``qpu_seconds``.
    """
    jobs: dict[str, Job] = {}
    for entry in journal:
        job_id, billed, event = entry.get("job_id"), entry.get("qpu_seconds"), entry.get("event", "")
        if job_id is None:
            if event in LOST:  # noted before anybody knew an id
                for job in jobs.values():
                    job.is_lost |= job.tag == entry.get("tag")
            continue
        if job_id not in jobs:
            if "price_seconds" not in entry:
                continue
            price = Amount(entry["price_seconds"], 1, entry["rows"] * entry["shots"])
            digest, session_id = entry.get("digest", ""), entry.get("session_id")
            jobs[job_id] = Job(entry["tag"], price, digest, session_id=session_id)
        job = jobs[job_id]
        job.is_lost = event in LOST or (job.is_lost and event not in FOUND)
        job.failures += event == "failed"
        job.billed = job.billed if billed is None else billed
        job.event = job.event if event == "billed" else event
    return jobs


@dataclass
class Session:
    """What a journal knows of a session.

    Attributes:
        session_id: on the service.
        seconds: by the clock; None if they are not known.
        is_closed: whether it takes no more jobs.
        is_settled: whether the seconds are all there will be.
    """

    session_id: str
    seconds: float | None = None
    is_closed: bool = False
    is_settled: bool = False

    def idle_seconds(self, jobs: Iterable[Job]) -> float:
        """Billed beyond its jobs."""
        own = sum(job.spent.seconds for job in jobs if job.session_id == self.session_id)
        return max(0.0, (self.seconds or 0.0) - own)


def sessions_of(journal: Iterable[Mapping[str, Any]]) -> dict[str, Session]:
    """All sessions, by id."""
    sessions: dict[str, Session] = {}
    for entry in journal:
        if entry.get("event") in ("session", "session closed"):
            session = sessions.setdefault(entry["session_id"], Session(entry["session_id"]))
            seconds = entry.get("qpu_seconds")
            session.seconds = session.seconds if seconds is None else seconds
            session.is_closed |= entry["event"] == "session closed"
            session.is_settled |= entry["event"] == "session closed" and seconds is not None
    return sessions
