"""Columns of texts as numbers, dates or categories: what a text stands for, and which column is of which kind."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.table.columns import MISSING, Column, Kind
from qhn.text import shown

MAX_FEATURE = 1e100  # so that sums of squares stay finite
MOSTLY = 0.5  # share of numbers from which on a column of texts is one of numbers, with a fault in it
EPOCH = np.datetime64("1970-01-01", "s")
DAY = 86_400  # seconds
ISO = re.compile(  # of ISO 8601: a whole date, and a time with or without its zone
    r"(?!0000)\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?(?:Z|[+-]\d\d:?(?:\d\d)?))?)?", re.ASCII
)
IGNORED = re.compile(r"[.,]\d+| (?=[Z+-])", re.ASCII)  # decimals of a second, and a space before the zone
NUMBERS = {
    mark: re.compile(
        rf"[+-]?(?:(?:\d+[{mark}]?\d*|[{mark}]\d+)(?:e[+-]?\d+)?|nan|inf(?:inity)?)", re.ASCII | re.IGNORECASE
    )
    for mark in ".,"
}
THOUSANDS = re.compile(r"[+-]?\d{1,3}(?:([ ,.'’\u00a0\u202f])\d{3})(?:\1\d{3})*(?:[.,]\d+)?", re.ASCII)
DECIMALS = {".": re.compile(r"[+-]?\d*,\d+", re.ASCII), ",": re.compile(r"[+-]?\d*\.\d+", re.ASCII)}  # of the other one
TRUTH = {"true": "True", "false": "False"}


def typed(column: Column, *, is_category: bool = False, missing: Collection[str] = MISSING) -> Column:
    """The column as numbers if its texts are numbers, as dates if they are dates, and otherwise as categories.

    Args:
        column: a column, of which only one of texts is converted.
        is_category: whether the values are categories, whatever they look like.
        missing: the texts that stand for a missing value, beside the empty one.

    Raises:
        QhnError: if at least half of the different texts are numbers, or dates, and one is none, or numbers are written
            in another way; the message names the first one.

    >>> typed(Column("age", np.array(["31", "", "40"], object))).values.tolist()
    [31.0, nan, 40.0]
    """
    if is_category or column.is_categorical:
        return as_kind(column, "category", missing)
    if column.kind != "category":
        return as_kind(column, column.kind, missing)
    texts = _known(column, missing)
    numbers = _floats(texts, column.origin.decimal)
    if numbers is not None:
        return _of_numbers(column, texts, numbers)
    return _converted(column, _kind_of(column, texts), texts)


def as_kind(column: Column, kind: Kind, missing: Collection[str] = MISSING) -> Column:
    """The column as one of a kind.

    Whole numbers have the same category whether they came as integers, as floats or as text (3, 3.0, ``3`` and
    ``3.0``), and so have truth values, however they are spelt (``TRUE``, ``true``), and dates.

    Args:
        column: the column.
        kind: the kind.
        missing: the texts that stand for a missing value, beside the empty one.

    Raises:
        QhnError: if a value is none of the kind, or a number is infinite or too large; the message names its place.

    >>> as_kind(Column("code", np.array([3.0, np.nan])), "category").values.tolist()
    ['3', None]
    """
    if column.kind == "category":
        return _converted(column, kind, _known(column, missing))
    if column.kind == kind:
        return _in_range(column) if kind == "number" else column
    if kind == "category":
        return column.with_values(_categories(column))
    raise QhnError(f"{column.place(0)} must hold a {kind}, got a {column.kind}")


def _converted(column: Column, kind: Kind, texts: Sequence[str | None]) -> Column:
    """The column of the numbers, dates or categories for which its texts stand, None standing for missing ones."""
    if kind == "number":
        return _of_numbers(column, texts, _floats(texts, column.origin.decimal))
    if kind == "date":
        return column.with_values(_dates(column, texts))
    spelt = {text: _spelt(text, column.origin.decimal) for text in set(texts) if text is not None}
    return column.with_values(_objects([None if text is None else spelt[text] for text in texts]))


def days(column: Column) -> Floats:
    """Dates as days since the beginning of 1970, nan where one is missing: ``[num_rows]``."""
    seconds = (column.values - EPOCH) / np.timedelta64(1, "s")
    result: Floats = seconds / DAY
    return result


def number_of(text: str, decimal: str = ".") -> float | None:
    """The number that a text stands for; None if it stands for none, or for one that is infinite or too large.

    >>> number_of("1,5", decimal=","), number_of("inf")
    (1.5, None)
    """
    if not is_number(text, decimal):
        return None
    number = float(text.replace(decimal, "."))
    return number if abs(number) <= MAX_FEATURE else None


def is_number(text: str, decimal: str = ".") -> bool:
    """Whether a text stands for a number, which may be infinite or none that is defined."""
    return NUMBERS[decimal].fullmatch(text) is not None


def is_date(text: str) -> bool:
    """Whether a text stands for a date, or date and time, in the form of ISO 8601."""
    return _date(text) is not None


def _known(column: Column, missing: Collection[str]) -> list[str | None]:
    """The texts of a column without spaces around them, and None where one is missing."""
    codes = {"", *missing}
    texts = column.values.tolist()
    try:
        stripped = list(map(str.strip, texts))
    except TypeError:  # of None
        stripped = ["" if text is None else text.strip() for text in texts]
    return [None if text in codes else text for text in stripped]


def _kind_of(column: Column, texts: Sequence[str | None]) -> Kind:
    """The kind of a column of texts not all of which are numbers, None standing for missing ones.

    Raises:
        QhnError: if at least half of the different texts are of a kind, and one is not; the message names the first.
    """
    decimal = column.origin.decimal
    different = {text for text in texts if text is not None}
    if _dates_of(list(different)) is not None:
        return "date"
    numbers = {text for text in different if is_number(text, decimal)}
    dates = {text for text in different if is_date(text)}
    others = {text for text in different - numbers if _other_number(text, decimal)}
    most = MOSTLY * len(different)
    if len(numbers | others) >= most:
        raise _fault(column, texts, numbers, "number")
    if len(dates) >= most:
        raise _fault(column, texts, dates, "date")
    return "category"


def _fault(column: Column, texts: Sequence[str | None], right: Collection[str], kind: Kind) -> QhnError:
    """The error of a column of one kind in which there is a text of another."""
    row, text = next((row, text) for row, text in enumerate(texts) if text is not None and text not in right)
    remedies = [_other_number(text, column.origin.decimal)] if kind == "number" else []
    if not any(remedies):
        remedies = ["correct it", "list it in data.missing if it stands for a missing value"]
    remedies += ["list the column in data.categorical if its values are categories"]
    return QhnError(f"{column.place(row)}: {shown(text)} is not a {kind}; {', or '.join(remedies)}")


def _other_number(text: str, decimal: str) -> str:
    """What to do with a number that is written in another way; empty if the text is no such number."""
    is_grouped, is_decimal = THOUSANDS.fullmatch(text), DECIMALS[decimal].fullmatch(text)
    ways = [f'set data.decimal = "{"," if decimal == "." else "."}"'] if is_decimal else []
    if is_grouped:
        ways.append("write thousands without marks between them")
    if is_grouped and is_grouped[1] != decimal:
        ways.append(f'set data.thousands = "{" " if is_grouped[1].isspace() else is_grouped[1]}" for a text file')
    return " or ".join(ways)


def _categories(column: Column) -> NDArray[np.object_]:
    """Numbers or dates as texts, and None where one is missing."""
    if column.kind == "date":
        return _objects([None if text == "NaT" else _date_text(text) for text in column.values.astype(str).tolist()])
    return _objects([None if value != value else _as_text(value) for value in column.own_values.tolist()])


def _objects(texts: list[str | None]) -> NDArray[np.object_]:
    return np.array(texts, dtype=object)


def _as_text(value: float) -> str:
    """The category of a number."""
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _spelt(text: str, decimal: str) -> str:
    """The category of a text: whole numbers without decimals, truth values as Python writes them, dates in one way."""
    date = _date(text) if text[4:5] == "-" else None
    if date is not None:
        return _date_text(str(date))
    whole, mark, decimals = text.partition(decimal)
    if mark and decimals == "0" and whole.removeprefix("-").isdecimal() and whole == str(int(whole)):
        return whole
    return TRUTH.get(text.lower(), text)


def _date_text(text: str) -> str:
    """The category of a date, given as numpy writes it to a second: without the time of day if that is midnight."""
    return text.removesuffix("T00:00:00").replace("T", " ")


def _of_numbers(column: Column, texts: Sequence[str | None], values: Floats | None) -> Column:
    """The column of the numbers of its texts, which are None if not all are numbers.

    Raises:
        QhnError: if a text is no number, or not finite; the message names its place.
    """
    if values is None:
        right = {text for text in texts if text is not None and is_number(text, column.origin.decimal)}
        raise _fault(column, texts, right, "number")
    undefined = np.flatnonzero(np.isnan(values))
    wrong = next((row for row in undefined.tolist() if texts[row] is not None), None)
    if wrong is not None:
        raise _not_finite(column, wrong)
    return _in_range(column.with_values(values))


def _floats(texts: Sequence[str | None], decimal: str) -> Floats | None:
    """The numbers that texts stand for, nan where one is None; None if any stands for none (:func:`is_number`)."""
    written = "\n".join([text for text in texts if text is not None])
    if not written.isascii() or "_" in written or (decimal != "." and "." in written):  # Python takes 1_0 for 10
        return None
    if decimal != ".":
        texts = [None if text is None else text.replace(decimal, ".") for text in texts]
    try:
        return np.array([np.nan if text is None else text for text in texts], dtype=object).astype(np.float64)
    except ValueError:
        return None


def _in_range(column: Column) -> Column:
    """The column of numbers, if all are finite and not too large.

    Raises:
        QhnError: if one is not; the message names its place.
    """
    wrong = np.flatnonzero(np.abs(column.values) > MAX_FEATURE)
    if len(wrong):
        raise _not_finite(column, int(wrong[0]))
    return column


def _not_finite(column: Column, row: int) -> QhnError:
    value = column.values[row] if column.given is None else column.given[row]
    found = shown(value.strip()) if isinstance(value, str) else f"{value}"
    return QhnError(f"{column.place(row)}: {found} is not finite, or too large; correct it or remove the sample")


def _dates(column: Column, texts: Sequence[str | None]) -> NDArray[np.datetime64]:
    """The dates that texts stand for, those with a zone in the time of Greenwich, and NaT where one is missing.

    Raises:
        QhnError: if a text is no date, or some have a zone and others none; the message names its place.
    """
    known = [text for text in texts if text is not None]
    read = _dates_of(known)
    if read is None:
        raise _fault(column, texts, {text for text in known if is_date(text)}, "date")
    zoned = {text for text in known if _has_zone(text)}
    wrong = next((row for row, text in enumerate(texts) if text is not None and text not in zoned), None)
    if zoned and wrong is not None:
        raise QhnError(
            f"{column.place(wrong)}: {shown(texts[wrong])} has no time zone, and others have; write it to all"
        )
    values = np.full(len(texts), np.datetime64("NaT", "s"))
    values[[text is not None for text in texts]] = read
    return values


def _dates_of(texts: Sequence[str]) -> NDArray[np.datetime64] | None:
    """The dates that texts stand for; None if any stands for none."""
    if not all(map(ISO.fullmatch, texts)):
        return None
    if any(map(_has_zone, texts)):
        dates = list(map(_date, texts))
        return None if None in dates else np.array(dates, dtype="M8[s]")
    try:
        return np.array([text[: len("2024-05-31 10:30:00")] for text in texts], dtype="M8[s]")
    except ValueError:
        return None


def _has_zone(date: str) -> bool:
    """Whether a date ends with its zone."""
    return any(mark in date[len("2024-05-31") :] for mark in "Z+-")


def _date(text: str) -> np.datetime64 | None:
    """The date, or date and time to a second, that a text in the form of ISO 8601 stands for; None if for none."""
    if not ISO.fullmatch(text):
        return None
    try:
        date = datetime.fromisoformat(IGNORED.sub("", text))
        return np.datetime64(date.astimezone(UTC).replace(tzinfo=None) if date.tzinfo else date, "s")
    except (ValueError, OverflowError):
        return None


def numbers_of(texts: Sequence[str], decimal: str = ".") -> Floats:
    """The numbers that texts stand for, nan where one stands for none, or for one that is infinite or too large.

    >>> numbers_of(["1,5", "one", "inf"], decimal=",").tolist()
    [1.5, nan, nan]
    """
    found = _floats(texts, decimal)  # of all at once, which takes a tenth of the time
    if found is None:
        each = [number_of(text, decimal) for text in texts]
        found = np.array([np.nan if one is None else one for one in each], dtype=np.float64)
    return np.where(np.abs(found) <= MAX_FEATURE, found, np.nan)
