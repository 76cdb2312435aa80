"""Phases of quantum signal processing, from the library nlft-qsp, in the convention of the circuits here.

A circuit of degree d alternates d + 1 rotations of phases φ with d reflections R of the signal x,

    U(x) = e^{iφ₀Z} R(x) e^{iφ₁Z} R(x) … R(x) e^{iφ_dZ},    R(x) = [[x, √(1−x²)], [√(1−x²), −x]],

and the real part of ⟨0|U(x)|0⟩ is the polynomial. Of the three libraries, nlft-qsp finds the phases of a polynomial of
degree 1,521 in 0.3 s to 2·10⁻¹², as exact as its coefficients, in this convention, and prints nothing. The same method
in qsppack takes 0.7 s, and needs cvxpy; the Newton iterations of pyqsp take 27 s already at degree 761, and print.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from qhn.arrays import Complexes, Floats
from qhn.carleman.inverse_polynomial import InversePolynomial
from qhn.errors import QhnError

MAX_DEGREE = 10_001  # 4 s at degree 4,743, and more memory than time beyond
TOLERANCE = 1e-9  # of the response of phases, beside the polynomial


def inverse_phases(polynomial: InversePolynomial) -> Floats:
    """The phases whose response is a polynomial near 1/x, divided by its scale.

    Args:
        polynomial: the polynomial.

    Returns:
        The phases φ₀ … φ_d.

    Raises:
        QhnError: if the degree is above ``MAX_DEGREE``, or nlft-qsp is missing or fails.

    >>> from qhn.carleman.inverse_polynomial import inverse_polynomial
    >>> polynomial = inverse_polynomial(4.5, 0.1)
    >>> x = np.array([0.25, 0.5, 1.0])
    >>> bool(abs(response(inverse_phases(polynomial), x).real - polynomial(x) / polynomial.scale).max() < 1e-12)
    True
    """
    if polynomial.degree > MAX_DEGREE:
        raise QhnError(
            f"an effective condition number of {polynomial.condition:.4g} needs a polynomial of degree "
            f"{polynomial.degree:,}, more than {MAX_DEGREE:,}: raise epsilon, or lower the number of steps"
        )
    return _inverse_phases(polynomial).copy()


@lru_cache(maxsize=64)
def _inverse_phases(polynomial: InversePolynomial) -> Floats:
    """The phases of a polynomial, found once and verified by the matrix product that they are for."""
    phases = phases_of(polynomial.chebyshev / polynomial.scale)
    x = np.cos(np.linspace(0, np.pi / 2, 101))
    error = np.abs(response(phases, x).real - polynomial(x) / polynomial.scale).max()
    if not error < TOLERANCE:
        raise QhnError(
            f"nlft-qsp found phases of degree {polynomial.degree:,} that are wrong by {error:.1e}, more than "
            f"{TOLERANCE:g}: raise epsilon, or lower the number of steps"
        )
    return phases


def phases_of(chebyshev: Floats) -> Floats:
    """The phases of a real polynomial that is even or odd, and below 1 on [−1, 1].

    Args:
        chebyshev: coefficients of T_0, T_1, …, T_d.

    Returns:
        The phases φ₀ … φ_d.

    Raises:
        QhnError: if nlft-qsp is missing, or finds no phases.

    >>> phases = phases_of(np.array([0.0, 0.5]))
    >>> response(phases, np.array([0.2, 0.8])).real.round(12)
    array([0.1, 0.4])
    """
    try:
        from nlft_qsp import ChebyshevTExpansion, QSVTPhaseFactors
        from nlft_qsp.solvers.completion.weiss import WeissConvergenceError
    except ImportError as error:
        raise QhnError(f"solver 'qsvt' needs nlft-qsp ({error}): pip install 'qhn[qsgd]'") from None
    try:
        factors = QSVTPhaseFactors.solve(ChebyshevTExpansion(list(chebyshev)))
    except (ValueError, WeissConvergenceError) as error:
        raise QhnError(f"nlft-qsp finds no phases for degree {len(chebyshev) - 1:,}: {error}") from error
    return np.asarray(factors.phi, dtype=np.float64)


def response(phases: Floats, x: Floats) -> Complexes:
    """The entry ⟨0|U(x)|0⟩ of the product of rotations and reflections, at each x of ``[P]``."""
    root = np.sqrt(1 - x**2)
    reflection = np.array([[x, root], [root, -x]]).transpose(2, 0, 1)
    turns = np.exp(1j * np.outer(phases, [1, -1]))
    product = np.broadcast_to(np.diag(turns[0]), reflection.shape)
    for turn in turns[1:]:
        product = product @ reflection * turn
    return np.asarray(product[:, 0, 0])
