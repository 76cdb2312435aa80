"""Bitstrings as arrays, bytes and integers.

A bitstring is a ``uint8`` array of zeros and ones of shape ``[..., num_qubits]`` whose column j is qubit j. As an
integer, qubit 0 is the least significant bit, as in Qiskit. Stored, eight qubits make a byte, qubit 0 the most
significant bit of the first byte (``numpy.packbits``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.arrays import Bits, Integers
from qhn.errors import QhnError


@dataclass(frozen=True)
class Numbered:
    """Bitstrings given by their integers, qubit 0 least significant; their bits are made only when asked for.

    Attributes:
        integers: the integers, ``int64[...]``.
        num_qubits: number of bits of each bitstring, at most 62.

    >>> pair = Numbered(np.array([1, 6]), 3)
    >>> pair.shape, pair[1].bits
    ((2, 3), array([0, 1, 1], dtype=uint8))
    """

    integers: Integers
    num_qubits: int

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the bits, ``[..., num_qubits]``."""
        return (*self.integers.shape, self.num_qubits)

    @property
    def bits(self) -> Bits:
        """The bitstrings, ``[..., num_qubits]``."""
        return from_integers(self.integers, self.num_qubits)

    def __getitem__(self, rows: Any) -> Numbered:
        return Numbered(self.integers[rows], self.num_qubits)


def as_bits(bits: ArrayLike, num_qubits: int) -> Bits:
    """Convert bitstrings to a ``uint8`` array ``[..., num_qubits]``.

    Raises:
        ValueError: if the last axis is not ``num_qubits`` long or a value is neither 0 nor 1.
    """
    array = np.asarray(bits)
    if array.ndim == 0 or array.shape[-1] != num_qubits:
        raise QhnError(f"bits must have shape [..., {num_qubits}], one column a qubit, got {list(array.shape)}")
    if array.dtype != bool and not np.issubdtype(array.dtype, np.integer):
        raise QhnError(f"bits must be integers 0 or 1, got an array of {array.dtype}")
    if array.size and (array.min() < 0 or array.max() > 1):
        raise QhnError(f"bits must be 0 or 1, got values from {array.min()} to {array.max()}")
    return array.astype(np.uint8, copy=False)


def to_bits(strings: Bits | Numbered) -> Bits:
    """The bits ``[..., num_qubits]`` of bitstrings that are given by their bits or by their integers."""
    return strings.bits if isinstance(strings, Numbered) else strings


def pack(bits: Bits) -> NDArray[np.uint8]:
    """Pack bitstrings into bytes: ``[..., num_qubits]`` → ``[..., ceil(num_qubits / 8)]``, qubit 0 first."""
    return np.packbits(bits, axis=-1)


def unpack(packed: NDArray[np.uint8], num_qubits: int) -> Bits:
    """Unpack the bytes of :func:`pack` into bitstrings: ``[..., bytes]`` → ``[..., num_qubits]``.

    >>> unpack(pack(np.array([[1, 0, 1]], dtype=np.uint8)), 3)
    array([[1, 0, 1]], dtype=uint8)
    """
    return np.unpackbits(packed, axis=-1, count=num_qubits)


def keys(packed: NDArray[np.uint8]) -> NDArray[Any]:
    """A sortable key for each packed bitstring: ``[..., bytes]`` → ``[...]``.

    The keys serve ``numpy.unique`` and ``numpy.searchsorted``. Up to 64 qubits they are integers, which sort several
    times faster than bytes.
    """
    width = packed.shape[-1]
    if width <= 8:
        padded = np.zeros((*packed.shape[:-1], 8), dtype=np.uint8)
        padded[..., :width] = packed
        return padded.view(np.uint64)[..., 0]
    return np.ascontiguousarray(packed).view(f"S{width}")[..., 0]


def packed_keys(items: NDArray[Any], width: int) -> NDArray[np.uint8]:
    """Unpack the keys of :func:`keys` into the bytes ``[..., width]`` of their bitstrings."""
    size = 8 if width <= 8 else width
    return np.ascontiguousarray(items).view(np.uint8).reshape(*items.shape, size)[..., :width]


def from_integers(integers: ArrayLike, num_qubits: int) -> Bits:
    """Convert non-negative integers below ``2**num_qubits`` to bitstrings, qubit 0 least significant.

    >>> from_integers([1, 6], 3)
    array([[1, 0, 0],
           [0, 1, 1]], dtype=uint8)
    """
    values = np.asarray(integers, dtype="<u4" if num_qubits <= 32 else "<u8")
    bytes_ = np.ascontiguousarray(values).view(np.uint8).reshape(*values.shape, values.itemsize)
    return np.unpackbits(bytes_, axis=-1, count=num_qubits, bitorder="little")


def on_qubits(qubits: Sequence[int]) -> Integers:
    """The integers of all bitstrings that are zero outside of some qubits, of which the first changes fastest.

    >>> on_qubits([2, 0])
    array([0, 4, 1, 5])
    """
    integers = np.zeros(1, dtype=np.int64)
    for qubit in qubits:
        integers = np.concatenate([integers, integers + (1 << qubit)])
    return integers


def to_integers(bits: Bits) -> Integers:
    """Convert bitstrings of at most 62 qubits to integers, qubit 0 least significant.

    >>> to_integers(np.array([0, 1, 1], dtype=np.uint8))
    np.int64(6)
    """
    place = np.int64(1) << np.arange(bits.shape[-1], dtype=np.int64)
    if bits.shape[-1] <= 24:  # exact in single precision, for which there is a fast product
        with np.errstate(invalid="ignore"):  # BLAS may raise the flag for memory beside these finite numbers
            product = bits.astype(np.float32) @ place.astype(np.float32)
        return np.asarray(product).astype(np.int64)[()]
    result: Integers = bits.astype(np.int64) @ place
    return result


def text(bits: Bits) -> str:
    """The bitstring as text, qubit 0 first (Qiskit prints qubit 0 last).

    >>> text(np.array([0, 1, 1], dtype=np.uint8))
    '011'
    """
    return "".join("1" if bit else "0" for bit in bits)


def from_text(text: str) -> Bits:
    """The bitstring ``[num_qubits]`` of a text of zeros and ones, qubit 0 first; the inverse of :func:`text`.

    >>> from_text("0110").tolist()
    [0, 1, 1, 0]
    """
    return np.array([int(bit) for bit in text], dtype=np.uint8)


def distinct(bits: Bits) -> tuple[Bits, Integers]:
    """The different bitstrings of ``[n, num_qubits]`` and how often each of them occurs.

    Returns:
        Bitstrings ``[m, num_qubits]`` in the order of their packed bytes, and counts ``[m]``.

    >>> rows, counts = distinct(np.array([[1, 0], [0, 0], [1, 0]], dtype=np.uint8))
    >>> rows.tolist(), counts.tolist()
    ([[0, 0], [1, 0]], [1, 2])
    """
    different, counts = np.unique(pack(bits), axis=0, return_counts=True)
    return unpack(different, bits.shape[-1]), counts
