"""Surveys: a fair part of the trials is trained to the end, all others are imputed, and nothing else is averaged."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.errors import QhnError
from qhn.learning_curves.predictors import LastValue
from qhn.scheduling.combinations import Combinations
from qhn.scheduling.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.scheduling.study import Study
from qhn.scheduling.survey_rule import SurveyRule
from qhn.scheduling.trial import Trial
from qhn.search.config import make_study
from qhn.search.survey import Survey
from qhn.search.survey_report import SurveyReport

RULE = SurveyRule(groups=2, trials_per_group=40, max_resource=12, known=0.25, full_share=0.4)
SPACE = Combinations({"depth": [0, 1]}, trials_per_group=40)


def _curve(trial: Trial) -> list[float]:
    """Losses that fall towards an end, which depends on the seed, and is lower for the deeper circuit."""
    end = np.random.default_rng(trial.seed).gamma(2.0, 0.2) / (1 + trial.values["depth"])
    return [end + 0.5 ** (unit / 2) for unit in range(1, RULE.max_resource + 1)]


def _train(trial: Trial) -> list[float]:
    return _curve(trial)[trial.reached : trial.until]


def _done(study: Study, train: Callable[[Trial], list[float]] = _train) -> Study:
    while trial := study.ask():
        study.tell(trial, train(trial))
    return study


@pytest.fixture
def survey() -> Survey:
    return Survey(_done(Study(RULE, SPACE, seed=3)), LastValue(), [0.2, 0.5], [0.0, 0.0])


def test_estimates_are_near_those_of_a_full_sweep(survey: Survey) -> None:
    for group in survey.groups:
        ends = [_curve(survey.study._trial(trial, 12))[-1] for trial in group.trials]
        assert group.mean.sweep_interval[0] <= np.mean(ends) <= group.mean.sweep_interval[1]
        assert group.mean.value == pytest.approx(np.mean(ends), abs=0.01)
        for epsilon in survey.epsilon:
            low, high = group.success(epsilon).sweep_interval
            assert low <= np.mean(np.array(ends) < epsilon) <= high
        assert (group.whole, group.failed, len(group)) == (16, 0, 40)


def test_a_study_that_stops_bad_trials_has_no_statistics_of_the_finished_ones() -> None:
    for rule in (Hyperband(9), SuccessiveHalving(9, 9), RunAll(4, 3)):
        study = _done(Study(rule, {"depth": [0]}), lambda trial: [1.0] * (trial.until - trial.reached))
        with pytest.raises(QhnError, match="biased; for the distribution of all trials use mode = 'survey'"):
            Survey(study, LastValue())


def test_trials_that_happen_to_end_first_have_no_statistics() -> None:
    study = Study(RULE, SPACE)
    for _ in range(90):
        trial = study.ask()
        assert trial is not None
        study.tell(trial, _train(trial))
    with pytest.raises(QhnError, match="those that end first are no fair sample"):
        Survey(study, LastValue())


def test_the_end_of_a_stopped_trial_is_not_handed_out(survey: Survey) -> None:
    group = survey.groups[1]
    assert group.end(40) == group.known_ends[0]
    with pytest.raises(QhnError, match="trial 79 was stopped before its end"):
        group.end(79)
    assert np.isnan(np.mean(group.known_ends))


def test_success_needs_the_optimum() -> None:
    survey = Survey(_done(Study(RULE, SPACE)), LastValue(), [0.1], [0.0, np.nan])
    assert survey.epsilon == ()
    with pytest.raises(QhnError, match="needs the optimum"):
        survey.groups[1].success(0.1)


def test_tables_say_what_is_imputed(survey: Survey) -> None:
    trials = survey.trials_table()
    assert trials["end_is"].tolist() == (["known"] * 16 + ["imputed"] * 24) * 2
    assert trials["reached"].tolist() == ([12] * 16 + [3] * 24) * 2
    is_known = trials["end_is"] == "known"
    np.testing.assert_array_equal(trials["end_low"][is_known], trials["end_high"][is_known])
    assert (trials["end_low"][~is_known] < trials["end_high"][~is_known]).all()
    groups = survey.groups_table()
    assert groups["depth"].tolist() == [0, 1]
    assert (groups["whole"].tolist(), groups["imputed"].tolist()) == ([16, 16], [24, 24])
    assert (groups["success_0.2_low"] <= groups["success_0.2"]).all()
    assert (groups["sweep_mean_high"] - groups["sweep_mean_low"] < groups["mean_high"] - groups["mean_low"]).all()


def test_failed_trials_are_counted() -> None:
    def train(trial: Trial) -> list[float]:
        return [np.inf] * (trial.until - trial.reached) if trial.number % 4 == 0 else _train(trial)

    survey = Survey(_done(Study(RULE, SPACE), train), LastValue(), [1e9], [0.0, 0.0])
    for group in survey.groups:
        assert group.failed == 10
        assert group.success(1e9).value == 0.75
        assert np.isfinite(group.mean.value)


@pytest.mark.pictures
def test_a_group_of_which_all_fail_is_no_reason_to_stop(tmp_path: Path) -> None:
    def train(trial: Trial) -> list[float]:
        return [np.inf] * (trial.until - trial.reached) if trial.values["depth"] else _train(trial)

    survey = Survey(_done(Study(RULE, SPACE, folder=tmp_path / "study"), train), LastValue(), [0.2], [0.0, 0.0])
    assert np.isnan(survey.groups[1].mean.value)
    assert survey.groups[1].success(0.2).value == 0
    report = SurveyReport(survey)
    assert "–  inf (inf–inf)" in report.page()
    assert len(report.write()) == 4


# ------------------------------------------------------------ report, file and command


def test_the_page_shows_all_trials_and_what_they_took(survey: Survey) -> None:
    page = SurveyReport(survey, "1,000 shots").page()
    assert "survey: 2 groups of 40 trials, all but 16 of each stopped at 3 of 12 units of 1,000 shots" in page
    assert "depth  trials  whole  imputed  failed" in page
    assert "units spent: 528 of 960 for training all to the end (55%)" in page
    assert "of which 22 a group could be had for as many units" in page


@pytest.mark.pictures
@pytest.mark.parametrize(
    ("trials", "words"),
    [
        (15, "none of which was stopped (0.5 of each would be 8, which tell too little), each of 4 units"),
        (20, "all but 15 of each (0.5 of each would be 10, which tell too little) stopped at 2 of 4 units"),
        (40, "all but 20 of each stopped at 2 of 4 units"),
    ],
)
def test_the_page_says_if_more_trials_than_asked_for_were_trained_to_the_end(trials: int, words: str) -> None:
    rule = SurveyRule(1, trials, 4)
    study = _done(Study(rule, {"depth": [0]}), lambda trial: [1.0] * (trial.until - trial.reached))
    assert words in SurveyReport(Survey(study, LastValue())).page().splitlines()[0]


def test_the_report_is_written(tmp_path: Path) -> None:
    study = _done(Study(RULE, SPACE, folder=tmp_path / "study"))
    paths = SurveyReport(Survey(study, LastValue(), [0.2], [0.0, 0.0])).write()
    assert [path.name for path in paths] == ["page.txt", "groups.csv", "trials.csv", "survey.png"]
    assert all(path.stat().st_size for path in paths)
    with (tmp_path / "study" / "trials.csv").open() as file:
        assert sum(row["end_is"] == "imputed" for row in csv.DictReader(file)) == 48


def test_a_survey_of_runs_from_the_command_line(qhn: Callable[..., Any], tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(
        'experiment = "figure-1"\nmode = "survey"\nseeds = 18\nmax_resource = 4\nresource = "steps"\nepsilon = [0.1]\n'
        "[set]\ntrain.backend = 'exact'\ndata.samples = 40\ndata.validation_samples = 0\n"
        "[vary]\nansatz.num_layers = [0, 1]\n"
    )
    first = qhn("search", str(file), "--workers", "1", "--quiet")
    assert first.code == 0, first.err
    folder = tmp_path / "results" / "figure-1" / "study-mine"
    with (folder / "groups.csv").open() as groups:
        rows = list(csv.DictReader(groups))
    assert [(row["num_layers"], row["trials"], row["imputed"]) for row in rows] == [("0", "18", "3"), ("1", "18", "3")]
    assert 0 <= float(rows[0]["success_0.1_low"]) <= float(rows[0]["success_0.1"]) <= 1
    journal = (folder / "trials.jsonl").read_bytes()
    assert sum(len(json.loads(line)["told"]) for line in journal.splitlines()) == 36 + 30
    page = (folder / "page.txt").read_text()
    again = qhn("search", str(file), "--workers", "1")
    assert again.code == 0
    assert page.strip() in again.out
    assert (folder / "trials.jsonl").read_bytes() == journal


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"mode": "survey"}, "needs seeds = 100"),
        ({"mode": "survey", "seeds": 5, "eta": 3}, "reads no eta"),
        ({"mode": "survey", "seeds": 5, "scheduler": "hyperband"}, "reads no scheduler"),
        ({"mode": "survey", "seeds": 5, "trials": 4}, "reads no trials"),
        (
            {"mode": "survey", "seeds": 5, "vary": {"train.shots": {"low": 1, "high": 9}}},
            "list some values of train.shots",
        ),
        ({"seeds": 5}, "seeds belongs to mode = 'survey'"),
        ({"epsilon": [0.1]}, "epsilon belongs to mode = 'survey'"),
        ({"mode": "survey", "seeds": 5, "epsilon": [0.0]}, "epsilon"),
        ({"mode": "survey", "seeds": 5, "full_share": 0.0}, "full"),
    ],
)
def test_bad_files_are_refused_in_one_line(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(QhnError, match=words) as caught:
        make_study(experiment="figure-1", **fields)
    assert "\n" not in str(caught.value)
