from __future__ import annotations

import io
import sys
import zipfile
from datetime import date, time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from openpyxl import Workbook

from qhn.errors import QhnError
from qhn.table.columns import Table
from qhn.table.csv_files import Dialect
from qhn.table.files import read_table
from qhn.table.values import typed


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "whole": [1, 2, 3],
            "float": [0.5, np.nan, 2.0],
            "paid": [True, False, True],
            "town": ["a", None, "Köln"],
            "code": ["01", "1", None],
            "when": pd.to_datetime(["2024-01-01", None, "2024-03-01 10:30"], format="ISO8601"),
        }
    )


def sheet(path: Path, *rows: list[Any], title: str = "first") -> Path:
    book = Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    second = book.create_sheet("second")
    for row in (["b", "label"], [5, "x"]):
        second.append(row)
    book.save(path)
    return path


def assert_as_pandas(table: Table, referee: pd.DataFrame) -> None:
    assert table.names == tuple(referee.columns)
    for column in table:
        other = referee[column.name]
        np.testing.assert_array_equal(column.is_missing, other.isna().to_numpy())
        if column.kind == "number":
            np.testing.assert_array_equal(column.values, other.to_numpy(np.float64))
        elif column.kind == "date":
            np.testing.assert_array_equal(column.values, other.to_numpy().astype("M8[s]"))
        else:
            assert [one for one in column.values if one is not None] == [str(one) for one in other.dropna()]


def test_parquet_is_read_as_pandas_reads_it_and_keeps_types(tmp_path: Path) -> None:
    more = frame().assign(
        nullable=pd.array([1, None, 3], dtype="Int64"),
        truth=pd.array([True, None, False], dtype="boolean"),
        category=pd.Categorical(["u", "v", None]),
        day=[date(2024, 1, 1), None, date(2024, 1, 2)],
    )
    more.to_parquet(tmp_path / "mine.parquet", index=False)
    table = read_table(tmp_path / "mine.parquet")
    assert_as_pandas(table, pd.read_parquet(tmp_path / "mine.parquet").astype({"day": "datetime64[s]"}))
    assert [table[name].own_values.dtype.kind for name in ("whole", "float", "paid")] == ["i", "f", "b"]
    assert typed(table["category"]).kind == typed(table["truth"]).kind == "category"
    assert table["float"].gap(1) == f"{tmp_path}/mine.parquet row 2, column 'float' is empty"


@pytest.mark.parametrize("writer", ["openpyxl", "rows"])
def test_excel_is_read_as_pandas_reads_it_and_keeps_types(tmp_path: Path, writer: str) -> None:
    path = tmp_path / "mine.xlsx"
    frame().to_excel(path, index=False, sheet_name="first") if writer == "openpyxl" else sheet(
        path, list(frame().columns), *frame().astype(object).replace({np.nan: None, pd.NaT: None}).to_numpy().tolist()
    )
    table = read_table(path)
    assert_as_pandas(table, pd.read_excel(path, dtype={"code": str}))
    assert [table[name].own_values.dtype.kind for name in ("whole", "float", "paid")] == ["i", "f", "b"]
    assert table["float"].gap(1) == f"{path} row 3, column 'float' is empty"


def test_a_sheet_is_chosen_by_its_name(tmp_path: Path) -> None:
    path = sheet(tmp_path / "mine.xlsx", ["a", "label"], [1, "y"])
    assert read_table(path).names == ("a", "label")
    assert read_table(path, Dialect(sheet="second")).names == ("b", "label")
    with pytest.raises(QhnError, match="has no sheet 'third'; it has first, second"):
        read_table(path, Dialect(sheet="third"))
    (tmp_path / "mine.csv").write_text("a,b\n1,2\n")
    with pytest.raises(QhnError, match=r"mine\.csv has no sheets, got sheet 'first'; leave it out"):
        read_table(tmp_path / "mine.csv", Dialect(sheet="first"))


def test_empty_rows_and_columns_of_a_sheet_are_left_out(tmp_path: Path) -> None:
    rows = [[], [None, "a", " b ", None, ""], [], [None, 1, time(10, 30)], [None, None, None], [None, None, "x", " "]]
    table = read_table(sheet(tmp_path / "mine.xlsx", *rows))
    assert table.names == ("a", "b")
    np.testing.assert_array_equal(table["a"].values, [1, np.nan])
    assert table["b"].values.tolist() == ["10:30:00", "x"]
    assert [table["a"].line(row) for row in range(2)] == [f"{tmp_path}/mine.xlsx row {row}" for row in (4, 6)]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([], "needs a header line and at least one sample"),
        ([["a", "b"]], "needs a header line and at least one sample"),
        ([["a", "a"], [1, 2]], "several columns named 'a'"),
        ([["a", None, None], [1, 2, 3]], "has no name for columns 2 and 3"),
    ],
)
def test_sheets_without_a_table_are_refused(tmp_path: Path, rows: list[list[Any]], words: str) -> None:
    with pytest.raises(QhnError, match=words):
        read_table(sheet(tmp_path / "mine.xlsx", *rows))


