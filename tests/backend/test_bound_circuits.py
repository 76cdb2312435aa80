"""Bound circuits on every machine: ideal distributions, the order of bits, noise, sizes and refusals."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from qiskit import ClassicalRegister, QuantumCircuit, QuantumRegister
from qiskit.circuit import Parameter
from qiskit.circuit.library import QFTGate, StatePreparation, UCRYGate, UnitaryGate
from qiskit.quantum_info import DensityMatrix, Pauli, Statevector, random_unitary
from qiskit_aer import AerSimulator

from qhn.arrays import Floats
from qhn.backend import DeviceSettings, NoiseSettings, RehearsalSettings, bound_circuits, open_backend
from qhn.backend.circuit_digest import circuit_digest
from qhn.backend.device.isa import onto_patch
from qhn.backend.rehearsal import FakeDevice, stored_device
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


def nested() -> QuantumCircuit:
    """Matrices inside gates inside gates, the inverse and a controlled one among them."""
    block = QuantumCircuit(3)
    block.append(UnitaryGate(random_unitary(8, seed=4)), [2, 0, 1])
    block.append(UCRYGate([0.1, 0.7, 1.1, 2.0]), [1, 0, 2])
    outer = QuantumCircuit(3)
    outer.append(block.to_gate(), [0, 1, 2])
    outer.append(StatePreparation([0.6, 0.0, 0.0, 0.8]), [0, 2])
    outer.append(block.to_gate().inverse(), [1, 2, 0])
    circuit = QuantumCircuit(4, 3)
    circuit.h(3)
    circuit.append(outer.to_gate().control(1), [3, 0, 1, 2])
    circuit.measure([3, 0, 1], [0, 2, 1])
    return circuit


CIRCUITS: dict[str, Callable[[], QuantumCircuit]] = {
    "ghz": ghz,
    "crossed": crossed,
    "unitaries": unitaries,
    "nested": nested,
}


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


def one_flipped(flipped: int) -> QuantumCircuit:
    """Three qubits of which one is 1, and which are measured into bits 0, 1 and 2."""
    circuit = QuantumCircuit(3, 3)
    circuit.x(flipped)
    circuit.cz(0, 2)
    circuit.measure(range(3), range(3))
    return circuit


@pytest.mark.parametrize("name", [*IDEAL, "depolarising", "fake_manila", "fake_torino"])
def test_classical_bit_0_comes_first_on_every_machine(name: str) -> None:
    samples = open_backend(name).measure([one_flipped(qubit) for qubit in (0, 1, 2)], 400, Key(seed=5))
    assert (samples.bits.mean(axis=1) > 0.5).tolist() == np.eye(3, dtype=bool).tolist()


def with_noise(circuit: QuantumCircuit, p1: float, p2: float) -> Floats:
    """The probabilities under random Pauli errors after every gate, on Qiskit's density matrices without Aer."""
    state, pairs = DensityMatrix.from_label("0" * circuit.num_qubits), {}
    for one in circuit.data:
        qubits = [circuit.find_bit(qubit).index for qubit in one.qubits]
        if one.operation.name == "measure":
            pairs[circuit.find_bit(one.clbits[0]).index] = qubits[0]
            continue
        clean = state.evolve(one.operation, qargs=qubits)
        words = [first + second for first in "IXYZ" for second in ("IXYZ" if len(qubits) == 2 else [""])][1:]
        wrong = sum(clean.evolve(Pauli(word), qargs=qubits).data for word in words) / len(words)
        strength = p1 if len(qubits) == 1 else p2
        state = DensityMatrix((1 - strength) * clean.data + strength * wrong)
    return np.asarray(state.probabilities([pairs[bit] for bit in range(circuit.num_clbits)]))


