"""Classical searches: what they find, how they are counted, and the gradients they follow."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from scipy.stats import norm

from qhn import bitstrings
from qhn.baseline.classical import BY_NAME, METHODS, methods_for, polish, product_gradient, search, success_rate
from qhn.baseline.straight_through import Family, in_field_order, loss_gradient
from qhn.baseline.tally import Trace
from qhn.circuit.hypernetwork import product_state
from qhn.config.file import load_problem
from qhn.estimator.exact import ExactEstimator
from qhn.problem.built_in_data import gaussian_mixture
from qhn.problem.cost import BinnProblem, Problem, TableProblem
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import Landscape, enumerate_costs
from qhn.problem.network import Network
from qhn.problem.samples import Samples
from qhn.problem.search_space import SearchSpace
from qhn.statistics import wilson


class Counting:
    """A problem that remembers, in order, what it was asked."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.asked = problem, []

    @property
    def num_qubits(self) -> int:
        return self.problem.num_qubits

    def cost(self, bits: np.ndarray) -> np.ndarray:
        self.asked += [tuple(row) for row in np.reshape(bits, (-1, self.num_qubits)).tolist()]
        return self.problem.cost(bits)


def small_networks(**options) -> BinnProblem:
    """Networks of 11 or more bits on 40 samples."""
    return BinnProblem(SearchSpace(2, hidden=(2,), **options), gaussian_mixture(40))


@pytest.mark.parametrize("num_qubits", [1, 4, 9])
@pytest.mark.parametrize("method", METHODS[:-1])
def test_every_search_finds_the_optimum_with_the_whole_space(method: str, num_qubits: int) -> None:
    costs = np.random.default_rng(num_qubits).normal(size=2**num_qubits)
    trace = search(TableProblem(costs), method, max_distinct=10**6)
    assert trace.best_cost == costs.min()
    assert bitstrings.to_integers(trace.bits) == costs.argmin()
    assert trace.distinct == 2**num_qubits


@pytest.mark.parametrize("method", METHODS[:-1])
def test_a_flat_landscape_comes_to_an_end(method: str) -> None:
    needle = np.zeros(2**8)
    needle[77] = -1.0
    assert search(TableProblem(needle), method, 2**8).best_cost == -1.0
    assert search(TableProblem(np.zeros(2**8)), method, 2**8).distinct == 2**8


@pytest.mark.parametrize("options", [{"activations": ("sigmoid", "relu")}, {"qubit_order": "reversed"}])
def test_straight_through_sees_the_whole_space(options: dict) -> None:
    problem = small_networks(**options)
    trace = search(problem, "straight-through", 2**problem.num_qubits)
    assert trace.distinct == 2**problem.num_qubits
    assert trace.best_cost == pytest.approx(enumerate_costs(problem).min(), abs=1e-14)


