"""Angles at which the bits that a circuit measures are certain, for circuits whose fixed gates are Clifford gates.

At multiples of π/2 a rotation is a Clifford gate, too. Seen backwards in time, each gate then turns the observable Z of
a measured bit into another Pauli string, up to a sign. The bit is certain if at the beginning, on |0…0⟩, the string has
no X or Y, and the sign says what it is. Whether the bits are certain depends only on which angles are odd multiples of
π/2; that is searched for, one angle after the other. Adding π to angles flips some bits.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np
from qiskit.circuit.library import get_standard_gate_name_mapping

from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.backend.noise.channels import transfer_matrix
from qhn.circuit.ansatz import Gate, GateCircuit

Z = 3  # the place of Z among I, X, Y and Z
MAX_STEPS = 300_000  # gates that the search passes through, a few seconds
PLACES = np.array([4, 1])  # of the Paulis of two qubits in the index of their string
TRIES = 50  # random choices of angles for each set that is asked for
Image = tuple[Integers, Bits]  # of each Pauli string of a gate's qubits: its image, and whether the sign changes


@lru_cache(maxsize=16)  # a search takes seconds, and simulators are opened again and again
def certain_outcomes(circuit: GateCircuit, num_rows: int) -> tuple[Floats, Bits] | None:
    """Angles ``[num_rows, num_parameters]`` with the bits ``[num_rows, num_qubits]`` that an ideal machine measures.

    Both are the same in every call. No row of bits reads the same in reverse, unless there is only one qubit. It is
    None if no such angles are found: the circuit has a fixed gate that is no Clifford gate, or random bits at all
    angles that were tried.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> thetas, bits = certain_outcomes(hypernetwork(3, 1), 1)
    >>> sorted(set((thetas / np.pi).ravel().tolist())), bits.shape
    ([0.0, 1.0], (1, 3))
    """
    rng = np.random.default_rng(circuit.num_qubits)
    strings = _Strings.of(circuit)
    odd = None if strings is None else strings.odd_angles(circuit.num_parameters, rng)
    if strings is None or odd is None:
        return None
    thetas: list[Floats] = []
    outcomes: list[Bits] = []
    for _ in range(TRIES * num_rows):
        quarters = odd + 2 * rng.integers(2, size=len(odd))
        bits = strings.pulled_back(quarters)[1]
        if circuit.num_qubits == 1 or (bits != bits[::-1]).any():
            thetas.append(np.pi / 2 * quarters.astype(np.float64))
            outcomes.append(bits)
        if len(thetas) == num_rows:
            return np.array(thetas), np.array(outcomes)
    return None


class _Strings:
    """The Pauli strings from which the measured bits of a circuit come.

    Args:
        num_qubits: number of qubits.
        gates: the gates, the last first.
        images: what each gate does to strings of its qubits; of a rotation at 0, π/2, π and 3π/2.
    """

    def __init__(self, num_qubits: int, gates: list[Gate], images: list[list[Image]]) -> None:
        self.num_qubits = num_qubits
        self.gates = gates
        self.images = images

    @classmethod
    def of(cls, circuit: GateCircuit) -> _Strings | None:
        """The strings of a circuit; None if a fixed gate is no Clifford gate, or is on more than two qubits."""
        gates = list(circuit.gates(prune=True))[::-1]
        images: list[list[Image]] = []
        for gate in gates:
            found = _rotations(gate.name) if gate.angle is not None else [_fixed(gate)]
            if found[0] is None:
                return None
            images.append([image for image in found if image is not None])
        return cls(circuit.num_qubits, gates, images)

    def pulled_back(self, quarters: Integers) -> tuple[Bools, Bits]:
        """Whether each bit is random, and its value if it is not: ``[num_qubits]`` each.

        Args:
            quarters: the angles in units of π/2, from 0 to 3.
        """
        strings = Z * np.eye(self.num_qubits, dtype=np.int64)  # of each bit, the Pauli on each qubit
        signs = np.zeros(self.num_qubits, dtype=np.uint8)
        for (_, qubits, angle, _), images in zip(self.gates, self.images, strict=True):
            paulis, flips = images[0 if angle is None else quarters[angle]]
            index = strings[:, qubits] @ PLACES[-len(qubits) :]
            signs ^= flips[index]
            found = paulis[index]
            for qubit, pauli in zip(qubits[::-1], (found % 4, found // 4), strict=False):
                strings[:, qubit] = pauli
        return ((strings % Z) != 0).any(axis=1), signs

    def odd_angles(self, num_parameters: int, rng: np.random.Generator) -> Integers | None:
        """Angles in units of π/2, 0 or 1, at which every bit is certain, whatever multiples of π are added.

        Returns:
            The angles, ``[num_parameters]``; None if none are found.
        """
        odd = np.zeros(num_parameters, dtype=np.int64)
        fewest = int(self.pulled_back(odd)[0].sum())
        turned = [gate.angle for gate in self.gates if gate.angle is not None]
        for _ in range(MAX_STEPS // (len(self.gates) + 1)):
            if fewest == 0 or not turned:
                break
            changed = rng.choice(turned, size=rng.integers(1, 3))  # one or two at once, since one may not help alone
            odd[changed] ^= 1
            count = int(self.pulled_back(odd)[0].sum())
            if count <= fewest:
                fewest = count
            else:
                odd[changed] ^= 1
        return odd if fewest == 0 else None


@cache
def _rotations(name: str) -> list[Image | None]:
    """What a rotation by 0, π/2, π and 3π/2 does to strings of its qubits."""
    rotation = get_standard_gate_name_mapping()[name].base_class
    return [_image(rotation(quarter * np.pi / 2).to_matrix()) for quarter in range(4)]


def _fixed(gate: Gate) -> Image | None:
    """What a gate without an angle does to strings of its qubits; None if it is no Clifford gate, or on many qubits."""
    if len(gate.qubits) > 2:
        return None
    return _image(get_standard_gate_name_mapping()["cx"].to_matrix() if gate.matrix is None else gate.matrix)


def _image(unitary: np.ndarray) -> Image | None:
    """The string U†PU and its sign for each Pauli string P, the first qubit slowest; None if some are sums of strings.

    Args:
        unitary: the unitary U, the first qubit its least significant.
    """
    transfer = transfer_matrix(unitary)
    largest = np.abs(transfer).argmax(axis=1)
    values = np.take_along_axis(transfer, largest[:, None], axis=1)[:, 0]
    if not np.allclose(np.abs(values), 1):
        return None
    return largest, (values < 0).astype(np.uint8)
