"""A noisy circuit on a chain, decomposed into the histories of single qubits and the links between neighbours.

Between two gates that it shares with a neighbour, a qubit has a history of its own: constant transfer matrices and
rotations by angles linear in θ. A gate on two qubits, with all that follows it, is a sum Σ_k F_k ⊗ G_k of products, as
few as possible: five for a noisy CX, CZ or ECR, and fewer where a qubit is still in its first state, or is only
measured afterwards. A rotation of two qubits by φ is linear in cos φ and sin φ, and so are the factors F_k on one of
its qubits, while those on the other are constant: five products of a noisy RZZ, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit import ParameterExpression

from qhn.arrays import Floats, Integers
from qhn.backend.noise.channels import Noise, transfer_matrix
from qhn.errors import QhnError

X, Y, Z = 1, 2, 3  # axes, as the places of their Paulis
ROTATIONS: dict[str, Callable[..., list[tuple[int, Any]]]] = {  # axes and angles of a gate's rotations, in time order
    "rx": lambda angle: [(X, angle)],
    "ry": lambda angle: [(Y, angle)],
    "rz": lambda angle: [(Z, angle)],
    "p": lambda angle: [(Z, angle)],
    "r": lambda theta, phi: [(Z, -phi), (X, theta), (Z, phi)],
    "u1": lambda angle: [(Z, angle)],
    "u2": lambda phi, lam: [(Z, lam), (Y, np.pi / 2), (Z, phi)],
    "u3": lambda theta, phi, lam: [(Z, lam), (Y, theta), (Z, phi)],
    "u": lambda theta, phi, lam: [(Z, lam), (Y, theta), (Z, phi)],
}
PAIR_ROTATIONS = ("rxx", "ryy", "rzz", "rzx")  # of two qubits, exp(−iφP/2) of a Pauli string P
PREPARED = np.array([[1.0], [0.0], [0.0], [1.0]])  # |0⟩⟨0|
READ = np.array([[0.5, 0.0, 0.0, 0.5], [0.5, 0.0, 0.0, -0.5]])  # the probability of 0 and of 1
NEGLIGIBLE = 1e-13  # share of a gate's largest singular value below which others count as zero


@dataclass(frozen=True)
class Rotation:
    """A rotation about an axis, numbered 1 (x) to 3 (z), by one of the circuit's angles."""

    axis: int
    angle: int

    def matrix(self, angles: Floats) -> Floats:
        """The transfer matrices of the rotation at ``angles[rows, num_angles]``: ``[rows, 4, 4]``."""
        cosine, sine = np.cos(angles[:, self.angle]), np.sin(angles[:, self.angle])
        first, second = self.axis % 3 + 1, (self.axis + 1) % 3 + 1
        result = np.zeros((len(angles), 4, 4))
        result[:, 0, 0] = result[:, self.axis, self.axis] = 1.0
        result[:, first, first] = result[:, second, second] = cosine
        result[:, first, second], result[:, second, first] = -sine, sine
        return result


@dataclass(frozen=True)
class Link:
    """A gate on two neighbours with its noise, as a sum of products Σ_k low[k] ⊗ high[k].

    Attributes:
        qubit: the lower qubit, by its place in the chain.
        low: the factors on the lower qubit, ``[terms, rank, out, in]``; ``in`` is 1 if the qubit's first state is part
            of them, and ``out`` is 2 if its readout is. There is one term of a gate without an angle. Of a rotation by
            φ there are three, which go with 1, cos φ and sin φ.
        high: the factors on the higher qubit, ``[rank, out, in]``.
        angle: the index of a rotation's angle; None of a gate without one.
    """

    qubit: int
    low: Floats
    high: Floats
    angle: int | None = None

    @property
    def rank(self) -> int:
        """The number of products in the sum."""
        return len(self.high)

    def factors(self, qubit: int, angles: Floats) -> Floats:
        """The factors on one of the two qubits at ``angles[rows, num_angles]``: ``[rows or 1, rank, out, in]``."""
        if qubit != self.qubit:
            return self.high[None]
        if self.angle is None:
            return self.low
        terms = np.stack([np.ones(len(angles)), np.cos(angles[:, self.angle]), np.sin(angles[:, self.angle])], axis=1)
        result: Floats = np.tensordot(terms, self.low, 1)
        return result


