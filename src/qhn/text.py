"""Text for people and from them: aligned tables, help with misspelt names, and the files that a user wrote."""

from __future__ import annotations

import difflib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from qhn.errors import QhnError
from qhn.limits import TEXT, open_file

Row = Sequence[object]
MAX_ITEMS = 8  # items of a list in a cell of a table
MAX_SHOWN = 120  # characters of a user's value in a message
HIDDEN = ("Cc", "Cs", "Zl", "Zp")  # categories of characters that steer a terminal, end a line, or are none
REORDERING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")  # direction of the text behind them


def aligned(head: Row, rows: Sequence[Row]) -> str:
    """A table in text whose columns are as wide as their longest cell; columns of numbers are aligned to the right.

    >>> print(aligned(["method", "C"], [["random", 0.5], ["descent", 0.25]]))
    method      C
    random    0.5
    descent  0.25
    """
    cells = [[in_line(cell) for cell in row] for row in (head, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [all(map(_is_number, column[1:])) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    )


def markdown(head: Row, rows: Sequence[Row]) -> str:
    """A table in Markdown.

    >>> print(markdown(["method", "C"], [["random", 0.5]]))
    | method | C |
    |---|---|
    | random | 0.5 |
    """
    lines = [head, ["---"] * len(head), *rows]
    text = ["| " + " | ".join(visible(str(cell), keep="").replace("|", "\\|") for cell in row) + " |" for row in lines]
    text[1] = "|" + "---|" * len(head)
    return "\n".join(text)


def literal(text: str) -> str:
    r"""A text in which the marks of Markdown for emphasis, code and links are characters like others.

    >>> print(literal("E - C* of [a_b]"))
    E - C\* of \[a\_b\]
    """
    return re.sub(r"([\\`*_\[\]<>&])", r"\\\1", text)


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "–-+.∞"


def did_you_mean(name: str, options: Iterable[str], otherwise: str = "") -> str:
    """``"did you mean 'x'?"`` for the option nearest to ``name``, or ``otherwise`` if none is near.

    >>> did_you_mean("shotz", ["shots", "seed"])
    "did you mean 'shots'?"
    """
    nearest = difflib.get_close_matches(name, list(options), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else otherwise


def name_hint(name: str, names: Iterable[str]) -> str:
    """What a message says after a name that is none of those there are: the nearest one, or all of them.

    >>> name_hint("agee", ["age", "sex"]), name_hint("weight", ["age", "sex"])
    ("did you mean 'age'?", 'it has age, sex')
    """
    known = list(names)
    return did_you_mean(name, known, otherwise=clipped(f"it has {', '.join(map(in_line, known))}"))


def spell(value: Any) -> Any:
    """The value of a setting as a cell of a table."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key} {inner}" for key, inner in value.items() if key != "name")
        return f"{value.get('name', '')} {inside}".strip()
    if isinstance(value, (list, tuple)) and len(value) > MAX_ITEMS:
        first = ", ".join(f"{item:.4g}" if isinstance(item, float) else clipped(str(item)) for item in value[:2])
        return f"{len(value):,} values, {first}, …"
    return str(list(value)) if isinstance(value, (list, tuple)) else value


def shown(value: object) -> str:
    """A value as Python writes it, for a message of one line: the middle of a long one is left out.

    >>> shown("few"), shown([0.5]), len(shown("9" * 1000))
    ("'few'", '[0.5]', 119)
    """
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # Python writes no integer of more than 4,300 digits, and no endless nest
        return f"a {type(value).__name__} that is too large to show"
    return clipped(text)


def counted(number: int, noun: str) -> str:
    """A number of things in words.

    >>> counted(1, "edge"), counted(2000, "edge")
    ('1 edge', '2,000 edges')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def clipped(text: str, most: int = MAX_SHOWN) -> str:
    """A text without its middle if it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    half = (most - 1) // 2
    return f"{text[:half]}…{text[-half:]}"


def visible(text: str, keep: str = "\n\t") -> str:
    r"""A text that says to a reader what it holds, and nothing to a terminal: control characters as Python's escapes.

    Args:
        text: any text, such as a name that a user gave.
        keep: the control characters that stay.

    >>> print(visible("red\x1b[2J"))
    red\x1b[2J
    """
    if text.isprintable():
        return text
    return "".join(one if one in keep or not _is_hidden(one) else ascii(one)[1:-1] for one in text)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in HIDDEN or unicodedata.bidirectional(character) in REORDERING


def in_line(value: object, most: int = MAX_SHOWN) -> str:
    r"""A user's text as a part of a line: as itself, with line ends and control characters as Python's escapes.

    Args:
        value: the text, or a value that is converted to text.
        most: the largest number of characters; the middle of a longer text is left out.

    >>> print(in_line("two\nlines"), in_line("long" * 1000, most=9))
    two\nlines long…long
    """
    return clipped(visible(str(value), keep=""), most)


def parse_json(text: str | bytes) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: if it is not JSON, not UTF-8, or nests without end.

    >>> parse_json('{"steps": [1, 2]}')
    {'steps': [1, 2]}
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise QhnError("the JSON nests too deep") from None


def read_text(path: Path, what: str = "file") -> str:
    """The text of a user's file in UTF-8, with or without a byte order mark, and with line ends of one character.

    Args:
        path: path of the file.
        what: the kind of file, for the message of an error, such as ``"configuration file"``.

    Raises:
        QhnError: if the file is not in UTF-8.
        OSError: if it cannot be read.
    """
    try:
        with open_file(path, TEXT) as file:
            return io.StringIO(file.read().decode("utf-8-sig"), newline=None).read()
    except UnicodeDecodeError as error:
        raise QhnError(
            f"{what} {path} is not text in UTF-8: byte {error.start + 1} is 0x{error.object[error.start]:02x}; "
            "save it as UTF-8"
        ) from None
