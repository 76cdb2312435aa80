"""The jobs of a run on a QPU: their states, prices and bills, from its journal and from the service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qhn.backend import BackendError
from qhn.backend.events import Event
from qhn.backend.history import KnownJob
from qhn.backend.service.jobs import Jobs
from qhn.backend.terms import ids_of
from qhn.budget.ledger import Ledger, ledger
from qhn.run.checks import check_journal
from qhn.run.record import Record
from qhn.text import aligned

ENDED = (Event.DONE, Event.FAILED, Event.CANCELLED, Event.SELF_TEST)  # after which the journal knows how a job ended


@dataclass(frozen=True)
class JobLine:
    """A job of a run, as a row of a table.

    Attributes:
        job_id: the service's identifier of the job; several, joined by commas, where one request took several jobs.
        measures: the step, gradient and part that the job measures, in words, or ``self-test``.
        state: state of the job, by the service, or by the journal if it has ended or the service does not say.
        price_seconds: QPU seconds that the job should take.
        qpu_seconds: QPU seconds that were billed; None if they are not known.
        bits: what became of the measured bits: ``"used"``, ``"to come"`` or ``"lost"``.
        counted_seconds: QPU seconds for which the job counts against a budget.
        earlier_bills: other QPU seconds that the service billed before it corrected them, the oldest first.
        shots: number of shots of all circuits.
    """

    job_id: str
    measures: str
    state: str
    price_seconds: float
    qpu_seconds: float | None
    bits: str
    counted_seconds: float = 0.0
    earlier_bills: tuple[float, ...] = ()
    shots: int = 0

    @property
    def ids(self) -> list[str]:
        """The service's identifiers of the jobs, one by one."""
        return ids_of([self.job_id])

    def name(self) -> str:
        """The first of the identifiers, and how many more there are.

        >>> JobLine("a1,b2,c3", "step 0", "done", 0.0, None, "used").name()
        'a1 and 2 more'
        """
        return self.ids[0] + f" and {len(self.ids) - 1} more" * (len(self.ids) > 1)

    def remark(self) -> str:
        """What the table does not say of the job's bill, in a line; empty if there is nothing.

        >>> JobLine("c1x", "step 0", "done", 2.0, 2.5, "used", 2.5, (2.1,)).remark()
        'c1x billed 2.5 s now, 2.1 s before'
        """
        words = []
        if self.earlier_bills and self.qpu_seconds is not None:
            earlier = ", ".join(f"{seconds:,.1f} s" for seconds in self.earlier_bills)
            words.append(f"billed {self.qpu_seconds:,.1f} s now, {earlier} before")
        if self.qpu_seconds is not None and self.counted_seconds > self.qpu_seconds:
            seconds = f"{self.counted_seconds:,.1f} s"
            words.append(f"was ended at its limit: it counts for {seconds} until its bill is read a day later")
        return f"{self.job_id} {'; '.join(words)}" if words else ""


def jobs_of_run(record: Record) -> tuple[list[JobLine], str]:
    """All jobs of a run, the oldest first, by its journal and the service.

    Jobs that the service has twice, and bills that have become known, are noted in the run's journal.

    Args:
        record: the record of the run.

    Returns:
        The jobs, and why the service could not be asked or its bills not be noted; empty text if all was done.

    Raises:
        RecordError: if the journal was lost.
    """
    check_journal(record)
    try:
        machine = record.config.backend(record.journal)
    except (ValueError, BackendError) as error:
        return job_lines(record, journal_alone), str(error)
    jobs: Jobs | None = getattr(machine, "jobs", None)
    if jobs is None:  # a machine of a plug-in that settles its bills itself
        return job_lines(record, journal_alone), ""
    jobs.connection.patience = 0.0
    complaint = ""
    try:
        jobs.reconcile()
    except OSError as error:  # of a read-only run
        complaint = f"bills cannot be noted in {error.filename}: {error.strerror}"
    return job_lines(record, jobs.connection.state_if_known), complaint


def job_lines(record: Record, state_of: Callable[[str], str | None]) -> list[JobLine]:
    """All jobs of a run, the oldest first, by its journal.

    Args:
        record: the record of the run.
        state_of: a function from the identifier of a job that has not ended to its state on the service; None if it is
            unknown.
    """
    used = {job_id for entry in record.timing() for job_id in entry["job_ids"]}
    num_steps = record.checkpoint().num_steps
    lines = []
    for job_id, job in record.journal.history().jobs().items():
        state = job.event if job.event in ENDED else state_of(job_id) or job.event
        is_used = job_id in used or job.is_used_by(num_steps) or job.event is Event.SELF_TEST
        bits = "used" if is_used else "lost" if job.is_lost else "to come"
        state = "done" if job.event is Event.SELF_TEST else state.lower()
        price, counted, earlier = job.price.seconds, job.spent.seconds, job.bills[:-1]
        lines.append(JobLine(job_id, measures(job), state, price, job.billed, bits, counted, earlier, job.price.shots))
    return lines


def journal_alone(job_id: str) -> None:
    """None, as the state of a job on the service if the service is not asked."""


def measures(job: KnownJob) -> str:
    """The step, gradient and part that a job measures, in words, or ``self-test``.

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
    """The QPU seconds, jobs and shots that a run has spent, or in a rehearsal would have.

    Args:
        record: the record of the run.

    Raises:
        RecordError: if the journal of the run's jobs was lost.
    """
    check_journal(record)
    last = record.last_step()
    num_steps, history = record.checkpoint().num_steps, record.journal.history()
    return ledger(num_steps, record.timing(), history, last.shots if last else 0)


def table(lines: list[JobLine], *, in_seconds: bool = True) -> str:
    """The jobs as an aligned table in text, with remarks on bills below it where there is something to say.

    Args:
        lines: the jobs.
        in_seconds: whether they are billed in QPU seconds; otherwise the shots stand in their place.

    >>> print(table([JobLine("c1x", "step 0", "done", 2.0, None, "used")]))
    job  measures  state  price, s  billed, s  bits
    c1x  step 0    done        2.0          –  used
    """
    sizes = ("price, s", "billed, s") if in_seconds else ("shots",)
    rows = [
        (
            one.name(),
            one.measures,
            one.state,
            *((f"{one.price_seconds:,.1f}", _bill(one.qpu_seconds)) if in_seconds else (f"{one.shots:,}",)),
            one.bits,
        )
        for one in lines
    ]
    remarks = [words for line in lines if (words := line.remark())]
    return "\n".join([aligned(("job", "measures", "state", *sizes, "bits"), rows), *remarks])


def _bill(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:,.1f}"
