from __future__ import annotations

import csv
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from qhn.errors import QhnError
from qhn.table.columns import MISSING, Table
from qhn.table.csv_files import Dialect, read_csv, sniffed
from qhn.table.files import read_table
from qhn.table.values import typed

ROWS = "age,sex,label\n31,f,yes\n40,m,no\n"
SEPARATORS = [",", ";", "\t", "|", " "]
ENCODINGS = ["utf-8", "utf-8-sig", "cp1252", "utf-16"]


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def texts(table: Table) -> list[list[str]]:
    return [column.values.tolist() for column in table]


def frame(rows: int, seed: int = 1) -> pd.DataFrame:
    """A table with what tables have: decimals, whole numbers, gaps, words with marks in them, dates, truth values."""
    rng = np.random.default_rng(seed)
    size = rng.normal(100, 40, rows).round(3)
    size[rng.random(rows) < 0.2] = np.nan
    return pd.DataFrame(
        {
            "größe": size,
            "count": rng.integers(0, 2000, rows),
            "town": rng.choice(["Köln", "Bad Ems, Lahn", "a;b", "two words", 'a "b"', "tab\there", "x|y"], rows),
            "when": pd.date_range("2024-01-30", periods=rows).strftime("%Y-%m-%d"),
            "paid": rng.random(rows) < 0.5,
            "label": rng.choice(["yes", "no"], rows),
        }
    )


def assert_as_pandas(table: Table, referee: pd.DataFrame) -> None:
    """The same names, numbers, texts and gaps in a table of ours and in a data frame."""
    assert table.names == tuple(referee.columns)
    for column in map(typed, table):
        other = referee[column.name]
        np.testing.assert_array_equal(column.is_missing, other.isna().to_numpy(), err_msg=column.name)
        if column.kind == "number":
            np.testing.assert_array_equal(column.values, other.to_numpy(np.float64), err_msg=column.name)
        elif column.kind == "date":
            dates = pd.to_datetime(other, format="ISO8601", utc=True).dt.tz_localize(None)
            np.testing.assert_array_equal(column.values, dates.to_numpy().astype("M8[s]"))
        else:
            assert [one for one in column.values if one is not None] == [str(one).strip() for one in other.dropna()]


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("decimal", [".", ","])
@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("rows", [2, 60])
def test_a_file_of_pandas_is_sniffed_and_read_as_pandas_reads_it(
    tmp_path: Path, separator: str, decimal: str, encoding: str, rows: int
) -> None:
    path = tmp_path / "mine.csv"
    given = frame(rows)
    given.iloc[0, 0] = 12.25  # a number that shows its decimal mark
    if separator == " ":
        given = given.fillna(7.5)  # a space stands for any number of spaces, so that none stands for a gap
    given.to_csv(path, sep=separator, decimal=decimal, encoding=encoding, index=False)
    dialect = sniffed(path)
    assert dialect == Dialect(separator, decimal, encoding.removesuffix("-sig"))
    referee = pd.read_csv(
        path, sep=separator, decimal=decimal, encoding=encoding, na_values=MISSING, keep_default_na=False
    )
    assert_as_pandas(read_csv(path, dialect), referee)


@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("ending", [".csv", ".tsv", ".csv.gz", ".tsv.gz"])
def test_a_file_of_the_csv_module_is_sniffed(
    tmp_path: Path, separator: str, quoting: int, line_end: str, ending: str
) -> None:
    rows = [
        ["age", "name", "label"],
        [31.5, f"a{separator}b", "yes"],
        [40.25, f"two{line_end}lines", "no"],
        [7.0, "c", "yes"],
    ]
    path = tmp_path / f"mine{ending}"
    opens = gzip.open if ending.endswith("gz") else open
    with opens(path, "wt", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator, quoting=quoting, lineterminator=line_end).writerows(rows)
    assert sniffed(path) == Dialect(separator)
    table = read_table(path, sniffed(path))
    assert texts(table) == [[str(row[j]) for row in rows[1:]] for j in range(3)]
    assert [table["age"].line(row) for row in range(3)] == [f"{path} line {line}" for line in (2, 3, 5)]


