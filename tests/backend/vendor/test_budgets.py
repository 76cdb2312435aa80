"""Budgets of machines that bill, of whose price nothing is known: jobs and shots are limited, and told before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import qhn as package
from clouds import ROWS, SHOTS, STEPS, TEST, configured, jobs
from qhn.run.checks import BudgetNeeded


def test_what_is_paid_for_needs_a_budget_and_a_record(names: dict[str, str], qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(
        BudgetNeeded, match=r"such as --set train\.max_shots=1900; its 3 steps should take 1,900 shots"
    ) as error:
        package.train(configured(names["finds"]))
    assert (error.value.price, error.value.shots) == (0.0, TEST + 3 * ROWS * SHOTS)
    with pytest.raises(ValueError, match="is paid for and must be recorded"):
        package.train(configured(names["finds"], max_shots=5000), record=False)
    with pytest.raises(ValueError, match=r"train\.max_shots is 899, the first step takes 900 shots"):
        package.train(configured(names["finds"], max_shots=899))
    with pytest.raises(
        ValueError, match=r"those of .* have no price that is known; set it to none, and train\.max_shots"
    ):
        package.train(configured(names["finds"], max_qpu_seconds=60))
    with pytest.raises(ValueError, match=r"train\.max_jobs is 1, the first step takes 2"):
        package.train(configured(names["finds"], max_shots=5000, max_jobs=1))
    with pytest.raises(ValueError, match=r"evaluate keeps no record of its shots"):
        _evaluate(names["finds"])
    assert jobs(tmp_path) == []
    agreed = qhn("run", "figure-1", *STEPS, "--backend", names["finds"], "--yes")
    assert "2 steps and a self-test take 1,400 shots, of whose price qhn knows nothing" in agreed.err
    assert (agreed.code, len(jobs(tmp_path))) == (0, 3)


def _evaluate(name: str) -> object:
    from qhn.run.evaluate import evaluate_theta

    config = configured(name)
    return evaluate_theta(config, np.zeros(config.circuit(config.problem()).num_parameters))


@pytest.mark.parametrize(
    ("limits", "steps", "words"),
    [
        ({"max_shots": TEST + 2 * ROWS * SHOTS}, 2, r"a step takes 500 shots, 0 of train\.max_shots remain"),
        ({"max_shots": 9000, "max_jobs": 3}, 2, r"a step takes 1 job, 0 of train\.max_jobs remain"),
    ],
)
def test_a_run_stops_before_its_budget_is_exceeded(
    names: dict[str, str], limits: dict[str, float], steps: int, words: str, tmp_path: Path
) -> None:
    training = package.train(configured(names["finds"], **limits))
    assert len(list(training)) == steps
    assert training.outcome is not None
    assert training.outcome.name == "budget"
    assert training.outcome.message.startswith(words.replace("\\", ""))
    assert len(jobs(tmp_path)) == 1 + steps
    spent = training.ledger().spent
    assert (spent.jobs, spent.shots, spent.seconds) == (1 + steps, TEST + steps * ROWS * SHOTS, 0.0)


def test_estimates_and_lists_say_what_is_known(names: dict[str, str], qhn, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    asked = ("estimate", "figure-1", *STEPS, "--backend", names["finds"])
    assert "all 2 steps 1,400 in 3 jobs, or more if one of" in qhn(*asked).out
    assert json.loads(qhn(*asked, "--json").out) == {
        "backend": names["finds"],
        "billed": True,
        "steps": 2,
        "jobs": 3,
        "shots": 1400,
        "first_step_shots": 900,
    }
    assert jobs(tmp_path) == []
