"""Block encodings: unitaries that hold a matrix A, divided by a factor α, where their ancilla qubits are 0.

Two are here. The dilation of a dense matrix takes one ancilla and is as costly as any unitary of its size. The history
of a lifted descent has a structure, 1 − S ⊗ A with S the shift by one time, so that its encoding is made of one of the
block A, which every time shares, and of arithmetic on the register of times: its gates grow with the logarithm of the
number of times only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.linalg
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import RYGate, UCRYGate, UnitaryGate, XGate
from qiskit.quantum_info import Operator

from qhn.arrays import Complexes, Floats
from qhn.errors import QhnError

if TYPE_CHECKING:
    from qhn.carleman.history import HistorySystem

MAX_DENSE = 1024  # unknowns of a dilation, whose unitary then takes 64 MB
MAX_STORED = 10  # qubits of an encoding whose matrix is kept, so that its gates need not be simulated at each use


class BlockGate(Gate):  # type: ignore[misc]
    """A gate that simulators apply as a matrix, and that devices get as a circuit.

    Args:
        name: name of the gate.
        circuit: the circuit of the gate.
        matrix: its unitary matrix; None to compute it.
    """

    def __init__(self, name: str, circuit: QuantumCircuit, matrix: Complexes | None = None) -> None:
        super().__init__(name, circuit.num_qubits, [])
        self._matrix = Operator(circuit).data if matrix is None else matrix
        self.definition = circuit

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.array(self._matrix, dtype=dtype, copy=copy)

    def inverse(self, annotated: bool = False) -> BlockGate:
        """The inverse gate, its circuit and its matrix inverted."""
        name = self.name.removesuffix("_dg") if self.name.endswith("_dg") else f"{self.name}_dg"
        return BlockGate(name, self.definition.inverse(), self._matrix.conj().T)


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
            f"{2 * MAX_DENSE:,}: use encoding='structured', or lower the truncation or the number of steps"
        )
    left, values, right = scipy.linalg.svd(matrix)
    alpha = float(values[0]) if subnormalisation is None else subnormalisation
    if not alpha >= values[0] * (1 - 1e-12):
        raise QhnError(f"the subnormalisation must be at least the largest singular value {values[0]}, got {alpha}")
    cosines = np.clip(values / (alpha or 1.0), 0, 1)
    sines = np.sqrt(1 - cosines**2)
    num_qubits = size.bit_length() - 1
    system, ancilla = list(range(num_qubits)), num_qubits
    circuit = QuantumCircuit(num_qubits + 1, name="block")
    if system:
        circuit.append(UnitaryGate(right, check_input=False), system)
    circuit.z(ancilla)
    circuit.append(_multiplexed_ry(2 * np.arccos(cosines)), [ancilla, *system])
    if system:
        circuit.append(UnitaryGate(left, check_input=False), system)
    quarters = [[(left * part) @ right for part in row] for row in ((cosines, sines), (sines, -cosines))]
    return BlockEncoding(BlockGate("block", circuit, np.block(quarters).astype(complex)), 1, alpha, is_balanced=True)


def _multiplexed_ry(angles: Floats) -> Gate:
    """A rotation of the first qubit about y by an angle for each value of the others."""
    return RYGate(float(angles[0])) if len(angles) == 1 else UCRYGate(angles.tolist())


def history_encoding(system: HistorySystem) -> BlockEncoding:
    """The block encoding of the history of a descent whose steps are all alike, from one of its block A.

    The matrix is 1 − S ⊗ A, where S shifts the register of times by one, takes the identity in place of A in idle
    times, and lets the last time go. A selecting ancilla in cos²θ = 1/(1 + β), sin²θ = β/(1 + β) with β = max(1, ‖A‖)
    adds the two terms, so that α = 1 + β, where ‖1 − S ⊗ A‖ itself is at most 1 + ‖A‖. The second ancilla is that of the
    dilation of A/β; it also carries the factor 1/β of idle times and is set at the last time, which ends there. A third
    is the result of the comparison of the time with the number of steps, and returns to 0 by itself.

    Args:
        system: history of a descent.

    Raises:
        QhnError: if the steps differ from each other, as they do in stochastic descent, or the block is too large.
    """
    first = system.lifts[0].matrix
    if any(lift.matrix is not first and (lift.matrix != first).nnz for lift in system.lifts):
        raise QhnError(
            "the structured encoding is of descents whose steps are all alike, and these differ (stochastic gradient "
            "descent): use encoding='dilation'"
        )
    step = np.zeros((system.block, system.block))
    step[: system.dimension, : system.dimension] = first.toarray()
    beta = max(1.0, float(np.linalg.norm(step, 2)))
    circuit = _history_circuit(dilation(step, beta).gate, beta, system.num_times, system.num_steps)
    gate = BlockGate("history", circuit) if circuit.num_qubits <= MAX_STORED else circuit.to_gate()
    return BlockEncoding(gate, 3, 1 + beta)


def _history_circuit(block: Gate, beta: float, num_times: int, num_steps: int) -> QuantumCircuit:
    """The circuit of 1 − S ⊗ A from the dilation of A/β, on components, times, and three ancillas."""
    inner, outer = block.num_qubits - 1, num_times.bit_length() - 1
    components, times = list(range(inner)), list(range(inner, inner + outer))
    dilated, steps, select = range(inner + outer, inner + outer + 3)
    circuit = QuantumCircuit(inner + outer + 3, name="history")
    angle = 2 * math.atan(math.sqrt(beta))
    circuit.ry(angle, select)
    circuit.z(select)  # minus the shifted term
    flip_if_below(circuit, times, num_steps, steps)
    circuit.append(block.control(2, annotated=True), [select, steps, *components, dilated])
    idle = 2 * math.acos(1 / beta) if num_steps < num_times - 1 else 0.0
    if idle:
        circuit.append(RYGate(idle).control(2, ctrl_state=0b01), [select, steps, dilated])
    flip_if_below(circuit, times, num_steps, steps)
    last = RYGate(math.pi - idle) if idle else XGate()
    circuit.append(last.control(1 + outer), [select, *times, dilated])
    for place in reversed(range(outer)):
        circuit.append(XGate().control(1 + place), [select, *times[:place], times[place]])
    circuit.ry(-angle, select)
    return circuit


def flip_if_below(circuit: QuantumCircuit, register: list[int], bound: int, target: int) -> None:
    """Append gates that flip a qubit if the number in a register is below a bound.

    The numbers below the bound, or those that are not, are intervals of which each shares its leading bits: at most as
    many as the register has qubits.

    Args:
        circuit: circuit to append to.
        register: qubits of the number, least significant first.
        bound: the bound, from 1 to 2ⁿ of n qubits.
        target: qubit that is flipped.
    """
    size = 2 ** len(register)
    below, above = _intervals(0, bound), _intervals(bound, size)
    if len(above) < len(below):
        circuit.x(target)
        below = above
    for first, length in below:
        fixed = register[length.bit_length() - 1 :]
        if fixed:
            state = first // length
            circuit.append(XGate().control(len(fixed), ctrl_state=state), [*fixed, target])
        else:
            circuit.x(target)


def _intervals(low: int, high: int) -> list[tuple[int, int]]:
    """The fewest intervals (first, length) of [low, high) whose length is a power of two that divides their first.

    >>> _intervals(0, 6), _intervals(6, 8)
    ([(0, 4), (4, 2)], [(6, 2)])
    """
    found = []
    while low < high:
        length = low & -low or 1 << (high.bit_length() - 1)
        while low + length > high:
            length //= 2
        found.append((low, length))
        low += length
    return found