@pytest.mark.parametrize(
    ("text", "separator", "decimal"),
    [
        ("a;b\n1,5;2\n", ";", ","),
        ("a;b\n1,5;2,5\n3,5;4,5\n", ";", ","),
        ("date;temp, C\n2024-01-01;1,5\n2024-01-02;2,5\n", ";", ","),
        ("name,note\nx,a;b\ny,c;d\n", ",", "."),
        ("a,b\n", ",", "."),
        ("a\tb\n1.5\t2\n", "\t", "."),
        ("a b  c\n1 2  3\n4   5 6\n", " ", "."),
        ('a,b\n"1,5",2\n"2,5",3\n', ",", ","),
        ('a,b\n"1,234.5",2\n"2,000.0",3\n', ",", "."),
        ("a;b;\n1;2;\n3;4;\n", ";", "."),
        ('a,b\n"1,200",2\n"2,300",3\n100,4\n', ",", "."),
        ("a;b\n1,200;2\n2,300;3\n", ";", ","),
        ("first name,label\nJohn Smith,yes\nAnn Lee,no\n", ",", "."),
        ("label\nyes\nno\n", ",", "."),
        ("a;b\n1.5;2\n1.25;3\n", ";", "."),
        ("", ",", "."),
        ("\n\n", ",", "."),
    ],
)
def test_the_dialect_of_short_files(tmp_path: Path, text: str, separator: str, decimal: str) -> None:
    found = sniffed(write(tmp_path / "mine.csv", text))
    assert (found.separator, found.decimal) == (separator, decimal)


def test_a_last_row_that_is_cut_by_the_look_does_not_mislead(tmp_path: Path) -> None:
    rows = "".join(f'{i},"a;b\nc",{i % 2}\n' for i in range(400))
    assert sniffed(write(tmp_path / "mine.csv", "n,text,label\n" + rows)).separator == ","


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\r\n1,2\r\n", [["1"], ["2"]]),
        ("a,b\r1,2\r", [["1"], ["2"]]),
        ("a,b\n1,2", [["1"], ["2"]]),
        ("\n\na,b\n\n1,2\n  \n3,4\n\n", [["1", "3"], ["2", "4"]]),
        ("a,b,\n1,2,\n3,4,\n", [["1", "3"], ["2", "4"]]),
        ("a,b\n1,2,\n3,4,\n", [["1", "3"], ["2", "4"]]),
        ('a,b\n"1,5","x ""y"""\n', [["1,5"], ['x "y"']]),
        (" a , b \n1, 2\n", [["1"], [" 2"]]),
        (",b\n0,x\n", [["0"], ["x"]]),
        ("#a,b\n#1,2\n", [["#1"], ["2"]]),
    ],
)
def test_odd_files_are_read(tmp_path: Path, text: str, expected: list[list[str]]) -> None:
    assert texts(read_csv(write(tmp_path / "mine.csv", text))) == expected


def test_lines_are_those_of_the_file(tmp_path: Path) -> None:
    text = 'a,label\n\n1,"x\ny"\n\n\n,z\n'
    table = read_csv(write(tmp_path / "mine.csv", text))
    assert [table["a"].line(row) for row in range(2)] == [f"{tmp_path}/mine.csv line {line}" for line in (3, 7)]
    assert typed(table["a"]).gap(1).endswith("mine.csv line 7, column 'a' is empty")
    assert table.rows(np.array([1]))["a"].line(0).endswith("line 7")


@pytest.mark.parametrize(
    ("text", "dialect", "message"),
    [
        ("a;b;c\n1;2;3\n", {}, 'must be separated by commas, .* semicolons separate them: set data.separator = ";"'),
        (ROWS, {"separator": ";"}, 'must be separated by semicolons, .* set data.separator = ","'),
        ("a\tb\n1\t2\n", {}, "tabs separate them: set data.separator = a tab"),
        ("a;b, c\n1;2\n3;4\n", {}, 'line 2 has 1 field, the header has 2; .* set data.separator = ";"'),
        ("a,b\n1,2\n1,2,3\n", {}, "line 3 has 3 fields, the header has 2; put fields that hold the separator between"),
        ('a,b\n1,"2\n3,4\n', {}, "line 2: a quotation mark is opened that is never closed"),
        ('a,b\n"1,2\n3,4\n', {}, "line 2: a quotation mark is opened that is never closed"),
        ('a,"b\n1,2\n3,4\n', {}, "line 1: a quotation mark is opened that is never closed"),
        ('a,b\n"1,2\n3",4,5\n', {}, "line 2 has 3 fields, the header has 2; a quotation mark that is opened there"),
        ("5.1,3.5,0.2\n4.9,3.0,0.2\n", {}, "line 1 holds 5.1, 3.5, 0.2 where names of columns must stand"),
        ("a,,\n1,2,3\n", {}, "has no name for columns 2 and 3"),
        ("a,b,a\n1,2,3\n", {}, "several columns named 'a'"),
        ("a,b\n1,\0\n", {}, "line 2 holds a NUL character"),
        ("", {}, "needs a header line and at least one sample"),
        ("a,b\n", {}, "needs a header line and at least one sample"),
    ],
)
def test_wrong_files_are_refused_with_the_remedy(
    tmp_path: Path, text: str, dialect: dict[str, str], message: str
) -> None:
    with pytest.raises(QhnError, match=message):
        texts(read_csv(write(tmp_path / "mine.csv", text), Dialect(**dialect)))


