"""Rehearsals on stored devices: every step of a paid run, with simulated noise instead of the QPU."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache, cached_property
from typing import Any, Protocol

import numpy as np
from qiskit import QuantumCircuit
from qiskit.providers import BackendV2

from qhn.arrays import Bits, Floats
from qhn.backend.aer import check_memory
from qhn.backend.bound import CircuitPrice, CircuitSamples
from qhn.backend.device.bound_placement import CircuitPlacer
from qhn.backend.device.chip import Chip
from qhn.backend.device.isa import used_qubits
from qhn.backend.device.load import is_chain
from qhn.backend.device.placement import Placement, place
from qhn.backend.device.price import shots_taken
from qhn.backend.device.tiles import arrange_rows
from qhn.backend.journal import Journal
from qhn.backend.names import TWIN
from qhn.backend.noise.channels import ChipNoise
from qhn.backend.noise.shots import NO_TWIN, on_device
from qhn.backend.noise.twin import Twin
from qhn.backend.sampler import check_request
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.backend.settings import DeviceSettings, RehearsalSettings, Settings
from qhn.circuit.ansatz import GateCircuit
from qhn.errors import QhnError
from qhn.seeds import Key
from qhn.text import did_you_mean

TOO_MANY = "use fewer qubits, or for a circuit that is a chain device.simulator = 'twin'"


@cache
def stored_devices() -> dict[str, BackendV2]:
    """All stored devices by name; the client reads the files of all 68 of them, in a third of a second."""
    from qiskit_ibm_runtime.fake_provider import FakeProviderForBackendV2  # imported late, for stored devices alone

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # one stored device warns that its errors are not typical
        return {device.name: device for device in FakeProviderForBackendV2().backends()}


def stored_device(name: str) -> BackendV2:
    """The stored device of the given name, e.g. ``fake_torino``, as the IBM client ships it.

    Raises:
        ValueError: if there is no stored device of that name; the message names the nearest one.
    """
    devices = stored_devices()
    if name not in devices:
        others = "for example fake_torino, fake_fez or fake_boston"
        raise QhnError(f"there is no stored device {name!r}; {did_you_mean(name, devices, otherwise=others)}")
    return devices[name]


def open_fake(name: str, settings: Settings, journal: Journal | None = None) -> FakeDevice:
    """Open the rehearsal on a stored device; the journal is not used.

    Raises:
        ValueError: if there is no stored device of that name; the message names the nearest one.
    """
    assert isinstance(settings, RehearsalSettings)
    return FakeDevice(stored_device(name), settings)


class FakeDevice:
    """A calibration of a device, used and simulated as the real device would be.

    Args:
        device: the device, of which only the calibration is used.
        settings: how the real device would be used, and the kind of simulation.
        name: name of the machine; by default that of the device.
    """

    paid = False

    def __init__(self, device: BackendV2, settings: RehearsalSettings | None = None, name: str | None = None) -> None:
        self.device = device
        self.settings = settings or RehearsalSettings()
        self.name: str = name or device.name
        self._compiled: dict[GateCircuit, ShotRehearsal] = {}
        self._circuits = CircuitPlacer(device, self.settings)

    def compile(self, ansatz: GateCircuit) -> ShotRehearsal:
        """The sampler of the ansatz on the best qubits, made once and then returned again.

        It is simulated by the noisy twin if the settings ask for that and the ansatz is a chain, and otherwise by Aer.

        Raises:
            ValueError: if the device has too few usable qubits, or the state does not fit into the memory for Aer.
        """
        if self.settings.simulator == "aer" or not is_chain(ansatz):
            check_memory(ansatz.num_qubits, TOO_MANY)
        if ansatz not in self._compiled:
            placement = place(ansatz, self.device, self.settings)
            is_twin = self.settings.simulator == "twin" and placement.is_chain
            kind = RehearsalSampler if is_twin else ShotRehearsal
            self._compiled[ansatz] = kind(placement, self.settings, self.name)
        return self._compiled[ansatz]

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Draw the bits of each bound circuit, compiled for the device, by Aer with the noise of the qubits in use.

        Raises:
            ValueError: if the circuits or ``shots`` are refused (:func:`qhn.backend.bound_circuits.check_circuits`),
                the device cannot execute them, or the state of the qubits in use does not fit into memory.
            BackendError: if Aer fails.
        """
        placed = self._circuits.placed(circuits, shots)
        for one in placed.circuits:
            check_memory(len(one.route.used), "use fewer qubits")
        chip, streams = self._circuits.chip, key.generator().spawn(len(placed.circuits))
        simulated = (on_device(one.circuit, self.device, chip, in_parts=False) for one in placed.circuits)
        bits = [one.sample_bound(placed.shots, rng) for one, rng in zip(simulated, streams, strict=True)]
        return CircuitSamples(np.stack(bits))

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The method of simulation, the settings that it leaves out, the qubits of each circuit and the calibration."""
        return (
            _simulated(self.name, self._circuits.chip, "Aer")
            | _not_simulated(self.settings)
            | self._circuits.describe(circuits)
        )

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size of each bound circuit once it is compiled for the device, and what the real device would bill.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, or the device cannot execute them.
        """
        return self._circuits.placed(circuits, shots).price


class Simulator(Protocol):
    """A simulation of a noisy circuit on some qubits of a device."""

    @property
    def method(self) -> str:
        """The method of computation in words."""
        ...

    def sample(self, thetas: Floats, shots: int, rng: np.random.Generator) -> Bits:
        """Draw measured bits: ``[num_rows, num_parameters]`` → ``[num_rows, shots, num_qubits]``."""
        ...


