"""Circuits in files of the user's own: OpenQASM 3 with inputs, and QPY, the binary format of Qiskit."""

from __future__ import annotations

import contextlib
import io
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qhn.circuit.unrolled import CircuitAnsatz, circuit_ansatz
from qhn.errors import QhnError
from qhn.text import clipped, read_text

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

ENDINGS = (".qasm", ".qpy")
MAX_QUBITS = 100_000  # of a register; the parser makes an object of each, a second for so many


def ansatz_of_qasm_file(path: Path) -> CircuitAnsatz:
    """The ansatz whose circuit is in an OpenQASM 3 file, its inputs in the order of their names, numbers as numbers.

    Raises:
        QhnError: if the file is no OpenQASM 3, or :func:`qhn.circuit.unrolled.circuit_ansatz` refuses the circuit.
    """
    return ansatz_of_qasm(read_text(path, "circuit file"), str(path), f"file {path.name}")


@lru_cache(maxsize=8)
def ansatz_of_qasm(text: str, source: str = "the circuit", facts: str = "") -> CircuitAnsatz:
    """The ansatz whose circuit is an OpenQASM 3 text, its inputs in the order of their names, numbers as numbers.

    Args:
        text: the program.
        source: where it is from, for messages.
        facts: what there is to say of it.

    Raises:
        QhnError: if the text is no OpenQASM 3, or :func:`qhn.circuit.unrolled.circuit_ansatz` refuses the circuit.
    """
    if not text.strip():
        raise QhnError(f"{source} is empty")
    version = re.search(r"^\s*OPENQASM\s+(\d+)", text, re.MULTILINE)
    if version and version[1] == "2":
        raise QhnError(f"{source} is OpenQASM 2, which has no parameters; write it in OpenQASM 3 with inputs as angles")
    widest = max((float(size) for size in re.findall(r"\bqubit\s*\[\s*(\d[\d_]*)\s*\]", text)), default=1.0)
    if widest > MAX_QUBITS:
        raise QhnError(f"{source} declares {widest:,.0f} qubits, and at most {MAX_QUBITS:,} are read")
    circuit = _parsed(text, source)
    names = sorted(circuit.parameters, key=lambda parameter: natural(parameter.name))
    try:
        return circuit_ansatz(circuit, facts=facts, parameters=names)
    except QhnError as error:
        raise QhnError(f"{source}: {error}") from None


def ansatz_of_qpy_file(path: Path) -> CircuitAnsatz:
    """The ansatz whose circuit is the only one in a QPY file, its parameters in Qiskit's order.

    Reading such a file can run code that is in it.

    Raises:
        QhnError: if the file is no QPY file of one circuit, or :func:`qhn.circuit.unrolled.circuit_ansatz` refuses it.
    """
    from qiskit import QuantumCircuit, qpy

    try:
        with path.open("rb") as file:
            found = qpy.load(file)
    except Exception as error:  # a damaged file breaks the reader anywhere
        raise QhnError(f"{path} is not a QPY file that Qiskit can read: {_line(error)}") from None
    if len(found) != 1 or not isinstance(found[0], QuantumCircuit):
        raise QhnError(f"{path} must hold one circuit, it holds {len(found)}")
    try:
        return circuit_ansatz(found[0], facts=f"file {path.name}")
    except QhnError as error:
        raise QhnError(f"{path}: {error}") from None


def natural(name: str) -> list[Any]:
    """The key by which names are sorted with the numbers in them as numbers.

    >>> sorted(["theta_10", "theta_2", "phi"], key=natural)
    ['phi', 'theta_2', 'theta_10']
    """
    return [(part.isdecimal(), int(part) if part.isdecimal() else part) for part in re.split(r"(\d+)", name)]


def _parsed(text: str, source: str) -> QuantumCircuit:
    """The circuit of an OpenQASM 3 text."""
    from qiskit import qasm3

    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):  # where the parser says what is wrong
            return qasm3.loads(text)
    except Exception as error:  # the parser and the importer raise whatever their libraries do
        reason = _line(told.getvalue().strip() or error)
        raise QhnError(f"{source} is not an OpenQASM 3 circuit that Qiskit can read: {reason}") from None


def _line(error: object) -> str:
    """The first line of what an error says."""
    words = str(error).replace("\\n", "\n").strip()
    if words[:1] in ("'", '"') and words[-1] == words[0]:
        words = words[1:-1].strip()
    return clipped(words.splitlines()[0].strip()) if words else "its syntax is wrong"
