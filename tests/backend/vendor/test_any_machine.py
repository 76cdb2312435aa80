"""Samples of machines of any vendor against Qiskit's distribution, exact or by the density matrix of their noise."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.primitives import BackendSamplerV2, StatevectorSampler
from qiskit.providers import BackendV2
from qiskit.providers.fake_provider import GenericBackendV2
from qiskit.transpiler import InstructionProperties
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_aer.primitives import SamplerV2
from qiskit_ibm_runtime.fake_provider import FakeManilaV2, FakeTorino

import qhn
from ansatzes import ansatz, ideal, rows_of
from qhn.backend import BackendError, LayoutSettings, RehearsalSettings
from qhn.backend.vendor.machine import PlacedSampler, UnplacedSampler
from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.seeds import Key
from reference import literal_circuit
from reference import probabilities as exact_probabilities
from vendors import Own

LINE = [[0, 1], [1, 2], [2, 3], [3, 4]]
HEAVY_HEX = [[0, 1], [1, 2], [1, 3], [3, 5], [4, 5], [5, 6]]
SHOTS = 3000
KEY = Key(3, run="r")


def own_noise() -> NoiseModel:
    """A noise model of our own, unequal in all that could be confused."""
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.01, 1), ["sx", "x", "ry"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.05, 2), ["cx"])
    model.add_all_qubit_readout_error(ReadoutError([[0.98, 0.02], [0.07, 0.93]]))
    return model


IDEAL: dict[str, Callable[[], object]] = {
    "state vector": StatevectorSampler,
    "any backend as a sampler": lambda: BackendSamplerV2(backend=AerSimulator()),
    "Aer's sampler": SamplerV2,
    "Aer": AerSimulator,
    "a vendor's": Own,
    "a line without errors": lambda: GenericBackendV2(5, coupling_map=LINE, noise_info=False),
    "all to all without errors": lambda: GenericBackendV2(5, noise_info=False),
    "with control flow": lambda: GenericBackendV2(5, noise_info=False, control_flow=True),
}


def check(bits: np.ndarray, expected: np.ndarray) -> None:
    """Each bitstring is drawn as often as expected, within five standard deviations; bit 0 is the lowest."""
    shots, width = bits.shape[1:]
    index = (bits.astype(int) << np.arange(width)).sum(axis=-1)
    for row, chances in zip(index, expected, strict=True):
        counts = np.bincount(row, minlength=2**width)
        assert (abs(counts - shots * chances) <= 5 * np.sqrt(shots * chances * (1 - chances)) + 3).all()


def expected_of(circuit: Ansatz, thetas: np.ndarray) -> np.ndarray:
    layers = circuit.num_parameters // (4 * circuit.num_qubits)
    return np.array(
        [exact_probabilities(literal_circuit(circuit.num_qubits, layers, "eq5", theta)) for theta in thetas]
    )


def angles(circuit: Ansatz, rows: int = 2) -> np.ndarray:
    return np.random.default_rng(circuit.num_qubits).uniform(-3, 3, (rows, circuit.num_parameters))


@pytest.mark.parametrize("kind", IDEAL)
def test_ideal_machines_draw_from_the_exact_distribution(kind: str) -> None:
    """Three qubits tell an order of bits and of angles from all others."""
    machine, circuit = qhn.open_backend(IDEAL[kind]()), qhn.hypernetwork(3, 1)
    thetas, sampler = angles(circuit), machine.compile(circuit)
    assert isinstance(sampler, UnplacedSampler)
    samples = sampler.sample(thetas, SHOTS, KEY)
    check(samples.bits, expected_of(circuit, thetas))
    assert samples.job_ids == ()
    assert (machine.paid, sampler.placement) == (False, None)
    again = qhn.open_backend(IDEAL[kind]()).compile(circuit).sample(thetas, SHOTS, KEY).bits
    assert (again == samples.bits).all()  # same key, same bits
    other = sampler.sample(thetas, SHOTS, Key(4, run="r")).bits
    assert (other != samples.bits).any()


@pytest.mark.parametrize(
    "sampler",
    [
        StatevectorSampler(seed=5),
        SamplerV2(seed=5),
        BackendSamplerV2(backend=AerSimulator(), options={"seed_simulator": 5}),
    ],
    ids=lambda one: type(one).__module__,
)
def test_a_seed_of_the_sampler_does_not_repeat_the_shot_noise(sampler: object) -> None:
    circuit = qhn.hypernetwork(3, 1)
    found = qhn.open_backend(sampler).compile(circuit)
    one, other = (found.sample(angles(circuit), 200, Key(1, step=step, run="r")).bits for step in (0, 1))
    assert (one != other).any()


def noisy(machine: BackendV2, model: NoiseModel, circuit: QuantumCircuit) -> np.ndarray:
    """The distribution of the measured bits of a bound, compiled circuit by Aer's density matrix."""
    measured = [(circuit.find_bit(i.qubits[0]).index, i) for i in circuit.data if i.operation.name == "measure"]
    places = sorted((circuit.find_bit(one.clbits[0]).index, qubit) for qubit, one in measured)
    gates = circuit.copy_empty_like()
    for one in circuit.data:
        if one.operation.name not in ("measure", "barrier"):
            gates.append(one)
    gates.save_density_matrix([qubit for _, qubit in places])
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    state = simulator.run(gates).result().data(0)["density_matrix"]
    found = np.real(np.diag(np.asarray(state)))
    for bit, (_, qubit) in enumerate(places):
        rates = NoiseModel.to_dict(model)["errors"]
        flips = [one["probabilities"] for one in rates if one["type"] == "roerror"]
        own = [
            one["probabilities"]
            for one in rates
            if one["type"] == "roerror" and one.get("gate_qubits", [(qubit,)]) in ([(qubit,)], [[qubit]])
        ]
        matrix = np.array((own or flips or [np.eye(2)])[0])
        found = found.reshape(-1, 2, 2**bit)
        found = np.einsum("atb,tm->amb", found, matrix).ravel()
    return found


