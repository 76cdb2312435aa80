"""A kernel of bitstrings that falls with their Hamming distance, and its means over distributions and shots.

k(x, y) = r^d with 0 < r < 1 and the distance d is a product over qubits of 1 where bits agree, and r where they differ.
So the matrix of all k is a Kronecker product of [[1, r], [r, 1]], and is applied to a table of 2^N numbers factor by
factor, some qubits at a time, as in a fast Walsh–Hadamard transform. The Walsh functions are its eigenvectors: one of s
qubits has the eigenvalue (1 + r)^(N − s) · (1 − r)^s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.fields import Number, Whole, settle

PAIRS_AT_A_TIME = 2**22  # pairs of bitstrings: 32 MiB of kernels
QUBITS_AT_A_TIME = 4  # whose 16 × 16 matrix is applied in one product, the fastest from 14 to 18 qubits as measured
PASSES_OF_A_PAIR = 4  # entries of a table that pass in the time of a pair of bitstrings, as measured


@dataclass(frozen=True)
class HammingKernel:
    """The kernel k(x, y) = r^d of bitstrings x and y that differ in d bits.

    Attributes:
        num_qubits: number of bits.
        ratio: k of bitstrings that differ in one bit, in (0, 1).

    Raises:
        QhnError: at construction, if there are no bits, or the ratio is not in (0, 1).

    >>> HammingKernel(2, 0.5).smooth(np.array([1.0, 0.0, 0.0, 0.0]))  # k of 00 with 00, 10, 01 and 11
    array([1.  , 0.5 , 0.5 , 0.25])
    """

    num_qubits: int
    ratio: float

    def __post_init__(self) -> None:
        settle(self, num_qubits=Whole(1), ratio=Number(above=0, below=1))

    @property
    def uniform(self) -> float:
        """The mean of k over one bitstring, or two, that are uniformly distributed; it is the same for both."""
        return float((0.5 + 0.5 * self.ratio) ** self.num_qubits)

    def smooth(self, table: Floats) -> Floats:
        """The sums Σ_y k(x, y)·t(y) for all x: ``[2**num_qubits]`` → the same, qubit 0 least significant."""
        found = table.astype(np.float64)
        for start in range(0, self.num_qubits, QUBITS_AT_A_TIME):
            size = 2 ** min(QUBITS_AT_A_TIME, self.num_qubits - start)
            numbers = np.arange(size)
            block = self.ratio ** np.bitwise_count(numbers[:, None] ^ numbers)
            found = (found.reshape(-1, size) @ block).T.reshape(-1)  # the next qubits are now the lowest
        return found

    def means(self, one: Bits, other: Bits) -> tuple[Floats, Floats]:
        """The means of k over all pairs of two lists of bitstrings, for each bitstring of either.

        Args:
            one: bitstrings, ``[n, num_qubits]``.
            other: bitstrings, ``[m, num_qubits]``.

        Returns:
            The mean of k over ``other`` for each of ``one``, ``[n]``, and over ``one`` for each of ``other``, ``[m]``.
        """
        by_table = float(self.num_qubits) * 2.0**self.num_qubits
        return (self._by_tables if by_table < PASSES_OF_A_PAIR * len(one) * len(other) else self._by_pairs)(one, other)

    def _by_tables(self, one: Bits, other: Bits) -> tuple[Floats, Floats]:
        """The means from the shares of all bitstrings in each list."""
        ends, size = (bitstrings.to_integers(one), bitstrings.to_integers(other)), 2**self.num_qubits
        first, second = (self.smooth(np.bincount(places, minlength=size) / len(places)) for places in ends)
        return second[ends[0]], first[ends[1]]

    def _by_pairs(self, one: Bits, other: Bits) -> tuple[Floats, Floats]:
        """The means from the distance of each pair, a product of spins, which single precision holds exactly."""
        powers = self.ratio ** np.arange(self.num_qubits + 1)
        spins = 1 - 2 * other.astype(np.float32)
        block = max(1, PAIRS_AT_A_TIME // len(other))
        of_one, of_other = np.empty(len(one)), np.zeros(len(other))
        for start in range(0, len(one), block):
            part = slice(start, start + block)
            agreement = (1 - 2 * one[part].astype(np.float32)) @ spins.T
            kernels = powers[((self.num_qubits - agreement) / 2).astype(np.int64)]
            of_one[part] = kernels.mean(axis=1)
            of_other += kernels.sum(axis=0)
        return of_one, of_other / len(one)