@pytest.mark.parametrize("limit", [1, 7, 150, 400])
@pytest.mark.parametrize("method", METHODS)
def test_counts_are_those_of_an_independent_counter(method: str, limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, asked = small_networks(), []
    original = BinnProblem.cost
    monkeypatch.setattr(
        BinnProblem, "cost", lambda self, bits: (asked.extend(map(tuple, bits.tolist())), original(self, bits))[1]
    )
    trace = search(problem, method, limit, seed=3)
    assert trace.distinct == len(asked) == len(set(asked)) == limit
    assert trace.evaluations >= limit
    costs = original(problem, np.array(asked, dtype=np.uint8))
    lowest = np.minimum.accumulate(costs)
    np.testing.assert_allclose(trace.best_at(np.arange(1, limit + 1)), lowest, rtol=0, atol=1e-15)
    assert (np.diff(trace.costs) < 0).all()
    assert trace.counts[0] == 1
    assert trace.best_at(0) == np.inf
    assert original(problem, trace.bits) == trace.best_cost == trace.costs[-1]


@pytest.mark.parametrize("method", METHODS)
def test_a_seed_gives_the_same_search_and_another_seed_another(method: str) -> None:
    problem = small_networks()
    first, again, other = (search(problem, method, 100, seed) for seed in (5, 5, 6))
    assert (first.counts.tolist(), first.costs.tolist()) == (again.counts.tolist(), again.costs.tolist())
    assert first.costs.tolist() != other.costs.tolist()


def test_random_search_is_a_draw_without_replacement() -> None:
    problem = TableProblem(np.random.default_rng(1).random(2**8))
    best = np.array([search(problem, "random", 40, seed).best_at([1, 10, 40]) for seed in range(2000)])
    expected = [Landscape(problem.costs).expected_best_of_random(count) for count in (1, 10, 40)]
    assert (np.abs(best.mean(axis=0) - expected) < 5 * best.std(axis=0) / np.sqrt(2000)).all()


@pytest.mark.parametrize("method", METHODS[:-1])
def test_more_qubits_than_can_be_listed(method: str) -> None:
    class Ones:
        num_qubits = 65

        def cost(self, bits: np.ndarray) -> np.ndarray:
            return bits.sum(axis=-1).astype(float)

    problem = Counting(Ones())
    trace = search(problem, method, 3000)
    assert trace.distinct == len(problem.asked) == len(set(problem.asked)) == 3000
    assert trace.best_cost == trace.bits.sum()
    assert trace.best_cost < (22 if method == "random" else 12 if method == "product" else 1)


def test_searches_beat_random_search_on_the_paper_s_problem() -> None:
    landscape = Landscape(enumerate_costs(load_problem("gaussian-activation")))
    table = TableProblem(landscape.costs)
    rates = {}
    for method in METHODS[:-1]:
        traces = [search(table, method, 1000, seed) for seed in range(20)]
        rates[method] = success_rate(traces, landscape.optimum + landscape.width, 1000, z=3.0)
    low = {method: rate[1] for method, rate in rates.items()}
    assert min(low[method] for method in ("descent", "annealing")) > rates["random"][2]
    assert pytest.approx(rates["random"][0], abs=5 * np.sqrt(0.31 * 0.69 / 20)) == 1 - (1 - 6 / 2**14) ** 1000


@pytest.mark.parametrize("method", BY_NAME)
def test_models_that_are_named_find_the_optimum_and_repeat_with_their_seed(method: str) -> None:
    table = TableProblem(np.random.default_rng(6).normal(size=2**6))
    trace = search(table, method, max_distinct=2**6, seed=3)
    assert trace.best_cost == table.costs.min()
    assert trace.distinct == 2**6
    again = search(table, method, max_distinct=20, seed=3)
    assert again.costs.tolist() == trace.costs[: len(again.costs)].tolist()
    assert method not in methods_for(table)


def test_polish_ends_in_a_one_flip_minimum(rng: np.random.Generator) -> None:
    costs = rng.normal(size=2**9)
    known = Evaluations(TableProblem(costs))
    for start in rng.integers(0, 2**9, 30):
        before = known.distinct
        found = polish(known, bitstrings.from_integers(start, 9))
        end = int(bitstrings.to_integers(found.bits))
        assert found.cost == costs[end] <= costs[start]
        assert all(costs[end ^ (1 << qubit)] > costs[end] for qubit in range(9))
        assert found.distinct == known.distinct - before
        fresh = Counting(TableProblem(costs))
        assert polish(fresh, bitstrings.from_integers(start, 9)).distinct == len(set(fresh.asked))
    landscape = Landscape(costs)
    ends = [polish(known, bitstrings.from_integers(start, 9)).cost for start in range(2**9)]
    values, counts = np.unique(ends, return_counts=True)
    assert values.tolist() == landscape.local_minima.costs.tolist()
    assert counts.tolist() == landscape.local_minima.basins.tolist()


def test_the_product_s_gradient_is_the_product_ansatz_s(rng: np.random.Generator) -> None:
    num_qubits, repeats = 5, 4000
    problem = TableProblem(rng.normal(size=2**num_qubits))
    theta = rng.uniform(0, 2 * np.pi, num_qubits)
    theta[0], theta[1] = 0.0, np.pi  # a bit that is never 1, and one that is never 0
    probabilities = np.sin(theta / 2) ** 2
    bits = (rng.random((repeats, 16, num_qubits)) < probabilities).astype(np.uint8)
    grads = product_gradient(np.tile(theta, (repeats, 1)), bits, problem.cost(bits))
    exact = ExactEstimator(product_state(num_qubits), problem).value_and_grad(np.append(theta, np.zeros(num_qubits)))
    error = grads.std(axis=0) / np.sqrt(repeats)
    assert (np.abs(grads.mean(axis=0) - exact.grad[:num_qubits]) <= 5 * error + 1e-12).all()
    assert error[2:].max() < 0.05


def loss_of(weights: list, biases: list, activation: str, loss: str, x: np.ndarray, y: np.ndarray) -> float:
    """Mean loss of one network with real weights, sample by sample."""
    outputs = weights[-1].shape[1]
    if outputs == 1:
        p = Network(tuple(weights), tuple(biases), activation, (-1.0, 1.0)).output(x)
        return float(np.mean((p - y) ** 2 if loss == "mse" else -np.log(np.where(y > 0.5, p, 1 - p))))
    total = 0.0
    for sample, label in zip(x, y.astype(int), strict=True):
        h = sample
        for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
            h = np.tanh(h @ weight + bias)
        p = np.exp(h @ weights[-1] + biases[-1])
        p /= p.sum()
        total += -np.log(p[label]) if loss == "cross-entropy" else ((p - np.eye(outputs)[label]) ** 2).sum()
    return total / len(y)


TASKS = [([3, 1], "sigmoid"), ([2, 3, 1], "relu"), ([2, 4, 3, 1], "sigmoid"), ([3, 2, 4], "tanh")]
TASKS = [(*task, loss) for task in TASKS for loss in ("mse", "cross-entropy")]


@pytest.mark.parametrize(("sizes", "activation", "loss"), [*TASKS, ([3, 1], "tanh", "mse")])
def test_the_gradient_of_the_relaxed_network(
    sizes: list[int], activation: str, loss: str, rng: np.random.Generator
) -> None:
    weights = [rng.normal(size=(2, *shape)) for shape in pairwise(sizes)]
    biases = [rng.normal(size=(2, size)) for size in sizes[1:]]
    x, y = rng.normal(size=(9, sizes[0])), rng.integers(0, max(sizes[-1], 2), 9).astype(float)
    slopes = loss_gradient(weights, biases, activation, loss, Samples.of(x, y))
    for arrays, found in zip((weights, biases), slopes, strict=True):
        for layer, array in enumerate(arrays):
            for index in np.ndindex(array.shape):
                ends = []
                for step in (1e-5, -1e-5):
                    array[index] += step
                    chosen = [[a[index[0]] for a in part] for part in (weights, biases)]
                    ends.append(loss_of(*chosen, activation, loss, x, y))
                    array[index] -= step
                assert found[layer][index] == pytest.approx((ends[0] - ends[1]) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("order", ["forward", "reversed"])
def test_a_family_s_gradient_by_finite_differences_of_its_latent_numbers(order: str, rng: np.random.Generator) -> None:
    space = SearchSpace(
        2,
        hidden=((2, 3),),
        alphabets=((-1.0, 1.0), (0.0, 2.0)),
        bias=(False, True),
        activations=("sigmoid", "tanh"),
        qubit_order=order,
    )
    problem = BinnProblem(space, gaussian_mixture(30), "cross-entropy")
    task = ("cross-entropy", problem.dataset.x, problem.dataset.y)
    place = {f.name: f.slice for f in space.fields}
    for bits in rng.integers(0, 2, (12, space.num_qubits), dtype=np.uint8):
        network = space.decode(in_field_order(space, bits))
        grad = Family.of(space, bits).gradient(problem, bits[None])[0]
        half = 0.5 * (network.alphabet[1] - network.alphabet[0])
        expected = np.zeros(space.num_qubits)
        has_bias, width = bits[place["choice of bias"]][0], network.weights[0].shape[1]
        for part, kind in ((network.weights, "weights"), (network.biases, "bias")):
            for layer, array in enumerate(part):
                for index in np.ndindex(array.shape):
                    if kind == "bias" and not has_bias:
                        continue
                    ends = []
                    for step in (1e-5, -1e-5):
                        array[index] += step
                        ends.append(loss_of(network.weights, network.biases, network.activation, *task))
                        array[index] -= step
                    bit = index[0] * 3 + index[1] if kind == "weights" and layer == 0 else index[0]
                    expected[place[f"{kind} {layer + 1}"].start + bit] = half * (ends[0] - ends[1]) / 2e-5
        assert width == 2 + bits[place["choice of width"]][0]
        np.testing.assert_allclose(grad, expected, atol=1e-8)


def test_wilson_intervals_against_their_formula() -> None:
    for successes, trials, z in ((0, 20, 1.96), (7, 20, 1.0), (20, 20, 3.0)):
        share = successes / trials
        middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
        half = z / (1 + z**2 / trials) * np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
        assert wilson(successes, trials, z) == pytest.approx((middle - half, middle + half), abs=1e-9)
    assert norm.cdf(1.96) - norm.cdf(-1.96) == pytest.approx(0.95, abs=1e-4)
    with pytest.raises(ValueError, match="got 3 of 2"):
        wilson(3, 2)
    with pytest.raises(ValueError, match="z must be above 0"):
        wilson(1, 2, 0.0)


def test_success_rates_of_known_traces() -> None:
    bits = np.zeros(2, dtype=np.uint8)
    traces = [Trace("random", np.array([1, fall]), np.array([2.0, 1.0]), bits, 20, 30) for fall in (3, 5, 9, 20)]
    rate, low, high = success_rate(traces, 1.0, [0, 1, 4, 9, 100])
    assert rate.tolist() == [0.0, 0.0, 0.25, 0.75, 1.0]
    assert (low[2], high[2]) == wilson(1, 4)
    assert [trace.count_to(1.5) for trace in traces] == [3, 5, 9, 20]
    assert traces[0].count_to(0.5) == np.inf
    assert success_rate(traces, 1.0, 4)[0] == 0.25


def test_what_cannot_be_searched_is_said() -> None:
    table = TableProblem([0.0, 1.0])
    with pytest.raises(ValueError, match="method must be one of random, descent"):
        search(table, "genetic", 10)
    with pytest.raises(ValueError, match="max_distinct must be at least 1, got 0"):
        search(table, "random", 0)
    with pytest.raises(ValueError, match="straight-through trains the weights of networks, and this is a TableProblem"):
        search(table, "straight-through", 10)


@pytest.mark.parametrize("method", METHODS[:-1])
def test_a_target_ends_a_search_and_changes_nothing_before(method: str, rng: np.random.Generator) -> None:
    problem = TableProblem(rng.normal(size=2**10))
    whole = search(problem, method, 600, seed=3)
    target = float(whole.costs[len(whole.costs) // 2])
    ended = search(problem, method, 600, seed=3, target=target)
    counts = np.arange(1, int(whole.count_to(target)) + 1)
    np.testing.assert_array_equal(ended.best_at(counts), whole.best_at(counts))
    assert ended.best_cost <= target
    assert ended.distinct < 600 or method == "random"  # which draws many at a time
