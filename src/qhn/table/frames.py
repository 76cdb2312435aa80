"""Tables from Python objects: data frames, mappings of columns, structured arrays, rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.errors import QhnError
from qhn.table.columns import Column, Origin, Table, place_of, refuse_repeated
from qhn.text import counted, in_line, shown

SCALARS = (str, bytes, Real, np.bool_, np.datetime64, Decimal, date)
NOT_GIVEN = ("NAType", "NaTType")  # types of missing values of pandas, which need not be installed


def table_of(x: Any, names: Sequence[str] = (), source: str = "x") -> Table:
    """The table that an object holds.

    Args:
        x: a :class:`Table`, a data frame or a row of one, a mapping of columns or of the values of a row by name, a
            structured array, mappings of values by name, or rows ``[num_rows, num_columns]``, or one row.
        names: the names of the columns of rows, which have none themselves, by default ``x 1``, ``x 2``, …; of an
            object that names its columns, those that are taken, or none for all.
        source: what the object is called, for messages.

    Raises:
        QhnError: if the object holds no table, there is no column of a name, or a value is neither a number, a text, a
            truth value nor a date.

    >>> table_of([[31, "f"], [None, "m"]], ["age", "sex"])["age"].values.tolist()
    [31.0, nan]
    """
    if isinstance(x, Table):
        return x
    origin = Origin(source)
    columns = _named_columns(x, source) or _columns_of_rows(x, names, source)
    if names:
        for name in names:
            place_of(name, tuple(columns), source)
        columns = {name: columns[name] for name in names}
    return Table(source, tuple(column_of(name, values, origin) for name, values in columns.items()))


def _named_columns(x: Any, source: str) -> dict[str, Any]:
    """The columns of an object that names them; none of one that does not.

    Raises:
        QhnError: if columns have the same name, or several each.
    """
    fields = getattr(getattr(x, "dtype", None), "names", None)  # of a structured array
    if isinstance(x, Mapping) or fields or hasattr(x, "columns"):
        keys = list(x if isinstance(x, Mapping) else fields or x.columns)
        values = [] if _are_repeated(keys) else [x[key] for key in keys]
    elif hasattr(x, "index") and hasattr(x, "items"):  # a row of a data frame
        keys, values = (list(part) for part in zip(*x.items(), strict=True)) if len(x) else ([], [])
    elif isinstance(x, Sequence) and len(x) and all(isinstance(row, Mapping) for row in x):
        keys = list(dict.fromkeys(key for row in x for key in row))
        values = [[row.get(key) for row in x] for key in keys]
    else:
        return {}
    if any(isinstance(key, tuple) for key in keys):
        raise QhnError(f"{source} has columns with several names each, such as {shown(keys[0])}; give each one name")
    names = tuple(str(key).strip() for key in keys)
    refuse_repeated(source, names)
    if values and all(_is_scalar(value) for value in values):
        values = [[value] for value in values]
    return dict(zip(names, values, strict=True))


def _are_repeated(keys: Sequence[Any]) -> bool:
    """Whether a name occurs twice, so that a data frame has no column of its own for it."""
    return len(set(map(str, keys))) < len(keys)


def _columns_of_rows(x: Any, names: Sequence[str], source: str) -> dict[str, Any]:
    """The columns of rows that do not name them.

    Raises:
        QhnError: if the object holds no rows, or not as many columns as there are names.
    """
    if isinstance(x, (str, bytes)) or not isinstance(x, Iterable):
        raise QhnError(f"{source} must be a data frame, a mapping of columns by name, or rows, got {shown(x)}")
    if hasattr(x, "to_numpy"):
        x = x.to_numpy()
    if not isinstance(x, np.ndarray):
        x = list(x)
    if len(x) and all(_is_scalar(value) for value in x):
        x = x[None, :] if isinstance(x, np.ndarray) else [x]
    if isinstance(x, np.ndarray) and x.ndim != 2:
        raise QhnError(f"{source} must have shape [num_rows, num_columns], got {list(x.shape)}")
    if not all(isinstance(row, (Sequence, np.ndarray)) and not isinstance(row, (str, bytes)) for row in x):
        raise QhnError(f"{source} must hold rows with a value for each column")
    width = len(names) or (len(x[0]) if len(x) else 0)
    for row, values in enumerate(x):
        if len(values) != width:
            wanted = counted(width, "column")
            raise QhnError(f"{source} row {row + 1} must have {wanted}, got {counted(len(values), 'value')}")
    keys = names or [f"x {j + 1}" for j in range(width)]
    if isinstance(x, np.ndarray):
        return {name: x[:, j] for j, name in enumerate(keys)}
    return {name: [row[j] for row in x] for j, name in enumerate(keys)}


def column_of(name: str, values: Any, origin: Origin | None = None) -> Column:
    """The column of a sequence or array of values: numbers, dates, truth values or texts.

    Args:
        name: the name of the column.
        values: the values ``[num_rows]``, of one type or mixed, None or nan where one is missing.
        origin: where the rows stand.

    Raises:
        QhnError: if a value is neither a number, a text, a truth value nor a date.

    >>> column_of("sex", ["f", None, "m"]).values.tolist(), column_of("paid", [True, False]).values.tolist()
    (['f', None, 'm'], ['True', 'False'])
    """
    origin = origin or Origin()
    is_categorical = type(getattr(values, "dtype", None)).__name__.startswith("Categorical")
    array = _array_of(name, values, origin)
    if array.dtype.kind in "iuf":
        given = array if array.dtype.kind in "iu" else None
        return Column(name, array.astype(np.float64), given, origin, is_categorical)
    if array.dtype.kind == "M":
        return Column(name, array.astype("M8[s]"), None, origin, is_categorical)
    objects = array if array.dtype.kind in "bOSU" else _as_objects(array)
    blank = Column(name, np.zeros(len(array)), origin=origin)
    plain = [_plain(value, blank, row) for row, value in enumerate(objects.tolist())]
    known = [value for value in plain if value is not None]
    if known and all(isinstance(value, np.datetime64) for value in known):
        empty = np.datetime64("NaT", "s")
        dates = np.array([empty if value is None else value for value in plain], dtype="M8[s]")
        return Column(name, dates, None, origin, is_categorical)
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in known):
        numbers = np.array([np.nan if value is None else _float(value) for value in plain], dtype=np.float64)
        return Column(name, numbers, _in_own_type(plain), origin, is_categorical)
    texts = np.array([None if value is None else _text(value) for value in plain], dtype=object)
    is_certain = is_categorical or all(isinstance(value, bool) for value in known)
    return Column(name, texts, _in_own_type(plain), origin, is_certain)


def _array_of(name: str, values: Any, origin: Origin) -> NDArray[Any]:
    """The values of a column as an array ``[num_rows]``; dates with a zone are of the time of Greenwich.

    Raises:
        QhnError: if they are no sequence of single values.
    """
    if getattr(getattr(values, "dtype", None), "tz", None) is not None and hasattr(values, "dt"):
        values = values.dt.tz_convert("UTC").dt.tz_localize(None)
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    if not isinstance(values, np.ndarray):
        if _is_scalar(values) or not isinstance(values, Iterable):
            raise QhnError(f"{origin.source} column {in_line(repr(name))} must hold a value for each row")
        values = _as_objects(list(values))
    if values.ndim == 1 and isinstance(values, np.ma.MaskedArray):
        is_masked, values = np.ma.getmaskarray(values), _as_objects(values.data)
        values[is_masked] = None
    if values.ndim != 1:
        raise QhnError(
            f"{origin.source} column {in_line(repr(name))} must hold one value in each row, got {list(values.shape)}"
        )
    return np.asarray(values)


def _as_objects(values: Sequence[Any] | NDArray[Any]) -> NDArray[np.object_]:
    """Values as an array of objects, each as it is."""
    objects = np.empty(len(values), dtype=object)
    for row, value in enumerate(values):  # numpy would look into nested values, and convert times to numbers
        objects[row] = value
    return objects


def _plain(value: Any, column: Column, row: int) -> int | float | str | np.datetime64 | None:
    """A value as a truth value, a number, a text or a date of Python or numpy; None if it is missing.

    Raises:
        QhnError: if it is none of these; the message names its place.
    """
    if value is None or type(value).__name__ in NOT_GIVEN or value is np.ma.masked:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (Real, Decimal)) and not isinstance(value, np.timedelta64):  # which is an integer to numpy
        if isinstance(value, (int, np.integer)):
            return int(value)
        return None if value != value else float(value)
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else value.astype("M8[s]")
    if isinstance(value, datetime):
        return np.datetime64(value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value, "s")
    if isinstance(value, date):
        return np.datetime64(value, "s")
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="backslashreplace")
    if type(value).__name__ in ("Period", "Interval", "time"):
        return str(value)
    raise QhnError(
        f"{column.place(row)} must be a number, a text, a truth value or a date, got {shown(value)} "
        f"({type(value).__name__})"
    )


def _text(value: int | float | str | np.datetime64) -> str:
    """A value among others of other types as the text of a category."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _float(value: Any) -> float:
    """A number of Python, infinite if it is too large."""
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _in_own_type(values: list[Any]) -> NDArray[Any] | None:
    """Values all of which are integers, or truth values, as an array of these; None of others."""
    types = {type(value) for value in values}
    if types == {bool}:
        return np.array(values, dtype=np.bool_)
    if types == {int} and all(abs(value) < 2**63 for value in values):
        return np.array(values, dtype=np.int64)
    return None


def _is_scalar(value: Any) -> bool:
    """Whether a value is a single one."""
    return value is None or isinstance(value, SCALARS) or type(value).__name__ in NOT_GIVEN
