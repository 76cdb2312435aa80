"""Bound circuits as work of a machine: any circuit without parameters in, the bits that it measures out.

A training measures rows of angles of one ansatz (:mod:`qhn.backend.sampler`). Everything else that a machine is asked
to measure is a bound circuit: its angles have values, it has its own measurements, and the next one may be of another
shape. Its price is known before it is submitted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from qhn.arrays import Bits
from qhn.backend.device.price import whole_seconds
from qhn.backend.sampler import Backend
from qhn.backend.terms import Amount
from qhn.errors import QhnError
from qhn.seeds import Key

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


@dataclass(frozen=True)
class CircuitSamples:
    """The measured bits of several bound circuits, and what they cost.

    Attributes:
        bits: measured bits ``uint8[num_circuits, shots, num_clbits]``; column j is classical bit j of a circuit.
        job_ids: the service's identifiers of the jobs; empty for simulators.
        qpu_seconds: billed time in seconds; 0 for simulators, None if the service did not report it.

    Raises:
        ValueError: at construction, if ``bits`` has another number of axes.
    """

    bits: Bits
    job_ids: tuple[str, ...] = ()
    qpu_seconds: float | None = 0.0

    def __post_init__(self) -> None:
        if self.bits.ndim != 3:
            raise QhnError(f"bits must have shape [num_circuits, shots, num_clbits], got {list(self.bits.shape)}")

    @property
    def shots(self) -> int:
        """The number of shots of each circuit, which a machine may have rounded up."""
        return int(self.bits.shape[1])

    @property
    def num_shots(self) -> int:
        """The number of shots of all circuits."""
        return self.shots * len(self.bits)


@dataclass(frozen=True)
class CircuitSize:
    """The size of a circuit as a machine executes it, after compilation.

    Attributes:
        qubits: number of qubits in use.
        depth: number of layers of gates and measurements.
        two_qubit_gates: number of gates on two qubits.
        larger_gates: number of gates on more qubits, which only a simulator without noise takes as they are.
        seconds: duration of one execution on a device in seconds, without the delay between shots; None on other
            machines.
        fidelity: estimated probability that nothing goes wrong in one execution on a device; None on other machines.
    """

    qubits: int
    depth: int
    two_qubit_gates: int
    larger_gates: int = 0
    seconds: float | None = None
    fidelity: float | None = None


@dataclass(frozen=True)
class CircuitPrice:
    """The price of measuring several bound circuits, known before anything is submitted.

    Attributes:
        circuits: size of each circuit.
        shots: number of shots that each circuit takes, after rounding.
        job_seconds: QPU seconds that each job should take; empty on machines without a chip. A rehearsal has the
            price that the real device would have, and bills nothing.
        self_test: what the self-test takes that is due on a QPU before its first request; nothing elsewhere.
    """

    circuits: tuple[CircuitSize, ...]
    shots: int
    job_seconds: tuple[float, ...] = ()
    self_test: Amount = field(default_factory=Amount)

    @property
    def jobs(self) -> int:
        """The number of jobs, as few as the limits of the service allow."""
        return len(self.job_seconds)

    @property
    def seconds(self) -> float:
        """The QPU seconds that all jobs together should take."""
        return sum(self.job_seconds)

    @property
    def executions(self) -> int:
        """The number of shots of all circuits."""
        return self.shots * len(self.circuits)

    def amount(self, *, whole: bool = False) -> Amount:
        """The price as an amount of QPU use; with ``whole`` in whole seconds of each job, as a QPU needs them left.

        It is that of the circuits, without the self-test.

        >>> size = CircuitSize(qubits=3, depth=20, two_qubit_gates=14)
        >>> CircuitPrice((size, size), 1000, (2.5, 2.5)).amount(whole=True)
        Amount(seconds=6.0, jobs=2, shots=2000)
        """
        seconds = sum(whole_seconds(1, one) for one in self.job_seconds) if whole else self.seconds
        return Amount(seconds, self.jobs, self.executions)

    def words(self) -> str:
        """One sentence with the circuits, their largest size, and what they take of a device.

        >>> CircuitPrice((CircuitSize(qubits=3, depth=20, two_qubit_gates=14),), 1000, (2.5,)).words()
        '1 circuit × 1,000 shots on up to 3 qubits with up to 14 two-qubit gates, depth 20: 1 job, 2.5 QPU s'
        """
        number = len(self.circuits)
        qubits, depth, gates, larger = (
            max(getattr(one, name) for one in self.circuits)
            for name in ("qubits", "depth", "two_qubit_gates", "larger_gates")
        )
        more = f" and {larger:,} larger ones" if larger else ""
        head = f"{number:,} circuit{'s' * (number != 1)} × {self.shots:,} shots on up to {qubits:,} qubits"
        size = f"with up to {gates:,} two-qubit gates{more}, depth {depth:,}"
        seconds = f", {self.seconds:,.1f} QPU s" if self.seconds else ""
        jobs = f": {self.jobs:,} job{'s' * (self.jobs != 1)}{seconds}" if self.jobs else ""
        before = f"{self.self_test.seconds:,.1f} QPU s" if self.self_test.seconds else f"{self.self_test.jobs:,} job"
        test = f", and {before} before for a self-test" if self.self_test.jobs else ""
        return f"{head} {size}{jobs}{test}"


@runtime_checkable
class MeasuresCircuits(Protocol):
    """A machine that measures bound circuits, as every backend of :func:`qhn.backend.open_backend` does."""

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Measure each circuit, as one request to the machine.

        Args:
            circuits: circuits without parameters and with measurements, all of equally many classical bits.
            shots: number of measurements of each circuit.
            key: name of the request, from which simulators derive their random numbers.

        Returns:
            The measured bits, ``[num_circuits, shots, num_clbits]`` with classical bit 0 first, and what they cost. A
            classical bit that is never measured is 0.

        Raises:
            ValueError: if the machine cannot measure the circuits, or ``shots`` is below 1.
            BackendError: if the machine or its service fails.
        """
        ...

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The price of measuring each circuit, for which the circuits are compiled; nothing is submitted.

        Args:
            circuits: circuits as for :meth:`measure`.
            shots: number of measurements of each circuit.

        Raises:
            ValueError: if the machine cannot measure the circuits, or ``shots`` is below 1.
            BackendError: if the service does not describe the machine.
        """
        ...

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """Facts about how the machine measures the circuits for the records of a run, as JSON values without secrets.

        They are the method and the noise, and for a device the qubits of each circuit and the calibration.

        Raises:
            ValueError: if the machine cannot measure the circuits.
            BackendError: if the service does not describe the machine.
        """
        ...


class CircuitBackend(Backend, MeasuresCircuits, Protocol):
    """A machine that measures rows of angles of an ansatz, once that is compiled, and bound circuits."""
