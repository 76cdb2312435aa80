from __future__ import annotations

from pathlib import Path

from qhn.config.file import presets
from qhn.report.listing import preset_lines, run_lines, study_lines
from qhn.run.record import Record
from qhn.run.training import train


def test_every_preset_has_a_line_with_its_title() -> None:
    head, *lines = preset_lines()
    assert head == "presets"
    assert [line.split()[0] for line in lines] == list(presets())


def test_every_run_has_a_line_also_one_that_has_not_begun_or_is_damaged(tmp_path: Path, small_config) -> None:
    assert list(run_lines(tmp_path)) == [f"\nruns in {tmp_path}: none"]
    for _ in train(small_config, results=tmp_path):
        pass
    fresh = small_config.model_copy(update={"train": small_config.train.model_copy(update={"seed": 99})})
    fresh = type(fresh).model_validate(fresh.model_dump())
    Record.create(fresh, tmp_path / "figure-1" / fresh.run_id)
    lines = {line.split()[1]: line for line in list(run_lines(tmp_path))[2:]}
    assert " 4/4 " in lines[small_config.run_id]
    assert " done " in lines[small_config.run_id]
    assert " 0/4 " in lines[fresh.run_id]
    assert lines[fresh.run_id].split()[-1] == "unfinished"
    (tmp_path / "figure-1" / fresh.run_id / "config.json").write_text("{")
    assert "config.json is damaged" in list(run_lines(tmp_path))[-1]


def test_studies_are_listed_with_their_pages(tmp_path: Path) -> None:
    assert list(study_lines(tmp_path)) == []
    for name in ("study-b", "study-a"):
        (tmp_path / "figure-1" / name).mkdir(parents=True)
        (tmp_path / "figure-1" / name / "study.json").write_text("{}")
    (tmp_path / "figure-1" / "study-a" / "page.txt").write_text("study a")
    _, first, second = study_lines(tmp_path)
    assert first.split() == ["figure-1", "study-a,", "read", str(tmp_path / "figure-1" / "study-a" / "page.txt")]
    assert second.split() == ["figure-1", "study-b"]
