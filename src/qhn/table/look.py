"""A look at a table before anything is learned from it: of what kind each column is, and what it could be good for."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.table.columns import MISSING, Column, Kind, Table
from qhn.table.counts import Counts
from qhn.table.missing_codes import MissingCode, missing_codes
from qhn.table.suspicion import is_named_identifier, suspicion_of, words_of
from qhn.table.values import typed
from qhn.text import in_line, shown

Seen = Literal["number", "code", "date", "category", "text", "empty"]
Use = Literal["number", "date", "categories", "dropped"]

NUM_EXAMPLES = 3
KEPT_CATEGORIES = 8  # values of a column that become features of their own, each of which takes qubits
MAX_CODES = 20  # different whole numbers that can be codes
MOSTLY_FREQUENT = 0.5  # share of the rows that the most frequent values must have, if others count for nothing
MOSTLY_MISSING = 0.5  # share of missing values above which a column would say what fills them
NEARLY_ALL = 0.5  # share of different texts from which on they name rows rather than kinds of them
MOSTLY_NUMBERS = 0.5  # share of numbers from which on texts are exceptions
MOSTLY = 0.9  # share of the values from which on a column is of their kind, with exceptions
FREE_TEXT_WORDS = 4.0  # mean number of words from which on a text is written freely
CODE_WORDS = ("code", "codes", "zip", "zipcode", "plz", "postcode", "postal", "type", "typ", "category", "kategorie")
LEADING_ZERO = re.compile(r"0[0-9]+")
FOREIGN_DATE = re.compile(
    r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}/\d{1,2}/\d{1,2}|\d{1,2}[ .-]*[A-Za-zä]{3,9}[ .,-]*\d{2,4}"
    r"|[A-Za-zä]{3,9}\.? \d{1,2},? \d{4}|\d{1,2}:\d{2}(:\d{2})?"
)


@dataclass(frozen=True)
class ColumnLook:
    """What a look at a column shows.

    Attributes:
        name: the name of the column.
        seen: what its values are.
        num_different: the number of different values.
        share_missing: the share of the rows without a value.
        examples: some values, the most frequent ones first.
        use: what it becomes.
        why: why it is dropped or taken for categories, as a part of a sentence; empty if that goes without saying.
    """

    name: str
    seen: Seen
    num_different: int
    share_missing: float
    examples: tuple[str, ...]
    use: Use
    why: str = ""

    @property
    def is_clipped(self) -> bool:
        """Whether only the most frequent values become features."""
        return self.use == "categories" and self.num_different > KEPT_CATEGORIES

    @property
    def num_features(self) -> int:
        """The number of features that the column becomes, if the training samples hold all of its values."""
        if self.is_dropped:
            return 0
        is_one = self.use != "categories" or self.num_different == 2
        return 1 if is_one else min(self.num_different, KEPT_CATEGORIES)

    @property
    def is_dropped(self) -> bool:
        """Whether nothing is learned from the column."""
        return self.use == "dropped"


@dataclass(frozen=True)
class Look:
    """What a look at a table shows, but for the column of classes.

    Attributes:
        num_rows: the number of rows.
        columns: what each column shows, in order.
        codes: texts that stand for missing values, beyond those that always do.
    """

    num_rows: int
    columns: tuple[ColumnLook, ...]
    codes: tuple[MissingCode, ...] = ()

    def __iter__(self) -> Iterator[ColumnLook]:
        return iter(self.columns)

    @property
    def missing(self) -> tuple[str, ...]:
        """The texts that stand for a missing value."""
        return (*MISSING, *(code.text for code in self.codes))

    @property
    def dropped(self) -> tuple[ColumnLook, ...]:
        """The columns from which nothing is learned."""
        return tuple(column for column in self if column.is_dropped)

    @property
    def kept(self) -> tuple[ColumnLook, ...]:
        """The columns that are learned from."""
        return tuple(column for column in self if not column.is_dropped)


def look_at(table: Table, classes: Collection[str] = ()) -> Look:
    """What a look at the columns of a table shows.

    Args:
        table: the table as it is read, without its column of classes.
        classes: the names of the classes, none of which can stand for a missing value.

    >>> table = Table("here", (Column("zip", np.array(["01067", "80331", "01067"], object)),))
    >>> (column,) = look_at(table)
    >>> column.seen, column.use, column.why
    ('code', 'categories', 'its numbers are codes: some begin with 0')
    """
    counts = [Counts.of(column) for column in table]
    texts = [one for one, column in zip(counts, table, strict=True) if column.kind == "category"]
    codes = missing_codes(texts, classes)
    missing = [code.text for code in codes]
    seen = [
        _look(one.without(missing), column, (*MISSING, *missing), is_first=place == 0)
        for place, (one, column) in enumerate(zip(counts, table, strict=True))
    ]
    return Look(table.num_rows, tuple(seen), tuple(codes))


def _look(counts: Counts, column: Column, missing: Sequence[str], is_first: bool) -> ColumnLook:
    """What a look at a column shows, whose texts are counted without those that stand for missing values."""
    try:
        kind, fault = typed(column, missing=missing).kind, ""
    except QhnError as error:
        kind, fault = "category", in_line(error, 200)
    seen = _seen(counts, kind)
    use, why = _use(counts, column, seen, is_first)
    if fault and use != "dropped" and seen != "code":
        use, why = "dropped", fault
    return ColumnLook(
        counts.name,
        seen,
        len(counts.counts),
        counts.num_missing / counts.num_rows if counts.num_rows else 0.0,
        tuple(text for text, _ in counts.counts.most_common(NUM_EXAMPLES)),
        use,
        why,
    )


def _seen(counts: Counts, kind: Kind) -> Seen:
    """What the values of a column are, which is read as one of a kind."""
    if not counts.num_known:
        return "empty"
    if kind == "number":
        return "code" if _why_codes(counts) else "number"
    if kind == "date":
        return "date"
    if len(counts.counts) > KEPT_CATEGORIES and (_names_rows(counts) or _words(counts) >= FREE_TEXT_WORDS):
        return "text"
    return "category"


def _use(counts: Counts, column: Column, seen: Seen, is_first: bool) -> tuple[Use, str]:
    """What a column becomes, and why, as far as that does not go without saying."""
    if seen == "empty":
        return "dropped", "it is empty"
    if len(counts.counts) == 1:
        return "dropped", f"it has the same value in all rows{' but empty ones' * bool(counts.num_missing)}"
    if counts.num_missing > MOSTLY_MISSING * counts.num_rows:
        return "dropped", "most of its values are missing"
    if seen == "number":
        suspicion = suspicion_of(counts.name, _numbers_in_order(counts, column), is_first)
        return ("number", "") if suspicion is None else ("dropped", f"it {suspicion.value}")
    if seen == "date":
        return "date", "as days since 1970"
    return _use_of_texts(counts, seen)


def _use_of_texts(counts: Counts, seen: Seen) -> tuple[Use, str]:
    """What a column of codes or texts becomes, and why."""
    num = len(counts.counts)
    if seen == "code" and num <= KEPT_CATEGORIES:
        return "categories", f"its numbers are codes: {_why_codes(counts)}"
    if _share(counts, FOREIGN_DATE) >= MOSTLY:
        return "dropped", "its dates or times are not written as 2024-12-31; write them so, or as numbers"
    if counts.strange and counts.share_of_numbers > MOSTLY_NUMBERS:
        return "dropped", f"it mixes numbers with texts such as {shown(counts.strange.most_common(1)[0][0])}"
    if is_named_identifier(counts.name) and num > KEPT_CATEGORIES:
        return "dropped", "it looks like an identifier"
    if seen == "text" and _names_rows(counts):
        return "dropped", f"it has {num:,} different texts in {counts.num_rows:,} rows"
    if seen == "text":
        return "dropped", "it is free text"
    if num > KEPT_CATEGORIES:
        frequent = sum(count for _, count in counts.counts.most_common(KEPT_CATEGORIES)) / counts.num_known
        if frequent < MOSTLY_FREQUENT:
            return "dropped", f"it has {num:,} different values, and each would be a feature"
        return "categories", f"{KEPT_CATEGORIES} of {num:,} values, which are {100 * frequent:.0f} % of the rows"
    return "categories", ""


def _why_codes(counts: Counts) -> str:
    """Why the numbers of a column stand for categories; empty if they do not.

    No one writes a number with a zero in front of it. Whole numbers of few values are codes if the name says so; others
    stay numbers, which take one feature where categories would take one each.
    """
    if any(LEADING_ZERO.fullmatch(text) for text in counts.counts):
        return "some begin with 0"
    is_code = bool({*re.split(r"[^a-zäöü]+", words_of(counts.name))} & {*CODE_WORDS})
    is_whole = all(counts.numbers[text].is_integer() for text in counts.counts if text in counts.numbers)
    return "its name says so" if is_code and is_whole and 2 < len(counts.counts) <= MAX_CODES else ""


def _numbers_in_order(counts: Counts, column: Column) -> Floats:
    """The numbers of a column ``[num_rows]``; missing ones are nan."""
    if column.kind == "number":
        return column.values
    texts = ("" if text is None else str(text).strip() for text in column.values)
    return np.array([counts.numbers.get(text, np.nan) for text in texts])


def _names_rows(counts: Counts) -> bool:
    """Whether nearly as many different texts are there as rows with one."""
    return len(counts.counts) > NEARLY_ALL * counts.num_known


def _words(counts: Counts) -> float:
    """The mean number of words of a different text."""
    return float(np.mean([len(text.split()) for text in counts.counts]))


def _share(counts: Counts, pattern: re.Pattern[str]) -> float:
    """The share of the different texts that have a form."""
    return float(np.mean([pattern.fullmatch(text) is not None for text in counts.counts]))
