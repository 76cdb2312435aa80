"""The costs C of all networks of a family at once, from the contributions of two halves of their bits.

Given the choices of a network, its logit z, the output before the sigmoid, is a sum over units (or weights), each with
bits of its own. So the bits split into two halves P and Q with z(p, q) = z(p, 0) + z(0, q) − z(0, 0), and e^z is a
product of two tables of 2^(bits/2) rows: no network needs an exponential of its own. The mean squared error takes one
division a sample, and the cross-entropy, mean log(1 + e^z) − y·z, one multiplication: logarithms are taken of products
of many samples.

Other problems, several hidden layers or outputs, outputs that are not sigmoids, and networks with most of their bits in
one unit are enumerated network by network (:func:`qhn.problem.landscape.enumerate_costs`).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from qhn import bitstrings
from qhn.arrays import Floats, Integers
from qhn.compiled import compiled
from qhn.problem.cost import BinnProblem
from qhn.problem.search_space import SearchSpace
from qhn.threads import in_parallel, num_cores

LARGEST = 300.0  # the largest |z| of either half: e^600 is still a number
LARGEST_LOG = 600.0  # the largest logarithm of a product over samples
TABLE = 2**21  # numbers in a table of one half: 16 MiB
SAMPLES = 256  # samples whose columns of both tables are used at a time, so that they stay in a core's cache
UNEQUAL = 5  # qubits by which one half may be larger; with more, one table is nearly as long as all networks
ROWS = 16  # rows of the first half's table that one thread takes at a time


def table_of_costs(problem: BinnProblem) -> Floats | None:
    """The costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 least significant, or None if this way saves nothing.

    >>> from qhn.config.file import load_problem
    >>> problem = load_problem("gaussian-activation")
    >>> table = table_of_costs(problem)
    >>> bits = bitstrings.from_integers([5, 6000], 14)
    >>> bool(np.abs(table[[5, 6000]] - problem.cost(bits)).max() < 1e-12)
    True
    """
    space, data = problem.space, problem.dataset
    groups = space.additive_groups()
    if groups is None or (not space.layers and space.activations != ("sigmoid",)):
        return None
    halves = _split(groups)
    if len(halves[0]) > len(halves[1]) + UNEQUAL:
        return None
    costs = np.zeros(2**space.num_qubits)
    for choice in _patterns(space.choice_qubits):
        table = np.zeros((2 ** len(halves[0]), 2 ** len(halves[1])))
        step = max(1, min(len(data.y), TABLE // max(table.shape)))
        for start in range(0, len(data.y), step):
            part = slice(start, start + step)
            first, second = _sums(space, halves, int(choice), data.x[part])
            if max(np.abs(first).max(), np.abs(second).max()) > LARGEST:
                return None
            _add_losses(table, first, second, data.y[part], problem.loss)
        names = _patterns(halves[0])[:, None] + _patterns(halves[1]) + choice
        costs[names] = table / len(data.y)
    return costs


def _split(groups: list[tuple[int, ...]]) -> tuple[list[int], list[int]]:
    """Split groups of qubits into two halves of similar size, the larger first, without dividing a group."""
    halves: tuple[list[int], list[int]] = ([], [])
    for group in sorted(groups, key=len, reverse=True):
        min(halves, key=len).extend(group)
    return halves if len(halves[0]) >= len(halves[1]) else halves[::-1]


def _patterns(qubits: list[int] | tuple[int, ...]) -> Integers:
    """The integers, qubit 0 least significant, of all bitstrings that are zero outside of the given qubits."""
    names = np.zeros(1, dtype=np.int64)
    for qubit in qubits:
        names = np.concatenate([names, names + (1 << qubit)])
    return names


def _sums(space: SearchSpace, halves: tuple[list[int], list[int]], choice: int, x: Floats) -> tuple[Floats, Floats]:
    """The contributions z(p, 0) and z(0, q) − z(0, 0) of the two halves to the logits: ``[2**bits, samples]`` each."""
    first, second = (
        space.forward(bitstrings.from_integers(_patterns(half) + choice, space.num_qubits), x) for half in halves
    )
    second -= first[0]
    return first, second


def _add_losses(table: Floats, first: Floats, second: Floats, y: Floats, loss: str) -> None:
    """Add the losses of some samples to ``table``, which all threads share, row by row."""
    if loss == "cross-entropy":
        table -= (first @ y)[:, None] + second @ y
        highest = np.maximum(first.max(axis=0) + second.max(axis=0), 0.0) + np.log(2.0)  # bounds log(1 + e^z)
        edges = _groups(highest)
        p, q = np.exp(first), np.exp(second)
    else:
        edges = np.array([*range(0, len(y), SAMPLES), len(y)])
        p, q = np.exp(-first), np.exp(-second)

    def add(rows: slice) -> None:
        if loss == "cross-entropy":
            _add_cross_entropy(p[rows], q, edges, table[rows])
        else:
            _add_squares(p[rows], q, y, edges, table[rows])

    in_parallel(add, [slice(row, row + ROWS) for row in range(0, len(p), ROWS)], num_cores())


def _groups(highest: Floats) -> Integers:
    """Edges of groups of samples small enough that no product of factors 1 + e^z over a group overflows."""

    def edges() -> Iterator[int]:
        yield 0
        total = 0.0
        for sample, bound in enumerate(highest.tolist()):
            total += bound
            if total > LARGEST_LOG:
                yield sample
                total = bound
        yield len(highest)

    found = list(edges())
    return np.array([a for a, b in pairwise(found) if a < b] + found[-1:])


@compiled
def _add_squares(p, q, y, edges, table):
    """Add the squared errors (1/(1 + e^−z) − y)² with e^−z = p·q to ``table``."""
    for part in range(len(edges) - 1):
        samples = slice(edges[part], edges[part + 1])
        labels = y[samples]
        for i in range(len(p)):
            first = p[i, samples]
            for j in range(len(q)):
                second, total = q[j, samples], 0.0
                for s in range(labels.size):
                    error = 1.0 / (1.0 + first[s] * second[s]) - labels[s]
                    total += error * error
                table[i, j] += total


@compiled
def _add_cross_entropy(p, q, edges, table):
    """Add the terms log(1 + e^z) with e^z = p·q to ``table``, one logarithm per group of samples."""
    for part in range(len(edges) - 1):
        samples = slice(edges[part], edges[part + 1])
        for i in range(len(p)):
            first = p[i, samples]
            for j in range(len(q)):
                second, product = q[j, samples], 1.0
                for s in range(first.size):
                    product *= 1.0 + first[s] * second[s]
                table[i, j] += np.log(product)
