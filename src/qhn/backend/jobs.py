"""One job for one request, whatever breaks on the way: the network, the service, or this process.

A request is named by its tag, ``qhn:<run>:<step>:<evaluation>``, and by a digest of what it asks. Its intent is in the
journal before it is submitted, and both names are tags of the job. So a job that was accepted although no answer came
back, or although this process died, is found again by them; it is adopted instead of paid for twice, and of several the
others are cancelled while they queue. Waiting survives an outage of the service.

What the client raises is classified once, by :func:`kind_of`; its texts are never repeated, because the service's
answers can hold account data.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from qiskit.providers.exceptions import JobError
from qiskit_ibm_runtime.exceptions import IBMError, IBMNotAuthorizedError, RuntimeInvalidStateError

from qhn.backend.sampler import BackendError, Journal

Result = TypeVar("Result")
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0  # seconds between questions to the service, which double
PATIENCE = 3600.0  # seconds of failing questions in a row after which waiting ends; the job goes on
ATTEMPTS = 4  # to submit a job that the service does not know of
DIGEST_TAG = "qhn-digest:"
WAITING, FINAL = ("INITIALIZING", "QUEUED", "VALIDATING"), ("DONE", "ERROR", "CANCELLED")


class Kind(Enum):
    """Of a failure, with what the user should do."""

    TRANSIENT = "the service could not be reached or is overloaded; qhn resume goes on where it was"
    AUTHENTICATION = "the service refused the account; check its token and instance, then qhn resume"
    JOB_FAILED = "the job failed on the service, which lists the reason under its id; qhn resume submits it again"
    FATAL = "the service refused the job; its reason is in your IBM account, or in the client's log"


def kind_of(error: BaseException) -> Kind:
    """What kind of failure an exception of the client is; they have unrelated bases."""
    status = getattr(error, "status_code", None)
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", status)
    cause = error.__cause__ or error.__context__
    if status is None or status == -1:
        status = getattr(cause, "status_code", None)
    if status in (401, 403) or isinstance(error, IBMNotAuthorizedError):
        return Kind.AUTHENTICATION
    if isinstance(error, (JobError, RuntimeInvalidStateError)) or type(error).__name__ == "RuntimeJobMaxTimeoutError":
        return Kind.JOB_FAILED
    if isinstance(status, int) and 400 <= status < 500 and status not in (408, 409, 425, 429):
        return Kind.FATAL
    transient = (IBMError, OSError, TypeError, ValueError)  # OSError of requests; the last two of a torn body
    return Kind.TRANSIENT if isinstance(error, transient) else Kind.FATAL


@dataclass(frozen=True)
class Request:
    """What one job is asked for.

    Attributes:
        tag: its name.
        digest: of everything that it measures.
        rows: circuits that it executes.
        shots: of each.
        price_seconds: QPU seconds that it should take.
        submit: sends it with the given job tags, and returns the client's job.
    """

    tag: str
    digest: str
    rows: int
    shots: int
    price_seconds: float
    submit: Callable[[list[str]], Any]

    @property
    def size(self) -> dict[str, Any]:
        """What the journal keeps of it."""
        return {"rows": self.rows, "shots": self.shots, "price_seconds": self.price_seconds}

    @property
    def tags(self) -> list[str]:
        """Of the job, on the service."""
        return [self.tag, f"{DIGEST_TAG}{self.digest[:32]}"]


class Jobs:
    """Submits requests and waits for them.

    Args:
        service: the client's service, which finds jobs by their tags; None if there is none, as in local mode.
        name: of the device, for messages.
        journal: where intents, ids and outcomes are noted; None to note nothing.
        pause: waits so many seconds.
    """

    def __init__(
        self, service: Any, name: str, journal: Journal | None, pause: Callable[[float], None] = time.sleep
    ) -> None:
        self.service = service
        self.name = name
        self.journal = journal
        self.pause = pause

    def run(self, request: Request) -> tuple[Any, Any]:
        """The request's job and its result.

        Raises:
            BackendError: if it failed, or nothing can be learnt about it. The journal has its id, if it got one.
        """
        job = None
        try:
            job = self._adopted(request) if self._was_intended(request) else None
            job = job or self._submitted(request)
            self._wait(job)
            return job, self._asked(job.result)
        except Exception as error:
            kind = kind_of(error)
            ended = kind in (Kind.JOB_FAILED, Kind.FATAL)
            named = {} if job is None else {"job_id": job.job_id()}
            event = "failed" if ended else "out of reach"  # the job may go on, and be adopted later
            self._note(event=event, tag=request.tag, **named, error=type(error).__name__, kind=kind.name.lower())
            raise BackendError(
                f"{self.name}: the job {request.tag} did not end well ({type(error).__name__}); {kind.value}"
            ) from None

    def _was_intended(self, request: Request) -> bool:
        """Whether an earlier process, or an earlier attempt, may have submitted the request."""
        return self.service is not None and self.journal is not None and self.journal.was_intended(request.tag)

    def _adopted(self, request: Request) -> Any:
        """A job of the service with the request's tags that may still give a result; None if there is none.

        Others that still wait are cancelled: nobody needs them.
        """
        found = [
            job
            for job in self._asked(lambda: self.service.jobs(job_tags=[request.tag], limit=None))
            if set(request.tags) <= set(job.tags)
        ]
        alive = [
            (job, status) for job in found if (status := str(self._asked(job.status))) not in ("ERROR", "CANCELLED")
        ]
        if not alive:
            return None
        ahead = min(alive, key=lambda one: (one[1] != "DONE", one[1] in WAITING))[0]
        for job, status in alive:
            if job is not ahead and status in WAITING:
                self._cancel(job, request.tag)
        self._note(event="adopted", tag=request.tag, job_id=ahead.job_id(), **request.size)
        return ahead

    def _submitted(self, request: Request) -> Any:
        """A new job; if no answer comes back, the one that was accepted nevertheless."""
        self._note(event="intent", tag=request.tag, digest=request.digest, **request.size)
        for attempt in range(ATTEMPTS):
            try:
                job = request.submit(request.tags)
            except Exception as error:
                if self.service is None or kind_of(error) is not Kind.TRANSIENT or attempt == ATTEMPTS - 1:
                    raise
                self.pause(min(LONGEST_PAUSE, FIRST_PAUSE * 2**attempt))
            else:
                self._note(event="submitted", tag=request.tag, job_id=job.job_id(), **request.size)
                return self._only(request, job)
            if (job := self._adopted(request)) is not None:
                return job
        raise AssertionError("unreachable")

    def _only(self, request: Request, job: Any) -> Any:
        """The job, its duplicates cancelled: the client itself submits again if the service's answer is an error."""
        if self.service is None:
            return job
        others = self._asked(lambda: self.service.jobs(job_tags=[request.tag], limit=None))
        for other in others:
            is_double = other.job_id() != job.job_id() and set(request.tags) <= set(other.tags)
            if is_double and str(self._asked(other.status)) in WAITING:
                self._cancel(other, request.tag)
        return job

    def _cancel(self, job: Any, tag: str) -> None:
        try:
            job.cancel()
        except Exception:  # it has begun meanwhile, or the service does not answer: its bill is noted elsewhere
            return
        self._note(event="cancelled", tag=tag, job_id=job.job_id())

    def _wait(self, job: Any) -> None:
        """Until the job has ended, in ever longer intervals."""
        if self.service is None:
            return
        interval = FIRST_PAUSE
        while str(self._asked(job.status)) not in FINAL:
            self.pause(interval)
            interval = min(LONGEST_PAUSE, 1.5 * interval)

    def _asked(self, question: Callable[[], Result]) -> Result:
        """The service's answer; it is asked again while it cannot be reached."""
        interval, waited = FIRST_PAUSE, 0.0
        while True:
            try:
                return question()
            except Exception as error:
                if self.service is None or kind_of(error) is not Kind.TRANSIENT or waited >= PATIENCE:
                    raise
            self.pause(interval)
            waited += interval
            interval = min(LONGEST_PAUSE, 2 * interval)

    def _note(self, **entry: Any) -> None:
        if self.journal is not None:
            self.journal.append(entry)
