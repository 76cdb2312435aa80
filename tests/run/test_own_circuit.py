"""Runs of a circuit of the user's own: from a file, from Python, with angles that turn several gates."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.quantum_info import Statevector

import qhn
from qhn.circuit.hypernetwork import hypernetwork
from qhn.config.file import load_config
from qhn.errors import QhnError
from qhn.report.page import Report
from qhn.run.record import Record
from qhn.run.training import Training

CIRCUITS = Path(__file__).parents[2] / "circuits"
SAMPLED = {"train.backend": "aer", "train.shots": 50, "train.steps": 2}
PROBLEM = qhn.TableProblem(np.arange(8.0) % 5)


def shared() -> QuantumCircuit:
    a, b = Parameter("a"), Parameter("b")
    circuit = QuantumCircuit(3)
    circuit.ry(a, 0)
    circuit.crx(-2 * b + 0.3, 0, 1)
    circuit.ry(a / 2, 2)
    circuit.rzz(b, 0, 2)
    circuit.ry(0.4, 1)
    circuit.rxx(b, 1, 2)
    return circuit


def means(training: Training) -> list[float]:
    found = [step.mean for step in training]
    training.close()
    return found


def test_a_circuit_from_python_is_recorded_resumed_replayed_and_shown(tmp_path: Path) -> None:
    config = load_config("figure-1", SAMPLED)
    training = qhn.train(config, problem=PROBLEM, ansatz=shared(), results=tmp_path)
    first = means(training)
    assert training.record is not None
    moved = tmp_path / "elsewhere" / training.config.run_id
    shutil.move(training.record.directory, moved)
    longer = means(qhn.resume(moved, {"train.steps": 4}, problem=PROBLEM))
    again = load_config("figure-1", SAMPLED | {"train.steps": 4})
    assert longer == means(qhn.train(again, problem=PROBLEM, ansatz=shared(), record=False))
    assert longer[:2] == first
    assert [one.step for one in qhn.replay(moved, problem=PROBLEM)] == [0, 1, 2, 3]
    assert "3 qubits, circuit, 6 rotations, 2 active of 2 angles" in Report(Record.load(moved)).summary()


def test_another_circuit_is_another_run() -> None:
    config, other = load_config("figure-1"), shared()
    other.x(0)
    ids = {config.trained(circuit).run_id for circuit in (shared(), shared(), other)}
    assert len(ids) == 2
    assert config.trained(hypernetwork(4, 2)).run_id == config.run_id


def test_the_gradient_of_a_run_without_shots_is_that_of_finite_differences() -> None:
    config = load_config("figure-1", {"train.backend": "exact", "train.steps": 1})
    step = next(iter(qhn.train(config, problem=PROBLEM, ansatz=shared(), record=False)))

    def energy(theta: np.ndarray) -> float:
        return float(Statevector(shared().assign_parameters(theta)).probabilities() @ PROBLEM.costs)

    expected = [(energy(step.theta + h) - energy(step.theta - h)) / 2e-5 for h in 1e-5 * np.eye(2)]
    np.testing.assert_allclose(step.grad, expected, atol=1e-8)


def test_an_exported_circuit_has_the_energy_of_its_hypernetwork() -> None:
    config = load_config("figure-1")
    problem = config.problem()
    read = load_config("figure-1", {"ansatz.file": str(CIRCUITS / "figure-1.qasm")}).circuit(problem)
    theta = np.random.default_rng(1).uniform(0, 6, (3, 32))
    expected = qhn.ExactEstimator(config.circuit(problem), problem).value_and_grad(theta)
    found = qhn.ExactEstimator(read, problem).value_and_grad(theta)
    np.testing.assert_allclose(found.value, expected.value, atol=1e-12)
    np.testing.assert_allclose(found.grad, expected.grad, atol=1e-12)


def test_a_file_is_kept_in_the_record(tmp_path: Path) -> None:
    mine = tmp_path / "mine.qasm"
    shutil.copy(CIRCUITS / "figure-1.qasm", mine)
    training = qhn.train(load_config("figure-1", SAMPLED | {"ansatz.file": str(mine)}), results=tmp_path / "results")
    first = means(training)
    mine.unlink()
    assert training.record is not None
    assert means(qhn.resume(training.record.directory, {"train.steps": 3}))[:2] == first
    with pytest.raises(QhnError, match=r"the circuit has 4 qubits, the problem 14 bits"):
        qhn.train(load_config("gaussian-activation", {"ansatz.file": str(CIRCUITS / "figure-1.qasm")}))


def test_a_qpy_file_is_read_only_when_it_is_trusted(tmp_path: Path) -> None:
    path = tmp_path / "mine.qpy"
    with path.open("wb") as file:
        qpy.dump(shared(), file)
    config = load_config("figure-1", SAMPLED | {"ansatz.file": str(path)})
    with pytest.raises(QhnError, match="--trust"):
        qhn.train(config, problem=PROBLEM, results=tmp_path)
    training = qhn.train(config, problem=PROBLEM, results=tmp_path, trust=True)
    first = means(training)
    assert training.record is not None
    path.unlink()
    assert means(qhn.resume(training.record.directory, {"train.steps": 3}, problem=PROBLEM))[:2] == first
    assert "qpy" not in (training.record.directory / "config.json").read_text()


def test_a_thing_that_is_no_circuit_is_refused() -> None:
    with pytest.raises(QhnError, match="an ansatz must be a QuantumCircuit"):
        qhn.train(load_config("figure-1"), ansatz="mine.qasm")  # type: ignore[arg-type]
