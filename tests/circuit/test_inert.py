"""Gates without an effect on the measured bits: by hand, by state vectors, and the linear algebra by Qiskit."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import CXGate, get_standard_gate_name_mapping
from qiskit.quantum_info import Pauli, Statevector, random_statevector, random_unitary

from qhn.circuit import inert
from qhn.circuit.ansatz import Gate
from qhn.circuit.decomposition import AXES
from qhn.circuit.inert import applied, matrix_of, pauli_matrix, with_effect
from qhn.circuit.unrolled import circuit_ansatz

LARGE = 20  # qubits, too many for derivatives


def gates_of(words: str) -> list[Gate]:
    """The gates of a text such as ``"h 0, rzz 0 1"``, rotations with an angle each."""
    gates: list[Gate] = []
    for place, word in enumerate(words.split(", ")):
        name, *qubits = word.split()
        matrix = None
        if name not in AXES and name != "cx":
            matrix = np.asarray(get_standard_gate_name_mapping()[name].to_matrix())
        gates.append(Gate(name, tuple(map(int, qubits)), place if name in AXES else None, matrix))
    return gates


@pytest.mark.parametrize("num_qubits", [3, LARGE])
@pytest.mark.parametrize(
    ("words", "effects"),
    [
        ("rz 0, h 0, rz 0", "010"),
        ("rz 0, rx 0, rz 0, ry 0, rz 0", "01110"),
        ("x 0, rz 0, rzz 0 1, cx 1 0", "1000"),
        ("x 0, cx 0 1, cx 1 2, rz 2", "1110"),
        ("h 0, cx 0 1, rz 1, rzz 0 1, h 0", "11011"),
        ("h 0, rz 0, h 0, rx 1, rzz 0 1", "11110"),
        ("ry 0, ry 1, cz 0 1, s 0, rz 1, cx 0 1", "110001"),
        ("ry 0, rz 0, swap 0 1, rz 0, ry 0", "10101"),
        ("ry 0, ry 1, rz 0, swap 0 1", "1101"),
        ("ry 0, rz 0, h 0, x 1, rzz 0 1, h 0", "111111"),
        ("ry 0, ry 1, rz 1, cx 0 1", "1101"),
        ("ry 0, ry 1, rz 1, cx 0 1, h 0", "11111"),
        ("ry 0, ry 1, rzz 0 1, cx 0 1, h 0", "11111"),
        ("ry 0, ry 1, rzz 0 1, cx 0 1, h 1", "11111"),
        ("ry 0, ry 1, rz 0, cx 0 1, h 1", "11011"),
        ("rzx 0 1, rzx 1 2", "11"),
        ("rzz 0 1, rx 1, rzz 0 1, rx 1", "0111"),
        ("h 0, x 0, z 1, cz 0 1", "1100"),
        ("ry 0, rz 0, ch 1 0", "100"),
    ],
)
def test_what_is_seen_by_hand(num_qubits: int, words: str, effects: str) -> None:
    """What the two ends tell; derivatives, which only few qubits allow, take no gate back."""
    found = with_effect(num_qubits, gates_of(words))
    if num_qubits == LARGE:
        assert "".join(map(str, found.astype(int))) == effects
    else:
        assert all(effect == "1" for effect, has in zip(effects, found, strict=True) if has)


def test_derivatives_find_what_neither_end_does(monkeypatch: pytest.MonkeyPatch) -> None:
    gates = gates_of("h 0, rx 0, ry 1, cx 0 1, cx 0 1, rz 1")  # X on |+⟩
    assert with_effect(2, gates).tolist() == [True, False, True, True, True, False]
    monkeypatch.setattr(inert, "MAX_PROBED", 4 * 6 - 1)
    assert with_effect(2, gates).tolist() == [True] * 5 + [False]
    monkeypatch.setattr(inert, "MAX_PROBED", 4 * 6)
    assert not with_effect(2, gates)[1]
    assert with_effect(3, []).tolist() == []


@pytest.mark.parametrize("most", [0, 2**19])
def test_all_gates_of_the_mask_can_go_together(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two gates each of which is only without effect while the other stays are not both left out."""
    monkeypatch.setattr(inert, "MAX_PROBED", most)
    gates = gates_of("h 0, cx 0 1, cx 0 1, h 0, ry 0")
    kept = [gate for gate, has in zip(gates, with_effect(2, gates), strict=True) if has]
    state = np.eye(4, dtype=complex)[0]
    for gate in kept[:-1]:
        state = applied(state, matrix_of(gate), gate.qubits)
    assert abs(state[0]) == pytest.approx(1.0)


@pytest.mark.parametrize("qubits", [(0,), (3,), (2, 0), (0, 2), (3, 1), (1, 3, 0)])
def test_a_gate_acts_on_a_state_as_in_qiskit(qubits: tuple[int, ...]) -> None:
    state, unitary = random_statevector(16, seed=1), random_unitary(2 ** len(qubits), seed=2)
    expected = state.evolve(unitary, qargs=list(qubits)).data
    np.testing.assert_allclose(applied(state.data, unitary.data, qubits), expected, atol=1e-14)


def test_matrices_are_little_endian_as_in_qiskit() -> None:
    np.testing.assert_array_equal(matrix_of(Gate("cx", (0, 1))), CXGate().to_matrix())
    for name, axes in AXES.items():
        np.testing.assert_array_equal(pauli_matrix(name), Pauli(axes[::-1]).to_matrix())


@pytest.mark.parametrize("most", [0, 2**19])
@pytest.mark.parametrize("seed", range(8))
def test_gates_without_effect_have_none(seed: int, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pruned circuit has the same distribution, and derivatives by inert angles vanish."""
    monkeypatch.setattr(inert, "MAX_PROBED", most)
    rng = np.random.default_rng(seed)
    circuit, theta = QuantumCircuit(4), ParameterVector("t", 30)
    for angle in theta:
        first, second = rng.choice(4, 2, replace=False).tolist()
        name = rng.choice(["rx", "rz", "rz", "rzz", "rzx", "ry"])
        getattr(circuit, name)(angle, *([first, second] if len(name) == 3 else [first]))
        fixed = rng.choice(["cx", "cz", "swap", "s", "x", "h"])
        getattr(circuit, fixed)(*([first, second] if fixed in ("cx", "cz", "swap") else [second]))
    circuit.rz(Parameter("z"), 0)
    ansatz = circuit_ansatz(circuit)
    assert not ansatz.active.all()
    at = rng.uniform(0, 2 * np.pi, 31)
    full = Statevector(circuit.assign_parameters(at)).probabilities()
    form = ansatz.unrolled.pruned
    pruned = form.assign_parameters({p: at[p.index] for p in form.parameters})
    np.testing.assert_allclose(Statevector(pruned).probabilities(), full, atol=1e-12)
    for index, turn in enumerate(np.pi / 2 * np.eye(31)):
        difference = np.abs(Statevector(circuit.assign_parameters(at + turn)).probabilities() - full).max()
        if not ansatz.active[index]:
            assert difference < 1e-12
        elif most:
            assert difference > 1e-9
