"""The connection to IBM's service: jobs by their tags, bills in QPU seconds, batches and sessions."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from qiskit.providers import BackendV2
from qiskit_ibm_runtime import Batch, Session
from qiskit_ibm_runtime.exceptions import RuntimeInvalidStateError, RuntimeJobFailureError, RuntimeJobNotFound

from qhn.arrays import Bits
from qhn.backend.ibm import client
from qhn.backend.ibm.account import account_device, silent
from qhn.backend.ibm.failure import NO_SESSIONS, QUOTA_SPENT, SESSION_CLOSED, kind_of
from qhn.backend.ibm.session import close_session, note_session, open_session, settle_sessions
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError, PlanError
from qhn.backend.service.connection import FINAL, Connection, pauses
from qhn.backend.service.failure import Kind, codes_of
from qhn.backend.service.request import Request


@dataclass
class IbmConnection(Connection):
    """A device of IBM and the service that it belongs to; in the client's local mode there is no service.

    Attributes:
        journal: journal in which sessions are noted; None to note nothing, and to open none.
        in_session: whether jobs are submitted in a session (:mod:`qhn.backend.ibm.session`).
    """

    device: BackendV2
    journal: Journal | None = None
    in_session: bool = False
    _session: Session | None = field(default=None, init=False)
    _place: Any = field(default=None, init=False)  # the batch or session of the jobs that are submitted now

    @property
    def service(self) -> Any:
        """Qiskit's object for the service, which finds jobs by their tags; None in local mode."""
        return getattr(self.device, "service", None)

    @property
    def finds_jobs(self) -> bool:
        """Whether there is a service, which finds all jobs of the account."""
        return self.service is not None

    @property
    def finds_by_tag(self) -> bool:
        """Whether there is a service, which finds jobs by their tags."""
        return self.service is not None

    @property
    def is_local(self) -> bool:
        """Whether there is no service: the client itself runs jobs in this process."""
        return self.service is None

    @property
    def title(self) -> str:
        """The name of the device, for messages."""
        return str(self.device.name)

    # ------------------------------------------------------------ submitting

    def submit(self, request: Request, tags: Sequence[str], execution_limit: int) -> Any:
        """Submit a job to the batch or session, or to the device itself."""
        with silent():
            return client.submit(request, self._place or self.device, tags, execution_limit)

    def bits_of(self, result: Any, request: Request) -> list[Bits]:
        """The bits of each PUB in a job's result."""
        return client.bits_of(result, request)

    @contextlib.contextmanager
    def together(self, number: int) -> Iterator[None]:
        """Context in which jobs are submitted: in the run's session, or several as one batch."""
        if self.service is None or not (self.in_session or number > 1):
            yield
            return
        batch = None
        if self.in_session:
            self._place = self._opened_session()
        else:
            self._place = batch = self.ask(lambda: Batch(self.device))
        try:
            yield
        finally:
            self._place = None
            if batch is not None:
                with contextlib.suppress(Exception), silent():  # it ends by itself
                    batch.close()

    def _opened_session(self) -> Session | None:
        """The session of the run, opened if it is not.

        Raises:
            PlanError: if the account's plan has no sessions.
        """
        if self._session is None and self.journal is not None:
            try:
                self._session = open_session(self.device, self.journal, self.terms.left().seconds, self.ask)
            except Exception as error:
                if NO_SESSIONS in codes_of(error):
                    raise PlanError("the account's plan has no sessions; leave device.mode at job") from None
                raise
        return self._session

    @property
    def session_id(self) -> str | None:
        """The id of the open session; None without one."""
        found: str | None = None if self._session is None else self._session.session_id
        return found

    def is_session_closed(self, error: BaseException) -> bool:
        """Whether the service refused a job because the session of this connection has been closed."""
        return self._session is not None and SESSION_CLOSED in codes_of(error)

    def reopen(self) -> None:
        """Open another session in place of one that has been closed."""
        self.close()
        self._place = self._opened_session()

    def note_session(self) -> None:
        """Write the QPU seconds that the open session has taken so far into the journal."""
        if self._session is not None and self.journal is not None:
            note_session(self._session, self.journal, is_closed=False)

    def settle_sessions(self) -> None:
        """Write the QPU seconds of sessions that ended unnoticed into the journal."""
        if self.journal is not None:
            settle_sessions(self.device, self.journal, self.session_id)

    def close(self) -> None:
        """End the session, if there is one; the next job opens another."""
        session, self._session = self._session, None
        if session is not None and self.journal is not None:
            close_session(session, self.journal)

    # ------------------------------------------------------------ asking

    def _retrieved(self, job_id: str) -> Any:
        return self.service.job(job_id)

    def listed(self, tag: str) -> dict[str, tuple[str, ...]]:
        """The tags of all jobs with the given tag, by their ids."""
        return {job.job_id(): tuple(job.tags or ()) for job in self.ask(lambda: self._jobs(tag))}

    def listed_if_known(self, tag: str) -> dict[str, tuple[str, ...]]:
        """The tags of all jobs with the given tag, asked for once; the jobs need not be asked for by their ids then."""
        try:
            with silent():
                listed = self._jobs(tag)
        except Exception:
            return {}
        for job in listed:
            self._known.setdefault(job.job_id(), job)
        return {job.job_id(): tuple(job.tags or ()) for job in listed}

    def _jobs(self, tag: str) -> list[Any]:
        found: list[Any] = self.service.jobs(job_tags=[tag], limit=None)
        return found

    def wait(self, job_id: str) -> None:
        """Wait until the job has ended, asking for its state in ever longer intervals."""
        if self.service is None:
            return
        intervals, since = pauses(1.5), time.monotonic()
        while (state := self.state(job_id)) not in FINAL:
            minutes = (time.monotonic() - since) / 60
            self.terms.tell(f"{job_id} {state.lower()}" + f" for {minutes:.0f} min" * (minutes >= 1))
            self.pause(next(intervals))

    def state(self, job_id: str) -> str:
        """The state of a job: QUEUED, RUNNING, DONE …; CANCELLED if the service no longer has the job."""
        try:
            return super().state(job_id)
        except RuntimeJobNotFound:
            return "CANCELLED"

    def result(self, job_id: str) -> Any:
        """The result of a job that has ended.

        Raises:
            RuntimeJobFailureError: if the job was cancelled because the account has no time left, among other reasons.
                The client tells of all cancelled jobs in the same words.
        """
        try:
            return self.ask(lambda: self.job(job_id).result())
        except RuntimeInvalidStateError:
            if getattr(self.job(job_id), "_reason_code", None) == QUOTA_SPENT:
                raise RuntimeJobFailureError(f"Error code {QUOTA_SPENT}") from None
            raise

    def asked_bill(self, job_id: str) -> float | None:
        """QPU seconds billed for a job that has ended; None if they are not known yet.

        All is read from one answer: the client's ``usage()`` is 0 until the bill is known.

        Raises:
            Exception: if the service does not answer, or not in the form that is expected.
        """
        with silent():
            job = self.job(job_id)
            known = dict(job.metrics())
            if known["usage"]["status"] != "pending":
                billed = float(known["usage"]["qpu_charge_time_seconds"])
                return billed if 0 <= billed < math.inf else None
            never_ran = str(job.status()) == "CANCELLED" and not known.get("timestamps", {}).get("running")
        return 0.0 if never_ran else None

    def was_ended_at_limit(self, job_id: str) -> bool:
        """Whether the service ended a job at its limit of QPU seconds; False if it does not say."""
        try:
            with silent():
                job = self.job(job_id)
                if str(job.status()) == "ERROR":
                    job.result()
        except Exception as error:
            return kind_of(error) is Kind.OVERTIME
        return False

    def renew(self) -> None:
        """Connect to the account again, because the service no longer accepts the token of this connection."""
        with contextlib.suppress(ValueError, BackendError):
            self.device = account_device(self.device.name)
            self._known.clear()

    def reconnect(self) -> None:
        """Connect to the account again, with another session: the one before was of the connection that is no more."""
        self.renew()
        self._session = None
        self._place = self._opened_session() if self.in_session else None

    def silence(self) -> contextlib.AbstractContextManager[None]:
        """Suppress the warnings and log lines of IBM's client, which contain names of instances."""
        return silent()

    # ------------------------------------------------------------ what exceptions of the client mean

    def kind_of(self, error: BaseException) -> Kind:
        """The kind of failure behind an exception of IBM's client."""
        return kind_of(error)
