"""Ideal shots drawn from exactly computed distributions, without simulating a circuit shot by shot or row by row."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from qhn.arrays import Floats
from qhn.backend.bound import CircuitBackend, CircuitPrice, CircuitSamples
from qhn.backend.journal import Journal
from qhn.backend.sampler import check_request
from qhn.backend.samples import Samples
from qhn.backend.settings import NoSettings, Settings
from qhn.bitstrings import Numbered
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError
from qhn.exact.chain import Chain
from qhn.exact.engine import MAX_CUT_QUBITS, check_sampled, has_only_means, sampler_of
from qhn.exact.protocol import ExactDistribution
from qhn.seeds import Key

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


def open_exact(name: str, settings: Settings, journal: Journal | None) -> ExactBackend:
    """Open the exact engine; settings and journal are not used."""
    return ExactBackend()


class ExactBackend:
    """A machine without noise, whose distributions are computed exactly."""

    name = "exact"
    paid = False

    def compile(self, ansatz: GateCircuit) -> ExactSampler:
        """The sampler of the ansatz.

        Raises:
            ValueError: if the ansatz is too large and too deep to be simulated exactly.
        """
        return ExactSampler(ansatz)

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Draw bits from the ideal distribution of each bound circuit, of which Aer computes the state vector.

        Raises:
            ValueError: if the circuits or ``shots`` are refused (:func:`qhn.backend.bound_circuits.check_circuits`), or
                a state vector does not fit into memory.
            BackendError: if Aer fails.
        """
        return self._state_vector().measure(circuits, shots, key)

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size of each bound circuit in the instructions of Aer, which takes a gate of any size as a matrix.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, as by :meth:`measure`.
        """
        return self._state_vector().circuit_price(circuits, shots)

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The method of simulation, which is the same for all circuits, as JSON values."""
        return self._state_vector().describe_circuits(circuits) | {"name": self.name}

    def _state_vector(self) -> CircuitBackend:
        """The machine that measures bound circuits; imported late, as trainings without shots do without Aer."""
        from qhn.backend.aer import open_aer

        return open_aer("aer", NoSettings(), None)


class ExactSampler:
    """A sampler that draws bits from an ansatz's exact distribution.

    Circuits of more than 24 qubits that are no hypernetworks cannot be sampled; of these only means of polynomials are
    known (:func:`qhn.exact.engine.polynomial_energy_of`).

    Args:
        ansatz: the circuit.

    Raises:
        ValueError: at construction, if the ansatz is too large and too deep to be simulated exactly.
    """

    placement = None

    def __init__(self, ansatz: GateCircuit) -> None:
        self.ansatz = ansatz
        self.engine = None if has_only_means(ansatz) else sampler_of(ansatz)

    @property
    def _drawing(self) -> ExactDistribution | Chain:
        """The engine, if there is one that draws bits."""
        check_sampled(self.ansatz)
        assert self.engine is not None
        return self.engine

    @cached_property
    def circuit(self) -> Any:
        """The executed circuit of the ansatz, with measurement."""
        return with_measurement(self.ansatz.executed)

    def describe(self) -> dict[str, Any]:
        """The method of computation, as JSON values."""
        return {
            "name": "exact",
            "method": self.engine.method if self.engine else "light cones",
            "noise": "none",
            "circuit": "executed",
        }

    def probabilities(self, thetas: Floats) -> Floats:
        """The probability of every bitstring at each row of angles: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``.

        Qubit 0 is the least significant bit of a bitstring's index.

        Raises:
            ValueError: if ``thetas`` has a wrong shape, or the ansatz more than 24 qubits.
        """
        engine = self._drawing
        if isinstance(engine, Chain):
            raise QhnError(
                f"all 2^{self.ansatz.num_qubits} probabilities are too many, they are given up to {MAX_CUT_QUBITS} "
                "qubits; sample, or take those of some bitstrings from qhn.Chain"
            )
        return engine.probabilities(thetas)

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Draw the bits of each row of angles; the same key gives the same bits, whatever the number of cores.

        Raises:
            ValueError: if ``thetas`` or ``shots`` are out of range, or the circuit is too large.
        """
        engine = self._drawing
        thetas, shots = check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        if isinstance(engine, Chain):
            return Samples(engine.sample(thetas, shots, key.generator()))
        return Samples(Numbered(engine.sample(thetas, shots, key.generator()), self.ansatz.num_qubits))
