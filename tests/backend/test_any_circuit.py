"""Circuits that are no hypernetwork on every machine, against Qiskit's state vectors and density matrices, to 5σ."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import DensityMatrix
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_ibm_runtime.fake_provider import FakeManilaV2

from ansatzes import CHAINS, OTHERS, ansatz, ideal, rows_of
from qhn import bitstrings
from qhn.backend import DeviceSettings, NoiseSettings, RehearsalSettings, open_backend
from qhn.backend.depolarising import DepolarisingSampler, ShotSampler
from qhn.backend.device.isa import onto_patch, used_qubits
from qhn.backend.device.load import is_chain
from qhn.backend.device.placement import place
from qhn.backend.rehearsal import stored_device
from qhn.circuit.measurement import with_measurement
from qhn.circuit.unrolled import circuit_ansatz
from qhn.errors import QhnError
from qhn.estimator.noisy import without_shots
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.cost import TableProblem
from qhn.seeds import Key

KEY, SHOTS = Key(seed=5), 20_000
NOISE = NoiseSettings(p1=0.01, p2=0.05)


def frequencies(bits: np.ndarray) -> np.ndarray:
    return np.bincount(bitstrings.to_integers(bits), minlength=2 ** bits.shape[-1])


def agree(bits: np.ndarray, probabilities: np.ndarray) -> bool:
    expected = len(bits) * probabilities
    return bool(np.all(np.abs(frequencies(bits) - expected) < 5 * np.sqrt(expected + 1)))


def bound(circuit: QuantumCircuit, angles: np.ndarray) -> QuantumCircuit:
    return circuit.assign_parameters({one: angles[one.index] for one in circuit.parameters})


def depolarised(circuit: QuantumCircuit, angles: np.ndarray) -> np.ndarray:
    """By Qiskit's density matrix, gate after gate, each with its channel."""
    state = DensityMatrix.from_label("0" * circuit.num_qubits)
    channels = [depolarizing_error(4 / 3 * NOISE.p1, 1), depolarizing_error(16 / 15 * NOISE.p2, 2)]
    run = bound(circuit, angles)
    for instruction in run.data:
        at = [run.find_bit(qubit).index for qubit in instruction.qubits]
        state = state.evolve(instruction.operation, at).evolve(channels[len(at) - 1], at)
    return state.probabilities()


@pytest.mark.parametrize("kind", [*CHAINS, *OTHERS])
def test_which_circuits_are_chains(kind: str) -> None:
    assert is_chain(ansatz(kind, 4).unrolled) == (kind in CHAINS)


@pytest.mark.parametrize("backend", ["aer", "aer-mps"])
@pytest.mark.parametrize("kind", [*CHAINS, *OTHERS])
def test_aer_draws_the_ideal_distribution(kind: str, backend: str) -> None:
    circuit = ansatz(kind, 4)
    rows = rows_of(circuit, 2)
    bits = open_backend(backend).compile(circuit.unrolled).sample(rows, SHOTS, KEY).bits
    assert all(agree(one, ideal(circuit.unrolled.circuit, row)) for one, row in zip(bits, rows, strict=True))


@pytest.mark.parametrize("backend", ["aer", "aer-mps", "depolarising"])
def test_fixed_gates_that_aer_does_not_know_are_matrices(backend: str) -> None:
    circuit, angles = QuantumCircuit(3), ParameterVector("t", 3)
    circuit.h(range(3))
    for qubit, name in enumerate(("iswap", "dcx", "cs")):
        circuit.ry(angles[qubit], qubit)
        getattr(circuit, name)(qubit, (qubit + 1) % 3)
    circuit.rccx(0, 1, 2)
    made = circuit_ansatz(circuit)
    rows = rows_of(made, 1)
    settings = NoiseSettings(p1=0.0, p2=0.0) if backend == "depolarising" else None
    bits = open_backend(backend, settings).compile(made.unrolled).sample(rows, SHOTS, KEY).bits
    assert agree(bits[0], ideal(made.unrolled.circuit, rows[0]))


# ---------------------------------------------------------------- depolarising noise


@pytest.mark.parametrize("kind", [*CHAINS, *OTHERS])
def test_depolarising_noise_is_that_of_density_matrices(kind: str) -> None:
    """The same model by the twin and by Aer, each against channels applied one by one."""
    circuit = ansatz(kind, 4)
    rows = rows_of(circuit, 2)
    sampler = open_backend("depolarising", NOISE).compile(circuit.unrolled)
    assert isinstance(sampler, DepolarisingSampler if kind in CHAINS else ShotSampler)
    bits = sampler.sample(rows, SHOTS, KEY).bits
    for one, row in zip(bits, rows, strict=True):
        expected = depolarised(circuit.unrolled.circuit, row)
        assert agree(one, expected)
        if isinstance(sampler, DepolarisingSampler):
            np.testing.assert_allclose(sampler.probabilities(row[None])[0], expected, atol=1e-10)
    aer = ShotSampler(circuit.unrolled, NOISE).sample(rows[:1], SHOTS, KEY).bits
    assert agree(aer[0], depolarised(circuit.unrolled.circuit, rows[0]))


