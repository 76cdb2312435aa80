from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from qhn.errors import QhnError
from qhn.table.columns import Column, Origin
from qhn.table.frames import column_of
from qhn.table.values import as_kind, number_of, typed


def texts(*values: str | None, decimal: str = ".") -> Column:
    return Column("a", np.array(values, dtype=object), origin=Origin("d.csv", "line", None, decimal))


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (("1", "2.5", "-3e-2", "+4.", ".5"), "number"),
        ((" 1 ", "", "NA", "?"), "number"),
        (("", None), "number"),
        (("20240131", "20240201"), "number"),
        (("2024-01-31", "2024-02-01", ""), "date"),
        (("2024-01-31 10:00", "2024-02-01T10:00:00.123"), "date"),
        (("2024-01-31T10:00Z", "2024-02-01T10:00:00+02:00"), "date"),
        (("31.12.2024", "1.1.2025"), "category"),
        (("12/31/2024", "1/1/2025"), "category"),
        (("24-01-31", "24-02-01"), "category"),
        (("2024-01", "2024-02"), "category"),
        (("10:00", "11:30"), "category"),
        (("True", "False"), "category"),
        (("a", "b", "3"), "category"),
        (("03b", "1c", "x"), "category"),
        (("1_0", "x"), "category"),
        (("٣", "٤"), "category"),
        (("0x10", "0x11"), "category"),
        (("$5", "$6"), "category"),
        (("5%", "6%"), "category"),
    ],
)
def test_the_kind_of_a_column(values: tuple[str | None, ...], kind: str) -> None:
    assert typed(texts(*values)).kind == kind


def test_numbers_are_those_of_python() -> None:
    rng = np.random.default_rng(1)
    numbers = np.concatenate([rng.normal(size=500) * 10.0 ** rng.integers(-80, 80, 500), rng.integers(-9, 9, 100)])
    found = typed(texts(*map(repr, numbers.tolist())))
    np.testing.assert_array_equal(found.values, numbers)
    commas = typed(texts(*(repr(one).replace(".", ",") for one in numbers.tolist()), decimal=","))
    np.testing.assert_array_equal(commas.values, numbers)
    referee = pd.to_numeric(pd.Series([repr(one) for one in numbers.tolist()]))
    np.testing.assert_allclose(found.values, referee, rtol=1e-12)  # pandas before 3 rounds at 3e-13


