"""The surrogate of the ELBO from shots: against the exact one, and how well the stated errors say how it scatters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterVector

from qhn.backend import open_backend
from qhn.circuit.ansatz import Ansatz
from qhn.circuit.hypernetwork import hypernetwork
from qhn.circuit.initial import Superposition
from qhn.circuit.unrolled import circuit_ansatz
from qhn.estimator.chain_rule import parameter_shift, spsa
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.measurement import Measurement
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.aggregation import Outcomes
from qhn.problem.cost import TableProblem
from qhn.problem.prior import Mmd
from qhn.problem.quadratic import QuadraticProblem
from qhn.seeds import Key

SIGMAS = 5
NUM_QUBITS, SHOTS = 5, 100
MMD = Mmd(weight=3.0, width=0.5)
CHAIN = hypernetwork(NUM_QUBITS, 1)
PROBLEM = TableProblem(np.random.default_rng(8).normal(size=2**NUM_QUBITS))


@dataclass(frozen=True)
class BlindMmd(Mmd):
    """The objective whose rows are said to share nothing."""

    def linearise_with_noise(self, outcomes: Outcomes, reference: Outcomes) -> tuple[np.ndarray, np.ndarray]:
        values, noise = super().linearise_with_noise(outcomes, reference)
        return values, 0 * noise


def tied() -> Ansatz:
    """A circuit whose every angle turns several gates, so that a slope adds up many rows."""
    angles, circuit = ParameterVector("a", 2), QuantumCircuit(NUM_QUBITS)
    for angle in angles:
        for qubit in range(NUM_QUBITS):
            circuit.ry(angle, qubit)
        for qubit in range(NUM_QUBITS - 1):
            circuit.cx(qubit, qubit + 1)
    return circuit_ansatz(circuit)


def start(name: str) -> tuple[Ansatz, np.ndarray]:
    rng = np.random.default_rng(4)
    if name == "uniform":
        return CHAIN, Superposition(0.0).draw(CHAIN, rng)
    ansatz = tied() if name == "tied" else CHAIN
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    return ansatz, 0.1 * theta if name == "narrow" else theta  # which leaves most of the weight on one bitstring


def repeated(
    ansatz: Ansatz, theta: np.ndarray, repetitions: int, objective: Mmd = MMD
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Values, their errors, gradients and their errors of independent measurements."""
    sampled = SamplingEstimator(ansatz, PROBLEM, open_backend("exact"), shots=SHOTS, objective=objective)
    found = [sampled.value_and_grad(theta, Key(seed)) for seed in range(repetitions)]
    return (
        np.stack([one.value for one in found]),
        np.stack([one.std_error for one in found]),
        np.stack([one.grad for one in found]),
        np.stack([one.grad_std_error for one in found]),
    )


@pytest.mark.parametrize("name", ["uniform", "random", "narrow", "tied"])
def test_shots_agree_with_the_exact_objective_and_its_gradient(name: str) -> None:
    ansatz, theta = start(name)
    exact = ExactEstimator(ansatz, PROBLEM, objective=MMD).value_and_grad(theta)
    sampled = SamplingEstimator(ansatz, PROBLEM, open_backend("exact"), shots=10_000, seed=3, objective=MMD)
    found = sampled.value_and_grad(theta)
    assert abs(found.value - exact.value) < SIGMAS * found.std_error
    assert (np.abs(found.grad - exact.grad) <= SIGMAS * found.grad_std_error + 1e-12).all()
    assert found.hessian_diag is None
    assert found.estimates.samples is not None
    assert found.estimates.mean[0] == pytest.approx(sampled.evaluations.cost(found.estimates.samples.bits[0]).mean())
    assert found.value == pytest.approx(found.estimates.objective[0], rel=1e-12)


def test_several_rows_have_references_of_their_own() -> None:
    ansatz, (_, one), (_, other) = CHAIN, start("random"), start("narrow")
    both = np.stack([one, other])
    exact = ExactEstimator(ansatz, PROBLEM, objective=MMD).value_and_grad(both)
    sampled = SamplingEstimator(ansatz, PROBLEM, open_backend("exact"), shots=4000, seed=5, objective=MMD)
    found = sampled.value_and_grad(both)
    assert (np.abs(found.value - exact.value) < SIGMAS * found.std_error).all()
    assert (np.abs(found.grad - exact.grad) <= SIGMAS * found.grad_std_error + 1e-12).all()


