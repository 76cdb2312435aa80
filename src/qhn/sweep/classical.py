"""Classical searches of the problems of a sweep, with as many evaluations as its members took."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from qhn import durable
from qhn.baseline.classical import METHODS, Trace, methods_for, search
from qhn.config import RunConfig
from qhn.lock import Lock
from qhn.npz import open_npz
from qhn.parallel.jobs import Failure, work_through
from qhn.problem.cost import Problem, TableProblem
from qhn.sweep.survey import Group, Problems, Survey, rate_columns
from qhn.sweep.workers import Columns

TOGETHER = 5  # repeats in one job
AT_MOST = {"straight-through": 5_000}  # evaluations of a method that takes a gradient on all samples for each


@dataclass(frozen=True)
class Repeats:
    """Some repeats of one classical search of one problem: a job for a worker.

    Attributes:
        config: a configuration with the problem that is searched.
        method: the name of the search, one of :data:`qhn.baseline.classical.METHODS`.
        max_distinct: number of different bitstrings that each repeat evaluates at most.
        seeds: the random seed of each repeat.
        path: the file in which all repeats of the search are kept.
        results: the directory of all runs, in which costs of a function of the user's are kept.
    """

    config: RunConfig
    method: str
    max_distinct: int
    seeds: range
    path: Path
    results: Path


def search_all(survey: Survey, executor: Executor, say: Callable[[str], None] = lambda text: None) -> Searches:
    """Search every problem of a sweep classically, with the evaluations of its most demanding group.

    Searches that are in the sweep's directory already, where there is a file for each problem and method, are read.

    Args:
        survey: the sweep with its finished members.
        executor: the workers that do the searches.
        say: a function that is called with a line of text whenever a search has ended.

    Raises:
        QhnError: if a problem cannot be searched, or another process advances the sweep.
        BackendError: if a worker died.
    """
    repeats = survey.sweep.config.repeats
    if not repeats:
        return Searches({})
    budgets: dict[str, int] = {}
    configs: dict[str, RunConfig] = {}
    methods: dict[str, tuple[str, ...]] = {}
    for group in survey.groups:
        name = group.config.problem_id
        budgets[name] = max(*group.budgets, budgets.get(name, 0))
        configs[name], methods[name] = group.config, methods_for(group.problem)
    folder = durable.subfolder(survey.folder / "searches")
    parts = [range(start, min(start + TOGETHER, repeats)) for start in range(0, repeats, TOGETHER)]
    paths: dict[str, list[Path]] = {name: [] for name in configs}
    jobs: list[Repeats] = []
    kept: dict[Path, list[Trace]] = {}
    for name, config in configs.items():
        for method in reversed(methods[name]):  # the slowest first
            budget = min(budgets[name], AT_MOST.get(method, budgets[name]))
            path = folder / f"{name}-{method}-{budget}-{repeats}.npz"
            paths[name].append(path)
            known = _load(path)
            if known is not None:
                kept[path] = known
            else:
                jobs += [Repeats(config, method, budget, seeds, path, survey.results) for seeds in parts]
    found: dict[Path, dict[range, list[Trace]]] = {job.path: {} for job in jobs}
    total, done = sum(map(len, paths.values())), sum(map(len, paths.values())) - len(found)
    with Lock(survey.folder):
        for job, traces in work_through(search_repeatedly, jobs, executor):
            if isinstance(traces, Failure):
                raise traces.error
            found[job.path][job.seeds] = traces
            if len(found[job.path]) == len(parts):
                kept[job.path] = [trace for seeds in parts for trace in found[job.path].pop(seeds)]
                durable.replace(job.path, partial(_save, traces=kept[job.path]))
                done += 1
                say(f"classical searches: {done} of {total}, {job.method}")
    return Searches(
        {name: [trace for path in reversed(of_problem) for trace in kept[path]] for name, of_problem in paths.items()}
    )


@dataclass(frozen=True)
class Searches:
    """The classical searches of the problems of a sweep.

    Attributes:
        traces: the trace of every repeat of every method, by the ``problem_id`` of the configuration.
    """

    traces: dict[str, list[Trace]]

    def methods(self, group: Group) -> list[str]:
        """The names of the methods that searched a group's problem."""
        found = {trace.method for trace in self.traces.get(group.config.problem_id, [])}
        return [method for method in METHODS if method in found]

    def table(self, survey: Survey) -> Columns:
        """A table with a row per group, method and budget: the lowest C found, and how often it is optimal.

        A budget is a number of different bitstrings evaluated; a table is a column ``[rows]`` by name.
        """
        rows = [
            survey.labels(group) | {"method": method, "distinct": budget} | self.facts(group, method, budget)
            for group in survey.groups
            for budget in group.budgets
            for method in self.methods(group)
        ]
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}

    def facts(self, group: Group, method: str, budget: int) -> dict[str, Any]:
        """The success of one method by the time it has evaluated a number of different bitstrings.

        Args:
            group: the members whose problem was searched.
            method: the name of the method.
            budget: number of different bitstrings evaluated.

        Returns:
            Numbers by name: the number of repeats, the median of the lowest C, and, where the optimum is known, how
            often it was found and after how many different bitstrings in the median. If a search ended before that
            budget without having found the optimum, it is the number of repeats alone.
        """
        traces = [t for t in self.traces[group.config.problem_id] if t.method == method]
        enough = group.optimum + group.landscape.width if group.landscape else -np.inf
        if any(trace.distinct < budget and trace.best_cost > enough for trace in traces):
            return {"repeats": len(traces)}
        best = np.array([trace.best_at(budget) for trace in traces])
        row: dict[str, Any] = {"repeats": len(traces), "best_cost_median": np.median(best)}
        if group.landscape:
            row |= rate_columns("best_is_optimal", group.finds(best))
            width = group.optimum + group.landscape.width
            row["distinct_to_optimum_median"] = np.median([trace.count_to(width) for trace in traces])
        return row


