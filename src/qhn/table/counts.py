"""The different texts of a column and how often each stands there, by which a table is looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cached_property

from qhn.table.columns import MISSING, Column
from qhn.table.values import as_kind, numbers_of


@dataclass(frozen=True)
class Counts:
    """The different texts of a column and how often each stands there.

    Attributes:
        name: the name of the column.
        counts: the number of rows of each text, without spaces around it.
        num_missing: the number of rows whose value is missing.
        numbers: the numbers for which texts stand.

    >>> import numpy as np
    >>> found = Counts.of(Column("age", np.array(["31", "40", "-", "31", ""], object)))
    >>> found.counts, found.num_missing, found.strange
    (Counter({'31': 2, '40': 1, '-': 1}), 1, Counter({'-': 1}))
    """

    name: str
    counts: Counter[str]
    num_missing: int
    numbers: Mapping[str, float]

    @classmethod
    def of(cls, column: Column) -> Counts:
        """The texts of a column, without those that always stand for a missing value.

        Args:
            column: the column; numbers and dates count as the texts that stand for them.
        """
        values = column.values if column.kind == "category" else as_kind(column, "category").values
        texts = Counter("" if text is None else text.strip() for text in values.tolist())
        num_missing = sum(texts.pop(code, 0) for code in MISSING)
        decimal = "." if column.kind == "number" else column.origin.decimal
        numbers = dict(zip(texts, numbers_of(list(texts), decimal).tolist(), strict=True))
        return cls(column.name, texts, num_missing, {text: one for text, one in numbers.items() if one == one})

    def without(self, codes: Collection[str]) -> Counts:
        """The texts without some, which stand for missing values."""
        if self.counts.keys().isdisjoint(codes):
            return self
        left = Counter({text: count for text, count in self.counts.items() if text not in codes})
        numbers = {text: number for text, number in self.numbers.items() if text in left}
        return Counts(self.name, left, self.num_rows - left.total(), numbers)

    @property
    def num_rows(self) -> int:
        """The number of rows."""
        return self.counts.total() + self.num_missing

    @property
    def num_known(self) -> int:
        """The number of rows whose value is not missing."""
        return self.counts.total()

    @cached_property
    def strange(self) -> Counter[str]:
        """The texts that stand for no number."""
        return Counter({text: count for text, count in self.counts.items() if text not in self.numbers})

    @property
    def share_of_numbers(self) -> float:
        """The share of the rows with a value in which it is a number; 0 without values."""
        return 1.0 - self.strange.total() / self.num_known if self.num_known else 0.0
