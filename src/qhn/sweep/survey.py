"""What a sweep found: finished members in groups that differ in their seed only, and tables of their success."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.baseline.classical import Polished, polish
from qhn.black_box.cost import begin_evaluations
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.problem.cost import BinnProblem, Problem, TableProblem, networks_of
from qhn.problem.landscape import Landscape, enumerate_costs, is_small, polynomial_for_table
from qhn.run.directories import results_directory
from qhn.run.step import Ending
from qhn.statistics import restarts_interval, wilson
from qhn.sweep.plan import Sweep
from qhn.sweep.workers import Columns, finished_members, read_columns
from qhn.text import spell

EXACT_BUDGETS = (64, 256, 1024)  # evaluations of searches that are compared with exact trainings
MAX_EVALUATIONS = 50_000  # evaluations of one search
CURVES = ("mean", "validation", "best_costs", "distinct_at")


@dataclass(frozen=True)
class Rate:
    """A rate of successes with its 95 % Wilson interval.

    Attributes:
        successes: number of trials that succeeded.
        trials: number of all trials, at least 1.

    >>> str(Rate(3, 10))
    '0.30 (0.11–0.60)'
    """

    successes: int
    trials: int

    @property
    def value(self) -> float:
        """The share of trials that succeeded."""
        return self.successes / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        """The lower and the upper end of the 95 % Wilson interval."""
        return wilson(self.successes, self.trials)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f}–{high:.2f})"


@dataclass(frozen=True)
class Group:
    """The finished members of a sweep that differ in their seed only.

    Attributes:
        values: the values of the varied settings that the members have in common.
        config: the configuration of the first member.
        columns: what is known of the members, arrays whose axis 0 is the member, in the order of seeds; their names are
            explained at :func:`qhn.sweep.workers.work`. Curves that are shorter than the longest are continued with
            their last value.
        problems: the problems of the sweep, each loaded once.
    """

    values: tuple[Any, ...]
    config: RunConfig
    columns: Columns
    problems: Problems

    def __len__(self) -> int:
        return len(self.columns["distinct"])

    @property
    def problem(self) -> Problem:
        """The problem whose cost was minimised."""
        return self.problems.problem(self.config)

    @property
    def networks(self) -> BinnProblem:
        """The problem whose cost was minimised, which must be one of networks on data.

        Raises:
            QhnError: if it is another.
        """
        return networks_of(self.problem)

    @property
    def landscape(self) -> Landscape | None:
        """The costs of all bitstrings, or None if there are many and the members did not need all of them."""
        return self.problems.landscape(self.config)

    @property
    def is_exact(self) -> bool:
        """Whether E was computed as a sum over all bitstrings, without shots."""
        return self.config.train.shots is None and polynomial_for_table(self.problem) is None

    @property
    def mean(self) -> Floats:
        """The value of E at each member's last step, ``[members]``."""
        last: Floats = self.columns["mean"][:, -1]
        return last

    @property
    def optimum(self) -> float:
        """The lowest cost of all bitstrings, C*, or nan where it is not known."""
        return self.landscape.optimum if self.landscape else float("nan")

    def success(self, epsilon: float) -> Rate:
        """The rate of members whose E at the last step is closer to the optimum C* than ``epsilon``."""
        return rate_of(self.mean - self.optimum < epsilon)

    def succeeded_by(self, step: int, epsilon: float) -> Bools:
        """Whether E of each member was closer to the optimum C* than ``epsilon`` after some steps, ``[members]``.

        A member that ended earlier counts as it ended.

        Args:
            step: number of steps taken, from 1, which is the initial θ, as in ``train.steps``.
            epsilon: distance from the optimum.

        Raises:
            QhnError: if ``step`` is below 1.
        """
        if step < 1:
            raise QhnError(f"step must be at least 1, got {step}")
        curve = self.columns["mean"]
        found: Bools = curve[:, min(step, curve.shape[1]) - 1] - self.optimum < epsilon
        return found

    @property
    def converged(self) -> Rate:
        """The rate of members that converged; the others ended by another rule, mostly their number of steps."""
        return rate_of(self.columns["outcome"] == Ending.CONVERGED)

    def converged_by(self, step: int) -> Rate:
        """The rate of members that had converged after a number of steps, counted as in ``train.steps``."""
        return rate_of((self.columns["outcome"] == Ending.CONVERGED) & (self.columns["num_steps"] <= step))

    @cached_property
    def _polishes(self) -> list[Polished]:
        source = TableProblem(self.landscape.costs) if self.landscape else self.problem
        return [polish(source, bits) for bits in self.columns["best_bits"]]

    @property
    def polished(self) -> Floats:
        """The cost C after a one-flip descent from each member's best bitstring, ``[members]``."""
        return np.array([end.cost for end in self._polishes])

    @property
    def polish_distinct(self) -> float:
        """The median number of bitstrings that the one-flip descent evaluates, though a member may have met some."""
        return float(np.median([end.distinct for end in self._polishes]))

    def finds(self, costs: Floats) -> Rate:
        """The rate at which costs ``[n]`` are optimal, up to rounding; the optimum must be known."""
        assert self.landscape is not None
        return Rate(int((costs <= self.optimum + self.landscape.width).sum()), len(costs))

    def gradients_to_solution(self, epsilon: float) -> float:
        """The mean number of gradients, over restarts, until a training comes closer to C* than ``epsilon``.

        It is infinite if none does.
        """
        successes = self.success(epsilon).successes
        return float(self.columns["num_gradients"].sum() / successes) if successes else float("inf")

    def gradients_interval(self, epsilon: float) -> tuple[float, float]:
        """The ends of the 95 % interval of :meth:`gradients_to_solution`; the upper one may be infinite.

        Of members that differ in their seed: see :func:`qhn.statistics.restarts_interval`.
        """
        return restarts_interval(self.columns["num_gradients"], self.mean - self.optimum < epsilon)

    @property
    def budgets(self) -> tuple[int, ...]:
        """The numbers of different bitstrings evaluated at which classical searches stand beside the group.

        For sampled members it is what the median member evaluated; for exact ones, whose E is a sum over all
        bitstrings, some small numbers.
        """
        if self.is_exact:
            return tuple(budget for budget in EXACT_BUDGETS if budget < 2**self.problem.num_qubits) or (1,)
        return (min(int(np.median(self.columns["distinct"])), MAX_EVALUATIONS),)


