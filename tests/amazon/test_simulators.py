"""Amazon Braket's local simulators against Qiskit's state vectors and density matrices, to 5σ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.quantum_info import DensityMatrix, Statevector
from qiskit_aer.noise import depolarizing_error

import qhn
from amazon.alone import client
from qhn import bitstrings
from qhn.backend import BackendError
from qhn.errors import QhnError, QhnWarning
from qhn.seeds import Key

provider = client()
KEY, SHOTS = Key(seed=5), 20_000
NOISE_FREE = "noise-free circuit on the density matrix simulator"


def agree(bits: np.ndarray, probabilities: np.ndarray) -> bool:
    found = np.bincount(bitstrings.to_integers(bits), minlength=2 ** bits.shape[-1])
    expected = len(bits) * probabilities
    return bool(np.all(np.abs(found - expected) < 5 * np.sqrt(expected + 1)))


def state_vector() -> Any:
    return provider.BraketLocalBackend("braket_sv")


def density_matrix() -> Any:
    return provider.BraketLocalBackend("braket_dm")


def sampler() -> Any:
    return provider.BraketSampler(state_vector())


@pytest.mark.parametrize("made", [state_vector, density_matrix, sampler])
@pytest.mark.filterwarnings(f"ignore:.*{NOISE_FREE}:qhn.errors.QhnWarning")
def test_bits_and_angles_are_in_qiskits_order(made: Callable[[], Any], rng: np.random.Generator) -> None:
    """Of five qubits and 40 angles, of which theta[10] is not the one after theta[1]."""
    ansatz = qhn.hypernetwork(5, 3)
    thetas = rng.uniform(0, 2 * np.pi, (2, ansatz.num_parameters))
    bits = qhn.open_backend(made()).compile(ansatz).sample(thetas, SHOTS, KEY).bits
    assert bits.shape == (2, SHOTS, 5)
    for row, theta in zip(bits, thetas, strict=True):
        exact = Statevector(ansatz.circuit.assign_parameters(theta)).probabilities()
        assert agree(row, exact)
        assert not agree(row[:, ::-1], exact)


def test_noise_is_that_of_qiskits_channels(rng: np.random.Generator) -> None:
    import braket_machine

    ansatz = qhn.hypernetwork(4, 2)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    sampler = qhn.open_backend(braket_machine.noisy).compile(ansatz)
    bits = sampler.sample(theta[None], SHOTS, KEY).bits[0]
    circuit = sampler.circuit.assign_parameters({one: theta[one.index] for one in sampler.circuit.parameters})
    ideal, noisy, channel = DensityMatrix.from_label("0000"), DensityMatrix.from_label("0000"), 16 / 15 * 0.02
    for gate in circuit.data:
        at = [circuit.find_bit(qubit).index for qubit in gate.qubits]
        if gate.operation.name not in ("barrier", "measure"):
            ideal, noisy = ideal.evolve(gate.operation, at), noisy.evolve(gate.operation, at)
        if gate.operation.name == "cx":
            noisy = noisy.evolve(depolarizing_error(channel, 2), at)
    assert agree(bits, noisy.probabilities())
    assert not agree(bits, ideal.probabilities())


def test_bound_circuits_of_any_registers_are_measured() -> None:
    first, second = QuantumRegister(2, "first"), QuantumRegister(2, "second")
    circuit = QuantumCircuit(first, second, ClassicalRegister(3, "word"))
    circuit.h(0)
    circuit.cx(0, 2)
    circuit.ry(0.7, 3)
    circuit.measure([2, 3, 0], [0, 1, 2])
    other = QuantumCircuit(4, 3)
    other.x(1)
    other.measure([1, 2, 3], [0, 1, 2])
    bits = qhn.open_backend(state_vector()).measure([circuit, other], SHOTS, KEY).bits
    one = np.sin(0.35) ** 2  # of bit 1; bits 0 and 2 are equal
    assert agree(bits[0], np.array([1 - one, 0, one, 0, 0, 1 - one, 0, one]) / 2)
    assert (bits[1] == [1, 0, 0]).all()


def test_another_order_of_bits_is_caught_before_anything_is_measured() -> None:
    class Reversed(provider.BraketLocalBackend):  # type: ignore[misc, name-defined]
        def run(self, run_input: list[QuantumCircuit], **options: Any) -> Any:
            return super().run([circuit.reverse_bits() for circuit in run_input], **options)

    machine = qhn.open_backend(Reversed("braket_sv"))
    ansatz = qhn.hypernetwork(3, 1)
    with pytest.raises(BackendError, match=r"did not pass the self-test .* bits come back in reverse order"):
        machine.compile(ansatz).sample(np.zeros((1, ansatz.num_parameters)), 10, KEY)
    circuit = QuantumCircuit(3)
    circuit.measure_all()
    with pytest.raises(BackendError, match="reverse order"):
        machine.measure([circuit], 10, KEY)


def test_angles_bound_to_other_gates_are_caught() -> None:
    class Shuffled(provider.BraketSampler):  # type: ignore[misc, name-defined]
        def run(self, pubs: Any, **options: Any) -> Any:
            return super().run([(circuit, angles[:, ::-1]) for circuit, angles in pubs], **options)

    ansatz = qhn.hypernetwork(3, 1)
    sampler = qhn.open_backend(Shuffled(state_vector())).compile(ansatz)
    with pytest.raises(BackendError, match="did not pass the self-test"):
        sampler.sample(np.zeros((1, ansatz.num_parameters)), 10, KEY)


def test_it_takes_no_seed_and_says_so() -> None:
    ansatz = qhn.hypernetwork(4, 1)
    sampler = qhn.open_backend(state_vector()).compile(ansatz)
    thetas = np.full((1, ansatz.num_parameters), 1.0)
    one, other = (sampler.sample(thetas, 1000, KEY).bits for _ in range(2))
    assert (one != other).any()
    facts = sampler.describe()
    assert facts["seed"] == "not taken"
    assert facts["client"] == f"qiskit_braket_provider {provider.__version__}"


@pytest.mark.parametrize("shots", [1, 3])
def test_any_number_of_shots_is_taken(shots: int) -> None:
    ansatz = qhn.product_state(2)
    theta = np.array([[np.pi, 0.0, 0.0, 0.0]])
    bits = qhn.open_backend(state_vector()).compile(ansatz).sample(theta, shots, KEY).bits
    assert bits.tolist() == [[[1, 0]] * shots]


def test_more_qubits_than_it_simulates_are_refused() -> None:
    with pytest.raises(QhnError, match="braket_sv has 26 qubits, the circuit needs 27"):
        qhn.open_backend(state_vector()).compile(qhn.product_state(27))
    with pytest.raises(QhnError, match="braket_dm has 13 qubits, the circuit needs 14"):
        qhn.open_backend(density_matrix()).compile(qhn.product_state(14))


def test_what_the_vendor_warns_of_is_told_once() -> None:
    sampler = qhn.open_backend(density_matrix()).compile(qhn.product_state(2))
    with pytest.warns(QhnWarning, match=f"braket_dm warns: .*{NOISE_FREE}") as told:
        sampler.sample(np.zeros((3, 4)), 10, KEY)
    assert len(told) == 1
    sampler.sample(np.zeros((1, 4)), 10, KEY)
