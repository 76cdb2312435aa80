"""The hypernetwork circuits U(θ): blocks of rotations and CX bricks on a chain of qubits.

U = U_L … U_1 with L = 2·num_layers blocks. A block is RY and RZ on every qubit and a brick of CX on every second pair
of neighbours; block k (from 1) couples (j, j + 1) for j = k mod 2, k mod 2 + 2, … counting qubits from 0. Gates use
half angles, R_P(θ) = exp(−iθP/2), the convention for which the parameter-shift rule of the paper (Eq. 6) holds; its
text, which prints e^{iθσ}, would give gradients that vanish identically.

The paper's Eq. 5 and its authors' program order a block differently, and published angles fit only the program:

=============  ====================  =================================================================
order          in time               what has no effect on the measured bits
=============  ====================  =================================================================
``"eq5"``      RZ, RY, CX            the first RZ layer (a phase); the last CX brick only relabels bits
``"authors"``  CX, RY, RZ            the first CX brick (it acts on |0…0⟩); the last RZ layer
=============  ====================  =================================================================
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from qhn.arrays import Bits, Bools, Integers
from qhn.bitstrings import from_integers, to_integers
from qhn.circuit.ansatz import Gate
from qhn.errors import QhnError
from qhn.fields import Whole, settle

if TYPE_CHECKING:
    from qiskit import QuantumCircuit

MAX_PARAMETERS = 100_000  # a circuit of more takes minutes to build
Order = Literal["eq5", "authors"]
AXES = ("ry", "rz")  # the axes of a block's rotations, in the order of θ


@dataclass(frozen=True)
class Hypernetwork:
    """A hypernetwork circuit of ``num_qubits`` qubits; make one with :func:`hypernetwork` or :func:`product_state`.

    θ is one flat vector in the order (block, axis y then z, qubit).

    Attributes:
        num_qubits: number of qubits of the chain, at least 1.
        num_layers: number of layers of two blocks each; 0 is the product state, one RY and RZ per qubit and no CX.
        order: time order of the gates inside a block, ``"eq5"`` or ``"authors"``; see the module.

    Raises:
        ValueError: at construction, if a number is out of range or the order unknown.
    """

    num_qubits: int
    num_layers: int
    order: Order = "eq5"

    def __post_init__(self) -> None:
        settle(self, num_qubits=Whole(1), num_layers=Whole(0))
        if self.num_parameters > MAX_PARAMETERS:
            raise QhnError(
                f"{self.num_qubits:,} qubits and {self.num_layers:,} layers make {self.num_parameters:,} angles, more "
                f"than {MAX_PARAMETERS:,}"
            )
        if self.order not in ("eq5", "authors"):
            raise QhnError(f"order must be eq5 or authors, got {self.order!r}")

    @property
    def num_blocks(self) -> int:
        """The number of blocks L: 2·num_layers, or 1 for the product state."""
        return 2 * self.num_layers or 1

    @property
    def num_parameters(self) -> int:
        """The number of angles, 2·num_qubits·num_blocks; ``active`` marks those that have an effect."""
        return 2 * self.num_qubits * self.num_blocks

    @cached_property
    def active(self) -> Bools:
        """Whether the measured bits depend on each angle: ``bool[num_parameters]``."""
        mask = np.ones((self.num_blocks, 2, self.num_qubits), dtype=bool)
        mask[0 if self.order == "eq5" else -1, 1] = False
        return mask.ravel()

    @property
    def name(self) -> str:
        """The kind of ansatz, ``"hypernetwork"`` or without layers ``"product"``."""
        return "hypernetwork" if self.num_layers else "product"

    @property
    def shared_angles(self) -> Integers:
        """The indices of angles in which E is no sinusoid of period 2π; there are none."""
        return np.empty(0, dtype=np.int64)

    @property
    def unrolled(self) -> Hypernetwork:
        """The circuit itself: every angle belongs to one rotation."""
        return self

    @property
    def angle_map(self) -> None:
        """None: the angles of the gates are θ itself."""
        return None

    def words(self) -> str:
        """The number of layers and the order of the gates in words."""
        return f"num_layers {self.num_layers}, order {self.order}"

    def brick(self, block: int) -> list[tuple[int, int]]:
        """The (control, target) pairs of the CX brick of a block; ``block`` counts from 0."""
        if self.num_layers == 0:
            return []
        return [(j, j + 1) for j in range((block + 1) % 2, self.num_qubits - 1, 2)]

    @property
    def folded_brick(self) -> list[tuple[int, int]]:
        """The (control, target) pairs of the CX brick that ``executed`` leaves to :meth:`relabel`.

        There are none in the authors' order.
        """
        return self.brick(self.num_blocks - 1) if self.order == "eq5" else []

    @cached_property
    def circuit(self) -> QuantumCircuit:
        """The literal circuit of the paper, every gate included, without measurement."""
        return self._build(prune=False, fold=False)

    @cached_property
    def pruned(self) -> QuantumCircuit:
        """The circuit without the gates that have no effect: inert rotations, and CX gates that act on |0…0⟩.

        Its measured bits have the same distribution as those of ``circuit``. Noisy machines run this one: leaving the
        last brick to :meth:`relabel` would let a readout error on a control flip its target too.
        """
        return self._build(prune=True, fold=False)

    @cached_property
    def executed(self) -> QuantumCircuit:
        """The circuit that ideal simulators run: ``pruned`` without its trailing CX brick.

        Its measured bits, passed through :meth:`relabel`, have the same distribution as those of ``circuit``.
        """
        return self._build(prune=True, fold=True)

    def relabel(self, bits: Bits) -> Bits:
        """Apply to measured bits ``[..., num_qubits]`` the CX brick that ``executed`` leaves out."""
        relabelled = bits.copy(order="K")
        if brick := self.folded_brick:  # of every second pair of neighbours
            first = brick[0][0]
            relabelled[..., first + 1 :: 2] ^= relabelled[..., first : self.num_qubits - 1 : 2]
        return relabelled

    @cached_property
    def relabelled(self) -> Integers:
        """The integers that :meth:`relabel` makes of those of all bitstrings: ``[2**num_qubits]``, its own inverse.

        >>> hypernetwork(2, 1).relabelled.tolist()  # qubit 0 controls qubit 1
        [0, 3, 2, 1]
        """
        everything = from_integers(np.arange(2**self.num_qubits), self.num_qubits)
        return to_integers(self.relabel(everything))

    def gates(self, *, prune: bool = False, fold: bool = False) -> Iterator[Gate]:
        """The gates in time order.

        Args:
            prune: leave out gates that have no effect, as ``pruned`` does.
            fold: leave the trailing CX brick to :meth:`relabel`, as ``executed`` does.
        """
        active = self.active.reshape(self.num_blocks, 2, self.num_qubits)
        for block in range(self.num_blocks):
            brick = [Gate("cx", pair) for pair in self.brick(block)]
            rotations = [
                [
                    Gate(axis, (qubit,), (2 * block + index) * self.num_qubits + qubit)
                    for qubit in range(self.num_qubits)
                    if active[block, index, qubit] or not prune
                ]
                for index, axis in enumerate(AXES)
            ]
            if self.order == "eq5":
                yield from rotations[1]
                yield from rotations[0]
                yield from [] if fold and block == self.num_blocks - 1 else brick
            else:
                yield from [] if prune and block == 0 else brick
                yield from rotations[0]
                yield from rotations[1]

    def _build(self, *, prune: bool, fold: bool) -> QuantumCircuit:
        from qiskit import QuantumCircuit
        from qiskit.circuit import ParameterVector

        theta = ParameterVector("theta", self.num_parameters)
        circuit = QuantumCircuit(self.num_qubits, name="hypernetwork" if self.num_layers else "product_state")
        for gate in self.gates(prune=prune, fold=fold):
            angle = [] if gate.angle is None else [theta[gate.angle]]
            getattr(circuit, gate.name)(*angle, *gate.qubits)
        return circuit


def hypernetwork(num_qubits: int, num_layers: int, order: Order = "eq5") -> Hypernetwork:
    """The layered ansatz of arXiv:2301.08292, Eq. 5, in either order of gates.

    Raises:
        ValueError: if a number is out of range or the order unknown.

    >>> ansatz = hypernetwork(num_qubits=14, num_layers=2)
    >>> ansatz.num_parameters, int(ansatz.active.sum())
    (112, 98)
    """
    return Hypernetwork(num_qubits, num_layers, order)


def product_state(num_qubits: int) -> Hypernetwork:
    """The ansatz without entanglement, whose measured bits are independent biased coins.

    >>> int(product_state(4).active.sum())
    4
    """
    return Hypernetwork(num_qubits, 0)
