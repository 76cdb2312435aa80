"""What every exact engine of a table of costs offers: E and objectives with gradients, and the distribution of bits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.circuit.angles import as_rows
from qhn.circuit.ansatz import GateCircuit, GateSequence
from qhn.errors import QhnError
from qhn.problem.aggregation import Aggregation, Outcomes
from qhn.problem.cost import check_costs
from qhn.problem.landscape import Landscape
from qhn.statistics import entropy
from qhn.threads import check_threads, in_parallel


def check_thetas(thetas: ArrayLike, ansatz: GateCircuit) -> Floats:
    """Convert rows of angles to an array ``[B, num_parameters]``, after a check.

    Raises:
        ValueError: if ``thetas`` has a wrong shape or an angle is not finite.
    """
    return as_rows(thetas, ansatz.num_parameters, may_be_none=True)


def check_table(costs: ArrayLike, ansatz: GateCircuit) -> Floats:
    """Convert the costs of all bitstrings to an array ``[2**num_qubits]``, after a check.

    Raises:
        ValueError: if there are more or fewer costs, or one is not finite.
    """
    table = np.asarray(costs, dtype=np.float64)
    if table.shape != (2**ansatz.num_qubits,):
        raise QhnError(f"costs must have shape [{2**ansatz.num_qubits}], got {list(table.shape)}")
    check_costs(table)
    return table


def relabel_axes(ansatz: GateSequence, table: NDArray[Any]) -> NDArray[Any]:
    """Apply the folded brick, its own inverse, to a table with one axis per qubit, the last qubit first."""
    table = table.copy()
    last = ansatz.num_qubits - 1
    for control, target in ansatz.folded_brick:
        chosen = np.moveaxis(table, (last - control, last - target), (0, 1))[1]
        chosen[...] = chosen[::-1].copy()
    return table


class ExactEnergy(ABC):
    """The mean cost E of a circuit's measured bits and its gradient, for a table of costs in an engine's order.

    Args:
        ansatz: the circuit.
        table: the costs of all bitstrings in the order in which the engine has its amplitudes, in any shape.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.
    """

    def __init__(self, ansatz: GateCircuit, table: Floats, num_threads: int | None) -> None:
        self.ansatz = ansatz
        self.table = table
        self.num_threads = check_threads(num_threads)

    def __call__(self, thetas: ArrayLike) -> Floats:
        """The mean cost E at each row of angles: ``[B, num_parameters]`` → ``[B]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        return self._run(check_thetas(thetas, self.ansatz), self.table, with_grad=False)[0]

    def value_and_grad(self, thetas: ArrayLike) -> tuple[Floats, Floats]:
        """E and its gradient ∂E/∂θ at each row: ``[B, num_parameters]`` → ``[B]``, ``[B, num_parameters]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        return self._run(check_thetas(thetas, self.ansatz), self.table, with_grad=True)

    def objective(self, thetas: ArrayLike, objective: Aggregation) -> Floats:
        """An objective, such as a CVaR, of each row: ``[B, num_parameters]`` → ``[B]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        return self._run_linearised(thetas, objective, with_grad=False)[0]

    def objective_and_grad(self, thetas: ArrayLike, objective: Aggregation) -> tuple[Floats, Floats]:
        """An objective and its gradient of each row: ``[B, num_parameters]`` → ``[B]``, ``[B, num_parameters]``.

        Both are those of ⟨C̃⟩, the costs linearised at the row's own distribution (:mod:`qhn.problem.objective`).

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        return self._run_linearised(thetas, objective, with_grad=True)

    @cached_property
    def scale(self) -> float:
        """How far a typical cost lies above the optimum, which tolerances of a minimisation are relative to."""
        return Landscape(self.table.reshape(-1)).scale

    @abstractmethod
    def _run(self, rows: Floats, table: Floats, *, with_grad: bool) -> tuple[Floats, Floats]:
        """E ``[B]`` of a table like ``self.table``, and its gradient or zeros ``[B, num_parameters]``."""

    @abstractmethod
    def _probabilities(self, row: Floats) -> Floats:
        """The probabilities of the table's entries at one row of angles, in the shape of the table."""

    @abstractmethod
    def _integers(self) -> Integers:
        """The integers of the bitstrings of the table's entries, ``[2**num_qubits]``."""

    def _run_linearised(self, thetas: ArrayLike, objective: Aggregation, *, with_grad: bool) -> tuple[Floats, Floats]:
        rows = check_thetas(thetas, self.ansatz)

        def advance(row: int) -> tuple[Floats, Floats]:
            probabilities = self._probabilities(rows[row]).reshape(-1)
            outcomes = Outcomes(
                self.table.reshape(-1), self._bits, probabilities, self._ascending, lambda: self._places
            )
            table = objective.linearise(outcomes, outcomes).reshape(self.table.shape)
            return self._run(rows[row : row + 1], table, with_grad=with_grad)

        found = in_parallel(advance, range(len(rows)), self.num_threads)
        values, grads = ([part[k] for part in found] for k in (0, 1))
        return np.concatenate([np.empty(0), *values]), np.concatenate([np.empty((0, rows.shape[1])), *grads])

    @cached_property
    def _ascending(self) -> NDArray[np.intp]:
        """The indices of the table's entries in ascending order of their costs."""
        return np.argsort(self.table, axis=None)

    @cached_property
    def _places(self) -> Integers:
        """The integers of the bitstrings of the table's entries, ``[2**num_qubits]``, computed once."""
        return self._integers()

    def _bits(self) -> Bits:
        """The bitstring of each entry of the table, ``[2**num_qubits, num_qubits]``."""
        return bitstrings.from_integers(self._places, self.ansatz.num_qubits)


