"""The memory of costs: each bitstring evaluated once, told apart, and kept in order."""

from __future__ import annotations

import numpy as np
import pytest

from qhn import bitstrings
from qhn.arrays import Bits
from qhn.bitstrings import Numbered
from qhn.problem import evaluations as evaluations_module
from qhn.problem.cost import TableProblem
from qhn.problem.evaluations import Evaluations


class CountingProblem:
    """A black box of 70 bits that remembers what it was asked for."""

    num_qubits = 70

    def __init__(self) -> None:
        self.asked = 0

    def cost(self, bits: Bits) -> np.ndarray:
        self.asked += len(bits)
        return bits.sum(axis=-1).astype(float)


def test_each_bitstring_is_evaluated_once_and_counted_once(rng: np.random.Generator) -> None:
    problem = CountingProblem()
    memory = Evaluations(problem)
    pool = rng.integers(0, 2, (40, 70), dtype=np.uint8)
    seen = set()
    for _ in range(5):
        bits = pool[rng.integers(0, 40, (3, 20))]
        np.testing.assert_array_equal(memory.cost(bits), bits.sum(axis=-1))
        seen |= {row.tobytes() for row in bits.reshape(-1, 70)}
        assert memory.distinct == problem.asked == len(seen)
    assert memory.best_cost == min(np.frombuffer(s, np.uint8).sum() for s in seen)
    assert memory.best_bits.sum() == memory.best_cost
    packed, costs = memory.take_fresh()
    assert len(costs) == memory.distinct
    assert len(memory.take_fresh()[1]) == 0
    again = Evaluations(problem)
    again.add(packed, costs)
    again.cost(pool[[0]])
    assert problem.asked == memory.distinct + (pool[0].tobytes() not in seen)
    np.testing.assert_array_equal(again.best_bits, memory.best_bits)


@pytest.mark.parametrize("num_qubits", [5, 30])
def test_bitstrings_may_be_given_by_their_integers(num_qubits: int, rng: np.random.Generator) -> None:
    class Sum:
        def __init__(self) -> None:
            self.num_qubits = num_qubits

        def cost(self, bits: Bits) -> np.ndarray:
            return bits @ np.arange(1.0, num_qubits + 1)

    by_bits, by_integers = Evaluations(Sum()), Evaluations(Sum())
    numbered = Numbered(rng.integers(0, 2**num_qubits, (3, 40)), num_qubits)
    np.testing.assert_array_equal(by_integers.cost(numbered), by_bits.cost(numbered.bits))
    np.testing.assert_array_equal(by_integers.cost(numbered[1]), by_bits.cost(numbered.bits[1]))
    for found, expected in zip(by_integers.take_fresh(), by_bits.take_fresh(), strict=True):
        np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match=f"bitstrings must have {num_qubits} qubits, got 4"):
        by_integers.cost(Numbered(np.array([3]), 4))


@pytest.mark.parametrize("num_qubits", [24, 63, 64, 65, 142])
def test_bitstrings_of_any_length_are_told_apart(num_qubits: int, rng: np.random.Generator) -> None:
    """Those that differ in one of the first or last bits, where bytes of zeros begin or end their names."""

    class Weighted:
        def __init__(self) -> None:
            self.num_qubits = num_qubits

        def cost(self, bits: Bits) -> np.ndarray:
            return bits @ np.arange(1.0, num_qubits + 1)

    memory = Evaluations(Weighted())
    ends = np.r_[0:9, num_qubits - 9 : num_qubits]
    bits = np.zeros((3000, num_qubits), dtype=np.uint8)
    bits[:, ends] = rng.integers(0, 2, (3000, 18)) & rng.integers(0, 2, (3000, 18))
    for part in (bits[:2000], bits[1000:], bits[::-1]):
        np.testing.assert_array_equal(memory.cost(part), part @ np.arange(1.0, num_qubits + 1))
    assert memory.distinct == len({row.tobytes() for row in bits})
    assert memory.best_cost == 0


