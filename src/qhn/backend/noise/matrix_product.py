"""Distributions of bits as matrix products, p(bits) = A_0[bit 0] A_1[bit 1] …, of many rows that share matrices.

Unlike amplitudes these are probabilities themselves: a sum over bits is a sum of matrices, and the probability of the
next bit is linear in the product of those before it. Rows that differ at one qubit share the matrices of all others,
and the products on one side of any cut.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.threads import in_parallel

MAX_TABLE_QUBITS = 24  # qubits up to which all probabilities can be asked for
FEW_QUBITS = 16  # qubits up to which shots are drawn from all probabilities
AT_ONCE = 2**19  # numbers that one thread computes at a time
IMPOSSIBLE = 1e-18  # least probability of a bit, in place of zero or, by truncation, less: none is divided by


@dataclass(frozen=True)
class MatrixProduct:
    """The distributions of several rows as matrix products.

    Attributes:
        tensors: the different matrices of each qubit, ``[different, left, 2, right]``.
        which: the index of each row's matrix among them, ``[rows]`` for each qubit.
        num_threads: number of threads to use; results do not depend on it.
    """

    tensors: list[Floats]
    which: list[Integers]
    num_threads: int

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return len(self.which[0])

    @property
    def cut(self) -> int:
        """The number of qubits of the low half, chosen where the bond is smallest, near the middle."""
        num_qubits = len(self.tensors)
        middle = num_qubits // 2
        places = [cut for cut in (middle, middle + 1, middle - 1) if 0 <= cut < num_qubits]
        return min(places, key=lambda cut: self.tensors[cut].shape[1])

    def probabilities(self) -> Floats:
        """The probability of every bitstring in each row, qubit 0 least significant: ``[rows, 2**num_qubits]``."""
        result = np.empty((self.num_rows, 2 ** len(self.tensors)))
        low, lows = self._low(self.cut)
        high, highs = self._high(self.cut)

        def fill(row: int) -> None:
            np.matmul(high[highs[row]], low[lows[row]].T, out=result[row].reshape(high.shape[1], low.shape[1]))
            np.maximum(result[row], 0.0, out=result[row])

        in_parallel(fill, range(self.num_rows), self.num_threads)
        return result

    def means(self, costs: Floats) -> Floats:
        """The mean cost Σ p·C of each row for ``costs[2**num_qubits]``: ``[rows]``.

        The half that a row shares with more others is multiplied with the table of costs, once for all of them; then
        qubit after qubit of the other half is summed over, from the cut outwards, so that what differs between rows
        comes in as late as it can.
        """
        cut = self.cut
        table = costs.reshape(-1, 2**cut)
        lows, highs = self._names(self.which[:cut]), self._names(self.which[cut:])
        by_high = np.bincount(highs)[highs] >= np.bincount(lows)[lows]
        groups = [by_high & (highs == half) for half in np.unique(highs[by_high])]
        groups += [~by_high & (lows == half) for half in np.unique(lows[~by_high])]
        result = np.empty(self.num_rows)

        def fill(group: Bools) -> None:
            rows = np.flatnonzero(group)
            part, one = self._rows(rows), self._rows(rows[:1])
            if by_high[rows[0]]:
                result[rows] = part._sum_low(table.T @ one._high(cut)[0][0])
            else:
                result[rows] = part._sum_high(table @ one._low(cut)[0][0])

        in_parallel(fill, groups, self.num_threads)
        return result

    def sample(self, shots: int, streams: list[np.random.Generator]) -> Bits:
        """Draw measured bits ``uint8[rows, shots, num_qubits]``, each row from its own random stream."""
        num_qubits = len(self.tensors)
        result = np.empty((self.num_rows, shots, num_qubits), dtype=np.uint8)
        if num_qubits <= FEW_QUBITS:
            low, lows = self._low(self.cut)
            high, highs = self._high(self.cut)

            def pick(row: int) -> None:
                sums = np.maximum(high[highs[row]] @ low[lows[row]].T, 0.0).ravel().cumsum()
                drawn = np.searchsorted(sums, streams[row].random(shots) * sums[-1], side="right")
                result[row] = bitstrings.from_integers(np.minimum(drawn, sums.size - 1), num_qubits)

            in_parallel(pick, range(self.num_rows), self.num_threads)
        else:
            in_parallel(lambda row: self._walk(row, streams[row], result[row]), range(self.num_rows), self.num_threads)
        return result

    def _walk(self, row: int, stream: np.random.Generator, bits: Bits) -> None:
        """Draw one qubit after the other, all shots ``bits[shots, num_qubits]`` side by side."""
        tensors = [tensor[which[row]] for tensor, which in zip(self.tensors, self.which, strict=True)]
        ahead = [np.ones(1)]
        for tensor in tensors[:0:-1]:
            ahead.append(tensor.sum(axis=1) @ ahead[-1])
        products = np.ones((len(bits), 1))
        for qubit, tensor in enumerate(tensors):
            probabilities = np.maximum(products @ (tensor @ ahead.pop()), IMPOSSIBLE)
            total = probabilities.sum(axis=1)
            ones = stream.random(len(bits)) * total >= probabilities[:, 0]
            bits[:, qubit] = ones
            following = np.empty((len(bits), tensor.shape[2]))
            for bit, chosen in enumerate((~ones, ones)):
                following[chosen] = (products[chosen] @ tensor[:, bit]) / probabilities[chosen, bit, None]
            products = following

    def _rows(self, rows: Integers) -> MatrixProduct:
        return MatrixProduct(self.tensors, [which[rows] for which in self.which], self.num_threads)

    def _names(self, columns: list[Integers]) -> Integers:
        """A number for each row, equal for rows that are equal in all of the given columns: ``[rows]``."""
        names = np.zeros(self.num_rows, dtype=np.int64)
        for column in columns:
            names = _pairs(names, column)[1]
        return names

    def _low(self, cut: int) -> tuple[Floats, Integers]:
        """The different products of the low half, ``[different, 2**cut, bond]``, and each row's one."""
        products, which = np.ones((1, 1, 1)), np.zeros(self.num_rows, dtype=np.int64)
        for tensor, own in zip(self.tensors[:cut], self.which[:cut], strict=True):
            (before, now), which = _pairs(which, own)
            longer = np.empty((len(now), 2, products.shape[1], tensor.shape[3]))  # the new bit is the highest
            for bit in (0, 1):
                self._multiply(products, before, tensor[:, :, bit], now, longer[:, bit])
            products = longer.reshape(len(now), -1, tensor.shape[3])
        return products, which

    def _high(self, cut: int) -> tuple[Floats, Integers]:
        """The different products of the high half, ``[different, 2**(num_qubits − cut), bond]``, and each row's one."""
        products, which = np.ones((1, 1, 1)), np.zeros(self.num_rows, dtype=np.int64)
        for tensor, own in zip(self.tensors[cut:][::-1], self.which[cut:][::-1], strict=True):
            (after, now), which = _pairs(which, own)
            different, left, _, right = tensor.shape
            turned = tensor.transpose(0, 3, 2, 1).reshape(different, right, 2 * left)
            longer = np.empty((len(now), products.shape[1], 2 * left))  # the new bit is the lowest
            self._multiply(products, after, turned, now, longer)
            products = longer.reshape(len(now), -1, left)
        return products, which

    def _sum_low(self, weights: Floats) -> Floats:
        """The sum over bits and bond of each row's low half times weights ``[2**cut, bond]``: ``[rows]``."""
        sums, which = weights[None], np.zeros(self.num_rows, dtype=np.int64)
        cut = len(weights).bit_length() - 1
        for tensor, own in zip(self.tensors[:cut][::-1], self.which[:cut][::-1], strict=True):
            (before, now), which = _pairs(which, own)
            halves = sums.reshape(len(sums), 2, -1, tensor.shape[3])
            turned = tensor.transpose(0, 3, 2, 1)
            sums = halves[before, 0] @ turned[now, :, 0] + halves[before, 1] @ turned[now, :, 1]
        result: Floats = sums[which, 0, 0]
        return result

    def _sum_high(self, weights: Floats) -> Floats:
        """The sum over bits and bond of each row's high half times weights ``[2**(num_qubits − cut), bond]``."""
        sums, which = weights[None], np.zeros(self.num_rows, dtype=np.int64)
        cut = len(self.tensors) + 1 - len(weights).bit_length()
        for tensor, own in zip(self.tensors[cut:], self.which[cut:], strict=True):
            (before, now), which = _pairs(which, own)
            different, left, _, right = tensor.shape
            merged = tensor.swapaxes(1, 2).reshape(different, 2 * left, right)
            sums = sums.reshape(len(sums), -1, 2 * left)[before] @ merged[now]
        result: Floats = sums[which, 0, 0]
        return result

    def _multiply(self, first: Floats, i: Integers, second: Floats, j: Integers, out: Floats) -> None:
        """Compute ``out = first[i] @ second[j]``, some products at a time."""
        step = max(1, AT_ONCE // out[0].size)

        def fill(start: int) -> None:
            part = slice(start, start + step)
            np.matmul(first[i[part]], second[j[part]], out=out[part])

        in_parallel(fill, range(0, len(out), step), self.num_threads)


def _pairs(first: Integers, second: Integers) -> tuple[tuple[Integers, Integers], Integers]:
    """The different pairs of two columns, and the index of each row's pair."""
    count = int(second.max()) + 1
    different, which = np.unique(first * count + second, return_inverse=True)
    return np.divmod(different, count), which
