"""A request for one job: its name, what it measures, and the tags by which its job is found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from qhn.backend.events import Entry, Event

REQUEST_TAG, DIGEST_TAG, RECORD_TAG = "qhn:", "qhn-digest:", "qhn-record:"


@dataclass(frozen=True)
class Request:
    """Everything that one job is asked to measure.

    Attributes:
        tag: name of the request, ``qhn:<run>:<step>:<evaluation>``.
        digest: hash of everything that the job measures.
        rows: number of circuits that the job executes.
        shots: number of measurements of each circuit.
        price_seconds: QPU seconds that the job should take.
        submit: function that sends the job to a device, batch or session of Qiskit's client, with the given job tags
            and limit in QPU seconds, and returns the client's job.
    """

    tag: str
    digest: str
    rows: int
    shots: int
    price_seconds: float
    submit: Callable[[Any, list[str], int], Any]

    def entry(
        self, event: Event, *, job_id: str | None = None, record: str | None = None, session_id: str | None = None
    ) -> Entry:
        """The journal entry for an event that concerns the request, or a job that serves it."""
        return Entry(
            event,
            tag=self.tag,
            job_id=job_id,
            digest=self.digest,
            rows=self.rows,
            shots=self.shots,
            price_seconds=self.price_seconds,
            record=record,
            session_id=session_id,
        )

    def tags(self, record: str | None) -> list[str]:
        """Tags that the request's job carries on the service.

        Args:
            record: name of the run's directory; None if nothing is recorded.
        """
        own = [] if record is None else [f"{RECORD_TAG}{record}"]
        return [self.tag, f"{DIGEST_TAG}{self.digest[:32]}", *own]
