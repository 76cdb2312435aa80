"""IBM's QPUs, reached through the account that Qiskit has saved.

Credentials come only from Qiskit's own account file or environment; error texts name the kind of failure, never what
the service said, because its answers can hold account data.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Mapping, Sequence
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
from qhn.backend.history import History
from qhn.backend.ibm.account import account_device, seconds_left, silent
from qhn.backend.ibm.connection import Connection
from qhn.backend.ibm.jobs import Jobs, Request
from qhn.backend.ibm.selftest import BARE, SHOTS, SelfTest, complaint, failed_before, is_due, versions
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError, check_request
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.backend.settings import DeviceSettings, Settings
from qhn.backend.terms import Terms
from qhn.circuit.ansatz import GateCircuit
from qhn.errors import QhnError
from qhn.seeds import Key

REMEDY = (
    "Install qiskit and qiskit-ibm-runtime as qhn requires them, then qhn resume; or pay for another test with "
    "qhn resume --retry-self-test"
)


def open_device(name: str, settings: Settings, journal: Journal | None = None) -> Device:
    """The QPU of the given name, reached through the account.

    Args:
        name: name of the device, for example ``ibm_torino``.
        settings: settings of the device.
        journal: the run's journal, in which jobs are noted; None to note nothing.

    Raises:
        ValueError: if there is no account, it is refused, or it does not have that device.
        BackendError: if the service cannot be reached.
    """
    assert isinstance(settings, DeviceSettings)
    return Device(account_device(name), settings, journal)


class Device:
    """A QPU of IBM: each request is one job, or a batch of several where it exceeds the service's limits.

    A session is opened only if the settings ask for one. The tag of each job, its id and its outcome are written into
    the journal as they happen. Before its first request the device is tested (:mod:`qhn.backend.ibm.selftest`), unless
    the journal has a passed test with the same package versions; and it is not tested again where a test has failed.
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
        self._compiled: dict[GateCircuit, DeviceSampler] = {}

    def compile(self, ansatz: GateCircuit) -> DeviceSampler:
        """The sampler of the ansatz on the device's best qubits, made once and then returned again.

        Raises:
            ValueError: if the device has too few usable qubits.
            BackendError: if the service does not return the device's description.
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
        """Write the bills of finished jobs that were not known before into the journal."""
        self.jobs.settle()

    def reconcile(self) -> None:
        """Note and cancel jobs of this run that the service holds twice, and :meth:`settle`."""
        self.jobs.reconcile()

    def close(self) -> None:
        """End the session, if there is one; the next job opens another."""
        self.jobs.close()


class DeviceSampler:
    """A sampler of an ansatz that is placed on qubits of a QPU."""

    def __init__(self, placement: Placement, jobs: Jobs) -> None:
        self.placement = placement
        self.ansatz = placement.ansatz
        self.jobs = jobs
        self.journal = jobs.journal
        self._is_tested = False

    @property
    def circuit(self) -> QuantumCircuit:
        """The circuit that the QPU executes: the ansatz compiled onto the qubits of all tiles, with measurements."""
        return self.placement.circuit

    def describe(self) -> dict[str, Any]:
        """The device's name, its mode, the error suppression applied, and the placement, as JSON values."""
        settings = self.placement.settings
        facts = {"name": self.placement.chip.name, "method": "qpu", "noise": "the device", "mode": settings.mode}
        applied = {"dynamical_decoupling": settings.dynamical_decoupling, "twirling": settings.twirling}
        return facts | applied | self.placement.describe()

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
        history = History() if self.journal is None else self.journal.history()
        earlier = history.self_tests()
        if self._is_tested or self.jobs.connection.service is None or not is_due(earlier):
            return
        test, tag = SelfTest.of(self.placement), f"qhn:{run}:test:{len(earlier)}"
        digest = self._digest(test.angles, SHOTS, 0)
        if not self.jobs.terms.retry_self_test and not history.is_under_way(tag):
            self._refuse_failed(earlier, digest)
        if test.is_bare:
            self.jobs.terms.tell(f"the self-test measures {BARE}")
        (job,) = self._run([test.angles], SHOTS, [tag], calibrate=False, circuit=test.circuit)
        wrong = complaint(self._by_tile(job.bits), test.expected)
        if self.journal is not None:
            outcome = Entry(
                Event.SELF_TEST,
                job_id=job.job_id,
                digest=digest,
                complaint=wrong,
                versions=versions(),
                device=self.placement.chip.name,
                circuit=BARE if test.is_bare else None,
            )
            self.journal.append(outcome)
        if wrong is not None:
            raise BackendError(
                f"{self.placement.chip.name} did not pass the self-test before the first step: {wrong}. {REMEDY}"
            )
        self._is_tested = True

    def _refuse_failed(self, own: Sequence[Entry], digest: str) -> None:
        """Refuse to pay for a self-test that would fail as an earlier one did.

        Raises:
            BackendError: if there is such an earlier one; the message names its job and time.
        """
        others: list[Entry] = []
        for path in self.jobs.terms.other_journals():
            with contextlib.suppress(ValueError, OSError):  # another run's damage is not this one's
                others += Journal(path).history().self_tests()
        name = self.placement.chip.name
        failed = failed_before(own, others, name, digest)
        if failed is not None:
            where = "" if failed in own else " of another run"
            raise BackendError(
                f"{name} did not pass the self-test{where} ({failed.job_id}, {failed.time}): {failed.complaint}; with "
                f"the same versions it is not paid for again, and nothing was submitted. {REMEDY}"
            )

    def _kept(self, angles: list[Floats], shots: int, tags: list[str]) -> list[JobResult]:
        """The results of several jobs; a job whose bits the journal has is not run again."""
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
        self,
        angles: list[Floats],
        shots: int,
        tags: list[str],
        *,
        keep: bool = False,
        calibrate: bool = True,
        circuit: QuantumCircuit | None = None,
    ) -> list[JobResult]:
        """Run one job for each array of angles, with the calibration circuits.

        Args:
            angles: angles of each job, ``[num_executions, num_tiles·num_parameters]``.
            shots: number of measurements of each circuit.
            tags: name of each job's request.
            keep: whether the journal saves the measured bits.
            calibrate: whether the calibration circuits of the settings are measured, too.
            circuit: another circuit than that of the placement, on the same qubits.
        """
        calibration = self.placement.calibration if calibrate else []
        ran = self.circuit if circuit is None else circuit
        requests = [self._request(ran, rows, shots, tag, calibration) for rows, tag in zip(angles, tags, strict=True)]

        def read(number: int, result: Any, job_id: str, seconds: float | None) -> JobResult:
            counted = [read_bits(result, index) for index in range(1, 1 + len(calibration))]
            job = JobResult(read_bits(result), counted, job_id, seconds)
            check_shape(job, len(angles[number]), shots, len(self.placement.tiles) * self.ansatz.num_qubits)
            if keep and self.journal is not None:
                self.journal.keep(tags[number], requests[number].digest, job.arrays())
            return job

        return self.jobs.run(requests, read)

    def _request(
        self, circuit: QuantumCircuit, angles: Floats, shots: int, tag: str, calibration: list[QuantumCircuit]
    ) -> Request:
        pubs = [publish(circuit, angles), *((circuit,) for circuit in calibration)]
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
        """The hash of everything that a job measures: angles, shots, and the qubits in use."""
        number = len(self.placement.calibration) if calibrations is None else calibrations
        asked = repr((self.placement.qubits, self.placement.folded, shots, number))
        return hashlib.sha256(angles.tobytes() + asked.encode()).hexdigest()

    def _options(self, tags: list[str], execution_limit: int) -> dict[str, Any]:
        """Options of Qiskit's client for a job; never a private one, whose results could be read only once."""
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
        """Readout errors counted in the calibration circuits of all jobs; None if there are none."""
        if not self.placement.settings.calibrate:
            return None
        shape = (len(self.placement.tiles), self.ansatz.num_qubits)
        zeros, ones = (np.concatenate([job.calibration[state] for job in jobs]) for state in (0, 1))
        counts = np.stack([zeros.sum(axis=0, dtype=np.int64), (1 - ones).sum(axis=0, dtype=np.int64)], axis=-1)
        return ReadoutCounts(counts.reshape(*shape, 2), len(zeros), self.placement.qubits)


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


@dataclass(frozen=True)
class JobResult:
    """The result of a job: the measured bits and what they cost.

    Attributes:
        bits: measured bits ``[num_executions, shots, num_tiles·num_qubits]``, qubit 0 of the first tile first.
        calibration: measured bits of each calibration circuit, ``[shots, num_tiles·num_qubits]``.
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
