"""The connection to the service behind a device: failed questions are repeated until the service answers."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from qiskit.providers import BackendV2
from qiskit.providers.exceptions import JobError
from qiskit_ibm_runtime.exceptions import RuntimeInvalidStateError, RuntimeJobFailureError, RuntimeJobNotFound

from qhn.backend.events import CLIENT
from qhn.backend.ibm.account import account_device, silent
from qhn.backend.ibm.failure import ENDED, QUOTA_SPENT, Kind, kind_of, retry_after
from qhn.backend.sampler import BackendError
from qhn.backend.terms import Terms

Answer = TypeVar("Answer")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between questions to the service, which double
PATIENCE = 3600.0  # seconds of failing questions in a row after which waiting ends; the job goes on
PASSING = (Kind.TRANSIENT, Kind.RATE_LIMITED)  # failures after which the same question may be answered
RENEWALS = 3  # renewals of the connection to an account that is refused
WAITING, FINAL = ("INITIALIZING", "QUEUED", "VALIDATING"), ("DONE", "ERROR", "CANCELLED")


@dataclass
class Connection:
    """A device and the service that it belongs to.

    Attributes:
        device: Qiskit's object for the device; another one takes its place when the connection is renewed. In local
            mode, without a service, only jobs submitted through this connection are known.
        terms: conditions of use; their function ``tell`` receives messages about what is being waited for.
        patience: seconds of consecutive failures after which waiting ends; None for an hour.
        pause: function that waits for a number of seconds.
    """

    device: BackendV2
    terms: Terms = field(default_factory=Terms)
    patience: float | None = None
    pause: Callable[[float], None] = time.sleep
    _known: dict[str, Any] = field(default_factory=dict, init=False)  # the client's jobs, by id

    @property
    def service(self) -> Any:
        """Qiskit's object for the service, which finds jobs by their tags; None in local mode."""
        return getattr(self.device, "service", None)

    @property
    def is_local(self) -> bool:
        """Whether jobs are run in this process by the client itself, whose order of bits needs no test."""
        return self.service is None

    @property
    def finds_by_tag(self) -> bool:
        """Whether the service finds a job by its tags, so that one whose answer was lost is not paid for twice."""
        return self.service is not None

    @property
    def takes_batches(self) -> bool:
        """Whether jobs can be submitted together, in a batch or a session."""
        return self.service is not None

    @property
    def title(self) -> str:
        """The name of the machine, for messages."""
        return str(self.device.name)

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that could get an order of bits or angles wrong: a self-test holds for their versions."""
        return CLIENT

    def hearing(self) -> contextlib.AbstractContextManager[None]:
        """Suppress the warnings and log lines of the client while it is called, as they can hold account data."""
        return silent()

    def has_ended(self, job_id: str | None, kind: Kind, error: BaseException) -> bool:
        """Whether a failure means that nothing more comes of a job, so that it may be submitted again.

        Args:
            job_id: id of the job; None if it was never accepted.
            kind: kind of the failure.
            error: the exception of the client.
        """
        return kind in ENDED or isinstance(error, JobError)

    def complaint(self, job: str, kind: Kind, error: BaseException) -> str:
        """The message for the user about a job that did not end well.

        Args:
            job: the job in words.
            kind: kind of the failure.
            error: the exception of the client; only its name is told, as its text can hold account data.
        """
        return f"{self.title}: {job} did not end well ({type(error).__name__}); {kind.value}"

    def remember(self, job: Any) -> str:
        """Remember a job that was just submitted, and return its id."""
        job_id: str = job.job_id()
        self._known[job_id] = job
        return job_id

    def take(self, job: Any) -> None:
        """Take over a job that the service listed, so that it need not be asked for by its id."""
        self._known.setdefault(job.job_id(), job)

    def wait(self, job_id: str) -> None:
        """Wait until the job has ended, asking for its state in ever longer intervals."""
        if self.service is None:
            return
        interval, since = FIRST_PAUSE, time.monotonic()
        while (state := self.state(job_id)) not in FINAL:
            minutes = (time.monotonic() - since) / 60
            self.terms.tell(f"{job_id} {state.lower()}" + f" for {minutes:.0f} min" * (minutes >= 1))
            self.pause(interval)
            interval = min(LONGEST_PAUSE, 1.5 * interval)

    def state_if_known(self, job_id: str) -> str | None:
        """The state of a job, asked for once; None if the service does not answer."""
        try:
            with silent():
                return str(self.job(job_id).status())
        except Exception:
            return None

    def state(self, job_id: str) -> str:
        """The state of a job: QUEUED, RUNNING, DONE …; CANCELLED if the service no longer has the job."""
        try:
            return str(self.ask(lambda: self.job(job_id).status()))
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

    def job(self, job_id: str) -> Any:
        """Qiskit's object for the job with the given id."""
        if job_id not in self._known:
            self._known[job_id] = self.service.job(job_id)
        return self._known[job_id]

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Put a question to the service, again and again while it cannot be reached, and return the answer."""
        interval, waited, renewals = FIRST_PAUSE, 0.0, 0
        while True:
            try:
                with silent():
                    return question()
            except Exception as error:
                failure = error
            kind = kind_of(failure)
            if kind is Kind.AUTHENTICATION and renewals < RENEWALS and self.service is not None:
                renewals += 1
                self.renew()
                self.pause(interval)
            elif self.service is None or kind not in PASSING:
                raise failure
            else:
                waited += self.wait_out(failure, interval, waited)
            interval = min(LONGEST_PAUSE, 2 * interval)

    def wait_out(self, failure: Exception, seconds: float, waited: float) -> float:
        """Wait before a request is repeated, at least as long as the service asked for, and return the seconds.

        Args:
            failure: the exception of Qiskit's client over the request; it is raised if waiting would take more than the
                connection's patience.
            seconds: seconds to wait if the service did not ask for more.
            waited: seconds for which the same request was waited for before.
        """
        asked = retry_after(failure) or 0.0
        patience = PATIENCE if self.patience is None else self.patience
        if waited >= patience or waited + asked > patience:
            raise failure
        seconds = max(seconds, asked)
        if kind_of(failure) is Kind.RATE_LIMITED:
            self.terms.tell(f"the service takes no more requests now; it is asked again in {seconds:.0f} s")
        else:
            self.terms.tell("the service does not answer; it is asked again")
        self.pause(seconds)
        return seconds

    def renew(self) -> None:
        """Connect to the account again, because the service no longer accepts the token of this connection."""
        with contextlib.suppress(ValueError, BackendError):
            self.device = account_device(self.device.name)
            self._known.clear()

    def bill(self, job_id: str) -> float | None:
        """QPU seconds billed for a job that has ended; None if the service does not say, or not yet.

        A failure here must not lose the measured bits.
        """
        try:
            return self.asked_bill(job_id)
        except Exception:
            return None

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