NOISY: dict[str, Callable[[], BackendV2]] = {
    "a line": lambda: GenericBackendV2(5, coupling_map=LINE, seed=4),
    "heavy-hex": lambda: GenericBackendV2(7, coupling_map=HEAVY_HEX, seed=4),
    "all to all": lambda: GenericBackendV2(5, seed=4),
    "Aer from a device": lambda: AerSimulator.from_backend(FakeManilaV2()),
}


@pytest.mark.parametrize("kind", NOISY)
def test_machines_with_a_calibration_are_placed_and_draw_from_their_noise(kind: str) -> None:
    device, circuit = NOISY[kind](), qhn.hypernetwork(3, 1)
    machine = qhn.open_backend(device)
    sampler, thetas = machine.compile(circuit), angles(circuit)
    assert isinstance(sampler, PlacedSampler)
    assert sampler.placement is not None
    pairs = {frozenset(qubits) for qubits in device.target.qargs if qubits and len(qubits) == 2}
    chain = sampler.placement.qubits[0]
    assert all(frozenset(hop) in pairs for hop in pairwise(chain))
    samples = sampler.sample(thetas, SHOTS, KEY)
    model = device.options.noise_model if isinstance(device, AerSimulator) else NoiseModel.from_backend(device)
    values = [{one: row[one.index] for one in sampler.circuit.parameters} for row in thetas]
    check(samples.bits, np.array([noisy(device, model, sampler.circuit.assign_parameters(one)) for one in values]))
    assert (samples.job_ids, samples.qpu_seconds) == ((), 0.0)
    again = qhn.open_backend(NOISY[kind]()).compile(circuit).sample(thetas, SHOTS, KEY).bits
    assert (again == samples.bits).all()


def test_a_noise_model_of_the_users_own_is_that_of_the_samples() -> None:
    circuit = qhn.hypernetwork(3, 1)
    for device in (
        AerSimulator(noise_model=own_noise()),
        SamplerV2(options={"backend_options": {"noise_model": own_noise()}}),
    ):
        sampler, thetas = qhn.open_backend(device).compile(circuit), angles(circuit)
        bits = sampler.sample(thetas, SHOTS, KEY).bits
        values = [{one: row[one.index] for one in sampler.circuit.parameters} for row in thetas]
        expected = [noisy(device, own_noise(), sampler.circuit.assign_parameters(one)) for one in values]
        check(bits, np.array(expected))
        assert np.abs(np.array(expected) - expected_of(circuit, thetas)).max() > 0.02  # the noise is seen


