"""The common grid of resource, against prices that are counted by hand."""

from __future__ import annotations

from typing import Any

import pytest

from qhn.errors import QhnError, RecordError
from qhn.run.training import train
from qhn.search.config import make_study
from qhn.search.resource import Grid, default_resource, grid_of

SMALL = {"data.samples": 40, "data.validation_samples": 0, "train.shots": 10, "train.backend": "exact"}


def grid(settings: dict[str, Any], resource: str | None = None, most: int = 12, **fields: Any) -> Grid:
    fields = {"scheduler": "all", "trials": 8} | fields
    plan = make_study(experiment="figure-1", set=SMALL | settings, max_resource=most, **fields)
    chosen = resource or default_resource(plan.configs)
    return grid_of(plan.configs, chosen, most, plan.faults, lambda plan: None)


def test_the_unit_is_a_step_of_the_cheapest_trial() -> None:
    """Every active angle takes two rows of angles more."""
    vary = {"ansatz.num_layers": [0, 1, 2]}
    plan = make_study(experiment="figure-1", set=SMALL, scheduler="all", trials=8, vary=vary)
    found = grid({}, vary=vary)
    rows = {}
    for trial, config in plan.configs.items():
        rows[trial] = 1 + 2 * int(config.circuit(config.problem()).active.sum())
    assert found.unit == 10 * min(rows.values())
    for trial, number in rows.items():
        assert found.most_steps(trial) == 12 * min(rows.values()) // number
        for units in range(13):
            assert found.steps(trial, units) == units * min(rows.values()) // number
        assert [found.spent(trial, steps) for steps in (0, 1)] == [0, 10 * number]
    assert len(found.kinds) == len(set(rows.values()))
    assert found.words().startswith(f"a unit is {found.unit:g} shots; R = 12 units are ")


def test_learning_rates_and_seeds_are_no_kinds_of_their_own() -> None:
    found = grid({}, vary={"train.optimizer.learning_rate": {"low": 0.1, "high": 1.0}})
    assert len(found.kinds) == 1
    assert set(found.kind_of.values()) == {0}


def test_shots_that_grow_fill_the_grid_by_their_sum() -> None:
    found = grid({"train.shots": 40, "train.shot_schedule": {"first": 10, "over": 2}, "ansatz.num_layers": 0})
    rows = 9
    assert found.unit == 40 * rows
    assert found.kinds[0][:4] == (10 * rows, 30 * rows, 70 * rows, 110 * rows)
    assert [found.steps(0, units) for units in (0, 1, 2, 3)] == [0, 2, 3, 4]
    assert found.kinds[0][-1] <= 12 * found.unit < found.kinds[0][-1] + 40 * rows


def test_steps_are_counted_one_by_one_where_e_is_exact() -> None:
    found = grid({"train.shots": "none"}, vary={"ansatz.num_layers": [0, 1]})
    assert (found.resource, found.unit, found.kinds) == ("steps", 1.0, (tuple(map(float, range(1, 13))),) * 2)
    assert grid({}, "steps", vary={"ansatz.num_layers": [0, 1]}).unit == 1.0


def test_qpu_seconds_are_those_of_the_price() -> None:
    found = grid({"train.backend": "fake_manila", "ansatz.num_layers": 0}, "qpu-seconds", most=3)
    config = make_study(experiment="figure-1", set=SMALL | {"train.backend": "fake_manila", "ansatz.num_layers": 0})
    training = train(config.trained({}, 0, 2), record=False)
    list(training)
    assert found.spent(0, 2) == pytest.approx(training.ledger().spent.seconds, rel=1e-12)


def test_steps_that_measure_the_drift_take_two_rows_more() -> None:
    """The unit is then a step that does."""
    settings = {"train.backend": "fake_manila", "device.drift_every": 3, "ansatz.num_layers": 0}
    found = grid(settings, most=4)
    rows = 9
    assert found.unit == 10 * (rows + 2)
    assert found.kinds == ((10 * rows + 20, 20 * rows + 20, 30 * rows + 20, 40 * rows + 40),)


def test_a_trial_whose_first_step_is_too_dear_is_said_to_be() -> None:
    found = grid({}, vary={"train.gradient": ["parameter-shift", "spsa"]}, most=3)
    assert found.faults
    assert all("more than max_resource = 3 units of 30" in words for words in found.faults.values())
    assert found.faults.keys() | found.kind_of.keys() == set(range(8))


@pytest.mark.parametrize(
    ("resource", "settings", "words"),
    [
        ("shots", {"train.shots": "none"}, "is not counted where E is exact; take resource = 'steps'"),
        ("qpu-seconds", {}, "is not counted on exact; take resource = 'shots'"),
    ],
)
def test_a_resource_that_is_not_counted_is_refused(resource: str, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(QhnError, match=words):
        grid(settings, resource)


def test_a_grid_is_restored_from_json() -> None:
    found = grid({}, vary={"train.gradient": ["parameter-shift", "spsa"], "ansatz.num_layers": [0, 1]}, most=6)
    assert Grid.from_json(found.to_json()) == found
    for key, value in (("unit", 0), ("unit", "x"), ("kind_of", [[0, 9]]), ("kinds", 3), ("faults", None)):
        with pytest.raises(RecordError, match="not a grid of resource"):
            Grid.from_json(found.to_json() | {key: value})
