"""The noisy twin against Aer's density matrices, state vectors and its own samples."""

from __future__ import annotations

import dataclasses
import math
import warnings
from functools import cache

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import Parameter, ParameterVector
from qiskit.circuit.library import get_standard_gate_name_mapping
from qiskit.providers import BackendV2
from qiskit.quantum_info import random_unitary
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, ReadoutError, depolarizing_error
from qiskit_ibm_runtime import fake_provider
from scipy.stats import chisquare

import reference
from qhn import bitstrings
from qhn.backend.device.chip import Chip, GateFacts, chip_of
from qhn.backend.device.isa import Patch, onto_patch, used_qubits
from qhn.backend.device.placement import place
from qhn.backend.noise.channels import ChipNoise, Depolarising, transfer_matrix
from qhn.backend.noise.transfer import ROTATIONS, transfer
from qhn.backend.noise.twin import Twin
from qhn.backend.settings import DeviceSettings
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.circuit.measurement import with_measurement
from qhn.estimator.gradient import ParameterShift
from qhn.exact.chain import Chain
from qhn.seeds import Key

SIGMAS = 5
DEPTHS = [(0, "eq5"), *((layers, order) for layers in (1, 2, 3) for order in ("eq5", "authors"))]
NOISE = Depolarising(p1=0.01, p2=0.03, readout_error=0.02)


@cache
def device(name: str) -> BackendV2:
    return getattr(fake_provider, name)()


@cache
def chip(name: str) -> Chip:
    return chip_of(device(name))


def without_noise(circuit: QuantumCircuit, *, max_bond: int = 128) -> Twin:
    return Twin(with_measurement(circuit), Depolarising(0.0, 0.0), max_bond=max_bond)


def aer_probabilities(circuit: QuantumCircuit, model: NoiseModel, theta: np.ndarray) -> np.ndarray:
    """Of all values of ``meas``, from Aer's density matrix and the model's readout errors."""
    bound = circuit.assign_parameters({p: theta[p.index] for p in circuit.parameters})
    ends = {}
    for gate in bound.data:
        if gate.operation.name == "measure":
            ends[bound.find_bit(gate.clbits[0]).index] = bound.find_bit(gate.qubits[0]).index
    bound.remove_final_measurements()
    bound.save_density_matrix([ends[bit] for bit in range(len(ends))])
    simulator = AerSimulator(noise_model=model, method="density_matrix")
    probabilities = simulator.run(bound).result().data()["density_matrix"].probabilities()
    errors = model.to_dict(serializable=True)["errors"]
    readout = {e["gate_qubits"][0][0]: np.array(e["probabilities"]) for e in errors if e["type"] == "roerror"}
    for bit, qubit in ends.items():
        if qubit in readout:
            split = probabilities.reshape(-1, 2, 2**bit)
            probabilities = np.einsum("hal,ab->hbl", split, readout[qubit]).ravel()
    return probabilities


def patched(ansatz: Hypernetwork, name: str) -> tuple[QuantumCircuit, list[int], QuantumCircuit, NoiseModel]:
    """The compiled circuit, the device's qubits it uses, the same circuit on those alone, and Aer's noise of them."""
    isa = place(ansatz, device(name), DeviceSettings()).circuit
    qubits = used_qubits(isa)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch = Patch(device(name), chip(name), qubits)
        return isa, qubits, onto_patch(isa, qubits), NoiseModel.from_backend(patch)


# ---------------------------------------------------------------- against Aer


