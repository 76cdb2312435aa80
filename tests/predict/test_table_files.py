"""Prediction of tables by the command line: of raw columns, and the same before and after saving."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from qhn.config.file import load_config
from qhn.predict.ensemble import Ensemble, load_ensemble
from qhn.problem.network import Network, load_network
from qhn.run.record import Record
from runs import finished
from tables import passengers

TOML = """
[data]
file = "passengers.csv"
label = "survived"
drop = ["name"]
categorical = ["cabin"]
impute = "median"

[train]
backend = "exact"
shots = "none"
steps = 2
"""


@pytest.fixture
def frame(rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(passengers(rng, 80))


@pytest.fixture
def record(frame: pd.DataFrame, tmp_path: Path) -> Record:
    """The record of a run on a table with texts, dates, codes and missing values."""
    frame.to_csv(tmp_path / "passengers.csv", index=False)
    (tmp_path / "p.toml").write_text(TOML)
    return finished(load_config(str(tmp_path / "p.toml")), tmp_path / "results")


def predicted(text: str) -> tuple[list[str], np.ndarray]:
    """The classes and the probabilities of a table of predictions."""
    head, *rows = csv.reader(io.StringIO(text))
    assert head == ["row", "predicted", "p(no)", "p(yes)"]
    assert [row[0] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    return [row[1] for row in rows], np.array([row[2:] for row in rows], dtype=float)


def test_predictions_are_the_same_before_and_after_saving_from_anything(
    qhn: Callable[..., Any], record: Record, frame: pd.DataFrame, tmp_path: Path
) -> None:
    problem = record.config.networks()
    network, ensemble = problem.network([int(bit) for bit in record.steps()[-1].best_bits]), Ensemble.of(record)
    network.save(tmp_path / "own-network.npz")
    ensemble.save(tmp_path / "own-ensemble.npz")
    pairs: list[tuple[Network | Ensemble, Network | Ensemble, tuple[str, ...]]] = [
        (network, load_network(tmp_path / "own-network.npz"), ("own-network.npz",)),
        (ensemble, load_ensemble(tmp_path / "own-ensemble.npz"), ("own-ensemble.npz",)),
        (network, load_network(record.directory / "network.npz"), (record.config.run_id,)),
        (ensemble, ensemble, (str(record.directory), "--ensemble")),
    ]
    frame = frame.assign(boarded=pd.to_datetime(frame["boarded"]))
    other_order = frame[list(reversed(frame.columns))]
    for before, after, words in pairs:
        expected = before.probabilities(frame)
        data = problem.dataset
        inputs = np.concatenate([data.x, data.x_validation])
        of_inputs = before.probabilities_of_inputs(inputs)
        np.testing.assert_allclose(np.sort(expected, axis=0), np.sort(of_inputs, axis=0), rtol=1e-13)
        fortran = before.probabilities_of_inputs(np.asfortranarray(inputs))
        np.testing.assert_array_equal(fortran, of_inputs)
        columns = frame.drop(columns=["name", "survived"])
        mapping = {name: frame[name].tolist() for name in frame}
        for x in (frame, other_order, mapping, columns.astype(object).to_numpy().tolist()):
            np.testing.assert_array_equal(after.probabilities(x), expected)
            np.testing.assert_array_equal(after.predict(x), before.predict(frame))
        result = qhn("predict", *words, "passengers.csv")
        assert (result.code, result.err) == (0, "")
        classes, probabilities = predicted(result.out)
        np.testing.assert_array_equal(probabilities, expected)
        assert classes == before.predict(frame).tolist()
        assert after.predict(frame.iloc[3]) == classes[3]


def test_a_table_in_another_dialect_is_told_from_the_file(
    qhn: Callable[..., Any], record: Record, frame: pd.DataFrame, tmp_path: Path
) -> None:
    plain = qhn("predict", record.config.run_id, "passengers.csv").out
    shuffled = frame[["fare", "cabin", "age", "boarded", "port", "sex"]]
    shuffled.to_csv(tmp_path / "other.csv", index=False, sep=";", decimal=",", encoding="utf-16")
    shuffled.to_csv(tmp_path / "tabs.tsv.gz", index=False, sep="\t")
    for words in (("other.csv",), ("tabs.tsv.gz",), ("other.csv", "--separator", ";", "--decimal", ",")):
        result = qhn("predict", record.config.run_id, *words)
        assert (result.code, result.out) == (0, plain), result.err
    wrong = qhn("predict", record.config.run_id, "other.csv", "--decimal", ".")
    assert wrong.code == 2
    assert "is not a number" in wrong.err


def test_the_output_is_a_new_file(qhn: Callable[..., Any], record: Record, tmp_path: Path) -> None:
    plain = qhn("predict", record.config.run_id, "passengers.csv").out
    result = qhn("predict", record.config.run_id, "passengers.csv", "--output", "found.csv")
    assert (result.code, result.out) == (0, "found.csv\n")
    assert (tmp_path / "found.csv").read_text() == plain
    again = qhn("predict", record.config.run_id, "passengers.csv", "--output", "found.csv")
    assert (again.code, again.err) == (2, "qhn: found.csv exists; remove it, or name another file with --output\n")


@pytest.mark.parametrize("name", ["no\nway", "no\rway", 'a, "b"', "=1+1\r\n"])
def test_classes_of_any_text_are_read_back_as_they_were(
    qhn: Callable[..., Any], frame: pd.DataFrame, tmp_path: Path, name: str
) -> None:
    frame["survived"] = frame["survived"].replace("no", name)
    frame.to_csv(tmp_path / "passengers.csv", index=False, lineterminator="\r\n")
    (tmp_path / "p.toml").write_text(TOML)
    run = finished(load_config(str(tmp_path / "p.toml")), tmp_path / "results").directory
    assert qhn("predict", str(run), "passengers.csv", "--output", "found.csv").code == 0
    with (tmp_path / "found.csv").open(newline="") as file:
        head, *rows = csv.reader(file)
    assert sorted(head[2:]) == sorted([f"p({name})", "p(yes)"])
    assert [len(row) for row in rows] == [4] * len(frame)
    assert {row[1] for row in rows} <= {name, "yes"}


def test_an_unknown_category_is_named_and_predicted(
    qhn: Callable[..., Any], record: Record, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.assign(port="Atlantis").to_csv(tmp_path / "new.csv", index=False)
    result = qhn("predict", record.config.run_id, "new.csv")
    assert result.code == 0
    assert len(result.out.splitlines()) == 81
    assert result.err.startswith("qhn: column 'port': 'Atlantis' in 80 rows was not in the training samples")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("{run}", "gone.csv"), "data file gone.csv does not exist"),
        (("nothing", "passengers.csv"), "nothing"),
        (("gone.npz", "passengers.csv"), "network file gone.npz does not exist"),
        (("passengers.npz", "passengers.csv"), "passengers.npz is not a network saved by qhn"),
        (("{network}", "passengers.csv", "--ensemble"), "holds one network; give its run, or an ensemble.npz"),
        (("{run}", "few.csv"), "few.csv has no column 'sex'"),
        (("{run}", "text.csv"), "text.csv line 3, column 'age': 'old' is not a number"),
        (("{run}", "x.npz"), "x.npz must hold one array of shape [num_rows, 10], it has x [2, 3]"),
        (("{run}", "x.npz", "--separator", ";"), "--separator says how a text file is written, and x.npz is none"),
        (("{run}", "passengers.csv", "--encoding", "klingon"), "klingon"),
        (("{run}", "passengers.csv", "--separator", ";;"), "separator must be one mark"),
        (("{run}", "passengers.csv", "--output", "gone/found.csv"), "gone/found.csv: No such file or directory"),
    ],
)
def test_bad_input_is_one_line(
    qhn: Callable[..., Any], record: Record, frame: pd.DataFrame, tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    np.savez(tmp_path / "x.npz", x=np.ones((2, 3)))
    (tmp_path / "passengers.npz").write_text("no archive")
    frame[["age", "fare"]].to_csv(tmp_path / "few.csv", index=False)
    frame.assign(age=["31", "old", *["32"] * 78]).to_csv(tmp_path / "text.csv", index=False)
    given = {"run": record.config.run_id, "network": str(record.directory / "network.npz")}
    result = qhn("predict", *(word.format(**given) for word in words))
    assert result.code == 2
    assert result.out == ""
    assert said in result.err
    assert len(result.err.splitlines()) == 1


def test_a_run_of_features_alone_predicts_tables_and_arrays(qhn: Callable[..., Any], tmp_path: Path) -> None:
    settings = {"data.samples": 40, "train.backend": "exact", "train.shots": "none", "train.steps": 2}
    record = finished(load_config("figure-1", settings), tmp_path / "results")
    x = np.random.default_rng(3).normal(size=(5, 2))
    pd.DataFrame({"more": "a", "x2": x[:, 1], "x1": x[:, 0]}).to_csv(tmp_path / "x.csv", index=False)
    np.savez(tmp_path / "x.npz", x=x, label=np.zeros(5))
    expected = load_network(record.directory / "network.npz").probabilities(x)
    for name in ("x.csv", "x.npz"):
        rows = list(csv.reader(io.StringIO(qhn("predict", record.config.run_id, name).out)))[1:]
        np.testing.assert_array_equal(np.array([row[2:] for row in rows], dtype=float), expected)
    maxcut = finished(load_config("maxcut-16", {"train.steps": 1, "train.shots": 20}), tmp_path / "results")
    result = qhn("predict", maxcut.config.run_id, "x.csv")
    assert result.code == 2
    assert len(result.err.splitlines()) == 1


def test_numbers_that_can_be_read_in_two_ways_are_read_as_those_learned_from(
    qhn: Callable[..., Any], rng: np.random.Generator, tmp_path: Path
) -> None:
    income = rng.uniform(500, 5000, 60)
    rows = [f"{one:,.2f}".translate(str.maketrans(",.", ".,")) + f";{'yes' if one > 2000 else 'no'}" for one in income]
    (tmp_path / "german.csv").write_text("\n".join(["income;label", *rows]) + "\n")
    (tmp_path / "g.toml").write_text(
        TOML.replace("passengers", "german").replace("survived", "label").replace('drop = ["name"]', 'separator = ";"')
        .replace('categorical = ["cabin"]', 'decimal = ","\nthousands = "."').replace('impute = "median"', "")
    )  # fmt: skip
    record = finished(load_config(str(tmp_path / "g.toml")), tmp_path / "results")
    network = load_network(record.directory / "network.npz")
    for name, text in (("new.csv", "income\n4.321\n1.234\n"), ("own.csv", "income\n4321.0\n1234.5\n")):
        (tmp_path / name).write_text(text)
    expected = network.probabilities([[4321.0], [1234.0]])
    np.testing.assert_array_equal(predicted(qhn("predict", record.config.run_id, "new.csv").out)[1], expected)
    expected = network.probabilities([[4321.0], [1234.5]])
    np.testing.assert_array_equal(predicted(qhn("predict", record.config.run_id, "own.csv").out)[1], expected)
