"""The report on a study: a page of text, tables as CSV files, and figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from qhn import durable
from qhn.learning_curves.predictors import LastValue, Regression
from qhn.report.attempt import attempt
from qhn.report.style import write_csv
from qhn.search import figures
from qhn.search.account import Expense, Fate, RoundAccount, expense, fates, has_failed, rounds
from qhn.search.curves import Verdict
from qhn.search.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.search.prediction_quality import (
    DecisionPoint,
    Interval,
    Quality,
    cross_validated,
    decision_points,
    lessons,
    quality,
)
from qhn.search.study import Study
from qhn.search.swift_hyperband import SwiftHyperband
from qhn.text import aligned, counted, in_line

BEST = 5  # trials in the table of the best ones
MOST_FAILURES = 10  # messages on the page
SPENT = {"steps": "steps", "shots": "shots", "qpu_seconds": "QPU seconds"}  # facts of trials that add up
RULES = {
    Hyperband: "Hyperband",
    SwiftHyperband: "Swift-Hyperband",
    SuccessiveHalving: "successive halving",
    RunAll: "every trial to its end",
}


@dataclass(frozen=True)
class StudyReport:
    """The report on a study, to be read and kept; the study need not be done.

    Attributes:
        study: the study.
        unit: what a unit of resource is, in words, such as ``"1,000 shots"``; empty if nobody said.

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

    def page(self) -> str:
        """The page of text."""
        parts = [
            self._title(),
            self._resource(),
            self._best(),
            self._rounds(),
            self._predictions(),
            self._failures(),
        ]
        return "\n\n".join(filter(None, parts))

    def write(self) -> list[Path]:
        """Write the page, the tables and the figures into the folder of the study.

        Returns:
            The paths of ``page.txt``, ``trials.csv``, ``decisions.csv`` if anything was decided, and of the figures,
            except those that could not be drawn, which a warning says. Of a study in memory there are none.

        Raises:
            OSError: if a file cannot be written.
        """
        folder = self.study.folder
        if folder is None:
            return []
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "page.txt", folder / "trials.csv"]
        page = (self.page() + "\n").encode()
        durable.replace(paths[0], lambda file: file.write(page))
        write_csv(paths[1], self.trials_table())
        if self.study.decisions:
            paths.append(folder / "decisions.csv")
            write_csv(paths[-1], self.decisions_table())
        if any(fate is not Fate.NOT_BEGUN for fate in self._fates):
            with attempt("curves.png"):
                paths.append(figures.learning_curves(folder, self.study, self._fates))
        if self.study.decisions:
            with attempt("rounds.png"):
                paths.append(figures.rounds(folder, self.study, self._fates, self._accounts))
        if any(point.num_checked for point in self._points):
            with attempt("predictions.png"):
                paths.append(figures.predictions(folder, self._points))
        return paths

    # ------------------------------------------------------------ tables

    def trials_table(self) -> dict[str, Any]:
        """A table with a row for each trial: what became of it, its loss, hyper-parameters and facts."""
        study, numbers = self.study, range(self.study.rule.num_trials)
        reached = [study.curves.reached(trial) for trial in numbers]
        values = [study.values(trial) for trial in numbers]
        facts = [study.facts.get(trial, {}) for trial in numbers]
        brackets = {trial: account.bracket for account in self._accounts for trial in account.trials}
        table: dict[str, Any] = {
            "trial": np.array(numbers),
            "bracket": _column([brackets.get(trial) for trial in numbers]),
            "fate": _column([str(fate) for fate in self._fates]),
            "resource": np.array(reached),
            "loss": np.array([study.curves.loss(n, r) if r else np.nan for n, r in zip(numbers, reached, strict=True)]),
        }
        for name in dict.fromkeys(name for row in values for name in row):
            table[_free(name, table)] = _column([row.get(name) for row in values])
        for name in dict.fromkeys(name for row in facts for name in row):
            table[_free(name, table)] = _column([row.get(name) for row in facts])
        return table

    def decisions_table(self) -> dict[str, Any]:
        """A table with a row for each decision, in order: the loss then, what was predicted, and what was reached."""
        study, made = self.study, self.study.decisions
        ends = {(account.bracket, account.round): account.resource for account in self._accounts}
        at_end = [
            study.curves.loss(one.trial, end)
            if study.curves.reached(one.trial) >= (end := ends[one.bracket, one.round])
            else np.nan
            for one in made
        ]
        return {
            "bracket": np.array([one.bracket for one in made]),
            "round": np.array([one.round for one in made]),
            "resource": np.array([one.resource for one in made]),
            "trial": np.array([one.trial for one in made]),
            "verdict": _column([str(one.verdict) for one in made]),
            "loss": np.array([study.curves.loss(one.trial, one.resource) for one in made]),
            "predicted": np.array([one.predicted for one in made]),
            "threshold": np.array([one.threshold for one in made]),
            "loss_at_end_of_round": np.array(at_end),
        }

    # ------------------------------------------------------------ parts of the page

    @cached_property
    def _fates(self) -> list[Fate]:
        return fates(self.study)

    @cached_property
    def _accounts(self) -> list[RoundAccount]:
        return rounds(self.study)

    @cached_property
    def _points(self) -> list[DecisionPoint]:
        return decision_points(self.study)

    def _title(self) -> str:
        rule, study = self.study.rule, self.study
        name = f"study {in_line(study.folder.name)}" if study.folder else "study"
        sizes = f"R = {counted(rule.max_resource, 'unit')}"
        sizes += f", η = {eta}" if (eta := getattr(rule, "eta", None)) else ""
        begun = sum(fate is not Fate.NOT_BEGUN for fate in self._fates)
        trials = counted(rule.num_trials, "trial")
        state = "done" if study.is_done else f"not done: {begun:,} begun, the same command goes on"
        lines = [f"{name}: {rule_name(rule)}, {sizes}; {trials}, {state}"]
        if self.unit:
            lines.append(f"a unit is {self.unit}")
        return "\n".join(lines)

    def _resource(self) -> str:
        study, found = self.study, expense(self.study)
        trials, is_swift = study.rule.num_trials, isinstance(study.rule, SwiftHyperband)
        rows = [[f"this study{'' if study.is_done else ' so far'}", trials, found.units]]
        if not study.is_done and not is_swift:
            rows.append(["this study at its end", trials, study.rule.most_units])
        if found.hyperband and not isinstance(study.rule, Hyperband):
            units, begun = found.hyperband
            rows.append(["Hyperband with the same R and η", begun, units])
        if not isinstance(study.rule, RunAll):
            rows.append(["every trial to its end", trials, found.everything])
        head = ["resource", "trials", "units", "of all to the end"]
        table = [[name, f"{n:,}", f"{units:,}", f"{units / found.everything:.1%}"] for name, n, units in rows]
        if is_swift and found.hyperband:
            head.append("of Hyperband")
            table = [[*row, f"{units / found.hyperband[0]:.1%}"] for row, (_, _, units) in zip(table, rows, strict=True)]
        return "\n".join([aligned(head, table), *self._spent(found), *self._unknown()])

    def _spent(self, found: Expense) -> list[str]:
        """What was spent beside units, and what failed trials did not take."""
        lines = []
        facts = self.study.facts.values()
        totals = {words: sum(map(_number, (one.get(name) for one in facts))) for name, words in SPENT.items()}
        parts = [f"{total:,.6g} {words}" if total % 1 else f"{total:,.0f} {words}" for words, total in totals.items() if total]
        if parts:
            lines.append(f"this study took {' = '.join(parts)}")
        if found.failed:
            lines.append(f"failed trials were to take {counted(found.failed, 'unit')} more")
        return lines

    def _unknown(self) -> list[str]:
        counts = Counter(self._fates)
        words = {Fate.STOPPED: "stopped within a round", Fate.DROPPED: "dropped at the end of a round"}
        parts = [f"{counts[fate]:,} {text}" for fate, text in words.items() if counts[fate]]
        if not parts:
            return []
        return [
            f"trials {' and '.join(parts)}: whether one of them would have won is not known,",
            "nor the regret; a study that trains every trial to its end tells both",
        ]

    def _best(self) -> str:
        study = self.study
        usable = [n for n, fate in enumerate(self._fates) if fate not in (Fate.NOT_BEGUN, Fate.FAILED)]
        if not usable:
            return "no trial has a loss yet" if not study.is_done else "no trial has a loss: all failed"
        reached = study.curves.reached
        ranked = sorted(usable, key=lambda n: (-reached(n), study.curves.loss(n, reached(n)), n))
        names = [name for name in study.values(ranked[0])]
        rows = [self._best_row(trial) for trial in ranked[:BEST]]
        most = reached(ranked[0])
        rivals = sum(reached(trial) == most for trial in usable)
        head = ["best trials", "resource", "loss", *names, *self._extra]
        lines = [aligned(head, rows)]
        if rivals > 1:
            lines.append(f"the first has the lowest loss of the {rivals:,} trials that reached {counted(most, 'unit')}:")
            lines.append("of noisy losses the lowest flatters; evaluate it anew before you quote it")
        lines += self._how_to_go_on(ranked[0])
        return "\n".join(lines)

    @property
    def _extra(self) -> list[str]:
        """The facts that stand in the table of the best trials."""
        known = {name for facts in self.study.facts.values() for name in facts}
        return [name for name in ("std_error", "exact", "run") if name in known]

    def _best_row(self, trial: int) -> list[Any]:
        study = self.study
        reached = study.curves.reached(trial)
        values, facts = study.values(trial), study.facts.get(trial, {})
        cells = [_short(value) for value in values.values()] + [_short(facts.get(name, "")) for name in self._extra]
        return [f"trial {trial}", f"{reached:,}", f"{study.curves.loss(trial, reached):.6g}", *cells]

    def _how_to_go_on(self, trial: int) -> list[str]:
        study = self.study
        run = study.facts.get(trial, {}).get("run")
        if run:
            return [f"qhn show {in_line(run)}"]
        best = study.best()
        if best is None or best.folder is None or not best.folder.exists():
            return []
        return [f"what its function kept is in {best.folder}"]

    def _rounds(self) -> str:
        accounts = self._accounts
        if not self.study.decisions:
            return ""
        predicts = any(account.point is not None for account in accounts)
        head = ["bracket", "round", "trials", "until", "promoted", "dropped", "units"]
        if predicts:
            head[4:4] = ["decided at", "in any case", "continued", "stopped"]
            head += ["if none stopped", "saved"]
        rows = []
        for account in accounts:
            got = account.verdicts
            row: list[Any] = [account.bracket, account.round, f"{len(account.trials):,}", f"{account.resource:,}"]
            if predicts:
                middle = [got[Verdict.FULL], got[Verdict.CONTINUED], got[Verdict.STOPPED]]
                row += ["–" if account.point is None else f"{account.point:,}", *map(_count, middle)]
            row += [_count(got[Verdict.PROMOTED]), _count(got[Verdict.DROPPED]), f"{account.units:,}"]
            if predicts:
                row += [f"{account.planned:,}", f"{account.saved:.0%}" if account.at_end else "under way"]
            rows.append(row)
        return aligned(head, rows)

    def _predictions(self) -> str:
        rule = self.study.rule
        if not self._points:
            return ""
        name = predictor_name(getattr(rule, "predictor", None))
        rows = []
        for words, what in ((name, "predicted"), (LAST, "last")):
            found = quality([point.pairs(getattr(point, what)) for point in self._points])
            if words not in (row[1] for row in rows):
                rows.append(["" if rows else "of trials that went on", words, *_quality_cells(found)])
        if isinstance(rule, SwiftHyperband):
            rows += self._validated(rule, name)
        total = sum(len(point.trials) for point in self._points)
        lines = [
            aligned(["predictions", "by", "checked", "R²", "95 %", "rank correlation", "95 %"], rows),
            f"both within decision points, intervals from resampled trials; of {total:,} predicted losses those of trials",
            "that were stopped cannot be checked, and choosing the others by them lowers R² and rank correlation",
        ]
        if len(rows) > 2:
            lines.append("trials that went on in any case are chosen by their number alone: theirs tell of all trials")
        return "\n".join(lines)

    def _validated(self, rule: SwiftHyperband, name: str) -> list[list[Any]]:
        """The rows on predictions by cross-validation of the curves from which the predictor has learned."""
        known = lessons(self.study)
        rows = []
        for words, one in {name: rule.predictor, LAST: LastValue()}.items():
            found = quality(cross_validated(one, known))
            if found.count:
                rows.append(["" if rows else "in any case, cross-validated", words, *_quality_cells(found)])
        return rows

    def _failures(self) -> str:
        failed = [n for n in range(self.study.rule.num_trials) if has_failed(self.study, n)]
        if not failed:
            return ""
        messages = Counter(
            in_line(self.study.facts.get(trial, {}).get("error") or "its loss is not finite") for trial in failed
        )
        first = {
            in_line(self.study.facts.get(trial, {}).get("error") or "its loss is not finite"): trial
            for trial in reversed(failed)
        }
        lines = [f"{counted(len(failed), 'trial')} failed"]
        for message, count in messages.most_common(MOST_FAILURES):
            others = f" and {count - 1:,} more" if count > 1 else ""
            lines.append(f"  trial {first[message]}{others}: {message}")
        if len(messages) > MOST_FAILURES:
            lines.append(f"  … {len(messages) - MOST_FAILURES:,} more messages in trials.csv")
        return "\n".join(lines)


LAST = "last value"


def rule_name(rule: Any) -> str:
    """The name of a rule in words."""
    return RULES.get(type(rule), type(rule).__name__)


def predictor_name(predictor: Any) -> str:
    """The name of a predictor in words.

    >>> predictor_name(LastValue())
    'last value'
    """
    if isinstance(predictor, LastValue):
        return LAST
    if isinstance(predictor, Regression):
        return f"{type(predictor.make()).__name__} of {predictor.features}"
    return type(predictor).__name__


def _quality_cells(found: Quality) -> list[str]:
    if not found.count:
        return ["0", "–", "", "–", ""]
    return [
        f"{found.count:,}",
        _decimals(found.r2),
        _interval(found.r2_interval),
        _decimals(found.rank),
        _interval(found.rank_interval),
    ]


def _decimals(value: float) -> str:
    return f"{value:.2f}" if np.isfinite(value) else "–"


def _interval(ends: Interval) -> str:
    return "–" if np.isnan(ends[0]) else f"{ends[0]:.2f} … {ends[1]:.2f}"


def _count(number: int) -> str:
    return f"{number:,}" if number else "–"


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else in_line(value, 40)


def _number(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0


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
