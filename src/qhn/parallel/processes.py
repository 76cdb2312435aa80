"""Worker processes on this machine, which end with the process that started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import resource_tracker

from threadpoolctl import threadpool_limits

from qhn.errors import QhnError, QhnWarning
from qhn.text import clipped
from qhn.threads import num_cores

MAX_WORKERS = 1024
SECONDS_TO_END = 10.0  # for workers that are terminated


@contextmanager
def processes(workers: int | None = None, threads: int | None = None) -> Iterator[Executor]:
    """A pool of worker processes.

    An exception that leaves the ``with`` block ends the processes at once; steps that are on disk stay there, so that
    nothing but the step in flight is lost. A script that uses it does so under ``if __name__ == "__main__":``, since
    each process imports the script.

    Args:
        workers: number of processes; by default one a core.
        threads: number of threads of each process; by default its share of the cores.

    Raises:
        ValueError: if ``workers`` is below 1 or above 1,024.
    """
    number, others = check_workers(workers), set(multiprocessing.active_children())
    _start_resource_tracker()
    context = multiprocessing.get_context("spawn")  # a forked copy of running threads cannot be trusted
    pool = ProcessPoolExecutor(number, context, _begin_worker, (threads or max(1, num_cores() // number),))
    try:
        yield pool
    except BaseException:
        for child in set(multiprocessing.active_children()) - others:
            child.terminate()
        # waited for, since Python's own end and the pool's would else close the same pipe at once
        ending = threading.Thread(target=partial(pool.shutdown, cancel_futures=True), daemon=True)
        ending.start()
        ending.join(SECONDS_TO_END)
        raise
    pool.shutdown()


def check_workers(workers: int | None) -> int:
    """The requested number of processes, or the number of cores if it is None.

    Raises:
        QhnError: if ``workers`` is below 1 or above 1,024.
    """
    if workers is not None and workers < 1:
        raise QhnError(f"workers must be at least 1, got {workers}")
    if workers is not None and workers > MAX_WORKERS:
        raise QhnError(f"workers must be at most {MAX_WORKERS:,}, got {clipped(str(workers))}; one a core is enough")
    return workers or num_cores()


def _start_resource_tracker() -> None:
    """Start the process in which Python frees what workers share; it does not end with the terminal, but with them."""
    earlier = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # which that process inherits
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, earlier)


def _begin_worker(num_threads: int) -> None:
    for number in (signal.SIGINT, signal.SIGHUP):  # the terminal sends them to all; the parent decides
        signal.signal(number, signal.SIG_IGN)
    os.environ["OMP_NUM_THREADS"] = str(num_threads)
    warnings.simplefilter("ignore", QhnWarning)  # the parent says it once for all
    threadpool_limits(num_threads, user_api="blas")  # numpy, which was imported before, does not look again
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this worker with its parent, for whose work it would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
