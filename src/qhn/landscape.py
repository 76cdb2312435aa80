"""The whole landscape of C: every bitstring's cost, for problems small enough to enumerate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from qhn import bitstrings
from qhn.bitstrings import Bits
from qhn.problem import Problem

Floats = NDArray[np.float64]
MAX_QUBITS = 24
BLOCK = 1 << 14  # bitstrings evaluated at a time


def enumerate_costs(problem: Problem) -> Floats:
    """C of all bitstrings, ``[2**num_qubits]``, indexed with qubit 0 as the least significant bit.

    Raises:
        ValueError: above 24 qubits.

    >>> from qhn.problem import TableProblem
    >>> enumerate_costs(TableProblem([3.0, 1.0, 4.0, 1.5]))
    array([3. , 1. , 4. , 1.5])
    """
    if problem.num_qubits > MAX_QUBITS:
        raise ValueError(f"enumeration is possible up to {MAX_QUBITS} qubits, the problem has {problem.num_qubits}")
    size = 2**problem.num_qubits
    costs = np.empty(size)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        costs[start:stop] = problem.cost(bitstrings.from_integers(np.arange(start, stop), problem.num_qubits))
    return costs


@dataclass(frozen=True)
class Landscape:
    """What is known of a problem whose costs are all known.

    Attributes:
        costs: ``[2**num_qubits]``, as :func:`enumerate_costs` returns them.
        tolerance: costs closer than this, relative to the largest, are one level: sums in another order differ so.
    """

    costs: Floats
    tolerance: float = 1e-12

    @property
    def num_qubits(self) -> int:
        return int(self.costs.size).bit_length() - 1

    @cached_property
    def sorted_costs(self) -> Floats:
        """All costs, ascending."""
        return np.sort(self.costs)

    @property
    def optimum(self) -> float:
        """C*, the lowest cost."""
        return float(self.sorted_costs[0])

    @cached_property
    def optimal_bits(self) -> Bits:
        """All bitstrings of cost C*: ``[degeneracy, num_qubits]``, in the order of their integers."""
        return bitstrings.from_integers(np.flatnonzero(self.costs <= self.optimum + self._width), self.num_qubits)

    @property
    def degeneracy(self) -> int:
        """How many bitstrings are optimal."""
        return len(self.optimal_bits)

    def levels(self, count: int) -> list[tuple[float, int]]:
        """The lowest ``count`` different costs with the number of bitstrings that have them."""
        found: list[tuple[float, int]] = []
        start = 0
        while start < self.costs.size and len(found) < count:
            stop = int(np.searchsorted(self.sorted_costs, self.sorted_costs[start] + self._width, side="right"))
            found.append((float(self.sorted_costs[start]), stop - start))
            start = stop
        return found

    def expected_best_of_random(self, count: int) -> float:
        """The mean of the lowest cost among ``count`` different bitstrings drawn uniformly.

        With costs c_1 ≤ … ≤ c_M it is Σ_k c_k·P_k, where P_k = C(M − k, count − 1) / C(M, count).

        Raises:
            ValueError: if ``count`` is not between 1 and 2**num_qubits.

        >>> round(Landscape(np.array([1.0, 2.0, 3.0, 6.0])).expected_best_of_random(1), 12)
        3.0
        """
        size = self.costs.size
        if not 1 <= count <= size:
            raise ValueError(f"count must be between 1 and {size}, got {count}")
        above = size - 1 - np.arange(size - count + 1)  # bitstrings after the k-th in the order of costs
        log_chance = _log_binomial(above, count - 1) - _log_binomial(np.array(size), count)
        chance = np.exp(log_chance)
        return float(chance @ self.sorted_costs[: len(chance)] / chance.sum())

    @property
    def _width(self) -> float:
        return self.tolerance * float(np.abs(self.sorted_costs[[0, -1]]).max())


def _log_binomial(n: NDArray[np.int64], k: int) -> Floats:
    result: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return result
