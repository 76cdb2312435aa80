"""The verb of the command line about studies: search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from qhn.cli.app import app
from qhn.cli.options import FAILED, QuietOption, ResultsOption, SetOption, all_settings
from qhn.cli.sweeps import WorkersOption, stopped_kindly
from qhn.cli.terminal import put, tell

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
    results: ResultsOption = None,
    quiet: QuietOption = False,
) -> None:
    """The best of many runs for the fewest shots: most are stopped early; without a name, what there is."""
    from qhn.parallel.processes import processes
    from qhn.search.config import load_study, studies
    from qhn.search.runs import open_study

    if source is None:
        for name, title in studies().items():
            put(f"{name:<19} {title}")
        return
    study = open_study(load_study(source, all_settings(settings)), results)
    if not quiet:
        tell(study.grid.words())
    with stopped_kindly(), processes(workers) as opened:
        failures = _advance(study, opened, quiet)
    _report(study, quiet)
    if failures:
        raise typer.Exit(FAILED)


def _advance(study: RunStudy, executor: Executor, quiet: bool) -> int:
    """Train the trials of a study until its end, with its progress; returns the number of jobs that failed."""
    from qhn.cli.progress import study_progress

    last = study_progress(study.advance(executor), quiet)
    for job, message in last.failures[:3]:
        tell(f"qhn: trial {job[0].number} failed: {message}")
    if last.failures:
        tell(f"qhn: {len(last.failures)} jobs failed; the same command tries them again")
    return len(last.failures)


def _report(study: RunStudy, quiet: bool) -> None:
    """Write and print the report on a study; on a survey only when all of its trials are trained."""
    from qhn.search.report import StudyReport
    from qhn.search.survey_report import SurveyReport
    from qhn.search.survey_runs import survey_of

    report: StudyReport | SurveyReport
    if study.plan.config.mode == "search":
        report = StudyReport(study.study, study.grid.unit_words())
    elif study.study.is_done:
        report = SurveyReport(survey_of(study), study.grid.unit_words())
    else:
        return
    paths = report.write()
    if not quiet:
        put(report.page() + "\n")
    for path in paths:
        put(str(path))
