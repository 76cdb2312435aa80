"""Costs in another unit: the same training, the same tolerances, and errors in that unit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qhn
from qhn.arrays import Bits, Floats
from qhn.estimator.means import stated
from qhn.problem.landscape import Landscape, cost_range
from qhn.report.page import Report
from qhn.run.step import Step
from qhn.run.stopping import steps_since_progress

COSTS = np.random.default_rng(5).normal(size=64) + 2.0
FACTORS = [2.0**-30, 2.0**30, 1e-6, 1e6]


class BlackBox:
    """A cost of which nothing is known but its values."""

    num_qubits = 6

    def cost(self, bits: Bits) -> Floats:
        return COSTS[bits @ (1 << np.arange(6))]


class Bounded(BlackBox):
    """A cost that knows its range."""

    cost_range = (-3.0, 6.0)


def trained(problem: Any, results: Path | None = None, **train: Any) -> Any:
    config = qhn.RunConfig(train={"backend": "exact", "seed": 1, **train})
    training = qhn.train(config, problem=problem, results=results, record=results is not None)
    steps = list(training)
    training.close()
    return training if results else (steps, training.outcome)


@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize(
    "train",
    [
        {"optimizer": "lbfgs", "steps": 300},
        {"optimizer": "adam", "steps": 40},
        {"shots": 50, "steps": 2},
        {"shots": 50, "steps": 2, "objective": {"name": "cvar", "alpha": 0.2}},
    ],
)
def test_the_unit_of_the_costs_changes_nothing_but_the_unit(train: dict[str, Any], factor: float) -> None:
    """But for angles of next to no gradient, whose steps are for Adam's epsilon to shorten."""
    (plain, why), (scaled, then) = (trained(qhn.TableProblem(f * COSTS), **train) for f in (1.0, factor))
    assert (why.name, abs(len(plain) - len(scaled)) <= 2) == (then.name, True)  # the last steps are rounding
    moved = np.abs(plain[0].grad) > 1e-3 * np.abs(plain[0].grad).max()
    for one, other in zip(plain[:30], scaled, strict=False):
        np.testing.assert_allclose(other.theta[moved], one.theta[moved], atol=1e-4)
        np.testing.assert_allclose(other.value / factor, one.value, rtol=1e-4)
        np.testing.assert_allclose(other.std_error / factor, one.std_error, rtol=1e-6)
    np.testing.assert_allclose(scaled[-1].value / factor, plain[-1].value, rtol=1e-4)


@pytest.mark.parametrize("factor", FACTORS)
def test_minimize_converges_as_far_in_any_unit(factor: float) -> None:
    ansatz = qhn.hypernetwork(6, 2)
    thetas = np.random.default_rng(2).uniform(0, 6.28, (5, ansatz.num_parameters))
    found = [
        qhn.minimize(qhn.ExactEstimator(ansatz, qhn.TableProblem(f * COSTS)).value_and_grad, thetas)
        for f in (1.0, factor)
    ]
    assert found[1].num_steps.min() > 5
    np.testing.assert_allclose(found[1].value / factor, found[0].value, rtol=1e-6)


@pytest.mark.parametrize("penalty", [1e6, 1e12, 1e18])
def test_a_penalty_does_not_make_other_costs_equal(penalty: float) -> None:
    costs = np.append(0.1 * np.arange(8), np.full(8, penalty))
    landscape = Landscape(costs)
    assert landscape.degeneracy == 1
    assert [count for _, count in landscape.levels(9)] == [1] * 8 + [8]
    assert landscape.scale == pytest.approx(0.7)


def test_rounding_does_not_tell_costs_apart() -> None:
    costs = np.array([0.3, 0.1 + 0.2, 0.7, 0.9]) - 0.3  # 0 and 5.6e-17
    for table in (costs, costs + 0.3, 1e-6 * costs, -costs[::-1]):
        assert sum(count for _, count in Landscape(table).levels(9)) == 4
        assert len(Landscape(table).levels(9)) == 3


