"""Block encodings: unitaries that hold a matrix A, divided by a factor α, where their ancilla qubits are 0.

The dilation of a dense matrix takes one ancilla, and is as costly as any unitary of its size.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import RYGate, UCRYGate, UnitaryGate
from qiskit.quantum_info import Operator

from qhn.arrays import Complexes, Floats
from qhn.errors import QhnError

MAX_DENSE = 1024  # unknowns of a dilation, whose unitary then takes 64 MB
MAX_STORED = 6  # qubits of a gate whose matrix is computed once; above, simulating its circuit at each use is as fast


class CircuitGate(Gate):  # type: ignore[misc]
    """A gate that is a circuit, which all its copies share.

    Args:
        name: name of the gate.
        circuit: the circuit of the gate.
    """

    def __init__(self, name: str, circuit: QuantumCircuit) -> None:
        super().__init__(name, circuit.num_qubits, [])
        self.definition = circuit

    def __deepcopy__(self, memo: Any = None) -> CircuitGate:
        return copy.copy(self)  # nothing of it changes, and a circuit copies its gates at each use

    def inverse(self, annotated: bool = False) -> CircuitGate:
        """The inverse gate."""
        return CircuitGate(self._inverse_name(), self.definition.inverse())

    def _inverse_name(self) -> str:
        return self.name.removesuffix("_dg") if self.name.endswith("_dg") else f"{self.name}_dg"


class MatrixGate(CircuitGate):
    """A gate that simulators apply as a matrix, and that devices get as a circuit.

    Args:
        name: name of the gate.
        circuit: the circuit of the gate.
        matrix: unitary matrix of the circuit.
    """

    def __init__(self, name: str, circuit: QuantumCircuit, matrix: Complexes) -> None:
        super().__init__(name, circuit)
        self._matrix = matrix

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:  # NumPy's own names
        return np.array(self._matrix, dtype=dtype, copy=copy)

    def inverse(self, annotated: bool = False) -> MatrixGate:
        """The inverse gate, its circuit and its matrix inverted."""
        return MatrixGate(self._inverse_name(), self.definition.inverse(), self._matrix.conj().T)


def gate_of(name: str, circuit: QuantumCircuit) -> CircuitGate:
    """The gate of a circuit, with its matrix up to ``MAX_STORED`` qubits.

    Args:
        name: name of the gate.
        circuit: the circuit of the gate.
    """
    if circuit.num_qubits > MAX_STORED:
        return CircuitGate(name, circuit)
    return MatrixGate(name, circuit, Operator(circuit).data)


@dataclass(frozen=True)
class BlockEncoding:
    """A gate whose block at ancillas 0 is a matrix divided by a factor.

    Attributes:
        gate: gate on the qubits of the matrix, least significant first, and then the ancillas.
        num_ancillas: number of ancilla qubits that must be 0 before and after.
        subnormalisation: factor α, at least the largest singular value of the matrix.
        is_balanced: whether the only ancilla is the signal of each singular value by itself: the gate is W (Z Σ + X √(1
            − Σ²)) V†, with Z and X on the ancilla, so that rotations of this ancilla are the phases.
    """

    gate: Gate
    num_ancillas: int
    subnormalisation: float
    is_balanced: bool = False

    def block(self) -> Complexes:
        """The encoded matrix times 1/α, from the unitary of the gate."""
        size = 2 ** (self.gate.num_qubits - self.num_ancillas)
        return np.asarray(Operator(self.gate).data[:size, :size])


def dilation(matrix: Floats, subnormalisation: float | None = None) -> BlockEncoding:
    """The block encoding of a dense matrix by one ancilla, from its singular value decomposition A = α W Σ V†.

    The gate is V†, a rotation of the ancilla by arccos Σ of each singular value, and W. It costs two dense unitaries of
    the size of the matrix, and to find it is as hard as to solve the system: it is a means of verification.

    Args:
        matrix: matrix A, ``[D, D]`` with D a power of two, 1 too.
        subnormalisation: factor α, at least the largest singular value of A; None for this value.

    Raises:
        QhnError: if the matrix is too large, or α too small.

    >>> dilation(np.diag([2.0, 1.0])).block().real.round(12)
    array([[1. , 0. ],
           [0. , 0.5]])
    """
    size = len(matrix)
    if size > MAX_DENSE:
        raise QhnError(
            f"the dilation of {size:,} unknowns needs a dense unitary of {2 * size:,} rows, more than "
            f"{2 * MAX_DENSE:,}: use encoding='structured' (in qhn qsgd solver.encoding), or lower the "
            "truncation or the number of steps"
        )
    left, cosines, right, alpha = scaled_svd(matrix, subnormalisation)
    num_qubits = size.bit_length() - 1
    system, ancilla = list(range(num_qubits)), num_qubits
    circuit = QuantumCircuit(num_qubits + 1, name="block")
    if system:
        circuit.append(UnitaryGate(right, check_input=False), system)
    circuit.z(ancilla)
    circuit.append(multiplexed_ry(2 * np.arccos(cosines)), [ancilla, *system])
    if system:
        circuit.append(UnitaryGate(left, check_input=False), system)
    sines = np.sqrt(1 - cosines**2)
    quarters = [[(left * part) @ right for part in row] for row in ((cosines, sines), (sines, -cosines))]
    return BlockEncoding(MatrixGate("block", circuit, np.block(quarters).astype(complex)), 1, alpha, is_balanced=True)


def scaled_svd(matrix: Floats, subnormalisation: float | None = None) -> tuple[Floats, Floats, Floats, float]:
    """The W, Σ, V† and α of a matrix α W Σ V†, where no singular value in Σ is above 1.

    Args:
        matrix: matrix, ``[D, D]``.
        subnormalisation: factor α, at least the largest singular value; None for this value.

    Raises:
        QhnError: if α is too small.
    """
    left, values, right = scipy.linalg.svd(matrix)
    alpha = float(values[0]) if subnormalisation is None else subnormalisation
    if not alpha >= values[0] * (1 - 1e-12):
        raise QhnError(f"the subnormalisation must be at least the largest singular value {values[0]}, got {alpha}")
    return left, np.clip(values / (alpha or 1.0), 0, 1), right, alpha


def controlled(gate: Gate, num_controls: int, state: int | None = None) -> MatrixGate:
    """A gate on one qubit, applied where the qubits before it are in a state.

    Args:
        gate: gate on one qubit.
        num_controls: number of controlling qubits.
        state: state of these qubits as an integer, least significant first; None for all 1.

    >>> from qiskit.circuit.library import XGate
    >>> np.asarray(controlled(XGate(), 1, 0)).real.astype(int).tolist()
    [[0, 0, 1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]
    """
    size = 2**num_controls
    state = size - 1 if state is None else state
    circuit = QuantumCircuit(num_controls + 1)
    circuit.append(gate.control(num_controls, ctrl_state=state, annotated=False), circuit.qubits)
    matrix = np.eye(2 * size, dtype=complex)
    places = [state, state + size]
    matrix[np.ix_(places, places)] = gate.to_matrix()
    return MatrixGate(f"{gate.name}_if_{state}_of_{size}", circuit, matrix)


def multiplexed_ry(angles: Floats) -> Gate:
    """A rotation of the first qubit about y by an angle for each value of the others."""
    return RYGate(float(angles[0])) if len(angles) == 1 else UCRYGate(angles.tolist())
