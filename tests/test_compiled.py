"""Machine code is cached where it can be, and without a cache, or with a damaged one, it is compiled."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CODE = """
import numpy as np
from qhn.circuit.hypernetwork import hypernetwork
from qhn.exact.chain import Chain
print(Chain(hypernetwork(3, 1)).log_probabilities(np.full((1, 12), 0.3), np.zeros((1, 1, 3), dtype=np.uint8))[0, 0])
"""


def computed(cache: Path, **environment: str) -> str:
    """What a process of its own prints with a cache folder."""
    given = {**os.environ, "NUMBA_CACHE_DIR": str(cache), **environment}
    return subprocess.run([sys.executable, "-c", CODE], env=given, capture_output=True, check=True).stdout.decode()


def cached(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*.nb?")))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A cache folder that was filled, and what was printed."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, computed(folder)


def test_what_is_cached_is_used(cache: tuple[Path, str]) -> None:
    folder, printed = cache
    before = {path: path.stat().st_mtime_ns for path in cached(folder)}
    assert before
    assert computed(folder) == printed
    assert {path: path.stat().st_mtime_ns for path in cached(folder)} == before


def truncate(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flip(content: bytes) -> bytes:
    middle = len(content) * 3 // 4
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize("damage", [truncate, flip, lambda content: b"", lambda content: b"nonsense"])
@pytest.mark.parametrize("kind", ["nbi", "nbc"])
def test_damaged_files_are_written_anew(cache: tuple[Path, str], kind: str, damage) -> None:
    folder, printed = cache
    damaged = {path: damage(path.read_bytes()) for path in folder.rglob(f"*.{kind}")}
    for path, content in damaged.items():
        path.write_bytes(content)
    assert computed(folder) == printed
    assert all(path.read_bytes() != content for path, content in damaged.items())


def test_a_cache_that_is_no_folder_is_done_without(tmp_path: Path, cache: tuple[Path, str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert computed(tmp_path / "file") == cache[1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT, errno.EACCES])
def test_a_cache_that_cannot_be_written_is_done_without(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from qhn.compiled import CheckedFiles, compiled

    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(CheckedFiles, "_open_for_write", fail)

    def double(x: int) -> int:
        return 2 * x

    assert compiled(double)(21) == 42