@pytest.mark.parametrize(("num_layers", "order"), DEPTHS)
@pytest.mark.parametrize(  # CX, CX, CZ, ECR, U3 and CX, ECR on some pairs and CX on others
    "name", ["FakeManilaV2", "FakeMontrealV2", "FakeTorino", "FakeSherbrooke", "FakeCambridgeV2", "FakeCairoV2"]
)
def test_a_devices_twin_is_aers_density_matrix(
    name: str, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(5, num_layers, order)
    thetas = rng.uniform(0, 2 * np.pi, (2, ansatz.num_parameters))
    isa, _, small, model = patched(ansatz, name)
    measure = device(name).target["measure"]
    symmetric = np.array([[measure[(q,)].error] * 2 for q in range(device(name).num_qubits)])
    twin = Twin(isa, ChipNoise(dataclasses.replace(chip(name), readout=symmetric)))
    found = twin.probabilities(thetas)
    for row, theta in zip(found, thetas, strict=True):
        np.testing.assert_allclose(row, aer_probabilities(small, model, theta), atol=1e-8)
    ideal = reference.probabilities(reference.literal_circuit(5, num_layers, order, thetas[0]))
    assert np.abs(found[0] - ideal).max() > 1e-4  # the noise is there


def test_readout_errs_in_both_directions(rng: np.random.Generator) -> None:
    """An asymmetric readout: exactly, and by the counts of Aer, whose own convention is nobody's guess then."""
    ansatz = hypernetwork(4, 1)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    isa, qubits, small, model = patched(ansatz, "FakeTorino")
    rates = rng.uniform(0.02, 0.3, (chip("FakeTorino").num_qubits, 2))
    for at, qubit in enumerate(qubits):
        wrong_0, wrong_1 = rates[qubit]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.add_readout_error(ReadoutError([[1 - wrong_0, wrong_0], [wrong_1, 1 - wrong_1]]), [at])
    twin = Twin(isa, ChipNoise(dataclasses.replace(chip("FakeTorino"), readout=rates)))
    found = twin.probabilities(theta[None])[0]
    np.testing.assert_allclose(found, aer_probabilities(small, model, theta), atol=1e-8)
    shots = 40_000
    bound = small.assign_parameters({p: theta[p.index] for p in small.parameters})
    simulator = AerSimulator(noise_model=model, method="density_matrix", seed_simulator=3)
    counts = simulator.run(bound, shots=shots).result().get_counts()
    observed = np.array([counts.get(f"{value:04b}", 0) for value in range(16)])
    assert np.all(np.abs(observed - shots * found) < SIGMAS * np.sqrt(shots * found + 1))


@pytest.mark.parametrize(("num_layers", "order"), DEPTHS)
def test_depolarising_after_every_gate_of_the_literal_circuit(
    num_layers: int, order: str, rng: np.random.Generator
) -> None:
    """Aer's parameter is the share that becomes maximally mixed, not the probability of a Pauli error."""
    ansatz = hypernetwork(4, num_layers, order)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(4 / 3 * NOISE.p1, 1), ["ry", "rz"])
    model.add_all_qubit_quantum_error(depolarizing_error(16 / 15 * NOISE.p2, 2), ["cx"])
    for qubit in range(4):
        model.add_readout_error(ReadoutError([[0.98, 0.02], [0.02, 0.98]]), [qubit])
    circuit = with_measurement(ansatz.circuit)
    found = Twin(circuit, NOISE).probabilities(theta[None])[0]
    np.testing.assert_allclose(found, aer_probabilities(circuit, model, theta), atol=1e-8)


@pytest.mark.parametrize(
    ("error", "t1", "t2"),
    [
        (0.02, 80e-6, 60e-6),
        (0.02, 30e-6, 90e-6),  # T2 is cut to 2·T1
        (1e-4, 5e-6, 4e-6),  # relaxation alone is worse than the error: no depolarising
        (0.9, 80e-6, 60e-6),  # more than an error can be
        (0.02, np.inf, np.inf),
        (0.0, 50e-6, 50e-6),
        (0.0, np.inf, np.inf),
    ],
)
def test_a_gates_noise_is_what_aer_makes_of_its_calibration(error: float, t1: float, t2: float) -> None:
    from qiskit.circuit.library import CXGate
    from qiskit.circuit.measure import Measure
    from qiskit.providers import QubitProperties
    from qiskit.quantum_info import PTM
    from qiskit.transpiler import InstructionProperties, Target

    durations = 300e-9
    target = Target(
        num_qubits=2,
        qubit_properties=[
            QubitProperties(t1=None if np.isinf(t1) else t1, t2=None if np.isinf(t2) else t2),
            QubitProperties(t1=None if np.isinf(t1) else 2 * t1, t2=None if np.isinf(t2) else 0.9 * t2),
        ],
    )
    target.add_instruction(CXGate(), {(0, 1): InstructionProperties(durations, error)})
    target.add_instruction(Measure(), {(0,): None, (1,): None})
    from qiskit_aer.noise.device import basic_device_gate_errors

    theirs = {tuple(qubits): found for _, qubits, found in basic_device_gate_errors(target=target)}
    facts = {("cx", (0, 1)): GateFacts(error, durations)}
    ours = ChipNoise(Chip("c", 2, np.zeros((2, 2)), np.array([t1, 2 * t1]), np.array([t2, 0.9 * t2]), facts))
    found = ours.after("cx", (0, 1)).reshape(4, 4, 4, 4)
    expected = np.eye(16) if (0, 1) not in theirs else PTM(theirs[0, 1].to_quantumchannel()).data.real
    np.testing.assert_allclose(found.transpose(1, 0, 3, 2).reshape(16, 16), expected, atol=1e-9)  # Qiskit: last first