@pytest.mark.parametrize(
    ("values", "decimal", "message"),
    [
        (("1", "x"), ".", "d.csv line 2, column 'a': 'x' is not a number; correct it, or list it in data.missing if"),
        (("1", "2", "n.d."), ".", "line 3, .*'n.d.' .* list the column in data.categorical if"),
        (("1", "1_0"), ".", "'1_0' is not a number"),
        (("1e300", "1"), ".", "line 1, column 'a': '1e300' is not finite, or too large"),
        (("1", "-inf"), ".", "line 2, column 'a': '-inf' is not finite, or too large"),
        (("1", "-NaN"), ".", "line 2, column 'a': '-NaN' is not finite, or too large"),
        (
            ("1,5", "2,5"),
            ".",
            "'1,5' is not a number; set data.decimal = \",\", or list the column in data.categorical",
        ),
        (
            ("1,234", "22,345"),
            ".",
            "'1,234' is not a number; set data.decimal = \",\" or write thousands without marks",
        ),
        (("1,234.5", "7"), ".", "'1,234.5' is not a number; write thousands without marks"),
        (("1 234", "7"), ".", "'1 234' is not a number; write thousands without marks"),
        (("1.5", "2.5"), ",", "'1.5' is not a number; set data.decimal = \".\""),
        (("3.0", "4.0"), ",", "'3.0' is not a number; set data.decimal = \".\""),
        (("1.234,5", "2,5"), ",", "'1.234,5' is not a number; write thousands without marks"),
        (("2024-01-01", "2024-02-30"), ".", "line 2, column 'a': '2024-02-30' is not a date; correct it"),
        (("2024-01-01", "31.12.2024"), ".", "'31.12.2024' is not a date"),
        (("2024-01-01T10:00Z", "2024-01-01T10:00"), ".", "line 2, .*'2024-01-01T10:00' has no time zone, and others"),
    ],
)
def test_a_column_with_a_fault_is_refused_with_its_place(values: tuple[str, ...], decimal: str, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        typed(texts(*values, decimal=decimal))


def test_codes_of_missing_values() -> None:
    column = typed(texts("1", "-", "x"), missing=("-", "x"))
    assert column.kind == "number"
    assert column.is_missing.tolist() == [False, True, True]
    assert column.gap(1) == "d.csv line 2, column 'a': '-' is a missing value"
    assert typed(texts("1", "", "nan")).gap(1) == "d.csv line 2, column 'a' is empty"
    assert typed(texts("1", "", "nan")).gap(2) == "d.csv line 3, column 'a': 'nan' is not finite"


@pytest.mark.parametrize(
    "text",
    [
        "2024-02-29",
        "1969-12-31",
        "0001-01-01",
        "9999-12-31 23:59:59",
        "2024-02-29T10:30",
        "2024-02-29 10:30:15.999999999",
        "1960-02-29 10:30:15,25",
        "2024-02-29T10:30:15Z",
        "2024-02-29T23:30:15-05:00",
        "2024-02-29 23:30:15 +0530",
        "2024-02-29T23:30+02",
    ],
)
def test_dates_are_those_of_python(text: str) -> None:
    whole = datetime.fromisoformat(text.replace(" +", "+").replace(",", "."))
    offset = whole.utcoffset()
    naive = np.datetime64(whole.replace(tzinfo=None, microsecond=0), "s")
    expected = naive - np.timedelta64(int(offset.total_seconds()) if offset is not None else 0, "s")
    assert typed(texts(text, None)).values[0] == expected


@pytest.mark.parametrize(
    "text", ["2024-13-01", "2023-02-29", "0000-01-01", "2024-01-01T24:01", "2024-01-01T10", "2024-1-1", "2024-01-01x"]
)
def test_other_texts_are_no_dates(text: str) -> None:
    assert typed(texts(text)).kind == "category"


def test_equal_codes_are_one_category_whatever_their_type() -> None:
    for values in (
        [3, 1],
        [3.0, 1.0, None],
        ["3", "1"],
        ["3.0", "1.0"],
        [3, "1"],
        np.array([3, 1], np.int8),
        [" 3", 1],
    ):
        assert as_kind(column_of("code", values), "category").values.tolist()[:2] == ["3", "1"]
    assert as_kind(texts("3,0", decimal=","), "category").values.tolist() == ["3"]
    different = ["03", "3.00", "3.10", "+3", "3", "3e0", "-3"]
    assert as_kind(column_of("code", different), "category").values.tolist() == different
    large = [2**60, 2**60 + 1]
    assert as_kind(column_of("code", large), "category").values.tolist() == [str(one) for one in large]


def test_truth_values_are_one_category_however_they_are_spelt() -> None:
    for values in ([True, False], ["TRUE", "FALSE"], ["true", "false"], np.array([True, False]), [True, "false"]):
        assert typed(column_of("paid", values)).values.tolist() == ["True", "False"]
    assert typed(column_of("paid", [1, 0])).kind == "number"


def test_dates_are_one_category_however_they_came() -> None:
    for values in (["2024-01-01"], ["2024-01-01 00:00:00"], np.array(["2024-01-01"], "M8[ns]"), [datetime(2024, 1, 1)]):
        assert typed(column_of("day", values), is_category=True).values.tolist() == ["2024-01-01"]


@pytest.mark.parametrize(("text", "number"), [("1.5", 1.5), ("x", None), ("inf", None), ("1e101", None), ("1_0", None)])
def test_the_number_of_a_text(text: str, number: float | None) -> None:
    assert number_of(text) == number