@pytest.mark.parametrize("kind", ["unitaries", "iqp", "unitaries-far"])
def test_circuits_of_the_users_own_run_on_all_of_them(kind: str) -> None:
    circuit = ansatz(kind, 4)
    thetas = rows_of(circuit, 2)
    expected = np.array([ideal(circuit.unrolled.executed, row) for row in thetas])
    for found in (StatevectorSampler(), SamplerV2(), Own(), GenericBackendV2(5, noise_info=False)):
        check(qhn.open_backend(found).compile(circuit.unrolled).sample(thetas, SHOTS, KEY).bits, expected)
    placed = qhn.open_backend(GenericBackendV2(5, coupling_map=LINE, seed=4)).compile(circuit.unrolled)
    bits = placed.sample(thetas, SHOTS, KEY).bits  # errors of up to 1 % a gate
    ones = (expected * ((np.arange(16)[:, None] >> np.arange(4)) & 1)[None].transpose(2, 0, 1)).sum(axis=-1).T
    assert abs(bits.mean(axis=1) - ones).max() < 0.15


def test_relabelled_bits_and_counted_readout_errors_of_a_placed_machine() -> None:
    """With mitigation the last brick of CX is left to the bits."""
    circuit, device = qhn.hypernetwork(3, 1), GenericBackendV2(5, coupling_map=LINE, seed=4)
    sampler = qhn.open_backend(device, LayoutSettings(calibrate=True)).compile(circuit)
    thetas = angles(circuit)
    samples = sampler.sample(thetas, SHOTS, KEY)
    assert samples.folded
    assert samples.readout_counts is not None
    assert samples.readout_counts.shots == SHOTS
    index = (samples.bits.astype(int) << np.arange(3)).sum(axis=-1)
    shares = np.array([np.bincount(row, minlength=8) / SHOTS for row in index])
    assert np.abs(shares - expected_of(circuit, thetas)).max() < 0.08  # errors of a few per cent


def test_bound_circuits_are_measured_bit_by_bit() -> None:
    one, other = QuantumCircuit(3, 3), QuantumCircuit(2, 3)
    one.x(0)
    one.ry(0.7, 2)
    one.measure([0, 1, 2], [2, 0, 1])
    other.x(1)
    other.measure([1, 0], [0, 1])
    chance = np.sin(0.35) ** 2
    for found in (StatevectorSampler(), SamplerV2(), Own(), Own(most=1), GenericBackendV2(5, noise_info=False)):
        machine = qhn.open_backend(found)
        bits = machine.measure([one, other], SHOTS, KEY).bits
        assert bits.shape == (2, SHOTS, 3)
        assert (bits[0, :, 2] == 1).all()
        assert (bits[0, :, 0] == 0).all()
        assert abs(bits[0, :, 1].mean() - chance) < 5 * np.sqrt(chance * (1 - chance) / SHOTS)
        assert (bits[1] == [1, 0, 0]).all()


def test_stored_devices_of_ibm_are_what_their_names_are() -> None:
    theta = angles(qhn.hypernetwork(3, 1))
    for found, name in ((FakeManilaV2(), "fake_manila"), (FakeTorino(), "fake_torino")):
        given, named = qhn.open_backend(found), qhn.open_backend(name)
        assert (type(given), given.name) == (type(named), name)
        one, other = (machine.compile(qhn.hypernetwork(3, 1)).sample(theta, 50, KEY).bits for machine in (given, named))
        assert (one == other).all()
    chosen = qhn.open_backend(FakeManilaV2(), LayoutSettings(qubits=((2, 1, 0),)))
    assert chosen.settings == RehearsalSettings(qubits=((2, 1, 0),))


