"""A table in memory: named columns of numbers, of dates or of texts, some of whose values may be missing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Bools
from qhn.errors import QhnError
from qhn.text import in_line, name_hint, shown

Kind = Literal["number", "date", "category"]
MISSING = ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "?")  # texts that stand for a missing value
KINDS: dict[str, Kind] = {"f": "number", "M": "date", "O": "category"}  # by the kind of the array of the values


@dataclass(frozen=True)
class Origin:
    """Where the rows of a table stand, for messages, and how its texts are written.

    Attributes:
        source: what holds the rows, such as the path of a file.
        word: what a row is called there: ``"row"``, or ``"line"`` in a text file.
        numbers: the number of each row there, ``[num_rows]``; None if rows are counted from 1.
        decimal: the mark between a number that is written as text and its decimals.
        thousands: the mark between thousands that stood in the source, and is left out; empty for none.

    >>> Origin("heart.csv", "line", np.array([2, 5])).place(1)
    'heart.csv line 5'
    """

    source: str = ""
    word: str = "row"
    numbers: NDArray[np.int64] | None = None
    decimal: str = "."
    thousands: str = ""

    def place(self, row: int) -> str:
        """The place of a row, which is counted from 0."""
        number = row + 1 if self.numbers is None else self.numbers[row]
        return f"{self.source} {self.word} {number}".lstrip()

    def rows(self, places: NDArray[Any], num_rows: int) -> Origin:
        """The origin of some of ``num_rows`` rows, by a mask or by their places from 0."""
        numbers = np.arange(1, num_rows + 1) if self.numbers is None else self.numbers
        return replace(self, numbers=numbers[places])


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        name: the name of the column.
        values: the values ``[num_rows]``: ``float64`` with nan where a number is missing, ``datetime64[s]`` with NaT
            where a date is, or objects that are texts, and None where one is missing.
        given: the values as they came, ``[num_rows]``, such as integers, truth values, or the texts of a file; None if
            they came as they are.
        origin: where the rows stand.
        is_categorical: whether the texts are categories, even if they look like numbers or dates.

    >>> Column("age", np.array([31.0, np.nan])).is_missing.tolist()
    [False, True]
    """

    name: str
    values: NDArray[Any]
    given: NDArray[Any] | None = None
    origin: Origin = Origin()
    is_categorical: bool = False

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

    @property
    def own_values(self) -> NDArray[Any]:
        """The values in the type in which they came if that is one of numpy, such as integers or truth values."""
        return self.values if self.given is None or self.given.dtype.kind == "O" else self.given

    def line(self, row: int) -> str:
        """The place of a row, which is counted from 0, such as ``heart.csv line 3``."""
        return self.origin.place(row)

    def place(self, row: int) -> str:
        """The place of a value, whose row is counted from 0, such as ``heart.csv line 3, column 'age'``."""
        return f"{self.line(row)}, column {in_line(repr(self.name))}"

    def gap(self, row: int) -> str:
        """What a message says of a missing value, whose row is counted from 0: its place, and what stands there."""
        text = "" if self.given is None else self.given[row]
        if not isinstance(text, str) or not text.strip():
            return f"{self.place(row)} is empty"
        is_number = text.strip().lower().endswith("nan")
        return f"{self.place(row)}: {shown(text.strip())} {'is not finite' if is_number else 'is a missing value'}"

    def with_values(self, values: NDArray[Any]) -> Column:
        """The column with its values in another form, ``[num_rows]``."""
        return replace(self, values=values, given=self.values if self.given is None else self.given)

    def rows(self, places: NDArray[Any]) -> Column:
        """The column of some of the rows, by a mask or by their places from 0."""
        return replace(
            self,
            values=self.values[places],
            given=None if self.given is None else self.given[places],
            origin=self.origin.rows(places, len(self.values)),
        )


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
        refuse_repeated(self.source, self.names)
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
        return self.columns[place_of(name, self.names, self.source)]

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
        return Table(self.source, tuple(column.rows(places) for column in self.columns))


def place_of(name: str, names: tuple[str, ...], source: str) -> int:
    """The place of a column among the names of all.

    Args:
        name: the name of the column.
        names: the names of all columns in order.
        source: what has the columns, for messages.

    Raises:
        QhnError: if there is none of the name; the message says which names there are.
    """
    if name not in names:
        hint = name_hint(name, names)
        if sum(one.replace(".", "", 1).isdecimal() for one in names) * 2 > len(names):
            hint += "; add a header line with the names of the columns if the first line holds values"
        raise QhnError(f"{source} has no column {in_line(repr(name))}; {hint}")
    return names.index(name)


def refuse_repeated(source: str, names: tuple[str, ...]) -> None:
    """Refuse columns of the same name.

    Raises:
        QhnError: if a name occurs twice; the message says at which places an empty one does.
    """
    if len(set(names)) == len(names):
        return
    repeated = next(name for j, name in enumerate(names) if name in names[:j])
    places = [str(j + 1) for j, name in enumerate(names) if name == repeated]
    if not repeated:
        raise QhnError(f"{source} has no name for columns {' and '.join(places[:2])}; give each its own name")
    raise QhnError(f"{source} has several columns named {shown(repeated)}; give each its own name")