def test_transfer_matrices_are_qiskits() -> None:
    from qiskit.circuit.library import CXGate, ECRGate, SXGate
    from qiskit.quantum_info import PTM, Operator

    for gate in (SXGate(), CXGate(), ECRGate()):
        found, theirs = transfer_matrix(gate.to_matrix()), PTM(Operator(gate)).data.real
        if gate.num_qubits == 2:
            theirs = theirs.reshape(4, 4, 4, 4).transpose(1, 0, 3, 2).reshape(16, 16)
        np.testing.assert_allclose(found, theirs, atol=1e-12)


# ---------------------------------------------------------------- without noise, and identities


@pytest.mark.parametrize(("num_layers", "order"), DEPTHS)
@pytest.mark.parametrize("num_qubits", [1, 2, 5])
def test_without_noise_it_is_the_state_vector(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    for circuit in (ansatz.circuit, ansatz.pruned):
        twin = without_noise(circuit)
        for row, theta in zip(twin.probabilities(thetas), thetas, strict=True):
            exact = reference.probabilities(reference.literal_circuit(num_qubits, num_layers, order, theta))
            np.testing.assert_allclose(row, exact, atol=1e-12)


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_rows_that_share_matrices_are_what_they_are_alone(order: str, rng: np.random.Generator) -> None:
    """The rows of a gradient, rows with nothing in common and a row twice, together and one by one."""
    ansatz = hypernetwork(5, 2, order)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    rows = ParameterShift(ansatz.active).shifted(theta, Key(0))
    rows = np.concatenate([rng.uniform(0, 6, (2, len(theta))), rows, rows[3:4]])
    twin, costs = Twin(with_measurement(ansatz.pruned), NOISE), rng.normal(size=32)
    together = twin.probabilities(rows)
    alone = np.concatenate([twin.probabilities(row[None]) for row in rows])
    np.testing.assert_allclose(together, alone, atol=1e-14)
    np.testing.assert_allclose(together.sum(axis=1), 1.0, atol=1e-13)
    assert together.min() >= 0
    np.testing.assert_allclose(twin.energies(rows, costs), together @ costs, atol=1e-13)


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 4, 7])
def test_energies_are_means_over_the_probabilities(num_qubits: int, rng: np.random.Generator) -> None:
    """Of rows with nothing in common, of two gradients, and of equal rows."""
    ansatz, costs = hypernetwork(num_qubits, 2), rng.normal(size=2**num_qubits)
    thetas = rng.uniform(0, 6, (3, ansatz.num_parameters))
    gradients = ParameterShift(ansatz.active).shifted(thetas[:2], Key(0)).reshape(-1, ansatz.num_parameters)
    twin = Twin(with_measurement(ansatz.pruned), NOISE)
    for rows in (thetas, gradients, rng.permutation(gradients), thetas[[0, 0, 0]], thetas[:1]):
        np.testing.assert_allclose(twin.energies(rows, costs), twin.probabilities(rows) @ costs, atol=1e-13)


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_links_are_as_few_as_they_can_be(order: str) -> None:
    """Five a noisy gate; two where only bits are read afterwards, or the qubits are still in |00⟩."""
    parts = transfer(with_measurement(hypernetwork(6, 2, order).circuit), NOISE)
    ranks = [parts.ranks(bond) for bond in range(5)]
    expected = {"eq5": [[5, 2], [5, 5]], "authors": [[5, 5], [2, 5]]}[order]
    assert ranks == [expected[bond % 2] for bond in range(5)]
    assert [
        link.rank for link in transfer(with_measurement(hypernetwork(2, 1).circuit), Depolarising(0.0, 0.0)).links
    ] == [2]


def test_a_circuit_may_have_no_angles() -> None:
    circuit = QuantumCircuit(2)
    circuit.h(0)
    circuit.cx(0, 1)
    np.testing.assert_allclose(without_noise(circuit).probabilities(np.zeros((2, 0))), [[0.5, 0, 0, 0.5]] * 2)


