"""The mean cost E(θ) = ⟨C⟩ and its full gradient, exactly, for a table of costs.

With ψ[h, l] = Σ_r A_r[l] B_r[h] (see :mod:`qhn.exact.cut`) there are two ways to E = Σ C[h, l]·|ψ[h, l]|²:

* With few branches, |ψ|² is a sum of R² real products PA[l]·PB[h], so E = ⟨PB, C·PA⟩, and the slopes of E with PA and
PB   are Cᵀ·PB and C·PA. These are two products with the table of costs, for all initialisations at once, and the state
ψ   is never formed. * With many branches, 2R² multiplications per entry of the table become more than the 12R that
forming ψ = BᵀA, C·ψ and the slopes of   E with A and B takes.

Then both halves are run backwards. The table's rows are taken in strips, so that it is read from memory once, and
nothing of its size is allocated.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.exact import kernels
from qhn.exact.cut import best_cut, cut_at
from qhn.exact.halves import Halves, HalvesPool, into_halves, row_blocks, squared_amplitudes
from qhn.exact.kernels import MAX_PRODUCT_BRANCHES
from qhn.exact.protocol import ExactEnergy, check_table
from qhn.threads import in_parallel

MAX_BATCH_PRODUCT_BRANCHES = 8  # of initialisations side by side, whose product with the table is wide and so fast
ENTRIES_AT_A_TIME = 2**17  # entries of the table: 1 MiB, which stays in a core's cache
NUM_STRIPS = 8  # strips in which the table is divided among threads for one initialisation


class Energy(ExactEnergy):
    """The mean cost E(θ) of an ansatz and its gradient, for costs given as a table.

    Args:
        ansatz: the circuit.
        costs: the costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 the least significant bit.
        cut: number of qubits of the low half; by default where the work is least. At ``num_qubits`` the circuit is left
            whole, and the gradient is a gate-by-gate adjoint of the state vector.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Raises:
        ValueError: if the circuit is no hypernetwork, the number of costs or the cut does not fit it, or a cost is not
            finite.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> energy = Energy(product_state(1), [0.0, 1.0])
    >>> value, grad = energy.value_and_grad([[np.pi / 2, 0.0]])
    >>> value.round(12), grad.round(12)
    (array([0.5]), array([[0.5, 0. ]]))
    """

    ansatz: Hypernetwork

    def __init__(
        self, ansatz: Hypernetwork, costs: ArrayLike, *, cut: int | None = None, num_threads: int | None = None
    ) -> None:
        costs = check_table(costs, ansatz)
        self.cut = best_cut(ansatz) if cut is None else cut_at(ansatz, cut)
        super().__init__(ansatz, into_halves(ansatz, self.cut, costs), num_threads)
        self._pool = HalvesPool(ansatz, self.cut)

    def _probabilities(self, row: Floats) -> Floats:
        halves = Halves(self.ansatz, self.cut, 1)
        halves.forward(row[None])
        return squared_amplitudes(halves)

    def _integers(self) -> Integers:
        integers = into_halves(self.ansatz, self.cut, np.arange(self.table.size, dtype=np.float64))
        return integers.reshape(-1).astype(np.int64)

    def _run(self, rows: Floats, table: Floats, *, with_grad: bool) -> tuple[Floats, Floats]:
        values, grads = np.empty(len(rows)), np.zeros(rows.shape)
        parts = row_blocks(self.cut, len(rows))
        strip_threads = self.num_threads if len(parts) < self.num_threads else 1

        def advance(part: slice) -> None:
            width = part.stop - part.start
            few = self.cut.num_branches <= (MAX_PRODUCT_BRANCHES if width == 1 else MAX_BATCH_PRODUCT_BRANCHES)
            head = _by_products if few else _by_amplitudes
            with self._pool.borrowed(width) as halves:
                halves.forward(rows[part])
                values[part] = head(table, halves, with_grad, strip_threads)
                if with_grad:
                    grads[part] = halves.backward()

        in_parallel(advance, parts, 1 if strip_threads > 1 else self.num_threads)
        return values, grads


def _by_products(table: Floats, halves: Halves, with_grad: bool, num_threads: int) -> Floats:
    """Compute E ``[width]``, and the adjoints of the halves, through real products of branches."""
    products, slopes = halves.products, halves.slopes
    kernels.products(halves.psi, products)
    low, high, slopes_low, slopes_high = (array.reshape(len(array), -1) for array in (*products, *slopes))

    def strip(rows: range) -> Floats:
        first, *others = _blocks(rows, table.shape[1])
        total = slopes_low if rows.start == 0 else np.empty(low.shape)
        for part in (first, *others):
            if with_grad:
                np.matmul(table[part], low, out=slopes_high[part])
            if part is first:
                np.matmul(table[part].T, high[part], out=total)
            else:
                total += table[part].T @ high[part]
        return total

    _sum_in_order(strip, table, num_threads)
    if with_grad:
        kernels.products_back(halves.psi, slopes, halves.lam)
    values: Floats = np.einsum("ikw,ikw->w", products[0], slopes[0])
    return values


def _by_amplitudes(table: Floats, halves: Halves, with_grad: bool, num_threads: int) -> Floats:
    """Compute E ``[width]``, and the adjoints of the halves, through the amplitudes ψ."""
    lows, highs = halves.matrices()
    slopes_lows, slopes_highs = np.empty(lows.shape), np.zeros(highs.shape)
    for low, high, slopes_low, slopes_high in zip(lows, highs, slopes_lows, slopes_highs, strict=True):
        strip = _strip_of_amplitudes(table, low, high, slopes_high, with_grad)
        slopes_low[:] = _sum_in_order(strip, table, num_threads)
    values: Floats = np.einsum("wkl,wkl->w", lows, slopes_lows)  # E is quadratic in either half
    if with_grad:
        halves.set_slopes(2 * slopes_lows, 2 * slopes_highs)
    return values


def _strip_of_amplitudes(
    table: Floats, low: Floats, high: Floats, slopes_high: Floats, with_grad: bool
) -> Callable[[range], Floats]:
    """The function that computes, from some rows of the table, half the slopes of E with a low half's state.

    It handles one initialisation, and fills the slopes of E with the state of the high half.
    """

    def strip(rows: range) -> Floats:
        slopes_low, transposed = np.zeros(low.shape), np.ascontiguousarray(low.T)
        for part in _blocks(rows, table.shape[1]):
            mine = high[:, :, part].reshape(len(high), -1)  # real, and then imaginary parts of these rows
            for columns in _blocks(range(table.shape[1]), 1):
                psi = (mine.T @ low[:, columns]).reshape(2, part.stop - part.start, -1)
                psi *= table[part, columns]
                weighted = psi.reshape(mine.shape[1], -1)
                slopes_low[:, columns] += mine @ weighted
                if with_grad:
                    slopes_high[:, :, part] += (weighted @ transposed[columns]).T.reshape(len(high), 2, -1)
        return slopes_low

    return strip


def _sum_in_order(strip: Callable[[range], Floats], table: Floats, num_threads: int) -> Floats:
    """The sum of ``strip(rows)`` over strips of a table's rows, which depend on nothing but its shape."""
    if table.size <= NUM_STRIPS * ENTRIES_AT_A_TIME or len(table) < NUM_STRIPS:
        return strip(range(len(table)))
    edges = [len(table) * k // NUM_STRIPS for k in range(NUM_STRIPS + 1)]
    parts = in_parallel(strip, [range(a, b) for a, b in pairwise(edges)], num_threads)
    total = parts[0]
    for part in parts[1:]:
        total += part
    return total


def _blocks(rows: range, num_columns: int) -> list[slice]:
    """Split rows of ``num_columns`` numbers into parts that stay in a core's cache."""
    step = max(1, ENTRIES_AT_A_TIME // num_columns)
    return [slice(start, min(start + step, rows.stop)) for start in range(rows.start, rows.stop, step)]
