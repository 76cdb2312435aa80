"""The workers of a sweep: jobs on any ``concurrent.futures.Executor``, taken from an iterator as they are needed.

Exact members that differ in their seed only advance together (:mod:`qhn.sweep.batch`); every other member is a run with
a directory of its own, as ``qhn run`` makes it. What is known of finished members is in one file a job, which does not
depend on the number of workers, nor on whether the sweep was killed in between. An extended sweep keeps what it has;
exact members that are trained beside others than in one larger sweep agree with its to rounding.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import signal
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from qhn import bitstrings, durable
from qhn.backend import BackendError
from qhn.config import RunConfig
from qhn.config.defaults import NAMING
from qhn.errors import QhnError, QhnWarning
from qhn.lock import Lock
from qhn.npz import open_npz
from qhn.run.directories import results_directory
from qhn.run.plan import check
from qhn.run.training import train
from qhn.sweep.batch import Batch, can_advance_together
from qhn.sweep.plan import PLAN, Member, Sweep
from qhn.text import clipped
from qhn.threads import num_cores

Columns = dict[str, NDArray[Any]]
Job = TypeVar("Job")
Result = TypeVar("Result")
FAILURES = (ValueError, BackendError, MemoryError)  # errors of a job that leave the others alone; any other is a defect
COLUMNS = {  # what is kept of finished members
    *("member", "theta", "mean", "validation", "best_costs", "distinct_at", "std_error", "best_bits", "best_cost"),
    *("distinct", "num_steps", "num_gradients", "shots", "outcome", "entropy"),
}
UNKNOWN_WORKERS = 256  # jobs in flight on an executor that does not say how many workers it has
MAX_WORKERS = 1024
SECONDS_TO_END = 10.0  # for workers that are terminated
DIED = "a worker process died, perhaps for want of memory; take fewer --workers: the same command goes on"


@dataclass(frozen=True)
class Progress:
    """The progress of a sweep.

    Attributes:
        finished: number of finished members, those of earlier sessions included.
        total: number of members of the sweep.
        failures: the members that failed in this session, each with the message of its error.
    """

    finished: int
    total: int
    failures: tuple[tuple[Member, str], ...] = ()


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
        raise BackendError(f"{DIED}: {broken}") from None
    finally:
        for future in waiting:
            future.cancel()


def _outcome(future: Future[Result]) -> Result | Failure:
    try:
        return future.result()
    except FAILURES as error:
        return Failure(error)


def advance(
    sweep: Sweep, executor: Executor, *, results: str | Path | None = None, in_flight: int | None = None
) -> Iterator[Progress]:
    """Finish the members of a sweep that are not finished yet, and yield its progress.

    It yields at the start and whenever a job has ended, which is a run, or exact members that advance together. A
    member that fails is tried again when the sweep is advanced the next time, and the others go on. A sweep that an
    earlier version began goes on with the defaults of that version, and with the members that it has.

    Args:
        sweep: the sweep.
        executor: the workers.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.
        in_flight: number of jobs that are handed to the executor and have not ended, at most; by default as many as
            :func:`work_through` takes.

    Raises:
        QhnError: if members cannot be run as they are configured, or another process advances the sweep.
        OSError: if the directory cannot be written.
        BackendError: if a worker died.

    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from qhn.sweep.plan import make_sweep
    >>> exact = {"train.backend": "exact", "train.steps": 3}
    >>> sweep = make_sweep(experiment="figure-1", seeds=4, set=exact, vary={"ansatz.num_layers": [0, 1]})
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     [(at.finished, at.total) for at in advance(sweep, executor, results=folder)]
    [(0, 8), (4, 8), (8, 8)]
    """
    import qiskit  # noqa: F401 – Qiskit 2.6 crashes later if a thread that ends was the first to import it

    sweep = sweep.as_begun(results)
    for _, group in itertools.groupby(sweep.members, lambda member: member.values):
        check(next(group).config)
    folder = sweep.directory(results)
    if sweep.naming < NAMING:
        words = "was begun by an earlier version of qhn and goes on with its defaults; another name takes today's"
        warnings.warn(QhnWarning(f"the sweep in {folder} {words}"), stacklevel=2)
    folder.mkdir(parents=True, exist_ok=True)
    with Lock(folder):
        durable.clear_abandoned(folder)
        durable.subfolder(folder / "members")
        durable.replace(folder / PLAN, lambda file: file.write(sweep.as_json()))
        yield from _finish(sweep, folder, executor, results_directory(results).absolute(), in_flight)


def _finish(sweep: Sweep, folder: Path, executor: Executor, results: Path, in_flight: int | None) -> Iterator[Progress]:
    """Finish the members of a sweep whose directory is held, and yield its progress."""
    known = set(finished_members(folder))
    unfinished = [[member for member in job if member.id not in known] for job in sweep.jobs]
    jobs = [job for job in unfinished if job]
    total = len(sweep.members)
    finished, failures = total - sum(map(len, jobs)), []
    yield Progress(finished, total)
    function = partial(work, results=str(results))
    for job, columns in work_through(function, jobs, executor, in_flight=in_flight):
        if isinstance(columns, Failure):
            failures += [(member, str(columns.error)) for member in job]
        else:
            _keep(folder, job, columns)
            finished += len(job)
        yield Progress(finished, total, tuple(failures))


def _keep(folder: Path, job: list[Member], columns: Columns) -> None:
    """Write one file of arrays for the members of a job, named after them."""
    names = [member.id for member in job]
    path = folder / "members" / f"{hashlib.sha256(' '.join(names).encode()).hexdigest()[:10]}.npz"
    arrays = {"member": np.array(names)} | columns
    durable.replace(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def finished_members(folder: Path) -> dict[str, tuple[Path, int]]:
    """The place of each finished member's arrays in a sweep's directory: a file and a row of it, by the member's id.

    Files that are damaged, as by a full disk or a copy that was cut short, are passed over: their members are not
    finished.
    """
    found = {}
    for path in sorted((folder / "members").glob("*.npz")):
        columns = read_columns(path)
        if columns is not None:
            found.update({str(name): (path, row) for row, name in enumerate(columns["member"])})
    return found


def read_columns(path: Path) -> Columns | None:
    """The arrays of finished members ``[members, ...]`` by name from a file of a sweep; None if it is damaged."""
    try:
        with open_npz(path, own=True) as stored:
            columns = dict(stored)
    except Exception:  # numpy raises BadZipFile, KeyError, ValueError, EOFError or zlib.error here
        return None
    is_whole = columns.keys() >= COLUMNS and len({len(np.atleast_1d(column)) for column in columns.values()}) == 1
    return columns if is_whole else None


def work(members: Sequence[Member], results: str) -> Columns:
    """Finish the members of one job, and return their results: arrays by name whose axis 0 is the member.

    Results at every step, ``[B, steps]``:

    - ``mean``: E = ⟨C⟩.
    - ``validation``: the mean validation cost; nan without validation data.
    - ``best_costs``: the lowest C that a sampled member has measured so far; nan for exact members.
    - ``distinct_at``: the number of different bitstrings evaluated so far; nan for exact members.

    Results at the last step, ``[B]`` where no shape is given:

    - ``theta``: the angles in radians, ``[B, num_parameters]``.
    - ``std_error``: the standard error of E; 0 for exact members.
    - ``best_bits``: the best bitstring a sampled member has measured, or the most probable one of an exact member,
      ``[B, num_qubits]``; ``best_cost`` is its C.
    - ``distinct``: the number of different bitstrings evaluated; all there are for exact members.
    - ``num_steps``, ``num_gradients``, ``shots``: the number of steps, of evaluations of the gradient, and of shots.
    - ``outcome``: why the member ended, by the name of its :class:`qhn.run.step.Outcome`.
    - ``entropy``: the entropy of an exact member's distribution over bitstrings, in bits; nan for sampled members.

    Args:
        members: exact members that can advance together, or a single member.
        results: directory of all runs, in which a sampled member is recorded.

    Raises:
        QhnError: if a member cannot be run as it is configured.
        BackendError: if the machine of a member fails.
    """
    configs = [member.config for member in members]
    return _train_together(configs, results) if can_advance_together(configs[0]) else _train_alone(configs[0], results)


def _train_together(configs: Sequence[RunConfig], results: str) -> Columns:
    batch = Batch(configs, results)
    state = batch.advance(batch.begin())
    most_probable = batch.most_probable(state)
    costs = batch.estimator.landscape.costs
    zeros = np.zeros(len(configs))
    return {
        "theta": state.theta,
        "mean": state.mean,
        "validation": np.full_like(state.mean, np.nan) if state.validation is None else state.validation,
        "best_costs": np.full_like(state.mean, np.nan),
        "distinct_at": np.full_like(state.mean, np.nan),
        "std_error": zeros,
        "best_bits": most_probable,
        "best_cost": costs[bitstrings.to_integers(most_probable)],
        "distinct": np.full(len(configs), costs.size),
        "num_steps": state.num_steps,
        "num_gradients": state.num_gradients,
        "shots": zeros.astype(np.int64),
        "outcome": np.where(state.converged, "converged", "done"),
        "entropy": batch.entropy(state),
    }


def _train_alone(config: RunConfig, results: str) -> Columns:
    training = train(config, results=results)
    try:
        steps = list(training)
    finally:
        training.close()
    assert training.outcome is not None
    cut = len(steps) > config.train.steps
    steps = steps[: config.train.steps]  # the run may have been extended on its own
    last = steps[-1]
    return {
        "theta": last.theta[None],
        "mean": np.array([[step.mean for step in steps]]),
        "validation": np.array([[np.nan if step.validation is None else step.validation for step in steps]]),
        "best_costs": np.array([[step.best_cost for step in steps]]),
        "distinct_at": np.array([[step.distinct for step in steps]], dtype=np.float64),
        "std_error": np.array([last.mean_std_error]),
        "best_bits": np.array([[int(bit) for bit in last.best_bits]], dtype=np.uint8),
        "best_cost": np.array([last.best_cost]),
        "distinct": np.array([last.distinct]),
        "num_steps": np.array([len(steps)]),
        "num_gradients": np.array([len(steps)]),
        "shots": np.array([last.shots]),
        "outcome": np.array(["done" if cut else training.outcome.name]),
        "entropy": np.array([np.nan]),
    }


@contextmanager
def processes(workers: int | None = None) -> Iterator[Executor]:
    """A pool of worker processes, each with its share of the cores.

    An exception that leaves the ``with`` block ends the processes at once; steps that are on disk stay there, so that
    nothing but the step in flight is lost. A script that uses it does so under ``if __name__ == "__main__":``, since
    each process imports the script.

    Args:
        workers: number of processes; by default one a core.

    Raises:
        ValueError: if ``workers`` is below 1 or above 1,024.
    """
    if workers is not None and workers < 1:
        raise QhnError(f"workers must be at least 1, got {workers}")
    if workers is not None and workers > MAX_WORKERS:
        raise QhnError(f"workers must be at most {MAX_WORKERS:,}, got {clipped(str(workers))}; one a core is enough")
    number, others = workers or num_cores(), set(multiprocessing.active_children())
    _start_resource_tracker()
    context = multiprocessing.get_context("spawn")  # a forked copy of running threads cannot be trusted
    pool = ProcessPoolExecutor(number, context, _begin_worker, (max(1, num_cores() // number),))
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
