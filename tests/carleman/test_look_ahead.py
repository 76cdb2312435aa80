"""The model of pairs of angles and descents on it: against state vectors of Qiskit and true descents."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qhn import QhnError
from qhn.carleman.jets import EnergyJet, lattice
from qhn.carleman.look_ahead import PairModel, descended, look_ahead
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork, product_state


def energies(ansatz: Hypernetwork, costs: np.ndarray):
    """E by Qiskit's state vector."""

    def of(thetas: np.ndarray) -> np.ndarray:
        states = (Statevector(ansatz.circuit.assign_parameters(theta)) for theta in thetas)
        return np.array([costs @ state.probabilities() for state in states])

    return of


@pytest.fixture
def jet(rng: np.random.Generator) -> EnergyJet:
    ansatz = hypernetwork(3, 1)
    theta = rng.uniform(-3, 3, ansatz.num_parameters)
    angles = rng.choice(np.flatnonzero(ansatz.active), 4, replace=False)
    return EnergyJet(energies(ansatz, rng.normal(size=8)), ansatz, theta, angles)


def test_the_model_is_exact_however_far_one_or_two_angles_move(jet: EnergyJet, rng: np.random.Generator) -> None:
    model = PairModel.of(jet)
    assert jet.count == 33
    for pair in itertools.combinations(range(4), 2):
        displacement = np.zeros(4)
        displacement[list(pair)] = rng.uniform(-3, 3, 2)
        assert float(model.loss(displacement)) == pytest.approx(jet.at(displacement)[0], abs=1e-12)


def test_the_model_of_a_cost_of_pairs_is_exact_everywhere(rng: np.random.Generator) -> None:
    """The product state has an angle a qubit, and no more of them interact than qubits do in the cost."""
    ansatz, spins = product_state(4), 2.0 * ((np.arange(16)[:, None] >> np.arange(4)) & 1) - 1
    coupling = rng.normal(size=(4, 4))
    costs = np.einsum("bi,ij,bj->b", spins, coupling, spins) + spins @ rng.normal(size=4)
    jet = EnergyJet(energies(ansatz, costs), ansatz, rng.uniform(-3, 3, 8))
    model, displacements = PairModel.of(jet), rng.uniform(-3, 3, (5, 4))
    expected = [jet.at(displacement)[0] for displacement in displacements]
    np.testing.assert_allclose(model.loss(displacements), expected, atol=1e-12)


def test_the_gradient_is_that_of_the_loss_and_the_first_derivatives_are_exact(jet: EnergyJet) -> None:
    model, at, width = PairModel.of(jet), np.array([0.3, -1.0, 2.0, 0.7]), 1e-5
    numerical = [(model.loss(at + step) - model.loss(at - step)) / (2 * width) for step in width * np.eye(4)]
    np.testing.assert_allclose(model.gradient(at), numerical, atol=1e-8)
    np.testing.assert_allclose(model.gradient(np.zeros(4)), jet.polynomial(0).tensors[0], atol=1e-12)


def test_its_standard_error_is_that_of_repetition(rng: np.random.Generator) -> None:
    points = lattice(3, 2)
    errors, at = rng.uniform(0.1, 0.3, len(points)), np.array([0.4, -0.8, 1.5])
    repeated = [PairModel(errors * rng.normal(size=len(points)), errors, 3).loss(at) for _ in range(4000)]
    expected = PairModel(np.zeros(len(points)), errors, 3).std_error(at)
    assert np.std(repeated) == pytest.approx(float(expected), rel=5 / np.sqrt(8000))


def test_one_angle_is_a_sinusoid() -> None:
    jet = EnergyJet(lambda thetas: -np.cos(thetas[:, 0]), product_state(1), [0.5, 0.0])
    model = PairModel.of(jet)
    np.testing.assert_allclose(model.loss(np.array([[0.0], [-0.5], [2.0]])), -np.cos([0.5, 0.0, 2.5]), atol=1e-12)


def test_ten_steps_from_a_bowl_are_predicted_with_fewer_circuits_than_they_take(rng: np.random.Generator) -> None:
    """Near a minimum: 33 circuits, and one to make sure, against 80 of ten gradients by four angles."""
    ansatz = product_state(4)
    of = energies(ansatz, np.arange(16.0) ** 1.1)
    theta = np.concatenate([rng.uniform(-0.4, 0.4, 4), np.zeros(4)])  # the minimum is at zero
    jet, rate = EnergyJet(of, ansatz, theta), 0.05
    jump = look_ahead(jet, 10, learning_rate=rate)
    assert jet.count + jump.asked == 34 < 80
    at = theta.copy()
    for _ in range(10):
        at[:4] -= rate * EnergyJet(of, ansatz, at).polynomial(0).tensors[0]
    moved = at[:4] - theta[:4]
    assert np.linalg.norm(jump.displacement - moved) < 1e-3 * np.linalg.norm(moved)
    assert jump.measured == pytest.approx(jump.predicted, abs=1e-4)


def test_a_prediction_that_is_not_confirmed_is_shortened_and_then_given_up(jet: EnergyJet) -> None:
    true = jet.energies

    def lying_far_away(thetas: np.ndarray) -> np.ndarray:
        moved = np.abs(thetas - jet.theta).max(axis=1)
        is_shift = np.isclose(moved, np.pi / 2) | (moved < 0.02)
        return true(thetas) + np.where(is_shift, 0.0, 5.0)

    jet.energies = lying_far_away
    refused = look_ahead(jet, 40, tries=2)
    assert not refused.displacement.any()
    assert refused.asked == 2
    assert refused.measured == pytest.approx(jet.derivative({})[0])
    short = look_ahead(jet, 1000, tries=12, learning_rate=1e-3)
    assert 0 < np.abs(short.displacement).max() < 0.02
    assert short.asked > 1


def test_noise_alone_does_not_refuse_a_prediction(rng: np.random.Generator) -> None:
    def noisy(thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        errors = np.full(len(thetas), 0.2)
        return -np.cos(thetas[:, :2]).sum(axis=1) + errors * rng.normal(size=len(thetas)), errors

    ansatz = product_state(2)
    jumps = [look_ahead(EnergyJet(noisy, ansatz, [1.0, 0.8, 0.0, 0.0]), 5, tries=1) for _ in range(400)]
    believed = np.mean([jump.displacement.any() for jump in jumps])
    assert believed > 0.9


def test_arguments_out_of_range_are_refused(jet: EnergyJet) -> None:
    model = PairModel.of(jet)
    for rate, steps, message in ((0.0, 3, "learning_rate"), (0.1, 0, "steps must be at least 1")):
        with pytest.raises(QhnError, match=message):
            descended(model, 4, rate, steps)
    with pytest.raises(QhnError, match="tries must be at least 1"):
        look_ahead(jet, 3, tries=0)
    with pytest.raises(QhnError, match="displacement must have shape"):
        jet.at([0.0])