def test_a_gradient_along_random_directions_is_that_of_the_exact_differences() -> None:
    ansatz, theta = start("random")
    rule, key = spsa(ansatz, 0.3, 0.1, 40), Key(11)
    exact = ExactEstimator(ansatz, PROBLEM, objective=MMD)
    p = exact.probabilities(rule.shifted(theta, key))
    kernel = MMD.kernel(NUM_QUBITS)
    bilinear = p @ PROBLEM.costs + 2 * MMD.factor * p @ kernel.smooth(p[0])  # linearised at θ itself
    slopes = (bilinear[1::2] - bilinear[2::2]) / 0.6
    directions = (rule.shifted(theta, key)[1::2] - theta) / 0.3
    sampled = SamplingEstimator(ansatz, PROBLEM, open_backend("exact"), objective=MMD)
    found = sampled.value_and_grad(theta, key, Measurement(rule, 4000))
    expected = (slopes[:, None] * directions).mean(axis=0)
    assert (np.abs(found.grad - expected) <= SIGMAS * found.grad_std_error + 1e-12).all()


def check_errors(name: str, repetitions: int) -> None:
    """No bias within five standard errors; stated variances are those of the repetitions, or up to twice as large.

    A variance of R repetitions is known to about √(2/R) if they are normal, and to less if not.
    """
    ansatz, theta = start(name)
    exact = ExactEstimator(ansatz, PROBLEM, objective=MMD).value_and_grad(theta)
    values, errors, grads, grad_errors = repeated(ansatz, theta, repetitions)
    room = 1 + SIGMAS * np.sqrt(2 / repetitions)
    assert abs(values.mean() - exact.value) < SIGMAS * values.std() / np.sqrt(repetitions)
    assert 1 / room < np.square(errors).mean() / values.var() < 2 * room
    active = np.flatnonzero(grads.std(axis=0) > 1e-9)
    assert len(active) == int(ansatz.active.sum())
    bias = np.abs(grads.mean(axis=0) - exact.grad)[active]
    assert (bias < SIGMAS * grads.std(axis=0)[active] / np.sqrt(repetitions)).all()
    stated = np.square(grad_errors).mean(axis=0)[active] / grads.var(axis=0)[active]
    assert (stated > 1 / room).all()
    assert (stated < 1.3 * room).all()
    held = (np.abs(grads - exact.grad) <= 1.96 * grad_errors)[:, active].mean()
    assert held == pytest.approx(0.95, abs=0.03)


def test_errors_are_those_of_repetitions() -> None:
    check_errors("random", 150)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["uniform", "random", "narrow", "tied"])
def test_errors_are_those_of_many_repetitions(name: str) -> None:
    check_errors(name, 2000)


def test_the_noise_of_the_reference_is_part_of_the_errors_of_a_gradient() -> None:
    """At a narrow distribution most of what shifted rows scatter by is the row that they all refer to."""
    ansatz, theta = start("narrow")
    *_, blind = repeated(ansatz, theta, 200, BlindMmd(weight=3.0, width=0.5))
    *_, grads, errors = repeated(ansatz, theta, 200)
    active = np.flatnonzero(grads.std(axis=0) > 1e-9)
    true = grads.var(axis=0)[active]
    assert (np.square(blind).mean(axis=0)[active] / true).min() < 0.5
    assert (np.square(errors).mean(axis=0)[active] > 0.5 * true).all()


def test_a_hundred_qubits_are_compared_in_pairs_of_shots() -> None:
    """Of a product state all means are known: k is a product over qubits, so that ⟨k⟩ is one as well."""
    ansatz = hypernetwork(100, 0)
    theta = np.random.default_rng(2).uniform(0, 2 * np.pi, ansatz.num_parameters)
    field = QuadraticProblem.from_ising(np.linspace(-1, 1, 100), {})
    objective = Mmd(weight=50.0, width=0.2)
    ratio, agree = np.exp(-1 / 20), np.cos(theta[:100] / 2) ** 4 + np.sin(theta[:100] / 2) ** 4
    expected = np.prod(agree + ratio * (1 - agree)) - ((1 + ratio) / 2) ** 100
    sampled = SamplingEstimator(ansatz, field, open_backend("exact"), shots=1000, seed=1, objective=objective)
    found = sampled(theta)
    energy = float((np.linspace(-1, 1, 100) * -np.cos(theta[:100])).sum())
    assert abs(found.objective - energy - 50 * expected) < SIGMAS * found.objective_std_error
    one = sampled.value_and_grad(theta, None, Measurement(parameter_shift(ansatz).on(np.arange(200) < 3), 1000))
    assert np.isfinite(one.grad_std_error).all()
    assert (one.grad[:3] != 0).all()
