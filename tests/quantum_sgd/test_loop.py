"""The loop against descents that are written out here in NumPy, on digits and on two data sets of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.problem.built_in_data import mnist_4x4
from qhn.quantum_sgd.load import load_descent
from qhn.quantum_sgd.loop import QuantumDescent
from qhn.quantum_sgd.segment import Segment

Gradient = Callable[[Floats], Floats]


def run(source: str = "digits", label: str | None = None, **settings: Any) -> QuantumDescent:
    chosen = {key.replace("__", "."): value for key, value in settings.items()}
    descent = QuantumDescent(load_descent(source, chosen, label))
    list(descent)
    return descent


def scaled(x: Floats) -> Floats:
    deviation = x.std(axis=0)
    return np.asarray((x - x.mean(axis=0)) / np.where(deviation > 1e-9, deviation, 1.0))


def logistic(x: Floats, y: Floats, decay: float) -> Gradient:
    return lambda theta: x.T @ (1 / (1 + np.exp(-x @ theta)) - y) / len(x) + decay * theta


def squares(x: Floats, y: Floats, decay: float) -> Gradient:
    return lambda theta: x.T @ (x @ theta - y) / len(x) + decay * theta


def plain(
    gradient: Callable[[Floats], Gradient], x: Floats, keep: int, dense: tuple[int, float], rate: float, steps: int
) -> tuple[Floats, Floats]:
    """The parameters just after pruning and after sparse descent, by NumPy alone."""
    theta = np.zeros(x.shape[1])
    for _ in range(dense[0]):
        theta = theta - dense[1] * gradient(x)(theta)
    support = np.sort(np.argsort(-np.abs(theta))[:keep])
    pruned = theta[support]
    sparse = pruned.copy()
    for _ in range(steps):
        sparse = sparse - rate * gradient(x[:, support])(sparse)
    return pruned, sparse


def off(descent: QuantumDescent, start: Floats, right: Floats) -> float:
    return float(np.linalg.norm(np.array(descent.segments[-1].after) - right) / np.linalg.norm(right - start))


@pytest.mark.parametrize("keep", [4, 6])
def test_digits_descend_as_plain_numpy_does(keep: int) -> None:
    data = mnist_4x4((0, 1))
    x = np.column_stack([scaled(data.x), np.ones(len(data.x))])
    start, right = plain(lambda rows: logistic(rows, data.y, 0.01), x, keep, (20, 1.0), 3.0, 28)
    classical = run(prune__keep=keep, solver="classical", lift__order=3)
    assert off(classical, start, right) < 1e-3
    quantum = run(prune__keep=keep, lift__idle=0, descent__steps=4, descent__segments=7)
    assert off(quantum, start, right) < 0.01
    assert all(one.update_error < 0.01 for one in quantum.segments)
    assert all(one.decrease_error < 0.01 for one in quantum.segments)
    np.testing.assert_allclose(quantum.segments[-1].beside.true_path, right, atol=1e-12)
    np.testing.assert_allclose(quantum.segments[0].before, start, atol=1e-12)


def written(path: Path, x: Floats, y: Floats, label: str) -> Path:
    names = [f"x{column}" for column in range(x.shape[1])]
    rows = np.column_stack([x, y])
    np.savetxt(path, rows, delimiter=",", header=",".join([*names, label]), comments="", fmt="%.12g")
    return path


def test_a_table_of_classes_descends_as_plain_numpy_does(tmp_path: Path) -> None:
    data = load_breast_cancer()
    x, y = data.data[:, :10], data.target.astype(float)
    table = written(tmp_path / "cancer.csv", x, data.target, "target")
    descent = run(str(table), "target", data__validation_fraction=0.0, prune__keep=5, descent__learning_rate=0.5)
    full = np.column_stack([scaled(x), np.ones(len(x))])
    start, right = plain(lambda rows: logistic(rows, y, 0.01), full, 5, (10, 1.0), 0.5, 28)
    np.testing.assert_allclose(descent.start.theta, start, atol=1e-9)
    assert off(descent, start, right) < 0.01
    assert descent.config.name == "cancer"


def test_a_table_of_numbers_descends_as_plain_numpy_does(tmp_path: Path) -> None:
    data = load_diabetes()
    table = written(tmp_path / "diabetes.csv", data.data, data.target, "progression")
    descent = run(
        str(table),
        "progression",
        model__loss="mse",
        prune__keep=3,
        lift__order=1,
        dense__learning_rate=0.2,
        descent__learning_rate=0.2,
    )
    full = np.column_stack([scaled(data.data), np.ones(len(data.data))])
    target = scaled(data.target[:, None])[:, 0]
    start, right = plain(lambda rows: squares(rows, target, 0.01), full, 3, (10, 0.2), 0.2, 28)
    np.testing.assert_allclose(descent.start.theta, start, atol=1e-9)
    assert off(descent, start, right) < 0.01
    assert not descent.segments[0].beside.accuracies
    classical = run(
        str(table),
        "progression",
        model__loss="mse",
        prune__keep=3,
        lift__order=1,
        solver="classical",
        dense__learning_rate=0.2,
        descent__learning_rate=0.2,
    )
    assert off(classical, start, right) < 1e-9, "a linear step has no truncation error"


def test_stochastic_descent_of_order_two_is_five_times_as_good_as_of_order_one() -> None:
    def median(order: int) -> float:
        errors = [
            one.carleman_error
            for seed in range(3)
            for one in run(
                solver="classical",
                lift__order=order,
                descent__batch=32,
                descent__seed=seed,
                descent__learning_rate=1.0,
            ).segments
        ]
        return float(np.median(errors))

    assert median(1) >= 5 * median(2)
    assert median(2) < 0.01


def test_batches_are_those_of_plain_stochastic_descent() -> None:
    descent = run(descent__batch=64, descent__segments=2, lift__idle=0, descent__learning_rate=1.0)
    again = run(descent__batch=64, descent__segments=2, lift__idle=0, descent__learning_rate=1.0)
    other = run(descent__batch=64, descent__segments=2, lift__idle=0, descent__learning_rate=1.0, descent__seed=8)
    assert descent.segments == again.segments
    assert descent.segments != other.segments
    assert descent.segments[0].told.truncation_bound is None
    assert all(one.update_error < 0.01 for one in descent.segments)


def test_gradual_pruning_trains_between_its_rounds() -> None:
    one_shot, gradual = run(solver="classical"), run(solver="classical", prune__method="gradual")
    losses = [float(one.start.model.loss(one.start.theta)) for one in (one_shot, gradual)]
    assert losses[1] < losses[0]
    assert len(gradual.start.theta) == 4


@pytest.mark.parametrize("shots", [5_000, 100_000])
def test_errors_of_shots_are_those_that_are_stated(shots: int) -> None:
    """A small system, many seeds: the stated error of the loss is that which is found, and intervals hold 95 %."""
    small = {"lift__order": 1, "descent__steps": 3, "lift__idle": 0, "descent__segments": 1, "prune__keep": 2}
    segments: list[Segment] = []
    for seed in range(12):
        segments += run(machine__shots=shots, descent__seed=seed, **small).segments
    exact = run(**small).segments[0]
    found = np.array([one.loss - exact.loss for one in segments])
    stated = np.array([one.beside.loss_std_error for one in segments])
    assert 0.4 < np.sqrt(np.mean(np.square(found / stated))) < 1.8
    holds = [np.less_equal(one.read.low, exact.after) & np.less_equal(exact.after, one.read.high) for one in segments]
    assert np.mean(holds) > 0.8
    if shots >= 100_000:
        assert all(one.decrease_error < 0.01 + 3 * one.stated_error for one in segments)
        assert np.median([one.decrease_error for one in segments]) < 0.01


def test_a_saddle_is_refused_before_anything_is_solved() -> None:
    """Squared errors of a sigmoid that is wrong about most samples have negative curvature."""
    settings = {"model.loss": "sigmoid-mse", "model.weight_decay": 0, "prune.keep": 1, "descent.learning_rate": 20.0}
    for force in (False, True):
        chosen = {"solver": "classical"} if force else {}
        descent = QuantumDescent(load_descent("digits", {**settings, **chosen, "lift.force": force}))
        descent.start = replace(descent.start, theta=-1.5 * descent.start.theta / np.abs(descent.start.theta))
        if force:
            assert next(iter(descent)).told.num_negative == 1
        else:
            with pytest.raises(QhnError, match="starts at a saddle: 1 of 1 curvatures are negative"):
                next(iter(descent))


def test_too_few_shots_are_refused_before_they_are_measured() -> None:
    descent = QuantumDescent(load_descent("three-qubits", {"machine.shots": 40}))
    with pytest.raises(QhnError, match="counts a parameter, fewer than 50"):
        next(iter(descent))
    assert run("three-qubits", machine__shots=40, machine__min_counts=0).num_stored == 2


def test_the_point_of_expansion_ahead_lowers_the_truncation_error() -> None:
    at_start, ahead = run(solver="classical"), run(solver="classical", lift__ahead=0.5)
    assert at_start.segments[0].carleman_error > 3 * ahead.segments[0].carleman_error


def test_at_a_minimum_nothing_is_missing_from_the_decrease() -> None:
    losses = dict.fromkeys(("before", "after", "true", "true_path", "carleman"), 0.25)
    first = run(solver="classical", descent__segments=1).segments[0]
    still = replace(first, beside=replace(first.beside, losses=losses))
    assert (still.decrease_error, still.stated_error) == (0.0, 0.0)
    off = replace(first, beside=replace(first.beside, losses=losses | {"after": 0.26}))
    assert off.decrease_error == np.inf


def test_the_euler_closure_promises_no_bound_on_the_truncation() -> None:
    exact, euler = (run(solver="classical", descent__segments=1, lift__closure=one) for one in ("exact", "euler"))
    assert exact.segments[0].told.truncation_bound < np.inf
    assert euler.segments[0].told.truncation_bound is None


def test_a_table_of_classes_is_learned_whole(tmp_path: Path) -> None:
    data = load_breast_cancer()
    table = written(tmp_path / "cancer.csv", data.data[:, :3], data.target, "target")
    assert len(QuantumDescent(load_descent(table, {"prune.keep": 2})).start.dense.labels) == len(data.target)
