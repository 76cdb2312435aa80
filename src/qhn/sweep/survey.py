"""The survey of a sweep: finished members that differ in their seed only as a group, with rates and intervals."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.baseline.classical import Polished, polish
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.problem.cost import BinnProblem, TableProblem
from qhn.problem.landscape import Landscape, enumerate_costs, is_small
from qhn.statistics import wilson
from qhn.sweep.plan import Sweep
from qhn.sweep.workers import Columns, finished_members
from qhn.text import spell

EXACT_BUDGETS = (64, 256, 1024)  # evaluations of searches that are compared with exact trainings
MAX_EVALUATIONS = 50_000  # evaluations of one search
CURVES = ("mean", "validation", "best_costs", "distinct_at")


@dataclass(frozen=True)
class Rate:
    """A rate of success with its 95 % Wilson interval.

    Attributes:
        successes: number of successes, from 0 to ``trials``.
        trials: number of independent trials, at least 1.

    >>> str(Rate(8, 10))
    '0.80 (0.49–0.94)'
    """

    successes: int
    trials: int

    @property
    def value(self) -> float:
        """The share of successes among the trials."""
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
        values: values of the varied settings.
        config: the configuration of the first member.
        columns: arrays by name whose axis 0 is the member, in the order of seeds, as :func:`qhn.sweep.workers.work`
            describes them; shorter curves repeat their last value.
        problems: the problems of the sweep, each loaded once.
    """

    values: tuple[Any, ...]
    config: RunConfig
    columns: Columns
    problems: Problems

    def __len__(self) -> int:
        return len(self.columns["distinct"])

    @property
    def problem(self) -> BinnProblem:
        """The problem whose cost was minimised."""
        return self.problems.problem(self.config)

    @property
    def landscape(self) -> Landscape | None:
        """The costs of all bitstrings; None if they are too many to be enumerated."""
        return self.problems.landscape(self.config)

    @property
    def is_exact(self) -> bool:
        """Whether E was computed without shots."""
        return self.config.train.shots is None

    @property
    def mean(self) -> Floats:
        """The mean cost E at the last step, ``[members]``."""
        last: Floats = self.columns["mean"][:, -1]
        return last

    @property
    def optimum(self) -> float:
        """The optimum C*; nan if it is not known."""
        return self.landscape.optimum if self.landscape else float("nan")

    def success(self, epsilon: float) -> Rate:
        """The share of members with E − C* < ε at the last step.

        Args:
            epsilon: the threshold ε.
        """
        return Rate(int((self.mean - self.optimum < epsilon).sum()), len(self))

    @cached_property
    def _polishes(self) -> list[Polished]:
        source = TableProblem(self.landscape.costs) if self.landscape else self.problem
        return [polish(source, bits) for bits in self.columns["best_bits"]]

    @property
    def polished(self) -> Floats:
        """The cost C after a one-flip descent from the best bitstring of each member, ``[members]``."""
        return np.array([end.cost for end in self._polishes])

    @property
    def polish_distinct(self) -> float:
        """The median number of bitstrings that a one-flip descent from a member's best bitstring evaluates.

        The member may have evaluated some of them before.
        """
        return float(np.median([end.distinct for end in self._polishes]))

    def finds(self, costs: Floats) -> Rate:
        """The share of costs that are optimal; it can be asked for only if C* is known.

        Args:
            costs: costs C, ``[n]``.
        """
        assert self.landscape is not None
        return Rate(int((costs <= self.optimum + self.landscape.width).sum()), len(costs))

    def gradients_to_solution(self, epsilon: float) -> float:
        """The mean number of gradients until a training succeeds, restarts included; infinite if none does.

        Args:
            epsilon: the threshold ε; a training succeeds if E − C* < ε at its last step.
        """
        successes = self.success(epsilon).successes
        return float(self.columns["num_gradients"].sum() / successes) if successes else float("inf")

    @property
    def budgets(self) -> tuple[int, ...]:
        """The numbers of distinct evaluations at which classical searches are compared with the group.

        It is the median over the members, at most 50,000; for exact members, whose E is a sum over all bitstrings, it
        is some small numbers.
        """
        if self.is_exact:
            return tuple(budget for budget in EXACT_BUDGETS if budget < 2**self.problem.num_qubits) or (1,)
        return (min(int(np.median(self.columns["distinct"])), MAX_EVALUATIONS),)


class Problems:
    """The problems of configurations and their landscapes, each computed when first asked for."""

    def __init__(self) -> None:
        self._problems: dict[str, BinnProblem] = {}
        self._landscapes: dict[str, Landscape] = {}

    def problem(self, config: RunConfig) -> BinnProblem:
        """The problem of a configuration.

        Raises:
            QhnError: if the data cannot be read.
            FileNotFoundError: if a file of data is missing.
        """
        name = config.problem_id
        if name not in self._problems:
            self._problems[name] = config.problem()
        return self._problems[name]

    def landscape(self, config: RunConfig) -> Landscape | None:
        """The costs of all bitstrings of the problem of a configuration; None if they are too many."""
        name, problem = config.problem_id, self.problem(config)
        if config.train.shots is not None and not is_small(problem):
            return None
        if name not in self._landscapes:
            self._landscapes[name] = Landscape(enumerate_costs(problem))
        return self._landscapes[name]


