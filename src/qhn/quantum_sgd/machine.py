"""The machine of a descent: opened when it is first needed, priced before anything is submitted, kept to a budget."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from qhn.arrays import Bits
from qhn.backend import CircuitBackend, CircuitPrice, open_backend
from qhn.quantum_sgd.config import QsgdConfig
from qhn.seeds import Key

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

    from qhn.backend.journal import Journal


class DescentMachine:
    """The machine on which a descent measures its circuits.

    Args:
        config: the configuration.
        journal: the journal of its jobs; None if nothing is recorded.

    Attributes:
        config: the configuration.
    """

    def __init__(self, config: QsgdConfig, journal: Journal | None = None) -> None:
        self.config = config
        self._journal = journal
        self._job_ids: list[str] = []
        self._qpu_seconds = 0.0

    @cached_property
    def backend(self) -> CircuitBackend:
        """The open machine."""
        kind = self.config.machine.kind
        return open_backend(self.config.machine.backend, self.config.device.settings(kind), self._journal)

    def price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The price of measuring each circuit, before anything is submitted."""
        return self.backend.circuit_price(circuits, shots)

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, segment: int) -> Bits:
        """The measured bits of each circuit, ``[num_circuits, shots, num_clbits]``."""
        key = Key(self.config.descent.seed, step=segment, run=self.config.run_id)
        samples = self.backend.measure(circuits, shots, key)
        self._job_ids += samples.job_ids
        self._qpu_seconds += samples.qpu_seconds or 0.0
        return samples.bits

    def take_timing(self) -> dict[str, Any]:
        """The jobs and QPU seconds since this was asked for last, as JSON values."""
        found = {"job_ids": self._job_ids, "qpu_seconds": self._qpu_seconds}
        self._job_ids, self._qpu_seconds = [], 0.0
        return found
