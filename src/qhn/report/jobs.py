"""The jobs of a run: what its journal knows of them, and how far they are on the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qhn.backend import BackendError
from qhn.backend.events import Event
from qhn.backend.history import KnownJob
from qhn.budget.ledger import Ledger, ledger
from qhn.run.record import Record
from qhn.text import aligned

ENDED = (Event.DONE, Event.FAILED, Event.CANCELLED, Event.SELF_TEST)  # after which the journal knows how a job ended


@dataclass(frozen=True)
class JobLine:
    """A job of a run.

    Attributes:
        job_id: on the service.
        measures: the step, evaluation and part that it does, or that it is a self-test.
        state: what the service says of it, or else the journal.
        price_seconds: QPU seconds that it should take.
        qpu_seconds: that were billed; None if they are not known.
        bits: what they are: ``"used"``, ``"to come"`` or ``"lost"``.
    """

    job_id: str
    measures: str
    state: str
    price_seconds: float
    qpu_seconds: float | None
    bits: str


def jobs_of_run(record: Record) -> tuple[list[JobLine], str]:
    """All jobs of a run, the oldest first, and why the service could not be asked for them; empty if it was.

    Doubles that it lists late, and bills that have become known, are noted in the run's journal.
    """
    from qhn.backend.ibm.account import account_device
    from qhn.backend.ibm.connection import Connection
    from qhn.backend.ibm.jobs import Jobs

    try:
        connection = Connection(account_device(record.config.train.backend), patience=0.0)
    except (ValueError, BackendError) as error:
        return job_lines(record, journal_alone), str(error)
    Jobs(connection, record.journal).reconcile()
    return job_lines(record, connection.state_if_known), ""


def job_lines(record: Record, state_of: Callable[[str], str | None]) -> list[JobLine]:
    """All jobs of a run, the oldest first; ``state_of`` is asked for those that have not ended."""
    used = {job_id for entry in record.timing() for job_id in entry["job_ids"]}
    lines = []
    for job_id, job in record.journal.history().jobs().items():
        state = job.event if job.event in ENDED else state_of(job_id) or job.event
        bits = "used" if job_id in used or job.event is Event.SELF_TEST else "lost" if job.is_lost else "to come"
        state = "done" if job.event is Event.SELF_TEST else state.lower()
        lines.append(JobLine(job_id, measures(job), state, job.price.seconds, job.billed, bits))
    return lines


def journal_alone(job_id: str) -> None:
    """The state of a job if the service is not asked."""


def measures(job: KnownJob) -> str:
    """What a job measures, in words.

    >>> from qhn.backend.terms import Amount
    >>> [measures(KnownJob(tag, Amount())) for tag in ("qhn:r:3:0", "qhn:r:3:1:4", "qhn:r:test:0")]
    ['step 3', 'step 3, gradient 2, part 5', 'self-test']
    """
    _, _, step, evaluation, *part = job.tag.split(":")
    if job.step is None:
        return Event.SELF_TEST.value
    words = f"step {step}" + f", gradient {int(evaluation) + 1}" * (evaluation != "0")
    return words + (f", part {int(part[0]) + 1}" if part else "")


def ledger_of(record: Record) -> Ledger:
    """What a run has spent on a QPU, or would have."""
    steps = record.steps()
    return ledger(record.timing(), record.journal.history(), steps[-1].shots if steps else 0)


def table(lines: list[JobLine]) -> str:
    """For a terminal."""
    rows = [
        (one.job_id, one.measures, one.state, f"{one.price_seconds:,.1f}", _bill(one.qpu_seconds), one.bits)
        for one in lines
    ]
    return aligned(("job", "measures", "state", "price, s", "billed, s", "bits"), rows)


def _bill(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:,.1f}"
