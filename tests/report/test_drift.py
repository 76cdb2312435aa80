"""E at the first θ, measured along a run: what is measured, what it costs, and when it says that a device drifts."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pictures import is_drawn
from qhn.backend import RehearsalSettings
from qhn.backend.rehearsal import FakeDevice, stored_device
from qhn.budget.forecast import Forecast, PricedRun
from qhn.budget.quote import quote
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.estimator.gradient import ParameterShift, WithDrift
from qhn.estimator.readout import inverted_for
from qhn.problem.landscape import enumerate_costs
from qhn.report.drift import Drift
from qhn.report.page import Report
from qhn.run.replay import disagreement, replay
from qhn.run.step import Step
from qhn.run.training import resume, train
from qhn.seeds import Key
from runs import finished

DRIFT = {"train.backend": "fake_manila", "device.drift_every": 2}
TILED = DRIFT | {"train.backend": "fake_jakarta", "network.bias": False, "device.tiles": 2}
LBFGS = {"train.optimizer": {"name": "lbfgs", "max_line_search": 3, "force": True}}
KEY = Key(3, step=4)


# -------------------------------------------------------------------------------------------------------- the rule


def test_a_step_takes_the_rule_when_it_is_its_turn(small_config: RunConfig) -> None:
    config, ansatz = with_settings(small_config, DRIFT), small_config.circuit(small_config.problem())
    strategy = config.strategy(ansatz)
    state = strategy.init(config.initial_theta(ansatz))
    turns = [isinstance(strategy.measurement(step, state).rule, WithDrift) for step in range(5)]
    assert turns == [True, False, True, False, True]
    assert isinstance(strategy.measurement(2, state, evaluation=1).rule, ParameterShift)
    rule = strategy.measurement(4, state).rule
    assert isinstance(rule, WithDrift)
    np.testing.assert_array_equal(rule.fixed, config.initial_theta(ansatz))
    assert isinstance(small_config.strategy(ansatz).measurement(0, state).rule, ParameterShift)


# ------------------------------------------------------------------------------------------------ what is measured


@pytest.mark.parametrize("mitigation", ["none", "readout"])
@pytest.mark.parametrize("settings", [DRIFT, TILED])
def test_it_is_the_noisy_energy_of_the_first_theta_on_its_tile(
    settings: dict[str, Any], mitigation: str, small_config: RunConfig, tmp_path: Path
) -> None:
    """5σ from the twin of that tile; the pair is the tenth on two tiles, or the only one left on one."""
    chosen = settings | {"device.mitigation": mitigation, "train.shots": 3000, "train.steps": 3}
    config = with_settings(small_config, chosen)
    record = finished(config, tmp_path)
    steps, problem = record.steps(), config.problem()
    ansatz, costs = config.circuit(problem), enumerate_costs(problem)
    pairs = config.train.gradient.build(ansatz).num_rows // 2
    tiles = record.manifest()[0]["backend"]["tiles"]
    chain = tuple(tiles[pairs % len(tiles)]["qubits"])
    use = RehearsalSettings(qubits=(chain,), calibrate=mitigation == "readout")
    sampler = FakeDevice(stored_device(config.train.backend), use).compile(ansatz)
    if mitigation == "readout":
        rates = sampler.placement.chip.readout[list(chain)]
        costs = inverted_for(ansatz, costs, rates, folded=sampler.placement.folded)
    (exact,) = sampler.energies(steps[0].theta[None], costs)
    assert [step.drift is None for step in steps] == [False, True, False]
    for step in (steps[0], steps[2]):
        assert step.drift is not None
        assert step.drift_std_error is not None
        assert 0 < step.drift_std_error < 0.05
        assert abs(step.drift - exact) < 5 * step.drift_std_error
    assert steps[0].drift != steps[2].drift
    assert steps[1].drift_std_error is None
    shown = Drift.of(steps)
    assert shown is not None
    assert shown.steps.tolist() == [0, 2]
    assert shown.p_value > 1e-4


def test_a_cvar_run_measures_the_mean(small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeDevice, "paid", True)
    settings = DRIFT | {"train.objective": "cvar", "train.steps": 1, "train.max_shots": 10**6}
    record = finished(with_settings(small_config, settings), tmp_path)
    (step,) = record.steps()
    samples, _ = record.kept_samples(0)
    costs = record.config.problem().cost(samples.bits[-2:])
    assert step.drift == pytest.approx(costs.mean(), abs=1e-14)
    assert step.drift_std_error == pytest.approx(np.sqrt((costs.var(axis=1, ddof=1) / 60).sum()) / 2, abs=1e-14)


@pytest.mark.parametrize("settings", [TILED | {"device.mitigation": "readout"}, TILED | LBFGS, DRIFT])
def test_a_resumed_run_has_the_same_bytes_and_a_replay_the_same_numbers(
    settings: dict[str, Any], small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after a step without drift; the pair of every step is on one tile, the same one."""
    monkeypatch.setattr(FakeDevice, "paid", True)
    config = with_settings(small_config, settings | {"train.max_shots": 10**6})
    whole = finished(config, tmp_path / "whole")
    halves = finished(with_settings(config, {"train.steps": 2}), tmp_path / "halves")
    list(resume(halves.directory, {"train.steps": 4}))
    for name in ("steps.jsonl", "evaluations.bin"):
        assert (whole.directory / name).read_bytes() == (halves.directory / name).read_bytes()
    steps = whole.steps()
    assert [step.drift is None for step in steps] == [False, True, False, True]
    for step, found in zip(steps, replay(halves.directory), strict=True):
        assert disagreement(step, found) == ""
        assert (found.drift, found.drift_std_error) == (step.drift, step.drift_std_error)
    other = replace(next(replay(whole)), drift=0.1)
    assert "step 0 does not agree with its bits in drift" in disagreement(steps[0], other)
    if "device.tiles" in settings:
        tiles = [whole.kept_samples(step)[0].tiles for step in (0, 2)]
        assert [on.tolist()[-2:] for on in tiles if on is not None] == [[1, 1], [1, 1]]


