"""A noisy machine's exact distribution, from a matrix-product density operator.

The state's Pauli components are a product of matrices along the chain. Every gate on two qubits adds a factor of at
most five to the bond between them (:mod:`qhn.backend.noise.transfer`), or of 16 if it is any unitary: 25 for two layers
of CX and 125 for three, at any length.

As long as these factors multiply to no more than a given bond dimension, the matrix of a qubit depends on that qubit's
own angles alone. The rows of a gradient differ from θ in one angle each, so that a qubit has as many different matrices
as angles and shifts, and half a chain no more different products than its qubits together; everything is made of these.

Beyond it, gates are applied in time order, and singular values of a bond are dropped when they become too many. The
other qubits' matrices are orthogonal then, so that what is kept is the best approximation, in the sum of all squared
Pauli components. Nothing but that sum is known of the error: see :attr:`Twin.discarded_weight`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from itertools import zip_longest
from math import prod
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from qiskit import QuantumCircuit

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend.noise.channels import Noise
from qhn.backend.noise.matrix_product import MAX_TABLE_QUBITS, MatrixProduct
from qhn.backend.noise.transfer import Link, transfer
from qhn.circuit.angles import as_rows
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.threads import check_threads, in_parallel

Rows = TypeVar("Rows", Floats, Bits)
NEGLIGIBLE = 1e-12  # share of a bond's largest singular value below which others count as zero


class Twin:
    """The exact distribution of the bits that a noisy circuit measures, at given angles.

    Args:
        circuit: a circuit on a chain, compiled for a device or not; bit j of its register ``meas`` is qubit j of the
            chain.
        noise: the noise of the machine's gates and readout.
        max_bond: bond dimension above which singular values are dropped.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Attributes:
        num_qubits: number of qubits of the chain.
        bond_dimension: the largest bond dimension, before anything is dropped; few qubits have no larger one than all
            their Pauli components need.
        discarded_weight: the largest share of the squared Pauli components of a row that was dropped in the last call,
            added up over all truncations; 0 if nothing was dropped.

    Raises:
        ValueError: at construction, if the circuit is not on a chain, or an angle is not linear in θ.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> from qhn.backend.noise.channels import Depolarising
    >>> from qhn.circuit.measurement import with_measurement
    >>> twin = Twin(with_measurement(hypernetwork(14, 2).circuit), Depolarising(p1=0.001, p2=0.004, readout_error=0.02))
    >>> thetas = np.zeros((1, 112))
    >>> twin.bond_dimension, twin.energies(thetas, np.ones(2**14)).round(12), twin.probabilities(thetas)[0, 0].round(3)
    (25, array([1.]), np.float64(0.644))
    """

    def __init__(
        self, circuit: QuantumCircuit, noise: Noise, *, max_bond: int = 128, num_threads: int | None = None
    ) -> None:
        self.max_bond = Whole(1)("max_bond", max_bond)
        self.num_threads = check_threads(num_threads)
        self._transfer = transfer(circuit, noise)
        self.num_qubits = len(self._transfer.wires)
        products = [prod(self._transfer.ranks(bond)) for bond in range(self.num_qubits - 1)]
        ends = [4 ** min(bond + 1, self.num_qubits - 1 - bond) for bond in range(self.num_qubits - 1)]
        self.bond_dimension = max(map(min, products, ends), default=1)
        self._is_whole = max(products, default=1) <= max_bond
        self.discarded_weight = 0.0

    @property
    def method(self) -> str:
        """The method of computation in words."""
        truncated = "" if self.is_exact else f", truncated to {self.max_bond}"
        return f"matrix-product density operator, bond dimension {self.bond_dimension}{truncated}"

    @property
    def is_exact(self) -> bool:
        """Whether the distribution is exact, without truncation."""
        return self.bond_dimension <= self.max_bond

    def probabilities(self, thetas: ArrayLike) -> Floats:
        """The probability of every bitstring at each row of angles: ``[B, P]`` → ``[B, 2**num_qubits]``.

        Qubit 0 is the least significant bit of a bitstring's index. Values below 0, from rounding or truncation, are
        set to 0.

        Raises:
            ValueError: if ``thetas`` has a wrong shape, or the circuit more than 24 qubits.
        """
        if self.num_qubits > MAX_TABLE_QUBITS:
            raise QhnError(
                f"all probabilities are given up to {MAX_TABLE_QUBITS} qubits, not of {self.num_qubits}; sample"
            )
        return self._each(thetas, lambda product, rows: product.probabilities())

    def energies(self, thetas: ArrayLike, costs: ArrayLike) -> Floats:
        """The mean cost ⟨C⟩ at each row of angles for ``costs[2**num_qubits]``: ``[B, P]`` → ``[B]``.

        It does not need all the probabilities.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        table = np.asarray(costs, dtype=np.float64)
        if self.num_qubits > MAX_TABLE_QUBITS or table.shape != (2**self.num_qubits,):
            raise QhnError(f"costs must have shape [2**{self.num_qubits}], got {list(table.shape)}")
        return self._each(thetas, lambda product, rows: product.means(table))

    def sample(self, thetas: ArrayLike, shots: int, rng: np.random.Generator) -> Bits:
        """Draw measured bits: ``[B, P]`` → ``uint8[B, shots, num_qubits]``.

        Each row of angles has its own stream of random numbers.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        streams = rng.spawn(len(np.atleast_1d(thetas)))
        return self._each(thetas, lambda product, rows: product.sample(shots, streams[rows]))

    def _each(self, thetas: ArrayLike, use: Callable[[MatrixProduct, slice], Rows]) -> Rows:
        """Apply a function to the distributions of all rows, together if they can share matrices, or one by one."""
        rows = as_rows(thetas, len(self._transfer.coefficients) or None)  # without angles, rows may have any
        self.discarded_weight = 0.0
        if self._is_whole:
            return use(self._product(rows), slice(None))

        def one(row: int) -> tuple[Rows, float]:
            product, weight = self._evolve(rows[row])
            return use(product, slice(row, row + 1)), weight

        results, weights = zip(*in_parallel(one, range(len(rows)), self.num_threads), strict=True)
        self.discarded_weight = 0.0 if self.is_exact else max(weights)
        return np.concatenate(results)

    def _angles(self, thetas: Floats) -> Floats:
        coefficients, constants = self._transfer.coefficients, self._transfer.constants
        return thetas[:, : len(coefficients)] @ coefficients + constants

    # ------------------------------------------------------------ without truncation

    def _product(self, thetas: Floats) -> MatrixProduct:
        tensors, which = [], []
        for qubit, wire in enumerate(self._transfer.wires):
            own = np.ascontiguousarray(thetas[:, wire.columns]).view(np.uint8)
            _, first, inverse = np.unique(bitstrings.keys(own), return_index=True, return_inverse=True)
            which.append(inverse)
            state = np.ones((len(first), 1, 1, 1))  # [different, left, right, component]
            angles = self._angles(thetas[first])
            for matrix, number in zip_longest(wire.maps(angles), wire.links):
                if matrix is not None:
                    flat = state.reshape(len(state), -1, state.shape[3]) @ matrix.swapaxes(1, 2)
                    state = flat.reshape(*state.shape[:3], -1)
                if number is not None:
                    link = self._transfer.links[number]
                    state = _attach(state, link.factors(qubit, angles), is_low=qubit == link.qubit)
            tensors.append(np.ascontiguousarray(state.swapaxes(2, 3)))
        return MatrixProduct(tensors, which, self.num_threads)

    # ------------------------------------------------------------ with truncation

    @cached_property
    def _bricks(self) -> list[list[int]]:
        """Groups of links that can be applied side by side, in time order, each ordered along the chain."""
        depth = [0] * self.num_qubits
        bricks: dict[int, list[int]] = {}
        for number, link in enumerate(self._transfer.links):
            pair = slice(link.qubit, link.qubit + 2)
            time = max(depth[pair]) + 1
            depth[pair] = [time, time]
            bricks.setdefault(time, []).append(number)
        return [sorted(bricks[time], key=lambda n: self._transfer.links[n].qubit) for time in sorted(bricks)]

    def _evolve(self, theta: Floats) -> tuple[MatrixProduct, float]:
        """The distribution at one θ ``[P]``, and the weight that was dropped."""
        angles = self._angles(theta[None])
        maps = [iter(wire.maps(angles)) for wire in self._transfer.wires]
        state = [np.ones((1, 1, 1))] * self.num_qubits  # [left, component, right]
        weight = 0.0
        for brick in self._bricks:
            links = [self._transfer.links[number] for number in brick]
            for link in links:
                for qubit in (link.qubit, link.qubit + 1):
                    state[qubit] = _apply(next(maps[qubit]), state[qubit])
            for qubit in range(self.num_qubits - 1, 0, -1):  # noise is no rotation: nothing is orthogonal any more
                _pass_left(state, qubit)
            centre = 0
            for link in links:
                while centre < link.qubit:
                    _pass_right(state, centre)
                    centre += 1
                weight += _join(state, link, angles, self.max_bond)
                centre += 1
        state = [_apply(next(own), tensor) for own, tensor in zip(maps, state, strict=True)]
        total = np.ones(1)
        for tensor in state:  # one by one, since the squared components of a long chain are many
            total = total @ tensor.sum(axis=1)
        state[0] = state[0] / total[0]
        return MatrixProduct([tensor[None] for tensor in state], [np.zeros(1, dtype=np.int64)] * len(state), 1), weight


def _attach(state: Floats, factors: Floats, *, is_low: bool) -> Floats:
    """Apply a link's factors ``[rows or 1, rank, out, in]`` to one of its qubits, with a new index on their bond."""
    different, rank, out, inside = factors.shape
    rows, left, right, _ = state.shape
    turned = factors.reshape(different, -1, inside).swapaxes(1, 2)
    grown = (state.reshape(different, -1, inside) @ turned).reshape(rows, left, right, rank, out)
    if is_low:
        return grown.reshape(rows, left, right * rank, out)
    return grown.swapaxes(2, 3).reshape(rows, left * rank, right, out)


