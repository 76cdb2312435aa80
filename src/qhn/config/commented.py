"""A configuration as a TOML text with comments: what is written down for a user to read and to change."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

COLUMN = 40  # of the comments of short values
WIDTH = 120  # characters of a line up to which a comment stands beside its value


@dataclass(frozen=True)
class Entry:
    """A key with its value.

    Attributes:
        key: the key in its table.
        value: the value: a truth value, a number, a text, or a list or mapping of these.
        why: why it has this value, as a comment; empty without one.
    """

    key: str
    value: Any
    why: str = ""

    def lines(self) -> list[str]:
        """The lines of the entry; a comment that does not fit beside the value stands above it."""
        line = f"{self.key} = {toml_value(self.value)}"
        comments = _comments(self.why)
        if len(comments) == 1 and len(beside := f"{line:<{COLUMN}}{comments[0]}") <= WIDTH and len(line) < COLUMN:
            return [beside]
        return [*comments, line]


@dataclass(frozen=True)
class CommentedTable:
    """A table of a configuration.

    Attributes:
        name: the name of the table.
        entries: the keys in order.
    """

    name: str
    entries: tuple[Entry, ...]

    def text(self) -> str:
        """The table in TOML.

        >>> print(CommentedTable("train", (Entry("steps", 60, "more change nothing"),)).text())
        [train]
        steps = 60                              # more change nothing
        """
        lines = [line for entry in self.entries for line in entry.lines()]
        return "\n".join([f"[{self.name}]", *lines])


def toml_value(value: Any) -> str:
    r"""A value as TOML writes it.

    >>> toml_value({"name": "adam", "rates": (0.5, 1)}), toml_value('a "b"\x7f')
    ('{ name = "adam", rates = [0.5, 1] }', '"a \\"b\\"\\u007f"')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{_key(key)} = {toml_value(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, Sequence):
        return f"[{', '.join(map(toml_value, value))}]"
    return repr(value)


def _key(key: str) -> str:
    """A key of an inline table, in quotes where it needs them."""
    is_bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    return key if is_bare else toml_value(key)


def _comments(text: str) -> list[str]:
    """The lines of a comment."""
    return [f"# {line}".rstrip() for line in text.splitlines()]
