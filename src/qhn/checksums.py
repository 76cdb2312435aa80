"""Checksums inside files: a flipped bit, a changed digit or a lost line is noticed when the file is read.

A JSON document ends with its checksum as the last key. Each line of a file of JSON lines ends with its number and a
checksum, which covers the file from its beginning and so also the checksum of every earlier line. An archive of arrays
(``.npz``) has its checksum as the comment of the ZIP file, and a file of one array (``.npy``) behind the array; NumPy
reads both as if they had none. All are CRC-32 of the bytes before them, in eight hexadecimal digits. They find damage;
they are no protection against somebody who computes them anew.
"""

from __future__ import annotations

import io
import json
import os
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from qhn.durable import open_regular
from qhn.errors import QhnError
from qhn.text import parse_json

DIGITS = rb"([0-9a-f]{8})"
DOCUMENT_END = re.compile(rb',\n  "checksum": "' + DIGITS + rb'"\n}\n\Z')
LINE_END = re.compile(rb', "line": ([0-9]+), "checksum": "' + DIGITS + rb'"}\Z')
ARRAYS_END = re.compile(rb"crc32:" + DIGITS)
BLOCK = 2**20  # bytes that are read at once
COMMENT = len("crc32:01234567")  # bytes of the checksum of arrays


# ---------------------------------------------------------------- documents


def document(tree: Mapping[str, Any]) -> bytes:
    """A JSON document with a checksum as its last key.

    Args:
        tree: the JSON values by key; there must be at least one.

    >>> print(document({"steps": 3}).decode(), end="")
    {
      "steps": 3,
      "checksum": "23bf76fa"
    }
    """
    text = json.dumps(tree, indent=2).removesuffix("\n}") + ',\n  "checksum": "'
    return f'{text}{zlib.crc32(text.encode()):08x}"\n}}\n'.encode()


def parse_document(content: bytes, *, is_checked: bool = True) -> dict[str, Any]:
    """The JSON values of a document, without its checksum.

    Args:
        content: bytes of the document.
        is_checked: whether the document must have a checksum; otherwise one without is accepted too.

    Raises:
        QhnError: if the document is not what :func:`document` wrote.
        ValueError: if it is not JSON.
    """
    end = DOCUMENT_END.search(content)
    if end is not None and zlib.crc32(content[: end.start(1)]) != int(end[1], 16):
        raise QhnError("it was changed after it was written: its checksum is another")
    tree = parse_json(content)
    if not isinstance(tree, dict):
        raise QhnError("it holds no JSON object")
    if end is None and (is_checked or "checksum" in tree):
        raise QhnError("it was changed after it was written: it does not end with its checksum")
    tree.pop("checksum", None)
    return tree


# ---------------------------------------------------------------- lines


@dataclass(frozen=True)
class End:
    """The end of the written part of a file of lines, by which lost and changed lines are noticed.

    Attributes:
        lines: number of lines.
        size: number of bytes.
        checksum: CRC-32 of these bytes.
    """

    lines: int = 0
    size: int = 0
    checksum: int = 0

    def after(self, content: bytes) -> End:
        """The end of the file once something is appended."""
        return End(self.lines + content.count(b"\n"), self.size + len(content), zlib.crc32(content, self.checksum))

    def to_json(self) -> dict[str, Any]:
        """The end as JSON values, for a note of it in another file."""
        return {"lines": self.lines, "size": self.size, "crc32": f"{self.checksum:08x}"}

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> End:
        """Restore an end from the JSON values of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: if they are none.
        """
        return cls(int(tree["lines"]), int(tree["size"]), int(tree["crc32"], 16))


@dataclass(frozen=True)
class Line:
    """A line of a file.

    Attributes:
        number: number of the line, from 1.
        text: the line without its end.
        end: end of the file after this line.
        is_checked: whether the line has a checksum, which is right.
    """

    number: int
    text: bytes
    end: End
    is_checked: bool

    @property
    def tree(self) -> Any:
        """The JSON value of the line, without its number and checksum.

        Raises:
            ValueError: if the line is not JSON.
        """
        tree = parse_json(self.text)
        if self.is_checked:
            del tree["line"], tree["checksum"]
        return tree


def line(text: str, end: End) -> bytes:
    r"""A JSON object as the next line of a file, with its number and checksum.

    Args:
        text: the object in one line, with at least one key.
        end: end of the file so far.

    >>> line('{"step": 0}', End())
    b'{"step": 0, "line": 1, "checksum": "5bc9c7c3"}\n'
    """
    start = f'{text[:-1]}, "line": {end.lines + 1}, "checksum": "'.encode()
    return start + f'{zlib.crc32(start, end.checksum):08x}"}}\n'.encode()


