"""The load of a circuit: the numbers of gates that it has on each place of a chain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from qiskit import QuantumCircuit
from qiskit.circuit.library import CXGate
from qiskit.synthesis import TwoQubitBasisDecomposer

from qhn.backend.device.chip import VIRTUAL
from qhn.circuit.ansatz import Gate, GateCircuit

SX_PER_ROTATION = 2  # RY and RZ, together or RY alone, are RZ·SX·RZ·SX·RZ on hardware, where RZ is free
CX_PER_ROTATION = 2  # CX gates of a rotation of two qubits, RXX to RZX, on hardware that has no such gate


@dataclass(frozen=True)
class Load:
    """The numbers of gates that a circuit has on each place of a chain, or on the qubits and pairs of a route.

    Attributes:
        one_qubit: number of SX or X gates on each qubit of the chain, ``num_qubits`` numbers.
        two_qubit: number of gates on each pair of neighbours of the chain, ``num_qubits − 1`` numbers.
    """

    one_qubit: tuple[int, ...]
    two_qubit: tuple[int, ...]

    @property
    def num_qubits(self) -> int:
        """The number of qubits of the chain."""
        return len(self.one_qubit)


def is_chain(ansatz: GateCircuit, *, prune: bool = True) -> bool:
    """Whether every gate acts on one qubit or on two neighbours j and j + 1, so that the ansatz fits on a chain.

    Args:
        ansatz: the ansatz.
        prune: whether gates that have no effect are left out of account.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> is_chain(hypernetwork(4, 1))
    True
    """
    acted_on = (gate.qubits for gate in ansatz.gates(prune=prune))
    return all(len(at) == 1 or (len(at) == 2 and abs(at[0] - at[1]) == 1) for at in acted_on)


def load_of(ansatz: GateCircuit, *, fold: bool = False) -> Load:
    """The load of a chain without gates that have no effect, and with ``fold`` without its last CX brick.

    It counts rotations as a device would make them, and gates on two qubits by the CX gates that they take;
    :func:`load_of_compiled` counts gates.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> load_of(hypernetwork(4, 1))
    Load(one_qubit=(2, 4, 4, 2), two_qubit=(1, 1, 1))
    """
    one, two = [0] * ansatz.num_qubits, [0] * (ansatz.num_qubits - 1)
    turned: set[int] = set()  # qubits that rotated since their last CX, whose rotations become one
    for gate in ansatz.gates(prune=True, fold=fold):
        if len(gate.qubits) == 2:
            two[min(gate.qubits)] += _cx_gates(gate)
            turned -= set(gate.qubits)
        elif not _is_virtual(gate) and gate.qubits[0] not in turned:
            one[gate.qubits[0]] += SX_PER_ROTATION
            turned |= set(gate.qubits)
    return Load(tuple(one), tuple(two))


def _cx_gates(gate: Gate) -> int:
    """The number of CX gates that a gate on two qubits takes."""
    if gate.matrix is None:
        return 1 if gate.angle is None else CX_PER_ROTATION
    return int(TwoQubitBasisDecomposer(CXGate()).num_basis_gates(gate.matrix))


def _is_virtual(gate: Gate) -> bool:
    """Whether a gate on one qubit only changes phases, which takes no time on hardware."""
    if gate.matrix is None:
        return gate.name == "rz"
    return bool(np.allclose(gate.matrix, np.diag(gate.matrix.diagonal())))


def load_of_compiled(circuit: QuantumCircuit, qubits: Sequence[int]) -> Load:
    """The load of a circuit compiled onto the ``qubits`` of a device, given in their order along the chain."""
    position = {qubit: place for place, qubit in enumerate(qubits)}
    one, two = [0] * len(qubits), [0] * (len(qubits) - 1)
    for instruction in circuit.data:
        at = [
            position[circuit.find_bit(qubit).index]
            for qubit in instruction.qubits
            if instruction.operation.num_clbits == 0
        ]
        if instruction.operation.name in ("barrier", *VIRTUAL) or not at:
            continue
        if len(at) == 1:
            one[at[0]] += 1
        else:
            two[min(at)] += 1
    return Load(tuple(one), tuple(two))
