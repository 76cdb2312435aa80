"""The polynomial of spins of a problem: its own, or that which its table of costs is, whole or of low degree."""

from __future__ import annotations

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.problem.capabilities import HasPolynomial
from qhn.problem.cost import Problem
from qhn.problem.landscape import MAX_ENUMERABLE_QUBITS, can_enumerate, enumerate_costs, is_small
from qhn.problem.polynomial import SpinPolynomial, walsh_hadamard

MAX_TERMS = 2_000  # terms of a polynomial that is found by enumeration; each is a gate or more a layer
MAX_QUBITS = 20
ROUNDING = 1e-12  # factors that are smaller, relative to the largest cost, are zero


def polynomial_of(problem: Problem, what: str) -> SpinPolynomial:
    """The cost of a problem as a polynomial of spins: its own, or found from all costs where they are soon known.

    Args:
        problem: the problem.
        what: what needs it, for the message of an error.

    Raises:
        QhnError: if the problem does not know its polynomial, and has too many costs or terms to find it.
    """
    if isinstance(problem, HasPolynomial):
        return problem.polynomial
    if not is_small(problem) or problem.num_qubits > MAX_QUBITS:
        raise QhnError(
            f"{what} is made of the cost as a polynomial of spins, which this problem does not offer; it is found from "
            f"all costs of networks and tables up to {MAX_QUBITS} qubits only; use another ansatz"
        )
    factors = _factors(problem)
    indices = np.flatnonzero(factors)
    if len(indices) > MAX_TERMS:
        raise QhnError(
            f"{what} is made of the cost as a polynomial of spins, and that of this problem has {len(indices):,} "
            f"terms, more than {MAX_TERMS:,}; use another ansatz"
        )
    return _of_terms(indices, factors)


def low_degree(problem: Problem, degree: int) -> tuple[SpinPolynomial, Floats]:
    """The terms of a problem's polynomial with few spins, and how much each number of spins weighs.

    Args:
        problem: the problem; if it does not offer its polynomial, it is found from the costs of all bitstrings.
        degree: the largest number of spins of a term that is kept.

    Returns:
        polynomial: the polynomial without the terms of more spins.
        weights: the sum of the squared factors of all terms of 0, 1, 2, … spins, ``[num_qubits + 1]``, those that are
            left out as well: :attr:`qhn.problem.landscape.Landscape.walsh_weights`.

    Raises:
        QhnError: if the problem neither offers its polynomial nor has costs that can be enumerated.
    """
    n = problem.num_qubits
    if isinstance(problem, HasPolynomial):
        own = problem.polynomial
        kept = {term: factor for term, factor in zip(own.terms, own.coefficients, strict=True) if len(term) <= degree}
        sizes = np.array([len(term) for term in own.terms], dtype=np.int64)
        return SpinPolynomial.of(n, kept), _sums(sizes, own.coefficients, n)
    if not can_enumerate(problem):
        raise QhnError(
            f"the cost of this problem of {n} qubits is known as a polynomial of spins neither by itself nor from all "
            f"costs, which are enumerated for networks and tables up to {MAX_ENUMERABLE_QUBITS} qubits"
        )
    factors = _factors(problem)
    of_each = np.bitwise_count(np.arange(factors.size)).astype(np.int64)
    indices = np.flatnonzero((of_each <= degree) & (factors != 0))
    return _of_terms(indices, factors), _sums(of_each, factors, n)


def _sums(sizes: Integers, factors: Floats, num_qubits: int) -> Floats:
    """The sum of the squared factors of the terms of each size, ``[num_qubits + 1]``."""
    return np.bincount(sizes, np.square(factors), num_qubits + 1).astype(np.float64)


def _factors(problem: Problem) -> Floats:
    """The factor of each product of spins by enumeration, ``[2**num_qubits]``; 0 where it is only rounding."""
    costs = enumerate_costs(problem)
    factors = walsh_hadamard(costs)
    return np.where(np.abs(factors) > ROUNDING * np.abs(costs).max(), factors, 0.0)


def _of_terms(indices: Integers, factors: Floats) -> SpinPolynomial:
    """The polynomial of the products of spins with the given indices."""
    n = factors.size.bit_length() - 1
    terms = tuple(tuple(j for j in range(n) if index >> j & 1) for index in indices.tolist())
    return SpinPolynomial(n, terms, factors[indices])
