"""The way of raw samples to the inputs of a network: columns are encoded as features, which are standardised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.table.columns import Origin, Table
from qhn.table.encoding import Encoding
from qhn.table.frames import column_of
from qhn.table.values import MAX_FEATURE
from qhn.text import clipped, in_line, name_hint


@dataclass(frozen=True)
class Preprocessing:
    """What was learned from the training samples about the inputs of a network.

    Attributes:
        num_inputs: the number of inputs, one a feature.
        mean, scale: numbers ``[num_inputs]``, or ``[1]`` for all, by which a feature x is standardised,
            (x − mean) / scale.
        feature_names: one name per feature; if empty, columns count by their place.
        encoding: how the columns of a table become the features; None if they are the features.

    >>> Preprocessing(2, np.array([1.0]), np.array([2.0]), ("a", "b")).inputs({"b": 5.0, "a": 3.0})
    array([1., 2.])
    """

    num_inputs: int
    mean: Floats
    scale: Floats
    feature_names: tuple[str, ...] = ()
    encoding: Encoding | None = None

    def inputs(self, x: Any) -> Floats:
        """The inputs of a network for raw samples: encoded, and then standardised, ``[..., num_inputs]``.

        Args:
            x: the raw samples; see :meth:`features`.

        Raises:
            QhnError: if a column is missing or there twice, or a value is missing or none of its kind.
        """
        return (self.features(x) - self.mean) / self.scale

    def features(self, x: Any) -> Floats:
        """The features of raw samples, encoded but not standardised: ``[..., num_inputs]``.

        Args:
            x: the columns of the training data as they come, without the label: an array or rows
                ``[..., num_columns]``, or a data frame, a row of one, a mapping or a table, whose columns are taken by
                their names; columns that were not learned from are left out.

        Raises:
            QhnError: if a column is missing or there twice, or a value is missing or none of its kind.
        """
        if self.encoding is not None:
            return _encoded(x, self.encoding)
        if isinstance(x, Table):
            found = Encoding.of_numbers(self.feature_names or x.names).features(x)
            return as_features(found, self.num_inputs)
        return as_features(x, self.num_inputs, self.feature_names)

    def arrays(self) -> dict[str, Any]:
        """All that was learned as arrays for a file, which :meth:`restored` reads."""
        found: dict[str, Any] = {"mean": self.mean, "scale": self.scale}
        found["feature_names"] = np.array(self.feature_names, dtype=str)
        return found if self.encoding is None else found | {"encoding": self.encoding.to_text()}

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], num_inputs: int) -> Preprocessing:
        """What the arrays of a file say, which :meth:`arrays` gave.

        Args:
            arrays: the arrays by name; there need not be an ``encoding``.
            num_inputs: the number of inputs of the network.

        Raises:
            QhnError: if an array is none that a network with so many inputs can have; the message names it.
        """
        for name in ("mean", "scale"):
            check_array(name, arrays, (num_inputs,), (1,))
        if not (arrays["scale"] > 0).all():
            raise QhnError(f"scale must be above 0, got {arrays['scale'].min()}")
        names = arrays["feature_names"]
        if names.size and (names.shape != (num_inputs,) or names.dtype.kind != "U"):
            raise QhnError(f"feature_names must be {num_inputs} texts or none, got {names.dtype} {list(names.shape)}")
        encoding = None
        if "encoding" in arrays:
            encoding = Encoding.from_text(str(arrays["encoding"]))
            found = len(encoding.feature_names)
            if found != num_inputs:
                raise QhnError(f"encoding must give {num_inputs} features, one an input, and gives {found}")
            if not np.array_equal(names, np.array(encoding.feature_names, dtype=str)):
                raise QhnError("feature_names must be those that the encoding gives")
        return cls(num_inputs, arrays["mean"], arrays["scale"], tuple(names.tolist()), encoding)


def check_array(name: str, arrays: Mapping[str, NDArray[Any]], *shapes: tuple[int, ...]) -> None:
    """Refuse an array that is not of finite real numbers, or has none of the given shapes.

    Raises:
        QhnError: if it is none of these; the message names it.
    """
    array = arrays[name]
    if array.shape not in shapes or 0 in array.shape:
        raise QhnError(f"{name} must have shape {' or '.join(str(list(s)) for s in shapes)}, got {list(array.shape)}")
    if array.dtype.kind not in "iuf":
        raise QhnError(f"{name} must hold numbers, got {array.dtype}")
    if not np.isfinite(array).all():
        raise QhnError(f"{name} must hold finite numbers, got {array[~np.isfinite(array)][0]}")


def as_features(x: Any, num_inputs: int, names: Sequence[str] = ()) -> Floats:
    """Convert features that need no encoding to an array ``[..., num_inputs]``.

    Args:
        x: an array, or a data frame, a row of one, or a mapping, whose features are put in order by their names;
            columns that are no features are left out.
        num_inputs: number of features.
        names: the names of the features in order; if empty, columns count by their place.

    Raises:
        QhnError: if the last axis is not ``num_inputs`` long, a feature is missing or there twice, or a value is
            missing.

    >>> as_features({"b": [1.0, 2.0], "a": [3.0, 4.0]}, 2, ["a", "b"])
    array([[3., 1.],
           [4., 2.]])
    """
    columns = _by_name(x, names)
    try:
        array = _numbers(x) if columns is None else np.stack([_numbers(column) for column in columns], axis=-1)
    except (ValueError, TypeError) as error:
        if isinstance(error, QhnError):
            raise
        raise QhnError(f"x must hold numbers: {clipped(str(error))}") from None
    if array.ndim == 0 or array.shape[-1] != num_inputs:
        raise QhnError(f"x must have shape [..., {num_inputs}], one column a feature, got {list(array.shape)}")
    if np.isnan(array).any():
        raise QhnError("x has missing values (nan); fill them in before predicting")
    if not (np.abs(array) <= MAX_FEATURE).all():
        raise QhnError(f"x must hold numbers up to {MAX_FEATURE:g}, got {np.abs(array).max():g}")
    return np.ascontiguousarray(array)  # so that products of the same numbers are the same to the last bit


def _encoded(x: Any, encoding: Encoding) -> Floats:
    """The features ``[..., num_features]`` of raw samples, whose columns are encoded one by one."""
    if isinstance(x, Table):
        return encoding.features(x)
    names = [column.name for column in encoding.columns]
    columns = _by_name(x, names)
    if columns is None:
        array = _as_objects(x)
        if array.ndim == 0 or array.shape[-1] != len(names):
            listed = clipped(", ".join(map(in_line, names)))
            raise QhnError(
                f"x must have shape [..., {len(names)}], one column for each of {listed}, got {list(array.shape)}"
            )
        columns = [array[..., j] for j in range(len(names))]
    shape = np.shape(columns[0])
    flat = [column if np.ndim(column) == 1 else np.reshape(np.asarray(column), -1) for column in columns]
    table = Table("x", tuple(column_of(name, values, Origin("x")) for name, values in zip(names, flat, strict=True)))
    features = encoding.features(table)
    return features.reshape(*shape, features.shape[1])


def _as_objects(x: Any) -> NDArray[Any]:
    """Rows of values of several kinds as an array of objects, None where one is masked; an array of one kind as it is.

    Raises:
        QhnError: if rows differ in length.
    """
    if isinstance(x, np.ma.MaskedArray):
        return np.ma.filled(x.astype(object), None)
    try:
        return x if isinstance(x, np.ndarray) else np.asarray(x, dtype=object)
    except ValueError:
        raise QhnError("x must be an array, all rows of the same length") from None


def _numbers(values: Any) -> Floats:
    """Features as an array of numbers; NaN where they are missing, also where an array is masked.

    Raises:
        QhnError: if they are complex numbers, dates or times, which numpy would convert without a word.
        TypeError, ValueError: if they are no numbers.
    """
    array = np.ma.asarray(values) if isinstance(values, np.ma.MaskedArray) else np.asarray(values)
    if array.dtype.kind in "cmM":
        raise QhnError(f"x must hold real numbers, got {array.dtype}")
    return np.ma.filled(array.astype(np.float64), np.nan)


def _by_name(x: Any, names: Sequence[str]) -> list[Any] | None:
    """The columns of a table in the order of names; None if they count by their place.

    Raises:
        QhnError: if a column is missing or there twice, or columns that have numbers for names are out of order.
    """
    columns = _columns(x)
    if not names or not columns:
        return None
    are_numbered = all(isinstance(column, (int, np.integer)) for column in columns)
    if are_numbered and not {str(column) for column in columns} >= set(names):
        if any(later <= earlier for earlier, later in pairwise(columns)):
            listed = clipped(", ".join(map(str, columns)))
            raise QhnError(f"x has numbered columns out of order, {listed}; sort them, or name them as the features")
        return None  # columns that are numbered have no names, unless the features have the same
    places: dict[str, list[Any]] = {}
    for column in columns:
        places.setdefault(str(column).strip(), []).append(column)
    for name in names:
        if len(places.get(name, [])) != 1:
            if name in places:
                raise QhnError(f"x has several columns {in_line(repr(name))}, a feature of the network; leave one")
            hint = name_hint(name, places)
            raise QhnError(f"x has no column {in_line(repr(name))}, a feature of the network; {hint}")
    return [x[places[name][0]] for name in names]


def _columns(x: Any) -> list[Any]:
    """The names of the columns of a data frame, a row of one, a mapping or a structured array; none of an array."""
    if isinstance(x, (np.ndarray, np.void)):
        return list(x.dtype.names or ())
    if isinstance(x, Mapping):
        return list(x)
    if hasattr(x, "columns"):
        return list(x.columns)
    return list(x.index) if hasattr(x, "iloc") else []  # a row of a data frame, or a column, whose rows have numbers
