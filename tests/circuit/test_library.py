"""Kinds of ansatz by name: their circuits, their tables, and what they make of a cost."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import efficient_su2, qaoa_ansatz, real_amplitudes
from qiskit.quantum_info import SparsePauliOp, Statevector

from qhn.circuit.library import KINDS
from qhn.circuit.unrolled import CircuitAnsatz
from qhn.config import RunConfig
from qhn.config.file import load_config, parse_config, with_settings
from qhn.errors import QhnError
from qhn.problem.cost import TableProblem

COSTS = np.array([1.0, 3.0, -2.0, 0.5, 4.0, 1.0, 0.0, -1.0])


def probabilities(ansatz: CircuitAnsatz, theta: np.ndarray) -> np.ndarray:
    return Statevector(
        ansatz.circuit.assign_parameters(dict(zip(ansatz.parameters, theta, strict=True)))
    ).probabilities()


def numbered(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with numbers for its parameters, which two circuits never share."""
    return circuit.assign_parameters(0.1 * np.arange(circuit.num_parameters))


def configured(name: str, **settings: object) -> RunConfig:
    return load_config("figure-1", {"ansatz": name, **{f"ansatz.{key}": value for key, value in settings.items()}})


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_by_its_name_replaces_that_of_a_preset(name: str) -> None:
    config = configured(name)
    ansatz = config.circuit(config.problem())
    assert (ansatz.name, ansatz.num_qubits) == (name, 4)
    assert ansatz.active.any()
    assert f"num_layers {config.ansatz.num_layers}" in ansatz.words()
    assert pickle.loads(pickle.dumps(config)) == config
    assert parse_config(config.model_dump(mode="json")).run_id == config.run_id != load_config("figure-1").run_id


def test_circuits_of_qiskit_are_its_own() -> None:
    made = KINDS["real-amplitudes"].ansatz("real-amplitudes", 4, num_layers=3, entanglement="circular")
    assert numbered(made.circuit) == numbered(real_amplitudes(4, reps=3, entanglement="circular"))
    made = KINDS["efficient-su2"].ansatz("efficient-su2", 3, num_layers=1, gates=["rx", "rz"])
    assert numbered(made.circuit) == numbered(efficient_su2(3, ["rx", "rz"], reps=1, entanglement="pairwise"))
    assert made.active.tolist() == [True] * 9 + [False] * 3  # the last RZ of every qubit


def test_qaoa_is_qiskits_of_the_cost_in_units_of_its_spread() -> None:
    problem = TableProblem(COSTS)
    config = configured("qaoa", num_layers=2)
    ansatz = config.ansatz.build(problem)
    values = (COSTS - COSTS.mean()) / COSTS.std()
    index = np.arange(8)
    signs = [1 - 2.0 * (index >> j & 1) for j in range(3)]  # of Z
    terms = [[j for j in range(3) if mask >> j & 1] for mask in range(1, 8)]
    factors = [float(np.mean(values * np.prod([signs[j] for j in term], axis=0))) for term in terms]
    operator = SparsePauliOp.from_sparse_list([("Z" * len(t), t, f) for t, f in zip(terms, factors, strict=True)], 3)
    theta = np.random.default_rng(1).uniform(0, 2, 4)
    expected = Statevector(qaoa_ansatz(operator, reps=2).assign_parameters(theta)).probabilities()
    np.testing.assert_allclose(probabilities(ansatz, theta), expected, atol=1e-12)
    assert ansatz.num_parameters == 4
    assert ansatz.shared_angles.tolist() == [0, 1, 2, 3]


def test_qaoa_of_one_layer_lowers_the_cost() -> None:
    problem = TableProblem(COSTS)
    ansatz = configured("qaoa", num_layers=1).ansatz.build(problem)
    grid = [probabilities(ansatz, np.array([b, c])) @ COSTS for b in (0.2, 0.4, 2.7, 2.9) for c in (0.2, 0.4)]
    assert min(grid) < COSTS.mean() - 0.5 * COSTS.std()


def test_iqp_is_hadamards_around_phases() -> None:
    ansatz = KINDS["iqp"].ansatz("iqp", 3, entanglement="full")
    theta = np.random.default_rng(2).uniform(0, 6, 6)
    index = np.arange(8)
    z = [1 - 2.0 * (index >> j & 1) for j in range(3)]
    angle = sum(t * s for t, s in zip(theta, [*z, z[0] * z[1], z[0] * z[2], z[1] * z[2]], strict=True))
    hadamard = np.array([[(-1) ** bin(j & k).count("1") for j in range(8)] for k in range(8)]) / np.sqrt(8)
    expected = np.abs(hadamard @ (np.exp(-0.5j * angle) / np.sqrt(8))) ** 2
    np.testing.assert_allclose(probabilities(ansatz, theta), expected, atol=1e-12)


def test_a_cost_of_too_many_terms_makes_no_circuit() -> None:
    rough = TableProblem(np.random.default_rng(1).normal(size=2**12))
    with pytest.raises(QhnError, match="has 4,096 terms, more than 2,000; use another ansatz"):
        configured("qaoa").circuit(rough)
    with pytest.raises(QhnError, match="is the same for all bitstrings"):
        configured("qaoa").circuit(TableProblem(np.ones(4)))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"ansatz": "iqq"}, "there is no ansatz 'iqq'; did you mean 'iqp'?"),
        ({"ansatz": "iqp", "ansatz.num_layers": 0}, "ansatz.num_layers must be at least 1, got 0"),
        (
            {"ansatz": "iqp", "ansatz.entanglement": "ful"},
            "there is no ansatz.entanglement 'ful'; did you mean 'full'?",
        ),
        ({"ansatz": "iqp", "ansatz.order": "eq5"}, "key ansatz.order does not go with this kind of ansatz"),
        ({"ansatz.file": "pyproject.toml"}, "ansatz.file must end in .qasm or .qpy"),
        ({"ansatz.file": "none.qasm"}, "circuit file none.qasm does not exist"),
    ],
)
def test_a_wrong_table_is_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(QhnError) as caught:
        load_config("figure-1", settings)
    assert words in str(caught.value)


@pytest.mark.parametrize("setting", [{"train.optimizer": "sinusoid"}, {"train.angles": "sparse"}])
def test_what_needs_one_gate_an_angle_refuses_qaoa(setting: dict[str, object]) -> None:
    config = with_settings(configured("qaoa"), {"train.backend": "aer", "train.shots": 100, **setting})
    with pytest.raises(QhnError, match="angle 0 of this circuit turns several gates, or one by a factor"):
        config.strategy(config.circuit(config.problem()))


def test_a_superposition_is_known_of_hypernetworks_only() -> None:
    config = with_settings(configured("iqp"), {"train.initial": "superposition"})
    with pytest.raises(QhnError, match="known of a hypernetwork, not of ansatz iqp; set"):
        config.initial_theta(config.circuit(config.problem()))
