"""The seam between jobs and a service: what a service is asked, and what the exceptions of its client mean.

Everything that jobs need of a vendor is a method of :class:`Connection`. A vendor's own class says how its client
submits jobs and finds them again; what is common is here: questions are repeated until the service answers, and an
exception is classified by what it tells, whatever client it is of.
"""

from __future__ import annotations

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qiskit.providers.exceptions import JobError

from qhn.arrays import Bits
from qhn.backend.events import CLIENT
from qhn.backend.service import failure
from qhn.backend.service.failure import ENDED, ODD_ANSWERS, Kind, retry_after
from qhn.backend.service.request import Request
from qhn.backend.service.sessions import Sessions
from qhn.backend.service.silence import silent
from qhn.backend.terms import Terms

Answer = TypeVar("Answer")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between questions to the service, which grow
PATIENCE = 3600.0  # seconds of failing questions in a row after which waiting ends; the job goes on
PASSING = (Kind.TRANSIENT, Kind.RATE_LIMITED)  # failures after which the same question may be answered
RENEWALS = 3  # renewals of the connection to an account that is refused
WAITING, FINAL = ("INITIALIZING", "QUEUED", "VALIDATING"), ("DONE", "ERROR", "CANCELLED")
GOING = (*WAITING, "RUNNING")  # states of a job that has not ended


