"""How a vendor's object takes jobs: ``run`` of a ``BackendV2`` with bound circuits, or a V2 sampler with PUBs."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from enum import Enum
from typing import Any, Protocol

import numpy as np
from qiskit.primitives import BackendSamplerV2, BaseSamplerV2, StatevectorSampler
from qiskit.providers import BackendV2

from qhn.arrays import Bits
from qhn.backend.service.request import Pub
from qhn.backend.terms import joined_ids
from qhn.backend.vendor.results import WrongAnswer, bits_of_primitive, bits_of_results, bound_circuits

MEMORY, SEED = "memory", "seed_simulator"  # options of simulators: single shots, and the seed of their random numbers


@dataclass(frozen=True)
class VendorJob:
    """The jobs of a vendor's client that serve one request, as one job.

    Attributes:
        jobs: the client's jobs, in the order of their circuits.
    """

    jobs: Sequence[Any]

    def __post_init__(self) -> None:
        for job in self.jobs:
            if not callable(getattr(job, "result", None)):
                raise WrongAnswer(f"its run returned an object of type {type(job).__name__}, which is no job")

    def job_id(self) -> str:
        """The ids of the jobs, joined by commas, and as in an address a comma within an id as ``%2C``.

        It is empty if one of them has none.
        """
        ids = [getattr(job, "job_id", lambda: None)() for job in self.jobs]
        return "" if None in ids or "" in ids else joined_ids(map(str, ids))

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


OTHER_WORDS = {
    **dict.fromkeys(("COMPLETED", "COMPLETE", "SUCCEEDED", "SUCCESS", "FINISHED"), "DONE"),
    **dict.fromkeys(("FAILED", "FAILURE", "ABORTED"), "ERROR"),
    **dict.fromkeys(("CANCELED", "CANCELLING"), "CANCELLED"),
    **dict.fromkeys(("CREATED", "SUBMITTED", "PENDING", "WAITING"), "QUEUED"),
    "EXECUTING": "RUNNING",
}


def _state(status: Any) -> str:
    """The state of a job in Qiskit's words; of a word that nobody here knows, itself in capital letters."""
    word = status.name if isinstance(status, Enum) else str(status).rpartition(".")[2]
    word = word.strip().upper().replace(" ", "_")
    return OTHER_WORDS.get(word, word)


class VendorClient(Protocol):
    """The part of a client that differs between a backend and a sampler."""

    @property
    def takes_seed(self) -> bool:
        """Whether the same seed gives the same bits."""
        ...

    def submit(self, pubs: Sequence[Pub], shots: int, seed: int) -> VendorJob:
        """Submit PUBs as one job, or as several where one takes no more circuits."""
        ...

    def bits(self, result: Any, pubs: Sequence[Pub], shots: int) -> list[Bits]:
        """The bits of each PUB in a job's result: ``[num_rows, shots, num_clbits]``, without angles no axis of rows."""
        ...


class BackendClient(VendorClient):
    """The client of a ``BackendV2``, whose ``run`` takes bound circuits.

    Args:
        device: the vendor's backend.
    """

    def __init__(self, device: BackendV2) -> None:
        self.device = device

    @property
    def takes_seed(self) -> bool:
        """Whether the backend has the option ``seed_simulator``."""
        return SEED in self.device.options

    def submit(self, pubs: Sequence[Pub], shots: int, seed: int) -> VendorJob:
        """Run the bound circuits of all PUBs, in as few jobs as the backend takes.

        Single shots are asked for, and a simulator is given the seed, if the backend has options of these names.
        """
        circuits, jobs = bound_circuits(pubs), VendorJob([])
        most = self.device.max_circuits or len(circuits)
        for first in range(0, len(circuits), most):
            own = seed if not first else int(np.random.SeedSequence([seed, first]).generate_state(1)[0])
            options = {name: value for name, value in ((MEMORY, True), (SEED, own)) if name in self.device.options}
            try:
                job = self.device.run(circuits[first : first + most], shots=shots, **options)
            except Exception:
                with contextlib.suppress(Exception):  # those that were accepted would be paid for, and serve nothing
                    jobs.cancel()
                raise
            jobs = VendorJob([*jobs.jobs, job])
        return jobs

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

    @property
    def takes_seed(self) -> bool:
        """Whether it is a sampler of Qiskit or Aer that draws by a seed; others draw as they are made."""
        return _seeded(self.sampler, 0) is not self.sampler

    def submit(self, pubs: Sequence[Pub], shots: int, seed: int) -> VendorJob:
        """Run the PUBs as one job; samplers of Qiskit and Aer draw by the seed, others as they are made."""
        return VendorJob([_seeded(self.sampler, seed).run(list(pubs), shots=shots)])

    def bits(self, result: Any, pubs: Sequence[Pub], shots: int) -> list[Bits]:
        """The bits of each PUB."""
        (one,) = result
        return bits_of_primitive(one, pubs, shots)


def _seeded(sampler: BaseSamplerV2, seed: int) -> BaseSamplerV2:
    """The sampler with a seed in place of its own, which would give every request the same shot noise.

    Only the samplers of Qiskit and Aer have one that is known; others are returned as they are.
    """
    if type(sampler) is StatevectorSampler:
        return StatevectorSampler(seed=seed)
    if type(sampler) is BackendSamplerV2:
        if "seed_simulator" not in sampler.backend.options:
            return sampler
        options = replace(sampler.options, seed_simulator=seed)
        return BackendSamplerV2(backend=sampler.backend, options=asdict(options))
    if type(sampler).__module__.startswith("qiskit_aer.") and hasattr(sampler, "_seed"):
        sampler = copy.copy(sampler)
        sampler._seed = seed
    return sampler


def client_of(found: BackendV2 | BaseSamplerV2) -> VendorClient:
    """The client of a vendor's object."""
    return BackendClient(found) if isinstance(found, BackendV2) else SamplerClient(found)
