"""The algorithm of Harrow, Hassidim and Lloyd as a linear solver: phase estimation, a rotation by 1/λ, uncomputation.

A is made Hermitian on one more qubit, H = [[0, A], [Aᵀ, 0]], whose eigenvalues are the singular values ±σ of A: from
(b, 0) it makes (0, x). Phase estimation writes λ as a signed integer, the number of the eigenvalue's bin.

- The evolution time puts the largest σ at bin 7/16 · 2ᵐ of the 2ᵐ bins: the eighth that is left keeps what leaks
  from the largest λ off the most negative bins.
- The phase register starts in the sine window of the algorithm's first publication: leakage falls with the fourth
  power of the distance in bins, where it falls with the second from a uniform start. Its spread of ¼ bin² would raise
  the mean of 1/λ by the share λ⁻²/4, with λ in bins, and is taken off the rotation's angles.
- The rotation's amplitude is C/λ from one bin below the smallest σ on, where it is 1, and stays 1 below.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.linalg
import scipy.sparse
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import QFTGate, UCRYGate, UnitaryGate

from qhn.arrays import Complexes, Floats
from qhn.carleman.block_encoding import CircuitGate, MatrixGate
from qhn.carleman.linear_solver import (
    MAX_QUBITS,
    Matrix,
    SolverCircuit,
    SolverFacts,
    append_state,
    checked,
    padded,
    singular_values,
)
from qhn.errors import QhnError
from qhn.fields import Whole

MAX_UNKNOWNS = 256  # whose evolution, controlled, is a dense unitary of 1,024 rows for each qubit of the phase register
MAX_DENSE_ROTATION = 11  # qubits of the rotation whose matrix is kept, in 64 MB
LARGEST = 7 / 16  # bin of the largest singular value, divided by the number of bins
SPREAD = 0.25  # variance of the estimated bin from a sine window


def hhl(matrix: Matrix, right_side: Floats, phase_qubits: int = 9) -> SolverCircuit:
    """The circuit that solves A x = b by phase estimation.

    Args:
        matrix: matrix A, ``[D, D]``.
        right_side: right side b, ``[D]``.
        phase_qubits: number m of qubits of the phase register, at least 3.

    Returns:
        The circuit, whose amplitudes at ancillas 0 times its scale are the solution; the bound on its error is that of
        phase estimation at the singular values of A.

    Raises:
        QhnError: if A and b are no system, A is singular or too large, or the phase register is too small for κ.

    >>> solver = hhl(np.array([[1.0, 0.0], [-0.8, 1.0]]), np.array([1.0, 0.0]), phase_qubits=7)
    >>> solver.amplitudes().vector.round(2), solver.num_qubits
    (array([1. , 0.8]), 10)
    """
    phase_qubits = Whole(3)("phase_qubits", phase_qubits)
    matrix, right_side = checked(matrix, right_side)
    if len(right_side) > MAX_UNKNOWNS:
        raise QhnError(f"hhl takes at most {MAX_UNKNOWNS} unknowns, got {len(right_side):,}: use qsvt")
    dense = matrix.toarray() if scipy.sparse.issparse(matrix) else matrix
    values = singular_values(dense)
    condition = float(values[0] / values[-1])
    bins = LARGEST * 2**phase_qubits * values / values[0]
    if bins[-1] < 1:
        needed = math.ceil(math.log2(condition / LARGEST))
        raise QhnError(
            f"a condition number of {condition:.4g} needs at least {needed} phase qubits, got {phase_qubits}: "
            "give more, or use qsvt"
        )
    dense, vector = padded(dense, right_side, diagonal=float(values[0]))
    smallest = float(bins[-1])
    circuit, norm = _circuit(dense, vector, phase_qubits, smallest)
    found = estimated(bins, phase_qubits, smallest)
    num_solution = len(vector).bit_length() - 1
    bins_per_value = float(bins[0] / values[0])
    return SolverCircuit(
        circuit=circuit,
        solution=tuple(range(num_solution)),
        ancillas=tuple(range(num_solution, circuit.num_qubits)),
        scale=norm * bins_per_value / _numerator(smallest),
        num_unknowns=len(right_side),
        facts=SolverFacts(
            method="hhl",
            encoding="evolution",
            condition=condition,
            subnormalisation=float(values[0]),
            effective_condition=condition,
            error_bound=float(np.abs(found * bins / _numerator(smallest) - 1).max()),
            degree=2 ** (phase_qubits - 1),
            queries=2 * (2**phase_qubits - 1),
        ),
    )


def estimated(bins: Floats, phase_qubits: int, smallest: float) -> Floats:
    """The amplitude at ancillas 0 that an eigenvalue gets, which is near the rotation's C/λ.

    Args:
        bins: eigenvalues λ in bins, ``[K]``.
        phase_qubits: number m of qubits of the phase register.
        smallest: smallest singular value in bins.

    >>> float((10 * estimated(np.array([10.0]), 6, smallest=2.0))[0].round(3)), _numerator(2.0)
    (1.333, 1.3333333333333333)
    """
    size = 2**phase_qubits
    time = np.arange(size)
    window = np.sin(np.pi * (time + 0.5) / size) * np.sqrt(2 / size)
    leaked = np.fft.fft(window * np.exp(2j * np.pi * np.outer(bins, time) / size), axis=1) / np.sqrt(size)
    return np.asarray(np.abs(leaked) ** 2 @ _amplitudes(phase_qubits, smallest))


def _numerator(smallest: float) -> float:
    """The C of the rotation's C/λ in bins, by which its largest amplitude is 1."""
    lowest = max(1, math.floor(smallest) - 1)
    return lowest / (1 - SPREAD / lowest**2)


