"""The measurement of look-ahead: its meter against sampling, its budget, and rules with the program's optimizers."""

from __future__ import annotations

import csv
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qhn.backend import open_backend
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.estimator.sampling import SamplingEstimator
from qhn.optimize.optimizer import Adam, Sinusoid
from qhn.paper import look_ahead, look_ahead_claims, reproduce
from qhn.paper.claims import Verdict
from qhn.paper.courses import exact_of
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.look_ahead import Trained, _gained, trained
from qhn.paper.look_ahead_rules import AGAINST, RULES, Meter
from qhn.paper.section import Writer
from qhn.problem.cost import TableProblem
from qhn.sweep.survey import Rate


@pytest.fixture
def config() -> RunConfig:
    return load_config("figure-1", {"train.backend": "exact", "ansatz.num_layers": 1, "train.steps": 6})


def test_the_noise_is_that_of_shots(config: RunConfig, rng: np.random.Generator) -> None:
    exact = exact_of(config)
    assert isinstance(exact.ansatz, Hypernetwork)
    theta = rng.uniform(0, 6, exact.ansatz.num_parameters)
    meter = Meter(config, 50, 10**6, seed=1)
    table = TableProblem(exact.landscape.costs)
    sampled = SamplingEstimator(exact.ansatz, table, backend=open_backend("exact"), shots=50, seed=2)
    rows = np.repeat(theta[None], 3000, axis=0)
    (mine, error), theirs = meter(rows), sampled(rows).mean
    assert mine.std() == pytest.approx(theirs.std(), rel=0.08)
    assert mine.std() == pytest.approx(error[0], rel=0.08)
    assert mine.mean() == pytest.approx(exact(theta).mean, abs=5 * error[0] / np.sqrt(3000))
    assert (meter.rows, meter.jobs) == (3000, 1)


def test_the_first_steps_are_those_of_the_programs_optimizers(config: RunConfig) -> None:
    exact = exact_of(config)
    theta = np.random.default_rng(0).uniform(0, 6, exact.ansatz.num_parameters)
    found = next(RULES["Adam"](Meter(config, 0, 10**9, 0), theta))
    expected, _, _ = Adam(decay_steps=None).step(exact.value_and_grad, theta, Adam().init(theta))
    np.testing.assert_allclose(found, expected, atol=1e-6)

    sampled = SamplingEstimator(
        exact.ansatz, TableProblem(exact.landscape.costs), backend=open_backend("exact"), shots=10**6, seed=3
    )
    jumped = next(RULES["sinusoid jumps"](Meter(config, 0, 10**9, 0), theta))
    optimizer = Sinusoid(decay_steps=None)
    expected, _, _ = optimizer.step(sampled.value_and_grad, theta, optimizer.init(theta))
    assert np.median(np.abs(jumped - expected)[exact.ansatz.active]) < 0.01


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shots", [0, 100])
def test_each_rule_spends_its_rows_and_lowers_e(config: RunConfig, rule: str, shots: int) -> None:
    exact = exact_of(config)
    theta = np.random.default_rng(1).uniform(0, 6, exact.ansatz.num_parameters)
    meter = Meter(config, shots, 600, 0)
    *_, end = RULES[rule](meter, theta)
    assert 600 <= meter.rows < 600 + 250
    assert exact(end).mean < exact(theta).mean - 0.1


def test_marks_are_reached_in_order_and_the_last_is_the_end(config: RunConfig) -> None:
    found = trained((config, "Adam", 0, range(3), False))
    assert found.gap.shape == found.optimal.shape == (3, 4)
    assert (found.gap[:, -1] < found.gap[:, 0]).all()
    assert found.jobs.tolist() == [6, 6, 6]
    assert found.solved(1e9) == Rate(3, 3)
    near = trained((config, "sinusoid jumps", 0, range(3), True))
    assert (near.gap[:, -1] < 0.6).all()


