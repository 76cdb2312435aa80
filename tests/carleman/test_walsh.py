"""C as a polynomial of means: against sums over all bitstrings, and numerical derivatives of them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from qhn import QhnError, bitstrings, load_problem
from qhn.carleman.walsh import walsh_cost
from qhn.problem.cost import Problem, TableProblem, networks_of
from qhn.problem.labs import LabsProblem
from qhn.problem.landscape import Landscape, enumerate_costs


def mean_cost(costs: np.ndarray, means: np.ndarray) -> float:
    """The mean cost of independent bits, summed over all bitstrings."""
    n = len(means)
    spins = 2.0 * bitstrings.from_integers(np.arange(2**n), n) - 1
    return float(((1 + spins * means) / 2).prod(axis=1) @ costs)


def test_the_loss_is_the_mean_cost_of_independent_bits(rng: np.random.Generator) -> None:
    costs = rng.normal(size=64)
    cost = walsh_cost(TableProblem(costs), degree=6, weight_decay=0.3)
    for means in rng.uniform(-1, 1, (5, 6)):
        expected = mean_cost(costs, means) + 0.15 * (means @ means)
        assert float(cost.loss(means)) == pytest.approx(expected, abs=1e-12)
    corners = 2.0 * bitstrings.from_integers(np.arange(64), 6) - 1
    np.testing.assert_allclose(cost.loss(corners), costs + 0.15 * 6, atol=1e-12)


def test_tensors_are_the_derivatives_of_the_mean_cost(rng: np.random.Generator) -> None:
    """A multilinear polynomial is its own central difference, of any width."""
    costs, decay = rng.normal(size=32), 0.2
    reference = rng.uniform(-0.5, 0.5, 5)
    found = walsh_cost(TableProblem(costs), degree=5, weight_decay=decay).expand(reference, 3)
    for k, tensor in enumerate(found.tensors):
        for index in itertools.product(range(5), repeat=k + 1):
            expected = 0.0
            if len(set(index)) == k + 1:
                for signs in itertools.product((1, -1), repeat=k + 1):
                    at = reference.copy()
                    at[list(index)] += 0.5 * np.array(signs)
                    expected += math.prod(signs) * mean_cost(costs, at)
            expected += decay * reference[index[0]] if k == 0 else decay * (k == 1 and index[0] == index[1])
            assert tensor[index] * math.factorial(k) == pytest.approx(expected, abs=1e-12)


def test_an_expansion_of_the_full_degree_is_the_polynomial_everywhere(rng: np.random.Generator) -> None:
    cost = walsh_cost(TableProblem(rng.normal(size=128)), degree=4, weight_decay=0.1)
    for reference in (np.zeros(7), rng.uniform(-1, 1, 7)):
        found = cost.expand(reference, 3)
        moves = rng.uniform(-1, 1, (4, 7))
        np.testing.assert_allclose(found.loss(moves), cost.loss(reference + moves), atol=1e-12)
        wider = cost.expand(reference, 4)
        assert not wider.tensors[4].any()


def test_without_weight_decay_the_hessian_has_no_trace(rng: np.random.Generator) -> None:
    problem, reference = TableProblem(rng.normal(size=64)), rng.uniform(-1, 1, 6)
    bare, decaying = (walsh_cost(problem, 6, decay) for decay in (0.0, 0.5))
    eigenvalues = np.linalg.eigvalsh(bare.expand(reference, 1).hessian)
    assert eigenvalues.sum() == pytest.approx(0, abs=1e-12)
    assert eigenvalues[0] < 0
    assert bare.hessian_trace == 0
    assert "never dissipative" in bare.remark
    np.testing.assert_allclose(np.linalg.eigvalsh(decaying.expand(reference, 1).hessian), eigenvalues + 0.5, atol=1e-12)
    assert decaying.hessian_trace == 3.0
    assert decaying.remark is None


def test_the_published_digits_are_almost_a_sum_over_single_bits() -> None:
    problem = networks_of(load_problem("mnist-01-published"))
    cost = walsh_cost(problem, degree=3)
    assert cost.polynomial.degree == 3
    assert len(cost.polynomial.terms) <= 1 + 17 + 136 + 680
    weights = Landscape(enumerate_costs(problem)).walsh_weights
    np.testing.assert_allclose(cost.shares[1:], weights[1:] / weights[1:].sum(), atol=1e-9)
    assert cost.shares[1] > 0.85 > 0.2 > cost.shares[2] > cost.shares[3]
    assert cost.kept == pytest.approx(1, abs=1e-3)
    found = cost.expand(np.zeros(17), 2)
    assert found.tensors[2].shape == (17, 17, 17)


def test_a_problem_that_knows_its_polynomial_needs_no_enumeration(rng: np.random.Generator) -> None:
    problem = LabsProblem(30)
    cost = walsh_cost(problem, degree=2)
    assert cost.polynomial.degree == 2
    assert cost.kept < 1
    whole = walsh_cost(problem, degree=4)
    bits = rng.integers(0, 2, (5, 30)).astype(np.uint8)
    np.testing.assert_allclose(whole.loss(2.0 * bits - 1), problem.cost(bits), rtol=1e-12)
    small = LabsProblem(8)
    table = walsh_cost(TableProblem(enumerate_costs(small)), degree=2)
    own = walsh_cost(small, degree=2)
    assert own.polynomial.terms == tuple(sorted(table.polynomial.terms, key=lambda term: (len(term), term)))
    np.testing.assert_allclose(own.shares, table.shares, atol=1e-12)


def test_what_cannot_be_expanded_is_refused() -> None:
    cost = walsh_cost(TableProblem([0.0, 1.0, 2.0, 4.0]), degree=2)
    for reference, degree, message in (
        (np.zeros(3), 1, r"means must have shape \[..., 2\]"),
        (np.zeros((1, 2)), 1, r"reference must have shape \[2\]"),
        (np.zeros(2), -1, "degree must be at least 0"),
        (np.zeros(2), 40, "at most degree"),
    ):
        with pytest.raises(QhnError, match=message):
            cost.expand(reference, degree)
    with pytest.raises(QhnError, match="weight_decay"):
        walsh_cost(TableProblem([0.0, 1.0]), 1, -0.1)
    with pytest.raises(QhnError, match="degree must be at least 1"):
        walsh_cost(TableProblem([0.0, 1.0]), 0)

    class Unknown:
        num_qubits = 40

        def cost(self, bits: np.ndarray) -> np.ndarray:
            raise AssertionError("too many to enumerate")

    unknown: Problem = Unknown()
    with pytest.raises(QhnError, match="up to 24 qubits"):
        walsh_cost(unknown, 2)


def test_a_constant_cost_has_no_shares() -> None:
    cost = walsh_cost(TableProblem(np.full(8, 2.5)), degree=2)
    assert float(cost.loss(np.zeros(3))) == 2.5
    assert not cost.shares.any()
    assert not cost.expand(np.zeros(3), 1).hessian.any()
