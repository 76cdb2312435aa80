"""Derivative tensors of E: against state vectors of Qiskit, differentiated numerically, and by counting circuits."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector
from qiskit.quantum_info import Statevector

import ansatzes
from qhn import QhnError
from qhn.carleman.jets import EnergyJet, lattice, num_circuits
from qhn.circuit.ansatz import Ansatz
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.circuit.unrolled import circuit_ansatz


class Measured:
    """E of a random table by Qiskit's state vector, with the number of rows and batches that were asked for."""

    def __init__(self, ansatz: Ansatz, seed: int = 3) -> None:
        self.circuit = ansatz.circuit
        self.costs = np.random.default_rng(seed).normal(size=2**ansatz.num_qubits)
        self.rows: list[tuple[float, ...]] = []
        self.batches = 0

    def __call__(self, thetas: np.ndarray) -> np.ndarray:
        self.batches += 1
        self.rows += [tuple(theta.round(9)) for theta in thetas]
        states = (Statevector(self.circuit.assign_parameters(theta)) for theta in thetas)
        return np.array([self.costs @ state.probabilities() for state in states])


def own_circuit() -> Ansatz:
    """Rotations of one and two qubits about all axes, between fixed gates."""
    circuit, t = QuantumCircuit(3), ParameterVector("t", 6)
    circuit.h(range(3))
    circuit.rxx(t[0], 0, 2)
    circuit.ry(t[1], 1)
    circuit.cz(0, 1)
    circuit.rzz(t[2], 1, 2)
    circuit.sx(2)
    circuit.rx(t[3], 0)
    circuit.rzx(t[4], 2, 0)
    circuit.rx(t[5], 1)
    return circuit_ansatz(circuit)


def differences(energies: Measured, theta: np.ndarray, index: tuple[int, ...], width: float) -> float:
    """A mixed derivative by nested central differences, with error O(width²)."""
    total = 0.0
    for signs in itertools.product((1, -1), repeat=len(index)):
        at = theta.copy()
        for i, sign in zip(index, signs, strict=True):
            at[i] += sign * width
        total += math.prod(signs) * energies(at[None])[0]
    return total / (2 * width) ** len(index)


@pytest.mark.parametrize("half_turns", [False, True])
@pytest.mark.parametrize(
    "ansatz",
    [hypernetwork(3, 1), hypernetwork(3, 1, "authors"), product_state(4), own_circuit(), ansatzes.ansatz("iqp", 3)],
    ids=lambda ansatz: f"{ansatz.name} {ansatz.words()}",
)
def test_tensors_are_the_derivatives(ansatz: Ansatz, half_turns: bool, rng: np.random.Generator) -> None:
    theta = rng.uniform(-3, 3, ansatz.num_parameters)
    energies = Measured(ansatz)
    angles = np.flatnonzero(ansatz.active)[[0, 2, 1]].tolist()
    jet = EnergyJet(energies, ansatz, theta, angles, half_turns=half_turns)
    found = jet.polynomial(3)
    assert found.value == pytest.approx(energies(theta[None])[0], abs=1e-12)
    np.testing.assert_array_equal(found.reference, theta[angles])
    for k, tensor in enumerate(found.tensors):
        for index in itertools.combinations_with_replacement(range(3), k + 1):  # tensors are checked to be symmetric
            chosen = tuple(angles[i] for i in index)
            narrow, wide = (differences(energies, theta, chosen, width) for width in (0.04, 0.08))
            extrapolated = (4 * narrow - wide) / 3  # error O(width⁴)
            assert tensor[index] * math.factorial(k) == pytest.approx(extrapolated, abs=2e-5)


