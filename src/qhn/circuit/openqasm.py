"""Circuits as text: OpenQASM 3 and drawings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qhn.circuit.hypernetwork import Ansatz

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FORMS = ("literal", "pruned", "executed")


def of_form(ansatz: Ansatz, form: str) -> QuantumCircuit:
    """The circuit in one of the ``FORMS``; see :class:`qhn.circuit.hypernetwork.Ansatz`."""
    return ansatz.circuit if form == "literal" else getattr(ansatz, form)


def openqasm(ansatz: Ansatz, form: str = "literal") -> str:
    """The circuit in OpenQASM 3, with the angles as inputs; a last comment says what is left to do to measured bits."""
    from qiskit import qasm3

    return "\n".join([qasm3.dumps(of_form(ansatz, form)).rstrip("\n"), *(f"// {line}" for line in _left(ansatz, form))])


def drawing(ansatz: Ansatz, form: str = "literal") -> str:
    """Counts, and the circuit drawn as text, one line a wire."""
    circuit = of_form(ansatz, form)
    gates = ", ".join(f"{count} {name}" for name, count in sorted(circuit.count_ops().items()))
    head = (
        f"{form} circuit, order {ansatz.order}: {ansatz.num_qubits} qubits, num_layers {ansatz.num_layers}, "
        f"depth {circuit.depth()}, {gates}; {int(ansatz.active.sum())} of {ansatz.num_parameters} angles are active"
    )
    wires = [line.rstrip() for line in str(circuit.draw("text", fold=-1)).splitlines()]
    return "\n".join([head, *wires, *_left(ansatz, form)])


def _left(ansatz: Ansatz, form: str) -> list[str]:
    """What :meth:`qhn.circuit.hypernetwork.Ansatz.relabel` does to bits measured on this form, in words."""
    if form != "executed" or not ansatz.folded_brick:
        return []
    return ["then, on the measured bits: " + ", ".join(f"b{t} ^= b{c}" for c, t in ansatz.folded_brick)]


def write_files(ansatz: Ansatz, name: str, folder: Path) -> list[Path]:
    """Write ``<name>.qasm`` and ``<name>.executed.qasm``, and their drawings as ``.txt``; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for form, suffix in (("literal", ""), ("executed", ".executed")):
        for ending, text in ((".qasm", openqasm(ansatz, form)), (".txt", drawing(ansatz, form))):
            path = folder / f"{name}{suffix}{ending}"
            path.write_text(text.rstrip("\n") + "\n")
            paths.append(path)
    return paths
