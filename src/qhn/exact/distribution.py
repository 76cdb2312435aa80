"""The exact distribution of an ansatz's measured bits: probabilities, entropy, shots, entanglement."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.errors import QhnError
from qhn.exact import kernels
from qhn.exact.cut import best_cut, cut_at, num_crossings
from qhn.exact.halves import Halves, HalvesPool, names, restore, row_blocks, squared_amplitudes
from qhn.exact.protocol import ExactDistribution, check_thetas
from qhn.fields import Whole
from qhn.threads import in_parallel

MAX_AMPLITUDES = 2**25  # amplitudes of the state of a half: with what sampling needs beside it, some 4 GiB
MAX_NUMBERS = 2**15  # amplitudes of all rows side by side, each of which is read with the stride of the others
MAX_PROBABILITY_QUBITS = 28  # qubits up to which all probabilities can be asked for


class Distribution(ExactDistribution):
    """The distribution p(bits) = |⟨bits|U(θ)|0⟩|² of an ansatz's measured bits, at given angles.

    Args:
        ansatz: the circuit.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Raises:
        ValueError: if the circuit is no hypernetwork, or too large and too deep to be simulated exactly.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> coins = Distribution(product_state(2))
    >>> theta = [[np.pi / 2, np.pi, 0.0, 0.0]]
    >>> coins.probabilities(theta).round(12)
    array([[0. , 0. , 0.5, 0.5]])
    >>> coins.entropy(theta).round(12)
    array([1.])
    """

    ansatz: Hypernetwork

    def __init__(self, ansatz: Hypernetwork, *, num_threads: int | None = None) -> None:
        super().__init__(ansatz, num_threads)
        self.cut = best_cut(ansatz)
        self._pool = HalvesPool(ansatz, self.cut)
        size = self.cut.num_branches * max(self.cut.low.size, self.cut.high.size)
        if size > MAX_AMPLITUDES:
            raise QhnError(
                f"exact simulation of {ansatz.num_qubits} qubits and {ansatz.num_layers} layers takes states of "
                f"2^{size.bit_length() - 1} amplitudes, more than 2^{MAX_AMPLITUDES.bit_length() - 1}; use fewer "
                "layers, or qhn.Chain"
            )

    @property
    def method(self) -> str:
        """The method of computation in words."""
        if self.cut.cut == self.ansatz.num_qubits:
            return "state vector"
        return f"cut after qubit {self.cut.cut - 1}, {self.cut.num_branches} branches"

    def sample(self, thetas: ArrayLike, shots: int, rng: np.random.Generator) -> Integers:
        """Draw measured bitstrings as integers, qubit 0 least significant: ``[B, num_parameters]`` → ``[B, shots]``.

        The high half is drawn from its marginal distribution and then the low half given the high one, so that the
        2^num_qubits probabilities are not needed.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        rows = check_thetas(thetas, self.ansatz)
        uniforms = rng.random((len(rows), 2, shots))
        result = np.empty((len(rows), shots), dtype=np.int64)

        def draw(part: slice) -> None:
            with self._pool.borrowed(part.stop - part.start) as halves:
                halves.forward(rows[part])
                kernels.draw(halves.psi, uniforms[part], self._names, result[part])

        in_parallel(draw, row_blocks(self.cut, len(rows), MAX_NUMBERS), self.num_threads)
        return result

    @cached_property
    def _names(self) -> tuple[Integers, Integers]:
        """The integers of the states of the low and of the high half."""
        return names(self.ansatz, self.cut)

    def _weights(self, row: Floats) -> Floats:
        halves = Halves(self.ansatz, self.cut, 1)
        halves.forward(row[None])
        return squared_amplitudes(halves)

    def _in_order(self, weights: Floats) -> Floats:
        return restore(self.ansatz, self.cut, weights)

    def _bits_at(self, place: int) -> Bits:
        low_names, high_names = self._names
        high, low = divmod(place, len(low_names))
        return bitstrings.from_integers(low_names[low] ^ high_names[high], self.ansatz.num_qubits)

    def _checked(self, thetas: ArrayLike) -> Floats:
        if self.ansatz.num_qubits > MAX_PROBABILITY_QUBITS:
            raise QhnError(
                f"all probabilities of {self.ansatz.num_qubits} qubits do not fit; at most {MAX_PROBABILITY_QUBITS}"
            )
        return super()._checked(thetas)


def schmidt_spectrum(ansatz: Hypernetwork, theta: ArrayLike, cut: int) -> Floats:
    """The Schmidt coefficients of the literal circuit's state between qubits ``0 … cut − 1`` and the others.

    They are in descending order, and their squares sum up to 1. Their number is at most 2^(CX gates across the cut),
    and a state of lower rank has coefficients that are zero up to rounding.

    Args:
        ansatz: the circuit.
        theta: angles in radians, ``[num_parameters]``.
        cut: number of qubits on the first side, from 1 to num_qubits − 1.

    Raises:
        ValueError: if ``cut`` is out of range, or ``theta`` has a wrong shape.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> theta = np.zeros(8)
    >>> theta[0] = np.pi / 2
    >>> schmidt_spectrum(hypernetwork(2, 1), theta, 1).round(6)
    array([0.707107, 0.707107])
    """
    cut = Whole()("cut", cut)
    if not 1 <= cut < ansatz.num_qubits:
        raise QhnError(f"cut must be between 1 and {ansatz.num_qubits - 1}, got {cut}")
    rows = check_thetas(np.asarray(theta)[None], ansatz)
    smaller = min(cut, ansatz.num_qubits - cut)
    deep = num_crossings(ansatz, cut, fold=False) > smaller  # more branches than the smaller side has dimensions
    parts = cut_at(ansatz, ansatz.num_qubits if deep else cut, fold=False)
    halves = Halves(ansatz, parts, 1)
    halves.forward(rows)
    low, high = (psi[0, ..., 0] + 1j * psi[1, ..., 0] for psi in halves.psi)  # [R, size]
    if deep:
        matrix = low.reshape(-1, 2**cut)
        matrix = matrix if len(matrix) < 2**cut else matrix.T
        squares = np.linalg.eigvalsh(matrix @ matrix.conj().T)[::-1]
        return np.sqrt(np.maximum(squares, 0.0))
    low_factor, high_factor = (np.asarray(np.linalg.qr(half.T, mode="r")) for half in (low, high))
    spectrum: Floats = np.linalg.svd(low_factor @ high_factor.T, compute_uv=False)
    return spectrum
