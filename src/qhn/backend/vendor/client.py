"""How a vendor's object takes jobs: ``run`` of a ``BackendV2`` with bound circuits, or a V2 sampler with PUBs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from qiskit.primitives import BaseSamplerV2, StatevectorSampler
from qiskit.providers import BackendV2, JobStatus

from qhn.arrays import Bits
from qhn.backend.ibm.jobs import Request
from qhn.backend.settings import DeviceSettings
from qhn.backend.vendor.results import Pub, bits_of_primitive, bits_of_results, bound_circuits

BETWEEN = ","  # between the ids of jobs that serve one request


@dataclass(frozen=True)
class VendorJob:
    """The jobs of a vendor's client that serve one request, as one job.

    Attributes:
        jobs: the client's jobs, in the order of their circuits.
    """

    jobs: Sequence[Any]

    def job_id(self) -> str:
        """The ids of the jobs, joined by commas."""
        return BETWEEN.join(str(job.job_id()) for job in self.jobs)

    def status(self) -> str:
        """The state of the job that is least far: QUEUED, RUNNING, DONE, ERROR or CANCELLED."""
        states = [_state(job.status()) for job in self.jobs]
        order = ("ERROR", "CANCELLED", "INITIALIZING", "VALIDATING", "QUEUED", "RUNNING")
        return next((state for state in order if state in states), states[0])

    def result(self) -> list[Any]:
        """The result of each job, as the vendor's client returns it; waits for them."""
        return [job.result() for job in self.jobs]

    def cancel(self) -> None:
        """Cancel the jobs that have not ended."""
        for job in self.jobs:
            job.cancel()


OTHER_WORDS = {"COMPLETED": "DONE", "SUCCEEDED": "DONE", "FAILED": "ERROR", "CANCELED": "CANCELLED"}


def _state(status: Any) -> str:
    """The state of a job in Qiskit's words."""
    word = status.name if isinstance(status, JobStatus) else str(getattr(status, "value", status)).upper()
    return OTHER_WORDS.get(word, word)


class VendorClient(Protocol):
    """The part of a client that differs between a backend and a sampler."""

    def submit(self, pubs: Sequence[Pub], shots: int, seed: int) -> VendorJob:
        """Submit PUBs as one job, or as several where one takes no more circuits."""
        ...

    def bits(self, result: Any, pubs: Sequence[Pub], shots: int) -> list[Bits]:
        """The bits of each PUB in the result of a job, as :class:`qhn.backend.ibm.submission.Client` returns them."""
        ...

    def request(
        self,
        pubs: Sequence[Pub],
        settings: DeviceSettings,
        *,
        tag: str,
        digest: str,
        circuits: int,
        shots: int,
        price_seconds: float,
        seed: int,
    ) -> Request:
        """The request for a job, as :class:`qhn.backend.ibm.submission.Client` makes it."""
        return Request(
            tag=tag,
            digest=digest,
            rows=circuits,
            shots=shots,
            price_seconds=price_seconds,
            submit=lambda mode, tags, execution_limit: self.submit(pubs, shots, seed),
        )


class BackendClient(VendorClient):
    """The client of a ``BackendV2``, whose ``run`` takes bound circuits.

    Args:
        device: the vendor's backend.
    """

    def __init__(self, device: BackendV2) -> None:
        self.device = device

    def submit(self, pubs: Sequence[Pub], shots: int, seed: int) -> VendorJob:
        """Run the bound circuits of all PUBs, in as few jobs as the backend takes.

        Single shots are asked for, and a simulator is given the seed, if the backend has options of these names.
        """
        circuits = bound_circuits(pubs)
        most = self.device.max_circuits or len(circuits)
        options = {"shots": shots} | {
            name: value for name, value in (("memory", True), ("seed_simulator", seed)) if name in self.device.options
        }
        return VendorJob(
            [self.device.run(circuits[first : first + most], **options) for first in range(0, len(circuits), most)]
        )

    def bits(self, result: Any, pubs: Sequence[Pub], shots: int) -> list[Bits]:
        """The bits of each PUB; shots of which only counts are known come in random, but reproducible order."""
        return bits_of_results(result, pubs, shots, np.random.default_rng(shots))


class SamplerClient(VendorClient):
    """The client of a V2 sampler, whose ``run`` takes PUBs.

    Args:
        sampler: the vendor's sampler.
    """

    def __init__(self, sampler: BaseSamplerV2) -> None:
        self.sampler = sampler

    def submit(self, pubs: Sequence[Pub], shots: int, seed: int) -> VendorJob:
        """Run the PUBs as one job; Qiskit's ``StatevectorSampler`` draws by the seed, others as they are made."""
        sampler = StatevectorSampler(seed=seed) if type(self.sampler) is StatevectorSampler else self.sampler
        return VendorJob([sampler.run(list(pubs), shots=shots)])

    def bits(self, result: Any, pubs: Sequence[Pub], shots: int) -> list[Bits]:
        """The bits of each PUB."""
        (one,) = result
        return bits_of_primitive(one, pubs, shots)
