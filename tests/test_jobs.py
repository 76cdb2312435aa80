"""Exactly one job for one request, through the installed client and a stand-in of the service that fails."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qhn.ansatz import product_state
from qhn.backend import BackendError, DeviceSettings, jobs
from qhn.backend.ibm import DeviceSampler, open_device
from qhn.durable import Journal
from qhn.seeds import Key
from service import Service

KEY = Key(1, run="r")
THETAS = np.array([[0.4, 1.2, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]])


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(jobs, "LONGEST_PAUSE", 0.1)


def sampler(folder: Path) -> DeviceSampler:
    """As a new process would open it."""
    return open_device("ibm_manila", DeviceSettings(), Journal(folder / "jobs.jsonl")).compile(product_state(2))


@pytest.fixture
def quiet(service: Service, tmp_path: Path) -> np.ndarray:
    """Bits of a run without faults; the stand-in measures the same for the same request."""
    (tmp_path / "quiet").mkdir()
    bits = sampler(tmp_path / "quiet").sample(THETAS, 200, Key(1, run="quiet")).bits
    assert [job.status for job in service.jobs.values()] == ["Completed"]
    return bits


def of_run(service: Service) -> list[str]:
    """States of the jobs of the run, but for the quiet one's."""
    return [job.status for job in service.jobs.values() if KEY.tag in job.tags]


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
        service.conditions.queue_seconds = 1.0
    machine = sampler(tmp_path)
    service.fault(kind, **options)
    samples = machine.sample(THETAS, 200, KEY)
    np.testing.assert_array_equal(samples.bits, quiet)
    assert sorted(of_run(service)) == sorted(states)
    (job_id,) = samples.job_ids
    events = [entry["event"] for entry in Journal(tmp_path / "jobs.jsonl").entries()]
    assert events[0] == "intent"
    assert events[-1] == "done"
    assert job_id in {job.job_id for job in service.jobs.values()}


def test_a_job_whose_process_died_is_adopted_by_the_next(
    service: Service, quiet: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the intent, after the submission, or while it waits: the job is the same, and the bits are."""

    def die(*words: object) -> None:
        raise KeyboardInterrupt

    for place in ("_wait", "_only"):
        folder = tmp_path / place
        folder.mkdir()
        key = Key(1, run=f"r{place}")
        with monkeypatch.context() as patched:
            patched.setattr(jobs.Jobs, place, die)
            with pytest.raises(KeyboardInterrupt):
                sampler(folder).sample(THETAS, 200, key)
        samples = sampler(folder).sample(THETAS, 200, key)
        np.testing.assert_array_equal(samples.bits, quiet)
        assert [job.status for job in service.jobs.values() if key.tag in job.tags] == ["Completed"]
        events = [entry["event"] for entry in Journal(folder / "jobs.jsonl").entries()]
        assert events == ["intent", "submitted", "adopted", "done"]


@pytest.mark.parametrize("fault", ["fail", "cancel", "overtime"])
def test_a_job_that_ends_badly_says_so_and_is_submitted_again_on_resume(
    fault: str, service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    service.fault(fault)
    with pytest.raises(BackendError, match=r"the job qhn:r:0:0 did not end well .*; the job failed on the service"):
        sampler(tmp_path).sample(THETAS, 200, KEY)
    samples = sampler(tmp_path).sample(THETAS, 200, KEY)
    np.testing.assert_array_equal(samples.bits, quiet)
    assert len(of_run(service)) == 2
    events = [entry["event"] for entry in Journal(tmp_path / "jobs.jsonl").entries()]
    assert events == ["intent", "submitted", "failed", "intent", "submitted", "done"]


def test_nothing_secret_is_in_what_is_written(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    service.fault("answer", on="POST jobs", status=400)
    with pytest.raises(BackendError, match="the service refused the job") as caught:
        sampler(tmp_path).sample(THETAS, 200, KEY)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) + str(caught.value).encode()
    for secret in (service.environment["QISKIT_IBM_TOKEN"], service.environment["QISKIT_IBM_INSTANCE"], "127.0.0.1"):
        assert secret.encode() not in written


def test_a_bill_that_is_not_yet_known_is_not_0(service: Service, tmp_path: Path) -> None:
    service.conditions.billing_seconds = 60.0
    assert sampler(tmp_path).sample(THETAS, 200, KEY).qpu_seconds is None
    service.conditions.billing_seconds = 0.0
    assert sampler(tmp_path).sample(THETAS, 200, Key(1, run="other")).qpu_seconds == pytest.approx(2.1, abs=0.1)


def test_an_outage_is_no_unknown_device(service: Service) -> None:
    service.fault("answer", on="GET *", status=503, seconds=60)
    with pytest.raises(BackendError):
        open_device("ibm_manila", DeviceSettings()).compile(product_state(2))
    service.faults.clear()
    with pytest.raises(ValueError, match="the account does not reach a device 'ibm_mars'"):
        open_device("ibm_mars", DeviceSettings())
