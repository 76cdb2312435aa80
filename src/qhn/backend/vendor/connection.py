"""The connection to a vendor's machine: jobs found again by their ids, where the vendor's client can do that."""

from __future__ import annotations

import contextlib
import secrets
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass, field
from json import JSONDecodeError
from typing import Any, TypeVar

from qiskit.providers.exceptions import JobError, JobTimeoutError

from qhn.arrays import Bits
from qhn.backend.sampler import BackendError
from qhn.backend.service.connection import GOING, Connection, pauses
from qhn.backend.service.failure import Kind, causes
from qhn.backend.service.request import Request
from qhn.backend.service.silence import LOGS, silent
from qhn.backend.terms import ids_of
from qhn.backend.vendor.client import VendorClient, VendorJob, client_of
from qhn.errors import QhnError, QhnWarning
from qhn.text import in_line

Answer = TypeVar("Answer")
NAMELESS = "no-id-"  # before the ids that jobs without an id of their own are given here
MAX_WORDS = 300  # characters of the message of a vendor's exception
RETRIEVERS = ("retrieve_job", "job")  # methods of backends and providers that return a job by its id
NO_ANSWER = (OSError, JSONDecodeError, JobTimeoutError, MemoryError)  # in the causes of a client's exception
FOR_DEVELOPERS = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)


class EndedBadly(JobError):  # type: ignore[misc]  # qiskit has no types
    """The error of a job that failed or was cancelled, as its state tells; its cause is the vendor's exception."""


class Unanswered(OSError):
    """The error of a job that has not failed, but whose result could not be had; its cause is the vendor's exception.

    It is an ``OSError`` as those of a network are: the job is asked for again, and not paid for twice.
    """


