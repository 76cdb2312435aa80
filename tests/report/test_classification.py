from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as sk
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from pictures import is_drawn
from qhn.config.file import load_config
from qhn.errors import QhnWarning
from qhn.predict import predictions
from qhn.predict.predictions import Predictions
from qhn.problem.cost import BinnProblem
from qhn.problem.datasets import Dataset
from qhn.problem.search_space import SearchSpace
from qhn.report.classification import ClassificationReport, confusion_table, mistakes
from qhn.report.compare import Comparison
from qhn.report.ensemble import EnsembleReport
from qhn.report.page import Report
from qhn.run.record import load_run
from qhn.run.training import train
from qhn.text import aligned

EXACT = {"train.backend": "exact", "train.shots": None, "train.steps": 1, "ansatz.num_layers": 0}


def table(path: Path, x: np.ndarray, labels: np.ndarray) -> Path:
    rows = [",".join([*(f"{v:.5f}" for v in row), str(label)]) for row, label in zip(x, labels, strict=True)]
    path.write_text("\n".join([",".join([*(f"f{j}" for j in range(x.shape[1])), "label"]), *rows]) + "\n")
    return path


@pytest.fixture
def rare(tmp_path: Path, rng: np.random.Generator) -> Path:
    y = np.repeat([0, 1], [980, 20])
    return table(tmp_path / "rare.csv", rng.normal(size=(1000, 3)) + 0.5 * y[:, None], np.array(["no", "yes"])[y])


@pytest.fixture
def three(tmp_path: Path, rng: np.random.Generator) -> Path:
    y = rng.integers(0, 3, 300)
    names = np.array(["red and green", "blue", "a name, as long as people write them"])
    names = np.char.replace(names, ",", "")
    return table(tmp_path / "three.csv", rng.normal(size=(300, 2)) + 2 * np.eye(3)[y][:, :2], names[y])


def run(file: Path, results: Path, **settings: Any) -> Report:
    chosen = {"data.file": str(file), "network.activation": "sigmoid"} | EXACT
    chosen |= {name.replace("__", "."): value for name, value in settings.items()}
    training = train(load_config("figure-1", chosen), results=results)
    list(training)
    assert training.record is not None
    return Report(load_run(training.record.directory))


