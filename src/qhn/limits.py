"""Limits on what is read of a file, checked before memory is spent on it; environment variables raise them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from qhn.durable import open_regular
from qhn.errors import QhnError


@dataclass(frozen=True)
class Limit:
    """A limit that the user can raise.

    Attributes:
        variable: the environment variable that sets it.
        default: the limit if the variable is not set.
    """

    variable: str
    default: int

    @property
    def value(self) -> int:
        """The limit that holds now.

        Raises:
            QhnError: if the environment variable is not a whole number above 0.
        """
        text = os.environ.get(self.variable) or str(self.default)
        if not (text.isascii() and text.isdecimal() and len(text) < 19 and int(text) > 0):
            raise QhnError(f"${self.variable} must be a whole number above 0, got {text[:40]!r}")
        return int(text)

    def check(self, found: int, subject: str, unit: str, *, at_least: int = 0) -> None:
        """Refuse what is above the limit.

        Args:
            found: the number that is limited.
            subject: the beginning of the message, such as ``heart.csv has``.
            unit: the unit of the number, such as ``bytes``.
            at_least: a number that is allowed, whatever the limit.

        Raises:
            QhnError: if the number is above the limit; the message says how to raise it.

        >>> COLUMNS.check(100_000, "heart.csv has", "columns")
        Traceback (most recent call last):
        qhn.errors.QhnError: heart.csv has 100,000 columns, at most 10,000 are read; QHN_MAX_COLUMNS=100000 allows it
        """
        if found > max(self.value, at_least):
            raise QhnError(
                f"{subject} {found:,} {unit}, at most {self.value:,} are read; {self.variable}={found} allows it"
            )


BYTES = Limit("QHN_MAX_BYTES", 2**29)  # of a file's content in memory, once unpacked
TEXT = Limit("QHN_MAX_TEXT", 2**27)  # bytes of a text or a table, whose words take more in memory than in the file
COLUMNS = Limit("QHN_MAX_COLUMNS", 10_000)  # of a table
ROW = Limit("QHN_MAX_ROW", 2**20)  # characters of a line of a table


def open_file(path: Path, limit: Limit = BYTES) -> IO[bytes]:
    """Open a file to read it as a whole.

    Args:
        path: path of the file.
        limit: limit on its size in bytes.

    Raises:
        QhnError: if it is no regular file, or larger than the limit.
        OSError: if it cannot be opened.
    """
    file = os.fdopen(open_regular(path, os.O_RDONLY), "rb")
    try:
        limit.check(os.fstat(file.fileno()).st_size, f"{path} has", "bytes")
    except BaseException:
        file.close()
        raise
    return file
