"""Errors and intervals by repetition: how often what is stated holds the exact value."""

from __future__ import annotations

import numpy as np
import pytest

import reference
from qhn.arrays import Floats
from qhn.circuit.hypernetwork import hypernetwork
from qhn.estimator.exact import ExactEstimator
from qhn.optimize.optimizer import Adam
from qhn.problem.cost import TableProblem
from qhn.problem.objective import Objective
from qhn.statistics import (
    MIN_TAIL,
    histogram_edges,
    mean_and_error,
    mean_interval,
    restarts_interval,
    tail_error,
    wilson,
)

QUBITS, STARTS, REPETITIONS = 8, 10, 400
TABLES = {
    "normal": lambda rng: rng.normal(size=256),
    "heavy tail": lambda rng: np.exp(1.5 * rng.normal(size=256)),
    "atoms": lambda rng: np.bitwise_count(np.arange(256)).astype(float),
}


def trained(costs: Floats, steps: int) -> Floats:
    """The distributions at ten θ after so many exact steps, ``[10, 256]``."""
    ansatz = hypernetwork(QUBITS, 2)
    exact, optimizer = ExactEstimator(ansatz, TableProblem(costs)), Adam()
    theta = np.random.default_rng(1).uniform(0, 2 * np.pi, (STARTS, ansatz.num_parameters))
    state = optimizer.init(theta)
    for _ in range(steps):
        theta, state, _ = optimizer.step(exact.value_and_grad, theta, state)
    return exact.probabilities(theta)


def drawn(costs: Floats, probabilities: Floats, shots: int, rng: np.random.Generator) -> Floats:
    """The costs of shots, ``[REPETITIONS, shots]``."""
    return costs[rng.choice(len(costs), size=(REPETITIONS, shots), p=probabilities / probabilities.sum())]


@pytest.mark.parametrize(
    ("alpha", "shots"), [(0.2, 25), (0.05, 200), (0.1, 190), (0.2, 100), (0.02, 1000), (0.2, 1000)]
)
@pytest.mark.parametrize("table", TABLES)
def test_the_error_of_a_cvar_covers_as_often_as_it_says(table: str, alpha: float, shots: int) -> None:
    """One standard deviation, averaged over ten random θ; a tail of atoms is found exactly at times."""
    rng = np.random.default_rng(3)
    costs = TABLES[table](rng)
    covered = []
    for probabilities in trained(costs, 0):
        measured = drawn(costs, probabilities, shots, rng)
        value = Objective(alpha).transform(measured).mean(axis=-1)
        error = tail_error(measured, alpha, costs.min())
        off = np.abs(value - reference.cvar(costs, probabilities, alpha))
        covered.append((off <= error + 1e-12).mean())
    assert np.mean(covered) >= 0.62
    if alpha * shots >= 20 and table != "atoms":
        assert np.mean(covered) <= 0.75


def test_a_tail_of_a_few_shots_has_an_unknown_error(rng: np.random.Generator) -> None:
    costs = rng.normal(size=(3, 100))
    for size in range(1, MIN_TAIL):
        assert np.isnan(tail_error(costs, size / 100)).all()
    assert (tail_error(costs, MIN_TAIL / 100) > 0).all()
    assert tail_error(costs, 1.0) == pytest.approx(mean_and_error(costs)[1], rel=0.01)


def test_a_tail_of_equal_shots_is_known_only_with_the_lowest_cost() -> None:
    costs = np.repeat([1.0, 2.0], 50)
    assert np.isnan(tail_error(costs, 0.2))
    assert tail_error(costs, 0.2, 1.0) == 0.0  # nothing is lower, and the tail ends far within the atom
    assert 0 < tail_error(costs, 0.2, 0.5) < tail_error(costs, 0.2, 0.0)
    assert tail_error(costs, 0.48, 1.0) > 0  # the share of the atom is known to ± .05


@pytest.mark.parametrize("factor", [2.0**-20, 2.0**20])
def test_errors_and_intervals_are_in_the_unit_of_the_costs(factor: float, rng: np.random.Generator) -> None:
    costs = rng.normal(size=(4, 100))
    np.testing.assert_array_equal(tail_error(factor * costs, 0.2), factor * tail_error(costs, 0.2))
    mean, error = mean_and_error(costs)
    ends = mean_interval(mean, error, 100, costs.min(), costs.max())
    scaled = mean_interval(factor * mean, factor * error, 100, factor * costs.min(), factor * costs.max())
    np.testing.assert_array_equal(scaled, factor * np.array(ends))


