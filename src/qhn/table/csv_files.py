"""Tables in text files: rows of fields between separators, under a header line with the names of the columns."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np

from qhn import limits
from qhn.errors import QhnError
from qhn.table.columns import MISSING, Column, Origin, Table, refuse_repeated
from qhn.table.number_marks import THOUSANDS, USUAL, Marks, marks_of, without_thousands
from qhn.table.text_files import check_encoding, encoding_of, lines_of, open_text
from qhn.table.values import is_date, is_number
from qhn.text import clipped, counted, shown

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}
LOOKED_AT = 200  # rows from which the dialect of a file is told
BLOCK = 4096  # rows that are put into columns at once
SEPARATED = re.compile(r"\"?sep=(.)\"?\s*", re.IGNORECASE)  # a first line in which Excel is told the separator
END = "\0end"  # a line behind the last one, which is a part of a row only if that has no end
Row = tuple[int, list[str]]  # the number of its first line, and its fields


@dataclass(frozen=True)
class Dialect:
    """How a text file is written, or which sheet of an Excel file is read.

    Attributes:
        separator: the mark between two fields, of which a space stands for any number of spaces; empty for that of the
            file's ending: a tab for ``.tsv`` and ``.tsv.gz``, else a comma.
        decimal: the mark between a number and its decimals.
        encoding: how the bytes stand for characters, by Python's name; a byte order mark is left out.
        sheet: the name of the sheet of an Excel file; empty for the first one.
        thousands: the mark between thousands of a number, of which a space stands for any kind of space; empty for
            none.

    Raises:
        QhnError: at construction, if the separator is no mark, the decimal mark neither a point nor a comma, the mark
            between thousands none that is used or that of decimals, or the encoding unknown.
    """

    separator: str = ""
    decimal: str = "."
    encoding: str = "utf-8"
    sheet: str = ""
    thousands: str = ""

    def __post_init__(self) -> None:
        if self.separator and (len(self.separator) > 1 or self.separator.isalnum() or self.separator in "\"'.+-\r\n\0"):
            raise QhnError(
                'separator must be one mark such as ",", ";", a tab, "|" or a space, or empty for that of the file\'s '
                f"ending, got {shown(self.separator)}"
            )
        if self.decimal not in (".", ","):
            raise QhnError(f'decimal must be "." or ",", got {shown(self.decimal)}')
        if self.thousands not in ("", *THOUSANDS) or self.thousands == self.decimal:
            others = ", ".join(f'"{mark}"' for mark in THOUSANDS if mark != self.decimal)
            raise QhnError(f"thousands must be empty or one of {others}, got {shown(self.thousands)}")
        check_encoding(self.encoding)

    def separator_of(self, path: Path) -> str:
        """The mark between two fields of a file."""
        return self.separator or ("\t" if ".tsv" in map(str.lower, path.suffixes) else ",")


def read_csv(path: Path, dialect: Dialect | None = None) -> Table:
    """The table of a text file, all of whose columns are texts as they stand there.

    Blank lines are left out, and so is a last column without name and values, which separators at the ends of lines
    make.

    Args:
        path: the file.
        dialect: how it is written.

    Raises:
        QhnError: if it cannot be read, has no row under its header, or rows differ in length; the message names the
            line.
    """
    dialect = dialect or Dialect()
    separator = dialect.separator_of(path)
    try:
        with open_text(path, dialect.encoding) as file:
            rows = _closed(path, _rows(chain(lines_of(path, file), [END]), separator))
            header = [name.strip() for name in next(rows, (0, []))[1]]
            _check_header(path, header, separator)
            numbers, columns = _in_columns(_whole(path, header, rows, separator), len(header))
    except csv.Error as error:
        raise QhnError(f"{path} is not a CSV file in {dialect.encoding.upper()}: {error}") from None
    if not numbers:
        raise QhnError(f"{path} needs a header line and at least one sample")
    if not header[-1] and not any(map(str.strip, columns[-1])):
        header.pop()
        columns.pop()
    refuse_repeated(str(path), tuple(header))
    origin = Origin(str(path), "line", np.array(numbers), dialect.decimal, dialect.thousands)
    if mark := dialect.thousands:
        columns = [[without_thousands(field, mark, dialect.decimal) for field in column] for column in columns]
    fields = [np.array(column, dtype=object) for column in columns]
    return Table(
        str(path), tuple(Column(name, column, origin=origin) for name, column in zip(header, fields, strict=True))
    )


def sniffed(path: str | Path, usual: Marks = USUAL) -> Dialect:
    """The dialect in which a text file most likely is written, told from its first rows.

    Args:
        path: the file, whose name may end in ``.gz``.
        usual: the marks before decimals and between thousands that numbers have if they can be read in several ways.

    Raises:
        QhnError: if the file cannot be read, or is no text.
    """
    path = Path(path)
    encoding = encoding_of(path)
    own = Dialect().separator_of(path)
    with open_text(path, encoding) as file:
        lines = list(islice(lines_of(path, file), LOOKED_AT))
    if lines and (told := SEPARATED.fullmatch(lines[0])) and told[1] in SEPARATORS:
        separator = told[1]
    else:
        candidates = sorted(SEPARATORS, key=lambda mark: mark != own)  # of equal ones the first is taken
        separator = max(candidates, key=lambda mark: _fit(_first_rows(lines, mark)))
        if _fit(_first_rows(lines, separator)) == NO_FIT:
            separator = own
    decimal, thousands = marks_of(_first_rows(lines, separator)[1:], separator, usual)
    return Dialect(separator, decimal, encoding, thousands=thousands)


def _rows(lines: Iterable[str], separator: str) -> Iterator[Row]:
    """The rows of a text that are not blank; csv.Error is raised where a field is too long.

    A first line such as ``sep=;``, which is written for Excel, is left out.
    """
    lines = iter(lines)
    first = next(lines, "")
    last = skipped = int(SEPARATED.fullmatch(first) is not None)
    reader = csv.reader(lines if skipped else chain([first], lines), delimiter=separator)
    for row in reader:
        fields = [field for field in row if field] if separator == " " else row
        if fields and (len(fields) > 1 or fields[0].strip()):
            yield last + 1, fields
        last = reader.line_num + skipped


def _closed(path: Path, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows of a text up to the line ``END``.

    Raises:
        QhnError: if that line is between quotation marks; the message names the line of the first one.
    """
    for number, row in rows:
        if row == [END]:
            return
        if row[-1].endswith(END):
            raise QhnError(f"{path} line {number}: a quotation mark is opened that is never closed; close or remove it")
        yield number, row


