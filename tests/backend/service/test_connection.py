"""The seam to a service, implemented in a few lines for one that is neither IBM's nor a vendor's of Qiskit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from qiskit import QuantumCircuit

from qhn.backend import BackendError, DeviceSettings, Journal
from qhn.backend.sampler import QuotaError
from qhn.backend.service import jobs as machinery
from qhn.backend.service.connection import RENEWALS, Connection
from qhn.backend.service.failure import Kind
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.request import Request
from qhn.backend.service.submission import Submission, run_all


@dataclass
class Job:
    number: int
    tags: tuple[str, ...]
    bits: np.ndarray
    state: str = "DONE"

    def job_id(self) -> str:
        return f"job{self.number}"

    def status(self) -> str:
        return self.state

    def cancel(self) -> None:
        self.state = "CANCELLED"


class Refused(Exception):
    def __init__(self, status_code: int) -> None:
        self.status_code = status_code


@dataclass
class Hall(Connection):
    """A service whose jobs are a list, which forgets nothing.

    Attributes:
        faults: what the next submissions raise; after ``lost`` of them the job is accepted nevertheless.
        renewed: number of renewals.
    """

    faults: list[Exception] = field(default_factory=list)
    lost: bool = False
    renewed: int = 0

    @property
    def finds_jobs(self) -> bool:
        return True

    @property
    def finds_by_tag(self) -> bool:
        return True

    @property
    def title(self) -> str:
        return "hall"

    def submit(self, request: Request, tags: Sequence[str], execution_limit: int) -> Job:
        if self.faults and not self.lost:
            raise self.faults.pop()
        bits = np.zeros((request.rows, request.shots, 2), dtype=np.uint8)
        self.device.append(Job(len(self.device), tuple(tags), bits))
        if self.faults:
            raise self.faults.pop()
        return self.device[-1]

    def bits_of(self, result: Any, request: Request) -> list[np.ndarray]:
        return list(result)

    def _retrieved(self, job_id: str) -> Job:
        return self.device[int(job_id.removeprefix("job"))]

    def listed(self, tag: str) -> dict[str, tuple[str, ...]]:
        return {job.job_id(): job.tags for job in self.device if tag in job.tags}

    def listed_if_known(self, tag: str) -> dict[str, tuple[str, ...]]:
        return self.listed(tag)

    def wait(self, job_id: str) -> None: ...

    def result(self, job_id: str) -> np.ndarray:
        return self.job(job_id).bits

    def asked_bill(self, job_id: str) -> float:
        return 1.5

    def renew(self) -> None:
        self.renewed += 1

    def kind_of(self, error: BaseException) -> Kind:
        return Kind.QUOTA if self.status_of(error) == 402 else super().kind_of(error)


@pytest.fixture
def hall(tmp_path: Path) -> Callable[..., Jobs]:
    """The jobs of a new process, on the same service and record."""
    device: list[Job] = []

    def opened(**facts: Any) -> Jobs:
        return Jobs(Hall(device, pause=lambda seconds: None, **facts), Journal(tmp_path / "jobs.jsonl"))

    return opened


def submission(number: int = 0) -> Submission:
    circuit = QuantumCircuit(2)
    circuit.measure_all()
    request = Request(f"qhn:r:{number}:0", "d", [(circuit,), (circuit,)], 10, DeviceSettings(), 1.0)
    return Submission(request, (2, 10, 2), lambda bits: (np.stack(bits), []))


def events(opened: Jobs) -> list[str]:
    assert opened.journal is not None
    return [entry.event.value for entry in opened.journal.history().of_tag("qhn:r:0:0")]


def test_jobs_need_no_more_of_a_service_than_the_seam(hall: Callable[..., Jobs]) -> None:
    opened = hall()
    (found,) = run_all(opened, [submission()], keep=False)
    assert (found.bits.shape, found.job_id, found.seconds) == ((2, 10, 2), "job0", 1.5)
    assert events(opened) == ["intent", "submitted", "done"]
    opened.reconcile()
    opened.close()
    assert len(opened.connection.device) == 1


def test_a_job_whose_answer_was_lost_is_adopted_by_its_tags(hall: Callable[..., Jobs]) -> None:
    opened = hall(faults=[TimeoutError()], lost=True)
    run_all(opened, [submission()], keep=False)
    assert events(opened) == ["intent", "adopted", "done"]
    run_all(hall(), [submission()], keep=False)
    assert events(opened) == ["intent", "adopted", "done", "adopted", "done"]
    assert len(opened.connection.device) == 1


def test_a_double_is_cancelled_while_it_waits(hall: Callable[..., Jobs]) -> None:
    opened = hall()
    run_all(opened, [submission()], keep=False)
    device = opened.connection.device
    device.append(Job(1, device[0].tags, device[0].bits, "QUEUED"))
    opened.reconcile()
    assert (events(opened)[-3:], device[1].state) == (["duplicate", "cancelled", "billed"], "CANCELLED")


@pytest.mark.parametrize(
    ("error", "raised", "event"),
    [
        (ValueError("two"), BackendError, "failed"),  # the client has checked the job, and sent nothing
        (Refused(404), BackendError, "failed"),
        (Refused(402), QuotaError, "out of reach"),
    ],
)
def test_what_an_exception_means_is_asked_of_the_connection(
    error: Exception, raised: type[Exception], event: str, hall: Callable[..., Jobs]
) -> None:
    opened = hall(faults=[error])
    with pytest.raises(raised, match=f"hall: .*{'' if raised is QuotaError else type(error).__name__}"):
        run_all(opened, [submission()], keep=False)
    assert events(opened) == ["intent", event]
    run_all(opened, [submission()], keep=False)
    assert len(opened.connection.device) == 1


def test_a_service_that_is_overloaded_is_sent_the_job_again(hall: Callable[..., Jobs]) -> None:
    told: list[str] = []
    opened = hall(faults=[TimeoutError(), Refused(503), Refused(429), Refused(401)])
    opened.terms.tell = told.append
    run_all(opened, [submission()], keep=False)
    assert events(opened) == ["intent", "submitted", "done"]
    assert told == [f"the service takes no more requests now; it is asked again in {machinery.LISTING_DELAY:.0f} s"]
    assert opened.connection.renewed == 1


@pytest.mark.parametrize(("status", "asked"), [(429, 5), (503, 5), (401, 1 + RENEWALS), (400, 1)])
def test_a_question_is_put_again_if_that_can_help(status: int, asked: int) -> None:
    waited: list[float] = []
    connection = Hall([], patience=10.0, pause=waited.append)
    questions = []

    def question() -> None:
        questions.append(status)
        raise Refused(status)

    with pytest.raises(Refused):
        connection.ask(question)
    assert len(questions) == asked
    assert waited == [1.0, 2.0, 4.0, 8.0][: asked - 1]
    assert connection.renewed == (RENEWALS if status == 401 else 0)


@pytest.mark.parametrize(("error", "is_answer"), [(Refused(404), True), (Refused(503), False), (KeyError("id"), False)])
def test_only_what_the_service_says_tells_that_it_lost_a_job(error: Exception, is_answer: bool) -> None:
    connection = Hall([Job(0, (), np.zeros(0))], patience=0.0)
    assert connection.missing("job0") is None
    connection.device[0].status = Mock(side_effect=error)
    if is_answer:
        assert connection.missing("job0") is error
    else:
        with pytest.raises(type(error)):
            connection.missing("job0")
