from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest
from scipy.stats import rankdata

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.learning_curves.features import FEATURES
from qhn.learning_curves.predictors import (
    FittedRegression,
    LastValue,
    Predictor,
    Regression,
    predictor,
    regressor_of,
    spread,
)

pytest.importorskip("sklearn")

NAN, INF = np.nan, np.inf
REGRESSIONS = ("ridge", "nusvr", "svr")


def falling(rng: np.random.Generator, number: int, length: int = 12, noise: float = 0.01) -> tuple[Floats, Floats]:
    """Curves that fall exponentially to a limit, and their rates and limits: the settings ``[n, 2]``."""
    rate, limit, height = rng.uniform(0.05, 0.5, number), rng.uniform(0, 0.5, number), rng.uniform(0.3, 1, number)
    curves = limit[:, None] + height[:, None] * np.exp(-np.arange(length) * rate[:, None])
    return curves + noise * rng.normal(size=curves.shape), np.column_stack([np.log(rate), limit])


def no_settings(curves: Any) -> Floats:
    return np.empty((len(curves), 0))


def predicted(way: Predictor, train: Floats, test: Floats, known: int = 6) -> Floats:
    fitted = way.fit(train[:, :known], no_settings(train), train[:, -1])
    return fitted.predict(test[:, :known], no_settings(test))


@pytest.mark.parametrize("name", REGRESSIONS)
@pytest.mark.parametrize("features", FEATURES)
def test_regressions_predict_better_than_the_last_value(name: str, features: str, rng: np.random.Generator) -> None:
    curves, settings = falling(rng, 140)
    fitted = predictor(name, features).fit(curves[:100, :6], settings[:100], curves[:100, -1])
    found, truth = fitted.predict(curves[100:, :6], settings[100:]), curves[100:, -1]
    assert ((found - truth) ** 2).mean() < 0.25 * ((curves[100:, 5] - truth) ** 2).mean()


@pytest.mark.parametrize("features", FEATURES)
def test_ridge_is_that_of_its_normal_equations(features: str, rng: np.random.Generator) -> None:
    """Independent of scikit-learn: standardise, solve, and undo it."""
    curves, settings = falling(rng, 30)
    known, numbers, alpha = curves[:, :4], settings, 0.7
    parts = {"curve": known, "differences": known[:, 1:] - known[:, :-1], "settings": numbers}
    columns = np.hstack([parts[part] for part in features.split("+")])
    target = curves[:, -1] - known[:, -1]
    scaled = (columns - columns[:20].mean(axis=0)) / columns[:20].std(axis=0)
    y = (target[:20] - target[:20].mean()) / target[:20].std()
    weights = np.linalg.solve(scaled[:20].T @ scaled[:20] + alpha * np.eye(columns.shape[1]), scaled[:20].T @ y)
    expected = known[20:, -1] + scaled[20:] @ weights * target[:20].std() + target[:20].mean()
    fitted = predictor("ridge", features, alpha=alpha).fit(known[:20], numbers[:20], curves[:20, -1])
    np.testing.assert_allclose(fitted.predict(known[20:], numbers[20:]), expected, rtol=1e-8)


def test_the_target_can_be_the_loss_itself(rng: np.random.Generator) -> None:
    """With many curves about a mean, a regression that is told nothing predicts the mean loss, or the mean change."""
    curves, _ = falling(rng, 40)
    of_losses = predicted(predictor("ridge", target="loss", alpha=1e12), curves, curves)
    of_changes = predicted(predictor("ridge", alpha=1e12), curves, curves)
    np.testing.assert_allclose(of_losses, curves[:, -1].mean())
    np.testing.assert_allclose(of_changes, curves[:, 5] + (curves[:, -1] - curves[:, 5]).mean())


@pytest.mark.parametrize("name", ["last", *REGRESSIONS])
def test_a_curve_that_cannot_be_continued_is_predicted_to_end_infinitely_high(
    name: str, rng: np.random.Generator
) -> None:
    curves, _ = falling(rng, 20)
    test = curves[:5].copy()
    test[1, 3:], test[2], test[3, 2], test[4, :2] = INF, NAN, NAN, NAN
    found = predicted(predictor(name), curves, test)
    assert np.isinf(found).tolist() == [False, True, True, True, False]
    assert (found[1:4] > 0).all()


