"""One decoded binary network: its predictions, its description in words, and its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.arrays import Floats
from qhn.durable import naming
from qhn.errors import NotFoundError, QhnError
from qhn.text import clipped


def sigmoid(z: Floats) -> Floats:
    """The logistic function 1 / (1 + e^−z), without overflow."""
    result: Floats = 0.5 + 0.5 * np.tanh(0.5 * z)
    return result


def softmax(z: Floats) -> Floats:
    """The softmax e^z / Σ e^z over the last axis, without overflow."""
    result: Floats = np.exp(z - z.max(axis=-1, keepdims=True))
    result /= result.sum(axis=-1, keepdims=True)
    return result


def class_probabilities(output: Floats, num_classes: int) -> Floats:
    """The probability of each class, ``[..., num_classes]``, from the output or outputs of a network.

    For two classes ``output`` is ``[...]``, the probability of the second class, and is clipped to [0, 1]; for more
    classes it already is the probability of each class, ``[..., num_classes]``.

    >>> class_probabilities(np.array([0.25, 1.5]), 2)
    array([[0.75, 0.25],
           [0.  , 1.  ]])
    """
    if num_classes > 2:
        return output
    p = np.clip(output, 0.0, 1.0)
    return np.stack([1.0 - p, p], axis=-1)


def as_features(x: ArrayLike, num_inputs: int) -> Floats:
    """Convert raw features to an array ``[..., num_inputs]``.

    Raises:
        ValueError: if the last axis is not ``num_inputs`` long, or a value is missing.
    """
    array = np.asarray(x, dtype=np.float64)
    if array.ndim == 0 or array.shape[-1] != num_inputs:
        raise QhnError(f"x must have shape [..., {num_inputs}], one column a feature, got {list(array.shape)}")
    if np.isnan(array).any():
        raise QhnError("x has missing values (nan); fill them in before predicting")
    return array


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "sigmoid": sigmoid,
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": np.tanh,
    "sign": lambda z: np.where(z >= 0, 1.0, -1.0),
}


@dataclass(frozen=True)
class Network:
    """One decoded binary network, complete in itself: predictions need neither the data set nor the search space.

    Attributes:
        weights: the weights of each layer, ``[units below, units]``, from the inputs to the output layer, which has one
            unit for two classes and one unit per class for more.
        biases: the biases of each layer, ``[units]``.
        activation: name of the activation of the hidden units, or of a single output if there is no hidden layer.
        alphabet: the two values of a weight.
        classes: the labels of the classes, ``[num_classes]``; a single output is near 0 for the first and near 1 for
            the second.
        mean, scale: numbers ``[inputs]`` by which a raw feature x is standardised, (x − mean) / scale.
        feature_names: one name per input.
        image_shape: numbers of rows and columns if the inputs are the pixels of an image, otherwise None.
    """

    weights: tuple[Floats, ...]
    biases: tuple[Floats, ...]
    activation: str
    alphabet: tuple[float, float]
    classes: NDArray[Any] = field(default_factory=lambda: np.array([0, 1]))
    mean: Floats = field(default_factory=lambda: np.zeros(1))
    scale: Floats = field(default_factory=lambda: np.ones(1))
    feature_names: tuple[str, ...] = ()
    image_shape: tuple[int, int] | None = None

    @property
    def shape(self) -> str:
        """The sizes of the layers from inputs to outputs, as text such as ``2-3-1``."""
        return "-".join(str(n) for n in (self.weights[0].shape[0], *(len(bias) for bias in self.biases)))

    def output(self, x: ArrayLike) -> Floats:
        """The output for each sample: raw features ``[..., inputs]`` → ``[...]``.

        It is near 0 for the first class and near 1 for the second. With more than two classes it is the probability of
        each class: ``[..., classes]``.

        Raises:
            ValueError: if the last axis of ``x`` is not as long as the network has inputs, or a value is missing.
        """
        h = (as_features(x, self.weights[0].shape[0]) - self.mean) / self.scale
        hidden = ACTIVATIONS[self.activation]
        for weights, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            h = hidden(h @ weights + bias)
        z = h @ self.weights[-1] + self.biases[-1]
        if self._has_softmax:
            return softmax(z)
        z = z[..., 0]
        return sigmoid(z) if len(self.weights) > 1 else hidden(z)

    @property
    def _has_softmax(self) -> bool:
        return len(self.biases[-1]) > 1

    def probabilities(self, x: ArrayLike) -> Floats:
        """The probability of each class: raw features ``[..., inputs]`` → ``[..., classes]``.

        With two classes it is 1 − p and p, p the output; one that is not a probability, such as that of a relu, is
        clipped to [0, 1].

        Raises:
            ValueError: if the last axis of ``x`` is not as long as the network has inputs, or a value is missing.
        """
        return class_probabilities(self.output(x), len(self.classes))

    def predict(self, x: ArrayLike) -> NDArray[Any]:
        """The predicted label of each sample, one of ``classes``: raw features ``[..., inputs]`` → ``[...]``.

        It is the most probable one, of equal ones the first.
        """
        output = self.output(x)
        index = output.argmax(axis=-1) if self._has_softmax else (output > 0.5).astype(np.intp)
        return np.asarray(self.classes[index])[()]

    def describe(self) -> str:
        """The network in words: its choices, then one formula per unit, or its weights as an image."""
        low, high = self.alphabet
        depth = len(self.weights)
        what = "softmax output" if depth == 1 and self._has_softmax else f"{self.activation} activation"
        lines = [f"{self.shape} network, {what}, weights in {{{low:+g}, {high:+g}}}"]
        if np.any(self.mean != 0) or np.any(self.scale != 1):
            lines.append("inputs are standardised: each raw feature enters as (x - mean) / scale")
        names = [*self.feature_names] or [f"x{i + 1}" for i in range(self.weights[0].shape[0])]
        for layer, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True), 1):
            targets = self.unit_names(layer)
            function = self.activation if layer < depth or depth == 1 else "sigmoid"
            left, right = ("", "") if layer == depth and self._has_softmax else (f"{function}(", ")")
            for k, target in enumerate(targets):
                if layer == 1 and self.image_shape:
                    lines.append(f"{target} = {left}{bias[k]:+g} + weights · pixels{right}, weights:")
                    image = weights[:, k].reshape(self.image_shape)
                    lines += ["    " + " ".join(f"{w:+3g}" for w in row) for row in image]
                else:
                    terms = [_term(w, name) for w, name in zip(weights[:, k], names, strict=True) if w]
                    terms += [f"{bias[k]:+g}"] if bias[k] else []
                    lines.append(f"{target} = {left}{' '.join(terms) or '0'}{right}")
            names = targets
        if self._has_softmax:
            lines.append("probability of class c = exp(z[c]) / sum of all exp(z)")
        return "\n".join(lines)

    def unit_names(self, layer: int) -> list[str]:
        """The names of the units of a layer: ``h2``, or ``h1.2`` with several hidden layers; ``output`` or ``z[3]``."""
        units, depth = len(self.biases[layer - 1]), len(self.weights)
        if layer == depth:
            return [f"z[{label}]" for label in self.classes] if self._has_softmax else ["output"]
        return [f"h{k + 1}" if depth == 2 else f"h{layer}.{k + 1}" for k in range(units)]

    def save(self, path: str | Path) -> None:
        """Write the network as an ``.npz`` file of plain arrays, which :func:`load_network` reads."""
        with naming(Path(path)), Path(path).open("wb") as file:
            self.write(file)

    def write(self, file: IO[bytes]) -> None:
        """Write the network into an open binary file, in the format of :meth:`save`."""
        arrays: dict[str, Any] = {f"weights_{i}": w for i, w in enumerate(self.weights)}
        arrays |= {f"biases_{i}": b for i, b in enumerate(self.biases)}
        arrays |= {name: getattr(self, name) for name in ("activation", "alphabet", "classes", "mean", "scale")}
        arrays["feature_names"] = np.array(self.feature_names, dtype=str)
        arrays["image_shape"] = np.array(self.image_shape or (), dtype=np.int64)
        np.savez(file, **arrays)


def _term(weight: float, name: str) -> str:
    sign = "+" if weight > 0 else "-"
    return f"{sign}{name}" if abs(weight) == 1 else f"{weight:+g}·{name}"


def load_network(path: str | Path) -> Network:
    """Read a network from an ``.npz`` file, such as ``network.npz`` in the folder of a run.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is not a network file.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"network file {path} does not exist")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            depth = sum(name.startswith("weights_") for name in stored.files)
            return Network(
                weights=tuple(stored[f"weights_{i}"] for i in range(depth)),
                biases=tuple(stored[f"biases_{i}"] for i in range(depth)),
                activation=str(stored["activation"]),
                alphabet=(float(stored["alphabet"][0]), float(stored["alphabet"][1])),
                classes=stored["classes"],
                mean=stored["mean"],
                scale=stored["scale"],
                feature_names=tuple(str(name) for name in stored["feature_names"]),
                image_shape=tuple(stored["image_shape"].tolist()) or None,
            )
    except Exception as error:  # a damaged archive raises BadZipFile, KeyError, ValueError or EOFError
        raise QhnError(f"{path} is not a network saved by qhn: {clipped(str(error))}") from None
