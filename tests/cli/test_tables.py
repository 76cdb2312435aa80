"""A table of one's own at the command line: qhn init, and a table in place of an experiment."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from pictures import is_drawn
from qhn.config.file import load_config
from qhn.run.record import load_run

FEW = ("--steps", "2")


@pytest.fixture
def data(tmp_path: Path, rng: np.random.Generator) -> Path:
    y = np.arange(40) % 2
    rows = [f"{i},{4 * y[i] + rng.normal():.3f},{rng.normal():.3f},{'yn'[y[i]]}" for i in range(40)]
    (tmp_path / "heart.csv").write_text("\n".join(["id,a,b,Target", *rows]) + "\n")
    return tmp_path / "heart.csv"


def test_init_says_what_it_saw_and_writes_what_a_run_takes(qhn, data: Path) -> None:
    result = qhn("init", "heart.csv")
    assert (result.code, result.err) == (0, "")
    for words in (
        "heart.csv: 40 rows, 3 columns beside the classes 'Target'",
        "dropped: it looks like an identifier",
        "classes of 'Target': n (20), y (20)",
        "2 features of 2 columns",
        "qhn run heart.toml",
    ):
        assert words in result.out
    again = qhn("init", "heart.csv")
    assert again.code == 2
    assert again.err == "qhn: heart.toml exists, and is not overwritten; name another file with --output\n"
    assert qhn("init", "heart.csv", "--output", "other.toml").code == 0
    assert load_config("other.toml").run_id == load_config("heart.toml").run_id
    assert qhn("run", "heart.toml", *FEW, "--quiet").code == 0


@pytest.mark.pictures
def test_a_table_is_run_as_what_init_writes(qhn, data: Path, tmp_path: Path) -> None:
    result = qhn("run", "heart.csv", "--label", "Target", *FEW)
    assert result.code == 0
    lines = result.err.splitlines()
    assert lines[0] == "heart.csv: 40 rows; classes of 'Target': n (20), y (20)"
    assert "leaving out id (it looks like an identifier)" in lines
    assert "qhn init heart.csv --label Target writes this down, to be read and changed" in lines
    (directory,) = (tmp_path / "results" / "heart").iterdir()
    assert all(map(is_drawn, (directory / "figures").glob("*.png")))
    assert not (tmp_path / "heart.toml").exists()
    other = qhn("run", "heart.csv", *FEW, "--seed", "3", "--backend", "aer", "--shots", "9", "--quiet")
    assert (other.code, other.err) == (0, "")
    told = qhn("estimate", "heart.csv", "--backend", "aer").err
    assert "suggested are networks with hidden" in told
    assert "this command sets train.backend itself" in told
    qhn("init", "heart.csv")
    assert load_config("heart.toml").run_id == directory.name == load_config(directory / "experiment.toml").run_id
    shown = qhn("run", "heart.csv", *FEW, "--quiet")  # the same run, which has ended
    assert (shown.code, shown.out.strip()) == (0, str(directory))
    assert "qhn init" not in shown.err


def test_options_and_settings_go_with_a_table(qhn, data: Path) -> None:
    words = ("--backend", "aer", "--shots", "20", "--seed", "3", "--layers", "1", "--set", "network.hidden=[]")
    result = qhn("run", "heart.csv", *FEW, "--quiet", *words, "--set", "network.activation=sigmoid")
    assert result.code == 0
    assert "qhn init" not in result.err
    config = load_run(result.out.strip()).config
    assert (config.train.backend, config.train.shots, config.train.seed, config.network.hidden) == ("aer", 20, 3, ())


@pytest.mark.parametrize("verb", ["landscape", "baseline", "circuit", "estimate"])
def test_verbs_about_experiments_take_tables(qhn, data: Path, verb: str) -> None:
    more = {"baseline": ("--repeats", "1", "--method", "random"), "estimate": ("--backend", "fake_torino")}
    result = qhn(verb, "heart.csv", "--label", "Target", *more.get(verb, ()))
    assert result.code == 0, result.err
    assert result.out
    assert "qhn init heart.csv" in result.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("run", "heart.csv", "--label", "targt"), "did you mean 'Target'"),
        (("run", "figure-1", "--label", "Target"), "--label names the column of classes of a table, and figure-1 is"),
        (("run", "no.csv"), "data file no.csv does not exist"),
        (("init", "no.csv"), "data file no.csv does not exist"),
        (("init", "heart.csv", "--label", "b"), "'b' holds 40 different numbers"),
        (("init", "heart.csv", "--output", "heart.json"), "--output must name a file that ends in .toml"),
        (("init", "."), "data file . is not a file"),
    ],
)
def test_bad_input_is_one_line(qhn, data: Path, words: tuple[str, ...], message: str) -> None:
    result = qhn(*words)
    assert result.code == 2
    assert len(result.err.splitlines()) == 1
    assert message in result.err
    assert not data.with_suffix(".toml").exists()


def test_a_label_is_not_guessed(qhn, tmp_path: Path) -> None:
    rows = [f"{i * i},{'ab'[i % 2]},{i % 3}" for i in range(30)]
    (tmp_path / "d.csv").write_text("\n".join(["x,sex,grade", *rows]))
    for verb in ("init", "run"):
        result = qhn(verb, "d.csv")
        assert result.code == 2
        assert "name the column of classes with --label, which could be 'sex' (2 values), 'grade'" in result.err


def test_packed_tables_of_tabs_in_other_encodings(qhn, tmp_path: Path, rng: np.random.Generator) -> None:
    rows = [f"{rng.normal():.3f}\tStraße {i % 3}\t{'jn'[i % 2]}" for i in range(40)]
    with gzip.open(tmp_path / "daten.tsv.gz", "wt", encoding="cp1252") as file:
        file.write("\n".join(["Größe\tOrt\tKlasse", *rows]))
    result = qhn("init", "daten.tsv.gz")
    assert (result.code, result.err) == (0, "")
    assert "separated by tabs, decimals after '.', in cp1252" in result.out
    assert load_config("daten.toml").networks().dataset.num_features == 4
    assert qhn("run", "daten.tsv.gz", *FEW, "--quiet").code == 0


@pytest.mark.parametrize("ending", ["parquet", "xlsx"])
def test_parquet_and_excel(qhn, tmp_path: Path, rng: np.random.Generator, ending: str) -> None:
    pandas = pytest.importorskip("pandas")
    columns = {"x": rng.normal(size=30), "flag": np.arange(30) % 3 == 0, "outcome": ["win", "lose"] * 15}
    frame = pandas.DataFrame(columns)
    frame.to_parquet(tmp_path / "d.parquet") if ending == "parquet" else frame.to_excel("d.xlsx", index=False)
    assert qhn("init", f"d.{ending}").code == 0
    assert "separator" not in (tmp_path / "d.toml").read_text()
    result = qhn("run", f"d.{ending}", *FEW, "--quiet")
    assert result.code == 0, result.err
    assert load_run(result.out.strip()).config.networks().space.num_inputs == 2
