"""Two-qubit gates and depth of a solver's circuit in the gates of devices."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from qiskit import QuantumCircuit, transpile
from qiskit.circuit import Operation
from qiskit.circuit.library import UnitaryGate

BASIS = ("rz", "sx", "x", "cx")
MAX_COMPILED = 20_000  # two-qubit gates of a circuit that is compiled as a whole, in seconds
MAX_UNITARY = 5  # qubits of a dense unitary that is compiled; one of 5 has 444 CX, one of 8 has 31,000
DEPTH = 4  # depth of a dense unitary for each of its CX, measured on 2 to 5 qubits


@dataclass(frozen=True)
class GateCounts:
    """The cost of a circuit in rz, sx, x and cx, all qubits connected.

    Attributes:
        two_qubit_gates: number of CX.
        depth: number of layers.
        is_compiled: whether the circuit was compiled as a whole; otherwise both numbers are sums over its instructions,
            each compiled by itself, and dense unitaries of more than ``MAX_UNITARY`` qubits are counted by a formula.

    >>> circuit = QuantumCircuit(2)
    >>> _ = circuit.h(0), circuit.cz(0, 1)
    >>> gate_counts(circuit)
    GateCounts(two_qubit_gates=1, depth=7, is_compiled=True)
    """

    two_qubit_gates: int
    depth: int
    is_compiled: bool


def gate_counts(circuit: QuantumCircuit, optimization_level: int = 1) -> GateCounts:
    """The two-qubit gates and the depth of a circuit.

    Args:
        circuit: circuit without measurements.
        optimization_level: level of Qiskit's transpiler. From 2 on, it replaces whatever happens on a pair of qubits by
            at most three CX, found from the product of the gates' matrices: a short circuit that is no longer the
            sequence of the algorithm.
    """
    two_qubit_gates, depth = _summed(circuit)
    if two_qubit_gates > MAX_COMPILED:
        return GateCounts(two_qubit_gates, depth, is_compiled=False)
    return GateCounts(*_compiled(circuit, optimization_level), is_compiled=True)


def _summed(circuit: QuantumCircuit) -> tuple[int, int]:
    """The sums of CX and depth over the instructions of a circuit, each kind of which is compiled once."""
    kinds = Counter((item.operation.name, item.operation.num_qubits) for item in circuit.data)
    examples = {(item.operation.name, item.operation.num_qubits): item.operation for item in circuit.data}
    costs = {kind: _cost(operation) for kind, operation in examples.items()}
    two_qubit_gates, depth = (sum(costs[kind][place] * count for kind, count in kinds.items()) for place in (0, 1))
    return two_qubit_gates, depth


def _cost(operation: Operation) -> tuple[int, int]:
    """The CX and the depth of an instruction."""
    if isinstance(operation, UnitaryGate) and operation.num_qubits > MAX_UNITARY:
        size = 2**operation.num_qubits
        bound = (23 * size**2 // 48) - 3 * size // 2 + 2  # quantum Shannon decomposition
        return bound, DEPTH * bound
    definition = getattr(operation, "definition", None)
    if definition is not None and any(_is_dense(item.operation) for item in definition.data):
        return _summed(definition)
    circuit = QuantumCircuit(operation.num_qubits)
    circuit.append(operation, circuit.qubits)
    return _compiled(circuit, 1)


def _is_dense(operation: Operation) -> bool:
    """Whether an instruction is a large dense unitary, or holds one."""
    if isinstance(operation, UnitaryGate):
        return bool(operation.num_qubits > MAX_UNITARY)
    definition = getattr(operation, "definition", None)
    return definition is not None and any(_is_dense(item.operation) for item in definition.data)


def _compiled(circuit: QuantumCircuit, optimization_level: int) -> tuple[int, int]:
    """The CX and the depth of a circuit after compilation, whose random choices are fixed."""
    compiled = transpile(
        circuit, basis_gates=list(BASIS), optimization_level=optimization_level, seed_transpiler=0, num_processes=1
    )
    return int(compiled.count_ops().get("cx", 0)), int(compiled.depth())
