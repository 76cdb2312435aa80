"""The kernel of Hamming distances against the matrix of all its values, its eigenvalues, and SciPy's distances."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from scipy.linalg import hadamard
from scipy.spatial.distance import cdist

from qhn import bitstrings
from qhn.problem import hamming_kernel
from qhn.problem.hamming_kernel import HammingKernel


def matrix(one: np.ndarray, other: np.ndarray, ratio: float) -> np.ndarray:
    """The kernel of all pairs, from SciPy's Hamming distance, which is a share of the bits."""
    return ratio ** np.rint(cdist(one, other, "hamming") * one.shape[1])


@pytest.mark.parametrize("ratio", [0.1, 0.5, 0.97])
@pytest.mark.parametrize("num_qubits", [1, 2, 5, 8])
def test_a_smoothed_table_is_its_product_with_the_matrix(
    num_qubits: int, ratio: float, rng: np.random.Generator
) -> None:
    table, every = rng.normal(size=2**num_qubits), bitstrings.from_integers(np.arange(2**num_qubits), num_qubits)
    kernel = HammingKernel(num_qubits, ratio)
    whole = matrix(every, every, ratio)
    np.testing.assert_allclose(kernel.smooth(table), whole @ table, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(whole.mean(axis=1), kernel.uniform, rtol=1e-12)
    walsh, spins = hadamard(2**num_qubits), every.sum(axis=1)
    eigenvalues = (1 + ratio) ** (num_qubits - spins) * (1 - ratio) ** spins
    np.testing.assert_allclose(walsh @ np.diag(eigenvalues) @ walsh / 2**num_qubits, whole, atol=1e-9)


@pytest.mark.parametrize("num_qubits", [3, 14, 70, 100])
def test_means_over_pairs_are_those_of_the_matrix(num_qubits: int, rng: np.random.Generator) -> None:
    one, other = (rng.integers(0, 2, (n, num_qubits), dtype=np.uint8) for n in (37, 52))
    of_one, of_other = HammingKernel(num_qubits, 0.9).means(one, other)
    whole = matrix(one, other, 0.9)
    np.testing.assert_allclose(of_one, whole.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(of_other, whole.mean(axis=0), rtol=1e-12)


def test_both_ways_to_means_agree_and_blocks_change_nothing(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (rng.integers(0, 2, (n, 8), dtype=np.uint8) for n in (200, 90))
    kernel = HammingKernel(8, 0.8)
    by_tables, by_pairs = kernel._by_tables(one, other), kernel._by_pairs(one, other)
    monkeypatch.setattr(hamming_kernel, "PAIRS_AT_A_TIME", 7 * 90)
    for expected, *found in zip(by_tables, by_pairs, kernel._by_pairs(one, other), strict=True):
        for again in found:
            np.testing.assert_allclose(again, expected, rtol=1e-12)


@pytest.mark.parametrize(("num_qubits", "ratio"), [(0, 0.5), (3, 0.0), (3, 1.0), (3, -0.5)])
def test_impossible_kernels_are_refused(num_qubits: int, ratio: float) -> None:
    with pytest.raises(ValueError, match=r"num_qubits must|ratio must"):
        HammingKernel(num_qubits, ratio)


def test_a_table_of_17_qubits_takes_no_more_than_a_few_tables(rng: np.random.Generator) -> None:
    """The matrix itself would take 2^17 of them, and a product with it 2^34 multiplications."""
    table, kernel, place = np.zeros(2**17), HammingKernel(17, 0.9), 70_123
    table[place] = 2.0
    tracemalloc.start()
    try:
        found = kernel.smooth(table)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * table.nbytes
    asked = rng.integers(0, 2**17, 50)
    distances = [int(one ^ place).bit_count() for one in asked.tolist()]
    np.testing.assert_allclose(found[asked], 2.0 * 0.9 ** np.array(distances), rtol=1e-12)
