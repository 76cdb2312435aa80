"""Programs that the client sends: run by its own local executor, with bits that depend on nothing but the program."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from math import prod
from typing import Any

import numpy as np
from ibm_quantum_schemas.common import CompressedTensorModel
from ibm_quantum_schemas.executor import version_2_0 as schema
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2
from qiskit_aer import AerSimulator
from qiskit_ibm_runtime.fake_provider.executor.run_quantum_program import run_quantum_program
from qiskit_ibm_runtime.options_models.simulator import SimulatorOptions
from qiskit_ibm_runtime.quantum_program.converters.converters_2_0 import (
    passthrough_data_to_2_0,
    quantum_program_from_2_0,
)
from qiskit_ibm_runtime.utils.utils import is_isa_circuit

from qhn.backend.rehearsal import stored_device

from .clock import Clock

FINAL = ("Completed", "Failed", "Cancelled")
NOT_ISA, OVERTIME = 1517, 1305


@dataclass
class Job:
    """A job as the service knows it.

    Attributes:
        job_id: its name.
        request: what the client sent.
        created: when, in seconds since 1970.
        fate: how it will end, if not as usual: ``"fail"``, ``"cancel"`` or ``"overtime"``.
        status: Queued, Running or one of ``FINAL``.
        reason, code: why it ended otherwise.
        ended: when.
        seconds: billed.
        looks: how often a client was told of its state.
        unheard: the fault by which the client did not get the answer to its POST, if it did not.
        result: JSON text.
        clock: says when it ends, and whether its bill is known.
    """

    job_id: str
    request: dict[str, Any]
    created: float
    fate: str | None = None
    status: str = "Queued"
    reason: str | None = None
    code: int | None = None
    ended: float | None = None
    seconds: float = 0.0
    looks: int = 0
    unheard: str = ""
    result: str = field(default="", repr=False)
    clock: Clock = field(default_factory=Clock, repr=False)

    @property
    def tags(self) -> list[str]:
        return list(self.request.get("tags", ()))

    @property
    def backend(self) -> str:
        return str(self.request["backend"])

    def end(self, status: str, reason: str | None = None, code: int | None = None) -> None:
        self.status, self.reason, self.code, self.ended = status, reason, code, self.clock.now()

    def run(self, job_seconds: float, *, reversed_bits: bool = False) -> None:
        """Bring it to its end; ``job_seconds`` are billed beside its shots."""
        if self.fate == "cancel":
            return self.end("Cancelled", "cancelled by the operator")
        if self.fate == "fail":
            self.seconds = job_seconds
            return self.end("Failed", "internal error", 9999)
        try:
            self.result, self.seconds = execute(self.request["params"], self.backend, reversed_bits=reversed_bits)
            self.seconds += job_seconds
        except Exception as error:
            return self.end("Failed", f"{type(error).__name__}: {error}", NOT_ISA if "ISA" in str(error) else 9999)
        limit = self.request.get("cost")
        if self.fate == "overtime" or (limit is not None and self.seconds > limit):
            self.result, self.seconds = "", min(self.seconds, limit or np.inf)
            return self.end("Cancelled", "ran longer than maximum execution time", OVERTIME)
        return self.end("Completed")

    def to_json(self, *, with_params: bool) -> dict[str, Any]:
        """The answer to GET jobs/{id}."""
        state = {"status": self.status} | ({"reason": self.reason, "reason_code": self.code} if self.reason else {})
        tree = {
            "id": self.job_id,
            "backend": self.backend,
            "state": state,
            "status": self.status,
            "created": timestamp(self.created),
            "program": {"id": self.request["program_id"]},
            "tags": self.tags,
            "session_id": self.request.get("session_id"),
            "cost": self.request.get("cost"),
            "private": self.request.get("private", False),
        }
        return tree | ({"params": self.request["params"]} if with_params else {})

    def metrics(self, billing_seconds: float) -> dict[str, Any]:
        """The answer to GET jobs/{id}/metrics; the client reads 0 seconds as long as the usage is pending."""
        known = self.ended is not None and self.clock.now() >= self.ended + billing_seconds
        usage = {"qpu_charge_time_seconds": self.seconds, "status": "complete" if known else "pending"}
        began = self.ended if self.seconds else None
        times = {"created": self.created, "running": began, "finished": self.ended}
        return {"timestamps": {name: timestamp(at) for name, at in times.items() if at}, "usage": usage}


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def real_name(stored: str) -> str:
    """What a stored device is called by the service."""
    return stored.replace("fake_", "ibm_", 1)


class Simulator(AerSimulator):
    """The client's executor copies its simulator for every program, which takes longer than to run it."""

    def __deepcopy__(self, memo: Any) -> Simulator:
        return self


