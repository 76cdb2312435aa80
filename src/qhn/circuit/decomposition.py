"""Any circuit of Qiskit as Pauli rotations and fixed gates.

A rotation exp(−iφP/2) about a Pauli string P keeps its angle φ, an affine function of the circuit's parameters. A gate
that holds parameters and is no such rotation, a controlled rotation or a composite gate, is replaced by its definition
until only rotations and fixed gates are left; global phases are dropped. Fixed gates of one or two qubits stay as they
are. What is no unitary circuit, or has angles that are no affine function of the parameters, is refused by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from qhn.arrays import Floats
from qhn.circuit.ansatz import Gate
from qhn.errors import QhnError
from qhn.text import clipped

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Operation, Parameter
    from qiskit.circuit.library import PauliEvolutionGate

AXES = {"rx": "X", "ry": "Y", "rz": "Z", "rxx": "XX", "ryy": "YY", "rzz": "ZZ", "rzx": "ZX"}  # Pauli string by gate
MAX_GATES = 200_000  # a circuit of more takes minutes to build
MAX_DEPTH = 100  # definitions within definitions; none of Qiskit's comes close
PROBES = (0.0, 0.37, -2.9, 11.3)  # values at which an angle must be what its coefficients say

Rotations = list[tuple[str, tuple[int, ...], Any]]


class Turn(NamedTuple):
    """One gate in time order.

    Attributes:
        gate: the gate without its angle; of a rotation the matrix is None.
        angle: the coefficient of each parameter and the offset in radians, of a rotation; None for a fixed gate.
        operation: the gate as Qiskit has it, of a fixed gate.
    """

    gate: Gate
    angle: tuple[dict[Parameter, float], float] | None = None
    operation: Operation | None = None


SHORT: dict[str, Callable[..., Rotations]] = {  # gates of which Qiskit's definition has more gates than there need be
    "p": lambda angle: [("rz", (0,), angle)],
    "u1": lambda angle: [("rz", (0,), angle)],
    "u": lambda theta, phi, lam: [("rz", (0,), lam), ("ry", (0,), theta), ("rz", (0,), phi)],
    "u3": lambda theta, phi, lam: [("rz", (0,), lam), ("ry", (0,), theta), ("rz", (0,), phi)],
    "u2": lambda phi, lam: [("rz", (0,), lam), ("ry", (0,), np.pi / 2), ("rz", (0,), phi)],
    "r": lambda theta, phi: [("rz", (0,), -phi), ("rx", (0,), theta), ("rz", (0,), phi)],
    "cp": lambda angle: [("rz", (0,), angle / 2), ("rz", (1,), angle / 2), ("rzz", (0, 1), -angle / 2)],
    "cu1": lambda angle: [("rz", (0,), angle / 2), ("rz", (1,), angle / 2), ("rzz", (0, 1), -angle / 2)],
    "crx": lambda angle: [("rx", (1,), angle / 2), ("rzx", (0, 1), -angle / 2)],
    "crz": lambda angle: [("rz", (1,), angle / 2), ("rzz", (0, 1), -angle / 2)],
}


def decomposed(circuit: QuantumCircuit) -> list[Turn]:
    """The rotations and fixed gates of a circuit in time order, without a measurement of all qubits at its end.

    Raises:
        QhnError: if the circuit measures before its end, resets or is controlled by classical bits, an angle is no
            affine function of the parameters, or a gate has no definition but an approximate one.
    """
    turns: list[Turn] = []
    for turn in _turns(without_measurement(circuit), tuple(range(circuit.num_qubits)), ()):
        turns.append(turn)
        if len(turns) > MAX_GATES:
            raise QhnError(f"the circuit has more than {MAX_GATES:,} gates once its composite gates are decomposed")
    return turns


def without_measurement(circuit: QuantumCircuit) -> QuantumCircuit:
    """A copy without a measurement of all qubits at its end, qubit j into bit j, and without classical bits.

    Raises:
        QhnError: if the circuit measures anything else.
    """
    from qiskit.circuit import Barrier, Measure

    measured = {}
    for instruction in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in instruction.qubits]
        _refuse_other_than_gates(instruction.operation, qubits)
        name = instruction.operation.name
        if isinstance(instruction.operation, Measure):
            measured[qubits[0]] = circuit.find_bit(instruction.clbits[0]).index
        elif not isinstance(instruction.operation, Barrier) and not measured.keys().isdisjoint(qubits):
            again = next(qubit for qubit in qubits if qubit in measured)
            raise QhnError(f"the circuit measures qubit {again} before its end ({name} follows); measure at the end")
        elif instruction.clbits:
            raise QhnError(f"the circuit has a classical operation, {name}; only gates on qubits can be trained")
    if not measured:
        return circuit
    wrong = [qubit for qubit in range(circuit.num_qubits) if measured.get(qubit) != qubit]
    if wrong:
        where = f"is measured into bit {measured[wrong[0]]}" if wrong[0] in measured else "is not measured"
        raise QhnError(
            f"a measurement at the end must be of all qubits, qubit j into bit j, and qubit {wrong[0]} {where}; leave "
            "the measurement out"
        )
    bare: QuantumCircuit = circuit.copy_empty_like()
    for instruction in circuit.data:
        if not isinstance(instruction.operation, Measure):
            bare.append(instruction)
    return bare


def _refuse_other_than_gates(operation: Operation, qubits: Sequence[int]) -> None:
    """Refuse operations by which a circuit is no unitary, other than measurements.

    Raises:
        QhnError: if the operation is one; the message names it.
    """
    from qiskit.circuit import ControlFlowOp, Reset, Store
    from qiskit.circuit.library import Initialize

    if isinstance(operation, (ControlFlowOp, Reset, Store, Initialize)):
        kind = "classical control" if isinstance(operation, ControlFlowOp) else "an operation that is no gate"
        raise QhnError(f"the circuit has {kind}, {operation.name} on {_on(qubits)}; only gates can be trained")


def _turns(circuit: QuantumCircuit, qubits: Sequence[int], inside: tuple[str, ...]) -> Iterator[Turn]:
    """The gates of a circuit or of a gate's definition.

    Args:
        circuit: the circuit.
        qubits: the qubits of the whole circuit on which its own are.
        inside: the names of the gates of whose definitions this is one.
    """
    if len(inside) > MAX_DEPTH:
        raise QhnError(f"gate {clipped(inside[0])} has definitions within definitions, deeper than {MAX_DEPTH}")
    for instruction in circuit.data:
        on = tuple(qubits[circuit.find_bit(qubit).index] for qubit in instruction.qubits)
        yield from _turns_of(instruction.operation, on, inside)


def _turns_of(operation: Operation, qubits: tuple[int, ...], inside: tuple[str, ...]) -> Iterator[Turn]:
    """The rotations and fixed gates of one operation on the given qubits."""
    from qiskit.circuit import Barrier, Delay, Measure
    from qiskit.circuit.library import GlobalPhaseGate, IGate, UnitaryGate

    name = operation.name
    if isinstance(operation, (Barrier, Delay, IGate, GlobalPhaseGate)):  # without effect
        return
    _refuse_other_than_gates(operation, qubits)
    if isinstance(operation, Measure):
        raise QhnError(f"the circuit measures {_on(qubits)} inside of a gate; measure at the end")
    is_standard = _is_standard(operation)
    free = [value for value in getattr(operation, "params", ()) if getattr(value, "parameters", ())]
    if free and is_standard and name in AXES:
        slopes, offset = _affine(operation.params[0], name, qubits)
        if slopes:
            yield Turn(Gate(name, qubits), angle=(slopes, offset))
        else:  # its parameters cancel
            yield from _turns_of(_rotation(name, offset), qubits, inside)
    elif free and is_standard and name in SHORT:
        for axis, own, value in SHORT[name](*operation.params):
            yield from _turns_of(_rotation(axis, value), tuple(qubits[k] for k in own), inside)
    elif not free and len(qubits) <= 2 and (is_standard or isinstance(operation, UnitaryGate)):
        matrix = None if name == "cx" else np.asarray(operation.to_matrix(), dtype=np.complex128)
        if matrix is not None and not np.isfinite(matrix).all():
            raise QhnError(f"{clipped(name)} on {_on(qubits)} has an angle that is not finite")
        yield Turn(Gate(name, qubits, matrix=matrix), operation=operation)
    else:
        yield from _turns(_definition(operation, qubits), qubits, (*inside, name))


def _rotation(axis: str, value: Any) -> Operation:
    """A rotation gate of Qiskit about a Pauli string."""
    from qiskit.circuit.library import get_standard_gate_name_mapping

    return get_standard_gate_name_mapping()[axis].base_class(value)


def _is_standard(operation: Operation) -> bool:
    """Whether an operation is the gate of Qiskit's library that has its name, controlled by ones if at all."""
    from qiskit.circuit.library import get_standard_gate_name_mapping

    known = get_standard_gate_name_mapping().get(operation.name)
    if known is None or getattr(operation, "base_class", None) is not known.base_class:
        return False
    return getattr(operation, "ctrl_state", None) == getattr(known, "ctrl_state", None)


