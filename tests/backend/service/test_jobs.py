"""Exactly one job for one request, through the installed client and a stand-in of the service that fails."""

from __future__ import annotations

import contextlib
import json
import math
import shutil
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import reference
from ansatzes import ansatz, ideal, rows_of
from qhn import bitstrings, checksums
from qhn.backend import BackendError, DeviceSettings
from qhn.backend.device import price as qpu_time
from qhn.backend.ibm import client
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.ibm.device import Device, open_device
from qhn.backend.journal import Journal
from qhn.backend.sampler import PlanError, QuotaError
from qhn.backend.service import connection, jobs, placed, submission, tested
from qhn.backend.service.placed import DeviceSampler
from qhn.backend.service.selftest import complaint, known_outcomes
from qhn.backend.terms import BudgetExceeded, Detached, Remaining
from qhn.budget.ledger import ledger
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.errors import RecordError
from qhn.seeds import Key
from service import Job, Service
from service.connection import Refusal

KEY = Key(1, run="r")
THETAS = np.array([[0.4, 1.2, 0.0, 0.0], [1.0, 2.0, 0.0, 0.0]])


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(connection, "LONGEST_PAUSE", 0.1)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)
    monkeypatch.setattr(jobs, "FULL_QUEUE_PAUSE", 0.1)


def machine(folder: Path, **settings: object) -> Device:
    """As a new process would open it."""
    return open_device("ibm_manila", DeviceSettings(**settings), Journal(folder / "jobs.jsonl"))


def sampler(folder: Path) -> DeviceSampler:
    return machine(folder).compile(product_state(2))


def events(folder: Path, tag: str = KEY.tag) -> list[str]:
    """What the journal says of the jobs of one evaluation."""
    return [entry.event for entry in Journal(folder / "jobs.jsonl").history().of_tag(tag)]


def spent(folder: Path) -> float:
    return ledger(0, [], Journal(folder / "jobs.jsonl").history(), 0).spent.seconds


def billed(service: Service, folder: Path) -> float:
    """By the service, for all jobs of the record."""
    mine = f"qhn-record:{Journal(folder / 'jobs.jsonl').name}"
    return sum(job.seconds for job in service.jobs.values() if mine in job.tags)


