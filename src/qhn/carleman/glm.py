"""Generalised linear models with real weights, whose gradients expand into polynomials."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial
from typing import Literal, get_args

import numpy as np
from numpy.polynomial import polynomial as powers
from scipy.special import expit

from qhn.arrays import Floats, Integers
from qhn.carleman.polynomial import PolynomialGradient, check_tensors
from qhn.errors import QhnError
from qhn.fields import Number, Whole
from qhn.text import shown

Loss = Literal["logistic", "mse", "sigmoid-mse"]
CHUNK = 2**22  # numbers held at once while a tensor is summed over samples


@dataclass(frozen=True, eq=False)
class GeneralisedLinearModel:
    """A model of a label by a weighted sum z = x·θ of inputs, and its mean loss over a data set.

    The loss of a sample is, by name,

    - ``"logistic"``: the cross-entropy of a label 0 or 1 and the probability σ(z) = 1 / (1 + exp(−z));
    - ``"mse"``: ½ (z − y)², of any label (linear regression; the gradient is linear in θ);
    - ``"sigmoid-mse"``: ½ (σ(z) − y)², of a label 0 or 1; it is not convex.

    To their mean ``weight_decay``/2 · ‖θ‖² is added, of all parameters, a bias included.

    Attributes:
        inputs: the rows x, ``[num_samples, num_parameters]``; a column of ones makes a bias (:meth:`with_bias`).
        labels: the labels y, ``[num_samples]``.
        loss_name: name of the loss.
        weight_decay: strength of the weight decay, at least 0.

    Raises:
        ValueError: at construction, if shapes differ, a number is not finite, a label of a sigmoid is not in [0, 1], or
            there is no such loss.

    >>> model = GeneralisedLinearModel.with_bias(np.array([[-1.0], [2.0]]), np.array([0.0, 1.0]))
    >>> model.num_parameters, round(float(model.loss(np.zeros(2))), 4)
    (2, 0.6931)
    """

    inputs: Floats
    labels: Floats
    loss_name: Loss = "logistic"
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        inputs, labels = np.array(self.inputs, dtype=np.float64), np.array(self.labels, dtype=np.float64)
        if inputs.ndim != 2 or not inputs.size or labels.shape != inputs.shape[:1]:
            raise QhnError(
                f"inputs must be [num_samples, num_parameters] and labels [num_samples], got {inputs.shape} and "
                f"{labels.shape}"
            )
        if not (np.isfinite(inputs).all() and np.isfinite(labels).all()):
            raise QhnError("inputs and labels must be finite")
        if self.loss_name not in get_args(Loss):
            raise QhnError(f"loss must be one of {', '.join(get_args(Loss))}, got {shown(self.loss_name)}")
        if self.loss_name != "mse" and not ((labels >= 0) & (labels <= 1)).all():
            raise QhnError(f"labels of loss {self.loss_name} must be in [0, 1]; loss mse takes any")
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", labels)
        object.__setattr__(self, "weight_decay", Number(low=0)("weight_decay", self.weight_decay))

    @classmethod
    def with_bias(
        cls, inputs: Floats, labels: Floats, loss_name: Loss = "logistic", weight_decay: float = 0.0
    ) -> GeneralisedLinearModel:
        """A model with one more parameter, the last, that is added to every weighted sum."""
        rows = np.asarray(inputs, dtype=np.float64)
        if rows.ndim != 2:
            raise QhnError(f"inputs must be [num_samples, num_inputs], got {rows.shape}")
        return cls(np.column_stack([rows, np.ones(len(rows))]), labels, loss_name, weight_decay)

    @property
    def num_parameters(self) -> int:
        """The number of parameters θ."""
        return int(self.inputs.shape[1])

    def loss(self, theta: Floats, rows: Integers | None = None) -> Floats:
        """The loss at ``theta[..., num_parameters]``, over all samples or those numbered ``rows``: ``[...]``."""
        x, y = self._samples(rows)
        z = np.asarray(theta) @ x.T
        if self.loss_name == "logistic":
            each = np.logaddexp(0.0, z) - y * z
        else:
            each = 0.5 * np.square((z if self.loss_name == "mse" else expit(z)) - y)
        return np.asarray(each.mean(axis=-1) + 0.5 * self.weight_decay * np.square(theta).sum(axis=-1))

    def gradient(self, theta: Floats, rows: Integers | None = None) -> Floats:
        """The gradient of the loss at ``theta[..., num_parameters]``, of the same shape."""
        x, y = self._samples(rows)
        slopes = self._derivatives(np.asarray(theta) @ x.T, y, 0)[0]
        return np.asarray(slopes @ x / len(x) + self.weight_decay * np.asarray(theta))

    def hessian(self, theta: Floats, rows: Integers | None = None) -> Floats:
        """The Hessian of the loss at ``theta[num_parameters]``."""
        return self.expand(theta, 1, rows).hessian

    def accuracy(self, theta: Floats) -> float:
        """The share of labels that the model gives to its own samples, at a threshold of one half."""
        z = self.inputs @ theta
        given = (z if self.loss_name == "mse" else expit(z)) >= 0.5
        return float(np.mean(given == (self.labels >= 0.5)))

    def expand(self, reference: Floats, degree: int, rows: Integers | None = None) -> PolynomialGradient:
        """The Taylor polynomial of the gradient about a point.

        Args:
            reference: the point, ``[num_parameters]``.
            degree: degree of the gradient's polynomial, at least 1.
            rows: numbers of the samples over which the loss is averaged, as in a batch; None for all.

        Raises:
            ValueError: if the point has a wrong shape, or the tensors would not fit into memory.
        """
        point, most = np.array(reference, dtype=np.float64), Whole(1)("degree", degree)
        if point.shape != (self.num_parameters,):
            raise QhnError(f"reference must be [{self.num_parameters}], got {list(point.shape)}")
        check_tensors(self.num_parameters, most)
        x, y = self._samples(rows)
        tensors = []
        for order, slopes in enumerate(self._derivatives(x @ point, y, most)):
            tensors.append(_power_sum(x, slopes / (len(x) * factorial(order)), order + 1))
        tensors[0] = tensors[0] + self.weight_decay * point
        tensors[1] = tensors[1] + self.weight_decay * np.eye(self.num_parameters)
        return PolynomialGradient(point, float(self.loss(point, rows)), tuple(tensors))

    def _samples(self, rows: Integers | None) -> tuple[Floats, Floats]:
        return (self.inputs, self.labels) if rows is None else (self.inputs[rows], self.labels[rows])

    def _derivatives(self, z: Floats, y: Floats, most: int) -> Sequence[Floats]:
        """The derivatives of the samples' losses by z, of order 1 … most + 1."""
        if self.loss_name == "mse":
            return [z - y, np.ones_like(z), *(np.zeros_like(z) for _ in range(most - 1))][: most + 1]
        s, zero, one = expit(z), np.zeros_like(y), np.ones_like(y)
        slope = [-y, one] if self.loss_name == "logistic" else [zero, -y, 1 + y, -one]  # σ − y, and that times σ − σ²
        found = np.array(slope)  # coefficients of the powers of σ
        every = []
        for _ in range(most + 1):
            every.append(powers.polyval(s, found, tensor=False))
            found = _by_z(found)
        return every


def _by_z(coefficients: Floats) -> Floats:
    """The derivative by z of a polynomial of σ(z), whose own derivative is σ − σ²; axis 0 is the power of σ."""
    slope = powers.polyder(coefficients, axis=0)
    zero = np.zeros_like(slope[:1])
    return np.asarray(np.concatenate([zero, slope, zero]) - np.concatenate([zero, zero, slope]))


def _power_sum(x: Floats, weights: Floats, power: int) -> Floats:
    """The sum Σ_s weights[s] · x_s ⊗ … ⊗ x_s with ``power`` factors, some samples at a time."""
    n = x.shape[1]
    found = np.zeros((n ** (power - 1), n))
    chunk = max(1, CHUNK // n ** (power - 1))
    for start in range(0, len(x), chunk):
        rows = x[start : start + chunk]
        products = weights[start : start + chunk, None]
        for _ in range(power - 1):
            products = (products[:, :, None] * rows[:, None, :]).reshape(len(rows), -1)
        found += products.T @ rows
    return found.reshape((n,) * power)
