"""Sweeps, studies, descents and the classifier on machines of modules and objects."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qiskit.primitives import StatevectorSampler
from qiskit.providers.fake_provider import GenericBackendV2

import qhn as package
from qhn.backend import Journal, Machine
from qhn.budget.limits import Limits
from qhn.quantum_sgd.load import load_descent
from qhn.quantum_sgd.loop import quantum_descent
from qhn.run.checks import BudgetNeeded
from qhn.run.circuit_machine import CircuitMachine
from qhn.seeds import Key
from reference import literal_circuit
from vendors import CLOUD, MODULE, Own, submitted

MINE = """
from vendors import Own
from qiskit.primitives import StatevectorSampler

def make():
    return Own()

def sampler():
    return StatevectorSampler()
"""
SWEEP = """
experiment = "figure-1"
seeds = 2
repeats = 1
[set]
train.backend = "mine:make"
train.steps = 1
train.shots = 20
ansatz.num_layers = 1
data.samples = 40
"""
STUDY = """
experiment = "figure-1"
max_resource = 2
[set]
train.backend = "mine:make"
train.shots = 20
ansatz.num_layers = 1
data.samples = 40
data.validation_samples = 0
[vary]
train.optimizer.learning_rate = [0.1, 0.3, 0.5]
"""


def child(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A process of ``qhn`` in the folder of the module, which is not on its path of modules (``-P``)."""
    paths = [str(Path(__file__).parents[2]), str(Path(package.__file__).parents[1])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "qhn", *words]
    return subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["processes", "dask"])
def test_workers_find_the_module_of_a_sweep(executor: str, module: Callable[[str, str], str], tmp_path: Path) -> None:
    if executor == "dask":
        pytest.importorskip("distributed")
    module("mine", MINE)
    (tmp_path / "own.toml").write_text(SWEEP)
    done = child(tmp_path, "sweep", "own.toml", "--workers", "2", "--executor", executor)
    assert done.returncode == 0, done.stderr
    assert "2 of 2 members finished" in done.stdout


@pytest.mark.slow
def test_workers_find_the_module_of_a_study(module: Callable[[str, str], str], tmp_path: Path) -> None:
    module("mine", MINE)
    (tmp_path / "own.toml").write_text(STUDY)
    done = child(tmp_path, "search", "own.toml", "--workers", "2", "-q")
    assert done.returncode == 0, done.stderr


def test_a_sweep_is_read_without_its_module(
    module: Callable[[str, str], str],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    new_process: Callable[[], None],
) -> None:
    module("mine", MINE)
    (tmp_path / "own.toml").write_text(SWEEP.replace("seeds = 2", "seeds = 1"))
    assert qhn("sweep", "own.toml", "--workers", "1", "-q").code == 0
    (tmp_path / "mine.py").unlink()
    new_process()
    listed = qhn("list")
    assert (listed.code, listed.out.count("mine:make")) == (0, 1)
    new_process()
    assert qhn("sweep", "own.toml", "--workers", "1", "-q").code == 0


def test_a_descent_measures_on_a_machine_of_a_module(
    module: Callable[[str, str], str],
    qhn,  # type: ignore[no-untyped-def]
    tmp_path: Path,
    new_process: Callable[[], None],
) -> None:
    module("mine", MINE)
    losses = {}
    for backend in ("mine:make", "mine:sampler", "aer"):
        config = load_descent(
            "three-qubits", {"machine.backend": backend, "machine.shots": 4000, "machine.min_counts": 1}
        )
        losses[backend] = [segment.loss for segment in quantum_descent(config)]
    assert np.allclose(losses["mine:make"], losses["aer"], rtol=0.2)
    assert np.allclose(losses["mine:sampler"], losses["aer"], rtol=0.2)
    (tmp_path / "mine.py").unlink()
    new_process()
    listed = qhn("list")
    assert (listed.code, "Traceback" in listed.err) == (0, False), listed.err
    assert (
        "mine:make cannot be imported" in qhn("qsgd", "three-qubits", "--backend", "mine:make", "--shots", "5000").err
    )