@dataclass
class Connection(Sessions, ABC):
    """A machine and the service that it belongs to.

    Attributes:
        device: the client's object for the machine; another one takes its place when the connection is renewed.
        terms: conditions of use; their function ``tell`` receives messages about what is being waited for.
        patience: seconds of consecutive failures after which waiting ends; None for an hour.
        pause: function that waits for a number of seconds.
    """

    device: Any
    terms: Terms = field(default_factory=Terms)
    patience: float | None = None
    pause: Callable[[float], None] = time.sleep
    _known: dict[str, Any] = field(default_factory=dict, init=False)  # the client's jobs, by id

    # ------------------------------------------------------------ what the service can do

    @property
    @abstractmethod
    def finds_jobs(self) -> bool:
        """Whether jobs of other processes are found by their ids; otherwise only those submitted here are known."""

    @property
    def finds_by_tag(self) -> bool:
        """Whether the service finds a job by its tags, so that one whose answer was lost is not paid for twice."""
        return False

    @property
    def is_local(self) -> bool:
        """Whether jobs are run in this process by a client whose order of bits needs no test."""
        return False

    @property
    @abstractmethod
    def title(self) -> str:
        """The name of the machine, for messages."""

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that could get an order of bits or angles wrong: a self-test holds for their versions."""
        return CLIENT

    # ------------------------------------------------------------ submitting

    @abstractmethod
    def submit(self, request: Request, tags: Sequence[str], execution_limit: int) -> Any:
        """Submit a job, and return the client's object for it.

        Args:
            request: request that the job serves.
            tags: tags that the job carries on the service.
            execution_limit: QPU seconds after which the service ends the job.

        Raises:
            Exception: if the client does; it may be of any type.
        """

    @abstractmethod
    def bits_of(self, result: Any, request: Request) -> list[Bits]:
        """The bits of each PUB: ``[num_rows, shots, num_clbits]``, without angles no axis of rows; column j is bit j.

        Args:
            result: the result, as :meth:`result` returns it.
            request: request that the job serves.

        Raises:
            ValueError: if the result is not that of such a job.
        """

    def remember(self, job: Any) -> str:
        """Remember a job that was just submitted, and return its id."""
        job_id: str = job.job_id()
        self._known[job_id] = job
        return job_id

    # ------------------------------------------------------------ asking

    def job(self, job_id: str) -> Any:
        """The client's object for the job with the given id."""
        if job_id not in self._known:
            self._known[job_id] = self._retrieved(job_id)
        return self._known[job_id]

    @abstractmethod
    def _retrieved(self, job_id: str) -> Any:
        """The client's object for a job of another process."""

    def listed(self, tag: str) -> dict[str, tuple[str, ...]]:
        """The tags of all jobs with the given tag, by their ids; none where jobs are not found by tags.

        Raises:
            Exception: if the service does not answer.
        """
        return {}

    def listed_if_known(self, tag: str) -> dict[str, tuple[str, ...]]:
        """The tags of all jobs with the given tag, asked for once; none if the service does not answer."""
        return {}

    @abstractmethod
    def wait(self, job_id: str) -> None:
        """Wait until the job has ended, asking for its state in ever longer intervals."""

    def state(self, job_id: str) -> str:
        """The state of a job: QUEUED, RUNNING, DONE …; CANCELLED if the service no longer has the job."""
        return str(self.ask(lambda: self.job(job_id).status()))

    def state_if_known(self, job_id: str) -> str | None:
        """The state of a job, asked for once; None if the service does not answer."""
        try:
            with self.silence():
                return str(self.job(job_id).status())
        except Exception:
            return None

    @abstractmethod
    def result(self, job_id: str) -> Any:
        """The result of a job that has ended.

        Raises:
            Exception: if the job failed, or its result cannot be had.
        """

    def missing(self, job_id: str) -> Exception | None:
        """The exception by which the service tells that it does not have a job, or no result of one that has ended.

        None if the job waits, runs, or has a result.

        Raises:
            Exception: if the service cannot be reached, so that nothing is known of the job; it is that of the client.
        """
        try:
            if self.state(job_id) not in GOING:
                self.result(job_id)
        except Exception as error:
            if not self.is_answer(error):
                raise
            return error
        return None

    def cancel(self, job_id: str) -> bool:
        """Take a job out of the queue; False if it has begun meanwhile, or the service does not answer."""
        try:
            with self.silence():
                self.job(job_id).cancel()
        except Exception:
            return False
        return True

    def bill(self, job_id: str) -> float | None:
        """QPU seconds billed for a job that has ended; None if the service does not say, or not yet."""
        try:  # a failure here must not lose the measured bits
            return self.asked_bill(job_id)
        except Exception:
            return None

    @abstractmethod
    def asked_bill(self, job_id: str) -> float | None:
        """QPU seconds billed for a job that has ended; None if they are not known yet.

        Raises:
            Exception: if the service does not answer, or not in the form that is expected.
        """

    def was_ended_at_limit(self, job_id: str) -> bool:
        """Whether the service ended a job at its limit of QPU seconds; False if it does not say."""
        return False

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Put a question to the service, again and again while it cannot be reached, and return the answer.

        Raises:
            Exception: if asking again does not help; it is that of the client.
        """
        intervals, waited, renewals = pauses(2.0), 0.0, 0
        while True:
            try:
                with self.silence():
                    return question()
            except Exception as error:
                failed = error
            kind, interval = self.kind_of(failed), next(intervals)
            if kind is Kind.AUTHENTICATION and renewals < RENEWALS and self.finds_jobs:
                renewals += 1
                self.renew()
                self.pause(interval)
            elif not self.finds_jobs or kind not in PASSING:
                raise failed
            else:
                waited += self.wait_out(failed, interval, waited)

    def wait_out(self, failed: Exception, seconds: float, waited: float) -> float:
        """Wait before a request is repeated, at least as long as the service asked for, and return the seconds.

        Args:
            failed: the exception of the client over the request; it is raised if waiting would take more than the
                connection's patience.
            seconds: seconds to wait if the service did not ask for more.
            waited: seconds for which the same request was waited for before.
        """
        asked = retry_after(failed) or 0.0
        patience = PATIENCE if self.patience is None else self.patience
        if waited >= patience or waited + asked > patience:
            raise failed
        seconds = max(seconds, asked)
        if self.kind_of(failed) is Kind.RATE_LIMITED:
            self.terms.tell(f"the service takes no more requests now; it is asked again in {seconds:.0f} s")
        else:
            self.terms.tell("the service does not answer; it is asked again")
        self.pause(seconds)
        return seconds

    @abstractmethod
    def renew(self) -> None:
        """Connect to the account again, because the service no longer accepts this connection."""

    def reconnect(self) -> None:
        """Connect to the account again in the middle of a submission, with a new session if there is one."""
        self.renew()

    def silence(self) -> contextlib.AbstractContextManager[None]:
        """Suppress the warnings and log lines of the client while it is asked, as they can hold account data."""
        return silent()

    # ------------------------------------------------------------ what exceptions of the client mean

    def kind_of(self, error: BaseException) -> Kind:
        """The kind of failure behind an exception of the client."""
        return failure.kind_of(error)

    def kind_at_submission(self, error: BaseException) -> Kind:
        """The kind of failure behind an exception while a job is submitted, where a ValueError means an invalid job."""
        return Kind.FATAL if failure.is_check(error) else self.kind_of(error)

    def status_of(self, error: BaseException) -> int | None:
        """The HTTP status with which the service refused a request; None if there was no answer."""
        return failure.status_of(error)

    def codes_of(self, error: BaseException) -> set[int]:
        """The service's own error codes in an exception."""
        return failure.codes_of(error)

    def is_odd(self, error: BaseException) -> bool:
        """Whether the service answered in another form than its client expects."""
        return isinstance(error, ODD_ANSWERS)

    def is_answer(self, error: BaseException) -> bool:
        """Whether an exception tells what the service answered, and not that it cannot be reached or is overloaded.

        An answer in another form than the client expects, such as that of a proxy in between, is none.
        """
        is_out_of_order = (self.status_of(error) or 0) >= 500
        return self.kind_of(error) in ENDED and not is_out_of_order and not self.is_odd(error)

    def has_ended(self, job_id: str | None, kind: Kind, error: BaseException) -> bool:
        """Whether a failure means that nothing more comes of a job, so that it may be submitted again.

        Args:
            job_id: id of the job; None if it was never accepted.
            kind: kind of the failure.
            error: the exception of the client.
        """
        return kind in ENDED or isinstance(error, JobError)

    def complaint(self, job: str, kind: Kind, error: BaseException, *, may_answer: bool) -> str:
        """The message for the user about a job that did not end well.

        Args:
            job: the job in words.
            kind: kind of the failure.
            error: the exception of the client; only its name is told, as its text can hold account data.
            may_answer: whether the job was accepted, and may still give a result.
        """
        return f"{self.title}: {job} did not end well ({type(error).__name__}); {kind.value}"


def pauses(growth: float) -> Iterator[float]:
    """Seconds between questions to a service, each a multiple of the last one, up to half a minute.

    >>> seconds = pauses(2.0)
    >>> [next(seconds) for _ in range(7)]
    [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    """
    seconds = FIRST_PAUSE
    while True:
        yield seconds
        seconds = min(LONGEST_PAUSE, growth * seconds)
