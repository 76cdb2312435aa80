"""E and its gradient by light cones: against state vectors of Qiskit, closed forms, and matrix products."""

from __future__ import annotations

from itertools import combinations

import networkx as nx
import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter
from qiskit.circuit.library import efficient_su2, real_amplitudes
from qiskit.quantum_info import Statevector

from qhn import bitstrings
from qhn.circuit.ansatz import gate_angles
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz
from qhn.errors import QhnError
from qhn.exact.chain_energy import ChainEnergy
from qhn.exact.light_cone_energy import LightConeEnergy
from qhn.problem.polynomial import SpinPolynomial


def dense(num_qubits: int, degree: int, rng: np.random.Generator) -> SpinPolynomial:
    """A polynomial with all terms up to a degree."""
    sets = [some for size in range(degree + 1) for some in combinations(range(num_qubits), size)]
    return SpinPolynomial.of(num_qubits, dict(zip(sets, rng.normal(size=len(sets)), strict=True)))


def cut_of(graph: nx.Graph) -> SpinPolynomial:
    """Minus the number of edges between nodes of different spins."""
    half = 0.5 * graph.number_of_edges()
    return SpinPolynomial.of(len(graph), {(): -half} | dict.fromkeys(map(tuple, graph.edges), 0.5))


def qaoa(graph: nx.Graph, num_layers: int = 1) -> CircuitAnsatz:
    """QAOA for the largest cut, as Wang, Hadfield, Jiang and Rieffel define γ and β (arXiv:1706.02998)."""
    circuit = QuantumCircuit(len(graph))
    circuit.h(range(len(graph)))
    for layer in range(num_layers):
        gamma, beta = Parameter(f"g{layer}"), Parameter(f"h{layer}")
        for edge in graph.edges:
            circuit.rzz(-gamma, *edge)
        circuit.rx(2 * beta, range(len(graph)))
    return circuit_ansatz(circuit, "qaoa", "")


def mixed(num_qubits: int) -> QuantumCircuit:
    """A circuit of all kinds of gates, some of which commute with the measured bits."""
    circuit = QuantumCircuit(num_qubits)
    angles = (Parameter(f"a{k:03}") for k in range(100))
    circuit.h(range(num_qubits))
    for qubit in range(0, num_qubits - 1, 3):
        circuit.rxx(next(angles), qubit, qubit + 1)
        circuit.cx(qubit + 1, qubit)
        circuit.ryy(next(angles), qubit, qubit + 1)
        circuit.rzx(next(angles), qubit, qubit + 1)
    for qubit in range(1, num_qubits - 1, 3):
        circuit.cz(qubit, qubit + 1)
        circuit.ry(next(angles), qubit)
        circuit.rzz(next(angles), qubit, qubit + 1)
        circuit.cx(qubit, qubit + 1)
        circuit.swap(qubit, qubit + 1)
        circuit.s(qubit)
    circuit.cx(0, num_qubits - 1)
    return circuit


