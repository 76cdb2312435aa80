"""A wrapper of a paid machine that stores measured bits before they are used, and never measures them twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from qhn.arrays import Floats
from qhn.backend import Backend, Sampler
from qhn.backend.device.placement import Placement
from qhn.backend.samples import Samples
from qhn.circuit.ansatz import GateCircuit
from qhn.run.record import Record
from qhn.seeds import Key


@dataclass(frozen=True)
class KeptBackend:
    """A machine whose measured bits are stored in the record of a run.

    Attributes:
        backend: the machine.
        record: the record of the run.
    """

    backend: Backend
    record: Record

    @property
    def name(self) -> str:
        """Name of the machine."""
        return self.backend.name

    @property
    def paid(self) -> bool:
        """Whether the shots of the machine are paid for."""
        return self.backend.paid

    def compile(self, ansatz: GateCircuit) -> KeptSampler:
        """Compile a circuit for the machine, as a sampler that stores what it measures.

        Raises:
            QhnError: if the machine cannot run the circuit.
        """
        return KeptSampler(self.backend.compile(ansatz), self.record)


@dataclass(frozen=True)
class KeptSampler:
    """A sampler whose measured bits are stored in the record of a run.

    Attributes:
        sampler: the sampler of the machine.
        record: the record of the run.
    """

    sampler: Sampler
    record: Record

    @property
    def circuit(self) -> Any:
        """The circuit that runs: a ``QuantumCircuit`` with measurements."""
        return self.sampler.circuit

    @property
    def placement(self) -> Placement | None:
        """The circuit's place on a device; None if the machine has no chip."""
        return self.sampler.placement

    def describe(self) -> dict[str, Any]:
        """The machine's description of itself in JSON values, for the record."""
        return self.sampler.describe()

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Return the stored bits of an evaluation, or measure and store them.

        Args:
            thetas: angles in radians, ``[num_rows, num_parameters]``.
            shots: number of shots per row.
            key: the step and evaluation of the shots, under which they are stored.
            group: number of rows that are compared with each other, as in :meth:`qhn.backend.sampler.Sampler.sample`.

        Raises:
            RecordError: if stored bits of the evaluation are damaged.
            BackendError: if the machine or its service fails.
        """
        digest = digest_of(thetas, shots)
        kept = self.record.paid_samples(key.step, key.evaluation, digest)
        if kept is not None:
            return kept
        samples = self.sampler.sample(thetas, shots, key, group)
        self.record.write_samples(key.step, samples, key.evaluation, digest)
        return samples


def digest_of(thetas: Floats, shots: int) -> str:
    """The SHA-256 digest that identifies an evaluation by its angles and shots.

    Args:
        thetas: angles in radians, ``[num_rows, num_parameters]``.
        shots: number of shots per row.

    Returns:
        64 hexadecimal digits.
    """
    return hashlib.sha256(thetas.tobytes() + shots.to_bytes(8, "little")).hexdigest()