def test_angles_may_be_linear_in_theta_and_nothing_else() -> None:
    theta = ParameterVector("theta", 3)
    circuit = QuantumCircuit(2)
    circuit.ry(2 * theta[2] - theta[0] / 4 + 0.3, 1)
    circuit.rx(theta[0] + np.pi, 0)
    circuit.ecr(1, 0)
    row = np.array([0.7, 1.9, -0.4])
    found = without_noise(circuit).probabilities(row[None])[0]
    bound = circuit.assign_parameters({p: row[p.index] for p in circuit.parameters})
    np.testing.assert_allclose(found, reference.probabilities(bound), atol=1e-12)
    circuit.rz(theta[0] * theta[1], 0)
    with pytest.raises(ValueError, match="not linear in"):
        without_noise(circuit)


@pytest.mark.parametrize("name", sorted(ROTATIONS))
def test_every_rotation_of_one_qubit_is_qiskits(name: str, rng: np.random.Generator) -> None:
    kind = get_standard_gate_name_mapping()[name]
    theta = ParameterVector("theta", len(kind.params))
    circuit = QuantumCircuit(2)
    circuit.ry(0.4, 0)
    circuit.rz(0.9, 0)
    circuit.append(type(kind)(*(0.2 - 1.5 * angle for angle in theta)), [0])
    circuit.ry(1.1, 0)
    circuit.cx(0, 1)
    row = rng.uniform(0, 6, len(theta))
    bound = circuit.assign_parameters(dict(zip(theta, row, strict=True)))
    np.testing.assert_allclose(without_noise(circuit).probabilities(row[None])[0], reference.probabilities(bound))


# ---------------------------------------------------------------- shots


