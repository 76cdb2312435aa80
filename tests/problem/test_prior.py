"""The ELBO and its surrogate by their definitions: SciPy's entropy, and a matrix of kernels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import entropy

from qhn import bitstrings
from qhn.backend import open_backend
from qhn.circuit.ansatz import Ansatz
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.config.file import load_config
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.noisy import NoisyEstimator
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.aggregation import Aggregation, Outcomes, measured_value
from qhn.problem.cost import TableProblem
from qhn.problem.objective import as_objective
from qhn.problem.prior import Elbo, Mmd
from qhn.problem.quadratic import QuadraticProblem

SIGMAS = 5
OBJECTIVES = [Elbo(samples=3), Mmd(weight=1.7, width=0.3), Mmd(weight=0.4, width=2.0)]
CIRCUITS = [
    product_state(3),
    hypernetwork(2, 1),
    hypernetwork(4, 1),
    hypernetwork(4, 1, "authors"),
    hypernetwork(5, 2),
    hypernetwork(6, 2, "authors"),
]


def distances(num_qubits: int) -> np.ndarray:
    every = bitstrings.from_integers(np.arange(2**num_qubits), num_qubits)
    return np.rint(cdist(every, every, "hamming") * num_qubits)


def value(objective: Aggregation, costs: np.ndarray, p: np.ndarray) -> float:
    """The objective by its definition, from a distribution."""
    num_qubits = len(p).bit_length() - 1
    if isinstance(objective, Elbo):
        assert objective.samples is not None
        return float(p @ costs + entropy(p, np.full(len(p), 1 / len(p))) / objective.samples)
    assert isinstance(objective, Mmd)
    assert objective.weight is not None
    kernel = np.exp(-distances(num_qubits) / (objective.width * num_qubits))
    gap = p - 1 / len(p)
    return float(p @ costs + objective.weight * gap @ kernel @ gap)


def estimator_of(
    ansatz: Ansatz, costs: np.ndarray, objective: Aggregation, *, noisy: bool
) -> ExactEstimator | NoisyEstimator:
    problem = TableProblem(costs)
    if not noisy:
        return ExactEstimator(ansatz, problem, objective=objective)
    return NoisyEstimator(ansatz, problem, open_backend("depolarising").compile(ansatz), objective=objective)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=str)
@pytest.mark.parametrize("noisy", [False, True], ids=["exact", "noisy"])
@pytest.mark.parametrize("ansatz", CIRCUITS, ids=lambda one: f"{one.num_qubits}-{one.num_parameters}")
def test_value_and_gradient_are_those_of_the_definition(
    ansatz: Ansatz, noisy: bool, objective: Aggregation, rng: np.random.Generator
) -> None:
    """Central differences of the definition, of fourth order: relative to the largest component to 1e-6."""
    costs = rng.normal(size=2**ansatz.num_qubits)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    estimator = estimator_of(ansatz, costs, objective, noisy=noisy)

    def definition(at: np.ndarray) -> np.ndarray:
        return np.array([value(objective, costs, p) for p in estimator.probabilities(at)])

    found, h = estimator.value_and_grad(theta), 1e-3
    assert float(found.value) == pytest.approx(definition(theta[None])[0], rel=1e-12, abs=1e-12)
    assert float(estimator(theta).objective) == pytest.approx(float(found.value), rel=1e-12, abs=1e-12)
    assert float(found.estimates.mean[0]) == pytest.approx(estimator.probabilities(theta[None])[0] @ costs)
    steps = h * np.eye(len(theta))
    near, far = (definition(theta + k * steps) - definition(theta - k * steps) for k in (1, 2))
    expected = (8 * near - far) / (12 * h)
    np.testing.assert_allclose(found.grad, expected, rtol=0, atol=1e-6 * np.abs(expected).max())
    assert found.hessian_diag is None


@pytest.mark.parametrize("objective", [Elbo(samples=2), Mmd(weight=1.0)], ids=["elbo", "mmd"])
@pytest.mark.parametrize("noisy", [False, True], ids=["exact", "noisy"])
def test_bitstrings_of_no_probability_give_no_infinities(objective: Aggregation, noisy: bool) -> None:
    """At θ = 0 all weight is on one bitstring; p ln p and its slope are 0 at p = 0, where q is even in θ."""
    ansatz, costs = hypernetwork(4, 1), np.arange(16.0)
    estimator = estimator_of(ansatz, costs, objective, noisy=noisy)
    theta = np.zeros(ansatz.num_parameters)
    found = estimator.value_and_grad(theta)
    p = estimator.probabilities(theta[None])[0]
    assert float(found.value) == pytest.approx(value(objective, costs, p), rel=1e-12)
    np.testing.assert_allclose(found.grad, 0, atol=1e-9)
    assert np.isfinite(estimator.value_and_grad(theta + 1e-9).grad).all()


def test_divergence_of_the_elbo_is_that_of_scipy(rng: np.random.Generator) -> None:
    p, costs = rng.dirichlet(np.full(64, 0.1)), rng.normal(size=64)
    p[:7] = 0
    p /= p.sum()
    outcomes = Outcomes(costs, lambda: bitstrings.from_integers(np.arange(64), 6), p)
    kl = (p @ Elbo(samples=5).linearise(outcomes, outcomes) - p @ costs) * 5
    assert kl == pytest.approx(entropy(p, np.full(64, 1 / 64)), rel=1e-12)
    assert kl == pytest.approx(6 * math.log(2) - entropy(p), rel=1e-12)


def shots_of(bits: np.ndarray, costs: np.ndarray) -> Outcomes:
    return Outcomes(costs, lambda: bits)


@pytest.mark.parametrize("num_qubits", [4, 80])
def test_value_of_shots_is_the_mean_over_pairs_and_its_error_the_jackknife(
    num_qubits: int, rng: np.random.Generator
) -> None:
    """Each shot is left out in turn, and everything computed anew."""
    objective = Mmd(weight=0.8, width=0.4)
    bits, costs = rng.integers(0, 2, (25, num_qubits), dtype=np.uint8), rng.normal(size=25)
    bits[:, : num_qubits // 2] = 0
    kernel = np.exp(-cdist(bits, bits, "hamming") / 0.4)
    constant = ((1 + np.exp(-1 / (0.4 * num_qubits))) / 2) ** num_qubits

    def by_pairs(kept: np.ndarray) -> float:
        part = kernel[np.ix_(kept, kept)]
        n = len(kept)
        return float(costs[kept].mean() + 0.8 * ((part.sum() - n) / (n * (n - 1)) - constant))

    every = np.arange(25)
    left_out = np.array([by_pairs(np.delete(every, k)) for k in every])
    found, error = measured_value(objective, shots_of(bits, costs))
    assert float(found) == pytest.approx(by_pairs(every), rel=1e-12)
    assert float(error) == pytest.approx(math.sqrt(24 / 25 * np.square(left_out - left_out.mean()).sum()), rel=1e-10)


def test_rows_of_a_gradient_share_the_reference(rng: np.random.Generator) -> None:
    """C̃ and the noise of the reference from a matrix of kernels; one reference serves all rows, or each has its own."""
    objective, n, m = Mmd(weight=0.6, width=0.5), 30, 40
    bits, at = (rng.integers(0, 2, (*shape, 6), dtype=np.uint8) for shape in ((3, n), (3, m)))
    costs = rng.normal(size=(3, n))
    for reference in (at, at[:1]):
        outcomes = shots_of(bits, costs)
        values, noise = objective.linearise_with_noise(outcomes, shots_of(reference, np.zeros(reference.shape[:2])))
        for row in range(3):
            mine = reference[row % len(reference)]
            kernel = np.exp(-cdist(bits[row], mine, "hamming") / 0.5)
            slopes = values[row] - costs[row] - 2 * 0.6 * kernel.mean(axis=1)
            np.testing.assert_allclose(slopes, slopes[0], atol=1e-12)  # a constant, which slopes do not see
            each = 2 * 0.6 * kernel.mean(axis=0)
            assert np.linalg.norm(noise[row]) == pytest.approx(each.std(ddof=1) / math.sqrt(m), rel=1e-10)


def test_numbers_of_samples_come_from_the_problem_or_are_asked_for() -> None:
    networks = load_config("gaussian-activation", {"data.samples": 12}).problem()
    assert as_objective("elbo", networks) == Elbo(samples=12)
    found = as_objective("mmd", networks)
    assert isinstance(found, Mmd)
    assert found.factor > 0
    half = as_objective("mmd", load_config("gaussian-activation", {"data.samples": 24}).problem())
    assert isinstance(half, Mmd)
    assert half.factor == pytest.approx(found.factor / 2)
    assert as_objective(Elbo(samples=0.5), networks) == Elbo(samples=0.5)
    table = TableProblem([0.0, 1.0])
    for name, setting in (("elbo", "samples"), ("mmd", "weight")):
        with pytest.raises(QhnError, match=rf"set train.objective.{setting}, as in .*{{name = '{name}'"):
            ExactEstimator(product_state(1), table, objective=name)
    assert ExactEstimator(product_state(1), table, objective=Elbo(samples=10)).objective == Elbo(10)

    class Counted(TableProblem):
        num_samples = 0

    with pytest.raises(QhnError, match="num_samples of the problem must be at least 1, got 0"):
        as_objective("elbo", Counted([0.0, 1.0]))
    with pytest.raises(QhnError, match=r"train.objective.samples follows from the problem"):
        Elbo().factor  # noqa: B018


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: Elbo(samples=0), "samples must be a finite number above 0, got 0"),
        (lambda: Elbo(samples=math.nan), "samples must be a finite number"),
        (lambda: Mmd(weight=-1), "weight must be a finite number of at least 0, got -1"),
        (lambda: Mmd(width=0), "width must be a finite number above 0, got 0"),
        (lambda: Mmd(width=True), "width must be a number"),
    ],
)
def test_impossible_settings_are_refused(make: object, complaint: str) -> None:
    assert callable(make)
    with pytest.raises(QhnError, match=complaint):
        make()


def test_what_shots_do_not_tell_is_refused() -> None:
    ansatz, problem = product_state(2), TableProblem(np.arange(4.0))
    with pytest.raises(QhnError, match=r"'elbo' needs the probability of every bitstring.*take objective 'mmd', or"):
        SamplingEstimator(ansatz, problem, objective=Elbo(samples=1))
    with pytest.raises(QhnError, match="'mmd' compares shots in pairs and takes at least 3, got 2"):
        SamplingEstimator(ansatz, problem, shots=2, objective=Mmd(weight=1.0))
    shots = shots_of(np.zeros((2, 2), dtype=np.uint8), np.zeros(2))
    for objective in (Elbo(samples=1), Mmd(weight=1.0)):
        with pytest.raises(QhnError, match=r"'elbo' needs|'mmd' compares"):
            objective.linearise(shots, shots)
    field = QuadraticProblem.from_ising(np.ones(40), {})
    for named in (Elbo(samples=1), Mmd(weight=1.0)):
        with pytest.raises(QhnError, match="of 40 qubits needs the costs of all bitstrings; take shots, from"):
            PolynomialEstimator(product_state(40), field, objective=named)
    with pytest.raises(QhnError, match=r"means of C, and the objective, E \+ λ·MMD², is none"):
        SamplingEstimator(ansatz, problem, objective=Mmd(weight=1.0), mitigation="readout")
