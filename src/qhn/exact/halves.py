"""The states of the two halves for several initialisations at once, run forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Floats, Integers, Scratch
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.errors import QhnError
from qhn.exact import kernels
from qhn.exact.cut import Cut
from qhn.exact.protocol import relabel_axes

# measured at 8 to 20 qubits and 0 to 8 layers, in memory that is used again
MAX_WIDTH = 64  # initialisations side by side
MIN_WIDTH = 16  # with fewer, the loops' vector instructions do not pay; also where the states overflow the cache
MAX_NUMBERS = 2**16  # amplitudes of all initialisations side by side, so that their states stay in a core's cache
MIN_GROUP = 4  # fewer initialisations are faster one by one


class Halves:
    """The states A_r[l] and B_r[h] of ``width`` initialisations, and their adjoints.

    Args:
        ansatz: the circuit.
        cut: the halves into which it is cut.
        width: number of initialisations side by side.
        scratch: memory in which all arrays are made; by default it is fresh.

    Attributes:
        psi: the states of the low and of the high half, ``[2, R, size, width]`` each; first real, then imaginary parts.
        lam: the adjoints λ of the states, in the same shapes, for :meth:`backward`: dE = Re Σ λ*·dψ.
    """

    def __init__(self, ansatz: Hypernetwork, cut: Cut, width: int, scratch: Scratch | None = None) -> None:
        low, high = cut.low, cut.high
        self.scratch = scratch or Scratch()
        self._shapes = ((2, cut.num_branches, low.size, width), (2, cut.num_branches, high.size, width))
        self.psi = self._pair("psi")
        self._ops = (low.ops, high.ops)
        self._turns = self.scratch.empty("turns", (ansatz.num_parameters, 2, width))
        self._ratio = _turn_ratio(ansatz.num_qubits, ansatz.num_blocks)

    @cached_property
    def lam(self) -> tuple[Floats, Floats]:
        """The adjoints of the states of both halves, in the shapes of ``psi``, to be filled."""
        return self._pair("lam")

    @cached_property
    def products(self) -> tuple[Floats, Floats]:
        """Room for the real products of the branches of both halves, ``[size, R², width]``."""
        return self._of_products("products")

    @cached_property
    def slopes(self) -> tuple[Floats, Floats]:
        """Room for the slopes of E with the products, in their shapes."""
        return self._of_products("slopes")

    def _pair(self, name: str) -> tuple[Floats, Floats]:
        low, high = self._shapes
        return self.scratch.empty((name, "low"), low), self.scratch.empty((name, "high"), high)

    def _of_products(self, name: str) -> tuple[Floats, Floats]:
        low, high = ((size, branches**2, width) for _, branches, size, width in self._shapes)
        return self.scratch.empty((name, "low"), low), self.scratch.empty((name, "high"), high)

    def forward(self, thetas: Floats) -> None:
        """Fill ``psi`` for ``thetas[width, num_parameters]``."""
        if thetas.shape != (self._turns.shape[2], len(self._turns)):  # the loops do not look at bounds
            raise QhnError(f"thetas must have shape {[self._turns.shape[2], len(self._turns)]}, got {thetas.shape}")
        tangents = np.tan(0.5 * self._ratio * thetas.T)
        kernels.forward(self._ops, tangents, self._turns, _flat(self.psi))

    def backward(self) -> Floats:
        """Compute the gradient ``[width, num_parameters]`` from ``lam``; this overwrites ``psi`` and ``lam``."""
        slopes = np.zeros((len(self._turns), self._turns.shape[2]))
        kernels.backward(self._ops, self._turns, _flat(self.psi), _flat(self.lam), slopes)
        slopes *= self._ratio
        return slopes.T

    def matrices(self) -> tuple[Floats, Floats]:
        """The real matrices of ψ = BᵀA: ``low[width, 2R, low]`` and ``high[width, 2R, 2, high]``.

        Re ψ[h, l] = Σ_k high[k, 0, h]·low[k, l], and Im ψ[h, l] = Σ_k high[k, 1, h]·low[k, l].
        """
        low, parts = (_lanes_first(psi) for psi in self.psi)
        real, imag = parts[:, 0], parts[:, 1]
        width, num_branches, size = real.shape
        high = np.empty((width, 2 * num_branches, 2, size))
        high[:, :num_branches, 0], high[:, num_branches:, 0] = real, -imag
        high[:, :num_branches, 1], high[:, num_branches:, 1] = imag, real
        return low.reshape(width, 2 * num_branches, -1), high

    def set_slopes(self, low: Floats, high: Floats) -> None:
        """Fill ``lam`` from the slopes of E with the entries of :meth:`matrices`, in the same shapes."""
        num_branches = self.psi[0].shape[1]
        upper, lower = high[:, :num_branches], high[:, num_branches:]
        parts = np.stack([upper[:, :, 0] + lower[:, :, 1], upper[:, :, 1] - lower[:, :, 0]], axis=1)
        for slopes, lam in zip((low, parts), self.lam, strict=True):
            kernels.transpose(slopes.reshape(len(slopes), -1), lam.reshape(-1, lam.shape[-1]))


class HalvesPool:
    """Halves for several threads, in memory that is used again.

    Args:
        ansatz: the circuit.
        cut: the halves into which it is cut.
    """

    def __init__(self, ansatz: Hypernetwork, cut: Cut) -> None:
        self._ansatz, self._cut = ansatz, cut
        self._idle: list[Halves] = []

    @contextmanager
    def borrowed(self, width: int) -> Iterator[Halves]:
        """A context in which halves of ``width`` initialisations are the caller's alone."""
        try:
            halves = self._idle.pop()  # threads may do so at the same time
        except IndexError:
            halves = Halves(self._ansatz, self._cut, width)
        if halves.psi[0].shape[-1] != width:
            halves = Halves(self._ansatz, self._cut, width, halves.scratch)
        try:
            yield halves
        finally:
            self._idle.append(halves)


