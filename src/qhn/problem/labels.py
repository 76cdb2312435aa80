"""The classes of samples, as the user's file or program writes them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Bools
from qhn.errors import QhnError, QhnWarning
from qhn.table.columns import MISSING, Column
from qhn.text import clipped, in_line, shown

Unlabelled = Literal["refuse", "leave-out"]
MAX_CLASSES = 64  # of a user's data
MAX_NAME = 10_000  # characters of a class or a feature


def labels_of(source: str, column: Column, missing: Sequence[str] = MISSING) -> NDArray[Any]:
    """The classes of a column, in their own types, ``[num_samples]``.

    Args:
        source: what holds the column, for messages.
        column: the column.
        missing: the texts that stand for a missing value; those that do by default may be the names of classes, and a
            warning says so where there are more than two.

    Raises:
        QhnError: if one is missing; the message names its place.
    """
    codes = {"", *missing} - {*MISSING[1:]}
    is_text = column.own_values.dtype.kind == "O"
    empty = [(text or "").strip() in codes for text in column.values] if is_text else column.is_missing
    if any(empty):
        row = int(np.argmax(empty))
        text = (column.values[row] or "").strip() if is_text else ""
        what = f"is {shown(text)}, which data.missing lists" if text else "is empty"
        raise QhnError(
            f"{column.line(row)}: {in_line(repr(column.name))} {what}; fill in the class or remove the sample"
        )
    if not is_text:
        return column.own_values
    different = {text.strip() for text in column.values}
    suspects = sorted(different & {*MISSING})
    if suspects and len(different) > 2:
        words = (
            f"{source}: {in_line(repr(suspects[0]))} is a class of its own; remove its samples if it stands for none"
        )
        warnings.warn(words, QhnWarning, stacklevel=3)
    return without_spaces(source, column.values.tolist())


def is_unlabelled(column: Column, missing: Sequence[str] = MISSING) -> Bools:
    """Where a column of classes holds none, ``[num_samples]``.

    Args:
        column: the column.
        missing: the texts that stand for a missing value.

    >>> is_unlabelled(Column("paid", np.array(["yes", " ", "?"], dtype=object))).tolist()
    [False, True, True]
    """
    if column.own_values.dtype.kind != "O":
        return column.is_missing
    return np.array([(text or "").strip() in {"", *missing} for text in column.values], dtype=bool)


def as_labels(values: NDArray[Any]) -> NDArray[Any]:
    """Labels in memory; those in an array of objects, as data frames hold them, become texts, truth values or numbers.

    >>> as_labels(np.array([True, False], dtype=object)), as_labels(np.array(["a", "b"], dtype=object))
    (array([ True, False]), array(['a', 'b'], dtype='<U1'))
    >>> as_labels(np.array([np.str_("a"), np.str_("b")], dtype=object))
    array(['a', 'b'], dtype='<U1')
    """
    if values.dtype.kind != "O":
        return values
    plain = [value.item() if isinstance(value, np.generic) else value for value in values.flat]
    kinds = set(map(type, plain))
    if kinds and (kinds == {bool} or kinds == {str} or kinds <= {int, float}):
        return np.array(plain).reshape(values.shape)
    return values


def numbered(source: str, labels: NDArray[Any], label: str) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The different classes, sorted, and the number of each sample's class, ``[num_samples]``.

    Args:
        source: what holds the labels, for messages.
        labels: the classes of the samples.
        label: what the labels are called there.

    Raises:
        QhnError: if there is one class only, or there are so many that the labels must be something else.
    """
    classes, y = np.unique(labels, return_inverse=True)
    listed = clipped(", ".join(in_line(c) for c in classes[:5]) + (", …" if len(classes) > 5 else ""))
    if len(classes) < 2:
        raise QhnError(f"{source}: {label!r} must hold two classes or more, found {len(classes)}: {listed}")
    if len(classes) > MAX_CLASSES or (len(classes) > 2 and 2 * len(classes) > len(y)):
        raise QhnError(
            f"{source}: {label!r} must hold classes, found {len(classes)} different values in {len(y)} samples: "
            f"{listed}; name another column with label, or make of its values at most {MAX_CLASSES} classes"
        )
    refuse_long(source, list(map(str, classes)), f"; is {label!r} the column of classes?")
    return classes, y


def refuse_long(source: str, names: Sequence[str], hint: str = "") -> None:
    """Refuse names of classes or features that no one can read.

    Raises:
        QhnError: if one has more than 10,000 characters.
    """
    longest = max(names, key=len)
    if len(longest) > MAX_NAME:
        raise QhnError(
            f"{source}: names of classes and features must have up to {MAX_NAME:,} characters, got {len(longest):,}: "
            f"{in_line(longest)}{hint}"
        )


def without_spaces(source: str, labels: list[str]) -> NDArray[Any]:
    """The user's own labels: spaces around booleans and numbers are no part of them, those around text are.

    A warning names two labels that differ by nothing else.

    Args:
        source: what holds the labels, for the warning.
        labels: the labels as texts.
    """
    different = sorted(set(labels))
    bare = [label.strip() for label in labels]
    if len(set(bare)) == len(different):
        own = own_labels(bare)
        return np.array(labels) if own.dtype.kind == "U" else own
    pairs = pairwise(sorted(different, key=str.strip))
    first, second = next((first, second) for first, second in pairs if first.strip() == second.strip())
    words = f"{source}: classes {shown(first)} and {shown(second)} differ by spaces alone, and stay two classes"
    warnings.warn(words, QhnWarning, stacklevel=4)
    return np.array(labels)


def own_labels(labels: list[str]) -> NDArray[Any]:
    """The labels as booleans, integers or floats if Python writes every label of the file so; otherwise as text.

    Predictions then are equal to the labels that the user's own program reads, and different labels stay different.

    >>> own_labels(["0.0", "1.0"]), own_labels(["01", "1"])
    (array([0., 1.]), array(['01', '1'], dtype='<U2'))
    """
    for read in (_boolean, int, float):
        try:
            values = [read(label) for label in labels]
            array: NDArray[Any] = np.array(values, dtype={_boolean: np.bool_, int: np.int64, float: np.float64}[read])
        except (ValueError, OverflowError):  # a text of another type, or an integer beyond 64 bits
            continue
        is_same = list(map(str, values)) == labels and np.isfinite(array).all()
        if is_same and len(np.unique(array)) == len(set(labels)):  # 0.0 and -0.0 are equal numbers
            return array
    return np.array(labels)


def _boolean(text: str) -> bool:
    """The boolean that Python writes as ``text``.

    Raises:
        ValueError: if there is none.
    """
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"
