"""Columns of numbers from which nothing can be learned: numbers of rows, identifiers, constants."""

from __future__ import annotations

import re
from enum import StrEnum

import numpy as np

from qhn.arrays import Floats

MIN_COUNTED = 10  # rows from which on a column that counts them is taken for their number
IDENTIFIERS = ("id", "index", "key", "uuid", "rowid", "number", "nr", "no")  # last words of their names
UNNAMED = ("", "Unnamed: 0")  # of the column in which a data frame that is written as CSV counts its rows


class Suspicion(StrEnum):
    """What speaks against learning from a column, as the end of a sentence about it."""

    NUMBER = "has no name and counts the rows"
    IDENTIFIER = "looks like an identifier"
    CONSTANT = "has the same value in all rows"


def suspicion_of(name: str, values: Floats, is_first: bool = False) -> Suspicion | None:
    """What speaks against learning from a column of numbers; None if nothing does.

    A column is taken for an identifier if it counts the rows, or if its name says so and its numbers are whole and all
    different.

    Args:
        name: the name of the column.
        values: the numbers ``[num_rows]``, nan where one is missing.
        is_first: whether it is the first column of its table.

    >>> suspicion_of("patientId", np.array([17.0, 4.0, 99.0])).value
    'looks like an identifier'
    """
    known = values[~np.isnan(values)]
    if not len(known) or len(np.unique(known)) == 1:
        return Suspicion.CONSTANT
    if len(known) < len(values) or (known != np.round(known)).any():
        return None
    counts = bool((np.diff(known) == 1).all())
    if is_first and name in UNNAMED and counts:
        return Suspicion.NUMBER
    names_rows = is_named_identifier(name) and len(np.unique(known)) == len(known)
    return Suspicion.IDENTIFIER if names_rows or (counts and len(known) >= MIN_COUNTED) else None


def is_named_identifier(name: str) -> bool:
    """Whether the last word of a column's name says that it holds identifiers.

    >>> [is_named_identifier(name) for name in ("patient_id", "patientId", "valid")]
    [True, True, False]
    """
    return re.split(r"[^a-z]+", words_of(name))[-1] in IDENTIFIERS


def words_of(name: str) -> str:
    """A name in small letters, with a space before each word of a name such as ``patientId``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
