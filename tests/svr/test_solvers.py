"""The solvers of a QUBO: against enumeration, samplers of dimod, D-Wave's mock, and machines that run a circuit."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("dimod")
pytest.importorskip("dwave.samplers")

import dimod
import dwave.samplers

import qhn
from qhn import QuboSVR
from qhn.backend import BackendError
from qhn.backend.service import connection, jobs
from qhn.problem.quadratic import QuadraticProblem
from qhn.run.record import load_run
from qhn.svr.annealing import _embedded, sampled
from qhn.svr.circuit import config_of
from qhn.svr.solvers import SOLVERS
from qhn.svr.task import Task, best
from service import Service


def task_of(rng: np.random.Generator, num_qubits: int = 10, **changes: Any) -> Task:
    problem = QuadraticProblem.from_qubo(np.triu(rng.normal(size=(num_qubits, num_qubits))))
    return Task(problem, **({"num_solutions": 4, "seed": 3} | changes))


@pytest.fixture
def samples(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(20, 3))
    y = np.sin(x[:, 0]) + x[:, 1] / 2
    return x, (y - y.mean()) / y.std()


def lowest(task: Task) -> np.ndarray:
    """The lowest energies of all bitstrings, by dimod's own enumeration."""
    problem = task.problem
    model = dimod.BinaryQuadraticModel(
        dict(enumerate(problem.fields)),
        {tuple(pair): value for pair, value in zip(problem.pairs.tolist(), problem.couplings, strict=True)},
        problem.offset,
        "SPIN",
    )
    energies: np.ndarray = dimod.ExactSolver().sample(model).record.energy
    return np.sort(energies)[: task.num_solutions]


@pytest.mark.parametrize("solver", ["exact", "simulated-annealing", "random", "hypernetwork"])
def test_small_problems_are_solved(rng: np.random.Generator, solver: str) -> None:
    task = task_of(rng, num_qubits=6)
    bits = best(task, SOLVERS[solver](task))
    energies = task.problem.cost(bits)
    assert len(np.unique(bits, axis=0)) == len(bits)
    assert (np.diff(energies) >= 0).all()
    if solver == "simulated-annealing":  # which need not meet the others
        assert energies[0] == pytest.approx(lowest(task)[0])
    else:
        np.testing.assert_allclose(energies, lowest(task))


def test_equal_energies_are_found_in_order() -> None:
    task = Task(QuadraticProblem.from_qubo(np.diag([1.0, 1.0, 0.0])), num_solutions=3)
    bits = best(task, SOLVERS["exact"](task))
    assert task.problem.cost(bits).tolist() == [0.0, 0.0, 1.0]
    assert bits[:2].tolist() == [[0, 0, 0], [0, 0, 1]]


def test_random_bits_are_uniform(rng: np.random.Generator) -> None:
    found = SOLVERS["random"](task_of(rng, 30, options={"num_reads": 4000})).bits
    assert found.shape == (4000, 30)
    assert np.abs(found.mean(axis=0) - 0.5).max() < 5 * 0.5 / 4000**0.5


@pytest.mark.parametrize(
    "sampler", [dwave.samplers.TabuSampler(), dwave.samplers.SteepestDescentSampler(), dimod.ExactSolver()]
)
def test_any_sampler_of_dimod(samples: tuple[np.ndarray, np.ndarray], sampler: Any) -> None:
    x, y = samples[0][:3], samples[1][:3]
    options = {"num_reads": 20} if "num_reads" in sampler.parameters else {}
    found = QuboSVR(solver=sampler, options=options, random_state=0).fit(x, y)
    exact = QuboSVR(solver="exact").fit(x, y)
    assert found.energy_ == pytest.approx(exact.energy_, abs=0.02)
    assert found.energy_ >= exact.energy_ - 1e-12


class Strange(dimod.Sampler):
    """A sampler that answers in bits, with its variables in reverse."""

    properties: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[dict[str, Any]] = {}

    def sample(self, bqm: Any) -> Any:
        bits = np.array([[1, 0, 0, 1, 0, 0], [1, 1, 0, 0, 0, 0]], dtype=np.int8)
        return dimod.SampleSet.from_samples_bqm((bits, [5, 4, 3, 2, 1, 0]), bqm.change_vartype("BINARY", inplace=False))