@pytest.mark.parametrize("shots", [100, 1000])
@pytest.mark.parametrize("steps", [0, 30, 60, 300])
def test_the_interval_of_e_holds_it_at_trained_angles_too(steps: int, shots: int) -> None:
    rng = np.random.default_rng(4)
    for table in ("normal", "heavy tail"):
        costs = TABLES[table](rng)
        low, high = costs.min(), costs.max()
        held, plain = [], []
        for probabilities in trained(costs, steps):
            mean, error = mean_and_error(drawn(costs, probabilities, shots, rng))
            ends = mean_interval(mean, error, shots, low, high)
            exact = costs @ probabilities
            held.append(((ends[0] <= exact) & (exact <= ends[1])).mean())
            plain.append((np.abs(mean - exact) <= error).mean())
            assert ((ends[1] - ends[0]) / 2 <= 5 * (high - low) / shots + 2.5 * error).all()
        assert np.mean(held) >= 0.94
        assert steps < 300 or np.mean(plain) < 0.5  # which is why


def test_an_interval_is_asymmetric_and_within_the_range() -> None:
    low, high = mean_interval(np.array([0.1]), np.array([0.0]), 1000, 0.0, 2.0)
    np.testing.assert_allclose([low[0], high[0]], [0.1 - 0.0003, 0.1 + 0.0057])
    assert mean_interval(np.array([0.1]), np.array([np.inf]), 1, 0.0, 2.0) == (np.array([0.0]), np.array([2.0]))


def test_costs_that_differ_by_rounding_alone_are_one_atom(rng: np.random.Generator) -> None:
    """As those of networks that mean the same."""
    costs = np.full(1000, 0.3)
    apart = costs * (1 + 1e-15 * rng.integers(0, 3, 1000))
    assert tail_error(costs, 0.2, 0.1) == pytest.approx(tail_error(apart, 0.2, 0.1), rel=1e-6)
    assert np.isnan(tail_error(apart, 0.2))


@pytest.mark.parametrize("num_bins", [5, 40, 100])
def test_bins_hold_as_many_multiples_each(num_bins: int, rng: np.random.Generator) -> None:
    values = -21.0 + 0.7 * rng.integers(22, size=500)
    edges = histogram_edges(values, num_bins)
    assert len(edges) <= num_bins + 1
    counts, _ = np.histogram(values, edges)
    assert counts.sum() == len(values)
    places = np.histogram(np.unique(values), edges)[0]
    assert (places[:-1] == places[0]).all()
    if num_bins >= 22:
        assert places.max() == 1
        middles = (edges[:-1] + edges[1:]) / 2
        np.testing.assert_allclose(np.unique(values), middles[places > 0])


@pytest.mark.parametrize("values", [[2.0, 2.0], [0.0], [1e300, -1e300, 0.1], [0.1, 0.1 + 1e-13, 5.0]])
def test_bins_hold_all_values(values: list[float]) -> None:
    edges = histogram_edges(np.array(values), 40)
    assert np.histogram(values, edges)[0].sum() == len(values)
    assert 2 <= len(edges) <= 41


def test_bins_of_other_values_are_of_equal_width(rng: np.random.Generator) -> None:
    values = rng.normal(size=1000)
    np.testing.assert_allclose(np.diff(histogram_edges(values, 40)), (values.max() - values.min()) / 40)


@pytest.mark.parametrize("expected", [2, 20, 180])
@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0])
def test_the_interval_of_restarts_holds_the_true_cost(rng: np.random.Generator, expected: int, ratio: float) -> None:
    """Starts that succeed may cost more or less than others; two successes are few."""
    starts, repeats = 200, 500
    chance = expected / starts
    true = (chance * ratio + 1 - chance) / chance
    held = 0
    for _ in range(repeats):
        succeeded = rng.random(starts) < chance
        costs = np.where(succeeded, ratio, 1.0) * rng.gamma(11.0, 1 / 11, starts)
        low, high = restarts_interval(costs, succeeded)
        held += low <= true <= high
    assert wilson(held, repeats, z=3.5)[1] > 0.95
    assert held / repeats < 0.99


def test_the_interval_of_restarts_at_its_ends() -> None:
    low, high = restarts_interval([10.0] * 50, [False] * 50)
    assert high == np.inf
    assert low == pytest.approx(10 / wilson(0, 50)[1])  # equal costs: only the rate is uncertain
    low, high = restarts_interval([10.0] * 50, [True] + [False] * 49)
    assert (low, high) == pytest.approx(tuple(10 / end for end in wilson(1, 50)[::-1]))
    assert restarts_interval([3.0], [True]) == (0.0, np.inf)
    for costs, succeeded in (([], []), ([1.0], [True, False]), ([-1.0], [True])):
        with pytest.raises(ValueError, match="restarts have one cost of at least 0 each, got"):
            restarts_interval(costs, succeeded)
