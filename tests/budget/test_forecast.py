"""What a run will take of a machine: of one gradient, one step, all steps, and by what its record remembers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qhn.backend.device.placement import Placement, place
from qhn.backend.ibm.selftest import versions
from qhn.backend.journal import Entry, Event
from qhn.backend.rehearsal import stored_device
from qhn.backend.terms import Amount
from qhn.budget.forecast import Forecast, PricedRun, self_test_amount
from qhn.config import RunConfig
from qhn.config.file import with_settings

ROWS = 1 + 2 * 12  # of the small run
LINE_SEARCH = {"train.optimizer": {"name": "lbfgs", "force": True, "max_line_search": 3}}
PASSED = Entry(Event.SELF_TEST, job_id="t", complaint=None, versions=versions())


def forecast(config: RunConfig, **settings: Any) -> Forecast:
    """On the stored device, whether it is rehearsed on or billed."""
    config = with_settings(config, {"train.backend": "fake_manila", **settings})
    ansatz = config.circuit(4)
    return Forecast(config, ansatz, place(ansatz, stored_device("fake_manila"), config.machine_settings))


def placement_of(one: Forecast) -> Placement:
    assert one.placement is not None
    return one.placement


def test_beside_devices_there_are_shots_alone(small_config: RunConfig) -> None:
    one = Forecast(small_config, small_config.circuit(4))
    assert one.step() == Amount(0.0, 0, ROWS * 60)
    assert one.steps == [one.step()] * 4
    assert (one.seconds, one.priced(), one.self_test()) == (0.0, None, Amount())
    searching = with_settings(small_config, LINE_SEARCH)
    assert Forecast(searching, small_config.circuit(4)).step().shots == 4 * ROWS * 60
    growing = with_settings(small_config, {"train.shot_schedule": {"first": 15, "over": 2}})
    assert [step.shots for step in Forecast(growing, small_config.circuit(4)).steps] == [
        ROWS * shots for shots in (15, 30, 60, 60)
    ]


def test_a_gradient_of_a_device_takes_its_executions(small_config: RunConfig) -> None:
    one = forecast(small_config)
    per_shot = placement_of(one).seconds_per_shot
    found = one.gradients(0, 1)
    assert found == Amount(pytest.approx(2 + ROWS * 60 * per_shot), 1, ROWS * 60)
    assert one.gradients(0, 3) == found.times(3)
    assert one.gradients(0, 1, whole=True).seconds == 3.0
    assert one.gradients(0, 2, whole=True).seconds == 6.0
    assert one.step() == found  # a rehearsal is not ended at whole seconds
    assert one.step_seconds == [found.seconds] * 4
    assert one.seconds == pytest.approx(4 * found.seconds)
    assert forecast(small_config, **LINE_SEARCH).step() == found.times(4)


def test_only_the_first_gradient_of_a_step_measures_the_drift(small_config: RunConfig) -> None:
    one = forecast(small_config, **LINE_SEARCH, **{"device.drift_every": 2})
    with_drift, without = ((ROWS + more) * 60 for more in (2, 0))
    assert one.gradients(0, 1).shots == with_drift
    assert one.gradients(0, 2).shots == with_drift + without
    assert one.gradients(0, 4).shots == with_drift + 3 * without
    assert one.gradients(1, 4).shots == 4 * without
    assert [step.shots for step in one.steps] == [with_drift + 3 * without, 4 * without] * 2


def test_a_qpu_takes_whole_seconds_and_a_self_test_until_it_has_passed(small_config: RunConfig) -> None:
    one = forecast(small_config, **{"train.backend": "ibm_manila", "train.max_qpu_seconds": 60})
    test = self_test_amount(placement_of(one).seconds_per_shot)
    assert test == Amount(pytest.approx(2 + 400 * placement_of(one).seconds_per_shot), 1, 400)
    assert one.self_test() == test
    failed = Entry(Event.SELF_TEST, job_id="t", complaint="bits come back in reverse order", versions=versions())
    assert one.self_test([failed]) == test
    assert one.self_test([failed, PASSED]) == Amount()
    priced = one.priced()
    assert priced is not None
    assert (priced.self_test(one.config, [failed]), priced.self_test(one.config, [PASSED])) == (test, Amount())
    assert one.step() == Amount(3.0, 1, ROWS * 60)
    assert one.steps == [one.step() + test, *[one.step()] * 3]
    assert one.seconds == pytest.approx(test.seconds + 4 * one.gradients(0, 1).seconds)
    assert forecast(small_config).self_test() == Amount()


@pytest.mark.parametrize("backend", ["fake_manila", "ibm_manila"])
@pytest.mark.parametrize("more", [{}, LINE_SEARCH, {"device.drift_every": 3}, {"device.twirling": True}])
def test_a_record_remembers_what_a_step_takes(backend: str, more: dict[str, Any], small_config: RunConfig) -> None:
    """Without the device, and after its way through JSON."""
    budget = {"train.max_qpu_seconds": 600} if backend.startswith("ibm") else {}
    one = forecast(small_config, **more, **budget, **{"train.backend": backend})
    priced = one.priced()
    assert priced is not None
    again = PricedRun.from_json(json.loads(json.dumps(priced.to_json())))
    assert again == priced
    for step in range(4):
        known, found = again.step(one.config, step), one.step(step)
        assert (known.jobs, known.shots) == (found.jobs, found.shots)
        assert known.seconds == pytest.approx(found.seconds, rel=1e-12)
    assert again.self_test(one.config, []) == one.self_test()
    assert (again.steps, again.qpu_seconds_of_the_run) == (4, round(sum(one.step_seconds), 1))
    assert bool(again.without_drift) == ("device.drift_every" in more)


def test_what_is_no_price_is_none() -> None:
    assert PricedRun.from_json(None) is None
    assert PricedRun.from_json({"rows": 3, "price": 2.0}) is None