@dataclass(frozen=True)
class Wire:
    """The history of one qubit, from |0⟩ to the probabilities of its bit.

    Attributes:
        steps: constant matrices and rotations before, between and after the qubit's links, in time order.
        links: indices of the qubit's links in time order, one fewer than steps.
        columns: indices of the elements of θ on which the rotations depend.
    """

    steps: list[list[Floats | Rotation]]
    links: list[int]
    columns: Integers

    def maps(self, angles: Floats) -> list[Floats | None]:
        """The transfer matrices of each step at ``angles[rows, num_angles]``: ``[rows or 1, out, in]``.

        None stands for a step in which nothing happens.
        """
        found = []
        for step in self.steps:
            total: Floats | None = None
            for part in step:
                matrix = part.matrix(angles) if isinstance(part, Rotation) else part[None]
                total = matrix if total is None else matrix @ total
            found.append(total)
        return found


@dataclass(frozen=True)
class NoisyCircuit:
    """A noisy circuit on a chain, as wires and links.

    Attributes:
        wires: the wires of the chain's qubits, in order.
        links: the links in time order.
        coefficients, constants: numbers ``[P, num_angles]`` and ``[num_angles]`` that give the angles of the rotations,
            ``thetas @ coefficients + constants``.
    """

    wires: list[Wire]
    links: list[Link]
    coefficients: Floats
    constants: Floats

    def ranks(self, bond: int) -> list[int]:
        """The ranks of the links between qubits ``bond`` and ``bond + 1``, in time order."""
        return [link.rank for link in self.links if link.qubit == bond]


def transfer(circuit: QuantumCircuit, noise: Noise) -> NoisyCircuit:
    """Decompose a circuit with noise after every gate into wires and links.

    Bit j of the circuit's register ``meas`` is qubit j of the chain.

    Raises:
        ValueError: if gates act on qubits that are not neighbours, on more than two, or on one that is not measured; if
            an angle is not linear in the elements of one ``ParameterVector``, or is one of a gate that is no product of
            rotations; or if the noise does not know a gate.
    """
    place = _places(circuit)
    steps: list[list[list[Any]]] = [[[PREPARED]] for _ in place]
    links: list[list[int]] = [[] for _ in place]
    gates: list[tuple[int, Floats, int | None]] = []  # lower qubit, terms [terms, 4, 4, 4, 4] and angle
    angles: list[ParameterExpression] = []
    for instruction in circuit.data:
        operation, qubits = instruction.operation, tuple(circuit.find_bit(qubit).index for qubit in instruction.qubits)
        if operation.name in ("barrier", "measure"):
            continue
        at = [place[qubit] for qubit in qubits if qubit in place]
        if len(at) != len(qubits) or len(at) > 2 or (len(at) == 2 and abs(at[0] - at[1]) != 1):
            raise QhnError(f"{operation.name} on qubits {list(qubits)} is not on one or two neighbours of the chain")
        after = noise.after(operation.name, qubits)
        is_free = _is_free(operation.params)
        if is_free and len(at) == 1:
            _check_known(operation.name, ROTATIONS)
            for axis, angle in ROTATIONS[operation.name](*operation.params):
                if _is_free([angle]):
                    steps[at[0]][-1].append(Rotation(axis, len(angles)))
                    angles.append(angle)
                else:
                    steps[at[0]][-1].append(Rotation(axis, 0).matrix(np.array([[float(angle)]]))[0])
            steps[at[0]][-1].append(after)
        elif len(at) == 1:
            steps[at[0]][-1].append(after @ transfer_matrix(operation.to_matrix()))
        else:
            terms = (after @ (_terms(operation) if is_free else transfer_matrix(operation.to_matrix())[None])).reshape(
                -1, 4, 4, 4, 4
            )
            number = len(angles) if is_free else None
            angles += operation.params if is_free else []
            gates.append((min(at), terms if at[0] < at[1] else terms.transpose(0, 2, 1, 4, 3), number))
            for qubit in at:
                links[qubit].append(len(gates) - 1)
                steps[qubit].append([])
    for qubit, index in place.items():
        steps[index][-1].append(noise.readout(qubit) @ READ)
    merged = [[_merge(step) for step in wire] for wire in steps]
    coefficients, constants = _linear(circuit, angles)
    found = [_link(number, *gate, merged, links) for number, gate in enumerate(gates)]
    wires = []
    for place_of_wire, (parts, numbers) in enumerate(zip(merged, links, strict=True)):
        turned = [part.angle for step in parts for part in step if isinstance(part, Rotation)]
        own = [found[number] for number in numbers if found[number].qubit == place_of_wire]
        turned += [link.angle for link in own if link.angle is not None]
        wires.append(Wire(parts, numbers, np.flatnonzero(coefficients[:, turned].any(axis=1))))
    return NoisyCircuit(wires, found, coefficients, constants)


