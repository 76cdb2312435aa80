from __future__ import annotations

import numpy as np
import pytest

import reference
from qhn.arrays import Bits, Floats
from qhn.backend import open_backend
from qhn.backend.samples import ReadoutCounts, Samples
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.config.file import load_problem
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ParameterShift, Spsa
from qhn.estimator.measurement import Measurement
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.cost import TableProblem
from qhn.problem.landscape import enumerate_costs
from qhn.problem.objective import Objective
from qhn.seeds import Key

SIGMAS = 5


@pytest.mark.parametrize("backend", ["exact", "aer", "aer-mps"])
@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("num_layers", [0, 1, 2])
def test_value_gradient_and_curvature_agree_with_the_exact_ones(
    backend: str, order: str, num_layers: int, rng: np.random.Generator
) -> None:
    ansatz, costs = hypernetwork(4, num_layers, order), rng.random(16)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    estimator = SamplingEstimator(ansatz, TableProblem(costs), open_backend(backend), shots=4000, seed=5)
    found = estimator.value_and_grad(theta)

    rows = ParameterShift(ansatz.active).shifted(theta, Key(0))
    exact = np.array([reference.energy(4, num_layers, order, row, costs) for row in rows])
    np.testing.assert_array_less(np.abs(found.estimates.mean - exact), SIGMAS * found.estimates.std_error + 1e-12)
    active = ansatz.active
    grad, curvature = 0.5 * (exact[1::2] - exact[2::2]), 0.5 * (exact[1::2] + exact[2::2]) - exact[0]
    np.testing.assert_array_less(np.abs(found.grad[active] - grad), SIGMAS * found.grad_std_error[active] + 1e-12)
    np.testing.assert_array_less(
        np.abs(found.hessian_diag[active] - curvature), SIGMAS * found.hessian_diag_std_error[active] + 1e-12
    )
    pulls = (found.grad[active] - grad) / found.grad_std_error[active]
    assert 0.2 < pulls.std() < 2  # the stated errors are neither far too small nor far too large


def test_mean_of_a_real_task_at_fourteen_qubits(rng: np.random.Generator) -> None:
    problem = load_problem("gaussian-activation")
    costs = enumerate_costs(problem)
    for order in ("eq5", "authors"):
        ansatz = hypernetwork(14, 2, order)
        theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
        found = SamplingEstimator(ansatz, problem, shots=20_000, seed=1)(theta)
        assert abs(found.mean - reference.energy(14, 2, order, theta, costs)) < SIGMAS * found.std_error


