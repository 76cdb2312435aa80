"""The polynomial of spins that any table of costs is: its Walsh–Hadamard transform."""

from __future__ import annotations

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.problem.capabilities import HasPolynomial
from qhn.problem.cost import Problem
from qhn.problem.landscape import enumerate_costs, is_small
from qhn.problem.polynomial import SpinPolynomial

MAX_TERMS = 2_000  # terms of a polynomial that is found by enumeration; each is a gate or more a layer
MAX_QUBITS = 20
ROUNDING = 1e-12  # factors that are smaller, relative to the largest cost, are zero


def walsh_hadamard(costs: Floats) -> Floats:
    """The factor of each product of spins σ = 2·bit − 1 in a table of costs: ``[2**n]`` → ``[2**n]``.

    The qubits of the product are the ones of the index, qubit 0 the least significant bit.

    >>> walsh_hadamard(np.array([1.0, 2.0, 3.0, 4.0])).tolist()  # 2.5 + σ_0 / 2 + σ_1
    [2.5, 0.5, 1.0, 0.0]
    """
    factors, half = costs.astype(np.float64, copy=True), 1
    while half < len(factors):
        pairs = factors.reshape(-1, 2, half)
        low, high = pairs[:, 0].copy(), pairs[:, 1].copy()
        pairs[:, 0], pairs[:, 1] = (low + high) / 2, (high - low) / 2
        half *= 2
    return factors


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
    costs = enumerate_costs(problem)
    factors = walsh_hadamard(costs)
    indices = np.flatnonzero(np.abs(factors) > ROUNDING * np.abs(costs).max())
    if len(indices) > MAX_TERMS:
        raise QhnError(
            f"{what} is made of the cost as a polynomial of spins, and that of this problem has {len(indices):,} "
            f"terms, more than {MAX_TERMS:,}; use another ansatz"
        )
    n = problem.num_qubits
    terms = tuple(tuple(j for j in range(n) if index >> j & 1) for index in indices.tolist())
    return SpinPolynomial(n, terms, factors[indices])