def _places(circuit: QuantumCircuit) -> dict[int, int]:
    """The place in the chain of each measured qubit of the circuit, in the chain's order."""
    found: dict[int, int] = {}
    for instruction in circuit.data:
        if instruction.operation.name == "measure":
            registers = {register.name: index for register, index in circuit.find_bit(instruction.clbits[0])[1]}
            found[circuit.find_bit(instruction.qubits[0]).index] = registers.get("meas", -1)
    if sorted(found.values()) != list(range(len(found))) or not found:
        raise QhnError("every bit of one register meas must hold the measurement of one qubit")
    return dict(sorted(found.items(), key=lambda item: item[1]))


def _is_free(params: Sequence[Any]) -> bool:
    return any(isinstance(param, ParameterExpression) and param.parameters for param in params)


def _check_known(name: str, rotations: Iterable[str]) -> None:
    """Refuse a gate with an angle that is none of the given rotations."""
    if name not in rotations:
        known = ", ".join((*ROTATIONS, *PAIR_ROTATIONS))
        raise QhnError(f"only {known} can have angles that a run varies, and {name} has one")


def _terms(rotation: Any) -> Floats:
    """The transfer matrix of a rotation of two qubits by φ, ``[3, 16, 16]``: what goes with 1, cos φ and sin φ.

    Raises:
        ValueError: if the gate is no such rotation.
    """
    _check_known(rotation.name, PAIR_ROTATIONS)
    none, quarter, half = (transfer_matrix(rotation.base_class(angle).to_matrix()) for angle in (0, np.pi / 2, np.pi))
    mean = (none + half) / 2
    return np.stack([mean, none - mean, quarter - mean])


def _merge(step: list[Floats | Rotation]) -> list[Floats | Rotation]:
    """The step with one matrix in place of consecutive ones, and without identities."""
    merged: list[Floats | Rotation] = []
    for part in step:
        if isinstance(part, Rotation) or not merged or isinstance(merged[-1], Rotation):
            merged.append(part)
        else:
            merged[-1] = part @ merged[-1]
    return [part for part in merged if isinstance(part, Rotation) or not np.array_equal(part, np.eye(4))]


def _constant(step: list[Floats | Rotation]) -> Floats | None:
    """The matrix of a merged step without rotations, or None if nothing happens in it."""
    return step[0] if len(step) == 1 and not isinstance(step[0], Rotation) else None


def _link(
    number: int,
    qubit: int,
    terms: Floats,
    angle: int | None,
    steps: list[list[list[Floats | Rotation]]],
    links: list[list[int]],
) -> Link:
    """The gate as a sum of products, which takes over the constant first and last steps of its qubits."""
    for side in (0, 1):
        parts, numbers = steps[qubit + side], links[qubit + side]
        first, last = _constant(parts[0]), _constant(parts[-1])
        if numbers[0] == number and first is not None:
            terms = np.moveaxis(np.tensordot(terms, first, (3 + side, 0)), -1, 3 + side)
            parts[0] = []
        if numbers[-1] == number and last is not None:
            terms = np.moveaxis(np.tensordot(last, terms, (1, 1 + side)), 0, 1 + side)
            parts[-1] = []
    num_terms, out_low, out_high, in_low, in_high = terms.shape
    flat = terms.transpose(0, 1, 3, 2, 4).reshape(num_terms * out_low * in_low, out_high * in_high)
    left, values, right = np.linalg.svd(flat)
    rank = int((values > NEGLIGIBLE * values[0]).sum())
    scale = np.sqrt(values[:rank, None])
    low = (left.T[:rank] * scale).reshape(rank, num_terms, out_low, in_low).swapaxes(0, 1)
    high = (right[:rank] * scale).reshape(rank, out_high, in_high)
    return Link(qubit, low, high, angle)


def _linear(circuit: QuantumCircuit, angles: list[ParameterExpression]) -> tuple[Floats, Floats]:
    """The coefficients ``[P, num_angles]`` and constants ``[num_angles]`` of the angles as functions of θ ``[P]``."""
    vectors: set[Any] = {getattr(parameter, "vector", None) for parameter in circuit.parameters}
    if None in vectors or len(vectors) > 1:
        raise QhnError("the circuit's parameters must be elements of one ParameterVector")
    size = max((len(vector) for vector in vectors), default=0)
    coefficients, constants = np.zeros((size, len(angles))), np.zeros(len(angles))
    for number, angle in enumerate(angles):
        for parameter in angle.parameters:
            slope = angle.gradient(parameter)
            if isinstance(slope, ParameterExpression):
                raise QhnError(f"the angle {angle} is not linear in {parameter}")
            coefficients[parameter.index, number] = slope
        constants[number] = float(angle.bind(dict.fromkeys(angle.parameters, 0.0)))
    return coefficients, constants
