"""Type aliases of the arrays that qhn's functions take and return."""

from __future__ import annotations

import math
from collections.abc import Hashable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Complexes = NDArray[np.complex128]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bits = NDArray[np.uint8]  # 0 and 1; the last axis is the qubit, qubit 0 first


class Scratch:
    """Arrays whose memory is used again: the system takes longer to hand out fresh pages than a loop to fill them.

    >>> scratch = Scratch()
    >>> first = scratch.empty("state", (2, 3))
    >>> np.shares_memory(first, scratch.empty("state", (4,))), np.shares_memory(first, scratch.empty("other", (4,)))
    (True, False)
    """

    def __init__(self) -> None:
        self._held: dict[Hashable, Floats] = {}

    def empty(self, name: Hashable, shape: tuple[int, ...]) -> Floats:
        """An array of any content, in the memory of the last array of this name, which it replaces."""
        size = math.prod(shape)
        held = self._held.get(name)
        if held is None or held.size < size:
            held = self._held[name] = np.empty(size)
        return held[:size].reshape(shape)