def columns(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("shots", [None, 50])
def test_the_table_is_what_scikit_learn_says(three: Path, shots: int | None, tmp_path: Path) -> None:
    report = run(three, tmp_path, train__shots=shots)
    data, problem = report.problem.dataset, report.problem
    page = report.summary()
    scaler = StandardScaler().fit(data.x)
    regression = LogisticRegression(tol=1e-10, max_iter=10_000).fit(scaler.transform(data.x), data.y)
    for name, x, y in (("validation", data.x_validation, data.y_validation), ("training", data.x, data.y)):
        assert f"{name}, {len(y)} samples" in page
        found = report.classification.predictions.metrics[name]
        probabilities = {
            report.classification.predictions.subject: problem.network(report.best_bits).probabilities(data.raw(x)),
            "logistic regression": regression.predict_proba(scaler.transform(x)),
        }
        for who, p in probabilities.items():
            predicted = p.argmax(axis=1)
            low, high = found[who].interval
            cells = [
                f"{sk.accuracy_score(y, predicted):.1%}",
                f"{100 * low:.1f}–{high:.1%}",
                f"{sk.balanced_accuracy_score(y, predicted):.1%}",
                f"{sk.roc_auc_score(y, p, multi_class='ovr'):.3f}",
                f"{sk.log_loss(y, p):.4f}",
                f"{sk.brier_score_loss(y, p):.4f}",
            ]
            lines = [line for line in page.splitlines() if line.split("  ")[1:2] == [who]]
            assert any(line.split()[-6:] == cells for line in lines), (who, cells)
    first = page.index("confusion matrix of")
    assert "red and green" in page[first:]


def test_a_network_below_the_majority_class_is_warned_of(
    rare: Path, tmp_path: Path, qhn: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = [f"data.file={rare}", "ansatz.num_layers=0", "train.steps=1"]
    words = ["run", "figure-1", "--backend", "exact", *(f"--set={setting}" for setting in settings)]
    lines = qhn(*words).out.splitlines()
    assert lines[-1].startswith("warning: always 'no' is right in 98.0% of the validation samples, the best")
    assert "class weights" in lines[-1]
    assert lines.count(lines[-1]) == 2  # on the page, and at the end
    told = json.loads(qhn(*words, "--json").out.splitlines()[-1])
    assert f"warning: {told['warning']}" == lines[-1]
    page = qhn("show").out
    assert lines[-1] in page
    assert "always 'no'                            98.0%" in page
    quiet = qhn(*words, "--quiet")
    assert quiet.out.count("\n") == 1
    assert lines[-1] in quiet.err


def test_without_validation_samples_the_training_samples_count(rare: Path, tmp_path: Path) -> None:
    report = run(rare, tmp_path, data__validation_fraction=0)
    assert list(report.classification.predictions.metrics) == ["training"]
    assert "always 'no' is right in 98.0% of the training samples" in report.warning()
    assert "validation, " not in report.summary()
    assert "intervals are of new samples like these, if nothing was learned from these" in report.summary()


def test_logistic_regression_weighs_the_classes_as_the_loss_does(rare: Path, tmp_path: Path) -> None:
    report = run(rare, tmp_path, network__class_weight="balanced")
    data, found = report.problem.dataset, report.classification.predictions
    scaler = StandardScaler().fit(data.x)
    expected = LogisticRegression(class_weight="balanced", tol=1e-10).fit(scaler.transform(data.x), data.y)
    p = expected.predict_proba(scaler.transform(data.x_validation))
    np.testing.assert_allclose(found.probabilities["validation"]["logistic regression"], p, atol=1e-4)
    assert found.metrics["validation"]["always 'no'"].log_loss == pytest.approx(
        sk.log_loss(data.y_validation, np.full(len(p), data.y.mean()))
    )
    assert "logistic regression weighs the classes as the loss" in report.summary()
    assert "balanced accuracy, the better measure where classes differ in size, is 50.0% and " in report.warning()
    assert report.warning().endswith("; the class weights of the loss trade the one for the other")


def test_no_warning_where_the_network_wins(three: Path, tmp_path: Path) -> None:
    report = run(three, tmp_path, train__steps=8, ansatz__num_layers=2)
    assert report.warning() == ""
    assert "warning" not in report.summary()


def predicted(
    labels: np.ndarray, held_out: np.ndarray, rng: np.random.Generator, num_networks: int = 1
) -> ClassificationReport:
    """The report on random networks for samples of given classes, with other samples for validation."""
    data = Dataset.from_arrays(rng.normal(size=(len(labels), 2)), labels, validation_fraction=0)
    y = np.searchsorted(data.classes, held_out).astype(float)
    data = Dataset(data.x, data.y, rng.normal(size=(len(y), 2)), y, data.classes, ("a", "b"), data.mean, data.scale)
    space = SearchSpace(2, (2,), num_classes=data.num_classes)
    bits = rng.integers(0, 2, (num_networks, space.num_qubits), dtype=np.uint8)
    weights = np.full(num_networks, 1 / num_networks)
    networks = {"best network": (bits[:1], np.ones(1)), "ensemble": (bits, weights)}
    return ClassificationReport(Predictions(BinnProblem(space, data), networks))


def test_a_class_without_samples_leaves_the_area_undefined(rng: np.random.Generator, tmp_path: Path) -> None:
    report = predicted(np.repeat(["no", "yes"], 10), np.array(["no"]), rng)
    words = "\n".join(report.lines())
    assert "validation, 1 sample\n" in words
    assert "no validation sample is of class 'yes': AUC is not defined" in words
    assert next(line for line in words.splitlines() if "best network" in line).split()[5] == "–"
    report.write(tmp_path)
    facts = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert facts["validation"]["best_network"]["roc_auc"] is None
    assert facts["training"]["best_network"]["roc_auc"] is not None


def test_a_network_with_one_answer_is_told(rng: np.random.Generator) -> None:
    report = predicted(np.repeat(["no", "yes"], 10), np.array(["no"]), rng)  # one sample has one answer
    assert any(line.startswith("the best network answers '") for line in report.lines())
    many = predicted(np.repeat(["no", "yes"], 100), np.array([]), rng)
    predicted_classes = many.predictions.probabilities["training"]["best network"].argmax(axis=1)
    has_one_answer = len(set(predicted_classes.tolist())) == 1
    assert any(line.startswith("the best network answers '") for line in many.lines()) == has_one_answer


def test_lines_of_the_page_are_short_enough_to_read(rng: np.random.Generator) -> None:
    names = np.array([f"a class of long name {k} of these" for k in range(10)])
    report = predicted(np.repeat(names, 10), names, rng, num_networks=3)
    assert max(len(line) for line in report.lines() if not line.startswith("warning: ")) <= 120


def test_what_takes_long_is_left_out_and_named(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "MOST_OUTPUTS", 100)
    monkeypatch.setattr(predictions, "MOST_TERMS", 10)
    report = predicted(np.repeat(["no", "yes"], 10), np.array(["no", "yes"]), rng, num_networks=3)
    assert list(report.predictions.metrics["training"]) == ["best network", "always 'no'"]
    words = "\n".join(report.lines())
    assert "ensemble would take long on so many samples: qhn ensemble" in words
    assert "logistic regression would take long" in words


def test_columns_of_long_names_are_numbered() -> None:
    names = [f"the class of number {k}" for k in range(10)]
    lines = aligned(*confusion_table(np.diag(np.arange(10)), names)).splitlines()
    assert lines[0].split() == ["true", *map(str, range(1, 11))]
    assert lines[1].startswith(" 1 the class of number 0 ")
    assert max(map(len, lines)) <= 100
    assert len({line.rindex(line.split()[-1]) + len(line.split()[-1]) for line in lines}) == 1  # aligned


def test_many_classes_are_told_by_their_mistakes(rng: np.random.Generator) -> None:
    counts = np.diag(np.arange(30))
    counts[3, 7], counts[2, 1] = 9, 4
    assert mistakes(counts, [str(k) for k in range(30)]) == ["  3 taken for 7: 9", "  2 taken for 1: 4"]
    report = predicted(np.repeat(np.arange(30), 3), np.arange(30), rng)
    assert "most frequent mistakes of the best network, validation samples" in "\n".join(report.lines())


def test_files_hold_the_numbers_of_the_page_and_of_other_pages(three: Path, tmp_path: Path) -> None:
    report = run(three, tmp_path, train__shots=50)
    folder = tmp_path / "figures"
    report.figures(folder)
    facts = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    best = report.record.best()
    for part in ("training", "validation"):
        found = facts[part]["best_network"]
        assert found["name"] == "best sampled network"
        assert {"majority_class", "logistic_regression", "ensemble"} < set(facts[part])
        assert found["accuracy"] == best[f"{part}_accuracy"]
        assert np.trace(found["confusion"]) / found["num_samples"] == pytest.approx(found["accuracy"])
        row = next(
            row
            for row in columns(folder / "metrics.csv")
            if row["samples"] == part and row["predictor"] == "best_network"
        )
        assert float(row["log_loss"]) == found["log_loss"]
        cells = [row for row in columns(folder / "confusion.csv") if row["samples"] == part]
        assert [int(row["count"]) for row in cells] == np.ravel(found["confusion"]).tolist()
        assert {row["true"] for row in cells} == set(facts["classes"])
        ensemble = EnsembleReport.of(report.record).metrics[part]
        page = report.classification.predictions.metrics[part]
        for there, here in (("best sampled network", "best sampled network"), ("ensemble", "ensemble of")):
            same = next(one for who, one in page.items() if who.startswith(here))
            np.testing.assert_array_equal(ensemble[there].confusion, same.confusion)
            assert ensemble[there].log_loss == pytest.approx(same.log_loss, rel=1e-12)
    other = run(three, tmp_path, train__shots=60)
    compared = Comparison([report.record, other.record]).page()
    assert f"{best['validation_accuracy']:.1%}" in compared
    assert "validation accuracy" in compared


def test_a_full_disk_is_told_and_stops_no_page(rng: np.random.Generator, tmp_path: Path) -> None:
    report = predicted(np.repeat(["no", "yes"], 10), np.array(["no", "yes"]), rng)
    with pytest.warns(QhnWarning) as told:
        assert report.figures(tmp_path / "gone") == []
    words = [str(one.message) for one in told]
    for name in ("the file metrics.json was not written", "the picture roc.png was not drawn"):
        assert any(line.startswith(name) for line in words)


@pytest.mark.pictures
def test_pictures_of_classes_with_any_names(tmp_path: Path, rng: np.random.Generator) -> None:
    pairs = np.array(["_$no", "100 % yes"])
    several = np.array([f"a class of $the$ long name {k} of these" for k in range(10)])
    for folder, names, held_out, expected in (
        ("two", pairs, pairs, ["confusion.png", "roc.png"]),
        ("one", pairs, pairs[:1], ["confusion.png", "roc.png"]),
        ("none", pairs, pairs[:0], ["confusion.png", "roc.png"]),
        ("three", several[:3], several[:3], ["confusion.png", "roc.png"]),
        ("ten", several, several, ["confusion.png"]),
    ):
        (tmp_path / folder).mkdir()
        paths = predicted(np.repeat(names, 10), held_out, rng).figures(tmp_path / folder)
        assert [path.name for path in paths] == expected
        assert all(map(is_drawn, paths))
    rows = columns(tmp_path / "two" / "roc.csv")
    assert rows[0]["threshold"] == "inf"
    assert {row["curve"] for row in rows} == {"best network", "ensemble", "logistic regression"}
