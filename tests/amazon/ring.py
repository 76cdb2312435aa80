"""A device of Amazon Braket that exists only here: six qubits in a ring, labelled 1 to 6, with IQM's gates and errors.

It is described in the vendor's own schema. Amazon's emulator of it applies the errors that the description reports.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from amazon.alone import client

client()

import networkx as nx  # noqa: E402
from braket.aws import AwsDeviceType  # noqa: E402
from braket.device_schema.iqm import IqmDeviceCapabilities  # noqa: E402
from braket.emulation.local_emulator import LocalEmulator  # noqa: E402

PAIRS = [(1, 2), (2, 3), (3, 4), (4, 5), (5, 6), (6, 1)]
READOUT = {1: 0.05, 2: 0.02, 3: 0.01, 4: 0.03, 5: 0.02, 6: 0.09}  # the best chain of four is 2, 3, 4, 5
GATES = {"one": 0.002, "two": 0.02}
SCHEMA = "braket.device_schema."


def _header(name: str) -> dict[str, Any]:
    return {"braketSchemaHeader": {"name": SCHEMA + name, "version": "1"}}


def _fidelity(error: float, kind: str, **more: Any) -> dict[str, Any]:
    return {"fidelity": 1 - error, "fidelityType": {"name": kind}, **more}


def capabilities() -> IqmDeviceCapabilities:
    neighbours: dict[str, list[str]] = {str(label): [] for label in READOUT}
    for one, other in PAIRS:
        neighbours[str(one)].append(str(other))
        neighbours[str(other)].append(str(one))
    program = {
        "actionType": "braket.ir.openqasm.program",
        "version": ["1"],
        "supportedOperations": ["cz", "prx", "cnot", "ry", "rz"],
        "supportedResultTypes": [{"name": "Sample", "observables": ["z"], "minShots": 1, "maxShots": 20000}],
    }
    time = {"value": 40e-6, "standardError": None, "unit": "S"}
    ones = {
        str(label): {
            "T1": time,
            "T2": time,
            "oneQubitFidelity": [
                _fidelity(GATES["one"], "SIMULTANEOUS_RANDOMIZED_BENCHMARKING"),
                _fidelity(error, "READOUT"),
            ],
        }
        for label, error in READOUT.items()
    }
    twos = {
        f"{one}-{other}": {
            "twoQubitGateFidelity": [_fidelity(GATES["two"], "INTERLEAVED_RANDOMIZED_BENCHMARKING", gateName="CZ")]
        }
        for one, other in PAIRS
    }
    tree = {
        **_header("iqm.iqm_device_capabilities"),
        "service": {
            "executionWindows": [
                {"executionDay": "Everyday", "windowStartHour": "00:00", "windowEndHour": "23:59:59"},
            ],
            "shotsRange": [1, 20000],
        },
        "action": {"braket.ir.openqasm.program": program},
        "deviceParameters": {},
        "paradigm": {
            **_header("gate_model_qpu_paradigm_properties"),
            "qubitCount": len(READOUT),
            "nativeGateSet": ["cz", "prx"],
            "connectivity": {"fullyConnected": False, "connectivityGraph": neighbours},
        },
        "standardized": {
            **_header("standardized_gate_model_qpu_device_properties"),
            "oneQubitProperties": ones,
            "twoQubitProperties": twos,
        },
    }
    return IqmDeviceCapabilities.parse_raw(json.dumps(tree))


@dataclass
class Batch:
    tasks: list[Any]


class Session:
    def add_braket_user_agent(self, agent: str) -> None:
        pass


@dataclass
class Ring:
    """What an ``AwsDevice`` is to its backend; its tasks are those of the emulator, by their ids."""

    arn: str = "arn:aws:braket:::device/qpu/nobody/ring"
    name: str = "ring"
    type: AwsDeviceType = AwsDeviceType.QPU
    gate_calibrations: None = None
    aws_session: Session = field(default_factory=Session)
    tasks: dict[str, Any] = field(default_factory=dict)
    programs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.properties = capabilities()
        self.topology_graph = nx.DiGraph([*PAIRS, *(pair[::-1] for pair in PAIRS)])

    def emulator(self) -> LocalEmulator:
        return LocalEmulator.from_device_properties(self.properties)

    def run_batch(self, circuits: list[Any], shots: int) -> Batch:
        emulator = self.emulator()
        tasks = [emulator.run(circuit, shots=shots) for circuit in circuits]
        self.programs += [str(circuit.to_ir("OPENQASM").source) for circuit in circuits]
        self.tasks |= {task.id: task for task in tasks}
        return Batch(tasks)
