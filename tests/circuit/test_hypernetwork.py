from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector, partial_trace

import reference
from qhn import bitstrings
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork, product_state

ORDERS = ("eq5", "authors")
SHAPES = [(n, layers, order) for n in (1, 2, 3, 4, 5, 6) for layers in (0, 1, 2, 3) for order in ORDERS]


def bound(circuit: QuantumCircuit, theta: np.ndarray) -> QuantumCircuit:
    return circuit.assign_parameters({p: theta[p.index] for p in circuit.parameters})


def relabelled(ansatz: Hypernetwork, probabilities: np.ndarray) -> np.ndarray:
    bits = bitstrings.from_integers(np.arange(len(probabilities)), ansatz.num_qubits)
    result = np.zeros_like(probabilities)
    result[bitstrings.to_integers(ansatz.relabel(bits))] = probabilities
    return result


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), SHAPES)
def test_all_forms_give_the_distribution_of_the_definition(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    expected = reference.probabilities(reference.literal_circuit(num_qubits, num_layers, order, theta))
    for circuit in (ansatz.circuit, ansatz.pruned):
        np.testing.assert_allclose(reference.probabilities(bound(circuit, theta)), expected, atol=1e-13)
    executed = reference.probabilities(bound(ansatz.executed, theta))
    np.testing.assert_allclose(relabelled(ansatz, executed), expected, atol=1e-13)


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), SHAPES)
def test_inert_angles_do_nothing(num_qubits: int, num_layers: int, order: str, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    moved = np.where(ansatz.active, theta, rng.uniform(0, 2 * np.pi, ansatz.num_parameters))
    before, after = (reference.probabilities(bound(ansatz.circuit, t)) for t in (theta, moved))
    np.testing.assert_allclose(before, after, atol=1e-13)
    assert (~ansatz.active).sum() == num_qubits


@pytest.mark.parametrize("order", ORDERS)
def test_active_angles_do_something(order: str, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(5, 2, order)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    before = reference.probabilities(bound(ansatz.circuit, theta))
    for index in np.flatnonzero(ansatz.active):
        moved = theta.copy()
        moved[index] += 1.0
        assert np.abs(reference.probabilities(bound(ansatz.circuit, moved)) - before).max() > 1e-6


def test_counts_of_angles() -> None:
    for order in ORDERS:
        assert (hypernetwork(14, 2, order).num_parameters, hypernetwork(14, 2, order).active.sum()) == (112, 98)
        assert (hypernetwork(17, 2, order).num_parameters, hypernetwork(17, 2, order).active.sum()) == (136, 119)
    assert (product_state(14).num_parameters, product_state(14).active.sum()) == (28, 14)
    assert len(hypernetwork(6, 2).executed.parameters) == 42


def test_order_of_gates_in_time() -> None:
    eq5 = [gate.operation.name for gate in hypernetwork(2, 1, "eq5").circuit.data]
    authors = [gate.operation.name for gate in hypernetwork(2, 1, "authors").circuit.data]
    assert eq5 == ["rz", "rz", "ry", "ry"] * 2 + ["cx"]
    assert authors == ["ry", "ry", "rz", "rz", "cx", "ry", "ry", "rz", "rz"]


@pytest.mark.parametrize("num_qubits", [4, 5, 14, 17])
def test_every_neighbouring_pair_is_coupled_by_a_layer(num_qubits: int) -> None:
    ansatz = hypernetwork(num_qubits, 1)
    assert ansatz.brick(0) == [(j, j + 1) for j in range(1, num_qubits - 1, 2)]
    assert sorted(ansatz.brick(0) + ansatz.brick(1)) == [(j, j + 1) for j in range(num_qubits - 1)]


def test_one_layer_of_the_authors_order_is_a_product_of_pairs(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(6, 1, "authors")
    state = Statevector(bound(ansatz.circuit, rng.uniform(0, 2 * np.pi, ansatz.num_parameters)))
    for pair in ([0, 1], [2, 3], [4, 5]):
        assert partial_trace(state, [q for q in range(6) if q not in pair]).purity().real == pytest.approx(1)
    entangled = Statevector(bound(hypernetwork(6, 1).circuit, rng.uniform(0, 2 * np.pi, ansatz.num_parameters)))
    assert partial_trace(entangled, [2, 3, 4, 5]).purity().real < 0.999


def test_angles_are_half_angles() -> None:
    """RY(π) flips a qubit; with the gate as the paper prints it, e^{iθσ}, it would not."""
    theta = np.array([np.pi, 0, 0, 0])
    assert reference.probabilities(bound(product_state(2).circuit, theta)) == pytest.approx([0, 1, 0, 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 2), "num_qubits"), ((3, -1), "num_layers"), ((3, 1, "x"), "order"), ((3, 10**7), "120,000,000 angles")],
)
def test_wrong_shapes_are_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hypernetwork(*arguments)
