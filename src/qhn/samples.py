"""Measured bits."""

from __future__ import annotations

from dataclasses import dataclass

from qhn.bitstrings import Bits


@dataclass(frozen=True)
class Samples:
    """The measured bits of one job.

    Attributes:
        bits: ``uint8[num_rows, shots, num_qubits]``, column j is qubit j of the ansatz.
        job_ids: the service's names of the jobs; empty for simulators.
        qpu_seconds: billed time; 0 for simulators, None if the service did not say.
    """

    bits: Bits
    job_ids: tuple[str, ...] = ()
    qpu_seconds: float | None = 0.0

    def __post_init__(self) -> None:
        if self.bits.ndim != 3:
            raise ValueError(f"bits must have shape [num_rows, shots, num_qubits], got {list(self.bits.shape)}")

    @property
    def shots(self) -> int:
        """Shots a row that were really taken, which a machine may have rounded up."""
        return int(self.bits.shape[1])
