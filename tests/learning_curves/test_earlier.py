from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.learning_curves.curve import LearningCurve, settings_of
from qhn.learning_curves.earlier import Wanted, fitting
from qhn.scheduling.space import Range, Space


def curve(losses: Any = (0.9, 0.5, 0.4), cost: float = 10.0, **fields: Any) -> LearningCurve:
    settings = {"rate": 0.1, "width": 16, "shots": 100} | fields.pop("settings", {})
    steps = np.arange(1.0, len(losses) + 1)
    return LearningCurve(losses, {"steps": steps, "shots": steps * cost}, settings, **{"problem": "p"} | fields)


def wanted(**fields: Any) -> Wanted:
    space = Space({"rate": Range(0.01, 1, log=True), "width": [16, 32]})
    base: dict[str, Any] = {
        "varied": {"rate": None, "width": [16, 32]},
        "settings": {"shots": 100},
        "as_numbers": space.as_numbers,
    }
    return Wanted("p", "loss", "shots", **{"unit": 10, "length": 3} | base | fields)


def test_curves_that_fit_come_on_the_grid_with_their_settings_as_those_of_trials() -> None:
    found = fitting([curve(), curve((0.8, 0.2), cost=15, settings={"rate": 0.5, "width": 32})], wanted())
    np.testing.assert_array_equal(found.losses, [[0.9, 0.5, 0.4], [np.nan, 0.8, 0.2]])
    np.testing.assert_allclose(found.settings, [[math.log(0.1), 16], [math.log(0.5), 32]])
    assert (len(found.taken), found.refused) == (2, {})
    assert found.words() == "2 learning curves of earlier trainings taken"


@pytest.mark.parametrize(
    ("earlier", "words"),
    [
        (curve(problem="q"), "they are of another problem, 'q' in place of 'p'"),
        (curve(quantity="mean"), "their losses are 'mean', and those of the study 'loss'"),
        (curve(settings={"shots": 50}), "their shots is 50, and the study's 100"),
        (curve(settings={"more": 1}), "their more is 1, and the study's None"),
        (curve(settings={"rate": "high"}), "their rate is no number"),
        (curve(settings={"rate": True}), "their rate is no number"),
        (curve(settings={"rate": 0.0}), "their hyper-parameters cannot be told in numbers as the study's"),
        (curve((0.9, 0.5)), "they end before a resource of 3 units"),
        (curve((0.9, 0.5, 0.4), cost=5), "they end before a resource of 3 units"),
        (curve((0.9,), cost=40), "they have no step within a resource of 3 units, or no loss"),
        (curve((0.9, np.inf, 0.4)), "they have losses that are not finite"),
        (curve((0.9, 0.5, np.nan)), "or no loss"),
        (LearningCurve([0.9], {"steps": [3]}, curve().settings, problem="p"), "their cost in shots is not known"),
    ],
)
def test_what_a_study_cannot_learn_from_is_refused_with_the_reason(earlier: LearningCurve, words: str) -> None:
    assert words in wanted().mismatch(earlier)
    found = fitting([curve(), earlier, earlier], wanted())
    assert (len(found.taken), sum(found.refused.values())) == (1, 2)
    alone = fitting([earlier], wanted()).words()
    assert alone.startswith("0 learning curves of earlier trainings taken; refused: ")
    assert words in alone


def test_a_loss_beyond_the_studys_resource_does_not_matter() -> None:
    assert not wanted().mismatch(curve((0.9, 0.5, 0.4, np.inf)))


def test_a_training_that_converged_before_is_long_enough() -> None:
    found = fitting([curve((0.9, 0.5), is_settled=True)], wanted())
    np.testing.assert_array_equal(found.losses, [[0.9, 0.5, 0.5]])


