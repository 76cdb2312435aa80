"""E, gradients and distributions of any circuit from its state vector, with every gate undone for the gradient."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers, Scratch
from qhn.circuit.ansatz import GateCircuit, GateSequence
from qhn.errors import QhnError
from qhn.exact import gate_loops
from qhn.exact.program import program_of
from qhn.exact.protocol import ExactDistribution, ExactEnergy, check_table, check_thetas, relabel_axes
from qhn.threads import in_parallel

MAX_QUBITS = 24  # qubits up to which a state and its adjoint take 512 MiB
MAX_AMPLITUDES = 2**25  # amplitudes of the states that several threads hold at a time


class StateVector:
    """The state vector of a circuit in the order of its executed gates: without the CX gates that only relabel bits.

    Args:
        circuit: the circuit.

    Raises:
        QhnError: if the circuit has more than 24 qubits, or a fixed gate that the loops do not know.
    """

    def __init__(self, circuit: GateSequence) -> None:
        if circuit.num_qubits > MAX_QUBITS:
            raise QhnError(
                f"a state vector of {circuit.num_qubits} qubits does not fit, at most {MAX_QUBITS} qubits do; "
                "take shots on backend aer-mps, or use a hypernetwork"
            )
        self.circuit = circuit
        self._program = program_of(circuit)
        self._idle: list[Scratch] = []

    def threads(self, num_threads: int) -> int:
        """The number of threads, at most as many as may hold a state each at the same time."""
        return max(1, min(num_threads, MAX_AMPLITUDES >> self.circuit.num_qubits))

    def probabilities(self, row: Floats) -> Floats:
        """The probabilities ``[2**num_qubits]`` at one row of angles, in the order of the executed circuit."""
        result = np.empty(2**self.circuit.num_qubits)
        with self._borrowed() as scratch:
            gate_loops.squares(self._forward(row, scratch)[1], result)
        return result

    def mean(self, row: Floats, table: Floats) -> float:
        """The mean E of ``table[2**num_qubits]`` at one row of angles; the table has the executed circuit's order."""
        with self._borrowed() as scratch:
            return float(gate_loops.mean(self._forward(row, scratch)[1], table))

    def mean_and_grad(self, row: Floats, table: Floats) -> tuple[float, Floats]:
        """The mean E as :meth:`mean` has it, and its gradient ``[num_parameters]``."""
        with self._borrowed() as scratch:
            angles, psi = self._forward(row, scratch)
            lam, slopes = scratch.empty("lam", psi.shape), np.zeros(angles.shape)
            value = float(gate_loops.mean(psi, table))
            gate_loops.adjoint(psi, table, lam)
            gate_loops.backward(self._program, angles, psi, lam, slopes)
        return value, slopes[: len(row)]

    def in_order(self, values: NDArray[Any]) -> NDArray[Any]:
        """A copy of ``values[2**num_qubits]``, from the executed circuit's order to that of measured bits, or back."""
        return relabel_axes(self.circuit, values.reshape([2] * self.circuit.num_qubits)).reshape(-1)

    def relabelled(self, integers: Integers) -> Integers:
        """The integers of measured bitstrings from those of the executed circuit."""
        bits = bitstrings.from_integers(integers, self.circuit.num_qubits)
        return bitstrings.to_integers(self.circuit.relabel(bits))

    def _forward(self, row: Floats, scratch: Scratch) -> tuple[Floats, Floats]:
        """All angles, the constants too, and the state as :mod:`qhn.exact.gate_loops` has it."""
        psi = scratch.empty("psi", (2 << self.circuit.num_qubits,))
        angles = np.concatenate([row, self._program.constants])
        gate_loops.forward(self._program, angles, psi)
        return angles, psi

    @contextmanager
    def _borrowed(self) -> Iterator[Scratch]:
        """A context in which memory that is used again is the caller's alone."""
        try:
            scratch = self._idle.pop()  # threads may do so at the same time
        except IndexError:
            scratch = Scratch()
        try:
            yield scratch
        finally:
            self._idle.append(scratch)


class StateVectorEnergy(ExactEnergy):
    """The mean cost E of any circuit and its gradient, for costs given as a table, gate by gate.

    Args:
        ansatz: the circuit.
        costs: the costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 the least significant bit.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Raises:
        ValueError: if the number of costs does not fit the circuit, a cost is not finite, or the circuit has more than
            24 qubits.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> energy = StateVectorEnergy(product_state(1), [0.0, 1.0])
    >>> value, grad = energy.value_and_grad([[np.pi / 2, 0.0]])
    >>> value.round(12), grad.round(12)
    (array([0.5]), array([[0.5, 0. ]]))
    """

    def __init__(self, ansatz: GateCircuit, costs: ArrayLike, *, num_threads: int | None = None) -> None:
        self._state = StateVector(ansatz)
        super().__init__(ansatz, self._state.in_order(check_table(costs, ansatz)), num_threads)
        self.num_threads = self._state.threads(self.num_threads)

    def _run(self, rows: Floats, table: Floats, *, with_grad: bool) -> tuple[Floats, Floats]:
        values, grads = np.empty(len(rows)), np.zeros(rows.shape)

        def advance(row: int) -> None:
            if with_grad:
                values[row], grads[row] = self._state.mean_and_grad(rows[row], table)
            else:
                values[row] = self._state.mean(rows[row], table)

        in_parallel(advance, range(len(rows)), self.num_threads)
        return values, grads

    def _probabilities(self, row: Floats) -> Floats:
        return self._state.probabilities(row)

    def _integers(self) -> Integers:
        return self._state.in_order(np.arange(self.table.size))


class StateVectorDistribution(ExactDistribution):
    """The distribution p(bits) = |⟨bits|U(θ)|0⟩|² of any circuit's measured bits, at given angles.

    Args:
        ansatz: the circuit.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Raises:
        ValueError: if the circuit has more than 24 qubits.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> coins = StateVectorDistribution(product_state(2))
    >>> coins.probabilities([[np.pi / 2, np.pi, 0.0, 0.0]]).round(12)
    array([[0. , 0. , 0.5, 0.5]])
    """

    def __init__(self, ansatz: GateCircuit, *, num_threads: int | None = None) -> None:
        super().__init__(ansatz, num_threads)
        self._state = StateVector(ansatz)
        self.num_threads = self._state.threads(self.num_threads)

    @property
    def method(self) -> str:
        """The method of computation in words."""
        return "state vector, gate by gate"

    def sample(self, thetas: ArrayLike, shots: int, rng: np.random.Generator) -> Integers:
        """Draw measured bitstrings as integers, qubit 0 least significant: ``[B, num_parameters]`` → ``[B, shots]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        rows = check_thetas(thetas, self.ansatz)
        uniforms = rng.random((len(rows), shots))
        result = np.empty((len(rows), shots), dtype=np.int64)

        def draw(row: int) -> None:
            cumulative = self._state.probabilities(rows[row])
            np.cumsum(cumulative, out=cumulative)
            below = np.nextafter(cumulative[-1], 0.0)  # rounding would let the largest uniform numbers reach the end
            found = np.searchsorted(cumulative, np.minimum(uniforms[row] * cumulative[-1], below), side="right")
            result[row] = self._state.relabelled(found)

        in_parallel(draw, range(len(rows)), self.num_threads)
        return result

    def _weights(self, row: Floats) -> Floats:
        return self._state.probabilities(row)

    def _in_order(self, weights: Floats) -> Floats:
        return self._state.in_order(weights)

    def _bits_at(self, place: int) -> Bits:
        return bitstrings.from_integers(self._state.relabelled(np.array(place)), self.ansatz.num_qubits)
