"""Ideal sampling with Qiskit Aer: all rows of a call in one job, on all cores."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import SamplerV2

from qhn.arrays import Bits, Floats
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError, check_request
from qhn.backend.samples import Samples
from qhn.backend.settings import Settings
from qhn.circuit.hypernetwork import Ansatz
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError
from qhn.seeds import Key
from qhn.threads import num_cores

METHODS = {"aer": "statevector", "aer-mps": "matrix_product_state"}
BYTES_PER_AMPLITUDE = 16
MEMORY_SHARE = 0.75  # of the machine's memory, for one state vector


def open_aer(name: str, settings: Settings, journal: Journal | None) -> AerBackend:
    """Aer by state vectors (``aer``) or matrix product states (``aer-mps``); it has no settings and notes nothing."""
    return AerBackend(name, METHODS[name])


class AerBackend:
    """Aer without noise; ``method`` is ``"statevector"`` or ``"matrix_product_state"``."""

    paid = False

    def __init__(self, name: str, method: str) -> None:
        self.name = name
        self.method = method

    def compile(self, ansatz: Ansatz) -> AerSampler:
        """A sampler of ``ansatz.executed``.

        Raises:
            ValueError: if a state vector of that many qubits does not fit in memory.
        """
        if self.method == "statevector":
            check_memory(ansatz.num_qubits, "use backend exact with --shots, or aer-mps")
        # Fusing the rotations of a qubit, at any size, makes these circuits a quarter faster; fusing more slows them.
        options = {"fusion_threshold": 1, "fusion_max_qubit": 2, "max_parallel_experiments": num_cores()}
        simulator = AerSimulator(method=self.method, **options)
        facts = {"name": self.name, "method": self.method, "noise": "none", "circuit": "executed"}
        return AerSampler(simulator, with_measurement(ansatz.executed), ansatz, facts)


class AerSampler:
    """The executed circuit of an ansatz on an ``AerSimulator``."""

    placement = None

    def __init__(self, simulator: AerSimulator, circuit: QuantumCircuit, ansatz: Ansatz, facts: dict[str, Any]) -> None:
        self.simulator = simulator
        self.circuit = circuit
        self.ansatz = ansatz
        self.facts = facts

    def describe(self) -> dict[str, Any]:
        return self.facts

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Bits of each row; the same key gives the same bits, whatever the number of cores."""
        check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        sampler = SamplerV2.from_backend(self.simulator, seed=key.uint32())
        try:
            bits = read_bits(sampler.run([publish(self.circuit, thetas)], shots=shots).result())
        except (QiskitError, MemoryError) as error:
            raise BackendError(f"Aer failed: {error}") from error
        return Samples(self.ansatz.relabel(bits))


def publish(circuit: QuantumCircuit, thetas: Floats) -> tuple[QuantumCircuit, Floats]:
    """The PUB of ``thetas[num_rows, num_parameters]``: the columns that survived in the circuit, in its own order.

    Compilation may remove angles; the remaining ones are elements of one ``ParameterVector`` and say their index.
    """
    return circuit, thetas[:, [parameter.index for parameter in circuit.parameters]]


def read_bits(result: Any, index: int = 0) -> Bits:
    """Bits ``[num_rows, shots, num_qubits]`` of a PUB of a V2 sampler's result; without rows if it had no angles.

    Classical bit j of the register ``meas`` is qubit j; ``order="little"`` puts it in column j.
    """
    bits: Bits = result[index].data.meas.to_bool_array(order="little").view(np.uint8)
    return bits


def check_memory(num_qubits: int, remedy: str) -> None:
    """Refuse state vectors that the machine cannot hold.

    Raises:
        ValueError: naming what is needed, what there is and the remedy.
    """
    needed = BYTES_PER_AMPLITUDE * 2**num_qubits
    amount = f"{needed / 2**30:,.0f} GiB" if num_qubits < 50 else f"2^{num_qubits + 4} bytes"
    available = MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise QhnError(
            f"a state vector of {num_qubits} qubits takes {amount}, more than the "
            f"{available / 2**30:,.0f} GiB usable here; {remedy}"
        )
