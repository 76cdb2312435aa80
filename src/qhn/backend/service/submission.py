"""What all jobs share: how they are submitted and read, results that are kept, and their shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qhn.arrays import Bits
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.request import Request
from qhn.errors import QhnError


@dataclass(frozen=True)
class JobResult:
    """The result of a job: the measured bits and what they cost.

    Attributes:
        bits: measured bits ``[num_circuits, shots, num_clbits]`` of circuits, or of one circuit at that many sets of
            angles, bit 0 first.
        calibration: measured bits of each calibration circuit, ``[shots, num_clbits]``.
        job_id: id of the job on the service.
        seconds: QPU seconds billed; None if they are not known.
    """

    bits: Bits
    calibration: list[Bits]
    job_id: str
    seconds: float | None

    def arrays(self) -> dict[str, Any]:
        """The result as arrays for an ``.npz`` file."""
        return {
            "bits": np.packbits(self.bits, axis=-1),
            "calibration": np.packbits(np.array(self.calibration, dtype=np.uint8), axis=-1),
            "width": np.array(self.bits.shape[-1]),
            "job_id": np.array(self.job_id),
            "qpu_seconds": np.array(np.nan if self.seconds is None else self.seconds),
        }

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> JobResult:
        """Restore a result from the arrays of :meth:`arrays`."""
        width, seconds = int(stored["width"]), float(stored["qpu_seconds"])
        bits, calibration = (
            np.unpackbits(stored[name], axis=-1, count=width if stored[name].size else None)
            for name in ("bits", "calibration")
        )
        return cls(bits, list(calibration), str(stored["job_id"]), None if np.isnan(seconds) else seconds)


@dataclass(frozen=True)
class Submission:
    """A request for one job, and how the result of the job is read.

    Attributes:
        request: the request.
        shape: number of circuits, of shots and of classical bits that are asked for.
        read: function that divides the bits of all PUBs into those of the circuits and of the calibration circuits.
    """

    request: Request
    shape: tuple[int, int, int]
    read: Callable[[list[Bits]], tuple[Bits, list[Bits]]]


def run_all(jobs: Jobs, submissions: Sequence[Submission], *, keep: bool) -> list[JobResult]:
    """Run one job for each submission, all submitted together, and return their results in order.

    Args:
        jobs: the jobs of the run.
        submissions: requests with the functions that read their results.
        keep: whether the journal saves the measured bits; a job whose bits it has is then not run again.

    Raises:
        BackendError: if a job or the service fails.
        Detached: if jobs are not to be waited for, and have not ended.
        BudgetExceeded: if what is left of the budget does not allow a job.
    """
    journal = jobs.journal if keep else None
    found: dict[int, JobResult] = {}
    if journal is not None:
        for number, one in enumerate(submissions):
            stored = journal.kept(one.request.tag, one.request.digest)
            if stored is not None:
                found[number] = JobResult.from_arrays(stored)
    missing = [number for number in range(len(submissions)) if number not in found]

    def read(number: int, result: Any, job_id: str, seconds: float | None) -> JobResult:
        one = submissions[missing[number]]
        job = JobResult(*one.read(jobs.connection.bits_of(result, one.request)), job_id, seconds)
        check_shape(job, *one.shape)
        if journal is not None:
            journal.keep(one.request.tag, one.request.digest, job.arrays())
        return job

    ran = jobs.run([submissions[number].request for number in missing], read)
    found |= dict(zip(missing, ran, strict=True))
    return [found[number] for number in range(len(submissions))]


def tags_of(tag: str, number: int) -> list[str]:
    """The names of the requests of an evaluation that takes a number of jobs: its own, or one for each part.

    >>> tags_of("qhn:r:0:0", 1), tags_of("qhn:r:0:0", 2)
    (['qhn:r:0:0'], ['qhn:r:0:0:0', 'qhn:r:0:0:1'])
    """
    return [tag] if number == 1 else [f"{tag}:{part}" for part in range(number)]


def billed_seconds(results: Iterable[JobResult]) -> float | None:
    """The QPU seconds that jobs billed together; None if that of one is not known."""
    seconds = [job.seconds for job in results]
    return None if None in seconds else sum(second for second in seconds if second)


def check_shape(job: JobResult, rows: int, shots: int, width: int) -> None:
    """Refuse measured bits of another shape than asked for; more shots are allowed, as the service may round them up.

    Raises:
        ValueError: if the shape of the bits, or of a calibration circuit's bits, is not the expected one.
    """
    taken = job.bits.shape[1] if job.bits.ndim == 3 else 0
    if job.bits.shape != (rows, taken, width) or taken < shots:
        raise QhnError(f"asked for bits [{rows}, {shots}, {width}], got {list(job.bits.shape)}")
    if any(counted.shape != (taken, width) for counted in job.calibration):
        raise QhnError(f"the calibration circuits have other bits than [{taken}, {width}]")
