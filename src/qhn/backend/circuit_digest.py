"""The digest of a bound circuit: the same in every process for circuits that no measurement could tell apart.

By it a resumed process finds the job that an earlier one submitted. Qiskit's own files do not serve: they hold names
that are drawn anew in every process. So what the circuit does is hashed: its gates with their numbers and places. A
number that differs in the last digits, such as one computed by another number of threads, is the same number here.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import AnnotatedOperation, ControlledGate, Instruction, ParameterExpression
from qiskit.circuit.library import UnitaryGate, get_standard_gate_name_mapping

from qhn.errors import QhnError

CELLS, OFFSET = 2.718281828e9, 0.318  # cells of a unit interval, and where they begin: no round number is at an edge


def circuit_digest(circuit: QuantumCircuit) -> str:
    """The SHA-256 digest of what a bound circuit does, as 64 hexadecimal digits.

    Names of the circuit, its registers, labels and the global phase do not matter.

    Raises:
        ValueError: if an instruction has neither numbers nor a definition by which it could be told from others.

    >>> first, second = QuantumCircuit(2, 1, name="first"), QuantumCircuit(2, 1)
    >>> for circuit, angle in ((first, 0.1 + 0.2), (second, 0.3)):
    ...     _ = circuit.ry(angle, 0), circuit.cx(0, 1), circuit.measure(1, 0)
    >>> circuit_digest(first) == circuit_digest(second)
    True
    """
    found = hashlib.sha256()
    _add_circuit(found, circuit)
    return found.hexdigest()


def _add_circuit(found: Any, circuit: QuantumCircuit) -> None:
    found.update(f"circuit {circuit.num_qubits} {circuit.num_clbits}".encode())
    for one in circuit.data:
        places = [[circuit.find_bit(bit).index for bit in bits] for bits in (one.qubits, one.clbits)]
        found.update(f"at {places} ".encode())
        _add_operation(found, one.operation)


def _add_operation(found: Any, operation: Any) -> None:
    """Add an instruction: a known one by its name and numbers, any other one by what it consists of."""
    known = get_standard_gate_name_mapping().get(operation.name)
    if isinstance(operation, UnitaryGate) or (known is not None and operation.base_class is known.base_class):
        found.update(operation.name.encode())
        _add_numbers(found, operation)
    elif operation.name == "barrier":
        found.update(b"barrier")
    elif isinstance(operation, ControlledGate):
        found.update(f"controlled {operation.num_ctrl_qubits} {operation.ctrl_state}".encode())
        _add_operation(found, operation.base_gate)
    elif isinstance(operation, AnnotatedOperation):
        found.update(f"annotated {operation.modifiers}".encode())
        _add_operation(found, operation.base_op)
    elif isinstance(operation, Instruction) and operation.definition is not None:
        _add_circuit(found, operation.definition)
    else:
        raise QhnError(
            f"instruction {operation.name} has no definition in gates, by which its job could be found again; "
            "decompose the circuit"
        )


def _add_numbers(found: Any, operation: Instruction) -> None:
    """Add the numbers of an instruction, each as the cell of the real line that it is in."""
    for parameter in operation.params:
        value = parameter.numeric() if isinstance(parameter, ParameterExpression) else parameter
        if isinstance(value, str):
            found.update(value.encode())
            continue
        numbers = np.atleast_1d(np.asarray(value, dtype=np.complex128))
        cells = [np.floor(part * CELLS + OFFSET).astype(np.int64) for part in (numbers.real, numbers.imag)]
        found.update(f"{numbers.shape}".encode() + b"".join(cell.tobytes() for cell in cells))