@pytest.mark.parametrize("few", [16, 0])  # from all probabilities, or qubit by qubit
def test_shots_follow_the_probabilities(few: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qhn.backend.noise.matrix_product.FEW_QUBITS", few)
    ansatz, shots = hypernetwork(5, 2), 40_000
    thetas = rng.uniform(0, 2 * np.pi, (3, ansatz.num_parameters))
    twin = Twin(with_measurement(ansatz.pruned), NOISE)
    bits = twin.sample(thetas, shots, np.random.default_rng(5))
    assert bits.shape == (3, shots, 5)
    assert bits.dtype == np.uint8
    for row, probabilities in zip(bits, twin.probabilities(thetas), strict=True):
        counts = np.bincount(bitstrings.to_integers(row), minlength=32)
        often = shots * probabilities >= 10
        observed, expected = np.append(counts[often], counts[~often].sum()), shots * probabilities[often]
        expected = np.append(expected, shots - expected.sum())
        assert chisquare(observed[expected > 1e-6], expected[expected > 1e-6]).pvalue > 1e-6
    np.testing.assert_array_equal(bits, twin.sample(thetas, shots, np.random.default_rng(5)))
    same = twin.sample(thetas[[0, 0]], 100, np.random.default_rng(5))
    assert not np.array_equal(same[0], same[1])  # equal rows have shots of their own


def test_shots_do_not_depend_on_threads(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(18, 2)
    thetas = rng.uniform(0, 2 * np.pi, (4, ansatz.num_parameters))
    one, two = (
        Twin(with_measurement(ansatz.pruned), NOISE, num_threads=n).sample(thetas, 50, np.random.default_rng(1))
        for n in (1, 2)
    )
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_fifty_qubits_without_noise_are_those_of_the_exact_chain(order: str, rng: np.random.Generator) -> None:
    """−ln p of drawn bits has its entropy as mean under the right distribution only, to second order."""
    ansatz, shots = hypernetwork(50, 2, order), 2000
    theta = rng.normal(0, 0.5, (1, ansatz.num_parameters))
    chain = Chain(ansatz)
    ours = without_noise(ansatz.pruned).sample(theta, shots, np.random.default_rng(3))
    theirs = chain.sample(theta, shots, np.random.default_rng(4))
    first, second = (-chain.log_probabilities(theta, bits)[0] for bits in (ours, theirs))
    assert abs(first.mean() - second.mean()) < SIGMAS * math.hypot(first.std(), second.std()) / math.sqrt(shots)
    spread = np.sqrt((ours.var(axis=1) + theirs.var(axis=1)) / shots)
    assert np.all(np.abs(ours.mean(axis=1) - theirs.mean(axis=1)) < SIGMAS * spread + 1e-12)


def test_the_first_qubits_of_a_long_chain_are_those_of_a_short_one(rng: np.random.Generator) -> None:
    """What is beyond the light cone of the first four qubits has no effect on them, with noise as well."""
    short, long, shots = hypernetwork(10, 2), hypernetwork(50, 2), 20_000
    theta = rng.uniform(0, 2 * np.pi, (1, long.num_parameters))
    part = theta.reshape(-1, 50)[:, :10].reshape(1, -1)
    bits = Twin(with_measurement(long.pruned), NOISE).sample(theta, shots, np.random.default_rng(1))[0, :, :4]
    all_ten = Twin(with_measurement(short.pruned), NOISE).probabilities(part)[0]
    probabilities = all_ten.reshape(64, 16).sum(axis=0)
    counts = np.bincount(bitstrings.to_integers(bits), minlength=16)
    assert np.all(np.abs(counts - shots * probabilities) < SIGMAS * np.sqrt(shots * probabilities + 1))


# ---------------------------------------------------------------- with truncation


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_deep_circuits_are_exact_while_the_bond_suffices(order: str, rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(6, 5, order), rng.normal(size=64)
    thetas = rng.uniform(0, 2 * np.pi, (2, ansatz.num_parameters))
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(4 / 3 * NOISE.p1, 1), ["ry", "rz"])
    model.add_all_qubit_quantum_error(depolarizing_error(16 / 15 * NOISE.p2, 2), ["cx"])
    circuit = with_measurement(ansatz.circuit)
    twin = Twin(circuit, Depolarising(NOISE.p1, NOISE.p2), max_bond=64)
    assert twin.is_exact
    assert twin.method == "matrix-product density operator, bond dimension 64"  # 4^3, whatever the depth
    found = twin.probabilities(thetas)
    for row, theta in zip(found, thetas, strict=True):
        np.testing.assert_allclose(row, aer_probabilities(circuit, model, theta), atol=1e-8)
    assert twin.discarded_weight == 0
    np.testing.assert_allclose(twin.energies(thetas, costs), found @ costs, atol=1e-12)
    bits = twin.sample(thetas, 5000, np.random.default_rng(2))
    assert np.all(np.abs(bits.mean(axis=1) - found @ bitstrings.from_integers(np.arange(64), 6)) < SIGMAS * 0.5 / 70)


@pytest.mark.parametrize("max_bond", [4096, 16])  # shared by the rows, and row by row
def test_rotations_of_two_qubits_and_any_unitaries_are_aers_density_matrix(
    rng: np.random.Generator, max_bond: int
) -> None:
    """Noise that differs from qubit to qubit, both directions of a pair, first and last gates on a qubit among them."""
    theta = ParameterVector("t", 12)
    circuit = QuantumCircuit(4)
    circuit.rzz(theta[0], 1, 0)
    circuit.h(range(4))
    for number, name in enumerate(("rxx", "ryy", "rzz", "rzx", "rzx")):
        low = number % 3
        getattr(circuit, name)(2 * theta[number + 1] + 0.3, *((low, low + 1) if number < 4 else (low + 1, low)))
        circuit.ry(theta[number + 6], low)
    circuit.unitary(random_unitary(4, seed=5), [2, 1])
    circuit.rzz(theta[11] - theta[1], 2, 3)
    measured = with_measurement(circuit)
    model = NoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(4 / 3 * NOISE.p1, 1), ["ry", "h"])
    pairs = ["rxx", "ryy", "rzz", "rzx", "unitary"]
    model.add_all_qubit_quantum_error(depolarizing_error(16 / 15 * NOISE.p2, 2), pairs)
    twin = Twin(measured, Depolarising(NOISE.p1, NOISE.p2), max_bond=max_bond)
    thetas = rng.uniform(0, 2 * np.pi, (3, 12))
    for row, angles in zip(twin.probabilities(thetas), thetas, strict=True):
        np.testing.assert_allclose(row, aer_probabilities(measured, model, angles), atol=1e-10)


def test_a_noisy_rotation_of_two_qubits_has_five_products() -> None:
    circuit, theta = QuantumCircuit(2), ParameterVector("t", 3)
    for angle in theta:
        circuit.rx(0.3, [0, 1])
        circuit.rzz(angle, 0, 1)
        circuit.rx(0.3, [0, 1])
    assert transfer(with_measurement(circuit), NOISE).links[1].rank == 5
    assert transfer(with_measurement(circuit), Depolarising(0, 0)).links[1].rank == 4


def test_a_bad_truncation_still_draws_bits(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    """Chances below zero are none."""
    monkeypatch.setattr("qhn.backend.noise.matrix_product.FEW_QUBITS", 0)
    ansatz = hypernetwork(6, 4)
    twin = Twin(with_measurement(ansatz.circuit), Depolarising(0.002, 0.006), max_bond=2)
    theta = rng.uniform(0, 2 * np.pi, (4, ansatz.num_parameters))
    bits = twin.sample(theta, 2000, np.random.default_rng(1))
    assert twin.discarded_weight > 0.1
    assert bits.max() == 1
    assert (twin.probabilities(theta) == 0).any()


def test_the_error_goes_with_the_discarded_weight(rng: np.random.Generator) -> None:
    """The root of the weight bounds the error of the squared components, and so goes with that of probabilities."""
    ansatz = hypernetwork(6, 4)
    theta = rng.uniform(0, 2 * np.pi, (1, ansatz.num_parameters))
    noise = Depolarising(0.002, 0.006)
    exact = Twin(with_measurement(ansatz.circuit), noise, max_bond=10**6).probabilities(theta)[0]
    weights, errors = [], []
    for max_bond in (4, 8, 16, 32, 64):
        twin = Twin(with_measurement(ansatz.circuit), noise, max_bond=max_bond)
        found = twin.probabilities(theta)[0]
        assert abs(found.sum() - 1) < 0.3
        weights.append(twin.discarded_weight)
        errors.append(float(np.linalg.norm(found - exact) / np.linalg.norm(exact)))
        assert twin.method.endswith(f"truncated to {twin.max_bond}") == (max_bond < 64)
    assert weights == sorted(weights, reverse=True)
    assert errors[0] > 0.1
    assert errors[-1] < 1e-9
    for weight, error in zip(weights[:-1], errors[:-1], strict=True):
        assert error < 5 * math.sqrt(weight)
        assert error > 0.01 * math.sqrt(weight)


# ---------------------------------------------------------------- what is refused


def test_what_has_no_twin_is_refused() -> None:
    circuit = QuantumCircuit(3)
    circuit.cx(0, 2)
    with pytest.raises(ValueError, match=r"cx on qubits \[0, 2\] is not on one or two neighbours"):
        without_noise(circuit)
    with pytest.raises(ValueError, match="every bit of one register meas"):
        Twin(QuantumCircuit(1), NOISE)
    alone = QuantumCircuit(1)
    alone.rz(Parameter("t"), 0)
    with pytest.raises(ValueError, match="elements of one ParameterVector"):
        without_noise(alone)
    free = QuantumCircuit(1)
    free.rv(ParameterVector("t", 1)[0], 0.3, 0.2, 0)
    with pytest.raises(ValueError, match="and rv has one"):
        without_noise(free)
    with pytest.raises(ValueError, match=r"fake_manila has no cx on qubits \[0, 2\]"):
        ChipNoise(chip("FakeManilaV2")).after("cx", (0, 2))
    with pytest.raises(ValueError, match=r"p2 must be a finite number in \[0, 1\], got 1\.5"):
        Depolarising(0.1, 1.5)
    with pytest.raises(ValueError, match="max_bond must be at least 1, got 0"):
        without_noise(QuantumCircuit(1), max_bond=0)
    twin = without_noise(hypernetwork(25, 1).circuit)
    with pytest.raises(ValueError, match="up to 24 qubits, not of 25"):
        twin.probabilities(np.zeros((1, 100)))
    with pytest.raises(ValueError, match=r"shape \[B, 100\], got \[1, 99\]"):
        twin.sample(np.zeros((1, 99)), 1, np.random.default_rng(1))
    with pytest.raises(ValueError, match="finite"):
        twin.sample(np.full((1, 100), np.nan), 1, np.random.default_rng(1))
    small = without_noise(hypernetwork(2, 1).circuit)
    with pytest.raises(ValueError, match="costs must have shape"):
        small.energies(np.zeros((1, 8)), np.zeros(3))
