"""The Carleman lift in the Kronecker form, in which every order of factors has a component of its own.

It is larger than the symmetric basis (Σ n^k components), and follows the textbook formula factor by factor: a check of
the other, and a form to compare with the literature.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from qhn.arrays import Floats
from qhn.carleman.closure import GradientMap, Lift
from qhn.carleman.symmetric import MAX_DIMENSION, SymmetricBasis
from qhn.errors import QhnError
from qhn.fields import Whole, settle


@dataclass(frozen=True)
class KroneckerBasis:
    """The components of the tensor powers u, u⊗u, … of a vector up to an order, one after the other.

    Attributes:
        num_parameters: length of the vector, at least 1.
        order: largest power, at least 1.

    Raises:
        ValueError: at construction, if there are more than 2^14 components.

    >>> KroneckerBasis(2, 2).lift(np.array([3.0, 1.0])).tolist()
    [3.0, 1.0, 9.0, 3.0, 3.0, 1.0]
    """

    num_parameters: int
    order: int

    def __post_init__(self) -> None:
        settle(self, num_parameters=Whole(1), order=Whole(1))
        if self.dimension > MAX_DIMENSION:
            raise QhnError(f"the Kronecker form has {self.dimension:,} components, more than {MAX_DIMENSION:,}")

    @property
    def dimension(self) -> int:
        """The number of components, Σ n^k."""
        return sum(self.num_parameters**power for power in range(1, self.order + 1))

    def lift(self, u: Floats) -> Floats:
        """The components of vectors ``u[..., num_parameters]``: ``[..., dimension]``."""
        rows = np.asarray(u, dtype=np.float64)
        powers = [rows]
        for _ in range(self.order - 1):
            longer = powers[-1][..., :, None] * rows[..., None, :]
            powers.append(longer.reshape(*rows.shape[:-1], -1))
        return np.concatenate(powers, axis=-1)


def kronecker_lift(step: GradientMap, order: int) -> Lift:
    """The exact closure of a step in the Kronecker form, by the recursion A_{k,m} = Σ_j F_j ⊗ A_{k−1,m−j}."""
    n, basis = step.num_parameters, KroneckerBasis(step.num_parameters, order)
    factors = [sparse.csr_array(factor.reshape(n, -1)) for factor in step.factors]
    blocks = {(0, power): sparse.csr_array((1, n**power)) for power in range(1, order + 1)}
    blocks[0, 0] = sparse.csr_array(np.ones((1, 1)))
    for row in range(1, order + 1):
        for column in range(order + 1):
            total = sparse.csr_array((n**row, n**column))
            for power, factor in enumerate(factors[: column + 1]):
                total = total + sparse.kron(factor, blocks[row - 1, column - power], format="csr")
            blocks[row, column] = total
    grid = [[blocks[row, column] for column in range(1, order + 1)] for row in range(1, order + 1)]
    offset = np.concatenate([blocks[row, 0].toarray()[:, 0] for row in range(1, order + 1)])
    return Lift(basis, sparse.csr_array(sparse.block_array(grid)), offset, step.scale)


def symmetric_isometry(num_parameters: int, order: int) -> sparse.csr_array:
    """The isometry V from the symmetric basis to the Kronecker form: ``[Σ n^k, C(n + N, N) − 1]``.

    V y has the components of u ⊗ … ⊗ u where y has those of the symmetric basis, and VᵀV = 1.
    """
    symmetric, full = SymmetricBasis(num_parameters, order), KroneckerBasis(num_parameters, order)
    words = {tuple(word): place for place, word in enumerate(symmetric.words.tolist())}
    columns = []
    for power in range(1, order + 1):
        for index in np.ndindex(*(num_parameters,) * power):
            word = (*sorted(index), *(num_parameters,) * (order - power))
            columns.append(words[word] - 1)
    entries = 1 / symmetric.weights[1:][columns]
    shape = (full.dimension, symmetric.dimension)
    return sparse.csr_array((entries, (np.arange(full.dimension), columns)), shape=shape)
