"""Any circuit as an ansatz: its parameters θ, and the circuit that is run, with an angle φ for each rotation.

A parameter may turn several gates, with coefficients and offsets. :func:`circuit_ansatz` gives each rotation an angle
of its own, φ = A·θ + b, for which the parameter-shift rule is exact; :mod:`qhn.circuit.decomposition` says what becomes
of gates that are no rotations.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from qhn.arrays import Bits, Bools, Integers
from qhn.circuit.ansatz import AngleMap, Gate
from qhn.circuit.decomposition import Turn, coefficients, decomposed, without_measurement
from qhn.circuit.inert import with_effect
from qhn.errors import QhnError

if TYPE_CHECKING:
    from qiskit import QuantumCircuit
    from qiskit.circuit import Operation, Parameter


@dataclass(frozen=True, eq=False)
class UnrolledCircuit:
    """A circuit of rotations about Pauli strings, one angle each, and fixed gates of one or two qubits.

    Two of them are equal if their gates are.

    Attributes:
        num_qubits: the number of qubits.
        steps: the gates in time order, the angles of rotations counted from 0 without gaps.
        operations: the gates as Qiskit has them, where they are fixed; None for rotations.
    """

    num_qubits: int
    steps: tuple[Gate, ...]
    operations: tuple[Operation | None, ...]

    @cached_property
    def digest(self) -> str:
        """A text that is equal for equal gates, in any process: hexadecimal digits of a hash."""
        found = hashlib.sha256(f"{self.num_qubits}".encode())
        for name, qubits, angle, matrix in self.steps:
            found.update(f"{name} {qubits} {angle}".encode() + (b"" if matrix is None else matrix.tobytes()))
        return found.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnrolledCircuit) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def num_parameters(self) -> int:
        """The number of angles φ, one for each rotation."""
        return sum(gate.angle is not None for gate in self.steps)

    @cached_property
    def with_effect(self) -> Bools:
        """Whether the measured bits depend on each gate: ``bool[num_gates]``."""
        return with_effect(self.num_qubits, self.steps)

    @cached_property
    def active(self) -> Bools:
        """Whether the measured bits depend on each angle: ``bool[num_parameters]``."""
        found = np.zeros(self.num_parameters, dtype=bool)
        for gate, has_effect in zip(self.steps, self.with_effect, strict=True):
            if gate.angle is not None:
                found[gate.angle] = has_effect
        return found

    @cached_property
    def circuit(self) -> QuantumCircuit:
        """Every gate, without measurement; the angles are one ``ParameterVector``."""
        return self._build(prune=False)

    @cached_property
    def pruned(self) -> QuantumCircuit:
        """The circuit without the gates that have no effect on the measured bits."""
        return self._build(prune=True)

    @property
    def executed(self) -> QuantumCircuit:
        """The circuit that ideal simulators run, which is ``pruned``."""
        return self.pruned

    @property
    def folded_brick(self) -> list[tuple[int, int]]:
        """The CX gates that are left to :meth:`relabel`; there are none."""
        return []

    @property
    def relabelled(self) -> Integers:
        """The integers of all bitstrings as they are: ``[2**num_qubits]``."""
        return np.arange(2**self.num_qubits)

    def relabel(self, bits: Bits) -> Bits:
        """The bits as they are."""
        return bits

    def gates(self, *, prune: bool = False, fold: bool = False) -> Iterator[Gate]:
        """The gates in time order.

        Args:
            prune: leave out gates that have no effect, as ``pruned`` does.
            fold: whether CX gates are left to :meth:`relabel`; there are none.
        """
        return iter([self.steps[index] for index in self._indices(prune)])

    def _indices(self, prune: bool) -> list[int]:
        return np.flatnonzero(self.with_effect).tolist() if prune else list(range(len(self.steps)))

    def _build(self, *, prune: bool) -> QuantumCircuit:
        from qiskit.circuit import ParameterVector

        return self.turned(ParameterVector("phi", self.num_parameters).params, prune=prune)

    def turned(self, angles: Sequence[Any], *, prune: bool = False) -> QuantumCircuit:
        """The circuit with given angles, numbers or expressions of parameters.

        Args:
            angles: the angle of each rotation.
            prune: leave out gates that have no effect.
        """
        from qiskit import QuantumCircuit

        circuit = QuantumCircuit(self.num_qubits, name="unrolled")
        for index in self._indices(prune):
            gate, operation = self.steps[index], self.operations[index]
            if gate.angle is not None:
                getattr(circuit, gate.name)(angles[gate.angle], *gate.qubits)
            else:
                circuit.append(operation, gate.qubits)
        return circuit


@dataclass(frozen=True, eq=False)
class CircuitAnsatz:
    """A circuit of Qiskit as an ansatz; make one with :func:`circuit_ansatz`.

    Two of them are equal if they have the same gates and angles, and the same name.

    Attributes:
        name: the kind of ansatz.
        facts: what there is to say of it, such as ``num_layers 2``; may be empty.
        circuit: the literal circuit with its angles θ, without measurement.
        parameters: the angles θ of ``circuit`` in their order.
        unrolled: the circuit that machines run, with an angle φ of its own for each rotation.
        angle_map: the angles φ as a function of θ; None where they are θ itself.
    """

    name: str
    facts: str
    circuit: QuantumCircuit
    parameters: tuple[Parameter, ...]
    unrolled: UnrolledCircuit
    angle_map: AngleMap | None

    @cached_property
    def digest(self) -> str:
        """A text that is equal for equal gates and angles, in any process: hexadecimal digits of a hash."""
        found = hashlib.sha256(f"{self.unrolled.digest} {self.num_parameters}".encode())
        if self.angle_map is not None:
            matrix = self.angle_map.matrix
            for array in (matrix.indptr, matrix.indices):
                found.update(np.asarray(array, dtype=np.int64).tobytes())
            found.update(matrix.data.tobytes() + self.angle_map.offsets.tobytes())
        return found.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CircuitAnsatz) and (self.name, self.digest) == (other.name, other.digest)

    def __hash__(self) -> int:
        return hash((self.name, self.digest))

    @property
    def num_qubits(self) -> int:
        """The number of qubits."""
        return self.unrolled.num_qubits

    @property
    def num_parameters(self) -> int:
        """The number of angles θ."""
        return len(self.parameters)

    @cached_property
    def active(self) -> Bools:
        """Whether the measured bits depend on each angle θ, by any of its gates: ``bool[num_parameters]``."""
        gates = self.unrolled.active
        if self.angle_map is None:
            return gates
        return np.bincount(self.angle_map.matrix[gates].indices, minlength=self.num_parameters) > 0

    @cached_property
    def shared_angles(self) -> Integers:
        """The indices of angles in which E is no sinusoid of period 2π: they turn several gates, or one by a factor."""
        if self.angle_map is None:
            return np.empty(0, dtype=np.int64)
        turned = self.angle_map.matrix[self.unrolled.active]
        several = np.bincount(turned.indices, minlength=self.num_parameters) > 1
        several[turned.indices[np.abs(np.abs(turned.data) - 1) > 1e-9]] = True
        return np.flatnonzero(several)

    @cached_property
    def flat(self) -> QuantumCircuit:
        """The circuit in rotations and fixed gates, with its angles θ as one ``ParameterVector`` ``theta``."""
        from qiskit.circuit import ParameterVector

        theta = ParameterVector("theta", self.num_parameters).params
        if self.angle_map is None:
            return self.unrolled.turned(theta)
        circuit = self.unrolled.turned(_expressions(self.angle_map, theta))
        for index in np.setdiff1d(np.arange(self.num_parameters), self.angle_map.matrix.indices):
            circuit.rz(theta[index], 0)  # an angle that turns no gate, such as a global phase
        return circuit

    def words(self) -> str:
        """The number of gates that have angles, and what else there is to say."""
        return ", ".join(part for part in (self.facts, f"{self.unrolled.num_parameters} rotations") if part)


def circuit_ansatz(
    circuit: QuantumCircuit, name: str = "circuit", facts: str = "", parameters: Sequence[Parameter] | None = None
) -> CircuitAnsatz:
    """Any circuit of Qiskit with free parameters as an ansatz.

    Args:
        circuit: the circuit; a measurement of all qubits at its end is left out.
        name: the kind of ansatz.
        facts: what there is to say of it, such as ``num_layers 2``.
        parameters: the parameters of the circuit in the order of θ; None for that of ``circuit.parameters``.

    Raises:
        QhnError: if it has no qubits or no parameters, an angle is no affine function of the parameters, or it measures
            before its end, resets or is controlled by classical bits; the message names the gate.

    >>> from qiskit import QuantumCircuit
    >>> from qiskit.circuit import Parameter
    >>> bell, turn = QuantumCircuit(2), Parameter("t")
    >>> bell.ry(turn, 0), bell.cx(0, 1), bell.ry(2 * turn + 0.5, 1)  # doctest: +ELLIPSIS
    (...)
    >>> ansatz = circuit_ansatz(bell)
    >>> ansatz.num_parameters, ansatz.angle_map(np.array([0.1])).round(12).tolist(), ansatz.shared_angles.tolist()
    (1, [0.1, 0.7], [0])
    """
    bare = without_measurement(circuit)
    if not bare.num_qubits:
        raise QhnError("the circuit has no qubits")
    order = tuple(bare.parameters if parameters is None else parameters)
    if not order:
        raise QhnError("the circuit has no parameters, so there is nothing to train")
    turns = decomposed(bare)
    matrix, offsets = coefficients(turns, order)
    angle_map = AngleMap(matrix, offsets)
    columns = _own_angles(angle_map)
    indices = range(len(offsets)) if columns is None else columns
    return CircuitAnsatz(
        name=name,
        facts=facts,
        circuit=bare,
        parameters=order,
        unrolled=_unrolled(bare.num_qubits, turns, indices),
        angle_map=angle_map if columns is None else None,
    )


def _unrolled(num_qubits: int, turns: Sequence[Turn], indices: Sequence[int]) -> UnrolledCircuit:
    """The circuit with the given indices of angles for its rotations, in time order."""
    left = iter(indices)
    steps = tuple(turn.gate if turn.angle is None else turn.gate._replace(angle=next(left)) for turn in turns)
    return UnrolledCircuit(num_qubits, steps, tuple(turn.operation for turn in turns))


def _own_angles(angle_map: AngleMap) -> list[int] | None:
    """The θ that each gate turns by, where every θ belongs to one gate and is its angle; None otherwise."""
    matrix = angle_map.matrix
    is_one_to_one = matrix.shape[0] == matrix.shape[1] == matrix.nnz and len(set(matrix.indices)) == matrix.nnz
    if not is_one_to_one or np.diff(matrix.indptr).max(initial=1) > 1 or angle_map.offsets.any():
        return None
    return matrix.indices.tolist() if (matrix.data == 1.0).all() else None


def _expressions(angle_map: AngleMap, theta: Sequence[Any]) -> list[Any]:
    """The angles of gates as expressions of the parameters θ."""
    rows = pairwise(angle_map.matrix.indptr.tolist())
    data, indices = angle_map.matrix.data.tolist(), angle_map.matrix.indices.tolist()
    return [
        sum((data[k] * theta[indices[k]] for k in range(first, end)), offset)
        for (first, end), offset in zip(rows, angle_map.offsets.tolist(), strict=True)
    ]
