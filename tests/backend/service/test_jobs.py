"""Exactly one job for one request, through the installed client and a stand-in of the service that fails."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from manila import KEY, THETAS, billed, events, machine, of_run, sampler, spent
from qhn.backend import BackendError, DeviceSettings
from qhn.backend.device import price as qpu_time
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.ibm.device import open_device
from qhn.backend.journal import Journal
from qhn.backend.service import jobs
from qhn.backend.terms import BudgetExceeded, Conduct, Detached, Remaining
from qhn.circuit.hypernetwork import product_state
from qhn.seeds import Key
from service import Job, Service

pytestmark = pytest.mark.usefixtures("short_pauses", "without_self_test")


@pytest.mark.parametrize(
    ("fault", "states"),
    [
        (("accept", {"on": "POST jobs", "status": 502}), ["Completed", "Completed"]),
        (("accept", {"on": "POST jobs", "status": 502, "queue": True}), ["Cancelled", "Completed"]),
        (("drop", {"on": "POST jobs"}), ["Completed"]),
        (("answer", {"on": "GET jobs/*", "status": 503, "times": 5}), ["Completed"]),
        (("truncate", {"on": "GET jobs/*/results"}), ["Completed"]),
    ],
)
def test_a_fault_of_the_network_costs_nothing_but_time(
    fault: tuple[str, dict[str, object]], states: list[str], service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    kind, options = fault
    if options.pop("queue", False):
        service.conditions.queue_looks = 5
    tested = sampler(tmp_path)
    service.fault(kind, **options)
    samples = tested.sample(THETAS, 200, KEY)
    np.testing.assert_array_equal(samples.bits, quiet)
    assert sorted(of_run(service)) == sorted(states)
    (job_id,) = samples.job_ids
    assert (events(tmp_path)[0], events(tmp_path)[-1]) == ("intent", "done")
    assert job_id in service.jobs
    machine(tmp_path).settle()
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))


def test_a_job_whose_process_died_is_adopted_by_the_next(
    service: Service, quiet: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the intent, after the submission, or while it waits: the job is the same, and the bits are."""

    def die(*words: object) -> None:
        raise KeyboardInterrupt

    places = ((IbmConnection, "wait", ["submitted"]), (jobs.Jobs, "_only", ["submitted"]), (jobs.Jobs, "_known_as", []))
    for owner, place, noted in places:
        key = Key(1, run=f"r{place}")
        with monkeypatch.context() as patched:
            patched.setattr(owner, place, die)
            with pytest.raises(KeyboardInterrupt):
                sampler(tmp_path).sample(THETAS, 200, key)
        samples = sampler(tmp_path).sample(THETAS, 200, key)
        np.testing.assert_array_equal(samples.bits, quiet)
        assert [job.status for job in service.jobs.values() if key.tag in job.tags] == ["Completed"]
        assert events(tmp_path, key.tag) == ["intent", *noted, "adopted", "done"]


@pytest.mark.parametrize("fault", ["fail", "cancel", "overtime"])
def test_a_job_that_ends_badly_says_so_and_is_submitted_again_on_resume(
    fault: str, service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    service.fault(fault)
    said = r"the job job000000 of qhn:r:0:0 did not end well .*; it (failed on|was cancelled|ran into its limit)"
    with pytest.raises(BackendError, match=said):
        sampler(tmp_path).sample(THETAS, 200, KEY)
    samples = sampler(tmp_path).sample(THETAS, 200, KEY)
    np.testing.assert_array_equal(samples.bits, quiet)
    assert len(of_run(service)) == 2
    assert events(tmp_path) == ["intent", "submitted", "failed", "intent", "submitted", "done"]
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))