def search_repeatedly(job: Repeats) -> list[Trace]:
    """Do the repeats of a job, each of which ends at the optimum if it is known.

    Args:
        job: the repeats to do.

    Returns:
        One trace per seed.
    """
    problems = Problems(job.results)
    landscape = problems.landscape(job.config)
    problem: Problem = problems.problem(job.config)
    if landscape is None:
        return [search(problem, job.method, job.max_distinct, seed) for seed in job.seeds]
    if job.method != "straight-through":
        problem = TableProblem(landscape.costs)
    target = landscape.optimum + landscape.width
    return [search(problem, job.method, job.max_distinct, seed, target=target) for seed in job.seeds]


def _save(file: IO[bytes], traces: list[Trace]) -> None:
    """Write all traces one after the other, as arrays."""
    lengths = np.array([len(trace.counts) for trace in traces])
    np.savez_compressed(
        file,
        method=np.array([trace.method for trace in traces]),
        length=lengths,
        counts=np.concatenate([trace.counts for trace in traces]),
        costs=np.concatenate([trace.costs for trace in traces]),
        bits=np.stack([trace.bits for trace in traces]),
        distinct=np.array([trace.distinct for trace in traces]),
        evaluations=np.array([trace.evaluations for trace in traces]),
    )


def _load(path: Path) -> list[Trace] | None:
    """The traces in a file; None if there is none, or it is damaged and the searches are to be done again."""
    try:
        with open_npz(path, own=True) as stored:
            ends = stored["length"].cumsum()[:-1]
            parts = zip(
                stored["method"].tolist(),
                np.split(stored["counts"], ends),
                np.split(stored["costs"], ends),
                stored["bits"],
                stored["distinct"].tolist(),
                stored["evaluations"].tolist(),
                strict=True,
            )
            return [Trace(*part) for part in parts]
    except Exception:  # numpy raises OSError, BadZipFile, KeyError, ValueError, EOFError or zlib.error here
        return None