@pytest.mark.parametrize(("p1", "p2"), [(0.0, 0.0), (0.05, 0.2)])
def test_depolarising_noise_is_that_of_a_density_matrix(p1: float, p2: float) -> None:
    samples = open_backend("depolarising", NoiseSettings(p1=p1, p2=p2)).measure([crossed()], SHOTS, Key(seed=4))
    right = with_noise(crossed(), p1, p2)
    assert (np.abs(shares(samples.bits[0]) - right) <= 5 * np.sqrt(right * (1 - right) / SHOTS) + 1e-12).all()
    assert (p1 == 0) == np.allclose(right, expected(crossed()))


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_without_noise_the_depolarising_machine_decomposes_what_is_large_and_keeps_the_distribution(
    circuit: str,
) -> None:
    backend = open_backend("depolarising", NoiseSettings(p1=0.0, p2=0.0))
    right = expected(CIRCUITS[circuit]())
    found = shares(backend.measure([CIRCUITS[circuit]()], SHOTS, Key(seed=4)).bits[0])
    assert (np.abs(found - right) <= 5 * np.sqrt(right * (1 - right) / SHOTS) + 1e-12).all()


def test_a_matrix_counts_as_the_gates_that_it_takes() -> None:
    (size,) = open_backend("depolarising").circuit_price([unitaries()], 10).circuits
    assert size.larger_gates == 0
    assert size.two_qubit_gates > 19  # a matrix on three qubits alone takes that many


@pytest.mark.parametrize("circuit", CIRCUITS)
@pytest.mark.parametrize("name", ["fake_manila", "fake_torino"])
def test_a_compiled_circuit_does_what_the_circuit_does(name: str, circuit: str) -> None:
    device = FakeDevice(stored_device(name))
    (placed,) = device._circuits.placed([CIRCUITS[circuit]()], 10).circuits
    small = onto_patch(placed.circuit, placed.route.used)
    np.testing.assert_allclose(expected(small), expected(CIRCUITS[circuit]()), atol=1e-9)


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_a_rehearsal_has_the_noise_of_the_whole_device(circuit: str) -> None:
    """Against Aer with the noise of all qubits of the stored device, which executes the same compiled circuit."""
    device = FakeDevice(stored_device("fake_manila"))
    (placed,) = device._circuits.placed([CIRCUITS[circuit]()], SHOTS).circuits
    found = shares(device.measure([CIRCUITS[circuit]()], SHOTS, Key(seed=8)).bits[0])
    simulator = AerSimulator.from_backend(stored_device("fake_manila"))
    counts = simulator.run(placed.circuit, shots=SHOTS, seed_simulator=3).result().get_counts()
    other = np.array([counts.get(f"{number:03b}", 0) for number in range(8)]) / SHOTS
    mean = (found + other) / 2
    assert (np.abs(found - other) <= 5 * np.sqrt(2 * mean * (1 - mean) / SHOTS) + 1e-12).all()


def test_a_rehearsal_has_the_price_of_the_real_device_and_bills_nothing() -> None:
    backend = open_backend("fake_torino")
    price = backend.circuit_price([ghz(), unitaries()], 1000)
    chip = stored_device("fake_torino")
    shot = [chip.default_rep_delay + size.seconds for size in price.circuits]
    assert price.seconds == pytest.approx(2 + 1000 * sum(shot))
    assert (price.jobs, price.executions) == (1, 2000)
    assert price.circuits[0].two_qubit_gates == 2
    assert 0.5 < price.circuits[1].fidelity < price.circuits[0].fidelity < 1
    samples = backend.measure([ghz(), unitaries()], 1000, Key(seed=1))
    assert (samples.job_ids, samples.qpu_seconds) == ((), 0.0)
    assert price.words().endswith(f"1 job, {price.seconds:,.1f} QPU s")


def test_a_request_beyond_the_limits_of_a_job_is_divided() -> None:
    price = open_backend("fake_torino").circuit_price([ghz()] * 101, 100_000)
    assert price.jobs == 2  # a job has ten million executions
    assert price.amount(whole=True).seconds >= price.seconds == sum(price.job_seconds)


