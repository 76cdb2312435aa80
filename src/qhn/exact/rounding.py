"""A bitstring made of means of spins and of pairs of spins, where no probabilities are known."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from qhn.arrays import Bits

NEGLIGIBLE = 1e-9  # means of a smaller size say nothing about their spins


def agreeing(num_qubits: int, means: Iterable[tuple[tuple[int, ...], float]]) -> Bits:
    """The bits ``[num_qubits]`` that agree with means of single spins and of pairs, the surest first.

    A mean that contradicts surer ones is left out, and so are those that are 0; spins about which nothing is known are
    +1.

    Args:
        num_qubits: number of bits.
        means: one or two spins each, with the mean of their product.

    >>> agreeing(4, [((0, 1), -0.9), ((1, 2), 0.8), ((0, 2), 0.1), ((2,), -0.3)]).tolist()
    [1, 0, 0, 1]
    """
    fixed = num_qubits  # stands for a spin that is +1
    leader, sign = list(range(num_qubits + 1)), [1] * (num_qubits + 1)  # each spin is a sign times its leader
    members = [[spin] for spin in range(num_qubits + 1)]
    for spins, mean in sorted(means, key=lambda known: -abs(known[1])):
        if abs(mean) < NEGLIGIBLE:
            break
        one, other = (*spins, fixed)[:2]
        kept, joined = leader[other], leader[one]
        if kept == joined:
            continue
        relative = sign[one] * sign[other] * (1 if mean > 0 else -1)
        for spin in members[joined]:
            leader[spin], sign[spin] = kept, relative * sign[spin]
        members[kept] += members[joined]
    base = [sign[fixed] if leader[spin] == leader[fixed] else 1 for spin in range(num_qubits)]
    return np.array([sign[spin] * base[spin] > 0 for spin in range(num_qubits)], dtype=np.uint8)
