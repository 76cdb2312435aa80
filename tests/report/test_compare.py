from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pictures import is_drawn
from qhn import RunConfig, load_run, train
from qhn.config.file import with_settings
from qhn.report.compare import Comparison
from qhn.run.record import Record
from qhn.text import spell


def recorded(config: RunConfig, results: Path) -> Record:
    training = train(config, results=results)
    list(training)
    assert training.record is not None
    return load_run(training.record.directory)


@pytest.mark.pictures
def test_runs_stand_side_by_side(small_config: RunConfig, tmp_path: Path) -> None:
    settings = {"train.seed": 8, "train.optimizer": "sgd"}
    first, second = recorded(small_config, tmp_path), recorded(with_settings(small_config, settings), tmp_path)
    comparison = Comparison([first, second])
    differences = comparison.differences()
    assert differences["train.seed"] == [7, 8]
    assert differences["train.optimizer.name"] == ["adam", "sgd"]
    assert differences["train.optimizer.momentum"] == [None, 0.9]
    assert "train.shots" not in differences
    page = comparison.page()
    assert f"{first.steps()[-1].best_cost:.6g}" in page
    assert "minimise different costs" not in page
    picture = comparison.figure(tmp_path / "compare")
    assert is_drawn(picture)
    with picture.with_suffix(".csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["mean"]) for row in rows] == [s.mean for r in (first, second) for s in r.steps()]


def test_copies_of_the_same_table_are_no_difference(small_config: RunConfig, tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("a,y\n" + "".join(f"{i % 7},{i % 2}\n" for i in range(20)))
    table = with_settings(small_config, {"data.file": str(tmp_path / "d.csv"), "data.label": "y"})
    first, second = recorded(table, tmp_path), recorded(with_settings(table, {"train.seed": 8}), tmp_path)
    assert list(Comparison([first, second]).differences()) == ["train.seed"]
    (tmp_path / "d.csv").write_text("a,y\n" + "".join(f"{i % 5},{i % 2}\n" for i in range(20)))
    changed = with_settings(small_config, {"data.file": str(tmp_path / "d.csv"), "data.label": "y"})
    assert {"data.file", "data.sha256"} <= Comparison([first, recorded(changed, tmp_path)]).differences().keys()


def test_what_cannot_be_compared(small_config: RunConfig, tmp_path: Path) -> None:
    first = recorded(small_config, tmp_path)
    other = recorded(with_settings(small_config, {"data.seed": 2}), tmp_path)
    assert "minimise different costs" in Comparison([first, other]).page()
    with pytest.raises(ValueError, match="at least two runs, got 1"):
        Comparison([first])
    with pytest.raises(ValueError, match="is named twice"):
        Comparison([first, other, first])


def test_a_long_list_is_told_by_its_length() -> None:
    cell = spell([0.125 * number for number in range(98)])
    assert cell == "98 values, 0, 0.125, …"
    assert spell((1, 2, 3)) == "[1, 2, 3]"
