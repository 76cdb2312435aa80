"""LABS: binary sequences of low autocorrelation, a benchmark of hard optimisation (Golay 1982; arXiv:1512.02475)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn import bitstrings
from qhn.arrays import Floats, Integers
from qhn.fields import Whole, settle
from qhn.problem.polynomial import SpinPolynomial

BLOCK = 1 << 12  # sequences whose spectra are held at a time
MAX_LENGTH = 4096  # up to which energies are far below 2^53, so that the spectrum gives them exactly


@dataclass(frozen=True)
class LabsProblem:
    """The energy E(s) = Σ_{k=1}^{N−1} C_k² of sequences of N spins, with C_k = Σ_{i=1}^{N−k} s_i·s_{i+k}.

    The C_k are the aperiodic autocorrelations; spins are s = 2·bit − 1. The merit factor of a sequence is N²/(2E), the
    higher the better.

    Attributes:
        num_qubits: length N of the sequences, one qubit a spin.

    Raises:
        QhnError: at construction, if N is not an integer from 2 to 4,096.

    >>> barker = bitstrings.from_text("1111100110101")
    >>> LabsProblem(13).cost(barker), LabsProblem(13).describe(barker)[0]
    (np.float64(6.0), 'energy 6, merit factor 14.08')
    """

    num_qubits: int

    def __post_init__(self) -> None:
        settle(self, num_qubits=Whole(least=2, most=MAX_LENGTH))

    def cost(self, bits: ArrayLike) -> Floats:
        """The energy E of each sequence, an integer: bits ``[..., num_qubits]`` → ``[...]``.

        The power spectrum P_f at 2N frequencies is the transform of the autocorrelations, C_0 = N among them; so
        Σ_f P_f²/(2N) = N² + 2E.
        """
        from scipy.fft import rfft

        given = bitstrings.as_bits(bits, self.num_qubits)
        rows, size = given.reshape(-1, self.num_qubits), 2 * self.num_qubits
        energies = np.empty(len(rows))
        once = np.full(self.num_qubits + 1, 2.0)  # each frequency but the first and the last stands for two
        once[[0, -1]] = 1.0
        for start in range(0, len(rows), BLOCK):
            spectrum = rfft(2.0 * rows[start : start + BLOCK] - 1.0, size)
            squares = np.square(spectrum.real**2 + spectrum.imag**2) @ once
            energies[start : start + BLOCK] = np.rint((squares / size - self.num_qubits**2) / 2)
        return energies.reshape(given.shape[:-1])[()]

    def autocorrelations(self, bits: ArrayLike) -> Integers:
        """The autocorrelations C_1 … C_{N−1} of one sequence ``[num_qubits]``: ``[num_qubits - 1]``."""
        spins = 2 * bitstrings.as_bits(bits, self.num_qubits).astype(np.int64) - 1
        return np.correlate(spins, spins, "full")[self.num_qubits :]

    @property
    def digest(self) -> str:
        """SHA-256 of the problem's name and the length N, in hexadecimal."""
        return hashlib.sha256(f"labs {self.num_qubits}".encode()).hexdigest()

    @property
    def cost_range(self) -> tuple[float, float]:
        """Bounds of all energies: at least 1 for each odd C_k, and at most that of equal spins."""
        n = self.num_qubits
        return float(n // 2), float((n - 1) * n * (2 * n - 1) // 6)

    @cached_property
    def polynomial(self) -> SpinPolynomial:
        """The energy as a polynomial of spins, of degree 4."""
        n = self.num_qubits
        terms: Counter[tuple[int, ...]] = Counter({(): n * (n - 1) // 2})
        for k in range(1, n):
            for i in range(n - k):
                for j in range(i + 1, n - k):
                    twice = (i, j + k) if i + k == j else tuple(sorted((i, i + k, j, j + k)))
                    terms[twice] += 2
        return SpinPolynomial.of(n, terms)

    @property
    def noun(self) -> str:
        """What one bitstring stands for."""
        return "sequence"

    def summary(self) -> str:
        """The convention of the energy, and what each qubit stands for."""
        n = self.num_qubits
        return (
            f"binary sequences of {n} spins s = 2·bit − 1, qubit j being spin j\n"
            f"E = Σ_k C_k² over k = 1 … {n - 1}, C_k = Σ_i s_i·s_(i+k); merit factor {n}²/(2E)"
        )

    def describe(self, bits: ArrayLike) -> list[str]:
        """The energy, merit factor, run lengths and autocorrelations of one sequence ``[num_qubits]``, as lines."""
        row = bitstrings.as_bits(bits, self.num_qubits)
        energy = float(self.cost(row))
        runs = [len(list(run)) for _, run in groupby(row.tolist())]
        return [
            f"energy {energy:.0f}, merit factor {self.num_qubits**2 / (2 * energy):.4g}",
            f"spins {''.join('+' if bit else '−' for bit in row)}",
            f"run lengths {' '.join(map(str, runs))}",
            f"autocorrelations C_1 … {' '.join(map(str, self.autocorrelations(row)))}",
        ]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The problem as plain arrays by name, from which :meth:`from_arrays` makes it again."""
        return {"num_qubits": np.array(self.num_qubits)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Self:
        """The problem of the arrays of :meth:`arrays`."""
        return cls(int(arrays["num_qubits"]))
