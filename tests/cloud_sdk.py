"""A stand-in of a vendor's client: eight ions, all coupled, counts alone, and no more than three circuits a job."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, ClassVar

from qiskit import QuantumCircuit
from qiskit.circuit import Measure, Parameter
from qiskit.circuit.library import RXGate, RXXGate, RYGate, RZGate
from qiskit.providers import BackendV2, JobStatus, JobV1, Options
from qiskit.result import Result
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator

NUM_QUBITS, MAX_CIRCUITS = 8, 3


class CloudJob(JobV1):  # type: ignore[misc]
    """A job that is queued while the service is paused, and done from then on."""

    def __init__(self, backend: BackendV2, job_id: str, circuits: Sequence[QuantumCircuit], shots: int) -> None:
        super().__init__(backend, job_id)
        self.circuits, self.shots, self.is_cancelled = list(circuits), shots, False

    def submit(self) -> None: ...

    def status(self) -> JobStatus:
        if self.is_cancelled:
            return JobStatus.CANCELLED
        return JobStatus.QUEUED if Cloud.is_paused else JobStatus.DONE

    def cancel(self) -> None:
        self.is_cancelled = True

    def result(self) -> Result:
        assert self.status() is JobStatus.DONE
        found = AerSimulator(seed_simulator=int(self.job_id())).run(self.circuits, shots=self.shots).result()
        rows = [
            {
                "shots": self.shots,
                "success": True,
                "data": {"counts": {hex(int(text, 2)): count for text, count in found.get_counts(number).items()}},
                "header": {"memory_slots": circuit.num_clbits, "creg_sizes": [["meas", circuit.num_clbits]]},
            }
            for number, circuit in enumerate(self.circuits)
        ]
        facts = {"backend_name": "ion", "backend_version": "1", "job_id": self.job_id(), "success": True}
        return Result.from_dict(facts | {"results": rows})


class CloudBackend(BackendV2):  # type: ignore[misc]
    """A machine that names no qubits in its target: every gate goes with all of them."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        super().__init__(name=name)
        self.cloud, angle = cloud, Parameter("angle")
        self._target = Target(num_qubits=NUM_QUBITS)
        for gate in (RZGate(angle), RXGate(angle), RYGate(angle), RXXGate(angle), Measure()):
            self._target.add_instruction(gate)

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> int:
        return MAX_CIRCUITS

    @classmethod
    def _default_options(cls) -> Options:
        return Options()

    def run(self, run_input: Sequence[QuantumCircuit], *, shots: int) -> CloudJob:
        assert len(run_input) <= MAX_CIRCUITS
        job = CloudJob(self, str(next(self.cloud.numbers)), run_input, shots)
        self.cloud.jobs[job.job_id()] = job
        return job

    def retrieve_job(self, job_id: str) -> CloudJob:
        return self.cloud.jobs[job_id]


class Cloud:
    """The vendor's service; all objects of it are one service."""

    jobs: ClassVar[dict[str, CloudJob]] = {}
    numbers: ClassVar[Any] = itertools.count(1000)
    is_paused: ClassVar[bool] = False

    def backend(self, name: str) -> CloudBackend:
        """The machine of a name."""
        return CloudBackend(self, name)