def _definition(operation: Operation, qubits: tuple[int, ...]) -> QuantumCircuit:
    """The circuit by which a gate is defined.

    Raises:
        QhnError: if it has none, or one that only approximates it.
    """
    from qiskit import QuantumCircuit
    from qiskit.circuit.library import PauliEvolutionGate
    from qiskit.transpiler import PassManager
    from qiskit.transpiler.passes import HighLevelSynthesis

    if isinstance(operation, PauliEvolutionGate) and not _commute(operation):
        raise QhnError(
            f"gate {clipped(operation.name)} on {_on(qubits)} is an evolution under Pauli strings that do not commute, "
            "which its definition approximates; to train the product formula, give circuit.decompose() instead"
        )
    try:
        found = getattr(operation, "definition", None)
        if found is None:  # of annotated and other abstract operations
            circuit = QuantumCircuit(len(qubits))
            circuit.append(operation, range(len(qubits)))
            synthesised = PassManager([HighLevelSynthesis()]).run(circuit)
            found = None if synthesised.data and synthesised.data[0].operation.name == operation.name else synthesised
    except Exception:  # gates define themselves by code of their own; some do so only once their parameters are numbers
        found = None
    if found is None:
        raise QhnError(
            f"gate {clipped(operation.name)} on {_on(qubits)} has no definition by Pauli rotations and fixed gates"
        )
    return found