@pytest.mark.parametrize("name", [*IDEAL, "depolarising", "fake_manila"])
def test_a_machine_says_for_the_record_how_it_measures(name: str) -> None:
    facts = open_backend(name, RehearsalSettings(twirling=True) if name == "fake_manila" else None).describe_circuits(
        [ghz(), crossed()]
    )
    assert facts["name"] == name
    assert json.loads(json.dumps(facts, allow_nan=False)) == facts
    if name == "fake_manila":
        assert [len(one["qubits"]) for one in facts["circuits"]] == [3, 3]
        assert facts["circuits"][0]["two_qubit_gates"] == 2
        assert facts["twirling"] == "asked for, not simulated"
        assert facts["calibration"]["num_qubits"] == 5


def with_reset_amid() -> QuantumCircuit:
    """Measured, reset and prepared anew: bits 1, 0 and, of a qubit prepared in 1, again 1."""
    circuit = QuantumCircuit(2, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.reset(0)
    circuit.barrier()
    circuit.measure(0, 1)
    circuit.initialize([0, 1], 1)
    circuit.measure(1, 2)
    return circuit


@pytest.mark.parametrize("name", [*IDEAL, "depolarising"])
def test_simulators_reset_qubits_and_measure_amid_a_circuit(name: str) -> None:
    bits = open_backend(name).measure([with_reset_amid()], 300, Key(seed=1)).bits[0]
    assert (bits.mean(axis=0) > 0.5).tolist() == [True, False, True]


def test_a_device_measures_amid_a_circuit() -> None:
    circuit = QuantumCircuit(2, 3)
    circuit.x(0)
    circuit.measure(0, 0)
    circuit.x(0)
    circuit.measure(0, 1)
    circuit.cx(0, 1)
    circuit.x(1)
    circuit.measure(1, 2)
    bits = open_backend("fake_manila").measure([circuit], 300, Key(seed=1)).bits[0]
    assert (bits.mean(axis=0) > 0.5).tolist() == [True, False, True]


def test_twirling_rounds_shots_up_in_bits_and_price() -> None:
    backend = open_backend("fake_manila", RehearsalSettings(twirling=True))
    assert backend.circuit_price([ghz()], 1000).shots == 1024
    assert backend.measure([ghz()], 1000, Key(seed=1)).shots == 1024


def with_reset() -> QuantumCircuit:
    circuit = ghz()
    circuit.reset(0)
    return circuit


@pytest.mark.parametrize(
    ("settings", "circuit", "shots", "message"),
    [
        (DeviceSettings(tiles=2), ghz(), 10, "device.tiles = 2 measures rows of angles side by side"),
        (
            DeviceSettings(calibrate=True),
            ghz(),
            10,
            "counted and inverted for trainings alone; leave device.mitigation",
        ),
        (DeviceSettings(qubits=((0, 1),)), ghz(), 10, "the circuit needs 3 qubits, got 2"),
        (DeviceSettings(rep_delay=1.0), ghz(), 10, "rep_delay must be"),
        (None, too_many_qubits(), 10, "fake_manila has 5 qubits, the circuit needs 60"),
        (None, with_reset(), 10, "fake_manila does not support reset on qubit"),
        (None, ghz(), 200_000, "200,000 shots are more than the"),
    ],
)
def test_what_a_device_cannot_measure_is_refused_with_the_remedy(
    settings: DeviceSettings | None, circuit: QuantumCircuit, shots: int, message: str
) -> None:
    backend = open_backend("fake_manila", settings)
    with pytest.raises(ValueError, match=message):
        backend.circuit_price([circuit], shots)


def test_excluded_qubits_are_not_used_and_given_ones_are() -> None:
    settings = RehearsalSettings(exclude=(0, 1))
    (placed,) = FakeDevice(stored_device("fake_manila"), settings)._circuits.placed([ghz()], 10).circuits
    assert placed.route.used == (2, 3, 4)
    settings = RehearsalSettings(qubits=((4, 3, 2),))
    (placed,) = FakeDevice(stored_device("fake_manila"), settings)._circuits.placed([ghz()], 10).circuits
    assert placed.route.start == (4, 3, 2)


def test_a_circuit_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = open_backend("fake_manila")
    price = backend.circuit_price([ghz(), ghz()], 100)
    monkeypatch.setattr("qhn.backend.device.bound_placement.place_circuit", None)
    assert backend.circuit_price([ghz()], 100).circuits == price.circuits[:1]
    backend.measure([ghz()], 100, Key(seed=1))


def test_a_circuit_too_deep_for_a_job_is_refused_before_its_matrices_are_decomposed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bound_circuits, "MAX_TWO_QUBIT_GATES", 1)
    for name in ("depolarising", "fake_manila"):
        with pytest.raises(ValueError, match=f"takes 2 two-qubit gates on {name}, more than the 1 of a job"):
            open_backend(name).circuit_price([ghz()], 10)
        monkeypatch.setattr(bound_circuits, "UnitarySynthesis", None)
        with pytest.raises(ValueError, match=f"a circuit takes 20 two-qubit gates on {name}"):
            open_backend(name).circuit_price([unitaries()], 10)
        monkeypatch.undo()
        monkeypatch.setattr(bound_circuits, "MAX_TWO_QUBIT_GATES", 1)


