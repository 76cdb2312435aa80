"""Text files of tables: opened in their encoding, unpacked, and read line by line within limits."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from qhn import limits
from qhn.errors import QhnError
from qhn.limits import open_file
from qhn.text import in_line, shown

BLOCK = 2**16  # bytes or characters that are read at once
BYTE_ORDER = "\ufeff"  # the mark at the beginning of some files
MARKS = (  # by their first bytes; that of UTF-32 begins as that of UTF-16 does
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
OTHERS = (  # files that are no text, by their first bytes
    (b"\x1f\x8b", "is packed by gzip; let its name end in .csv.gz or .tsv.gz"),
    (b"PK\x03\x04", "is a ZIP archive, such as an Excel file; unpack it, or let its name end in .xlsx"),
    (b"\xd0\xcf\x11\xe0", "is an old Excel file; save it as .xlsx or .csv"),
    (b"PAR1", "is a Parquet file; let its name end in .parquet"),
)


def check_encoding(name: str) -> None:
    """Refuse an encoding of text that Python does not know.

    Raises:
        QhnError: if there is no encoding of the name.
    """
    try:
        codecs.lookup(name)
        "".encode(name)
    except (LookupError, ValueError):  # also of one between bytes, such as hex
        raise QhnError(
            f'encoding must be a name such as "utf-8", "cp1252", "latin-1" or "utf-16", got {shown(name)}'
        ) from None


@contextmanager
def open_text(path: Path, encoding: str) -> Iterator[IO[str]]:
    """A context with the text of a file, unpacked if its name ends in ``.gz``; line ends are as they stand there.

    Args:
        path: the file.
        encoding: how its bytes stand for characters, by Python's name.

    Raises:
        QhnError: if the file is larger than the limit, packed wrongly, or not in the encoding.
    """
    try:
        with _open_bytes(path) as file:
            yield io.TextIOWrapper(file, encoding=encoding, newline="")
    except UnicodeError:
        raise _not_text(path, encoding) from None


@contextmanager
def _open_bytes(path: Path) -> Iterator[IO[bytes]]:
    """A context with the bytes of a file, unpacked if its name ends in ``.gz``.

    Raises:
        QhnError: if the file is larger than the limit, or packed wrongly.
    """
    with ExitStack() as stack:
        file = stack.enter_context(open_file(path, limits.TEXT))
        if path.suffix.lower() != ".gz":
            yield file
            return
        try:
            yield stack.enter_context(gzip.GzipFile(fileobj=file))  # type: ignore[arg-type]
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise QhnError(f"{path} is not a whole file packed by gzip: {in_line(error)}") from None


def lines_of(path: Path, file: IO[str]) -> Iterator[str]:
    """The lines of a file, without the mark of its byte order.

    Args:
        path: the file, for messages.
        file: the open file.

    Raises:
        QhnError: if a line, or all together, are longer than the limits allow; what follows is not read then.
    """
    longest, most = limits.ROW.value, limits.TEXT.value
    size = 0
    while line := file.readline(longest + 1):
        is_first, size = not size, size + len(line)
        if len(line) > longest:
            limits.ROW.check(len(line), f"{path} has a line of at least", "characters")
        if size > most:
            limits.TEXT.check(size, f"{path} unpacks to at least", "characters")
        yield line.removeprefix(BYTE_ORDER) if is_first else line


def encoding_of(path: Path) -> str:
    """The encoding in which a file most likely is: that of its byte order mark, UTF-8, UTF-16, or one of a byte each.

    Raises:
        QhnError: if the file is larger than the limit, or packed wrongly.
    """
    with _open_bytes(path) as file:
        beginning = file.read(BLOCK)
    for mark, name in MARKS:
        if beginning.startswith(mark):
            return name
    zeros = beginning[::2].count(0), beginning[1::2].count(0)
    if max(zeros) > len(beginning) / 4:
        return "utf-16-be" if zeros[0] > zeros[1] else "utf-16-le"
    return next(name for name in ("utf-8", "cp1252", "latin-1") if _fits(path, name))


def _fits(path: Path, encoding: str) -> bool:
    """Whether the bytes of a file, up to the limit, are characters in an encoding."""
    decoder, size = codecs.getincrementaldecoder(encoding)(), 0
    with _open_bytes(path) as file:
        while size <= limits.TEXT.value:
            block = file.read(BLOCK)
            size += len(block)
            try:
                decoder.decode(block, final=not block)
            except UnicodeDecodeError:
                return False
            if not block:
                break
    return True


def _not_text(path: Path, encoding: str) -> QhnError:
    """The error of a file that is not in an encoding: where, and in which one it is."""
    with _open_bytes(path) as file:
        beginning = file.read(8)
    for mark, words in OTHERS:
        if beginning.startswith(mark):
            return QhnError(f"{path} is not text in {encoding.upper()}: it {words}")
    likely = encoding_of(path)
    remedy = f'it is probably in {likely}: set data.encoding = "{likely}"'
    if codecs.lookup(likely) == codecs.lookup(encoding):
        remedy = "set data.encoding to that in which it was written"
    return QhnError(
        f"{path} is not text in {encoding.upper()}{_wrong_byte(path, encoding)}; {remedy}, or save it as UTF-8"
    )


def _wrong_byte(path: Path, encoding: str) -> str:
    """The line and the byte that are no characters in an encoding, for a message; empty if they are not to be found."""
    if len("a".encode(encoding)) > 1:  # a line end takes several bytes
        return ""
    with _open_bytes(path) as file:
        for number, line in enumerate(iter(lambda: file.readline(BLOCK), b""), start=1):
            try:
                line.decode(encoding)
            except UnicodeDecodeError as error:
                return f": line {number} holds the byte 0x{line[error.start]:02x}"
            except UnicodeError:
                return ""
    return ""
