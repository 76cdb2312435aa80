"""Arrays of samples as a user gives them: features and labels, read from a file and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.npz import open_npz
from qhn.table.values import MAX_FEATURE
from qhn.text import clipped, in_line, name_hint, shown


def read_samples(path: Path, label: str) -> tuple[Floats, NDArray[Any], tuple[str, ...]]:
    """The features ``[num_samples, num_features]`` and labels ``[num_samples]`` of an ``.npz`` file, and feature names.

    Args:
        path: the file, which holds one array beside the labels.
        label: name of the array of labels.

    Raises:
        QhnError: if the file cannot be read as described.
    """
    try:
        with open_npz(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception as error:  # numpy raises BadZipFile, ValueError, OSError or EOFError here
        raise QhnError(f"{path} is not an NPZ file of plain arrays: {clipped(str(error))}") from None
    find_label(label, list(arrays), "array", path)
    labels = arrays.pop(label)
    if len(arrays) != 1:
        raise QhnError(f"{path} must hold one array of features beside {label!r}, found {sorted(arrays) or 'none'}")
    name, x = arrays.popitem()
    x = checked_features(path, name, x, label, labels)
    return x, labels, tuple(f"{name} {j + 1}" for j in range(x.shape[1]))


def checked_features(source: Path | str, name: str, x: NDArray[Any], label: str, labels: NDArray[Any]) -> Floats:
    """The features as finite numbers, one row for each label.

    Args:
        source: where both come from, for messages.
        name: name of the features.
        x: the features ``[num_samples, num_features]``.
        label: name of the labels.
        labels: the labels ``[num_samples]``.

    Raises:
        QhnError: if the shapes do not fit, a feature is no finite real number, or a label is empty.
    """
    check_labels(source, name, x.shape, label, labels)
    if x.dtype.kind not in "biuf":
        raise QhnError(f"{source}: {name!r} must hold real numbers, got {x.dtype}")
    with np.errstate(over="ignore"):  # of a wider float: what becomes infinite is refused
        x = x.astype(np.float64)
    wrong = np.argwhere(~(np.abs(x) <= MAX_FEATURE))
    if len(wrong):
        place = wrong[0].tolist()
        raise QhnError(f"{source}: {name!r} is not finite at {place}, or too large; fill in or remove the sample")
    return x


def check_labels(source: Path | str, name: str, shape: tuple[int, ...], label: str, labels: NDArray[Any]) -> None:
    """Refuse labels of which there is not one for each sample, or that are no classes.

    Args:
        source: where they come from, for messages.
        name: name of the features.
        shape: the shape of the features, ``[num_samples, num_features]``.
        label: name of the labels.
        labels: the labels ``[num_samples]``.

    Raises:
        QhnError: if the shapes do not fit, or a label is empty, or neither a number nor a text.
    """
    if len(shape) != 2 or not shape[1] or labels.shape != shape[:1]:
        raise QhnError(
            f"{source}: {name!r} must have shape [num_samples, num_features] and {label!r} [num_samples], "
            f"got {list(shape)} and {list(labels.shape)}"
        )
    if labels.dtype.kind not in "biufmMUS":
        where = ""
        if labels.dtype.kind == "O":
            usual = Counter(map(type, labels)).most_common(1)[0][0]
            row = next((row for row, one in enumerate(labels) if type(one) is not usual or one is None), 0)
            where = f": {shown(labels[row])} at [{row}]"
        raise QhnError(f"{source}: {label!r} must hold numbers or text, got {labels.dtype}{where}")
    missing = labels == labels.dtype.type() if labels.dtype.kind in "US" else ~np.isfinite(labels)
    if missing.any():
        raise QhnError(f"{source}: {label!r} is empty at [{missing.argmax()}]; fill in the class or remove the sample")


def feature_names_of(name: str, x: Floats, given: Sequence[str]) -> tuple[str, ...]:
    """The names of the features ``[num_samples, num_features]`` of a data set: those given, or else ``x 1`` and so on.

    Args:
        name: name of the data set, for messages.
        x: the features.
        given: the names that were given; none if empty.

    Raises:
        QhnError: if names are given, and there is not one per feature.
    """
    if len(given) not in (0, x.shape[1]):
        raise QhnError(f"{name}: x has {x.shape[1]} features, and {len(given)} feature_names are given")
    return tuple(map(str, given)) or tuple(f"x {j + 1}" for j in range(x.shape[1]))


def as_array(name: str, values: Any) -> NDArray[Any]:
    """The values of an array, a list, or a data frame or column of one.

    Args:
        name: name of the values, for messages.
        values: the values.

    Raises:
        QhnError: if rows differ in length.
    """
    try:
        return np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except ValueError:
        raise QhnError(f"{name} must be an array, all rows of the same length") from None


def find_label(label: str, names: list[str], what: str, path: Path) -> None:
    """Refuse a label that is none of the names in a file.

    Args:
        label: name of the labels.
        names: names of the columns or arrays of the file.
        what: what has these names there, for the message.
        path: path of the file, for the message.

    Raises:
        QhnError: if it is none of them.
    """
    if label not in names:
        hint = name_hint(label, names)
        raise QhnError(f"{path} has no {what} {in_line(repr(label))} for the label; {hint}")