def test_readout_errors_and_trajectories_of_few_shots() -> None:
    """Fewer shots than bitstrings are drawn from state vectors."""
    circuit = ansatz("qaoa-ring", 7)
    row = rows_of(circuit, 1)
    quiet, noisy = (
        ShotSampler(circuit.unrolled, dataclasses.replace(NOISE, readout_error=error)) for error in (0.0, 0.5)
    )
    assert "trajectories" in quiet.describe()["method"]
    rows = np.repeat(row, 100, axis=0)
    means = [sampler.sample(rows, 100, KEY).bits.mean(axis=(0, 1)) for sampler in (quiet, noisy)]
    expected = depolarised(circuit.unrolled.circuit, row[0])
    integers = np.arange(2**7)
    sharp = np.array([expected[(integers >> qubit) & 1 == 1].sum() for qubit in range(7)])
    assert np.all(np.abs(means[0] - sharp) < 5 * 0.5 / np.sqrt(10_000))
    assert np.all(np.abs(means[1] - 0.5) < 5 * 0.5 / np.sqrt(10_000))


def test_what_aer_simulates_says_so_and_gives_no_e_without_shots() -> None:
    circuit = ansatz("qaoa-ring", 4)
    problem = TableProblem(np.arange(16.0))
    for name in ("depolarising", "fake_manila"):
        sampler = open_backend(name).compile(circuit.unrolled)
        assert "no chain of neighbours" in sampler.describe()["remark"]
        with pytest.raises(QhnError, match=rf"{name} draws shots \(Aer: density matrix.*give --shots"):
            without_shots(circuit, problem, sampler)
    asked = open_backend("fake_manila", RehearsalSettings(simulator="aer")).compile(circuit.unrolled)
    assert "remark" not in asked.describe()
    assert "remark" not in open_backend("fake_manila").compile(ansatz("qaoa-path", 4).unrolled).describe()


def test_what_does_not_fit_into_memory_is_refused() -> None:
    for name in ("depolarising", "fake_torino"):
        with pytest.raises(QhnError, match="a state vector of 40 qubits takes 16,384 GiB"):
            open_backend(name).compile(ansatz("efficient-su2", 40).unrolled)


# ---------------------------------------------------------------- devices


@pytest.mark.parametrize("kind", [*CHAINS, *OTHERS])
def test_a_rehearsal_has_the_noise_of_the_whole_device(kind: str) -> None:
    """Aer's own model of the device on the compiled circuit, sent to it as to a device."""
    circuit = ansatz(kind, 5)
    rows = rows_of(circuit, 1)
    sampler = open_backend("fake_manila", RehearsalSettings(simulator="aer")).compile(circuit.unrolled)
    counts = frequencies(sampler.sample(rows, SHOTS, KEY).bits[0])
    isa = bound(sampler.circuit, rows[0])
    result = AerSimulator.from_backend(FakeManilaV2()).run(isa, shots=SHOTS, seed_simulator=4).result().get_counts()
    whole = np.array([result.get(f"{index:05b}", 0) for index in range(32)])
    assert np.all(np.abs(counts - whole) < 5 * np.sqrt(counts + whole + 1))


@pytest.mark.parametrize("kind", [*CHAINS, *OTHERS])
@pytest.mark.parametrize("name", ["fake_torino", "fake_sherbrooke", "fake_cambridge", "fake_cairo", "fake_fractional"])
def test_what_a_device_is_sent_is_the_circuit(name: str, kind: str) -> None:
    """Compiled gates without noise: CZ, ECR, U3 and CX, ECR on some pairs and CX on others, RZZ."""
    circuit = ansatz(kind, 4)
    isa = place(circuit.unrolled, stored_device(name), DeviceSettings()).circuit
    small = onto_patch(isa, used_qubits(isa))
    row = rows_of(circuit, 1)[0]
    result = AerSimulator().run(bound(small, row), shots=SHOTS, seed_simulator=2).result().get_counts()
    counts = np.array([result.get(f"{index:04b}", 0) for index in range(16)])
    expected = SHOTS * ideal(circuit.unrolled.circuit, row)
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected + 1))


