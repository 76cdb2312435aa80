"""Files with tables, by the ending of their names."""

from __future__ import annotations

from pathlib import Path

from qhn.errors import NotFoundError, QhnError
from qhn.table.binary_files import read_excel, read_parquet
from qhn.table.columns import Table
from qhn.table.csv_files import Dialect, read_csv
from qhn.text import shown

TEXT_FILES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
WEB = ("http:/", "https:/", "ftp:/", "s3:/")  # beginnings of addresses, of which a path has one slash
TABLE_FILES = (*TEXT_FILES, ".parquet", ".xlsx")


def read_table(path: str | Path, dialect: Dialect | None = None) -> Table:
    """The table of a file; columns of a text file are texts as they stand there.

    Args:
        path: the file.
        dialect: how a text file is written, and which sheet of an Excel file is read.

    Raises:
        NotFoundError: if there is no such file.
        QhnError: if it cannot be read.
    """
    path = Path(path)
    if str(path).startswith(WEB):
        raise QhnError(f"data file {path} is an address in the web; download it, and name the file")
    if not path.is_file():
        raise NotFoundError(f"data file {path} {'is not a file' if path.exists() else 'does not exist'}")
    ending = ending_of(path)
    if ending == ".xls":
        raise QhnError(f"data file {path} is an old Excel file, which is not read; save it as .xlsx or .csv")
    if ending not in TABLE_FILES:
        others = ", ".join(one for one in TABLE_FILES if one != ".csv")
        raise QhnError(f"data file {path} must be .csv or .npz, or one of {others}, got {ending!r}")
    dialect = dialect or Dialect()
    if dialect.sheet and ending != ".xlsx":
        raise QhnError(f"data file {path} has no sheets, got sheet {shown(dialect.sheet)}; leave it out")
    if ending == ".parquet":
        return read_parquet(path)
    return read_excel(path, dialect.sheet) if ending == ".xlsx" else read_csv(path, dialect)


def is_text(path: str | Path) -> bool:
    """Whether a name ends as that of a text file with a table does, which is written in some dialect."""
    return ending_of(Path(path)) in TEXT_FILES


def ending_of(path: Path) -> str:
    """The ending of a file's name in small letters, with that of the packed file before ``.gz``.

    >>> ending_of(Path("heart.2024.CSV.gz"))
    '.csv.gz'
    """
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def is_table(path: str | Path) -> bool:
    """Whether a name ends as that of a file with a table does."""
    return ending_of(Path(path)) in TABLE_FILES
