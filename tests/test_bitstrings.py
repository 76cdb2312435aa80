from __future__ import annotations

import numpy as np
import pytest

from qhn import bitstrings


@pytest.mark.parametrize("num_qubits", [1, 7, 8, 9, 64, 65, 130])
def test_packing_round_trips_and_keys_tell_bitstrings_apart(num_qubits: int, rng: np.random.Generator) -> None:
    bits = rng.integers(0, 2, (50, num_qubits), dtype=np.uint8)
    bits[1] = 0
    bits[2] = 0
    bits[2, -1] = 1  # differs from its neighbour in the last bit only
    packed = bitstrings.pack(bits)
    np.testing.assert_array_equal(bitstrings.unpack(packed, num_qubits), bits)
    different = {row.tobytes() for row in bits}
    assert len(np.unique(bitstrings.keys(packed))) == len(different)


def test_integers_have_qubit_zero_least_significant() -> None:
    assert bitstrings.from_integers(1, 3).tolist() == [1, 0, 0]
    integers = np.arange(32)
    np.testing.assert_array_equal(bitstrings.to_integers(bitstrings.from_integers(integers, 5)), integers)


@pytest.mark.parametrize(
    ("bits", "message"),
    [
        ([0, 1], r"shape \[..., 3\]"),
        ([0, 1, 2], "from 0 to 2"),
        ([0, 1, -1], "from -1 to 1"),
        ([0.0, 1.0, 1.0], "float64"),
    ],
)
def test_what_is_no_bitstring_is_refused(bits: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bitstrings.as_bits(bits, 3)
