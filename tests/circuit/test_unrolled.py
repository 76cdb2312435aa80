"""Any circuit of Qiskit as an ansatz, against Qiskit's own state vectors and finite differences."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import (
    CRZGate,
    MCPhaseGate,
    PauliEvolutionGate,
    RXGate,
    RYGate,
    UnitaryGate,
    XXMinusYYGate,
    XXPlusYYGate,
    efficient_su2,
    real_amplitudes,
)
from qiskit.quantum_info import SparsePauliOp, Statevector, random_unitary

from qhn.arrays import Floats
from qhn.circuit.ansatz import gate_angles
from qhn.circuit.circuit_file import ansatz_of_qasm
from qhn.circuit.hypernetwork import Order, hypernetwork
from qhn.circuit.openqasm import portable
from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz
from qhn.estimator.chain_rule import parameter_shift
from qhn.estimator.exact import ExactEstimator
from qhn.problem.cost import TableProblem

A, B = Parameter("a"), Parameter("b")


def shared() -> QuantumCircuit:
    """Angles in several gates, with coefficients and offsets of either sign."""
    circuit = QuantumCircuit(3)
    circuit.ry(A, 0)
    circuit.ry(-2 * A + 0.3, 1)
    circuit.rxx((A + B) / 2, 0, 1)
    circuit.cx(1, 2)
    circuit.rzx(B - 3 * A, 2, 0)
    circuit.rx(0.5 * B, 2)
    circuit.ryy(1.5 - B, 1, 2)
    circuit.rx(0.7, 0)
    circuit.rzz(A, 0, 2)
    circuit.ry(B, 2)
    return circuit


def controlled() -> QuantumCircuit:
    """Controlled rotations, closed and open, of one control and of two."""
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.cp(A, 0, 1)
    circuit.crx(B, 1, 2)
    circuit.cry(A, 2, 0)
    circuit.crz(2 * B, 0, 2)
    circuit.append(CRZGate(A, ctrl_state=0), [1, 0])
    circuit.cu(A, B, 0.4, A, 1, 2)
    circuit.h(range(3))
    circuit.append(RXGate(B).control(2, annotated=True), [0, 2, 1])
    circuit.append(RXGate(B).control(2, annotated=False), [2, 0, 1])
    circuit.append(MCPhaseGate(A, 2), [2, 1, 0])
    circuit.h(range(3))
    return circuit


def one_qubit_gates() -> QuantumCircuit:
    """p, u, u2, r, with their parameters in every place."""
    circuit = QuantumCircuit(2)
    circuit.u(A, B, 0.3, 0)
    circuit.p(B, 0)
    circuit.r(A, 2 * B, 1)
    circuit.h(0)
    circuit.u(0.2, A, B, 1)
    circuit.cz(0, 1)
    circuit.u(B, 0.1, A, 0)
    circuit.sx(1)
    return circuit


def excitations() -> QuantumCircuit:
    """XX±YY, an evolution of commuting Pauli strings, and a composite gate with parameters in another."""
    circuit = QuantumCircuit(3)
    circuit.x(0)
    circuit.append(XXPlusYYGate(A, 0.4), [0, 1])
    circuit.append(XXMinusYYGate(B, A), [1, 2])
    evolved = SparsePauliOp.from_list([("XYZ", 0.5), ("ZYX", -1.0), ("IZI", 0.0)])
    circuit.append(PauliEvolutionGate(evolved, time=B), [0, 1, 2])
    inner = QuantumCircuit(2, name="inner")
    inner.ry(A, 0)
    inner.cx(0, 1)
    outer = QuantumCircuit(2, name="outer")
    outer.append(inner.to_gate(), [1, 0])
    outer.rz(2 * A, 1)
    outer.h(1)
    circuit.append(outer.to_gate(), [2, 0])
    return circuit


def fixed_gates() -> QuantumCircuit:
    """Fixed gates of one, two and three qubits, some without a name in Qiskit's library."""
    circuit = QuantumCircuit(3)
    circuit.ry(A, 0)
    circuit.append(UnitaryGate(random_unitary(4, seed=1)), [2, 0])
    circuit.append(UnitaryGate(random_unitary(8, seed=2)), [1, 2, 0])
    circuit.ccx(0, 2, 1)
    circuit.append(RYGate(0.3).control(1, ctrl_state=0, annotated=False), [1, 2])
    circuit.swap(0, 2)
    circuit.barrier()
    circuit.rx(B, 1)
    circuit.ecr(1, 0)
    return circuit


