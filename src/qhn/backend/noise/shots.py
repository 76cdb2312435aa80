"""Noisy circuits by Qiskit Aer, which draws shots and does not know their distribution: circuits that are no chain.

Aer takes a density matrix where a circuit of N qubits has more than 2^N shots and it fits into memory, and otherwise a
state vector for each shot, with errors at random.
"""

from __future__ import annotations

import warnings

import numpy as np
from qiskit import QuantumCircuit
from qiskit.exceptions import QiskitError
from qiskit.providers import BackendV2
from qiskit.transpiler import PassManager
from qiskit.transpiler.passes import Unroll3qOrMore
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_aer.primitives import SamplerV2

from qhn.arrays import Bits, Floats
from qhn.backend.aer import publish, read_bits, with_matrices
from qhn.backend.device.chip import Chip
from qhn.backend.device.isa import Patch, onto_patch, used_qubits
from qhn.backend.noise.channels import Depolarising
from qhn.backend.sampler import BackendError
from qhn.circuit.measurement import with_measurement
from qhn.threads import num_cores

NO_TWIN = "simulated by Aer, since the circuit is no chain of neighbours, as the noisy twin needs it"
NAMES = (("rx", "ry", "rz", "fixed-1"), ("cx", "rxx", "ryy", "rzz", "rzx", "fixed-2"))  # gates on one and two qubits

ROWS_AT_ONCE = 4  # in large circuits: a row of 16 routed qubits takes seconds, and a signal is heard between calls
LARGE = 12  # qubits from which on the 0.05 s that a call takes by itself are little


class NoisyAer:
    """A noisy circuit as Aer simulates it.

    Args:
        circuit: the circuit, with qubit j measured into bit j of the register ``meas``.
        simulator: Aer with the noise of its gates and readout.
        in_parts: whether Aer is called for a few rows of angles at a time, since no signal is heard during a call.
    """

    def __init__(self, circuit: QuantumCircuit, simulator: AerSimulator, in_parts: bool = False) -> None:
        self.circuit = circuit
        self.simulator = simulator
        self.rows_at_once = ROWS_AT_ONCE if in_parts and circuit.num_qubits >= LARGE else None

    @property
    def method(self) -> str:
        """The method of computation in words."""
        return f"Aer: density matrix above 2^{self.circuit.num_qubits} shots, otherwise trajectories"

    def sample(self, thetas: Floats, shots: int, rng: np.random.Generator) -> Bits:
        """Draw measured bits: ``[num_rows, num_parameters]`` → ``[num_rows, shots, num_qubits]``.

        Raises:
            BackendError: if Aer fails.
        """
        at_once = self.rows_at_once or len(thetas)
        parts = [thetas[start : start + at_once] for start in range(0, len(thetas), at_once)]
        return np.concatenate([self._sample(part, shots, int(rng.integers(2**32))) for part in parts])

    def sample_bound(self, shots: int, rng: np.random.Generator) -> Bits:
        """Draw the bits ``[shots, num_clbits]`` of a circuit without parameters.

        Raises:
            BackendError: if Aer fails.
        """
        bits: Bits = self.sample(np.empty((1, 0)), shots, rng)[0]
        return bits

    def _sample(self, thetas: Floats, shots: int, seed: int) -> Bits:
        """Draw the bits of some rows in one call of Aer."""
        sampler = SamplerV2.from_backend(self.simulator, seed=seed)
        try:
            return read_bits(sampler.run([publish(self.circuit, thetas)], shots=shots).result())
        except (QiskitError, MemoryError) as error:
            raise BackendError(f"Aer failed: {error}") from error


def on_device(circuit: QuantumCircuit, device: BackendV2, chip: Chip, *, in_parts: bool) -> NoisyAer:
    """A circuit compiled for a device, with Aer's own model of the noise of the qubits that it uses.

    Its readout errors are symmetric.

    Args:
        circuit: the compiled circuit.
        device: the device.
        chip: calibration of the device.
        in_parts: whether Aer is called for a few rows of angles at a time, if the circuit is large.
    """
    qubits = used_qubits(circuit)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Aer comments on relaxation times above their physical limit
        simulator = AerSimulator.from_backend(Patch(device, chip, qubits), max_parallel_experiments=num_cores())
    return NoisyAer(onto_patch(circuit, qubits), simulator, in_parts)


def depolarised(circuit: QuantumCircuit, noise: Depolarising) -> NoisyAer:
    """A circuit without measurement, with depolarising noise after every gate on one or two qubits.

    Gates on more qubits are first decomposed into gates on one and two.
    """
    small = PassManager([Unroll3qOrMore()]).run(circuit)
    return NoisyAer(with_measurement(with_matrices(small)), _with_noise(noise), in_parts=True)


def depolarised_bound(circuit: QuantumCircuit, noise: Depolarising) -> NoisyAer:
    """A bound circuit of gates on one and two qubits, measured into ``meas``, with the same noise after each of them.

    Args:
        circuit: the circuit, as :func:`qhn.backend.bound_circuits.in_small_gates` returns it.
        noise: strengths of the noise.
    """
    return NoisyAer(with_matrices(circuit), _with_noise(noise))


def _with_noise(noise: Depolarising) -> AerSimulator:
    """Aer with depolarising noise after every gate, and readout errors."""
    model = NoiseModel()
    for strength, num_qubits in ((noise.p1, 1), (noise.p2, 2)):
        paulis = 4**num_qubits
        error = depolarizing_error(strength * paulis / (paulis - 1), num_qubits)
        model.add_all_qubit_quantum_error(error, list(NAMES[num_qubits - 1]))
    if noise.readout_error:
        wrong = noise.readout_error
        model.add_all_qubit_readout_error(ReadoutError([[1 - wrong, wrong], [wrong, 1 - wrong]]))
    return AerSimulator(noise_model=model, max_parallel_experiments=num_cores())
