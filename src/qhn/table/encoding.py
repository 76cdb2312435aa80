"""How the columns of a table become features: fills and categories, learned from the training part of the data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, get_args

import numpy as np

from qhn import limits
from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import is_number
from qhn.table.column_encoding import ColumnEncoding, Impute
from qhn.table.columns import MISSING, Kind, Table
from qhn.table.frames import table_of
from qhn.table.number_marks import THOUSANDS, USUAL, Marks
from qhn.table.values import MAX_FEATURE
from qhn.text import counted, parse_json, shown

MAX_LINES = 20  # of columns in a description


@dataclass(frozen=True)
class Encoding:
    """How a table becomes features, column by column.

    Attributes:
        columns: how each column does, in order.
        missing: the texts that stand for a missing value.
        impute: how what stands in for missing numbers was found.
        num_rows: the number of training samples from which all was learned; 0 if from none.
        marks: the marks before decimals and between thousands in the text from which all was learned; a text whose
            numbers can be read in several ways is read with them.

    >>> table = table_of({"age": [31.0, None, 40.0]})
    >>> Encoding.fit(table, "mean").features({"age": [20.0, None]}).tolist()
    [[20.0], [35.5]]
    """

    columns: tuple[ColumnEncoding, ...]
    missing: tuple[str, ...] = MISSING
    impute: Impute = "none"
    num_rows: int = 0
    marks: Marks = USUAL

    @classmethod
    def fit(
        cls,
        table: Table,
        impute: Impute = "none",
        missing: Sequence[str] = MISSING,
        max_categories: int | None = None,
    ) -> Encoding:
        """The encoding that is learned from a table of training samples.

        Args:
            table: the training samples.
            impute: what stands in for a missing number or date, with the most frequent category for a missing one;
                ``"none"`` refuses missing values.
            missing: the texts that stand for a missing value.
            max_categories: the number of categories of a column that are kept, the most frequent ones; None for all.

        Raises:
            QhnError: if a column has too many categories.
        """
        found = tuple(ColumnEncoding.fit(column, impute, max_categories) for column in table)
        origins = [column.origin for column in table]
        marks = (origins[0].decimal, origins[0].thousands) if origins else USUAL
        return cls(found, tuple(missing), impute, table.num_rows, marks)

    @classmethod
    def of_numbers(cls, names: Sequence[str]) -> Encoding:
        """The encoding of columns that are the features: numbers, of which none may be missing."""
        return cls(tuple(ColumnEncoding(name, "number") for name in names))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name per feature."""
        return tuple(name for column in self.columns for name in column.feature_names)

    @property
    def is_plain(self) -> bool:
        """Whether columns are the features: numbers as programs write them, of which none may be missing."""
        are_numbers = all(column.kind == "number" and column.fill is None for column in self.columns)
        return are_numbers and self.missing == MISSING and self.marks == USUAL

    def features(self, x: Any) -> Floats:
        """The features of a table as it comes: ``[num_rows, num_features]``.

        Args:
            x: a data frame, a mapping of columns by name, a :class:`Table`, or rows with the columns in order.

        Raises:
            QhnError: if a column is missing, a value is none of its kind, or is missing and nothing stands in for it.
        """
        table = self.read(table_of(x, [column.name for column in self.columns]))
        parts = [one.features(table[one.name]) for one in self.columns]
        return np.concatenate([np.empty((table.num_rows, 0)), *parts], axis=1)

    def read(self, table: Table) -> Table:
        """The columns that become features, each as one of its kind.

        Args:
            table: a table, whose columns may all be texts.

        Raises:
            QhnError: if a column is missing, or a value is none of its kind.
        """
        return Table(table.source, tuple(one.read(table[one.name], self.missing) for one in self.columns))

    def summary(self) -> list[str]:
        """How many features the columns became, and then what became of columns that are no plain numbers, as lines.

        >>> table = table_of({"age": [31.0, None, 40.0], "height": [1.7, 1.8, 1.6]})
        >>> Encoding.fit(table, "median").summary()
        ['2 features of 2 columns', 'age: 1 of 3 missing, median 35.5 stands in']
        """
        lines = [line for column in self.columns if (line := column.summary(self.num_rows, self.impute))]
        more = [f"and {len(lines) - MAX_LINES:,} more columns"] * (len(lines) > MAX_LINES)
        head = f"{counted(len(self.feature_names), 'feature')} of {counted(len(self.columns), 'column')}"
        return [head, *lines[:MAX_LINES], *more]

    def to_text(self) -> str:
        """The encoding as JSON, which :meth:`from_text` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Encoding:
        """The encoding of a JSON text.

        Raises:
            ValueError: if it is none; the message says what is wrong.
        """
        limits.TEXT.check(len(text), "encoding has", "characters")
        tree = _with_keys(parse_json(text), cls)
        columns = tree["columns"]
        if not isinstance(columns, list) or not columns:
            raise QhnError(f"encoding must have a list of columns, got {shown(columns)}")
        found = cls(
            tuple(map(_column, columns)),
            _texts("missing of the encoding", tree["missing"]),
            tree["impute"],
            _count("num_rows of the encoding", tree["num_rows"]),
            _marks(tree["marks"]),
        )
        if found.impute not in get_args(Impute):
            raise QhnError(
                f"impute of the encoding must be one of {', '.join(get_args(Impute))}, got {shown(found.impute)}"
            )
        names = [column.name for column in found.columns]
        if len(set(names)) < len(names):
            raise QhnError("encoding must have columns of different names")
        return found


def _column(tree: Any) -> ColumnEncoding:
    """How a column is encoded, from a tree of JSON.

    Raises:
        QhnError: if it cannot be; the message names the column and the key.
    """
    tree = _with_keys(tree, ColumnEncoding)
    name, kind, fill = tree["name"], tree["kind"], tree["fill"]
    if not isinstance(name, str):
        raise QhnError(f"name of a column must be a text, got {shown(name)}")
    of = f"of column {shown(name)}"
    if kind not in get_args(Kind):
        raise QhnError(f"kind {of} must be one of {', '.join(get_args(Kind))}, got {shown(kind)}")
    categories = _texts(f"categories {of}", tree["categories"])
    if len(set(categories)) < len(categories) or (categories and kind != "category"):
        raise QhnError(f"categories {of} must be different texts, and a {kind} has {len(categories):,}")
    if kind == "category" and not (fill is None or isinstance(fill, str)):
        raise QhnError(f"fill {of} must be a text or null, got {shown(fill)}")
    if kind != "category" and not (fill is None or (is_number(fill) and abs(fill) <= MAX_FEATURE)):
        raise QhnError(f"fill {of} must be a number up to {MAX_FEATURE:g} or null, got {shown(fill)}")
    if not isinstance(tree["has_others"], bool):
        raise QhnError(f"has_others {of} must be true or false, got {shown(tree['has_others'])}")
    if kind == "category" and fill is not None and fill not in categories:
        raise QhnError(f"fill {of} must be one of its categories, got {shown(fill)}")
    number = fill if fill is None or isinstance(fill, str) else float(fill)
    return ColumnEncoding(
        name, kind, number, categories, tree["has_others"], _count(f"num_missing {of}", tree["num_missing"])
    )


def _with_keys(tree: Any, kind: type) -> dict[str, Any]:
    """A tree of JSON that has exactly the keys of a dataclass.

    Raises:
        QhnError: if it has others.
    """
    keys = {field.name for field in fields(kind)}
    if not isinstance(tree, dict) or tree.keys() != keys:
        raise QhnError(f"encoding must have objects with the keys {', '.join(sorted(keys))}, got {shown(tree)}")
    return tree


def _texts(what: str, values: Any) -> tuple[str, ...]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise QhnError(f"{what} must be a list of texts, got {shown(values)}")
    return tuple(values)


def _marks(value: Any) -> Marks:
    """The marks in numbers, from a tree of JSON.

    Raises:
        QhnError: if they are none.
    """
    if not (isinstance(value, list) and len(value) == 2 and value[0] in (".", ",") and value[1] in ("", *THOUSANDS)):
        raise QhnError(f"marks of the encoding must be those before decimals and between thousands, got {shown(value)}")
    return value[0], value[1]


def _count(what: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise QhnError(f"{what} must be a whole number from 0, got {shown(value)}")
    return value
