"""What the quantum linear solvers take: ancillas, degree and queries, by formulas that need no matrix.

A query is one use of the block encoding of A or of its inverse (QSVT), or one controlled evolution exp(iAt) (HHL).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from qhn.carleman.inverse_polynomial import inverse_polynomial

LARGE = 1e4  # condition number above which the inverse polynomial only scales
REACH = 3.0  # the inverse polynomial has its largest value at an x below this many 1/κ
GRID = 2000  # points on which that value is sought
QSVT_REAL_PART = 1  # ancilla: the real part of a QSP polynomial is the mean of the circuits of phases φ and −φ
HHL_FIXED = 2  # ancillas of HHL besides the phase register: the Hermitian dilation and the rotated qubit


@dataclass(frozen=True)
class SolverCost:
    """What one preparation of the solution takes.

    Attributes:
        ancillas: qubits besides the system's, without those of data loading.
        degree: degree of the polynomial of QSVT; None for HHL.
        phase_qubits: qubits of the phase register of HHL; None for QSVT.
        queries: uses of the encoding of A, one after the other: this is also the depth in queries.
    """

    ancillas: int
    degree: int | None
    phase_qubits: int | None
    queries: int


def inverse_peak(kappa: float, epsilon: float) -> float:
    """The largest value on [0, 1] of the residual polynomial for 1/x, by which the circuit must divide it.

    It is proportional to κ where κ is large, since the polynomial is a function of κx alone.

    Args:
        kappa: condition number of the matrix as it is encoded, of at least 1.
        epsilon: bound on the residual.

    >>> round(inverse_peak(4.5, 0.01), 2), f"{inverse_peak(1e50, 0.01):.3g}"
    (5.04, '1.11e+50')
    """
    near = min(kappa, LARGE)
    x = np.linspace(0, min(1.0, REACH / near), GRID + 1)
    return float(kappa / near * np.max(inverse_polynomial(near, epsilon)(x)))


def qsvt_cost(kappa: float, epsilon: float, encoding_ancillas: int = 1) -> SolverCost:
    """The cost of the quantum singular value transformation with the polynomial of lowest degree.

    Args:
        kappa: condition number of the matrix as it is encoded, of at least 1.
        epsilon: bound on the relative residual, in (0, 1).
        encoding_ancillas: ancillas of the block encoding. One more qubit carries the phases and gives the real part.

    >>> qsvt_cost(4.5, 0.1)
    SolverCost(ancillas=2, degree=13, phase_qubits=None, queries=13)
    """
    degree = inverse_polynomial(kappa, epsilon).degree
    return SolverCost(encoding_ancillas + QSVT_REAL_PART, degree, None, degree)


def hhl_cost(kappa: float, epsilon: float) -> SolverCost:
    """The cost of HHL with a phase register that resolves the smallest eigenvalue to a share ε of itself.

    The register has m = ⌈log₂(κ/ε)⌉ qubits, a rule of thumb: the error is not monotone in m. Phase estimation and
    its inverse apply the evolution 2(2^m − 1) times.

    >>> hhl_cost(4.5, 0.01)
    SolverCost(ancillas=11, degree=None, phase_qubits=9, queries=1022)
    """
    phase_qubits = max(1, math.ceil(math.log2(kappa / epsilon)))
    return SolverCost(phase_qubits + HHL_FIXED, None, phase_qubits, 2 * (2**phase_qubits - 1))
