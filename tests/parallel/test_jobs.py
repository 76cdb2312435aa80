from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from executors import AtOnce
from qhn import BackendError
from qhn.parallel import Failure, processes, work_through


class ByHand(Executor):
    """Jobs that end when, and as, the test says, by job; nobody knows how many workers there are."""

    def __init__(self) -> None:
        self.futures: defaultdict[Any, Future[Any]] = defaultdict(Future)

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self.futures[args[0]]


def counted(jobs: Any, taken: list[Any]) -> Iterator[Any]:
    """The same jobs; notes which were taken."""
    for job in jobs:
        taken.append(job)
        yield job


def note(found: list[Any], going: Iterator[Any]) -> None:
    """Keep what comes back, also if it ends with an error."""
    for item in going:
        found.append(item)


def test_every_job_comes_back_once() -> None:
    with ThreadPoolExecutor(3) as executor:
        found = dict(work_through(math.factorial, range(40), executor))
    assert found == {n: math.factorial(n) for n in range(40)}
    assert list(work_through(math.factorial, [], AtOnce())) == []


def test_no_more_jobs_are_taken_than_may_be_in_flight() -> None:
    taken: list[int] = []
    going = work_through(math.factorial, counted(range(1000), taken), AtOnce(), in_flight=3)
    assert taken == []
    for done in range(5):
        assert next(going) == (done, math.factorial(done))
        assert taken == list(range(done + 3))
    with ThreadPoolExecutor(2) as executor:
        taken.clear()
        next(work_through(math.factorial, counted(range(1000), taken), executor))
    assert len(taken) == 4  # twice the workers
    taken.clear()
    next(work_through(math.factorial, counted(range(1000), taken), AtOnce()))
    assert len(taken) == 256  # nobody knows how many workers there are
    with pytest.raises(ValueError, match="in_flight must be at least 1, got 0"):
        next(work_through(math.factorial, [1], AtOnce(), in_flight=0))


def test_jobs_come_back_in_the_order_in_which_they_end() -> None:
    executor, taken = ByHand(), list[str]()
    going = work_through(str.upper, counted("abcd", taken), executor, in_flight=2)
    executor.futures["b"].set_result("B")
    assert next(going) == ("b", "B")
    assert taken == ["a", "b"]
    executor.futures["c"].set_result("C")
    assert next(going) == ("c", "C")
    assert taken == ["a", "b", "c"]
    executor.futures["a"].set_result("A")
    assert next(going) == ("a", "A")
    executor.futures["d"].set_result("D")
    assert list(going) == [("d", "D")]


@pytest.mark.parametrize("workers", [1, 2, 3])
def test_what_comes_next_can_depend_on_what_has_come_back(workers: int) -> None:
    """Successive halving in a dozen lines: the better half of each round goes on with twice the budget."""
    scores: dict[tuple[int, int], float] = {}

    def rounds() -> Iterator[tuple[int, int] | None]:
        left, budget = list(range(16)), 1
        while len(left) > 1:
            now = [(member, budget) for member in left]
            yield from now
            while not scores.keys() >= set(now):
                yield None
            left = sorted(left, key=lambda member: scores[member, budget])[: len(left) // 2]
            budget *= 2

    with ThreadPoolExecutor(workers) as executor:
        for job, score in work_through(_score, rounds(), executor):
            assert not isinstance(score, Failure)
            scores[job] = score
    assert len(scores) == 16 + 8 + 4 + 2
    assert {member for member, budget in scores if budget == 8} == {5, 6}


def _score(job: tuple[int, int]) -> float:
    member, budget = job
    return abs(member - 5.4) / budget


def test_jobs_that_wait_for_nothing_are_a_defect() -> None:
    with pytest.raises(RuntimeError, match="none is"):
        list(work_through(math.factorial, [None], AtOnce()))


def test_what_cannot_be_done_comes_back_as_a_failure_and_a_defect_is_raised() -> None:
    first, second = work_through(math.sqrt, [-1.0, 4.0], AtOnce())
    assert isinstance(first[1], Failure)
    assert isinstance(first[1].error, ValueError)
    assert second == (4.0, 2.0)
    with pytest.raises(TypeError):
        list(work_through(math.sqrt, ["four"], AtOnce()))


def test_leaving_the_loop_cancels_what_was_not_begun() -> None:
    executor = ByHand()
    executor.futures["a"].set_result("A")
    going = work_through(str.upper, "abcd", executor, in_flight=3)
    assert next(going) == ("a", "A")
    going.close()
    assert [executor.futures[name].cancelled() for name in "abc"] == [False, True, True]
    assert "d" not in executor.futures


def test_what_others_had_done_when_a_worker_died_is_not_lost() -> None:
    executor = ByHand()
    executor.futures["a"].set_result("A")
    executor.futures["b"].set_exception(BrokenExecutor("killed"))
    executor.futures["c"].set_result("C")
    executor.futures["d"].set_exception(ValueError("no"))
    found: list[Any] = []
    with pytest.raises(BackendError, match=r"a worker process died.*killed"):
        note(found, work_through(str.upper, "abcdef", executor, in_flight=4))
    assert found == [("a", "A"), ("c", "C")]
    assert executor.futures["e"].cancelled()


def test_a_worker_that_dies_at_the_next_job_is_said_to_have_died() -> None:
    class Broken(AtOnce):
        def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
            if args[0] == 3:
                raise BrokenExecutor("killed")
            return super().submit(fn, *args, **kwargs)

    found: list[Any] = []
    with pytest.raises(BackendError, match=r"a worker process died.*killed"):
        note(found, work_through(math.factorial, range(9), Broken(), in_flight=2))
    assert found == [(0, 1), (1, 1), (2, 2)]


def test_processes_take_functions_with_arguments() -> None:
    with processes(1) as executor:
        assert dict(work_through(partial(pow, 2), range(4), executor)) == {0: 1, 1: 2, 2: 4, 3: 8}
