"""Sums of logarithms as the logarithm of a product, whose binary exponent is counted apart so that it stays finite."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats, Integers
from qhn.compiled import inlined

TOGETHER = 4  # factors that are multiplied before the product so far is read and written
LARGEST_LOG = 600.0  # the largest logarithm of a product: e^600 is still a number


def full_after(bounds: Floats) -> NDArray[np.bool_]:
    """After which factors :func:`take_exponents` is due, lest the next one makes the product overflow: ``[n]``.

    It is due after the last factor.

    Args:
        bounds: a bound of the logarithm of each factor, all at least 1, in the order of multiplication, ``[n]``.

    >>> full_after(np.array([100.0, 300.0, 500.0, 1.0]))
    array([False,  True, False,  True])
    """
    is_full, total = np.zeros(len(bounds), dtype=bool), np.log(2.0)  # what is left of a product is below 2
    for factor, following in enumerate([*bounds[1:].tolist(), np.inf]):
        total += bounds[factor]
        if total + following > LARGEST_LOG:
            is_full[factor], total = True, np.log(2.0)
    return is_full


def blocks_of(highest: Floats) -> tuple[Integers, NDArray[np.bool_]]:
    """Samples in blocks whose factors are multiplied at a time.

    Args:
        highest: a bound of the logarithm of each sample's factor, which is at least 1, ``[samples]``.

    Returns:
        The edges of the blocks, ``[blocks + 1]``, and after which of them the binary exponent of the product must be
        taken off, lest the next one overflows, ``[blocks]``.
    """
    size = TOGETHER if TOGETHER * highest.max() < LARGEST_LOG else 1
    edges = np.append(np.arange(0, len(highest), size), len(highest))
    return edges, full_after(np.add.reduceat(highest, edges[:-1]))


@inlined
def take_exponents(products, exponents):
    """Divide positive floats, given by their bits, by powers of 2 that leave them in [1, 2), and count the powers."""
    for j in range(products.size):
        power = (products[j] >> 52) - 1023
        exponents[j] += power
        products[j] -= power << 52
