"""Threads: how many to use, and how work is spread over the cores of one machine."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from qhn.fields import Whole

Item = TypeVar("Item")
Result = TypeVar("Result")


def num_cores() -> int:
    """The number of threads to use: the cores that this process may use, or ``OMP_NUM_THREADS`` if that is less.

    A process may use the cores that it is bound to, and in a container at most as many as its CPU quota is worth.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = math.ceil(min(bound, cpu_quota()))
    wanted = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return max(1, min(cores, int(wanted))) if wanted.isdecimal() else cores


@cache
def cpu_quota(root: Path = Path("/")) -> float:
    """The number of cores whose time the control groups of this process grant it; infinity without a limit.

    Args:
        root: the directory in which ``proc`` and ``sys`` are mounted.
    """
    quotas = (_quota(folder) for folder in _cpu_groups(root))
    return min((quota for quota in quotas if quota > 0), default=math.inf)


def _cpu_groups(root: Path) -> Iterator[Path]:
    """The folders of this process's control groups that may limit its CPU time, and those of all groups around them.

    In a container a group may have another path than ``/proc/self/cgroup`` says; then the outermost folder is its own.
    """
    mounted = root / "sys/fs/cgroup"
    for line in _words(root / "proc/self/cgroup", "\n"):
        number, controllers, group = [*line.split(":", 2), "", ""][:3]
        places = ("", "unified") if number == "0" else (controllers, "cpu")
        if number == "0" or "cpu" in controllers.split(","):
            inside = Path(group.lstrip("/"))
            yield from (mounted / place / part for place in places for part in (inside, *inside.parents))


def _quota(folder: Path) -> float:
    """The limit of one control group in cores; 0 if it has none."""
    words = _words(folder / "cpu.max") or _words(folder / "cpu.cfs_quota_us") + _words(folder / "cpu.cfs_period_us")
    try:
        quota, period = map(float, words)
    except ValueError:  # there are no such files, or the quota is "max"
        return 0.0
    return quota / period if period > 0 else 0.0  # version 1 writes -1 for no limit


def _words(path: Path, separator: str | None = None) -> list[str]:
    """The words of a file; none if it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip().split(separator)
    except OSError:
        return []


def check_threads(num_threads: int | None) -> int:
    """The requested number of threads, or the number of cores if it is None.

    Raises:
        ValueError: if ``num_threads`` is no integer of at least 1.
    """
    return num_cores() if num_threads is None else Whole(1)("num_threads", num_threads)


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], num_threads: int) -> list[Result]:
    """Return ``[function(item) for item in items]``, computed on ``num_threads`` threads.

    Linear algebra uses one thread within each. The work is divided by its nature and never by the number of threads,
    and results keep their order, so that numbers do not depend on the number of threads.
    """
    with _one_thread_each:
        if num_threads == 1 or len(items) <= 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(num_threads, len(items))) as pool:
            return list(pool.map(function, items))


class _OneThreadEach:
    """A context in which linear algebra uses one thread; the last thread to leave restores the previous numbers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._inside = 0
        self._before: list[int] = []

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = [library.get_num_threads() for library in _blas()]
                self._set([1] * len(self._before))

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._set(self._before)

    def _set(self, numbers: list[int]) -> None:
        for library, number, before in zip(_blas(), numbers, self._before, strict=True):
            if before != 1:
                library.set_num_threads(number)


_one_thread_each = _OneThreadEach()


@cache
def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
