"""Devices of Amazon Braket: a calibrated one in Amazon's emulator, and the example's plug-in on a stand-in of AWS."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

import qhn
from amazon.alone import client
from qhn import bitstrings
from qhn.backend import BackendError, Journal, machine_of
from qhn.backend.events import Event
from qhn.seeds import Key

provider = client()
EXAMPLE = Path(__file__).parents[2] / "examples" / "braket_machine.py"
KEY, SHOTS, ARN = Key(seed=5, run="r"), 20_000, "arn:aws:braket:::device/qpu/nobody/ring"
CHAIN = [[1, 2, 3, 4], [4, 3, 2, 1]]  # the labels 2 to 5 are the backend's qubits 1 to 4
pytestmark = pytest.mark.filterwarnings(  # the emulator's own, over barriers and global phases
    "ignore:.*(Barrier is not included|does not support global phase):qhn.errors.QhnWarning"
)


def agree(bits: np.ndarray, probabilities: np.ndarray) -> bool:
    found = np.bincount(bitstrings.to_integers(bits), minlength=2 ** bits.shape[-1])
    expected = len(bits) * probabilities
    return bool(np.all(np.abs(found - expected) < 5 * np.sqrt(expected + 1)))


@pytest.fixture
def ring(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The device behind AWS: found by its ARN, and its tasks by their ids."""
    from amazon.ring import Ring

    device, module = Ring(), "qiskit_braket_provider.providers.braket_backend."
    monkeypatch.setattr(module + "AwsDevice", {ARN: device}.__getitem__)
    monkeypatch.setattr(module + "AwsQuantumTask", lambda arn: device.tasks[arn])
    entry = EntryPoint("aws_", "braket_machine:DEVICES", "qhn.backends")
    monkeypatch.setattr("qhn.backend.vendor.plug_in.entry_points", lambda group: [entry])
    return device


def test_the_plug_in_is_short() -> None:
    assert len(EXAMPLE.read_text("utf-8").splitlines()) <= 40


def test_a_calibrated_device_gets_the_best_chain_and_its_twin_is_amazons_emulator(
    ring: Any, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The errors that the device reports, in our matrix products and in Amazon's density matrices."""
    import braket_machine

    backend = provider.BraketAwsBackend(arn=ARN).emulator()
    monkeypatch.setattr(braket_machine, "ring", backend, raising=False)
    machine, twin = (qhn.open_backend(f"{name}braket_machine:ring") for name in ("", "twin_"))
    ansatz = qhn.hypernetwork(4, 2)
    thetas = rng.uniform(0, 2 * np.pi, (2, ansatz.num_parameters))
    placed, expected = machine.compile(ansatz), twin.compile(ansatz).probabilities(thetas)
    assert placed.placement.describe()["tiles"][0]["qubits"] in CHAIN
    bits = placed.sample(thetas, SHOTS, KEY).bits
    for row, probabilities, theta in zip(bits, expected, thetas, strict=True):
        assert agree(row, probabilities)
        assert not agree(row, Statevector(ansatz.circuit.assign_parameters(theta)).probabilities())


def test_a_billed_device_runs_on_the_chosen_qubits_and_its_jobs_are_found_again(ring: Any, tmp_path: Path) -> None:
    name, journal = f"aws_{ARN}", Journal(tmp_path / "jobs.jsonl")
    kind = machine_of(name)
    assert (kind.bills, kind.has_chip) == (True, True)
    ansatz = qhn.hypernetwork(4, 1)
    theta = np.full((2, ansatz.num_parameters), 0.7)
    machine = kind.open(name, journal=journal)
    found = machine.compile(ansatz).sample(theta, 100, KEY)
    assert found.bits.shape == (2, 100, 4)
    assert all("#pragma braket verbatim" in program for program in ring.programs)
    assert all(f"${label}" in program for program in ring.programs for label in (2, 3, 4, 5))
    entries = journal.history().entries()
    (test,) = [entry for entry in entries if entry.event is Event.SELF_TEST]
    assert test.versions is not None
    assert test.versions["qiskit_braket_provider"] == provider.__version__
    events = [entry.event for entry in entries if entry.tag == KEY.tag]
    assert events == [Event.INTENT, Event.SUBMITTED, Event.DONE]
    job_id = next(entry.job_id for entry in entries if entry.event is Event.DONE and entry.tag == KEY.tag)
    assert set(job_id.split(";")) <= ring.tasks.keys()

    before = len(ring.tasks)
    again = kind.open(name, journal=Journal(tmp_path / "jobs.jsonl")).compile(ansatz).sample(theta, 100, KEY)
    assert again.bits.tolist() == found.bits.tolist()
    assert len(ring.tasks) == before  # nothing was submitted, neither the self-test nor the request


def test_a_failure_to_answer_is_no_failure_of_the_job(
    ring: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network fails while a job that is paid for is asked for its result: it is not submitted again."""
    name, path, ansatz = f"aws_{ARN}", tmp_path / "jobs.jsonl", qhn.hypernetwork(3, 1)
    theta = np.full((1, ansatz.num_parameters), 0.7)
    machine_of(name).open(name, journal=Journal(path)).compile(ansatz).sample(theta, 100, KEY)
    late, task = Key(seed=5, run="r", step=1), provider.BraketQuantumTask
    result = task.result

    def lost(self: Any) -> Any:
        raise RuntimeError("Could not connect to the endpoint URL")

    monkeypatch.setattr(task, "result", lost)
    with pytest.raises(BackendError, match="did not end well"):
        machine_of(name).open(name, journal=Journal(path)).compile(ansatz).sample(theta, 100, late)
    before = len(ring.tasks)
    monkeypatch.setattr(task, "result", result)
    bits = machine_of(name).open(name, journal=Journal(path)).compile(ansatz).sample(theta, 100, late).bits
    assert bits.shape == (1, 100, 3)
    assert len(ring.tasks) == before
