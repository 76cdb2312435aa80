"""Files with tables, by the ending of their names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qhn.errors import NotFoundError, QhnError
from qhn.table.columns import Table
from qhn.table.csv_files import Dialect, read_csv

READERS: dict[str, Callable[[Path, Dialect], Table]] = {".csv": read_csv, ".tsv": read_csv}


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
    if path.suffix.lower() not in READERS:
        raise QhnError(f"data file {path} must be {', '.join(READERS)} or .npz, got {path.suffix!r}")
    return READERS[path.suffix.lower()](path, dialect or Dialect())


def is_table(path: str | Path) -> bool:
    """Whether a name ends as that of a file with a table does."""
    return Path(path).suffix.lower() in READERS


def is_text(path: str | Path) -> bool:
    return True