def test_the_polynomial_is_that_of_e_near_the_angles_and_better_with_each_degree(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(4, 1)
    energies, theta = Measured(ansatz), rng.uniform(-3, 3, ansatz.num_parameters)
    angles = rng.choice(np.flatnonzero(ansatz.active), 5, replace=False)
    jet, step = EnergyJet(energies, ansatz, theta, angles), 0.2 * rng.choice([-1, 1], 5)
    moved = theta.copy()
    moved[angles] += step
    truth = energies(moved[None])[0]
    errors = [abs(float(jet.polynomial(degree).loss(step)) - truth) for degree in range(6)]
    assert all(later < earlier / 2 for earlier, later in itertools.pairwise(errors))


def test_each_circuit_is_measured_once_and_those_of_an_order_in_one_batch(rng: np.random.Generator) -> None:
    ansatz = product_state(4)
    energies = Measured(ansatz)
    jet = EnergyJet(energies, ansatz, rng.uniform(0, 6, ansatz.num_parameters))
    counts = []
    for degree in range(5):
        jet.polynomial(degree)
        jet.std_errors(degree)
        counts.append(jet.count)
    assert counts == [9, 33, 65, 81, 81]  # from degree 3 on it is all of {0, +, −}⁴
    assert len(energies.rows) == len(set(energies.rows)) == 81
    assert energies.batches == 4


def test_a_restricted_jet_measures_only_what_the_whole_one_has_not(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(3, 1)
    energies, theta = Measured(ansatz), rng.uniform(-3, 3, ansatz.num_parameters)
    whole = EnergyJet(energies, ansatz, theta)
    whole.measure(0)
    places = [4, 1, 5]
    part, rows = whole.restricted(places), len(energies.rows)
    assert part.count == 7
    assert part.angles == tuple(whole.angles[i] for i in places)
    tensors = part.polynomial(1).tensors
    assert len(energies.rows) == rows + 12
    for mine, full in zip(tensors, whole.polynomial(1).tensors, strict=True):
        np.testing.assert_allclose(mine, full[np.ix_(*(places,) * mine.ndim)], atol=1e-12)


@pytest.mark.parametrize("half_turns", [False, True])
@pytest.mark.parametrize("num_angles", [1, 2, 4, 7])
def test_the_number_of_circuits_is_known_before(num_angles: int, half_turns: bool) -> None:
    for degree in range(5):
        points = lattice(num_angles, degree + 1, half_turns=half_turns)
        assert len(set(points)) == len(points) == num_circuits(num_angles, degree, half_turns=half_turns)


def test_nested_shifts_that_are_not_reduced_take_the_circuits_of_half_turns() -> None:
    """By brute force: ∂_i f = ½[f(+π/2) − f(−π/2)], nested, on a lattice of quarter turns modulo a full one."""
    derivatives, met, counts = {(0, 0, 0, 0)}, set(), []
    for _ in range(5):
        derivatives = {
            tuple((turns + (sign if place == i else 0)) % 4 for place, turns in enumerate(point))
            for point in derivatives
            for i in range(4)
            for sign in (1, -1)
        }
        met |= derivatives
        counts.append(len(met))
    assert counts == [8, 37, 93, 163, 219]  # the gradient alone does not take E itself
    assert [num_circuits(4, degree, half_turns=True) for degree in range(5)] == [9, *counts[1:]]
    points = [dict(point) for point in lattice(4, 5, half_turns=True)]
    assert met == {tuple(point.get(i, 0) for i in range(4)) for point in points}


@pytest.mark.parametrize("half_turns", [False, True])
def test_standard_errors_are_those_of_repetition(half_turns: bool, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(2, 1)
    theta = rng.uniform(-3, 3, ansatz.num_parameters)
    exact, angles = Measured(ansatz), np.flatnonzero(ansatz.active)[:3]
    spread = np.random.default_rng(1).uniform(0.5, 2.0, 200)

    def noisy(thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        errors = spread[: len(thetas)]
        return means[: len(thetas)] + errors * rng.normal(size=len(thetas)), errors

    means = np.zeros(200)
    first = EnergyJet(noisy, ansatz, theta, angles, half_turns=half_turns).std_errors(2)
    repeated = [EnergyJet(noisy, ansatz, theta, angles, half_turns=half_turns).polynomial(2) for _ in range(1500)]
    for k, expected in enumerate(first):
        found = np.std([one.tensors[k] for one in repeated], axis=0)
        np.testing.assert_allclose(found, expected, rtol=5 / np.sqrt(2 * 1500))
    zero = EnergyJet(exact, ansatz, theta, angles).std_errors(1)
    assert all((error == 0).all() for error in zero)


def test_a_second_derivative_from_half_turns_has_a_third_of_the_variance() -> None:
    def noisy(thetas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros(len(thetas)), np.ones(len(thetas))

    computed, measured = (
        EnergyJet(noisy, product_state(2), np.zeros(4), half_turns=half).std_errors(1)[1][0, 0] ** 2
        for half in (False, True)
    )
    assert computed == pytest.approx(1.5)
    assert measured == pytest.approx(0.5)


def test_shared_angles_inert_angles_and_others_are_refused() -> None:
    shared, chain = ansatzes.ansatz("qaoa-ring", 3), hypernetwork(2, 1)
    inert = int(np.flatnonzero(~chain.active)[0])
    for ansatz, angles, message in (
        (shared, None, "turns several gates"),
        (chain, [inert], f"angle {inert} changes no probability"),
        (chain, [0, 0], "different"),
        (chain, [99], "at most 7"),
        (chain, [], "one or more"),
    ):
        with pytest.raises(QhnError, match=message):
            EnergyJet(lambda thetas: thetas[:, 0], ansatz, np.zeros(ansatz.num_parameters), angles)
    with pytest.raises(QhnError, match=r"theta must have shape \[8\]"):
        EnergyJet(lambda thetas: thetas[:, 0], chain, np.zeros((1, 8)))


def test_energies_that_are_no_numbers_are_refused() -> None:
    for wrong in (lambda rows: rows, lambda rows: np.full(len(rows), np.nan), lambda rows: (rows[:, 0], rows)):
        with pytest.raises(QhnError, match="finite numbers"):
            EnergyJet(wrong, product_state(2), np.zeros(4)).polynomial(0)
    jet = EnergyJet(lambda rows: rows[:, 0], product_state(2), np.zeros(4))
    for degree, message in ((-1, "degree must be at least 0"), (0.5, "degree must be an integer")):
        with pytest.raises(QhnError, match=message):
            jet.polynomial(degree)
    jet.measure(0)
    with pytest.raises(QhnError, match="measure a higher degree first"):
        jet.derivative({0: 1, 1: 1})