def test_cvar_of_samples(rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(4, 1), rng.random(16)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    probabilities = reference.probabilities(reference.literal_circuit(4, 1, "eq5", theta))
    estimator = SamplingEstimator(ansatz, TableProblem(costs), shots=20_000, seed=2, objective=Objective(0.2))
    found = estimator(theta)
    assert abs(found.objective - reference.cvar(costs, probabilities, 0.2)) < SIGMAS * found.objective_std_error
    assert abs(found.mean - probabilities @ costs) < SIGMAS * found.std_error
    assert found.objective < found.mean
    gradient = estimator.value_and_grad(theta)
    h, unit = 1e-4, np.eye(len(theta))

    def cvar(t: np.ndarray) -> float:
        return reference.cvar(costs, reference.probabilities(reference.literal_circuit(4, 1, "eq5", t)), 0.2)

    expected = np.array([(cvar(theta + h * u) - cvar(theta - h * u)) / (2 * h) for u in unit])
    np.testing.assert_array_less(np.abs(gradient.grad - expected), SIGMAS * gradient.grad_std_error + 5e-3)


def test_errors_fall_with_the_root_of_the_shots(rng: np.random.Generator) -> None:
    ansatz, problem = hypernetwork(4, 1), TableProblem(rng.random(16))
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    errors = [SamplingEstimator(ansatz, problem, shots=n, seed=3)(theta).std_error for n in (1000, 16_000)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


def test_shapes_and_what_is_remembered(rng: np.random.Generator) -> None:
    ansatz, costs = hypernetwork(4, 1), rng.random(16)
    estimator = SamplingEstimator(ansatz, TableProblem(costs), shots=500, seed=4)
    thetas = rng.uniform(0, 6, (3, ansatz.num_parameters))
    assert np.shape(estimator(thetas[0]).mean) == ()
    found = estimator(thetas)
    assert found.mean.shape == found.std_error.shape == (3,)
    assert estimator.value_and_grad(thetas).grad.shape == thetas.shape
    spsa = Measurement(Spsa(ansatz.active), shots=100)
    assert estimator.value_and_grad(thetas[0], measurement=spsa).grad.shape == thetas[0].shape
    assert found.samples is not None
    seen = {row.tobytes() for row in found.samples.bits.reshape(-1, 4)}
    assert len(seen) <= found.distinct <= 16
    assert found.best_cost == TableProblem(costs).cost(found.best_bits)


def test_calls_never_repeat_their_shots_but_the_sequence_does(rng: np.random.Generator) -> None:
    ansatz, problem = hypernetwork(4, 1), TableProblem(rng.random(16))
    theta = rng.uniform(0, 6, ansatz.num_parameters)
    first, second = (SamplingEstimator(ansatz, problem, shots=300, seed=9) for _ in range(2))
    values = [float(first(theta).mean) for _ in range(4)]
    assert len(set(values)) == 4
    assert [float(second(theta).mean) for _ in range(4)] == values


def test_a_black_box_of_the_users_own_is_enough() -> None:
    class Ones:
        num_qubits = 70

        def cost(self, bits: np.ndarray) -> np.ndarray:
            return bits.mean(axis=-1)

    theta = np.zeros(140)
    theta[:35] = np.pi
    estimator = SamplingEstimator(product_state(70), Ones(), open_backend("aer-mps"), shots=20, seed=1)
    assert float(estimator(theta).mean) == pytest.approx(0.5)
    assert estimator(theta).best_bits.sum() == 35


def test_another_cost_is_averaged_over_the_same_bits(rng: np.random.Generator) -> None:
    """As that of validation samples is."""
    ansatz, other = hypernetwork(4, 1), TableProblem(rng.random(16))
    estimator = SamplingEstimator(ansatz, TableProblem(rng.random(16)), open_backend("exact"), shots=300, seed=4)
    theta = rng.uniform(0, 6, ansatz.num_parameters)
    found = estimator.value_and_grad(theta).estimates
    assert found.samples is not None
    bits = estimator.solutions(theta, found)
    np.testing.assert_array_equal(bits, found.samples.bits[0])
    assert estimator.expectation(other, theta, found) == pytest.approx(other.cost(bits).mean(), rel=1e-12)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="3 qubits, the problem 2 bits"):
        SamplingEstimator(product_state(3), TableProblem([1.0] * 4))
    with pytest.raises(ValueError, match="shots must be at least 1, got 0"):
        SamplingEstimator(product_state(2), TableProblem([1.0] * 4), shots=0)
    with pytest.raises(ValueError, match=r"shape \[\.\.\., 4\], got \[3\]"):
        SamplingEstimator(product_state(2), TableProblem([1.0] * 4))(np.zeros(3))


def test_sampled_gradients_agree_with_exact_ones_at_the_size_of_the_paper(rng: np.random.Generator) -> None:
    problem, ansatz = load_problem("gaussian-activation"), hypernetwork(14, 2)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    exact = ExactEstimator(ansatz, problem).value_and_grad(theta)
    sampled = SamplingEstimator(ansatz, problem, open_backend("exact"), shots=2000, seed=2).value_and_grad(theta)
    pulls = (sampled.grad - exact.grad)[ansatz.active] / sampled.grad_std_error[ansatz.active]
    assert np.abs(pulls).max() < SIGMAS
    assert 0.8 < pulls.std() < 1.2
    assert abs(float(sampled.value - exact.value)) < SIGMAS * float(sampled.std_error)


def samples_of(bits: list[list[int]], unshifted: list[list[int]], counts: ReadoutCounts | None = None) -> Samples:
    """One row on the second of two tiles, and the unshifted rows on both."""
    rows = np.array(unshifted, dtype=np.uint8)[:, None]  # one shot each
    return Samples(np.array([bits], dtype=np.uint8), tiles=np.array([1]), unshifted=rows[None], readout_counts=counts)


def test_all_that_was_measured_is_known() -> None:
    """Bits at the unshifted angles on other tiles were paid for as well: the best of them is the best."""
    costs = np.array([3.0, 2.0, 5.0, 1.0])
    estimator = SamplingEstimator(product_state(2), TableProblem(costs), shots=1)
    found = estimator.take_in(samples_of([[0, 0]], [[1, 0], [1, 1]]))
    np.testing.assert_array_equal(found, [[3.0]])
    known = estimator.evaluations
    assert known.distinct == 3
    assert known.best_cost == 1.0
    assert known.best_bits.tolist() == [1, 1]


def test_readout_errors_are_pooled_of_the_same_qubits_only() -> None:
    """A recalibration may move a run to other qubits, whose errors say nothing of those before."""

    def counted(first: int, qubits: tuple[int, int]) -> ReadoutCounts:
        return ReadoutCounts(np.array([[[first, 2], [3, 4]]] * 2), 100, (qubits, (7, 8)))

    estimator = SamplingEstimator(product_state(2), TableProblem(np.arange(4.0)), shots=1)
    for first in (1, 5):
        estimator.take_in(samples_of([[0, 0]], [[1, 0], [1, 1]], counted(first, (0, 1))))
    assert estimator.readout_counts is not None
    assert estimator.readout_counts.shots == 200
    assert estimator.readout_counts.counts[0].tolist() == [[6, 4], [6, 8]]
    estimator.take_in(samples_of([[0, 0]], [[1, 0], [1, 1]], counted(9, (2, 3))))
    assert (estimator.readout_counts.shots, estimator.readout_counts.qubits) == (100, ((2, 3), (7, 8)))
    assert estimator.readout_counts.counts[0].tolist() == [[9, 2], [3, 4]]
    estimator.take_in(samples_of([[0, 0]], [[1, 0], [1, 1]]))  # a machine that counted none this time
    assert estimator.readout_counts.shots == 100


class Bitwise:
    """The exact machine, whose shots are given by their bits instead of their integers."""

    name, paid = "exact", False

    def compile(self, ansatz):  # type: ignore[no-untyped-def]
        sampler = open_backend("exact").compile(ansatz)
        integers = sampler.sample
        sampler.sample = lambda *given: Samples(integers(*given).bits)  # type: ignore[method-assign]
        return sampler


@pytest.mark.parametrize("objective", [Objective(), Objective(0.3)])
@pytest.mark.parametrize("shape", [(), (2,)])
def test_integers_and_bits_are_the_same_shots(
    objective: Objective, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    ansatz, problem = hypernetwork(5, 2), TableProblem(rng.random(32))
    theta = rng.uniform(0, 2 * np.pi, (*shape, ansatz.num_parameters))
    first, second = (
        SamplingEstimator(ansatz, problem, backend, shots=60, seed=1, objective=objective)
        for backend in (open_backend("exact"), Bitwise())
    )
    one, other = first.value_and_grad(theta), second.value_and_grad(theta)
    for name in ("value", "std_error", "grad", "grad_std_error"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_array_equal(first.solutions(theta, one.estimates), second.solutions(theta, other.estimates))
    stored, expected = (found.estimates.samples.arrays() for found in (one, other))
    np.testing.assert_array_equal(stored["bits"], expected["bits"])


def test_costs_outside_of_the_stated_range_are_refused() -> None:
    class Sum:
        num_qubits, cost_range = 5, (0.0, 3.0)

        def cost(self, bits: Bits) -> Floats:
            return bits.sum(axis=-1).astype(float)

    estimator = SamplingEstimator(product_state(5), Sum(), open_backend("exact"), shots=10)
    assert estimator(np.zeros(10)).mean == 0.0
    ones = np.pi * (np.arange(10) < 5)
    with pytest.raises(QhnError, match=r"states a cost_range from 0 to 3, and C of bitstring 11111 is 5; correct one"):
        estimator(ones)
