"""Past light cones: what is outside of one has no effect on the mean of its spin, by Qiskit's state vectors."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit.library import CXGate, UnitaryGate, get_standard_gate_name_mapping
from qiskit.quantum_info import SparsePauliOp, Statevector

from qhn.circuit.ansatz import Gate
from qhn.exact.light_cone import Cone, past_of

STANDARD = get_standard_gate_name_mapping()
FIXED = {name: np.asarray(STANDARD[name].to_matrix()) for name in ("h", "s", "cz", "swap", "iswap")}


def random_gates(num_qubits: int, count: int, rng: np.random.Generator) -> list[Gate]:
    names = ["rx", "ry", "rz", "rxx", "ryy", "rzz", "rzx", "cx", *FIXED]
    gates: list[Gate] = []
    for index in range(count):
        name = str(rng.choice(names))
        num = 1 if name in ("rx", "ry", "rz", "h", "s") else 2
        qubits = tuple(rng.choice(num_qubits, num, replace=False).tolist())
        is_fixed = name == "cx" or name in FIXED
        gates.append(Gate(name, qubits, None if is_fixed else 2 * index, FIXED.get(name)))
    return gates


def mean_of(gates: list[Gate], num_qubits: int, spin: int, angles: np.ndarray) -> float:
    circuit = QuantumCircuit(num_qubits)
    for gate in gates:
        if gate.angle is not None:
            circuit.append(STANDARD[gate.name].base_class(angles[gate.angle]), gate.qubits)
        else:
            circuit.append(CXGate() if gate.matrix is None else UnitaryGate(gate.matrix), gate.qubits)
    operator = SparsePauliOp.from_sparse_list([("Z", [spin], -1.0)], num_qubits)
    return float(Statevector(circuit).expectation_value(operator).real)


@pytest.mark.parametrize("seed", range(8))
def test_the_gates_of_a_cone_alone_give_the_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    gates = random_gates(6, 14, rng)
    angles = rng.uniform(-np.pi, np.pi, 28)
    for spin in range(6):
        past = past_of(gates, spin)
        kept = [gates[index] for index in sorted(past.gates)]
        assert past.qubits == {spin}.union(*(gate.qubits for gate in kept))
        cone = Cone.of(kept, past.qubits)
        expected = mean_of(gates, 6, spin, angles)
        assert mean_of(kept, 6, spin, angles) == pytest.approx(expected, abs=1e-12)
        place = cone.qubits.index(spin)
        found = mean_of(list(cone.gates()), cone.num_qubits, place, angles[cone.angles])
        assert found == pytest.approx(expected, abs=1e-12)


def test_gates_that_commute_with_the_spin_are_outside_of_its_cone() -> None:
    gates = [Gate("ry", (q,), q) for q in range(4)]
    gates += [
        Gate("rzz", (0, 1), 4),
        Gate("rx", (1,), 5),
        Gate("rzz", (1, 2), 6),
        Gate("cx", (1, 3)),
        Gate("rz", (1,), 7),
    ]
    assert past_of(gates, 1).gates == {0, 1, 4, 5}
    assert past_of(gates, 1).qubits == {0, 1}
    assert past_of(gates, 3).gates == {0, 1, 3, 4, 5, 7}
    assert past_of(gates, 2).qubits == {2}


def test_a_cx_hands_on_z_of_its_target_and_x_of_its_control() -> None:
    cx, turned = Gate("cx", (0, 1)), [Gate("rx", (0,), 0), Gate("rx", (1,), 1)]
    assert past_of([*turned, cx], 0).gates == {0}
    assert past_of([*turned, cx], 1).gates == {0, 1, 2}
    assert past_of([cx, turned[0]], 0).gates == {0, 1}  # X of the control becomes XX
    phase = Gate("rz", (1,), 2)
    assert past_of([phase, cx, turned[0]], 0).gates == {0, 1, 2}  # which a phase of the target does not leave alone
    assert past_of([Gate("rz", (0,), 2), cx], 1).gates == {1}  # ZZ it does


@pytest.mark.parametrize(("name", "is_outside"), [("s", True), ("cz", True), ("h", False), ("swap", False)])
def test_a_fixed_gate_is_outside_if_its_matrix_is_diagonal(name: str, is_outside: bool) -> None:
    qubits = (0,) if name in ("s", "h") else (0, 1)
    assert (past_of([Gate(name, qubits, matrix=FIXED[name])], 0).gates == set()) == is_outside


def test_a_cone_calls_its_qubits_and_angles_by_small_numbers() -> None:
    cone = Cone.of([Gate("rzx", (9, 4), 7), Gate("cx", (4, 9)), Gate("ry", (4,), 3)], {9, 4, 6})
    assert (cone.num_qubits, cone.num_parameters) == (3, 2)
    assert (cone.qubits, cone.angles.tolist()) == ((4, 6, 9), [3, 7])
    assert list(cone.gates()) == [Gate("rzx", (2, 0), 1), Gate("cx", (0, 2)), Gate("ry", (0,), 0)]
    bits = np.array([1, 0, 1], dtype=np.uint8)
    assert (cone.folded_brick, cone.relabel(bits).tolist()) == ([], [1, 0, 1])
