"""How a classical search is counted: by different bitstrings, to the last one allowed."""

from __future__ import annotations

import numpy as np
import pytest

from qhn import bitstrings
from qhn.baseline import tally as module
from qhn.baseline.tally import MAX_RUNS, Spent, Tally, Trace, rounds
from qhn.problem.cost import TableProblem

COSTS = np.array([5.0, 3.0, 4.0, 1.0, 2.0, 6.0, 0.5, 7.0])


def bits(*integers: int) -> np.ndarray:
    return bitstrings.from_integers(np.array(integers), 3)


def tally(max_distinct: int = 8, target: float = -np.inf) -> Tally:
    return Tally(TableProblem(COSTS), max_distinct, np.random.default_rng(1), target)


def test_costs_are_those_of_the_problem_and_repetitions_count_once() -> None:
    counted = tally()
    np.testing.assert_array_equal(counted.cost(bits(0, 2, 0, 1).reshape(2, 2, 3)), [[5.0, 4.0], [5.0, 3.0]])
    np.testing.assert_array_equal(counted.cost(bits(1, 1, 2)), [3.0, 3.0, 4.0])
    np.testing.assert_array_equal(counted.knows(bits(0, 1, 2, 3)), [True, True, True, False])
    trace = counted.trace("by hand")
    assert (trace.method, trace.distinct, trace.evaluations) == ("by hand", 3, 7)


def test_falls_are_where_the_lowest_cost_fell() -> None:
    """Counted in different bitstrings, in the order in which they were asked for; a tie is no fall."""
    counted = tally()
    counted.cost(bits(0, 5, 0, 1))  # 5, 6, (5), 3
    counted.cost(bits(7, 1, 4))  # 7, (3), 2
    trace = counted.trace("by hand")
    assert trace.counts.tolist() == [1, 3, 5]
    assert trace.costs.tolist() == [5.0, 3.0, 2.0]
    assert (trace.best_cost, bitstrings.to_integers(trace.bits)) == (2.0, 4)
    flat = Tally(TableProblem(np.ones(8)), 8, np.random.default_rng(1))
    flat.cost(bits(0, 1, 2))
    assert flat.trace("flat").counts.tolist() == [1]


def test_nothing_beyond_the_last_allowed_is_evaluated() -> None:
    counted = tally(max_distinct=3)
    counted.cost(bits(0, 1))
    with pytest.raises(Spent):
        counted.cost(bits(0, 2, 2, 6, 7))
    np.testing.assert_array_equal(counted.knows(bits(0, 1, 2, 6, 7)), [True, True, True, False, False])
    trace = counted.trace("spent")
    assert (trace.distinct, trace.best_cost) == (3, 3.0)
    assert trace.evaluations == 2 + 2  # up to the last that was new
    assert trace.counts.tolist() == [1, 2]


def test_all_bitstrings_are_enough() -> None:
    counted = tally(max_distinct=100)
    with pytest.raises(Spent):
        counted.cost(bits(*range(8)))
    assert counted.trace("all").distinct == 8


@pytest.mark.parametrize(("target", "spent"), [(3.0, True), (2.999, False)])
def test_a_search_ends_at_its_target(target: float, spent: bool) -> None:
    counted = tally(target=target)
    counted.cost(bits(0))
    if spent:
        with pytest.raises(Spent):
            counted.cost(bits(1, 2))
    else:
        counted.cost(bits(1, 2))
    assert counted.trace("target").distinct == 3


def test_starts_are_different_and_unknown_as_long_as_there_are_any() -> None:
    counted = tally()
    counted.cost(bits(1, 3, 5))
    first = bitstrings.to_integers(counted.starts(3))
    assert len({*first.tolist()} | {1, 3, 5}) == 6
    assert len({*bitstrings.to_integers(counted.starts(5)).tolist()}) == 5
    counted.cost(bits(*first.tolist()))
    left = {0, 2, 4, 6, 7} - {*first.tolist()}
    again = bitstrings.to_integers(counted.starts(4))
    assert {*again.tolist()} == left
    assert len(again) == 4  # there are two, and they are taken twice


def test_starts_of_a_space_that_cannot_be_listed_are_random(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TABLE_QUBITS", 2)
    drawn = tally().starts(4000)
    assert drawn.shape == (4000, 3)
    assert np.abs(drawn.mean(axis=0) - 0.5).max() < 5 * 0.5 / np.sqrt(4000)


def test_a_trace_is_read_by_count_and_by_cost() -> None:
    trace = Trace("any", np.array([1, 4, 9]), np.array([3.0, 2.0, 0.5]), np.zeros(3, np.uint8), 20, 30)
    assert trace.best_at([0, 1, 3, 4, 8, 9, 50]).tolist() == [np.inf, 3.0, 3.0, 2.0, 2.0, 0.5, 0.5]
    assert [trace.count_to(cost) for cost in (5.0, 3.0, 2.5, 2.0, 0.5, 0.4)] == [1, 1, 4, 4, 9, np.inf]


def test_restarts_grow_with_those_that_are_finished() -> None:
    runs = [runs for runs, _ in zip(rounds(), range(200), strict=False)]
    assert runs[:10] == [1] * 8 + [2, 2]
    assert runs == sorted(runs)
    assert max(runs) == MAX_RUNS == 64