def _apply(matrix: Floats | None, tensor: Floats) -> Floats:
    return tensor if matrix is None else matrix[0] @ tensor


def _pass_right(state: list[Floats], qubit: int) -> None:
    """Make a qubit's matrices orthogonal, and multiply the remaining factor into the next qubit's."""
    left, components, right = state[qubit].shape
    kept, rest = np.linalg.qr(state[qubit].reshape(-1, right))
    state[qubit] = kept.reshape(left, components, -1)
    state[qubit + 1] = np.tensordot(rest, state[qubit + 1], 1)


def _pass_left(state: list[Floats], qubit: int) -> None:
    """Make a qubit's matrices orthogonal, and multiply the remaining factor into the previous qubit's."""
    left, components, right = state[qubit].shape
    kept, rest = np.linalg.qr(state[qubit].reshape(left, -1).T)
    state[qubit] = kept.T.reshape(-1, components, right)
    state[qubit - 1] = np.tensordot(state[qubit - 1], rest, (2, 1))


def _join(state: list[Floats], link: Link, angles: Floats, max_bond: int) -> float:
    """Apply a link to two qubits, all others being orthogonal; return the share of the weight that is dropped."""
    low, high = (
        _attach(state[qubit].swapaxes(1, 2)[None], link.factors(qubit, angles), is_low=qubit == link.qubit)[0].swapaxes(
            1, 2
        )
        for qubit in (link.qubit, link.qubit + 1)
    )
    both = low.reshape(-1, low.shape[2]) @ high.reshape(len(high), -1)
    left, values, right = np.linalg.svd(both, full_matrices=False)
    squares = values**2
    rank = min(max_bond, int((values > NEGLIGIBLE * values[0]).sum()))
    state[link.qubit] = left[:, :rank].reshape(*low.shape[:2], rank)
    state[link.qubit + 1] = (values[:rank, None] * right[:rank]).reshape(rank, *high.shape[1:])
    return float(squares[rank:].sum() / squares.sum())