@pytest.mark.parametrize(
    "circuit",
    [mixed(8), real_amplitudes(6, reps=1, entanglement="linear"), efficient_su2(5, reps=2, entanglement="circular")],
)
def test_energy_and_gradient_are_those_of_qiskits_state(circuit: QuantumCircuit, rng: np.random.Generator) -> None:
    ansatz = circuit_ansatz(circuit, "own", "")
    polynomial = dense(circuit.num_qubits, 3, rng)
    energy = LightConeEnergy(ansatz.unrolled, polynomial)
    costs = polynomial(bitstrings.from_integers(np.arange(2**circuit.num_qubits), circuit.num_qubits))
    theta = rng.uniform(-np.pi, np.pi, ansatz.num_parameters)

    def exact(at: np.ndarray) -> float:
        return float(Statevector(ansatz.circuit.assign_parameters(at)).probabilities() @ costs)

    value, grad = energy.value_and_grad(gate_angles(ansatz, theta[None]))
    assert value[0] == pytest.approx(exact(theta), abs=1e-10)
    assert energy(gate_angles(ansatz, theta[None]))[0] == pytest.approx(value[0], abs=1e-12)
    slopes = grad[0] if ansatz.angle_map is None else ansatz.angle_map.pull_back(grad[0])
    steps = 1e-5 * np.eye(len(theta))
    expected = [(exact(theta + step) - exact(theta - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(slopes, expected, atol=1e-7)


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_qaoa_on_regular_graphs_without_triangles_has_its_closed_form(degree: int, rng: np.random.Generator) -> None:
    graph = next(
        graph
        for seed in range(1000)
        if not any(nx.triangles(graph := nx.random_regular_graph(degree, 60, seed=seed)).values())
    )
    ansatz = qaoa(graph)
    gammas, betas = rng.uniform(-np.pi, np.pi, (2, 5))
    energy = LightConeEnergy(ansatz.unrolled, cut_of(graph))
    found = energy(gate_angles(ansatz, np.stack([gammas, betas], axis=1)))
    each = 0.5 + 0.5 * np.sin(4 * betas) * np.sin(gammas) * np.cos(gammas) ** (degree - 1)
    np.testing.assert_allclose(found, -graph.number_of_edges() * each, atol=1e-9)


def test_two_layers_of_qaoa_on_100_nodes_have_the_slopes_of_finite_differences(rng: np.random.Generator) -> None:
    graph = nx.random_regular_graph(3, 100, seed=5)
    ansatz = qaoa(graph, 2)
    energy = LightConeEnergy(ansatz.unrolled, cut_of(graph))
    theta = rng.uniform(-1.0, 1.0, ansatz.num_parameters)
    _, grads = energy.value_and_grad(gate_angles(ansatz, theta[None]))
    assert ansatz.angle_map is not None
    direction = rng.normal(size=len(theta))
    shifted = theta + 1e-5 * np.array([[1.0], [-1.0]]) * direction
    ahead, behind = energy(gate_angles(ansatz, shifted))
    assert (ahead - behind) / 2e-5 == pytest.approx(float(ansatz.angle_map.pull_back(grads[0]) @ direction), rel=1e-6)


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_hypernetworks_have_the_energy_of_matrix_products(order: str, rng: np.random.Generator) -> None:
    ansatz, polynomial = hypernetwork(40, 1, order), dense(40, 2, rng)
    thetas = rng.uniform(-np.pi, np.pi, (2, ansatz.num_parameters))
    expected, slopes = ChainEnergy(ansatz, polynomial).value_and_grad(thetas)
    values, grads = LightConeEnergy(ansatz, polynomial).value_and_grad(thetas)
    np.testing.assert_allclose(values, expected, atol=1e-9)
    np.testing.assert_allclose(grads, slopes, atol=1e-9)


def test_a_cone_of_too_many_qubits_is_refused_with_its_spins(rng: np.random.Generator) -> None:
    graph = nx.complete_graph(30)
    with pytest.raises(
        QhnError, match=r"the mean of the spins 0, 1 depends on 30 qubits .* allows 20; use fewer layers"
    ):
        LightConeEnergy(qaoa(graph).unrolled, cut_of(graph))
    with pytest.raises(QhnError, match="the circuit has 4 qubits, the polynomial 3 spins"):
        LightConeEnergy(product_state(4), dense(3, 1, rng))


def test_likely_bits_are_those_of_a_bitstring_and_a_cut_of_a_symmetric_state(rng: np.random.Generator) -> None:
    bits = rng.integers(0, 2, 50, dtype=np.uint8)
    theta = np.concatenate([np.pi * bits, np.zeros(50)])
    np.testing.assert_array_equal(LightConeEnergy(product_state(50), dense(50, 2, rng)).likely_bits(theta), bits)
    ring = nx.cycle_graph(40)
    ansatz = qaoa(ring)  # with means of 0 for each spin
    found = LightConeEnergy(ansatz.unrolled, cut_of(ring)).likely_bits(
        gate_angles(ansatz, np.array([np.pi / 4, np.pi / 8]))
    )
    assert cut_of(ring)(found) == -40.0
