"""A small dense network with real weights: its loss, gradient and exact Hessian, all in NumPy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.carleman.pruning import check_support
from qhn.errors import QhnError
from qhn.fields import Number, Whole, each, settle
from qhn.problem.network import sigmoid
from qhn.seeds import Key, Purpose
from qhn.text import shown

Loss = Literal["logistic", "mse"]
Layer = tuple[Floats, Floats]  # weights [..., out, in] and biases [..., out]
CHUNK = 4_000_000  # numbers in the largest array of a Hessian-vector product, 32 MB


@dataclass(frozen=True, eq=False)
class DenseNetwork:
    """The mean loss of a fully connected network with tanh units and linear outputs, over given samples.

    The parameters are one vector: layer after layer, its weights row by row and then its biases. The loss of a sample
    is the sum over outputs z of log(1 + e^z) − y·z (logistic) or ½(z − y)² (MSE); ½·``weight_decay``·‖θ‖² is added to
    the mean.

    Attributes:
        inputs: features, ``[m, layers[0]]``.
        labels: labels, ``[m, layers[-1]]``, or ``[m]`` for one output; in [0, 1] for the logistic loss.
        layers: number of inputs, of units of each hidden layer, and of outputs.
        loss_name: ``"logistic"`` or ``"mse"``.
        weight_decay: factor of the penalty, of at least 0.

    Raises:
        QhnError: at construction, if shapes do not agree, or a value is out of bounds.

    >>> network = DenseNetwork(np.eye(4), np.array([0.0, 1.0, 1.0, 0.0]), (4, 2, 1))
    >>> network.num_parameters, round(network.loss(np.zeros(13)), 4)
    (13, 0.6931)
    """

    inputs: Floats
    labels: Floats
    layers: tuple[int, ...]
    loss_name: Loss = "logistic"
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        settle(self, layers=each(Whole(1)), weight_decay=Number(low=0))
        x, y = (np.atleast_1d(np.asarray(array, dtype=np.float64)) for array in (self.inputs, self.labels))
        y = y[:, None] if y.ndim == 1 else y
        if len(self.layers) < 2:
            raise QhnError(f"layers must name at least inputs and outputs, got {list(self.layers)}")
        if self.loss_name not in ("logistic", "mse"):
            raise QhnError(f"loss must be 'logistic' or 'mse', got {shown(self.loss_name)}")
        for name, array, width in (("inputs", x, self.layers[0]), ("labels", y, self.layers[-1])):
            if array.shape != (max(len(x), 1), width):
                raise QhnError(f"{name} must be [m, {width}] with the same m of at least 1, got {array.shape}")
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise QhnError("inputs and labels must be finite numbers; leave out samples with missing values")
        if self.loss_name == "logistic" and not ((y >= 0) & (y <= 1)).all():
            raise QhnError(f"labels of the logistic loss must be in [0, 1], got {y.min():g} to {y.max():g}")
        object.__setattr__(self, "inputs", x)
        object.__setattr__(self, "labels", y)

    @property
    def num_parameters(self) -> int:
        """The number of weights and biases."""
        return sum((before + 1) * after for before, after in self._widths)

    @property
    def _widths(self) -> list[tuple[int, int]]:
        return list(zip(self.layers[:-1], self.layers[1:], strict=True))

    def initial(self, seed: int) -> Floats:
        """Random first parameters, ``[num_parameters]``: normal weights of variance 1/inputs of a layer, biases of 0.

        Args:
            seed: seed of the weights, of at least 0.
        """
        rng = Key(seed, Purpose.INITIAL_THETA).generator()
        parts = [
            part
            for before, after in self._widths
            for part in (rng.normal(0.0, before**-0.5, before * after), np.zeros(after))
        ]
        return np.concatenate(parts)

    def loss(self, theta: ArrayLike, rows: Integers | None = None) -> float:
        """The loss at parameters ``[num_parameters]``.

        Args:
            theta: the parameters.
            rows: indices of the samples that count, None for all.
        """
        params = self._checked(theta)
        z, y = self._outputs(params, rows), self.labels if rows is None else self.labels[rows]
        each_loss = np.logaddexp(0.0, z) - y * z if self.loss_name == "logistic" else (z - y) ** 2 / 2
        return float(each_loss.sum() / len(y) + self.weight_decay / 2 * (params @ params))

    def accuracy(self, theta: ArrayLike) -> float:
        """The share of labels on whose side of ½ the outputs are, at parameters ``[num_parameters]``."""
        threshold = 0.0 if self.loss_name == "logistic" else 0.5
        return float(((self._outputs(self._checked(theta), None) > threshold) == (self.labels > 0.5)).mean())

    def gradient(self, theta: ArrayLike, rows: Integers | None = None) -> Floats:
        """The gradient of the loss at parameters ``[num_parameters]``, of the same shape.

        Args:
            theta: the parameters.
            rows: indices of the samples that count, None for all.
        """
        params = self._checked(theta)
        layers = self._layers(params)
        activations = self._activations(layers, rows)
        found: list[Floats] = []
        for number, delta in zip(range(len(layers) - 1, -1, -1), self._deltas(layers, activations, rows), strict=True):
            found[:0] = [(delta.T @ activations[number]).ravel(), delta.sum(axis=0)]
        return np.concatenate(found) + self.weight_decay * params

    def hessian_product(self, theta: ArrayLike, vectors: ArrayLike) -> Floats:
        """Products of the Hessian with vectors, by Pearlmutter's exact rule (Neural Computation 6, 147, 1994).

        Args:
            theta: the parameters at which the Hessian is taken, ``[num_parameters]``.
            vectors: the vectors, ``[num_parameters]`` or ``[k, num_parameters]``.

        Returns:
            The products, in the shape of ``vectors``.

        Raises:
            QhnError: if a shape is wrong.
        """
        params = self._checked(theta)
        directions = np.asarray(vectors, dtype=np.float64)
        if directions.ndim not in (1, 2) or directions.shape[-1] != self.num_parameters:
            raise QhnError(f"vectors must be [..., {self.num_parameters}], got {directions.shape}")
        layers = self._layers(params)
        activations = self._activations(layers, None)
        deltas = list(self._deltas(layers, activations, None))[::-1]
        rows = np.atleast_2d(directions)
        size = max(1, CHUNK // (len(self.inputs) * max(self.layers)))
        products = [
            self._products(layers, activations, deltas, rows[start : start + size])
            for start in range(0, len(rows), size)
        ]
        found: Floats = np.concatenate(products).reshape(directions.shape)
        return found + self.weight_decay * directions

    def hessian(self, theta: ArrayLike, support: ArrayLike | None = None) -> Floats:
        """The exact Hessian, or the part of it that belongs to some parameters, ``[k, k]``.

        Args:
            theta: the parameters, ``[num_parameters]``.
            support: indices of k parameters; None for all.
        """
        everything = np.arange(self.num_parameters)
        indices = everything if support is None else check_support(support, self.num_parameters)
        units = np.zeros((len(indices), self.num_parameters))
        units[np.arange(len(indices)), indices] = 1.0
        found = self.hessian_product(theta, units)[:, indices]
        return (found + found.T) / 2

    def _checked(self, theta: ArrayLike) -> Floats:
        values = np.asarray(theta, dtype=np.float64)
        if values.shape != (self.num_parameters,):
            raise QhnError(f"a network of {self.num_parameters} parameters got an array of shape {values.shape}")
        return values

    def _layers(self, params: Floats) -> list[Layer]:
        """The weights and biases of each layer, from parameters ``[..., num_parameters]``."""
        found, start = [], 0
        for before, after in self._widths:
            middle, end = start + before * after, start + (before + 1) * after
            found.append(
                (params[..., start:middle].reshape(*params.shape[:-1], after, before), params[..., middle:end])
            )
            start = end
        return found

    def _activations(self, layers: list[Layer], rows: Integers | None) -> list[Floats]:
        """The inputs ``[m, units]`` of each layer, and the outputs of the last one."""
        found = [self.inputs if rows is None else self.inputs[rows]]
        for weights, biases in layers[:-1]:
            found.append(np.tanh(found[-1] @ weights.T + biases))
        weights, biases = layers[-1]
        return [*found, found[-1] @ weights.T + biases]

    def _outputs(self, params: Floats, rows: Integers | None) -> Floats:
        return self._activations(self._layers(params), rows)[-1]

    def _deltas(self, layers: list[Layer], activations: list[Floats], rows: Integers | None) -> Iterator[Floats]:
        """The derivatives ``[m, units]`` of the loss by what the units of a layer sum up, from the last layer down."""
        z, y = activations[-1], self.labels if rows is None else self.labels[rows]
        delta = ((sigmoid(z) if self.loss_name == "logistic" else z) - y) / len(y)
        yield delta
        for (weights, _), output in zip(layers[:0:-1], activations[-2:0:-1], strict=True):
            delta = (delta @ weights) * (1 - output**2)
            yield delta

    def _products(
        self, layers: list[Layer], activations: list[Floats], deltas: list[Floats], directions: Floats
    ) -> Floats:
        """The products of the Hessian without weight decay with directions ``[k, num_parameters]``."""
        moved = self._layers(directions)
        slopes = [np.zeros((len(directions), *self.inputs.shape))]  # derivatives of activations along each direction
        for number, ((weights, _), (d_weights, d_biases)) in enumerate(zip(layers, moved, strict=True)):
            summed = slopes[-1] @ weights.T + activations[number] @ d_weights.transpose(0, 2, 1) + d_biases[:, None]
            is_last = number == len(layers) - 1
            slopes.append(summed if is_last else (1 - activations[number + 1] ** 2) * summed)
        z = activations[-1]
        curvature = sigmoid(z) * sigmoid(-z) if self.loss_name == "logistic" else 1.0
        d_delta = curvature / len(z) * slopes[-1]
        found: list[Floats] = []
        for number in range(len(layers) - 1, -1, -1):
            inputs, delta = activations[number], deltas[number]
            d_weights = d_delta.transpose(0, 2, 1) @ inputs + delta.T @ slopes[number]
            found[:0] = [d_weights.reshape(len(directions), -1), d_delta.sum(axis=1)]
            if number:
                (weights, _), (moved_weights, _) = layers[number], moved[number]
                through = d_delta @ weights + delta @ moved_weights
                d_delta = (1 - inputs**2) * through - 2 * inputs * slopes[number] * (delta @ weights)
        return np.concatenate(found, axis=1)
