from __future__ import annotations

import numpy as np
import pytest

from qhn import hypernetwork, load_config
from qhn.circuit.hypernetwork import Order
from qhn.circuit.initial import Normal, Superposition, Uniform
from qhn.config.file import with_settings
from qhn.exact.distribution import Distribution


def test_the_default_draws_what_the_paper_does() -> None:
    config, ansatz = load_config("gaussian-activation"), hypernetwork(14, 2)
    theta = config.initial_theta(ansatz)
    assert theta.shape == (112,)
    assert theta.min() >= 0
    assert theta.max() < 2 * np.pi
    np.testing.assert_array_equal(theta, with_settings(config, {"train.initial": "uniform"}).initial_theta(ansatz))


@pytest.mark.parametrize("order", ["eq5", "authors"])
@pytest.mark.parametrize("num_layers", [0, 1, 3])
def test_a_narrow_start_is_the_state_it_is_named_after(num_layers: int, order: Order, rng: np.random.Generator) -> None:
    ansatz = hypernetwork(5, num_layers, order)
    distribution = Distribution(ansatz)
    even = distribution.probabilities(Superposition(0.0).draw(ansatz, rng)[None])
    np.testing.assert_allclose(even, 1 / 32, atol=1e-15)
    zeros = distribution.probabilities(Normal(0.0).draw(ansatz, rng)[None])
    np.testing.assert_allclose(zeros[0, 0], 1.0)


def test_widths_and_ranges_are_kept(rng: np.random.Generator) -> None:
    ansatz = hypernetwork(40, 40)
    angles = Normal(0.3).draw(ansatz, rng)
    assert abs(angles.std() - 0.3) < 5 * 0.3 / np.sqrt(2 * angles.size)
    angles = Uniform(-1.0, 2.0).draw(ansatz, rng)
    assert angles.min() >= -1
    assert angles.max() < 2
    assert abs(angles.mean() - 0.5) < 5 * np.sqrt(9 / 12 / angles.size)


def test_a_configuration_chooses_and_is_another_run_by_it() -> None:
    config = load_config("figure-1")
    normal = with_settings(config, {"train.initial": "normal", "train.initial.width": 0.2})
    assert normal.run_id != config.run_id
    assert np.abs(normal.initial_theta(hypernetwork(4, 2))).max() < 1.5
    with pytest.raises(ValueError, match=r"train.initial.low must be below high, got 3 and 2"):
        with_settings(config, {"train.initial": {"low": 3.0, "high": 2.0}})
