"""The page, the tables and the figures of studies of every kind and in every state."""

from __future__ import annotations

import csv
import math
import re
import tomllib
from collections import Counter
from pathlib import Path

import pytest

from pictures import is_drawn
from qhn.learning_curves.predictors import predictor
from qhn.scheduling.hyperband import Hyperband, RunAll, SuccessiveHalving
from qhn.scheduling.study import Study
from qhn.scheduling.survey_rule import SurveyRule
from qhn.search.config import StudyConfig, make_study
from qhn.search.report import StudyReport
from studies import SPACE, done, swift


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_of_swift_hyperband(tmp_path: Path) -> None:
    study = done(swift(35), tmp_path / "mlp", failing=20)
    page = StudyReport(study, unit="1,000 shots").page()
    assert page.startswith("study mlp: Swift-Hyperband, R = 35 units, η = 2; 84 trials, done\na unit is 1,000 shots\n")
    assert "Hyperband with the same R and η      84    872              29.7%        100.0%" in page
    assert "every trial to its end               84  2,940             100.0%" in page
    best = study.best()
    assert best is not None
    assert f"\ntrial {best.number} " in page
    assert "of noisy losses the lowest flatters" in page
    assert "whether one of them would have won" in page
    assert "ValueError: no\\nsense" in page
    assert "last value" in page


def test_exact_losses_do_not_flatter() -> None:
    study = done(swift(9))
    assert "flatters" in StudyReport(study).page()
    assert "flatters" not in StudyReport(study, is_noisy=False).page()


def test_a_regression_stands_beside_the_last_value() -> None:
    pytest.importorskip("sklearn")
    lines = StudyReport(done(swift(50, predictor("ridge")))).page().splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("predictions"))
    names = ["ridge of curve", "last value", "ridge of curve", "last value"]
    assert all(name in line for name, line in zip(names, lines[start + 1 :], strict=False))


def test_units_and_shares_are_those_of_the_study() -> None:
    study = done(swift(35))
    line = next(line for line in StudyReport(study).page().splitlines() if line.startswith("this study"))
    assert line.split()[2:] == ["84", f"{study.units:,}", f"{study.units / 2940:.1%}", f"{study.units / 872:.1%}"]
    steps = sum(facts["steps"] for facts in study.facts.values())
    assert steps == 2 * study.units
    assert f"this study took {steps:,} steps" in StudyReport(study).page()


def test_trials_that_never_had_a_loss_are_counted() -> None:
    """Half of the trials need four units for a step, as deep circuits do, and most rounds give them fewer."""
    study = Study(Hyperband(9, 3), {"a": [1]})
    while trial := study.ask():
        units = range(trial.reached + 1, trial.until + 1)
        study.tell(trial, [math.nan if trial.number % 2 and unit < 4 else 1 / unit for unit in units])
    number = sum(math.isnan(study.curves.last(trial)) for trial in range(17))
    assert number > 3
    assert f"{number} of them ended before their first step" in StudyReport(study).page()


def test_a_study_that_trained_all_says_what_others_would_have_made_of_it() -> None:
    page = StudyReport(done(RunAll(30, 27))).page()
    assert "replays of other rules" in page
    assert "not known" not in page


@pytest.mark.parametrize(
    ("rule", "jobs", "failing", "words"),
    [
        (Hyperband(9, 3), 0, 0, "no trial has a loss yet"),
        (Hyperband(9, 3), 4, 0, "17 trials, not done: 4 begun"),
        (Hyperband(9, 3), None, 1, "no trial has a loss: all failed"),
        (Hyperband(1, 3), None, 0, "R = 1 unit, η = 3; 1 trial, done"),
        (SuccessiveHalving(9, 9, 3), None, 0, "successive halving"),
        (RunAll(1, 1), None, 0, "every trial to its end"),
        (SurveyRule(2, 20, 8), None, 0, "survey"),
        (swift(27), 30, 4, "this study so far"),
        (swift(27), None, 1, "all failed"),
    ],
)
def test_every_state_has_a_page_and_files(
    rule: Hyperband, jobs: int | None, failing: int, words: str, tmp_path: Path
) -> None:
    study = done(rule, tmp_path / "study", jobs=jobs, failing=failing)
    report = StudyReport(study)
    assert words in report.page()
    paths = report.write()
    assert paths[0].read_text(encoding="utf-8") == report.page() + "\n"
    assert all(path.exists() for path in paths)
    assert len(rows(tmp_path / "study" / "trials.csv")) == rule.num_trials


