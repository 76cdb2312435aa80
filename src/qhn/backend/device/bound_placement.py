"""The placement of bound circuits on a device: compiled by Qiskit's transpiler, with their price.

Each circuit has qubits of its own. Gates on three or more qubits are decomposed once; then the transpiler is run with
several seeds, and what has the highest estimated fidelity is kept (:mod:`qhn.backend.device.routing`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qhn.backend.bound import CircuitPrice, CircuitSize
from qhn.backend.bound_circuits import check_circuits, check_depth, in_small_gates, size_of
from qhn.backend.circuit_digest import circuit_digest
from qhn.backend.device.chip import Chip, chip_of
from qhn.backend.device.isa import check_isa, duration
from qhn.backend.device.layout import usable_part
from qhn.backend.device.price import job_seconds, rep_delay_of, shots_taken, split_into_jobs
from qhn.backend.device.routing import Route, routed_with_measurements
from qhn.backend.settings import DeviceSettings
from qhn.errors import QhnError

SEEDS = range(1, 5)  # seeds of the transpiler that are tried
LARGE = 2000  # two-qubit gates from which on one seed is tried: transpiling takes seconds
MOST_KEPT = 64  # compiled circuits that are kept


@dataclass(frozen=True)
class PlacedCircuit:
    """A bound circuit as a device executes it.

    Attributes:
        circuit: the compiled circuit on all qubits of the device, measured into the register ``meas``.
        route: the qubits in use, with the estimated fidelity.
        size: the size of the compiled circuit.
        seconds: duration of one execution in seconds, without the delay between shots.
        digest: hash of what the circuit does, on whatever qubits.
    """

    circuit: QuantumCircuit
    route: Route
    size: CircuitSize
    seconds: float
    digest: str

    def describe(self) -> dict[str, Any]:
        """The measured qubits, the estimated fidelity and the size, as JSON values."""
        route, size = self.route, self.size
        facts = {"qubits": list(route.qubits), "estimated_fidelity": round(route.fidelity, 6)} | route.facts()
        return facts | {
            "depth": size.depth,
            "two_qubit_gates": size.two_qubit_gates,
            "seconds_per_circuit": self.seconds,
        }


def place_circuit(circuit: QuantumCircuit, device: BackendV2, chip: Chip, settings: DeviceSettings) -> PlacedCircuit:
    """Choose the qubits of a device for a bound circuit and compile it.

    Args:
        circuit: the circuit, measured into the register ``meas``.
        device: the device.
        chip: calibration of the device.
        settings: how the device is used; ``qubits`` are those on which the circuit's qubits start.

    Raises:
        ValueError: if the device has too few usable qubits or cannot execute the circuit.
    """
    usable_part(chip, circuit.num_qubits, settings.exclude)  # refuses too many qubits, before what takes long
    small = in_small_gates(circuit, chip.name)
    seeds = SEEDS if size_of(small).two_qubit_gates <= LARGE else SEEDS[:1]
    start = settings.qubits[0] if settings.qubits else ()
    isa, route, _ = routed_with_measurements(small, device, chip, exclude=settings.exclude, start=start, seeds=seeds)
    check_isa(isa, chip)
    seconds, size = duration(isa, chip), size_of(isa)
    check_depth(size.two_qubit_gates, chip.name)
    known = CircuitSize(size.qubits, size.depth, size.two_qubit_gates, seconds=seconds, fidelity=route.fidelity)
    return PlacedCircuit(isa, route, known, seconds, circuit_digest(circuit))


@dataclass(frozen=True)
class PlacedCircuits:
    """Bound circuits of one request as a device executes them, with the number of shots of each.

    Attributes:
        circuits: the circuits, in the order of the request.
        shots: number of shots of each circuit, as the service takes them.
        rep_delay: delay between shots in seconds.
        max_shots: the largest number of shots of a circuit that the device takes.
    """

    circuits: tuple[PlacedCircuit, ...]
    shots: int
    rep_delay: float
    max_shots: int

    @cached_property
    def parts(self) -> list[slice]:
        """The circuits of each job, as slices: as few jobs as the limits of the service allow.

        Raises:
            ValueError: if a single circuit is beyond a limit of the service.
        """
        longest = self.rep_delay + max(one.seconds for one in self.circuits)
        return split_into_jobs(len(self.circuits), self.shots, longest, self.max_shots)

    def seconds_of(self, part: slice) -> float:
        """The QPU seconds that the job of some of the circuits is expected to take."""
        circuits = self.circuits[part]
        mean = self.rep_delay + sum(one.seconds for one in circuits) / len(circuits)
        return job_seconds(1, len(circuits) * self.shots, mean)

    @property
    def price(self) -> CircuitPrice:
        """The price of the request.

        Raises:
            ValueError: if a single circuit is beyond a limit of the service.
        """
        seconds = tuple(map(self.seconds_of, self.parts))
        return CircuitPrice(tuple(one.size for one in self.circuits), self.shots, seconds)


class CircuitPlacer:
    """A device that bound circuits are compiled for, each only once.

    Args:
        device: the device.
        settings: how the device is used.
    """

    def __init__(self, device: BackendV2, settings: DeviceSettings) -> None:
        self.device = device
        self.settings = settings
        self._placed: dict[str, PlacedCircuit] = {}

    @cached_property
    def chip(self) -> Chip:
        """The calibration of the device when it was first asked for."""
        return chip_of(self.device)

    def placed(self, circuits: Sequence[QuantumCircuit], shots: int) -> PlacedCircuits:
        """Check and compile the bound circuits of a request.

        Args:
            circuits: circuits without parameters and with measurements, all of equally many classical bits.
            shots: number of measurements of each circuit; twirling rounds it up.

        Raises:
            ValueError: if no machine can measure the circuits, or this one cannot with its settings.
        """
        checked, shots = check_circuits(circuits, shots)
        self._check_settings()
        return PlacedCircuits(
            circuits=tuple(map(self._place, checked)),
            shots=shots_taken(shots, twirling=self.settings.twirling),
            rep_delay=rep_delay_of(self.chip, self.settings.rep_delay),
            max_shots=self.chip.max_shots,
        )

    def describe(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The qubits and the size of each circuit, the delay between shots, and the calibration, as JSON values.

        Raises:
            ValueError: if no machine can measure the circuits, or this one cannot with its settings.
        """
        placed = self.placed(circuits, 1)
        return {
            "circuits": [one.describe() for one in placed.circuits],
            "rep_delay": placed.rep_delay,
            "calibration": self.chip.to_json(),
        }

    def _place(self, circuit: QuantumCircuit) -> PlacedCircuit:
        digest = circuit_digest(circuit)
        if digest not in self._placed:
            self._placed[digest] = place_circuit(circuit, self.device, self.chip, self.settings)
            while len(self._placed) > MOST_KEPT:
                del self._placed[next(iter(self._placed))]
        return self._placed[digest]

    def _check_settings(self) -> None:
        """Refuse settings that only rows of angles have.

        Raises:
            ValueError: if several tiles are asked for, or readout errors shall be counted.
        """
        num_tiles = len(self.settings.qubits) or self.settings.tiles
        if num_tiles not in (1, "auto"):
            raise QhnError(
                f"device.tiles = {num_tiles} measures rows of angles side by side, and a bound circuit has none; leave "
                "it at 1"
            )
        if self.settings.calibrate:
            raise QhnError("readout errors are counted and inverted for trainings alone; leave device.mitigation out")