@pytest.mark.parametrize("num_qubits", [6, 70])
def test_the_lowest_costs_are_found_in_order(num_qubits: int, rng: np.random.Generator) -> None:
    class Weighted:
        def __init__(self) -> None:
            self.num_qubits = num_qubits
            self.weights = rng.normal(size=num_qubits)

        def cost(self, bits: Bits) -> np.ndarray:
            return bits @ self.weights

    memory = Evaluations(Weighted())
    assert memory.lowest(3)[0].shape == (0, num_qubits)
    bits = np.concatenate([rng.integers(0, 2, (50, num_qubits), dtype=np.uint8) for _ in range(2)])
    memory.cost(bits[:60])
    memory.cost(bits)
    different = np.unique(bits, axis=0)
    expected = np.sort(memory.problem.cost(different))
    for number in (1, 5, 1000):
        found, costs = memory.lowest(number)
        np.testing.assert_allclose(costs, expected[:number])
        np.testing.assert_allclose(memory.problem.cost(found), costs)
        assert len(np.unique(found, axis=0)) == len(found)


def test_a_cost_that_is_no_number_is_refused_by_name() -> None:
    class Broken:
        num_qubits = 2

        def cost(self, bits: Bits) -> np.ndarray:
            return np.where(bits[..., 0] == 1, np.nan, 1.0)

    with pytest.raises(ValueError, match="got nan for bitstring 10"):  # the first of two
        Evaluations(Broken()).cost(np.array([[0, 0], [1, 0], [1, 1]], dtype=np.uint8))


def test_small_and_large_problems_keep_their_costs_alike(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """A table of all bitstrings and a sorted list of those met: the same costs, in the same order on disk."""
    problem = TableProblem(rng.normal(size=2**11).round(1))
    draws = [rng.integers(0, 2, (3, 50, 11), dtype=np.uint8) for _ in range(4)]
    found = []
    for limit in (20, 5):
        monkeypatch.setattr(evaluations_module, "TABLE_QUBITS", limit)
        memory = Evaluations(problem)
        costs = [memory.cost(draw) for draw in draws]
        packed, fresh = memory.take_fresh()
        found.append((*costs, packed, fresh, memory.best_bits, memory.distinct))
    for table, listed in zip(*found, strict=True):
        np.testing.assert_array_equal(table, listed)


@pytest.mark.parametrize("num_qubits", [3, 70])
def test_what_is_known_before_the_first_evaluation(num_qubits: int) -> None:
    class Ones:
        def __init__(self) -> None:
            self.num_qubits = num_qubits

        def cost(self, bits: Bits) -> np.ndarray:
            return bits.sum(axis=-1).astype(float)

    memory = Evaluations(Ones())
    assert (memory.distinct, memory.best_cost) == (0, np.inf)
    with pytest.raises(ValueError, match="no bitstring has been evaluated yet"):
        _ = memory.best_bits
    packed, costs = memory.take_fresh()
    assert (packed.shape, costs.shape) == ((0, (num_qubits + 7) // 8), (0,))
    assert memory.cost(np.empty((0, num_qubits), np.uint8)).shape == (0,)
    memory.add(packed, costs)
    assert memory.distinct == 0


@pytest.mark.parametrize("limit", [20, 2])
def test_of_equal_costs_the_first_found_is_the_best(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a run that goes on names the network that it named before."""
    monkeypatch.setattr(evaluations_module, "TABLE_QUBITS", limit)
    memory = Evaluations(TableProblem([2.0, 1.0, 1.0, 1.0, 0.5, 3.0, 0.5, 4.0]))
    found = []
    for integers in ([0], [3, 2], [1], [6], [4]):
        memory.cost(bitstrings.from_integers(np.array(integers), 3))
        found.append((int(bitstrings.to_integers(memory.best_bits)), memory.best_cost))
    assert found[0] == (0, 2.0)
    assert found[1][0] in (2, 3)
    assert found[2] == found[1]
    assert found[3] == found[4] == (6, 0.5)


def test_a_cost_of_another_shape_is_refused() -> None:
    class Square:
        num_qubits = 2

        def cost(self, bits: Bits) -> np.ndarray:
            return bits.astype(float)

    with pytest.raises(ValueError, match=r"one number a bitstring, \[1\], got \[1, 2\]"):
        Evaluations(Square()).cost(np.zeros((1, 2), np.uint8))
