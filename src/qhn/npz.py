"""Files of arrays, also of strangers: read only if their headers and sizes say that they fit into memory."""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qhn import checksums, limits
from qhn.durable import open_regular
from qhn.errors import QhnError

NAME = 40  # characters of an array's name in a message
DISK_BLOCK = 512  # bytes of the blocks that the operating system counts


def read_npz(path: Path, *, own: bool = False, is_checked: bool = False) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file by name.

    Args:
        path: the file.
        own: whether qhn wrote the file; see :func:`open_npz`.
        is_checked: whether the file must have a checksum.

    Raises:
        QhnError: if the file is damaged, or its arrays are not read; see :func:`open_npz`.
        OSError: if the file cannot be opened.
    """
    try:
        with open_npz(path, own=own, is_checked=is_checked) as stored:
            return {name: stored[name] for name in stored.files}
    except (QhnError, OSError):
        raise
    except Exception as error:  # numpy raises BadZipFile, KeyError, ValueError, EOFError or zlib.error here
        raise QhnError(f"it is no archive of arrays ({type(error).__name__})") from None


@contextmanager
def open_npz(path: Path, *, own: bool = False, is_checked: bool = False) -> Iterator[Any]:
    """A context with the arrays of an ``.npz`` file by name, each of which is read when it is asked for.

    Args:
        path: the file.
        own: whether qhn wrote the file: its arrays may then take as much memory as the file takes on the disk, even if
            that is above the limit.
        is_checked: whether the file must have a checksum; one that it has must be right in any case.

    Raises:
        QhnError: if its checksum is wrong, the arrays do not fit into the limit, an array is larger than its entry in
            the archive, or they are not plain arrays.
        OSError: if the file cannot be opened.
        Exception: if the file is damaged; numpy raises BadZipFile, KeyError, ValueError, EOFError or zlib.error.
    """
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        checksums.check(file, is_checked=is_checked)
        _check_archive(file, _on_disk(file) if own else 0)
        with np.load(file, allow_pickle=False) as stored:
            yield stored


def load_npy(path: Path, *, own: bool = False, is_checked: bool = False) -> NDArray[Any]:
    """The array of an ``.npy`` file; the arguments and errors are those of :func:`open_npz`."""
    with os.fdopen(open_regular(path, os.O_RDONLY), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        limits.BYTES.check(size, "it has", "bytes", at_least=_on_disk(file) if own else 0)
        _check_header("it", file, size - checksums.check(file, is_checked=is_checked))
        file.seek(0)
        return np.asarray(np.load(file, allow_pickle=False))


def _on_disk(file: IO[bytes]) -> int:
    """The bytes that a file takes on the disk, where holes take none."""
    return os.fstat(file.fileno()).st_blocks * DISK_BLOCK


def _check_archive(file: IO[bytes], allowed: int) -> None:
    """Refuse an archive by what its directory says, and by the headers of its arrays."""
    limits.BYTES.check(os.fstat(file.fileno()).st_size, "it has", "bytes", at_least=allowed)
    with zipfile.ZipFile(file) as archive:
        entries = archive.infolist()
        limits.BYTES.check(sum(entry.file_size for entry in entries), "it unpacks to", "bytes", at_least=allowed)
        for entry in entries:
            with archive.open(entry) as member:
                _check_header(entry.filename[:NAME], member, entry.file_size)
    file.seek(0)


def _check_header(name: str, file: IO[bytes], size: int) -> None:
    """Refuse an array whose header asks for another number of bytes than there are, or for Python objects."""
    version = npy.read_magic(file)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.hasobject:
        raise QhnError(f"{name} holds Python objects, which are not read, since they could run anything")
    asked = math.prod(shape) * dtype.itemsize
    if asked != size - file.tell():
        raise QhnError(f"{name} has a header for {asked:,} bytes of numbers, and {size - file.tell():,} follow")