def test_options_that_are_names_or_tables_are_told_as_the_study_spells_them() -> None:
    options = ["sgd", {"name": "adam", "beta1": 0.5}, {"name": "adam", "beta1": 0.9}]
    named = {"train.optimizer.name": "adam", "train.optimizer.beta1": 0.9, "train.optimizer.beta2": 0.99}
    space = Space({"train.optimizer": options})
    asked = wanted(varied={"train.optimizer": options}, settings={}, as_numbers=space.as_numbers)

    def earlier(settings: dict[str, Any]) -> LearningCurve:
        return LearningCurve([0.5], {"shots": [30]}, settings, problem="p")

    assert fitting([earlier(named), earlier({"train.optimizer.name": "sgd"})], asked).settings.tolist() == [
        *([0.0, 0.0, 1.0], [1.0, 0.0, 0.0])
    ]
    assert (
        asked.mismatch(earlier(named | {"train.optimizer.beta1": 0.1}))
        == "their train.optimizer is none of the study's"
    )
    lists = wanted(varied={"hidden": [[2, 3], (4,)]}, settings={})
    assert lists.values(earlier({"hidden": [4]})) == {"hidden": (4,)}
    truths = wanted(varied={"bias": [True, False]}, settings={})
    assert truths.mismatch(earlier({"bias": 1})) == "their bias is none of the study's"


def test_of_each_training_one_curve_is_taken() -> None:
    assert len(fitting([curve(name="a"), curve(name="a"), curve(name="b")], wanted()).taken) == 2


def test_runs_are_compared_by_problem_loss_and_settings() -> None:
    def run(**train: Any) -> RunConfig:
        return RunConfig(data={"name": "gaussian-mixture"}, network={"hidden": [3]}, train={"shots": 100} | train)

    def of(config: RunConfig) -> LearningCurve:
        costs = {"shots": [10, 20, 30]}
        return LearningCurve([0.9, 0.5, 0.4], costs, settings_of(config), problem=config.problem_id, quantity="mean")

    base = {"unit_of_cost": "shots", "unit": 10, "length": 3}
    study = Wanted.of_runs(run(seed=1, steps=9), **base)
    assert not study.mismatch(of(run(seed=2, steps=80, target=0.1)))
    assert "train.shots is 200" in study.mismatch(of(run(shots=200)))
    rate = run(optimizer={"name": "adam", "learning_rate": 0.7})
    assert "learning_rate is 0.7" in study.mismatch(of(rate))
    varied = Wanted.of_runs(run(), varied={"train.optimizer.learning_rate": None}, **base)
    assert not varied.mismatch(of(rate))
    other = run().model_copy(update={"network": RunConfig(network={"hidden": [2]}).network})
    assert "another problem" in study.mismatch(of(other))


@pytest.mark.parametrize(
    ("decay", "fields", "words"),
    [
        (3, {}, ""),
        (60, {}, "their learning rate falls over 60 steps, and the study's over all of its steps"),
        (None, {}, "their learning rate falls never"),
        (60, {"has_whole_decay": False}, "their train.optimizer.decay_steps is 60, and the study's 3"),
        (3, {"has_whole_decay": False}, ""),
        (3, {"length": 2}, "falls over 3 steps"),
    ],
)
def test_a_learning_rate_must_have_fallen_as_that_of_the_study(
    decay: int | None, fields: dict[str, Any], words: str
) -> None:
    settings = {"shots": 100, "train.optimizer.decay_steps": 3}
    asked = wanted(**{"settings": settings, "has_whole_decay": True} | fields)
    found = asked.mismatch(curve(settings={"train.optimizer.decay_steps": decay}))
    assert words in found
    assert bool(words) == bool(found)


def test_nothing_found_is_no_error() -> None:
    found = fitting([], wanted())
    assert (found.losses.shape, found.settings.shape, found.refused) == ((0, 3), (0, 0), {})
    assert found.words() == "0 learning curves of earlier trainings taken"


@pytest.mark.parametrize(("fields", "words"), [({"unit": 0}, "unit must be"), ({"length": 0}, "length must be")])
def test_a_grid_that_is_none_is_refused(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(QhnError, match=words):
        wanted(**fields)
