"""Columns of texts as numbers, dates or categories: what a text stands for, and which column is of which kind."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.table.columns import MISSING, Column, Kind
from qhn.text import in_line, shown

MAX_FEATURE = 1e100  # so that sums of squares stay finite
MOSTLY = 0.5  # share of numbers from which on a column of texts is one of numbers, with a fault in it
EPOCH = np.datetime64("1970-01-01", "s")
DAY = 86_400  # seconds


def typed(
    column: Column, *, is_category: bool = False, missing: Collection[str] = MISSING, decimal: str = "."
) -> Column:
    """The column as numbers if its texts are numbers, as dates if they are dates, and otherwise as categories.

    Args:
        column: a column, of which only one of texts is converted.
        is_category: whether the values are categories, whatever they look like.
        missing: the texts that stand for a missing value.
        decimal: the mark between a number and its decimals.

    Raises:
        QhnError: if more than half of the texts are numbers, and one is none.

    >>> typed(Column("age", np.array(["31", "", "40"], object))).values.tolist()
    [31.0, nan, 40.0]
    """
    if is_category:
        return as_kind(column, "category", missing, decimal)
    if column.kind != "category":
        return column
    texts = as_kind(column, "category", missing, decimal)
    return as_kind(texts, _kind_of(texts, decimal), missing, decimal)


def as_kind(column: Column, kind: Kind, missing: Collection[str] = MISSING, decimal: str = ".") -> Column:
    """The column as one of a kind.

    Args:
        column: the column.
        kind: the kind.
        missing: the texts that stand for a missing value.
        decimal: the mark between a number and its decimals.

    Raises:
        QhnError: if a value is none of the kind; the message names the column, the row and the value.
    """
    if kind == "category":
        found = np.array([None if text in missing else text for text in _texts(column)], dtype=object)
        return Column(column.name, found)
    if column.kind == kind:
        return column
    if column.kind != "category":
        raise QhnError(f"column {in_line(repr(column.name))} must hold {kind}s, got {column.kind}s")
    read = {"number": lambda text: _number(text, decimal), "date": _date}[kind]
    empty: Any = np.nan if kind == "number" else np.datetime64("NaT", "s")
    values = np.full(len(column.values), empty, dtype="f8" if kind == "number" else "M8[s]")
    for row, text in enumerate(column.values):
        if text is None or text.strip() in missing:
            continue
        value = read(text.strip())
        if value is None:
            raise QhnError(f"column {in_line(repr(column.name))}, row {row + 1}: {shown(text.strip())} is no {kind}")
        values[row] = value
    return Column(column.name, values)


def days(column: Column) -> Floats:
    """Dates as days since the beginning of 1970, nan where one is missing: ``[num_rows]``."""
    seconds = (column.values - EPOCH) / np.timedelta64(1, "s")
    result: Floats = seconds / DAY
    return result


def _texts(column: Column) -> list[str]:
    """The values as texts without spaces around them, empty where one is missing; a whole number has no decimals."""
    if column.kind == "number":
        return [
            "" if np.isnan(value) else f"{int(value)}" if value.is_integer() else repr(float(value))
            for value in column.values
        ]
    if column.kind == "date":
        return ["" if np.isnat(value) else str(value) for value in column.values]
    return ["" if text is None else str(text).strip() for text in column.values]


def _kind_of(column: Column, decimal: str) -> Kind:
    """The kind of a column of texts, None standing for missing ones.

    Raises:
        QhnError: if more than half of the texts are numbers, and one is none; the message names it.
    """
    different = {text for text in column.values if text is not None}
    numbers = {text for text in different if _number(text, decimal) is not None}
    if len(numbers) == len(different):
        return "number"
    if all(_date(text) is not None for text in different):
        return "date"
    if len(numbers) > MOSTLY * len(different):
        row = next(row for row, text in enumerate(column.values) if text is not None and text not in numbers)
        raise QhnError(
            f"column {in_line(repr(column.name))}, row {row + 1}: {shown(column.values[row])} is not a number"
        )
    return "category"


def _number(text: str, decimal: str) -> float | None:
    """The number that a text stands for; None if it stands for none."""
    if decimal != ".":
        text = "x" if "." in text else text.replace(decimal, ".")
    try:
        value = float("x" if "_" in text else text)  # Python takes 1_0 for 10
    except ValueError:
        return None
    return value if abs(value) <= MAX_FEATURE else None


def _date(text: str) -> np.datetime64 | None:
    """The date, or date and time, that a text in the form of ISO 8601 stands for; None if it stands for none."""
    if len(text) < 8 or not text[:4].isdigit():
        return None
    try:
        return np.datetime64(text, "s")
    except ValueError:
        return None


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a text stands for a number."""
    return _number(text, decimal) is not None


def is_date(text: str) -> bool:
    """Whether a text stands for a date, or date and time, in the form of ISO 8601."""
    return _date(text) is not None
