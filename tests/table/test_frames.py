from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from qhn.errors import QhnError
from qhn.table.encoding import Encoding
from qhn.table.files import read_table
from qhn.table.frames import column_of, table_of
from qhn.table.values import typed

DAYS = [datetime(2024, 1, 1), None, datetime(2024, 1, 2, 10, 30)]
NUMBERS = {
    "int64": pd.Series([3, 0, -2]),
    "uint8": np.array([3, 0, 2], np.uint8),
    "float32": np.array([0.5, np.nan, 2], np.float32),
    "float64": pd.Series([0.5, np.nan, 2]),
    "Int64": pd.array([3, None, -2], dtype="Int64"),
    "Float64": pd.array([3.5, None, -2], dtype="Float64"),
    "pyarrow": pd.array([3, None, -2], dtype="int64[pyarrow]"),
    "pyarrow decimal": pd.array([Decimal("3.5"), None, Decimal(2)], dtype=pd.ArrowDtype(pa.decimal128(5, 2))),
    "decimal": [Decimal("3.5"), None, Decimal(2)],
    "objects": np.array([3, None, np.float32(2.5)], dtype=object),
    "masked": np.ma.array([3.0, 9.0, 2.0], mask=[False, True, False]),
    "masked integers": np.ma.array([3, 9, 2], mask=[False, True, False]),
    "sparse": pd.Series(pd.arrays.SparseArray([0.5, np.nan, 2.0])),
    "missing": [None, np.nan, pd.NA],
}
DATES = {
    "ns": pd.Series(DAYS),
    "D": np.array(["2024-01-01", "NaT", "2024-01-02"], "M8[D]"),
    "objects": np.array(DAYS, dtype=object),
    "timestamps": [None if day is None else pd.Timestamp(day) for day in DAYS],
    "numpy": [np.datetime64("2024-01-01"), np.datetime64("NaT", "s"), np.datetime64("2024-01-02T10:30:00.5", "ns")],
    "dates": [date(2024, 1, 1), None, date(2024, 1, 2)],
    "NaT": [pd.NaT, datetime(2024, 1, 1), None],
    "zone": pd.Series(DAYS).dt.tz_localize("Europe/Berlin"),
    "pyarrow": pd.array(DAYS, dtype="timestamp[us][pyarrow]"),
    "pyarrow zone": pd.Series(pd.Series(DAYS).dt.tz_localize("UTC"), dtype=pd.ArrowDtype(pa.timestamp("us", "UTC"))),
    "masked": np.ma.array(np.array(["2024-01-01", "2024-01-02", "2024-01-03"], "M8[ns]"), mask=[False, True, False]),
}
TEXTS = {
    "objects": pd.Series(["a", None, "b"], dtype=object),
    "str": pd.Series(["a", None, "b"], dtype="str"),
    "string": pd.array(["a", None, "b"], dtype="string"),
    "pyarrow": pd.array(["a", None, "b"], dtype="string[pyarrow]"),
    "categorical": pd.Categorical(["a", None, "b"]),
    "U": np.array(["a", "", "b"]),
    "S": np.array([b"a", b"", b"b"]),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_any_type(name: str) -> None:
    column = typed(column_of("a", NUMBERS[name]))
    expected = np.array([np.nan if one is None or one is pd.NA else float(one) for one in pd.Series(NUMBERS[name])])
    if name.startswith("masked"):
        expected = np.array([3, np.nan, 2])
    np.testing.assert_array_equal(column.values, expected)


@pytest.mark.parametrize("name", DATES)
def test_dates_of_any_type(name: str) -> None:
    given = pd.Series(list(DATES[name])) if name != "masked" else pd.Series(["2024-01-01", None, "2024-01-03"])
    column = typed(column_of("a", DATES[name]))
    expected = pd.to_datetime(given, utc=True).dt.tz_localize(None).to_numpy().astype("M8[s]")
    assert column.kind == "date"
    np.testing.assert_array_equal(column.values, expected)


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_any_type(name: str) -> None:
    assert typed(column_of("a", TEXTS[name])).values.tolist() == ["a", None, "b"]


def test_categories_of_pandas_are_categories_even_if_they_are_numbers_or_texts_of_numbers() -> None:
    for values in ([1, None, 2], ["1", None, "2"]):
        assert typed(column_of("a", pd.Categorical(values))).values.tolist() == ["1", None, "2"]
    assert typed(column_of("a", ["1", None, "2"])).kind == "number"


def test_a_column_of_all_types_holds_categories() -> None:
    values = [1, 2.0, 2.5, "x", True, None, np.nan, date(2024, 1, 1), np.float64(3), "y", "z", "u"]
    expected = ["1", "2", "2.5", "x", "True", None, None, "2024-01-01", "3", "y", "z", "u"]
    assert typed(column_of("a", values)).values.tolist() == expected


def test_values_keep_their_own_type_for_labels() -> None:
    for values in ([1, 0], [True, False], [0.5, 1.5], np.array([3, 4], np.int8), pd.array([1, 2], dtype="Int64")):
        own = column_of("label", values).own_values
        assert own.tolist() == list(values)
        assert own.dtype.kind == np.asarray(values).dtype.kind or own.dtype.kind == "i"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (1j, r"x row 2, column 'a' must be a number, a text, a truth value or a date, got 1j \(complex\)"),
        ([1, 2], r"row 2, column 'a' must be .* got \[1, 2\] \(list\)"),
        ({"b": 1}, r"row 2, column 'a' must be"),
        (np.array([1, 2]), r"row 2, column 'a' must be"),
        (timedelta(1), r"row 2, column 'a' must be .* \(timedelta\)"),
        (np.timedelta64(1, "s"), r"row 2, column 'a' must be"),
        (object, r"row 2, column 'a' must be"),
        (np.inf, "x row 2, column 'a': inf is not finite, or too large"),
        (10**400, "x row 2, column 'a': inf is not finite, or too large"),
    ],
)
def test_other_values_are_refused_in_a_line(value: Any, words: str) -> None:
    with pytest.raises(QhnError, match=words) as caught:
        typed(table_of({"a": [1.0, value]})["a"])
    assert str(caught.value).isprintable()


