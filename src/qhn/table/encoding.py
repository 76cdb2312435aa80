"""How the columns of a table become features: fills and categories, learned from the training part of the data."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.table.columns import MISSING, Column, Kind, Table
from qhn.table.frames import table_of
from qhn.table.values import as_kind, days
from qhn.text import parse_json

Impute = Literal["none", "mean", "median"]


@dataclass(frozen=True)
class ColumnEncoding:
    """How a column becomes features.

    A number is a feature as it is, and a date as days since the beginning of 1970. A category of K values is K
    features, of which that of its value is 1 and the others 0; one of two values is one feature, which is 1 for the
    second.

    Attributes:
        name: the name of the column.
        kind: what its values are.
        fill: what stands in for a missing value: a number, a date in days, or a category; None if a missing value is
            refused.
        categories: the values of a category.
    """

    name: str
    kind: Kind
    fill: float | str | None = None
    categories: tuple[str, ...] = ()

    @classmethod
    def fit(cls, column: Column, impute: Impute) -> ColumnEncoding:
        """The encoding that is learned from the values of a column.

        Args:
            column: the column, of training samples.
            impute: what stands in for a missing number or date; of categories it is the most frequent one.
        """
        if column.kind == "category":
            names, counts = np.unique([text for text in column.values if text is not None], return_counts=True)
            usual = str(names[counts.argmax()]) if len(names) and impute != "none" else None
            return cls(column.name, "category", usual, tuple(map(str, names)))
        values = column.values if column.kind == "number" else days(column)
        known = values[~np.isnan(values)]
        if impute == "none" or not len(known):
            return cls(column.name, column.kind)
        return cls(column.name, column.kind, float(np.mean(known) if impute == "mean" else np.median(known)))

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name per feature."""
        if self.kind != "category":
            return (self.name,)
        shown = self.categories[1:] if len(self.categories) == 2 else self.categories
        return tuple(f"{self.name} = {category}" for category in shown)

    def features(self, column: Column) -> Floats:
        """The features of a column of this kind: ``[num_rows, num_features]``.

        Raises:
            QhnError: if a value is missing and nothing stands in for it.
        """
        missing = column.is_missing
        if missing.any() and self.fill is None:
            raise QhnError(
                f"{column.gap(int(missing.argmax()))}; fill it in, remove the sample, or train with data.impute = "
                '"median"'
            )
        if self.kind != "category":
            values = column.values if self.kind == "number" else days(column)
            filled: Floats = np.array(values, dtype=np.float64)[:, None]
            filled[missing] = self.fill
            return filled
        texts = column.values.copy()
        texts[missing] = self.fill
        chosen = np.stack([texts == category for category in self.categories], axis=-1).astype(np.float64)
        if len(self.categories) == 2:
            return 0.5 * (1.0 + chosen[:, 1:] - chosen[:, :1])  # midway for a value that is neither
        return chosen


@dataclass(frozen=True)
class Encoding:
    """How a table becomes features, column by column.

    Attributes:
        columns: how each column does, in order.
        missing: the texts that stand for a missing value.

    >>> table = Table("here", (Column("age", np.array([31.0, np.nan, 40.0])),))
    >>> Encoding.fit(table, "mean").features({"age": [20.0, None]}).tolist()
    [[20.0], [35.5]]
    """

    columns: tuple[ColumnEncoding, ...]
    missing: tuple[str, ...] = MISSING

    @classmethod
    def fit(cls, table: Table, impute: Impute = "none", missing: tuple[str, ...] = MISSING) -> Encoding:
        """The encoding that is learned from a table of training samples."""
        return cls(tuple(ColumnEncoding.fit(column, impute) for column in table), missing)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name per feature."""
        return tuple(name for column in self.columns for name in column.feature_names)

    @property
    def is_plain(self) -> bool:
        """Whether columns are the features: numbers, of which none may be missing."""
        return all(column.kind == "number" and column.fill is None for column in self.columns)

    def features(self, x: Any) -> Floats:
        """The features of a table as it comes: ``[num_rows, num_features]``.

        Args:
            x: a data frame, a mapping of columns by name, a :class:`Table`, or rows with the columns in order.

        Raises:
            QhnError: if a column is missing, or a value is none of its kind.
        """
        table = table_of(x, tuple(column.name for column in self.columns))
        parts = [one.features(as_kind(table[one.name], one.kind, self.missing)) for one in self.columns]
        return np.concatenate(parts, axis=1)

    def to_text(self) -> str:
        """The encoding as JSON, which :meth:`from_text` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Encoding:
        """The encoding of a JSON text.

        Raises:
            ValueError: if it is none.
        """
        tree = parse_json(text)
        columns = tuple(ColumnEncoding(**{**one, "categories": tuple(one["categories"])}) for one in tree["columns"])
        return cls(columns, tuple(tree["missing"]))
