"""Bound circuits at the door of a machine: checked, with their bits in one register, and their size."""

from __future__ import annotations

from collections.abc import Sequence

from qiskit import ClassicalRegister, QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import HighLevelSynthesis, UnitarySynthesis, Unroll3qOrMore

from qhn.backend.bound import CircuitSize
from qhn.backend.device.price import MAX_TWO_QUBIT_GATES
from qhn.backend.sampler import check_bits
from qhn.errors import QhnError
from qhn.fields import Whole


def check_circuits(circuits: Sequence[QuantumCircuit], shots: int) -> tuple[list[QuantumCircuit], int]:
    """The circuits with classical bit j as bit j of one register ``meas``, and the number of shots.

    Args:
        circuits: circuits to measure.
        shots: number of measurements of each circuit.

    Raises:
        ValueError: if there is no circuit, one has parameters, control flow or no measurement, they have different
            numbers of classical bits, ``shots`` is no integer of at least 1, or more than 2^31 bits would be measured.
    """
    if isinstance(circuits, QuantumCircuit):
        raise QhnError("circuits must be a list of circuits, got one circuit; give [circuit]")
    if not circuits:
        raise QhnError("there is no circuit to measure; give at least one")
    for number, circuit in enumerate(circuits):
        if (complaint := _complaint(circuit)) is not None:
            raise QhnError(f"circuit {number} {complaint}")
    widths = sorted({circuit.num_clbits for circuit in circuits})
    if len(widths) > 1:
        raise QhnError(
            f"the circuits of one call must have equally many classical bits, got {widths[0]} to {widths[-1]}; measure "
            "those of each number in a call of their own"
        )
    number = Whole(1)("shots", shots)
    check_bits(len(circuits), number, widths[0], of="circuits", bits="classical bits")
    return [_with_one_register(circuit) for circuit in circuits], number


def _complaint(circuit: object) -> str | None:
    """The reason for which no machine can measure a circuit, in words; None if there is none."""
    if not isinstance(circuit, QuantumCircuit):
        return f"must be a QuantumCircuit, got {type(circuit).__name__}"
    if circuit.num_parameters:
        names = ", ".join(parameter.name for parameter in list(circuit.parameters)[:3])
        return f"has {circuit.num_parameters} parameters ({names}) without a value; use circuit.assign_parameters"
    if circuit.has_control_flow_op() or circuit.num_identifiers:
        return "has control flow or variables, which are not supported; decide from the measured bits afterwards"
    if "measure" not in circuit.count_ops():
        return "measures nothing; use circuit.measure or circuit.measure_all"
    return None


def _with_one_register(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with its classical bits, of whatever registers, in one register ``meas`` in the same order."""
    found = QuantumCircuit(circuit.num_qubits)
    found.add_register(ClassicalRegister(circuit.num_clbits, "meas"))
    found.compose(circuit, clbits=range(circuit.num_clbits), inplace=True)
    return found


def size_of(circuit: QuantumCircuit) -> CircuitSize:
    """The size of a circuit that a machine without a chip executes.

    >>> circuit = QuantumCircuit(3, 1)
    >>> _ = circuit.h(0), circuit.cx(0, 2), circuit.measure(2, 0)
    >>> size_of(circuit)
    CircuitSize(qubits=2, depth=3, two_qubit_gates=1, larger_gates=0, seconds=None, fidelity=None)
    """
    acting = [one for one in circuit.data if one.operation.name != "barrier"]
    return CircuitSize(
        qubits=len({qubit for one in acting for qubit in one.qubits}),
        depth=circuit.depth(),
        two_qubit_gates=sum(len(one.qubits) == 2 for one in acting),
        larger_gates=sum(len(one.qubits) > 2 for one in acting),
    )


def in_small_gates(circuit: QuantumCircuit, machine: str) -> QuantumCircuit:
    """The circuit with its gates on three or more qubits, and its gates made of others, decomposed.

    What is left are standard gates and matrices on one and two qubits, in the order and on the qubits of the circuit.

    Args:
        circuit: a bound circuit.
        machine: name of the machine for which it is decomposed, for the message.

    Raises:
        ValueError: if that takes more two-qubit gates than a device executes.
    """
    small = [name for name, gate in get_standard_gate_name_mapping().items() if gate.num_qubits <= 2]
    kept = [*small, "unitary", "barrier"]
    flat = PassManager([HighLevelSynthesis(basis_gates=kept)]).run(circuit)
    matrices = [len(one.qubits) for one in flat.data if one.operation.name == "unitary"]
    check_depth(sum(map(_gates_of_matrix, matrices)), machine)  # before hours of decomposition
    # Qiskit cannot unroll a matrix inside a gate, so that matrices are decomposed first
    passes = [UnitarySynthesis(basis_gates=["u", "cx"], min_qubits=3), Unroll3qOrMore()]
    found = PassManager([*passes, HighLevelSynthesis(basis_gates=kept)]).run(flat)
    check_depth(size_of(found).two_qubit_gates, machine)
    return found


def _gates_of_matrix(num_qubits: int) -> int:
    """The number of CX of a matrix on three or more qubits by the quantum Shannon decomposition; 0 of a smaller one.

    Source: Shende, Bullock and Markov, IEEE Trans. CAD 25, 1000 (2006). Qiskit needs a few per cent less.
    """
    return 0 if num_qubits < 3 else (23 * 4**num_qubits - 72 * 2**num_qubits + 64) // 48


def check_depth(num_gates: int, machine: str) -> None:
    """Refuse a circuit that has more two-qubit gates than a device executes.

    Raises:
        ValueError: if it has more; the message names the machine, the number and the limit.
    """
    if num_gates > MAX_TWO_QUBIT_GATES:
        raise QhnError(
            f"a circuit takes {num_gates:,} two-qubit gates on {machine}, more than the {MAX_TWO_QUBIT_GATES:,} of a "
            "job; use a smaller circuit, or a machine without noise, such as aer"
        )