def test_arrays_of_other_values_are_refused() -> None:
    for values in (np.ones(2, complex), np.ones(2, "m8[s]"), pd.Series([timedelta(1)] * 2)):
        with pytest.raises(QhnError, match="row 1, column 'a' must be a number"):
            table_of({"a": values})


OBJECTS = {
    "frame": pd.DataFrame({"age": [31.0, np.nan], "sex": ["f", "m"]}, index=[7, 3]),
    "mapping": {"age": [31, None], "sex": ["f", "m"]},
    "structured": np.array([(31.0, "f"), (np.nan, "m")], dtype=[("age", "f8"), ("sex", "U1")]),
    "records": [{"age": 31, "sex": "f"}, {"sex": "m"}],
    "lists": [[31, "f"], [None, "m"]],
    "tuples": [(31, "f"), (None, "m")],
    "objects": np.array([[31, "f"], [None, "m"]], dtype=object),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_tables_of_any_object(name: str) -> None:
    table = table_of(OBJECTS[name], ("age", "sex"))
    np.testing.assert_array_equal(table["age"].values, [31, np.nan])
    assert table["sex"].values.tolist() == ["f", "m"]
    assert table["age"].place(1) == "x row 2, column 'age'"


@pytest.mark.parametrize(
    "row",
    [
        pd.Series({"sex": "f", "age": 31}),
        OBJECTS["frame"].iloc[0],
        {"age": 31, "sex": "f"},
        [31, "f"],
        OBJECTS["structured"][0],
    ],
)
def test_a_single_row(row: Any) -> None:
    table = table_of(row, ("age", "sex"))
    assert (table["age"].values.tolist(), table["sex"].values.tolist()) == ([31.0], ["f"])


def test_columns_are_chosen_by_name_and_in_order() -> None:
    frame = pd.DataFrame({"b": [1], " a ": [2], "nested": [[1]], 3: [4]})
    assert table_of(frame, ("a", "b", "3")).names == ("a", "b", "3")
    with pytest.raises(QhnError, match="x has no column 'aa'; did you mean 'a'"):
        table_of(frame, ("aa",))
    assert table_of(np.arange(6).reshape(2, 3)).names == ("x 1", "x 2", "x 3")


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns named 'a'"),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), "several columns named '1'"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])), "several names each"),
        ([[1, 2], [3]], "x row 2 must have 2 columns, got 1 value"),
        ([[1, 2, 3]], "x row 1 must have 2 columns, got 3 values"),
        (np.ones((2, 2, 2)), r"x must have shape \[num_rows, num_columns\], got \[2, 2, 2\]"),
        (5, "x must be a data frame, a mapping of columns by name, or rows, got 5"),
        ("abc", "x must be a data frame"),
        (None, "x must be a data frame"),
        ([1, [2]], "x must hold rows"),
        ({"a": 1, "b": [1, 2]}, "column 'a' must hold a value for each row"),
        ({"a": [1], "b": [1, 2]}, "columns of the same length"),
        ({"a": np.ones((2, 2)), "b": [1, 2]}, "column 'a' must hold one value in each row"),
    ],
)
def test_other_objects_are_refused(x: Any, words: str) -> None:
    with pytest.raises(QhnError, match=words):
        table_of(x, ("a", "b") if not hasattr(x, "columns") else ())