class ShotRehearsal:
    """A sampler of an ansatz placed on a stored device, simulated by Aer, which only draws shots.

    Tiles do not disturb each other, so each is simulated alone.

    Raises:
        ValueError: at construction, if the state vector of the qubits in use does not fit into memory.
    """

    def __init__(self, placement: Placement, settings: RehearsalSettings, name: str | None = None) -> None:
        self.name = name or placement.chip.name
        self.placement = placement
        self.settings = settings
        self.ansatz = placement.ansatz
        self._tiles = [self._simulator(tile) for tile in placement.tiles]
        self._calibration = [
            [self._simulator(circuit) for circuit in placement.calibration_of([chain])] for chain in placement.chains
        ]

    @property
    def circuit(self) -> QuantumCircuit:
        """The circuit that a real device would execute, with all tiles."""
        return self.placement.circuit

    def describe(self) -> dict[str, Any]:
        """The placement, the method of simulation and the settings that it leaves out, as JSON values."""
        placement = self.placement
        facts = _simulated(self.name, placement.chip, self._tiles[0].method)
        if self.settings.simulator == "twin" and not placement.is_chain:
            facts["remark"] = NO_TWIN
        return facts | _not_simulated(placement.settings) | placement.describe()

    @property
    def discarded_weight(self) -> float:
        """The share of the state's weight that truncation dropped in the last call, on the worst tile; 0 if none."""
        return 0.0

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Draw the bits of each row of angles, each row on its tile; the same key gives the same bits."""
        thetas, shots = check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        shots = shots_taken(shots, twirling=self.placement.settings.twirling)
        plan = arrange_rows(len(thetas), group, len(self._tiles))
        used = plan.is_used
        bits = np.zeros((*plan.rows.shape, shots, self.ansatz.num_qubits), dtype=np.uint8)
        streams = key.generator().spawn(len(self._tiles))
        counts = []
        for tile, (simulator, rng) in enumerate(zip(self._tiles, streams, strict=True)):
            times = np.flatnonzero(used[:, tile])
            if len(times):
                bits[times, tile] = simulator.sample(thetas[plan.rows[times, tile]], shots, rng)
            empty = np.empty((1, 0))
            known = [one.sample(empty, shots, rng)[0] for one in self._calibration[tile]]
            if known:
                counts.append(np.stack([known[0].sum(axis=0), shots - known[1].sum(axis=0, dtype=np.int64)], axis=-1))
        readout_counts = (
            ReadoutCounts(np.array(counts, dtype=np.int64), shots, self.placement.qubits) if counts else None
        )
        if self.placement.folded:
            bits = self.ansatz.relabel(bits)
        return plan.samples(
            bits,
            readout_counts=readout_counts,
            folded=self.placement.folded,
            executed=plan.num_executions + 2 * self.placement.settings.calibrate,
            discarded=self.discarded_weight,
        )

    def _simulator(self, circuit: QuantumCircuit) -> Simulator:
        num_qubits = len(used_qubits(circuit))
        check_memory(num_qubits, TOO_MANY)
        placement = self.placement  # on a chain, the draws stay those of earlier records
        return on_device(circuit, placement.device, placement.chip, in_parts=not placement.is_chain)


class RehearsalSampler(ShotRehearsal):
    """A sampler of an ansatz placed on chains of a stored device, simulated by its noisy twin."""

    @property
    def discarded_weight(self) -> float:
        """The share of the state's weight that truncation dropped in the last call, on the worst tile; 0 if none."""
        return max(tile.discarded_weight for tile in self._tiles if isinstance(tile, Twin))

    def probabilities(self, thetas: Floats) -> Floats:
        """The probability of every bitstring on the best chain: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``.

        Qubit 0 is the least significant bit of a bitstring's index.

        Raises:
            ValueError: if the ansatz has more than 24 qubits.
        """
        measured = self._twin.probabilities(thetas)
        return measured[:, self.ansatz.relabelled] if self.placement.folded else measured

    def energies(self, thetas: Floats, costs: Floats) -> Floats:
        """The mean of ``costs[2**num_qubits]`` as the best chain measures it: ``[B, num_parameters]`` → ``[B]``.

        Qubit 0 is the least significant bit of an index of ``costs``.

        Raises:
            ValueError: if the ansatz has more than 24 qubits.
        """
        return self._twin.energies(thetas, costs[self.ansatz.relabelled] if self.placement.folded else costs)

    @property
    def _twin(self) -> Twin:
        twin = self._tiles[0]
        assert isinstance(twin, Twin)
        return twin

    @cached_property
    def noise(self) -> ChipNoise:
        """The noise that the stored calibration implies."""
        return ChipNoise(self.placement.chip)

    def _simulator(self, circuit: QuantumCircuit) -> Simulator:
        return Twin(circuit, self.noise, max_bond=self.settings.max_bond)


def _simulated(name: str, chip: Chip, method: str) -> dict[str, str]:
    """What simulates a device, and with which noise."""
    kind = "calibration" if name.startswith(TWIN) else "stored calibration"
    of_day = f", {chip.date[:10]}" if chip.date else ""
    return {"name": name, "method": method, "noise": f"{kind} of {chip.name}{of_day}"}


def _not_simulated(settings: DeviceSettings) -> dict[str, str]:
    """The settings that only a real device would apply."""
    asked = {"dynamical_decoupling": settings.dynamical_decoupling != "none", "twirling": settings.twirling}
    return {name: "asked for, not simulated" for name, is_asked in asked.items() if is_asked}
