"""Circuits as text: OpenQASM 3 and drawings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qhn import durable
from qhn.circuit.ansatz import Ansatz
from qhn.circuit.unrolled import CircuitAnsatz
from qhn.errors import QhnError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FORMS = ("literal", "pruned", "executed")


def of_form(ansatz: Ansatz, form: str) -> QuantumCircuit:
    """The circuit of an ansatz in one of the ``FORMS``, which :class:`qhn.circuit.ansatz.GateCircuit` describes."""
    return ansatz.circuit if form == "literal" else getattr(ansatz.unrolled, form)


def openqasm(ansatz: Ansatz, form: str = "literal") -> str:
    """The circuit in OpenQASM 3, with the angles as inputs.

    A last comment names the CX gates that remain to be applied to the measured bits, if there are any.
    """
    from qiskit import qasm3

    try:
        text = qasm3.dumps(of_form(ansatz, form))
    except qasm3.QASM3ExporterError:  # of gates that OpenQASM does not know
        if not isinstance(ansatz, CircuitAnsatz):
            raise
        text = portable(ansatz)
    return "\n".join([text.rstrip("\n"), *(f"// {line}" for line in _left(ansatz, form))])


def portable(ansatz: CircuitAnsatz) -> str:
    """The circuit of an ansatz in OpenQASM 3 such that reading it gives the same rotations of the same angles.

    It is written in rotations and fixed gates, since composite gates with parameters do not survive OpenQASM, and its
    angles are ``theta[0]``, ``theta[1]``, …, in the order of θ.

    Raises:
        QhnError: if a gate cannot be written.
    """
    from qiskit import qasm3

    try:
        return str(qasm3.dumps(ansatz.flat))
    except qasm3.QASM3ExporterError as error:
        raise QhnError(f"the circuit cannot be written as OpenQASM 3: {error}") from None


def drawing(ansatz: Ansatz, form: str = "literal") -> str:
    """The circuit drawn as text, one line per wire, after a line with the numbers of its gates and angles."""
    circuit = of_form(ansatz, form)
    gates = ", ".join(f"{count} {name}" for name, count in sorted(circuit.count_ops().items()))
    head = (
        f"{form} circuit of ansatz {ansatz.name}: {ansatz.num_qubits} qubits, {ansatz.words()}, "
        f"depth {circuit.depth()}, {gates}; {int(ansatz.active.sum())} of {ansatz.num_parameters} angles are active"
    )
    wires = [line.rstrip() for line in drawn(circuit).splitlines()]
    return "\n".join([head, *wires, *_left(ansatz, form)])


def drawn(circuit: QuantumCircuit, *, idle_wires: bool = True) -> str:
    """Any circuit drawn as text, one line per wire, in the same characters whatever the terminal shows.

    Args:
        circuit: the circuit.
        idle_wires: whether wires without gates are drawn.
    """
    found = circuit.draw("text", fold=-1, idle_wires=idle_wires)
    found.encoding = "utf-8"  # else that of standard output
    return str(found)


def _left(ansatz: Ansatz, form: str) -> list[str]:
    """A line of text that names the CX gates to apply to the measured bits of this form, or no line."""
    brick = ansatz.unrolled.folded_brick
    if form != "executed" or not brick:
        return []
    return ["then, on the measured bits: " + ", ".join(f"b{t} ^= b{c}" for c, t in brick)]


def write_files(ansatz: Ansatz, name: str, folder: Path) -> list[Path]:
    """Write ``<name>.qasm``, ``<name>.executed.qasm`` and their drawings ``.txt`` into a folder; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for form, suffix in (("literal", ""), ("executed", ".executed")):
        for ending, text in ((".qasm", openqasm(ansatz, form)), (".txt", drawing(ansatz, form))):
            path = folder / f"{name}{suffix}{ending}"
            content = (text.rstrip("\n") + "\n").encode()
            durable.replace(path, lambda file: file.write(content))  # noqa: B023 – called at once
            paths.append(path)
    return paths
