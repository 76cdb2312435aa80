"""Bills of jobs, read when the service knows them, and again as long as it may correct them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from qhn.backend.events import Entry, Event
from qhn.backend.history import AT_LIMIT, KnownJob
from qhn.backend.journal import Journal
from qhn.backend.service.connection import Connection
from qhn.backend.service.failure import Kind


@dataclass
class Bills:
    """The bills of the jobs of a run.

    Attributes:
        connection: connection to the service.
        journal: journal in which bills that become known are noted; None to note nothing.
    """

    connection: Connection
    journal: Journal | None
    _read: set[str] = field(default_factory=set, init=False)  # jobs whose bills were read here

    def of_ended(self, job_id: str) -> float | None:
        """QPU seconds billed for a job that has just ended, for the caller to note; None if they are not known yet."""
        billed = self.connection.bill(job_id)
        if billed is not None:
            self._read.add(job_id)
        return billed

    def settle(self, *, again: bool = False) -> None:
        """Write bills of jobs and sessions that have become known to the service into the journal.

        A service that does not answer leaves the journal as it is.

        Args:
            again: whether known bills of the last 28 days are read again, once by this object, since the service may
                correct them; a bill that differs is noted beside the earlier one.
        """
        if not self.connection.finds_jobs or self.journal is None:
            return
        for job_id, job in self.journal.history().jobs().items():
            is_due = again and job_id not in self._read and job.may_be_rebilled(time.time())
            if job.billed is not None and not is_due:
                continue
            try:
                billed = self.connection.asked_bill(job_id)
            except Exception as error:
                is_answer = self.connection.kind_of(error) is Kind.FATAL  # such as that it no longer has the job
                if is_answer or self.connection.is_odd(error):
                    continue
                break
            if billed is not None:
                self._read.add(job_id)
                self._note(self.journal, job_id, job, billed)
        self.connection.settle_sessions()

    def _note(self, journal: Journal, job_id: str, job: KnownJob, billed: float) -> None:
        """Note a bill that is new, or final for a job that was ended at its limit."""
        is_news = not job.is_at_limit and job.event is not Event.DONE and self.connection.was_ended_at_limit(job_id)
        is_final = job.settles(time.time()) and not job.is_settled
        if billed != job.billed or is_news or is_final:
            kind = AT_LIMIT if is_news else None
            journal.append(Entry(Event.BILLED, tag=job.tag, job_id=job_id, qpu_seconds=billed, kind=kind))
