"""The polynomial of spins of a problem: its own, or that which its table of costs is."""

from __future__ import annotations

import numpy as np

from qhn.errors import QhnError
from qhn.problem.capabilities import HasPolynomial
from qhn.problem.cost import Problem
from qhn.problem.landscape import enumerate_costs, is_small
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
