"""Sessions of IBM's service: used again, closed, billed by the clock, and opened anew."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from manila import KEY, THETAS, machine
from qhn.backend.device import price as qpu_time
from qhn.backend.journal import Journal
from qhn.backend.sampler import PlanError
from qhn.backend.terms import Remaining
from qhn.budget.ledger import ledger
from qhn.circuit.hypernetwork import product_state
from qhn.seeds import Key
from service import Service

pytestmark = pytest.mark.usefixtures("short_pauses", "without_self_test")


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
