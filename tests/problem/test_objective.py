"""Objectives: the mean and CVaR, and any other function of the distribution of bitstrings through the same door."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

import reference
from qhn import bitstrings
from qhn.backend import open_backend
from qhn.circuit.hypernetwork import hypernetwork
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.noisy import NoisyEstimator
from qhn.estimator.sampling import SamplingEstimator
from qhn.problem.aggregation import Aggregation, Outcomes
from qhn.problem.cost import TableProblem
from qhn.problem.objective import OBJECTIVES, Objective

SIGMAS = 5


@dataclass(frozen=True)
class Gibbs:
    """−ln⟨e^(−ηC)⟩ (arXiv:1909.07621): no mean of any cost, so that value and slope are those of a linearisation."""

    eta: float = 2.0
    is_mean: ClassVar[bool] = False
    label: ClassVar[str] = "Gibbs objective"

    def linearise(self, outcomes: Outcomes, reference: Outcomes) -> np.ndarray:
        total = np.average(np.exp(-self.eta * reference.costs), axis=-1, weights=reference.probabilities)[..., None]
        return 1 - np.log(total) - np.exp(-self.eta * outcomes.costs) / total


@dataclass(frozen=True)
class Elbo:
    """⟨C + T·ln p⟩, the free energy: it needs the bitstrings, not their costs alone."""

    temperature: float = 0.3
    is_mean: ClassVar[bool] = False
    label: ClassVar[str] = "free energy"

    def linearise(self, outcomes: Outcomes, reference: Outcomes) -> np.ndarray:
        if reference.probabilities is not None:
            return outcomes.costs + self.temperature * np.log(np.maximum(reference.probabilities, 1e-300))
        size = 2 ** outcomes.bits().shape[-1]
        seen = bitstrings.to_integers(reference.bits()).reshape(-1)
        share = np.bincount(seen, minlength=size) / len(seen)
        return (
            outcomes.costs
            + self.temperature * np.log(np.maximum(share, 0.5 / len(seen)))[bitstrings.to_integers(outcomes.bits())]
        )


@dataclass(frozen=True)
class Mmd:
    """(p − q)ᵀK(p − q), the squared maximum mean discrepancy to a distribution q, with K = 2^(−Hamming distance)."""

    target: tuple[float, ...]
    is_mean: ClassVar[bool] = False
    label: ClassVar[str] = "MMD"

    def linearise(self, outcomes: Outcomes, reference: Outcomes) -> np.ndarray:
        assert reference.probabilities is not None
        order = bitstrings.to_integers(reference.bits())
        kernel = 0.5 ** np.bitwise_count(order[:, None] ^ order[None, :])
        gap = reference.probabilities - np.array(self.target)[order]
        slope = 2 * kernel @ gap
        return slope - reference.probabilities @ slope + gap @ kernel @ gap


def value(objective: Aggregation, costs: np.ndarray, p: np.ndarray) -> float:
    """The objective by its definition, from a distribution."""
    if isinstance(objective, Gibbs):
        return float(-np.log(p @ np.exp(-objective.eta * costs)))
    if isinstance(objective, Elbo):
        return float(p @ costs + objective.temperature * p[p > 0] @ np.log(p[p > 0]))
    if isinstance(objective, Mmd):
        integers = np.arange(len(p))
        gap = p - np.array(objective.target)
        return float(gap @ 0.5 ** np.bitwise_count(integers[:, None] ^ integers) @ gap)
    assert isinstance(objective, Objective)
    return reference.cvar(costs, p, objective.alpha)


TARGET = tuple(np.random.default_rng(5).dirichlet(np.ones(16)))
ALL = [Objective(), Objective(0.3), Gibbs(), Elbo(), Mmd(TARGET)]


@pytest.mark.parametrize("objective", ALL, ids=lambda one: one.label or "mean")
@pytest.mark.parametrize("noisy", [False, True])
def test_value_and_gradient_are_those_of_the_function_of_the_distribution(
    objective: Aggregation, noisy: bool, rng: np.random.Generator
) -> None:
    """Against its definition and finite differences, on the exact engine and under noise."""
    ansatz, costs = hypernetwork(4, 1), rng.normal(size=16)
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    problem = TableProblem(costs)
    estimator: ExactEstimator | NoisyEstimator = ExactEstimator(ansatz, problem, objective=objective)
    if noisy:
        sampler = open_backend("depolarising").compile(ansatz)
        estimator = NoisyEstimator(ansatz, problem, sampler, objective=objective)

    def definition(at: np.ndarray) -> float:
        return value(objective, costs, estimator.probabilities(at[None])[0])

    found = estimator.value_and_grad(theta)
    assert float(found.value) == pytest.approx(definition(theta), abs=1e-10)
    assert float(estimator(theta).objective) == pytest.approx(definition(theta), abs=1e-10)
    steps = 1e-5 * np.eye(len(theta))
    expected = [(definition(theta + step) - definition(theta - step)) / 2e-5 for step in steps]
    np.testing.assert_allclose(found.grad, expected, atol=1e-7)


@pytest.mark.parametrize("objective", [Gibbs(), Elbo()], ids=lambda one: one.label)
def test_sampled_values_and_gradients_agree_with_the_exact_ones(
    objective: Aggregation, rng: np.random.Generator
) -> None:
    ansatz, problem = hypernetwork(3, 1), TableProblem(rng.normal(size=8))
    theta = rng.uniform(0, 2 * np.pi, ansatz.num_parameters)
    exact = ExactEstimator(ansatz, problem, objective=objective).value_and_grad(theta)
    sampled = SamplingEstimator(ansatz, problem, open_backend("exact"), shots=40_000, seed=3, objective=objective)
    found = sampled.value_and_grad(theta)
    bias = 8 / 40_000  # of an entropy from shares of shots: fewer than the outcomes a shot
    assert abs(found.value - exact.value) < SIGMAS * found.std_error + bias
    active = ansatz.active
    assert (np.abs(found.grad - exact.grad)[active] < SIGMAS * found.grad_std_error[active] + bias).all()
    assert found.hessian_diag is None


@pytest.mark.parametrize(("alpha", "shots"), [(0.2, 10), (0.25, 10), (0.3, 7), (1.0, 9)])
def test_the_quantile_of_shots_is_the_cost_at_the_rank_rounded_up(alpha: float, shots: int) -> None:
    """By the definition: t is the ⌈α·n⌉-th lowest cost, and the mean of C̃ is the mean of the lowest α."""
    costs = np.random.default_rng(2).permutation(np.arange(float(shots)))
    ranked = np.sort(costs)
    whole = int(np.floor(alpha * shots))
    tail = ranked[:whole].sum() + (alpha * shots - whole) * ranked[min(whole, shots - 1)]
    assert Objective(alpha).transform(costs).mean() == pytest.approx(tail / (alpha * shots))
    outcomes = Outcomes(costs, lambda: np.zeros((shots, 1), np.uint8))
    np.testing.assert_array_equal(Objective(alpha).linearise(outcomes, outcomes), Objective(alpha).transform(costs))


@pytest.mark.parametrize("alpha", [0.1, 0.35, 0.9])
def test_places_of_ascending_costs_may_be_known_or_not(alpha: float, rng: np.random.Generator) -> None:
    costs, p = rng.normal(size=16), rng.dirichlet(np.ones(16))
    every = bitstrings.from_integers(np.arange(16), 4)
    known = Outcomes(costs, lambda: every, p, np.argsort(costs))
    unknown = Outcomes(costs, lambda: every, p)
    found = Objective(alpha).linearise(unknown, unknown)
    np.testing.assert_array_equal(found, Objective(alpha).linearise(known, known))
    assert p @ found == pytest.approx(reference.cvar(costs, p, alpha), rel=1e-12)


def test_a_kind_of_objective_is_built_from_its_settings() -> None:
    assert OBJECTIVES["mean"].make() == Objective()
    assert OBJECTIVES["cvar"].make(**OBJECTIVES["cvar"].settings) == Objective(0.2)
    assert (Objective().label, Objective(0.25).label) == ("", "CVaR of the lowest 25%")
    with pytest.raises(ValueError, match=r"alpha of CVaR must be a finite number in \(0, 1\], got 0"):
        Objective(0)
