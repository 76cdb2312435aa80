from __future__ import annotations

from pathlib import Path

import pytest

SWEEP = """
experiment = "figure-1"
seeds = 3
epsilon = [0.05]
repeats = 2
[set]
train.backend = "exact"
train.optimizer = "lbfgs"
train.steps = 60
data.samples = 40
[vary]
ansatz.num_layers = [0, 1]
"""


@pytest.fixture
def sweep_file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(SWEEP)
    return path


def test_sweep_trains_searches_and_reports(qhn, sweep_file: Path) -> None:
    result = qhn("sweep", str(sweep_file), "--workers", "1")
    assert result.code == 0
    assert "sweep mine of figure-1: 6 of 6 members finished" in result.out
    assert "E − C* < 0.05" in result.out
    assert "share that found the optimum among so many different networks" in result.out
    assert "6 of 6 members" in result.err
    folder = Path("results/figure-1/sweep-mine")
    names = {path.name for path in folder.iterdir() if path.is_file()}
    assert names >= {"sweep.json", "page.txt", "members.csv", "groups.csv", "searches.csv", "sweep.png"}
    again = qhn("sweep", str(sweep_file), "--seeds", "2", "-q")  # of what is there already
    assert again.code == 0
    assert again.err == ""
    assert (folder / "members.csv").read_text().count("\n") == 1 + 4


def test_sweep_lists_what_there_is_and_refuses_what_there_is_not(qhn, sweep_file: Path) -> None:
    assert "figure-2" in qhn("sweep").out
    wrong = qhn("sweep", "figure-22")
    assert wrong.code == 2
    assert "there is no sweep 'figure-22'; did you mean" in wrong.err
    sweep_file.write_text(SWEEP.replace("epsilon", "epslon"))
    assert "epslon" in qhn("sweep", str(sweep_file)).err
    assert qhn("sweep", "figure-2", "--workers", "0").code == 2


def test_compare_shows_two_runs(qhn) -> None:
    for seed in ("1", "2"):
        words = ("--shots", "20", "--steps", "2", "--backend", "exact", "--set", "data.samples=40")
        assert qhn("run", "figure-1", "--seed", seed, "-q", *words).code == 0
    first, second = sorted(path.name for path in Path("results/figure-1").iterdir())
    result = qhn("compare", first[:6], second)
    assert result.code == 0
    assert f"figure-1/{first}" in result.out
    assert Path(result.out.split()[-1]).suffix == ".png"
    assert "compare takes at least two" in qhn("compare", first).err
    assert "is named twice" in qhn("compare", first, first).err


def test_reproduce_writes_its_report(qhn) -> None:
    result = qhn("reproduce", "method", "--workers", "1")
    assert result.code == 0
    assert "results/paper/report.md" in result.out
    assert "largest half difference of the shifted energies" in Path("results/paper/report.md").read_text()
    assert "did you mean" in qhn("reproduce", "encodin").err
    assert "is not a directory" in qhn("reproduce", "4", "--mnist", "nowhere").err