@dataclass
class VendorConnection(Connection):
    """A vendor's machine and the service that it belongs to.

    A failure is not repeated: what a vendor's exception means is not known, and its client may have waited already.

    Attributes:
        name: name of the machine, for messages.
        bills: whether its jobs are billed, so that they are found again by their ids where that is possible.
        package: name of the vendor's package; None if its object is of none that is installed.
        client: the part of the vendor's client that takes jobs.
    """

    name: str = ""
    bills: bool = False
    package: str | None = None
    client: VendorClient = field(init=False)
    _heard: set[str] = field(default_factory=set, init=False)  # warnings that were passed on
    _ids: set[str] = field(default_factory=set, init=False)  # of all jobs of this process
    _retrieves: Callable[[str], Any] | None = field(default=None, init=False)  # a job by its id, once it was found

    def __post_init__(self) -> None:
        self.client = client_of(self.device)

    @property
    def finds_jobs(self) -> bool:
        """Whether jobs are billed, and the vendor's client can find them by their ids."""
        return self._retriever is not None

    @property
    def _retriever(self) -> Callable[[str], Any] | None:
        """The function that finds a job by its id, which is looked up once; None if there is none.

        Raises:
            BackendError: if the vendor cannot be reached, so that it is not known: jobs would be paid for twice.
        """
        if self.bills and self._retrieves is None:
            try:
                with self.silence():  # a property may ask the network
                    self._retrieves = retriever_of(self.device, self.is_answer)
            except Exception as error:
                raise BackendError(
                    f"{self.name} cannot be reached ({type(error).__name__}), and nothing is known of its jobs"
                ) from None
        return self._retrieves

    @property
    def title(self) -> str:
        """The name of the machine, for messages; samplers have none of their own."""
        return self.name

    @property
    def packages(self) -> tuple[str, ...]:
        """The packages that could get an order of bits or angles wrong: the vendor's is one of them."""
        return super().packages if self.package is None else (*super().packages, self.package)

    def submit(self, request: Request, tags: Sequence[str], execution_limit: int) -> VendorJob:
        """Submit a job; the vendor's client knows neither tags nor limits."""
        with self.silence():
            return self.client.submit(request.pubs, request.shots, request.seed)

    def bits_of(self, result: Any, request: Request) -> list[Bits]:
        """The bits of each PUB in a job's result; refused if they are not those that were asked for."""
        with self.silence():
            return self.client.bits(result, request.pubs, request.shots)

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Pass warnings of the vendor's client on, each once, as warnings of this package.

        Those of a machine that bills and its log lines are suppressed, as they can hold account data, and so are
        warnings for developers. What the client prints goes to the standard error.
        """
        logs = silent((*LOGS, type(self.device).__module__.partition(".")[0])) if self.bills else nullcontext()
        with redirect_stdout(sys.stderr), logs, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("ignore" if self.bills else "always")
            for category in FOR_DEVELOPERS:
                warnings.simplefilter("ignore", category)
            yield
        for words in dict.fromkeys(_in_words(one.message) for one in caught):
            if words not in self._heard:
                self._heard.add(words)
                warnings.warn(QhnWarning(f"{self.name} warns: {words}"), stacklevel=2)

    def is_answer(self, error: BaseException) -> bool:
        """Whether an exception comes neither of the network nor of a torn answer, which clients raise errors of.

        What else a vendor's exception means is not known.
        """
        if isinstance(error, EndedBadly):
            return True
        cause = error.__cause__ if isinstance(error, Unanswered) and error.__cause__ is not None else error
        status = self.status_of(cause)
        if status is not None:
            return status in (404, 410)
        return not any(isinstance(one, NO_ANSWER) for one in causes(cause))

    def has_ended(self, job_id: str | None, kind: Kind, error: BaseException) -> bool:
        """Whether a failure means that nothing more comes of a job, so that it may be submitted again.

        What a vendor's exception means is not known, so that the job's own state decides, once it was accepted. Before
        that, only an error over what was asked says that it was not.
        """
        if kind is Kind.UNREADABLE:
            return True
        if job_id is None:
            return isinstance(error, (TypeError, ValueError, JobError)) and not isinstance(error, OSError)
        return self.state_if_known(job_id) in ("ERROR", "CANCELLED")

    def complaint(self, job: str, kind: Kind, error: BaseException, *, may_answer: bool) -> str:
        """The message about a job that failed; a machine that bills has its own words for account data left out."""
        if isinstance(error, EndedBadly | Unanswered) and error.__cause__ is not None:
            error = error.__cause__
        is_told = not self.bills or isinstance(error, QhnError)
        words = _in_words(error) if is_told else ""
        found = f"{self.name}: {job} did not end well ({type(error).__name__}{': ' * bool(words)}{words})"
        if may_answer and self.finds_jobs:
            found += "; qhn resume asks for it again, and qhn resume --resubmit pays for another if it is lost"
        elif self.bills and kind is Kind.TRANSIENT and job.startswith("the job of"):  # no id of it is known
            found += "; it may go on at the vendor all the same, see your account before you go on with qhn resume"
        return found

    def remember(self, job: Any) -> str:
        """Remember a job that was just submitted, and return its id, or one made here if it tells none of its own."""
        job_id = ""
        with contextlib.suppress(Exception), self.silence():  # it was accepted, and is waited for all the same
            job_id = str(job.job_id())
        if not job_id or job_id in self._ids:
            job_id = f"{NAMELESS}{secrets.token_hex(6)}"
        self._ids.add(job_id)
        self._known[job_id] = job
        return job_id

    def _retrieved(self, job_id: str) -> VendorJob:
        """The job of the given id, or the jobs of several ids joined by commas."""
        retrieve = self._retriever
        if retrieve is None:
            raise LookupError(f"the client cannot read the job {job_id}")
        return VendorJob([retrieve(one) for one in ids_of([job_id])])

    def wait(self, job_id: str) -> None:
        """Wait until a job has ended, if it can be found again; the vendor's client waits itself for other ones.

        It waits as well for a job in a state of which nobody here knows what it means.
        """
        if not self.finds_jobs:
            return
        intervals = pauses(1.5)
        while (state := self.state(job_id)) in GOING:
            self.terms.tell(f"{job_id} {state.lower()}")
            self.pause(next(intervals))

    def result(self, job_id: str) -> Any:
        """The result of a job that has ended; the job is forgotten, since its client may hold the result for good.

        Raises:
            EndedBadly: if it has failed or was cancelled, as its state tells.
            Unanswered: if its result could not be had, but may be later.
        """
        try:
            found = self.ask(lambda: self.job(job_id).result())
        except Exception as error:
            if not self.finds_jobs:  # nobody finds the job again
                raise
            if self.state_if_known(job_id) in ("ERROR", "CANCELLED"):
                raise EndedBadly from error
            raise Unanswered from error
        del self._known[job_id]
        return found

    def asked_bill(self, job_id: str) -> None:
        """None: no vendor but IBM bills QPU seconds."""

    def ask(self, question: Callable[[], Answer]) -> Answer:
        """Put a question to the vendor's client once, and return the answer."""
        with self.silence():
            return question()

    def renew(self) -> None:
        """Leave the connection as it is: the vendor's client renews its own."""


def _in_words(text: object) -> str:
    """A text of the vendor's client as a part of one line."""
    return in_line(" ".join(str(text).split()), MAX_WORDS)


def retriever_of(device: Any, is_answer: Callable[[Exception], bool]) -> Callable[[str], Any] | None:
    """The function by which a vendor's client returns a job by its id; None if it has none.

    It is ``retrieve_job`` or ``job`` of the backend or sampler, or of its backend, provider or service.

    Args:
        device: the vendor's backend or sampler.
        is_answer: function that tells whether an exception says more than that the vendor cannot be reached.

    Raises:
        Exception: if a property of the client raised one over a vendor that cannot be reached.
    """
    if (own := _method_of(device)) is not None:
        return own
    owners = [device]
    for name in ("backend", "provider", "service"):
        try:
            owners += [getattr(owner, name) for owner in owners[:2] if getattr(owner, name, None) is not None]
        except Exception as error:
            if not is_answer(error):
                raise
    return next((found for owner in owners[1:] if (found := _method_of(owner)) is not None), None)


def _method_of(owner: Any) -> Callable[[str], Any] | None:
    """The method of an object that returns a job by its id; None if it has none."""
    methods = (getattr(owner, name, None) for name in RETRIEVERS)
    return next((method for method in methods if callable(method)), None)
