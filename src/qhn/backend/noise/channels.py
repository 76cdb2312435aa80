"""The noise channels that follow a machine's gates and readout, as Pauli transfer matrices.

A state of n qubits is the vector r_P = Tr(Pρ) of its components along the Pauli strings P, and a channel the real
matrix R_PQ = Tr(P·Λ(Q)) / 2^n on it, its Pauli transfer matrix. The components of one qubit are in the order I, X, Y,
Z; of two qubits the first is the slower index.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.backend.device.chip import VIRTUAL, Chip
from qhn.errors import QhnError
from qhn.fields import Number, settle

PAULIS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])


class Noise(Protocol):
    """The errors of a machine's gates and readout."""

    def after(self, name: str, qubits: tuple[int, ...]) -> Floats:
        """The transfer matrix ``[4**n, 4**n]`` of the noise after a gate on n qubits, the first qubit slowest.

        Raises:
            ValueError: if the machine does not have the gate on these qubits.
        """
        ...

    def readout(self, qubit: int) -> Floats:
        """The probability of reading a bit given the true bit: ``[read, true]``, 2×2."""
        ...


@dataclass(frozen=True)
class Depolarising:
    """Depolarising noise of equal strength everywhere: a random Pauli error after every gate, all equally likely.

    Attributes:
        p1: total probability of the three Pauli errors after a gate on one qubit, rotations about z included.
        p2: total probability of the fifteen Pauli errors after a gate on two qubits.
        readout_error: probability of reading a bit wrong.

    Raises:
        ValueError: at construction, if a probability is out of range.

    >>> Depolarising(p1=0.003, p2=0.0).after("rz", (0,)).diagonal()
    array([1.   , 0.996, 0.996, 0.996])
    """

    p1: float
    p2: float
    readout_error: float = 0.0

    def __post_init__(self) -> None:
        settle(self, **dict.fromkeys(("p1", "p2", "readout_error"), Number(low=0, high=1)))

    def after(self, name: str, qubits: tuple[int, ...]) -> Floats:
        """The transfer matrix ``[4**n, 4**n]`` of the depolarising channel after a gate on n qubits."""
        paulis = 4 ** len(qubits)
        return _depolarising((self.p1, self.p2)[len(qubits) - 1] * paulis / (paulis - 1), len(qubits))

    def readout(self, qubit: int) -> Floats:
        """The probability of reading a bit given the true bit: ``[read, true]``, 2×2."""
        return _readout_counts(self.readout_error, self.readout_error)


@dataclass(frozen=True)
class ChipNoise:
    """The noise that a device's calibration implies, as Aer's ``NoiseModel.from_backend`` has it.

    Qubits relax for the duration of a gate that acts on them, at zero temperature; before that, the gate depolarises
    them by what is left of its reported error. Idle qubits do not relax, and rotations about z are virtual. Unlike in
    Aer's model, the two kinds of readout error differ.
    """

    chip: Chip

    def after(self, name: str, qubits: tuple[int, ...]) -> Floats:
        """The transfer matrix ``[4**n, 4**n]`` of the noise after a gate on n qubits, the first qubit slowest."""
        if name in VIRTUAL:
            return np.eye(4 ** len(qubits))
        if (name, qubits) not in self.chip.gates:
            raise QhnError(f"{self.chip.name} has no {name} on qubits {list(qubits)}")
        gate, dimension = self.chip.gates[name, qubits], 2 ** len(qubits)
        relaxation: Floats = np.ones((1, 1))
        for qubit in qubits:
            alone = _relaxation(self.chip.t1[qubit], self.chip.t2[qubit], gate.duration)
            relaxation = np.asarray(np.kron(relaxation, alone), dtype=np.float64)
        fidelity = (np.trace(relaxation) / dimension + 1) / (dimension + 1)  # average over pure states
        error = min(gate.error, dimension / (dimension + 1))
        if error <= 1 - fidelity:
            return relaxation
        share = dimension * (error - (1 - fidelity)) / (dimension * fidelity - 1)
        return relaxation @ _depolarising(min(share, dimension**2 / (dimension**2 - 1)), len(qubits))

    def readout(self, qubit: int) -> Floats:
        """The probability of reading a bit given the true bit: ``[read, true]``, 2×2."""
        return _readout_counts(*self.chip.readout[qubit])


def transfer_matrix(unitary: NDArray[Any]) -> Floats:
    """The Pauli transfer matrix of a gate on one or two qubits; for two, the *last* is the first factor of ``unitary``.

    This is Qiskit's order, so that ``operation.to_matrix()`` can be given directly; in the result the first qubit is
    slowest.

    >>> transfer_matrix(np.diag([1, 1j])).round(12) @ [1, 1, 0, 0]
    array([1., 0., 1., 0.])
    """
    strings = PAULIS
    if len(unitary) == 4:
        strings = np.einsum("aij,bkl->abkilj", PAULIS, PAULIS).reshape(16, 4, 4)
    images = unitary @ strings @ unitary.conj().T
    result: Floats = np.einsum("pij,qji->pq", strings, images).real / len(unitary)
    return result


def _depolarising(share: float, num_qubits: int) -> Floats:
    """The transfer matrix that replaces a share of the state by the maximally mixed one."""
    diagonal = np.full(4**num_qubits, 1 - share)
    diagonal[0] = 1.0
    return np.diag(diagonal)


def _relaxation(t1: float, t2: float, duration: float) -> Floats:
    """The transfer matrix of decay to 0 in T1 and of coherence in T2, which cannot exceed 2·T1."""
    stays, coherence = np.exp(-duration / t1), np.exp(-duration / min(t2, 2 * t1))
    matrix = np.diag([1.0, coherence, coherence, stays])
    matrix[3, 0] = 1 - stays
    return matrix


def _readout_counts(wrong_0: float, wrong_1: float) -> Floats:
    return np.array([[1 - wrong_0, wrong_1], [wrong_0, 1 - wrong_1]])