# ------------------------------------------------------------------------------------------------- digests


def test_a_digest_knows_what_a_circuit_does_and_not_what_it_is_called() -> None:
    named = QuantumCircuit(QuantumRegister(3, "x"), ClassicalRegister(3, "y"), name="other", global_phase=0.3)
    named.h(0)
    named.cx(0, 1)
    named.cx(1, 2)
    named.barrier()
    named.measure(range(3), range(3))
    assert circuit_digest(named) == circuit_digest(ghz())


def test_every_change_of_a_circuit_changes_its_digest() -> None:
    def built(angle: float = 0.5, control: int = 0, bit: int = 0, state: int = 1, sub: float = 0.2) -> QuantumCircuit:
        inner = QuantumCircuit(2)
        inner.rzz(sub, 0, 1)
        circuit = QuantumCircuit(3, 2)
        circuit.ry(angle, 0)
        circuit.cx(control, 2, ctrl_state=state)
        circuit.append(inner.to_gate(), [0, 1])
        circuit.append(UnitaryGate(random_unitary(4, seed=3)).control(1), [0, 1, 2])
        circuit.measure(2, bit)
        return circuit

    changes = [built(), built(angle=0.5 + 1e-6), built(control=1), built(bit=1), built(state=0), built(sub=0.3)]
    digests = {circuit_digest(circuit) for circuit in changes}
    assert len(digests) == len(changes)
    assert circuit_digest(built(angle=0.5 + 1e-15)) in digests
    assert circuit_digest(built()) in digests


def test_round_numbers_are_far_from_the_edge_at_which_digests_change() -> None:
    """As numbers that ought to be equal differ in their last digits."""
    round_numbers = np.r_[0, np.pi / np.arange(1, 65), 0.5 ** np.arange(40), 10.0 ** -np.arange(12), np.arange(20)]
    for number in np.r_[round_numbers, -round_numbers, np.sqrt(np.arange(1, 20))]:
        digests = set()
        for factor in (1, 1 + 3e-16, 1 - 3e-16):
            circuit = QuantumCircuit(1, 1)
            circuit.ry(number * factor, 0)
            circuit.measure(0, 0)
            digests.add(circuit_digest(circuit))
        assert len(digests) == 1, number


def test_the_digest_is_the_same_in_another_process() -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests/backend'); import test_bound_circuits as t; "
        "from qhn.backend.circuit_digest import circuit_digest; "
        "print(*(circuit_digest(build()) for build in t.CIRCUITS.values()))"
    )
    own = [circuit_digest(build()) for build in CIRCUITS.values()]
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, encoding="utf-8", check=True
    )
    assert done.stdout.split() == own