def test_a_line_without_drift_is_a_step(small_config: RunConfig, tmp_path: Path) -> None:
    line = json.loads(finished(with_settings(small_config, {"train.steps": 1}), tmp_path).steps()[0].to_json())
    assert line.pop("drift") is line.pop("drift_std_error") is None
    step = Step.from_json(json.dumps(line))
    assert step.drift is None
    assert Drift.of([step]) is None


# -------------------------------------------------------------------------------------------------- what it costs


@pytest.mark.parametrize(
    ("settings", "more"),
    [
        (DRIFT, 2),
        (TILED | {"device.mitigation": "readout"}, 0),  # of nine pairs on two tiles the last has room for another
        (DRIFT | {"train.gradient": "spsa", "train.optimizer": "spsa"}, 2),
    ],
)
def test_the_price_of_a_step_is_what_it_takes(
    settings: dict[str, Any], more: int, small_config: RunConfig, tmp_path: Path
) -> None:
    """To the shot, with the device and from what the record remembers of it; and so a budget of all steps suffices."""
    config = with_settings(small_config, settings)
    ansatz = config.circuit(config.problem())
    forecast = Forecast(config, ansatz, config.backend().compile(ansatz).placement)
    prices = forecast.steps
    record = finished(config, tmp_path)
    taken = np.diff([0, *(step.shots for step in record.steps())])
    assert [price.shots for price in prices] == taken.tolist()
    assert taken.tolist() == [taken[1] + 60 * more, taken[1]] * 2
    priced = PricedRun.from_json(json.loads(json.dumps(forecast.priced().to_json())))
    asked = [forecast.strategy.measurements(step) for step in range(4)]
    assert [priced.amount(one, whole=config.train.machine.bills) for one in asked] == prices
    assert [line["price_seconds"] for line in record.timing()] == [price.seconds for price in prices]
    assert quote(config, stored_device(config.train.backend), 600).seconds == tuple(one.seconds for one in prices)
    seconds = sum(price.seconds for price in prices)
    for budget, steps in ((seconds, 4), (seconds - 0.001, 3), (seconds - prices[1].seconds - 0.001, 2)):
        limited = with_settings(config, {"train.max_qpu_seconds": budget})
        training = train(limited, results=tmp_path / str(budget))
        next(training)
        next(training)
        training.close()
        assert training.record is not None
        assert len(list(resume(training.record.directory))) == steps  # priced by its record, until a device is opened


def test_a_line_search_measures_it_once_a_step(small_config: RunConfig, tmp_path: Path) -> None:
    config = with_settings(small_config, DRIFT | LBFGS)
    ansatz = config.circuit(config.problem())
    forecast = Forecast(config, ansatz, config.backend().compile(ansatz).placement)
    rows = config.train.gradient.build(ansatz).num_rows
    assert [forecast.step(step).shots for step in (0, 1)] == [(4 * rows + 2) * 60, 4 * rows * 60]
    for step in (0, 1):
        again = forecast.priced().amount(forecast.strategy.measurements(step), whole=False)
        assert again.shots == forecast.step(step).shots
    shots = np.diff([0, *(step.shots for step in finished(config, tmp_path).steps())])
    assert (shots % (60 * rows) == [120, 0, 120, 0]).all()


