"""QPUs of IBM, through the account that Qiskit has saved.

Credentials come only from Qiskit's own account file or environment; error texts name the kind of failure, never what
the service said, because its answers can hold account data.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit.providers.exceptions import QiskitBackendNotFoundError
from qiskit_ibm_runtime.executor_sampler import Sampler

from qhn.ansatz import Ansatz
from qhn.backend.account import connect
from qhn.backend.aer import publish, read_bits
from qhn.backend.jobs import Jobs, Request
from qhn.backend.placement import Placement, place
from qhn.backend.qpu_time import MAX_JOB_SECONDS, parts, price
from qhn.backend.sampler import BackendError, Journal, check_request
from qhn.backend.settings import DeviceSettings
from qhn.backend.tiles import arrange
from qhn.bitstrings import Bits
from qhn.samples import Flips, Samples
from qhn.seeds import Key

Floats = NDArray[np.float64]
FENCE = 2  # times its price, after which the service ends a job


def device_of(name: str) -> BackendV2:
    """The QPU of that name, through the saved Qiskit account.

    Raises:
        ValueError: if there is no account, it is refused, or it does not reach that device.
        BackendError: if the service cannot be reached.
    """
    service = connect()
    try:
        return service.backend(name)
    except QiskitBackendNotFoundError:  # the client also says so when the service does not answer
        if _is_listed(service, name):
            raise BackendError(f"the IBM service did not describe {name}; try again later") from None
        raise ValueError(f"the account does not reach a device {name!r}; qhn doctor lists those it does") from None
    except Exception as error:
        raise BackendError(f"the IBM service did not describe {name} ({type(error).__name__})") from None


def _is_listed(service: Any, name: str) -> bool:
    """Whether the account reaches the device, or no list of devices can be had."""
    try:
        names = [device.name for device in service.backends()]
    except Exception:
        return True
    return not names or name in names


def open_device(name: str, settings: DeviceSettings, journal: Journal | None = None) -> Device:
    """The QPU of that name, to run on.

    Raises:
        ValueError, BackendError: as :func:`device_of`.
    """
    return Device(device_of(name), settings, journal)


class Device:
    """A QPU. A call is one job, or several if it exceeds the service's limits, in job mode.

    The tag of each job, its id and its outcome go to the journal as they happen.
    """

    paid = True

    def __init__(
        self, device: BackendV2, settings: DeviceSettings | None = None, journal: Journal | None = None
    ) -> None:
        self.device = device
        self.settings = settings or DeviceSettings()
        self.journal = journal
        self.name: str = device.name
        self._compiled: dict[Ansatz, DeviceSampler] = {}

    def compile(self, ansatz: Ansatz) -> DeviceSampler:
        """A sampler of the ansatz on the best qubits; the second time the same one.

        Raises:
            ValueError: if the device has too few usable qubits.
            BackendError: if the service does not describe it.
        """
        try:
            _ = self.device.target  # fetched from the service when first asked for
        except Exception as error:
            raise BackendError(f"the IBM service did not describe {self.name} ({type(error).__name__})") from None
        if ansatz not in self._compiled:
            self._compiled[ansatz] = DeviceSampler(place(ansatz, self.device, self.settings), self.journal)
        return self._compiled[ansatz]


class DeviceSampler:
    """A placed ansatz on a QPU."""

    def __init__(self, placement: Placement, journal: Journal | None) -> None:
        self.placement = placement
        self.ansatz = placement.ansatz
        self.journal = journal

    @property
    def circuit(self) -> QuantumCircuit:
        return self.placement.circuit

    def describe(self) -> dict[str, Any]:
        settings = self.placement.settings
        facts = {"name": self.placement.chip.name, "method": "qpu", "noise": "the device"}
        applied = {"dynamical_decoupling": settings.dynamical_decoupling, "twirling": settings.twirling}
        return facts | applied | self.placement.describe()

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Bits of each row; the number of shots is the one really taken.

        Raises:
            BackendError: if a job or the service fails. The ids of the jobs, if they got any, are in the journal.
        """
        num_parameters, num_qubits = self.ansatz.num_parameters, self.ansatz.num_qubits
        check_request(thetas, num_parameters, num_qubits, shots)
        num_tiles = len(self.placement.tiles)
        plan = arrange(len(thetas), group, num_tiles)
        angles = thetas[plan.rows].reshape(plan.num_executions, num_tiles * num_parameters)
        task = self.placement.task(len(thetas), group, shots)
        divided = parts(task, self.placement.chip)
        fence = math.ceil(FENCE * price(task, self.placement.chip).seconds / len(divided))
        fence = min(fence, int(MAX_JOB_SECONDS))
        run = self._run if len(divided) == 1 else self._kept  # of one job, the caller keeps the samples
        jobs = [
            run(angles[part], task.shots_taken, fence, key.tag if len(divided) == 1 else f"{key.tag}:{number}")
            for number, part in enumerate(divided)
        ]
        everything = np.concatenate([job.bits for job in jobs])
        bits = everything.reshape(*everything.shape[:2], num_tiles, num_qubits).swapaxes(1, 2)
        seconds = [job.seconds for job in jobs]
        return plan.samples(
            self.ansatz.relabel(bits) if self.placement.folded else bits,
            job_ids=tuple(job.job_id for job in jobs),
            qpu_seconds=None if None in seconds else sum(second for second in seconds if second),
            flips=self._flips(jobs),
            folded=self.placement.folded,
            executed=plan.num_executions + sum(len(job.calibration) for job in jobs),
        )

    def _kept(self, angles: Floats, shots: int, fence: int, tag: str) -> Job:
        """What came of a job, which is not run again if its bits are in the journal."""
        digest = self._digest(angles, shots)
        stored = None if self.journal is None else self.journal.kept(tag, digest)
        if stored is not None:
            return Job.from_arrays(stored)
        job = self._run(angles, shots, fence, tag)
        if self.journal is not None:
            self.journal.keep(tag, digest, job.arrays())
        return job

    def _run(self, angles: Floats, shots: int, fence: int, tag: str) -> Job:
        """One job: rows of angles of all tiles, and the calibration."""
        device = self.placement.device
        pubs = [publish(self.circuit, angles), *((circuit,) for circuit in self.placement.calibration)]
        circuits = len(angles) + len(pubs) - 1
        request = Request(
            tag=tag,
            digest=self._digest(angles, shots),
            rows=circuits,
            shots=shots,
            price_seconds=self.placement.job_seconds(circuits, shots),
            submit=lambda tags: Sampler(mode=device, options=self._options(tags, fence)).run(pubs, shots=shots),
        )
        name = self.placement.chip.name
        job, result = Jobs(getattr(device, "service", None), name, self.journal).run(request)
        bits = read_bits(result)
        calibration = [read_bits(result, index) for index in range(1, len(pubs))]
        seconds = _billed_seconds(job)
        if self.journal is not None:
            self.journal.append({"event": "done", "tag": tag, "job_id": job.job_id(), "qpu_seconds": seconds})
        return Job(bits, calibration, job.job_id(), seconds)

    def _digest(self, angles: Floats, shots: int) -> str:
        """Names what a job measures: angles, shots, and on which qubits it does."""
        asked = repr((self.placement.qubits, self.placement.folded, shots, len(self.placement.calibration)))
        return hashlib.sha256(angles.tobytes() + asked.encode()).hexdigest()

    def _options(self, tags: list[str], fence: int) -> dict[str, Any]:
        settings = self.placement.settings
        options: dict[str, Any] = {
            "environment": {"job_tags": tags},
            "max_execution_time": fence,
            "execution": {"rep_delay": settings.rep_delay},
        }
        if settings.dynamical_decoupling != "none":
            options["dynamical_decoupling"] = {"enable": True, "sequence_type": settings.dynamical_decoupling}
        if settings.twirling:
            options["twirling"] = {"enable_gates": True, "enable_measure": False}
        return options

    def _flips(self, jobs: list[Job]) -> Flips | None:
        """Errors of all jobs' calibration circuits."""
        if not self.placement.settings.calibrate:
            return None
        shape = (len(self.placement.tiles), self.ansatz.num_qubits)
        zeros, ones = (np.concatenate([job.calibration[state] for job in jobs]) for state in (0, 1))
        counts = np.stack([zeros.sum(axis=0, dtype=np.int64), (1 - ones).sum(axis=0, dtype=np.int64)], axis=-1)
        return Flips(counts.reshape(*shape, 2), len(zeros), self.placement.qubits)


@dataclass(frozen=True)
class Job:
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
    def from_arrays(cls, stored: Mapping[str, Any]) -> Job:
        """The inverse of :meth:`arrays`."""
        width, seconds = int(stored["width"]), float(stored["qpu_seconds"])
        bits, calibration = (
            np.unpackbits(stored[name], axis=-1, count=width if stored[name].size else None)
            for name in ("bits", "calibration")
        )
        return cls(bits, list(calibration), str(stored["job_id"]), None if np.isnan(seconds) else seconds)


def _billed_seconds(job: Any) -> float | None:
    """QPU seconds of a finished job; None if the service does not say, or not yet, which must not cost the bits.

    The client's own ``usage()`` is 0 until the bill is known.
    """
    try:
        billed = float(job.usage())
        pending = billed == 0 and dict(job.metrics()).get("usage", {}).get("status", "pending") == "pending"
        return None if pending else billed
    except Exception:
        return None
