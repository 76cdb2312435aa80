"""Files of the service's answers: account data stay out of them, wherever an answer holds some."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.backend.ibm.answers import HERE, answers
from qhn.backend.ibm.redaction import KEY, TEXT, redacted, to_text
from qhn.backend.service import connection, jobs
from qhn.errors import QhnError
from service import CRN, Job, Service

SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")
RUN = ("run", "figure-1", *SMALL, "--steps", "1", "--backend", "ibm_manila", "--yes", "--quiet")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qhn.report.page.Report.figures", lambda self: [])
    monkeypatch.setattr(connection, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(jobs, "LISTING_DELAY", 0.1)


PLANTED = {
    "user_id": "IBMid-270000ABCD",
    "instance": CRN,
    "email": "ann.smith@example.com",
    "author": "Ann Smith",
    "account_id": "0123456789abcdef0123456789abcdef",
    "number": 2700001234,
    "token": "stand-in-key",
    "apikey": "Zr8_1234567890abcdefghijklmnop",
    "jwt": "eyJhbGciOiJSUzI1NiJ9.eyJqdGkiOiIxIn0.c2ln",
    "nested": {"user": {"name": "Ann Smith", "ids": ["IBMid-270000ABCD", 2700001234]}},
    "ann.smith@example.com": "a key",
}
SECRETS = ["IBMid-270000ABCD", "crn:", "ann.smith", "Ann", "Smith", "0123456789abcdef01", "2700001234", "stand-in"]
SECRETS += ["Zr8_1234567890", "eyJhbGci", "example.com", "c2ln"]


def test_account_data_in_every_place_of_an_answer_stays_out(
    service: Service, qhn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets under keys of their own, in texts, tags, ids of other things, results, metrics and the device."""
    said, told, usage = Job.to_json, Job.metrics, service.answer

    def job(self: Job, *, with_params: bool) -> dict[str, Any]:
        tree = said(self, with_params=with_params) | PLANTED
        tree["state"] |= {"reason": f"job of Ann Smith <ann.smith@example.com> with {CRN}", "reason_code": 9999}
        tree["state"]["reason_solution"] = "ask Ann Smith, token stand-in-key"
        tree["tags"] = [*tree["tags"], "Ann", "qhn stand-in-key", "qhn:IBMid-270000ABCD"]
        tree["session_id"] = "Ann Smith"
        return tree

    def metrics(self: Job, billing_seconds: float) -> dict[str, Any]:
        return told(self, billing_seconds) | PLANTED | {"caller": "/home/Ann/Smith.py", "timestamps": PLANTED}

    def answer(method: str, route: list[str], query: Any, body: bytes) -> Any:
        found = usage(method, route, query, body)
        match method, *route:
            case "GET", "instances", "usage":
                return found | PLANTED
            case "GET", "backends", _, "status" | "configuration" | "properties":
                return found | {"note": f"for {CRN}", "mail": "ann.smith@example.com", "key": "stand-in-key"}
            case "GET", "jobs", _, "results" if found:
                tree = json.loads(found)
                tree["metadata"] |= {"trace": PLANTED} if "trace" in tree["metadata"] else {}
                tree["passthrough_data"]["post_processor"]["options"]["environment"]["job_tags"].append("Ann Smith")
                tree["passthrough_data"]["post_processor"]["options"]["experimental"] = PLANTED
                return json.dumps(tree)
        return found

    assert qhn(*RUN).code == 0
    monkeypatch.setattr(Job, "to_json", job)
    monkeypatch.setattr(Job, "metrics", metrics)
    monkeypatch.setattr(service, "answer", answer)
    found = qhn("jobs", "--keep-answers", "kept")
    assert found.code == 0
    files = {path.name: path.read_text() for path in Path("kept").iterdir()}
    assert set(files) == {"job000000.json", "job000001.json", "usage.json", "ibm_manila.json", "refusals.json"}
    for name, text in (*files.items(), ("the terminal", found.out + found.err)):
        for secret in SECRETS:
            assert secret not in text, f"{secret} is in {name}"
    tree = json.loads(files["job000001.json"])
    assert tree["job"]["user_id"] == tree["job"]["state"]["reason"] == tree["job"]["session_id"] == TEXT
    assert tree["job"][KEY] == TEXT
    assert tree["job"]["number"] == 0
    assert [tag for tag in tree["job"]["tags"] if tag != TEXT] == list(service.jobs.values())[1].tags
    assert [answer.complaint() for answer in answers(Path("kept")).values()] == [None, None]


@pytest.mark.parametrize(
    "text", [f"x {CRN}", "me@home", "IBMid-1", "iam-ServiceId-1", "eyJhbGciOiJS", "Bearer x", "a b"]
)
@pytest.mark.parametrize("key", ["id", "backend", "created", "status", "tags", "data", "version"])
def test_no_known_key_lets_account_data_through(key: str, text: str) -> None:
    assert redacted({key: text}) == {key: TEXT}
    assert redacted({key: [text]}) == {key: [TEXT]}
    assert redacted({"data": [{key: text}]}) == {"data": [{key: TEXT}]}


def test_measured_bits_stay_whatever_letters_they_are_packed_into(rng: np.random.Generator) -> None:
    """Of 3,000 packed arrays many hold what would look like account data elsewhere."""
    suspicious = 0
    for _ in range(3000):
        packed = base64.b64encode(rng.bytes(600)).decode()
        tensor = {"meas": {"data": packed, "shape": [1], "dtype": "bool"}}
        assert redacted(tensor, ["a-long-token"]) == tensor
        suspicious += redacted({"data": packed}) != {"data": packed}
    assert suspicious
    assert redacted({"meas": {"data": "Ann Smith", "shape": [1], "dtype": "bool"}})["meas"]["data"] == TEXT


def test_a_secret_of_the_account_stays_out_wherever_it_is() -> None:
    assert redacted({"id": "my-token-7", "backend": "ibm_x", "token7": 1}, ["token"]) == {
        "id": TEXT,
        "backend": "ibm_x",
        KEY: 0,
    }
    with pytest.raises(QhnError, match="was not written"):
        to_text({"shape": "token7"}, ["token7"])


def test_the_recorded_answers_hold_no_account_data() -> None:
    for path in HERE.glob("*.json"):
        text = path.read_text()
        assert not [word for word in ("crn:", "@", "IBMid", "stand-in", "eyJ", 'user_id": "I') if word in text], path
