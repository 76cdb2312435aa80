"""Slow, obvious versions of what qhn computes, written from the definitions and sharing no code with it."""

from __future__ import annotations

import itertools
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


def cvar(costs: np.ndarray, probabilities: np.ndarray, alpha: float) -> float:
    """The mean of the lowest ``alpha`` of a distribution, by walking up its costs."""
    left, total = alpha, 0.0
    for index in np.argsort(costs):
        part = min(left, probabilities[index])
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


class MatrixProduct:
    """A circuit's state as one tensor ``[left, 2, right]`` a qubit, by singular values after every CX on neighbours."""

    def __init__(self, circuit: QuantumCircuit) -> None:
        self.tensors = [np.array([1.0, 0.0], dtype=complex).reshape(1, 2, 1) for _ in range(circuit.num_qubits)]
        for gate in circuit.data:
            matrix = gate.operation.to_matrix()
            qubit = circuit.find_bit(gate.qubits[0]).index
            if len(gate.qubits) == 1:
                self.tensors[qubit] = np.einsum("ab,lbr->lar", matrix, self.tensors[qubit])
                continue
            first, second = self.tensors[qubit : qubit + 2]
            both = np.einsum("lam,mbr->labr", first, second)
            both[:, 1] = both[:, 1, ::-1].copy()  # the control is the first
            left, _, _, right = both.shape
            u, values, v = np.linalg.svd(both.reshape(2 * left, 2 * right), full_matrices=False)
            kept = values > 1e-14 * values[0]
            self.tensors[qubit] = (u[:, kept] * values[kept]).reshape(left, 2, -1)
            self.tensors[qubit + 1] = v[kept].reshape(-1, 2, right)

    def probability(self, bits: np.ndarray) -> float:
        row = np.ones((1, 1), dtype=complex)
        for tensor, bit in zip(self.tensors, bits, strict=True):
            row = row @ tensor[:, bit]
        return float(abs(row[0, 0]) ** 2)

    def marginal(self, qubits: tuple[int, ...]) -> np.ndarray:
        """Of some qubits' bits, all others summed over: ``[2**len(qubits)]``, the first qubit least significant."""
        sums = np.ones((1, 1, 1), dtype=complex)  # [outcome, left, left*]
        for qubit, tensor in enumerate(self.tensors):
            each = np.einsum("olm,lbr,mbs->bors", sums, tensor, tensor.conj())
            sums = each.reshape(-1, *each.shape[2:]) if qubit in qubits else each.sum(axis=0)
        return sums[:, 0, 0].real


def network_sums(bits: list[int], x: list[float], sizes: tuple[int, ...], activation: str) -> list[float]:
    """What the output units of a network with weights ±1 sum up, unit by unit.

    ``sizes`` are those of all layers, inputs and outputs included. Bits are the weights of each layer in turn,
    row-major, and then the biases of each layer, the last first.
    """
    functions = {
        "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
        "relu": lambda z: max(z, 0.0),
        "tanh": math.tanh,
        "sign": lambda z: 1.0 if z >= 0 else -1.0,
    }
    values = iter([2 * bit - 1 for bit in bits])
    weights = [[[next(values) for _ in range(b)] for _ in range(a)] for a, b in itertools.pairwise(sizes)]
    biases = [[next(values) for _ in range(units)] for units in sizes[:0:-1]][::-1]
    h = list(x)
    for layer, (table, bias) in enumerate(zip(weights, biases, strict=True), 1):
        z = [bias[k] + sum(h[i] * table[i][k] for i in range(len(h))) for k in range(len(bias))]
        h = z if layer == len(weights) else [functions[activation](value) for value in z]
    return h
