"""Whole runs on a QPU, through the installed client and the stand-in of the service: budgets, detaching, moving."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from qhn.backend import jobs
from qhn.config import RunConfig
from qhn.configfile import with_settings
from qhn.joblist import job_lines, journal_of, ledger_of
from qhn.record import Record, load_run
from qhn.run import Training, resume, train
from qhn.step import Outcome
from service import Service

SMALL = ("--set", "data.samples=40", "--set", "data.validation_samples=30", "--layers", "1", "--shots", "60")
RUN = ("run", "figure-1", *SMALL, "--steps", "3", "--backend")
TEST, STEP = 2.1003, 2.3754  # QPU seconds of the self-test and of a step, to the ten-thousandth


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE", "LISTING_DELAY"):
        monkeypatch.setattr(jobs, name, 0.05)


@pytest.fixture
def paid(small_config: RunConfig) -> RunConfig:
    return with_settings(small_config, {"train.backend": "ibm_manila", "train.max_qpu_seconds": 60})


def ended(training: Training) -> tuple[int, Outcome]:
    """Number of steps, and how it ended."""
    taken = len(list(training))
    assert training.outcome is not None
    return taken, training.outcome


def record_of(training: Training) -> Record:
    assert training.record is not None
    return training.record


@pytest.mark.parametrize(
    ("rule", "limit", "steps"),
    [
        ("max_qpu_seconds", TEST + 2 * STEP + 0.001, 2),
        ("max_qpu_seconds", TEST + 2 * STEP - 0.001, 1),
        ("max_jobs", 3, 2),
        ("max_shots", 400 + 2 * 1500, 2),
        ("max_shots", 400 + 2 * 1500 - 1, 1),
    ],
)
def test_budgets_hold_to_the_last_second_job_and_shot(
    rule: str, limit: float, steps: int, service: Service, paid: RunConfig, tmp_path: Path
) -> None:
    training = train(with_settings(paid, {f"train.{rule}": limit}), results=tmp_path)
    taken, outcome = ended(training)
    assert (taken, outcome.name) == (steps, "budget")
    assert len(service.jobs) == 1 + steps
    assert training.ledger().spent.seconds == pytest.approx(service.usage)
    assert service.usage <= (limit if rule == "max_qpu_seconds" else 60)
    raised = resume(record_of(training).directory, {f"train.{rule}": 3 * limit, "train.steps": steps + 1})
    assert ended(raised)[0] == steps + 1  # without another self-test
    assert len(service.jobs) == 2 + steps


@pytest.mark.parametrize(("rule", "limit"), [("max_qpu_seconds", TEST + STEP - 0.001), ("max_jobs", 1), ("max_shots", 1899)])
def test_a_budget_that_the_first_step_exceeds_is_refused(
    rule: str, limit: float, service: Service, paid: RunConfig, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=rf"train\.{rule} is .*, the first step takes"):
        train(with_settings(paid, {f"train.{rule}": limit}), results=tmp_path)
    assert not service.jobs
    assert not list(tmp_path.glob("figure-1"))


def test_bills_above_the_price_leave_fewer_steps(service: Service, paid: RunConfig, tmp_path: Path) -> None:
    """Jobs bill half more than they should: the limit is not passed, neither by the run nor by a job of it."""
    bill = service.bill
    service.bill = lambda job: 1.5 * bill(job)
    limit = 1.5 * (TEST + STEP) + STEP + 0.2
    training = train(with_settings(paid, {"train.max_qpu_seconds": limit}), results=tmp_path)
    taken, outcome = 0, None
    try:
        taken, outcome = ended(training)
    except jobs.BackendError as error:
        assert "did not end well" in str(error)
    assert taken <= 1
    assert outcome is None
    assert service.usage <= limit
    assert list(service.jobs.values())[-1].request["cost"] == 2
