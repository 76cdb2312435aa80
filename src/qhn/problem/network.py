"""One decoded binary network: its predictions, its description in words, and its file."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qhn import checksums, durable
from qhn.arrays import Floats
from qhn.errors import NotFoundError, QhnError
from qhn.npz import open_npz
from qhn.problem.preprocessing import Preprocessing, as_features, check_array
from qhn.table.encoding import Encoding
from qhn.text import clipped, in_line

FEW_CLASSES = 7  # numpy adds up to 7 numbers in their order
MAX_WORD = 40  # characters of a class or a feature in a formula


def sigmoid(z: Floats) -> Floats:
    """The logistic function 1 / (1 + e^−z), without overflow."""
    result: Floats = 0.5 + 0.5 * np.tanh(0.5 * z)
    return result


def softmax(z: Floats) -> Floats:
    """The softmax e^z / Σ e^z over the last axis, without overflow."""
    result: Floats = z - over_classes(np.maximum, z)[..., None]
    np.exp(result, out=result)
    result /= over_classes(np.add, result)[..., None]
    return result


def over_classes(function: np.ufunc, values: Floats) -> Floats:
    """The reduction of values over their last axis, the classes: ``[..., K]`` → ``[...]``.

    Few classes are taken one after the other, which has the same result: numpy is four times slower on a short axis.

    Args:
        function: the function of two numbers that reduces, such as ``np.add``.
        values: the values, ``[..., K]``.

    >>> over_classes(np.add, np.array([[1.0, 2.0, 4.0]]))
    array([7.])
    """
    if values.shape[-1] > FEW_CLASSES:
        return np.asarray(function.reduce(values, axis=-1))
    return np.asarray(reduce(function, np.moveaxis(values, -1, 0)))


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


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "sigmoid": sigmoid,
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": np.tanh,
    "sign": lambda z: np.where(z >= 0, 1.0, -1.0),
}


FACTS = ("activation", "alphabet", "classes", "mean", "scale", "feature_names", "image_shape")  # beside the layers


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
        mean, scale: numbers ``[inputs]`` by which a feature x is standardised, (x − mean) / scale.
        feature_names: one name per input.
        image_shape: numbers of rows and columns if the inputs are the pixels of an image, otherwise None.
        encoding: how the columns of a table become the features; None if they are the features.
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
    encoding: Encoding | None = None

    @property
    def shape(self) -> str:
        """The sizes of the layers from inputs to outputs, as text such as ``2-3-1``."""
        return "-".join(str(n) for n in (self.weights[0].shape[0], *(len(bias) for bias in self.biases)))

    @property
    def num_inputs(self) -> int:
        """The number of inputs, one a feature."""
        return int(self.weights[0].shape[0])

    @property
    def preprocessing(self) -> Preprocessing:
        """How raw samples become the inputs of the network."""
        return Preprocessing(self.num_inputs, self.mean, self.scale, self.feature_names, self.encoding)

    def output(self, x: Any) -> Floats:
        """The output for each raw sample, which is encoded and standardised as the training samples were.

        It is near 0 for the first class and near 1 for the second. With more than two classes it is the probability of
        each class.

        Args:
            x: the raw samples: an array or rows ``[..., columns]``, or a data frame, a row of one or a mapping, whose
                columns are taken by their names.

        Returns:
            The outputs ``[...]``, or with more than two classes ``[..., classes]``.

        Raises:
            QhnError: if there are not the columns that the network learned from, or a value is missing and nothing
                stands in for it.
        """
        return self.output_of_inputs(self.preprocessing.inputs(x))

    def output_of_inputs(self, inputs: Any) -> Floats:
        """The output for each sample that is encoded and standardised already: ``[..., inputs]`` → as :meth:`output`.

        Args:
            inputs: the samples as a :class:`~qhn.problem.datasets.Dataset` holds them.

        Raises:
            QhnError: if the last axis of ``inputs`` is not as long as the network has inputs.
        """
        h = as_features(inputs, self.num_inputs)
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

    def probabilities(self, x: Any) -> Floats:
        """The probability of each class for raw samples: ``[..., classes]``.

        With two classes it is 1 − p and p, p the output; one that is not a probability, such as that of a relu, is
        clipped to [0, 1].

        Args:
            x: the raw samples, as for :meth:`output`.

        Raises:
            QhnError: if :meth:`output` refuses ``x``.
        """
        return class_probabilities(self.output(x), len(self.classes))

    def probabilities_of_inputs(self, inputs: Any) -> Floats:
        """The probability of each class for samples that are encoded and standardised already: ``[..., classes]``.

        Args:
            inputs: the samples ``[..., inputs]`` as a :class:`~qhn.problem.datasets.Dataset` holds them.

        Raises:
            QhnError: if the last axis of ``inputs`` is not as long as the network has inputs.
        """
        return class_probabilities(self.output_of_inputs(inputs), len(self.classes))

    def predict(self, x: Any) -> NDArray[Any]:
        """The label of the most probable class of each raw sample, of equal ones the first: ``[...]``.

        Args:
            x: the raw samples, as for :meth:`output`.

        Raises:
            QhnError: if :meth:`output` refuses ``x``.
        """
        return np.asarray(self.classes[self.classes_of_inputs(self.preprocessing.inputs(x))])[()]

    def classes_of_inputs(self, inputs: Any) -> NDArray[np.intp]:
        """The place in ``classes`` of the most probable class for samples that are encoded and standardised: ``[...]``.

        Args:
            inputs: the samples ``[..., inputs]`` as a :class:`~qhn.problem.datasets.Dataset` holds them.

        Raises:
            QhnError: if the last axis of ``inputs`` is not as long as the network has inputs.
        """
        output = self.output_of_inputs(inputs)
        found: NDArray[np.intp] = output.argmax(axis=-1) if self._has_softmax else (output > 0.5).astype(np.intp)
        return found

    def describe(self) -> str:
        """The network in words: its choices, then one formula per unit, or its weights as an image."""
        low, high = self.alphabet
        depth = len(self.weights)
        what = "softmax output" if depth == 1 and self._has_softmax else f"{self.activation} activation"
        lines = [f"{self.shape} network, {what}, weights in {{{low:+g}, {high:+g}}}"]
        if np.any(self.mean != 0) or np.any(self.scale != 1):
            lines.append("inputs are standardised: each raw feature enters as (x - mean) / scale")
        if self.encoding is not None:
            head, *columns = self.encoding.summary()
            lines += [head, *(f"  {line}" for line in columns)]
        names = [_word(name) for name in self.feature_names] or [f"x{i + 1}" for i in range(self.num_inputs)]
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
        else:
            first, second = (in_line(label, MAX_WORD) for label in self.classes)
            lines.append(f"output near 0: class {first}; near 1: class {second}")
        return "\n".join(lines)

    def unit_names(self, layer: int) -> list[str]:
        """The names of the units of a layer: ``h2``, or ``h1.2`` with several hidden layers; ``output`` or ``z[3]``."""
        units, depth = len(self.biases[layer - 1]), len(self.weights)
        if layer == depth:
            return [f"z[{in_line(label, MAX_WORD)}]" for label in self.classes] if self._has_softmax else ["output"]
        return [f"h{k + 1}" if depth == 2 else f"h{layer}.{k + 1}" for k in range(units)]

    def save(self, path: str | Path) -> None:
        """Write the network as an ``.npz`` file of plain arrays, which :func:`load_network` reads."""
        durable.export(path, self.write)

    def write(self, file: IO[bytes]) -> None:
        """Write the network into an open binary file, in the format of :meth:`save`."""
        arrays: dict[str, Any] = {f"weights_{i}": w for i, w in enumerate(self.weights)}
        arrays |= {f"biases_{i}": b for i, b in enumerate(self.biases)}
        arrays |= {name: getattr(self, name) for name in ("activation", "alphabet", "classes")}
        arrays |= self.preprocessing.arrays()
        arrays["image_shape"] = np.array(self.image_shape or (), dtype=np.int64)
        file.write(checksums.arrays(**arrays))


def _word(name: str) -> str:
    """The name of a feature in a formula; that of a category stands in brackets."""
    word = in_line(name, MAX_WORD)
    return f"[{word}]" if " = " in name else word


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
        with open_npz(path) as stored:
            return _restored(dict(stored))
    except Exception as error:  # a damaged archive raises BadZipFile, KeyError, ValueError or EOFError
        raise QhnError(f"{path} is not a network saved by qhn: {clipped(str(error))}") from None


def _restored(arrays: dict[str, NDArray[Any]]) -> Network:
    """The network whose arrays :meth:`Network.write` wrote.

    Raises:
        QhnError: if an array is missing, or is none that a network can have; the message names it.
    """
    numbered = [name for name in arrays if re.fullmatch(r"(weights|biases)_[0-9]{1,3}", name)]
    depth = 1 + max((int(name.partition("_")[2]) for name in numbered), default=0)
    layers = [f"{name}_{layer}" for name in ("weights", "biases") for layer in range(depth)]
    check_names(arrays, {*layers, *FACTS}, {"encoding"})
    sizes = [array.shape[0] if (array := arrays[name]).ndim else 0 for name in ("weights_0", *layers[depth:])]
    for layer, (below, units) in enumerate(pairwise(sizes)):
        check_array(f"weights_{layer}", arrays, (below, units))
        check_array(f"biases_{layer}", arrays, (units,))
    check_array("alphabet", arrays, (2,))
    learned = Preprocessing.restored(arrays, sizes[0])
    classes = arrays["classes"]
    check_classes(classes, 2 if sizes[-1] == 1 else sizes[-1])
    activation = str(arrays["activation"])
    if activation not in ACTIVATIONS:
        raise QhnError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {clipped(activation)!r}")
    image = arrays["image_shape"]
    if image.size and not (image.shape == (2,) and image.dtype.kind in "iu" and math.prod(image.tolist()) == sizes[0]):
        raise QhnError(f"image_shape must be the rows and columns of {sizes[0]} pixels, got {clipped(str(image))}")
    return Network(
        weights=tuple(arrays[name] for name in layers[:depth]),
        biases=tuple(arrays[name] for name in layers[depth:]),
        activation=activation,
        alphabet=(float(arrays["alphabet"][0]), float(arrays["alphabet"][1])),
        classes=classes,
        mean=learned.mean,
        scale=learned.scale,
        feature_names=learned.feature_names,
        image_shape=tuple(image.tolist()) or None,
        encoding=learned.encoding,
    )


def check_names(arrays: Mapping[str, Any], wanted: Set[str], optional: Set[str] = frozenset()) -> None:
    """Refuse the arrays of a file that are not those of the given names.

    Args:
        arrays: the arrays by name.
        wanted: names of which none may be missing.
        optional: further names that are allowed.

    Raises:
        QhnError: if one is missing or unknown; the message names it.
    """
    unknown = arrays.keys() - wanted - optional
    for word, names in (("has no", wanted - arrays.keys()), ("has an unknown", unknown)):
        if names:
            raise QhnError(f"it {word} array {clipped(min(names))!r}")


def check_classes(classes: NDArray[Any], number: int) -> None:
    """Refuse labels that are not as many different ones as there are classes.

    Raises:
        QhnError: if they are not.
    """
    if classes.shape != (number,) or classes.dtype.kind == "V":
        raise QhnError(f"classes must be {number} labels, got {classes.dtype} {list(classes.shape)}")
    if len(np.unique(classes)) < number:
        raise QhnError(f"classes must be different labels, got {clipped(str(classes.tolist()))}")
