"""Predictions of networks on the samples of a data set, beside what classifies without a quantum computer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from qhn.arrays import Bits, Floats, Integers
from qhn.baseline.logistic_regression import LogisticRegression
from qhn.predict.ensemble import Ensemble
from qhn.predict.metrics import Metrics, RocCurve, majority, metrics, roc_curve
from qhn.problem.cost import BinnProblem
from qhn.text import in_line

MOST_OUTPUTS = 50_000_000  # networks times samples times classes of an ensemble: some seconds
MOST_TERMS = 20_000_000  # features times samples times classes of a logistic regression: up to some seconds
MOST_CURVES = 6  # classes of which there are ROC curves
MAX_WORD = 24  # characters of a class in a table
REGRESSION = "logistic regression"


@dataclass(frozen=True)
class Predictions:
    """The predictions of networks on a data set, beside the majority class and a logistic regression.

    Both know the training samples alone. The majority class answers the shares of the classes among them as
    probabilities, and the regression weighs the classes as the loss of the networks does.

    Attributes:
        problem: the problem with the data.
        networks: the bits ``[M, num_qubits]`` and the weights ``[M]`` of ensembles, or of single networks, by name; the
            first is the one that all others are compared with.
    """

    problem: BinnProblem
    networks: Mapping[str, tuple[Bits, Floats]]

    @property
    def subject(self) -> str:
        """The name of the predictor that all others are compared with."""
        return next(iter(self.networks))

    @cached_property
    def constant(self) -> str:
        """The name of the predictor that always answers the most frequent class of the training samples."""
        return f"always {self.spelt(int(self._shares.argmax()))}"

    def spelt(self, label: int) -> str:
        """The name of a class as Python writes it, without its middle if it is long.

        Args:
            label: number of the class, from 0.
        """
        return in_line(repr(self.problem.dataset.classes.tolist()[label]), MAX_WORD)

    @cached_property
    def samples(self) -> dict[str, tuple[Floats, Integers]]:
        """The features and the classes of validation and training samples, by the name of the set."""
        data = self.problem.dataset
        sets = {"validation": (data.x_validation, data.y_validation), "training": (data.x, data.y)}
        return {name: (x, y.astype(np.intp)) for name, (x, y) in sets.items() if len(y)}

    @cached_property
    def probabilities(self) -> dict[str, dict[str, Floats]]:
        """The predicted probabilities of the classes, ``[S, K]``, by set of samples and predictor."""
        found: dict[str, dict[str, Floats]] = {}
        for name, (x, y) in self.samples.items():
            found[name] = {who: one.probabilities(x) for who, one in self._ensembles.items()}
            found[name][self.constant] = np.broadcast_to(self._shares, (len(y), len(self._shares)))
            if self.regression:
                found[name][REGRESSION] = self.regression.probabilities(x)
        return found

    @cached_property
    def metrics(self) -> dict[str, dict[str, Metrics]]:
        """The metrics by set of samples, validation first if there is one, and predictor."""
        return {
            name: {who: metrics(p, self.samples[name][1]) for who, p in found.items()}
            for name, found in self.probabilities.items()
        }

    @cached_property
    def left_out(self) -> list[str]:
        """The names of ensembles that would take long to compute."""
        data = self.problem.dataset
        outputs = data.num_classes * (len(data.y) + len(data.y_validation))
        sizes = {name: len(bits) for name, (bits, _) in self.networks.items()}
        return [name for name, size in sizes.items() if size > 1 and size * outputs > MOST_OUTPUTS]

    @cached_property
    def regression(self) -> LogisticRegression | None:
        """The logistic regression on the training samples; None if it would take long to fit."""
        data = self.problem.dataset
        if data.x.size * data.num_classes > MOST_TERMS:
            return None
        weights = self.problem.class_weights
        return LogisticRegression.fit(data.x, data.y, num_classes=data.num_classes, class_weights=weights)

    @cached_property
    def _shares(self) -> Floats:
        return majority(self.problem.dataset.y, self.problem.dataset.num_classes)

    @cached_property
    def _ensembles(self) -> dict[str, Ensemble]:
        """The ensembles that are quick to compute, as functions of features that are standardised already."""
        data = self.problem.dataset
        mean, scale = np.zeros(data.num_features), np.ones(data.num_features)
        return {
            name: Ensemble(self.problem.space, bits, weights, data.classes, mean, scale)
            for name, (bits, weights) in self.networks.items()
            if name not in self.left_out
        }

    def curves(self, name: str) -> dict[str, RocCurve]:
        """The ROC curves on a set of samples.

        Args:
            name: name of the set of samples.

        Returns:
            The curve of each predictor but the constant one for two classes; the first predictor's curves of each class
            against all others for up to six. Those that are not defined are left out.
        """
        y, found = self.samples[name][1], self.probabilities[name]
        classes = self.problem.dataset.classes
        if len(classes) > MOST_CURVES:
            return {}
        if len(classes) == 2:
            curves = {who: roc_curve(p[:, 1], y == 1) for who, p in found.items() if who != self.constant}
        else:
            curves = {in_line(name): roc_curve(found[self.subject][:, c], y == c) for c, name in enumerate(classes)}
        return {who: curve for who, curve in curves.items() if curve is not None}

    def warning(self) -> str:
        """A line that says that the majority class is more often right than the first network; empty if it is not.

        It is about the validation samples, if there are any.
        """
        name, found = next(iter(self.metrics.items()))
        network, constant = found[self.subject], found[self.constant]
        if network.accuracy >= constant.accuracy:
            return ""
        remedy = "class weights in the loss (network.class_weight), more steps or a larger network may help"
        if self.problem.class_weights is not None:
            remedy = "the class weights of the loss trade the one for the other"
        return (
            f"warning: {self.constant} is right in {constant.accuracy:.1%} of the {name} samples, the {self.subject} "
            f"in {network.accuracy:.1%}; balanced accuracy, the better measure where classes differ in size, is "
            f"{constant.balanced_accuracy:.1%} and {network.balanced_accuracy:.1%}; {remedy}"
        )

    def key(self, who: str) -> str:
        """The name of a predictor for programs, which is the same in all runs.

        Args:
            who: name of the predictor on the page.

        Returns:
            One of ``best_network``, ``most_likely_network``, ``ensemble``, ``majority_class`` and
            ``logistic_regression``.
        """
        known = {self.subject: "best_network", self.constant: "majority_class", REGRESSION: "logistic_regression"}
        return known.get(who) or ("ensemble" if len(self.networks[who][0]) > 1 else "most_likely_network")

    def facts(self) -> dict[str, Any]:
        """All metrics, by set of samples and key of the predictor, as values of JSON."""
        return {
            name: {self.key(who): {"name": who} | one.facts() for who, one in found.items()}
            for name, found in self.metrics.items()
        }
