"""A request for one job: its name, what it measures, and the tags by which its job is found again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qiskit import QuantumCircuit

from qhn.arrays import Floats
from qhn.backend.events import Entry, Event
from qhn.backend.settings import DeviceSettings

Pub = tuple[QuantumCircuit] | tuple[QuantumCircuit, Floats]
REQUEST_TAG, DIGEST_TAG, RECORD_TAG = "qhn:", "qhn-digest:", "qhn-record:"


def num_rows(pub: Pub) -> int:
    """The number of circuits that a PUB executes: one for each row of angles, or one without angles."""
    return len(pub[1]) if len(pub) == 2 else 1


@dataclass(frozen=True, eq=False)
class Request:
    """Everything that one job is asked to measure.

    Attributes:
        tag: name of the request, ``qhn:<run>:<step>:<evaluation>``.
        digest: hash of everything that the job measures.
        pubs: circuits, each with its angles ``[num_rows, num_parameters]`` if it has any.
        shots: number of measurements of each circuit.
        settings: how the device measures.
        price_seconds: QPU seconds that the job should take.
        seed: seed of the random numbers of a simulator, from 0 to 2^32 − 1.
    """

    tag: str
    digest: str
    pubs: Sequence[Pub]
    shots: int
    settings: DeviceSettings
    price_seconds: float
    seed: int = 0

    @property
    def rows(self) -> int:
        """The number of circuits that the job executes, counted once for each set of angles."""
        return sum(map(num_rows, self.pubs))

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
