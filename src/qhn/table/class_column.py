"""The column of a table that holds the classes: by its name, or asked for with those that could be it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qhn.errors import QhnError
from qhn.table.columns import Table
from qhn.table.counts import Counts
from qhn.text import in_line

NAMES = ("label", "labels", "target", "class", "classes", "y", "outcome", "klasse", "zielvariable", "ziel", "category")
MAX_VALUES = 20  # different values up to which a column could hold classes
MAX_LISTED = 6  # columns that a message names
RARE = 5.0  # how many times more samples the largest class has than the smallest where classes are unbalanced


@dataclass(frozen=True)
class Classes:
    """The classes of a table.

    Attributes:
        column: the name of the column that holds them.
        counts: the number of rows of each class, in order of the names.
        num_missing: the number of rows without a class.
    """

    column: str
    counts: dict[str, int]
    num_missing: int

    @property
    def are_unbalanced(self) -> bool:
        """Whether the largest class has several times as many samples as the smallest."""
        return max(self.counts.values()) > RARE * min(self.counts.values())

    @property
    def majority(self) -> tuple[str, float]:
        """The largest class and its share of the rows with a class."""
        name = max(self.counts, key=lambda one: self.counts[one])
        return name, self.counts[name] / sum(self.counts.values())


def classes_of(table: Table, label: str | None) -> Classes:
    """The classes of a table.

    Args:
        table: the table.
        label: the name of the column that holds them; None for the one whose name says so.

    Raises:
        QhnError: if no name says which column it is, or several do, or it holds no classes; the message names the
            columns that could be it.

    >>> import numpy as np
    >>> from qhn.table.columns import Column
    >>> classes_of(Table("here", (Column("Class", np.array(["a", "b", "a"], object)),)), None).counts
    {'a': 2, 'b': 1}
    """
    name = _named(table, label)
    found = Counts.of(table[name])
    if len(found.counts) < 2:
        raise QhnError(
            f"{table.source}: {in_line(repr(name))} holds {'one value' if found.counts else 'nothing'}, and classes "
            f"are two or more; {_asked_for(table, without=name)}"
        )
    if _is_measured(found):
        low, high = min(found.numbers.values()), max(found.numbers.values())
        raise QhnError(
            f"{table.source}: {in_line(repr(name))} holds {len(found.counts):,} different numbers from {low:g} to "
            f"{high:g}: to predict them is regression, and qhn learns classes; make a column of two or three classes "
            f"of it, such as low and high, or {_asked_for(table, without=name)}"
        )
    return Classes(name, dict(sorted(found.counts.items())), found.num_missing)


def _named(table: Table, label: str | None) -> str:
    """The name of the column of classes."""
    if label is not None:
        return table[label].name
    named = [name for name in table.names if name.lower() in NAMES]
    if len(named) == 1:
        return named[0]
    if named:
        raise QhnError(f"{table.source}: {_listed(named)} could each hold the classes; name one with --label")
    raise QhnError(f"{table.source}: no column is named label, target or class; {_asked_for(table)}")


def _asked_for(table: Table, without: str = "") -> str:
    """What to give as label: the columns that could hold classes, those of the fewest values first."""
    counts = [Counts.of(column) for column in table if column.name != without]
    could_be = [one for one in counts if _could_be_classes(one)]
    if not could_be:
        return f"name the column of classes with --label: none has between 2 and {MAX_VALUES} different values"
    could_be.sort(key=lambda one: len(one.counts))
    listed = _listed([one.name for one in could_be], [f" ({len(one.counts)} values)" for one in could_be])
    return f"name the column of classes with --label, which could be {listed}"


def _listed(names: Sequence[str], more: Sequence[str] = ()) -> str:
    """Names of columns in a message."""
    after = more or [""] * len(names)
    words = [f"{in_line(repr(name), 40)}{what}" for name, what in zip(names, after, strict=True)][:MAX_LISTED]
    return ", ".join(words) + f" and {len(names) - MAX_LISTED:,} more" * (len(names) > MAX_LISTED)


def _could_be_classes(counts: Counts) -> bool:
    """Whether a column has few different values, and more rows than that."""
    return 2 <= len(counts.counts) <= MAX_VALUES and 2 * len(counts.counts) <= counts.num_rows


def _is_measured(counts: Counts) -> bool:
    """Whether the values are numbers that are measured rather than names of classes."""
    if counts.strange or len(counts.counts) <= 2:
        return False
    is_whole = all(value.is_integer() for value in counts.numbers.values())
    return len(counts.counts) > (MAX_VALUES if is_whole else MAX_VALUES // 2)
