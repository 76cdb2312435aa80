"""The stand-in of the IBM service, and what the installed client makes of its faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import requests
from qiskit import QuantumCircuit
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime import Batch, QiskitRuntimeService, Session
from qiskit_ibm_runtime.accounts.exceptions import InvalidAccountError
from qiskit_ibm_runtime.api.exceptions import RequestsApiError
from qiskit_ibm_runtime.exceptions import (
    IBMError,
    IBMInputValueError,
    IBMNotAuthorizedError,
    IBMRuntimeError,
    RuntimeInvalidStateError,
    RuntimeJobFailureError,
    RuntimeJobMaxTimeoutError,
    RuntimeJobTimeoutError,
)
from qiskit_ibm_runtime.executor_sampler import Sampler

import reference
from qhn import bitstrings
from qhn.backend import DeviceSettings
from qhn.backend.ibm.device import open_device
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.seeds import Key
from service import CRN, Service

TAG = "qhn:r:0:0"


def submit(client: QiskitRuntimeService, **options: object):
    """A small job: qubit 0 of three is 1."""
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.measure_all()
    environment = {"environment": {"job_tags": [TAG]}}
    return Sampler(mode=client.backend("ibm_jakarta"), options=environment | options).run([circuit], shots=50)


def ones(result: object) -> list[float]:
    return result[0].data.meas.to_bool_array(order="little").mean(axis=0).round().tolist()


# ------------------------------------------------------------------------------------------------ when all is well


def test_the_client_finds_devices_as_they_are_stored(service: Service) -> None:
    client = QiskitRuntimeService()
    assert [device.name for device in client.backends()] == ["ibm_jakarta", "ibm_manila"]
    assert client.instances()[0]["plan"] == "open"
    device, stored = client.backend("ibm_jakarta"), service.devices["ibm_jakarta"]
    assert device.status().operational
    assert device.status().status_msg == "active"
    assert device.target.operation_names == stored.target.operation_names
    assert device.target["cx"][0, 1].error == stored.target["cx"][0, 1].error
    assert device.properties().readout_error(3) == stored.properties().readout_error(3)
    assert device.default_rep_delay == stored.configuration().default_rep_delay
    assert client.usage()["usage_remaining_seconds"] == 600
    assert not (Path(os.environ["HOME"]) / ".qiskit").exists()


def test_tiles_and_calibration_measure_what_they_should(service: Service) -> None:
    shots, ansatz = 2000, hypernetwork(3, 1)
    thetas = np.random.default_rng(1).uniform(0, 6, (7, ansatz.num_parameters))
    sampler = open_device("ibm_jakarta", DeviceSettings(tiles=2, calibrate=True)).compile(ansatz)
    samples = sampler.sample(thetas, shots, Key(1, run="r"), 7)
    for bits, angles in zip(samples.bits, thetas, strict=True):
        exact = reference.probabilities(reference.literal_circuit(3, 1, "eq5", angles))
        counts = np.bincount(bitstrings.to_integers(bits), minlength=8)
        assert 0.5 * np.abs(counts / shots - exact).sum() < 0.15
    assert samples.readout_counts is not None
    assert (samples.readout_counts.rates > 0).all()
    assert (samples.readout_counts.rates < 0.1).all()
    executions = (5 + 2) * shots
    assert samples.qpu_seconds == pytest.approx(2 + executions * (250e-6 + sampler.placement.duration), rel=1e-3)
    client = QiskitRuntimeService()
    assert client.usage()["usage_consumed_seconds"] == service.usage
    test, job = service.jobs.values()
    assert (test.tags[0], job.seconds) == ("qhn:r:test:0", samples.qpu_seconds)
    found = client.jobs(job_tags=[TAG], limit=None)
    assert [job.job_id() for job in found] == list(samples.job_ids) == [job.job_id]
    again = client.job(samples.job_ids[0]).result()
    assert again[0].data.meas.num_bits == 6
    assert again[0].data.meas.to_bool_array().shape == (5, shots, 6)


def test_a_program_has_the_same_bits_whoever_sends_it(service: Service) -> None:
    thetas = np.full((2, 4), np.pi / 2)
    first, again, other = (
        open_device("ibm_manila", DeviceSettings()).compile(product_state(2)).sample(angles, 300, Key(step)).bits
        for step, angles in enumerate((thetas, thetas, thetas + 0.01))
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])


def test_twirled_and_decoupled_programs_run(service: Service) -> None:
    settings = DeviceSettings(twirling=True, dynamical_decoupling="XpXm", rep_delay=200e-6)
    theta = np.zeros((2, 6))
    theta[1, 1] = np.pi
    sampler = open_device("ibm_jakarta", settings).compile(product_state(3))
    samples = sampler.sample(theta, 1000, Key(1))
    assert samples.bits.shape == (2, 1024, 3)
    assert samples.bits.mean(axis=1).round().tolist() == [[0, 0, 0], [0, 1, 0]]
    assert samples.qpu_seconds == pytest.approx(2 + 2 * 1024 * 200e-6, rel=0.05)


# --------------------------------------------------------------------------------------------- while jobs are sent


def test_a_job_that_is_accepted_and_then_answered_with_502_is_there_twice(service: Service) -> None:
    service.fault("accept", on="POST jobs", status=502)
    assert ones(submit(QiskitRuntimeService()).result()) == [1, 0, 0]
    assert service.counters()["tags"] == {TAG: 2}
    assert service.counters()["requests"]["POST jobs"] == 2
    first, second = service.jobs.values()
    assert json.loads(first.result)["data"] == json.loads(second.result)["data"]


def test_a_job_that_is_always_answered_with_502_is_there_six_times(service: Service) -> None:
    client = QiskitRuntimeService()
    service.fault("accept", on="POST jobs", times=6, status=502)
    with pytest.raises(IBMRuntimeError, match="too many 502"):
        submit(client)
    assert service.counters()["tags"] == {TAG: 6}
    assert {job.status() for job in client.jobs(job_tags=[TAG])} == {"DONE"}


def test_a_job_that_is_answered_with_503_at_once_is_not_there(service: Service) -> None:
    client = QiskitRuntimeService()
    service.fault("answer", on="POST jobs", times=6, status=503)
    with pytest.raises(IBMRuntimeError, match="too many 503"):
        submit(client)
    assert client.jobs(job_tags=[TAG]) == []


def test_half_an_answer_to_a_job_leaves_an_orphan(service: Service) -> None:
    client = QiskitRuntimeService()
    service.fault("truncate", on="POST jobs")
    with pytest.raises(requests.exceptions.JSONDecodeError):
        submit(client)
    assert len(client.jobs(job_tags=[TAG])) == 1


def test_a_job_whose_answer_is_lost_is_an_orphan_that_its_tag_finds(service: Service) -> None:
    client = QiskitRuntimeService()
    service.fault("drop", on="POST jobs")
    with pytest.raises((IBMError, requests.RequestException)):
        submit(client)
    (orphan,) = QiskitRuntimeService().jobs(job_tags=[TAG])
    assert orphan.status() == "DONE"
    assert orphan.result()[0].data.meas.num_shots == 50


def test_a_refused_job_is_not_there(service: Service) -> None:
    client = QiskitRuntimeService()
    service.conditions.pending_limit, service.conditions.queue_seconds = 1, 3600
    waiting = submit(client)
    with pytest.raises(IBMRuntimeError, match="3458"):
        submit(client)
    waiting.cancel()
    submit(client)
    assert [job.status for job in service.jobs.values()] == ["Cancelled", "Queued"]


def test_beyond_the_limit_of_usage_the_client_warns_and_the_job_waits(service: Service) -> None:
    service.conditions.usage_before = 600
    client = QiskitRuntimeService()
    assert client.usage()["usage_remaining_seconds"] == 0
    with pytest.warns(UserWarning, match="met its usage limit"):
        job = submit(client)
    assert job.status() == "QUEUED"
    service.conditions.usage_limit = 700
    assert job.status() == "DONE"
    assert job.usage() == pytest.approx(2, rel=0.02)


def test_the_usage_of_a_job_is_0_until_it_is_known(service: Service) -> None:
    service.conditions.billing_seconds = 3600
    job = submit(QiskitRuntimeService())
    assert job.status() == "DONE"
    assert job.usage() == 0 < job.usage(partial=True)
    service.conditions.billing_seconds = 0
    assert job.usage() == service.usage > 2


def test_what_a_job_bills_that_does_not_complete(service: Service) -> None:
    service.conditions.job_seconds, service.conditions.queue_seconds = 3.0, 3600
    client = QiskitRuntimeService()
    queued, running = submit(client), submit(client)
    queued.cancel()
    service.conditions.queue_seconds, service.conditions.run_seconds = 0, 3600
    assert running.status() == "RUNNING"
    running.cancel()
    service.conditions.run_seconds = 0
    service.fault("fail")
    failed = submit(client)
    assert [job.usage() for job in (queued, running, failed)] == [0, 3, 3]
    assert ["running" in job.metrics()["timestamps"] for job in (queued, running, failed)] == [False, True, True]


def test_a_job_may_be_listed_later_than_it_is_known(service: Service) -> None:
    service.conditions.listing_seconds = 3600
    client = QiskitRuntimeService()
    job = submit(client)
    assert client.jobs(job_tags=[TAG], limit=None) == []
    assert client.job(job.job_id()).status() == "DONE"
    service.conditions.listing_seconds = 0
    assert [found.job_id() for found in client.jobs(job_tags=[TAG], limit=None)] == [job.job_id()]


def test_a_device_that_is_internal_keeps_jobs(service: Service) -> None:
    service.conditions.status = "internal"
    client = QiskitRuntimeService()
    with pytest.warns(UserWarning, match="status of internal"):
        job = submit(client)
    assert job.status() == "QUEUED"
    service.conditions.status = "off"
    assert not client.backend("ibm_jakarta").status().operational


def test_a_circuit_off_the_target_is_only_refused_after_the_queue(service: Service) -> None:
    circuit = QuantumCircuit(5)
    circuit.cx(0, 4)
    circuit.measure_all()
    job = Sampler(mode=QiskitRuntimeService().backend("ibm_jakarta")).run([circuit], shots=5)
    with pytest.raises(RuntimeJobFailureError, match="not an ISA circuit: The instruction cx"):
        job.result()
    assert job.usage() == 0


# ------------------------------------------------------------------------------------------------ while jobs are run


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        ("fail", RuntimeJobFailureError, "ERROR"),
        ("cancel", RuntimeInvalidStateError, "CANCELLED"),
        ("overtime", RuntimeJobMaxTimeoutError, "ERROR"),
    ],
)
def test_jobs_end_in_other_ways(fault: str, error: type[Exception], status: str, service: Service) -> None:
    service.fault(fault)
    client = QiskitRuntimeService()
    job = submit(client)
    with pytest.raises(error):
        job.result()
    assert job.status() == client.jobs(job_tags=[TAG])[0].status() == status
    assert ones(submit(client).result()) == [1, 0, 0]  # it happens once
    assert issubclass(error, IBMError) == (fault != "fail")


def test_a_job_longer_than_its_limit_is_billed_up_to_it(service: Service) -> None:
    job = submit(QiskitRuntimeService(), max_execution_time=1)
    with pytest.raises(RuntimeJobMaxTimeoutError, match="1305"):
        job.result()
    assert job.usage() == service.usage == 1


def test_a_job_waits_runs_and_is_done(service: Service) -> None:
    client = QiskitRuntimeService()
    service.conditions.queue_seconds = service.conditions.run_seconds = 3600
    job = submit(client)
    assert (job.status(), job.usage()) == ("QUEUED", 0)
    with pytest.raises(RuntimeJobTimeoutError):
        job.result(timeout=0.1, poll_interval=0.1)
    service.conditions.queue_seconds = 0
    assert job.status() == "RUNNING"
    service.conditions.run_seconds = 0
    assert job.status() == "DONE"
    with pytest.raises(RuntimeInvalidStateError, match="cannot be cancelled"):
        job.cancel()


# --------------------------------------------------------------------------------------------- while one waits for it


def test_refused_connections_are_an_error_and_the_job_is_there_later(service: Service) -> None:
    client = QiskitRuntimeService()
    job = submit(client)
    service.fault("refuse")
    with pytest.raises(RequestsApiError, match="Connection refused"):
        job.result()
    service.listen()
    assert ones(job.result()) == [1, 0, 0]
    assert len(service.jobs) == 1


def test_answers_of_5xx_are_tried_six_times(service: Service) -> None:
    client = QiskitRuntimeService()
    job = submit(client)
    service.fault("answer", on="GET jobs/*", times=5, status=503)
    assert ones(job.result()) == [1, 0, 0]
    service.fault("answer", on="GET jobs/*", seconds=3600, status=503)
    with pytest.raises(IBMRuntimeError, match="too many 503"):
        client.job(job.job_id()).result()
    service.faults.clear()
    assert ones(client.job(job.job_id()).result()) == [1, 0, 0]


def test_a_timeout_does_not_end_a_request_that_hangs(service: Service) -> None:
    job = submit(QiskitRuntimeService())
    service.fault("hang", on=f"GET jobs/{job.job_id()}", seconds=0.4)
    start = time.monotonic()
    assert ones(job.result(timeout=0.1)) == [1, 0, 0]
    assert time.monotonic() - start >= 0.4


def test_a_dropped_question_is_asked_again(service: Service) -> None:
    job = submit(QiskitRuntimeService())
    service.fault("drop", on="GET jobs/*", times=3)
    assert ones(job.result()) == [1, 0, 0]


def test_a_job_is_cancelled_although_the_answer_is_lost(service: Service) -> None:
    service.conditions.queue_seconds = 3600
    job = submit(QiskitRuntimeService())
    service.fault("drop", on="POST jobs/*/cancel")
    with pytest.raises(IBMRuntimeError, match="Failed to cancel"):
        job.cancel()
    assert job.status() == "CANCELLED"
    assert service.usage == 0


def test_half_a_result_is_a_type_error(service: Service) -> None:
    job = submit(QiskitRuntimeService())
    service.fault("truncate", on="GET jobs/*/results")
    with pytest.raises(TypeError):
        job.result()
    assert ones(job.result()) == [1, 0, 0]


# ------------------------------------------------------------------------------------------------ accounts and tokens


def test_a_search_that_is_out_of_order_looks_like_a_bad_key(service: Service) -> None:
    service.fault("answer", on="POST v3/resources/search", status=503)
    with pytest.raises(InvalidAccountError, match="check that you are using a valid API token"):
        QiskitRuntimeService()
    QiskitRuntimeService()


def test_a_list_of_devices_that_is_out_of_order_looks_like_an_unknown_device(service: Service) -> None:
    service.fault("answer", on="GET backends", times=12, status=503)
    client = QiskitRuntimeService()  # tries six times, and is content without devices
    with pytest.raises(QiskitBackendNotFoundError):
        client.backend("ibm_jakarta")
    assert client.backend("ibm_jakarta").name == "ibm_jakarta"


def test_results_can_be_had_while_the_device_cannot_be_described(service: Service) -> None:
    job_id = submit(QiskitRuntimeService()).job_id()
    service.fault("answer", on="GET backends/*", seconds=3600, status=503)
    client = QiskitRuntimeService()
    with pytest.raises(QiskitBackendNotFoundError):
        client.backend("ibm_jakarta")
    assert ones(client.job(job_id).result()) == [1, 0, 0]


def test_a_wrong_instance_is_refused(service: Service) -> None:
    with pytest.raises(IBMInputValueError, match="does not have access"):
        QiskitRuntimeService(instance=CRN.replace("stand-in", "elsewhere"))


def test_an_expired_token_is_refused_and_a_new_client_gets_a_new_one(service: Service) -> None:
    client = QiskitRuntimeService()
    service.fault("expire")
    with pytest.raises(IBMNotAuthorizedError):
        client.usage()
    assert QiskitRuntimeService().usage()["usage_limit_seconds"] == 600


def test_without_tokens_the_client_sends_the_key_itself(service: Service) -> None:
    service.conditions.token_seconds = 5  # the client takes a token that expires within 10 s for expired
    client = QiskitRuntimeService()
    service.fault("answer", on="POST identity/token", status=503)
    with pytest.warns(UserWarning, match="API Key will be used instead"):
        client.usage()
    assert service.raw_keys == 1


def test_a_session_that_the_service_closes_looks_open(service: Service) -> None:
    client = QiskitRuntimeService()
    session = Session(client.backend("ibm_jakarta"))
    circuit = QuantumCircuit(1)
    circuit.measure_all()
    assert Sampler(mode=session).run([circuit], shots=5).result()[0].data.meas.num_shots == 5
    assert Session.from_id(session.session_id, client).details()["mode"] == "dedicated"
    service.sessions[session.session_id] |= {"accepting_jobs": False, "state": "closed"}
    assert session._active
    with pytest.raises(IBMRuntimeError, match="1217"):
        Sampler(mode=session).run([circuit], shots=5)
    session.close()
    with Batch(client.backend("ibm_jakarta")) as batch:
        job = Sampler(mode=batch).run([circuit], shots=5)
    assert client.jobs(session_id=batch.session_id)[0].job_id() == job.job_id()


# --------------------------------------------------------------------------------------------------- other processes


def test_faults_can_be_ordered_from_elsewhere(service: Service) -> None:
    def control(body: dict[str, object]) -> dict[str, object]:
        with urllib.request.urlopen(f"{service.url}/control", json.dumps(body).encode()) as answer:
            return json.load(answer)

    control({"fault": {"kind": "fail"}, "conditions": {"token_seconds": 100}})
    client = QiskitRuntimeService()
    with pytest.raises(RuntimeJobFailureError):
        submit(client).result()
    assert service.conditions.token_seconds == 100
    for wrong in ({"fault": {"kind": "explode"}}, {"conditions": {"weather": 1}}):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            control(wrong)
    with pytest.raises(ValueError, match="no fault 'explode'"):
        service.fault("explode")
    counters = control({})
    assert (counters["status"], counters["tags"], counters["seconds"]) == ({"Failed": 1}, {TAG: 1}, 2)


def test_it_serves_in_the_foreground(monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "tests.service", "fake_manila"]
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True) as process:
        lines = [process.stdout.readline().strip() for _ in range(10)]
        url = lines[-1].split()[-1]
        with urllib.request.urlopen(url) as answer:
            assert json.load(answer)["status"] == {}
        process.terminate()
    assert f"export QISKIT_IBM_INSTANCE={CRN}" in lines


def test_the_clock_goes_by_itself_stands_still_and_is_moved_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever becomes of the clock of the machine, a job waits as long as it was told to."""
    service.conditions.queue_seconds = 100.0
    job = submit(QiskitRuntimeService())
    began = service.clock.now()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: began + 1e6)
        service.settle()
    (known,) = service.jobs.values()
    assert known.status == "Queued"
    service.clock.stop()
    service.clock.advance(known.created + 98.0 - service.clock.now())
    assert service.clock.now() == known.created + 98.0
    assert job.status() == "QUEUED"
    service.clock.advance(3.0)
    assert ones(job.result()) == [1, 0, 0]
    assert known.ended == service.clock.now()
