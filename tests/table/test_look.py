"""What a look at a table shows: kinds, codes of missing values, columns to leave out; and the column of classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.table.class_column import classes_of
from qhn.table.columns import Column, Origin, Table
from qhn.table.counts import Counts
from qhn.table.look import KEPT_CATEGORIES, ColumnLook, look_at
from qhn.table.missing_codes import missing_codes
from qhn.table.suspicion import Suspicion, suspicion_of

ROWS = 40


def texts(name: str, values: Sequence[object], decimal: str = ".") -> Column:
    """A column of texts, as a text file gives it."""
    return Column(name, np.array([str(value) for value in values], dtype=object), origin=Origin(decimal=decimal))


def seen(name: str, values: Sequence[object], decimal: str = ".") -> ColumnLook:
    """The look at one column, which is not the first of its table."""
    first = texts("first", ["a", "b"] * (len(values) // 2) + ["a"] * (len(values) % 2))
    return look_at(Table("here", (first, texts(name, values, decimal)))).columns[1]


def cycle(*values: object) -> list[object]:
    """Forty values, which are repeated in turn."""
    return [values[i % len(values)] for i in range(ROWS)]


SQUARES = [i * i for i in range(ROWS)]


@pytest.mark.parametrize(
    ("name", "values", "what"),
    [
        ("age", SQUARES, ("number", "number")),
        ("size", [f"{i / 7:.2f}" for i in range(ROWS)], ("number", "number")),
        ("sex", cycle("f", "m"), ("category", "categories")),
        ("day", [f"2024-01-{1 + i % 28:02d}" for i in range(ROWS)], ("date", "date")),
        ("paid", cycle("True", "False"), ("category", "categories")),
        ("zip", cycle("01067", "80331", "04109"), ("code", "categories")),
        ("icdCode", cycle(1, 2, 3), ("code", "categories")),
        ("grade", cycle(1, 2, 3), ("number", "number")),
        ("plz", [10_000 + i * i for i in range(ROWS)], ("number", "number")),
        ("empty", [""] * ROWS, ("empty", "dropped")),
        ("flat", ["x"] * ROWS, ("category", "dropped")),
        ("flat", [3] * ROWS, ("number", "dropped")),
        ("rare", ["x", "y", *[""] * (ROWS - 2)], ("category", "dropped")),
        ("row", range(7, 7 + ROWS), ("number", "dropped")),
        ("patientId", SQUARES, ("number", "dropped")),
        ("name", [f"Ms {i}" for i in range(ROWS)], ("text", "dropped")),
        ("note", cycle(*(f"came with a {i} and left" for i in range(12))), ("text", "dropped")),
        ("when", [f"{1 + i % 28}.{1 + i % 12}.2023" for i in range(ROWS)], ("text", "dropped")),
        ("dose", cycle(5, 6, 7, 8, 9, "<5", ">99", "7-9", "2 mg", "none left"), ("category", "dropped")),
        ("land", cycle(*(f"C{i}" for i in range(20))), ("category", "dropped")),
        ("city", ["Bern"] * 20 + ["Basel"] * 8 + [f"C{i}" for i in range(12)], ("category", "categories")),
    ],
)
def test_kinds_and_uses_of_columns(name: str, values: list[object], what: tuple[str, str]) -> None:
    column = seen(name, values)
    assert (column.seen, column.use) == what
    assert bool(column.why) or not column.is_dropped


def test_of_many_values_the_most_frequent_become_features() -> None:
    column = seen("city", ["Bern"] * 20 + ["Basel"] * 8 + [f"C{i}" for i in range(12)])
    assert column.is_clipped
    assert column.num_features == KEPT_CATEGORIES
    assert column.why == "8 of 14 values, which are 85 % of the rows"


def test_a_first_column_without_a_name_counts_rows() -> None:
    (column, _) = look_at(Table("here", (texts("", range(5)), texts("x", [3, 1, 4, 1, 5]))))
    assert column.why == "it has no name and counts the rows"


def test_decimal_commas_are_numbers_only_in_their_dialect() -> None:
    values = [f"{i},5" for i in range(ROWS)]
    assert seen("size", values, decimal=",").use == "number"
    assert seen("size", values).use == "dropped"


def codes(**columns: Sequence[object]) -> list[str]:
    return [code.text for code in missing_codes([Counts.of(texts(name, values)) for name, values in columns.items()])]


@pytest.mark.parametrize("code", ["-999", "9999", "-9", "-999.0", "-1e30"])
def test_a_number_far_from_all_others_is_a_code(code: str) -> None:
    values = cycle(*([0.5, 1.5, 2.5] if code == "-9" else [20, 35, 60]), code)
    assert codes(age=values) == [code]


@pytest.mark.parametrize(
    "columns",
    [
        {"age": cycle(20, 60, 99)},  # no further from the others than these from each other
        {"age": [*cycle(20, 35, 60)[:-1], -999]},  # once
        {"age": cycle(20, 35, -999), "height": cycle(-999, -500, 40)},  # a value of another column
        {"age": cycle(20, 35, -7)},  # no number by which people mean none
        {"name": cycle("Smith", "Unknown", "Jones")},  # a word among words
    ],
)
def test_what_could_be_a_value_is_no_code(columns: dict[str, list[object]]) -> None:
    assert codes(**columns) == []


def test_marks_are_codes_and_so_are_few_words_among_numbers() -> None:
    assert codes(kind=cycle("a", "-", "b")) == ["-"]
    assert codes(age=[*range(30), "offline", "k.A.", *range(8)]) == ["offline", "k.A."]
    assert codes(age=["NA", "", "?", *range(30)]) == []  # always missing, without being listed


def test_the_larger_of_two_codes_hides_none() -> None:
    assert codes(age=cycle(20, 35, -999, -9999)) == ["-9999", "-999"]
    assert codes(flag=cycle(0, 1, -9)) == ["-9"]  # two other values are enough


def test_a_number_that_is_written_in_two_ways_is_one_value() -> None:
    column = seen("flat", cycle("1", "1.0"))
    assert (column.use, column.why) == ("dropped", "it has the same value in all rows")


def test_a_column_counts_its_rows_from_ten_rows_on() -> None:
    assert suspicion_of("x", np.arange(10.0)) is Suspicion.IDENTIFIER
    assert suspicion_of("x", np.arange(9.0)) is None
    assert suspicion_of("x", np.full(9, np.nan)) is suspicion_of("x", np.ones(9)) is Suspicion.CONSTANT


def test_the_name_of_a_class_is_no_code() -> None:
    charge = Counts.of(texts("charge", cycle(1.5, 2.5, "-", 4.5)))
    assert [code.text for code in missing_codes([charge])] == ["-"]
    assert missing_codes([charge], classes=["+", "-"]) == []


def test_codes_count_as_missing() -> None:
    column = seen("age", cycle(20, 35, 60, -999))
    assert (column.use, column.share_missing, column.num_different) == ("number", 0.25, 3)


@pytest.mark.parametrize("name", ["label", "Target", "CLASS", "y", "Outcome", "Klasse"])
def test_the_column_of_classes_is_known_by_its_name(name: str) -> None:
    table = Table("here", (texts("x", SQUARES), texts(name, cycle("a", "b", "b", "b"))))
    found = classes_of(table, None)
    assert (found.column, found.counts, found.num_missing) == (name, {"a": 10, "b": 30}, 0)
    assert found.majority == ("b", 0.75)
    assert not found.are_unbalanced


def test_classes_are_unbalanced_from_a_ratio_on() -> None:
    for few, is_so in ((1, True), (6, True), (7, False)):
        found = classes_of(Table("here", (texts("y", ["a"] * few + ["b"] * (ROWS - few)),)), None)
        assert found.are_unbalanced is is_so


@pytest.mark.parametrize(
    ("columns", "label", "message"),
    [
        ({"x": SQUARES, "sex": cycle("f", "m")}, None, r"no column is named .* could be 'sex' \(2 values\)"),
        ({"x": SQUARES}, None, "none has between 2 and 20 different values"),
        ({"y": cycle(0, 1), "target": cycle(0, 1)}, None, "'y', 'target' could each hold the classes; name one"),
        ({"x": SQUARES}, "z", "no column 'z'"),
        ({"x": SQUARES, "price": range(100, 140)}, "price", "40 different numbers from 100 to 139: .* regression"),
        ({"x": SQUARES, "price": [i / 4 for i in range(ROWS)]}, "price", "regression"),
        ({"x": SQUARES, "y": [1] * ROWS}, None, "'y' holds one value"),
        ({"x": SQUARES, "y": [""] * ROWS}, None, "'y' holds nothing"),
    ],
)
def test_without_classes_the_message_says_what_to_do(
    columns: dict[str, list[object]], label: str | None, message: str
) -> None:
    table = Table("here", tuple(texts(name, values) for name, values in columns.items()))
    with pytest.raises(QhnError, match=message):
        classes_of(table, label)


def test_whole_numbers_of_few_values_are_classes() -> None:
    table = Table("here", (texts("digit", cycle(*range(10))),))
    assert len(classes_of(table, "digit").counts) == 10


def test_columns_of_numbers_and_dates_of_other_files_are_seen_as_those_of_texts() -> None:
    day = np.array(["2024-01-01", "NaT", "2024-01-03"] * 5, dtype="M8[s]")
    table = Table("here", (Column("x", np.array([1.5, np.nan, 2.0] * 5)), Column("day", day)))
    number, date = look_at(table)
    assert (number.seen, number.use, number.share_missing) == ("number", "number", 1 / 3)
    assert (date.seen, date.use, date.share_missing) == ("date", "date", 1 / 3)
