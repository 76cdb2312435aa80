"""Logistic regression, the classical classifier that any other one has to be seen beside."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.problem.network import sigmoid, softmax

MOST_ITERATIONS = 10_000
CONSTANT = 1e-12  # relative: a standard deviation below it is rounding
LIMIT = 1  # SciPy's status of a limit of iterations or evaluations; a line search that fails is rounding
GRADIENT = 1e-6  # largest component of the gradient at the minimum: no coefficient is off by much more
PROGRESS = 1e-15  # relative: the sum of losses is not known to more digits


@dataclass(frozen=True)
class LogisticRegression:
    """A logistic regression of two or more classes on standardised features, fitted with an L2 penalty.

    With two classes p(second class) = 1 / (1 + e^−z), z = w·x + b; with more p = softmax(z), and each class has its own
    w and b. What is minimised is Σ_samples weight · (−log p_y) + ½ Σ w² / strength; b is not penalised. That is what
    scikit-learn's ``LogisticRegression(C=strength)`` behind a ``StandardScaler`` minimises.

    Attributes:
        coefficients: the weights w of the standardised features, ``[outputs, num_features]``, one output for two
            classes.
        intercepts: the numbers b, ``[outputs]``; with more than two classes their sum is 0.
        mean, scale: numbers ``[num_features]`` that standardise a feature x, (x − mean) / scale.
        has_converged: whether the minimum was reached.
    """

    coefficients: Floats
    intercepts: Floats
    mean: Floats
    scale: Floats
    has_converged: bool = True

    @classmethod
    def fit(
        cls,
        x: ArrayLike,
        y: ArrayLike,
        *,
        num_classes: int | None = None,
        class_weights: ArrayLike | None = None,
        strength: float = 1.0,
    ) -> LogisticRegression:
        """Fit a logistic regression to training samples.

        Args:
            x: the features, ``[num_samples, num_features]``, in any units.
            y: the classes, ``[num_samples]``, numbered from 0.
            num_classes: number of classes; one more than the highest of ``y`` by default.
            class_weights: the weight of the samples of each class, ``[num_classes]``; 1 by default.
            strength: the weight of the losses beside the penalty, above 0.

        Raises:
            QhnError: if shapes do not fit, there are no samples, or a number is out of its range.

        >>> found = LogisticRegression.fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
        >>> found.coefficients.round(3), found.probabilities([[1.5], [3.0]]).round(3)
        (array([[0.944]]), array([[0.5 , 0.5 ],
           [0.22, 0.78]]))
        """
        from scipy.optimize import minimize  # which takes long to import

        features, labels = np.asarray(x, dtype=np.float64), np.asarray(y).astype(np.intp)
        if features.ndim != 2 or labels.shape != features.shape[:1] or not len(labels):
            raise QhnError(
                "a logistic regression takes features [samples, features] and one class a sample, at least one sample; "
                f"got {list(features.shape)} and {list(labels.shape)}"
            )
        classes = max(2, int(labels.max()) + 1 if num_classes is None else num_classes)
        if labels.min() < 0 or labels.max() >= classes:
            raise QhnError(f"classes must be from 0 to {classes - 1}, got {labels.min()} to {labels.max()}")
        if not strength > 0:
            raise QhnError(f"strength must be above 0, got {strength:g}")
        weights = np.ones(classes) if class_weights is None else np.asarray(class_weights, dtype=np.float64)
        if weights.shape != (classes,) or not (weights >= 0).all():
            raise QhnError(f"class_weights must be {classes} numbers of at least 0, got {list(weights.shape)}")
        mean, deviation = features.mean(axis=0), features.std(axis=0)
        is_constant = deviation <= CONSTANT * np.abs(features).max(axis=0)
        scale = np.where(is_constant, 1.0, deviation)
        standardised = np.where(is_constant, 0.0, (features - mean) / scale)
        losses = _Losses(standardised, labels, classes, weights[labels], strength)
        options = {"maxiter": MOST_ITERATIONS, "maxfun": 2 * MOST_ITERATIONS, "gtol": GRADIENT, "ftol": PROGRESS}
        start = np.zeros(losses.num_outputs * (features.shape[1] + 1))
        found = minimize(losses, start, jac=True, method="L-BFGS-B", options=options | {"maxcor": 30})
        parameters = found.x.reshape(losses.num_outputs, -1)
        intercepts = parameters[:, -1]
        if classes > 2:
            intercepts = intercepts - intercepts.mean()  # a number added to all of them changes nothing
        return cls(parameters[:, :-1], intercepts, mean, scale, found.status != LIMIT)

    def probabilities(self, x: ArrayLike) -> Floats:
        """The probability of each class: features ``[..., num_features]`` → ``[..., num_classes]``."""
        z = (np.asarray(x, dtype=np.float64) - self.mean) / self.scale @ self.coefficients.T + self.intercepts
        if len(self.intercepts) > 1:
            return softmax(z)
        p = sigmoid(z)
        return np.concatenate([1.0 - p, p], axis=-1)


@dataclass(frozen=True)
class _Losses:
    """The penalised losses of a logistic regression and their gradient, as functions of all parameters in one row."""

    x: Floats
    labels: NDArray[np.intp]
    num_classes: int
    weights: Floats
    strength: float

    @property
    def num_outputs(self) -> int:
        return 1 if self.num_classes == 2 else self.num_classes

    def __call__(self, row: Floats) -> tuple[float, Floats]:
        parameters = row.reshape(self.num_outputs, -1)
        coefficients = parameters[:, :-1]
        z = self.x @ coefficients.T + parameters[:, -1]
        loss, slope = self._binary(z[:, 0]) if self.num_outputs == 1 else self._multinomial(z)
        gradient = np.empty_like(parameters)
        gradient[:, :-1] = slope.T @ self.x + coefficients / self.strength
        gradient[:, -1] = slope.sum(axis=0)
        return loss + 0.5 * float(np.square(coefficients).sum()) / self.strength, gradient.ravel()

    def _binary(self, z: Floats) -> tuple[float, Floats]:
        """The weighted sum of log(1 + e^z) − y·z, and its derivative by each z, ``[num_samples, 1]``."""
        loss = self.weights @ (np.logaddexp(0.0, z) - self.labels * z)
        return float(loss), (self.weights * (sigmoid(z) - self.labels))[:, None]

    def _multinomial(self, z: Floats) -> tuple[float, Floats]:
        """The weighted sum of log Σ e^z − z_y, and its derivative by each z, ``[num_samples, num_classes]``."""
        z = z - z.max(axis=1, keepdims=True)
        samples = np.arange(len(z))
        exponentials = np.exp(z)
        sums = exponentials.sum(axis=1)
        loss = self.weights @ (np.log(sums) - z[samples, self.labels])
        slope = exponentials / sums[:, None]
        slope[samples, self.labels] -= 1.0
        slope *= self.weights[:, None]
        return float(loss), slope
