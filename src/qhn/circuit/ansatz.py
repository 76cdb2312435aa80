"""What is trained and what is run: circuits with angles θ, and circuits in which every gate has an angle of its own.

Machines, the exact engine and the parameter-shift rule know only the second kind, a :class:`GateCircuit`: each of its
angles belongs to one rotation exp(−iφP/2) about a Pauli string P, for which the rule is exact. What is trained is an
:class:`Ansatz`. Its angles θ may each turn several gates, with coefficients and offsets: φ = A·θ + b, an
:class:`AngleMap`. Rows of angles are measured in φ, and gradients by φ are put together by the chain rule. A
hypernetwork is both, with φ = θ.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from scipy.sparse import csr_array

from qhn.arrays import Bits, Bools, Complexes, Floats, Integers

if TYPE_CHECKING:
    from qiskit import QuantumCircuit


class Gate(NamedTuple):
    """One gate of a circuit.

    Attributes:
        name: the gate as Qiskit calls it. A rotation, which has an angle, is one of ``rx``, ``ry``, ``rz``, ``rxx``,
            ``ryy``, ``rzz`` and ``rzx``, all with half angles exp(−iφP/2).
        qubits: the qubits; of a controlled gate the control first.
        angle: the index of its angle, of a rotation; None for a fixed gate.
        matrix: the unitary ``[2**k, 2**k]`` of a fixed gate, the first of its k qubits the least significant bit of an
            index; None for ``cx`` and for rotations, whose names say it.
    """

    name: str
    qubits: tuple[int, ...]
    angle: int | None = None
    matrix: Complexes | None = None


class GateSequence(Protocol):
    """The gates of a circuit, each rotation with an angle φ of its own: all that is needed to compute its state."""

    @property
    def num_qubits(self) -> int:
        """The number of qubits."""
        ...

    @property
    def num_parameters(self) -> int:
        """The number of angles φ."""
        ...

    @property
    def folded_brick(self) -> list[tuple[int, int]]:
        """The (control, target) pairs of the last CX gates, which :meth:`gates` may leave to :meth:`relabel`."""
        ...

    def relabel(self, bits: Bits) -> Bits:
        """Apply to measured bits ``[..., num_qubits]`` the CX gates of ``folded_brick``."""
        ...

    def gates(self, *, prune: bool = False, fold: bool = False) -> Iterator[Gate]:
        """The gates in time order.

        Args:
            prune: leave out gates that have no effect on the measured bits.
            fold: leave the last CX gates to :meth:`relabel`.
        """
        ...


class GateCircuit(GateSequence, Hashable, Protocol):
    """A circuit whose every angle belongs to one rotation about a Pauli string, so that it can be shifted alone."""

    @property
    def active(self) -> Bools:
        """Whether the measured bits depend on each angle: ``bool[num_parameters]``."""
        ...

    @property
    def circuit(self) -> QuantumCircuit:
        """The literal circuit, every gate included, without measurement; its angles are one ``ParameterVector``."""
        ...

    @property
    def pruned(self) -> QuantumCircuit:
        """The circuit without gates that have no effect; its measured bits have the distribution of ``circuit``."""
        ...

    @property
    def executed(self) -> QuantumCircuit:
        """The circuit that ideal simulators run, without the CX gates of ``folded_brick``."""
        ...

    @property
    def relabelled(self) -> Integers:
        """The integers that :meth:`relabel` makes of those of all bitstrings: ``[2**num_qubits]``, its own inverse."""
        ...


class Ansatz(Hashable, Protocol):
    """A circuit U(θ) whose angles θ are trained."""

    @property
    def name(self) -> str:
        """The kind of ansatz, as ``[ansatz] name`` of a configuration has it."""
        ...

    @property
    def num_qubits(self) -> int:
        """The number of qubits."""
        ...

    @property
    def num_parameters(self) -> int:
        """The number of angles θ."""
        ...

    @property
    def active(self) -> Bools:
        """Whether the measured bits depend on each angle: ``bool[num_parameters]``."""
        ...

    @property
    def shared_angles(self) -> Integers:
        """The indices of angles in which E is no sinusoid of period 2π: they turn several gates, or one by a factor."""
        ...

    @property
    def circuit(self) -> QuantumCircuit:
        """The literal circuit with its angles θ, every gate included, without measurement."""
        ...

    @property
    def unrolled(self) -> GateCircuit:
        """The circuit that machines run, with an angle φ of its own for each rotation."""
        ...

    @property
    def angle_map(self) -> AngleMap | None:
        """The angles φ of ``unrolled`` as a function of θ; None where they are θ itself."""
        ...

    def words(self) -> str:
        """The ansatz in a few words, such as ``num_layers 2, order eq5``."""
        ...


@dataclass(frozen=True, eq=False)
class AngleMap:
    """The angles φ of gates as an affine function of the angles θ of an ansatz, φ = A·θ + b.

    Attributes:
        matrix: the coefficients A, ``[num_gate_angles, num_parameters]``, sparse.
        offsets: the offsets b in radians, ``[num_gate_angles]``.

    >>> twice = AngleMap(csr_array(np.array([[1.0], [2.0]])), np.array([0.0, 0.5]))
    >>> twice(np.array([[0.1], [0.2]])).round(12).tolist()
    [[0.1, 0.7], [0.2, 0.9]]
    >>> twice.pull_back(np.array([10.0, 1.0])).tolist()
    [12.0]
    """

    matrix: csr_array
    offsets: Floats

    def __call__(self, theta: Floats) -> Floats:
        """The angles of the gates in radians: θ ``[..., num_parameters]`` → φ ``[..., num_gate_angles]``."""
        return self._times(theta, self.matrix.T) + self.offsets

    def pull_back(self, grad: Floats) -> Floats:
        """The derivatives by θ from those by φ: ``[..., num_gate_angles]`` → ``[..., num_parameters]``."""
        return self._times(grad, self.matrix)

    def pull_back_errors(self, errors: Floats) -> Floats:
        """The errors of the derivatives by θ from independent ones of those by φ; shapes as in :meth:`pull_back`."""
        return np.sqrt(self._times(np.square(errors), self.matrix.power(2)))

    def gates_of(self, angles: Bools) -> Bools:
        """The gates that some of the angles θ turn: masks ``[num_parameters]`` → ``[num_gate_angles]``."""
        found: Bools = abs(self.matrix) @ angles.astype(np.float64) > 0
        return found

    @staticmethod
    def _times(rows: Floats, matrix: csr_array) -> Floats:
        *outer, length = rows.shape
        product: Floats = (rows.reshape(math.prod(outer), length) @ matrix).reshape(*outer, matrix.shape[1])
        return product


def in_words(ansatz: Ansatz) -> str:
    """The kind of an ansatz and its facts in a few words; of the usual kind, the hypernetwork, the facts alone."""
    return ansatz.words() if ansatz.name in ("hypernetwork", "product") else f"{ansatz.name}, {ansatz.words()}"


def gate_angles(ansatz: Ansatz, theta: Floats) -> Floats:
    """The angles φ of an ansatz's gates: θ ``[..., num_parameters]`` → ``[..., ansatz.unrolled.num_parameters]``."""
    return theta if ansatz.angle_map is None else ansatz.angle_map(theta)
