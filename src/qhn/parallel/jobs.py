"""The loop that hands jobs to workers: taken from an iterator as they are needed, on any ``Executor``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from typing import TypeVar

from qhn.backend import BackendError
from qhn.errors import QhnError

Job = TypeVar("Job")
Result = TypeVar("Result")
FAILURES = (ValueError, BackendError, MemoryError)  # errors of a job that leave the others alone; any other is a defect
UNKNOWN_WORKERS = 256  # jobs in flight on an executor that does not say how many workers it has
DIED = "a worker process died, perhaps for want of memory; take fewer --workers: the same command goes on"


class WorkersLost(BrokenExecutor):
    """The error of an executor that can do no more jobs; the text is a sentence that says why, and how to go on."""


@dataclass(frozen=True)
class Failure:
    """The result of a job that could not be done.

    Attributes:
        error: the error that the job's function raised: a ValueError, a BackendError or a MemoryError.
    """

    error: Exception


class _End:
    """The mark that follows the last job."""


END = _End()


def work_through(
    function: Callable[[Job], Result], jobs: Iterable[Job | None], executor: Executor, *, in_flight: int | None = None
) -> Iterator[tuple[Job, Result | Failure]]:
    """Do jobs on workers, and yield each job with its result, in the order in which they end.

    The next job is taken from ``jobs`` only when a worker may need it, so that it can depend on earlier results. If it
    depends on jobs that are still under way, ``jobs`` yields None, and is asked again when another job has ended.
    Leaving the loop cancels the jobs that no worker has begun.

    Args:
        function: the function that a worker calls with a job and whose value is the job's result: a function of a
            module, or a ``functools.partial`` of one.
        jobs: the jobs, each anything but None that can be sent to a worker. It is read in the thread of the loop, never
            while its body runs.
        executor: the workers.
        in_flight: the largest number of jobs that are handed to the executor and have not ended; by default twice the
            workers of a pool of threads or processes, or 256 if the executor does not say how many it has.

    Raises:
        QhnError: if ``in_flight`` is below 1.
        RuntimeError: if ``jobs`` yields None while no job is under way.
        BackendError: if a worker died.
        Exception: if ``function`` raises an error that is none of a :class:`Failure`, and so is a defect.

    >>> import math
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> roots = {}
    >>> def jobs():
    ...     yield from (16.0, 81.0)
    ...     while len(roots) < 2:
    ...         yield None                  # the next job depends on both
    ...     yield min(roots.values())
    >>> with ThreadPoolExecutor(2) as executor:
    ...     for job, root in work_through(math.sqrt, jobs(), executor):
    ...         roots[job] = root
    >>> roots[4.0]
    2.0
    """
    if in_flight is not None and in_flight < 1:
        raise QhnError(f"in_flight must be at least 1, got {in_flight}")
    workers = getattr(executor, "_max_workers", None)  # both pools of the standard library have it
    limit = in_flight or (2 * workers if workers else UNKNOWN_WORKERS)
    source, is_at_end = iter(jobs), False
    waiting: dict[Future[Result], Job] = {}
    try:
        while True:
            while not is_at_end and len(waiting) < limit:
                job = next(source, END)
                if job is None:
                    break
                if isinstance(job, _End):
                    is_at_end = True
                else:
                    waiting[executor.submit(function, job)] = job
            if not waiting:
                if is_at_end:
                    return
                raise RuntimeError("jobs wait for one that is under way, but none is")
            ended = wait(waiting, return_when=FIRST_COMPLETED).done
            future = next(future for future in waiting if future in ended)
            outcome = _outcome(future)
            yield waiting.pop(future), outcome
    except BrokenExecutor as broken:
        for future, job in waiting.items():  # what other workers have done before is not lost
            if future.done() and not future.cancelled() and future.exception() is None:
                yield job, future.result()
        raise BackendError(lost_words(broken)) from None
    finally:
        for future in waiting:
            future.cancel()


def lost_words(error: BrokenExecutor) -> str:
    """What a user is told of workers that were lost: a sentence that says how to go on.

    >>> lost_words(WorkersLost("all have gone home; the same command goes on"))
    'all have gone home; the same command goes on'
    """
    return str(error) if isinstance(error, WorkersLost) else f"{DIED}: {error}"


def _outcome(future: Future[Result]) -> Result | Failure:
    try:
        return future.result()
    except FAILURES as error:
        return Failure(error)
