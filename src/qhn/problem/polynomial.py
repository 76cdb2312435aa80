"""Costs as polynomials of spins, C(σ) = Σ_k f_k Π_{j∈k} σ_j, with σ_j = 2·bit_j − 1.

A problem that knows its polynomial offers it (:class:`qhn.problem.capabilities.HasPolynomial`): then E is a sum of a
few means ⟨Π σ_j⟩ and needs no table of all costs, and a circuit such as QAOA can be made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.errors import QhnError

MAX_FACTORS = 2**22  # spins of all terms of some bitstrings, whose products are taken at a time: 32 MiB


@dataclass(frozen=True, eq=False)
class SpinPolynomial:
    """A polynomial of spins σ = ±1, bit 1 being σ = +1.

    Attributes:
        num_qubits: number of spins, one qubit each.
        terms: the qubits of each term, ascending, all different; the constant term is ``()``.
        coefficients: the factor of each term, ``[num_terms]``.

    Raises:
        QhnError: at construction, if there is not one coefficient a term, or a term is not a set of qubits.

    >>> parity = SpinPolynomial.of(2, {(): 1.0, (0, 1): 0.5})
    >>> parity(np.array([[0, 0], [0, 1]], dtype=np.uint8)), parity.degree
    (array([1.5, 0.5]), 2)
    """

    num_qubits: int
    terms: tuple[tuple[int, ...], ...]
    coefficients: Floats

    def __post_init__(self) -> None:
        if self.coefficients.shape != (len(self.terms),):
            raise QhnError(f"{len(self.terms)} terms need as many coefficients, got {list(self.coefficients.shape)}")
        for term in self.terms:
            if list(term) != sorted(set(term)) or (term and not 0 <= term[0] <= term[-1] < self.num_qubits):
                raise QhnError(f"a term must name different qubits from 0 to {self.num_qubits - 1}, got {term}")

    @classmethod
    def of(cls, num_qubits: int, terms: Mapping[tuple[int, ...], float]) -> SpinPolynomial:
        """The polynomial with the given factors; those of equal sets of qubits are added, and zeros left out.

        Args:
            num_qubits: number of spins.
            terms: the factor of each term by its qubits, in any order.
        """
        total: dict[tuple[int, ...], float] = {}
        for qubits, factor in terms.items():
            name = tuple(sorted(int(qubit) for qubit in qubits))
            total[name] = total.get(name, 0.0) + float(factor)
        kept = sorted((name for name, factor in total.items() if factor), key=lambda name: (len(name), name))
        return cls(num_qubits, tuple(kept), np.array([total[name] for name in kept], dtype=np.float64))

    def __call__(self, bits: Bits) -> Floats:
        """The value at each bitstring: ``[..., num_qubits]`` → ``[...]``."""
        return self.at_spins(2.0 * bitstrings.as_bits(bits, self.num_qubits).astype(np.float64) - 1.0)

    def at_spins(self, spins: Floats) -> Floats:
        """The value at any real spins: ``[..., num_qubits]`` → ``[...]``.

        At the means of independent spins it is the mean value.
        """
        rows = spins.reshape(-1, self.num_qubits)
        values = np.empty(len(rows))
        block = max(1, MAX_FACTORS // max(1, self.degree * len(self.terms)))
        for start in range(0, len(rows), block):
            part = slice(start, start + block)
            products = [rows[part][:, terms].prod(axis=2) @ factors for terms, factors in self._by_degree]
            values[part] = np.sum(products, axis=0)
        return values.reshape(spins.shape[:-1])

    @cached_property
    def _by_degree(self) -> list[tuple[Integers, Floats]]:
        """The qubits ``[n, degree]`` and the factors ``[n]`` of the terms of each degree."""
        degrees = np.array([len(term) for term in self.terms], dtype=np.int64)
        return [
            (
                np.array([self.terms[index] for index in np.flatnonzero(degrees == degree)], dtype=np.int64),
                self.coefficients[degrees == degree],
            )
            for degree in np.unique(degrees)
        ]

    @cached_property
    def degree(self) -> int:
        """The largest number of spins in a term; 0 for a constant."""
        return max((len(term) for term in self.terms), default=0)

    @cached_property
    def constant(self) -> float:
        """The constant term, which is the mean over all bitstrings."""
        return float(sum(f for term, f in zip(self.terms, self.coefficients, strict=True) if not term))

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """A lower and an upper bound of all values: the constant term minus and plus the size of all others."""
        others = float(sum(abs(f) for term, f in zip(self.terms, self.coefficients, strict=True) if term))
        return self.constant - others, self.constant + others

    @cached_property
    def spread(self) -> float:
        """The standard deviation of the values over all bitstrings."""
        return float(np.sqrt(sum(f**2 for term, f in zip(self.terms, self.coefficients, strict=True) if term)))

    @cached_property
    def scale(self) -> float:
        """How far a typical value should lie above the lowest one, by the spread alone.

        It is exact for as many independent normal values as there are bitstrings, if they are many: the lowest of 2^N
        lies √(2N·ln 2) standard deviations below their mean.
        """
        return self.spread * float(np.sqrt(2 * self.num_qubits * np.log(2)))


def walsh_hadamard(costs: Floats) -> Floats:
    """The factor of each product of spins σ = 2·bit − 1 in a table of costs: ``[2**n]`` → ``[2**n]``.

    The qubits of the product are the ones of the index, qubit 0 the least significant bit.

    >>> walsh_hadamard(np.array([1.0, 2.0, 3.0, 4.0])).tolist()  # 2.5 + σ_0 / 2 + σ_1
    [2.5, 0.5, 1.0, 0.0]
    """
    factors, half = costs.astype(np.float64, copy=True), 1
    while half < len(factors):
        pairs = factors.reshape(-1, 2, half)
        low, high = pairs[:, 0].copy(), pairs[:, 1].copy()
        pairs[:, 0], pairs[:, 1] = (low + high) / 2, (high - low) / 2
        half *= 2
    return factors
