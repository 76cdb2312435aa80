"""Bound circuits on every machine: ideal distributions, the order of bits, noise, sizes and refusals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import QFTGate, UnitaryGate
from qiskit.quantum_info import Statevector, random_unitary

from qhn.arrays import Floats
from qhn.backend import open_backend
from qhn.seeds import Key

IDEAL = ("exact", "aer", "aer-mps")
SHOTS = 4000


def ghz() -> QuantumCircuit:
    circuit = QuantumCircuit(3)
    circuit.h(0)
    circuit.cx(0, 1)
    circuit.cx(1, 2)
    circuit.measure_all()
    return circuit


def crossed() -> QuantumCircuit:
    """Measurements in an order of their own, into bits of two registers."""
    a, b = ClassicalRegister(2, "a"), ClassicalRegister(1, "b")
    circuit = QuantumCircuit(QuantumRegister(4, "q"), a, b)
    for qubit, angle in enumerate((0.4, 1.1, 1.9, 2.6)):
        circuit.ry(angle, qubit)
    circuit.cx(3, 0)
    circuit.rzz(0.7, 1, 2)
    circuit.measure([2, 0, 3], [b[0], a[1], a[0]])
    return circuit


def unitaries() -> QuantumCircuit:
    circuit = QuantumCircuit(3, 3)
    circuit.append(UnitaryGate(random_unitary(8, seed=1)), [0, 2, 1])
    circuit.append(UnitaryGate(random_unitary(2, seed=2)).control(1), [2, 0])
    circuit.append(QFTGate(3), [0, 1, 2])
    circuit.append(UnitaryGate(random_unitary(4, seed=3)), [1, 2])
    circuit.measure([0, 1, 2], [1, 2, 0])
    return circuit


CIRCUITS: dict[str, Callable[[], QuantumCircuit]] = {"ghz": ghz, "crossed": crossed, "unitaries": unitaries}


def expected(circuit: QuantumCircuit) -> Floats:
    """The probabilities of the bits as a number, classical bit 0 least significant, by Qiskit's own state vector."""
    pairs = {
        circuit.find_bit(one.clbits[0]).index: circuit.find_bit(one.qubits[0]).index
        for one in circuit.data
        if one.operation.name == "measure"
    }
    state = Statevector(circuit.remove_final_measurements(inplace=False))
    return np.asarray(state.probabilities([pairs[bit] for bit in range(circuit.num_clbits)]))


def shares(bits: np.ndarray) -> Floats:
    numbers = bits @ (1 << np.arange(bits.shape[-1]))
    return np.bincount(numbers, minlength=2 ** bits.shape[-1]) / len(bits)


@pytest.mark.parametrize("name", IDEAL)
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_ideal_machines_draw_from_the_distribution_of_the_state_vector(name: str, circuit: str) -> None:
    circuits = [CIRCUITS[circuit](), CIRCUITS[circuit]()]
    samples = open_backend(name).measure(circuits, SHOTS, Key(seed=3, step=2))
    assert samples.bits.shape == (2, SHOTS, 3)
    assert samples.bits.dtype == np.uint8
    assert (samples.job_ids, samples.qpu_seconds, samples.shots, samples.num_shots) == ((), 0.0, SHOTS, 2 * SHOTS)
    right = expected(circuits[0])
    error = np.sqrt(right * (1 - right) / SHOTS)
    for bits in samples.bits:
        assert (np.abs(shares(bits) - right) <= 5 * error + 1e-12).all()
    assert (samples.bits[0] != samples.bits[1]).any(), "the same circuit is drawn with other random numbers"


@pytest.mark.parametrize("name", IDEAL)
def test_the_same_key_gives_the_same_bits_and_another_one_others(name: str) -> None:
    backend = open_backend(name)
    first, same, other = (backend.measure([ghz()], 200, Key(seed=seed)).bits for seed in (1, 1, 2))
    assert (first == same).all()
    assert (first != other).any()


@pytest.mark.parametrize("name", IDEAL)
def test_the_size_is_that_of_the_circuit_and_nothing_is_billed(name: str) -> None:
    price = open_backend(name).circuit_price([ghz(), unitaries()], 100)
    assert next((one.qubits, one.two_qubit_gates) for one in price.circuits) == (3, 2)
    assert price.circuits[1].larger_gates == 1
    assert price.circuits[1].fidelity is None
    assert (price.jobs, price.seconds, price.executions, price.amount().shots) == (0, 0.0, 200, 200)
    assert "QPU" not in price.words()


def with_parameter() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.ry(Parameter("angle"), 0)
    circuit.measure(0, 0)
    return circuit


def with_control_flow() -> QuantumCircuit:
    circuit = QuantumCircuit(1, 1)
    circuit.measure(0, 0)
    with circuit.if_test((0, 1)):
        circuit.x(0)
    return circuit


def too_many_qubits() -> QuantumCircuit:
    circuit = QuantumCircuit(60, 1)
    circuit.measure(0, 0)
    return circuit


def two_bits() -> QuantumCircuit:
    circuit = QuantumCircuit(2)
    circuit.measure_all()
    return circuit


@pytest.mark.parametrize(
    ("circuits", "shots", "message"),
    [
        ([], 10, "there is no circuit to measure; give at least one"),
        (ghz(), 10, "circuits must be a list of circuits"),
        ([ghz(), 7], 10, "circuit 1 must be a QuantumCircuit, got int"),
        ([with_parameter()], 10, r"circuit 0 has 1 parameters \(angle\) without a value"),
        ([QuantumCircuit(2, 2)], 10, "circuit 0 measures nothing"),
        ([with_control_flow()], 10, "circuit 0 has control flow or variables"),
        ([ghz(), two_bits()], 10, "equally many classical bits, got 2 to 3"),
        ([ghz()], 0, "shots must be at least 1, got 0"),
        ([ghz()], 2.5, "shots must be an integer of at least 1, got 2.5"),
        ([ghz()], 2**31, "6,442,450,944 measured bits, more than the 2,147,483,648 of one job; lower shots"),
    ],
)
def test_what_no_machine_can_measure_is_refused_at_the_door(circuits: object, shots: object, message: str) -> None:
    backend = open_backend("aer")
    for ask in (lambda: backend.measure(circuits, shots, Key(seed=1)), lambda: backend.circuit_price(circuits, shots)):
        with pytest.raises(ValueError, match=message):
            ask()


@pytest.mark.parametrize("name", ["exact", "aer"])
def test_a_state_vector_beyond_the_memory_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"a state vector of 60 qubits takes 2\^64 bytes.*use aer-mps"):
        open_backend(name).measure([too_many_qubits()], 10, Key(seed=1))
    assert open_backend("aer-mps").measure([too_many_qubits()], 10, Key(seed=1)).bits.shape == (1, 10, 1)
