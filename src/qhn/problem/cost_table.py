"""The costs C of all networks of a family at once, from the contributions of two halves of their bits.

Given the choices of a network, its logit z, the output before the sigmoid, is a sum over units (or weights), each with
bits of its own. So the bits split into two halves P and Q with z(p, q) = z(p, 0) + z(0, q) − z(0, 0), and e^z is a
product of two tables of 2^(bits/2) rows: no network needs an exponential of its own. With the sign of z changed for
samples of the second class, the squared error of a sample is 1/(1 + e^−z)², one division, and its cross-entropy
log(1 + e^z), one multiplication: logarithms are taken of products of all samples, whose binary exponents are counted
apart so that no product overflows.

Hidden units may be exchanged, and where the two weights of the alphabet differ by their sign, the weights to the output
may all be negated, which negates z (:class:`qhn.problem.search_space.Symmetries`). Only one network of all that follow
from each other in this way is computed.

Several outputs without hidden layers have tables of their own (:mod:`qhn.problem.softmax_table`). Other problems,
several hidden layers, several outputs behind a hidden layer, outputs that are not sigmoids, and networks with most of
their bits in one unit are enumerated network by network (:func:`qhn.problem.landscape.enumerate_costs`).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Floats, Integers
from qhn.compiled import compiled
from qhn.problem.log_products import TOGETHER, blocks_of, take_exponents
from qhn.problem.samples import Samples
from qhn.problem.search_space import SearchSpace, Symmetries
from qhn.problem.softmax_table import table_of_softmax_costs
from qhn.threads import in_parallel, num_cores

Groups = list[tuple[int, ...]]  # of qubits
Halves = tuple[Groups, Groups]

LARGEST = 300.0  # the largest |z|: what one half adds to z is no more than twice that, and e^600 is still a number
TABLE = 2**18  # numbers in the table of a half for a part of the samples: 2 MiB, which stay in a core's cache
SAMPLES = 256  # the fewest samples of a part, and those whose columns of both tables are used at a time
UNEQUAL = 5  # qubits by which one half may be larger; with more, one table is nearly as long as all networks
SPANS = 16  # spans of networks that one thread takes at a time
NETWORKS = 2**20  # networks whose representatives are found at a time


def table_of_costs(space: SearchSpace, samples: Samples, loss: str) -> Floats | None:
    """The costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 least significant, or None if this way saves nothing.

    Args:
        space: the family of networks.
        samples: the samples and their weights.
        loss: name of the loss, ``"mse"`` or ``"cross-entropy"``.

    >>> from qhn.config.file import load_problem
    >>> problem = load_problem("gaussian-activation")
    >>> table = table_of_costs(problem.space, problem.samples, problem.loss)
    >>> bits = bitstrings.from_integers([5, 6000], 14)
    >>> bool(np.abs(table[[5, 6000]] - problem.cost(bits)).max() < 1e-12)
    True
    """
    if space.num_classes > 2:
        return table_of_softmax_costs(space, samples, loss)
    groups = space.additive_groups()
    if groups is None or (not space.layers and space.activations != ("sigmoid",)):
        return None
    halves = _split(groups)
    sizes = [len(_flat(half)) for half in halves]
    if sizes[0] > sizes[1] + UNEQUAL:
        return None
    largest = space.largest_logits(samples.x)
    if largest.max() > LARGEST:
        return None
    costs = np.empty(2**space.num_qubits)
    for choice in bitstrings.on_qubits(space.choice_qubits):
        orbits = Orbits.of(halves, space.symmetries(bitstrings.from_integers(choice, space.num_qubits)))
        sums = _sums_of_losses(space, samples, loss, halves, int(choice), orbits, largest)
        first, second = (bitstrings.on_qubits(_flat(half)) for half in halves)
        costs[(first[:, None] + second + choice).ravel()] = orbits.spread(*sums) / samples.total
    return costs


@dataclass(frozen=True)
class Orbits:
    """The networks of which C is computed, one for all whose C follows from its logits.

    A network is one row of the first half's patterns of bits and one column of the second half's.

    Attributes:
        rows: the rows in which networks are computed, ascending, ``[n]``.
        spans: the computed networks, as spans of neighbours in a row: the place of the row in ``rows``, the first
            column, and the first column after them, ``[spans, 3]``.
        representative: the place of the value of each network, ``[2**bits]``, among those of the computed networks,
            row by row, followed by those of the same networks with negated logits.
    """

    rows: Integers
    spans: Integers
    representative: Integers

    @classmethod
    def of(cls, halves: Halves, symmetries: Symmetries) -> Orbits:
        """The orbits of the networks whose bits are split into two halves.

        Args:
            halves: the groups of qubits of the first and of the second half.
            symmetries: the changes of bits by which the networks follow from each other.
        """
        place = {qubit: bit for bit, qubit in enumerate(_flat(halves[1] + halves[0]))}  # columns are the low bits
        columns = len(_flat(halves[1]))
        networks = np.arange(2 ** len(place)).reshape(-1, min(2 ** len(place), NETWORKS))
        found = [_representatives(part, place, symmetries) for part in networks]
        representative, is_negated = (np.concatenate(arrays) for arrays in zip(*found, strict=True))
        needed = np.zeros(2 ** len(place), dtype=bool)
        needed[representative] = True
        grid = needed.reshape(-1, 2**columns)
        rows = np.flatnonzero(grid.any(axis=1))
        edges = np.diff(np.pad(grid[rows].astype(np.int8), ((0, 0), (1, 1))))
        (row, start), (_, stop) = np.nonzero(edges > 0), np.nonzero(edges < 0)
        number = np.zeros(len(grid), dtype=np.int64)
        number[rows] = np.arange(len(rows))
        number = (number << columns)[representative >> columns] + (representative & (2**columns - 1))
        return cls(rows, np.stack([row, start, stop], axis=1), number + is_negated * (len(rows) << columns))

    def exponentials(self, first: list[Floats], second: list[Floats]) -> tuple[Floats, Floats]:
        """The exponentials of what the rows and the columns add to z: ``[rows, samples]`` and ``[columns, samples]``.

        Args:
            first: what each group of the first half adds to z, ``[patterns, samples]`` each.
            second: what each group of the second half adds.
        """
        num_columns = math.prod(map(len, second))
        return _exponentials(first, int(self.rows[-1]) + 1)[self.rows], _exponentials(second, num_columns)

    def spread(self, values: Floats, negated: Floats) -> Floats:
        """The values of all networks, ``[2**bits]``.

        Args:
            values: the values of the networks that are computed, ``[n, columns]``.
            negated: the values of the networks with their logits negated, ``[n, columns]``.
        """
        return np.concatenate([values.ravel(), negated.ravel()])[self.representative]


def _representatives(
    networks: Integers, place: dict[int, int], symmetries: Symmetries
) -> tuple[Integers, NDArray[np.bool_]]:
    """The network that stands for each of some networks, and whether their logits are of opposite sign: ``[n]`` each.

    Args:
        networks: integers that stand for bits of the networks, ``[n]``.
        place: the bit of such an integer that is a qubit's.
        symmetries: the changes of bits by which the networks follow from each other.
    """

    def mask(qubits: tuple[int, ...]) -> int:
        return sum(1 << place[qubit] for qubit in qubits)

    units = sorted((place[unit[0]] for unit in symmetries.units), reverse=True)  # the bits of a unit are neighbours
    of_unit = 2 ** len(symmetries.units[0]) - 1 if units else 0
    in_units = sum(of_unit << first for first in units)
    signs, idle = mask(symmetries.signs), mask(symmetries.idle)

    def in_order(names: Integers) -> Integers:
        names = names & ~idle
        if len(units) > 1:
            patterns = np.sort([names >> first & of_unit for first in units], axis=0)
            names &= ~in_units
            for pattern, first in zip(patterns, units, strict=True):
                names |= pattern << first
        return names

    alone = signs & ~in_units & ~idle  # qubits whose bits stay when units are put in order
    if alone:
        is_negated = networks >> (alone.bit_length() - 1) & 1 == 1
        return in_order(np.where(is_negated, networks ^ signs, networks)), is_negated
    ordered, opposite = in_order(networks), in_order(networks ^ signs)
    return np.minimum(ordered, opposite), opposite < ordered


def _split(groups: Groups) -> Halves:
    """Split groups of qubits into two halves of similar size, the larger first, without dividing a group."""
    halves: Halves = ([], [])
    for group in sorted(groups, key=len, reverse=True):
        min(halves, key=lambda half: len(_flat(half))).append(group)
    return halves if len(_flat(halves[0])) >= len(_flat(halves[1])) else halves[::-1]


def _flat(groups: Groups) -> list[int]:
    """The qubits of some groups, in their order."""
    return [qubit for group in groups for qubit in group]


def _sums_of_losses(
    space: SearchSpace,
    samples: Samples,
    loss: str,
    halves: Halves,
    choice: int,
    orbits: Orbits,
    largest: Floats,
) -> tuple[Floats, Floats]:
    """The weighted sums of the losses of the networks that are computed, and of those with negated logits.

    Both are ``[rows, columns]``; columns outside of those that ``orbits`` asks for have no meaning.
    """
    num_columns = 2 ** len(_flat(halves[1]))
    kind = CrossEntropies if loss == "cross-entropy" else Squares
    num_patterns = sum(2 ** len(group) for half in halves for group in half)
    values, negated = np.zeros((2, len(orbits.rows), num_columns))
    for weight, places in samples.groups:
        x, signs, bounds = samples.x[places], 1.0 - 2.0 * samples.y[places], largest[places]
        sums = kind(orbits, num_columns)
        for many in _parts(len(x), TABLE // num_patterns):
            both = _contributions(space, halves, choice, x[many], signs[many])
            for few in _parts(len(x[many]), TABLE // 2 ** len(_flat(halves[0]))):
                first, second = ([rows[:, few] for rows in half] for half in both)
                sums.add(first, second, bounds[many][few])
        of_group = sums.of_both_signs()
        values += weight * of_group[0]
        negated += weight * of_group[1]
    return values, negated


def _parts(count: int, size: int) -> list[slice]:
    """The slices into which ``count`` samples are divided, of ``size`` each but no fewer than :data:`SAMPLES`."""
    step = max(SAMPLES, size)
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def _contributions(
    space: SearchSpace, halves: Halves, choice: int, x: Floats, signs: Floats
) -> tuple[list[Floats], list[Floats]]:
    """What each group of qubits of the two halves adds to the logits times ``signs``: ``[patterns, samples]`` each.

    The logits of the network whose bits are all zero but for its choices are added to the first group.
    """
    patterns = [bitstrings.on_qubits(group) for half in halves for group in half]
    names = np.concatenate([[0], *patterns]) + choice
    logits = space.forward(bitstrings.from_integers(names, space.num_qubits), x) * signs
    ends = np.cumsum([1, *map(len, patterns)])
    found = [logits[start:end] - logits[0] for start, end in pairwise(ends)]
    found[0] += logits[0]
    return found[: len(halves[0])], found[len(halves[0]) :]


def _exponentials(contributions: list[Floats], count: int) -> Floats:
    """The exponentials of the first ``count`` sums of one row of each array: ``[count, samples]``."""
    table = np.ones((1, contributions[0].shape[1]))
    for rows in contributions:
        needed = rows[: -(-count // len(table))]
        table = (np.exp(needed)[:, None] * table).reshape(-1, table.shape[1])
    return table[:count]


class Squares:
    """Sums of squared errors over samples.

    Args:
        orbits: the networks that are computed.
        num_columns: the number of columns of networks.
    """

    def __init__(self, orbits: Orbits, num_columns: int) -> None:
        self._orbits = orbits
        self._values, self._negated = np.zeros((2, len(orbits.rows), num_columns))

    def add(self, first: list[Floats], second: list[Floats], largest: Floats) -> None:
        """Add the squared errors 1/(1 + e^−z)² of some samples, the sign of z changed for the second class.

        Args:
            first: what each group of the first half adds to z, ``[patterns, samples]`` each.
            second: what each group of the second half adds.
            largest: a bound of the magnitude of z, which these sums do not need, ``[samples]``.
        """
        p, q = self._orbits.exponentials([-rows for rows in first], [-rows for rows in second])

        _for_all(self._orbits.spans, lambda spans: _add_squares(p, q, spans, self._values, self._negated))

    def of_both_signs(self) -> tuple[Floats, Floats]:
        """The sums of the networks, and of those with negated logits, ``[rows, columns]`` each."""
        return self._values, self._negated


class CrossEntropies:
    """Sums of cross-entropies over samples, as the logarithms of products.

    Args:
        orbits: the networks that are computed.
        num_columns: the number of columns of networks.
    """

    def __init__(self, orbits: Orbits, num_columns: int) -> None:
        self._orbits = orbits
        shape = len(orbits.rows), num_columns
        self._products, self._exponents = np.ones(shape), np.zeros(shape, dtype=np.int64)
        self._logits = np.zeros(shape)

    def add(self, first: list[Floats], second: list[Floats], largest: Floats) -> None:
        """Add the terms log(1 + e^z) of some samples, the sign of z changed for the second class.

        Args:
            first: what each group of the first half adds to z, ``[patterns, samples]`` each.
            second: what each group of the second half adds.
            largest: a bound of the magnitude of z, ``[samples]``.
        """
        edges, is_full = blocks_of(largest + np.log(2.0))  # a bound of log(1 + e^z)
        p, q = self._orbits.exponentials(first, second)
        q = np.ascontiguousarray(q.T)
        self._logits += _sums_of_rows(first)[self._orbits.rows, None] + _sums_of_rows(second)

        def multiply(spans: Integers) -> None:
            _multiply(p, q, edges, is_full, spans, self._products, self._exponents)

        _for_all(self._orbits.spans, multiply)

    def of_both_signs(self) -> tuple[Floats, Floats]:
        """The sums of the networks, and of those with negated logits, ``[rows, columns]`` each."""
        values = np.log(self._products) + np.log(2.0) * self._exponents
        return values, values - self._logits  # log(1 + e^−z) = log(1 + e^z) − z


def _for_all(spans: Integers, function: Callable[[Integers], None]) -> None:
    """Call a function for all spans of networks, a few of them at a time, on all cores."""
    in_parallel(function, [spans[start : start + SPANS] for start in range(0, len(spans), SPANS)], num_cores())


def _sums_of_rows(contributions: list[Floats]) -> Floats:
    """The sums over samples of the sums of one row of each array: ``[patterns]``."""
    total = np.zeros(1)
    for rows in contributions:
        total = (rows.sum(axis=1)[:, None] + total).ravel()
    return total


@compiled
def _add_squares(p, q, spans, values, negated):
    """Add the squares of 1/(1 + e^−z) and of 1/(1 + e^z) with e^−z = p·q to ``values`` and ``negated``."""
    for start in range(0, p.shape[1], SAMPLES):
        samples = slice(start, start + SAMPLES)
        for span in range(len(spans)):
            i = spans[span, 0]
            first = p[i, samples]
            for j in range(spans[span, 1], spans[span, 2]):
                second, total, opposite = q[j, samples], 0.0, 0.0
                for s in range(first.size):
                    product = first[s] * second[s]
                    output = 1.0 / (1.0 + product)
                    total += output * output
                    output *= product
                    opposite += output * output
                values[i, j] += total
                negated[i, j] += opposite


@compiled
def _multiply(p, q, edges, is_full, spans, products, exponents):
    """Multiply ``products`` by 1 + e^z with e^z = p·q, where p has samples as columns, and q as rows."""
    for block in range(len(is_full)):
        s = edges[block]
        for span in range(len(spans)):
            i, columns = spans[span, 0], slice(spans[span, 1], spans[span, 2])
            row = products[i, columns]
            if edges[block + 1] - s == TOGETHER:
                a, b, c, d = p[i, s], p[i, s + 1], p[i, s + 2], p[i, s + 3]
                e, f, g, h = q[s, columns], q[s + 1, columns], q[s + 2, columns], q[s + 3, columns]
                for j in range(row.size):
                    row[j] *= (1.0 + a * e[j]) * (1.0 + b * f[j]) * ((1.0 + c * g[j]) * (1.0 + d * h[j]))
            else:
                for one in range(s, edges[block + 1]):
                    factor, others = p[i, one], q[one, columns]
                    for j in range(row.size):
                        row[j] *= 1.0 + factor * others[j]
            if is_full[block]:
                take_exponents(row.view(np.int64), exponents[i, columns])
