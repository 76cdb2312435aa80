"""Tiles: several chains of one chip measure side by side in the same execution, each a different row of angles.

A gradient has θ and then pairs of rows, θ shifted one way and the other. Chains differ in their errors, so rows are
compared on one chain only: both of a pair are measured on the same tile, and θ on all of them, in an execution of its
own. What is additive in a tile's errors then cancels in a pair; a tile of fidelity F still scales its components by
about F. n pairs on T tiles take 1 + 2·⌈n/T⌉ executions instead of 1 + 2·n.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from qhn.arrays import Bits, Bools, Integers
from qhn.backend.samples import Samples
from qhn.errors import QhnError


@dataclass(frozen=True)
class Arrangement:
    """The assignment of rows of angles to executions and tiles.

    Attributes:
        rows: the row that each tile measures in each execution, ``[num_executions, num_tiles]``. Tiles without a row
            left measure θ, so that their neighbours see the same crosstalk; these bits are not used.
        execution, tile: the execution and the tile that measure each row, ``[num_rows]``.
        unshifted: the execution of each group in which all tiles measure θ, ``[num_groups]``; None if rows are not
            compared.
    """

    rows: Integers
    execution: Integers
    tile: Integers
    unshifted: Integers | None

    @property
    def num_executions(self) -> int:
        """The number of executions."""
        return len(self.rows)

    @property
    def is_used(self) -> Bools:
        """Whether the bits of each tile in each execution are used: ``[num_executions, num_tiles]``."""
        used = np.zeros(self.rows.shape, dtype=bool)
        used[self.execution, self.tile] = True
        if self.unshifted is not None:
            used[self.unshifted] = True
        return used

    def samples(self, bits: Bits, **rest: Any) -> Samples:
        """The samples of each row, from the bits of each execution and tile.

        Args:
            bits: measured bits, ``uint8[num_executions, num_tiles, shots, num_qubits]``.
            rest: further attributes of :class:`qhn.backend.samples.Samples`.
        """
        found = bits[self.execution, self.tile]
        if self.unshifted is None:
            return Samples(found, **rest)
        return Samples(found, tiles=self.tile, unshifted=bits[self.unshifted], **rest)


def arrange_rows(num_rows: int, group: int, num_tiles: int) -> Arrangement:
    """Assign rows of angles to executions and tiles.

    Args:
        num_rows: number of rows, a multiple of ``group``.
        group: number of rows that belong together: one, or θ and pairs.
        num_tiles: number of tiles, at least 1. Groups of one row stay on the first tile, because they are compared with
            each other.

    Raises:
        ValueError: if ``num_rows`` is not a multiple of ``group``, ``group`` is even, or ``num_tiles`` is below 1.

    >>> arrange_rows(5, 5, 2).rows.tolist()
    [[0, 0], [1, 3], [2, 4]]
    """
    if num_tiles < 1 or group < 1 or num_rows % group:
        raise QhnError(f"{num_rows} rows in groups of {group} on {num_tiles} tiles do not fit")
    if group > 1 and group % 2 == 0:
        raise QhnError(f"a group is a row and pairs of rows, got {group} rows")
    if group == 1 or num_tiles == 1:
        alone = np.arange(num_rows)
        return Arrangement(np.repeat(alone[:, None], num_tiles, axis=1), alone, np.zeros_like(alone), None)
    pairs = np.arange(group // 2)
    turns = -(-len(pairs) // num_tiles)
    rows = np.zeros((1 + 2 * turns, num_tiles), dtype=np.int64)
    execution, tile = np.zeros(group, dtype=np.int64), np.zeros(group, dtype=np.int64)
    for side in (1, 2):
        execution[2 * pairs + side] = 2 * (pairs // num_tiles) + side
        tile[2 * pairs + side] = pairs % num_tiles
        rows[2 * (pairs // num_tiles) + side, pairs % num_tiles] = 2 * pairs + side
    groups = np.arange(num_rows // group)
    first = len(rows) * groups
    return Arrangement(
        (rows + group * groups[:, None, None]).reshape(-1, num_tiles),
        (execution + first[:, None]).ravel(),
        np.tile(tile, len(groups)),
        first,
    )


def num_executions(num_rows: int, group: int, num_tiles: int) -> int:
    """The number of sets of angles that are executed.

    >>> num_executions(197, 197, 1), num_executions(197, 197, 6), num_executions(3, 1, 6)
    (197, 35, 3)
    """
    if group == 1 or num_tiles == 1:
        return num_rows
    return (num_rows // group) * (1 + 2 * -(-(group // 2) // num_tiles))
