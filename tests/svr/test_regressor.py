"""The regressor for scikit-learn: its checks, predictions by hand, combinations, reproducibility, and refusals."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pandas")
pytest.importorskip("sklearn")
pytest.importorskip("dimod")
pytest.importorskip("dwave.samplers")

import dimod
import pandas as pd
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import NotFittedError
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.utils.estimator_checks import estimator_checks_generator

import qhn
from qhn import QuboSVR
from qhn.svr.combination import RULES, SEVEN

SLOW = {
    "check_regressors_train",
    "check_positive_only_tag_during_fit",
    "check_regressor_data_not_an_array",
}  # fit hundreds of samples
QUICK: dict[str, Any] = {"options": {"num_reads": 10, "num_sweeps": 30}}


def checks() -> list[Any]:
    """The checks of scikit-learn by name."""
    found = [check for _, check in estimator_checks_generator(QuboSVR())]
    names = [check.func.__name__ for check in found]
    marks = [pytest.mark.slow if name in SLOW else () for name in names]
    return [pytest.param(check, id=name, marks=mark) for check, name, mark in zip(found, names, marks, strict=True)]


@pytest.mark.filterwarnings("default")  # some checks give data that scikit-learn itself warns of
@pytest.mark.parametrize("check", checks())
def test_scikit_learns_checks(check: Any) -> None:
    check(QuboSVR(**QUICK))


@pytest.fixture
def waves(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    x = rng.normal(size=(15, 3))
    y = np.sin(x[:, 0]) + x[:, 1] / 2
    return x, (y - y.mean()) / y.std()


def learning_curves(rng: np.random.Generator, number: int) -> tuple[np.ndarray, np.ndarray]:
    """The first six values of noisy power laws, and their values at resource 25."""
    resource = np.arange(1, 26)
    floor, height, power = (rng.uniform(low, high, (number, 1)) for low, high in ((0.1, 0.6), (0.3, 1.2), (0.3, 1.5)))
    curves = floor + height * resource**-power + 0.01 * rng.normal(size=(number, 25))
    return curves[:, :6], curves[:, -1]


@pytest.mark.parametrize("combination", RULES)
@pytest.mark.parametrize("bias", ["textbook", "published", "mean-residual"])
def test_predictions_by_hand(waves: tuple[np.ndarray, np.ndarray], combination: str, bias: str) -> None:
    x, y = waves
    found = QuboSVR(combination=combination, bias=bias, gamma=0.3, random_state=2).fit(x, y)
    assert found.bits_.shape == (4, 90)
    weights = np.array([0.5**0, 0.5**1, 0.5**2]) * 0.5**-0.005
    multipliers = found.bits_.reshape(4, 2, 15, 3) @ weights
    difference = multipliers[:, 0] - multipliers[:, 1]
    each = difference @ rbf_kernel(x, x, gamma=0.3) + found.intercepts_[:, None]
    errors = np.square(each - y).mean(axis=1)
    names = SEVEN if combination == "mean-of-seven" else [combination]
    rules = {
        "mse": 1 / errors,
        "softmax-mse": np.exp(1 / errors - (1 / errors).max()),
        "best": errors == errors.min(),
        "mean": np.ones(4),
        "minimum-energy": found.energies_ == found.energies_.min(),
    }
    cosh = np.log(np.cosh(each - y)).mean(axis=1)
    rules |= {"log-cosh": 1 / cosh, "softmax-log-cosh": np.exp(1 / cosh - (1 / cosh).max())}
    expected = np.mean([rules[name] / rules[name].sum() @ each for name in names], axis=0)
    np.testing.assert_allclose(found.predict(x), expected, rtol=1e-9, atol=1e-12)


def test_what_a_fit_gives(waves: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = waves
    found = QuboSVR(random_state=1).fit(x, y)
    assert (np.diff(found.energies_) >= 0).all()
    assert len({row.tobytes() for row in found.bits_}) == 4
    np.testing.assert_allclose(found.problem_.cost(found.bits_), found.energies_)
    assert found.energy_ == found.energies_[0]
    assert found.energy_gap_ == found.energy_ - found.optimal_energy_
    assert found.relative_energy_gap_ == pytest.approx(found.energy_gap_ / abs(found.optimal_energy_))
    assert 0 < found.relative_energy_gap_ < 0.02
    assert found.n_features_in_ == 3
    assert isinstance(found.problem_, qhn.QuadraticProblem)


def test_the_rule_may_be_changed_after_the_fit(waves: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = waves
    found = QuboSVR(random_state=1).fit(x, y)
    mean = np.mean([found.set_params(combination=name).predict(x) for name in SEVEN], axis=0)
    np.testing.assert_allclose(found.set_params(combination="mean-of-seven").predict(x), mean)
    before = found.predict(x)
    np.testing.assert_array_equal(found.set_params(gamma=5.0).predict(x), before)  # that of the fit counts
    found.set_params(combination="median")
    with pytest.raises(ValueError, match=r"combination must be one of mse, .* got 'median'"):
        found.predict(x)


@pytest.mark.parametrize("solver", ["simulated-annealing", "random", "hypernetwork"])
def test_the_same_seed_gives_the_same_bits(waves: tuple[np.ndarray, np.ndarray], solver: str) -> None:
    x, y = waves
    options = {"train.steps": 3, "train.shots": 20} if solver == "hypernetwork" else None
    model = QuboSVR(solver=solver, options=options, random_state=5)
    first, again = model.fit(x, y).predict(x), clone(model).fit(x, y)
    assert first.tobytes() == again.predict(x).tobytes()
    assert again.set_params(random_state=6).fit(x, y).predict(x).tobytes() != first.tobytes()
    drawn = QuboSVR(solver=solver, options=options, random_state=np.random.RandomState(5))
    one, other = (copy.deepcopy(drawn).fit(x, y).bits_ for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(x), first)


def test_it_works_in_scikit_learns_tools(rng: np.random.Generator) -> None:
    x, y = learning_curves(rng, 30)
    names = [f"value {i}" for i in range(6)]
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), QuboSVR(random_state=0)), transformer=StandardScaler()
    )
    search = GridSearchCV(model, {"regressor__qubosvr__gamma": [0.001, 0.1]}, cv=2)
    search.fit(pd.DataFrame(x, columns=names), y)
    assert search.best_params_ == {"regressor__qubosvr__gamma": 0.1}
    assert search.score(pd.DataFrame(x, columns=names), y) > 0.7


def test_it_predicts_learning_curves_as_well_as_scikit_learns(rng: np.random.Generator) -> None:
    """Against ``SVR`` on the same box, and uniform random bits as the control."""
    scores: dict[str, list[float]] = {"annealing": [], "random": [], "svr": []}
    for seed in range(5):
        x, y = learning_curves(rng, 220)
        train = slice(0, 20)
        center, scale = x[train].mean(axis=0), x[train].std(axis=0)
        x, y = (x - center) / scale, (y - y[train].mean()) / y[train].std()
        models = {
            "annealing": QuboSVR(random_state=seed),
            "random": QuboSVR(solver="random", random_state=seed),
            "svr": SVR(C=1.756, gamma=0.1, epsilon=0.02),
        }
        for name, model in models.items():
            scores[name].append(model.fit(x[train], y[train]).score(x[20:], y[20:]))
    means = {name: np.mean(values) for name, values in scores.items()}
    assert means["svr"] > 0.8
    assert means["annealing"] == pytest.approx(means["svr"], abs=0.05)
    assert means["random"] < means["annealing"]


@pytest.mark.parametrize("y", [np.zeros(8), np.full(8, 3.0), np.r_[np.zeros(7), 1e-9]])
@pytest.mark.parametrize("bias", ["textbook", "published", "mean-residual"])
def test_constant_targets(rng: np.random.Generator, y: np.ndarray, bias: str) -> None:
    found = QuboSVR(bias=bias, random_state=0).fit(rng.normal(size=(8, 2)), y)
    assert np.isfinite(found.predict(rng.normal(size=(5, 2)))).all()
    assert found.energy_gap_ >= 0
    assert found.relative_energy_gap_ >= 0, "infinite where the optimum is 0"


def test_constant_features_give_the_mean(rng: np.random.Generator) -> None:
    y = rng.normal(size=6)
    found = QuboSVR(bias="mean-residual", combination="mean", random_state=0).fit(np.ones((6, 2)), y)
    np.testing.assert_allclose(found.predict(np.ones((3, 2))), y.mean())


def test_fewer_bitstrings_than_asked_for(rng: np.random.Generator) -> None:
    found = QuboSVR(num_bits=1, solver="exact", num_solutions=100).fit(rng.normal(size=(2, 1)), [1.0, -1.0])
    assert found.bits_.shape == (16, 4)
    assert all(weights.shape == (16,) for weights in found.weights_.values())


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"solver": "anealing"}, "unknown solver 'anealing'; choose simulated-annealing, exact, random"),
        ({"solver": "exakt"}, "did you mean 'exact'"),
        ({"solver": 3}, "solver must be one of .* or a sampler of dimod, got 3"),
        ({"solver": "exact"}, "enumerates up to 24 bits, the multipliers have 30; take fewer samples"),
        ({"num_solutions": 0}, "num_solutions must be at least 1, got 0"),
        ({"bias": "none"}, "bias must be one of textbook, published, mean-residual, got 'none'"),
        ({"combination": None}, "combination must be one of mse"),
        ({"gamma": 0}, "gamma must be a finite number above 0, got 0"),
        ({"gamma": "scale"}, "gamma must be a number above 0, got 'scale'"),
        ({"epsilon": -1}, "epsilon must be a finite number of at least 0, got -1"),
        ({"options": [1]}, "options must be a dictionary"),
        ({"options": {"num_read": 3}}, "'simulated-annealing' has no option 'num_read'; did you mean 'num_reads'"),
        ({"options": {"num_sweeps": "many"}}, "'simulated-annealing' refuses its options .*many"),
        ({"options": {"seed": 3}}, "has no option 'seed'"),
        ({"options": {"num_reads": 0}}, "num_reads must be at least 1, got 0"),
        (
            {"solver": "random", "options": {"num_sweeps": 3}},
            "'random' has no option 'num_sweeps'; did you mean 'num_reads'",
        ),
        ({"random_state": -1}, "Seed must be between 0"),
        ({"random_state": "now"}, "cannot be used to seed"),
        ({"solver": "hypernetwork", "options": {"train.seed": 3}}, "'train.seed', which is random_state"),
        ({"solver": "hypernetwork", "options": {"steps": 3}}, "settings such as 'train.steps'"),
        ({"solver": "hypernetwork", "options": {"train": {"steps": 3}}}, "settings such as 'train.steps'"),
        ({"solver": "hypernetwork", "options": {"train.step": 3}}, "train.step"),
        ({"solver": "hypernetwork", "options": {"train.backend": "ibm_torino"}}, "random_state must be a number"),
    ],
)
def test_wrong_parameters(rng: np.random.Generator, parameters: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        QuboSVR(**parameters).fit(rng.normal(size=(5, 2)), rng.normal(size=5))


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (np.ones((1, 2)), [1.0], "minimum of 2 is required"),
        (np.array([[1.0], [np.nan]]), [1.0, 2.0], "NaN"),
        (np.ones((2, 1)), [1.0, np.nan], "NaN"),
        (np.ones((683, 1)), np.ones(683), "683 samples take 4,098 bits, at most 4,096 are solved; fit 682 samples"),
        (np.ones((2, 1)), [1e160, 0.0], "finite numbers up to"),
    ],
)
def test_wrong_data(x: np.ndarray, y: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        QuboSVR().fit(x, y)


def test_not_fitted() -> None:
    with pytest.raises(NotFittedError):
        QuboSVR().predict(np.ones((2, 2)))


class Locked(dimod.ExactSolver):
    """A sampler that cannot be copied, as one that is connected to a service."""

    def __deepcopy__(self, memo: Any) -> Any:
        raise TypeError("cannot pickle '_thread.lock' object")


def test_a_clone_has_the_same_sampler(rng: np.random.Generator) -> None:
    sampler = Locked()
    model = QuboSVR(solver=sampler, num_bits=1, options={}, epsilon=0.1)
    copied = clone(model)
    assert copied.solver is sampler
    assert copied.get_params() == model.get_params()
    x, y = rng.normal(size=(4, 2)), rng.normal(size=4)
    exact = QuboSVR(solver="exact", num_bits=1, epsilon=0.1).fit(x, y)
    np.testing.assert_allclose(copied.fit(x, y).energies_, exact.energies_)


def test_the_core_does_without_scikit_learn() -> None:
    code = "import sys; sys.modules['sklearn'] = None; import qhn, qhn.cli, qhn.svr.dual, qhn.svr.solvers; qhn.QuboSVR"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'qhn[search]'" in found.stderr.splitlines()[-1]
    code = "import sys, qhn, qhn.svr.solvers; print({'sklearn', 'dimod', 'dwave'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
