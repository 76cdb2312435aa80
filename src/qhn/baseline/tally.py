"""The tally of a classical search: how many different bitstrings it evaluated, and the lowest C so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.problem.cost import Problem
from qhn.problem.evaluations import TABLE_QUBITS, costs_of

MAX_RUNS = 64  # the largest number of restarts that advance together


@dataclass(frozen=True)
class Trace:
    """The course of one search: its lowest C against the number of different bitstrings evaluated.

    Attributes:
        method: name of the search, one of ``qhn.baseline.classical.METHODS``.
        counts: numbers of different bitstrings evaluated at which the lowest C fell, ``[n]``, ascending, from 1.
        costs: the lowest C from each of ``counts`` on, ``[n]``, descending.
        bits: a bitstring of the lowest C, ``[num_qubits]``.
        distinct: number of different bitstrings evaluated in all.
        evaluations: number of bitstrings proposed in all, with repetitions.
    """

    method: str
    counts: Integers
    costs: Floats
    bits: Bits
    distinct: int
    evaluations: int

    @property
    def best_cost(self) -> float:
        """The lowest C that the search found."""
        return float(self.costs[-1])

    def best_at(self, counts: ArrayLike) -> Floats:
        """The lowest C after given numbers of different bitstrings, infinite below 1: ``[...]`` → ``[...]``."""
        costs = np.concatenate([[np.inf], self.costs])
        best: Floats = costs[np.searchsorted(self.counts, np.asarray(counts), side="right")]
        return best

    def count_to(self, cost: float) -> float:
        """The number of different bitstrings it took to reach a C of at most ``cost``; infinite if none did."""
        reached = self.costs <= cost
        return float(self.counts[reached.argmax()]) if reached.any() else float("inf")


class Spent(Exception):
    """A signal that ends a search: it evaluated all bitstrings it may, or all there are, or reached its target."""


class Tally:
    """The costs that a search asks for, each computed once and counted, up to a limit.

    Batches are small and many, so it looks bitstrings up in a dictionary, where
    :class:`~qhn.problem.evaluations.Evaluations` would sort.

    Args:
        problem: the problem that is searched.
        max_distinct: number of different bitstrings that may be evaluated.
        rng: generator of the random starts.
        target: the search ends when it finds a C of at most this.
    """

    def __init__(self, problem: Problem, max_distinct: int, rng: np.random.Generator, target: float = -np.inf) -> None:
        self.num_qubits = problem.num_qubits
        self._problem, self._rng = problem, rng
        self._limit, self._target = min(max_distinct, 2**self.num_qubits), target
        self._known: dict[int | bytes, float] = {}
        self._falls: list[tuple[int, float, Bits]] = []  # count, cost and bits whenever the lowest C fell
        self._evaluations = 0
        self._queue = rng.permutation(2**self.num_qubits) if self.num_qubits <= TABLE_QUBITS else None

    def cost(self, bits: Bits) -> Floats:
        """The cost C of bitstrings: ``[..., num_qubits]`` → ``[...]``.

        Raises:
            Spent: when the last bitstring allowed has been evaluated, or one whose C is at most the target; bitstrings
                beyond the last allowed are not evaluated.
        """
        rows = bits.reshape(-1, self.num_qubits)
        names, known = _names(rows), self._known
        fresh: dict[int | bytes, int] = {}
        for row, name in enumerate(names):
            if name not in known:
                fresh.setdefault(name, row)
        if fresh:
            places = list(fresh.values())[: self._limit - len(known)]
            costs = costs_of(self._problem, rows[places])
            self._note_falls(rows[places], costs)
            known.update(zip(fresh, costs.tolist(), strict=False))
            if len(known) == self._limit or self._falls[-1][1] <= self._target:
                self._evaluations += places[-1] + 1
                raise Spent
        self._evaluations += len(rows)
        return np.array([known[name] for name in names]).reshape(bits.shape[:-1])

    def knows(self, bits: Bits) -> Bools:
        """Whether each of the bitstrings ``[n, num_qubits]`` has been evaluated: ``[n]``."""
        return np.array([name in self._known for name in _names(bits)], dtype=bool)

    def starts(self, count: int) -> Bits:
        """Random bitstrings ``[count, num_qubits]``, different and not yet evaluated where all can be listed."""
        if self._queue is None:
            return self._rng.integers(0, 2, (count, self.num_qubits), dtype=np.uint8)
        chosen = self._queue[:0]
        while len(chosen) < count and len(self._queue):
            head, self._queue = np.split(self._queue, [count - len(chosen)])
            chosen = np.append(chosen, head[~self.knows(bitstrings.from_integers(head, self.num_qubits))])
        self._queue = np.append(self._queue, chosen)  # back in line, as they need not be evaluated
        return bitstrings.from_integers(np.resize(chosen, count), self.num_qubits)

    def trace(self, method: str) -> Trace:
        """The course of the search so far."""
        counts, costs, bits = zip(*self._falls, strict=True)
        return Trace(method, np.array(counts), np.array(costs), bits[-1], len(self._known), self._evaluations)

    def _note_falls(self, rows: Bits, costs: Floats) -> None:
        lowest = self._falls[-1][1] if self._falls else np.inf
        before = np.minimum.accumulate(np.append(lowest, costs[:-1]))
        for place in np.flatnonzero(costs < before):
            self._falls.append((len(self._known) + 1 + int(place), float(costs[place]), rows[place].copy()))


def _names(rows: Bits) -> list[int | bytes]:
    names: list[int | bytes] = bitstrings.keys(bitstrings.pack(rows)).tolist()
    return names


def rounds() -> Iterator[int]:
    """Yield how many restarts advance together: first one, later an eighth of those that are finished."""
    finished = 0
    while True:
        runs = min(1 + finished // 8, MAX_RUNS)
        yield runs
        finished += runs