def test_an_unknown_error_is_said_everywhere(tmp_path: Path) -> None:
    training = trained(
        qhn.TableProblem(COSTS), tmp_path, shots=20, steps=3, objective={"name": "cvar", "alpha": 0.1}, plateau=50
    )
    record = qhn.load_run(training.record.directory)
    lines = [json.loads(line) for line in (record.directory / "steps.jsonl").read_text().splitlines()]
    assert [line["std_error"] for line in lines] == [None] * 3
    assert all(np.isnan(step.std_error) and step.mean_std_error > 0 for step in record.steps())
    assert "error unknown: 2 shots in the tail, fewer than 5" in Report(record).summary()
    assert [
        json.loads(found.to_json())["std_error"] for found in qhn.replay(record, problem=qhn.TableProblem(COSTS))
    ] == [None] * 3
    assert Step.from_json(record.steps()[0].to_json()).mean_interval == record.steps()[0].mean_interval
    falling = [replace(record.steps()[0], value=value) for value in (3.0, 2.0, 2.5, 1.0, 1.5)]
    assert steps_since_progress(falling) == 1  # each new minimum counts, as nothing is known of its error


@pytest.mark.parametrize(
    ("problem", "words"),
    [(BlackBox(), "(rare bitstrings not excluded)"), (Bounded(), "(95 %)"), (qhn.TableProblem(COSTS), "(95 %)")],
)
def test_e_is_stated_by_what_is_known_of_the_costs(problem: Any, words: str, tmp_path: Path) -> None:
    training = trained(problem, tmp_path, shots=100, steps=2)
    last = training.record.steps()[-1]
    assert last.stated_mean().endswith(words)
    assert any(line.startswith("E = ⟨C⟩") and words in line for line in Report(training.record).summary().splitlines())
    ends = cost_range(problem)
    assert (ends is None) == (last.mean_interval is None)
    if last.mean_interval and ends:
        low, high = last.mean_interval
        assert ends[0] <= low < last.mean < high <= ends[1]
        plain = 1.96 * last.mean_std_error
        assert high - last.mean == pytest.approx(plain + 0.03 * (ends[1] - last.mean))
        assert last.mean - low == pytest.approx(plain + 0.03 * (last.mean - ends[0]))


def test_a_range_of_costs_that_is_none_is_refused() -> None:
    class Wrong(BlackBox):
        cost_range = (1.0, np.inf)

    with pytest.raises(ValueError, match=r"two finite numbers, the lower first, got 1\.0 and inf"):
        cost_range(Wrong())


@pytest.mark.parametrize("loss", ["mse", "cross-entropy"])
@pytest.mark.parametrize("hidden", [(), (3,), (2, 2)])
@pytest.mark.parametrize("activation", ["sigmoid", "relu", "tanh", "sign"])
def test_the_bounds_of_a_loss_hold_all_costs(loss: str, hidden: tuple[int, ...], activation: str) -> None:
    if loss == "cross-entropy" and not hidden and activation != "sigmoid":
        return
    from qhn.problem.built_in_data import gaussian_mixture
    from qhn.problem.cost import BinnProblem

    space = qhn.SearchSpace(
        2, hidden=tuple((width,) for width in hidden), alphabets=((-3.0, 1.0),), activations=(activation,)
    )
    problem = BinnProblem(space, gaussian_mixture(50), loss)
    bits = np.random.default_rng(0).integers(0, 2, (2000, problem.num_qubits), dtype=np.uint8)
    low, high = problem.cost_range
    assert low <= problem.cost(bits).min()
    assert problem.cost(bits).max() <= high


def test_small_ends_of_an_interval_are_not_printed_as_nothing() -> None:
    assert stated(0.00784, 1e-7, (0.00784 - 2e-7, 0.0103)) == "0.007840 −2e-07 +0.0025 (95 %)"
    assert stated(0.25, 0.0, (0.25, 0.25)) == "0.25"
    assert stated(0.25, np.inf, (0.0, 1.0)) == "0.25 −0.25 +0.75 (95 %)"