def _lanes_first(psi: Floats) -> Floats:
    """Move the axis of initialisations first: ``[2, R, size, width]`` → ``[width, 2, R, size]``."""
    *shape, width = psi.shape
    if width == 1:
        return psi.reshape(1, *shape)
    result = np.empty((width, *shape))
    kernels.transpose(psi.reshape(-1, width), result.reshape(width, -1))
    return result


@cache
def _turn_ratio(num_qubits: int, num_blocks: int) -> Floats:
    """The turn of each gate as a multiple of its angle, ½ for RY and 1 for RZ's phase: ``[num_parameters, 1]``."""
    return np.tile(np.repeat([0.5, 1.0], num_qubits), num_blocks)[:, None]


def _flat(pair: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
    return pair[0].reshape(-1), pair[1].reshape(-1)


def squared_amplitudes(halves: Halves) -> Floats:
    """The probabilities |ψ[h, l]|² of the first initialisation: ``[high, low]``."""
    low, high = (matrix[0] for matrix in halves.matrices())
    probabilities: Floats = np.square(high[:, 0].T @ low)
    probabilities += np.square(high[:, 1].T @ low)
    return probabilities


def row_blocks(cut: Cut, num: int, max_numbers: int = MAX_NUMBERS) -> list[slice]:
    """Groups of initialisations that are advanced side by side; they depend on the circuit and ``num`` only.

    Args:
        cut: the halves into which the circuit is cut.
        num: number of initialisations.
        max_numbers: number of amplitudes side by side above which groups have :data:`MIN_WIDTH` members, or one.
    """
    if num == 1:
        return [slice(0, 1)]
    size = cut.num_branches * max(cut.low.size, cut.high.size)
    width = min(MAX_WIDTH, max(MIN_WIDTH, max_numbers // size))
    if size > max_numbers or num < MIN_GROUP:
        width = 1
    groups = -(-num // width)
    return [slice(num * group // groups, num * (group + 1) // groups) for group in range(groups)]


# ---------------------------------------------------------------- bits in the order of the halves


def into_halves(ansatz: Hypernetwork, cut: Cut, values: Floats) -> Floats:
    """Reorder a table over bitstrings into a matrix ``[high, low]`` over the states of the halves.

    Args:
        ansatz: the circuit; its trailing CX brick, which the halves leave out, is applied to the bits.
        cut: the halves into which the circuit is cut.
        values: the table ``[2**num_qubits]``, qubit 0 the least significant bit.
    """
    num_qubits = ansatz.num_qubits
    high = num_qubits - cut.cut
    axes = [*range(high - 1, -1, -1), *range(high, num_qubits)]  # axis a of the table is qubit num_qubits − 1 − a
    table = relabel_axes(ansatz, values.reshape([2] * num_qubits)).transpose(axes)
    return np.ascontiguousarray(table).reshape(cut.high.size, cut.low.size)


def restore(ansatz: Hypernetwork, cut: Cut, matrix: NDArray[Any]) -> NDArray[Any]:
    """Undo :func:`into_halves`: ``[high, low]`` → ``[2**num_qubits]``, qubit 0 the least significant bit."""
    num_qubits = ansatz.num_qubits
    high = num_qubits - cut.cut
    axes = [*range(high - 1, -1, -1), *range(high, num_qubits)]
    return relabel_axes(ansatz, matrix.reshape([2] * num_qubits).transpose(axes)).reshape(-1)


def names(ansatz: Hypernetwork, cut: Cut) -> tuple[Integers, Integers]:
    """Integers ``[low]`` and ``[high]`` of the states of both halves; a whole bitstring's integer is ``low ^ high``.

    Relabelling by CX gates is linear in the bits, so that the halves can be relabelled one by one.
    """
    made = []
    for half in (cut.low, cut.high):
        integers = np.zeros(1, dtype=np.int64)
        for qubit in half.qubits:
            alone = bitstrings.from_integers(1 << qubit, ansatz.num_qubits)
            integers = np.concatenate([integers, integers ^ bitstrings.to_integers(ansatz.relabel(alone))])
        made.append(integers)
    return made[0], made[1]
