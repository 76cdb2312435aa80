"""Sequences of low autocorrelation against their definition and the published optima."""

from __future__ import annotations

import numpy as np
import pytest

import qhn
from qhn import bitstrings
from qhn.problem.labs import LabsProblem
from qhn.problem.landscape import enumerate_costs

# lowest energies from T. Packebusch and S. Mertens, arXiv:1512.02475, table 1
LOWEST = (1, 2, 2, 7, 3, 8, 12, 13, 5, 10, 6, 19, 15, 24, 32, 25)  # of 3, 4, … 18 spins


def by_definition(row):
    spins = 2 * row.astype(int) - 1
    n = len(spins)
    return sum(sum(spins[i] * spins[i + k] for i in range(n - k)) ** 2 for k in range(1, n))


@pytest.mark.parametrize("size", [2, 3, 11, 30, 101])
def test_energies_are_the_sum_of_the_squared_autocorrelations(size):
    bits = np.random.default_rng(size).integers(0, 2, (20, size), dtype=np.uint8)
    problem = LabsProblem(size)
    assert problem.cost(bits).tolist() == [by_definition(row) for row in bits]
    assert problem.cost(bits.reshape(4, 5, size)).shape == (4, 5)
    assert (problem.autocorrelations(bits[0]) ** 2).sum() == problem.cost(bits[0])


@pytest.mark.parametrize("size", [2, 5, 12])
def test_the_polynomial_is_the_energy(size):
    bits = bitstrings.from_integers(np.arange(2**size), size)
    assert LabsProblem(size).polynomial(bits).tolist() == LabsProblem(size).cost(bits).tolist()


@pytest.mark.parametrize(("size", "optimum"), [*enumerate(LOWEST, start=3)])
def test_optima_are_the_published_ones(size, optimum):
    costs = enumerate_costs(LabsProblem(size))
    assert costs.min() == optimum
    assert costs[0] == costs.max() == LabsProblem(size).cost_range[1]
    assert LabsProblem(size).cost_range[0] <= optimum


def test_equal_spins_have_the_largest_energy_exactly_at_any_length():
    for size in (1000, 4096):
        assert LabsProblem(size).cost(np.ones(size, dtype=np.uint8)) == LabsProblem(size).cost_range[1]


def test_a_sequence_is_told_by_its_runs_and_merit_factor():
    assert LabsProblem(5).describe([1, 1, 1, 0, 1]) == [
        "energy 2, merit factor 6.25",
        "spins +++−+",
        "run lengths 3 1 1",
        "autocorrelations C_1 … 0 1 0 1",
    ]


def test_equal_lengths_are_equal_problems():
    assert LabsProblem(5).digest == LabsProblem.from_arrays(LabsProblem(5).arrays()).digest != LabsProblem(6).digest


@pytest.mark.parametrize(("size", "words"), [(1, "at least 2, got 1"), (5000, "at most 4,096"), (2.5, "an integer")])
def test_lengths_without_an_energy_are_refused(size, words):
    with pytest.raises(qhn.QhnError, match=f"num_qubits must be {words}"):
        LabsProblem(size)
