from __future__ import annotations

import numpy as np
import pytest

from qhn import ExactEstimator, RunConfig, load_config, train
from qhn.sweep.batch import can_advance_together, train_together

EXACT = {"train.backend": "exact", "train.steps": 25, "ansatz.num_layers": 1, "data.samples": 60}


def configs(count: int, settings: dict[str, object]) -> list[RunConfig]:
    return [load_config("figure-1", EXACT | settings | {"train.seed": seed}) for seed in range(count)]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "sgd"])
@pytest.mark.parametrize("objective", ["mean", "cvar"])
def test_each_member_takes_the_steps_of_its_own_run(optimizer: str, objective: str) -> None:
    members = configs(3, {"train.optimizer": optimizer, "train.objective": objective})
    batch = train_together(members)
    for row, config in enumerate(members):
        steps = list(train(config, record=False))
        last = batch.num_steps[row] - 1
        assert last + 1 <= len(steps)  # L-BFGS also ends when a step lowers E by less than rounding
        np.testing.assert_allclose(batch.mean[row, : last + 1], [s.mean for s in steps[: last + 1]], atol=1e-9)
        assert batch.validation is not None
        np.testing.assert_allclose(batch.validation[row, last], steps[last].validation, atol=1e-9)
        np.testing.assert_allclose(batch.theta[row], steps[last].theta, atol=1e-5)


def test_what_is_said_of_the_end_is_so() -> None:
    members = configs(8, {"train.optimizer": "lbfgs", "train.steps": 200, "data.validation_samples": 0})
    batch = train_together(members)
    assert batch.validation is None
    assert (batch.mean[:, 1:] <= batch.mean[:, :-1] + 1e-12).all()
    problem = members[0].problem()
    ansatz = members[0].circuit(4)
    exact = ExactEstimator(ansatz, problem)
    np.testing.assert_allclose(exact(batch.theta).mean, batch.mean[:, -1], atol=1e-12)
    probabilities = exact.distribution.probabilities(batch.theta)
    np.testing.assert_array_equal(probabilities.argmax(axis=1), batch.most_probable @ (1 << np.arange(4)))
    np.testing.assert_allclose(exact.distribution.entropy(batch.theta), batch.entropy)
    flat = np.abs(exact.value_and_grad(batch.theta).grad).max(axis=1) <= 1e-6
    assert batch.converged[flat].all()
    assert (batch.num_gradients >= batch.num_steps).all()


def test_only_what_differs_in_its_seed_goes_together() -> None:
    first = configs(1, {})[0]
    for other in ({"ansatz.num_layers": 2}, {"data.seed": 2}, {"train.steps": 26}, {"train.initial": "normal"}):
        with pytest.raises(ValueError, match="differ in their seed only"):
            train_together([first, configs(1, other)[0]])
    for setting in ({"train.shots": 10}, {"train.target": 0.1}, {"train.plateau": 5}, {"train.patience": 5}):
        assert not can_advance_together(configs(1, setting)[0])