def test_too_few_qubits_are_refused() -> None:
    for found, words in (
        (GenericBackendV2(3, seed=1), "has 3 qubits, the circuit needs 4"),
        (GenericBackendV2(3, noise_info=False), "generic_backend_3q has 3 qubits, the circuit needs 4"),
        (BackendSamplerV2(backend=GenericBackendV2(3, noise_info=False)), "has 3 qubits, the circuit needs 4"),
    ):
        with pytest.raises(ValueError, match=words):
            qhn.open_backend(found).compile(qhn.hypernetwork(4, 1))


def test_values_that_a_machine_does_not_report_are_assumed_and_told() -> None:
    device = GenericBackendV2(5, coupling_map=LINE, seed=1)
    device.target.update_instruction_properties("cx", (1, 2), InstructionProperties(error=None, duration=None))
    device.target.update_instruction_properties("measure", (3,), None)
    sampler = qhn.open_backend(device).compile(qhn.hypernetwork(4, 1))
    assert sampler.placement is not None
    told = [gap.words() for gap in sampler.placement.chip.assumed]
    assert any("error of cx of 1-2 is not reported" in words for words in told)
    assert any("readout error of 3 is not reported" in words for words in told)


def test_a_chain_is_found_on_many_qubits_that_are_all_coupled() -> None:
    """Every partial path has many ways on there: the search is bounded, and says that it is not certain."""
    machine = qhn.open_backend(GenericBackendV2(41, seed=1))
    placement = machine.compile(qhn.hypernetwork(20, 1)).placement
    assert placement is not None
    (chain,) = placement.qubits
    assert len(set(chain)) == 20
    errors = placement.chip.pairs.values()
    assert placement.chains[0].two_qubit > (1 - np.median(list(errors))) ** sum(placement.load.two_qubit)


def test_settings_of_qubits_need_a_calibration_and_are_obeyed_where_there_is_one() -> None:
    with pytest.raises(
        ValueError, match=r"reports no errors of qubits by which to choose them; leave device\.qubits out"
    ):
        qhn.open_backend(GenericBackendV2(5, noise_info=False), LayoutSettings(qubits=((0, 1),)))
    with pytest.raises(ValueError, match=r"leave device\.mitigation out"):
        qhn.open_backend(StatevectorSampler(), LayoutSettings(calibrate=True))
    device = GenericBackendV2(7, coupling_map=HEAVY_HEX, seed=4)
    tiled = qhn.open_backend(device, LayoutSettings(tiles=2)).compile(qhn.hypernetwork(2, 1))
    circuit = qhn.hypernetwork(2, 1)
    thetas = angles(circuit, rows=5)
    samples = tiled.sample(thetas, SHOTS, KEY, group=5)
    assert tiled.placement is not None
    assert len({qubit for chain in tiled.placement.qubits for qubit in chain}) == 4
    ones = np.array([[row[1] + row[3], row[2] + row[3]] for row in expected_of(circuit, thetas)])
    assert abs(samples.bits.mean(axis=1) - ones).max() < 0.06
    chosen = qhn.open_backend(device, LayoutSettings(qubits=((6, 5, 3),))).compile(qhn.hypernetwork(3, 1))
    assert chosen.placement is not None
    assert chosen.placement.qubits == ((6, 5, 3),)


def test_a_machine_that_does_not_describe_itself_is_told() -> None:
    class Silent(Own):
        @property
        def target(self) -> object:  # type: ignore[override]
            raise RuntimeError("no answer")

    with pytest.raises(BackendError, match="backend own does not describe itself: RuntimeError: no answer"):
        qhn.open_backend(Silent())


def test_gate_angles_of_a_circuit_reach_their_gates() -> None:
    """A machine that swaps two angles does not pass (the self-test); one that does not is right at any angles."""
    circuit = ansatz("real-amplitudes", 3)
    thetas = np.random.default_rng(0).uniform(-3, 3, (1, circuit.num_parameters))
    bits = qhn.open_backend(Own()).compile(circuit.unrolled).sample(gate_angles(circuit, thetas), SHOTS, KEY).bits
    check(bits, np.array([ideal(circuit.unrolled.executed, gate_angles(circuit, thetas)[0])]))
