"""Depolarising noise without a device: random Pauli errors after every gate, as in a study of the paper's authors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit

from qhn.arrays import Floats
from qhn.backend.aer import check_memory
from qhn.backend.bound import CircuitPrice, CircuitSamples
from qhn.backend.bound_circuits import check_circuits, in_small_gates, size_of
from qhn.backend.device.load import is_chain
from qhn.backend.journal import Journal
from qhn.backend.noise.channels import Depolarising
from qhn.backend.noise.shots import NO_TWIN, depolarised, depolarised_bound
from qhn.backend.noise.twin import Twin
from qhn.backend.sampler import check_request
from qhn.backend.samples import Samples
from qhn.backend.settings import NoiseSettings, Settings
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.measurement import with_measurement
from qhn.seeds import Key


def open_depolarising(name: str, settings: Settings, journal: Journal | None) -> DepolarisingBackend:
    """Open the depolarising machine with the noise of the settings; the journal is not used."""
    assert isinstance(settings, NoiseSettings)
    return DepolarisingBackend(settings)


class DepolarisingBackend:
    """A simulated machine with depolarising noise, equal for all gates on one qubit and for all gates on two qubits."""

    name = "depolarising"
    paid = False

    def __init__(self, settings: NoiseSettings | None = None) -> None:
        self.settings = settings or NoiseSettings()

    def compile(self, ansatz: GateCircuit) -> DepolarisingSampler | ShotSampler:
        """The sampler of the ansatz, in the form of the circuit that the settings ask for.

        It knows the distribution of its bits if the ansatz is a chain, and otherwise only draws shots.

        Raises:
            ValueError: if the ansatz is no chain, and a state vector of its qubits does not fit into memory.
        """
        if is_chain(ansatz, prune=self.settings.form == "pruned"):
            return DepolarisingSampler(ansatz, self.settings)
        return ShotSampler(ansatz, self.settings)

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Draw the bits of each bound circuit by Aer; the same key gives the same bits.

        Gates on one and two qubits count as one each; those on more are decomposed into them.

        Raises:
            ValueError: if the circuits or ``shots`` are refused (:func:`qhn.backend.bound_circuits.check_circuits`), a
                circuit has too many gates, or a state vector does not fit into memory.
            BackendError: if Aer fails.
        """
        small, shots = self._prepared(circuits, shots)
        streams, noise = key.generator().spawn(len(small)), _noise(self.settings)
        bits = [depolarised_bound(one, noise).sample_bound(shots, rng) for one, rng in zip(small, streams, strict=True)]
        return CircuitSamples(np.stack(bits))

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size of each bound circuit in gates on one and two qubits, each of which is followed by noise.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, as by :meth:`measure`.
        """
        small, shots = self._prepared(circuits, shots)
        return CircuitPrice(tuple(size_of(circuit) for circuit in small), shots)

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The strengths of the noise and the method of simulation, which are the same for all circuits."""
        return _facts(self.settings, "Aer") | {"circuit": "gates on one and two qubits"}

    def _prepared(self, circuits: Sequence[QuantumCircuit], shots: int) -> tuple[list[QuantumCircuit], int]:
        """The bound circuits in gates on one and two qubits, and the number of shots of each."""
        checked, shots = check_circuits(circuits, shots)
        for circuit in checked:
            check_memory(circuit.num_qubits, "use fewer qubits")
        return [in_small_gates(circuit, self.name) for circuit in checked], shots


class DepolarisingSampler:
    """A sampler of a chain under depolarising noise, in which every gate of the uncompiled circuit counts as one."""

    placement = None

    def __init__(self, ansatz: GateCircuit, settings: NoiseSettings) -> None:
        self.ansatz = ansatz
        self.settings = settings
        self.circuit = with_measurement(_form(ansatz, settings))
        self.noise = _noise(settings)
        self.twin = Twin(self.circuit, self.noise, max_bond=settings.max_bond)

    def describe(self) -> dict[str, Any]:
        """The circuit's form, the strengths of the noise and the method of computation, as JSON values."""
        return _facts(self.settings, self.twin.method)

    def probabilities(self, thetas: Floats) -> Floats:
        """The probability of every bitstring at each row of angles: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``.

        Qubit 0 is the least significant bit of a bitstring's index.
        """
        return self.twin.probabilities(thetas)

    def energies(self, thetas: Floats, costs: Floats) -> Floats:
        """The mean of ``costs[2**num_qubits]`` at each row of angles: ``[B, num_parameters]`` → ``[B]``.

        Qubit 0 is the least significant bit of an index of ``costs``.
        """
        return self.twin.energies(thetas, costs)

    @property
    def discarded_weight(self) -> float:
        """The share of the state's weight that truncation dropped in the last call; 0 if nothing was truncated."""
        return self.twin.discarded_weight

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Draw the bits of each row of angles; the same key gives the same bits."""
        thetas, shots = check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        bits = self.twin.sample(thetas, shots, key.generator())
        return Samples(bits, discarded=self.discarded_weight)


class ShotSampler:
    """A sampler of an ansatz that is no chain under the same noise, simulated by Aer, which only draws shots.

    Gates on one and two qubits count as one each; those on more are decomposed into them.

    Raises:
        ValueError: at construction, if a state vector of the ansatz's qubits does not fit into memory.
    """

    placement = None

    def __init__(self, ansatz: GateCircuit, settings: NoiseSettings) -> None:
        check_memory(ansatz.num_qubits, "use fewer qubits, or a circuit that is a chain of neighbours")
        self.ansatz = ansatz
        self.settings = settings
        self.simulation = depolarised(_form(ansatz, settings), _noise(settings))

    @property
    def circuit(self) -> QuantumCircuit:
        """The circuit that Aer runs, with measurements, its fixed gates as matrices."""
        return self.simulation.circuit

    def describe(self) -> dict[str, Any]:
        """The circuit's form, the strengths of the noise and the method of computation, as JSON values."""
        return _facts(self.settings, self.simulation.method) | {"remark": NO_TWIN}

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Draw the bits of each row of angles; the same key gives the same bits."""
        thetas, shots = check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        return Samples(self.simulation.sample(thetas, shots, key.generator()))


def _form(ansatz: GateCircuit, settings: NoiseSettings) -> QuantumCircuit:
    return ansatz.circuit if settings.form == "literal" else ansatz.pruned


def _noise(settings: NoiseSettings) -> Depolarising:
    return Depolarising(settings.p1, settings.p2, settings.readout_error)


def _facts(settings: NoiseSettings, method: str) -> dict[str, Any]:
    return {
        "name": "depolarising",
        "method": method,
        "noise": f"p1 {settings.p1:g}, p2 {settings.p2:g}, readout {settings.readout_error:g}",
        "circuit": settings.form,
    }