class Survey:
    """The finished members of a sweep, grouped by the values of the varied settings.

    Args:
        sweep: the sweep.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.

    Attributes:
        sweep: the sweep.
        folder: the directory of the sweep's files.
        groups: the groups of finished members that differ in their seed only, in the order of the sweep's members.

    Raises:
        QhnError: if no member is finished.

    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from qhn.sweep.plan import make_sweep
    >>> from qhn.sweep.workers import advance
    >>> exact = {"train.backend": "exact", "train.steps": 3}
    >>> sweep = make_sweep(experiment="figure-1", seeds=4, set=exact, vary={"ansatz.num_layers": [0, 1]})
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     progress = list(advance(sweep, executor, results=folder))
    ...     survey = Survey(sweep, folder)
    >>> len(survey.group(1)), survey.group(1).mean.shape, list(survey.groups_table())[:2]
    (4, (4,), ['num_layers', 'members'])
    """

    def __init__(self, sweep: Sweep, results: str | Path | None = None) -> None:
        self.sweep = sweep
        self.folder = sweep.directory(results)
        places = finished_members(self.folder)
        self._files: dict[Path, Columns] = {}
        problems = Problems()
        self.groups: list[Group] = []
        for values, members in itertools.groupby(sweep.members, lambda member: member.values):
            found = [member for member in members if member.id in places]
            if found:
                columns = _stack([self._row(*places[member.id]) for member in found])
                self.groups.append(Group(values, found[0].config, columns, problems))
        if not self.groups:
            raise QhnError(f"no member of the sweep in {self.folder} is finished; run it first")

    def group(self, *values: Any) -> Group:
        """The group with given values of the varied settings.

        Args:
            values: a value for each varied setting, in the order in which the sweep names them.

        Raises:
            KeyError: if there is no such group.
        """
        for group in self.groups:
            if group.values == values:
                return group
        raise KeyError(values)

    def _row(self, path: Path, row: int) -> Columns:
        if path not in self._files:
            with np.load(path) as stored:
                self._files[path] = dict(stored)
        return {name: column[row] for name, column in self._files[path].items()}

    # ------------------------------------------------------------ tables

    def members_table(self) -> Columns:
        """A table with a row per finished member: settings, E and C at the last step, steps, gradients and shots.

        Returns:
            The columns by name, ``[members]``.
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
        """A table with a row per group: spread of E over seeds, rates of success, median steps, gradients and shots.

        Returns:
            The columns by name, ``[groups]``; where C* is known of all groups, E − C* in place of E.
        """
        rows: list[dict[str, Any]] = []
        for group in self.groups:
            above = group.mean - group.optimum if self.is_known else group.mean
            row: dict[str, Any] = self.labels(group) | {"members": len(group)}
            for name, share in (("lowest", 0.0), ("quartile_1", 0.25), ("median", 0.5), ("quartile_3", 0.75)):
                row[f"{'above_optimum' if self.is_known else 'mean'}_{name}"] = np.quantile(above, share)
            for epsilon in self.epsilon:
                rate = group.success(epsilon)
                row |= rate_columns(f"success_{epsilon:g}", rate)
                row[f"gradients_to_solution_{epsilon:g}"] = group.gradients_to_solution(epsilon)
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
        """The thresholds ε of success, E − C* < ε; empty if C* is not known for all groups."""
        return self.sweep.config.epsilon if self.is_known else ()

    def labels(self, group: Group) -> dict[str, Any]:
        """The values of the varied settings of a group, by short name.

        Args:
            group: a group of the survey.
        """
        return {name: spell(value) for name, value in zip(self.names, group.values, strict=True)}

    @cached_property
    def names(self) -> list[str]:
        """The short names of the varied settings: the last part of a dotted key, or all of it where two would agree."""
        last = [key.rpartition(".")[2] for key in self.sweep.keys]
        return [name if last.count(name) == 1 else key for name, key in zip(last, self.sweep.keys, strict=True)]


def rate_columns(name: str, rate: Rate) -> dict[str, Any]:
    """A rate and the ends of its 95 % interval as cells of a table, by name of the column.

    Args:
        name: name of the column of the rate; the others are named ``<name>_low`` and ``<name>_high``.
        rate: the rate.

    >>> list(rate_columns("success", Rate(8, 10)))
    ['success', 'success_low', 'success_high']
    """
    low, high = rate.interval
    return {name: rate.value, f"{name}_low": low, f"{name}_high": high}


def _stack(rows: list[Columns]) -> Columns:
    """The columns of a table from its rows; shorter curves repeat their last value."""
    longest = max(row["mean"].size for row in rows)
    for row in rows:
        row |= {name: np.pad(row[name], (0, longest - row[name].size), mode="edge") for name in CURVES}
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