def _commute(evolution: PauliEvolutionGate) -> bool:
    """Whether all Pauli strings of an evolution commute, so that one rotation about each is the evolution itself."""
    from qiskit.quantum_info import SparseObservable, SparsePauliOp

    known = evolution.operator if isinstance(evolution.operator, list) else [evolution.operator]
    sums = [SparsePauliOp.from_sparse_observable(op) if isinstance(op, SparseObservable) else op for op in known]
    strings = [one.paulis[one.coeffs != 0] for one in sums]
    x, z = (np.concatenate([getattr(one, part) for one in strings]).astype(np.float32) for part in "xz")
    anticommuting = x @ z.T
    return not ((anticommuting + anticommuting.T) % 2).any()


def _affine(angle: Any, name: str, qubits: tuple[int, ...]) -> tuple[dict[Parameter, float], float]:
    """The coefficients of a rotation's angle by parameter, and its offset in radians.

    Raises:
        QhnError: if the angle is no affine function of its parameters with real coefficients.
    """
    from qiskit.exceptions import QiskitError

    parameters = sorted(angle.parameters, key=lambda parameter: parameter.name)
    try:
        slopes = {parameter: _real(angle.gradient(parameter)) for parameter in parameters}
        offset = _real(angle.bind(dict.fromkeys(parameters, 0.0)))
        for probe in PROBES:
            values = {parameter: probe + 0.1 * index for index, parameter in enumerate(parameters)}
            expected = offset + sum(slope * values[parameter] for parameter, slope in slopes.items())
            if not np.isclose(_real(angle.bind(values)), expected, rtol=1e-9, atol=1e-9):
                raise ValueError("the gradient is not the same everywhere")
    except (TypeError, ValueError, ArithmeticError, RuntimeError, QiskitError):
        raise QhnError(
            f"{name} on {_on(qubits)} turns by {clipped(str(angle))}, which is no sum of parameters with fixed factors"
        ) from None
    return {parameter: slope for parameter, slope in slopes.items() if slope}, offset


def _real(value: Any) -> float:
    """A number of Qiskit's as a real and finite one.

    Raises:
        TypeError, ValueError: if it is an expression of parameters, complex, or not finite.
    """
    number = complex(value)
    if number.imag or not np.isfinite(number.real):
        raise ValueError(f"{value} is not real")
    return number.real


def _on(qubits: Sequence[int]) -> str:
    """The qubits of a gate in words."""
    return f"qubit {qubits[0]}" if len(qubits) == 1 else f"qubits {', '.join(map(str, qubits))}"


def coefficients(turns: Sequence[Turn], parameters: Sequence[Parameter]) -> tuple[Any, Floats]:
    """The coefficients A and offsets b of the rotations' angles φ = A·θ + b, in time order.

    Args:
        turns: the gates.
        parameters: the parameters θ in their order.
    """
    from scipy.sparse import csr_array

    column = {parameter: index for index, parameter in enumerate(parameters)}
    angles = [turn.angle for turn in turns if turn.angle is not None]
    entries = [
        (row, column[parameter], slope) for row, (slopes, _) in enumerate(angles) for parameter, slope in slopes.items()
    ]
    rows, columns, slopes = np.array(entries, dtype=np.float64).reshape(-1, 3).T
    shape = (len(angles), len(parameters))
    matrix = csr_array((slopes, (rows.astype(np.int64), columns.astype(np.int64))), shape=shape)
    return matrix, np.array([offset for _, offset in angles], dtype=np.float64)
