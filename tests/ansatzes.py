"""Circuits of every kind as ansätze: chains and others, with shared angles, with any fixed gates."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.circuit.library import efficient_su2, qaoa_ansatz, real_amplitudes
from qiskit.quantum_info import SparsePauliOp, Statevector, random_unitary

from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz


def maxcut(num_qubits: int, edges: list[tuple[int, int]], field: float = 0.0) -> QuantumCircuit:
    """QAOA of a graph, optionally with a field on each node."""
    terms = [("ZZ", list(edge), 0.5) for edge in edges]
    terms += [("Z", [node], field + 0.1 * node) for node in range(num_qubits) if field]
    return qaoa_ansatz(SparsePauliOp.from_sparse_list(terms, num_qubits), reps=1)


def ring(num_qubits: int) -> list[tuple[int, int]]:
    """The edges of a ring."""
    return [(node, (node + 1) % num_qubits) for node in range(num_qubits)]


def iqp(num_qubits: int) -> QuantumCircuit:
    """All commuting rotations of one and two qubits between Hadamards."""
    places = [(qubit,) for qubit in range(num_qubits)] + list(combinations(range(num_qubits), 2))
    circuit, angles = QuantumCircuit(num_qubits), ParameterVector("t", len(places))
    circuit.h(range(num_qubits))
    for angle, at in zip(angles, places, strict=True):
        getattr(circuit, "rz" if len(at) == 1 else "rzz")(angle, *at)
    circuit.h(range(num_qubits))
    return circuit


def mixed(num_qubits: int, distance: int) -> QuantumCircuit:
    """Rotations and random unitaries of pairs of qubits that are so far apart, cyclically for more than neighbours."""
    circuit, angles = QuantumCircuit(num_qubits), ParameterVector("t", 2 * num_qubits)
    for layer in range(2):
        for qubit in range(num_qubits):
            circuit.rx(angles[layer * num_qubits + qubit], qubit)
        for qubit in range(num_qubits - (distance == 1)):
            unitary = random_unitary(4, seed=10 * layer + qubit)
            circuit.unitary(unitary, [qubit, (qubit + distance) % num_qubits])
    return circuit


def ansatz(kind: str, num_qubits: int) -> CircuitAnsatz:
    """The circuit of one of ``CHAINS`` or ``OTHERS``."""
    rng = np.random.default_rng(num_qubits)
    edges = [pair for pair in combinations(range(num_qubits), 2) if rng.random() < 0.7]
    return circuit_ansatz(
        {
            "real-amplitudes": lambda: real_amplitudes(num_qubits, reps=1, entanglement="linear"),
            "qaoa-path": lambda: maxcut(num_qubits, ring(num_qubits)[:-1]),
            "unitaries": lambda: mixed(num_qubits, 1),
            "real-amplitudes-full": lambda: real_amplitudes(num_qubits, reps=1, entanglement="full"),
            "efficient-su2": lambda: efficient_su2(num_qubits, reps=1, entanglement="circular"),
            "qaoa-ring": lambda: maxcut(num_qubits, ring(num_qubits)),
            "qaoa-graph": lambda: maxcut(num_qubits, edges, field=0.3),
            "iqp": lambda: iqp(num_qubits),
            "unitaries-far": lambda: mixed(num_qubits, 2),
        }[kind]()
    )


CHAINS = ("real-amplitudes", "qaoa-path", "unitaries")
OTHERS = ("real-amplitudes-full", "efficient-su2", "qaoa-ring", "qaoa-graph", "iqp", "unitaries-far")


def rows_of(circuit: Ansatz, count: int, seed: int = 1) -> np.ndarray:
    """Random rows of gate angles, as samplers take them."""
    thetas = np.random.default_rng(seed).uniform(0, 6, (count, circuit.num_parameters))
    return gate_angles(circuit, thetas)


def ideal(circuit: QuantumCircuit, angles: np.ndarray) -> np.ndarray:
    """The probabilities of all bitstrings by Qiskit's state vector, at a row of gate angles."""
    bound = circuit.assign_parameters({one: angles[one.index] for one in circuit.parameters})
    return Statevector(bound).probabilities()