@cache
def opened(backend: str) -> tuple[BackendV2, Simulator]:
    """A device, and Aer with its noise; takes a second, once."""
    device = stored_device(backend.replace("ibm_", "fake_", 1))
    return device, Simulator.from_backend(device)


def execute(params: dict[str, Any], backend: str, *, reversed_bits: bool = False) -> tuple[str, float]:
    """The result of an executor program as JSON text, and the QPU seconds that its shots take.

    Raises:
        ValueError: if a circuit is not one that the device takes.
    """
    model = schema.ParamsModel.model_validate_json(json.dumps(params))
    program, options = quantum_program_from_2_0(model)
    device, simulator = opened(backend)
    sizes, seconds = [], 0.0
    digest = hashlib.sha256(f"{backend} {program.shots}".encode())
    rep_delay = options.execution.rep_delay or device.configuration().default_rep_delay
    for item, sent in zip(program.items, model.quantum_program.items, strict=True):
        twirled = sent.item_type == "samplex"
        if twirled:
            item.samplex.finalize()
        if complaint := is_isa_circuit(item.circuit, device.target):
            raise ValueError(f"not an ISA circuit: {complaint}")
        sizes.append(tuple(item.shape) if twirled else item.circuit_arguments.shape[:-1])
        seconds += (rep_delay + item.circuit.estimate_duration(device.target)) * program.shots * prod(sizes[-1])
        angles = item.samplex_arguments.get("parameter_values", ()) if twirled else item.circuit_arguments
        digest.update(f"{gates(item.circuit)} {sizes[-1]}".encode() + np.asarray(angles).tobytes())
    seed = int.from_bytes(digest.digest()[:4], "little") or 1  # the client takes 0 for none
    result = run_quantum_program(simulator, program, SimulatorOptions(seed_simulator=seed))
    now = datetime.now(UTC)
    parts = [
        schema.models.ChunkPart(
            idx_item=i, size=prod(size), permutation=list(range(len(size))), element_range=(0, prod(size), 1)
        )
        for i, size in enumerate(sizes)
    ]
    answer = schema.QuantumProgramResultModel(
        data=[
            schema.QuantumProgramResultItemModel(
                results={
                    name: CompressedTensorModel.from_numpy(array[..., ::-1] if reversed_bits else array)
                    for name, array in item.items()
                },
                metadata=schema.models.ItemMetadataModel(),
            )
            for item in result
        ],
        metadata=schema.MetadataModel(chunk_timing=[schema.models.ChunkSpan(start=now, stop=now, parts=parts)]),
        passthrough_data=passthrough_data_to_2_0(result.passthrough_data),
        semantic_role=program._semantic_role,
    )
    return answer.model_dump_json(), seconds


def gates(circuit: QuantumCircuit) -> list[tuple[Any, ...]]:
    """What a circuit does; its file would hold the random identities of parameters too."""
    return [
        (step.name, [circuit.find_bit(bit).index for bit in (*step.qubits, *step.clbits)], [*map(str, step.params)])
        for step in circuit
    ]