@pytest.mark.parametrize("name", REGRESSIONS)
def test_failed_trainings_teach_nothing(name: str, rng: np.random.Generator) -> None:
    curves, _ = falling(rng, 30)
    bad = np.repeat(curves[:3], 1, axis=0)
    bad[0, 2:], bad[1, -1], bad[2] = INF, NAN, NAN
    test = curves[20:]
    with_bad = predicted(predictor(name), np.concatenate([bad, curves[3:20]]), test)
    np.testing.assert_array_equal(with_bad, predicted(predictor(name), curves[3:20], test))


@pytest.mark.parametrize("name", REGRESSIONS)
@pytest.mark.parametrize("target", ["change", "loss"])
def test_a_training_that_diverged_does_not_set_the_scale(name: str, target: str, rng: np.random.Generator) -> None:
    curves, _ = falling(rng, 60)
    diverged = curves[:1] * np.geomspace(1, 1e12, curves.shape[1])
    test = curves[40:]
    before = predicted(predictor(name, target=target), curves[:40], test)
    after = predicted(predictor(name, target=target), np.concatenate([diverged, curves[:40]]), test)
    worst = np.abs(test[:, -1] - test[:, -1].mean()).mean()
    assert np.abs(after - before).mean() < worst
    assert np.isfinite(predicted(predictor(name), curves[:40], diverged)).all()


@pytest.mark.parametrize("number", [0, 1])
def test_without_curves_to_learn_from_the_last_value_is_predicted(number: int, rng: np.random.Generator) -> None:
    curves, _ = falling(rng, 8)
    np.testing.assert_array_equal(predicted(predictor("nusvr"), curves[:number], curves), curves[:, 5])


@pytest.mark.parametrize("name", REGRESSIONS)
def test_few_or_equal_curves_are_no_error(name: str, rng: np.random.Generator) -> None:
    curves, _ = falling(rng, 2)
    assert np.isfinite(predicted(predictor(name), curves, curves)).all()
    same = np.ones((6, 12))
    np.testing.assert_allclose(predicted(predictor(name), same, same), 1.0)
    assert predicted(predictor(name), curves, curves[:0]).shape == (0,)


@pytest.mark.parametrize("name", REGRESSIONS)
def test_predictions_depend_on_nothing_but_the_curves(name: str, rng: np.random.Generator) -> None:
    curves, _ = falling(rng, 40)
    way = predictor(name, "curve+differences")
    first = predicted(way, curves[:20], curves[20:])
    np.testing.assert_array_equal(predicted(way, curves[:20], curves[20:]), first)
    one_by_one = [predicted(way, curves[:20], curves[row : row + 1])[0] for row in range(20, 40)]
    np.testing.assert_allclose(one_by_one, first, rtol=1e-12)


def test_predictors_are_values(rng: np.random.Generator) -> None:
    """A study is known by the words of its rule, and is sent to workers."""
    way = predictor("nusvr", nu=0.3, C=2)
    assert way == predictor("nusvr", C=2, nu=0.3) != predictor("nusvr", C=2)
    assert repr(way) == repr(predictor("nusvr", C=2, nu=0.3))
    assert "0x" not in repr(way)
    assert pickle.loads(pickle.dumps(way)) == way
    curves, _ = falling(rng, 20)
    fitted = way.fit(curves[:, :3], no_settings(curves), curves[:, -1])
    assert isinstance(fitted, FittedRegression)
    assert (fitted.regressor.C, fitted.regressor.nu) == (2, 0.3)


def test_curves_to_learn_from_are_spread_over_the_order_of_their_targets(rng: np.random.Generator) -> None:
    targets = rng.normal(size=101)
    chosen = spread(targets, 11)
    assert sorted(rankdata(targets)[chosen]) == [1 + 10 * place for place in range(11)]
    assert spread(targets, 500).tolist() == list(range(101))
    assert spread(np.zeros(4), 2).tolist() == [0, 3]


def test_a_regression_learns_from_no_more_curves_than_it_may(rng: np.random.Generator) -> None:
    curves, _ = falling(rng, 60)
    changes = curves[:40, -1] - curves[:40, 5]
    few = predicted(predictor("svr", max_curves=10), curves[:40], curves[40:])
    np.testing.assert_array_equal(few, predicted(predictor("svr"), curves[:40][spread(changes, 10)], curves[40:]))


