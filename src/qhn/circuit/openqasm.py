"""Circuits as text: OpenQASM 3 and drawings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qhn.circuit.hypernetwork import Ansatz
from qhn.durable import naming

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FORMS = ("literal", "pruned", "executed")


def of_form(ansatz: Ansatz, form: str) -> QuantumCircuit:
    """The circuit of an ansatz in one of the ``FORMS``, which :class:`qhn.circuit.hypernetwork.Ansatz` describes."""
    return ansatz.circuit if form == "literal" else getattr(ansatz, form)


def openqasm(ansatz: Ansatz, form: str = "literal") -> str:
    """The circuit in OpenQASM 3, with the angles as inputs.

    A last comment names the CX gates that remain to be applied to the measured bits, if there are any.
    """
    from qiskit import qasm3

    return "\n".join([qasm3.dumps(of_form(ansatz, form)).rstrip("\n"), *(f"// {line}" for line in _left(ansatz, form))])


def drawing(ansatz: Ansatz, form: str = "literal") -> str:
    """The circuit drawn as text, one line per wire, after a line with the numbers of its gates and angles."""
    circuit = of_form(ansatz, form)
    gates = ", ".join(f"{count} {name}" for name, count in sorted(circuit.count_ops().items()))
    head = (
        f"{form} circuit, order {ansatz.order}: {ansatz.num_qubits} qubits, num_layers {ansatz.num_layers}, "
        f"depth {circuit.depth()}, {gates}; {int(ansatz.active.sum())} of {ansatz.num_parameters} angles are active"
    )
    wires = [line.rstrip() for line in str(circuit.draw("text", fold=-1)).splitlines()]
    return "\n".join([head, *wires, *_left(ansatz, form)])


def _left(ansatz: Ansatz, form: str) -> list[str]:
    """A line of text that names the CX gates to apply to the measured bits of this form, or no line."""
    if form != "executed" or not ansatz.folded_brick:
        return []
    return ["then, on the measured bits: " + ", ".join(f"b{t} ^= b{c}" for c, t in ansatz.folded_brick)]


def write_files(ansatz: Ansatz, name: str, folder: Path) -> list[Path]:
    """Write ``<name>.qasm``, ``<name>.executed.qasm`` and their drawings ``.txt`` into a folder; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for form, suffix in (("literal", ""), ("executed", ".executed")):
        for ending, text in ((".qasm", openqasm(ansatz, form)), (".txt", drawing(ansatz, form))):
            path = folder / f"{name}{suffix}{ending}"
            with naming(path):
                path.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
            paths.append(path)
    return paths
