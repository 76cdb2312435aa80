"""Tables from Python objects: data frames, mappings of columns, structured arrays, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.errors import QhnError
from qhn.table.columns import Column, Table


def table_of(x: Any, names: Sequence[str] = (), source: str = "x") -> Table:
    """The table that an object holds.

    Args:
        x: a :class:`Table`, a data frame, a mapping of columns by name, or rows ``[num_rows, num_columns]``.
        names: the names of the columns of rows, which have none themselves.
        source: what the object is called, for messages.

    Raises:
        QhnError: if the object holds no table.

    >>> table_of([[31, "f"], [None, "m"]], ["age", "sex"])["age"].values.tolist()
    [31.0, nan]
    """
    if isinstance(x, Table):
        return x
    if isinstance(x, Mapping) or hasattr(x, "columns"):
        return Table(
            source,
            tuple(column_of(str(name).strip(), x[name]) for name in (x if isinstance(x, Mapping) else x.columns)),
        )
    rows = [list(row) for row in x]
    if any(len(row) != len(names) for row in rows):
        raise QhnError(f"{source} must have one column for each of {', '.join(names)}")
    return Table(source, tuple(column_of(name, [row[j] for row in rows]) for j, name in enumerate(names)))


def column_of(name: str, values: Any) -> Column:
    """The column of a sequence or array of values: numbers, dates, truth values or texts.

    >>> column_of("sex", ["f", None, "m"]).values.tolist(), column_of("paid", [True, False]).values.tolist()
    (['f', None, 'm'], ['True', 'False'])
    """
    array: NDArray[Any] = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    if array.dtype.kind in "iuf":
        return Column(name, array.astype(np.float64))
    if array.dtype.kind == "M":
        return Column(name, array.astype("M8[s]"))
    given = [None if _is_missing(value) else value for value in array.tolist()]
    if all(value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in given):
        return Column(name, np.array([np.nan if value is None else value for value in given], dtype=np.float64))
    return Column(name, np.array([None if value is None else str(value) for value in given], dtype=object))


def _is_missing(value: Any) -> bool:
    """Whether a value of a data frame stands for a missing one: None, nan, NaT or the NA of pandas."""
    if value is None:
        return True
    if isinstance(value, float):
        return bool(np.isnan(value))
    return type(value).__name__ in ("NAType", "NaTType")
