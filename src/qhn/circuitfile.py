"""Circuits as text: OpenQASM 3 and drawings."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qhn.ansatz import Ansatz

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

FORMS = ("literal", "pruned", "executed")


def of_form(ansatz: Ansatz, form: str) -> QuantumCircuit:
    """The circuit in one of the ``FORMS``; see :class:`qhn.ansatz.Ansatz`."""
    return ansatz.circuit if form == "literal" else getattr(ansatz, form)


def openqasm(ansatz: Ansatz, form: str = "literal") -> str:
    """The circuit in OpenQASM 3, with the angles as inputs."""
    from qiskit import qasm3

    text: str = qasm3.dumps(of_form(ansatz, form))
    return text


def drawing(ansatz: Ansatz, form: str = "literal") -> str:
    """Counts, and the circuit drawn as text, one line a wire."""
    circuit = of_form(ansatz, form)
    gates = ", ".join(f"{count} {name}" for name, count in sorted(circuit.count_ops().items()))
    head = (
        f"{form} circuit, order {ansatz.order}: {ansatz.num_qubits} qubits, {ansatz.num_layers} layers, "
        f"depth {circuit.depth()}, {gates}; {int(ansatz.active.sum())} of {ansatz.num_parameters} angles are active"
    )
    return f"{head}\n{circuit.draw('text', fold=-1)}"


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
