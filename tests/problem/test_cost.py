from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import log_softmax, softmax

import reference
from qhn import bitstrings
from qhn.config.file import load_config, load_problem
from qhn.problem import cost as problem_module
from qhn.problem.built_in_data import gaussian_mixture, mnist_4x4
from qhn.problem.cost import BinnProblem, TableProblem
from qhn.problem.datasets import Dataset
from qhn.problem.landscape import enumerate_costs
from qhn.problem.search_space import SearchSpace


def test_mean_squared_error_against_a_loop(rng: np.random.Generator) -> None:
    problem = load_config("gaussian-activation", {"data.samples": 30}).problem()
    bits = rng.integers(0, 2, (4, 5, 14), dtype=np.uint8)
    data = problem.dataset
    for index in np.ndindex(4, 5):
        outputs = [reference.network_output(bits[index].tolist(), x.tolist()) for x in data.x]
        assert problem.cost(bits)[index] == pytest.approx(np.mean((outputs - data.y) ** 2), abs=1e-14)


def test_cross_entropy_against_its_definition(rng: np.random.Generator) -> None:
    data = mnist_4x4((0, 1))
    problem = BinnProblem(SearchSpace(16, alphabets=((-3.0, 1.0),)), data, "cross-entropy")
    bits = rng.integers(0, 2, (6, 17), dtype=np.uint8)
    weights = 4.0 * bits - 3
    p = 1 / (1 + np.exp(-(data.x @ weights[:, :16].T + weights[:, 16])))
    expected = -(data.y[:, None] * np.log(p) + (1 - data.y[:, None]) * np.log(1 - p)).mean(axis=0)
    np.testing.assert_allclose(problem.cost(bits), expected, rtol=1e-12)


@pytest.mark.parametrize("hidden", [(), ((3,),), ((4,), (2,))])
def test_losses_of_several_classes_against_their_definitions(
    hidden: tuple[tuple[int, ...], ...], rng: np.random.Generator
) -> None:
    num, x, y = 11, rng.normal(size=(11, 3)), rng.integers(0, 4, 11)
    data = Dataset(
        x, y.astype(float), x[:4], y[:4].astype(float), np.arange(4), ("a", "b", "c"), np.zeros(3), np.ones(3)
    )
    space = SearchSpace(3, hidden, num_classes=4)
    bits = rng.integers(0, 2, (9, space.num_qubits), dtype=np.uint8)
    sizes = (3, *(widths[0] for widths in hidden), 4)
    squares, logs = BinnProblem(space, data), BinnProblem(space, data, "cross-entropy")
    for row, square, log in zip(bits, squares.cost(bits), logs.cost(bits), strict=True):
        z = np.array([reference.network_sums(row.tolist(), sample.tolist(), sizes, "sigmoid") for sample in x])
        assert log == pytest.approx(-log_softmax(z, axis=1)[np.arange(num), y].mean(), rel=1e-13)
        errors = [(softmax(z[s])[c] - (y[s] == c)) ** 2 for s in range(num) for c in range(4)]
        assert square == pytest.approx(sum(errors) / num, rel=1e-13)
        right = z.argmax(axis=1) == y
        training, validation = squares.accuracy(row)
        assert (float(training), float(validation)) == (right.mean(), right[:4].mean())
        assert (squares.network(row).predict(x) == y).mean() == training
    np.testing.assert_allclose(logs.validation_cost(bits), logs.held_out.cost(bits), rtol=1e-15)
    far = replace(data, x=1e4 * x)
    assert np.isfinite(BinnProblem(space, far, "cross-entropy").cost(bits)).all()


