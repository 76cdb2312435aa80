"""A configuration for a table: what is written is what is planned, and what is planned can be run."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from csv import writer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn.config.commented import toml_value
from qhn.config.data import FileData
from qhn.config.designs import HIDDEN, Design, shifted_rows
from qhn.config.draft_page import lines_of, page_of
from qhn.config.file import load_config
from qhn.config.from_table import draft_of, written
from qhn.errors import QhnError
from qhn.problem.search_space import SearchSpace
from qhn.run.plan import check

ROWS = 60
Cells = Sequence[Any]


def table(path: Path, columns: dict[str, Cells], separator: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", encoding=encoding, newline="") as file:
        sheet = writer(file, delimiter=separator)
        sheet.writerows([list(columns), *zip(*columns.values(), strict=True)])
    return path


def mixed(rng: np.random.Generator) -> dict[str, Cells]:
    """A table with most of what tables have."""
    y = rng.integers(0, 2, ROWS)
    return {
        "Kunden-Nr": range(5, 5 + ROWS),
        "Größe in m": [f"{1.6 + 0.2 * one + 0.1 * rng.normal():.2f}".replace(".", ",") for one in y],
        'a "name" = \\ [x]\x7f': rng.choice(["ja", "nein", "-"], ROWS),
        "PLZ": rng.choice(["01067", "04109", "80331"], ROWS),
        "Alter": [-999 if i % 10 == 0 else 20 + i % 37 for i in range(ROWS)],
        "leer": [""] * ROWS,
        "seit": [f"202{i % 4}-05-{1 + i % 28:02d}" for i in range(ROWS)],
        "Klasse": np.where(np.arange(ROWS) % 20 == 0, "", np.where(y, "geblieben", "gekündigt")),
    }


def simple(rng: np.random.Generator, num_columns: int = 2, num_classes: int = 2) -> dict[str, Cells]:
    x = rng.normal(size=(num_columns, ROWS)).round(4).tolist()
    return {f"x{j}": column for j, column in enumerate(x)} | {"label": np.arange(ROWS) % num_classes}


KINDS: dict[str, Callable[[np.random.Generator], dict[str, Cells]]] = {
    "mixed": mixed,
    "two numbers": simple,
    "three classes": lambda rng: simple(rng, 3, 3),
    "many numbers": lambda rng: simple(rng, 30),
    "very many numbers": lambda rng: simple(rng, 150, 5),
    "unbalanced": lambda rng: simple(rng) | {"label": ["rare"] * 6 + ["frequent"] * (ROWS - 6)},
    "truth values": lambda rng: simple(rng) | {"label": ["True", "False"] * (ROWS // 2)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_the_planned_configuration(tmp_path: Path, rng: np.random.Generator, kind: str) -> None:
    path = table(tmp_path / "kunden.csv", KINDS[kind](rng), ";" if kind == "mixed" else ",", "cp1252")
    draft = draft_of(path)
    config = draft.config()
    for place in (written(draft), written(draft, tmp_path.parent / f"{tmp_path.name}.toml")):
        loaded = load_config(place)
        assert loaded.model_dump(exclude={"experiment"}) == config.model_dump(exclude={"experiment"})
        assert loaded.run_id == config.run_id
    check(config)
    space = config.networks().space
    assert space.num_qubits == draft.design.num_qubits
    assert draft.features == config.data.load().feature_names
    assert draft_of(path).text() == draft.text()


def test_guesses_are_written_with_their_reasons(tmp_path: Path, rng: np.random.Generator) -> None:
    draft = draft_of(table(tmp_path / "kunden.csv", mixed(rng), ";", "cp1252"))
    text, data = draft.text(tmp_path), tomllib.loads(draft.text(tmp_path))["data"]
    assert (data["file"], data["separator"], data["decimal"], data["encoding"]) == ("kunden.csv", ";", ",", "cp1252")
    assert data["drop"] == ["Kunden-Nr", "leer"]
    assert data["categorical"] == ["PLZ"]
    assert {"-999", "-"} < set(data["missing"])
    assert (data["impute"], data["unlabelled"]) == ("median", "leave-out")
    for reason in (
        "# Kunden-Nr: it looks like an identifier\n# leer: it is empty\ndrop = ",
        "# PLZ: its numbers are codes: some begin with 0",
        "-999 in Alter is far from all other values, 20 to 56",
        "Alter 10 %",
        "# 3 rows without a class",
    ):
        assert reason in text


@pytest.mark.parametrize(("labels", "code"), [(("+", "-", "-"), "-"), (("drug", "none", "x"), "none")])
def test_no_sample_is_left_out_whose_class_reads_as_a_code(
    tmp_path: Path, rng: np.random.Generator, labels: tuple[str, ...], code: str
) -> None:
    columns = simple(rng)
    columns["x1"] = [code if i % 15 == 0 else value for i, value in enumerate(columns["x1"])]
    columns["label"] = ["", *(labels[i % 3] for i in range(1, ROWS))]
    draft = draft_of(table(tmp_path / "d.csv", columns))
    data = draft.config().data.load()
    found = np.bincount(np.concatenate([data.y, data.y_validation]).astype(int))
    assert dict(zip(data.classes.tolist(), found.tolist(), strict=True)) == draft.classes.counts
    assert found.sum() == ROWS - 1
    assert [column.name for column in draft.look.dropped] == ["x1"]


def test_what_is_not_needed_is_not_written(tmp_path: Path, rng: np.random.Generator) -> None:
    data = tomllib.loads(draft_of(table(tmp_path / "d.csv", simple(rng))).text())["data"]
    assert data.keys() == {"file", "label", "separator", "decimal", "encoding", "validation_fraction"}


def test_settings_replace_what_is_planned(tmp_path: Path, rng: np.random.Generator) -> None:
    draft = draft_of(table(tmp_path / "d.csv", simple(rng)))
    config = draft.config({"network.hidden": [2], "train.backend": "aer", "train.steps": 3})
    assert (config.network.hidden, config.train.backend, config.train.steps) == ((2,), "aer", 3)
    assert config.experiment == "d"
    with pytest.raises(QhnError, match="did you mean 'hidden'"):
        draft.config({"network.hiden": [2]})


def test_classes_are_weighted_where_they_are_unbalanced(tmp_path: Path, rng: np.random.Generator) -> None:
    for kind, weight in (("unbalanced", "balanced"), ("two numbers", "none")):
        draft = draft_of(table(tmp_path / f"{weight}.csv", KINDS[kind](rng)))
        assert draft.config().network.class_weight == weight
        assert ("unbalanced" in page_of(draft, tmp_path)) is (weight == "balanced")


@pytest.mark.parametrize(("kind", "way"), [("two numbers", "exact"), ("many numbers", "sampled")])
def test_what_fits_is_trained_without_shots(tmp_path: Path, rng: np.random.Generator, kind: str, way: str) -> None:
    draft = draft_of(table(tmp_path / "d.csv", KINDS[kind](rng)))
    assert draft.design.way == way
    assert (draft.config().train.shots is None) is (way == "exact")


@pytest.mark.parametrize(("num_columns", "num_classes", "scale"), [(2, 2, 1.0), (30, 2, 0.5), (30, 3, 1.0)])
def test_weights_of_many_features_are_halved(
    tmp_path: Path, rng: np.random.Generator, num_columns: int, num_classes: int, scale: float
) -> None:
    draft = draft_of(table(tmp_path / "t.csv", simple(rng, num_columns, num_classes)))
    assert draft.config().networks().space.alphabets == ((-scale, scale),)


def test_columns_that_hold_the_class_and_copies_are_told(tmp_path: Path, rng: np.random.Generator) -> None:
    columns = simple(rng)
    copy = ["ab"[one] for one in columns["label"]]
    noisy = [*copy[:-1], "a"]
    path = table(tmp_path / "t.csv", columns | {"copy": copy, "part": noisy, "noise": ["x", "x", "y"] * (ROWS // 3)})
    for text in (page_of(draft_of(path), path), "\n".join(lines_of(draft_of(path)))):
        assert "warning: copy holds the class" in text
        assert "same as an earlier one" not in text
    twice = tmp_path / "twice.csv"
    head, *rows = table(tmp_path / "u.csv", columns).read_text().splitlines()
    twice.write_text("\n".join([head, *rows, *rows]))
    for text in (page_of(draft_of(twice), twice), "\n".join(lines_of(draft_of(twice)))):
        assert f"warning: {ROWS} of {2 * ROWS} rows are the same as an earlier one" in text
        assert "holds the class" not in text


def test_marks_between_thousands_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    sales = [f"{1 + i % 9}.{100 + i},5" for i in range(ROWS)]
    rows = [f"{one};{'high' if i % 9 > 4 else 'low'}" for i, one in enumerate(sales)]
    path.write_text("\n".join(["sales;label", *rows]))
    draft = draft_of(path)
    config = load_config(written(draft))
    assert isinstance(config.data, FileData)
    data = config.data.load()
    assert "thousands between '.'" in page_of(draft, path)
    expected = [float(one.replace(".", "").replace(",", ".")) for one in sales]
    raw = np.concatenate([data.raw(data.x), data.raw(data.x_validation)]).ravel()
    np.testing.assert_allclose(np.sort(raw), np.sort(expected))


@pytest.mark.parametrize("num_layers", [1, 2, 3])
@pytest.mark.parametrize("num_columns", [2, 5])
def test_rows_of_parameter_shift_are_those_of_the_circuit(
    tmp_path: Path, rng: np.random.Generator, num_columns: int, num_layers: int
) -> None:
    draft = draft_of(table(tmp_path / "d.csv", simple(rng, num_columns)))
    shift = {"ansatz.num_layers": num_layers, "train.shots": 100, "train.gradient": "parameter-shift"}
    config = draft.config(shift)
    circuit = config.circuit(config.networks())
    assert shifted_rows(draft.design.num_qubits, num_layers) == config.train.gradient.build(circuit).num_rows


def test_many_angles_are_not_shifted_one_by_one() -> None:
    design = Design.of((3,), num_features=64, num_classes=10, num_samples=50_000)
    assert design.way == "directions"
    assert Design.of((), num_features=8, num_classes=2, num_samples=100_000).way == "exact"


@pytest.mark.parametrize("hidden", HIDDEN)
@pytest.mark.parametrize("num_classes", [2, 3])
def test_qubits_of_designs_are_those_of_their_spaces(hidden: tuple[int, ...], num_classes: int) -> None:
    design = Design.of(hidden, num_features=4, num_classes=num_classes, num_samples=100)
    assert design.num_qubits == SearchSpace(4, hidden, num_classes=num_classes).num_qubits


def test_a_few_lines_say_what_is_left_out(tmp_path: Path, rng: np.random.Generator) -> None:
    lines = lines_of(draft_of(table(tmp_path / "kunden.csv", mixed(rng), ";", "cp1252")))
    assert 3 <= len(lines) <= 6
    assert "Kunden-Nr (it looks like an identifier), leer (it is empty)" in "\n".join(lines)
    assert "qhn init" in lines[-1]


def test_a_suggestion_that_is_not_followed_is_told_as_one(tmp_path: Path, rng: np.random.Generator) -> None:
    draft = draft_of(table(tmp_path / "d.csv", simple(rng)))
    plain, changed = lines_of(draft), lines_of(draft, ["network.hidden", "train.backend"])
    assert plain[-2].startswith("networks with hidden = ")
    assert changed[-2] == f"suggested are {plain[-2]}; this command sets network.hidden, train.backend itself"
    assert changed[-1].endswith("writes the suggestion down, to be read and changed")


def test_no_file_is_overwritten(tmp_path: Path, rng: np.random.Generator) -> None:
    draft = draft_of(table(tmp_path / "d.csv", simple(rng)))
    (tmp_path / "d.toml").write_text("mine")
    with pytest.raises(QhnError, match=r"d\.toml exists, and is not overwritten; name another file with --output"):
        written(draft)
    assert (tmp_path / "d.toml").read_text() == "mine"
    (tmp_path / "link.toml").symlink_to(tmp_path / "nowhere.toml")
    for place in ("link.toml", "d.txt", "nowhere/d.toml"):
        with pytest.raises(QhnError):
            written(draft, tmp_path / place)


def test_a_table_without_features_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path / "d.csv", {"id": range(ROWS), "flat": [1] * ROWS, "label": [0, 1] * (ROWS // 2)})
    with pytest.raises(QhnError, match=r"no column is left to learn from beside 'label' \('id': it looks like an id"):
        draft_of(path)


@pytest.mark.parametrize(
    "value",
    [True, 3, -0.5, 1e-30, "a", 'q"\\\n\t\x00\x1f\x7fü', [], ["a", 1], {"a b": {"c": [1.5]}, "d-e": False}],
)
def test_values_are_written_as_toml_reads_them(value: object) -> None:
    assert tomllib.loads(f"value = {toml_value(value)}")["value"] == value
