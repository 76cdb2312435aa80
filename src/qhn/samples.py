"""Measured bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qhn.bitstrings import Bits


@dataclass(frozen=True)
class Flips:
    """Readout errors counted on qubits prepared in a known state.

    Attributes:
        counts: ``int64[num_tiles, num_qubits, 2]``: how often a qubit prepared in 0 read 1, and in 1 read 0.
        shots: with which each state was prepared.

    Raises:
        ValueError: at construction, on a wrong shape.

    >>> one = Flips(np.array([[[1, 2]]]), 100)
    >>> (one + one).rates.tolist(), (one + one).shots
    ([[[0.01, 0.02]]], 200)
    """

    counts: NDArray[np.int64]
    shots: int

    def __post_init__(self) -> None:
        if self.counts.ndim != 3 or self.counts.shape[2] != 2:
            raise ValueError(f"counts must have shape [num_tiles, num_qubits, 2], got {list(self.counts.shape)}")

    @property
    def rates(self) -> NDArray[np.float64]:
        """Their shares of the shots, of the shape of ``counts``."""
        shares: NDArray[np.float64] = self.counts / self.shots
        return shares

    def __add__(self, other: Flips) -> Flips:
        """Both together, of the same qubits."""
        if self.counts.shape != other.counts.shape:
            shapes = " and ".join("{} tiles of {} qubits".format(*flips.counts.shape[:2]) for flips in (self, other))
            raise ValueError(f"readout errors of {shapes} cannot be added")
        return Flips(self.counts + other.counts, self.shots + other.shots)


@dataclass(frozen=True)
class Samples:
    """The measured bits of one call.

    A machine may do several rows at once, on tiles: disjoint chains of a chip, each with errors of its own.

    Attributes:
        bits: ``uint8[num_rows, shots, num_qubits]``, column j is qubit j of the ansatz.
        job_ids: the service's names of the jobs; empty for simulators.
        qpu_seconds: billed time; 0 for simulators, None if the service did not say.
        tiles: on which tile each row was measured, ``int64[num_rows]``; None if there is one tile.
        unshifted: the first row of every group on all tiles, ``uint8[num_groups, num_tiles, shots, num_qubits]``; None
            if there is one tile, whose first row it would be.
        flips: readout errors counted in the same jobs, None if they were not.
        folded: whether the last CX brick was applied to the measured bits, and not by the machine.
    """

    bits: Bits
    job_ids: tuple[str, ...] = ()
    qpu_seconds: float | None = 0.0
    tiles: NDArray[np.int64] | None = None
    unshifted: Bits | None = None
    flips: Flips | None = None
    folded: bool = False

    def __post_init__(self) -> None:
        if self.bits.ndim != 3:
            raise ValueError(f"bits must have shape [num_rows, shots, num_qubits], got {list(self.bits.shape)}")
        if (self.tiles is None) != (self.unshifted is None):
            raise ValueError("tiles and unshifted rows go together")
        if self.tiles is not None and self.tiles.shape != self.bits.shape[:1]:
            raise ValueError(f"tiles must have shape [{len(self.bits)}], got {list(self.tiles.shape)}")

    @property
    def shots(self) -> int:
        """Shots a row that were really taken, which a machine may have rounded up."""
        return int(self.bits.shape[1])
