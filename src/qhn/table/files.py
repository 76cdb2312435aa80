"""Files with tables, by the ending of their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qhn.errors import NotFoundError, QhnError
from qhn.table.columns import Table
from qhn.table.csv_files import Dialect, read_csv

READERS: dict[str, Callable[[Path, Dialect], Table]] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".csv.gz": read_csv,
    ".tsv.gz": read_csv,
}


def read_table(path: str | Path, dialect: Dialect | None = None) -> Table:
    """The table of a file; columns of a text file are texts as they stand there.

    Args:
        path: the file.
        dialect: how a text file is written.

    Raises:
        NotFoundError: if there is no such file.
        QhnError: if it cannot be read.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"data file {path} {'is not a file' if path.exists() else 'does not exist'}")
    ending = ending_of(path)
    if ending not in READERS:
        others = ", ".join(one for one in READERS if one != ".csv")
        raise QhnError(f"data file {path} must be .csv or .npz, or one of {others}, got {ending!r}")
    return READERS[ending](path, dialect or Dialect())


def ending_of(path: Path) -> str:
    """The ending of a file's name in small letters, with that of the packed file before ``.gz``.

    >>> ending_of(Path("heart.2024.CSV.gz"))
    '.csv.gz'
    """
    return "".join(path.suffixes[-2:] if path.suffix.lower() == ".gz" else path.suffixes[-1:]).lower()


def is_table(path: str | Path) -> bool:
    """Whether a name ends as that of a file with a table does."""
    return ending_of(Path(path)) in READERS


def is_text(path: str | Path) -> bool:
    """Whether a name ends as that of a text file with a table does, which is written in some dialect."""
    return READERS.get(ending_of(Path(path))) is read_csv