def test_a_column_of_a_sheet_with_a_fault_names_its_row(tmp_path: Path) -> None:
    table = read_table(sheet(tmp_path / "mine.xlsx", ["a"], [1], ["#DIV/0!"], [2.5]))
    with pytest.raises(QhnError, match=r"mine\.xlsx row 3, column 'a': '#DIV/0!' is not a number"):
        typed(table["a"])
    assert typed(table["a"], missing=("#DIV/0!",)).is_missing.tolist() == [False, True, False]


def test_old_excel_files_are_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "mine.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(QhnError, match=r"old Excel file, which is not read; save it as \.xlsx or \.csv"):
        read_table(tmp_path / "mine.xls")


@pytest.mark.parametrize(
    ("ending", "module"), [(".parquet", "pyarrow.parquet"), (".parquet", "pandas"), (".xlsx", "openpyxl")]
)
def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, module: str) -> None:
    (tmp_path / f"mine{ending}").write_bytes(b"PAR1")
    monkeypatch.setitem(sys.modules, module, None)
    package = module.partition(".")[0]
    with pytest.raises(QhnError, match=rf"is read by {package}, which is not installed: pip install 'qhn\[tables\]'"):
        read_table(tmp_path / f"mine{ending}")


def test_large_files_are_refused_before_memory_is_spent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QHN_MAX_BYTES", "1000000")
    monkeypatch.setenv("QHN_MAX_TEXT", "1000000")
    path = tmp_path / "mine.parquet"
    pa.parquet.write_table(pa.table({"a": np.zeros(1_000_000), "label": np.zeros(1_000_000)}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(QhnError, match="unpacks to at least 16,000,000 bytes, at most 1,000,000 are read"):
        read_table(path)
    pa.parquet.write_table(pa.table({"a": ["x" * 100_000] * 100}), path)
    with pytest.raises(QhnError, match=r"unpacks to at least .* bytes, at most 1,000,000 are read"):
        read_table(path)
    monkeypatch.setenv("QHN_MAX_COLUMNS", "2")
    pa.parquet.write_table(pa.table({"a": [1], "b": [1], "c": [1]}), path)
    with pytest.raises(QhnError, match="has 3 columns, at most 2 are read"):
        read_table(path)
    with pytest.raises(QhnError, match="has 3 columns, at most 2 are read"):
        read_table(sheet(tmp_path / "mine.xlsx", ["a", "b", "c"], [1, 2, 3]))


def test_a_packed_sheet_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = sheet(tmp_path / "mine.xlsx", ["a", "label"], [1, 2])
    monkeypatch.setenv("QHN_MAX_TEXT", "1000000")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/more.xml", " " * 2_000_000)
    with pytest.raises(QhnError, match=r"unpacks to 2,0.* bytes, at most 1,000,000 are read"):
        read_table(path)


def test_a_cell_far_away_takes_no_memory_for_those_between(tmp_path: Path) -> None:
    book = Workbook()
    book.active["A1"], book.active["B1"] = "a", "label"
    book.active["A1048576"], book.active["B1048576"] = 1, "x"
    book.save(tmp_path / "mine.xlsx")
    assert read_table(tmp_path / "mine.xlsx").num_rows == 1


@pytest.mark.parametrize("ending", [".parquet", ".xlsx"])
@pytest.mark.parametrize("seed", range(3))
def test_damaged_files_are_read_or_refused_in_a_line(tmp_path: Path, ending: str, seed: int) -> None:
    rng, whole = np.random.default_rng(seed), io.BytesIO()
    frame().to_parquet(whole) if ending == ".parquet" else frame().to_excel(whole, index=False)
    path, messages = tmp_path / f"mine{ending}", []
    for _ in range(25):
        content = bytearray(whole.getvalue())
        for place in rng.integers(0, len(content), rng.integers(1, 5)):
            content[place : place + rng.integers(1, 30)] = rng.bytes(rng.integers(0, 3))
        path.write_bytes(bytes(content))
        try:
            read_table(path)
        except QhnError as error:
            messages.append(str(error).removeprefix(str(path)))
    assert len(messages) > 5
    assert all(message.isprintable() and len(message) < 300 for message in messages)


def test_nested_columns_are_refused(tmp_path: Path) -> None:
    pd.DataFrame({"a": [[1, 2], [3]], "label": [0, 1]}).to_parquet(tmp_path / "mine.parquet")
    with pytest.raises(QhnError, match=r"mine\.parquet row 1, column 'a' must be a number, a text"):
        read_table(tmp_path / "mine.parquet")
