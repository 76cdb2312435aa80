"""Rows of pairs of qubits: the whole state against Qiskit, slopes against finite differences."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qhn import bitstrings
from qhn.circuit.hypernetwork import hypernetwork
from qhn.errors import QhnError
from qhn.exact.pairs import Pairs

SHAPES = [(n, layers, order) for n in (1, 2, 5, 6) for layers in range(4) for order in ("eq5", "authors")]


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), SHAPES)
def test_the_product_of_the_matrices_is_the_state_of_qiskit(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    pairs = Pairs(ansatz)
    assert pairs.bond_dimension == (2 ** max(0, num_layers - 1) if num_qubits > 2 + pairs.first else 1)
    theta = rng.uniform(-np.pi, np.pi, ansatz.num_parameters)
    matrices = pairs.matrices(theta)
    numbers = pairs.numbers(bitstrings.from_integers(np.arange(2**num_qubits), num_qubits))
    found = np.array([reduce(np.matmul, matrices[np.arange(len(row)), row])[0, 0] for row in numbers.T])
    expected = Statevector(
        ansatz.executed.assign_parameters({one: theta[one.index] for one in ansatz.executed.parameters})
    ).data
    assert abs(np.vdot(expected, found)) == pytest.approx(1.0, abs=1e-12)
    assert np.linalg.norm(found) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), SHAPES)
def test_slopes_of_a_function_of_the_matrices_are_finite_differences(
    num_qubits: int, num_layers: int, order: str, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    pairs = Pairs(ansatz)
    theta = rng.uniform(-np.pi, np.pi, ansatz.num_parameters)
    matrices = pairs.matrices(theta)
    weights = rng.normal(size=(2, *matrices.shape))
    slopes = weights[0] + 1j * weights[1]

    def function(at: np.ndarray) -> float:
        return float((slopes * pairs.matrices(at)).sum().real)

    expected = [(function(theta + h) - function(theta - h)) / 2e-5 for h in 1e-5 * np.eye(len(theta))]
    np.testing.assert_allclose(pairs.pull_back(matrices, slopes.copy(), theta), expected, atol=1e-8)


@pytest.mark.parametrize(
    ("num_qubits", "order", "places"),
    [
        (4, "authors", [(0, 0), (0, 1), (1, 0), (1, 1)]),
        (3, "authors", [(0, 0), (0, 1), (1, 0)]),
        (4, "eq5", [(0, 1), (1, 0), (1, 1), (2, 0)]),
        (3, "eq5", [(0, 1), (1, 0), (1, 1)]),
    ],
)
def test_a_bit_is_that_of_its_place_in_its_pair(num_qubits: int, order: str, places: list, rng) -> None:
    pairs = Pairs(hypernetwork(num_qubits, 1, order))
    assert [pairs.place(qubit) for qubit in range(num_qubits)] == places
    assert pairs.num_pairs == places[-1][0] + 1
    bits = rng.integers(0, 2, (7, num_qubits), dtype=np.uint8)
    numbers = pairs.numbers(bits)
    assert numbers.shape == (pairs.num_pairs, 7)
    for qubit, (pair, second) in enumerate(places):
        np.testing.assert_array_equal(numbers[pair] >> second & 1, bits[:, qubit])
    assert numbers.max() <= 3
    again = pairs.bits(numbers)
    np.testing.assert_array_equal(again, bits)
    assert all(again[:, qubit].flags.contiguous for qubit in range(num_qubits))


def test_no_more_than_8_million_numbers_are_made() -> None:
    assert Pairs(hypernetwork(64, 9, "authors")).bond_dimension == 256  # 32 pairs, 2^23 numbers
    with pytest.raises(
        QhnError,
        match=r"64 qubits and 9 layers make .* bond dimension 256, with more than 2\^23 numbers; use fewer layers, or",
    ):
        Pairs(hypernetwork(64, 9, "eq5"))  # 33 pairs