@pytest.fixture(autouse=True)
def _without_self_test(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """But where it is tested itself."""
    if "self_test" not in request.function.__name__ and "wrong_order" not in request.function.__name__:
        monkeypatch.setattr(tested, "is_due", lambda self_tests: False)


QUIET: list[np.ndarray] = []


@pytest.fixture
def quiet(service: Service, tmp_path: Path) -> np.ndarray:
    """Bits of a run without faults; the stand-in measures the same for the same request."""
    if not QUIET:
        (tmp_path / "quiet").mkdir()
        QUIET.append(sampler(tmp_path / "quiet").sample(THETAS, 200, Key(1, run="quiet")).bits)
        service.jobs.clear()
    return QUIET[0]


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
    again.jobs.terms.detach = True
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
    tested.jobs.terms.detach = True
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
    first.jobs.terms.detach = True
    with pytest.raises(Detached):
        first.sample(THETAS, 200, KEY)
    np.testing.assert_array_equal(sampler(tmp_path).sample(THETAS, 200, KEY).bits, quiet)
    assert of_run(service) == ["Completed"]
    assert events(tmp_path) == ["intent", "submitted", "adopted", "done"]


def test_a_job_of_other_qubits_is_given_up(service: Service, tmp_path: Path) -> None:
    """After a crash the device was calibrated anew: the job that waits measures something else, and counts as lost."""
    first = machine(tmp_path, qubits=((0, 1),)).compile(product_state(2))
    service.conditions.queue_seconds = 3600.0
    first.jobs.terms.detach = True
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


@pytest.mark.parametrize("wrong", ["no result", "no calibration", "fewer shots"])
def test_a_result_that_is_not_what_was_asked_for_is_read_once_more(
    wrong: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = client.read_bits

    def misread(result: object, index: int = 0) -> np.ndarray:
        bits = read(result, index)
        if wrong == "no calibration" and index:
            raise IndexError
        if index:
            return bits
        return read(None) if wrong == "no result" else bits[:, 1:] if wrong == "fewer shots" else bits

    def again(step: int) -> np.ndarray:
        device = machine(tmp_path, calibrate=True).compile(product_state(2))
        return device.sample(THETAS, 200, Key(1, run="r", step=step)).bits

    quiet = again(0)
    for _ in range(2):
        with monkeypatch.context() as patched:
            patched.setattr(client, "read_bits", misread)
            with pytest.raises(BackendError, match="its result is not what was asked for; qhn resume reads it once"):
                again(1)
    np.testing.assert_array_equal(again(1), quiet)  # read wrongly twice: it is measured again
    with monkeypatch.context() as patched:
        patched.setattr(client, "read_bits", misread)
        with pytest.raises(BackendError, match="its result is not what was asked for"):
            again(2)
    np.testing.assert_array_equal(again(2), quiet)  # read wrongly once: it was there
    assert [sum(f"qhn:r:{step}:0" in job.tags for job in service.jobs.values()) for step in range(3)] == [1, 2, 1]


@pytest.mark.parametrize("shape", [(2, 199, 4), (1, 200, 4), (3, 200, 4), (2, 200, 3), (2, 4)])
def test_bits_of_another_number_are_refused(shape: tuple[int, ...]) -> None:
    result = submission.JobResult(np.zeros((2, 256, 4), np.uint8), [np.zeros((256, 4), np.uint8)], "any", None)
    submission.check_shape(result, 2, 200, 4)
    with pytest.raises(ValueError, match=r"asked for bits \[2, 200, 4\], got"):
        submission.check_shape(submission.JobResult(np.zeros(shape, np.uint8), [], "any", None), 2, 200, 4)


def test_a_job_that_failed_while_nobody_watched_is_told(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    """Detached it is not submitted a third time; attached it is."""
    service.conditions.queue_seconds = 3600.0
    service.fault("fail", times=2)
    for _ in range(2):
        first = sampler(tmp_path)
        first.jobs.terms.detach = True
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


@pytest.mark.parametrize("line", [b"\xff\xfe\x00 garbage", b"7", b"null", b'{"event": "failed"}', b'{"event": "inten'])
def test_a_damaged_line_of_an_old_journal_is_passed_over(
    line: bytes, service: Service, quiet: np.ndarray, tmp_path: Path
) -> None:
    sampler(tmp_path).sample(THETAS, 200, Key(1, run="before"))
    path = tmp_path / "jobs.jsonl"
    content = b"".join(json.dumps(line.tree).encode() + b"\n" for line in checksums.lines_of(path.read_bytes()))
    path.write_bytes(content.replace(b"\n", b"\n" + line + b"\n", 2) + line)
    path.with_name("jobs.end.json").unlink()
    np.testing.assert_array_equal(sampler(tmp_path).sample(THETAS, 200, KEY).bits, quiet)
    assert spent(tmp_path) == pytest.approx(billed(service, tmp_path))


@pytest.mark.parametrize(
    "change",
    [lambda content: b"", lambda content: content[:-200], lambda content: content.replace(b"submit", b"submot")],
)
def test_nothing_is_submitted_with_a_journal_that_was_damaged(change, service: Service, tmp_path: Path) -> None:
    service.conditions.queue_seconds = 3600.0
    waits = sampler(tmp_path)
    waits.jobs.terms.detach = True
    with pytest.raises(Detached):
        waits.sample(THETAS, 200, KEY)
    path, number = tmp_path / "jobs.jsonl", len(service.jobs)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(RecordError, match=r"jobs\.jsonl.*restore it from a copy"):
        sampler(tmp_path).sample(THETAS, 200, KEY)
    path.unlink()
    with pytest.raises(RecordError, match=r"jobs\.jsonl lacks line"):
        sampler(tmp_path).sample(THETAS, 200, KEY)
    assert len(service.jobs) == number


def test_a_job_of_a_copy_of_the_record_is_left_alone(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    sampler(here).sample(THETAS, 200, KEY)
    shutil.copytree(here, there)
    service.conditions.queue_seconds = 3600.0
    waits = sampler(there)
    waits.jobs.terms.detach = True
    with pytest.raises(Detached):
        waits.sample(THETAS, 200, Key(1, run="r", step=1))
    machine(here).reconcile()
    assert list(service.jobs.values())[-1].status == "Queued"


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
    ahead.jobs.terms.detach = True
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

    ahead.jobs.terms.detach, ahead.jobs.terms.tell = False, listen
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


# -------------------------------------------------------------------------------------------------- before the first


@pytest.mark.parametrize("num_layers", [0, 1, 3])
@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("num_qubits", [1, 2, 5])
def test_the_outcomes_of_the_self_test_are_those_of_the_circuit(num_qubits: int, order: str, num_layers: int) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas, bits = known_outcomes(ansatz, 4)
    for theta, outcome in zip(thetas, bits, strict=True):
        probabilities = reference.probabilities(reference.literal_circuit(num_qubits, num_layers, order, theta))
        assert probabilities[bitstrings.to_integers(outcome)] == pytest.approx(1)
    assert complaint(np.repeat(bits[:, None], 9, axis=1), bits) is None
    if num_qubits > 1:
        reverse = np.repeat(bits[:, None, ::-1], 9, axis=1)
        assert complaint(reverse, bits) == "bits come back in reverse order"


@pytest.mark.parametrize("wrong", ["bits", "angles", "names"])
def test_a_client_with_a_wrong_order_is_stopped_before_a_step_is_paid(
    wrong: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bits in reverse; angles in reverse; or angles in the order of their names, in which theta[10] precedes [2]."""
    ansatz = hypernetwork(4, 1)
    read, publish = client.read_bits, placed.publish
    by_name = np.argsort([str(number) for number in range(ansatz.num_parameters)])
    swaps = {"angles": slice(None, None, -1), "names": by_name}
    with monkeypatch.context() as patched:
        if wrong == "bits":
            patched.setattr(client, "read_bits", lambda *words: read(*words)[..., ::-1])
        else:
            patched.setattr(placed, "publish", lambda circuit, thetas: publish(circuit, thetas[:, swaps[wrong]]))
        expected = "reverse order" if wrong == "bits" else "angles or bits are in a wrong order"
        with pytest.raises(BackendError, match=rf"did not pass the self-test before the first step: .*{expected}"):
            machine(tmp_path).compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
        for _ in range(3):  # the second time nothing is paid
            with pytest.raises(BackendError, match=rf"{expected}; with the same versions it is not paid for again"):
                machine(tmp_path).compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
        assert [job.tags[0] for job in service.jobs.values()] == ["qhn:r:test:0"]
        again = machine(tmp_path)
        again.terms.retry_self_test = True
        with pytest.raises(BackendError, match=rf"did not pass the self-test before the first step: .*{expected}"):
            again.compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
    assert [job.tags[0] for job in service.jobs.values()] == ["qhn:r:test:0", "qhn:r:test:1"]
    mended = machine(tmp_path)
    mended.terms.retry_self_test = True
    mended.compile(ansatz).sample(np.zeros((3, 16)), 200, KEY)
    found = ledger(0, [], Journal(tmp_path / "jobs.jsonl").history(), 0)
    assert (found.tests.jobs, found.begun.jobs, found.lost.jobs) == (3, 1, 0)


@pytest.mark.parametrize("kind", ["iqp", "qaoa-ring"])  # whose own circuit is tested, or single qubits
@pytest.mark.parametrize("wrong", ["", "bits", "angles"])
def test_a_wrong_order_is_found_on_a_routed_circuit(
    wrong: str, kind: str, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qhn.backend.service.certain.MAX_STEPS", 20_000)
    circuit = ansatz(kind, 4)
    read, publish = client.read_bits, placed.publish
    if wrong == "bits":
        monkeypatch.setattr(client, "read_bits", lambda *words: read(*words)[..., ::-1])
    if wrong == "angles":
        monkeypatch.setattr(placed, "publish", lambda circuit, thetas: publish(circuit, thetas[:, ::-1]))
    told: list[str] = []
    opened = machine(tmp_path)
    opened.terms.tell = told.append
    sampler, rows = opened.compile(circuit.unrolled), rows_of(circuit, 2)
    if wrong:
        with pytest.raises(BackendError, match="did not pass the self-test before the first step"):
            sampler.sample(rows, 200, KEY)
    else:
        bits = sampler.sample(rows, 4000, KEY).bits
        assert bits.shape == (2, 4000, 4)
        for row, one in zip(rows, bits, strict=True):
            counts = np.bincount(bitstrings.to_integers(one), minlength=16) / 4000
            assert np.abs(counts - ideal(circuit.unrolled.circuit, row)).sum() / 2 < 0.3  # noise, and no other order
    (entry,) = Journal(tmp_path / "jobs.jsonl").history().self_tests()
    is_bare = kind == "qaoa-ring"
    assert (entry.circuit is not None) == is_bare
    assert any("the self-test measures one rotation of each qubit" in words for words in told) == is_bare


def test_the_self_test_is_made_once_a_record_and_version_on_all_tiles(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ansatz = product_state(2)
    device = open_device("ibm_jakarta", DeviceSettings(tiles=2, calibrate=True), Journal(tmp_path / "jobs.jsonl"))
    device.compile(ansatz).sample(np.zeros((3, 4)), 100, KEY, 3)
    for step in (1, 2):
        sampler(tmp_path).sample(THETAS, 100, Key(1, run="r", step=step))
    assert events(tmp_path, "qhn:r:test:0") == ["intent", "submitted", "done"]
    (test, *_) = Journal(tmp_path / "jobs.jsonl").history().entries()[1:]
    assert (test.rows, test.shots) == (4, 100)
    monkeypatch.setattr(tested, "versions", lambda *packages: {"qiskit": "9"})
    monkeypatch.setattr("qhn.backend.service.selftest.versions", lambda *packages: {"qiskit": "9"})
    sampler(tmp_path).sample(THETAS, 100, Key(1, run="r", step=3))
    assert events(tmp_path, "qhn:r:test:1") == ["intent", "submitted", "done"]


# --------------------------------------------------------------------------------------------------------- sessions


def test_a_session_is_used_again_and_closed_and_its_idle_time_is_billed(service: Service, tmp_path: Path) -> None:
    first = machine(tmp_path, mode="session")
    first.terms.left = lambda: Remaining(50.9)
    first.compile(product_state(2)).sample(THETAS, 200, KEY)
    second = machine(tmp_path, mode="session")  # as after a crash
    second.compile(product_state(2)).sample(THETAS, 200, Key(1, run="r", step=1))
    (session,) = service.sessions.values()
    assert (session["mode"], session["max_ttl"], session["state"]) == ("dedicated", 50, "open")
    assert {job.request["session_id"] for job in service.jobs.values()} == {session["id"]}
    session["state"], session["elapsed_time"], session["accepting_jobs"] = "closed", 90.0, False  # by the service
    second.compile(product_state(2)).sample(THETAS, 200, Key(1, run="r", step=2))
    assert len(service.sessions) == 2
    second.close()
    assert [session["state"] for session in service.sessions.values()] == ["closed", "closed"]
    found = ledger(0, [], Journal(tmp_path / "jobs.jsonl").history(), 0)
    own = [job.seconds for job in service.jobs.values() if job.request["session_id"] == session["id"]]
    assert found.idle.seconds == pytest.approx(90.0 - sum(own))
    assert found.spent.seconds == pytest.approx(90.0 + service.usage - sum(own))


def test_all_jobs_of_a_request_are_in_the_session_that_takes_the_place_of_a_closed_one(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(qpu_time, "MAX_EXECUTIONS", 400)
    opened = machine(tmp_path, mode="session").compile(product_state(2))
    opened.sample(THETAS, 200, KEY)
    (first,) = service.sessions.values()
    first["state"], first["accepting_jobs"] = "closed", False  # by the service
    assert len(opened.sample(np.linspace(0, 3, 16).reshape(4, 4), 200, Key(1, run="r", step=1)).job_ids) == 2
    assert [session["state"] for session in service.sessions.values()] == ["closed", "open"]
    second = list(service.sessions.values())[-1]["id"]
    assert [job.request["session_id"] for job in service.jobs.values()] == [first["id"], second, second]


def test_a_plan_without_sessions_says_so(service: Service, tmp_path: Path) -> None:
    service.conditions.has_sessions = False
    with pytest.raises(PlanError, match="plan has no sessions"):
        machine(tmp_path, mode="session").compile(product_state(2)).sample(THETAS, 200, KEY)
    assert not service.jobs


def test_nothing_secret_is_in_what_is_written(service: Service, quiet: np.ndarray, tmp_path: Path) -> None:
    service.fault("answer", on="POST jobs", status=400)
    with pytest.raises(BackendError, match="the service refused the job") as caught:
        sampler(tmp_path).sample(THETAS, 200, KEY)
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()) + str(caught.value).encode()
    for secret in (service.environment["QISKIT_IBM_TOKEN"], service.environment["QISKIT_IBM_INSTANCE"], "127.0.0.1"):
        assert secret.encode() not in written


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


# ------------------------------------------------------------------------------------- refused, and taken later


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
    tested.jobs.terms.detach = True
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
    later.jobs.terms.detach = True
    np.testing.assert_array_equal(later.sample(THETAS, 200, KEY).bits, quiet)
    assert len(of_run(service)) == 4
