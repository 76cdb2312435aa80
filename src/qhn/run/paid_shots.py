"""A paid machine whose bits are on disk before anything is made of them, and are not measured twice."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from qhn.arrays import Floats
from qhn.backend import Backend, Sampler
from qhn.backend.device.placement import Placement
from qhn.backend.samples import Samples
from qhn.circuit.hypernetwork import Ansatz
from qhn.run.record import Record
from qhn.seeds import Key


@dataclass(frozen=True)
class KeptBackend:
    """The machine, keeping in ``record`` what it measures."""

    backend: Backend
    record: Record

    @property
    def name(self) -> str:
        return self.backend.name

    @property
    def paid(self) -> bool:
        return self.backend.paid

    def compile(self, ansatz: Ansatz) -> KeptSampler:
        return KeptSampler(self.backend.compile(ansatz), self.record)


@dataclass(frozen=True)
class KeptSampler:
    """The sampler of a :class:`KeptBackend`."""

    sampler: Sampler
    record: Record

    @property
    def circuit(self) -> Any:
        return self.sampler.circuit

    @property
    def placement(self) -> Placement | None:
        return self.sampler.placement

    def describe(self) -> dict[str, Any]:
        return self.sampler.describe()

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        digest = digest_of(thetas, shots)
        kept = self.record.paid_samples(key.step, key.evaluation, digest)
        if kept is not None:
            return kept
        samples = self.sampler.sample(thetas, shots, key, group)
        self.record.write_samples(key.step, samples, key.evaluation, digest)
        return samples


def digest_of(thetas: Floats, shots: int) -> str:
    """Names what an evaluation was asked for: its rows of angles, and the shots of each."""
    return hashlib.sha256(thetas.tobytes() + shots.to_bytes(8, "little")).hexdigest()
