"""``make bench-tables``: how the defaults for tables classify small ones, beside logistic regression."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from sklearn import datasets
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qhn.arrays import Floats, Integers
from qhn.bitstrings import from_integers
from qhn.config import RunConfig
from qhn.config.designs import Design
from qhn.config.from_table import Draft, draft_of
from qhn.predict.classifier import HypernetworkClassifier
from qhn.predict.ensemble import Ensemble
from qhn.predict.predictions import Predictions
from qhn.problem.built_in_data import gaussian_mixture
from qhn.problem.cost import BinnProblem, networks_of
from qhn.problem.datasets import Dataset
from qhn.problem.landscape import enumerate_costs
from qhn.problem.search_space import SearchSpace
from qhn.run.training import train

FOLDS, SEEDS = 5, (0, 1)
TABLES = 200  # by which the coverage of intervals is measured
Samples = tuple[Floats, Integers]

CONTENDERS: dict[str, Callable[[int], BaseEstimator]] = {
    "HypernetworkClassifier()": lambda seed: HypernetworkClassifier(random_state=seed),
    "the same, weights ±1": lambda seed: HypernetworkClassifier(alphabet=(-1, 1), random_state=seed),
    "the same, cross-entropy": lambda seed: HypernetworkClassifier(loss="cross-entropy", random_state=seed),
    "logistic regression": lambda seed: LogisticRegression(max_iter=1000),
    "most frequent class": lambda seed: DummyClassifier(),
}


VARIANTS: dict[str, dict[str, Any]] = {
    "as recommended": {},
    "objective mean": {"train.objective": "mean"},
    "weights ±½": {"network.alphabet": [[-0.5, 0.5]]},
    "loss mse": {"network.loss": "mse"},
    "classes not weighted": {"network.class_weight": "none"},
    "no hidden layer": {"network.hidden": [], "network.activation": "sigmoid"},
    "one layer": {"ansatz.num_layers": 1},
    "three layers": {"ansatz.num_layers": 3},
}


def tables() -> dict[str, Samples]:
    """Small tables of real and of drawn samples by name: features ``[num_samples, num_features]`` and classes."""
    rng = np.random.default_rng(1)
    mixture, plane = gaussian_mixture(300, seed=3, validation_samples=0), rng.normal(size=(300, 2))
    rare = np.concatenate([rng.normal(0, 1, (980, 4)), rng.normal(1.2, 1, (20, 4))])
    cancer, wine = datasets.load_breast_cancer(return_X_y=True), datasets.load_wine(return_X_y=True)
    sugar, progress = datasets.load_diabetes(return_X_y=True)
    return {
        "moons": datasets.make_moons(300, noise=0.2, random_state=0),
        "mixture": (mixture.x, mixture.y.astype(np.int64)),
        "XOR": (plane, (plane.prod(axis=1) > 0).astype(np.int64)),
        "980:20": (rare, np.repeat([0, 1], [980, 20])),
        "diabetes": (sugar, (progress > 140).astype(np.int64)),
        "cancer, 10 features": (SelectKBest(k=10).fit_transform(*cancer), cancer[1]),
        "iris": datasets.load_iris(return_X_y=True),
        "wine, 3 components": (make_pipeline(StandardScaler(), PCA(3)).fit_transform(wine[0]), wine[1]),
    }


def cross_validated(every: dict[str, Samples]) -> None:
    """Print the accuracy of each estimator on each table, the mean over folds and seeds."""
    print(f"accuracy, {FOLDS} folds, {len(SEEDS)} seeds; features are scaled\n")
    for name, contender in CONTENDERS.items():
        scores = []
        for x, y in every.values():
            folds = [StratifiedKFold(FOLDS, shuffle=True, random_state=seed) for seed in SEEDS]
            found = [
                cross_val_score(make_pipeline(StandardScaler(), contender(seed)), x, y, cv=fold).mean()
                for seed, fold in zip(SEEDS, folds, strict=True)
            ]
            scores.append(float(np.mean(found)))
        print(f"{name:<26}" + " ".join(f"{score:6.3f}" for score in (*scores, np.mean(scores))), flush=True)
    print(" " * 26 + ", ".join((*every, "mean of all")) + "\n")


def recommended(every: dict[str, Samples]) -> None:
    """Print how the networks that ``qhn init`` recommends predict the quarter of a table that was held out."""
    print("what qhn init recommends, on validation samples: accuracy, balanced accuracy, log loss; mean over seeds")
    for name, samples in every.items():
        draft, found = drafted(samples), judged_by_seed(samples, {})
        print(f"\n{name}: hidden {list(draft.hidden)}, {draft.num_qubits} qubits")
        for who, numbers in found.items():
            print(f"  {who:<22}{in_columns(numbers)}", flush=True)


def varied(every: dict[str, Samples]) -> None:
    """Print what other settings than the recommended ones give, on average over all tables."""
    print("\nother settings than those: best network and ensemble, mean over tables and seeds\n")
    for name, settings in VARIANTS.items():
        found = [judged_by_seed(samples, settings) for samples in every.values()]
        means = [np.mean([one[who] for one in found], axis=0) for who in ("best network", "ensemble")]
        print(f"{name:<26}{'   '.join(map(in_columns, means))}", flush=True)


def covered() -> None:
    """Print how often the stated interval holds the accuracy on new samples, of the best of all networks of 16 qubits.

    Each of 200 tables has 60 training and 20 validation samples.
    """
    rng, held = np.random.default_rng(0), {"validation": 0, "training": 0}
    space, new = SearchSpace(3, hidden=((3,),)), overlapping(rng, 40_000)
    for seed in range(TABLES):
        data = Dataset.from_arrays(*overlapping(rng, 80), seed=seed)
        problem = BinnProblem(space, data)
        best = from_integers(int(enumerate_costs(problem).argmin()), problem.num_qubits)
        true = float((problem.network(best).predict(new[0]) == new[1]).mean())
        for name, found in Predictions(problem, {"best": (best[None], np.ones(1))}).metrics.items():
            low, high = found["best"].interval
            held[name] += low <= true <= high
    print("\nshare of tables whose 95 % interval holds the accuracy on new samples, by the samples of the interval")
    print(", ".join(f"{name} {count / TABLES:.3f}" for name, count in held.items()))


def overlapping(rng: np.random.Generator, num_samples: int) -> Samples:
    """Samples of two classes that overlap: features ``[num_samples, 3]`` and classes."""
    y = rng.integers(0, 2, num_samples)
    return rng.normal(size=(num_samples, 3)) + np.outer(y, [0.6, 0.3, 0.0]), y


def in_columns(numbers: Floats) -> str:
    """Numbers in columns of equal width."""
    return " ".join(f"{number:6.3f}" for number in numbers)


@contextmanager
def written(samples: Samples) -> Iterator[Draft]:
    """A context with what is recommended for a table, which is a file while it lasts."""
    x, y = samples
    with TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        head = ",".join([*(f"x{j}" for j in range(x.shape[1])), "label"])
        np.savetxt(path, np.column_stack([x, y]), delimiter=",", header=head, comments="", fmt="%.9g")
        yield draft_of(path, "label")


def drafted(samples: Samples) -> Design:
    """The design that is recommended for a table."""
    with written(samples) as draft:
        return draft.design


def judged_by_seed(samples: Samples, settings: dict[str, Any]) -> dict[str, Floats]:
    """The numbers of each predictor on validation samples, the mean over seeds of the split and of the training."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    with written(samples) as draft:
        for seed in SEEDS:
            config = draft.config(settings | {"train.seed": seed, "data.seed": seed})
            for who, numbers in judged(networks_of(config.problem()), config).items():
                found.setdefault(who, []).append(numbers)
    return {who: np.mean(rows, axis=0) for who, rows in found.items()}


def judged(problem: BinnProblem, config: RunConfig) -> dict[str, tuple[float, float, float]]:
    """The accuracy, balanced accuracy and log loss of each predictor on validation samples."""
    training = train(config, record=False)
    *_, last = training
    ensemble = Ensemble.of(training)
    best = np.array([[int(bit) for bit in last.best_bits]], dtype=np.uint8)
    networks = {"best network": (best, np.ones(1)), "ensemble": (ensemble.bits, ensemble.weights)}
    metrics = Predictions(problem, networks).metrics["validation"]
    return {
        "most frequent class" if who.startswith("always") else who: (
            one.accuracy,
            one.balanced_accuracy,
            one.calibration.cross_entropy,
        )
        for who, one in metrics.items()
    }


def main() -> None:
    """Print all tables."""
    every = tables()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cross_validated(every)
        recommended(every)
        varied(every)
        covered()


if __name__ == "__main__":
    main()
