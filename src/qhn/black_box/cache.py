"""A cache of costs on disk: what was evaluated is there before it is used, for this run and for others.

The cache of a function is a folder. Every process that evaluates appends to a file of its own, so that several may be
at work at once, and reads those of the others. A row is a bitstring packed into bytes, its cost, and the CRC-32 of
both; a row that is torn or changed counts for nothing, and its bitstring is evaluated again.
"""

from __future__ import annotations

import os
import secrets
import time
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.durable import open_regular, subfolder
from qhn.errors import QhnError, RecordWarning

CACHES = ".costs"  # folder of a directory of results with the costs of all functions
SUFFIX = ".costs"
SECONDS_BETWEEN_SYNCS = 1.0  # so much may be lost if the machine loses its power; nothing if the process is killed

Packed = NDArray[np.uint8]


class CostCache:
    """The costs of one function in a folder.

    Args:
        folder: the folder, which is made if it does not exist.
        num_qubits: number of bits of a bitstring.

    Raises:
        QhnError: at construction, if there is a link or a file of that name.
        OSError: at construction, if the folder cannot be made.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     CostCache(Path(folder), 2).append(np.array([[3]], dtype=np.uint8), np.array([0.5]))
    ...     CostCache(Path(folder), 2).read()
    (array([[3]], dtype=uint8), array([0.5]))
    """

    def __init__(self, folder: Path, num_qubits: int) -> None:
        self._file: int | None = None
        self.folder = subfolder(folder)
        self._row = np.dtype([("bits", np.uint8, ((num_qubits + 7) // 8,)), ("cost", "<f8"), ("checksum", "<u4")])
        self._read: dict[str, int] = {}  # bytes of each file that were read
        self._name = ""
        self._process = os.getpid()
        self._synced = time.monotonic()

    def read(self) -> tuple[Packed, Floats]:
        """The rows that were added since the last call, by other processes or earlier.

        Returns:
            Bitstrings packed into bytes, ``[n, bytes]``, and their costs, ``[n]``; one bitstring may come twice.
        """
        with os.scandir(self.folder) as entries:
            names = [entry.name for entry in entries if self._is_longer(entry)]
        found = [self._tail(name) for name in sorted(names)]
        rows = np.concatenate([np.empty(0, dtype=self._row), *found])
        return np.ascontiguousarray(rows["bits"]), np.ascontiguousarray(rows["cost"])

    def _is_longer(self, entry: os.DirEntry[str]) -> bool:
        """Whether a file of another process has complete rows that were not read."""
        if not entry.name.endswith(SUFFIX) or entry.name == self._name:
            return False
        return entry.stat(follow_symlinks=False).st_size - self._read.get(entry.name, 0) >= self._row.itemsize

    def _tail(self, name: str) -> NDArray[Any]:
        """The rows of a file behind those that were read, without a row at its end that is not complete."""
        path, start = self.folder / name, self._read.get(name, 0)
        with os.fdopen(open_regular(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            file.seek(start)
            content = file.read()
        rows = np.frombuffer(content, dtype=self._row, count=len(content) // self._row.itemsize)
        self._read[name] = start + rows.nbytes
        is_right = rows["checksum"] == self._checksums(rows)
        if not is_right.all():
            words = f"{path} has {int((~is_right).sum())} damaged rows, whose bitstrings are evaluated again"
            warnings.warn(RecordWarning(words), stacklevel=2)
        kept: NDArray[Any] = rows[is_right & np.isfinite(rows["cost"])]
        return kept

    def append(self, packed: Packed, costs: Floats) -> None:
        """Add packed bitstrings ``[n, bytes]`` with their costs ``[n]``; they outlive this process from then on.

        Raises:
            OSError: if they cannot be written.
        """
        rows = np.empty(len(costs), dtype=self._row)
        rows["bits"], rows["cost"] = packed, costs
        rows["checksum"] = self._checksums(rows)
        content = memoryview(rows.tobytes())
        file = self._own_file()
        while content:
            content = content[os.write(file, content) :]
        if time.monotonic() - self._synced > SECONDS_BETWEEN_SYNCS:
            self.sync()

    def sync(self) -> None:
        """Wait until everything that was added is on the disk."""
        if self._file is not None:
            os.fsync(self._file)
        self._synced = time.monotonic()

    def __del__(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)

    def _own_file(self) -> int:
        """The descriptor of the file to which this process appends."""
        if self._file is None or self._process != os.getpid():  # a forked copy has a file of its own
            self._name = f"{os.getpid()}-{secrets.token_hex(6)}{SUFFIX}"
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            self._file, self._process = open_regular(self.folder / self._name, flags), os.getpid()
        return self._file

    def _checksums(self, rows: NDArray[Any]) -> NDArray[np.uint32]:
        """The CRC-32 of the bits and the cost of each row."""
        size = self._row.itemsize
        content, used = rows.tobytes(), size - self._row["checksum"].itemsize
        sums = (zlib.crc32(content[start : start + used]) for start in range(0, len(content), size))
        return np.fromiter(sums, dtype=np.uint32, count=len(rows))


def cache_in(results: Path, name: str, num_qubits: int) -> CostCache | None:
    """The cache of a function in a directory of results.

    Args:
        results: the directory, which is made if it does not exist.
        name: a name of the function.
        num_qubits: number of bits of a bitstring.

    Returns:
        The cache; None, with a warning, if nothing can be written there: a cache is no condition of a run.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        return CostCache(subfolder(results / CACHES) / name, num_qubits)
    except (OSError, QhnError) as error:
        words = error.strerror if isinstance(error, OSError) else error
        warnings.warn(RecordWarning(f"costs are not kept in {results / CACHES}: {words}"), stacklevel=2)
        return None
