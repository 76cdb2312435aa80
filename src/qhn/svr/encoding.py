"""The encoding of the multipliers of a support vector regression by bits: α = Σ_i B^(i − k0)·x_i."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Number, Whole, settle

MOST_BITS = 32  # of one multiplier
LARGEST_WEIGHT = 1e15  # of one bit, and its inverse: energies hold products of weights


@dataclass(frozen=True)
class Encoding:
    """A fixed-point encoding of multipliers from 0 to :attr:`largest`, as many bits each.

    Two multipliers belong to each sample, α and α̂. The bits of the α of all samples come first, sample by sample, and
    then those of all α̂.

    Attributes:
        num_bits: number of bits of one multiplier.
        base: B, the ratio of the weights of consecutive bits.
        k0: the exponent that is subtracted from the number of each bit.

    Raises:
        QhnError: at construction, if a value is out of its range, or a bit would weigh above 1e15 or below 1e-15.

    >>> encoding = Encoding()
    >>> encoding.weights.round(4), round(encoding.largest, 3), encoding.num_variables(20)
    (array([1.0035, 0.5017, 0.2509]), 1.756, 120)
    >>> Encoding(num_bits=2, base=2.0, k0=0.0).decode([1, 1, 0, 1])
    (array([3.]), array([2.]))
    """

    num_bits: int = 3
    base: float = 0.5
    k0: float = 0.005

    def __post_init__(self) -> None:
        settle(self, num_bits=Whole(1, MOST_BITS), base=Number(above=0), k0=Number())
        extreme = np.abs((np.array([0, self.num_bits - 1]) - self.k0) * np.log(self.base)).max()
        if not extreme <= np.log(LARGEST_WEIGHT):
            raise QhnError(
                f"num_bits {self.num_bits}, base {self.base:g} and k0 {self.k0:g} give bits that weigh more than "
                f"{LARGEST_WEIGHT:g} or less than its inverse; take a base nearer to 1, fewer bits or a k0 nearer to 0"
            )

    @cached_property
    def weights(self) -> Floats:
        """The weight B^(i − k0) of each bit i of a multiplier, ``[num_bits]``."""
        return np.asarray(self.base ** (np.arange(self.num_bits) - self.k0), dtype=np.float64)

    @property
    def largest(self) -> float:
        """The largest multiplier, of which all bits are 1."""
        return float(self.weights.sum())

    def num_variables(self, num_samples: int) -> int:
        """The number of bits of the multipliers of all samples.

        Args:
            num_samples: number of samples, to each of which two multipliers belong.
        """
        return 2 * self.num_bits * num_samples

    def decode(self, bits: ArrayLike) -> tuple[Floats, Floats]:
        """The multipliers of bitstrings ``[..., num_variables]``.

        Args:
            bits: the bits, zeros and ones.

        Returns:
            α and α̂ of each sample, ``[..., num_samples]``.

        Raises:
            QhnError: if the bits are not those of whole pairs of multipliers.
        """
        given = np.asarray(bits)
        pair = 2 * self.num_bits
        size = given.shape[-1] if given.ndim else 0
        if size == 0 or size % pair:
            raise QhnError(f"bits must be a multiple of {pair}, those of the multipliers of one sample, got {size}")
        rows = bitstrings.as_bits(given, size)
        multipliers = rows.reshape(*rows.shape[:-1], 2, size // pair, self.num_bits) @ self.weights
        return multipliers[..., 0, :], multipliers[..., 1, :]
