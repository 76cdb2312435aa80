"""Noise without a device: random Pauli errors after every gate, as in the paper's authors' study."""

from __future__ import annotations

from typing import Any

from qhn.arrays import Floats
from qhn.backend.journal import Journal
from qhn.backend.noise.channels import Depolarising
from qhn.backend.noise.twin import Twin
from qhn.backend.sampler import check_request
from qhn.backend.samples import Samples
from qhn.backend.settings import NoiseSettings, Settings
from qhn.circuit.hypernetwork import Ansatz
from qhn.circuit.measurement import with_measurement
from qhn.seeds import Key


def open_depolarising(name: str, settings: Settings, journal: Journal | None) -> DepolarisingBackend:
    """Depolarising noise of the strength that the settings say; it notes nothing."""
    assert isinstance(settings, NoiseSettings)
    return DepolarisingBackend(settings)


class DepolarisingBackend:
    """Depolarising noise of equal strength on all gates of a kind."""

    name = "depolarising"
    paid = False

    def __init__(self, settings: NoiseSettings | None = None) -> None:
        self.settings = settings or NoiseSettings()

    def compile(self, ansatz: Ansatz) -> DepolarisingSampler:
        """A sampler of the ansatz in the form that the settings ask for."""
        return DepolarisingSampler(ansatz, self.settings)


class DepolarisingSampler:
    """An ansatz under depolarising noise; nothing is compiled, every gate of the circuit counts as one."""

    placement = None

    def __init__(self, ansatz: Ansatz, settings: NoiseSettings) -> None:
        self.ansatz = ansatz
        self.settings = settings
        self.circuit = with_measurement(ansatz.circuit if settings.form == "literal" else ansatz.pruned)
        self.noise = Depolarising(settings.p1, settings.p2, settings.readout_error)
        self.twin = Twin(self.circuit, self.noise, max_bond=settings.max_bond)

    def describe(self) -> dict[str, Any]:
        settings = self.settings
        return {
            "name": "depolarising",
            "method": self.twin.method,
            "noise": f"p1 {settings.p1:g}, p2 {settings.p2:g}, readout {settings.readout_error:g}",
            "circuit": settings.form,
        }

    def probabilities(self, thetas: Floats) -> Floats:
        """Of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``, qubit 0 the least significant bit."""
        return self.twin.probabilities(thetas)

    def energies(self, thetas: Floats, costs: Floats) -> Floats:
        """Means of ``costs[2**num_qubits]``: ``[B, num_parameters]`` → ``[B]``."""
        return self.twin.energies(thetas, costs)

    @property
    def discarded_weight(self) -> float:
        """What truncation left out in the last call; 0 if nothing was truncated."""
        return self.twin.discarded_weight

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Bits of each row; the same key gives the same bits."""
        check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        bits = self.twin.sample(thetas, shots, key.generator())
        return Samples(bits, discarded=self.discarded_weight)
