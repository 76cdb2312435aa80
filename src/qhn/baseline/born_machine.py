"""A matrix-product Born machine: bitstrings drawn with the squared amplitudes of a real matrix-product state.

It is a classical generative model (Han et al., Phys. Rev. X 8, 031012, 2018) and the entangled state that a shallow
circuit prepares, without the circuit: amplitudes ψ(x) = A_0[x_0] A_1[x_1] …, probabilities ψ(x)²/Z. Bits are drawn
exactly, one after the other (Ferris and Vidal, Phys. Rev. B 85, 165146, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Bits, Floats
from qhn.errors import QhnError
from qhn.fields import Whole, each, settle


@dataclass(frozen=True)
class BornMachine:
    """A real matrix-product state of bits, whose squared amplitudes are the probabilities up to their sum.

    Its parameters are the entries of its tensors in one flat vector, that of bit 0 first, each ``[2, left, right]``:
    the bit, and the bonds to the bits before and after.

    Attributes:
        bonds: the bond dimensions between neighbouring bits, one fewer than there are bits.

    Raises:
        ValueError: at construction, if a bond dimension is below 1.

    >>> bell = BornMachine((2,))
    >>> bell.probabilities([[1, 0, 0, 1, 1, 0, 0, 1]]).tolist()
    [[0.5, 0.0, 0.0, 0.5]]
    """

    bonds: tuple[int, ...]

    def __post_init__(self) -> None:
        settle(self, bonds=each(Whole(1)))

    @classmethod
    def of_parameters(cls, num_bits: int, most: int) -> BornMachine:
        """The machine with the most parameters of at most ``most`` whose inner bond dimensions differ by at most 1.

        The larger of two bond dimensions is on every second bond.

        >>> BornMachine.of_parameters(6, 40).bonds, BornMachine.of_parameters(6, 56).bonds
        ((2, 2, 2, 2, 2), (2, 3, 2, 3, 2))
        """
        best = cls((1,) * (num_bits - 1))
        for low in range(1, most):
            for high in (low, low + 1):
                wide = [min(2**k, 2 ** (num_bits - k), (low, high)[1 - k % 2]) for k in range(1, num_bits)]
                machine = cls(tuple(wide))
                if machine.num_parameters > most:
                    return best
                best = max(best, machine, key=lambda one: one.num_parameters)
        return best

    @property
    def num_bits(self) -> int:
        """The number of bits."""
        return len(self.bonds) + 1

    @property
    def num_parameters(self) -> int:
        """The number of entries of all tensors."""
        return sum(map(prod, self._shapes))

    @property
    def _shapes(self) -> list[tuple[int, int, int]]:
        ends = (1, *self.bonds, 1)
        return [(2, left, right) for left, right in pairwise(ends)]

    def initial(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw parameters ``[count, num_parameters]`` from the standard normal distribution."""
        return rng.normal(size=(count, self.num_parameters))

    def probabilities(self, parameters: ArrayLike) -> Floats:
        """The probabilities of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_bits]``.

        Bit 0 is the least significant of an index.
        """
        weights = np.square(_prefixes(self._tensors(parameters))[-1][..., 0])
        found: Floats = weights / weights.sum(axis=1, keepdims=True)
        return found

    def mean_and_grad(self, parameters: ArrayLike, costs: ArrayLike) -> tuple[Floats, Floats]:
        """The mean cost and its gradient, exactly: ``[B, num_parameters]`` → ``[B]``, ``[B, num_parameters]``.

        Args:
            parameters: the entries of all tensors.
            costs: the costs of all bitstrings, ``[2**num_bits]``, bit 0 least significant.
        """
        tensors, table = self._tensors(parameters), np.asarray(costs, dtype=np.float64)
        middle = self.num_bits // 2
        lows, highs = _prefixes(tensors[:middle]), _suffixes(tensors[middle:])
        psi = highs[0].transpose(0, 2, 1) @ lows[-1].transpose(0, 2, 1)  # [B, high half, low half]
        weights = np.square(psi)
        norms = weights.sum(axis=(1, 2))
        by_half = table.reshape(psi.shape[1:])
        means: Floats = np.einsum("bhl,hl->b", weights, by_half) / norms
        slopes = 2 * psi * (by_half - means[:, None, None]) / norms[:, None, None]
        by_lows, by_highs = slopes.transpose(0, 2, 1) @ highs[0].transpose(0, 2, 1), (slopes @ lows[-1])
        grads = _prefixes_back(tensors[:middle], lows, by_lows)
        grads += _suffixes_back(tensors[middle:], highs, by_highs.transpose(0, 2, 1))
        return means, np.concatenate([grad.reshape(len(means), -1) for grad in grads], axis=1)

    def sample(self, parameters: ArrayLike, count: int, rng: np.random.Generator) -> Bits:
        """Draw bitstrings: ``[B, num_parameters]`` → ``[B, count, num_bits]``."""
        tensors = self._tensors(parameters)
        after = self._after(tensors)
        num = len(tensors[0])
        bits = np.empty((num, count, self.num_bits), dtype=np.uint8)
        uniform, left = rng.random(bits.shape), np.ones((num, count, 1))
        for bit, tensor in enumerate(tensors):
            rows = np.stack([left @ tensor[:, value] for value in (0, 1)])  # [2, B, count, right]
            weights = np.einsum("vbsi,bij,vbsj->vbs", rows, after[bit], rows)
            ones = uniform[..., bit] * weights.sum(axis=0) >= weights[0]
            bits[..., bit] = ones
            chosen = np.where(ones[..., None], rows[1], rows[0])
            left = chosen / np.linalg.norm(chosen, axis=-1, keepdims=True)
        return bits

    def score(self, parameters: ArrayLike, bits: Bits) -> Floats:
        """The gradient of log p(bits): ``[B, S, num_bits]`` → ``[B, S, num_parameters]``."""
        tensors = self._tensors(parameters)
        num, count = bits.shape[:2]
        chosen = [
            np.where(bits[..., bit, None, None], t[:, None, 1], t[:, None, 0]) for bit, t in enumerate(tensors)
        ]  # [B, S, left, right] each
        lefts = [np.ones((num, count, 1))]  # products of the matrices before each bit, up to a factor
        for matrix in chosen:
            lefts.append(_scaled(np.einsum("bsi,bsij->bsj", lefts[-1], matrix)))
        right = np.ones((num, count, 1))
        sums = self._log_norm_grad(tensors)
        grads: list[Floats] = []
        for bit in reversed(range(self.num_bits)):
            outer = lefts[bit][..., :, None] * right[..., None, :]
            psi = np.einsum("bsij,bsij->bs", outer, chosen[bit])
            slope = 2 * outer / psi[..., None, None]
            mine = np.stack([np.where(bits[..., bit, None, None] == value, slope, 0.0) for value in (0, 1)], axis=2)
            grads.insert(0, (mine - sums[bit][:, None]).reshape(num, count, -1))
            right = _scaled(np.einsum("bsij,bsj->bsi", chosen[bit], right))
        return np.concatenate(grads, axis=-1)

    def _tensors(self, parameters: ArrayLike) -> list[Floats]:
        """The tensors ``[B, 2, left, right]`` of all bits.

        Raises:
            QhnError: if the number of parameters is another.
        """
        rows = np.asarray(parameters, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.num_parameters:
            raise QhnError(f"parameters must have shape [B, {self.num_parameters}], got {list(rows.shape)}")
        ends = np.cumsum([prod(shape) for shape in self._shapes])[:-1]
        return [
            part.reshape(-1, *shape) for part, shape in zip(np.split(rows, ends, axis=1), self._shapes, strict=True)
        ]

    def _after(self, tensors: list[Floats]) -> list[Floats]:
        """The sums over all later bits of the products of both states, up to a factor: ``[B, right, right]`` each."""
        found = [np.ones((len(tensors[0]), 1, 1))]
        for tensor in reversed(tensors[1:]):
            found.insert(0, _unit(np.einsum("bvik,bkl,bvjl->bij", tensor, found[0], tensor)))
        return found

    def _log_norm_grad(self, tensors: list[Floats]) -> list[Floats]:
        """The gradient of log Z by every tensor, ``[B, 2, left, right]``."""
        after, before, found = self._after(tensors), np.ones((len(tensors[0]), 1, 1)), []
        for tensor, behind in zip(tensors, after, strict=True):
            slope = np.einsum("bij,bvjk,bkl->bvil", before, tensor, behind)
            norm = np.einsum("bvil,bvil->b", slope, tensor)
            found.append(2 * slope / norm[:, None, None, None])
            before = _unit(np.einsum("bij,bvik,bvjl->bkl", before, tensor, tensor))
        return found


def _prefixes(tensors: list[Floats]) -> list[Floats]:
    """The products of the matrices of the first 0, 1, … bits for all their values: ``[B, 2**bits, right]`` each."""
    found = [np.ones((len(tensors[0]) if tensors else 1, 1, 1))]
    for tensor in tensors:
        found.append(np.concatenate([found[-1] @ tensor[:, 0], found[-1] @ tensor[:, 1]], axis=1))
    return found


def _prefixes_back(tensors: list[Floats], prefixes: list[Floats], slopes: Floats) -> list[Floats]:
    """The slopes by every tensor, ``[B, 2, left, right]``, from those by the last of :func:`_prefixes`."""
    grads: list[Floats] = []
    for tensor, before in zip(reversed(tensors), reversed(prefixes[:-1]), strict=True):
        halves = slopes[:, : before.shape[1]], slopes[:, before.shape[1] :]
        grads.insert(0, np.stack([before.transpose(0, 2, 1) @ half for half in halves], axis=1))
        slopes = halves[0] @ tensor[:, 0].transpose(0, 2, 1) + halves[1] @ tensor[:, 1].transpose(0, 2, 1)
    return grads


def _suffixes(tensors: list[Floats]) -> list[Floats]:
    """The products of the matrices from each bit on, for all their values, and of none: ``[B, left, 2**bits]`` each."""
    found = [np.ones((len(tensors[0]), 1, 1))]
    for tensor in reversed(tensors):
        both = np.stack([tensor[:, 0] @ found[0], tensor[:, 1] @ found[0]], axis=-1)  # the first bit changes fastest
        found.insert(0, both.reshape(*both.shape[:2], -1))
    return found


def _suffixes_back(tensors: list[Floats], suffixes: list[Floats], slopes: Floats) -> list[Floats]:
    """The slopes by every tensor, ``[B, 2, left, right]``, from those by the first of :func:`_suffixes`."""
    grads: list[Floats] = []
    for tensor, after in zip(tensors, suffixes[1:], strict=True):
        halves = slopes[..., 0::2], slopes[..., 1::2]
        grads.append(np.stack([half @ after.transpose(0, 2, 1) for half in halves], axis=1))
        slopes = tensor[:, 0].transpose(0, 2, 1) @ halves[0] + tensor[:, 1].transpose(0, 2, 1) @ halves[1]
    return grads


def _scaled(vectors: Floats) -> Floats:
    """Vectors ``[..., n]`` of length 1."""
    scaled: Floats = vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)
    return scaled


def _unit(matrices: Floats) -> Floats:
    """Positive matrices ``[B, n, n]`` of trace 1."""
    unit: Floats = matrices / np.trace(matrices, axis1=1, axis2=2)[:, None, None]
    return unit
