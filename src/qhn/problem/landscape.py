"""The cost landscape: C of every bitstring, its minima and its interactions, for problems small enough to enumerate."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.errors import QhnError
from qhn.problem.capabilities import HasPolynomial, HasRange
from qhn.problem.cost import BinnProblem, Problem, TableProblem
from qhn.problem.evaluations import costs_of
from qhn.problem.polynomial import SpinPolynomial, walsh_hadamard

MAX_ENUMERABLE_QUBITS = 24
MAX_LOSSES = 2**30  # losses of one network on one sample up to which enumerating all costs is cheap
MAX_TERMS = 2**30  # terms of a polynomial at one bitstring, up to which enumerating all costs is cheap
MANY_QUBITS = 10  # qubits from which on it pays to look for structure
TYPICAL = 0.4  # share of costs below a typical one: less than half, for penalties, and more than a few, for rounding
ROUNDING = 2.0**-50  # relative: sums of numbers of order 1 are right to a few bits
BLOCK = 1 << 14  # bitstrings evaluated at a time


def is_small(problem: Problem) -> bool:
    """Whether all costs are soon known: a table, a short polynomial, or few enough networks on few enough samples."""
    if problem.num_qubits > MAX_ENUMERABLE_QUBITS:
        return False
    if isinstance(problem, HasPolynomial):
        return bool(2**problem.num_qubits * len(problem.polynomial.terms) <= MAX_TERMS)
    if not isinstance(problem, BinnProblem):
        return isinstance(problem, TableProblem)  # what a cost of the user's own takes is not known
    most = MAX_LOSSES if problem.space.additive_groups() else MAX_LOSSES // 16  # without structure each takes longer
    return bool(2**problem.num_qubits * len(problem.dataset.y) <= most)


def can_enumerate(problem: Problem) -> bool:
    """Whether all costs can be computed: up to 24 qubits, unless the cost is a program, which may take any time."""
    is_data = isinstance(problem, (BinnProblem, TableProblem, HasPolynomial))
    return problem.num_qubits <= MAX_ENUMERABLE_QUBITS and is_data


def enumerate_costs(problem: Problem) -> Floats:
    """The costs C of all bitstrings, ``[2**num_qubits]``, indexed with qubit 0 as the least significant bit.

    Raises:
        ValueError: if the problem has more than 24 qubits, or returns costs of a wrong shape or that are not finite.

    >>> from qhn.problem.cost import TableProblem
    >>> enumerate_costs(TableProblem([3.0, 1.0, 4.0, 1.5]))
    array([3. , 1. , 4. , 1.5])
    """
    if problem.num_qubits > MAX_ENUMERABLE_QUBITS:
        raise QhnError(
            f"enumeration is possible up to {MAX_ENUMERABLE_QUBITS} qubits, the problem has {problem.num_qubits}"
        )
    if isinstance(problem, TableProblem):
        return problem.costs.copy()
    if isinstance(problem, BinnProblem) and problem.num_qubits >= MANY_QUBITS:
        table = problem.table_of_costs()
        if table is not None:
            return table
    size = 2**problem.num_qubits
    costs = np.empty(size)
    for start in range(0, size, BLOCK):
        stop = min(start + BLOCK, size)
        costs[start:stop] = costs_of(problem, bitstrings.from_integers(np.arange(start, stop), problem.num_qubits))
    return costs


def cost_range(problem: Problem) -> tuple[float, float] | None:
    """The lowest and the highest cost of a problem, or bounds of both; None if nothing is known of them.

    All costs of a small problem are enumerated; otherwise it is what the problem itself offers
    (:class:`qhn.problem.capabilities.HasRange`), such as the bounds of a loss.

    Raises:
        QhnError: if the range that a problem offers is not two finite numbers, the lower first.

    >>> from qhn.problem.cost import TableProblem
    >>> cost_range(TableProblem([3.0, 1.0, 4.0, 1.5]))
    (1.0, 4.0)
    """
    if is_small(problem):
        costs = enumerate_costs(problem)
        return float(costs.min()), float(costs.max())
    if not isinstance(problem, HasRange):
        return None
    lowest, highest = problem.cost_range
    if not -np.inf < lowest <= highest < np.inf:
        raise QhnError(f"cost_range must be two finite numbers, the lower first, got {lowest} and {highest}")
    return float(lowest), float(highest)


@dataclass(frozen=True)
class LocalMinima:
    """The local minima of C under flips of one bit; each row is a plateau of bitstrings of equal cost.

    Attributes:
        costs: the cost of each minimum ``[n]``, ascending.
        bits: one bitstring of each minimum, ``[n, num_qubits]``.
        members: the number of bitstrings of each minimum's plateau, ``[n]``.
        basins: the number of bitstrings from which steepest descent ends in each minimum, its own included, ``[n]``;
            their sum is 2^num_qubits.
    """

    costs: Floats
    bits: Bits
    members: Integers
    basins: Integers

    def __len__(self) -> int:
        return len(self.costs)


@dataclass(frozen=True)
class Landscape:
    """The costs of all bitstrings of a problem, and what follows from them.

    Attributes:
        costs: the costs ``[2**num_qubits]``, as :func:`enumerate_costs` returns them.
        tolerance: the difference, relative to the larger of two costs, below which they count as equal, because sums in
            another order round differently. What rounding leaves of costs of the usual :attr:`scale` counts as equal,
            too; a few much larger costs, such as penalties, make no others equal.
    """

    costs: Floats
    tolerance: float = 1e-12

    @property
    def num_qubits(self) -> int:
        """The number of bits of a bitstring."""
        return int(self.costs.size).bit_length() - 1

    @cached_property
    def sorted_costs(self) -> Floats:
        """The costs of all bitstrings, ascending."""
        return np.sort(self.costs)

    @cached_property
    def optimum(self) -> float:
        """The lowest cost C*."""
        return float(self.costs.min())

    @cached_property
    def optimal_bits(self) -> Bits:
        """All bitstrings of the lowest cost C*: ``[degeneracy, num_qubits]``, in the order of their integers."""
        return bitstrings.from_integers(np.flatnonzero(self.costs <= self.optimum + self.width), self.num_qubits)

    @property
    def degeneracy(self) -> int:
        """The number of optimal bitstrings."""
        return len(self.optimal_bits)

    def levels(self, count: int) -> list[tuple[float, int]]:
        """The lowest ``count`` different costs, each with the number of bitstrings that have it."""
        found: list[tuple[float, int]] = []
        start = 0
        while start < self.costs.size and len(found) < count:
            stop = int(
                np.searchsorted(self.sorted_costs, self.sorted_costs[start] + self._width_at(start), side="right")
            )
            found.append((float(self.sorted_costs[start]), stop - start))
            start = stop
        return found

    @cached_property
    def walsh_weights(self) -> Floats:
        """The interaction weights W(S) for S = 0 … num_qubits (arXiv:2301.08292, Eq. 9): ``[num_qubits + 1]``.

        With C(σ) = Σ_k f_k Π_{j∈k} σ_j over sets k of qubits, W(S) is the sum of f_k² over sets of S qubits. W(0) is
        the squared mean of C, and the others sum up to its variance: W(S) is the part of it that is due to interactions
        of S qubits.

        >>> Landscape(np.array([3.0, 1.0, 1.0, 3.0])).walsh_weights  # 2 + σ_0·σ_1
        array([4., 0., 1.])
        """
        sizes = np.bitwise_count(np.arange(self.costs.size))
        return np.bincount(sizes, weights=walsh_hadamard(self.costs) ** 2, minlength=self.num_qubits + 1).astype(
            np.float64
        )

    @cached_property
    def local_minima(self) -> LocalMinima:
        """The local minima under flips of one bit, ascending in cost: where a greedy search comes to an end.

        A minimum is a connected set of bitstrings of equal cost, a plateau, none of whose neighbours is lower.
        """
        size, num_qubits = self.costs.size, self.num_qubits
        lowest, following = self._level.copy(), np.arange(size, dtype=np.int32)
        for qubit in range(num_qubits):
            neighbour = self._level.reshape(-1, 2, 1 << qubit)[:, ::-1].reshape(-1)
            better = neighbour < lowest
            lowest[better] = neighbour[better]
            following[better] = (np.flatnonzero(better) ^ (1 << qubit)).astype(np.int32)
        stuck = np.flatnonzero(following == np.arange(size))
        plateau, leak = self._plateaus(stuck)
        first = np.full(plateau.max() + 1, size)
        np.minimum.at(first, plateau, stuck)
        out = np.where(leak >= 0, leak, first)  # a plateau with a way down is left by it
        following[stuck] = out[plateau]
        while not np.array_equal(following, ahead := following[following]):
            following = ahead
        ends, basins = np.unique(following, return_counts=True)
        members = np.bincount(plateau)[plateau[np.searchsorted(stuck, ends)]]
        order = np.argsort(self.costs[ends], kind="stable")
        ends, basins, members = ends[order], basins[order], members[order]
        return LocalMinima(self.costs[ends], bitstrings.from_integers(ends, num_qubits), members, basins)

    def _plateaus(self, stuck: Integers) -> tuple[Integers, Integers]:
        """The plateau of each bitstring without a lower neighbour, and the way out of each plateau.

        The way out is a neighbour of equal cost that has a lower neighbour itself, or −1 if there is none.
        """
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        place = np.full(self.costs.size, -1, dtype=np.int64)
        place[stuck] = np.arange(len(stuck))
        rows, columns, sources, exits = [], [], [], []
        for qubit in range(self.num_qubits):
            other = stuck ^ (1 << qubit)
            level = self._level[other] == self._level[stuck]
            inside = level & (place[other] >= 0)
            rows.append(np.flatnonzero(inside))
            columns.append(place[other[inside]])
            sources.append(np.flatnonzero(level & ~inside))
            exits.append(other[level & ~inside])
        row, column = np.concatenate(rows), np.concatenate(columns)
        links = coo_array((np.ones(len(row), dtype=bool), (row, column)), shape=(len(stuck), len(stuck)))
        count, plateau = connected_components(links, directed=False)
        leak = np.full(count, -1, dtype=np.int64)
        leak[plateau[np.concatenate(sources)]] = np.concatenate(exits)
        return plateau.astype(np.int64), leak

    @cached_property
    def _level(self) -> NDArray[np.int32]:
        """The rank of each bitstring's cost among the different costs; a gap above ``width`` begins the next rank."""
        order = np.argsort(self.costs)
        level = np.empty(self.costs.size, dtype=np.int32)
        ascending = self.costs[order]
        width = np.maximum(self.tolerance * np.abs(ascending), self._rounding)
        level[order] = np.cumsum(np.diff(ascending, prepend=ascending[0]) > width)
        return level

    def expected_best_of_random(self, count: int) -> float:
        """The expected lowest cost among ``count`` different bitstrings drawn uniformly.

        With costs c_1 ≤ … ≤ c_M it is Σ_k c_k·P_k, where P_k = C(M − k, count − 1) / C(M, count).

        Raises:
            ValueError: if ``count`` is not between 1 and 2**num_qubits.

        >>> round(Landscape(np.array([1.0, 2.0, 3.0, 6.0])).expected_best_of_random(1), 12)
        3.0
        """
        size = self.costs.size
        if not 1 <= count <= size:
            raise QhnError(f"count must be between 1 and {size}, got {count}")
        above = size - 1 - np.arange(size - count + 1)  # bitstrings after the k-th in the order of costs
        log_probability = _log_binomial(above, count - 1) - _log_binomial(np.array(size), count)
        probability = np.exp(log_probability)
        return float(probability @ self.sorted_costs[: len(probability)] / probability.sum())

    @cached_property
    def scale(self) -> float:
        """How far a typical cost lies above the optimum: two fifths of those above it are lower; 0 if all are equal.

        Unlike the spread of all costs it is not that of a penalty, unless more than half of the bitstrings carry one.

        >>> Landscape(np.array([0.0, 0.5, 1.0, 1e12])).scale
        1.0
        """
        return _scale_above(self.sorted_costs, self._rounding)

    @cached_property
    def _rounding(self) -> float:
        """What rounding leaves of the difference of equal costs."""
        return ROUNDING * max(_scale_above(self.sorted_costs, 0.0), abs(self.optimum))

    @cached_property
    def width(self) -> float:
        """The largest difference between the optimum and a cost that counts as equal."""
        return self._width_at(0)

    def _width_at(self, rank: int) -> float:
        """The largest difference between the cost of a rank and a higher one that counts as equal."""
        return max(self.tolerance * abs(float(self.sorted_costs[rank])), self._rounding)


