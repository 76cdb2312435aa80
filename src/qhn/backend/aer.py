"""Ideal sampling with the simulator Qiskit Aer: all rows of angles of a call in one job, on all cores."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import Gate
from qiskit.circuit.library import UnitaryGate
from qiskit.exceptions import QiskitError
from qiskit.transpiler import generate_preset_pass_manager
from qiskit_aer import AerSimulator
from qiskit_aer.primitives import SamplerV2

from qhn.arrays import Bits, Floats
from qhn.backend.bound import CircuitPrice, CircuitSamples
from qhn.backend.bound_circuits import check_circuits, size_of
from qhn.backend.journal import Journal
from qhn.backend.sampler import BackendError, check_request
from qhn.backend.samples import Samples
from qhn.backend.settings import Settings
from qhn.circuit.ansatz import GateCircuit
from qhn.circuit.measurement import with_measurement
from qhn.errors import QhnError
from qhn.seeds import Key
from qhn.threads import num_cores

METHODS = {"aer": "statevector", "aer-mps": "matrix_product_state"}
BYTES_PER_AMPLITUDE = 16
MEMORY_SHARE = 0.75  # share of the machine's memory that one state vector may take


def open_aer(name: str, settings: Settings, journal: Journal | None) -> AerBackend:
    """Open Aer with state vectors (``aer``) or matrix product states (``aer-mps``), without settings or journal."""
    return AerBackend(name, METHODS[name])


class AerBackend:
    """The simulator Aer without noise.

    Args:
        name: name of the machine.
        method: Aer's method of simulation, ``"statevector"`` or ``"matrix_product_state"``.
    """

    paid = False

    def __init__(self, name: str, method: str) -> None:
        self.name = name
        self.method = method

    def compile(self, ansatz: GateCircuit) -> AerSampler:
        """The sampler of the ansatz, which simulates its ``executed`` circuit.

        Raises:
            ValueError: if a state vector of that many qubits does not fit in memory.
        """
        if self.method == "statevector":
            check_memory(ansatz.num_qubits, "use backend exact with --shots, or aer-mps")
        # Fusing the rotations of a qubit, at any size, makes these circuits a quarter faster; fusing more slows them.
        options = {"fusion_threshold": 1, "fusion_max_qubit": 2, "max_parallel_experiments": num_cores()}
        simulator = AerSimulator(method=self.method, **options)
        facts = {"name": self.name, "method": self.method, "noise": "none", "circuit": "executed"}
        return AerSampler(simulator, with_measurement(with_matrices(ansatz.executed)), ansatz, facts)

    def measure(self, circuits: Sequence[QuantumCircuit], shots: int, key: Key) -> CircuitSamples:
        """Draw the bits of each bound circuit; the same key gives the same bits, whatever the number of cores.

        Raises:
            ValueError: if the circuits or ``shots`` are refused (:func:`qhn.backend.bound_circuits.check_circuits`), or
                a state vector does not fit into memory.
            BackendError: if Aer fails.
        """
        simulator, compiled, shots = self._prepared(circuits, shots)
        seeds = key.generator().integers(2**32, size=len(compiled))
        bits = [run_bound(simulator, one, shots, int(seed)) for one, seed in zip(compiled, seeds, strict=True)]
        return CircuitSamples(np.stack(bits))

    def circuit_price(self, circuits: Sequence[QuantumCircuit], shots: int) -> CircuitPrice:
        """The size of each bound circuit in the instructions of Aer, which takes a gate of any size as a matrix.

        Raises:
            ValueError: if the circuits or ``shots`` are refused, as by :meth:`measure`.
        """
        _, compiled, shots = self._prepared(circuits, shots)
        return CircuitPrice(tuple(size_of(circuit) for circuit in compiled), shots)

    def describe_circuits(self, circuits: Sequence[QuantumCircuit]) -> dict[str, Any]:
        """The method of simulation, which is the same for all circuits, as JSON values."""
        return {"name": self.name, "method": self.method, "noise": "none"}

    def _prepared(
        self, circuits: Sequence[QuantumCircuit], shots: int
    ) -> tuple[AerSimulator, list[QuantumCircuit], int]:
        """The simulator of bound circuits, the circuits in its instructions, and the number of shots of each."""
        checked, shots = check_circuits(circuits, shots)
        if self.method == "statevector":
            for circuit in checked:
                check_memory(circuit.num_qubits, "use aer-mps, or fewer qubits")
        simulator = AerSimulator(method=self.method)
        passes = generate_preset_pass_manager(optimization_level=0, backend=simulator)
        return simulator, passes.run(checked), shots


class AerSampler:
    """A sampler that runs the executed circuit of an ansatz on an ``AerSimulator``."""

    placement = None

    def __init__(
        self, simulator: AerSimulator, circuit: QuantumCircuit, ansatz: GateCircuit, facts: dict[str, Any]
    ) -> None:
        self.simulator = simulator
        self.circuit = circuit
        self.ansatz = ansatz
        self.facts = facts

    def describe(self) -> dict[str, Any]:
        """The form of the circuit and the facts about the simulator, as JSON values."""
        return self.facts

    def sample(self, thetas: Floats, shots: int, key: Key, group: int = 1) -> Samples:
        """Draw the bits of each row of angles; the same key gives the same bits, whatever the number of cores."""
        thetas, shots = check_request(thetas, self.ansatz.num_parameters, self.ansatz.num_qubits, shots)
        sampler = SamplerV2.from_backend(self.simulator, seed=key.uint32())
        try:
            bits = read_bits(sampler.run([publish(self.circuit, thetas)], shots=shots).result())
        except (QiskitError, MemoryError) as error:
            raise BackendError(f"Aer failed: {error}") from error
        return Samples(self.ansatz.relabel(bits))


def run_bound(simulator: AerSimulator, circuit: QuantumCircuit, shots: int, seed: int) -> Bits:
    """The bits ``[shots, num_clbits]`` of a circuit without parameters that is measured into the register ``meas``.

    Raises:
        BackendError: if Aer fails.
    """
    try:
        return read_bits(SamplerV2.from_backend(simulator, seed=seed).run([circuit], shots=shots).result())
    except (QiskitError, MemoryError) as error:
        raise BackendError(f"Aer failed: {error}") from error


def with_matrices(circuit: QuantumCircuit) -> QuantumCircuit:
    """The circuit with the matrix of each gate without an angle in its place, which every method of Aer takes.

    Of the fixed gates only CX keeps its name. The label of a matrix is ``fixed-1`` of a gate on one qubit, ``fixed-2``
    on two, and so on, by which a noise model can tell them apart.
    """
    result = circuit.copy_empty_like()
    for instruction in circuit.data:
        gate = instruction.operation
        if isinstance(gate, Gate) and not gate.is_parameterized() and gate.name != "cx":
            gate = UnitaryGate(gate.to_matrix(), label=f"fixed-{gate.num_qubits}")
        result.append(gate, instruction.qubits, instruction.clbits)
    return result


def publish(circuit: QuantumCircuit, thetas: Floats) -> tuple[QuantumCircuit, Floats]:
    """The circuit and the angles in the form of a PUB, Qiskit's unit of sampling.

    Compilation may remove angles; the remaining ones are elements of one ``ParameterVector``, which know their index.

    Args:
        circuit: compiled circuit.
        thetas: rows of angles in radians, ``[num_rows, num_parameters]``.

    Returns:
        The circuit, and the columns of ``thetas`` that it still depends on, in the order of its parameters.
    """
    return circuit, thetas[:, [parameter.index for parameter in circuit.parameters]]


def read_bits(result: Any, index: int = 0) -> Bits:
    """Read the bits ``[num_rows, shots, num_qubits]`` of a PUB from the result of a V2 sampler.

    Classical bit j of the register ``meas`` is qubit j; ``order="little"`` puts it in column j. A PUB without angles
    has no axis of rows.
    """
    bits: Bits = result[index].data.meas.to_bool_array(order="little").view(np.uint8)
    return bits


def check_memory(num_qubits: int, remedy: str) -> None:
    """Refuse to simulate a state vector that does not fit into the machine's memory.

    Raises:
        ValueError: if the state vector does not fit; the message states the memory needed, the memory there is, and
            ``remedy``, the advice to the user.
    """
    needed = BYTES_PER_AMPLITUDE * 2**num_qubits
    amount = f"{needed / 2**30:,.0f} GiB" if num_qubits < 50 else f"2^{num_qubits + 4} bytes"
    available = MEMORY_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > available:
        raise QhnError(
            f"a state vector of {num_qubits} qubits takes {amount}, more than the "
            f"{available / 2**30:,.0f} GiB usable here; {remedy}"
        )
