from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from qhn.problem import logistic
from qhn.problem.built_in_data import gaussian_mixture
from qhn.problem.cost import BinnProblem
from qhn.problem.datasets import Dataset
from qhn.problem.logistic import LogisticLosses
from qhn.problem.samples import Samples
from qhn.problem.search_space import SearchSpace

DATA = gaussian_mixture(200, validation_samples=30)
SPACES = {
    "one chunk": SearchSpace(2),
    "many chunks": SearchSpace(64),
    "reversed": SearchSpace(11, qubit_order="reversed"),
    "no bias": SearchSpace(9, bias=(False,)),
    "searched bias": SearchSpace(9, bias=(False, True), alphabets=((-3.0, 1.0),)),
    "alphabets": SearchSpace(13, alphabets=((-1.0, 1.0), (0.0, 1.0), (2.0, -0.5), (-3.0, 1.0)), bias=(True, False)),
}


def data_of(space: SearchSpace, rng: np.random.Generator) -> Dataset:
    """Two classes of which the features tell something, as many as the networks have inputs."""
    x, held_out = (rng.normal(size=(count, space.num_inputs)) for count in (200, 30))
    return replace(DATA, x=x + 0.2 * (2 * DATA.y[:, None] - 1), x_validation=held_out)


def plain(problem: BinnProblem, bits: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    z = (1 - 2 * y) * problem.space.forward(bits, x)
    return np.logaddexp(0.0, z).mean(axis=1)


@pytest.mark.parametrize("space", SPACES.values(), ids=SPACES)
def test_losses_from_tables_are_those_of_the_networks(space: SearchSpace, rng: np.random.Generator) -> None:
    data = data_of(space, rng)
    problem = BinnProblem(space, data, "cross-entropy")
    bits = rng.integers(0, 2, (2, 50, space.num_qubits), dtype=np.uint8)
    assert LogisticLosses.of(space, Samples.of(data.x, data.y)) is not None
    rows = bits.reshape(-1, space.num_qubits)
    np.testing.assert_allclose(problem.cost(bits).ravel(), plain(problem, rows, data.x, data.y), rtol=1e-13)
    expected = plain(problem, rows, data.x_validation, data.y_validation)
    np.testing.assert_allclose(problem.validation_cost(bits).ravel(), expected, rtol=1e-13)
    np.testing.assert_array_equal(problem.held_out.cost(bits), problem.validation_cost(bits))


def test_a_cost_does_not_depend_on_what_is_computed_with_it(rng: np.random.Generator) -> None:
    space = SPACES["many chunks"]
    problem = BinnProblem(space, data_of(space, rng), "cross-entropy")
    bits = rng.integers(0, 2, (700, space.num_qubits), dtype=np.uint8)
    together = problem.cost(bits)
    np.testing.assert_array_equal(together[::7], [float(problem.cost(row)) for row in bits[::7]])


@pytest.mark.parametrize("most", [1, 2**12])
def test_small_tables_give_the_same(most: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    space = SPACES["alphabets"]
    data = data_of(space, rng)
    bits = rng.integers(0, 2, (50, space.num_qubits), dtype=np.uint8)
    expected = LogisticLosses.of(space, Samples.of(data.x, data.y)).means(bits)
    monkeypatch.setattr(logistic, "TABLE", most)
    np.testing.assert_allclose(LogisticLosses.of(space, Samples.of(data.x, data.y)).means(bits), expected, rtol=1e-13)


def test_large_logits_stay_numbers_and_small_losses_their_digits(rng: np.random.Generator) -> None:
    space = SearchSpace(8)
    data = data_of(space, rng)
    x = np.sign(data.x) * 36.0  # logits up to 289
    problem = BinnProblem(space, replace(data, x=x), "cross-entropy")
    bits = rng.integers(0, 2, (200, space.num_qubits), dtype=np.uint8)
    np.testing.assert_allclose(problem.cost(bits), plain(problem, bits, x, data.y), rtol=1e-13)
    apart = replace(data, x=np.abs(data.x) * (2 * data.y[:, None] - 1))
    best = np.ones((1, space.num_qubits), dtype=np.uint8)
    problem = BinnProblem(space, apart, "cross-entropy")
    np.testing.assert_allclose(problem.cost(best), plain(problem, best, apart.x, data.y), rtol=1e-13)


def test_other_networks_and_huge_logits_are_left_to_the_general_path(rng: np.random.Generator) -> None:
    data = data_of(SearchSpace(3), rng)
    assert LogisticLosses.of(SearchSpace(3, hidden=(1,)), Samples.of(data.x, data.y)) is None
    assert LogisticLosses.of(SearchSpace(3, num_classes=3), Samples.of(data.x, data.y)) is None
    assert LogisticLosses.of(SearchSpace(3), Samples.of(1e3 * data.x, data.y)) is None
    assert LogisticLosses.of(SearchSpace(3), Samples.of(data.x[:0], data.y[:0])) is None
    problem = BinnProblem(SearchSpace(3), replace(data, x=1e3 * data.x), "cross-entropy")
    bits = rng.integers(0, 2, (20, 4), dtype=np.uint8)
    np.testing.assert_allclose(problem.cost(bits), plain(problem, bits, 1e3 * data.x, data.y), rtol=1e-12)
