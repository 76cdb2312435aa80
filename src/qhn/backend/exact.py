"""Ideal shots from the exact engine: no circuit is simulated shot by shot or row by row."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.ansatz import Ansatz
from qhn.backend.sampler import check_request, measured
from qhn.exact.distribution import Distribution
from qhn.samples import Samples
from qhn.seeds import Key

Floats = NDArray[np.float64]


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

    def __init__(self, ansatz: Ansatz) -> None:
        self.ansatz = ansatz
        self.distribution = Distribution(ansatz)

    @cached_property
    def circuit(self) -> Any:
        return measured(self.ansatz.executed)

    def describe(self) -> dict[str, Any]:
        cut = self.distribution.cut
        method = f"cut after qubit {cut.cut - 1}, {cut.num_branches} branches"
        whole = cut.cut == self.ansatz.num_qubits
        return {"name": "exact", "method": "state vector" if whole else method, "noise": "none", "circuit": "executed"}

    def probabilities(self, thetas: Floats) -> Floats:
        """Of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``, qubit 0 the least significant bit."""
        return self.distribution.probabilities(thetas)

    def sample(self, thetas: Floats, shots: int, key: Key) -> Samples:
        """Bits of each row; the same key gives the same bits, whatever the number of cores."""
        check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        integers = self.distribution.sample(thetas, shots, key.generator())
        return Samples(bitstrings.from_integers(integers, self.ansatz.num_qubits))