def _check_header(path: Path, header: list[str], separator: str) -> None:
    """Refuse a line that holds no names of columns.

    Raises:
        QhnError: if there are none, too many, or all are numbers, or they are separated by another mark.
    """
    if not header:
        raise QhnError(f"{path} needs a header line and at least one sample")
    limits.COLUMNS.check(len(header), f"{path} has", "columns")
    if len(header) == 1 and any(mark in header[0] for mark in SEPARATORS if mark not in (separator, " ")):
        what = SEPARATORS.get(separator, shown(separator))
        words = f"{path}: columns must be separated by {what}, the header is {shown(header[0])}"
        raise QhnError(words + _other_separator(path, separator))
    for name in header:
        if "\0" in name:
            raise QhnError(f"{path}: the name {shown(name)} of a column holds a NUL character; remove it")
    if all(map(is_number, header)) and not _counts(header):
        raise QhnError(
            f"{path} line 1 holds {clipped(', '.join(header))} where names of columns must stand; add a header line"
        )


def _counts(names: list[str]) -> bool:
    """Whether names count columns, as those that a program gave to columns without names."""
    return all(name.isdecimal() and int(name) - int(names[0]) == j for j, name in enumerate(names))


def _whole(path: Path, header: list[str], rows: Iterable[Row], separator: str) -> Iterator[Row]:
    """Rows with a field for each name of the header; an empty one more at the end is left out.

    Raises:
        QhnError: if a row has more fields or fewer, or holds a NUL character; the message names its line.
    """
    width = len(header)
    for number, row in rows:
        if len(row) == width + 1 and not row[-1].strip():
            row.pop()
        if len(row) != width:
            words = f"{path} line {number} has {counted(len(row), 'field')}, the header has {width}"
            if "\n" in "".join(row):
                raise QhnError(f"{words}; a quotation mark that is opened there is not closed on the same line")
            remedy = "; put fields that hold the separator between quotation marks" if len(row) > width else ""
            if len(row) == width + 1:
                remedy += ", or begin the header with a separator if the first column has no name"
            raise QhnError(words + (_other_separator(path, separator) or remedy))
        if "\0" in "".join(row):
            raise QhnError(f"{path} line {number} holds a NUL character; remove it")
        yield number, row


def _other_separator(path: Path, separator: str) -> str:
    """What a message says if another separator fits a file; empty if none does."""
    likely = sniffed(path).separator
    written = "a tab" if likely == "\t" else f'"{likely}"'
    return f"; {SEPARATORS[likely]} separate them: set data.separator = {written}" if likely != separator else ""


def _in_columns(rows: Iterable[Row], width: int) -> tuple[list[int], list[list[str]]]:
    """The lines of rows, and their fields by column: a block of rows at a time, since rows take more memory."""
    numbers: list[int] = []
    columns: list[list[str]] = [[] for _ in range(width)]
    rows = iter(rows)
    while block := list(islice(rows, BLOCK)):
        numbers += [number for number, _ in block]
        for column, fields in zip(columns, zip(*(row for _, row in block), strict=True), strict=True):
            column += fields
    return numbers, columns


NO_FIT = (0.0, 0.0, 0)


def _first_rows(lines: Sequence[str], separator: str) -> list[list[str]]:
    """The fields of the first rows of a text, without the last one if it may go on; none if it is no table."""
    try:
        rows = [[field.strip() for field in row] for _, row in _rows(lines, separator)]
    except csv.Error:
        return []
    return rows[:-1] if len(lines) == LOOKED_AT else rows


def _fit(rows: list[list[str]]) -> tuple[float, float, int]:
    """How well a separator fits: the share of rows as long as the header, of fields with numbers or dates, and length.

    A field between separators at the end of a line counts as none.
    """
    lengths = [len(row) - (not row[-1]) for row in rows]
    if not lengths or lengths[0] < 2:
        return NO_FIT
    fields = [field for row in rows[1:] for field in row]
    values = sum(field in MISSING or is_number(field) or is_number(field, ",") or is_date(field) for field in fields)
    same = sum(len(row) == len(rows[0]) for row in rows[1:])
    return (same + 1) / len(rows), values / max(1, len(fields)), lengths[0]