def test_of_several_jobs_of_a_step_one_may_fail(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are one batch; what is there is kept, and only the failed one is submitted again."""
    monkeypatch.setattr(qpu_time, "MAX_EXECUTIONS", 400)
    thetas = np.linspace(0, 3, 24).reshape(6, 4)
    service.fault("fail")
    with pytest.raises(BackendError, match="the job job000000 of qhn:r:0:0:0 did not end well"):
        sampler(tmp_path).sample(thetas, 200, KEY)
    samples = sampler(tmp_path).sample(thetas, 200, KEY)
    ran = [job for job in service.jobs.values() if job.tags[0].startswith(KEY.tag)]
    assert [job.status for job in ran] == ["Failed", "Completed", "Completed", "Completed"]
    assert len({job.request.get("session_id") for job in ran[:3]}) == 1
    assert [session["mode"] for session in service.sessions.values()] == ["batch"]  # the one job more needs none
    assert samples.job_ids == (ran[3].job_id, ran[1].job_id, ran[2].job_id)
    machine(tmp_path).settle()
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))
    again = sampler(tmp_path)  # as after a crash before the caller kept the samples
    again.jobs.terms.conduct = Conduct(detach=True)
    np.testing.assert_array_equal(again.sample(thetas, 200, KEY).bits, samples.bits)
    whole = sampler(tmp_path).sample(thetas[2:4], 200, Key(1, run="alone"))
    np.testing.assert_array_equal(whole.bits, samples.bits[2:4])


def test_runs_of_one_configuration_do_not_take_each_other_s_jobs(service: Service, tmp_path: Path) -> None:
    """Not even if their tags and digests are the same; a copy of a record, however, is the same run."""
    first, second, copy = (tmp_path / name for name in ("first", "second", "copy"))
    for folder in (first, second):
        folder.mkdir()
        sampler(folder).sample(THETAS, 200, KEY)
    assert len(of_run(service)) == 2
    shutil.copytree(first, copy)
    sampler(first).sample(THETAS, 200, Key(1, run="r", step=1))
    adopted = sampler(copy).sample(THETAS, 200, Key(1, run="r", step=1))
    assert events(copy, "qhn:r:1:0") == ["adopted", "done"]
    assert adopted.job_ids == (list(service.jobs)[-1],)


@pytest.mark.parametrize("queue", [0.0, 3600.0])
def test_a_double_that_the_service_lists_late_is_found(
    queue: float, service: Service, quiet: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if it returns tags in another order than they were sent in."""
    monkeypatch.setattr(Job, "tags", property(lambda job: sorted(job.request["tags"])))
    tested = sampler(tmp_path)
    service.conditions.listing_seconds, service.conditions.queue_seconds = 3600.0, queue
    tested.jobs.terms.conduct = Conduct(detach=True)
    service.fault("accept", on="POST jobs", status=502)
    with contextlib.suppress(Detached):
        tested.sample(THETAS, 200, KEY)
    assert "duplicate" not in events(tmp_path)
    tested.jobs.reconcile()
    assert "duplicate" not in events(tmp_path)
    service.conditions.listing_seconds = 0.0
    tested.jobs.reconcile()
    assert events(tmp_path).count("duplicate") == 1
    assert sorted(of_run(service)) == (["Cancelled", "Queued"] if queue else ["Completed", "Completed"])
    service.conditions.queue_seconds = 0.0
    np.testing.assert_array_equal(tested.sample(THETAS, 200, KEY).bits, quiet)
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))
    tested.jobs.reconcile()
    assert events(tmp_path).count("duplicate") == 1


def test_a_job_that_is_in_the_journal_need_not_be_listed_to_be_adopted(
    service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    service.conditions.listing_seconds, service.conditions.queue_looks = 3600.0, 5
    first = sampler(tmp_path)
    first.jobs.terms.conduct = Conduct(detach=True)
    with pytest.raises(Detached):
        first.sample(THETAS, 200, KEY)
    np.testing.assert_array_equal(sampler(tmp_path).sample(THETAS, 200, KEY).bits, quiet)
    assert of_run(service) == ["Completed"]
    assert events(tmp_path) == ["intent", "submitted", "adopted", "done"]


def test_a_job_of_other_qubits_is_given_up(service: Service, tmp_path: Path) -> None:
    """After a crash the device was calibrated anew: the job that waits measures something else, and counts as lost."""
    first = machine(tmp_path, qubits=((0, 1),)).compile(product_state(2))
    service.conditions.queue_seconds = 3600.0
    first.jobs.terms.conduct = Conduct(detach=True)
    with pytest.raises(Detached):
        first.sample(THETAS, 200, KEY)
    service.conditions.queue_seconds = 0.0
    service.jobs["job000000"].created += 3600.0  # it still waits
    second = machine(tmp_path, qubits=((2, 3),)).compile(product_state(2))
    second.jobs.terms.left = lambda: Remaining(jobs=0)
    with pytest.raises(BudgetExceeded, match=r"takes up to 1, and 0 of train\.max_jobs remain"):
        second.sample(THETAS, 200, KEY)
    second.jobs.terms.left = Remaining
    second.sample(THETAS, 200, KEY)
    assert of_run(service) == ["Cancelled", "Completed"]
    second.jobs.settle()
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))