class ExactDistribution(ABC):
    """The distribution of a circuit's measured bits, at given angles.

    Args:
        ansatz: the circuit.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.
    """

    def __init__(self, ansatz: GateCircuit, num_threads: int | None) -> None:
        self.ansatz = ansatz
        self.num_threads = check_threads(num_threads)

    @property
    @abstractmethod
    def method(self) -> str:
        """The method of computation in words."""

    def probabilities(self, thetas: ArrayLike) -> Floats:
        """The probability of every bitstring at each row of angles: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``.

        Qubit 0 is the least significant bit of a bitstring's index.

        Raises:
            ValueError: if ``thetas`` has a wrong shape, or the ansatz too many qubits.
        """
        rows = self._checked(thetas)
        result = np.empty((len(rows), 2**self.ansatz.num_qubits))

        def fill(row: int) -> None:
            result[row] = self._in_order(self._weights(rows[row]))

        in_parallel(fill, range(len(rows)), self.num_threads)
        return result

    def entropy(self, thetas: ArrayLike) -> Floats:
        """The entropy −Σ p·log₂p in bits at each row of angles: ``[B, num_parameters]`` → ``[B]``.

        It is 0 for a single bitstring, and at most num_qubits.

        Raises:
            ValueError: if ``thetas`` has a wrong shape, or the ansatz too many qubits.
        """
        return np.array([entropy(self._weights(row)) for row in self._checked(thetas)])

    def most_probable(self, theta: ArrayLike) -> tuple[Bits, float]:
        """The most probable bitstring ``[num_qubits]`` at ``theta[num_parameters]``, and its probability.

        Raises:
            ValueError: if ``theta`` has a wrong shape, or the ansatz too many qubits.
        """
        weights = self._weights(self._checked(np.asarray(theta)[None])[0])
        place = int(weights.argmax())
        return self._bits_at(place), float(weights.flat[place])

    @abstractmethod
    def sample(self, thetas: ArrayLike, shots: int, rng: np.random.Generator) -> Integers:
        """Draw measured bitstrings as integers, qubit 0 least significant: ``[B, num_parameters]`` → ``[B, shots]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """

    @abstractmethod
    def _weights(self, row: Floats) -> Floats:
        """The probabilities at one row of angles, in the engine's order and shape."""

    @abstractmethod
    def _in_order(self, weights: Floats) -> Floats:
        """Probabilities in the engine's order as those of all bitstrings, ``[2**num_qubits]``."""

    @abstractmethod
    def _bits_at(self, place: int) -> Bits:
        """The bitstring of an entry of the flat probabilities in the engine's order."""

    def _checked(self, thetas: ArrayLike) -> Floats:
        """Rows of angles, after a check of their shape."""
        return check_thetas(thetas, self.ansatz)
