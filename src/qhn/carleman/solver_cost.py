"""What the quantum linear solvers take: ancillas, degree and queries, by formulas that need no matrix.

A query is one use of the block encoding of A or of its inverse (QSVT), or one controlled evolution exp(iAt) (HHL).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

GRID = 2000  # points on which the largest value of the inverse polynomial is sought
QSVT_REAL_PART = 1  # ancilla: the real part of a QSP polynomial is the mean of the circuit and its conjugate
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


def inverse_degree(kappa: float, epsilon: float) -> int:
    """The least degree of a Chebyshev residual polynomial for 1/x on 1/κ ≤ |x| ≤ 1.

    The polynomial is P(x) = (1 − L_k(x²))/x of degree 2k − 1, where L_k is the Chebyshev polynomial of degree k on
    [1/κ², 1], normalised to 1 at 0: no residual 1 − xP(x) of this degree is smaller. It is at most ε from
    k = ⌈arcosh(1/ε) / (2 artanh(1/κ))⌉ on, which is a degree of about κ ln(2/ε).

    Args:
        kappa: condition number of the matrix as it is encoded, of at least 1.
        epsilon: bound on the residual, in (0, 1).

    >>> [inverse_degree(4.5, epsilon) for epsilon in (0.1, 0.01, 1e-4)]
    [13, 23, 43]
    """
    if kappa == 1:
        return 1
    return 2 * math.ceil(math.acosh(1 / epsilon) / (2 * math.atanh(1 / kappa))) - 1


def inverse_peak(kappa: float, degree: int) -> float:
    """The largest value on [0, 1] of the residual polynomial for 1/x, by which the circuit must divide it.

    Args:
        kappa: condition number of the matrix as it is encoded, of at least 1.
        degree: odd degree of the polynomial (see :func:`inverse_degree`).

    >>> inverse_peak(1.0, 1), round(inverse_peak(4.5, 23), 1)
    (1.0, 5.0)
    """
    if kappa == 1:
        return 1.0
    order = (degree + 1) // 2
    z = np.linspace(0, min(3.0, kappa), GRID + 1)[1:]  # x = z/κ, so that nothing cancels for a large κ
    half_angle = np.sqrt(np.abs(1 - z**2) / (kappa - 1) / (kappa + 1))
    inside = z < 1
    shape = np.where(
        inside,
        np.cosh(2 * order * np.arcsinh(np.where(inside, half_angle, 0))),
        np.cos(2 * order * np.arcsin(np.minimum(np.where(inside, 0, half_angle), 1))),
    )
    at_zero = math.cosh(2 * order * math.atanh(1 / kappa))
    return float(kappa * np.max((1 - shape / at_zero) / z))


def qsvt_cost(kappa: float, epsilon: float, encoding_ancillas: int = 1) -> SolverCost:
    """The cost of the quantum singular value transformation with the polynomial of :func:`inverse_degree`.

    Args:
        kappa: condition number of the matrix as it is encoded, of at least 1.
        epsilon: bound on the relative residual, in (0, 1).
        encoding_ancillas: ancillas of the block encoding; the dilation has one, which carries the phases itself, while
            more of them need one more qubit for the phases.

    >>> qsvt_cost(4.5, 0.1)
    SolverCost(ancillas=2, degree=13, phase_qubits=None, queries=13)
    """
    degree = inverse_degree(kappa, epsilon)
    signal = int(encoding_ancillas > 1)
    return SolverCost(encoding_ancillas + signal + QSVT_REAL_PART, degree, None, degree)


def hhl_cost(kappa: float, epsilon: float) -> SolverCost:
    """The cost of HHL with a phase register that resolves the smallest eigenvalue to a share ε of itself.

    The register has m = ⌈log₂(κ/ε)⌉ qubits, a rule of thumb: the error is not monotone in m. Phase estimation and
    its inverse apply the evolution 2(2^m − 1) times.

    >>> hhl_cost(4.5, 0.01)
    SolverCost(ancillas=11, degree=None, phase_qubits=9, queries=1022)
    """
    phase_qubits = max(1, math.ceil(math.log2(kappa / epsilon)))
    return SolverCost(phase_qubits + HHL_FIXED, None, phase_qubits, 2 * (2**phase_qubits - 1))