def test_a_job_that_failed_while_nobody_watched_is_told(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    """Detached it is not submitted a third time; attached it is."""
    service.conditions.queue_seconds = 3600.0
    service.fault("fail", times=2)
    for _ in range(2):
        first = sampler(tmp_path)
        first.jobs.terms.conduct = Conduct(detach=True)
        with pytest.raises(Detached):
            first.sample(THETAS, 200, KEY)
        service.conditions.queue_seconds = 0.0
        service.settle()
        with pytest.raises(BackendError, match=r"of qhn:r:0:0 did not end well .* it failed on the service"):
            first.sample(THETAS, 200, KEY)
        service.conditions.queue_seconds = 3600.0
    with pytest.raises(BackendError, match=r"qhn:r:0:0 failed 2 times; .* without --detach, tries once more"):
        first.sample(THETAS, 200, KEY)
    service.conditions.queue_seconds = 0.0
    np.testing.assert_array_equal(sampler(tmp_path).sample(THETAS, 200, KEY).bits, quiet)
    assert events(tmp_path).count("failed") == 2
    assert "duplicate" not in events(tmp_path)


def test_a_job_of_a_copy_of_the_record_is_left_alone(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    sampler(here).sample(THETAS, 200, KEY)
    shutil.copytree(here, there)
    service.conditions.queue_seconds = 3600.0
    waits = sampler(there)
    waits.jobs.terms.conduct = Conduct(detach=True)
    with pytest.raises(Detached):
        waits.sample(THETAS, 200, Key(1, run="r", step=1))
    machine(here).reconcile()
    assert list(service.jobs.values())[-1].status == "Queued"


def test_a_bill_that_is_not_yet_known_is_not_0(service: Service, tmp_path: Path) -> None:
    service.conditions.billing_seconds = 3600.0
    assert sampler(tmp_path).sample(THETAS, 200, KEY).qpu_seconds is None
    service.conditions.billing_seconds = 0.0
    assert sampler(tmp_path).sample(THETAS, 200, Key(1, run="other")).qpu_seconds == pytest.approx(2.1, abs=0.1)


def test_an_outage_is_no_unknown_device(service: Service) -> None:
    service.fault("answer", on="GET *", status=503, seconds=3600)
    with pytest.raises(BackendError):
        open_device("ibm_manila", DeviceSettings()).compile(product_state(2))
    service.faults.clear()
    with pytest.raises(ValueError, match="the account does not reach a device 'ibm_mars'"):
        open_device("ibm_mars", DeviceSettings())


def test_a_job_that_is_not_listed_yet_is_waited_for(
    service: Service, quiet: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process died after it had submitted the job and before it knew its id; the next one begins at once."""

    def die(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(jobs.Jobs, "_known_as", die)
        with pytest.raises(KeyboardInterrupt):
            sampler(tmp_path).sample(THETAS, 200, KEY)
    service.conditions.listing_seconds = 3600.0
    monkeypatch.setattr(jobs, "LISTING_DELAY", 3600.0)
    waited: list[float] = []
    (intent,) = Journal(tmp_path / "jobs.jsonl").history().of_tag(KEY.tag)
    written = intent.written
    assert written is not None
    monkeypatch.setattr(jobs, "time", SimpleNamespace(time=lambda: written + 1000.0))

    def pause(seconds: float) -> None:
        waited.append(seconds)
        service.conditions.listing_seconds = 0.0

    later = sampler(tmp_path)
    later.jobs.connection.pause = pause
    np.testing.assert_array_equal(later.sample(THETAS, 200, KEY).bits, quiet)
    assert of_run(service) == ["Completed"]
    assert waited == [2600.0]


def test_a_device_that_is_not_described_while_a_job_is_sent_is_asked_again(
    service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    tested = sampler(tmp_path)
    service.fault("answer", on="GET backends/*", status=503, times=6)
    np.testing.assert_array_equal(tested.sample(THETAS, 200, KEY).bits, quiet)
    assert of_run(service) == ["Completed"]


@pytest.mark.parametrize("was_noted", [False, True])
def test_a_job_whose_result_is_gone_is_measured_again_where_the_user_says_so(
    was_noted: bool, service: Service, tmp_path: Path
) -> None:
    """The service still lists it, as completed; it is not taken for the one to read a second time."""
    sampler(tmp_path).sample(THETAS, 200, KEY)  # as before a crash: nobody kept the samples
    service.fault("answer", on="GET jobs/job000000/results", status=404, times=1000)
    if was_noted:
        with pytest.raises(BackendError, match="the job job000000 of qhn:r:0:0 did not end well"):
            sampler(tmp_path).sample(THETAS, 200, KEY)
    told: list[str] = []
    again = sampler(tmp_path)
    again.jobs.terms.conduct, again.jobs.terms.tell = Conduct(resubmit=True), told.append
    assert again.sample(THETAS, 200, KEY).job_ids == ("job000001",)
    assert ["measured, and paid for, once more" in words for words in told] == [True]
    assert of_run(service) == ["Completed", "Completed"]
    for conduct in (Conduct(), Conduct(resubmit=True)):  # and not once more
        kept = sampler(tmp_path)
        kept.jobs.terms.conduct = conduct
        assert kept.sample(THETAS, 200, KEY).job_ids == ("job000001",)
    assert len(of_run(service)) == 2


def test_a_job_that_is_on_its_way_or_there_is_kept_where_the_user_asks_for_another(
    service: Service, tmp_path: Path
) -> None:
    service.conditions.queue_seconds = 3600.0
    detached = sampler(tmp_path)
    detached.jobs.terms.conduct = Conduct(detach=True, resubmit=True)
    for _ in range(2):
        with pytest.raises(Detached):
            detached.sample(THETAS, 200, KEY)
    service.conditions.queue_seconds = 0.0
    assert detached.sample(THETAS, 200, KEY).job_ids == ("job000000",)
    assert of_run(service) == ["Completed"]
