from __future__ import annotations

import numpy as np
import pytest

import reference
from qhn.estimator.means import Means, mean_and_error, with_error
from qhn.problem.objective import Objective


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.33, 1.0])
def test_transformed_costs_average_to_cvar(alpha: float, rng: np.random.Generator) -> None:
    costs = rng.choice([0.1, 0.2, 0.5, 0.9], size=(3, 501), p=[0.1, 0.2, 0.4, 0.3])
    expected = [reference.cvar(row, np.full(501, 1 / 501), alpha) for row in costs]
    np.testing.assert_allclose(Objective(alpha).transform(costs).mean(axis=-1), expected, rtol=1e-12)


def test_standard_error_falls_with_the_root_of_the_shots(rng: np.random.Generator) -> None:
    costs = rng.exponential(size=(200, 4000))
    errors = {shots: mean_and_error(costs[:, :shots])[1].mean() for shots in (250, 1000, 4000)}
    assert errors[250] / errors[1000] == pytest.approx(2, rel=0.05)
    assert errors[1000] / errors[4000] == pytest.approx(2, rel=0.05)
    means, stated = mean_and_error(costs[:, :1000])
    assert means.std() == pytest.approx(stated.mean(), rel=0.2)  # 200 repetitions know a spread to 5 %


def test_a_standard_error_is_that_of_an_unknown_mean() -> None:
    """√(Σ(C − mean)²/(n − 1)/n) of each row."""
    mean, error = mean_and_error(np.array([[1.0, 2.0, 6.0], [5.0, 5.0, 5.0]]))
    np.testing.assert_allclose(mean, [3.0, 5.0])
    np.testing.assert_allclose(error, [np.sqrt((4 + 1 + 9) / 2 / 3), 0.0])


@pytest.mark.parametrize("shape", [(7,), (2, 7), (3, 2, 7)])
def test_means_are_over_the_shots(shape: tuple[int, ...], rng: np.random.Generator) -> None:
    values = rng.normal(size=shape)
    mean, error = mean_and_error(values)
    assert mean.shape == error.shape == shape[:-1]
    np.testing.assert_allclose(mean, values.sum(axis=-1) / 7)
    assert Means.of(values).shared.shape == (*shape[:-1], 0)  # nothing in common


def test_one_shot_has_no_known_error() -> None:
    assert mean_and_error(np.array([[2.0]])) == (np.array([2.0]), np.array([np.inf]))


def test_numbers_are_printed_with_the_digits_their_error_leaves() -> None:
    assert with_error(0.0549910, 0.0013134) == "0.0550 ± 0.0013"
    assert with_error(12.3456, 1.2) == "12.3 ± 1.2"
    assert with_error(0.0511309207092638, 4.7e-19) == "0.0511309"
    assert with_error(0.5, np.inf) == "0.5 ± ?"


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1])
def test_alpha_out_of_range_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match=r"in \(0, 1\]"):
        Objective(alpha)
