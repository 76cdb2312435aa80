"""What a sweep found: the members that differ in their seed only as one group, with rates and their intervals."""

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

EXACT_BUDGETS = (64, 256, 1024)  # evaluations at which searches stand beside trainings that saw all networks
MAX_EVALUATIONS = 50_000  # of one search
CURVES = ("mean", "validation", "best_costs", "distinct_at")


@dataclass(frozen=True)
class Rate:
    """A rate with its 95 % Wilson interval."""

    successes: int
    trials: int

    @property
    def value(self) -> float:
        return self.successes / self.trials

    @property
    def interval(self) -> tuple[float, float]:
        return wilson(self.successes, self.trials)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2f} ({low:.2f}–{high:.2f})"


@dataclass(frozen=True)
class Group:
    """Members that differ in their seed only.

    Attributes:
        values: of the varied settings.
        config: of its first member.
        columns: arrays whose axis 0 is the member, in the order of seeds: see :func:`qhn.sweep.workers.work`. Curves
            are continued with their last value.
        problems: those of the sweep, each loaded once.
    """

    values: tuple[Any, ...]
    config: RunConfig
    columns: Columns
    problems: Problems

    def __len__(self) -> int:
        return len(self.columns["distinct"])

    @property
    def problem(self) -> BinnProblem:
        """Whose cost was minimised."""
        return self.problems.problem(self.config)

    @property
    def landscape(self) -> Landscape | None:
        """All costs, or None beyond enumeration."""
        return self.problems.landscape(self.config)

    @property
    def is_exact(self) -> bool:
        """Whether E was exact."""
        return self.config.train.shots is None

    @property
    def mean(self) -> Floats:
        """E at the last step, ``[members]``."""
        last: Floats = self.columns["mean"][:, -1]
        return last

    @property
    def optimum(self) -> float:
        """C*, or nan where it is not known."""
        return self.landscape.optimum if self.landscape else float("nan")

    def success(self, epsilon: float) -> Rate:
        """How often E − C* < ε at the last step."""
        return Rate(int((self.mean - self.optimum < epsilon).sum()), len(self))

    @cached_property
    def _polishes(self) -> list[Polished]:
        source = TableProblem(self.landscape.costs) if self.landscape else self.problem
        return [polish(source, bits) for bits in self.columns["best_bits"]]

    @property
    def polished(self) -> Floats:
        """C after a one-flip descent from each member's best network, ``[members]``."""
        return np.array([end.cost for end in self._polishes])

    @property
    def polish_distinct(self) -> float:
        """Median number of networks that this descent evaluates, some of which the member may have met before."""
        return float(np.median([end.distinct for end in self._polishes]))

    def finds(self, costs: Floats) -> Rate:
        """How often costs ``[n]`` are optimal."""
        assert self.landscape is not None
        return Rate(int((costs <= self.optimum + self.landscape.width).sum()), len(costs))

    def gradients_to_solution(self, epsilon: float) -> float:
        """Mean number of gradients, over restarts, until a training succeeds; infinite if none does."""
        successes = self.success(epsilon).successes
        return float(self.columns["num_gradients"].sum() / successes) if successes else float("inf")

    @property
    def budgets(self) -> tuple[int, ...]:
        """Distinct evaluations at which classical searches stand beside it.

        Those of its median member; or some small numbers, since an exact E is a sum over all networks.
        """
        if self.is_exact:
            return tuple(budget for budget in EXACT_BUDGETS if budget < 2**self.problem.num_qubits) or (1,)
        return (min(int(np.median(self.columns["distinct"])), MAX_EVALUATIONS),)


class Problems:
    """Problems and their landscapes by configuration, each computed when first asked for."""

    def __init__(self) -> None:
        self._problems: dict[str, BinnProblem] = {}
        self._landscapes: dict[str, Landscape] = {}

    def problem(self, config: RunConfig) -> BinnProblem:
        name = config.problem_id
        if name not in self._problems:
            self._problems[name] = config.problem()
        return self._problems[name]

    def landscape(self, config: RunConfig) -> Landscape | None:
        name, problem = config.problem_id, self.problem(config)
        if config.train.shots is not None and not is_small(problem):
            return None
        if name not in self._landscapes:
            self._landscapes[name] = Landscape(enumerate_costs(problem))
        return self._landscapes[name]


class Survey:
    """The finished members of a sweep.

    Args:
        sweep: which.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.

    Attributes:
        groups: in the order of the members.

    Raises:
        ValueError: if no member has been finished.
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
        """The group of some values of the varied settings.

        Raises:
            KeyError: if there is none.
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
        """One row a finished member: its settings, E and C at the last step, and what it took."""
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
        """One row a group: the spread of E over seeds, success rates with intervals, and what it took."""
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
        """Whether C* is known of all groups."""
        return all(group.landscape is not None for group in self.groups)

    @property
    def epsilon(self) -> tuple[float, ...]:
        """The widths in which E must come to C*, if that is known."""
        return self.sweep.config.epsilon if self.is_known else ()

    def labels(self, group: Group) -> dict[str, Any]:
        """The varied settings of a group, by short name."""
        return {name: spell(value) for name, value in zip(self.names, group.values, strict=True)}

    @cached_property
    def names(self) -> list[str]:
        """Short names of the varied settings: the last part of each key, unless two have the same."""
        last = [key.rpartition(".")[2] for key in self.sweep.keys]
        return [name if last.count(name) == 1 else key for name, key in zip(last, self.sweep.keys, strict=True)]


def rate_columns(name: str, rate: Rate) -> dict[str, Any]:
    """A rate and the ends of its interval as cells of a table."""
    low, high = rate.interval
    return {name: rate.value, f"{name}_low": low, f"{name}_high": high}


def _stack(rows: list[Columns]) -> Columns:
    """One array a column; curves of different length are continued with their last value."""
    longest = max(row["mean"].size for row in rows)
    for row in rows:
        row |= {name: np.pad(row[name], (0, longest - row[name].size), mode="edge") for name in CURVES}
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
