"""What is noted of jobs on a machine that bills, before it goes on: ``jobs.jsonl`` in the directory of a run."""

from __future__ import annotations

import dataclasses
import json
import secrets
import time
from calendar import timegm
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn.backend.terms import Amount
from qhn.durable import append, replace
from qhn.errors import QhnError
from qhn.text import parse_json

TIME = "%Y-%m-%dT%H:%M:%SZ"


def epoch_seconds(text: str) -> float:
    """Seconds since 1970 of a journal's time, to the second.

    >>> epoch_seconds("1970-01-01T00:01:00Z")
    60.0
    """
    return float(timegm(time.strptime(text, TIME)))


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
            raise QhnError(f"{path} holds paid shots and is damaged ({type(error).__name__}); move it away") from None

    def _kept_path(self, tag: str) -> Path:
        return self.path.parent / "jobs" / (tag.replace(":", "-") + ".npz")

    def entries(self) -> list[dict[str, Any]]:
        """All entries, in order; torn or damaged lines are left out."""
        found = []
        for line in self.path.read_bytes().split(b"\n") if self.path.exists() else []:
            try:
                entry = parse_json(line)
            except ValueError:
                continue
            if isinstance(entry, dict):
                found.append(entry)
        return found


LOST = ("failed", "cancelled", "duplicate")  # events after which the bits of a job will not be used


FOUND = ("submitted", "adopted", "done")  # events of a job whose bits are there or will come


@dataclass
class KnownJob:
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
        return self.price if self.billed is None else dataclasses.replace(self.price, seconds=self.billed)

    @property
    def step(self) -> int | None:
        """None of a self-test."""
        number = self.tag.split(":")[2]
        return int(number) if number.isdecimal() else None


def jobs_of(journal: Iterable[Mapping[str, Any]]) -> dict[str, KnownJob]:
    """All jobs that were submitted, by id.

    Args:
        journal: lines of ``jobs.jsonl``. The first that has a job's id also has its ``tag``, ``rows``, ``shots`` and
            ``price_seconds``; a later one may say what it billed, as ``qpu_seconds``.
    """
    jobs: dict[str, KnownJob] = {}
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
            jobs[job_id] = KnownJob(entry["tag"], price, digest, session_id=session_id)
        job = jobs[job_id]
        job.is_lost = event in LOST or (job.is_lost and event not in FOUND)
        job.failures += event == "failed"
        job.billed = job.billed if billed is None else billed
        job.event = job.event if event == "billed" else event
    return jobs


@dataclass
class KnownSession:
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

    def idle_seconds(self, jobs: Iterable[KnownJob]) -> float:
        """Billed beyond its jobs."""
        own = sum(job.spent.seconds for job in jobs if job.session_id == self.session_id)
        return max(0.0, (self.seconds or 0.0) - own)


def sessions_of(journal: Iterable[Mapping[str, Any]]) -> dict[str, KnownSession]:
    """All sessions, by id."""
    sessions: dict[str, KnownSession] = {}
    for entry in journal:
        if entry.get("event") in ("session", "session closed"):
            session = sessions.setdefault(entry["session_id"], KnownSession(entry["session_id"]))
            seconds = entry.get("qpu_seconds")
            session.seconds = session.seconds if seconds is None else seconds
            session.is_closed |= entry["event"] == "session closed"
            session.is_settled |= entry["event"] == "session closed" and seconds is not None
    return sessions
