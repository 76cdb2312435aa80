"""Circuits as rotations and fixed gates: unitaries against Qiskit, coefficients of angles, and the end of a circuit."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ClassicalRegister, Parameter, QuantumRegister
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.quantum_info import Operator

from qhn.circuit import decomposition
from qhn.circuit.ansatz import Gate
from qhn.circuit.decomposition import AXES, SHORT, coefficients, decomposed, without_measurement
from qhn.circuit.inert import matrix_of, pauli_matrix
from qhn.errors import QhnError

STANDARD = get_standard_gate_name_mapping()
A, B, C = Parameter("a"), Parameter("b"), Parameter("c")
PARAMETRIC = sorted(
    name
    for name, gate in STANDARD.items()
    if gate.params and gate.num_clbits == 0 and name not in ("global_phase", "delay")
)


def rebuilt(turns: list[decomposition.Turn], num_qubits: int, values: dict[Parameter, float]) -> Operator:
    """The unitary of rotations and fixed gates, from their Pauli strings and matrices."""
    circuit = QuantumCircuit(num_qubits)
    for gate, angle, _ in turns:
        if angle is None:
            circuit.unitary(matrix_of(gate), gate.qubits)
        else:
            slopes, offset = angle
            half = (offset + sum(slope * values[one] for one, slope in slopes.items())) / 2
            pauli = pauli_matrix(gate.name)
            circuit.unitary(np.cos(half) * np.eye(len(pauli)) - 1j * np.sin(half) * pauli, gate.qubits)
    return Operator(circuit)


def test_every_gate_with_a_shorter_form_is_tried() -> None:
    assert {*SHORT, *AXES} <= set(PARAMETRIC)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_a_gate_of_qiskit_is_its_rotations_but_for_a_global_phase(name: str) -> None:
    """In reversed order of qubits, so that a mistaken order is noticed."""
    kind = STANDARD[name]
    own = [2 * A + 0.3, -B, A - B + 1.1, 0.5 * C][: len(kind.params)]
    circuit = QuantumCircuit(kind.num_qubits)
    circuit.append(kind.base_class(*own), range(kind.num_qubits)[::-1])
    values = {one: value for one, value in {A: 0.7, B: -1.9, C: 2.6}.items() if one in circuit.parameters}
    turns = decomposed(circuit)
    assert rebuilt(turns, kind.num_qubits, values).equiv(Operator(circuit.assign_parameters(values)))
    if name in SHORT:
        assert all(turn.angle is not None and turn.gate.name in AXES for turn in turns[:1])
        assert len(turns) <= 3
    if name in AXES:
        assert [turn.gate for turn in turns] == [Gate(name, tuple(range(kind.num_qubits))[::-1])]


def test_coefficients_and_offsets_are_those_of_the_angles_in_time_order() -> None:
    circuit = QuantumCircuit(2)
    circuit.rx(2 * A - B / 2 + 0.3, 1)
    circuit.h(0)
    circuit.rzz(B, 0, 1)
    circuit.ry(A + B - A, 0)
    circuit.ry(B - B + 0.4, 0)  # a fixed gate
    circuit.rz(-C, 1)
    turns = decomposed(circuit)
    assert [turn.gate.name for turn in turns] == ["rx", "h", "rzz", "ry", "ry", "rz"]
    assert [turn.angle is None for turn in turns] == [False, True, False, False, True, False]
    assert [turn.operation is None for turn in turns] == [True, False, True, True, False, True]
    matrix, offsets = coefficients(turns, [C, A, B])
    assert matrix.toarray().tolist() == [[0, 2, -0.5], [0, 0, 1], [0, 0, 1], [-1, 0, 0]]
    assert offsets.tolist() == [0.3, 0, 0, 0]
    np.testing.assert_allclose(turns[4].gate.matrix, STANDARD["ry"].base_class(0.4).to_matrix())
    matrix, offsets = coefficients(turns[1:2], [A])
    assert (matrix.shape, offsets.shape) == ((0, 1), (0,))


def test_fixed_gates_of_two_qubits_stay_and_those_of_three_are_decomposed() -> None:
    circuit = QuantumCircuit(3)
    circuit.iswap(2, 0)
    circuit.cx(1, 2)
    circuit.ccx(0, 1, 2)
    turns = decomposed(circuit)
    assert [turn.gate.qubits for turn in turns[:2]] == [(2, 0), (1, 2)]
    assert turns[1].gate.matrix is None
    np.testing.assert_array_equal(turns[0].gate.matrix, STANDARD["iswap"].to_matrix())
    assert max(len(turn.gate.qubits) for turn in turns) == 2
    assert rebuilt(turns, 3, {}).equiv(Operator(circuit))


def test_a_circuit_of_too_many_gates_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = QuantumCircuit(1)
    for _ in range(4):
        circuit.rx(A, 0)
    monkeypatch.setattr(decomposition, "MAX_GATES", 4)
    assert len(decomposed(circuit)) == 4
    monkeypatch.setattr(decomposition, "MAX_GATES", 3)
    with pytest.raises(QhnError, match="the circuit has more than 3 gates once its composite gates are decomposed"):
        decomposed(circuit)


def test_definitions_nest_so_deep_and_no_deeper(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decomposition, "MAX_DEPTH", 5)

    def nested(depth: int) -> QuantumCircuit:
        circuit = QuantumCircuit(1)
        circuit.rx(A, 0)
        for level in range(depth):
            outer = QuantumCircuit(1)
            outer.append(circuit.to_gate(), [0])
            outer.data[0].operation.name = f"level{level}"
            circuit = outer
        return circuit

    assert [turn.gate.name for turn in decomposed(nested(5))] == ["rx"]
    with pytest.raises(QhnError, match="gate level5 has definitions within definitions, deeper than 5"):
        decomposed(nested(6))


def test_a_measurement_of_all_qubits_at_the_end_is_left_out() -> None:
    circuit = QuantumCircuit(2)
    circuit.rx(A, 0)
    assert without_measurement(circuit) is circuit
    measured = circuit.copy()
    measured.measure_all()
    bare = without_measurement(measured)
    assert [instruction.operation.name for instruction in bare.data] == ["rx", "barrier"]
    late = QuantumCircuit(2, 2)
    late.measure(1, 1)
    late.barrier()
    late.rx(A, 0)  # qubit 1 is measured already, and this is no gate on it
    late.measure(0, 0)
    assert [turn.gate for turn in decomposed(late)] == [Gate("rx", (0,))]


def test_a_bit_is_counted_in_the_whole_circuit() -> None:
    q, c, d = QuantumRegister(2), ClassicalRegister(1), ClassicalRegister(1)
    circuit = QuantumCircuit(q, c, d)
    circuit.ry(A, 0)
    circuit.measure(q[0], c[0])
    circuit.measure(q[1], d[0])
    assert len(decomposed(circuit)) == 1
    again = circuit.copy()
    again.cx(1, 0)
    with pytest.raises(QhnError, match=r"measures qubit 1 before its end \(cx follows\); measure at the end"):
        decomposed(again)
