"""Text for people: tables, aligned for a terminal or in Markdown, and suggestions for misspelt names."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Any

Row = Sequence[object]


def aligned(head: Row, rows: Sequence[Row]) -> str:
    """A table in text whose columns are as wide as their longest cell; columns of numbers are aligned to the right.

    >>> print(aligned(["method", "C"], [["random", 0.5], ["descent", 0.25]]))
    method      C
    random    0.5
    descent  0.25
    """
    cells = [[str(cell) for cell in row] for row in (head, *rows)]
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
    text = ["| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in lines]
    text[1] = "|" + "---|" * len(head)
    return "\n".join(text)


def _is_number(cell: str) -> bool:
    return cell[:1].isdigit() or cell[:1] in "–-+.∞"


def did_you_mean(name: str, options: Iterable[str], otherwise: str = "") -> str:
    """``"did you mean 'x'?"`` for the option nearest to ``name``, or ``otherwise`` if none is near.

    >>> did_you_mean("shotz", ["shots", "seed"])
    "did you mean 'shots'?"
    """
    nearest = difflib.get_close_matches(name, list(options), n=1)
    return f"did you mean {nearest[0]!r}?" if nearest else otherwise


def spell(value: Any) -> Any:
    """The value of a setting as a cell of a table."""
    if isinstance(value, dict):
        inside = ", ".join(f"{key} {inner}" for key, inner in value.items() if key != "name")
        return f"{value.get('name', '')} {inside}".strip()
    return str(list(value)) if isinstance(value, (list, tuple)) else value