def _amplitudes(phase_qubits: int, smallest: float) -> Floats:
    """The rotation's amplitude at each value of the phase register; those from 2ᵐ⁻¹ on are negative eigenvalues."""
    size = 2**phase_qubits
    signed = np.fft.fftfreq(size, 1 / size)
    lowest = max(1, math.floor(smallest) - 1)
    magnitude = np.maximum(np.abs(signed), lowest)
    found = np.sign(signed) * _numerator(smallest) / magnitude * (1 - SPREAD / magnitude**2)
    found[size // 2] = 0  # has no positive counterpart, and nothing leaks there
    return np.clip(found, -1, 1)  # rounding may pass 1, which no rotation does


def _circuit(matrix: Floats, right_side: Floats, phase_qubits: int, smallest: float) -> tuple[QuantumCircuit, float]:
    """The circuit, and the norm of the right side.

    Its qubits are those of the solution, the one that makes A Hermitian, the phase register, and the rotated one.
    """
    num_solution = len(right_side).bit_length() - 1
    hermitian = list(range(num_solution + 1))
    phase = list(range(num_solution + 1, num_solution + 1 + phase_qubits))
    rotated = phase[-1] + 1
    if rotated + 1 > MAX_QUBITS:
        raise QhnError(f"the system needs {rotated + 1} qubits, more than {MAX_QUBITS}: give fewer phase qubits")
    estimation = QuantumCircuit(rotated, name="estimation")
    _append_window(estimation, phase)
    for qubit, gate in zip(phase, _powers(matrix, phase_qubits), strict=True):
        estimation.append(gate, [*hermitian, qubit])
    fourier = _fourier(phase_qubits)
    estimation.append(fourier.inverse(), phase)
    circuit = QuantumCircuit(rotated + 1, name="hhl")
    norm = append_state(circuit, right_side, hermitian[:-1])
    circuit.compose(estimation, inplace=True)
    circuit.append(_rotation(_amplitudes(phase_qubits, smallest)), [rotated, *phase])
    circuit.compose(estimation.inverse(), inplace=True)
    circuit.x(hermitian[-1])
    return circuit, norm


def _append_window(circuit: QuantumCircuit, phase: list[int]) -> None:
    """Append the preparation of sin(π(τ + ½)/2ᵐ) up to a phase: times e^{iπτ/2ᵐ}, it has two frequencies, 0 and 1."""
    size = 2 ** len(phase)
    circuit.h(phase[0])
    circuit.p(np.pi * (1 + 1 / size), phase[0])
    circuit.append(_fourier(len(phase)), phase)
    for place, qubit in enumerate(phase):
        circuit.p(-np.pi * 2**place / size, qubit)


def _fourier(num_qubits: int) -> MatrixGate:
    """The quantum Fourier transform."""
    circuit = QuantumCircuit(num_qubits, name="qft")
    circuit.append(QFTGate(num_qubits), range(num_qubits))
    return MatrixGate("qft", circuit, np.fft.ifft(np.eye(2**num_qubits), norm="ortho"))


def _powers(matrix: Floats, phase_qubits: int) -> list[Gate]:
    """The controlled powers e^{iHt}, e^{2iHt}, e^{4iHt}, … of (A, Aᵀ); the last qubit is the control."""
    left, values, right = scipy.linalg.svd(matrix)
    vectors = np.block([[left, left], [right.T, -right.T]]) / np.sqrt(2)
    turns = 2 * np.pi * LARGEST * np.concatenate([values, -values]) / values[0]
    size = len(vectors)
    gates = []
    for place in range(phase_qubits):
        controlled: Complexes = np.eye(2 * size, dtype=complex)
        controlled[size:, size:] = (vectors * np.exp(1j * 2**place * turns)) @ vectors.T
        circuit = QuantumCircuit((2 * size).bit_length() - 1, name="evolution")
        circuit.append(UnitaryGate(controlled, check_input=False), circuit.qubits)
        gates.append(MatrixGate(f"evolution_{2**place}", circuit, controlled))
    return gates


def _rotation(amplitudes: Floats) -> Gate:
    """A rotation of the first qubit that leaves it in 0 with an amplitude for each value of the other qubits."""
    circuit = QuantumCircuit(len(amplitudes).bit_length(), name="rotation")
    circuit.append(UCRYGate((2 * np.arccos(amplitudes)).tolist()), circuit.qubits)
    if circuit.num_qubits > MAX_DENSE_ROTATION:
        return CircuitGate("rotation", circuit)
    cosine, sine = amplitudes, np.sqrt(1 - amplitudes**2)
    matrix = np.zeros((len(amplitudes), 2, len(amplitudes), 2), dtype=complex)
    every = np.arange(len(amplitudes))
    matrix[every, :, every, :] = np.array([[cosine, -sine], [sine, cosine]]).transpose(2, 0, 1)
    return MatrixGate("rotation", circuit, matrix.reshape(2 * len(amplitudes), -1))
