"""The marks in numbers that are written as text: the one before decimals, and the one between thousands."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from functools import cache

from qhn.table.columns import MISSING
from qhn.table.values import is_number

SPACES = " \u00a0\u202f"  # each of which stands for all
THOUSANDS = (",", ".", "'", "’", " ")
Marks = tuple[str, str]  # before decimals, and between thousands, which may be empty
USUAL: Marks = (".", "")
COMMAS = re.compile(r"[+-]?\d{1,3}(,\d{3})+|\d{1,3}", re.ASCII)  # with commas between thousands, or short


def marks_of(rows: Sequence[Sequence[str]], separator: str, usual: Marks = USUAL) -> Marks:
    """The marks before decimals and between thousands in the fields of rows; the second is empty if there is none.

    Decimals stand after a comma if more columns are numbers with it than are with a point. Of as many, those decide
    that have marks between thousands. Beside commas between fields, one before three digits is taken for such a mark.

    Args:
        rows: the fields of each row, without the header.
        separator: the mark between two fields.
        usual: other marks than a decimal point alone, which are taken if all that could be numbers are numbers with
            them.

    >>> marks_of([["842,95", "Ems"], ["1.663,94", "Bonn"]], ";")
    (',', '.')
    >>> marks_of([["1.663"]], ";"), marks_of([["1.663"]], ";", (",", "."))
    (('.', ''), (',', '.'))
    """
    columns = [[field for field in column if field not in MISSING] for column in zip(*rows, strict=False)]
    columns = [column for column in columns if column]
    telling = [one for one in columns if separator != "," or not all(map(COMMAS.fullmatch, one))]
    plain = {mark: sum(all(is_number(field, mark) for field in one) for one in telling) for mark in ".,"}
    grouped = {mark: sum(thousands_in(one, mark) is not None for one in telling) for mark in ".,"}
    if usual != USUAL and grouped[usual[0]] == max(grouped.values()) > 0:
        found = {mark for one in columns if (mark := thousands_in(one, usual[0]))}
        if found <= {usual[1]}:
            return usual
    decimal = "," if (plain[","], grouped[","]) > (plain["."], grouped["."]) else "."
    counts = Counter(mark for mark in (thousands_in(one, decimal) for one in columns) if mark)
    return decimal, counts.most_common(1)[0][0] if counts else ""


def thousands_in(column: Sequence[str], decimal: str) -> str | None:
    """The mark between thousands of a column; empty if it has none, None if a text is no number.

    Args:
        column: the texts.
        decimal: the mark before decimals.

    >>> thousands_in(["1,200", "950.5"], "."), thousands_in(["950.5"], "."), thousands_in(["1,20"], ".")
    (',', '', None)
    """
    others = [text for text in column if not is_number(text, decimal)]
    marks = [mark for mark in THOUSANDS if all(_grouped(mark, decimal).fullmatch(text) for text in others)]
    if not others:
        return ""
    return marks[0] if marks else None


def without_thousands(text: str, thousands: str, decimal: str) -> str:
    """A text without the marks between thousands if it is a number with some; else the text itself.

    >>> without_thousands("1.663,94", ".", ","), without_thousands("1.66", ".", ",")
    ('1663,94', '1.66')
    """
    if not _grouped(thousands, decimal).fullmatch(text.strip()):
        return text
    return re.sub(f"[{SPACES if thousands == ' ' else re.escape(thousands)}]", "", text)


@cache
def _grouped(thousands: str, decimal: str) -> re.Pattern[str]:
    """The form of a number with marks between thousands; that of none if both marks are the same."""
    if thousands == decimal:
        return re.compile(r"(?!)")
    mark = f"([{SPACES if thousands == ' ' else re.escape(thousands)}])"
    return re.compile(rf"[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}(?:\1\d{{3}})*(?:{re.escape(decimal)}\d*)?", re.ASCII)