def test_a_column_that_is_not_there_makes_one_think_of_the_header(tmp_path: Path) -> None:
    table = read_csv(write(tmp_path / "mine.csv", "5.1,3.5,0.2,setosa\n4.9,3.0,0.2,setosa\n"))
    with pytest.raises(
        QhnError, match=r"it has 5.1, 3.5, 0.2, setosa; add a header line with the names of the columns"
    ):
        table["label"]
    named = read_csv(write(tmp_path / "mine.csv", "a,b\n1,2\n"))
    with pytest.raises(QhnError, match=r"has no column 'c'; it has a, b$"):
        named["c"]


def test_columns_that_a_program_counted_are_names(tmp_path: Path) -> None:
    assert read_csv(write(tmp_path / "mine.csv", "0,1,2\n5,6,7\n")).names == ("0", "1", "2")


@pytest.mark.parametrize(
    ("content", "encoding", "message"),
    [
        ("a,b\nx,é\n".encode("cp1252"), "utf-8", 'UTF-8: line 2 holds the byte 0xe9; .* set data.encoding = "cp1252"'),
        ("a,b\nx,é\n".encode("utf-16"), "utf-8", 'probably in utf-16: set data.encoding = "utf-16"'),
        ("a,b\nx,é\n".encode("utf-16-be"), "ascii", 'set data.encoding = "utf-16-be"'),
        (b"a,b\nx,\x81\n", "utf-8", 'set data.encoding = "latin-1"'),
        ("a,b\nx,é\n".encode(), "ascii", 'line 2 holds the byte 0xc3; .* "utf-8"'),
        (gzip.compress(b"a,b\n1,2\n" * 9, mtime=0), "utf-8", "packed by gzip; let its name end in .csv.gz"),
        (b"PK\x03\x04\xff\xff", "utf-8", "let its name end in .xlsx"),
        (ROWS.encode(), "utf-16", 'not text in UTF-16; it is probably in utf-8: set data.encoding = "utf-8"'),
    ],
)
def test_a_file_in_another_encoding_says_in_which(tmp_path: Path, content: bytes, encoding: str, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        read_csv(write(tmp_path / "mine.csv", content), Dialect(encoding=encoding))


@pytest.mark.parametrize("encoding", ["utf8x", "", "hex", "rot13", "a\0b", "x" * 5000])
def test_an_unknown_encoding_is_refused(encoding: str) -> None:
    with pytest.raises(QhnError, match=r'encoding must be a name such as "utf-8"') as caught:
        Dialect(encoding=encoding)
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("separator", ["||", "a", "1", '"', "\n", ".", "-"])
def test_a_separator_that_is_no_mark_is_refused(separator: str) -> None:
    with pytest.raises(QhnError, match="separator must be one mark"):
        Dialect(separator)


def test_a_packed_file_is_refused_before_it_fills_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QHN_MAX_TEXT", "100000")
    path = write(tmp_path / "bomb.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 300_000))
    assert path.stat().st_size < 100_000
    with pytest.raises(QhnError, match=r"unpacks to at least 100,00. characters, at most 100,000 are read"):
        read_csv(path)
    long = write(tmp_path / "long.csv.gz", gzip.compress(b"9" * 3_000_000))
    with pytest.raises(QhnError, match="has a line of at least"):
        read_csv(long)
    with pytest.raises(QhnError, match="has a line of at least"):
        sniffed(long)


@pytest.mark.parametrize(
    "damage", [lambda data: data[:40], lambda data: data[:-6] + b"abcdef", lambda data: ROWS.encode()]
)
def test_a_damaged_packed_file_is_refused(tmp_path: Path, damage) -> None:
    path = write(tmp_path / "mine.csv.gz", damage(gzip.compress(ROWS.encode() * 9)))
    for read in (read_csv, sniffed):
        with pytest.raises(QhnError, match="not a whole file packed by gzip"):
            read(path)


@pytest.mark.parametrize("name", ["mine.txt", "mine.gz", "mine", "mine.json"])
def test_files_of_other_kinds_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(QhnError, match=r"must be \.csv or \.npz, or one of \.tsv, \.csv\.gz"):
        read_table(write(tmp_path / name, ROWS))


PIECES = ['"', ",", ";", "\t", "\n", "\r", "\0", "ÿ", "nan", "inf", "1e400", "9" * 400, "1_0", "٣", " ", "2024-13-01"]


@pytest.mark.parametrize("seed", range(8))
def test_malformed_files_are_read_or_refused_in_a_line(tmp_path: Path, seed: int) -> None:
    messages = []
    rng = np.random.default_rng(seed)
    for _ in range(40):
        content = bytearray(frame(4, seed).to_csv(index=False).encode(rng.choice(["utf-8", "cp1252", "utf-16"])))
        for place in rng.integers(0, len(content), rng.integers(1, 6)):
            piece = PIECES[rng.integers(len(PIECES))].encode() if rng.random() < 0.6 else rng.bytes(2)
            content[place : place + rng.integers(3)] = piece
        path = write(tmp_path / "mine.csv", bytes(content))
        for dialect in (None, Dialect(";", ","), Dialect(encoding="cp1252"), Dialect(" "), Dialect(encoding="utf-16")):
            try:
                for column in read_csv(path, dialect or sniffed(path)):
                    typed(column)
            except QhnError as error:
                messages.append(str(error).removeprefix(str(path)))
    assert len(messages) > 40
    assert all(message.isprintable() and len(message) < 500 for message in messages)


@pytest.mark.parametrize("line", ["sep=;\r\n", "sep=;\n", '"sep=;"\n', "\ufeffSEP=;\n"])
def test_a_first_line_for_excel_is_left_out(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "d.csv", line + "a;b,c;label;\n1,5;x;yes;\n2,5;y;no;\n")
    dialect = sniffed(path)
    assert (dialect.separator, dialect.decimal) == (";", ",")
    table = read_csv(path, dialect)
    assert table.names == ("a", "b,c", "label")
    assert texts(table) == [["1,5", "2,5"], ["x", "y"], ["yes", "no"]]
    assert table["a"].line(1).endswith("line 4")


def test_a_first_line_for_excel_alone_is_no_table(tmp_path: Path) -> None:
    path = write(tmp_path / "d.csv", "sep=;\n")
    with pytest.raises(QhnError, match="needs a header line and at least one sample"):
        read_csv(path, sniffed(path))


@pytest.mark.parametrize(
    ("decimal", "thousands"), [(",", "."), (".", ","), (",", " "), (",", "\u00a0"), (".", "'"), (",", "’")]
)
@pytest.mark.parametrize("separator", [";", "\t", ","])
def test_marks_between_thousands_are_told_and_read_as_pandas_reads_them(
    tmp_path: Path, rng: np.random.Generator, separator: str, decimal: str, thousands: str
) -> None:
    numbers = np.append(rng.gamma(2, 9000, 60), [1234567.5, -1234.25]).round(2)
    cells = [f"{one:,.2f}".translate(str.maketrans(",.", thousands + decimal)) for one in numbers]
    path = tmp_path / "d.csv"
    rows = zip(cells, ["1.000 Rosen", "3,5 kg"] * 31, strict=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=separator).writerows([("sales", "what"), *rows])
    dialect = sniffed(path)
    assert (dialect.decimal, dialect.thousands) == (decimal, " " if thousands.isspace() else thousands)
    sales, what = map(typed, read_csv(path, dialect))
    if thousands.isascii():  # others are beyond pandas
        referee = pd.read_csv(path, sep=separator, decimal=decimal, thousands=thousands)
        np.testing.assert_array_equal(sales.values, referee["sales"].to_numpy())
    np.testing.assert_array_equal(sales.values, numbers)
    assert what.values.tolist() == ["1.000 Rosen", "3,5 kg"] * 31


@pytest.mark.parametrize("text", ["a;b\n1,234;x\n2,345;y\n", "a;b\n1.234;x\n2.345;y\n", "a;b\n01.234;x\n1.23.4;y\n"])
def test_no_marks_between_thousands_are_seen_where_they_could_be_decimals(tmp_path: Path, text: str) -> None:
    assert sniffed(write(tmp_path / "d.csv", text)).thousands == ""


@pytest.mark.parametrize(("decimal", "thousands"), [(".", "."), (".", "x"), (",", "  ")])
def test_a_wrong_mark_between_thousands_is_refused(decimal: str, thousands: str) -> None:
    with pytest.raises(QhnError, match="thousands must be empty or one of"):
        Dialect(decimal=decimal, thousands=thousands)


def test_an_address_in_the_web_is_no_file() -> None:
    with pytest.raises(QhnError, match="is an address in the web; download it"):
        read_table("https://example.org/d.csv")


@pytest.mark.parametrize("content", ["", "\n\n", " \n"])
def test_a_file_without_a_header_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(QhnError, match="needs a header line and at least one sample"):
        read_csv(write(tmp_path / "empty.csv", content.encode()))
