"""Tables in text files: rows of fields between separators, under a header line with the names of the columns."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from qhn import limits
from qhn.errors import QhnError
from qhn.limits import open_file
from qhn.table.columns import Column, Table
from qhn.text import shown


@dataclass(frozen=True)
class Dialect:
    """How a text file is written.

    Attributes:
        separator: the mark between two fields; empty for that of the file's ending: a tab for ``.tsv``, else a comma.
        decimal: the mark between a number and its decimals.
        encoding: how the bytes stand for characters, by Python's name; a byte order mark of UTF-8 is left out.
    """

    separator: str = ""
    decimal: str = "."
    encoding: str = "utf-8"

    def separator_of(self, path: Path) -> str:
        """The mark between two fields of a file."""
        return self.separator or ("\t" if ".tsv" in path.suffixes else ",")


def read_csv(path: Path, dialect: Dialect | None = None) -> Table:
    """The table of a text file, all of whose columns are texts as they stand there.

    Args:
        path: the file.
        dialect: how it is written.

    Raises:
        QhnError: if it cannot be read, has no row under its header, or rows differ in length; the message names the
            line.
    """
    dialect = dialect or Dialect()
    separator = dialect.separator_of(path)
    encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
    try:
        with io.TextIOWrapper(open_file(path, limits.TEXT), encoding=encoding, newline="") as file:
            reader = csv.reader(_short_lines(path, file), delimiter=separator)
            rows = [(number, _narrow(path, row)) for number, row in enumerate(reader, start=1) if row]
    except (UnicodeDecodeError, csv.Error) as error:
        raise QhnError(f"{path} is not a CSV file in {dialect.encoding.upper()}: {error}") from None
    if len(rows) < 2:
        raise QhnError(f"{path} needs a header line and at least one sample")
    header = [name.strip() for name in rows[0][1]]
    if len(header) == 1 and any(mark in header[0] for mark in ",;\t|"):
        raise QhnError(f"{path}: columns must be separated by {shown(separator)}, the header is {header[0]!r}")
    for name in header:
        if "\0" in name:
            raise QhnError(f"{path}: the name {shown(name)} of a column holds a NUL character; remove it")
    for number, row in rows[1:]:
        if len(row) != len(header):
            raise QhnError(f"{path} line {number} has {len(row)} fields, the header has {len(header)}")
    fields = [np.array(column, dtype=object) for column in zip(*(row for _, row in rows[1:]), strict=True)]
    return Table(str(path), tuple(Column(name, column) for name, column in zip(header, fields, strict=True)))


def _short_lines(path: Path, file: IO[str]) -> Iterator[str]:
    """The lines of a table; one that is too long is refused before the rest of it is read."""
    most = limits.ROW.value
    while line := file.readline(most + 1):
        limits.ROW.check(len(line), f"{path} has a line of at least", "characters")
        yield line


def _narrow(path: Path, row: list[str]) -> list[str]:
    """The row of a table, if it has no more columns than are allowed."""
    limits.COLUMNS.check(len(row), f"{path} has", "columns")
    return row


def sniffed(path: Path) -> Dialect:
    """The dialect in which a text file seems to be written."""
    import gzip

    raw = path.read_bytes() if path.suffix != ".gz" else gzip.open(path).read()
    raw = raw[:1_000_000]
    encoding = "utf-8"
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        encoding, text = "cp1252", raw.decode("cp1252", errors="replace")
    lines = text.splitlines()[:100]
    separator = max(
        ",;\t|", key=lambda mark: (min(line.count(mark) for line in lines if line) > 0, lines[0].count(mark))
    )
    decimal = "," if separator != "," and any(__import__("re").search(r"\d,\d", line) for line in lines[1:]) else "."
    return Dialect(separator, decimal, encoding)
