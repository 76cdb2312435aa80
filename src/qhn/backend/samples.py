"""Measured bits, and the readout errors counted beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.bitstrings import Numbered
from qhn.errors import QhnError


@dataclass(frozen=True)
class ReadoutCounts:
    """Readout errors counted on qubits prepared in a known state.

    Attributes:
        counts: number of shots in which a qubit prepared in 0 was read as 1, and one prepared in 1 as 0:
            ``int64[num_tiles, num_qubits, 2]``.
        shots: number of shots in which each state was prepared.
        qubits: the device's qubits of each tile; empty if they are unknown.

    Raises:
        ValueError: at construction, if ``counts`` has a wrong shape.

    >>> one = ReadoutCounts(np.array([[[1, 2]]]), 100)
    >>> (one + one).rates.tolist(), (one + one).shots
    ([[[0.01, 0.02]]], 200)
    """

    counts: Integers
    shots: int
    qubits: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.counts.ndim != 3 or self.counts.shape[2] != 2:
            raise QhnError(f"counts must have shape [num_tiles, num_qubits, 2], got {list(self.counts.shape)}")

    @property
    def rates(self) -> Floats:
        """The rates of readout errors, ``counts / shots``, in the shape of ``counts``."""
        shares: Floats = self.counts / self.shots
        return shares

    def __add__(self, other: ReadoutCounts) -> ReadoutCounts:
        """The counts and shots of both together.

        Raises:
            ValueError: if they were counted on different qubits.
        """
        if not self.is_of(other):
            shapes = " and ".join(
                "{} tiles of {} qubits".format(*readout_counts.counts.shape[:2]) for readout_counts in (self, other)
            )
            raise QhnError(f"readout errors of {shapes}, {self.qubits} and {other.qubits}, cannot be added")
        return ReadoutCounts(self.counts + other.counts, self.shots + other.shots, self.qubits)

    def is_of(self, other: ReadoutCounts) -> bool:
        """Whether both were counted on the same qubits."""
        return self.counts.shape == other.counts.shape and self.qubits == other.qubits

    def arrays(self) -> dict[str, Any]:
        """The counts as arrays for an ``.npz`` file."""
        return {
            "flips": self.counts,
            "flips_shots": np.array(self.shots),
            "flips_qubits": np.array(self.qubits, dtype=np.int64),
        }

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> ReadoutCounts | None:
        """Restore counts from the arrays of :meth:`arrays`, or return None if they hold no counts."""
        if "flips" not in stored:
            return None
        qubits = tuple(tuple(chain) for chain in stored["flips_qubits"].tolist())
        return cls(stored["flips"], int(stored["flips_shots"]), qubits)


@dataclass(frozen=True)
class Samples:
    """The measured bits of one call of a sampler.

    A machine may measure several rows at once on tiles, disjoint chains of a chip with different errors.

    Attributes:
        measured: the measured bitstrings, as bits ``uint8[num_rows, shots, num_qubits]`` whose column j is qubit j of
            the ansatz, or as integers of that shape.
        job_ids: the service's identifiers of the jobs; empty for simulators.
        qpu_seconds: billed time in seconds; 0 for simulators, None if the service did not report it.
        tiles: the tile on which each row was measured, ``int64[num_rows]``; None if there is one tile.
        unshifted: the bits of the first row of every group on all tiles, ``uint8[num_groups, num_tiles, shots,
            num_qubits]``; None if there is one tile.
        readout_counts: readout errors counted in the same jobs; None if they were not counted.
        folded: whether the last CX brick was applied to the measured bits instead of by the machine.
        executed: number of circuits that the machine ran, calibration included; None for one per row.
        discarded: the largest share of a state's weight that a simulation dropped; 0 unless it was truncated.
    """

    measured: Bits | Numbered
    job_ids: tuple[str, ...] = ()
    qpu_seconds: float | None = 0.0
    tiles: Integers | None = None
    unshifted: Bits | None = None
    readout_counts: ReadoutCounts | None = None
    folded: bool = False
    executed: int | None = None
    discarded: float = 0.0

    def __post_init__(self) -> None:
        if len(self.measured.shape) != 3:
            raise QhnError(f"bits must have shape [num_rows, shots, num_qubits], got {list(self.measured.shape)}")
        if (self.tiles is None) != (self.unshifted is None):
            raise QhnError("tiles and unshifted rows go together")
        if self.tiles is not None and self.tiles.shape != self.measured.shape[:1]:
            raise QhnError(f"tiles must have shape [{self.num_rows}], got {list(self.tiles.shape)}")

    @cached_property
    def bits(self) -> Bits:
        """The measured bits ``uint8[num_rows, shots, num_qubits]``; column j is qubit j of the ansatz."""
        return bitstrings.to_bits(self.measured)

    @property
    def num_rows(self) -> int:
        """The number of rows of angles."""
        return int(self.measured.shape[0])

    @property
    def shots(self) -> int:
        """The number of shots of each row, which a machine may have rounded up."""
        return int(self.measured.shape[1])

    @property
    def num_shots(self) -> int:
        """The number of shots that the machine took in all; a shot that measures several tiles counts once."""
        return self.shots * (self.num_rows if self.executed is None else self.executed)

    def arrays(self) -> dict[str, Any]:
        """The samples as arrays for an ``.npz`` file, bits packed into bytes."""
        found: dict[str, Any] = {"bits": bitstrings.pack(self.bits), "num_qubits": self.bits.shape[-1]}
        found |= {"job_ids": np.array(self.job_ids, dtype=str), "folded": self.folded, "discarded": self.discarded}
        found["qpu_seconds"] = np.nan if self.qpu_seconds is None else self.qpu_seconds
        if self.tiles is not None and self.unshifted is not None:
            found |= {"tiles": self.tiles, "unshifted": bitstrings.pack(self.unshifted)}
        if self.executed is not None:
            found["executed"] = self.executed
        if self.readout_counts is not None:
            found |= self.readout_counts.arrays()
        return found

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> Samples:
        """Restore samples from the arrays of :meth:`arrays`.

        Raises:
            KeyError: if an array is missing.
        """
        num_qubits, seconds = int(stored["num_qubits"]), float(stored["qpu_seconds"])
        return cls(
            bitstrings.unpack(stored["bits"], num_qubits),
            tuple(stored["job_ids"].tolist()),
            None if np.isnan(seconds) else seconds,
            stored.get("tiles"),
            bitstrings.unpack(stored["unshifted"], num_qubits) if "tiles" in stored else None,
            ReadoutCounts.from_arrays(stored),
            bool(stored["folded"]) if "folded" in stored else False,
            int(stored["executed"]) if "executed" in stored else None,
            float(stored["discarded"]) if "discarded" in stored else 0.0,
        )