def test_an_estimate_says_so(qhn) -> None:
    words = ("estimate", "figure-1", "--backend", "fake_manila", "--steps", "10")
    assert "drift" not in qhn(*words).out
    result = qhn(*words, "--set", "device.drift_every=5")
    assert "two rows more in steps 0, 5, 10 …, for the drift" in result.out
    assert json.loads(qhn(*words, "--set", "device.drift_every=5", "--json").out)["drift_every"] == 5


def test_it_is_of_measured_bits_on_devices(small_config: RunConfig) -> None:
    with pytest.raises(ValueError, match=r"device\.drift_every goes with backends fake_<device>, twin_<device> and"):
        with_settings(small_config, {"device.drift_every": 3})
    with pytest.raises(ValueError, match=r"device\.drift_every concerns measured bits, and without shots there are"):
        with_settings(small_config, DRIFT | {"train.shots": "none"})
    with pytest.raises(ValueError, match=r"device\.drift_every: input should be greater than or equal to 1, got 0"):
        with_settings(small_config, DRIFT | {"device.drift_every": 0})
    without = with_settings(small_config, {"train.backend": "fake_manila"})
    assert with_settings(small_config, DRIFT).run_id != without.run_id


# --------------------------------------------------------------------------------------------------- what it says


def test_chi2_is_that_of_independent_values(rng: np.random.Generator) -> None:
    """Mean and tail of many runs without drift; of one with, none of them."""
    error, num = rng.uniform(0.01, 0.05, 8), 2000
    still = [Drift(np.arange(8), 0.5 + error * rng.normal(size=8), error) for _ in range(num)]
    assert abs(np.mean([one.chi2 for one in still]) - 7) < 5 * np.sqrt(2 * 7 / num)
    assert abs(np.mean([one.p_value < 0.1 for one in still]) - 0.1) < 5 * np.sqrt(0.09 / num)
    moved = replace(still[0], mean=still[0].mean + np.linspace(0, 0.3, 8))
    assert moved.words().endswith("more than the errors allow, the device drifted")
    assert "8 in all; χ² " in still[0].words()


def test_few_values_and_values_without_errors_say_no_more_than_they_know() -> None:
    one = Drift(np.array([0]), np.array([0.5]), np.array([0.01]))
    assert one.words() == "E(θ₀) 0.500 ± 0.010 at step 0"
    two = Drift(np.array([0, 4]), np.array([0.5, 0.51]), np.array([0.01, 0.01]))
    assert two.words() == (
        "E(θ₀) 0.500 ± 0.010 at step 0, 0.510 ± 0.010 at step 4; χ² 0.5 with 1 degree of freedom, p = 0.48: "
        "a spread as the errors allow"
    )
    assert (
        replace(two, std_error=np.array([0.01, np.nan]))
        .words()
        .endswith("0.51 ± ? at step 4; their errors are not known")
    )


@pytest.mark.pictures
def test_the_page_and_a_figure_show_it(
    small_config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a device that changes while the run goes on."""
    record = finished(with_settings(small_config, DRIFT), tmp_path)
    report = Report(record)
    assert "  drift       E(θ₀) 0." in report.summary()
    assert "degree of freedom" in report.summary()
    path = next(path for path in report.figures() if path.name == "drift.png")
    assert is_drawn(path)
    assert "different qubits" not in report.summary()
    manifest = json.loads((record.directory / "manifest.json").read_text())
    elsewhere = json.loads(json.dumps(manifest["sessions"][0]))
    elsewhere["backend"]["tiles"][0]["qubits"].reverse()
    record.write_json("manifest.json", manifest | {"sessions": [elsewhere, *manifest["sessions"]]})
    assert "errors allow; sessions used different qubits" in Report(record).summary()
    table = np.genfromtxt(path.with_suffix(".csv"), delimiter=",", names=True)
    np.testing.assert_array_equal(table["mean"], [step.drift for step in record.steps() if step.drift is not None])

    from qhn.backend.noise.twin import Twin

    settings = DRIFT | {"device.drift_every": 1, "train.shots": 1000, "train.steps": 2}
    training = train(with_settings(small_config, settings), results=tmp_path)
    next(training)
    real = Twin.sample
    stuck = np.array([0, 1, 0, 0], dtype=np.uint8)
    monkeypatch.setattr(Twin, "sample", lambda *words: real(*words) | stuck)  # from then on a qubit reads 1
    list(training)
    assert training.record is not None
    assert "more than the errors allow, the device drifted" in Report(training.record).summary()
    once = finished(with_settings(small_config, DRIFT | {"train.steps": 1}), tmp_path / "once")
    assert Drift.of(once.steps()).freedom == 0
    assert "drift" not in Report(finished(small_config, tmp_path)).summary()
