from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.learning_curves.curve import LearningCurve, on_grid, settings_of, without_repeats


def test_the_loss_at_a_resource_is_that_of_the_last_step_by_then(rng: np.random.Generator) -> None:
    """Against the words, one point after another."""
    losses, costs, unit = rng.random(30), rng.integers(1, 40, 30).cumsum(), 17
    found = on_grid(losses, costs, unit, 60)
    for resource in range(1, 61):
        done = [loss for loss, cost in zip(losses, costs, strict=True) if cost <= resource * unit]
        assert found[resource - 1] == done[-1] if done else np.isnan(found[resource - 1])


def test_tenths_add_up_to_a_unit() -> None:
    losses = np.arange(1.0, 31.0)
    np.testing.assert_array_equal(on_grid(losses, np.cumsum(np.full(30, 0.1)), 1.0, 3), [10, 20, 30])


@pytest.mark.parametrize(("unit", "length", "words"), [(0, 3, "unit must be"), (1, 0, "length must be at least 1")])
def test_a_grid_needs_a_unit_and_points(unit: float, length: int, words: str) -> None:
    with pytest.raises(QhnError, match=words):
        on_grid([0.5], [1.0], unit, length)


@pytest.mark.parametrize(
    ("costs", "length", "reaches"),
    [([10, 20, 30], 3, True), ([10, 20, 30], 4, False), ([12, 24, 36], 4, True), ([12, 24], 4, False), ([50], 4, True)],
)
def test_a_training_reaches_a_resource_if_no_further_step_fits(costs: list[int], length: int, reaches: bool) -> None:
    curve = LearningCurve(np.ones(len(costs)), {"shots": np.array(costs)})
    assert curve.reaches("shots", 10, length) is reaches
    assert LearningCurve(np.ones(len(costs)), {"shots": np.array(costs)}, is_settled=True).reaches("shots", 10, length)
    assert not curve.reaches("steps", 10, length)


@pytest.mark.parametrize(
    ("losses", "costs", "words"),
    [
        ([0.5, 0.4], {"steps": [1]}, "the costs in steps must be one a loss, got 1 for 2 losses"),
        ([0.5, 0.4], {"steps": [2, 1]}, "must be finite, at least 0 and never fall"),
        ([0.5, 0.4], {"steps": [-1, 1]}, "at least 0"),
        ([0.5, 0.4], {"steps": [1, np.nan]}, "must be finite"),
        ([[0.5]], {}, r"losses must be a list of numbers, got an array of the shape \(1, 1\)"),
        (["low"], {}, "losses must be a list of numbers, got"),
        ([0.5], {"steps": "one"}, "the costs in steps must be a list of numbers"),
    ],
)
def test_a_curve_that_is_none_is_refused(losses: Any, costs: Any, words: str) -> None:
    with pytest.raises(QhnError, match=words):
        LearningCurve(losses, costs)


def test_settings_are_those_of_the_run_without_its_stop_rules_and_problem() -> None:
    one = RunConfig(train={"steps": 5, "seed": 3, "optimizer": {"name": "adam", "learning_rate": 0.3}})
    found = settings_of(one)
    assert (found["train.seed"], found["train.optimizer.learning_rate"], found["ansatz.num_layers"]) == (
        *(3, 0.3, one.ansatz.num_layers),
    )
    assert found == settings_of(
        one.model_copy(update={"experiment": "other", "network": RunConfig(network={"hidden": [2]}).network})
    )
    longer = RunConfig(
        train={"steps": 50, "target": 0.1, "seed": 3, "optimizer": {"name": "adam", "learning_rate": 0.3}}
    )
    assert found == settings_of(longer)
    assert found != settings_of(RunConfig(train={"seed": 4}))


def test_of_one_training_the_longest_curve_is_taken() -> None:
    def curve(length: int, name: str, problem: str = "p") -> LearningCurve:
        return LearningCurve(np.ones(length), {}, problem=problem, name=name)

    found = without_repeats(
        [curve(2, "a"), curve(1, "b"), curve(3, "a"), curve(1, ""), curve(1, ""), curve(9, "a", "q")]
    )
    assert [(one.problem, one.name, len(one)) for one in found] == [
        *[("p", "a", 3), ("p", "b", 1), ("p", "", 1), ("p", "", 1), ("q", "a", 9)]
    ]
