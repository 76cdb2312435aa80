"""Learning curves of a classical neural network: scikit-learn's MLPClassifier on its images of digits."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from functools import cache, partial
from typing import Any

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.paper.curve_pool import Pool, kept
from qhn.paper.lab import Lab
from qhn.scheduling.space import Range, Space

EPOCHS = 81
SPACE = Space(
    {
        "learning_rate": Range(1e-4, 0.1, log=True),
        "hidden": Range(8, 128, log=True, integer=True),
        "penalty": Range(1e-6, 1e-1, log=True),
        "batch": [64, 128, 256],
    }
)


@dataclass(frozen=True)
class MlpRecipe:
    """Trials of a network with one hidden layer, of drawn hyper-parameters.

    Attributes:
        epochs: the resource of a trial; a unit is an epoch.
        seed: the seed from which hyper-parameters are drawn.
        data: name of the data.
    """

    epochs: int = EPOCHS
    seed: int = 0
    data: str = "digits"


def mlp_pool(lab: Lab, recipe: MlpRecipe, trials: int) -> Pool:
    """The learning curves of the first trials of a recipe: the loss on validation data, as truth that on test data.

    Args:
        lab: the workers, and the folder where curves are kept.
        recipe: what the trials are.
        trials: number of trials.
    """
    arrays = kept(lab, {"mlp": asdict(recipe)}, trials, partial(curves_of, recipe), "prediction, MLP, curves")
    settings = [SPACE.as_numbers(SPACE.draw(recipe.seed, trial)) for trial in range(trials)]
    return Pool(
        name="MLP",
        unit="1 epoch",
        loss="cross entropy",
        curves=arrays["curves"],
        truth=arrays["truth"],
        settings=np.array(settings, dtype=np.float64),
        groups=np.zeros(trials, dtype=np.int64),
    )


def curves_of(recipe: MlpRecipe, trials: range) -> dict[str, Floats]:
    """The mean cross entropy of some trials after each epoch, on validation and on test data."""
    found = np.array([_trained(SPACE.draw(recipe.seed, trial), trial, recipe.epochs) for trial in trials])
    return {"curves": found[:, 0], "truth": found[:, 1]}


@cache
def _digits() -> tuple[Floats, Integers, list[Floats], list[Integers]]:
    """Half of the images and their labels to train with; and a quarter each for validation and test: both, and both."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pixels, labels = load_digits(return_X_y=True)
    images, others, right, other = train_test_split(pixels / 16, labels, test_size=0.5, random_state=0, stratify=labels)
    validation, test, *two = train_test_split(others, other, test_size=0.5, random_state=0, stratify=other)
    return images, right, [validation, test], two


def _trained(values: dict[str, Any], seed: int, epochs: int) -> Floats:
    """The mean cross entropy after each epoch, on validation and on test data: ``[2, epochs]``."""
    from sklearn.neural_network import MLPClassifier

    images, labels, *others = _digits()
    network = MLPClassifier(
        (values["hidden"],),
        learning_rate_init=values["learning_rate"],
        alpha=values["penalty"],
        batch_size=values["batch"],
        random_state=seed,
    )
    losses: list[list[float]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an epoch at a time does not converge
        for _ in range(epochs):
            network.partial_fit(images, labels, classes=np.arange(10))
            losses.append([_cross_entropy(network.predict_proba(of), right) for of, right in zip(*others, strict=True)])
    return np.array(losses).T


def _cross_entropy(chances: Floats, labels: Integers) -> float:
    """The mean of −ln p of the right label, where no p counts as less than the smallest number."""
    right = chances[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())