class Problems:
    """The problems of a sweep and their landscapes, each computed when it is first asked for.

    Args:
        results: directory of all runs, in which costs of a function of the user's are kept.
    """

    def __init__(self, results: Path) -> None:
        self._results = results
        self._problems: dict[str, Problem] = {}
        self._landscapes: dict[str, Landscape] = {}

    def problem(self, config: RunConfig) -> Problem:
        """The problem of a configuration."""
        name = config.problem_id
        if name not in self._problems:
            self._problems[name] = config.problem(trust=True)
            begin_evaluations(self._problems[name], self._results)
        return self._problems[name]

    def landscape(self, config: RunConfig) -> Landscape | None:
        """The landscape of a configuration's problem, or None if it is large and the run did not need it."""
        name, problem = config.problem_id, self.problem(config)
        if not is_small(problem) and (config.train.shots is not None or polynomial_for_table(problem) is not None):
            return None
        if name not in self._landscapes:
            self._landscapes[name] = Landscape(enumerate_costs(problem))
        return self._landscapes[name]


class Survey:
    """The finished members of a sweep, read from its directory, and tables of what they found.

    Args:
        sweep: the sweep, of which not all members need be finished.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.

    Attributes:
        sweep: the sweep, with the defaults under which its directory was begun.
        folder: the directory of its files.
        results: the directory of all runs.
        groups: the finished members that differ in their seed only, a group each, in the order of the members.

    Raises:
        ValueError: if no member is finished.

    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from qhn.sweep.plan import make_sweep
    >>> from qhn.sweep.workers import advance
    >>> exact = {"train.backend": "exact", "train.optimizer": "lbfgs"}
    >>> sweep = make_sweep(experiment="figure-1", seeds=20, set=exact, vary={"ansatz.num_layers": [0, 1]})
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     *_, last = advance(sweep, executor, results=folder)
    ...     survey = Survey(sweep, folder)
    >>> [len(group) for group in survey.groups], survey.group(1).success(0.05).trials
    ([20, 20], 20)
    """

    def __init__(self, sweep: Sweep, results: str | Path | None = None) -> None:
        self.sweep = sweep = sweep.as_begun(results)
        self.folder, self.results = sweep.directory(results), results_directory(results).absolute()
        places = finished_members(self.folder)
        self._files: dict[Path, Columns] = {}
        problems = Problems(self.results)
        self.groups: list[Group] = []
        for values, members in itertools.groupby(sweep.members, lambda member: member.values):
            found = [member for member in members if member.id in places]
            if found:
                columns = _stack([self._row(*places[member.id]) for member in found])
                self.groups.append(Group(values, found[0].config, columns, problems))
        if not self.groups:
            raise QhnError(f"no member of the sweep in {self.folder} is finished; run it first")

    def group(self, *values: Any) -> Group:
        """The group with some values of the varied settings.

        Args:
            values: the value of each varied setting, in the order in which the sweep lists the settings.

        Raises:
            KeyError: if no member with these values is finished.
        """
        for group in self.groups:
            if group.values == values:
                return group
        raise KeyError(values)

    def _row(self, path: Path, row: int) -> Columns:
        if path not in self._files:
            columns = read_columns(path)
            if columns is None:
                raise QhnError(f"{path} is damaged; qhn sweep does its members again")
            self._files[path] = columns
        return {name: column[row] for name, column in self._files[path].items()}

    # ------------------------------------------------------------ tables

    def members_table(self) -> Columns:
        """A table with a row per finished member: its settings, E and C at the last step, and what it took.

        A table is a column ``[rows]`` by name.
        """
        rows: list[dict[str, Any]] = []
        seeds = {member.id: member.config.train.seed for member in self.sweep.members}
        for group in self.groups:
            columns, polished = group.columns, group.polished
            for row in range(len(group)):
                rows.append(
                    self.labels(group)
                    | {
                        "seed": seeds[str(columns["member"][row])],
                        "mean": group.mean[row],
                        "std_error": columns["std_error"][row],
                        "optimum": group.optimum,
                        "best_cost": columns["best_cost"][row],
                        "polished_cost": polished[row],
                        "validation": columns["validation"][row, -1],
                        **{name: columns[name][row] for name in ("entropy", "distinct", "shots")},
                        **{name: columns[name][row] for name in ("num_steps", "num_gradients", "outcome")},
                    }
                )
        return {name: np.array([row[name] for row in rows]) for name in rows[0]}

    def groups_table(self) -> Columns:
        """A table with a row per group: the spread of E over seeds, success rates with intervals, and what it took.

        A table is a column ``[rows]`` by name; a number that a group does not have is nan.
        """
        rows: list[dict[str, Any]] = []
        for group in self.groups:
            above = group.mean - group.optimum if self.is_known else group.mean
            row: dict[str, Any] = self.labels(group) | {"members": len(group)}
            row |= rate_columns("converged", group.converged)
            for name, share in (("lowest", 0.0), ("quartile_1", 0.25), ("median", 0.5), ("quartile_3", 0.75)):
                row[f"{'above_optimum' if self.is_known else 'mean'}_{name}"] = np.quantile(above, share)
            for epsilon in self.epsilon:
                rate = group.success(epsilon)
                row |= rate_columns(f"success_{epsilon:g}", rate)
                name = f"gradients_to_solution_{epsilon:g}"
                row[name] = group.gradients_to_solution(epsilon)
                row[f"{name}_low"], row[f"{name}_high"] = group.gradients_interval(epsilon)
            if self.is_known:
                row |= rate_columns("best_is_optimal", group.finds(group.columns["best_cost"]))
                row |= rate_columns("polished_is_optimal", group.finds(group.polished))
            row["polish_distinct_median"] = group.polish_distinct
            for name in ("entropy", "distinct", "shots", "num_steps", "num_gradients"):
                row[f"{name}_median"] = np.median(group.columns[name])
            rows.append(row)
        names = list(dict.fromkeys(name for row in rows for name in row))
        return {name: np.array([row.get(name, np.nan) for row in rows]) for name in names}

    @cached_property
    def is_known(self) -> bool:
        """Whether the optimum C* is known for all groups."""
        return all(group.landscape is not None for group in self.groups)

    @property
    def epsilon(self) -> tuple[float, ...]:
        """The distances from the optimum C* within which a member succeeds; none if C* is not known for all groups."""
        return self.sweep.config.epsilon if self.is_known else ()

    def labels(self, group: Group) -> dict[str, Any]:
        """The values of the varied settings of a group, as text or numbers, by short name."""
        return {name: spell(value) for name, value in zip(self.names, group.values, strict=True)}

    @cached_property
    def names(self) -> list[str]:
        """The short names of the varied settings."""
        return short_names(self.sweep.keys)