def mixed(rows: int = 40) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "size": rng.normal(size=rows).round(6),  # Excel keeps 15 digits
            "code": rng.choice([1.0, 2.0, 3.0, np.nan], rows),
            "paid": rng.random(rows) < 0.5,
            "town": rng.choice(["a", "b", None], rows),
            "when": pd.date_range("2024-01-01", periods=rows, freq="h"),
        }
    )


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".xlsx"])
def test_a_file_and_a_data_frame_of_the_same_table_give_the_same_features(tmp_path: Path, ending: str) -> None:
    frame, path = mixed(), tmp_path / f"mine{ending}"
    writers = {".csv": frame.to_csv, ".xlsx": frame.to_excel}
    frame.to_parquet(path) if ending == ".parquet" else writers[ending](path, index=False)
    read, given = (
        [typed(one, is_category=one.name == "code") for one in table] for table in (read_table(path), table_of(frame))
    )
    for column, other in zip(read, given, strict=True):
        assert (column.name, column.kind) == (other.name, other.kind)
        assert column.values.astype(str).tolist() == other.values.astype(str).tolist()


def test_features_do_not_depend_on_the_object() -> None:
    frame = mixed()
    columns = [typed(one, is_category=one.name == "code") for one in table_of(frame)]
    encoding = Encoding.fit(type(table_of(frame))("x", tuple(columns)), "median")
    features = encoding.features(frame)
    assert np.isfinite(features).all()
    for other in (frame.to_dict("list"), frame.to_dict("records"), frame.astype(object), frame.convert_dtypes()):
        np.testing.assert_array_equal(encoding.features(other), features)
    np.testing.assert_array_equal(encoding.features(frame[::-1].iloc[:, ::-1]), features[::-1])


def test_zones_are_those_of_python() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    days = column_of("a", [datetime(2024, 1, 1, tzinfo=zone), None]).values
    assert days[0] == np.datetime64("2023-12-31T18:30:00")


def test_frames_of_polars() -> None:
    polars = pytest.importorskip("polars")
    table = table_of(polars.DataFrame({"age": [31, None], "sex": ["f", None], "paid": [True, None]}))
    np.testing.assert_array_equal(table["age"].values, [31, np.nan])
    assert (table["sex"].values.tolist(), table["paid"].values.tolist()) == (["f", None], ["True", None])