def test_other_beginnings_than_those_learnt_are_refused(rng: np.random.Generator) -> None:
    curves, _ = falling(rng, 20)
    fitted = predictor("ridge").fit(curves[:, :5], no_settings(curves), curves[:, -1])
    with pytest.raises(QhnError, match="known at 5 points as those learnt, got 6"):
        fitted.predict(curves[:, :6], no_settings(curves))
    with pytest.raises(QhnError, match="settings must be 0 numbers as those learnt, got 1"):
        fitted.predict(curves[:, :5], np.ones((20, 1)))
    with pytest.raises(QhnError, match=r"one loss for each of the 20 curves, got the shape \(19,\)"):
        predictor("ridge").fit(curves, no_settings(curves), curves[1:, -1])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"solver": "simulated-anealing"}, "unknown solver .* did you mean 'simulated-annealing'"),
        ({"solver": "exact"}, "solver 'exact' enumerates up to 24 bits, the multipliers have 120"),
        ({"solver": "hypernetwork", "num_bits": 0}, "num_bits must be"),
        ({"options": {"num_read": 3}}, "num_read"),
        ({"combination": "all"}, "combination must be one of"),
    ],
)
def test_the_regression_by_qubo_refuses_at_the_door_what_it_cannot_take(given: dict[str, Any], words: str) -> None:
    pytest.importorskip("dwave.samplers")
    with pytest.raises(QhnError, match=words):
        predictor("qubo-svr", **given)


@pytest.mark.parametrize("solver", ["dwave", "hypernetwork"])
def test_no_machine_is_asked_before_there_is_something_to_learn(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    solvers = pytest.importorskip("qhn.svr.solvers")
    pytest.importorskip("dwave.samplers")

    def forbidden(task: object) -> None:
        raise AssertionError("a machine was asked")

    monkeypatch.setitem(solvers.SOLVERS, solver, forbidden)
    assert isinstance(predictor("qubo-svr", solver=solver), Regression)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("nusvm", {}, "there is no predictor 'nusvm'; did you mean 'nusvr'"),
        (3, {}, "there is no predictor 3; there are last, ridge"),
        ("last", {"C": 1}, "the predictor last has no options, got C"),
        ("last", {"target": "end"}, "target must be change or loss, got 'end'"),
        ("last", {"features": "curves"}, "did you mean 'curve'"),
        ("ridge", {"features": "curves"}, "did you mean 'curve'"),
        ("ridge", {"target": "end"}, "target must be change or loss, got 'end'"),
        ("ridge", {"alfa": 1}, "the predictor ridge has no option 'alfa'; did you mean 'alpha'"),
        ("nusvr", {"C": -1.0}, "the predictor nusvr cannot be made so: The 'C' parameter"),
        ("svr", {"epsilon": "wide"}, "the predictor svr cannot be made so: The 'epsilon' parameter"),
        ("svr", {"max_curves": 1}, "max_curves must be at least 2, got 1"),
    ],
)
def test_what_a_predictor_cannot_take_is_refused_at_the_door(name: Any, given: dict[str, Any], words: str) -> None:
    with pytest.raises(QhnError, match=words) as caught:
        predictor(name, **given)
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_one_line_that_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(QhnError, match=r"the predictor nusvr needs a package that is missing .*'qhn\[search\]'"):
        predictor("nusvr")
    assert predictor("last") == LastValue()


def test_the_regression_by_qubo_takes_the_solver_and_the_curves_it_is_told(rng: np.random.Generator) -> None:
    pytest.importorskip("dwave.samplers")
    curves, _ = falling(rng, 60)
    way = predictor("qubo-svr", solver="random", num_bits=2)
    assert isinstance(way, Regression)
    assert way.max_curves == 20
    fitted = way.fit(curves[:40, :6], no_settings(curves[:40]), curves[:40, -1])
    assert isinstance(fitted, FittedRegression)
    assert (fitted.regressor.solver, fitted.regressor.problem_.num_qubits) == ("random", 20 * 2 * 2)
    first = fitted.predict(curves[40:, :6], no_settings(curves[40:]))
    np.testing.assert_array_equal(predicted(way, curves[:40], curves[40:]), first)
    assert regressor_of("qubo-svr").__name__ == "QuboSVR"