def test_the_order_of_a_samplers_variables_does_not_count() -> None:
    problem = QuadraticProblem.from_qubo(np.diag(np.arange(6.0)))
    assert sampled(Strange(), Task(problem, 2)).bits.tolist() == [[0, 0, 1, 0, 0, 1], [0, 0, 0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("module", "solver", "extra"),
    [
        ("dwave.samplers", "simulated-annealing", "search"),
        ("dwave.system", "dwave", "dwave"),
        ("dimod", "simulated-annealing", "search"),
    ],
)
def test_missing_extras(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, module: str, solver: str, extra: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ValueError, match=rf"pip install 'qhn\[{extra}\]'"):
        SOLVERS[solver](task_of(rng))


# ------------------------------------------------------------ D-Wave, by the vendor's mock


@pytest.fixture
def mock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An annealer of D-Wave that is none, in place of that to which a configuration would lead."""
    system = pytest.importorskip("dwave.system")
    testing = pytest.importorskip("dwave.system.testing")
    annealer = testing.MockDWaveSampler(topology_type="pegasus", topology_shape=[4])
    monkeypatch.setattr(system, "DWaveSampler", lambda: annealer)
    return annealer


@pytest.mark.parametrize("is_given", [True, False])
def test_an_annealer_is_embedded_as_a_clique(samples: tuple[np.ndarray, np.ndarray], mock: Any, is_given: bool) -> None:
    x, y = samples[0][:5], samples[1][:5]
    model = QuboSVR(solver=mock if is_given else "dwave", options={"num_reads": 50}, random_state=0)
    found = model.fit(x, y)
    best_of_all = QuboSVR(random_state=0).fit(x, y)
    assert found.problem_.num_qubits == 30
    assert found.energy_ >= best_of_all.optimal_energy_
    typical = found.problem_.cost(np.random.default_rng(0).integers(0, 2, (1000, 30)))
    assert found.energy_ < np.quantile(typical, 0.1)  # the mock descends from random chains, and is no annealer
    assert "timing" in found.solver_info_


def test_another_process_may_make_the_folder_of_the_cache(
    samples: tuple[np.ndarray, np.ndarray], mock: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make, made = os.makedirs, []

    def made_elsewhere(path: str, *args: Any, **options: Any) -> None:
        make(path, *args, **options)
        made.append(path)
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)

    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setattr(os, "makedirs", made_elsewhere)
    found = QuboSVR(solver=mock, options={"num_reads": 1}).fit(samples[0][:2], samples[1][:2])
    assert found.problem_.num_qubits == 12
    assert any("busclique" in path for path in made)


def test_the_users_own_embedding_is_left_alone(samples: tuple[np.ndarray, np.ndarray], mock: Any) -> None:
    from dwave.system import FixedEmbeddingComposite
    from minorminer.busclique import find_clique_embedding

    composed = FixedEmbeddingComposite(mock, find_clique_embedding(12, mock.to_networkx_graph()))
    x, y = samples[0][:2], samples[1][:2]
    found = QuboSVR(solver=composed, options={"num_reads": 200, "chain_strength": 5.0}).fit(x, y)
    assert found.bits_.shape == (4, 12)
    assert _embedded(composed, found.problem_, "mine") is composed


def test_an_annealer_that_is_too_small(samples: tuple[np.ndarray, np.ndarray], mock: Any) -> None:
    with pytest.raises(
        ValueError, match="have 120 bits, and the graph of dwave holds a clique of 36 at most; take fewer"
    ):
        QuboSVR(solver="dwave").fit(*samples)


def test_an_option_that_an_annealer_lacks(samples: tuple[np.ndarray, np.ndarray], mock: Any) -> None:
    with pytest.raises(ValueError, match="'dwave' has no option 'anneal_time'; did you mean 'annealing_time'"):
        QuboSVR(solver="dwave", options={"anneal_time": 20}).fit(samples[0][:2], samples[1][:2])


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ValueError("API token not defined"), qhn.QhnError, "no access: API token not defined; dwave setup writes"),
        (ConnectionError("no route"), BackendError, "cannot be reached: no route"),
    ],
)
def test_no_access_to_d_wave(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, mock: Any, error: Exception, kind: type, words: str
) -> None:
    def refuse() -> Any:
        raise error

    monkeypatch.setattr("dwave.system.DWaveSampler", refuse)
    with pytest.raises(kind, match=words):
        SOLVERS["dwave"](task_of(rng))


# ------------------------------------------------------------ circuits


@pytest.mark.parametrize(
    "options",
    [
        {"train.steps": 30},
        {"train.steps": 30, "train.shots": None},
        {"train.steps": 8, "train.backend": "aer"},
        {"train.steps": 8, "ansatz": {"name": "efficient-su2"}, "train.shots": 200},
        {"train.steps": 8, "ansatz.name": "product", "train.objective": "mean"},
    ],
    ids=str,
)
def test_a_circuit_trains_a_regression(samples: tuple[np.ndarray, np.ndarray], options: dict[str, Any]) -> None:
    x, y = samples[0][:2], samples[1][:2]
    found = QuboSVR(solver="hypernetwork", options=options, random_state=0).fit(x, y)
    exact = QuboSVR(solver="exact").fit(x, y)
    assert exact.energy_ - 1e-12 <= found.energy_ <= 0.9 * exact.energy_
    assert found.energy_ <= found.solver_info_["energy"] + 1e-12, "the best shot is not above the mean energy"
    assert found.solver_info_["steps"] == options["train.steps"]
    assert len(found.bits_) == 4


def test_the_gradient_fits_the_number_of_bits(rng: np.random.Generator) -> None:
    def gradient(num_qubits: int, **options: Any) -> str:
        named = {name.replace("_", "."): value for name, value in options.items()}
        return config_of(task_of(rng, num_qubits, options=named)).train.gradient.name

    assert gradient(18) == "parameter-shift"
    assert gradient(120) == "spsa"
    assert gradient(120, train_shots=None) == "parameter-shift"
    assert gradient(120, train_gradient="parameter-shift") == "parameter-shift"
    assert gradient(120, train_angles="sparse", train_objective="mean") == "parameter-shift"


def test_a_recorded_training_is_found_again(samples: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    x, y = samples[0][:3], samples[1][:3]
    model = QuboSVR(
        solver="hypernetwork", options={"train.steps": 3, "train.shots": 30}, results=tmp_path / "kept", random_state=0
    )
    first = model.fit(x, y)
    bits, place = first.bits_, first.solver_info_["record"]
    assert len(load_run(place).steps()) == 3
    modified = {path: path.stat().st_mtime_ns for path in place.rglob("samples/*")}
    again = QuboSVR(**model.get_params()).fit(x, y)
    assert again.solver_info_["record"] == place
    np.testing.assert_array_equal(again.bits_, bits)
    assert {path: path.stat().st_mtime_ns for path in place.rglob("samples/*")} == modified
    assert not QuboSVR(**(model.get_params() | {"results": None})).fit(x, y).solver_info_["record"]


def test_a_paid_fit_needs_a_budget_and_is_not_paid_twice(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for module, names in (
        (connection, ("FIRST_PAUSE", "LONGEST_PAUSE")),
        (jobs, ("LISTING_DELAY", "FULL_QUEUE_PAUSE")),
    ):
        for name in names:
            monkeypatch.setattr(module, name, 0.05)
    x, y = np.array([[-1.0], [1.0]]), np.array([-1.0, 1.0])
    options = {"train.backend": "ibm_manila", "train.shots": 60, "train.steps": 3}
    model = QuboSVR(num_bits=1, solver="hypernetwork", options=options, random_state=1)
    with pytest.raises(ValueError, match="random_state must be a number on backend ibm_manila, which bills"):
        QuboSVR(**(model.get_params() | {"random_state": None})).fit(x, y)
    with pytest.raises(ValueError, match=r"needs a budget, such as --set train\.max_qpu_seconds"):
        model.fit(x, y)
    assert not service.jobs
    model.set_params(options=options | {"train.max_qpu_seconds": 60}).fit(x, y)
    assert model.solver_info_["record"].parent == tmp_path / "results" / "svr"
    paid, bits = len(service.jobs), model.bits_
    again = QuboSVR(**model.get_params()).fit(x, y)
    assert len(service.jobs) == paid > 0
    np.testing.assert_array_equal(again.bits_, bits)


@pytest.mark.slow
def test_a_circuit_of_120_qubits_on_matrix_products(samples: tuple[np.ndarray, np.ndarray]) -> None:
    options = {"train.backend": "aer-mps", "train.shots": 50, "train.steps": 20}
    found = QuboSVR(solver="hypernetwork", options=options, random_state=0).fit(*samples)
    control = QuboSVR(solver="random", options={"num_reads": 100_000}, random_state=0).fit(*samples)
    assert found.problem_.num_qubits == 120
    assert found.relative_energy_gap_ < 0.2 < control.relative_energy_gap_


@pytest.mark.slow
@pytest.mark.parametrize("num_layers", [0, 1])
def test_a_circuit_of_40_qubits_on_a_rehearsed_device(samples: tuple[np.ndarray, np.ndarray], num_layers: int) -> None:
    options = {"train.backend": "fake_torino", "train.steps": 15, "ansatz.num_layers": num_layers}
    x, y = samples[0][:10], samples[1][:10]
    found = QuboSVR(num_bits=2, solver="hypernetwork", options=options, random_state=0).fit(x, y)
    control = QuboSVR(num_bits=2, solver="random", random_state=0).fit(x, y)
    assert found.problem_.num_qubits == 40
    assert found.relative_energy_gap_ < control.relative_energy_gap_


@pytest.mark.slow
def test_a_clique_of_120_bits_fits_an_annealer_of_todays_size(samples: tuple[np.ndarray, np.ndarray]) -> None:
    testing = pytest.importorskip("dwave.system.testing")
    annealer = testing.MockDWaveSampler(topology_type="pegasus", topology_shape=[16])
    found = QuboSVR(solver=annealer, options={"num_reads": 20}).fit(*samples)
    assert found.problem_.num_qubits == 120
    assert found.energy_ < 0, "lower than without any support vector"
