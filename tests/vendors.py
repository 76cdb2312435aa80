"""Machines of made-up vendors: ones that answer in any way, and a cloud whose jobs outlive the process."""

from __future__ import annotations

import json
import os
import signal
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2, JobError, JobStatus, JobTimeoutError, Options
from qiskit.result import Result
from qiskit.transpiler import Target
from qiskit_aer import AerSimulator

import qhn
from qhn.seeds import Key

Change = Callable[[dict[str, Any]], dict[str, Any]]
KEY, SHOTS = Key(3, run="r"), 200


class Job:
    """A job that is done, whose result a function makes."""

    def __init__(self, make: Callable[[], Any], job_id: Any = "j1", status: Any = JobStatus.DONE) -> None:
        self._make, self._id, self._status = make, job_id, status

    def job_id(self) -> Any:
        return self._id

    def status(self) -> Any:
        return self._status

    def result(self) -> Any:
        return self._make()

    def cancel(self) -> None: ...


class Own(BackendV2):
    """Five qubits in an ideal simulation, without a calibration.

    Args:
        change: changes what the result says, as a dictionary.
        name: name of the machine.
        most: largest number of circuits of a job.
        answer: makes the job, from a function that makes its result.
    """

    def __init__(
        self,
        change: Change | None = None,
        *,
        name: str | None = "own",
        most: int | None = None,
        answer: Callable[[Callable[[], Any]], Any] = Job,
    ) -> None:
        super().__init__(name=name)
        self._target = Target(num_qubits=5)
        gates = get_standard_gate_name_mapping()
        for gate in ("rz", "ry", "sx", "x", "cx", "measure"):
            self._target.add_instruction(gates[gate], name=gate)
        self._change, self._most, self._answer = change, most, answer
        self.calls: list[tuple[int, dict[str, Any]]] = []

    @property
    def target(self) -> Target:
        return self._target

    @property
    def max_circuits(self) -> int | None:
        return self._most

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, memory=False, seed_simulator=None)

    def run(self, circuits: Sequence[QuantumCircuit], **options: Any) -> Any:
        self.calls.append((len(circuits), options))

        def make() -> Any:
            found = AerSimulator().run(circuits, **options).result()
            return found if self._change is None else Result.from_dict(self._change(found.to_dict()))

        return self._answer(make)


def bits_of(machine: object, num_qubits: int = 3, rows: int = 2, shots: int = SHOTS) -> np.ndarray:
    """The bits of a few random angles on a machine."""
    circuit = qhn.hypernetwork(num_qubits, 1)
    thetas = np.random.default_rng(1).uniform(-3, 3, (rows, circuit.num_parameters))
    return qhn.open_backend(machine).compile(circuit).sample(thetas, shots, KEY).bits


def each(change: Callable[[dict[str, Any], int], object]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """A change of the entry of each circuit."""

    def of_all(tree: dict[str, Any]) -> dict[str, Any]:
        for number, entry in enumerate(tree["results"]):
            change(entry, number)
        return tree

    return of_all


def fewer(entry: dict[str, Any], number: int) -> None:
    entry["data"]["memory"] = entry["data"]["memory"][:70]


CLOUD = "QHN_TEST_CLOUD"  # the folder of a cloud's jobs
TROUBLE = "QHN_TEST_TROUBLE"  # kill-, fail- or time-out-at-result, fail- or time-out-at-run, unreachable, or a state
# and as clients of a network raise: unreachable-wrapped, -torn, -overloaded, -timeout
SECRET = "account 17, token=sesame"


class CloudJob:
    """A job of the cloud, which is a file."""

    def __init__(self, job_id: str) -> None:
        self._id = job_id

    def job_id(self) -> str:
        return self._id

    def status(self) -> Any:
        trouble = os.environ.get(TROUBLE, "")
        return trouble.removeprefix("state-") if trouble.startswith("state-") else JobStatus.DONE

    def result(self) -> Result:
        trouble = os.environ.get(TROUBLE)
        if trouble == "kill-at-result":
            os.kill(os.getpid(), signal.SIGKILL)
        if trouble in ("fail-at-result", "state-FAILED"):
            raise RuntimeError(SECRET)
        if trouble == "time-out-at-result":
            raise TimeoutError(SECRET)
        return Result.from_dict(json.loads((Path(os.environ[CLOUD]) / f"{self._id}.json").read_text()))

    def cancel(self) -> None: ...


class Cloud(Own):
    """A machine that bills, and cannot find a job again."""

    @classmethod
    def _default_options(cls) -> Options:
        return Options(shots=1024, memory=False)

    def run(self, circuits: Sequence[QuantumCircuit], **options: Any) -> CloudJob:
        trouble = os.environ.get(TROUBLE)
        if trouble == "fail-at-run":
            raise RuntimeError(SECRET)
        if trouble == "time-out-at-run":
            raise TimeoutError(SECRET)
        folder, job_id = Path(os.environ[CLOUD]), f"c{uuid.uuid4().hex[:8]}"
        folder.mkdir(exist_ok=True)
        seed = len(submitted(folder))
        found = AerSimulator().run(circuits, **options, seed_simulator=seed).result()
        (folder / f"{job_id}.json").write_text(json.dumps(found.to_dict(), default=str))
        with (folder / "log").open("a") as log:
            log.write(f"{job_id}\n")
        return CloudJob(job_id)


class FindingCloud(Cloud):
    """A machine that bills, and finds jobs by their ids."""

    def retrieve_job(self, job_id: str) -> CloudJob:
        trouble = os.environ.get(TROUBLE, "")
        if trouble.startswith("unreachable"):
            raise_unreachable(trouble.removeprefix("unreachable").strip("-"))
        if not (Path(os.environ[CLOUD]) / f"{job_id}.json").exists():
            raise KeyError(SECRET)
        return CloudJob(job_id)


class Overloaded(JobError):  # type: ignore[misc]  # qiskit has no types
    status_code = 503


def raise_unreachable(how: str) -> None:
    """Raise what clients do that have no answer; few of their exceptions are an OSError themselves."""
    if how == "torn":
        json.loads("<html>")
    if how == "overloaded":
        raise Overloaded(SECRET)
    if how == "timeout":
        raise JobTimeoutError(SECRET)
    try:
        raise ConnectionError(SECRET)
    except ConnectionError as error:
        if how == "wrapped":
            raise RuntimeError(SECRET) from error
        raise


def submitted(folder: Path) -> list[str]:
    """The ids of all jobs that the cloud was asked to run."""
    log = folder / "log"
    return log.read_text().split() if log.exists() else []


MODULE = """
from qhn.backend import LayoutSettings, Machine
from vendors import Cloud, FindingCloud

def finds(name, settings, journal):
    return FindingCloud(name=name)

def loses(name, settings, journal):
    return Cloud(name=name)

finding = Machine("finding", "{module}:finds", LayoutSettings, bills=True)
losing = Machine("losing", "{module}:loses", LayoutSettings, bills=True)
"""  # of a plug-in that brings the cloud

MINE = "from vendors import Own\n\ndef make():\n    return Own()\n"  # a module of the user's own
