"""The choice of the columns of a table that a data set learns from: the keys of ``[data]`` that speak of columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

from qhn.errors import QhnError
from qhn.table.column_encoding import Impute, without_codes
from qhn.table.columns import MISSING, Table
from qhn.table.csv_files import Dialect
from qhn.table.files import is_text
from qhn.table.values import typed
from qhn.text import in_line, name_hint, shown


@dataclass(frozen=True)
class ColumnChoice:
    """The choice of the columns of a table that are learned from, and of what they become.

    Attributes:
        label: the name of the column of classes; empty if the classes are not in the table.
        columns: names of the columns that are learned from; all but the label if empty.
        drop: names of columns that are left out.
        categorical: names of columns whose numbers stand for categories.
        missing: texts that stand for a missing value.
        impute: what stands in for a missing number: the ``"mean"`` or ``"median"`` of the training samples, with the
            most frequent category for a missing one; ``"none"`` refuses missing values.
        max_categories: the number of categories of a column that are kept, the most frequent ones; None for all.

    Raises:
        QhnError: at construction, if a name is given twice, the label is named where it cannot be, or a value is none
            of those that are allowed.
    """

    label: str = ""
    columns: Sequence[str] = ()
    drop: Sequence[str] = ()
    categorical: Sequence[str] = ()
    missing: Sequence[str] = field(default=MISSING)
    impute: Impute = "none"
    max_categories: int | None = None

    def __post_init__(self) -> None:
        for key in ("columns", "drop", "categorical", "missing"):
            names = getattr(self, key)
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise QhnError(f"{key} must be a list of texts, got {shown(names)}")
            object.__setattr__(self, key, tuple(names))
        for key in ("columns", "drop", "categorical"):
            self._check_names(key, getattr(self, key))
        self._refuse_both("columns", "drop")
        self._refuse_both("drop", "categorical")
        strangers = [name for name in self.categorical if self.columns and name not in self.columns]
        if strangers:
            raise QhnError(f"categorical names {_named(strangers[0])}, which columns leaves out; add it to columns")
        if self.impute not in get_args(Impute):
            raise QhnError(f"impute must be one of {', '.join(get_args(Impute))}, got {shown(self.impute)}")
        if self.max_categories is not None and self.max_categories < 1:
            raise QhnError(f"max_categories must be at least 1, got {shown(self.max_categories)}")

    def _check_names(self, key: str, names: Sequence[str]) -> None:
        repeated = [name for j, name in enumerate(names) if name in names[:j]]
        if repeated:
            raise QhnError(f"{key} names {_named(repeated[0])} twice; leave one out")
        if self.label and self.label in names:
            raise QhnError(
                f"{key} names {_named(self.label)}, the label, from which nothing is learned; take it out of {key}"
            )

    def _refuse_both(self, first: str, second: str) -> None:
        both = [name for name in getattr(self, first) if name in getattr(self, second)]
        if both:
            raise QhnError(f"{first} and {second} both name {_named(both[0])}; take it out of one")

    @property
    def given(self) -> tuple[str, ...]:
        """The keys that have other values than their defaults, but for the label."""
        plain = ColumnChoice()
        keys = ("columns", "drop", "categorical", "missing", "impute", "max_categories")
        return tuple(key for key in keys if getattr(self, key) != getattr(plain, key))

    def features_of(self, table: Table) -> Table:
        """The columns that are learned from: numbers, dates and categories.

        Raises:
            QhnError: if a column that is named is not there, no column is left, or a value is none of the kind of its
                column.
        """
        for key in ("columns", "drop", "categorical"):
            for name in getattr(self, key):
                if name not in table.names:
                    hint = name_hint(name, table.names)
                    raise QhnError(f"{table.source} has no column {_named(name)}, which {key} names; {hint}")
        left_out = {*self.drop, self.label}
        kept = [column for column in table if column.name not in left_out]
        if self.columns:
            kept = [table[name] for name in self.columns]
        if not kept:
            raise QhnError(f"{table.source} has no feature columns beside {_named(self.label)}")
        found = [typed(one, is_category=one.name in self.categorical, missing=self.missing) for one in kept]
        typed_table = Table(table.source, tuple(without_codes(one, tuple(self.missing)) for one in found))
        if self.impute == "none":
            _refuse_missing(typed_table)
        return typed_table


def refuse_unused(path: Path, dialect: Dialect, choice: ColumnChoice) -> None:
    """Refuse keys that say nothing about a file of its kind.

    Raises:
        QhnError: if one of them has another value than its default; the message names it.
    """
    plain = Dialect()
    written = [key for key in ("separator", "decimal", "encoding") if getattr(dialect, key) != getattr(plain, key)]
    if dialect.sheet and path.suffix.lower() != ".xlsx":
        raise QhnError(f"sheet is for Excel files, and {path} is none; leave it out")
    if path.suffix.lower() == ".npz" and (written or choice.given):
        key = (*written, *choice.given)[0]
        raise QhnError(f"{key} is for tables, and {path} is a file of arrays; leave it out")
    if written and not is_text(path):
        raise QhnError(f"{written[0]} is for text files, and {path} is none; leave it out")


def _refuse_missing(table: Table) -> None:
    """Refuse a table in which a value is missing; the message names the first one of a column."""
    for column in table:
        missing = column.is_missing
        if missing.any():
            raise QhnError(
                f'{column.gap(int(missing.argmax()))}; fill it in, remove the sample, or set data.impute = "median"'
            )


def _named(name: str) -> str:
    return in_line(repr(name))