def short_names(keys: Sequence[str]) -> list[str]:
    """The short names of settings: the last part of each dotted key, unless two have the same.

    The name of a kind is that of its table: ``ansatz.name`` is ``ansatz``.

    >>> short_names(["ansatz.name", "ansatz.num_layers"])
    ['ansatz', 'num_layers']
    """
    last = [key.removesuffix(".name").rpartition(".")[2] for key in keys]
    return [name if last.count(name) == 1 else key for name, key in zip(last, keys, strict=True)]


def rate_of(succeeded: Bools) -> Rate:
    """The rate of trials that succeeded, from one Boolean a trial, ``[trials]``.

    >>> rate_of(np.array([True, False])) == Rate(1, 2)
    True
    """
    return Rate(int(np.count_nonzero(succeeded)), len(succeeded))


def rate_columns(name: str, rate: Rate) -> dict[str, Any]:
    """Cells of a table for a rate and both ends of its interval, by the name of the column."""
    low, high = rate.interval
    return {name: rate.value, f"{name}_low": low, f"{name}_high": high}


def _stack(rows: list[Columns]) -> Columns:
    """Stack the members' values to an array per column; shorter curves are continued with their last value."""
    longest = max(row["mean"].size for row in rows)
    for row in rows:
        row |= {name: np.pad(row[name], (0, longest - row[name].size), mode="edge") for name in CURVES}
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
