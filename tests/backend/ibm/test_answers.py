"""Answers of the service in files: read by our code through the installed client, and free of account data.

Every file in ``src/qhn/data/answers`` is tested, so that answers of the service itself need only be put there.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit_ibm_runtime import Session

from qhn.backend.ibm.account import account_device
from qhn.backend.ibm.answers import HERE, Answer, answers, bits_of, hashed
from qhn.backend.ibm.client import read_result
from qhn.backend.ibm.connection import IbmConnection
from qhn.backend.ibm.failure import kind_of
from qhn.backend.service import connection, jobs
from qhn.backend.service.failure import Kind, codes_of, status_of
from qhn.backend.service.selftest import complaint
from qhn.errors import QhnError
from service import Job, Service

RECORDED = answers()
SELF_TESTS = {name: answer for name, answer in RECORDED.items() if answer.asked.prepared is not None}
REFUSALS = [
    (path.stem, facts) for path in sorted(HERE.glob("*refusals.json")) for facts in json.loads(path.read_text())
]
SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")
RUN = ("run", "figure-1", *SMALL, "--steps", "1", "--backend", "ibm_manila", "--yes", "--quiet")


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qhn.report.page.Report.figures", lambda self: [])
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)


@dataclass
class Recorded(Job):
    """A job of the stand-in about which it says what a file holds."""

    answer: Answer | None = field(default=None, kw_only=True)

    def to_json(self, *, with_params: bool) -> dict[str, Any]:
        assert self.answer is not None
        return dict(self.answer.job)

    def metrics(self, billing_seconds: float) -> dict[str, Any]:
        assert self.answer is not None
        return dict(self.answer.metrics)


def served(service: Service, answer: Answer) -> tuple[IbmConnection, str]:
    """A connection to the stand-in, which has the recorded job."""
    job_id, results = answer.job["id"], "" if answer.results is None else json.dumps(answer.results)
    request = {"backend": "ibm_jakarta", "program_id": "executor", "tags": answer.job["tags"]}
    job = Recorded(job_id, request, 0.0, status="Completed", ended=0.0, result=results, answer=answer)
    service.jobs[job_id] = job
    return IbmConnection(account_device("ibm_jakarta"), patience=0.0), job_id


def with_bits(answer: Answer, change: Any) -> Answer:
    """The answer with other measured bits, packed as the client unpacks them."""
    tree = json.loads(json.dumps(answer.results))
    tensor = tree["data"][0]["results"]["meas"]
    packed = np.frombuffer(zlib.decompress(base64.b64decode(tensor["data"])), dtype=np.uint8)
    count = int(np.prod(tensor["shape"]))
    for order in ("little", "big"):
        bits = np.unpackbits(packed, count=count, bitorder=order).reshape(tensor["shape"])
        again = np.packbits(change(bits), bitorder=order)
        tensor["data"] = base64.b64encode(zlib.compress(again.tobytes())).decode()
        found = replace(answer, results=tree)
        if order == "big" or np.array_equal(change(answer.read().bits), found.read().bits):
            return found
    raise AssertionError("unreachable")


# ---------------------------------------------------------------- what is recorded is read


def test_there_is_an_answer_for_each_end_of_a_job() -> None:
    assert {answer.asked.outcome for answer in RECORDED.values()} >= {"done", "job_failed", "cancelled", "overtime"}
    assert len(SELF_TESTS) >= 3
    assert any(answer.asked.calibrations for answer in RECORDED.values())
    assert REFUSALS


@pytest.mark.parametrize("name", RECORDED)
def test_it_is_read_as_when_it_was_kept(name: str) -> None:
    assert RECORDED[name].complaint() is None


@pytest.mark.parametrize("name", RECORDED)
def test_it_is_read_the_same_from_a_service(service: Service, name: str) -> None:
    """The whole way: HTTP, the installed client, our connection, bits, bill and classification."""
    answer = RECORDED[name]
    asked = answer.asked
    found, job_id = served(service, answer)
    assert found.bill(job_id) == asked.qpu_seconds
    if asked.outcome != "done":
        with pytest.raises(Exception) as failure:
            found.result(job_id)
        assert kind_of(failure.value).name.lower() == asked.outcome
        assert found.state(job_id) in ("ERROR", "CANCELLED")
        assert found.was_ended_at_limit(job_id) == (asked.outcome == "overtime")
        return
    assert found.state(job_id) == "DONE"
    bits, calibration = read_result(found.result(job_id), asked.calibrations)
    taken = bits.shape[1]
    assert taken >= asked.shots  # rounded up by twirling
    assert bits.shape == (asked.executions, taken, asked.width)
    assert [one.shape for one in calibration] == [(taken, asked.width)] * asked.calibrations
    assert hashed([bits, *calibration]) == asked.sha256
    if calibration:  # all 0, then all 1
        assert [round(float(one.mean())) for one in calibration] == [0, 1]
    if asked.prepared is not None:
        np.testing.assert_array_equal(bits.mean(axis=1) > 0.5, bits_of(asked.prepared))


@pytest.mark.parametrize(("name", "facts"), REFUSALS)
def test_a_refusal_is_classified_as_it_was(service: Service, name: str, facts: dict[str, Any]) -> None:
    if "status" not in facts:
        assert facts["kind"] in {answer.asked.outcome for answer in RECORDED.values()}
        return
    code = facts.get("codes", [0])[0]
    device = account_device("ibm_manila")
    service.fault("answer", on="POST sessions", times=9, status=facts["status"], code=code)
    with pytest.raises(Exception) as failure:
        Session(device)
    assert IbmConnection(None).kind_at_submission(failure.value).name.lower() == facts["kind"]
    assert (status_of(failure.value), sorted(codes_of(failure.value))) == (facts["status"], facts.get("codes", []))


# ---------------------------------------------------------------- what would be noticed


@pytest.mark.parametrize("name", SELF_TESTS)
def test_bits_in_reverse_are_noticed(name: str) -> None:
    answer = SELF_TESTS[name]
    wrong = with_bits(answer, lambda bits: bits[..., ::-1])
    assert wrong.complaint() == "has other bits"
    assert wrong.as_read().complaint() in (
        complaint(wrong.read().bits, bits_of(answer.asked.prepared)),
        "bits come back in reverse order",
    )
    assert wrong.as_read().complaint() is not None


def test_another_bill_and_another_end_are_noticed() -> None:
    done = next(answer for answer in RECORDED.values() if answer.asked.outcome == "done")
    metrics = done.metrics | {"usage": {"qpu_charge_time_seconds": 1, "status": "complete"}}
    assert "billed" in str(replace(done, metrics=metrics).complaint())
    pending = replace(done, metrics={"usage": {"qpu_charge_time_seconds": 0, "status": "pending"}})
    assert "and is read as None" in str(pending.complaint())
    failed = replace(done, job=done.job | {"state": {"status": "Failed", "reason_code": 9999, "reason": "x"}})
    assert failed.complaint() == "ended done, and is read as job_failed"
    quota = {"status": "Cancelled", "reason_code": 4317, "reason": "x"}
    assert replace(done, job=done.job | {"state": quota}).read() is Kind.QUOTA
    assert "asked for bits" in str(replace(done, asked=replace(done.asked, width=9)).complaint())
    assert replace(done, results={"data": 3}).complaint() is not None


@pytest.mark.parametrize("text", ["{", '{"asked": {}}', '{"asked": {"tag": "q", "surprise": 1}}', '{"asked": 3}'])
def test_a_file_that_is_no_answer_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(QhnError, match=r"x\.json"):
        answers(tmp_path)
    (tmp_path / "x.json").write_text('{"status": "other files are passed over"}')
    assert answers(tmp_path) == {}


# ---------------------------------------------------------------- what a run keeps


def test_a_run_keeps_its_answers_in_the_same_form(service: Service, qhn, tmp_path: Path) -> None:
    """They could stand in the folder of the package: every test above would read them."""
    assert qhn(*RUN, "--tiles", "1", "--mitigation", "readout").code == 0
    found = qhn("jobs", "--keep-answers", str(tmp_path / "kept"))
    assert found.code == 0
    assert "self-test" in found.out
    kept = answers(tmp_path / "kept")
    assert set(kept) == set(service.jobs)
    test, step = kept.values()
    assert [answer.asked.outcome for answer in (test, step)] == ["done", "done"]
    assert [answer.complaint() for answer in (test, step)] == [None, None]
    assert test.asked.prepared is not None
    assert (test.asked.executions, test.asked.calibrations, test.asked.width) == (4, 0, 4)
    assert (step.asked.executions, step.asked.calibrations, step.asked.width) == (25, 2, 4)
    assert step.asked.qpu_seconds == list(service.jobs.values())[1].seconds
    device = json.loads((tmp_path / "kept" / "ibm_manila.json").read_text())
    assert device["properties"]["backend_name"] == device["configuration"]["backend_name"] == "ibm_manila"
    usage = json.loads((tmp_path / "kept" / "usage.json").read_text())
    assert usage["usage_remaining_seconds"] == pytest.approx(600 - service.usage)
    assert json.loads((tmp_path / "kept" / "refusals.json").read_text()) == []


def test_what_failed_is_kept_too(service: Service, qhn, tmp_path: Path) -> None:
    service.fault("fail")
    assert qhn(*RUN, "--set", "train.max_qpu_seconds=60").code == 4
    service.fault("answer", on="POST jobs", status=403, code=4317)
    assert qhn("resume", "--quiet").code == 3
    assert qhn("jobs", "--keep-answers", "kept").code == 0
    assert [answer.asked.outcome for answer in answers(Path("kept")).values()] == ["job_failed"]
    refusals = json.loads(Path("kept/refusals.json").read_text())
    assert [(one["kind"], one.get("status"), one["codes"]) for one in refusals] == [
        ("job_failed", None, [9999]),
        ("quota", 403, [4317]),
    ]


@pytest.mark.parametrize("result", ["<html>busy</html>", '{"schema_version": "v9.0", "data": [1]}', '{"data": "x y"}'])
def test_what_cannot_be_read_is_kept_all_the_more(service: Service, qhn, result: str) -> None:
    assert qhn(*RUN).code == 0
    list(service.jobs.values())[1].result = result
    found = qhn("jobs", "--keep-answers", "kept")
    assert found.code == 0
    assert found.err.splitlines()[:2] == ["kept/job000000.json", "kept/job000001.json, which qhn cannot read"]
    kept = answers(Path("kept"))
    assert kept["job000000"].complaint() is None
    assert str(kept["job000001"].complaint()).startswith("cannot be read")


def test_what_has_not_ended_or_is_gone_is_left_out(service: Service, qhn) -> None:
    service.conditions.queue_looks = 1000
    assert qhn(*RUN, "--detach").code == 0
    found = qhn("jobs", "--keep-answers", "kept")
    assert "job000000: left out, it has not ended" in found.err
    service.jobs.clear()
    found = qhn("jobs", "--keep-answers", "kept")
    assert found.code == 0
    assert not Path("kept/job000000.json").exists()


def test_without_a_service_nothing_is_kept(service: Service, qhn) -> None:
    assert qhn(*RUN).code == 0
    service.fault("refuse")
    found = qhn("jobs", "--keep-answers", "kept")
    assert found.code == 4
    assert "could not be reached" in found.err
    assert not list(Path().glob("kept/*"))
    service.listen()
    Path("file").write_text("")
    assert qhn("jobs", "--keep-answers", "file").code == 2
    assert qhn("run", "figure-1", "--steps", "1", "--shots", "20", "--quiet").code == 0
    assert "keeps jobs of ibm_<device>" in qhn("jobs", "--keep-answers", "kept").err
