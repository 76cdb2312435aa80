"""Bound circuits on a QPU, through the installed client and a stand-in of the service."""

from __future__ import annotations

import dataclasses
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import UnitaryGate
from qiskit.quantum_info import random_unitary

from qhn.backend import BackendError, DeviceSettings, open_backend
from qhn.backend.device import bound_placement, price
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.ibm.device import Device, open_device
from qhn.backend.journal import Journal
from qhn.backend.service import connection, jobs, tested
from qhn.backend.service.selftest import BOUND, known_bits
from qhn.backend.terms import BudgetExceeded, Conduct, Detached, Remaining
from qhn.circuit.hypernetwork import product_state
from qhn.seeds import Key
from service import Service

KEY = Key(1, run="r")
SHOTS = 2000


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)
    monkeypatch.setattr(jobs, "FULL_QUEUE_PAUSE", 0.1)


def machine(folder: Path, **settings: object) -> Device:
    """As a new process would open it."""
    return open_device("ibm_manila", DeviceSettings(**settings), Journal(folder / "jobs.jsonl"))


def untested(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tested, "is_due", lambda self_tests: False)


def asymmetric(flipped: int = 0) -> QuantumCircuit:
    """Of three qubits one is 1; qubit 2 is measured into bit 0, qubit 0 into bit 1, and qubit 1 into bit 2."""
    circuit = QuantumCircuit(3, 3)
    circuit.x(flipped)
    circuit.measure([2, 0, 1], [0, 1, 2])
    return circuit


def solver() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.append(UnitaryGate(random_unitary(8, seed=1)), range(3))
    circuit.measure_all()
    return circuit


def events(folder: Path, tag: str = KEY.tag) -> list[str]:
    return [entry.event for entry in Journal(folder / "jobs.jsonl").history().of_tag(tag)]


def tags(service: Service) -> list[str]:
    return [job.tags[0] for job in service.jobs.values()]


def test_bits_are_those_of_the_circuits_in_the_order_of_classical_bits(service: Service, tmp_path: Path) -> None:
    samples = machine(tmp_path).measure([asymmetric(0), asymmetric(1), asymmetric(2)], 400, KEY)
    assert samples.bits.shape == (3, 400, 3)
    assert (samples.bits.mean(axis=1) > 0.5).tolist() == [
        [False, True, False],
        [False, False, True],
        [True, False, False],
    ]
    assert tags(service) == ["qhn:r:test:0", KEY.tag]
    assert samples.job_ids == ("job000001",)
    assert samples.qpu_seconds == service.jobs["job000001"].seconds
    (test,) = Journal(tmp_path / "jobs.jsonl").history().self_tests()
    assert (test.complaint, test.circuit) == (None, BOUND)


def test_the_device_measures_what_its_rehearsal_does(service: Service, tmp_path: Path) -> None:
    samples = machine(tmp_path).measure([solver()], SHOTS, KEY)
    rehearsed = open_backend("fake_manila").measure([solver()], SHOTS, KEY)
    found, other = (np.bincount(one.bits[0] @ np.array([1, 2, 4]), minlength=8) / SHOTS for one in (samples, rehearsed))
    mean = (found + other) / 2
    assert (np.abs(found - other) <= 5 * np.sqrt(2 * mean * (1 - mean) / SHOTS)).all()


def test_the_price_is_what_the_service_bills_and_limits(service: Service, tmp_path: Path) -> None:
    device = machine(tmp_path)
    told = device.circuit_price([asymmetric(), solver()], SHOTS)
    assert not service.jobs
    samples = device.measure([asymmetric(), solver()], SHOTS, KEY)
    test, job = service.jobs.values()
    assert told.seconds == pytest.approx(job.seconds, rel=1e-3)
    assert told.seconds == pytest.approx(samples.qpu_seconds, rel=1e-3)
    assert told.self_test.seconds == pytest.approx(test.seconds, rel=1e-3)
    assert (told.self_test.jobs, told.self_test.shots, told.jobs) == (1, 400, 1)
    assert told.words().endswith(
        f"1 job, {told.seconds:,.1f} QPU s, and {test.seconds:,.1f} QPU s before for a self-test"
    )
    assert job.request["cost"] == math.ceil(2 * told.seconds)
    assert told.circuits == open_backend("fake_manila").circuit_price([asymmetric(), solver()], SHOTS).circuits
    assert device.circuit_price([asymmetric()], SHOTS).self_test.jobs == 0, "it was passed"


