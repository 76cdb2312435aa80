"""QPUs of IBM, through the account that Qiskit has saved.

Credentials come only from Qiskit's own account file or environment; error texts name the kind of failure, never what
the service said, because its answers can hold account data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit_ibm_runtime.executor_sampler import Sampler

from qhn.arrays import Bits, Floats
from qhn.backend.aer import publish, read_bits
from qhn.backend.device.placement import Placement, place
from qhn.backend.device.price import MAX_JOB_SECONDS, parts
from qhn.backend.device.tiles import arrange_rows
from qhn.backend.events import Entry, Event
from qhn.backend.ibm.account import account_device, seconds_left, silent
from qhn.backend.ibm.connection import Connection
from qhn.backend.ibm.jobs import Jobs, Request
from qhn.backend.ibm.selftest import ROWS, SHOTS, complaint, is_due, known_outcomes, versions
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError, check_request
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.backend.settings import DeviceSettings, Settings
from qhn.backend.terms import Terms
from qhn.circuit.hypernetwork import Ansatz
from qhn.errors import QhnError
from qhn.seeds import Key


def open_device(name: str, settings: Settings, journal: Journal | None = None) -> Device:
    """The QPU of that name, to run on.

    Raises:
        ValueError, BackendError: as :func:`qhn.backend.ibm.account.account_device`.
    """
    assert isinstance(settings, DeviceSettings)
    return Device(account_device(name), settings, journal)


class Device:
    """A QPU. A call is one job, or a batch of several if it exceeds the service's limits; a session only if asked for.

    The tag of each job, its id and its outcome go to the journal as they happen. Before its first call the device is
    tested (:mod:`qhn.backend.ibm.selftest`), unless the journal knows a test with the same versions.
    """

    paid = True

    def __init__(
        self, device: BackendV2, settings: DeviceSettings | None = None, journal: Journal | None = None
    ) -> None:
        self.device = device
        self.settings = settings or DeviceSettings()
        self.journal = journal
        self.name: str = device.name
        self.terms = Terms()
        self.jobs = Jobs(Connection(device, self.terms), journal, in_session=self.settings.mode == "session")
        self._compiled: dict[Ansatz, DeviceSampler] = {}

    def compile(self, ansatz: Ansatz) -> DeviceSampler:
        """A sampler of the ansatz on the best qubits; the second time the same one.

        Raises:
            ValueError: if the device has too few usable qubits.
            BackendError: if the service does not describe it.
        """
        try:
            with silent():
                _ = self.device.target  # fetched from the service when first asked for
        except Exception as error:
            raise BackendError(f"the IBM service did not describe {self.name} ({type(error).__name__})") from None
        if ansatz not in self._compiled:
            self._compiled[ansatz] = DeviceSampler(place(ansatz, self.device, self.settings), self.jobs)
        return self._compiled[ansatz]

    def seconds_left(self) -> float | None:
        """QPU seconds left in the account; None if there is no limit, or the service does not say."""
        return None if self.jobs.connection.service is None else seconds_left(self.jobs.connection.service)

    def settle(self) -> None:
        """Note in the journal what ended jobs billed, of which it was not known."""
        self.jobs.settle()

    def reconcile(self) -> None:
        """Note and cancel jobs of the record that the service has twice, and :meth:`settle`."""
        self.jobs.reconcile()

    def close(self) -> None:
        """End the session, if there is one; the next job opens another."""
        self.jobs.close()


class DeviceSampler:
    """A placed ansatz on a QPU."""

    def __init__(self, placement: Placement, jobs: Jobs) -> None:
        self.placement = placement
        self.ansatz = placement.ansatz
        self.jobs = jobs
        self.journal = jobs.journal
        self._is_tested = False

    @property
    def circuit(self) -> QuantumCircuit:
        return self.placement.circuit

    def describe(self) -> dict[str, Any]:
        settings = self.placement.settings
        facts = {"name": self.placement.chip.name, "method": "qpu", "noise": "the device", "mode": settings.mode}
        applied = {"dynamical_decoupling": settings.dynamical_decoupling, "twirling": settings.twirling}
        return facts | applied | self.placement.describe()

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Bits of each row; the number of shots is the one really taken.

        Raises:
            BackendError: if a job or the service fails, or the device does not pass its test. The ids of the jobs, if
                they got any, are in the journal.
            Detached: if jobs are not to be waited for, and have not ended.
            BudgetExceeded: if what remains of the budget does not allow a job.
        """
        num_parameters, num_qubits = self.ansatz.num_parameters, self.ansatz.num_qubits
        check_request(thetas, num_parameters, num_qubits, shots)
        self._test(key.run)
        num_tiles = len(self.placement.tiles)
        plan = arrange_rows(len(thetas), group, num_tiles)
        angles = thetas[plan.rows].reshape(plan.num_executions, num_tiles * num_parameters)
        task = self.placement.task(len(thetas), group, shots)
        divided = parts(task, self.placement.chip)
        if len(divided) == 1:  # of one job, the caller keeps the samples
            jobs = self._run([angles], task.shots_taken, [key.tag])
        else:
            tags = [f"{key.tag}:{number}" for number in range(len(divided))]
            jobs = self._kept([angles[part] for part in divided], task.shots_taken, tags)
        bits = self._by_tile(np.concatenate([job.bits for job in jobs]))
        seconds = [job.seconds for job in jobs]
        return plan.samples(
            bits,
            job_ids=tuple(job.job_id for job in jobs),
            qpu_seconds=None if None in seconds else sum(second for second in seconds if second),
            readout_counts=self._readout_counts(jobs),
            folded=self.placement.folded,
            executed=plan.num_executions + sum(len(job.calibration) for job in jobs),
        )

    def _by_tile(self, bits: Bits) -> Bits:
        """Measured bits as ``[num_executions, num_tiles, shots, num_qubits]``, the last CX brick applied."""
        num_tiles, num_qubits = len(self.placement.tiles), self.ansatz.num_qubits
        own = bits.reshape(*bits.shape[:2], num_tiles, num_qubits).swapaxes(1, 2)
        return self.ansatz.relabel(own) if self.placement.folded else own

    def _test(self, run: str) -> None:
        """Refuse a device that takes angles or returns bits in another order; costs a job, once a record."""
        earlier = [] if self.journal is None else self.journal.history().self_tests()
        if self._is_tested or self.jobs.connection.service is None or not is_due(earlier):
            return
        num_tiles = len(self.placement.tiles)
        thetas, expected = known_outcomes(self.ansatz, ROWS * num_tiles)
        angles = thetas.reshape(ROWS, num_tiles * self.ansatz.num_parameters)
        (job,) = self._run([angles], SHOTS, [f"qhn:{run}:test:{len(earlier)}"], calibrate=False)
        wrong = complaint(self._by_tile(job.bits), expected.reshape(ROWS, num_tiles, -1))
        if self.journal is not None:
            self.journal.append(Entry(Event.SELF_TEST, job_id=job.job_id, complaint=wrong, versions=versions()))
        if wrong is not None:
            raise BackendError(
                f"{self.placement.chip.name} did not pass the self-test before the first step: {wrong}; install "
                "qiskit and qiskit-ibm-runtime as qhn requires them, then qhn resume"
            )
        self._is_tested = True

    def _kept(self, angles: list[Floats], shots: int, tags: list[str]) -> list[JobResult]:
        """What came of jobs; one whose bits are in the journal is not run again."""
        found: dict[int, JobResult] = {}
        if self.journal is not None:
            for number, tag in enumerate(tags):
                stored = self.journal.kept(tag, self._digest(angles[number], shots))
                if stored is not None:
                    found[number] = JobResult.from_arrays(stored)
        missing = [number for number in range(len(tags)) if number not in found]
        ran = self._run([angles[n] for n in missing], shots, [tags[n] for n in missing], keep=True)
        found |= dict(zip(missing, ran, strict=True))
        return [found[number] for number in range(len(tags))]

    def _run(
        self, angles: list[Floats], shots: int, tags: list[str], *, keep: bool = False, calibrate: bool = True
    ) -> list[JobResult]:
        """Jobs, each of some rows of angles of all tiles and the calibration; the journal can keep their bits."""
        calibration = self.placement.calibration if calibrate else []
        requests = [self._request(rows, shots, tag, calibration) for rows, tag in zip(angles, tags, strict=True)]

        def read(number: int, result: Any, job_id: str, seconds: float | None) -> JobResult:
            counted = [read_bits(result, index) for index in range(1, 1 + len(calibration))]
            job = JobResult(read_bits(result), counted, job_id, seconds)
            check_shape(job, len(angles[number]), shots, len(self.placement.tiles) * self.ansatz.num_qubits)
            if keep and self.journal is not None:
                self.journal.keep(tags[number], requests[number].digest, job.arrays())
            return job

        return self.jobs.run(requests, read)

    def _request(self, angles: Floats, shots: int, tag: str, calibration: list[QuantumCircuit]) -> Request:
        pubs = [publish(self.circuit, angles), *((circuit,) for circuit in calibration)]
        circuits = len(angles) + len(calibration)
        return Request(
            tag=tag,
            digest=self._digest(angles, shots, len(calibration)),
            rows=circuits,
            shots=shots,
            price_seconds=self.placement.job_seconds(circuits, shots),
            submit=lambda mode, tags, execution_limit: Sampler(
                mode=mode, options=self._options(tags, execution_limit)
            ).run(pubs, shots=shots),
        )

    def _digest(self, angles: Floats, shots: int, calibrations: int | None = None) -> str:
        """Names what a job measures: angles, shots, and on which qubits it does."""
        number = len(self.placement.calibration) if calibrations is None else calibrations
        asked = repr((self.placement.qubits, self.placement.folded, shots, number))
        return hashlib.sha256(angles.tobytes() + asked.encode()).hexdigest()

    def _options(self, tags: list[str], execution_limit: int) -> dict[str, Any]:
        """Of the client; never private, for then results could be read only once."""
        settings = self.placement.settings
        options: dict[str, Any] = {
            "environment": {"job_tags": tags, "private": False},
            "max_execution_time": min(execution_limit, int(MAX_JOB_SECONDS)),
            "execution": {"rep_delay": settings.rep_delay},
        }
        if settings.dynamical_decoupling != "none":
            options["dynamical_decoupling"] = {"enable": True, "sequence_type": settings.dynamical_decoupling}
        if settings.twirling:
            options["twirling"] = {"enable_gates": True, "enable_measure": False}
        return options

    def _readout_counts(self, jobs: list[JobResult]) -> ReadoutCounts | None:
        """Errors of all jobs' calibration circuits."""
        if not self.placement.settings.calibrate:
            return None
        shape = (len(self.placement.tiles), self.ansatz.num_qubits)
        zeros, ones = (np.concatenate([job.calibration[state] for job in jobs]) for state in (0, 1))
        counts = np.stack([zeros.sum(axis=0, dtype=np.int64), (1 - ones).sum(axis=0, dtype=np.int64)], axis=-1)
        return ReadoutCounts(counts.reshape(*shape, 2), len(zeros), self.placement.qubits)


