"""The weights of classes in a loss, so that a rare class counts as much as a frequent one, or as much as wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Number, is_number, plain
from qhn.text import clipped, in_line, shown

ClassWeight = Literal["balanced"] | Mapping[Any, float] | Sequence[float] | None
EXAMPLE = "'balanced', a weight of each class by its label, or a list of weights in the order of the classes"


def weights_of_classes(given: ClassWeight, classes: NDArray[Any], y: Floats) -> tuple[float, ...] | None:
    """The weight of each class, in the order of the classes; None if all samples count alike.

    Args:
        given: the weights as a user gives them. ``"balanced"`` are n / (K·n_c) for K classes and n samples, n_c of them
            of class c; labels of a mapping may also be given as the text of the label.
        classes: the labels of the classes, ``[num_classes]``.
        y: the places of the labels of the training samples in ``classes``, ``[num_samples]``.

    Raises:
        QhnError: if a class has no weight or one that is not a finite number above 0, there is no such class, or a
            class that is to be balanced has no samples.

    >>> weights_of_classes("balanced", np.array(["no", "yes"]), np.array([0.0, 0.0, 0.0, 1.0]))
    (0.6666666666666666, 2.0)
    >>> weights_of_classes({"yes": 20, "no": 1}, np.array(["no", "yes"]), np.array([0.0, 1.0]))
    (1.0, 20.0)
    """
    if given is None:
        return None
    labels = [str(label) for label in classes.tolist()]
    if isinstance(given, str):
        if given != "balanced":
            raise QhnError(f"class_weight must be {EXAMPLE}, got {shown(given)}")
        return _balanced(labels, y)
    if isinstance(given, Mapping):
        weights = weights_by_label(given)
        unknown = [label for label in weights if label not in labels]
        missing = [label for label in labels if label not in weights]
        if unknown:
            raise QhnError(f"class_weight names {shown(unknown[0])}, and the classes are {_listed(labels)}")
        if missing:
            raise QhnError(f"class_weight has no weight of {shown(missing[0])}; the classes are {_listed(labels)}")
        return tuple(weights[label] for label in labels)
    if not isinstance(given, (list, tuple, np.ndarray)) or not np.iterable(given):
        raise QhnError(f"class_weight must be {EXAMPLE}, got {shown(given)}")
    if len(given) != len(labels):
        raise QhnError(f"class_weight has {len(given)} weights, and the classes are {_listed(labels)}")
    return tuple(weights_by_label(dict(zip(labels, given, strict=True))).values())


def weights_by_label(given: Mapping[Any, Any]) -> dict[str, float]:
    """Weights of classes by the text of their labels.

    Raises:
        QhnError: if a weight is not a finite number above 0, or two labels have the same text.
    """
    weights: dict[str, float] = {}
    for label, weight in given.items():
        text = str(plain(label))
        if text in weights:
            raise QhnError(f"class_weight has two weights of {shown(text)}; give one")
        if not is_number(weight):
            raise QhnError(f"class_weight of {shown(text)} must be a number above 0, got {shown(plain(weight))}")
        weights[text] = Number(above=0)(f"class_weight of {shown(text)}", weight)
    return weights


def weights_in_words(weights: tuple[float, ...], classes: NDArray[Any]) -> str:
    """Each class and its weight, as one line of text.

    >>> weights_in_words((0.51, 25.0), np.array(["no", "yes"]))
    'no 0.51, yes 25'
    """
    pairs = zip(classes.tolist(), weights, strict=True)
    return clipped(in_line(", ".join(f"{label} {weight:.4g}" for label, weight in pairs)))


def _balanced(labels: list[str], y: Floats) -> tuple[float, ...]:
    counts = np.bincount(y.astype(np.intp), minlength=len(labels))
    if not counts.all():
        raise QhnError(
            f"class_weight = 'balanced' needs training samples of every class, and there are none of "
            f"{shown(labels[int(counts.argmin())])}"
        )
    return tuple((len(y) / (len(labels) * counts)).tolist())


def _listed(labels: list[str]) -> str:
    return clipped(", ".join(map(shown, labels)))
