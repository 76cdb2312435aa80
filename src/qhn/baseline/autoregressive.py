"""An autoregressive model of bitstrings: the probability of every bit is a function of a weighted sum of those before.

It is the fully visible sigmoid belief network (Neal, Artificial Intelligence 56, 71, 1992; Frey, *Graphical Models for
Machine Learning and Digital Communication*, 1998), a classical peer of a hypernetwork: it draws networks, its
probabilities are known, and its bits depend on each other. Beside the usual logistic function of the sum z there is
p = sin²(z/2), that of a qubit which RY turns by the angle z. Without weights it is the product state, and unlike the
logistic function it cannot drift to where all its slopes vanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit

from qhn.arrays import Bits, Floats
from qhn.bitstrings import from_integers
from qhn.errors import QhnError
from qhn.fields import Whole, settle

Link = Literal["logistic", "angle"]
TINY = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True)
class Autoregressive:
    """The model p(x) = Π_i p(x_i | x_0 … x_{i−1}) in which bit i is 1 with probability f(b_i + Σ_{j<i} W_ij x_j).

    Its parameters are one flat vector: the biases b, and then the weights W row by row, those of bit 1 first.

    Attributes:
        num_bits: number of bits.
        link: the function f: ``"logistic"``, or ``"angle"`` for f(z) = sin²(z/2).

    Raises:
        ValueError: at construction, if ``num_bits`` is below 1 or the link unknown.

    >>> coin = Autoregressive(1, "logistic")
    >>> coin.mean_and_grad([[0.0]], [0.0, 1.0])
    (array([0.5]), array([[0.25]]))
    """

    num_bits: int
    link: Link = "angle"

    def __post_init__(self) -> None:
        settle(self, num_bits=Whole(1))
        if self.link not in ("logistic", "angle"):
            raise QhnError(f"link must be logistic or angle, got {self.link!r}")

    @property
    def num_parameters(self) -> int:
        """The number of biases and weights, N + N(N − 1)/2."""
        return self.num_bits * (self.num_bits + 1) // 2

    def initial(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw parameters ``[count, num_parameters]``.

        Biases are uniform in [0, 2π) if they are angles, as those of a circuit, and standard normal if not; weights are
        normal with variance 1/num_bits, as usual for sums of so many bits (LeCun et al., *Efficient BackProp*, 1998).
        """
        biases = (count, self.num_bits)
        first = rng.uniform(0.0, 2 * np.pi, biases) if self.link == "angle" else rng.normal(size=biases)
        weights = rng.normal(size=(count, self.num_parameters - self.num_bits)) / np.sqrt(self.num_bits)
        return np.concatenate([first, weights], axis=1)

    def probabilities(self, parameters: ArrayLike) -> Floats:
        """The probabilities of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_bits]``.

        Bit 0 is the least significant of an index.
        """
        rows = np.asarray(parameters, dtype=np.float64)
        return self._reached([self._share(sums) for sums in self._sums(rows)])[-1]

    def mean_and_grad(self, parameters: ArrayLike, costs: ArrayLike) -> tuple[Floats, Floats]:
        """The mean cost and its gradient, exactly: ``[B, num_parameters]`` → ``[B]``, ``[B, num_parameters]``.

        The mean given the first bits is a mean over the next one, so that a single pass over all prefixes, the longest
        first, gives the mean and its slopes by all sums.

        Args:
            parameters: biases and weights.
            costs: the costs of all bitstrings, ``[2**num_bits]``, bit 0 least significant.
        """
        rows = np.asarray(parameters, dtype=np.float64)
        sums = self._sums(rows)
        shares = [self._share(level) for level in sums]
        reached = self._reached(shares[:-1])
        means = np.broadcast_to(np.asarray(costs, dtype=np.float64), (len(rows), 2**self.num_bits))
        biases = np.empty((len(rows), self.num_bits))
        weights: list[Floats] = []
        for bit in reversed(range(self.num_bits)):
            low, high = means[:, : 2**bit], means[:, 2**bit :]
            slope = reached[bit] * self._slope(sums[bit]) * (high - low)
            biases[:, bit] = slope.sum(axis=1)
            weights.insert(0, slope @ _prefixes(bit))
            means = low + shares[bit] * (high - low)
        return means[:, 0].copy(), np.concatenate([biases, *weights], axis=1)

    def sample(self, parameters: ArrayLike, count: int, rng: np.random.Generator) -> Bits:
        """Draw bitstrings: ``[B, num_parameters]`` → ``[B, count, num_bits]``."""
        rows = np.asarray(parameters, dtype=np.float64)
        matrix, biases = self._matrix(rows), rows[:, : self.num_bits]
        bits = np.zeros((len(rows), count, self.num_bits), dtype=np.uint8)
        uniform = rng.random(bits.shape)
        for bit in range(self.num_bits):
            sums = biases[:, None, bit] + np.einsum("bsn,bn->bs", bits[..., :bit], matrix[:, bit, :bit])
            bits[..., bit] = uniform[..., bit] < self._share(sums)
        return bits

    def score(self, parameters: ArrayLike, bits: Bits) -> Floats:
        """The gradient of log p(bits): ``[B, S, num_bits]`` → ``[B, S, num_parameters]``."""
        rows = np.asarray(parameters, dtype=np.float64)
        sums = rows[:, None, : self.num_bits] + np.einsum("bsj,bij->bsi", bits, self._matrix(rows))
        share = self._share(sums)
        likely = np.where(bits, share, 1 - share) + TINY  # a bit of probability 0 is never drawn
        slopes = np.where(bits, 1.0, -1.0) * self._slope(sums) / likely
        after, before = np.tril_indices(self.num_bits, -1)
        return np.concatenate([slopes, slopes[..., after] * bits[..., before]], axis=-1)

    def _share(self, sums: Floats) -> Floats:
        """The probability of a 1 for a weighted sum."""
        share: Floats = expit(sums) if self.link == "logistic" else np.square(np.sin(0.5 * sums))
        return share

    def _slope(self, sums: Floats) -> Floats:
        """The derivative of :meth:`_share`."""
        slope: Floats = expit(sums) * expit(-sums) if self.link == "logistic" else 0.5 * np.sin(sums)
        return slope

    def _matrix(self, rows: Floats) -> Floats:
        """The weights as lower triangular matrices ``[B, num_bits, num_bits]``."""
        matrix = np.zeros((len(rows), self.num_bits, self.num_bits))
        matrix[:, *np.tril_indices(self.num_bits, -1)] = rows[:, self.num_bits :]
        return matrix

    def _sums(self, rows: Floats) -> list[Floats]:
        """The weighted sums of each bit after every prefix, ``[B, 2**bit]``."""
        matrix = self._matrix(rows)
        return [rows[:, bit, None] + matrix[:, bit, :bit] @ _prefixes(bit).T for bit in range(self.num_bits)]

    @staticmethod
    def _reached(shares: list[Floats]) -> list[Floats]:
        """The probabilities of all prefixes of 0, 1, … bits, ``[B, 2**bits]``, from those of the next bit being 1."""
        found = [np.ones((len(shares[0]) if shares else 1, 1))]
        for share in shares:
            ones = found[-1] * share
            found.append(np.concatenate([found[-1] - ones, ones], axis=1))
        return found


def _prefixes(length: int) -> Floats:
    """All bitstrings of a length as numbers, ``[2**length, length]``."""
    return from_integers(np.arange(2**length), length).astype(np.float64)
