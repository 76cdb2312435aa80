"""A circuit on the qubits of a device: one job for each request, or several where it exceeds the service's limits."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qhn.arrays import Bits, Floats
from qhn.backend.aer import publish
from qhn.backend.device.placement import Placement
from qhn.backend.device.price import parts
from qhn.backend.device.tiles import arrange_rows
from qhn.backend.sampler import check_request
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.request import Pub, Request
from qhn.backend.service.selftest import BARE, SHOTS, SelfTest, complaint
from qhn.backend.service.submission import JobResult, Submission, billed_seconds, run_all, tags_of
from qhn.backend.service.tested import SelfTests
from qhn.backend.settings import DeviceSettings
from qhn.seeds import Key


class DeviceSampler:
    """A sampler of an ansatz that is placed on qubits of a device.

    Args:
        placement: the placed ansatz.
        jobs: the jobs of the run.
    """

    def __init__(self, placement: Placement, jobs: Jobs) -> None:
        self.placement = placement
        self.ansatz = placement.ansatz
        self.jobs = jobs
        self._self_tests = SelfTests(jobs, placement.chip.name)

    @property
    def circuit(self) -> QuantumCircuit:
        """The circuit that the QPU executes: the ansatz compiled onto the qubits of all tiles, with measurements."""
        return self.placement.circuit

    def describe(self) -> dict[str, Any]:
        """The device's name, its mode, the error suppression applied, and the placement, as JSON values."""
        return applied(self.placement.chip.name, self.placement.settings) | self.placement.describe()

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Measure the circuit at each row of ``thetas[num_rows, num_parameters]``, at least ``shots`` times.

        Returns:
            The measured bits, ``[num_rows, shots, num_qubits]`` with qubit 0 first; the service may round ``shots`` up.

        Raises:
            ValueError: if ``thetas`` has a wrong shape or is not finite, or ``shots`` is below 1.
            BackendError: if a job or the service fails, or the device does not pass its self-test. The journal has the
                ids of all jobs that were accepted.
            Detached: if jobs are not to be waited for, and have not ended.
            BudgetExceeded: if what is left of the budget does not allow a job.
        """
        num_parameters, num_qubits = self.ansatz.num_parameters, self.ansatz.num_qubits
        thetas, shots = check_request(thetas, num_parameters, num_qubits, shots)
        self._test(key.run)
        num_tiles = len(self.placement.tiles)
        plan = arrange_rows(len(thetas), group, num_tiles)
        angles = thetas[plan.rows].reshape(plan.num_executions, num_tiles * num_parameters)
        task = self.placement.task(len(thetas), group, shots)
        divided = parts(task)
        tags = tags_of(key.tag, len(divided))
        seeds = key.generator().integers(2**32, size=len(divided)).tolist()
        submissions = [
            self._submission(angles[part], task.shots_taken, tag, seed)
            for part, tag, seed in zip(divided, tags, seeds, strict=True)
        ]
        jobs = run_all(self.jobs, submissions, keep=len(divided) > 1)  # of one job, the caller keeps the samples
        bits = self._by_tile(np.concatenate([job.bits for job in jobs]))
        return plan.samples(
            bits,
            job_ids=tuple(job.job_id for job in jobs),
            qpu_seconds=billed_seconds(jobs),
            readout_counts=self._readout_counts(jobs),
            folded=self.placement.folded,
            executed=plan.num_executions + sum(len(job.calibration) for job in jobs),
        )

    def _by_tile(self, bits: Bits) -> Bits:
        """Measured bits as ``[num_executions, num_tiles, shots, num_qubits]``, with the last CX brick applied."""
        num_tiles, num_qubits = len(self.placement.tiles), self.ansatz.num_qubits
        own = bits.reshape(*bits.shape[:2], num_tiles, num_qubits).swapaxes(1, 2)
        return self.ansatz.relabel(own) if self.placement.folded else own

    def _test(self, run: str) -> None:
        """Refuse a device that binds angles or returns bits in another order; the test costs one job in each run.

        No further test is paid for where one has failed, unless the terms ask for it; one on its way is awaited.

        Raises:
            BackendError: if the device does not pass the test, or has failed one that would have the same outcome.
        """
        if not self._self_tests.is_due:
            return
        test = SelfTest.of(self.placement)

        def measure(tag: str) -> tuple[str, str | None]:
            if test.is_bare:
                self.jobs.terms.tell(f"the self-test measures {BARE}")
            submission = self._submission(test.angles, SHOTS, tag, 0, calibrate=False, circuit=test.circuit)
            (job,) = run_all(self.jobs, [submission], keep=False)
            return job.job_id, complaint(self._by_tile(job.bits), test.expected)

        digest = measured_digest(self.placement, test.angles, SHOTS, 0)
        self._self_tests.make(run, digest, measure, circuit=BARE if test.is_bare else None)

    def _submission(
        self,
        angles: Floats,
        shots: int,
        tag: str,
        seed: int,
        *,
        calibrate: bool = True,
        circuit: QuantumCircuit | None = None,
    ) -> Submission:
        """The job that measures a circuit at several sets of angles, with the calibration circuits.

        Args:
            angles: sets of angles, ``[num_executions, num_tiles·num_parameters]``.
            shots: number of measurements of each circuit.
            tag: name of the job's request.
            seed: seed of the random numbers of a simulator.
            calibrate: whether the calibration circuits of the settings are measured, too.
            circuit: another circuit than that of the placement, on the same qubits.
        """
        calibration = self.placement.calibration if calibrate else []
        pubs: list[Pub] = [publish(self.circuit if circuit is None else circuit, angles)]
        pubs += [(one,) for one in calibration]
        request = Request(
            tag=tag,
            digest=measured_digest(self.placement, angles, shots, len(calibration)),
            pubs=pubs,
            shots=shots,
            settings=self.placement.settings,
            price_seconds=self.placement.job_seconds(len(angles) + len(calibration), shots),
            seed=seed,
        )

        def read(bits: list[Bits]) -> tuple[Bits, list[Bits]]:
            return bits[0], bits[1:]

        return Submission(request, (len(angles), shots, len(self.placement.tiles) * self.ansatz.num_qubits), read)

    def _readout_counts(self, jobs: list[JobResult]) -> ReadoutCounts | None:
        """Readout errors counted in the calibration circuits of all jobs; None if there are none."""
        if not self.placement.settings.calibrate:
            return None
        shape = (len(self.placement.tiles), self.ansatz.num_qubits)
        zeros, ones = (np.concatenate([job.calibration[state] for job in jobs]) for state in (0, 1))
        counts = np.stack([zeros.sum(axis=0, dtype=np.int64), (1 - ones).sum(axis=0, dtype=np.int64)], axis=-1)
        return ReadoutCounts(counts.reshape(*shape, 2), len(zeros), self.placement.qubits)


def measured_digest(placement: Placement, angles: Floats, shots: int, calibrations: int) -> str:
    """The hash of everything that a job measures: angles, shots, and the qubits in use.

    Args:
        placement: the placed circuit.
        angles: sets of angles, ``[num_executions, num_tiles·num_parameters]``.
        shots: number of measurements of each circuit.
        calibrations: number of calibration circuits.
    """
    asked = repr((placement.qubits, placement.folded, shots, calibrations))
    return hashlib.sha256(angles.tobytes() + asked.encode()).hexdigest()


def applied(name: str, settings: DeviceSettings) -> dict[str, Any]:
    """How a device measures: the mode of its jobs and the error suppression."""
    facts = {"name": name, "method": "qpu", "noise": "the device", "mode": settings.mode}
    return facts | {"dynamical_decoupling": settings.dynamical_decoupling, "twirling": settings.twirling}
