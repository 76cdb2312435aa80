"""Rehearsals on stored devices: noise, tiles, calibration, and what is said of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from qiskit_ibm_runtime.fake_provider import FakeFez, FakeManilaV2

import reference
from qhn import bitstrings
from qhn.backend import DeviceSettings, RehearsalSettings, open_backend
from qhn.backend.device.chip import Chip
from qhn.backend.noise.channels import ChipNoise
from qhn.backend.noise.twin import Twin
from qhn.backend.rehearsal import stored_devices
from qhn.circuit.hypernetwork import hypernetwork
from qhn.estimator.noisy import NoisyEstimator, without_shots
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.cost import TableProblem
from qhn.seeds import Key

KEY = Key(seed=11)


OLD = ("fake_boeblingen", "fake_cambridge", "fake_burlington")  # whose gates are U1, U2 and U3
DEAD = "fake_kyoto"  # none of whose pairs works


def frequencies(bits: np.ndarray) -> np.ndarray:
    return np.bincount(bitstrings.to_integers(bits), minlength=2 ** bits.shape[-1])


def test_a_rehearsal_adds_the_devices_noise_and_says_what_it_did() -> None:
    ansatz = hypernetwork(4, 1)
    sampler = open_backend("fake_manila").compile(ansatz)
    bits = sampler.sample(np.zeros((1, 16)), 4000, KEY).bits
    assert 0.005 < bits.mean() < 0.2  # every bit would be 0 without noise
    facts = sampler.describe()
    assert "fake_manila" in facts["noise"]
    assert facts["circuit"] == "pruned"
    assert len(facts["tiles"]) == 1
    assert len(set(facts["tiles"][0]["qubits"])) == 4
    chip = Chip.from_json(facts["calibration"])
    assert chip.name == "fake_manila"
    assert 0 < chip.readout_error[facts["tiles"][0]["qubits"]].max() < 0.2
    asked = DeviceSettings(dynamical_decoupling="XpXm", twirling=True)
    facts = open_backend("fake_manila", asked).compile(ansatz).describe()
    assert facts["dynamical_decoupling"] == facts["twirling"] == "asked for, not simulated"


def test_aer_on_the_used_qubits_gives_what_it_gives_with_the_whole_device() -> None:
    from qiskit_aer import AerSimulator

    ansatz, shots, device = hypernetwork(3, 1), 40_000, FakeManilaV2()
    theta = np.random.default_rng(2).uniform(0, 6, (1, ansatz.num_parameters))
    sampler = open_backend("fake_manila", RehearsalSettings(simulator="aer")).compile(ansatz)
    counts = frequencies(sampler.sample(theta, shots, KEY).bits[0])
    isa = sampler.circuit.assign_parameters({p: theta[0, p.index] for p in sampler.circuit.parameters})
    result = AerSimulator.from_backend(device).run(isa, shots=shots, seed_simulator=4).result().get_counts()
    whole = np.array([result.get(f"{i:03b}", 0) for i in range(8)])
    assert np.all(np.abs(counts - whole) < 5 * np.sqrt(counts + whole + 1))


def test_each_tile_measures_what_the_twin_of_its_own_chain_says() -> None:
    """5σ for all bits of all rows, with the pairs of a gradient on their tiles and θ on all of them."""
    ansatz, shots = hypernetwork(4, 1), 20_000
    sampler = open_backend("fake_fez", DeviceSettings(tiles=3)).compile(ansatz)
    rng = np.random.default_rng(3)
    thetas = rng.uniform(0, 6, (9, ansatz.num_parameters))
    samples = sampler.sample(thetas, shots, KEY, 9)
    assert samples.tiles is not None
    assert samples.unshifted is not None
    assert samples.tiles.tolist() == [0, 0, 0, 1, 1, 2, 2, 0, 0]
    assert samples.num_shots == 5 * shots
    noise = ChipNoise(sampler.placement.chip)
    twins = [Twin(circuit, noise) for circuit in sampler.placement.tiles]
    rows = [(bits, tile, theta) for bits, tile, theta in zip(samples.bits, samples.tiles, thetas, strict=True)]
    rows += [(bits, tile, thetas[0]) for tile, bits in enumerate(samples.unshifted[0])]
    for bits, tile, theta in rows:
        expected = shots * twins[tile].probabilities(theta[None])[0]
        assert np.all(np.abs(frequencies(bits) - expected) < 5 * np.sqrt(expected + 1))
    chains = [set(chain.qubits) for chain in sampler.placement.chains]
    assert not chains[0] & chains[1] | chains[0] & chains[2] | chains[1] & chains[2]


def test_the_wide_circuit_of_all_tiles_is_the_ansatz_on_each() -> None:
    """What a QPU is sent, on ideal Aer: every tile has the distribution of its own row of angles."""
    from qiskit_aer import AerSimulator
    from qiskit_aer.primitives import SamplerV2

    from qhn.backend.aer import publish, read_bits
    from qhn.backend.device.isa import onto_patch, used_qubits
    from qhn.backend.device.placement import place
    from qhn.backend.device.tiles import arrange_rows

    ansatz, shots = hypernetwork(4, 1), 8000
    placement = place(ansatz, FakeFez(), DeviceSettings(tiles=3))
    thetas = np.random.default_rng(5).uniform(0, 6, (7, ansatz.num_parameters))
    plan = arrange_rows(7, 7, 3)
    angles = thetas[plan.rows].reshape(plan.num_executions, -1)
    circuit = onto_patch(placement.circuit, used_qubits(placement.circuit))
    aer = SamplerV2.from_backend(AerSimulator(), seed=1)
    bits = read_bits(aer.run([publish(circuit, angles)], shots=shots).result())
    samples = plan.samples(bits.reshape(plan.num_executions, shots, 3, 4).swapaxes(1, 2))
    for row, theta in zip(samples.bits, thetas, strict=True):
        expected = shots * reference.probabilities(reference.literal_circuit(4, 1, "eq5", theta))
        assert np.all(np.abs(frequencies(row) - expected) < 5 * np.sqrt(expected + 1))


@pytest.mark.parametrize("order", ["eq5", "authors"])
def test_a_tiled_and_mitigated_gradient_is_the_ideal_one_within_its_errors(order: str) -> None:
    """Readout inversion on every tile, of a device whose gates hardly fail, to within their failures."""
    ansatz = hypernetwork(4, 1, order)
    problem = TableProblem(np.random.default_rng(7).random(16))
    settings = DeviceSettings(tiles=4, calibrate=True)
    backend = open_backend("fake_boston", settings)
    theta = np.random.default_rng(8).uniform(0, 6, ansatz.num_parameters)
    plain, corrected = (
        SamplingEstimator(ansatz, problem, backend, shots=20_000, seed=2, mitigation=mitigation)
        for mitigation in ("none", "readout")
    )
    found, raw = corrected.value_and_grad(theta), plain.value_and_grad(theta)
    exact = without_shots(ansatz, problem, open_backend("exact").compile(ansatz)).value_and_grad(theta)
    gates = 0.02  # of the contrast, lost by gates, at most
    error = np.hypot(found.grad_std_error, 1e-12)
    assert np.all(np.abs(found.grad - exact.grad) < 5 * error + gates * np.abs(exact.grad).max())
    assert abs(found.value - exact.value) < 5 * found.std_error + gates
    np.testing.assert_allclose(found.estimates.raw[0], raw.value, atol=1e-12)  # the same bits
    assert found.estimates.samples is not None
    assert found.estimates.samples.folded is (order == "eq5")
    assert corrected.readout_counts is not None
    assert corrected.readout_counts.counts.shape == (4, 4, 2)


def test_counted_readout_errors_are_those_of_each_tiles_qubits() -> None:
    settings = DeviceSettings(tiles=2, calibrate=True)
    sampler = open_backend("fake_torino", settings).compile(hypernetwork(5, 1))
    shots = 50_000
    readout_counts = sampler.sample(np.zeros((1, 20)), shots, KEY).readout_counts
    assert readout_counts is not None
    assert readout_counts.shots == shots
    chip = sampler.placement.chip
    expected = chip.readout[[chain.qubits for chain in sampler.placement.chains]]
    error = 5 * np.sqrt(expected * (1 - expected) / shots)
    assert np.all(np.abs(readout_counts.rates - expected)[..., 0] < error[..., 0])
    assert np.all(np.abs(readout_counts.rates - expected)[..., 1] < error[..., 1] + 2e-3)  # preparing 1 can fail, too


def test_e_of_a_noisy_device_is_known_without_shots() -> None:
    ansatz = hypernetwork(5, 1)
    problem = TableProblem(np.random.default_rng(1).random(32))
    sampler = open_backend("fake_torino").compile(ansatz)
    theta = np.random.default_rng(2).uniform(0, 6, ansatz.num_parameters)
    exact = without_shots(ansatz, problem, sampler)
    assert isinstance(exact, NoisyEstimator)
    sampled = SamplingEstimator(ansatz, problem, open_backend("fake_torino"), shots=20_000, seed=1)(theta)
    assert abs(float(exact(theta).mean) - float(sampled.mean)) < 5 * float(sampled.std_error)
    folded = open_backend("fake_torino", DeviceSettings(calibrate=True)).compile(ansatz)
    shots = 40_000
    bits = folded.sample(theta[None], shots, KEY).bits[0]
    probabilities = folded.probabilities(theta[None])[0]
    assert np.all(np.abs(frequencies(bits) - shots * probabilities) < 5 * np.sqrt(shots * probabilities + 1))
    assert folded.energies(theta[None], problem.costs)[0] == pytest.approx(probabilities @ problem.costs, abs=1e-12)
    aer = open_backend("fake_torino", RehearsalSettings(simulator="aer")).compile(ansatz)
    with pytest.raises(
        ValueError, match=r"fake_torino draws shots \(Aer: density matrix above 2\^5 shots, otherwise traj"
    ):
        without_shots(ansatz, problem, aer)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("fake_kyoto", {}, "no chain of 4 connected working qubits"),
        ("fake_manila", {"tiles": 2}, "2 tiles do not fit on fake_manila"),
        ("fake_manila", {"exclude": (1,)}, "no chain of 4"),
        ("fake_manila", {"exclude": (9,)}, "fake_manila has no qubit 9 to exclude"),
        ("fake_torino", {"rep_delay": 0.1}, "rep_delay must be 0 to 0.0005 seconds on fake_torino, got 0.1"),
        ("fake_torino", {"qubits": ((0, 1, 2, 2),)}, "qubits 2 and 2 of fake_torino are not neighbours"),
        ("fake_torino", {"qubits": ((0, 1, 2),)}, "the circuit needs 4 qubits, got 3"),
        ("fake_torino", {"qubits": ((0, 1, 2, 3), (3, 4, 5, 6))}, "qubit 3 is asked for 2 times"),
    ],
)
def test_what_a_device_cannot_do_is_refused(name: str, settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_backend(name, RehearsalSettings(**settings)).compile(hypernetwork(4, 1))


def test_chosen_qubits_are_used() -> None:
    settings = DeviceSettings(qubits=((10, 11, 12, 13),))
    sampler = open_backend("fake_torino", settings).compile(hypernetwork(4, 1))
    assert sampler.describe()["tiles"][0]["qubits"] == [10, 11, 12, 13]


def check_both_simulators(name: str, mitigation: bool) -> None:
    """The twin of a device knows the frequencies with which Aer measures, whose readout errors are symmetric."""
    chip = open_backend(name).compile(hypernetwork(1, 1)).placement.chip
    ansatz, shots = hypernetwork(1 if name == DEAD else min(3, chip.num_qubits), 1), 8000
    theta = np.random.default_rng(2).uniform(0, 6, (1, ansatz.num_parameters))
    samplers = [
        open_backend(name, RehearsalSettings(simulator=simulator, calibrate=mitigation)).compile(ansatz)
        for simulator in ("twin", "aer")
    ]
    for sampler in samplers:
        readout = sampler.placement.chip.readout
        if sampler.settings.simulator == "aer":
            readout = np.repeat(readout.mean(axis=1)[:, None], 2, axis=1)
        noise = ChipNoise(dataclasses.replace(sampler.placement.chip, readout=readout))
        expected = shots * Twin(sampler.circuit, noise).probabilities(theta)[0]
        bits = sampler.sample(theta, shots, KEY).bits[0]
        counts = frequencies(
            ansatz.relabel(bits) if sampler.placement.folded else bits
        )  # undone: it is its own inverse
        assert np.all(np.abs(counts - expected) < 5 * np.sqrt(expected + 1))


@pytest.mark.parametrize("name", [*OLD, "fake_cairo"])
@pytest.mark.parametrize("mitigation", [False, True])
def test_old_and_mixed_devices_run_on_both_simulators(name: str, mitigation: bool) -> None:
    check_both_simulators(name, mitigation)


@pytest.mark.slow
def test_every_stored_device_runs_on_both_simulators() -> None:
    for name in stored_devices():
        check_both_simulators(name, mitigation=False)
