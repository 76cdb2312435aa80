"""Slow, obvious versions of what qhn computes, written from the definitions and sharing no code with it."""

from __future__ import annotations

import math

import numpy as np
from qiskit import QuantumCircuit
from qiskit.quantum_info import Statevector


def literal_circuit(num_qubits: int, num_layers: int, order: str, theta: np.ndarray) -> QuantumCircuit:
    """The circuit gate by gate, counting blocks and qubits from 1 as the paper does."""
    circuit = QuantumCircuit(num_qubits)
    angles = iter(theta)
    blocks = 2 * num_layers or 1
    table = {}
    for block in range(1, blocks + 1):
        for axis in "yz":
            for qubit in range(1, num_qubits + 1):
                table[block, axis, qubit] = next(angles)
    for block in range(1, blocks + 1):
        brick = []
        j = 1 + block % 2
        while num_layers > 0 and j <= num_qubits - 1:
            brick.append((j, j + 1))
            j += 2
        if order == "authors":
            for a, b in brick:
                circuit.cx(a - 1, b - 1)
        for axis in "zy" if order == "eq5" else "yz":
            for qubit in range(1, num_qubits + 1):
                getattr(circuit, f"r{axis}")(table[block, axis, qubit], qubit - 1)
        if order == "eq5":
            for a, b in brick:
                circuit.cx(a - 1, b - 1)
    return circuit


def probabilities(circuit: QuantumCircuit) -> np.ndarray:
    """Of all bitstrings, qubit 0 least significant."""
    return Statevector(circuit).probabilities()


def energy(num_qubits: int, num_layers: int, order: str, theta: np.ndarray, costs: np.ndarray) -> float:
    return float(probabilities(literal_circuit(num_qubits, num_layers, order, theta)) @ costs)


def cvar(costs: np.ndarray, chances: np.ndarray, alpha: float) -> float:
    """The mean of the lowest ``alpha`` of a distribution, by walking up its costs."""
    left, total = alpha, 0.0
    for index in np.argsort(costs):
        part = min(left, chances[index])
        total += part * costs[index]
        left -= part
    return total / alpha


def network_output(bits: list[int], x: list[float]) -> float:
    """A 2-3-1 network with weights ±1 and 14 bits: W1 row-major, W2, b2, b1, activation (0 sigmoid, 1 ReLU)."""
    w = [2 * bit - 1 for bit in bits]
    total = w[9]
    for k in range(3):
        z = x[0] * w[k] + x[1] * w[3 + k] + w[10 + k]
        total += w[6 + k] * (max(z, 0.0) if bits[13] else 1 / (1 + math.exp(-z)))
    return 1 / (1 + math.exp(-total))
