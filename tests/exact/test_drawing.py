"""Shots by inverse transform: the loops against a plain search in the table of all probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from qhn.arrays import Integers
from qhn.backend import open_backend
from qhn.bitstrings import Numbered, to_integers
from qhn.circuit.hypernetwork import Hypernetwork, hypernetwork
from qhn.exact import kernels
from qhn.exact.cut import best_cut
from qhn.exact.distribution import Distribution
from qhn.exact.halves import Halves, names, squared_amplitudes
from qhn.seeds import Key

SHAPES = [(n, layers, order) for n in (1, 2, 3, 8, 9) for layers in range(6) for order in ("eq5", "authors")]
LAST = 1 - 2.0**-53  # the largest of numpy's uniform numbers


def plainly(ansatz: Hypernetwork, theta: np.ndarray, uniforms: np.ndarray) -> Integers:
    """The integers of the shots: the high half from its marginal distribution, then the low half given the high."""
    cut = best_cut(ansatz)
    halves = Halves(ansatz, cut, 1)
    halves.forward(theta[None])
    table = squared_amplitudes(halves)
    marginal = table.sum(axis=1).cumsum()
    high = np.searchsorted(marginal, uniforms[0] * marginal[-1], side="right")
    given = table.cumsum(axis=1)
    low = [np.searchsorted(given[h], u * given[h, -1], side="right") for h, u in zip(high, uniforms[1], strict=True)]
    low_names, high_names = names(ansatz, cut)
    return low_names[low] ^ high_names[high]


@pytest.mark.parametrize(("num_qubits", "num_layers", "order"), [*SHAPES, (18, 2, "eq5"), (18, 3, "authors")])
@pytest.mark.parametrize("shots", [1, 30, 1001])
def test_shots_are_those_of_a_plain_search(
    num_qubits: int, num_layers: int, order: str, shots: int, rng: np.random.Generator
) -> None:
    ansatz = hypernetwork(num_qubits, num_layers, order)
    thetas = rng.uniform(0, 2 * np.pi, (5, ansatz.num_parameters))
    thetas[1:3] = np.pi / 4 * rng.integers(0, 8, (2, ansatz.num_parameters))
    drawn = Distribution(ansatz).sample(thetas, shots, np.random.default_rng(3))
    uniforms = np.random.default_rng(3).random((5, 2, shots))
    expected = [plainly(ansatz, theta, row) for theta, row in zip(thetas, uniforms, strict=True)]
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.parametrize("num_branches", [1, 2, 4, 8])
@pytest.mark.parametrize(("low", "high"), [(0, 0), (2, 1), (7, 3)])
def test_bitstrings_of_probability_zero_are_never_drawn(num_branches: int, low: int, high: int) -> None:
    """Not even by the smallest and the largest of the uniform numbers, where one bitstring is certain."""
    psi = (np.zeros((2, num_branches, 8, 1)), np.zeros((2, num_branches, 4, 1)))
    psi[0][1, 0, low], psi[1][0, 0, high] = 1.0, 1.0
    uniforms = np.array([[[0.0, 0.5, LAST, 0.0, LAST], [0.0, 0.5, LAST, LAST, 0.0]]])
    drawn = np.empty((1, 5), dtype=np.int64)
    kernels.draw(psi, uniforms, (np.arange(8), 8 * np.arange(4)), drawn)
    np.testing.assert_array_equal(drawn, low + 8 * high)


def test_the_exact_machine_gives_integers_and_makes_bits_when_asked() -> None:
    ansatz = hypernetwork(9, 1)
    thetas = np.random.default_rng(1).uniform(0, 6, (3, ansatz.num_parameters))
    samples = open_backend("exact").compile(ansatz).sample(thetas, 50, Key(1))
    assert isinstance(samples.measured, Numbered)
    assert samples.bits.shape == (samples.num_rows, samples.shots, 9) == (3, 50, 9)
    np.testing.assert_array_equal(to_integers(samples.bits), samples.measured.integers)
