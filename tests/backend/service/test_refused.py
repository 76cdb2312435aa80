"""Jobs and questions that a service refuses for now, for the budget or for good, and takes later."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from manila import KEY, THETAS, billed, events, of_run, sampler, spent
from qhn.backend import BackendError
from qhn.backend.device import price as qpu_time
from qhn.backend.sampler import QuotaError
from qhn.backend.terms import BudgetExceeded, Conduct, Detached, Remaining
from qhn.seeds import Key
from service import Job, Service
from service.connection import Refusal

pytestmark = pytest.mark.usefixtures("short_pauses", "without_self_test")


def test_a_token_that_is_no_longer_taken_is_asked_for_anew(
    service: Service, quiet: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tested = sampler(tmp_path)
    service.fault("expire")  # before a job is sent
    np.testing.assert_array_equal(tested.sample(THETAS, 200, KEY).bits, quiet)
    service.conditions.queue_looks = 5
    tested.jobs.terms.tell = lambda words: service.fault("expire") if "queued" in words else None  # and while it waits
    np.testing.assert_array_equal(tested.sample(THETAS, 200, Key(1, run="r", step=1)).bits, quiet)
    assert of_run(service) == ["Completed"]
    monkeypatch.setattr(service, "check_token", partial(refuse, 401))
    with pytest.raises(BackendError, match="the service refused the account; check its token"):
        tested.sample(THETAS, 200, Key(1, run="r", step=2))


def refuse(status: int, authorization: str) -> None:
    raise Refusal(status, "no")


def test_a_full_queue_is_waited_for(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    service.conditions.pending_limit, service.conditions.queue_seconds = 1, 3600.0
    ahead = sampler(tmp_path)
    ahead.jobs.terms.conduct = Conduct(detach=True)
    with pytest.raises(Detached) as left:
        ahead.sample(THETAS, 200, Key(1, run="ahead"))
    assert len(left.value.job_ids) == 1
    with pytest.raises(Detached) as left:
        ahead.sample(THETAS, 200, KEY)
    assert left.value.job_ids == ()
    heard: list[str] = []

    def listen(words: str) -> None:
        heard.append(words)
        service.conditions.queue_seconds = 0.0

    ahead.jobs.terms.conduct, ahead.jobs.terms.tell = Conduct(), listen
    np.testing.assert_array_equal(ahead.sample(THETAS, 200, KEY).bits, quiet)
    assert heard[0] == "as many jobs wait as the account's plan allows"
    assert of_run(service) == ["Completed"]


@pytest.mark.parametrize(
    ("remaining", "execution_limit"), [(None, 5), (100.0, 5), (4.7, 4), (3.0, 3), (2.9, None), (-1.0, None)]
)  # of a job of 2.1 s, in whole seconds: at most what remains, or twice its price
def test_a_job_is_ended_before_it_exceeds_the_budget(
    remaining: float | None, execution_limit: int | None, service: Service, tmp_path: Path
) -> None:
    tested = sampler(tmp_path)
    tested.jobs.terms.left = lambda: Remaining(math.inf if remaining is None else remaining)
    if execution_limit is None:
        with pytest.raises(BudgetExceeded):
            tested.sample(THETAS, 200, KEY)
        assert not of_run(service)
        assert not events(tmp_path)
        return
    tested.sample(THETAS, 200, KEY)
    request = list(service.jobs.values())[-1].request
    assert request["cost"] == execution_limit
    assert request.get("private", False) is False


def test_a_limit_of_submissions_is_waited_out_as_long_as_the_service_asks(
    service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    """Seven jobs at five a minute: none is sent twice, none is given up, and each wait is told once."""
    service.conditions.rate_limit = 5
    service.clock.stop()
    told: list[str] = []
    waited: list[float] = []

    def pause(seconds: float) -> None:
        waited.append(seconds)
        service.clock.advance(seconds)

    tested = sampler(tmp_path)
    tested.jobs.connection.pause = pause
    tested.jobs.terms.tell = told.append
    service.requests.clear()
    for step in range(7):
        tested.sample(THETAS, 200, Key(1, run="r", step=step))
        service.clock.advance(3)
    assert len(service.jobs) == 7
    assert {job.status for job in service.jobs.values()} == {"Completed"}
    assert service.requests["POST jobs"] == 7 + len(waited)
    assert waited == [60 - 5 * 3]
    assert [words for words in told if words.startswith("the service takes no more requests now")] == told
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))


@pytest.mark.parametrize("refusal", [{"status": 429}, {"status": 400, "code": 3458}])
def test_a_job_that_was_taken_before_the_refusal_is_not_sent_again(
    refusal: dict[str, int], service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    """The client repeats a request that is answered with 502, although the job was accepted; then it is refused."""
    tested = sampler(tmp_path)
    service.fault("accept", on="POST jobs", status=502)
    service.fault("answer", on="POST jobs", **refusal)
    np.testing.assert_array_equal(tested.sample(THETAS, 200, KEY).bits, quiet)
    assert of_run(service) == ["Completed"]
    assert events(tmp_path) == ["intent", "adopted", "done"]


@pytest.mark.parametrize("on", ["POST jobs", "GET jobs/*", "GET jobs", "POST sessions", "GET instances/*"])
def test_questions_are_limited_too(on: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qpu_time, "MAX_EXECUTIONS", 400)  # two jobs, in a batch
    tested = sampler(tmp_path)
    service.fault("answer", on=on, status=429, times=7)  # the client itself does not repeat it without a Retry-After
    assert len(tested.sample(np.linspace(0, 3, 16).reshape(4, 4), 200, KEY).job_ids) == 2
    assert len(service.jobs) == 2


def test_a_wait_beyond_all_patience_is_not_begun(service: Service, tmp_path: Path) -> None:
    tested = sampler(tmp_path)
    service.fault("answer", on="POST jobs", status=429, retry_after="7200")
    with pytest.raises(BackendError, match="takes no more requests for now; qhn resume goes on where it was"):
        tested.sample(THETAS, 200, KEY)
    assert events(tmp_path) == ["intent", "out of reach"]


@pytest.mark.parametrize("status", [400, 401, 403, 429])
def test_a_spent_quota_is_told_as_such_as_often_as_it_is_met(status: int, service: Service, tmp_path: Path) -> None:
    """A detached run that met it goes on by itself in the next period."""
    tested = sampler(tmp_path)
    tested.jobs.terms.conduct = Conduct(detach=True)
    for _ in range(3):
        service.fault("answer", on="POST jobs", status=status, code=4317)
        with pytest.raises(QuotaError, match="ibm_manila: the account has no QPU seconds left in this period"):
            tested.sample(THETAS, 200, KEY)
    assert not service.jobs
    assert service.requests["POST jobs"] == 3
    tested.sample(THETAS, 200, KEY)
    assert of_run(service) == ["Completed"]


@pytest.mark.parametrize("status", ["Failed", "Cancelled"])
def test_a_job_that_the_quota_ended_is_told_as_such(
    status: str, service: Service, quiet: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Job, "run", lambda job, *_, **__: job.end(status, "no time is left", 4317))
        for _ in range(3):
            with pytest.raises(QuotaError):
                sampler(tmp_path).sample(THETAS, 200, KEY)
    later = sampler(tmp_path)
    later.jobs.terms.conduct = Conduct(detach=True)
    np.testing.assert_array_equal(later.sample(THETAS, 200, KEY).bits, quiet)
    assert len(of_run(service)) == 4
