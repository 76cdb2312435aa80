from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from qhn.landscape import Landscape, enumerate_costs
from qhn.problem import TableProblem


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
    costs = rng.random(2**15)
    np.testing.assert_array_equal(enumerate_costs(TableProblem(costs)), costs)
