"""What a device's calibration says, as plain numbers: kept with every run, and what layout, price and noise need."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qiskit.providers import BackendV2

from qhn.arrays import Floats

Qubits = tuple[int, ...]
DEFAULT_REP_DELAY = 250e-6  # of devices that do not tell theirs
MAX_SHOTS = 100_000  # the same
NUMBERS = ("measure_duration", "rep_delay", "max_shots")


@dataclass(frozen=True)
class GateFacts:
    """What is reported of a gate on some qubits.

    Attributes:
        error: probability of an error, as randomised benchmarking measures it: 1 − average fidelity; 1 if it is dead.
        duration: in seconds.
    """

    error: float
    duration: float


@dataclass(frozen=True)
class Chip:
    """The calibration of a device.

    Attributes:
        name: of the device.
        num_qubits: of the device.
        readout: ``[num_qubits, 2]``: the chance that a qubit prepared in 0 is read as 1, and one prepared in 1 as 0.
        t1, t2: relaxation times in seconds ``[num_qubits]``; infinite where none is reported.
        gates: by name and qubits, in the direction in which the device has them; gates without error or duration too.
        faulty: qubits that the device reports as out of order.
        measure_duration: the longest, in seconds.
        rep_delay: seconds between shots unless another is asked for; 250 µs is assumed of devices that report none.
        rep_delay_range: the shortest and the longest that the device takes.
        max_shots: of a job.
        date: of the calibration.
    """

    name: str
    num_qubits: int
    readout: Floats
    t1: Floats
    t2: Floats
    gates: dict[tuple[str, Qubits], GateFacts] = field(repr=False)
    faulty: frozenset[int] = frozenset()
    measure_duration: float = 0.0
    rep_delay: float = DEFAULT_REP_DELAY
    rep_delay_range: tuple[float, float] = (DEFAULT_REP_DELAY, DEFAULT_REP_DELAY)
    max_shots: int = MAX_SHOTS
    date: str = ""

    @property
    def pairs(self) -> dict[tuple[int, int], float]:
        """Error of the best two-qubit gate of each pair ``(a, b)``, a < b; 1 if it is dead."""
        found: dict[tuple[int, int], float] = {}
        for (_, qubits), gate in self.gates.items():
            if len(qubits) == 2:
                pair = (min(qubits), max(qubits))
                found[pair] = min(gate.error, found.get(pair, 1.0))
        return found

    @property
    def readout_error(self) -> Floats:
        """The mean of both kinds ``[num_qubits]``."""
        mean: Floats = self.readout.mean(axis=1)
        return mean

    def to_json(self) -> dict[str, Any]:
        """Everything as JSON values, for a record."""
        tree = {name: getattr(self, name) for name in ("name", "date", "num_qubits", *NUMBERS)}
        return tree | {
            "rep_delay_range": list(self.rep_delay_range),
            "faulty": sorted(self.faulty),
            "readout": self.readout.tolist(),
            "t1": [_finite(time) for time in self.t1],
            "t2": [_finite(time) for time in self.t2],
            "gates": [
                [name, list(qubits), gate.error, gate.duration] for (name, qubits), gate in sorted(self.gates.items())
            ],
        }

    @classmethod
    def from_json(cls, tree: dict[str, Any]) -> Chip:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError: if something is missing.
        """
        low, high = tree["rep_delay_range"]
        return cls(
            readout=np.array(tree["readout"]),
            t1=np.array([np.inf if time is None else time for time in tree["t1"]]),
            t2=np.array([np.inf if time is None else time for time in tree["t2"]]),
            gates={(name, tuple(qubits)): GateFacts(error, time) for name, qubits, error, time in tree["gates"]},
            faulty=frozenset(tree["faulty"]),
            rep_delay_range=(low, high),
            **{name: tree[name] for name in ("name", "date", "num_qubits", *NUMBERS)},
        )


def chip_of(device: BackendV2) -> Chip:
    """The calibration of a device, as it is now."""
    target, count = device.target, device.num_qubits
    gates: dict[tuple[str, Qubits], GateFacts] = {}
    readout, durations = np.zeros((count, 2)), [0.0]
    for name in target.operation_names:
        for qubits, known in (target[name] or {}).items():
            if qubits is None:
                continue
            error, duration = getattr(known, "error", None) or 0.0, getattr(known, "duration", None) or 0.0
            if name == "measure":
                readout[qubits[0]] = error
                durations.append(duration)
            elif name not in ("delay", "reset"):
                gates[name, tuple(qubits)] = GateFacts(min(error, 1.0), duration)
    properties = device.properties() if hasattr(device, "properties") else None
    faulty: set[int] = set()
    date = ""
    if properties is not None:
        date = properties.last_update_date.isoformat()
        faulty = set(properties.faulty_qubits())
        for gate in properties.faulty_gates():
            gates[gate.gate, tuple(gate.qubits)] = GateFacts(1.0, 0.0)
        for qubit in range(count):
            both = properties.qubit_property(qubit)
            if "prob_meas1_prep0" in both and "prob_meas0_prep1" in both:
                readout[qubit] = both["prob_meas1_prep0"][0], both["prob_meas0_prep1"][0]
    relaxation = np.full((2, count), np.inf)
    for qubit, known in enumerate(target.qubit_properties or []):
        for row, name in enumerate(("t1", "t2")):
            time = getattr(known, name, None)
            relaxation[row, qubit] = time if time else np.inf
    rep_delay = getattr(device, "default_rep_delay", None)
    rep_delay = DEFAULT_REP_DELAY if rep_delay is None else float(rep_delay)
    low, high = getattr(device, "rep_delay_range", None) or (rep_delay, rep_delay)
    return Chip(
        name=device.name,
        num_qubits=count,
        readout=readout,
        t1=relaxation[0],
        t2=relaxation[1],
        gates=gates,
        faulty=frozenset(faulty),
        measure_duration=max(durations),
        rep_delay=rep_delay,
        rep_delay_range=(float(low), float(high)),
        max_shots=int(getattr(device, "max_shots", None) or MAX_SHOTS),
        date=date,
    )


def _finite(time: float) -> float | None:
    return float(time) if np.isfinite(time) else None
