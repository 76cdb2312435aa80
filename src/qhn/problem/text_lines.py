"""Files of numbers in text: one item a line, in fields; every fault is named by its line, its value and the remedy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from qhn.errors import QhnError
from qhn.problem.cost import MAX_COST
from qhn.text import counted, in_line, read_text

INDEX = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Line:
    """A line of a file that is neither empty nor a comment.

    Attributes:
        path: the file.
        number: number of the line, from 1.
        fields: the texts of the line, without the spaces or commas between them.
    """

    path: Path
    number: int
    fields: tuple[str, ...]

    @property
    def place(self) -> str:
        """The file and the number of the line, for messages."""
        return f"{self.path} line {self.number}"

    def index(self, place: int) -> int:
        """The field as a whole number, such as that of a variable.

        Raises:
            QhnError: if it is none, is negative, or has more than 18 digits.
        """
        text = self.fields[place]
        if not INDEX.fullmatch(text):
            raise QhnError(f"{self.place}: {in_line(text)!r} must be a whole number from 0, of at most 18 digits")
        return int(text)

    def value(self, place: int) -> float:
        """The field as a finite real number up to 1e150.

        Raises:
            QhnError: if it is none.
        """
        text = self.fields[place]
        try:
            number = float("_" if "_" in text else text)  # Python takes 1_0 for 10
        except ValueError:
            raise QhnError(f"{self.place}: {in_line(text)!r} is not a number; write it as 1, -0.5 or 2e3") from None
        if not abs(number) <= MAX_COST:
            raise QhnError(f"{self.place}: {in_line(text)!r} must be a finite number up to {MAX_COST:g}; correct it")
        return number

    def expect(self, counts: tuple[int, ...], form: str) -> None:
        """Refuse a line of another number of fields.

        Args:
            counts: the numbers of fields that are taken.
            form: what a line must look like, for the message.

        Raises:
            QhnError: if the line has another number of fields.
        """
        if len(self.fields) not in counts:
            shown = in_line(" ".join(self.fields))
            raise QhnError(f"{self.place} must be {form}, got {counted(len(self.fields), 'field')}: {shown!r}")


def lines_of(path: Path, kind: str) -> Iterator[Line]:
    """The lines of a text file without comments (``#`` to the end of a line) and empty lines.

    Fields are separated by commas in a ``.csv`` file, and by spaces or tabs in any other.

    Args:
        path: the file.
        kind: what the file is, for messages.

    Raises:
        QhnError: if it is no text in UTF-8, or too large.
    """
    separator = "," if path.suffix.lower() == ".csv" else None
    for number, text in enumerate(read_text(path, kind).splitlines(), start=1):
        content = text.partition("#")[0].strip()
        if content:
            yield Line(path, number, tuple(field.strip() for field in content.split(separator)))