def test_losses_that_are_all_equal_or_before_the_first_step(tmp_path: Path) -> None:
    for name, loss in {"equal": 0.0, "none": math.nan}.items():
        study = Study(swift(27), {"a": [1, 2]}, folder=tmp_path / name)
        while trial := study.ask():
            study.tell(trial, [loss] * (trial.until - trial.reached))
        study.close()
        assert len(StudyReport(study).write()) >= 4
        assert "nan" not in StudyReport(study).page()


def test_tables_hold_what_was_told_and_decided(tmp_path: Path) -> None:
    study = done(swift(27), tmp_path / "study", failing=9)
    StudyReport(study).write()
    for row in rows(tmp_path / "study" / "trials.csv"):
        number = int(row["trial"])
        assert int(row["resource"]) == study.curves.reached(number)
        assert float(row["loss"]) == study.curves.loss(number, int(row["resource"]))
        assert float(row["rate"]) == study.values(number)["rate"]
    decisions = rows(tmp_path / "study" / "decisions.csv")
    assert Counter(row["verdict"] for row in decisions) == Counter(str(d.verdict) for d in study.decisions)
    drawn = Counter(int(row["trial"]) for row in rows(tmp_path / "study" / "curves.csv"))
    assert drawn == Counter({n: study.curves.reached(n) for n in range(study.rule.num_trials)})


def test_columns_of_the_users_own_names_replace_none(tmp_path: Path) -> None:
    study = Study(RunAll(2, 1), {"loss": [7], "trial": ["x"]}, folder=tmp_path / "study")
    while trial := study.ask():
        study.tell(trial, [0.5], fate="mine")
    study.close()
    StudyReport(study).write()
    assert rows(tmp_path / "study" / "trials.csv")[1] == {
        "trial": "1", "bracket": "0", "fate": "finished", "resource": "1", "loss": "0.5",
        "loss_": "7", "trial_": "x", "fate_": "mine",
    }  # fmt: skip


def test_a_study_in_memory_writes_nothing() -> None:
    assert StudyReport(Study(Hyperband(9, 3), SPACE)).write() == []


@pytest.mark.pictures
@pytest.mark.parametrize("rule", [swift(50), Hyperband(27, 3)], ids=["swift", "hyperband"])
def test_figures_are_drawn(rule: Hyperband, tmp_path: Path) -> None:
    paths = StudyReport(done(rule, tmp_path / "study", failing=15)).write()
    pictures = [path for path in paths if path.suffix == ".png"]
    assert {"curves.png", "rounds.png"} <= {path.name for path in pictures}
    for picture in pictures:
        assert is_drawn(picture)
        assert picture.with_suffix(".csv").exists()


DOCUMENTATION = (Path(__file__).parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")


def test_the_documented_study_is_one() -> None:
    pytest.importorskip("sklearn")
    (text,) = re.findall(r"```toml\n(.*?)```", DOCUMENTATION, re.DOTALL)
    plan = make_study(**tomllib.loads(text))
    assert (plan.num_trials, plan.config.rule().most_units) == (84, 800)
    keys = re.findall(r"^\| `(\w+)`", DOCUMENTATION, re.MULTILINE)
    assert set(keys) <= set(StudyConfig.model_fields)
    for key, default in re.findall(r'^\| `(\w+)` .*\| (?:`"([\w-]+)"`|(?:\d+)) \|$', DOCUMENTATION, re.MULTILINE):
        assert not default or StudyConfig.model_fields[key].default == default


def test_the_documented_python_study_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (text,) = re.findall(r"```python\n(.*?)```", DOCUMENTATION, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(text, {"__name__": "documented"})
    (line,) = re.findall(r"It prints `(.*?)`", DOCUMENTATION)
    assert capsys.readouterr().out.startswith(line)
    assert (tmp_path / "results" / "descent" / "curves.png").exists()
