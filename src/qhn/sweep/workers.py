"""The members of a sweep, done on any ``concurrent.futures.Executor``.

Exact members that differ in their seed only advance together (:mod:`qhn.sweep.batch`); every other member is a run with
a directory of its own, as ``qhn run`` makes it. What is known of finished members is in one file a job, which does not
depend on the number of workers, nor on whether the sweep was killed in between. An extended sweep keeps what it has;
exact members that were trained in another company agree to rounding.
"""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from qhn import bitstrings, durable
from qhn.backend import BackendError
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.run.checks import check
from qhn.run.record import results_directory
from qhn.run.training import train
from qhn.sweep.batch import can_advance_together, train_together
from qhn.sweep.plan import Member, Sweep
from qhn.text import clipped
from qhn.threads import num_cores

Columns = dict[str, NDArray[Any]]
MAX_WORKERS = 1024
DIED = "a worker process died, perhaps for want of memory; take fewer --workers: the same command goes on"


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: members finished, of how many, and failures as (member, message)."""

    finished: int
    total: int
    failures: tuple[tuple[Member, str], ...] = ()


def advance(sweep: Sweep, executor: Executor, *, results: str | Path | None = None) -> Iterator[Progress]:
    """Do what is not finished yet; yields at the start and whenever some members have ended.

    A member that fails is left for the next time, and the others go on.

    Raises:
        ValueError: if members cannot be run as they are configured.
        OSError: if the directory cannot be written.
        BackendError: if a worker died.
    """
    import qiskit  # noqa: F401 – Qiskit 2.6 crashes later if a thread that ends was the first to import it

    for _, group in itertools.groupby(sweep.members, lambda member: member.values):
        check(next(group).config)
    folder = sweep.directory(results)
    (folder / "members").mkdir(parents=True, exist_ok=True)
    durable.replace(folder / "sweep.json", lambda file: file.write(sweep.as_json()))
    known = set(finished_members(folder))
    place = str(results_directory(results).absolute())
    waiting: dict[Future[Columns], list[Member]] = {}
    for job in sweep.jobs:
        left = [member for member in job if member.id not in known]
        if left:
            try:
                waiting[executor.submit(work, [member.config for member in left], place)] = left
            except BrokenExecutor as error:
                raise BackendError(f"{DIED}: {error}") from None
    total = len(sweep.members)
    finished, failures = total - sum(map(len, waiting.values())), []
    yield Progress(finished, total)
    try:
        for future in as_completed(waiting):
            job = waiting[future]
            try:
                columns = future.result()
            except (ValueError, BackendError, MemoryError) as error:
                failures += [(member, str(error)) for member in job]
            except BrokenExecutor as error:
                raise BackendError(f"{DIED}: {error}") from None
            else:
                _keep(folder, job, columns)
                finished += len(job)
            yield Progress(finished, total, tuple(failures))
    finally:
        for future in waiting:
            future.cancel()


def _keep(folder: Path, job: list[Member], columns: Columns) -> None:
    """One file of arrays for the members of a job, named after them."""
    names = [member.id for member in job]
    path = folder / "members" / f"{hashlib.sha256(' '.join(names).encode()).hexdigest()[:10]}.npz"
    arrays = {"member": np.array(names)} | columns
    durable.replace(path, lambda file: np.savez_compressed(file, allow_pickle=False, **arrays))


def finished_members(folder: Path) -> dict[str, tuple[Path, int]]:
    """Where the arrays of each finished member are: file and row, by its id."""
    found = {}
    for path in sorted((folder / "members").glob("*.npz")):
        with np.load(path) as stored:
            found.update({str(name): (path, row) for row, name in enumerate(stored["member"])})
    return found


def work(configs: Sequence[RunConfig], results: str) -> Columns:
    """Finish the members of a job, and return what is known of each: arrays whose axis 0 is the member.

    At every step, ``[B, steps]``: ``mean`` = E and ``validation``; of sampled members ``best_costs`` so far, and
    ``distinct_at``, the networks evaluated for them. At the last step: ``theta``; ``std_error`` of E; ``best_bits`` and
    ``best_cost`` of the best sampled network, or of an exact member's most probable one; ``distinct`` networks
    evaluated, ``num_steps``, ``num_gradients``, ``shots``, ``outcome``; and ``entropy`` of exact members in bits.
    """
    return _train_together(configs) if can_advance_together(configs[0]) else _train_alone(configs[0], results)


def _train_together(configs: Sequence[RunConfig]) -> Columns:
    batch = train_together(configs)
    costs = batch.estimator.landscape.costs
    zeros = np.zeros(len(configs))
    return {
        "theta": batch.theta,
        "mean": batch.mean,
        "validation": np.full_like(batch.mean, np.nan) if batch.validation is None else batch.validation,
        "best_costs": np.full_like(batch.mean, np.nan),
        "distinct_at": np.full_like(batch.mean, np.nan),
        "std_error": zeros,
        "best_bits": batch.most_probable,
        "best_cost": costs[bitstrings.to_integers(batch.most_probable)],
        "distinct": np.full(len(configs), costs.size),
        "num_steps": batch.num_steps,
        "num_gradients": batch.num_gradients,
        "shots": zeros.astype(np.int64),
        "outcome": np.where(batch.converged, "converged", "done"),
        "entropy": batch.entropy,
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
    """A pool of worker processes, each with its share of the cores; leaving it by an exception ends them at once.

    Steps that are on disk stay there, so that nothing but the step in flight is lost.

    Raises:
        ValueError: if ``workers`` is below 1 or above 1,024.
    """
    if workers is not None and workers < 1:
        raise QhnError(f"workers must be at least 1, got {workers}")
    if workers is not None and workers > MAX_WORKERS:
        raise QhnError(f"workers must be at most {MAX_WORKERS:,}, got {clipped(str(workers))}; one a core is enough")
    number, others = workers or num_cores(), set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # a forked copy of running threads cannot be trusted
    pool = ProcessPoolExecutor(number, context, _begin_worker, (max(1, num_cores() // number),))
    try:
        yield pool
    except BaseException:
        children = set(multiprocessing.active_children()) - others
        pool.shutdown(wait=False, cancel_futures=True)
        for child in children:
            child.terminate()
        raise
    pool.shutdown()


def _begin_worker(num_threads: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to all; the parent decides
    os.environ["OMP_NUM_THREADS"] = str(num_threads)
    threadpool_limits(num_threads, user_api="blas")  # numpy, which was imported before, does not look again
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """A worker whose parent was killed would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
