"""How one column of a table becomes features: what stands in for a missing value, and the categories."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError, QhnWarning
from qhn.table.columns import Column, Kind
from qhn.table.values import DAY, EPOCH, as_kind, days, number_of
from qhn.text import counted, in_line, shown

Impute = Literal["none", "mean", "median"]
MAX_CATEGORIES = 64  # of a column, unless the user says how many
MOSTLY_DIFFERENT = 0.8  # share of different texts from which on a column is one of names, and not of categories
EMPTY: dict[Kind, tuple[Any, str]] = {"number": (np.nan, "f8"), "date": ("NaT", "M8[s]"), "category": (None, "O")}
MIN_ROWS = 10  # from which on a share of different texts tells something


@dataclass(frozen=True)
class ColumnEncoding:
    """How a column becomes features, as it was learned from training samples.

    A number is a feature as it is, and a date as days since the beginning of 1970. A category of K values is K
    features, of which that of its value is 1 and the others 0; one of two values is one feature, which is 1 for the
    second, 0 for the first and ½ for any other. A column that was empty in all training samples is a category of no
    values, and no feature.

    Attributes:
        name: the name of the column.
        kind: what its values are.
        fill: what stands in for a missing value: a number, a date in days, or a category; None if a missing value is
            refused.
        categories: the values of a category, sorted.
        has_others: whether rarer values of the training samples count as none of the categories.
        num_missing: the number of training samples whose value was missing.

    >>> size = ColumnEncoding.fit(Column("size", np.array(["S", "M", "L", "M"], object)))
    >>> size.feature_names, size.features(Column("size", np.array(["M"], object))).tolist()
    (('size = L', 'size = M', 'size = S'), [[0.0, 1.0, 0.0]])
    """

    name: str
    kind: Kind
    fill: float | str | None = None
    categories: tuple[str, ...] = ()
    has_others: bool = False
    num_missing: int = 0

    @classmethod
    def fit(cls, column: Column, impute: Impute = "none", max_categories: int | None = None) -> ColumnEncoding:
        """The encoding that is learned from the values of a column.

        Args:
            column: the column, of training samples.
            impute: what stands in for a missing number or date; of categories it is the most frequent one.
            max_categories: the number of categories that are kept, the most frequent ones; None to keep all, which may
                not be more than 64, nor nearly as many as there are samples.

        Raises:
            QhnError: if there are too many categories.
        """
        missing = int(column.is_missing.sum())
        if missing == len(column.values):
            return cls(column.name, "category", num_missing=missing)
        if column.kind == "category":
            return cls._of_texts(column, impute, max_categories, missing)
        values = _numbers(column)
        known = values[~np.isnan(values)]
        fill = {"none": None, "mean": float(np.mean(known)), "median": float(np.median(known))}[impute]
        return cls(column.name, column.kind, fill, num_missing=missing)

    @classmethod
    def _of_texts(cls, column: Column, impute: Impute, most: int | None, missing: int) -> ColumnEncoding:
        """The encoding of categories; of equally frequent ones the first in the alphabet counts as more frequent."""
        counts = Counter(text for text in column.values if text is not None)
        if most is None:
            _check_number(column, len(counts), counts.total())
        names = sorted(counts, key=lambda name: (-counts[name], name))
        fill = names[0] if impute != "none" else None
        return cls(column.name, "category", fill, tuple(sorted(names[:most])), len(names[:most]) < len(names), missing)

    @property
    def is_binary(self) -> bool:
        """Whether the values are two, which take one feature."""
        return self.kind == "category" and len(self.categories) == 2 and not self.has_others

    @property
    def feature_names(self) -> tuple[str, ...]:
        """One name per feature."""
        if self.kind != "category":
            return (self.name,)
        shown = self.categories[1:] if self.is_binary else self.categories
        return tuple(f"{self.name} = {category}" for category in shown)

    def features(self, column: Column) -> Floats:
        """The features of a column of this kind, ``[num_rows, num_features]``.

        A warning names values that are none of the categories, unless there were such values in training samples.

        Raises:
            QhnError: if a value is missing and nothing stands in for it.
        """
        missing = column.is_missing
        is_refused = self.fill is None and bool(self.feature_names)
        if missing.any() and is_refused:
            raise QhnError(
                f"{column.gap(int(missing.argmax()))}, and nothing was learned to stand in; fill it in, or train "
                'with data.impute = "median"'
            )
        if self.kind != "category":
            filled = _numbers(column)[:, None]
            filled[missing] = self.fill
            return filled
        return self._one_hot(column)

    def _one_hot(self, column: Column) -> Floats:
        """The features of a column of texts, None standing for missing ones."""
        place = {category: number for number, category in enumerate(self.categories)}
        texts = [self.fill if text is None else text for text in column.values]
        places = np.array([place.get(str(text), -1) for text in texts], dtype=np.intp)
        strangers = Counter(
            text for text, at in zip(texts, places.tolist(), strict=True) if at < 0 and text is not None
        )
        if strangers and not self.has_others:
            self._warn_of(strangers)
        codes = np.array([[0.0], [1.0], [0.5]]) if self.is_binary else np.eye(len(self.categories) + 1)[:, :-1]
        found: Floats = codes[places]  # -1 is the last row
        return found

    def _warn_of(self, strangers: Counter[Any]) -> None:
        (first, _), *others = strangers.most_common()
        named = shown(first) + (f" (and {counted(len(others), 'other value')})" if others else "")
        was, is_none = ("were", "are") if others else ("was", "is")
        instead = f"{is_none} none of its categories" if self.categories else "no feature came of it"
        where = f"column {in_line(repr(self.name))}: {named} in {counted(strangers.total(), 'row')}"
        words = f"{where} {was} not in the training samples, and {instead}"
        warnings.warn(words, QhnWarning, stacklevel=2)

    def read(self, column: Column, missing: tuple[str, ...]) -> Column:
        """A column as it comes as one of this kind.

        Args:
            column: the column.
            missing: the texts that stand for a missing value.

        Raises:
            QhnError: if a value is none of the kind; the message names its place.
        """
        if column.is_missing.all():
            return column.with_values(np.full(len(column.values), *EMPTY[self.kind]))
        return without_codes(as_kind(column, self.kind, missing), missing)

    def summary(self, num_rows: int, impute: Impute) -> str:
        """What became of the column, in words; empty if that goes without saying.

        Args:
            num_rows: the number of training samples.
            impute: how what stands in for missing numbers was found.
        """
        if not self.feature_names:
            return f"{in_line(self.name)}: empty in all training samples, no feature"
        said = []
        if self.kind == "date":
            said.append("days since 1970-01-01")
        if self.is_binary:
            said.append(f"0 is {in_line(self.categories[0])}, 1 is {in_line(self.categories[1])}")
        elif self.kind == "category":
            said.append(counted(len(self.categories), "feature") + ", other values have none" * self.has_others)
        if self.num_missing:
            how = "most frequent" if self.kind == "category" else impute
            said.append(f"{self.num_missing:,} of {num_rows:,} missing, {how} {self._fill_in_words()} stands in")
        return f"{in_line(self.name)}: {'; '.join(said)}" if said else ""

    def _fill_in_words(self) -> str:
        if isinstance(self.fill, float):
            return str(EPOCH + np.timedelta64(round(DAY * self.fill), "s")) if self.kind == "date" else f"{self.fill:g}"
        return in_line(self.fill)


def without_codes(column: Column, missing: tuple[str, ...]) -> Column:
    """A column of numbers, without those that stand for a missing value; any other column as it is.

    >>> without_codes(Column("age", np.array([31.0, -999.0])), ("", "-999")).values.tolist()
    [31.0, nan]
    """
    codes = [number for code in missing if (number := number_of(code)) is not None]
    if column.kind != "number" or not codes:
        return column
    return column.with_values(np.where(np.isin(column.values, codes), np.nan, column.values))


def _check_number(column: Column, categories: int, rows: int) -> None:
    """Refuse a column of texts that are hardly categories."""
    if categories > MAX_CATEGORIES or (rows >= MIN_ROWS and categories > MOSTLY_DIFFERENT * rows):
        where = f"{column.origin.source}: column {in_line(repr(column.name))}".removeprefix(": ")
        raise QhnError(
            f"{where} has {categories:,} different texts in {rows:,} training samples, each of them a feature; "
            "leave it out with data.drop, or keep the most frequent ones with data.max_categories"
        )


def _numbers(column: Column) -> Floats:
    """The numbers of a column, or its dates as days, nan where one is missing: ``[num_rows]``, a copy."""
    return np.array(column.values if column.kind == "number" else days(column), dtype=np.float64)
