"""The different texts of a column and how often each stands there, by which a table is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from qhn.table.columns import MISSING, Column
from qhn.table.values import as_kind, number_of


@dataclass(frozen=True)
class Counts:
    """The different texts of a column and how often each stands there.

    Attributes:
        name: the name of the column.
        counts: the number of rows of each text, without spaces around it.
        num_missing: the number of rows whose value is missing.
        decimal: the mark between a number and its decimals.

    >>> import numpy as np
    >>> found = Counts.of(Column("age", np.array(["31", "40", "-", "31", ""], object)))
    >>> found.counts, found.num_missing, found.strange
    (Counter({'31': 2, '40': 1, '-': 1}), 1, Counter({'-': 1}))
    """

    name: str
    counts: Counter[str]
    num_missing: int
    decimal: str = "."

    @classmethod
    def of(cls, column: Column) -> Counts:
        """The texts of a column, without those that always stand for a missing value.

        Args:
            column: the column; numbers and dates count as the texts that stand for them.
        """
        if column.kind == "category":
            texts = Counter(None if text is None else text.strip() for text in column.values.tolist())
        else:
            texts = Counter(as_kind(column, "category").values.tolist())
        num_missing = sum(texts.pop(code, 0) for code in (None, *MISSING))
        return cls(column.name, texts, num_missing, "." if column.kind == "number" else column.origin.decimal)

    def without(self, codes: Collection[str]) -> Counts:
        """The texts without some, which stand for missing values."""
        left = Counter({text: count for text, count in self.counts.items() if text not in codes})
        return Counts(self.name, left, self.num_rows - left.total(), self.decimal)

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return self.counts.total() + self.num_missing

    @property
    def num_known(self) -> int:
        """The number of rows whose value is not missing."""
        return self.counts.total()

    @cached_property
    def numbers(self) -> dict[str, float]:
        """The numbers for which texts stand."""
        found = {text: number_of(text, self.decimal) for text in self.counts}
        return {text: number for text, number in found.items() if number is not None}

    @cached_property
    def strange(self) -> Counter[str]:
        """The texts that stand for no number."""
        return Counter({text: count for text, count in self.counts.items() if text not in self.numbers})

    @property
    def share_of_numbers(self) -> float:
        """The share of the rows with a value in which it is a number; 0 without values."""
        return 1.0 - self.strange.total() / self.num_known if self.num_known else 0.0