def test_known_optima() -> None:
    """Minimum, degeneracy and accuracy of the bundled digits, and the shape of the Gaussian task's landscape."""
    for name, minimum, accuracy in (("mnist-01-published", 0.3056, 0.918), ("mnist-01", 0.4822, 0.771)):
        problem = load_problem(name)
        costs = enumerate_costs(problem)
        best = bitstrings.from_integers(int(costs.argmin()), 17)
        assert costs.min() == pytest.approx(minimum, abs=1e-4)
        assert float(problem.accuracy(best)[0]) == pytest.approx(accuracy, abs=5e-4)
        assert (costs < costs.min() + 1e-12).sum() == 64  # six pixels are blank
    costs = np.sort(enumerate_costs(load_problem("gaussian-activation")))
    assert 0.0070 < costs[0] < 0.0090
    assert costs[5] - costs[0] < 1e-12 < costs[6] - costs[0]  # permutations of three hidden units
    assert 0.011 < costs[6] - costs[0] < 0.015
    assert 30 <= (costs < costs[0] + 0.03).sum() <= 48


def test_digits_beyond_enumeration_can_be_learnt_with_weights_of_one_size() -> None:
    """Descent from the signs of the difference of both classes' means; pixels in [0, 1] do not saturate the sigmoid."""
    problem = load_problem("digits-8x8")
    data = problem.dataset
    means = [data.x[data.y == label].mean(axis=0) for label in (0, 1)]
    bits = np.append(means[1] > means[0], False).astype(np.uint8)
    cost = float(problem.cost(bits))
    z = data.x @ (2.0 * bits[:64] - 1) + 2.0 * bits[64] - 1
    assert cost == pytest.approx((np.logaddexp(0, z) - data.y * z).mean(), rel=1e-12)
    while (costs := problem.cost(bits ^ np.eye(65, dtype=np.uint8))).min() < cost:
        bits[costs.argmin()] ^= 1
        cost = costs.min()
    assert cost < 0.15
    assert min(problem.accuracy(bits)) > 0.93


def test_cost_does_not_depend_on_the_batch(rng: np.random.Generator) -> None:
    problem = load_problem("gaussian-activation")
    bits = rng.integers(0, 2, (300, 14), dtype=np.uint8)
    alone = np.array([problem.cost(row) for row in bits])
    np.testing.assert_allclose(problem.cost(bits), alone, rtol=0, atol=1e-15)


def test_validation_and_accuracy_use_the_held_out_samples() -> None:
    problem = load_config("gaussian-activation", {"data.validation_samples": 50}).problem()
    swapped = load_config("gaussian-activation", {"data.validation_samples": 0}).problem()
    bits = bitstrings.from_integers(np.arange(20), 14)
    data = problem.dataset
    expected = np.square(problem.space.output(bits, data.x_validation) - data.y_validation).mean(axis=1)
    np.testing.assert_allclose(problem.validation_cost(bits), expected, rtol=1e-14)
    assert swapped.accuracy(bits)[1] is None
    with pytest.raises(ValueError, match="no validation samples"):
        swapped.validation_cost(bits)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="3 inputs, the data 2 features"):
        BinnProblem(SearchSpace(3), gaussian_mixture(5))
    with pytest.raises(ValueError, match="tell 3 classes, the data has 2"):
        BinnProblem(SearchSpace(2, num_classes=3), gaussian_mixture(5))
    with pytest.raises(ValueError, match="sigmoid output"):
        BinnProblem(SearchSpace(2, activations=("relu",)), gaussian_mixture(5), "cross-entropy")
    with pytest.raises(ValueError, match="must hold 2\\^num_qubits"):
        TableProblem([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="entry 1"):
        TableProblem([1.0, np.nan])


def test_table_reads_qubit_zero_as_least_significant() -> None:
    problem = TableProblem(np.arange(8.0))
    assert problem.cost([1, 0, 0]) == 1
    assert problem.cost([0, 0, 1]) == 4
    np.testing.assert_array_equal(enumerate_costs(problem), np.arange(8.0))


def test_cost_does_not_depend_on_the_number_of_threads(
    monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    problem = load_problem("mnist-01")
    bits = rng.integers(0, 2, (500, 17), dtype=np.uint8)
    found = []
    for cores in (1, 3):
        monkeypatch.setattr(problem_module, "num_cores", lambda cores=cores: cores)
        found.append(problem.cost(bits))
    np.testing.assert_array_equal(*found)
    assert problem.cost(bits[:0]).shape == (0,)
