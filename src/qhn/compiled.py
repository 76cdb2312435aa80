"""Compilation of loops by numba; the machine code is cached beside the source, or in the user's cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

# sums may be reordered, and products fused with sums; signed zeros are not promised
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}
DIGEST_SIZE = hashlib.sha256().digest_size


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function with numba when it is first called.

    A cached machine code that is damaged is compiled and cached anew. Where no cache folder can be written, every
    process compiles it anew.
    """
    dispatcher = njit(**OPTIONS, **options)(function)
    if dispatcher is not function:  # it is if NUMBA_DISABLE_JIT is set
        with contextlib.suppress(RuntimeError):  # neither the source's directory nor the user's cache can be written
            dispatcher._cache = OptionalCache(function)  # as enable_caching does
    return dispatcher


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function like :func:`compiled` and inline it wherever compiled code calls it."""
    return compiled(function, forceinline=True)


class OptionalCache(FunctionCache):  # type: ignore[misc]  # numba has no types
    """Numba's cache of a function, without which it is compiled: damaged files count as missing, and a full disk stays.

    Args:
        function: the Python function.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        name, stamp = self._impl.filename_base, self._impl.locator.get_source_stamp()
        self._cache_file = CheckedFiles(self._cache_path, f"{name}.checked", stamp)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The machine code for the types of a call; None if it is not cached, or cannot be read."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:  # of another version of numba, or of a file that cannot be opened
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Cache the machine code for the types of a call, if the disk has room and can be written."""
        with contextlib.suppress(OSError):
            super().save_overload(sig, data)


class CheckedFiles(IndexDataCacheFile):  # type: ignore[misc]
    """The files of a function's cache, each of which begins with the SHA-256 of the rest.

    Numba alone would run machine code in which a bit was flipped.
    """

    def _load_index(self) -> dict[Any, str]:
        version, stamp, names = self._read(self._index_path) or (None, None, {})
        return names if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)

    def _read(self, path: str) -> Any:
        """The content of a file; None if it is missing or damaged."""
        try:
            content = Path(path).read_bytes()
        except FileNotFoundError:
            return None
        digest, payload = content[:DIGEST_SIZE], content[DIGEST_SIZE:]
        return pickle.loads(payload) if hashlib.sha256(payload).digest() == digest else None

    def _write(self, path: str, content: Any) -> None:
        payload = self._dump(content)
        with self._open_for_write(path) as file:
            file.write(hashlib.sha256(payload).digest() + payload)
