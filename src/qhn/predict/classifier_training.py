"""The training of a classifier: its samples as a problem, and the training of a circuit on it to its end."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.backend import machine_of
from qhn.config import RunConfig
from qhn.errors import QhnError, QhnWarning
from qhn.problem.cost import BinnProblem, Problem
from qhn.problem.datasets import Dataset
from qhn.run.step import Ending
from qhn.run.training import Training, train
from qhn.text import shown


def dataset_of(
    x: Floats,
    y: NDArray[np.intp],
    classes: NDArray[Any],
    parameters: Mapping[str, Any],
    seed: int,
    feature_names: Sequence[str] = (),
) -> Dataset:
    """The samples of a classifier as a data set.

    Args:
        x: the features, ``[num_samples, num_features]``.
        y: the number of each sample's class, ``[num_samples]``, from 0.
        classes: the label of each class, ``[num_classes]``.
        parameters: the parameters of the classifier by name.
        seed: the seed of the split into training and validation samples.
        feature_names: one name per feature; empty if they have none.

    Raises:
        QhnError: if there is one class only, a number is too large, or too many samples are held out.
    """
    if len(classes) < 2:
        raise QhnError(f"y must hold two classes or more, and has one class alone: {shown(classes.item())}")
    return Dataset.of_classes(
        x,
        y,
        classes.astype(str) if classes.dtype == object else classes,  # as files hold text
        feature_names=tuple(feature_names),
        validation_fraction=parameters["validation_fraction"],
        standardise=bool(parameters["standardise"]),
        seed=seed,
    )


def problem_of(config: RunConfig, data: Dataset, class_weight: Sequence[float] | None = None) -> BinnProblem:
    """The problem of the networks of a configuration on a data set.

    Args:
        config: the configuration of the training.
        data: the samples.
        class_weight: the weight of each class; None if all samples count alike.

    Raises:
        QhnError: if the loss does not fit the networks, or a weight is none.
    """
    space = config.network.space(data.num_features, data.num_classes)
    return BinnProblem(space, data, config.network.loss, class_weight)


def finished(problem: Problem, config: RunConfig, parameters: Mapping[str, Any]) -> Training:
    """The training of an estimator of scikit-learn at its end.

    It is recorded if the estimator has a directory for that, or the machine bills.

    Args:
        problem: the cost of bitstrings, such as that of networks on data.
        config: the configuration of the training.
        parameters: the parameters of the estimator by name; ``ansatz``, ``results`` and ``random_state`` count.

    Raises:
        QhnError: if the training cannot be made, or ended before its first step.
        BackendError: if the machine fails.
    """
    bills, backend = machine_of(config.train.backend).bills, config.train.backend
    if bills and not isinstance(parameters["random_state"], (int, np.integer)):
        raise QhnError(
            f"random_state must be a number on backend {backend}, which bills, so that another fit goes on with a "
            "training that was paid for"
        )
    ansatz, results = parameters["ansatz"], parameters["results"]
    circuit = None if isinstance(ansatz, (str, Mapping)) else ansatz
    training = train(config, problem=problem, ansatz=circuit, results=results, record=bills or results is not None)
    try:
        for _ in training:
            pass
    finally:
        training.close()
    if training.outcome is not None and not training.steps():
        raise QhnError(f"the training made no step: {training.outcome.message}")
    if training.outcome is not None and training.outcome.name is Ending.QUOTA:
        warnings.warn(QhnWarning(f"the training stopped early: {training.outcome.message}"), stacklevel=3)
    return training