def lines_of(content: bytes, end: End | None = None, *, plain: bool = False) -> Iterator[Line]:
    """The lines of a file, or of what was appended to it, each checked against its number and checksum.

    A line without a checksum is left out: a process was killed, or the machine lost its power, while it was written.
    The checksums of later lines cover its bytes. A last line that lacks only its line end is complete.

    Args:
        content: bytes of the file, from ``end`` on.
        end: end of the part of the file that was read before; None to begin with the first line.
        plain: whether lines without checksums are accepted, up to the first line that has one.

    Raises:
        QhnError: if a line was changed after it was written.
    """
    here = End() if end is None else end
    *complete, rest = content.split(b"\n")
    for text in [*complete, rest] if rest else complete:
        before, here = here, here.after(text + b"\n")
        found = LINE_END.search(text)
        if found is None:
            if plain:
                yield Line(here.lines, text, here, is_checked=False)
            continue
        plain = False
        checksum = zlib.crc32(text[: found.start(2)], before.checksum)
        if int(found[1]) != here.lines or int(found[2], 16) != checksum:
            raise QhnError(f"line {here.lines}, or one before it, was changed after it was written")
        yield Line(here.lines, text, here, is_checked=True)


def last_line(path: Path, end: End) -> Line | None:
    """The last line of the part of a file that ends at ``end``, of which no more than needed is read.

    Args:
        path: path of the file.
        end: end of the part, after at least one line.

    Returns:
        The line; None if the line before it, or it itself, has no checksum from which it could be checked.

    Raises:
        QhnError: if the line was changed after it was written.
        OSError: if the file cannot be read.
    """
    tail, length = b"", 2048
    with path.open("rb") as file:
        while tail.count(b"\n") < 3 and length < end.size:
            length = min(2 * length, end.size)
            file.seek(end.size - length)
            tail = file.read(length)
    *earlier, text = tail.removesuffix(b"\n").split(b"\n")
    before = End()
    if end.lines > 1:
        found = LINE_END.search(earlier[-1]) if earlier else None
        if found is None:
            return None
        rest = earlier[-1][found.start(2) :] + b"\n"
        before = End(end.lines - 1, end.size - len(text) - 1, zlib.crc32(rest, int(found[2], 16)))
    last = next(lines_of(text, before), None)
    if last is not None and last.end != end:
        raise QhnError(f"line {end.lines}, or the one before it, was changed after it was written")
    return last


def lines_at_end(path: Path, most: int) -> Iterator[Line]:
    """The lines at the end of a file, of which no more than a number of bytes is read, each checked if it can be.

    Args:
        path: path of the file.
        most: number of bytes.

    Raises:
        QhnError: if a line was changed after it was written, or there is no file but something else.
        OSError: if the file cannot be read.
    """
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        left_out = max(0, os.fstat(file.fileno()).st_size - most)
        file.seek(left_out)
        content, end = file.read(), None
    content = content.partition(b"\n")[2] if left_out else content
    rest = content if left_out else b""
    while rest and end is None:  # the first line from which those after it can be checked
        first, _, rest = rest.partition(b"\n")
        if found := LINE_END.search(first):
            content = rest
            end = End(int(found[1]), 0, zlib.crc32(first[found.start(2) :] + b"\n", int(found[2], 16)))
    yield from lines_of(content, end, plain=end is None)


# ---------------------------------------------------------------- arrays


def arrays(**named: Any) -> bytes:
    """An archive of arrays in the format of :func:`numpy.savez`, with a checksum as its comment.

    Args:
        named: the arrays by name.
    """
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **named)
    content = file.getvalue()
    return _with_checksum(content[:-2] + COMMENT.to_bytes(2, "little"))  # its last two bytes are the comment's length


def array(values: NDArray[Any]) -> bytes:
    """One array in the format of :func:`numpy.save`, with a checksum behind it.

    Args:
        values: the array.
    """
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return _with_checksum(file.getvalue())


def check(file: IO[bytes], *, is_checked: bool = True) -> int:
    """Refuse a file of arrays that was changed after :func:`arrays` or :func:`array` wrote it.

    Args:
        file: the file, open in binary mode; afterwards it stands at its beginning.
        is_checked: whether the file must have a checksum; otherwise one without is accepted too.

    Returns:
        The number of bytes of the checksum at its end; 0 if it has none.

    Raises:
        QhnError: if the checksum is wrong, or missing although there must be one.
    """
    size = max(0, file.seek(0, os.SEEK_END) - COMMENT)
    file.seek(size)
    found = ARRAYS_END.fullmatch(file.read())
    file.seek(0)
    if found is None:
        if is_checked:
            raise QhnError("it was changed after it was written: it does not end with its checksum")
        return 0
    checksum, left = 0, size
    while left:
        block = file.read(min(left, BLOCK))
        checksum, left = zlib.crc32(block, checksum), left - len(block)
    file.seek(0)
    if checksum != int(found[1], 16):
        raise QhnError("it was changed after it was written: its checksum is another")
    return COMMENT


def _with_checksum(content: bytes) -> bytes:
    return content + f"crc32:{zlib.crc32(content):08x}".encode()
