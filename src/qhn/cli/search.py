"""The verb of the command line about studies: search."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qhn.cli.app import app
from qhn.cli.executors import AddressOption, ExecutorOption, WorkersOption, executor_of_options
from qhn.cli.options import BAD_INPUT, FAILED, LIMIT, QuietOption, ResultsOption, SetOption, all_settings
from qhn.cli.terminal import put, tell
from qhn.text import counted

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from qhn.search.runs import RunStudy


@app.command()
def search(
    source: Annotated[
        str | None, typer.Argument(metavar="[STUDY]", help="A .toml file, or one that comes with qhn.")
    ] = None,
    settings: SetOption = None,
    workers: WorkersOption = None,
    executor: ExecutorOption = "processes",
    address: AddressOption = None,
    results: ResultsOption = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Spend what a study on a QPU takes at most, without asking.")
    ] = False,
    quiet: QuietOption = False,
) -> None:
    """The best of many runs for the fewest shots: most are stopped early; without a name, what there is."""
    from qhn.search.config import load_study, studies
    from qhn.search.runs import open_study

    if source is None:
        for name, title in studies().items():
            put(f"{name:<19} {title}")
        return
    with executor_of_options(executor, workers, address, results) as opened:
        study = open_study(load_study(source, all_settings(settings)), results)
        for line in () if quiet else study.notes():
            tell(line)
        study = _agreed(study, yes)
        exit_code = _advance(study, opened, quiet)
        winner = study.record_winner() if study.plan.config.mode == "search" else None
        _report(study, quiet, winner)
    if exit_code:
        raise typer.Exit(exit_code)


def _agreed(study: RunStudy, yes: bool) -> RunStudy:
    """The study; on a QPU with the budget to which the user agrees, unless it has one.

    Raises:
        QhnError: if nobody can be asked.
        Exit: if the user does not agree.
    """
    price = study.price()
    if price is None or study.plan.config.max_qpu_seconds is not None:
        return study
    if not yes and not sys.stdin.isatty():
        study.check_budget()
    tell(price.words())
    budget = float(math.ceil(price.most))
    if not yes and not typer.confirm(f"spend up to {budget:,.0f} QPU seconds?", err=True):
        tell("nothing was submitted")
        raise typer.Exit(BAD_INPUT)
    return study.with_budget(budget)


def _advance(study: RunStudy, executor: Executor, quiet: bool) -> int:
    """Train the trials of a study until its end, with its progress; returns the exit code.

    It is 3 if only a budget or the account ended it, and 4 if other jobs failed.
    """
    from qhn.backend.sampler import QuotaError
    from qhn.cli.progress import study_progress
    from qhn.search.price import OverBudget

    last = study_progress(study.advance(executor), quiet)
    if not last.failures:
        return 0
    if all(isinstance(error, OverBudget | QuotaError) for _, error in last.failures):
        tell(f"qhn: {last.failures[0][1]}")
        return LIMIT
    for job, error in last.failures[:3]:
        tell(f"qhn: trial {job[0].number} failed: {error}")
    tell(f"qhn: {counted(len(last.failures), 'job')} failed; the same command tries them again")
    return FAILED


def _report(study: RunStudy, quiet: bool, winner: Path | None) -> None:
    """Write and print the report on a study, and the directory of the winner's run; on a survey when it is done."""
    from qhn.search.report import StudyReport
    from qhn.search.survey_report import SurveyReport
    from qhn.search.survey_runs import survey_of
    from qhn.search.winner import winner_part

    report: StudyReport | SurveyReport
    if study.plan.config.mode == "search":
        beside = "" if winner is None else winner_part(study, winner)
        is_noisy = any(config.train.shots is not None for config in study.plan.configs.values())
        notes = "\n".join(study.notes()).removeprefix("a unit is ")
        report = StudyReport(study.study, notes, beside, is_noisy)
    elif study.study.is_done:
        report = SurveyReport(survey_of(study), study.grid.unit_words())
    else:
        return
    paths = report.write()
    if not quiet:
        put(report.page() + "\n")
    for path in [*paths, *([] if winner is None else [winner])]:
        put(str(path))
