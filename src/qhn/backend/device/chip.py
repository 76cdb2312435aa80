"""A device's calibration as plain numbers: kept with every run, and the basis of layout, price and noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from qiskit.providers import BackendV2

from qhn.arrays import Floats

Qubits = tuple[int, ...]
DEFAULT_REP_DELAY = 250e-6  # seconds between shots of devices that do not report them
MAX_SHOTS = 100_000  # shots of a circuit on devices that do not report their limit
NUMBERS = ("measure_duration", "rep_delay", "max_shots")


@dataclass(frozen=True)
class GateFacts:
    """The calibration of a gate on given qubits.

    Attributes:
        error: probability of an error, as randomised benchmarking measures it: 1 − average fidelity; 1 if the gate does
            not work.
        duration: duration in seconds.
    """

    error: float
    duration: float


@dataclass(frozen=True)
class Chip:
    """The calibration of a device.

    Attributes:
        name: name of the device.
        num_qubits: number of qubits of the device.
        readout: readout error probabilities ``[num_qubits, 2]``: that a qubit prepared in 0 is read as 1, and one
            prepared in 1 as 0.
        t1, t2: relaxation and coherence times T1 and T2 in seconds ``[num_qubits]``; infinite where none is reported.
        gates: the device's gates by name and qubits, in the direction in which it has them, including gates without a
            reported error or duration.
        faulty: qubits that the device reports as out of order.
        measure_duration: duration of the longest measurement, in seconds.
        rep_delay: default delay between shots, in seconds; 250 µs is assumed of devices that report none.
        rep_delay_range: the shortest and the longest delay between shots that the device takes, in seconds.
        max_shots: the largest number of shots of a circuit.
        date: date of the calibration.
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
        """The error of the best two-qubit gate of each pair ``(a, b)``, a < b; 1 if none works."""
        found: dict[tuple[int, int], float] = {}
        for (_, qubits), gate in self.gates.items():
            if len(qubits) == 2:
                pair = (min(qubits), max(qubits))
                found[pair] = min(gate.error, found.get(pair, 1.0))
        return found

    @property
    def readout_error(self) -> Floats:
        """The readout error probability of each qubit, averaged over both states: ``[num_qubits]``."""
        mean: Floats = self.readout.mean(axis=1)
        return mean

    def to_json(self) -> dict[str, Any]:
        """The calibration as JSON values, for a record."""
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
        """Restore a calibration from the JSON values of :meth:`to_json`.

        Raises:
            KeyError: if a value is missing.
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
    """The calibration of a device, as the device reports it now."""
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