def test_a_descent_on_a_machine_that_bills_counts_its_jobs(
    module: Callable[[str, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CLOUD, str(tmp_path / "cloud"))
    module("acme", MODULE.replace("{module}", "acme"))
    settings = {"machine.backend": "acme:finding", "machine.shots": 4000, "machine.min_counts": 1}
    with pytest.raises(BudgetNeeded, match=r"such as --set machine\.max_shots="):
        quantum_descent(load_descent("three-qubits", settings))
    with pytest.raises(ValueError, match=r"those of acme:finding have no price that is known"):
        quantum_descent(load_descent("three-qubits", settings | {"machine.max_qpu_seconds": 9}))
    assert submitted(tmp_path / "cloud") == []
    limited = load_descent("three-qubits", settings | {"machine.max_shots": 100_000, "machine.max_jobs": 2})
    descent = quantum_descent(limited)
    assert len(list(descent)) == 1  # a self-test and a segment
    assert descent.outcome is not None
    assert (descent.outcome.name, len(submitted(tmp_path / "cloud"))) == ("budget", 2)
    more = load_descent("three-qubits", settings | {"machine.max_shots": 100_000, "machine.max_jobs": 3})
    assert len(list(quantum_descent(more))) == 1  # the second one
    assert len(submitted(tmp_path / "cloud")) == 3


def test_bound_circuits_on_a_machine_that_bills_are_measured_once(
    module: Callable[[str, str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CLOUD, str(tmp_path / "cloud"))
    module("acme", MODULE.replace("{module}", "acme"))
    circuit = literal_circuit(2, 0, "eq5", np.array([0.7, 1.1, 0.0, 0.0]))
    circuit.measure_all()
    rules = Limits(max_shots=10_000)
    journal = Journal(tmp_path / "jobs.jsonl")
    first, second = (
        CircuitMachine("acme:finding", None, Journal(tmp_path / "jobs.jsonl"), limits=rules) for _ in range(2)
    )
    key = Key(1, run="r")
    one, other = (machine.measure([circuit], 300, key) for machine in (first, second))
    assert (one.bits == other.bits).all()
    assert len(submitted(tmp_path / "cloud")) == 2  # the self-test and the circuit
    assert [job.price.shots for job in journal.history().jobs().values()] == [400, 300]
    assert first.price([circuit], 300).words().endswith("depth 2: 1 job")
    with pytest.raises(ValueError, match="must be recorded"):
        CircuitMachine("acme:finding", None, None, limits=rules).measure([circuit], 300, key)


@pytest.fixture
def samples() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(40, 2))
    return x, (x[:, 0] > 0).astype(int)


def test_the_classifier_takes_a_module(
    module: Callable[[str, str], str], samples: tuple[np.ndarray, np.ndarray]
) -> None:
    pytest.importorskip("sklearn")
    module("mine", MINE)
    found = package.HypernetworkClassifier(backend="mine:make", shots=40, steps=3, random_state=1).fit(*samples)
    assert found.predict(samples[0]).shape == (40,)
    with pytest.raises(ValueError, match="gone:make cannot be imported"):
        package.HypernetworkClassifier(backend="gone:make", shots=40, steps=3).fit(*samples)


def test_the_classifier_on_a_machine_that_bills_is_recorded(
    module: Callable[[str, str], str],
    samples: tuple[np.ndarray, np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("sklearn")
    monkeypatch.setenv(CLOUD, str(tmp_path / "cloud"))
    module("acme", MODULE.replace("{module}", "acme"))
    parameters = {"backend": "acme:finding", "shots": 20, "steps": 2}
    with pytest.raises(ValueError, match="random_state must be a number on backend acme:finding, which bills"):
        package.HypernetworkClassifier(**parameters).fit(*samples)
    with pytest.raises(BudgetNeeded, match="max_shots"):
        package.HypernetworkClassifier(**parameters, random_state=1).fit(*samples)
    assert submitted(tmp_path / "cloud") == []


def test_an_estimator_takes_an_object() -> None:
    problem = package.TableProblem([0.0, 1.0, 2.0, 3.0])
    for machine in (StatevectorSampler(), Own(), GenericBackendV2(5, noise_info=False)):
        estimator = package.SamplingEstimator(package.product_state(2), problem, machine, shots=200)
        assert estimator(np.array([[np.pi, 0.0, 0.0, 0.0], [0.0, np.pi, 0.0, 0.0]])).mean.tolist() == [1.0, 2.0]


def test_a_machine_of_a_plug_in_is_a_value() -> None:
    machine = Machine("acme_", "acme:opens", bills=True)
    assert (machine.spelling, machine.has_chip, machine.is_priced) == ("acme_<device>", False, False)
