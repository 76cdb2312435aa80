"""Circuits and files that cannot be trained are refused in one line that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qiskit import QuantumCircuit, qpy
from qiskit.circuit import Parameter
from qiskit.circuit.library import HamiltonianGate, PauliEvolutionGate, RVGate, real_amplitudes
from qiskit.quantum_info import SparsePauliOp

from qhn.circuit.circuit_file import ansatz_of_qasm, ansatz_of_qpy_file
from qhn.circuit.unrolled import circuit_ansatz
from qhn.errors import QhnError

A, B = Parameter("a"), Parameter("b")


def built(*moves: Callable[[QuantumCircuit], object]) -> QuantumCircuit:
    circuit = QuantumCircuit(2, 2)
    circuit.rx(A, 0)
    for move in moves:
        move(circuit)
    return circuit


def conditional(circuit: QuantumCircuit) -> None:
    with circuit.if_test((circuit.clbits[0], 1)):
        circuit.x(1)


def looped(circuit: QuantumCircuit) -> None:
    with circuit.for_loop(range(3)):
        circuit.ry(A, 1)


REFUSED = {
    "square": (built(lambda c: c.ry(A**2, 1)), r"ry on qubit 1 turns by a\*\*2"),
    "sine": (built(lambda c: c.rzz(A.sin(), 0, 1)), r"rzz on qubits 0, 1 turns by sin\(a\)"),
    "product": (built(lambda c: c.cp(A * B, 0, 1)), r"rz on qubit 0 turns by .*a\*b"),
    "sign": (built(lambda c: c.rx(A.sign(), 0)), "rx on qubit 0 turns by sign"),
    "no definition": (built(lambda c: c.append(RVGate(A, 0.1, 0.2), [1])), "gate rv on qubit 1 has no definition"),
    "approximate": (
        built(lambda c: c.append(PauliEvolutionGate(SparsePauliOp(["XX", "ZI"]), A), [0, 1])),
        "gate PauliEvolution on qubits 0, 1 .* do not commute",
    ),
    "not a number": (built(lambda c: c.rx(float("nan"), 1)), "rx on qubit 1 has an angle that is not finite"),
    "no numbers": (built(lambda c: c.append(HamiltonianGate(np.eye(2), A), [0])), "gate hamiltonian on qubit 0 has no"),
    "measured first": (built(lambda c: c.measure(0, 0), lambda c: c.h(0)), r"measures qubit 0 before its end \(h"),
    "measured in part": (built(lambda c: c.measure(0, 0)), "qubit 1 is not measured"),
    "measured crosswise": (built(lambda c: c.measure([0, 1], [1, 0])), "qubit 0 is measured into bit 1"),
    "reset": (built(lambda c: c.reset(1)), "reset on qubit 1"),
    "initialised": (built(lambda c: c.initialize([0, 1], 1)), "initialize on qubit 1"),
    "conditional": (built(lambda c: c.measure(0, 0), conditional), "classical control, if_else on qubit 1"),
    "looped": (built(looped), "classical control, for_loop on qubit 1"),
    "without parameters": (QuantumCircuit(2), "has no parameters"),
    "without qubits": (QuantumCircuit(global_phase=A), "has no qubits"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_circuit_that_cannot_be_trained_is_refused_by_the_gate(name: str) -> None:
    circuit, words = REFUSED[name]
    with pytest.raises(QhnError, match=words) as caught:
        circuit_ansatz(circuit)
    assert "\n" not in str(caught.value)


HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\n'
TEXTS = {
    "empty": ("  \n", "is empty"),
    "no program": ("hello", "is not an OpenQASM 3 circuit"),
    "cut": (HEAD + "input float[64] a;\nqubit[2] q;\nrx(", "is not an OpenQASM 3 circuit"),
    "version 2": (
        'OPENQASM 2.0;\ninclude "qelib1.inc";\nqreg q[1];\nx q[0];\n',
        "is OpenQASM 2, which has no parameters",
    ),
    "no inputs": (HEAD + "qubit[1] q;\nrx(0.5) q[0];\n", "has no parameters"),
    "square": (HEAD + "input float[64] a;\nqubit[1] q;\nrx(a * a) q[0];\n", r"rx on qubit 0 turns by a\*a"),
    "wide": (HEAD + "input float[64] a;\nqubit[30_000_000] q;\nrx(a) q[0];\n", "declares 30,000,000 qubits"),
    "endless": (HEAD + f"input float[64] a;\nqubit[{'9' * 5000}] q;\nrx(a) q[0];\n", "declares inf qubits"),
    "reset": (HEAD + "input float[64] a;\nqubit[1] q;\nrx(a) q[0];\nreset q[0];\n", "reset on qubit 0"),
}


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_that_cannot_be_trained_is_refused_in_one_line(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    text, words = TEXTS[name]
    with pytest.raises(QhnError, match=words) as caught:
        ansatz_of_qasm(text, "mine.qasm")
    assert str(caught.value).startswith("mine.qasm")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_inputs_are_sorted_by_their_numbers() -> None:
    inputs = "".join(f"input float[64] t_{k};\n" for k in (10, 2, 1))
    ansatz = ansatz_of_qasm(HEAD + inputs + "qubit[1] q;\nrx(t_10) q[0];\nry(t_1) q[0];\nrx(t_2) q[0];\n")
    assert [parameter.name for parameter in ansatz.parameters] == ["t_1", "t_2", "t_10"]


def test_a_qpy_file_holds_one_circuit(tmp_path: Path) -> None:
    circuit = real_amplitudes(2, reps=1)
    for name, content in {"one": circuit, "two": [circuit, circuit]}.items():
        with (tmp_path / name).open("wb") as file:
            qpy.dump(content, file)
    assert ansatz_of_qpy_file(tmp_path / "one").unrolled == circuit_ansatz(circuit).unrolled
    with pytest.raises(QhnError, match="must hold one circuit, it holds 2"):
        ansatz_of_qpy_file(tmp_path / "two")
    (tmp_path / "cut").write_bytes((tmp_path / "one").read_bytes()[:100])
    with pytest.raises(QhnError, match="is not a QPY file that Qiskit can read") as caught:
        ansatz_of_qpy_file(tmp_path / "cut")
    assert "\n" not in str(caught.value)
