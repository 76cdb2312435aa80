"""Mitigation of readout errors: ⟨C⟩ without them, from the costs of the measured bits and the rates of the errors.

A qubit in 0 reads 1 with probability p01, one in 1 reads 0 with p10: measured bits are distributed as q = ⊗A_j p with
A_j = [[1 − p01, p10], [p01, 1 − p10]]. So E = Σ p·C = Σ q·C′ with C′ = (⊗A_j⁻¹)ᵀ C, and E is the average of C′, whose
spread is little larger than that of C: by a tenth at rates of 2 % on 14 qubits. Where the last CX brick was left to
:meth:`qhn.circuit.ansatz.GateCircuit.relabel`, C is that of the relabelled bits. C′ is no network's cost: it serves
for E and its gradient, and for nothing else.

The rates are estimated from counts. Their uncertainty gives the mean an error that all rows measured on the same qubits
share. Errors of different qubits are taken to be independent.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.backend.sampler import BackendError
from qhn.backend.samples import ReadoutCounts
from qhn.circuit.ansatz import GateCircuit
from qhn.errors import QhnError
from qhn.estimator.means import Means
from qhn.problem.cost import Problem
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import cost_range, enumerate_costs
from qhn.statistics import mean_and_error

Mitigation = Literal["none", "readout", "mthree"]
TABLE_QUBITS = 22  # most qubits for which C′ is a table; for more it is of first order in the rates
MAX_RATES = 0.9  # largest p01 + p10 of a qubit that still tells 0 from 1
MAX_KEPT = 1 << 22  # largest number of neighbours' costs that are kept between calls
MAX_DENSE = 4096  # most bitstrings of a row that mthree corrects by a dense matrix


def correction(
    mitigation: Mitigation, ansatz: GateCircuit, evaluations: Evaluations
) -> ReadoutInversion | Mthree | None:
    """The correction of means for readout errors named ``mitigation``; None for ``"none"``.

    Raises:
        ValueError: if there is no mitigation of that name, or the package mthree is not installed.
    """
    if mitigation == "readout":
        return ReadoutInversion(ansatz, evaluations.problem)
    if mitigation == "mthree":
        return Mthree(ansatz, evaluations)
    if mitigation != "none":
        raise QhnError(f"mitigation must be none, readout or mthree, got {mitigation!r}")
    return None


def inverted(costs: Floats, rates: Floats) -> Floats:
    """Corrected costs C′ of all measured bitstrings, ``[2**num_qubits]``, from costs C and rates of readout errors.

    Args:
        costs: costs ``[2**num_qubits]``, qubit 0 the least significant bit of the index.
        rates: probabilities p01 to read 1 for 0 and p10 to read 0 for 1, ``[num_qubits, 2]``.

    >>> costs, rates = np.array([0.0, 1.0]), np.array([[0.1, 0.2]])
    >>> inverted(costs, rates).round(3).tolist()  # 0 reads 1 in a tenth of the shots: 0.9·C′(0) + 0.1·C′(1) = C(0)
    [-0.143, 1.286]
    """
    table = costs.copy()
    for qubit, (p01, p10) in enumerate(rates):
        pairs = table.reshape(-1, 2, 1 << qubit)
        slope = (pairs[:, 1] - pairs[:, 0]) / (1 - p01 - p10)
        pairs[:, 0] -= p01 * slope
        pairs[:, 1] += p10 * slope
    return table


def inverted_for(ansatz: GateCircuit, costs: Floats, rates: Floats, *, folded: bool) -> Floats:
    """Corrected cost C′ of the measured bitstring that stands for each network, ``[2**num_qubits]``.

    Args:
        ansatz: the circuit.
        costs: costs of all networks, ``[2**num_qubits]``, qubit 0 the least significant bit of the index.
        rates: probabilities p01 to read 1 for 0 and p10 to read 0 for 1, ``[num_qubits, 2]``.
        folded: whether the last CX brick is applied to the measured bits, so that they differ from the network's.
    """
    if not folded:
        return inverted(costs, rates)
    return inverted(costs[ansatz.relabelled], rates)[ansatz.relabelled]  # the brick is its own inverse


def uncertainty(readout_counts: ReadoutCounts) -> Floats:
    """Standard deviations of the counted rates, ``[num_tiles, num_qubits, 2]``, above 0 even where nothing was counted.

    The posterior of each rate follows from Jeffreys' prior; its standard deviation is returned.

    >>> uncertainty(ReadoutCounts(np.array([[[0, 20]]]), 1000)).round(5).tolist()
    [[[0.00071, 0.00447]]]
    """
    share = (readout_counts.counts + 0.5) / (readout_counts.shots + 1)
    deviation: Floats = np.sqrt(share * (1 - share) / (readout_counts.shots + 2))
    return deviation


def check_rates(readout_counts: ReadoutCounts) -> None:
    """Refuse qubits whose readout hardly tells 0 from 1.

    Raises:
        BackendError: if p01 + p10 of a qubit is above 0.9; the message names the first such qubit.
    """
    rates = readout_counts.rates
    hopeless = np.argwhere(rates.sum(axis=-1) > MAX_RATES)
    if len(hopeless):
        tile, qubit = hopeless[0]
        p01, p10 = rates[tile, qubit]
        raise BackendError(
            f"qubit {qubit} of tile {tile} read 1 for 0 in {p01:.0%} and 0 for 1 in {p10:.0%} of the shots, more "
            f"together than the {MAX_RATES:.0%} that can be corrected; use other qubits, or mitigation = 'none'"
        )


class ReadoutInversion:
    """Correction by inversion of the readout errors: averages C′ over the measured bits.

    It evaluates costs beyond those of the measured bits; these enter neither the best cost nor the number evaluated.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings.
    """

    def __init__(self, ansatz: GateCircuit, problem: Problem) -> None:
        self.ansatz = ansatz
        self.problem = problem
        self._table: tuple[bool, Floats] | None = None
        self._last: tuple[tuple[bool, bytes], Floats] | None = None
        self._known = Evaluations(problem)

    def means(self, bits: Bits, tiles: Integers, readout_counts: ReadoutCounts, folded: bool) -> Means:
        """Means of C′ in each row, with shared errors from the uncertain rates: K = tiles · qubits · 2 causes.

        Args:
            bits: measured bits ``uint8[num_rows, shots, num_qubits]``, relabelled if ``folded``.
            tiles: index of the tile on which each row was measured, ``int64[num_rows]``.
            readout_counts: counted readout errors of all tiles.
            folded: whether the last CX brick was applied to the measured bits.

        Raises:
            BackendError: if p01 + p10 of a qubit is above 0.9.
        """
        check_rates(readout_counts)
        mean, error = np.empty(len(bits)), np.empty(len(bits))
        shared = np.zeros((len(bits), *readout_counts.counts.shape))
        deviations = uncertainty(readout_counts)
        for tile in np.unique(tiles):
            rows = np.flatnonzero(tiles == tile)
            mean[rows], error[rows], slopes = self._on_tile(bits[rows], readout_counts.rates[tile], folded)
            shared[rows, tile] = slopes * deviations[tile]
        return Means(mean, error, shared.reshape(len(bits), -1))

    def ranges(self, tiles: Integers, readout_counts: ReadoutCounts, folded: bool) -> Floats | None:
        """The lowest and the highest corrected cost C′ on the tile of each row, ``[num_rows, 2]``.

        With too many qubits for a table of C′ they are bounds that follow from those of C; None if there are none.

        Args:
            tiles: index of the tile on which each row was measured, ``int64[num_rows]``.
            readout_counts: counted readout errors of all tiles.
            folded: whether the last CX brick was applied to the measured bits.
        """
        if self.ansatz.num_qubits > TABLE_QUBITS and self._cost_range is None:
            return None
        found = np.empty((len(tiles), 2))
        for tile in np.unique(tiles):
            found[tiles == tile] = self._range_on_tile(readout_counts.rates[tile], folded)
        return found

    def _range_on_tile(self, rates: Floats, folded: bool) -> tuple[float, float]:
        if self.ansatz.num_qubits <= TABLE_QUBITS:
            table = self._inverted(rates, folded)
            return float(table.min()), float(table.max())
        assert self._cost_range is not None
        lowest, highest = self._cost_range
        most = (rates.max(axis=1) / (1 - rates.sum(axis=1))).sum() * (highest - lowest)  # a flip changes C by no more
        return lowest - most, highest + most

    @cached_property
    def _cost_range(self) -> tuple[float, float] | None:
        return cost_range(self.problem)

    def _on_tile(self, bits: Bits, rates: Floats, folded: bool) -> tuple[Floats, Floats, Floats]:
        """Mean and error of C′, ``[num_rows]``, and the derivatives of the mean, ``[num_rows, num_qubits, 2]``."""
        raw = self.ansatz.relabel(bits) if folded else bits  # the brick is its own inverse
        exact = self.ansatz.num_qubits <= TABLE_QUBITS
        values, neighbours = self._by_table(raw, rates, folded) if exact else self._by_bits(bits, folded)
        result = values.copy()
        slopes = np.empty((len(bits), self.ansatz.num_qubits, 2))
        for qubit, (p01, p10) in enumerate(rates):
            # With D what a flip of the qubit does to C′, dC′/dp01 is −D/(1 − p01 − p10) times 1 − p10 where it read 0,
            # and p10 where it read 1; dC′/dp10 the same with 0 and 1 exchanged.
            change, ones = next(neighbours) - values, raw[..., qubit]
            if not exact:  # a flip changes C′ as it changes C, enlarged
                change /= 1 - p01 - p10
                result -= np.where(ones, p10, p01) * change
            after_1 = np.einsum("rs,rs->r", change, ones) / bits.shape[1]
            after_0 = change.mean(axis=1) - after_1
            slopes[:, qubit, 0] = (1 - p10) * after_0 + p10 * after_1
            slopes[:, qubit, 1] = p01 * after_0 + (1 - p01) * after_1
            slopes[:, qubit] /= p01 + p10 - 1
        return *mean_and_error(result), slopes

    def _by_table(self, raw: Bits, rates: Floats, folded: bool) -> tuple[Floats, Iterator[Floats]]:
        """C′ of measured bits ``[num_rows, shots]``, and C′ with each qubit flipped in turn."""
        table, names = self._inverted(rates, folded), bitstrings.to_integers(raw)
        return table[names], (table[names ^ (1 << qubit)] for qubit in range(len(rates)))

    def _inverted(self, rates: Floats, folded: bool) -> Floats:
        """The corrected cost C′ of each measured bitstring, ``[2**num_qubits]``; the last table is kept."""
        key = folded, rates.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, inverted(self._costs(folded), rates)
        return self._last[1]

    def _costs(self, folded: bool) -> Floats:
        """The cost of the network that each measured bitstring stands for: ``[2**num_qubits]``."""
        if self._table is None or self._table[0] != folded:
            costs = enumerate_costs(self.problem)
            self._table = folded, costs[self.ansatz.relabelled] if folded else costs
        return self._table[1]

    def _by_bits(self, bits: Bits, folded: bool) -> tuple[Floats, Iterator[Floats]]:
        """C of networks ``[num_rows, shots]``, and C with each measured qubit flipped in turn."""
        num_qubits = self.ansatz.num_qubits
        packed = bitstrings.pack(bits)
        names, place = np.unique(bitstrings.keys(packed), return_inverse=True)
        different = bitstrings.unpack(bitstrings.packed_keys(names, packed.shape[-1]), num_qubits)
        place = place.reshape(bits.shape[:2])
        flipped = np.eye(num_qubits, dtype=np.uint8)
        if folded:
            flipped = self.ansatz.relabel(flipped)
        if self._known.distinct > MAX_KEPT:
            self._known = Evaluations(self.problem)
        known = self._known
        return known.cost(different)[place], (known.cost(different ^ flip)[place] for flip in flipped)


class Mthree:
    """Correction of the counts of each row by the package mthree (arXiv:2108.12518), from the counted readout errors.

    It inverts errors among the bitstrings measured in a row, and cannot restore shots that were read as others: of the
    bias of 14 trained qubits with rates of 2 % it left nearly a fifth at 1000 shots. A row takes up to 50 ms.
    The stated errors are those of :class:`ReadoutInversion`.

    Args:
        ansatz: the circuit.
        evaluations: the costs of bitstrings evaluated so far, the measured ones included.

    Raises:
        ValueError: if mthree is not installed.
    """

    def __init__(self, ansatz: GateCircuit, evaluations: Evaluations) -> None:
        try:
            from mthree import M3Mitigation
        except ImportError:
            raise QhnError("mitigation = 'mthree' needs a package of its own: pip install 'qhn[mthree]'") from None
        self._mitigation = M3Mitigation
        self._inversion = ReadoutInversion(ansatz, evaluations.problem)
        self._evaluations = evaluations

    def means(self, bits: Bits, tiles: Integers, readout_counts: ReadoutCounts, folded: bool) -> Means:
        """Means of C over the corrected counts of each row, ``[num_rows]``; see :meth:`ReadoutInversion.means`."""
        inverse = self._inversion.means(bits, tiles, readout_counts, folded)
        raw = self._inversion.ansatz.relabel(bits) if folded else bits
        correctors = [self._corrector(rates) for rates in readout_counts.rates]
        mean = np.empty(len(bits))
        for row, tile in enumerate(tiles):
            _, first, counts = np.unique(bitstrings.pack(raw[row]), axis=0, return_index=True, return_counts=True)
            names = [bitstrings.text(raw[row, shot, ::-1]) for shot in first]
            method = "direct" if len(names) <= MAX_DENSE else "iterative"  # by default the free memory decides
            quasi = correctors[tile].apply_correction(
                dict(zip(names, counts.tolist(), strict=True)), range(bits.shape[-1]), distance=-1, method=method
            )
            mean[row] = self._evaluations.cost(bits[row, first]) @ [quasi[name] for name in names]
        return replace(inverse, mean=mean)

    def ranges(self, tiles: Integers, readout_counts: ReadoutCounts, folded: bool) -> Floats | None:
        """The lowest and the highest corrected cost of each row; see :meth:`ReadoutInversion.ranges`."""
        return self._inversion.ranges(tiles, readout_counts, folded)

    def _corrector(self, rates: Floats) -> Any:
        corrector = self._mitigation()
        corrector.cals_from_matrices([np.array([[1 - p01, p10], [p01, 1 - p10]]) for p01, p10 in rates])
        return corrector
