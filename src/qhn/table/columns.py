"""A table in memory: named columns of numbers, of dates or of texts, some of whose values may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Bools
from qhn.errors import QhnError
from qhn.text import clipped, did_you_mean, in_line, shown

Kind = Literal["number", "date", "category"]
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?")  # texts that stand for a missing value
KINDS: dict[str, Kind] = {"f": "number", "M": "date", "O": "category"}  # by the kind of the array of the values


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: the name of the column.
        values: the values ``[num_rows]``: ``float64`` with nan where a number is missing, ``datetime64[s]`` with NaT
            where a date is, or objects that are texts, and None where one is missing.

    >>> Column("age", np.array([31.0, np.nan])).is_missing.tolist()
    [False, True]
    """

    name: str
    values: NDArray[Any]

    @property
    def kind(self) -> Kind:
        """What the values are: numbers, dates, or categories, which are texts."""
        return KINDS[self.values.dtype.kind]

    @property
    def is_missing(self) -> Bools:
        """Where a value is missing, ``[num_rows]``."""
        if self.kind == "category":
            return np.array([value is None for value in self.values], dtype=bool)
        missing: Bools = np.isnan(self.values) if self.kind == "number" else np.isnat(self.values)
        return missing


@dataclass(frozen=True)
class Table:
    """The columns of a table, all of the same length and with names of their own.

    Attributes:
        source: where the table comes from, for messages.
        columns: the columns in order.

    Raises:
        QhnError: at construction, if two columns have the same name or lengths differ.

    >>> table = Table("two rows", (Column("age", np.array([31.0, 40.0])), Column("sex", np.array(["f", None], object))))
    >>> table.names, table.num_rows, table["sex"].kind
    (('age', 'sex'), 2, 'category')
    """

    source: str
    columns: tuple[Column, ...]

    def __post_init__(self) -> None:
        repeated = sorted({name for name in self.names if self.names.count(name) > 1})
        if repeated:
            raise QhnError(f"{self.source} has several columns named {shown(repeated[0])}; give each its own name")
        if len({len(column.values) for column in self.columns}) > 1:
            raise QhnError(f"{self.source} must have columns of the same length")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns in order."""
        return tuple(column.name for column in self.columns)

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return len(self.columns[0].values) if self.columns else 0

    def __iter__(self) -> Iterator[Column]:
        return iter(self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        hint = did_you_mean(name, self.names, otherwise=clipped(f"it has {', '.join(map(in_line, self.names))}"))
        raise QhnError(f"{self.source} has no column {in_line(repr(name))}; {hint}")

    def only(self, names: Iterable[str]) -> Table:
        """The table of some of the columns, in the order of ``names``.

        Raises:
            QhnError: if there is no column of a name.
        """
        return Table(self.source, tuple(self[name] for name in names))

    def without(self, names: Iterable[str]) -> Table:
        """The table of all columns but some.

        Raises:
            QhnError: if there is no column of a name.
        """
        left_out = {self[name].name for name in names}
        return Table(self.source, tuple(column for column in self.columns if column.name not in left_out))

    def rows(self, places: NDArray[Any]) -> Table:
        """The table of some of the rows, by a mask or by their places from 0."""
        return Table(self.source, tuple(Column(column.name, column.values[places]) for column in self.columns))
