"""One job for one request, whatever is interrupted: the network, the service, or this process.

A request is named by its tag, ``qhn:<run>:<step>:<evaluation>``, by a digest of what it measures, and by the name of
the run's directory, the record. The journal notes the intent before the job is submitted, and all three names are tags
of the job. Before a job is submitted the service is asked for one that has these tags: a job that was accepted although
no answer came back, although this process died, or that a copy of the record submitted elsewhere, is adopted instead of
paid for twice. If there are several, all but one are cancelled while they queue, and noted with their bills once they
run. Waiting survives an outage of the service.

What differs between services, and what the exceptions of a client mean, is asked of the connection
(:mod:`qhn.backend.service.connection`).
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from qhn.backend.events import UNSAID, Entry, Event
from qhn.backend.history import MISSING, History, KnownJob
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError, PlanError, QuotaError
from qhn.backend.service.bills import Bills
from qhn.backend.service.connection import FINAL, RENEWALS, WAITING, Connection
from qhn.backend.service.failure import Classify, Kind, kind_at_reading
from qhn.backend.service.limits import execution_limits
from qhn.backend.service.request import RECORD_TAG, REQUEST_TAG, Request
from qhn.backend.terms import BudgetExceeded, Detached, Terms

Result = TypeVar("Result")
LISTING_DELAY = 10.0  # seconds until a job whose answer was lost must be among those with its tag
FULL_QUEUE_PAUSE = 30.0  # seconds until a job is sent again that the plan did not allow to wait
TOO_MANY_FAILURES = 2  # failures of a request after which a detached run no longer tries; or of reading a result
ATTEMPTS = 4  # to submit a job that the service does not know of


@dataclass
class Jobs:
    """The jobs of a run on one device: submits requests and waits for their results.

    Attributes:
        connection: connection to the device and its service.
        journal: journal in which intents, ids and outcomes are noted; None to note nothing.
    """

    connection: Connection
    journal: Journal | None
    _bills: Bills = field(init=False)

    def __post_init__(self) -> None:
        self._bills = Bills(self.connection, self.journal)

    @property
    def terms(self) -> Terms:
        """The conditions under which jobs are submitted and waited for."""
        return self.connection.terms

    def run(self, requests: Sequence[Request], read: Callable[[int, Any, str, float | None], Result]) -> list[Result]:
        """Submit the requests, wait for their jobs, and read the results.

        Several requests are submitted together, as a batch, before the first is waited for. Each result is read as soon
        as it is there, so that the failure of another job loses nothing.

        Args:
            requests: requests, one for each job.
            read: function called with the number of a request, its job's result, the job's id and the QPU seconds
                billed, None if they are not known yet.

        Returns:
            The value that ``read`` returned for each request, in order.

        Raises:
            BackendError: if a job failed, or its state cannot be learnt. The journal has the id of each accepted
                job.
            QuotaError: if the service takes or ends no job because the account has no QPU seconds left.
            Detached: if jobs are not to be waited for, and one has not ended.
            BudgetExceeded: if what is left of the budget does not allow the jobs that are yet to be submitted.
        """
        job_ids = self._begun(requests)
        if requests and self.terms.conduct.detach and self.connection.finds_jobs:
            with self._failure_of(requests[0]):
                going = [job_id for job_id in job_ids if self.connection.state(job_id) not in FINAL]
            if going:
                raise Detached(going)
        found = []
        for number, (request, job_id) in enumerate(zip(requests, job_ids, strict=True)):
            with self._failure_of(request, job_id):
                self.connection.wait(job_id)
                result = self.connection.result(job_id)
            billed = self._bills.of_ended(job_id)
            with self._failure_of(request, job_id, kind_at_reading):
                found.append(read(number, result, job_id, billed))
            self._note(Entry(Event.DONE, tag=request.tag, job_id=job_id, qpu_seconds=billed))
        self.connection.note_session()
        return found

    def reconcile(self) -> None:
        """Note jobs of the record that were submitted twice unnoticed, cancel those that wait, and read all bills.

        Jobs that the service listed too late to be found earlier are found here. A job of a request for which the
        journal knows no other job is left alone: it may be adopted, here or by a copy of the record. The bills are
        those of :meth:`settle`, with those of the last 28 days again.
        """
        if not self.connection.finds_jobs or self.journal is None:
            return
        history = self.journal.history()
        noted = history.jobs()
        served = {job.tag for job in noted.values() if not job.is_lost}
        for job_id, tag in self._listed_of_record(history.record).items():
            intent = history.intent(tag) if tag in served and job_id not in noted else None
            if intent is not None:
                self._note(replace(intent, event=Event.DUPLICATE, job_id=job_id, record=None))
                self._cancel_if_waiting(tag, job_id)
        self._bills.settle(again=True)

    def _listed_of_record(self, name: str | None) -> dict[str, str]:
        """The request tags of all jobs that the service lists for a record, by id; empty if it does not answer."""
        if name is None:
            return {}
        listed = self.connection.listed_if_known(f"{RECORD_TAG}{name}")
        named = {job_id: [tag for tag in tags if tag.startswith(REQUEST_TAG)] for job_id, tags in listed.items()}
        return {job_id: tags[0] for job_id, tags in named.items() if tags}

    def settle(self) -> None:
        """Write bills of jobs and sessions that have become known to the service into the journal.

        A service that does not answer leaves the journal as it is.
        """
        self._bills.settle()

    def close(self) -> None:
        """End the session, if there is one."""
        self.connection.close()

    # ------------------------------------------------------------ submitting

    def _begun(self, requests: Sequence[Request]) -> list[str]:
        """Ids of the jobs of all requests: existing jobs where there are any, otherwise new ones."""
        found: dict[int, str] = {}
        for number, request in enumerate(requests):
            self._check_failures(request)
            with self._failure_of(request):
                if self.terms.conduct.resubmit:
                    self._drop_missing(request)
                job_id = self._adopted(request)
                if job_id is None and (delay := self._listing_delay(request)):
                    self.connection.pause(delay)
                    job_id = self._adopted(request)
                if job_id is not None:
                    found[number] = job_id
        missing = [number for number in range(len(requests)) if number not in found]
        limits = execution_limits([requests[number] for number in missing], self.terms)
        with contextlib.ExitStack() as stack:
            if missing:
                with self._failure_of(requests[missing[0]]):
                    stack.enter_context(self.connection.together(len(missing)))
            for number, limit in zip(missing, limits, strict=True):
                with self._failure_of(requests[number], kind=self.connection.kind_at_submission):
                    found[number] = self._submitted(requests[number], limit)
        return [found[number] for number in range(len(requests))]

    def _check_failures(self, request: Request) -> None:
        """Refuse to submit a request again that failed repeatedly while nobody was watching.

        Raises:
            BackendError: if the run is detached and the request has failed too often.
        """
        own = self._history().of_tag(request.tag) if self.terms.conduct.detach else []
        failures = sum(one.event is Event.FAILED and one.kind != Kind.QUOTA.name.lower() for one in own)
        if failures >= TOO_MANY_FAILURES:
            raise BackendError(
                f"{self.connection.title}: {request.tag} failed {failures} times; qhn jobs names its jobs, and "
                "qhn resume, without --detach, tries once more"
            )

    def _listing_delay(self, request: Request) -> float:
        """Seconds until the service lists a job that another process may have submitted just before it died.

        Where jobs are not found by their tags, the user is told of such a job instead.
        """
        own = self._history().of_tag(request.tag)
        if not self.connection.finds_by_tag:
            self._tell_of_lost(request, own)
            return 0.0
        if not own or own[-1].event is not Event.INTENT:
            return 0.0
        written = own[-1].written
        passed = 0.0 if written is None else max(0.0, time.time() - written)  # a clock may have been ahead
        return max(0.0, LISTING_DELAY - passed)

    def _tell_of_lost(self, request: Request, own: Sequence[Entry]) -> None:
        """Say that a job of an earlier process may be paid for without its bits, as nothing finds it again."""
        lost = [] if self.connection.finds_jobs else self._noted(request)
        if lost:
            self.terms.tell(
                f"the client cannot read the job {lost[-1]} of an earlier process; it is submitted once more"
            )
        elif own and own[-1].event in (Event.INTENT, Event.OUT_OF_REACH) and own[-1].job_id is None:
            self.terms.tell(f"{request.tag} may have been accepted, although no answer came back; see your account")

    def _adopted(self, request: Request) -> str | None:
        """The id of a job that the service already has for the request and may give a result; None without one."""
        if not self.connection.finds_jobs:
            return None
        chosen = self._chosen(request)
        if chosen is not None:
            self._note(request.entry(Event.ADOPTED, job_id=chosen))
        elif ended := self._noted(request):
            self._refuse_what_failed(request, ended[-1])
        return chosen

    def _drop_missing(self, request: Request) -> None:
        """Note jobs that the service no longer has, or has no result of, as failed, so that a new one is submitted.

        One that still waits or runs is kept, and so is one of which a service that cannot be reached tells nothing.
        Where jobs are found by their tags, one that gave no result before is asked for, too: it would be found again.

        Raises:
            BackendError: if the service cannot be reached.
        """
        if not self.connection.finds_jobs:
            return
        for job_id, job in self._own(request).items():
            is_found_again = self.connection.finds_by_tag and job.event is Event.FAILED and not job.is_missing
            if job.is_lost and not is_found_again:
                continue
            with self._failure_of(request, job_id):
                error = self.connection.missing(job_id)
            if error is None:
                continue
            self._note(Entry(Event.FAILED, tag=request.tag, job_id=job_id, error=type(error).__name__, kind=MISSING))
            self.terms.tell(
                f"{self.connection.title} has no result of the job {job_id} ({type(error).__name__}); it is measured, "
                "and paid for, once more"
            )

    def _noted(self, request: Request) -> list[str]:
        """Ids of the request's jobs that may still give a result according to the journal."""
        return [job_id for job_id, job in self._own(request).items() if not job.is_lost]

    def _own(self, request: Request) -> dict[str, KnownJob]:
        """The jobs of the request according to the journal, by id."""
        noted, same = self._history().jobs(), (request.tag, request.digest)
        return {job_id: job for job_id, job in noted.items() if (job.tag, job.digest) == same}

    def _refuse_what_failed(self, request: Request, job_id: str) -> None:
        """Report how a job failed while nobody was watching, so that nobody pays for another one unknowingly.

        Raises:
            BackendError: if the job failed.
        """
        with self._failure_of(request, job_id):
            self.connection.result(job_id)

    def _chosen(self, request: Request, own: str | None = None) -> str | None:
        """The id of the most advanced job among those with the request's tags and ``own``; None if there is none.

        All other jobs are noted as duplicates, and cancelled if they still wait.
        """
        if not self.connection.finds_jobs or self.journal is None:
            return own
        tags, noted = set(self._tags(request)), self.journal.history().jobs()
        job_ids = {job_id for job_id, own_tags in self.connection.listed(request.tag).items() if tags <= set(own_tags)}
        job_ids |= {*self._noted(request), *([own] if own else [])}  # the list may lag
        states = {job_id: self._state(request, job_id) for job_id in sorted(job_ids)}
        lost = {job_id for job_id, job in noted.items() if job.is_lost}
        hopeless = {job_id for job_id, job in noted.items() if job.is_missing or job.failures >= TOO_MANY_FAILURES}
        alive = [one for one, state in states.items() if state not in ("ERROR", "CANCELLED") and one not in hopeless]
        order = {job_id: (states[job_id] != "DONE", states[job_id] in WAITING, job_id in lost) for job_id in alive}
        chosen = min(alive, key=order.__getitem__, default=None)
        other = {job_id for job_id, job in noted.items() if job.tag == request.tag and job.digest != request.digest}
        for job_id in sorted((job_ids if chosen else job_ids - noted.keys() - {own}) | other - lost):
            if job_id != chosen:
                self._give_up(request, job_id, is_noted=job_id in lost)
        return chosen

    def _state(self, request: Request, job_id: str) -> str:
        with self._failure_of(request, job_id):
            return self.connection.state(job_id)

    def _submitted(self, request: Request, execution_limit: int) -> str:
        """Submit a new job and return its id; if no answer came back, the id of the job that was accepted nevertheless.

        Args:
            request: request that the job serves.
            execution_limit: QPU seconds after which the service ends the job.
        """
        self._note(request.entry(Event.INTENT, record=None if self.journal is None else self.journal.name))
        failures, waited = 0, 0.0
        while True:
            try:
                job = self.connection.submit(request, self._tags(request), execution_limit)
            except Exception as error:
                failure = error  # left before the service is asked anew, whose errors are none of this one
            else:
                return self._only(request, self._known_as(request, job))
            kind = self.connection.kind_at_submission(failure)
            if not self.connection.finds_by_tag:  # it may have been accepted
                raise failure
            if kind is Kind.BUSY:
                if self.terms.conduct.detach:
                    raise Detached([])
                self.terms.tell("as many jobs wait as the account's plan allows")
                self.connection.pause(FULL_QUEUE_PAUSE)
            elif kind is Kind.RATE_LIMITED:
                waited += self.connection.wait_out(failure, LISTING_DELAY, waited)
            else:
                failures += 1
                if failures < ATTEMPTS and self.connection.is_session_closed(failure):
                    self.connection.reopen()
                    continue
                if kind is Kind.AUTHENTICATION and failures < RENEWALS:
                    self.connection.reconnect()
                elif not self.connection.is_odd(failure) and (kind is not Kind.TRANSIENT or failures >= ATTEMPTS):
                    raise failure
                self.connection.pause(LISTING_DELAY)
            # the client itself repeats a request: one that was accepted may have been refused the second time
            if (found := self._adopted(request)) is not None:
                return found
            if kind is Kind.FATAL:
                raise failure

    def _known_as(self, request: Request, job: Any) -> str:
        """The id of a job that was just submitted, after it was noted in the journal."""
        job_id = self.connection.remember(job)
        self._note(request.entry(Event.SUBMITTED, job_id=job_id, session_id=self.connection.session_id))
        return job_id

    def _only(self, request: Request, job_id: str) -> str:
        """The id of the one job to use among a job and its duplicates: the client submits again after an error."""
        chosen = self._chosen(request, job_id) or job_id
        if chosen != job_id:
            self._note(request.entry(Event.ADOPTED, job_id=chosen))
        return chosen

    def _tags(self, request: Request) -> list[str]:
        """Tags that the request's job carries on the service."""
        return request.tags(None if self.journal is None else self.journal.name)

    def _give_up(self, request: Request, job_id: str, *, is_noted: bool) -> None:
        """Note a job whose bits will not be used, and cancel it if it waits."""
        if not is_noted:
            self._note(request.entry(Event.DUPLICATE, job_id=job_id))
        self._cancel_if_waiting(request.tag, job_id)

    def _cancel_if_waiting(self, tag: str, job_id: str) -> None:
        if self.connection.state_if_known(job_id) in WAITING and self.connection.cancel(job_id):
            self._note(Entry(Event.CANCELLED, tag=tag, job_id=job_id))

    # ------------------------------------------------------------ failing

    @contextlib.contextmanager
    def _failure_of(self, request: Request, job_id: str | None = None, kind: Classify | None = None) -> Iterator[None]:
        """Turn exceptions of the client into a BackendError, and note the failure in the journal."""
        try:
            yield
        except (Detached, BudgetExceeded, PlanError, BackendError):
            raise
        except Exception as error:
            found = (kind or self.connection.kind_of)(error)
            ended = self.connection.has_ended(job_id, found, error)
            entry = Entry(
                Event.FAILED if ended else Event.OUT_OF_REACH,
                tag=request.tag,
                job_id=job_id,
                qpu_seconds=self.connection.bill(job_id) if job_id and ended else UNSAID,
                error=type(error).__name__,
                kind=found.name.lower(),
                status=self.connection.status_of(error),
                codes=sorted(self.connection.codes_of(error)) or None,
            )
            self._note(entry)
            if found is Kind.QUOTA:
                raise QuotaError(f"{self.connection.title}: {found.value}") from None
            job = f"the job of {request.tag}" if job_id is None else f"the job {job_id} of {request.tag}"
            may_answer = job_id is not None and not ended
            raise BackendError(self.connection.complaint(job, found, error, may_answer=may_answer)) from None

    def _note(self, entry: Entry) -> None:
        if self.journal is not None:
            self.journal.append(entry)

    def _history(self) -> History:
        """The history of all entries of the journal so far."""
        return History() if self.journal is None else self.journal.history()