def judged(gains: Callable[[str, str, str], Difference]) -> Writer:
    """The claims on gains by task, rule and peer, in sixteen settings as in the report."""
    page = Writer("x")
    settings = [(f"task {number}", 300 * (number % 2), False) for number in range(16)]
    found = {of: {rule: {other: gains(of[0], rule, other) for other in AGAINST} for rule in RULES} for of in settings}
    look_ahead_claims.judge(page, found)
    assert "128 in all" in page.blocks[0]
    return page


def verdicts(gains: Callable[[str, str, str], Difference]) -> list[Verdict]:
    return [claim.verdict for claim in judged(gains).claims]


@pytest.fixture
def starts(rng: np.random.Generator) -> Callable[[float], Difference]:
    """The gain of forty starts with a given mean."""

    def gain(mean: float) -> Difference:
        noise = rng.normal(0, 0.1, 40)
        ones = np.ones(40, dtype=np.int64)
        base = Trained(np.zeros((40, 1)), np.zeros((40, 1), dtype=bool), ones, ones)
        return _gained(base, replace(base, gap=(mean + noise - noise.mean())[:, None]))

    return gain


def test_verdicts_follow_gains_over_both_rules_wherever_tried(starts: Callable[[float], Difference]) -> None:
    better, worse, alike = starts(0.2), starts(-0.2), starts(0.0)
    assert verdicts(lambda *_: better) == [Verdict.REPRODUCED] * 4  # 128 tests can be satisfied
    only_one = verdicts(lambda what, rule, other: better if other == "Adam" else alike)
    assert only_one == [Verdict.UNDECIDED] * 4
    once = verdicts(lambda what, rule, other: worse if (what, other) == ("task 3", "Adam") else better)
    assert once == [Verdict.NOT_REPRODUCED] * 4
    assert verdicts(lambda *_: alike) == [Verdict.UNDECIDED] * 4


def test_cases_are_counted_after_correction(starts: Callable[[float], Difference]) -> None:
    better, worse, alike = starts(0.2), starts(-0.2), starts(0.0)
    some = {("task 3", "Adam"): worse, ("task 5", "Adam"): better, ("task 5", "sinusoid jumps"): better}
    text = judged(lambda what, rule, other: some.get((what, other), alike) if "blocks" in rule else alike).blocks[-1]
    best = "look-ahead on blocks of 4 (task 5, 300 shots, from uniform angles)"
    assert f"in 1 of 32 cases: {best}, and higher than with one of them in 1; without E" in text
    assert text.endswith("in 0 of 32 cases, and higher than with one of them in 0; all corrected for the 128 tests.")


def test_the_section_tells_gains_and_verdicts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = {"train.steps": 2, "ansatz.num_layers": 1}
    monkeypatch.setattr(look_ahead, "TASKS", {"figure-1": ("figure-1", small, None)})
    monkeypatch.setattr(look_ahead, "PREDICTED", "figure-1")
    with ThreadPoolExecutor(1) as executor:
        reproduce.reproduce(Lab(executor, tmp_path, seeds=2), ["look-ahead"])
    text = (tmp_path / "paper" / "report.md").read_text()
    assert "figure-1, 300 shots, from near a minimum" in text
    assert text.count("Adam, look-ahead on 4") == 4 + 4 * 2 + 2  # rows of rules, of tests, and of claims
    assert "| uniform | 10 | pairs | 202 | 200 |" in text
    with (tmp_path / "paper" / "look-ahead-starts.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["shots"] == "300" and row["start"] == "uniform"]
    ends = {rule: np.array([float(row["gap_1"]) for row in rows if row["rule"] == rule]) for rule in RULES}
    with (tmp_path / "paper" / "look-ahead.csv").open() as file:
        drawn = [row for row in csv.DictReader(file) if row["shots"] == "300" and row["start"] == "uniform"]
    assert len(drawn) == 4 * 2
    for row in drawn:
        assert float(row["gain"]) == pytest.approx((ends[row["over"]] - ends[row["rule"]]).mean(), abs=1e-12)
