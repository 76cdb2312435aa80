"""What a run will take of a machine: by the placed circuit, and by what a record remembers of its price."""

from __future__ import annotations

import math

import pytest

from qhn.backend import machine_of
from qhn.backend.device.placement import place
from qhn.backend.device.price import JOB_SECONDS, price
from qhn.backend.events import Entry, Event
from qhn.backend.rehearsal import stored_device
from qhn.backend.service.selftest import ROWS, SHOTS, versions
from qhn.backend.terms import Amount
from qhn.budget.forecast import Forecast, PricedRun, qpu_time, self_test_amount
from qhn.config import RunConfig
from qhn.config.file import with_settings

PASSED = Entry(Event.SELF_TEST, job_id="a", complaint=None, versions=versions())
FAILED = Entry(Event.SELF_TEST, job_id="a", complaint="bits come back in reverse order", versions=versions())
LINE_SEARCH = {"train.optimizer": {"name": "lbfgs", "force": True, "max_line_search": 3}}
OLDER = Entry(Event.SELF_TEST, job_id="a", complaint=None, versions={"qiskit": "0.1"})


def forecast(config: RunConfig) -> Forecast:
    """A forecast of a run on the stored calibration of fake_manila, whatever its configuration calls the device."""
    ansatz = config.circuit(config.problem())
    settings = config.device.settings(machine_of("fake_manila"))
    return Forecast(config, ansatz, place(ansatz, stored_device("fake_manila"), settings))


def on(config: RunConfig, backend: str) -> RunConfig:
    return with_settings(config, {"train.backend": backend})


def test_beside_devices_a_step_is_its_shots(small_config: RunConfig) -> None:
    ansatz = small_config.circuit(small_config.problem())
    rows = 1 + 2 * int(ansatz.active.sum())
    plain = Forecast(small_config, ansatz)
    assert plain.step() == Amount(0.0, 0, 60 * rows)
    assert (plain.seconds, plain.priced(), plain.self_test()) == (0.0, None, Amount())


def test_seconds_are_the_price_and_whole_on_a_qpu_alone(small_config: RunConfig) -> None:
    """By hand: two seconds a job, and for each shot of each row the delay and the circuit."""
    rehearsed, billed = (forecast(on(small_config, name)) for name in ("fake_manila", "ibm_manila"))
    rows = 1 + 2 * int(rehearsed.ansatz.active.sum())
    exact = JOB_SECONDS + 60 * rows * rehearsed.placement.seconds_per_shot
    assert rehearsed.step().seconds == pytest.approx(exact, rel=1e-12)
    assert billed.step().seconds == math.ceil(exact)
    assert billed.step_seconds == pytest.approx([exact] * 4)
    assert billed.seconds == pytest.approx(4 * exact + billed.self_test().seconds)


def test_the_self_test_is_paid_once_before_the_first_step_of_a_qpu(small_config: RunConfig) -> None:
    rehearsed, billed = (forecast(on(small_config, name)) for name in ("fake_manila", "ibm_manila"))
    test = self_test_amount(billed.placement.seconds_per_shot)
    assert (test.jobs, test.shots) == (1, ROWS * SHOTS)
    assert rehearsed.self_test() == Amount() == billed.self_test([FAILED, PASSED])
    assert billed.self_test([FAILED, OLDER]) == test == billed.self_test()
    assert billed.steps == [billed.step() + test] + 3 * [billed.step()]


@pytest.mark.parametrize("settings", [{}, LINE_SEARCH, {"device.drift_every": 2}, {"device.twirling": True}])
@pytest.mark.parametrize("backend", ["fake_manila", "ibm_manila"])
def test_a_record_remembers_the_price_of_every_step(
    settings: dict[str, object], backend: str, small_config: RunConfig
) -> None:
    config = with_settings(small_config, settings | {"train.backend": backend})
    known = forecast(config)
    priced = PricedRun.from_json(known.priced().to_json())
    assert priced == known.priced()
    bills = config.train.machine.bills
    steps = [priced.amount(known.strategy.measurements(step), whole=bills) for step in range(4)]
    assert steps == [known.step(step) for step in range(4)]
    assert priced.self_test(config, []) == known.self_test()


def test_a_step_of_a_line_search_takes_as_many_gradients_as_it_may(small_config: RunConfig) -> None:
    searching = with_settings(small_config, LINE_SEARCH)
    ansatz = small_config.circuit(small_config.problem())
    assert Forecast(searching, ansatz).step() == Forecast(small_config, ansatz).step().times(4)
    rehearsed, billed = (forecast(on(searching, name)) for name in ("fake_manila", "ibm_manila"))
    one = rehearsed.strategy.measurements(0)[:1]
    assert rehearsed.step() == rehearsed.amount(one).times(4)
    assert billed.step() == billed.amount(one, whole=True).times(4)


def test_shots_of_a_step_follow_their_schedule(small_config: RunConfig) -> None:
    growing = with_settings(small_config, {"train.shot_schedule": {"first": 15, "over": 2}})
    shots = [step.shots for step in Forecast(growing, small_config.circuit(small_config.problem())).steps]
    assert shots == [shots[0], 2 * shots[0], 4 * shots[0], 4 * shots[0]]


def test_only_the_first_gradient_of_a_step_measures_the_drift(small_config: RunConfig) -> None:
    """Two rows more, and no others in a line search."""
    known = forecast(with_settings(on(small_config, "fake_manila"), LINE_SEARCH | {"device.drift_every": 2}))
    without = 60 * (1 + 2 * int(known.ansatz.active.sum()))
    first, second = (known.strategy.measurements(step) for step in (0, 1))
    assert [known.amount(first[:count]).shots for count in (1, 2, 4)] == [n * without + 120 for n in (1, 2, 4)]
    assert known.amount(second).shots == 4 * without
    assert [step.shots for step in known.steps] == [4 * without + 120, 4 * without] * 2


@pytest.mark.parametrize("settings", [{}, {"device.tiles": 2}, {"device.mitigation": "readout"}])
def test_a_price_that_an_earlier_version_recorded_is_understood(
    settings: dict[str, object], small_config: RunConfig
) -> None:
    """It had the numbers of the first gradient, and not what they follow from."""
    config = with_settings(small_config, settings | {"train.backend": "fake_guadalupe"})
    ansatz = config.circuit(config.problem())
    known = Forecast(config, ansatz, config.backend().compile(ansatz).placement)
    tree = known.priced().to_json()
    first = price(known.task(known.strategy.measurements(0)[0]))
    earlier = tree | {name: getattr(first, name) for name in ("rows", "two_qubit_gates", "seconds_per_shot")}
    del earlier["task"]
    priced = PricedRun.from_json(earlier | {"without_drift": {}})
    assert priced.words() == known.priced().words()
    one = known.strategy.measurements(0)
    assert priced.amount(one, whole=False).shots == known.amount(one).shots
    assert priced.amount(one, whole=False).seconds == pytest.approx(known.amount(one).seconds)


def test_what_is_no_price_is_none() -> None:
    assert PricedRun.from_json(None) is None
    assert PricedRun.from_json({"circuits": 3}) is None
    assert [qpu_time(seconds) for seconds in (3.25, 600, 36_000)] == [
        "3.2 QPU seconds",
        "600.0 QPU seconds (10 min)",
        "36,000.0 QPU seconds (10.0 h)",
    ]
