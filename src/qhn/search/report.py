"""The report on a study: a page of text, tables as CSV files, and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qhn import durable
from qhn.report.attempt import attempt
from qhn.report.style import write_csv
from qhn.search import figures
from qhn.search.account import Fate, RoundAccount, fates, rounds
from qhn.search.alternatives import Alternative, alternatives
from qhn.search.page import best_part, failures_part, resource_part, rounds_part, title_part
from qhn.search.prediction_quality import DecisionPoint, decision_points
from qhn.search.quality_page import predictions_part, replays_part
from qhn.search.study import Study


@dataclass(frozen=True)
class StudyReport:
    """The report on a study, to be read and kept; the study need not be done.

    Attributes:
        study: the study.
        unit: what a unit of resource is, in words, such as ``"1,000 shots"``; empty if nobody said.
        beside: a part of the page on what stands beside the best trial, such as classical searches; empty for none.
        is_noisy: whether the same trial could have had another loss, as with shots or random batches of data.

    >>> from qhn.search.hyperband import Hyperband
    >>> study = Study(Hyperband(max_resource=9, eta=3), {"slope": [1.0, 2.0, 3.0]})
    >>> while trial := study.ask():
    ...     study.tell(trial, [trial.values["slope"] / unit for unit in range(trial.reached + 1, trial.until + 1)])
    >>> print(StudyReport(study).page())
    study: Hyperband, R = 9 units, η = 3; 17 trials, done
    ...
    """

    study: Study
    unit: str = ""
    beside: str = ""
    is_noisy: bool = True

    def page(self) -> str:
        """The page of text."""
        parts = [
            title_part(self.study, self.fates, self.unit),
            resource_part(self.study, self.fates),
            best_part(self.study, self.fates, is_noisy=self.is_noisy),
            self.beside,
            rounds_part(self.study, self.rounds),
            predictions_part(self.study, self.points),
            replays_part(self.study, self.alternatives),
            failures_part(self.study),
        ]
        return "\n\n".join(filter(None, parts))

    def write(self) -> list[Path]:
        """Write the page, the tables and the figures into the folder of the study.

        Returns:
            The paths of ``page.txt``; of ``trials.csv``, ``decisions.csv`` and ``replays.csv``, as far as there is
            something in them; and of the figures, except those that could not be drawn, which a warning says. There are
            none for a study in memory.

        Raises:
            OSError: if a file cannot be written.
        """
        folder = self.study.folder
        if folder is None:
            return []
        folder.mkdir(parents=True, exist_ok=True)
        page = (self.page() + "\n").encode()
        durable.replace(folder / "page.txt", lambda file: file.write(page))
        paths = [folder / "page.txt"]
        tables = {"trials": self.trials_table, "decisions": self.decisions_table, "replays": self.replays_table}
        for name, table in tables.items():
            columns = table()
            if len(next(iter(columns.values()))):
                paths.append(folder / f"{name}.csv")
                write_csv(paths[-1], columns)
        return paths + self._draw(folder)

    def _draw(self, folder: Path) -> list[Path]:
        paths = []
        if any(fate is not Fate.NOT_BEGUN for fate in self.fates):
            with attempt("curves.png"):
                paths.append(figures.learning_curves(folder, self.study, self.fates))
        if self.study.decisions:
            with attempt("rounds.png"):
                paths.append(figures.rounds(folder, self.study, self.fates, self.rounds))
        if any(point.num_checked for point in self.points):
            with attempt("predictions.png"):
                paths.append(figures.predictions(folder, self.points))
        return paths

    # ------------------------------------------------------------ tables

    def trials_table(self) -> dict[str, Any]:
        """A table with a row for each trial: what became of it, its loss, hyper-parameters and facts."""
        study, numbers = self.study, range(self.study.rule.num_trials)
        reached = [study.curves.reached(trial) for trial in numbers]
        brackets = {trial: account.bracket for account in self.rounds for trial in account.trials}
        losses = [study.curves.loss(n, units) if units else np.nan for n, units in zip(numbers, reached, strict=True)]
        table: dict[str, Any] = {
            "trial": np.array(numbers),
            "bracket": _column([brackets.get(trial) for trial in numbers]),
            "fate": _column([str(fate) for fate in self.fates]),
            "resource": np.array(reached),
            "loss": np.array(losses),
        }
        for rows in ([study.values(n) for n in numbers], [study.facts.get(n, {}) for n in numbers]):
            for name in dict.fromkeys(name for row in rows for name in row):
                table[_free(name, table)] = _column([row.get(name) for row in rows])
        return table

    def decisions_table(self) -> dict[str, Any]:
        """A table with a row for each decision, in order: the loss then, what was predicted, and what was reached."""
        study, made = self.study, self.study.decisions
        ends = {(account.bracket, account.round): account.resource for account in self.rounds}

        def loss_at(trial: int, resource: int) -> float:
            return study.curves.loss(trial, resource) if study.curves.reached(trial) >= resource else np.nan

        columns = {name: np.array([getattr(one, name) for one in made]) for name in ("bracket", "round", "resource")}
        return {
            **columns,
            "trial": np.array([one.trial for one in made]),
            "verdict": _column([str(one.verdict) for one in made]),
            "loss": np.array([loss_at(one.trial, one.resource) for one in made]),
            "predicted": np.array([one.predicted for one in made]),
            "threshold": np.array([one.threshold for one in made]),
            "loss_at_end_of_round": np.array([loss_at(one.trial, ends[one.bracket, one.round]) for one in made]),
        }

    def replays_table(self) -> dict[str, Any]:
        """A table with a row for each rule that was replayed: the fields of an alternative."""
        names = [one.name for one in fields(Alternative)]
        return {name: np.array([getattr(one, name) for one in self.alternatives]) for name in names}

    # ------------------------------------------------------------ what it is about

    @cached_property
    def fates(self) -> list[Fate]:
        """What became of each trial, by its number."""
        return fates(self.study)

    @cached_property
    def rounds(self) -> list[RoundAccount]:
        """The rounds that have begun."""
        return rounds(self.study)

    @cached_property
    def points(self) -> list[DecisionPoint]:
        """The decision points at which losses were predicted."""
        return decision_points(self.study)

    @cached_property
    def alternatives(self) -> list[Alternative]:
        """What other rules would have made of the trials, if each was trained to its end."""
        return alternatives(self.study)


def _column(values: Sequence[Any]) -> Any:
    """A column of a table, in which nothing stands for None."""
    column = np.empty(len(values), dtype=object)
    column[:] = ["" if value is None else value for value in values]
    return column


def _free(name: str, table: dict[str, Any]) -> str:
    """A name of a column that the table does not have."""
    while name in table:
        name += "_"
    return name