def test_a_chain_with_a_swap_stays_on_its_chain() -> None:
    circuit, angles = QuantumCircuit(3), ParameterVector("t", 3)
    circuit.ry(angles[0], 0)
    circuit.swap(0, 1)
    circuit.iswap(1, 2)
    circuit.ry(angles[1], 1)
    circuit.swap(1, 2)
    circuit.rzz(angles[2], 0, 1)
    circuit.h([0, 1])
    made = circuit_ansatz(circuit)
    sampler = open_backend("fake_torino").compile(made.unrolled)
    assert sampler.placement.is_chain
    row = rows_of(made, 1)[0]
    isa = onto_patch(sampler.circuit, used_qubits(sampler.circuit))
    result = AerSimulator().run(bound(isa, row), shots=SHOTS, seed_simulator=2).result().get_counts()
    counts = np.array([result.get(f"{index:03b}", 0) for index in range(8)])
    expected = SHOTS * ideal(made.unrolled.circuit, row)
    assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected + 1))


def test_readout_errors_of_a_routed_circuit_are_inverted() -> None:
    """E with readout errors, mitigated, is E by the same gates with their noise and without readout errors."""
    circuit = ansatz("iqp", 4)
    problem = TableProblem(np.bitwise_count(np.arange(16)).astype(float))
    settings = RehearsalSettings(calibrate=True)
    backend = open_backend("fake_manila", settings)
    placement = backend.compile(circuit.unrolled).placement
    samples = backend.compile(circuit.unrolled).sample(rows_of(circuit, 2), SHOTS, KEY)
    assert samples.readout_counts is not None
    assert samples.readout_counts.qubits == placement.qubits
    error = placement.chip.readout_error[list(placement.qubits[0])]
    for state in (0, 1):
        counted = samples.readout_counts.counts[0, :, state]
        assert np.all(np.abs(counted - SHOTS * error) < 5 * np.sqrt(SHOTS * error))
    theta = np.full(circuit.num_parameters, 0.1)  # most bits are 0, so that readout errors add
    estimates = SamplingEstimator(circuit, problem, backend, shots=SHOTS, seed=4, mitigation="readout")(theta)
    model = NoiseModel.from_backend(FakeManilaV2(), readout_error=False)
    simulator = AerSimulator(noise_model=model, seed_simulator=3)
    isa = bound(placement.circuit, theta if circuit.angle_map is None else circuit.angle_map(theta))
    result = simulator.run(isa, shots=10 * SHOTS).result().get_counts()
    probabilities = np.array([result.get(f"{index:04b}", 0) for index in range(16)]) / (10 * SHOTS)
    exact = probabilities @ problem.costs
    assert abs(float(estimates.mean) - exact) < 5 * float(estimates.std_error) + 5 / np.sqrt(10 * SHOTS)
    plain = SamplingEstimator(circuit, problem, backend, shots=SHOTS, seed=4)(theta)
    assert abs(float(plain.mean) - exact) > 5 * float(plain.std_error)


def test_measured_circuit_keeps_its_order_of_bits() -> None:
    """A circuit whose every bit is known, on a route whose measured qubits are in no order."""
    circuit, angles = QuantumCircuit(5), ParameterVector("t", 5)
    for qubit in range(5):
        circuit.ry(angles[qubit], qubit)
    for first in range(5):
        for second in range(first):
            circuit.cz(first, second)
    made = circuit_ansatz(circuit)
    sampler = open_backend("fake_torino").compile(made.unrolled)
    rows = np.pi * np.array([[1, 0, 0, 1, 0], [0, 1, 1, 1, 0]])
    bits = sampler.sample(rows, 2000, KEY).bits
    assert (bits.mean(axis=1) > 0.5).astype(int).tolist() == [[1, 0, 0, 1, 0], [0, 1, 1, 1, 0]]
    assert with_measurement(made.circuit).num_clbits == 5


@pytest.mark.parametrize(("num_qubits", "calls"), [(12, [4, 4, 2]), (5, [10])])
def test_large_circuits_are_simulated_in_parts_between_which_a_signal_is_heard(
    num_qubits: int, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows of a part have shots of their own, and all are in their order."""
    angles = ParameterVector("a", 1)
    circuit = QuantumCircuit(num_qubits)
    circuit.rx(angles[0], 0)
    circuit.cx(0, 2)
    sampler = open_backend("depolarising", NOISE).compile(circuit_ansatz(circuit).unrolled)
    assert isinstance(sampler, ShotSampler)
    simulation, seen = sampler.simulation, list[tuple[int, int]]()
    part = simulation._sample

    def counted(thetas: np.ndarray, shots: int, seed: int) -> np.ndarray:
        seen.append((len(thetas), seed))
        return part(thetas, shots, seed)

    monkeypatch.setattr(simulation, "_sample", counted)
    rows = np.pi * (np.arange(10) % 2)[:, None]
    bits = sampler.sample(rows, 50, KEY).bits
    assert [number for number, _ in seen] == calls
    assert len({seed for _, seed in seen}) == len(calls)
    assert ((bits[:, :, [0, 2]].mean(axis=(1, 2)) > 0.5) == (rows[:, 0] > 1)).all()