CIRCUITS: dict[str, Callable[[], QuantumCircuit]] = {
    "shared": shared,
    "controlled": controlled,
    "one qubit": one_qubit_gates,
    "excitations": excitations,
    "fixed": fixed_gates,
    "real amplitudes": lambda: real_amplitudes(3, reps=2),
    "efficient su2": lambda: efficient_su2(3, reps=1),
}


def probabilities(circuit: QuantumCircuit, theta: Floats) -> Floats:
    """Those of a state vector that Qiskit computes."""
    return np.asarray(Statevector(circuit.assign_parameters(list(theta)).decompose(["PauliEvolution"])).probabilities())


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_unrolled_circuit_has_the_distribution_of_the_circuit(name: str) -> None:
    circuit = CIRCUITS[name]()
    ansatz = circuit_ansatz(circuit)
    for theta in np.random.default_rng(1).uniform(-7, 7, (3, ansatz.num_parameters)):
        expected = probabilities(circuit, theta)
        phi = gate_angles(ansatz, theta)
        for form in (ansatz.unrolled.circuit, ansatz.unrolled.pruned):
            found = form.assign_parameters({p: phi[p.index] for p in form.parameters})
            np.testing.assert_allclose(Statevector(found).probabilities(), expected, atol=1e-12)


def of_rows(ansatz: CircuitAnsatz, rows: Floats, costs: Floats) -> Floats:
    form = ansatz.unrolled.circuit
    return np.array([Statevector(form.assign_parameters(list(row))).probabilities() @ costs for row in rows])


@pytest.mark.parametrize("name", CIRCUITS)
def test_parameter_shift_and_the_chain_rule_give_the_gradient_of_finite_differences(name: str) -> None:
    circuit = CIRCUITS[name]()
    ansatz = circuit_ansatz(circuit)
    rng = np.random.default_rng(2)
    costs, theta, h = rng.normal(size=2**circuit.num_qubits), rng.uniform(-3, 3, ansatz.num_parameters), 1e-5
    numeric = [
        (probabilities(circuit, theta + step) - probabilities(circuit, theta - step)) @ costs / (2 * h)
        for step in h * np.eye(len(theta))
    ]
    rule = parameter_shift(ansatz)
    rows = rule.shifted(theta, None)  # type: ignore[arg-type]
    assert rows.shape == (rule.num_rows, ansatz.unrolled.num_parameters)
    values = of_rows(ansatz, rows, costs)
    by_gate = np.zeros(ansatz.unrolled.num_parameters)
    by_gate[ansatz.unrolled.active] = (values[1::2] - values[2::2]) / 2
    grad = by_gate if ansatz.angle_map is None else ansatz.angle_map.pull_back(by_gate)
    np.testing.assert_allclose(grad, numeric, atol=1e-8)
    np.testing.assert_allclose(values[0], probabilities(circuit, theta) @ costs, atol=1e-12)


@pytest.mark.parametrize("name", CIRCUITS)
def test_the_portable_text_has_the_same_gates_and_angles(name: str) -> None:
    ansatz = circuit_ansatz(CIRCUITS[name]())
    again = ansatz_of_qasm(portable(ansatz))
    theta = np.random.default_rng(4).uniform(-3, 3, ansatz.num_parameters)
    assert again.unrolled.num_parameters == ansatz.unrolled.num_parameters
    np.testing.assert_allclose(gate_angles(again, theta), gate_angles(ansatz, theta), atol=1e-12)
    assert again.active.tolist() == ansatz.active.tolist()
    assert again.shared_angles.tolist() == ansatz.shared_angles.tolist()
    expected = probabilities(ansatz.circuit, theta)
    bound = again.circuit.assign_parameters(dict(zip(again.parameters, theta, strict=True)))
    np.testing.assert_allclose(Statevector(bound).probabilities(), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["id", "barrier", "rx", "cx", "p", "measure", "reset"])
