"""Tables in files of Parquet and Excel, whose values have types; the packages of the extra ``tables`` read them."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from qhn import limits
from qhn.errors import QhnError
from qhn.limits import open_file
from qhn.table.columns import Origin, Table, refuse_repeated
from qhn.table.frames import column_of, table_of
from qhn.text import clipped, in_line, shown

BATCH = 4096  # rows that are read at once
CELL = 8  # bytes of a value at least


def read_parquet(path: Path) -> Table:
    """The table of a Parquet file.

    Raises:
        QhnError: if pyarrow or pandas are not installed, or the file cannot be read or is larger than the limit.
    """
    parquet = _package("pyarrow.parquet", path)
    _package("pandas", path)
    try:
        with open_file(path) as file, parquet.ParquetFile(file) as stored:
            frame = _whole_frame(path, stored)
    except (QhnError, MemoryError):
        raise
    except Exception as error:  # pyarrow has errors of its own for some faults, and those of Python for others
        raise QhnError(f"{path} is not a Parquet file that can be read: {_reason(error)}") from None
    return _with_rows(path, table_of(frame, source=str(path)))


def _whole_frame(path: Path, stored: Any) -> Any:
    """The data frame of an open Parquet file, unless it takes more memory than is allowed."""
    num_rows, num_columns = stored.metadata.num_rows, len(stored.schema_arrow.names)
    limits.COLUMNS.check(num_columns, f"{path} has", "columns")
    limits.BYTES.check(num_rows * num_columns * CELL, f"{path} unpacks to at least", "bytes")
    batches, size = [], 0
    for batch in stored.iter_batches(batch_size=BATCH):
        size += batch.nbytes
        limits.BYTES.check(size, f"{path} unpacks to at least", "bytes")
        batches.append(batch)
    return import_module("pyarrow").Table.from_batches(batches, stored.schema_arrow).to_pandas()


def _with_rows(path: Path, table: Table) -> Table:
    """The table of a file, if it has rows.

    Raises:
        QhnError: if it has none.
    """
    if not table.num_rows:
        raise QhnError(f"{path} needs a header line and at least one sample")
    return table


def read_excel(path: Path, sheet: str = "") -> Table:
    """The table of a sheet of an Excel file, whose first row that is not empty holds the names of the columns.

    Rows without values are left out, and so are columns that have neither a name nor values.

    Args:
        path: the file.
        sheet: the name of the sheet; the first one if empty.

    Raises:
        QhnError: if openpyxl is not installed, there is no such sheet, or the file cannot be read or is larger than the
            limit.
    """
    openpyxl = _package("openpyxl", path)
    try:
        with open_file(path, limits.TEXT) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and the like that openpyxl does not know
            with zipfile.ZipFile(file) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
            limits.TEXT.check(unpacked, f"{path} unpacks to", "bytes")
            file.seek(0)
            book = openpyxl.load_workbook(file, read_only=True, data_only=True)
            rows = list(_rows(path, _sheet_of(path, book, sheet)))
    except (QhnError, MemoryError):
        raise
    except Exception as error:  # openpyxl lets the errors of archives and of XML through, and has others of its own
        raise QhnError(f"{path} is not an Excel file that can be read: {_reason(error)}") from None
    return _sheet_table(path, rows)


def _sheet_of(path: Path, book: Any, name: str) -> Any:
    """The sheet of a name, or the first one with cells."""
    names = [sheet.title for sheet in book.worksheets]
    if name and name not in names:
        raise QhnError(f"{path} has no sheet {shown(name)}; it has {clipped(', '.join(map(in_line, names)))}")
    if not names:
        raise QhnError(f"{path} has no sheet with cells")
    sheet = book.worksheets[names.index(name) if name else 0]
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    return sheet


def _rows(path: Path, sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """The rows of a sheet that hold a value, with their numbers, without the empty cells at their ends."""
    size = 0
    for number, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = list(cells)
        while row and (row[-1] is None or (isinstance(row[-1], str) and not row[-1].strip())):
            row.pop()
        if row:
            limits.COLUMNS.check(len(row), f"{path} has", "columns")
            size += CELL * len(row)
            limits.BYTES.check(size, f"{path} unpacks to at least", "bytes")
            yield number, row


def _sheet_table(path: Path, rows: Sequence[tuple[int, list[Any]]]) -> Table:
    """The table of rows, the first of which holds the names."""
    if len(rows) < 2:
        raise QhnError(f"{path} needs a header line and at least one sample")
    width = max(len(row) for _, row in rows)
    limits.BYTES.check(width * len(rows) * CELL, f"{path} unpacks to at least", "bytes")
    first, *others = (row + [None] * (width - len(row)) for _, row in rows)
    names = ["" if name is None else str(name).strip() for name in first]
    columns = [
        (name, values)
        for name, values in zip(names, zip(*others, strict=True), strict=True)
        if name or any(value is not None for value in values)
    ]
    refuse_repeated(str(path), tuple(name for name, _ in columns))
    origin = Origin(str(path), "row", np.array([number for number, _ in islice(rows, 1, None)]))
    return Table(str(path), tuple(column_of(name, values, origin) for name, values in columns))


def _package(name: str, path: Path) -> Any:
    """A package that reads files of a kind.

    Raises:
        QhnError: if it is not installed.
    """
    try:
        return import_module(name)
    except ImportError:
        package = name.partition(".")[0]
        raise QhnError(f"{path} is read by {package}, which is not installed: pip install 'qhn[tables]'") from None


def _reason(error: Exception) -> str:
    """What a package says of a file, in a line."""
    return in_line(error) or type(error).__name__