def _scale_above(ascending: Floats, least: float) -> float:
    """The height of which :data:`TYPICAL` of the costs fall short that are above the first by more than ``least``."""
    above = ascending[np.searchsorted(ascending, ascending[0] + least, side="right") :] - ascending[0]
    return float(above[int(TYPICAL * len(above))]) if len(above) else 0.0


def _log_binomial(n: Integers, k: int) -> Floats:
    result: Floats = gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)
    return result


def check_enumerable(num_qubits: int) -> None:
    """Refuse to compute E over all bitstrings of too many qubits.

    Raises:
        ValueError: if there are more than 24 qubits.
    """
    if num_qubits > MAX_ENUMERABLE_QUBITS:
        raise QhnError(
            f"E without shots takes all 2^{num_qubits} costs, which is possible up to {MAX_ENUMERABLE_QUBITS} qubits; "
            "give --shots to sample"
        )


def polynomial_for_table(problem: Problem) -> SpinPolynomial | None:
    """The polynomial from which E without shots is computed, where a table of all costs would be too large.

    None is returned for problems of at most 24 qubits, and for those that offer no polynomial.
    """
    if problem.num_qubits <= MAX_ENUMERABLE_QUBITS or not isinstance(problem, HasPolynomial):
        return None
    return problem.polynomial
