"""Ideal shots from the exact engine: no circuit is simulated shot by shot or row by row."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.backend.journal import Journal
from qhn.backend.sampler import check_request
from qhn.backend.samples import Samples
from qhn.backend.settings import Settings
from qhn.circuit.hypernetwork import Ansatz
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError
from qhn.exact.chain import Chain
from qhn.exact.distribution import Distribution
from qhn.seeds import Key

MAX_CUT_QUBITS = 24  # of a chain that is cut once; longer ones are cut into pairs


def open_exact(name: str, settings: Settings, journal: Journal | None) -> ExactBackend:
    """The exact engine, which has no settings and notes nothing."""
    return ExactBackend()


class ExactBackend:
    """The exact engine as a machine without noise."""

    name = "exact"
    paid = False

    def compile(self, ansatz: Ansatz) -> ExactSampler:
        """A sampler of the ansatz.

        Raises:
            ValueError: if it is too large and too deep to be simulated exactly.
        """
        return ExactSampler(ansatz)


class ExactSampler:
    """Draws bits from an ansatz's distribution.

    Raises:
        ValueError: at construction, if it is too large and too deep to be simulated exactly.
    """

    placement = None

    def __init__(self, ansatz: Ansatz) -> None:
        self.ansatz = ansatz
        self.engine = Distribution(ansatz) if ansatz.num_qubits <= MAX_CUT_QUBITS else Chain(ansatz)

    @cached_property
    def circuit(self) -> Any:
        return with_measurement(self.ansatz.executed)

    def describe(self) -> dict[str, Any]:
        if isinstance(self.engine, Chain):
            method = f"matrix product state, bond dimension {self.engine.bond_dimension}"
        elif self.engine.cut.cut == self.ansatz.num_qubits:
            method = "state vector"
        else:
            method = f"cut after qubit {self.engine.cut.cut - 1}, {self.engine.cut.num_branches} branches"
        return {"name": "exact", "method": method, "noise": "none", "circuit": "executed"}

    def probabilities(self, thetas: Floats) -> Floats:
        """Of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``, qubit 0 the least significant bit.

        Raises:
            ValueError: on a wrong shape, or above 24 qubits.
        """
        if isinstance(self.engine, Chain):
            raise QhnError(
                f"all 2^{self.ansatz.num_qubits} probabilities are too many, they are given up to {MAX_CUT_QUBITS} "
                "qubits; sample, or take those of some bitstrings from qhn.Chain"
            )
        return self.engine.probabilities(thetas)

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Bits of each row; the same key gives the same bits, whatever the number of cores."""
        check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        if isinstance(self.engine, Chain):
            return Samples(self.engine.sample(thetas, shots, key.generator()))
        integers = self.engine.sample(thetas, shots, key.generator())
        return Samples(bitstrings.from_integers(integers, self.ansatz.num_qubits))
