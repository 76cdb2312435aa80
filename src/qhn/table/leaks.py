"""What makes validation samples look better than samples that come later: columns that hold the class, and copies."""

from __future__ import annotations

from collections.abc import Sequence

from qhn.table.columns import Column, Table

MAX_VALUES = 20  # different values up to which a column is compared with the classes
MIN_ROWS = 10  # rows of each value from which on it is no chance that all have one class, on average


def telling_columns(table: Table, label: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names of the columns that hold the class: all rows with the same value have the same class.

    Args:
        table: the table.
        label: the name of the column of classes.
        names: the names of the columns that are asked about.

    >>> import numpy as np
    >>> rows = {"x": list("pqpq") * 5, "copy": list("1122") * 5, "y": list("aabb") * 5}
    >>> table = Table("here", tuple(Column(name, np.array(one, object)) for name, one in rows.items()))
    >>> telling_columns(table, "y", ["x", "copy"])
    ('copy',)
    """
    classes = _texts(table[label])
    return tuple(name for name in names if _tells(_texts(table[name]), classes))


def num_repeated(table: Table) -> int:
    """The number of rows that are the same as an earlier one in all columns."""
    return table.num_rows - len(set(zip(*(_texts(column) for column in table), strict=True)))


def _tells(values: Sequence[str], classes: Sequence[str]) -> bool:
    """Whether all rows with the same value have the same class, each value standing in many rows on average."""
    num = len(set(values))
    if not 2 <= num <= MAX_VALUES or len(values) < MIN_ROWS * num:
        return False
    return len(set(zip(values, classes, strict=True))) == num


def _texts(column: Column) -> list[str]:
    """The values of a column as texts without spaces around them."""
    return [str(value).strip() for value in column.values.tolist()]
