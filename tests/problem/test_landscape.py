from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from qhn import bitstrings
from qhn.config.file import load_problem
from qhn.problem.cost import TableProblem
from qhn.problem.landscape import Landscape, enumerate_costs


def test_optimum_degeneracy_and_levels() -> None:
    found = Landscape(np.array([3.0, 1.0, 2.0, 1.0 + 1e-15, 5.0, 2.0, 3.0, 3.0]))
    assert found.optimum == 1.0
    assert found.degeneracy == 2
    assert found.optimal_bits.tolist() == [[1, 0, 0], [1, 1, 0]]
    assert found.levels(3) == [(1.0, 2), (2.0, 2), (3.0, 3)]
    assert found.levels(9)[-1] == (5.0, 1)


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8])
def test_expected_best_of_random_against_all_subsets(count: int, rng: np.random.Generator) -> None:
    costs = rng.random(8)
    expected = np.mean([min(subset) for subset in combinations(costs, count)])
    assert Landscape(costs).expected_best_of_random(count) == pytest.approx(expected, rel=1e-12)


def test_expected_best_of_random_at_the_size_of_a_task(rng: np.random.Generator) -> None:
    costs = rng.random(2**14)
    drawn = [costs[rng.choice(2**14, 500, replace=False)].min() for _ in range(2000)]
    expected = Landscape(costs).expected_best_of_random(500)
    assert abs(np.mean(drawn) - expected) < 5 * np.std(drawn) / np.sqrt(2000)
    with pytest.raises(ValueError, match="between 1 and 16384, got 0"):
        Landscape(costs).expected_best_of_random(0)


def test_enumeration_is_refused_where_it_would_not_end() -> None:
    class Large:
        num_qubits = 25

        def cost(self, bits: np.ndarray) -> np.ndarray:
            raise AssertionError("must not be asked")

    with pytest.raises(ValueError, match="up to 24 qubits, the problem has 25"):
        enumerate_costs(Large())


def test_enumeration_crosses_blocks_in_order(rng: np.random.Generator) -> None:
    """Of a problem that is not a table itself, which is asked for every bitstring once."""
    costs = rng.random(2**15)
    asked: list[int] = []

    class BlackBox:
        num_qubits = 15

        def cost(self, bits: np.ndarray) -> np.ndarray:
            asked.append(len(bits))
            return TableProblem(costs).cost(bits)

    np.testing.assert_array_equal(enumerate_costs(BlackBox()), costs)
    assert len(asked) > 1
    assert sum(asked) == 2**15
    of_table = enumerate_costs(TableProblem(costs))
    np.testing.assert_array_equal(of_table, costs)
    assert of_table is not costs


def walsh_by_definition(costs: np.ndarray) -> np.ndarray:
    size = len(costs)
    num_qubits = size.bit_length() - 1
    weights = np.zeros(num_qubits + 1)
    for subset in range(size):
        signs = np.array([(-1) ** bin(subset & x).count("1") for x in range(size)])
        weights[bin(subset).count("1")] += float((signs @ costs / size) ** 2)
    return weights


def minima_by_definition(costs: np.ndarray) -> dict[frozenset[int], float]:
    """Plateaus without a lower neighbour, by flooding from every bitstring."""
    num_qubits = len(costs).bit_length() - 1
    found = {}
    for start in range(len(costs)):
        plateau, todo, lower = {start}, [start], False
        while todo:
            here = todo.pop()
            for qubit in range(num_qubits):
                other = here ^ (1 << qubit)
                lower |= bool(costs[other] < costs[start])
                if costs[other] == costs[start] and other not in plateau:
                    plateau.add(other)
                    todo.append(other)
        if not lower:
            found[frozenset(plateau)] = float(costs[start])
    return found


@pytest.mark.parametrize("levels", [3, 6, 1000])
def test_walsh_weights_and_minima_follow_their_definitions(levels: int, rng: np.random.Generator) -> None:
    for num_qubits in (1, 3, 6):
        costs = rng.integers(0, levels, 2**num_qubits).astype(float)
        landscape = Landscape(costs)
        weights = landscape.walsh_weights
        np.testing.assert_allclose(weights, walsh_by_definition(costs), atol=1e-9)
        assert weights[1:].sum() == pytest.approx(costs.var(), abs=1e-9)

        minima, expected = landscape.local_minima, minima_by_definition(costs)
        assert sorted(minima.costs.tolist()) == sorted(expected.values())
        assert (np.diff(minima.costs) >= 0).all()
        assert minima.basins.sum() == costs.size
        assert (minima.basins >= minima.members).all()
        for row in range(len(minima)):
            name = int(bitstrings.to_integers(minima.bits[row]))
            plateau = next(p for p in expected if name in p)
            assert len(plateau) == minima.members[row]


def test_basins_are_those_of_steepest_descent(rng: np.random.Generator) -> None:
    costs = rng.normal(size=2**7)
    minima = Landscape(costs).local_minima
    ends = []
    for here in range(128):
        while True:
            best = min((here ^ (1 << qubit) for qubit in range(7)), key=lambda x: costs[x])
            if costs[best] >= costs[here]:
                break
            here = best
        ends.append(here)
    names = bitstrings.to_integers(minima.bits).tolist()
    assert {name: ends.count(name) for name in names} == dict(zip(names, minima.basins.tolist(), strict=True))


def test_the_paper_s_problem_has_the_published_kind_of_landscape() -> None:
    landscape = Landscape(enumerate_costs(load_problem("gaussian-activation")))
    shares = landscape.walsh_weights[1:5] / landscape.walsh_weights[1:].sum()
    np.testing.assert_allclose(shares, [0.06, 0.54, 0.20, 0.14], atol=0.03)
    assert landscape.degeneracy == 6
    assert 50 < len(landscape.local_minima) < 80


def test_close_costs_are_one_level_however_they_chain(rng: np.random.Generator) -> None:
    for _ in range(40):
        costs = rng.random(2 ** int(rng.integers(1, 7)))
        minima = Landscape(costs, tolerance=0.3).local_minima
        assert minima.basins.sum() == costs.size
        assert len(minima) >= 1


def test_a_cost_that_is_not_a_number_is_named() -> None:
    class Broken:
        num_qubits = 3

        def cost(self, bits: np.ndarray) -> np.ndarray:
            return np.where(bits.sum(axis=-1) == 2, np.nan, 1.0)

    with pytest.raises(ValueError, match="costs must be finite, got nan for bitstring 110"):
        enumerate_costs(Broken())
