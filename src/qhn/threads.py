"""How work is spread over the cores of one machine."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def num_cores() -> int:
    """Threads to use: the cores of this process, or ``OMP_NUM_THREADS`` if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(wanted))) if wanted.isdigit() else cores


def in_parallel(function: Callable[[Item], Result], items: Sequence[Item], num_threads: int) -> list[Result]:
    """``[function(item) for item in items]`` on so many threads, with linear algebra on one thread each.

    The work is divided by its nature and never by the number of threads, and results keep their order, so that numbers
    do not depend on it.
    """
    with _one_thread_each():
        if num_threads == 1 or len(items) == 1:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(num_threads, len(items))) as pool:
            return list(pool.map(function, items))


@contextmanager
def _one_thread_each() -> Iterator[None]:
    before = [(library, library.get_num_threads()) for library in _blas()]
    for library, number in before:
        if number != 1:
            library.set_num_threads(1)
    try:
        yield
    finally:
        for library, number in before:
            if number != 1:
                library.set_num_threads(number)


@cache
def _blas() -> list[Any]:
    from threadpoolctl import ThreadpoolController

    return [library for library in ThreadpoolController().lib_controllers if library.user_api == "blas"]
