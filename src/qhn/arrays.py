"""Type aliases of the arrays that qhn's functions take and return."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Bools = NDArray[np.bool_]
Bits = NDArray[np.uint8]  # 0 and 1; the last axis is the qubit, qubit 0 first
