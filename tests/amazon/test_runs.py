"""A whole run on Amazon Braket's state vector: recorded, gone on with in another process, and computed again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np

import qhn
from amazon.alone import client
from qhn.problem.cost import TableProblem

client()


def command(*words: str) -> str:
    """The output of the command line in a process of its own."""
    call = [sys.executable, "-m", "qhn", *words]
    done = subprocess.run(call, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def test_a_run_is_recorded_resumed_by_another_process_and_replayed(tmp_path: Path) -> None:
    page = command(
        "run", "figure-1", "--backend", "braket_machine:state_vector", "--layers", "1", "--steps", "2", "--shots", "50"
    )
    assert "machine     braket_machine:state_vector (takes no seed, so that the same run measures other bits)" in page
    (directory,) = (tmp_path / "results" / "figure-1").iterdir()
    first = [step.value for step in qhn.load_run(directory).steps()]
    command("resume", directory.name, "--steps", "3", "--trust")  # in another process, of a module of the user's own
    record = qhn.load_run(directory)
    assert [step.value for step in record.steps()][:2] == first
    assert len(record.steps()) == 3
    facts = record.sessions()[-1].backend.facts
    assert (facts["name"], facts["seed"]) == ("braket_machine:state_vector", "not taken")
    replayed = command("replay", directory.name)  # E and its gradient of the recorded bits are the recorded ones
    assert "3 steps" in replayed


def test_training_takes_the_object_itself() -> None:
    import braket_machine

    costs = np.array([3.0, 1.0, 2.0, 0.0])
    ansatz = qhn.hypernetwork(2, 1)
    estimator = qhn.SamplingEstimator(ansatz, TableProblem(costs), braket_machine.state_vector, shots=4000, seed=1)
    exact = qhn.ExactEstimator(ansatz, TableProblem(costs))
    theta = np.linspace(0.3, 2.0, ansatz.num_parameters)
    found, expected = estimator.value_and_grad(theta), exact.value_and_grad(theta)
    assert abs(found.value - expected.value) < 5 * found.std_error
    assert (np.abs(found.grad - expected.grad) <= 5 * found.grad_std_error + 1e-12).all()
