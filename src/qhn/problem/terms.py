"""Sums over pairs of variables, Σ_ij w_ij: what a matrix, a dictionary or a file of weights comes to.

Whatever order and form they are given in, equal sums come to the same numbers: weights of a pair are added in ascending
order, and (i, j) is the same pair as (j, i).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.fields import Number
from qhn.problem.cost import MAX_COST
from qhn.text import shown

MAX_VARIABLES = 20_000  # a larger number is a slip: no circuit has so many qubits
REAL = Number(low=-MAX_COST, high=MAX_COST)


@dataclass(frozen=True, eq=False)
class Terms:
    """Weights of pairs of variables, in any order; a pair may occur several times, and (i, i) is a linear term.

    Attributes:
        size: number of variables.
        rows, columns: the variables i and j of each weight, ``[num_weights]``.
        weights: the weights w_ij, ``[num_weights]``.
        labels: the name of each variable; empty if they have none but their number.

    >>> Terms(2, np.array([0, 1, 1]), np.array([1, 0, 1]), np.array([1.0, 2.0, 4.0])).couplings
    array([3.])
    """

    size: int
    rows: Integers
    columns: Integers
    weights: Floats
    labels: tuple[str, ...] = ()

    @cached_property
    def linear(self) -> Floats:
        """The sum of the weights (i, i) of each variable, ``[size]``."""
        is_linear = self.rows == self.columns
        return sums(self.rows[is_linear], self.weights[is_linear], self.size)

    @cached_property
    def pairs(self) -> Integers:
        """The pairs i < j whose weights do not add up to 0, in ascending order, ``[num_pairs, 2]``."""
        return self._coupled[0]

    @cached_property
    def couplings(self) -> Floats:
        """The sum of the weights (i, j) and (j, i) of each pair, ``[num_pairs]``."""
        return self._coupled[1]

    @cached_property
    def _coupled(self) -> tuple[Integers, Floats]:
        is_pair = self.rows != self.columns
        ends = np.sort(np.stack([self.rows[is_pair], self.columns[is_pair]], axis=1), axis=1)
        names, place = np.unique(ends[:, 0] * self.size + ends[:, 1], return_inverse=True)
        total = sums(place, self.weights[is_pair], len(names))
        names, total = names[total != 0], total[total != 0]
        return np.stack([names // self.size, names % self.size], axis=1), total


def sums(groups: Integers, weights: Floats, count: int) -> Floats:
    """The sum of the weights of each group, whatever their order: ``[count]``.

    >>> sums(np.array([0, 1, 0]), np.array([0.1, 5.0, 0.2]), 3)
    array([0.3, 5. , 0. ])
    """
    order = np.lexsort((weights, groups))
    return np.bincount(groups[order], weights[order], minlength=count).astype(np.float64)


def matrix_terms(matrix: Any, name: str) -> Terms:
    """The terms of a square matrix, an array or a sparse array of scipy.

    Args:
        matrix: the weights w_ij, ``[size, size]``.
        name: the matrix's symbol, for messages.

    Raises:
        QhnError: if it is no square matrix of finite real numbers, or is empty or too large.
    """
    if hasattr(matrix, "tocoo"):
        found = matrix.tocoo()
        shape, rows, columns, weights = found.shape, found.row, found.col, as_reals(found.data, name)
    else:
        dense = as_reals(matrix, name)
        shape = dense.shape
        if len(shape) == 2:
            rows, columns = np.nonzero(dense)
            weights = dense[rows, columns]
    if len(shape) != 2 or shape[0] != shape[1] or not shape[0]:
        raise QhnError(f"{name} must be a square matrix [num_qubits, num_qubits], got shape {list(shape)}")
    check_size(shape[0], name)
    return Terms(int(shape[0]), rows.astype(np.int64), columns.astype(np.int64), weights)


def labelled_terms(weights: Iterable[tuple[Any, Any, Any]], name: str, also: Iterable[Hashable] = ()) -> Terms:
    """The terms of weights of pairs of labels.

    Labels that are the numbers from 0 are the numbers of the qubits. Others are sorted if they can be compared, so that
    the same terms in another order are the same problem; otherwise they stay in the order in which they occur.

    Args:
        weights: pairs of labels, each with its weight.
        name: what the weights belong to, for messages.
        also: labels of further variables.

    Raises:
        QhnError: if a weight is no finite real number, a label cannot be looked up, or there is no variable.

    >>> labelled_terms([("b", "a", 1.0)], "Q").labels
    ('a', 'b')
    """
    listed = list(weights)
    try:
        names = ordered([*also, *(label for i, j, _ in listed for label in (i, j))])
    except TypeError as error:
        raise QhnError(f"{name} must name variables by numbers, text or tuples: {error}") from None
    if not names:
        raise QhnError(f"{name} names no variable")
    check_size(len(names), name)
    place = {label: index for index, label in enumerate(names)}
    ends = np.array([[place[i], place[j]] for i, j, _ in listed], dtype=np.int64).reshape(-1, 2)
    values = [REAL(f"{name} {shown((i, j))}", value) for i, j, value in listed]
    return Terms(len(names), ends[:, 0], ends[:, 1], np.array(values, dtype=np.float64), label_texts(names))


def dictionary_terms(weights: Mapping[Any, Any], name: str, also: Iterable[Hashable] = ()) -> Terms:
    """The terms of a dictionary from pairs of labels to numbers, as dimod writes them; see :func:`labelled_terms`.

    Raises:
        QhnError: if a key is no pair of labels, or :func:`labelled_terms` fails.
    """
    for pair in weights:
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise QhnError(f"{name} must have pairs of variables as keys, such as ('a', 'b'), got {shown(pair)}")
    return labelled_terms([(i, j, value) for (i, j), value in weights.items()], name, also)


def ordered(labels: Iterable[Hashable]) -> list[Any]:
    """The different labels, sorted if they can be compared with each other, otherwise in the order given."""
    different = list(dict.fromkeys(labels))
    try:
        return sorted(different)
    except TypeError:
        return different


def label_texts(labels: list[Any]) -> tuple[str, ...]:
    """The labels as text; none if they are the numbers of the qubits."""
    return () if labels == list(range(len(labels))) else tuple(map(str, labels))


def as_reals(values: Any, name: str) -> Floats:
    """Numbers of a user as an array.

    Raises:
        QhnError: if they are no finite real numbers up to 1e150.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise QhnError(f"{name} must be an array of numbers, all rows of the same length") from None
    if array.dtype.kind not in "biuf":
        raise QhnError(f"{name} must be real numbers, got an array of {array.dtype}")
    with np.errstate(over="ignore"):  # of a wider float: what becomes infinite is refused
        array = array.astype(np.float64)
    wrong = np.argwhere(~(np.abs(array) <= MAX_COST))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise QhnError(f"{name} must be finite numbers up to {MAX_COST:g}, got {array[place]} at {list(place)}")
    return array


def check_size(size: int, name: str) -> None:
    """Refuse more variables than any circuit has qubits.

    Raises:
        QhnError: if there are more than 20,000.
    """
    if size > MAX_VARIABLES:
        raise QhnError(f"{name} has {size:,} variables, one qubit each; at most {MAX_VARIABLES:,} are taken")
