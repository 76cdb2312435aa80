"""Hypernetworks whose CX gates are elsewhere: on random pairs of qubits, or nowhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.circuit.hypernetwork import Hypernetwork, Order

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Rewired(Hypernetwork):
    """A hypernetwork with the same rotations in the same places, and other CX gates.

    Attributes:
        bricks: the (control, target) pairs of the CX gates of each block, which have no qubit in common.
    """

    bricks: tuple[Pairs, ...] = ()

    def brick(self, block: int) -> list[tuple[int, int]]:
        """The (control, target) pairs of the CX gates of a block; ``block`` counts from 0."""
        return list(self.bricks[block])


def unentangled(num_qubits: int, num_layers: int) -> Rewired:
    """The hypernetwork without its CX gates: a product state with 4·num_layers rotations of every qubit.

    >>> int(unentangled(14, 2).active.sum()), sum(gate.name == "cx" for gate in unentangled(14, 2).gates())
    (98, 0)
    """
    return Rewired(num_qubits, num_layers, bricks=((),) * (2 * num_layers))


def scattered(num_qubits: int, num_layers: int, order: Order, rng: np.random.Generator) -> Rewired:
    """The hypernetwork whose bricks have as many CX gates as usual, on random pairs of qubits."""
    usual = Hypernetwork(num_qubits, num_layers, order)
    bricks = []
    for block in range(usual.num_blocks):
        qubits = rng.permutation(num_qubits)[: 2 * len(usual.brick(block))]
        bricks.append(tuple((int(control), int(target)) for control, target in qubits.reshape(-1, 2)))
    return Rewired(num_qubits, num_layers, order, tuple(bricks))
