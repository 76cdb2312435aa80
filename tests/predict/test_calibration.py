from __future__ import annotations

import math

import numpy as np
import pytest

from qhn.predict.calibration import calibration
from qhn.problem.built_in_data import gaussian_mixture
from qhn.problem.cost import BinnProblem
from qhn.problem.search_space import SearchSpace


@pytest.mark.parametrize("num_classes", [2, 3, 5])
def test_each_number_is_its_definition_written_out(num_classes: int, rng: np.random.Generator) -> None:
    p = rng.dirichlet(np.full(num_classes, 0.5), size=400)
    y = rng.integers(0, num_classes, 400)
    found = calibration(p, y)
    hits, nats, squares, bins = 0, 0.0, 0.0, {}
    for row, label in zip(p.tolist(), y.tolist(), strict=True):
        top = max(row)
        right = row.index(top) == label
        hits += right
        nats -= math.log(max(row[label], 2.0**-52))
        squares += sum((value - (c == label)) ** 2 for c, value in enumerate(row)) / (2 if num_classes == 2 else 1)
        m = next(m for m in range(10) if m / 10 < top <= (m + 1) / 10)
        bins.setdefault(m, []).append((top, right))
    assert found.accuracy == pytest.approx(hits / 400)
    assert found.cross_entropy == pytest.approx(nats / 400)
    assert found.brier == pytest.approx(squares / 400)
    error = 0.0
    for m in range(10):
        inside = bins.get(m, [])
        assert found.counts[m] == len(inside)
        if inside:
            tops, rights = (sum(column) / len(inside) for column in zip(*inside, strict=True))
            assert (found.confidence[m], found.right[m]) == pytest.approx((tops, rights))
            error += len(inside) / 400 * abs(rights - tops)
        else:
            assert np.isnan(found.confidence[m])
            assert np.isnan(found.right[m])
    assert found.error == pytest.approx(error)


def test_it_agrees_with_the_costs_of_a_network(rng: np.random.Generator) -> None:
    data = gaussian_mixture(200, validation_samples=0, means_scale=0.5)
    space = SearchSpace(2, (3,))
    bits = rng.integers(0, 2, space.num_qubits, dtype=np.uint8)
    found = calibration(space.probabilities(bits[None], data.x)[0], data.y)
    assert found.brier == pytest.approx(float(BinnProblem(space, data, "mse").cost(bits)))
    assert found.cross_entropy == pytest.approx(float(BinnProblem(space, data, "cross-entropy").cost(bits)))
    assert found.accuracy == float(BinnProblem(space, data).accuracy(bits)[0])


def test_probabilities_that_are_true_are_calibrated(rng: np.random.Generator) -> None:
    p = rng.uniform(0.0, 1.0, 100_000)
    y = rng.random(100_000) < p
    true = calibration(np.stack([1 - p, p], axis=1), y)
    assert true.error < 5 * math.sqrt(0.25 / 20_000)  # a fifth of the samples in each bin
    sure = calibration(np.stack([p < 0.5, p >= 0.5], axis=1), y)
    assert sure.error == pytest.approx(1 - sure.accuracy)
    assert sure.accuracy == true.accuracy
    assert sure.brier > true.brier
    assert sure.cross_entropy == pytest.approx((1 - sure.accuracy) * 52 * math.log(2))


def test_edges_of_bins_belong_to_the_bin_below() -> None:
    found = calibration([[0.6, 0.4], [0.5, 0.5], [1.0, 0.0], [0.7, 0.3]], [0, 0, 0, 0])
    assert found.counts.tolist() == [0, 0, 0, 0, 1, 1, 1, 0, 0, 1]


@pytest.mark.parametrize(
    ("p", "y", "message"),
    [
        ([[0.5, 0.5]], [0, 1], "probabilities must have shape"),
        (np.empty((0, 2)), [], "at least one sample"),
        ([[0.5, 0.5]], [2], "classes must be from 0 to 1"),
        ([[0.5, 0.5]], [-1], "classes must be from 0 to 1"),
    ],
)
def test_what_does_not_fit_is_refused(p: list, y: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        calibration(p, y)