@pytest.mark.parametrize("place", ["wait", "_only", "_known_as"])
def test_a_job_whose_process_died_is_adopted_even_if_it_would_be_compiled_differently_now(
    place: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it waits, after the submission, or before that was noted: nothing is paid for twice."""
    untested(monkeypatch)

    def die(*words: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(IbmConnection if place == "wait" else jobs.Jobs, place, die)
        with pytest.raises(KeyboardInterrupt):
            machine(tmp_path).measure([solver(), asymmetric()], SHOTS, KEY)
    compiled = bound_placement.place_circuit

    def elsewhere(circuit: QuantumCircuit, device: object, chip: object, settings: DeviceSettings) -> object:
        return compiled(circuit, device, chip, dataclasses.replace(settings, qubits=((4, 3, 2),)))

    monkeypatch.setattr(bound_placement, "place_circuit", elsewhere)
    samples = machine(tmp_path).measure([solver(), asymmetric()], SHOTS, KEY)
    assert [job.status for job in service.jobs.values()] == ["Completed"]
    assert samples.bits.shape == (2, SHOTS, 3)
    noted = [] if place == "_known_as" else ["submitted"]
    assert events(tmp_path) == ["intent", *noted, "adopted", "done"]


def test_bits_that_are_kept_are_used_again_without_the_service(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = machine(tmp_path).measure([solver()], SHOTS, KEY)
    before = service.requests["POST jobs"], service.requests["GET jobs/*/results"], service.requests["GET jobs"]
    monkeypatch.setattr(tested, "is_due", lambda self_tests: True)  # nothing is measured, so nothing need be tested
    again = machine(tmp_path).measure([solver()], SHOTS, KEY)
    np.testing.assert_array_equal(again.bits, first.bits)
    assert (again.job_ids, again.qpu_seconds) == (first.job_ids, first.qpu_seconds)
    after = service.requests["POST jobs"], service.requests["GET jobs/*/results"], service.requests["GET jobs"]
    assert after == before


def test_another_circuit_or_number_of_shots_under_the_same_key_is_measured_anew(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untested(monkeypatch)
    for circuit, shots in ((solver(), 200), (asymmetric(), 200), (asymmetric(), 300)):
        assert machine(tmp_path).measure([circuit], shots, KEY).shots == shots
    assert tags(service) == [KEY.tag] * 3


def test_a_request_of_several_jobs_runs_only_those_whose_bits_are_missing(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    untested(monkeypatch)
    monkeypatch.setattr(price, "MAX_EXECUTIONS", 400)
    circuits = [asymmetric(flipped) for flipped in (0, 1, 2, 1, 0)]
    assert machine(tmp_path).circuit_price(circuits, 200).jobs == 3
    service.fault("fail")
    with pytest.raises(BackendError, match="did not end well"):
        machine(tmp_path).measure(circuits, 200, KEY)
    samples = machine(tmp_path).measure(circuits, 200, KEY)
    assert [one.argmax() for one in samples.bits.mean(axis=1)] == [1, 2, 0, 2, 1]
    assert sorted(tags(service)) == sorted([f"{KEY.tag}:{part}" for part in (0, 0, 1, 2)])
    assert len(samples.job_ids) == 3


def test_nothing_is_submitted_that_the_budget_does_not_have(service: Service, tmp_path: Path) -> None:
    device = machine(tmp_path)
    device.terms.left, device.terms.table = lambda: Remaining(seconds=1.0), "machine"
    with pytest.raises(BudgetExceeded, match=r"takes up to 3, and 1.00 of machine.max_qpu_seconds remain"):
        device.measure([solver()], SHOTS, KEY)
    assert not service.jobs


def test_a_detached_request_is_read_later(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untested(monkeypatch)
    service.conditions.queue_looks = 3
    detached = machine(tmp_path)
    detached.terms.conduct = Conduct(detach=True)
    with pytest.raises(Detached) as stopped:
        detached.measure([asymmetric()], 200, KEY)
    assert stopped.value.job_ids == ("job000000",)
    service.conditions.queue_looks = 0
    later = machine(tmp_path)
    later.terms.conduct = Conduct(detach=True)
    assert later.measure([asymmetric()], 200, KEY).job_ids == ("job000000",)


def test_reversed_bits_fail_the_self_test_and_cost_nothing_more(service: Service, tmp_path: Path) -> None:
    service.conditions.reversed_bits = True
    with pytest.raises(BackendError, match=r"did not pass the self-test .*: bits come back in reverse order"):
        machine(tmp_path).measure([solver()], SHOTS, KEY)
    with pytest.raises(BackendError, match="reverse order; with the same versions it is not paid for again"):
        machine(tmp_path).measure([solver()], SHOTS, KEY)
    assert tags(service) == ["qhn:r:test:0"]


def test_a_passed_test_of_angles_counts_for_bound_circuits_and_not_the_other_way_round(
    service: Service, tmp_path: Path
) -> None:
    machine(tmp_path).measure([asymmetric()], 100, KEY)
    machine(tmp_path).compile(product_state(2)).sample(np.zeros((1, 4)), 100, Key(1, run="r", step=1))
    machine(tmp_path).measure([asymmetric()], 100, Key(1, run="r", step=2))
    assert tags(service) == ["qhn:r:test:0", "qhn:r:0:0", "qhn:r:test:1", "qhn:r:1:0", "qhn:r:2:0"]
    (tmp_path / "other").mkdir()
    machine(tmp_path / "other").compile(product_state(2)).sample(np.zeros((1, 4)), 100, Key(1, run="s"))
    machine(tmp_path / "other").measure([asymmetric()], 100, Key(1, run="s", step=1))
    assert tags(service)[5:] == ["qhn:s:test:0", "qhn:s:0:0", "qhn:s:1:0"]


@pytest.mark.parametrize("qubits", [[4], [3, 1], [0, 1, 2, 5, 9, 7], [5, 3, 5, 4], [2, 2], [1, 0, 1]])
def test_known_bits_tell_the_order_wherever_it_can_be_told(qubits: list[int]) -> None:
    rows = known_bits(qubits)
    assert rows.shape == (4, len(qubits))
    for bits in rows:
        assert len({(qubit, bit) for qubit, bit in zip(qubits, bits.tolist(), strict=True)}) == len(set(qubits))
        assert (bits != bits[::-1]).any() == (qubits != qubits[::-1])


def test_a_device_applies_its_settings(service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    untested(monkeypatch)
    device = machine(tmp_path, twirling=True, rep_delay=3e-4, dynamical_decoupling="XX")
    assert device.measure([solver()], 1000, KEY).shots == 1024
    (job,) = service.jobs.values()
    assert job.seconds == pytest.approx(device.circuit_price([solver()], 1000).seconds, rel=1e-2)


def test_what_a_device_cannot_execute_is_refused_before_anything_is_sent(service: Service, tmp_path: Path) -> None:
    many = QuantumCircuit(6)
    many.measure_all()
    with pytest.raises(ValueError, match="ibm_manila has 5 qubits, the circuit needs 6"):
        machine(tmp_path).measure([many], 100, KEY)
    assert not service.jobs


def test_a_device_says_for_the_record_where_it_measures(service: Service, tmp_path: Path) -> None:
    facts = machine(tmp_path, twirling=True).describe_circuits([solver(), asymmetric()])
    assert (facts["name"], facts["method"], facts["mode"], facts["twirling"]) == ("ibm_manila", "qpu", "job", True)
    assert all(sorted(one["used"]) == sorted(one["qubits"]) for one in facts["circuits"])
    assert facts["calibration"]["name"] == "ibm_manila"
    assert not service.jobs


CHILD = """
import sys
from pathlib import Path
sys.path[:0] = sys.argv[2:]
from test_bound import KEY, asymmetric, machine, solver
machine(Path(sys.argv[1])).measure([solver(), asymmetric()], 500, KEY)
"""


def test_a_killed_process_pays_for_nothing_twice(service: Service, tmp_path: Path) -> None:
    """Killed by SIGKILL as soon as the service has its job, which waits in the queue."""
    machine(tmp_path).measure([asymmetric()], 100, Key(1, run="r", step=1))
    service.conditions.queue_looks = 10**9
    here = Path(__file__).parent
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(here), str(here.parents[1])]
    child = subprocess.Popen(command, env=os.environ | service.environment)
    try:
        deadline = time.monotonic() + 300
        while KEY.tag not in tags(service):
            assert time.monotonic() < deadline
            assert child.poll() is None
            time.sleep(0.01)
    finally:
        child.kill()
        child.wait()
    service.conditions.queue_looks = 0
    samples = machine(tmp_path).measure([solver(), asymmetric()], 500, KEY)
    assert samples.bits.shape == (2, 500, 3)
    assert tags(service) == ["qhn:r:test:0", "qhn:r:1:0", KEY.tag]
    assert [event for event in events(tmp_path) if event != "submitted"] == ["intent", "adopted", "done"]
