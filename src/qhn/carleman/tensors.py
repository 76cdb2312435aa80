"""Dense symmetric tensors, given by components each of which stands at all orders of its indices."""

from __future__ import annotations

from itertools import permutations

import numpy as np

from qhn.arrays import Floats, Integers


def symmetric_tensor(size: int, indices: Integers, components: Floats) -> Floats:
    """The symmetric tensor with given components, and zeros elsewhere: ``[size, …, size]``, one axis an index.

    Args:
        size: number of values of each index.
        indices: the indices of each component in one order, ``[num_components, rank]``.
        components: the components, ``[num_components]``.

    >>> symmetric_tensor(2, np.array([[0, 0], [0, 1]]), np.array([2.0, 3.0]))
    array([[2., 3.],
           [3., 0.]])
    """
    rank = indices.shape[1]
    tensor = np.zeros((size,) * rank)
    for order in permutations(range(rank)):
        tensor[tuple(indices[:, order].T)] = components
    return tensor