def test_a_gate_of_the_users_own_is_what_its_definition_says(name: str) -> None:
    own = QuantumCircuit(2, name=name)
    own.ry(2 * A, 1)
    own.cz(1, 0)
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.append(own.to_gate(), [1, 0])
    circuit.rx(A, 1)
    ansatz = circuit_ansatz(circuit)
    assert [gate.name for gate in ansatz.unrolled.gates()] == ["h", "ry", "cz", "rx"]


def test_an_angle_that_turns_no_gate_is_kept_and_inert() -> None:
    circuit = QuantumCircuit(1, global_phase=A)
    circuit.ry(B, 0)
    circuit.rz(B - B, 0)
    for ansatz in (circuit_ansatz(circuit), ansatz_of_qasm(portable(circuit_ansatz(circuit)))):
        assert ansatz.num_parameters == 2
        assert ansatz.active.tolist() == [False, True]


def test_a_circuit_none_of_whose_gates_has_an_angle_of_its_own_is_an_ansatz() -> None:
    circuit = QuantumCircuit(2, global_phase=A)
    circuit.h(0)
    circuit.rx(B - B, 1)
    ansatz = circuit_ansatz(circuit)
    assert ansatz.active.tolist() == [False, False]
    assert ansatz_of_qasm(portable(ansatz)).num_parameters == 2
    found = ExactEstimator(ansatz, TableProblem([0.0, 1.0, 2.0, 3.0])).value_and_grad(np.array([0.3, 0.4]))
    assert (round(float(found.value), 12), found.grad.tolist()) == (0.5, [0.0, 0.0])


def test_evolutions_under_commuting_strings_are_those_of_the_state_vector() -> None:
    circuit = QuantumCircuit(3)
    circuit.h(range(3))
    circuit.append(PauliEvolutionGate(SparsePauliOp(["XX", "YY", "II", "XI"], [0.5, -1, 2, 0]), A), [0, 2])
    circuit.append(PauliEvolutionGate([SparsePauliOp(["ZZ"]), SparsePauliOp(["XX", "YY"])], 2 * A), [1, 2])
    circuit.append(PauliEvolutionGate(SparsePauliOp("X"), A).control(2, ctrl_state=1), [0, 1, 2])
    theta = np.array([0.7])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of SciPy about the format of Qiskit's sparse matrices
        expected = Statevector(circuit.assign_parameters(theta)).probabilities()
    assert probabilities(circuit_ansatz(circuit).flat, theta) == pytest.approx(expected, abs=1e-9)


def test_a_measurement_at_the_end_is_left_out() -> None:
    measured = shared()
    measured.measure_all()
    assert circuit_ansatz(measured) == circuit_ansatz(shared())


def test_angles_of_one_gate_each_need_no_map() -> None:
    circuit = QuantumCircuit(2)
    theta = ParameterVector("t", 3)
    circuit.rx(theta[2], 0)
    circuit.cx(0, 1)
    circuit.ry(theta[0], 1)
    circuit.rzz(theta[1], 0, 1)
    ansatz = circuit_ansatz(circuit)
    assert ansatz.angle_map is None
    assert [gate.angle for gate in ansatz.unrolled.gates()] == [2, None, 0, 1]
    assert ansatz.active.tolist() == [True, False, True]


def test_equal_circuits_are_equal_and_others_are_not() -> None:
    assert circuit_ansatz(shared()) == circuit_ansatz(shared())
    assert len({circuit_ansatz(shared()), circuit_ansatz(shared()), circuit_ansatz(controlled())}) == 2
    copy = pickle.loads(pickle.dumps(circuit_ansatz(shared())))
    assert copy == circuit_ansatz(shared())


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("num_qubits", [1, 4, 20])
def test_a_hypernetwork_as_any_circuit_has_the_same_inert_angles(num_qubits: int, order: Order) -> None:
    known = hypernetwork(num_qubits, 2, order)
    found = circuit_ansatz(known.circuit)
    assert found.angle_map is None
    assert found.active.tolist() == known.active.tolist()
    assert found.unrolled.pruned.count_ops().get("cx") == known.pruned.count_ops().get("cx")