def check_shape(job: JobResult, rows: int, shots: int, width: int) -> None:
    """Refuse bits that are not as many as were asked for; more shots are, if the service rounded them up.

    Raises:
        ValueError: naming both.
    """
    taken = job.bits.shape[1] if job.bits.ndim == 3 else 0
    if job.bits.shape != (rows, taken, width) or taken < shots:
        raise QhnError(f"asked for bits [{rows}, {shots}, {width}], got {list(job.bits.shape)}")
    if any(counted.shape != (taken, width) for counted in job.calibration):
        raise QhnError(f"the calibration circuits have other bits than [{taken}, {width}]")


@dataclass(frozen=True)
class JobResult:
    """What came of a job: bits ``[num_executions, shots, num_tiles·num_qubits]``, of its calibration circuits
    ``[shots, num_tiles·num_qubits]``, its id, and billed seconds.
    """

    bits: Bits
    calibration: list[Bits]
    job_id: str
    seconds: float | None

    def arrays(self) -> dict[str, Any]:
        """Everything as arrays for an ``.npz`` file."""
        return {
            "bits": np.packbits(self.bits, axis=-1),
            "calibration": np.packbits(np.array(self.calibration, dtype=np.uint8), axis=-1),
            "width": np.array(self.bits.shape[-1]),
            "job_id": np.array(self.job_id),
            "qpu_seconds": np.array(np.nan if self.seconds is None else self.seconds),
        }

    @classmethod
    def from_arrays(cls, stored: Mapping[str, Any]) -> JobResult:
        """The inverse of :meth:`arrays`."""
        width, seconds = int(stored["width"]), float(stored["qpu_seconds"])
        bits, calibration = (
            np.unpackbits(stored[name], axis=-1, count=width if stored[name].size else None)
            for name in ("bits", "calibration")
        )
        return cls(bits, list(calibration), str(stored["job_id"]), None if np.isnan(seconds) else seconds)
