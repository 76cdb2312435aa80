"""Texts by which a table says that a value is missing, beyond those that always do, found by what else is there."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from qhn.table.columns import MISSING
from qhn.table.counts import Counts

MARKS = ("-", "--", "---", "–", "—", ".", "..", "?", "??", "#N/A", "#NV", "#NA", "<NA>", "\\N", "NaT", "(null)", "N.A.")
WORDS = ("na", "none", "nil", "null", "nan", "missing", "unknown", "n.a.", "n.v.", "k.a.", "k. a.", "keine angabe", "x")
NINES = re.compile(r"(-9|-?9{2,}|-?8{3,}|-?7{3,}|-?32768)([.,]0+)?|-1e\+?[0-9]+")
MOSTLY = 0.9  # share of numbers from which on any other text stands for a missing one
MAX_STRANGE = 3  # different texts of a column that may stand for missing numbers
APART = 1.0  # distance of a code from all other numbers, in ranges of these


@dataclass(frozen=True)
class MissingCode:
    """A text that stands for a missing value.

    Attributes:
        text: the text.
        columns: the columns in which it was found.
        why: why it is taken for one, as the end of a sentence.
    """

    text: str
    columns: tuple[str, ...]
    why: str


def missing_codes(columns: Sequence[Counts], classes: Collection[str] = ()) -> list[MissingCode]:
    """The texts by which the columns of a table say that a value is missing, beyond those that always do.

    A code holds for the whole table. So one that could be a value of another column, or is a class, is none.

    - ``-``, ``#N/A`` and other marks are codes anywhere.
    - Words such as ``unknown``, and up to three texts of any kind, are codes where all other values, nine of ten at
      least, are numbers.
    - A number such as -999 or 9999 is a code if it is the lowest or highest of its column, more than once there, and
      further from all others than these are from each other.

    Args:
        columns: the texts of each column, in which the usual codes are counted as missing.
        classes: the names of the classes, which stand in a column of their own.

    >>> import numpy as np
    >>> from qhn.table.columns import Column
    >>> [code.text for code in missing_codes([Counts.of(Column("age", np.array([*"3141", "-999", "-999"], object)))])]
    ['-999']
    """
    found: dict[str, list[str]] = {}
    reasons: dict[str, str] = {}
    for column in columns:
        for text, why in (_marks(column) | _among_numbers(column) | _sentinels(column)).items():
            found.setdefault(text, []).append(column.name)
            reasons.setdefault(text, why)
    codes = [MissingCode(text, tuple(names), reasons[text]) for text, names in found.items()]
    values = {*MISSING, *classes}
    return [code for code in codes if code.text not in values and not _is_value_elsewhere(code, columns)]


def _marks(column: Counts) -> dict[str, str]:
    """The codes of a column that no one writes for a value."""
    return {text: "is no value" for text in column.strange if text in MARKS}


def _among_numbers(column: Counts) -> dict[str, str]:
    """The codes of a column of numbers that are no numbers."""
    words = {text for text in column.strange if text.lower() in WORDS or text in MARKS}
    others = column.without(words)
    if not others.numbers or others.share_of_numbers < MOSTLY or len(others.strange) > MAX_STRANGE:
        return {}
    return dict.fromkeys(column.strange, "is no number, as all other values are")


def _sentinels(column: Counts) -> dict[str, str]:
    """The numbers of a column that stand for missing ones."""
    if column.share_of_numbers < MOSTLY:
        return {}
    suspects = {text: value for text, value in column.numbers.items() if NINES.fullmatch(text)}
    codes: dict[str, str] = {}
    for text, value in sorted(suspects.items(), key=lambda one: -abs(one[1])):
        others = [other for name, other in column.numbers.items() if name not in codes and other != value]
        if len(others) < 2 or column.counts[text] < 2:
            continue
        low, high = min(others), max(others)
        if max(low - value, value - high) > APART * (high - low):
            codes[text] = f"is far from all other values, {low:g} to {high:g}"
    return codes


def _is_value_elsewhere(code: MissingCode, columns: Sequence[Counts]) -> bool:
    """Whether a code could be a value of a column in which it was not found to be a code."""
    return any(code.text in column.counts and column.name not in code.columns for column in columns)
