"""The classifier for scikit-learn, against its checks, plain enumerations of networks, and its own tools."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_breast_cancer, load_iris, make_moons
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import qhn
import reference
from qhn import HypernetworkClassifier, bitstrings
from qhn.backend.service import connection, jobs
from qhn.errors import QhnWarning
from qhn.predict.classifier_config import config_of, fitted_to
from qhn.predict.classifier_training import problem_of
from qhn.run.step import Ending, Outcome
from qhn.run.training import Training, train
from service import Service

QUICK = {  # checks of scikit-learn that take a fraction of a second
    "check_classifiers_classes",
    "check_classifiers_one_label",
    "check_classifiers_regression_target",
    "check_dict_unchanged",
    "check_dont_overwrite_parameters",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_sparse_tag",
    "check_estimators_nan_inf",
    "check_estimators_overwrite_params",
    "check_estimators_pickle",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_fit2d_1feature",
    "check_fit2d_1sample",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
    "check_n_features_in",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_readonly_memmap_input",
}
FAST: dict[str, Any] = {"steps": 4, "num_layers": 1, "alphabet": (-1.0, 1.0), "random_state": 3}


def checks() -> list[Any]:
    """The checks of scikit-learn by name, those that take long with the mark ``slow``."""
    found = []
    for _, check in estimator_checks_generator(HypernetworkClassifier(steps=20)):
        name = check.func.__name__
        found.append(pytest.param(check, id=name, marks=() if name in QUICK else pytest.mark.slow))
    return found


@pytest.mark.filterwarnings("default")  # some checks give data that scikit-learn itself warns of
@pytest.mark.parametrize("check", checks())
def test_scikit_learns_checks(check: Any) -> None:
    check(HypernetworkClassifier(steps=20))


def test_the_quick_checks_are_checks_of_scikit_learn() -> None:
    assert {param.id for param in checks()} >= QUICK


@pytest.fixture(scope="module")
def moons() -> tuple[np.ndarray, np.ndarray]:
    x, y = make_moons(80, noise=0.2, random_state=0)
    return x, y


@pytest.mark.parametrize("num_classes", [2, 3])
def test_probabilities_are_those_of_all_networks_one_by_one(num_classes: int, rng: np.random.Generator) -> None:
    """The state vector of the literal circuit, and logistic networks in plain numpy."""
    x, units = rng.normal(size=(30, 2)), 1 if num_classes == 2 else 3
    y = np.array(["x", "y", "z"])[rng.integers(0, num_classes, 30)]
    found = HypernetworkClassifier(**FAST, standardise=False).fit(x, y)
    num_qubits = 3 * units
    bits = bitstrings.from_integers(np.arange(2**num_qubits), num_qubits).astype(np.float64)
    theta = found.steps_[-1].theta
    weights = reference.probabilities(reference.literal_circuit(num_qubits, 1, "eq5", theta))
    values = 2 * bits - 1
    each = []
    for row in values:
        z = x @ row[: 2 * units].reshape(2, units) + row[2 * units :]
        if units == 1:
            z = np.hstack([np.zeros_like(z), z])
        each.append(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
    expected = np.tensordot(weights, np.array(each), axes=1)
    left_out = found.ensemble_.left_out
    assert left_out < 1e-3
    np.testing.assert_allclose(found.predict_proba(x), expected, atol=2 * left_out + 1e-12)
    np.testing.assert_array_equal(found.predict(x), found.classes_[found.predict_proba(x).argmax(axis=1)])
    best = int(bitstrings.to_integers(bitstrings.from_text(found.steps_[-1].best_bits)))
    np.testing.assert_allclose(found.network_.probabilities(x), each[best])
    errors = np.square(each[best] - np.eye(num_classes)[np.searchsorted(found.classes_, y)])
    loss = errors[:, 1] if num_classes == 2 else errors.sum(axis=1)
    assert found.steps_[-1].best_cost == pytest.approx(loss.mean())


def test_what_a_fit_gives(moons: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = moons
    found = HypernetworkClassifier(hidden=(2,), activation="relu", **FAST).fit(x, y)
    assert (found.num_qubits_, found.n_features_in_, found.n_iter_) == (9, 2, 4)
    assert found.classes_.tolist() == [0, 1]
    assert len(found.steps_) == len(found.energy_) == 4
    assert found.energy_[1] == found.steps_[1].mean
    assert found.outcome_.startswith("4 steps done")
    assert found.record_ is None
    assert not hasattr(found, "feature_names_in_")
    p = found.predict_proba(x)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(p, found.ensemble_.probabilities(x))
    assert found.score(x, y) == (found.predict(x) == y).mean()
    for by, network in (("best", found.network_), ("most-probable", None)):
        found.set_params(predict_by=by)
        alone = found.predict_proba(x)
        expected = found.ensemble_.only(found.ensemble_.bits[0]).probabilities(x)
        np.testing.assert_allclose(alone, expected if network is None else network.probabilities(x), rtol=1e-12)


def test_the_same_seed_gives_the_same_predictions(moons: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = moons
    settings = FAST | {"shots": 20}
    first, second = (HypernetworkClassifier(**settings).fit(x, y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(x), second.predict_proba(x))
    drawn = [HypernetworkClassifier(**settings | {"random_state": np.random.RandomState(5)}) for _ in range(2)]
    first, second = (one.fit(x, y) for one in drawn)
    np.testing.assert_array_equal(first.predict_proba(x), second.predict_proba(x))
    assert first.config_.train.seed != first.fit(x, y).config_.train.seed  # which goes on in its sequence
    none = HypernetworkClassifier(**settings | {"random_state": None})
    assert none.fit(x, y).config_.train.seed != none.fit(x, y).config_.train.seed


@pytest.mark.parametrize(
    "labels", [["no", "yes"], [False, True], [-1, 1], [2.0, 3.0], pd.Series(["no", "yes"], dtype="category")]
)
def test_labels_stay_as_they_are(labels: Any, moons: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    x, numbers = moons
    y = labels.iloc[numbers] if isinstance(labels, pd.Series) else np.array(labels)[numbers]
    found = HypernetworkClassifier(**FAST).fit(x, y)
    assert found.classes_.tolist() == list(labels)
    assert set(found.predict(x).tolist()) <= set(labels)
    found.network_.save(tmp_path / "network.npz")
    found.ensemble_.save(tmp_path / "ensemble.npz")
    loaded = qhn.load_ensemble(tmp_path / "ensemble.npz")
    np.testing.assert_array_equal(loaded.probabilities(x), found.predict_proba(x))
    np.testing.assert_array_equal(loaded.predict(x), found.predict(x))
    np.testing.assert_array_equal(qhn.load_network(tmp_path / "network.npz").classes, found.classes_)


def test_predictions_are_equal_before_and_after_saving(moons: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    x, y = moons
    found = HypernetworkClassifier(**FAST | {"shots": 30}).fit(pd.DataFrame(x, columns=["a", "b"]), y)
    assert found.feature_names_in_.tolist() == ["a", "b"]
    assert found.network_.feature_names == ("a", "b")
    joblib.dump(found, tmp_path / "classifier.joblib")
    for copy in (pickle.loads(pickle.dumps(found)), joblib.load(tmp_path / "classifier.joblib")):
        frame = pd.DataFrame(x, columns=["a", "b"])
        np.testing.assert_array_equal(copy.predict_proba(frame), found.predict_proba(frame))


def test_it_works_in_pipelines_with_text_and_missing_values(rng: np.random.Generator) -> None:
    frame = pd.DataFrame({"age": rng.normal(50, 9, 60), "city": rng.choice(["a", "b"], 60)})
    y = np.where((frame["age"] > 50) == (frame["city"] == "a"), "sick", "well")
    frame.loc[::7, "age"] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        HypernetworkClassifier(**FAST).fit(frame[["age"]], y)
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(), StandardScaler()), ["age"]),
        (OneHotEncoder(sparse_output=False, drop="if_binary"), ["city"]),
    ).set_output(transform="pandas")
    whole = make_pipeline(columns, HypernetworkClassifier(**FAST))
    whole.fit(frame, y)
    assert whole[-1].network_.feature_names == ("pipeline__age", "onehotencoder__city_b")
    assert whole.predict_proba(frame).shape == (60, 2)
    assert set(whole.predict(frame)) <= {"sick", "well"}
    assert len(cross_val_score(whole, frame, y, cv=3)) == 3


def test_it_works_in_searches_votes_and_calibration(moons: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = moons
    search = GridSearchCV(HypernetworkClassifier(**FAST), {"hidden": [(), (2,)], "loss": ["mse"]}, cv=2)
    with joblib.parallel_backend("threading", n_jobs=2):
        search.fit(x, y)
    assert search.best_params_["hidden"] in ((), (2,))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    calibrated = CalibratedClassifierCV(HypernetworkClassifier(**FAST), cv=2).fit(x, y)
    np.testing.assert_allclose(calibrated.predict_proba(x).sum(axis=1), 1)
    vote = VotingClassifier([("q", HypernetworkClassifier(**FAST)), ("l", LogisticRegression())], voting="soft").fit(
        x, y
    )
    expected = (vote.named_estimators_["q"].predict_proba(x) + vote.named_estimators_["l"].predict_proba(x)) / 2
    np.testing.assert_allclose(vote.predict_proba(x), expected)


@pytest.mark.slow
def test_processes_search_in_parallel(moons: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = moons
    scores = [
        GridSearchCV(HypernetworkClassifier(**FAST), {"num_layers": [1, 2]}, cv=2, n_jobs=n)
        .fit(x, y)
        .cv_results_["mean_test_score"]
        for n in (1, 2)
    ]
    np.testing.assert_array_equal(*scores)


@pytest.mark.parametrize("backend", ["aer", "depolarising", "fake_torino"])
def test_other_machines_by_name(backend: str, moons: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = moons
    found = HypernetworkClassifier(backend=backend, **FAST | {"shots": 40, "steps": 2}).fit(x, y)
    assert found.ensemble_.weights.min() >= 1 / 40
    assert found.steps_[-1].shots > 0
    np.testing.assert_allclose(found.predict_proba(x).sum(axis=1), 1)


def test_budgets_end_a_training(moons: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = moons
    found = HypernetworkClassifier(max_shots=1000, **FAST | {"shots": 30}).fit(x, y)
    per_step = found.steps_[0].shots
    assert found.n_iter_ == 1000 // per_step
    assert found.outcome_ == f"a step takes {per_step} shots, {1000 % per_step} of train.max_shots remain"
    with pytest.raises(qhn.QhnError, match=rf"train\.max_shots is 10, the first step takes {per_step} shots"):
        HypernetworkClassifier(max_shots=10, **FAST | {"shots": 30}).fit(x, y)


def test_a_fit_that_the_account_ends_says_so(
    moons: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    def ended(*words: Any, **options: Any) -> Training:
        training = train(*words, **options)
        next(training)
        training.outcome = Outcome(Ending.QUOTA, "the account has no QPU seconds left")
        return training

    monkeypatch.setattr("qhn.predict.classifier_training.train", ended)
    with pytest.warns(QhnWarning, match="the training stopped early: the account has no QPU seconds left"):
        found = HypernetworkClassifier(random_state=1).fit(*moons)
    assert found.n_iter_ == 1


def test_what_auto_stands_for(rng: np.random.Generator) -> None:
    y, ways = np.arange(12) % 2, []
    for num_features, backend in ((17, "exact"), (18, "exact"), (2, "aer"), (18, "aer")):
        parameters = HypernetworkClassifier(backend=backend).get_params()
        config, x = config_of(parameters, seed=1), rng.normal(size=(12, num_features))
        problem = problem_of(config, qhn.Dataset.of_classes(x, y, np.unique(y), validation_fraction=0))
        train = fitted_to(problem, config, parameters).train
        ways.append((train.shots, train.gradient.name))
    assert ways == [(None, "parameter-shift"), (100, "spsa"), ("auto", "parameter-shift"), ("auto", "spsa")]
    explicit = HypernetworkClassifier(steps=1, shots=5, gradient="parameter-shift", random_state=0)
    assert explicit.fit(rng.normal(size=(12, 18)), y).config_.train.gradient.name == "parameter-shift"


def test_many_classes_are_sampled(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(40, 8)), np.arange(40) % 10
    found = HypernetworkClassifier(steps=2, random_state=0).fit(x, y)
    assert found.num_qubits_ == 92
    assert found.predict_proba(x).shape == (40, 10)


def test_settings_and_circuits(moons: tuple[np.ndarray, np.ndarray]) -> None:
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector

    x, y = moons
    settings = {"train.optimizer.learning_rate": 0.1, "train.patience": 1, "network.qubit_order": "reversed"}
    found = HypernetworkClassifier(settings=settings, validation_fraction=0.25, **FAST).fit(x, y)
    assert found.config_.train.optimizer.learning_rate == 0.1
    assert found.steps_[0].validation is not None
    assert found.network_.predict(x).shape == (80,)
    circuit, angles = QuantumCircuit(3), ParameterVector("a", 3)
    for qubit in range(3):
        circuit.ry(angles[qubit], qubit)
    own = HypernetworkClassifier(ansatz=circuit, **FAST).fit(x, y)
    assert own.steps_[0].theta.shape == (3,)
    assert HypernetworkClassifier(ansatz="product", **FAST).fit(x, y).steps_[0].theta.shape == (6,)


def test_class_weights_count_samples_several_times(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(40, 2)), np.repeat(["many", "few"], [32, 8])
    twice = HypernetworkClassifier(**FAST, standardise=False).fit(np.r_[x, x[32:]], np.r_[y, y[32:]])
    weighted = HypernetworkClassifier(class_weight={"few": 2}, **FAST, standardise=False).fit(x, y)
    np.testing.assert_allclose(weighted.energy_, twice.energy_, rtol=1e-12)
    four = HypernetworkClassifier(class_weight={"few": 2.5, "many": 0.625}, **FAST).fit(x, y)
    balanced = HypernetworkClassifier(class_weight="balanced", **FAST).fit(x, y)
    np.testing.assert_allclose(balanced.energy_, four.energy_, rtol=1e-12)


def test_balanced_weights_find_the_rare_class(rng: np.random.Generator) -> None:
    x = np.r_[rng.normal(0, 1, (980, 4)), rng.normal(1.2, 1, (20, 4))]
    y = np.repeat([0, 1], [980, 20])
    recalls = [
        (HypernetworkClassifier(class_weight=weight, steps=40, random_state=0).fit(x, y).predict(x)[y == 1] == 1).mean()
        for weight in (None, "balanced")
    ]
    assert recalls[1] > 0.7 > recalls[0]


def test_a_record_is_kept_and_found_again(moons: tuple[np.ndarray, np.ndarray], tmp_path: Path) -> None:
    x, y = moons
    classifier = HypernetworkClassifier(results=tmp_path / "kept", **FAST | {"shots": 30})
    first = classifier.fit(x, y)
    assert first.record_ is not None
    steps = (first.record_ / "steps.jsonl").read_bytes()
    assert qhn.load_run(first.record_).steps()[-1].mean == first.energy_[-1]
    p = first.predict_proba(x)
    again = HypernetworkClassifier(results=tmp_path / "kept", **FAST | {"shots": 30}).fit(x, y)
    assert again.record_ == first.record_
    assert (again.record_ / "steps.jsonl").read_bytes() == steps
    np.testing.assert_array_equal(again.predict_proba(x), p)
    unrecorded = HypernetworkClassifier(**FAST | {"shots": 30}).fit(x, y)
    np.testing.assert_array_equal(unrecorded.predict_proba(x), p)


def test_a_paid_fit_keeps_to_its_budget_and_is_not_paid_twice(
    service: Service, moons: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(connection, name, 0.05)
    for name in ("LISTING_DELAY", "FULL_QUEUE_PAUSE"):
        monkeypatch.setattr(jobs, name, 0.05)
    x, y = moons
    settings = FAST | {"backend": "ibm_manila", "shots": 60, "steps": 10}
    with pytest.raises(ValueError, match="random_state must be a number on backend ibm_manila"):
        HypernetworkClassifier(max_qpu_seconds=60, **settings | {"random_state": None}).fit(x, y)
    with pytest.raises(ValueError, match="budget"):
        HypernetworkClassifier(**settings).fit(x, y)
    assert not service.jobs
    first = HypernetworkClassifier(max_qpu_seconds=12, **settings).fit(x, y)
    assert 1 <= first.n_iter_ < 10
    assert service.usage <= 12
    assert "train.max_qpu_seconds remain" in first.outcome_
    assert first.record_ is not None
    assert first.record_.parent == tmp_path / "results" / "classifier"
    paid, p = len(service.jobs), first.predict_proba(x)
    again = HypernetworkClassifier(max_qpu_seconds=12, **settings).fit(x, y)
    assert len(service.jobs) == paid
    np.testing.assert_array_equal(again.predict_proba(x), p)
    longer = HypernetworkClassifier(max_qpu_seconds=18, **settings).fit(x, y)
    assert longer.n_iter_ > first.n_iter_
    assert longer.energy_[: first.n_iter_].tolist() == first.energy_.tolist()


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"steps": 0}, r"train\.steps: input should be greater than or equal to 1, got 0"),
        ({"hidden": (3, 0)}, "hidden"),
        ({"alphabet": (1.0, 1.0)}, "two different numbers"),
        ({"activation": "softmax"}, "activation"),
        ({"loss": "hinge"}, r"network\.loss"),
        ({"backend": "ear"}, "did you mean 'aer'|unknown backend 'ear'"),
        ({"optimizer": "adamw"}, r"train\.optimizer must name one of"),
        ({"shots": 0}, r"train\.shots"),
        ({"backend": "aer", "shots": None}, r"train\.shots must be at least 1 on backend aer"),
        ({"num_layers": -1}, r"ansatz\.num_layers"),
        ({"ansatz": "hyper"}, "there is no ansatz 'hyper'"),
        ({"predict_by": "all"}, "predict_by must be ensemble, best or most-probable, got 'all'"),
        ({"standardise": "no"}, "standardise must be True or False"),
        ({"validation_fraction": 1.5}, r"validation_fraction must be in \[0, 1\)"),
        ({"settings": {"train.steps": 3}}, "which is the parameter steps"),
        ({"settings": {"train.seed": 3}}, "which is the parameter random_state"),
        ({"settings": {"data.seed": 3}}, "may hold those of network"),
        ({"settings": {"train.patienc": 3}}, "did you mean 'patience'|unknown key train.patienc"),
        ({"settings": "fast"}, "settings must be a dictionary"),
        ({"random_state": "seven"}, "seven"),
        ({"class_weight": "balance"}, "class_weight"),
        ({"class_weight": {0: -1.0}}, "weight"),
        ({"shots": None, "alphabet": (-1.0, 1.0), "hidden": (9,)}, "possible up to 24 qubits"),
    ],
)
def test_wrong_parameters_are_refused_at_the_fit(
    parameters: dict[str, Any], words: str, moons: tuple[np.ndarray, np.ndarray]
) -> None:
    classifier = HypernetworkClassifier(**parameters)
    with pytest.raises(ValueError, match=words):
        classifier.fit(*moons)
    with pytest.raises(NotFittedError):
        classifier.predict(moons[0])


def test_wrong_data_are_refused(moons: tuple[np.ndarray, np.ndarray]) -> None:
    x, y = moons
    with pytest.raises(qhn.QhnError, match="y must hold two classes or more, and has one class alone: 0"):
        HypernetworkClassifier(**FAST).fit(x, np.zeros(len(x), dtype=int))
    with pytest.raises(ValueError, match="Input X contains NaN"):
        HypernetworkClassifier(**FAST).fit(np.full_like(x, np.nan), y)
    with pytest.raises(ValueError, match="Unknown label type"):
        HypernetworkClassifier(**FAST).fit(x, x[:, 0])
    found = HypernetworkClassifier(**FAST).fit(x, y)
    with pytest.raises(ValueError, match="expecting 2 features"):
        found.predict(x[:, :1])
    constant = HypernetworkClassifier(**FAST).fit(np.c_[x, np.ones(len(x))], y)
    assert np.isfinite(constant.predict_proba(np.c_[x, np.zeros(len(x))])).all()
    few = HypernetworkClassifier(**FAST).fit(x[:2], [0, 1])
    assert few.predict(x[:2]).shape == (2,)


def test_without_scikit_learn_all_else_works() -> None:
    code = """
