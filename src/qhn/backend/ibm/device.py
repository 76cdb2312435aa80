"""IBM's QPUs, reached through the account that Qiskit has saved.

Credentials come only from Qiskit's own account file or environment; error texts name the kind of failure, never what
the service said, because its answers can hold account data.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qhn.arrays import Bits, Floats
from qhn.backend.aer import publish
from qhn.backend.bound import CircuitPrice, CircuitSamples
from qhn.backend.device.bound_placement import CircuitPlacer
from qhn.backend.device.placement import Placement, place
from qhn.backend.device.price import parts
from qhn.backend.device.tiles import arrange_rows
from qhn.backend.ibm.account import account_device, seconds_left, silent
from qhn.backend.ibm.connection import Connection
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError, check_request
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.backend.service.bound import BoundSampler
from qhn.backend.service.jobs import Jobs
from qhn.backend.service.selftest import BARE, SHOTS, SelfTest, complaint
from qhn.backend.service.submission import Client, IbmClient, JobResult, Submission, billed_seconds, run_all, tags_of
from qhn.backend.service.tested import SelfTests
from qhn.backend.settings import DeviceSettings, Settings
from qhn.backend.terms import Terms
from qhn.circuit.ansatz import GateCircuit
from qhn.seeds import Key


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
    the journal as they happen. Before its first request the device is tested (:mod:`qhn.backend.service.selftest`),
    unless the journal has a passed test with the same package versions; and it is not tested again where a test has
    failed.
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
        self._circuits = BoundSampler(CircuitPlacer(device, self.settings), self.jobs)

    def compile(self, ansatz: GateCircuit) -> DeviceSampler:
        """The sampler of the ansatz on the device's best qubits, made once and then returned again.

        Raises:
            ValueError: if the device has too few usable qubits.
            BackendError: if the service does not return the device's description.
        """
        self._fetch()
        if ansatz not in self._compiled:
            self._compiled[ansatz] = DeviceSampler(place(ansatz, self.device, self.settings), self.jobs)
        return self._compiled[ansatz]

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Measure each bound circuit; the bits are those that the journal has of an earlier process, if it has them.

        Raises:
            ValueError: if the circuits or ``shots`` are refused (:func:`qhn.backend.bound_circuits.check_circuits`), or
                the device cannot execute them.
            BackendError: if a job or the service fails, or the device does not pass its self-test. The journal has the
                ids of all jobs that were accepted.
            Detached: if jobs are not to be waited for, and have not ended.
            BudgetExceeded: if what is left of the budget does not allow a job.
        """
        self._fetch()
        return self._circuits.measure(circuits, shots, key)

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size and the price of each bound circuit, compiled for the device, and that of a self-test if one is due.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, or the device cannot execute them.
            BackendError: if the service does not return the device's description.
        """
        self._fetch()
        return self._circuits.price(circuits, shots)

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The mode, the error suppression applied, the qubits of each circuit and the calibration, as JSON values.

        Raises:
            ValueError: if the device cannot execute the circuits.
            BackendError: if the service does not return the device's description.
        """
        self._fetch()
        return _applied(self.name, self.settings) | self._circuits.placer.describe(circuits)

    def _fetch(self) -> None:
        """Fetch the description of the device from the service, which the client does when it is first asked for.

        Raises:
            BackendError: if the service does not return it.
        """
        try:
            with silent():
                _ = self.device.target
        except Exception as error:
            raise BackendError(f"the IBM service did not describe {self.name} ({type(error).__name__})") from None

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
    """A sampler of an ansatz that is placed on qubits of a device.

    Args:
        placement: the placed ansatz.
        jobs: the jobs of the run.
        client: the client that takes the jobs.
    """

    def __init__(self, placement: Placement, jobs: Jobs, client: Client | None = None) -> None:
        self.placement = placement
        self.ansatz = placement.ansatz
        self.jobs = jobs
        self._client: Client = client or IbmClient()
        self._self_tests = SelfTests(jobs, placement.chip.name)

    @property
    def circuit(self) -> QuantumCircuit:
        """The circuit that the QPU executes: the ansatz compiled onto the qubits of all tiles, with measurements."""
        return self.placement.circuit

    def describe(self) -> dict[str, Any]:
        """The device's name, its mode, the error suppression applied, and the placement, as JSON values."""
        return _applied(self.placement.chip.name, self.placement.settings) | self.placement.describe()

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
        circuits = len(angles) + len(calibration)
        pubs = [publish(self.circuit if circuit is None else circuit, angles), *((one,) for one in calibration)]
        request = self._client.request(
            pubs,
            self.placement.settings,
            tag=tag,
            digest=measured_digest(self.placement, angles, shots, len(calibration)),
            circuits=circuits,
            shots=shots,
            price_seconds=self.placement.job_seconds(circuits, shots),
            seed=seed,
        )

        def read(result: Any) -> tuple[Bits, list[Bits]]:
            first, *others = self._client.bits(result, pubs, shots)
            return first, others

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


def _applied(name: str, settings: DeviceSettings) -> dict[str, Any]:
    """How a device measures: the mode of its jobs and the error suppression."""
    facts = {"name": name, "method": "qpu", "noise": "the device", "mode": settings.mode}
    return facts | {"dynamical_decoupling": settings.dynamical_decoupling, "twirling": settings.twirling}
