"""The isometric symmetric basis of powers of a vector: every product of its entries once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement
from math import comb, factorial

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.fields import Whole, settle

MAX_DIMENSION = 2**14  # components of a lifted vector, whose matrices are held in memory


@dataclass(frozen=True)
class SymmetricBasis:
    """The components y_α = √(k!/α!) u^α of a vector u for all multi-indices α of degrees k = 1 … order.

    All components of one degree together have the norm ‖u‖^k, as the tensor power u^{⊗k} has, but each product of
    entries of u is there only once. The first ``num_parameters`` components are u itself; then come those of degree 2,
    and so on, each degree in the order of ``itertools.combinations_with_replacement``.

    Attributes:
        num_parameters: length n of u, at least 1.
        order: largest degree N, at least 1.

    Raises:
        ValueError: at construction, if there are more than 2^14 components.

    >>> basis = SymmetricBasis(2, 2)
    >>> basis.dimension, basis.lift(np.array([3.0, 1.0])).round(3).tolist()
    (5, [3.0, 1.0, 9.0, 4.243, 1.0])
    """

    num_parameters: int
    order: int

    def __post_init__(self) -> None:
        settle(self, num_parameters=Whole(1), order=Whole(1))
        if self.dimension > MAX_DIMENSION:
            raise QhnError(
                f"{self.num_parameters} parameters lifted to order {self.order} have {self.dimension:,} components, "
                f"more than {MAX_DIMENSION:,}; keep fewer parameters or lower the order"
            )

    @property
    def dimension(self) -> int:
        """The number of components, C(n + N, N) − 1."""
        return symmetric_dimension(self.num_parameters, self.order)

    def degree_slice(self, degree: int) -> slice:
        """The place of the components of one degree."""
        ends = [symmetric_dimension(self.num_parameters, k) for k in (degree - 1, degree)]
        return slice(*ends)

    def lift(self, u: Floats) -> Floats:
        """The components of vectors ``u[..., num_parameters]``: ``[..., dimension]``."""
        padded = np.concatenate([u, np.ones((*np.shape(u)[:-1], 1))], axis=-1)
        products: Floats = padded[..., self.words[1:]].prod(axis=-1)
        return products * self.weights[1:]

    @cached_property
    def words(self) -> Integers:
        """The parameters in each monomial of degree 0 … order, ascending, filled up with the number n: ``[., order]``.

        The first row is the constant monomial, which the components of a lifted vector do not have.
        """
        n, order = self.num_parameters, self.order
        rows = [
            (*word, *(n,) * (order - degree))
            for degree in range(order + 1)
            for word in combinations_with_replacement(range(n), degree)
        ]
        return np.array(rows, dtype=np.int64)

    @cached_property
    def weights(self) -> Floats:
        """The factor √(k!/α!) of each monomial of degree 0 … order."""
        return np.sqrt(multinomials(self.words, self.num_parameters))

    @cached_property
    def _codes(self) -> tuple[Integers, Integers]:
        """The monomials as ascending numbers, and the place of each."""
        codes = self._code(self.words)
        order = np.argsort(codes)
        return codes[order], order

    def _code(self, words: Integers) -> Integers:
        code = np.zeros(words.shape[:-1], dtype=np.int64)
        for place in range(self.order):
            code = code * (self.num_parameters + 1) + words[..., place]
        return code

    def products(self, left: slice, right: slice) -> Integers:
        """The place of the product of every monomial of one slice with every one of another: ``[., .]``.

        Places count from the constant monomial; the degrees of two factors must not exceed the order together.
        """
        one, other = self.words[left], self.words[right]
        shape = (len(one), len(other), self.order)
        both = [np.broadcast_to(one[:, None], shape), np.broadcast_to(other[None], shape)]
        words = np.sort(np.concatenate(both, axis=-1), axis=-1)[..., : self.order]
        codes, order = self._codes
        return np.asarray(order[np.searchsorted(codes, self._code(words))])


def symmetric_dimension(num_parameters: int, order: int) -> int:
    """The number of components of degrees 1 … order of a vector, C(n + N, N) − 1.

    >>> symmetric_dimension(17, 3)
    1139
    """
    return comb(num_parameters + order, order) - 1


def multinomials(words: Integers, num_parameters: int) -> Floats:
    """The number of orders of each word's letters, k!/α!, where the letter ``num_parameters`` is none: ``[...]``."""
    found = np.empty(len(words))
    for row, word in enumerate(words):
        counts = np.bincount(word, minlength=num_parameters + 1)[:num_parameters]
        found[row] = factorial(int(counts.sum())) / np.prod([factorial(int(count)) for count in counts if count > 1])
    return found
