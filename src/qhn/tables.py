"""Tables as text: aligned for a terminal, or in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[object]


def aligned(head: Row, rows: Sequence[Row]) -> str:
    """Columns as wide as their longest cell; numbers, and what begins with one, to the right.

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
    """The same in Markdown.

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
