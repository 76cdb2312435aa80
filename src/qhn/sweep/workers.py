"""The members of a sweep as jobs for workers, and the files in which their results are kept.

Exact members that differ in their seed only advance together (:mod:`qhn.sweep.batch`); every other member is a run with
a directory of its own, as ``qhn run`` makes it. What is known of finished members is in one file a job, which does not
depend on the number of workers, nor on whether the sweep was killed in between. An extended sweep keeps what it has;
exact members that are trained beside others than in one larger sweep agree with its to rounding.
"""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings, durable
from qhn.config import RunConfig
from qhn.config.defaults import NAMING
from qhn.errors import QhnWarning
from qhn.lock import Lock
from qhn.npz import open_npz
from qhn.parallel.jobs import Failure, work_through
from qhn.run.directories import results_directory
from qhn.run.plan import check
from qhn.run.step import Ending
from qhn.run.training import train
from qhn.sweep.batch import Batch, can_advance_together
from qhn.sweep.plan import PLAN, Member, Sweep

Columns = dict[str, NDArray[Any]]
COLUMNS = {  # what is kept of finished members
    *("member", "theta", "mean", "validation", "best_costs", "distinct_at", "std_error", "best_bits", "best_cost"),
    *("distinct", "num_steps", "num_gradients", "shots", "outcome", "entropy"),
}


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
        "outcome": np.select([state.converged, state.ended], [Ending.CONVERGED, Ending.PLATEAU], Ending.DONE),
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
