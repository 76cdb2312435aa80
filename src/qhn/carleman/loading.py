"""Models of data loading: what it costs a quantum computer, in T gates and qubits, to look up a number in a table.

Every model is stated with its source. With ``"none"`` there is no number: a T count without a model of data loading
would be an invention.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

T_PER_TOFFOLI = 4  # with one ancilla and a measurement (Jones 2013); 7 without


class LookUp(NamedTuple):
    """The cost of one table look-up and of undoing it.

    Attributes:
        t_gates: T gates of the look-up and of its inverse together.
        qubits: qubits that hold the address iteration, the word and, if there is one, the swap network.
    """

    t_gates: int
    qubits: int


@dataclass(frozen=True)
class LoadingModel:
    """A way to load classical data.

    Attributes:
        look_up: function of the number of entries and the bits of a word; None if no model is stated.
        statement: what is assumed, with its source, as a sentence.
    """

    look_up: Callable[[int, int], LookUp] | None
    statement: str


def address_bits(entries: int) -> int:
    """The bits of an address among a number of entries.

    >>> address_bits(1), address_bits(1024), address_bits(1025)
    (0, 10, 11)
    """
    return (entries - 1).bit_length()


def qrom(entries: int, bits: int) -> LookUp:
    """The look-up by unary iteration: L − 1 Toffoli gates for L entries, and as many to undo it.

    >>> qrom(1024, 8)
    LookUp(t_gates=8184, qubits=28)
    """
    return LookUp(2 * T_PER_TOFFOLI * (entries - 1), 2 * address_bits(entries) + bits)


def select_swap(entries: int, bits: int) -> LookUp:
    """The look-up of k words at a time with a swap network, at the power of two k that takes the fewest T gates.

    It takes ⌈L/k⌉ + b(k − 1) Toffoli gates and kb qubits for L entries of b bits, and ⌈L/k'⌉ + k' to undo it by
    measurements.

    >>> select_swap(2**20, 16)
    LookUp(t_gates=40896, qubits=4128)
    """
    powers = range(address_bits(entries) + 1)
    loading, block = min((_ceil_divide(entries, 2**p) + bits * (2**p - 1), 2**p) for p in powers)
    undoing = min(_ceil_divide(entries, 2**p) + 2**p for p in powers)
    return LookUp(
        T_PER_TOFFOLI * (loading + undoing), block * bits + 2 * address_bits(entries) - block.bit_length() + 1
    )


def hypothetical_qram(entries: int, bits: int) -> LookUp:
    """The look-up of a memory that does not exist: one Toffoli gate a bit of the address, and its cells are free.

    >>> hypothetical_qram(2**20, 16)
    LookUp(t_gates=160, qubits=36)
    """
    return LookUp(2 * T_PER_TOFFOLI * max(1, address_bits(entries)), address_bits(entries) + bits)


LOADING = {
    "none": LoadingModel(None, "no model of data loading is stated, so that there is no T count"),
    "qrom": LoadingModel(qrom, "QROM by unary iteration (Babbush et al. 2018), undone by its inverse"),
    "select-swap": LoadingModel(
        select_swap, "SELECT-SWAP QROM (Low et al. 2018) with clean qubits, undone by measurements (Berry et al. 2019)"
    ),
    "hypothetical-qram": LoadingModel(
        hypothetical_qram, "a hypothetical QRAM that answers in one Toffoli gate a bit of the address, its cells free"
    ),
}


def rotation_t_gates(precision: float) -> int:
    """The T gates of one rotation about z to a precision: 3 log₂(1/δ), the leading term of Ross and Selinger (2016).

    >>> rotation_t_gates(1e-10)
    100
    """
    return max(1, math.ceil(3 * math.log2(1 / precision)))


def _ceil_divide(number: int, divisor: int) -> int:
    return -(-number // divisor)