import sys
sys.modules["sklearn"] = None
import qhn, qhn.cli
from qhn import *
assert "HypernetworkClassifier" not in dir(qhn) and Ensemble
import pydoc
assert "Ensemble" in pydoc.render_doc(qhn)
try:
    qhn.HypernetworkClassifier
except ImportError as error:
    print(error)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.count("\n") == 1
    assert "pip install 'qhn[sklearn]'" in found.stdout


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("iris", 0.8), ("cancer", 0.88), ("moons", 0.78)])
def test_it_learns_tables_nearly_as_well_as_logistic_regression(name: str, least: float) -> None:
    x, y = {
        "iris": lambda: load_iris(return_X_y=True),
        "cancer": lambda: (lambda x, y: (x[:, :10], y))(*load_breast_cancer(return_X_y=True)),
        "moons": lambda: make_moons(300, noise=0.2, random_state=0),
    }[name]()
    scores = {
        kind: cross_val_score(model, x, y, cv=3).mean()
        for kind, model in (
            ("ours", HypernetworkClassifier(random_state=0)),
            ("logistic", make_pipeline(StandardScaler(), LogisticRegression())),
            ("majority", DummyClassifier()),
        )
    }
    assert scores["ours"] > scores["majority"] + 0.2
    assert scores["ours"] > scores["logistic"] - 0.15
    assert scores["ours"] > least
