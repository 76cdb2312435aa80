"""A memory of costs: every bitstring evaluated so far, each computed once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Bools, Floats
from qhn.bitstrings import Numbered
from qhn.errors import QhnError
from qhn.problem.cost import Problem, check_costs

ROUNDING = 1e-9  # relative difference up to which two costs are the same: sums in another order round differently
TABLE_QUBITS = 20  # qubits up to which known costs are kept in a table of all bitstrings: 9 MiB


@dataclass
class Evaluations:
    """A memory of a problem's costs: every bitstring evaluated so far, each computed once.

    Attributes:
        problem: the problem that computes a cost which is not yet known.
        fresh: packed bitstrings and costs evaluated since the last call of :meth:`take_fresh`, one pair per evaluation.

    >>> from qhn.problem.cost import TableProblem
    >>> memory = Evaluations(TableProblem([3.0, 1.0, 4.0, 1.5]))
    >>> memory.cost(np.array([[0, 0], [1, 0], [0, 0]], dtype=np.uint8))
    array([3., 1., 3.])
    >>> memory.distinct, memory.best_cost, bitstrings.text(memory.best_bits)
    (2, 1.0, '10')
    """

    problem: Problem
    fresh: list[tuple[NDArray[np.uint8], Floats]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._store = _Table(self.num_qubits) if self.num_qubits <= TABLE_QUBITS else _Sorted(self.num_qubits)
        self._best: tuple[float, Bits] | None = None

    @property
    def num_qubits(self) -> int:
        """The number of bits of a bitstring."""
        return self.problem.num_qubits

    @property
    def distinct(self) -> int:
        """The number of different bitstrings evaluated so far."""
        return self._store.count

    @property
    def best_cost(self) -> float:
        """The lowest cost so far; infinite before the first evaluation."""
        return self._best[0] if self._best else float("inf")

    @property
    def best_bits(self) -> Bits:
        """The first bitstring found of the lowest cost so far: ``[num_qubits]``."""
        if self._best is None:
            raise QhnError("no bitstring has been evaluated yet")
        return self._best[1]

    def cost(self, bits: Bits | Numbered) -> Floats:
        """The cost C of each bitstring, given by its bits or its integer: ``[..., num_qubits]`` → ``[...]``.

        Raises:
            ValueError: if there is not one bit for each qubit of the problem, or the problem returns costs of another
                shape, or one that is not finite.
        """
        names = self._store.names(self._checked(bits))
        rows = self._store.packed(self._store.unknown(names))
        if len(rows):
            costs = costs_of(self.problem, bitstrings.unpack(rows, self.num_qubits))
            self.add(rows, costs)
            self.fresh.append((rows, costs))
        return self._store.costs(names)

    def unknown(self, bits: Bits | Numbered) -> Bits:
        """The different bitstrings among some that are not known: ``[..., num_qubits]`` → ``[n, num_qubits]``."""
        names = self._store.names(self._checked(bits))
        return bitstrings.unpack(self._store.packed(self._store.unknown(names)), self.num_qubits)

    def _checked(self, bits: Bits | Numbered) -> Bits | Numbered:
        if not isinstance(bits, Numbered):
            return bitstrings.as_bits(bits, self.num_qubits)
        if bits.num_qubits != self.num_qubits:
            raise QhnError(f"bitstrings must have {self.num_qubits} qubits, got {bits.num_qubits}")
        return bits

    def has(self, bits: Bits | Numbered) -> Bools:
        """Whether each bitstring is known: ``[..., num_qubits]`` → ``[...]``."""
        return self._store.has(self._store.names(self._checked(bits)))

    def add(self, packed: NDArray[np.uint8], costs: Floats) -> None:
        """Add packed bitstrings ``[n, bytes]``, all different and none of them known, with their costs ``[n]``."""
        if len(costs) == 0:
            return
        lowest = int(np.argmin(costs))
        if costs[lowest] < self.best_cost:
            self._best = (float(costs[lowest]), bitstrings.unpack(packed[lowest], self.num_qubits))
        self._store.add(packed, costs)

    def merge(self, packed: NDArray[np.uint8], costs: Floats) -> tuple[Bits, float, float] | None:
        """Add packed bitstrings ``[n, bytes]`` with their costs ``[n]``, some of which may be known or come twice.

        Returns:
            A bitstring ``[num_qubits]`` that has two costs, and both, the one that stays first; None if none has.
        """
        if len(costs) == 0:
            return None
        bits = bitstrings.unpack(packed, self.num_qubits)
        names = self._store.names(bits)
        first = np.sort(np.unique(names, return_index=True)[1])
        new = first[~self._store.has(names[first])]
        self.add(packed[new], costs[new])
        kept = self._store.costs(names)
        differ = ~np.isclose(kept, costs, rtol=ROUNDING, atol=0.0)
        if not differ.any():
            return None
        place = int(differ.argmax())
        return bits[place], float(kept[place]), float(costs[place])

    def lowest(self, number: int) -> tuple[Bits, Floats]:
        """The different bitstrings of the lowest costs so far, and their costs, ascending.

        Args:
            number: the largest number of bitstrings.

        Returns:
            Bitstrings ``[n, num_qubits]`` and costs ``[n]``, n smaller than ``number`` if fewer are known.

        >>> from qhn.problem.cost import TableProblem
        >>> memory = Evaluations(TableProblem([3.0, 1.0, 4.0, 1.5]))
        >>> _ = memory.cost(np.array([[0, 0], [1, 0], [0, 1]], dtype=np.uint8))
        >>> memory.lowest(2)[1]
        array([1., 3.])
        """
        names, costs = self._store.known()
        chosen = np.argsort(costs, kind="stable")[:number]
        return bitstrings.unpack(self._store.packed(names[chosen]), self.num_qubits), costs[chosen]

    def take_fresh(self) -> tuple[NDArray[np.uint8], Floats]:
        """The packed bitstrings ``[n, bytes]`` and costs ``[n]`` evaluated since the last call, in that order."""
        width = (self.num_qubits + 7) // 8
        rows = [packed for packed, _ in self.fresh] or [np.empty((0, width), dtype=np.uint8)]
        costs = [values for _, values in self.fresh] or [np.empty(0)]
        self.fresh = []
        return np.concatenate(rows), np.concatenate(costs)


def costs_of(problem: Problem, bits: Bits) -> Floats:
    """The costs of bitstrings ``[n, num_qubits]`` as the problem returns them, checked: ``[n]``.

    Raises:
        ValueError: if the problem returns costs of another shape, or one that is not finite.
    """
    costs = np.asarray(problem.cost(bits), dtype=np.float64)
    if costs.shape != (len(bits),):
        raise QhnError(f"cost must return one number a bitstring, {[len(bits)]}, got {list(costs.shape)}")
    check_costs(costs, lambda place: f"bitstring {bitstrings.text(bits[place])}")
    return costs


class _Table:
    """Known costs in a table of all bitstrings, indexed by their integers."""

    def __init__(self, num_qubits: int) -> None:
        self._num_qubits = num_qubits
        self._costs = np.zeros(2**num_qubits)
        self._known = np.zeros(2**num_qubits, dtype=bool)
        self.count = 0

    def names(self, bits: Bits | Numbered) -> NDArray[Any]:
        return bits.integers if isinstance(bits, Numbered) else np.asarray(bitstrings.to_integers(bits))

    def has(self, names: NDArray[Any]) -> Bools:
        found: Bools = self._known[names]
        return found

    def unknown(self, names: NDArray[Any]) -> NDArray[Any]:
        """The different names that are not known, in the order of their bytes, as in :class:`_Sorted`."""
        fresh = np.unique(names[~self.has(names)])
        return fresh[np.argsort(bitstrings.keys(self.packed(fresh)))]

    def packed(self, names: NDArray[Any]) -> NDArray[np.uint8]:
        return bitstrings.pack(bitstrings.from_integers(names, self._num_qubits))

    def costs(self, names: NDArray[Any]) -> Floats:
        return np.asarray(self._costs[names])[()]

    def known(self) -> tuple[NDArray[Any], Floats]:
        names = np.flatnonzero(self._known)
        return names, self._costs[names]

    def add(self, packed: NDArray[np.uint8], costs: Floats) -> None:
        names = self.names(bitstrings.unpack(packed, self._num_qubits))
        self._costs[names], self._known[names] = costs, True
        self.count += len(costs)


class _Sorted:
    """Known costs in a list sorted by the bytes of the bitstrings."""

    def __init__(self, num_qubits: int) -> None:
        self._width = (num_qubits + 7) // 8
        self._keys = bitstrings.keys(np.empty((0, self._width), dtype=np.uint8))
        self._costs = np.empty(0)

    @property
    def count(self) -> int:
        return len(self._costs)

    def names(self, bits: Bits | Numbered) -> NDArray[Any]:
        return bitstrings.keys(bitstrings.pack(bitstrings.to_bits(bits)))

    def has(self, names: NDArray[Any]) -> Bools:
        position = np.searchsorted(self._keys, names)
        known = np.zeros(names.shape, dtype=bool)
        inside = position < len(self._keys)
        known[inside] = self._keys[position[inside]] == names[inside]
        return known

    def unknown(self, names: NDArray[Any]) -> NDArray[Any]:
        """The different names that are not known, ascending."""
        unique = np.unique(names)
        fresh: NDArray[Any] = unique[~self.has(unique)]
        return fresh

    def packed(self, names: NDArray[Any]) -> NDArray[np.uint8]:
        return bitstrings.packed_keys(names, self._width)

    def costs(self, names: NDArray[Any]) -> Floats:
        return self._costs[np.searchsorted(self._keys, names)]

    def known(self) -> tuple[NDArray[Any], Floats]:
        return self._keys, self._costs

    def add(self, packed: NDArray[np.uint8], costs: Floats) -> None:
        names = bitstrings.keys(packed)
        order = np.argsort(names)
        position = np.searchsorted(self._keys, names[order])
        self._keys = np.insert(self._keys, position, names[order])
        self._costs = np.insert(self._costs, position, costs[order])
