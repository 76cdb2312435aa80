"""Data sets of tables with texts, dates and missing values, against a pipeline of scikit-learn."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import qhn
from qhn.errors import QhnError, QhnWarning
from qhn.problem.datasets import Dataset, load_file
from tables import passengers

NUMBERS, CATEGORIES = ["age", "fare", "boarded"], ["sex", "port", "cabin"]


def frame_of(rng: np.random.Generator, count: int = 300) -> pd.DataFrame:
    frame = pd.DataFrame(passengers(rng, count))
    return frame.assign(boarded=pd.to_datetime(frame["boarded"]))


def written(path: Path, frame: pd.DataFrame, **options: Any) -> Path:
    frame.to_csv(path, index=False, **options)
    return path


def pipeline_on(frame: pd.DataFrame, impute: str) -> ColumnTransformer:
    """What scikit-learn makes of the columns; those of categories hold texts."""
    numbers = make_pipeline(SimpleImputer(strategy=impute), StandardScaler())
    one_hot = OneHotEncoder(handle_unknown="ignore", drop="if_binary", sparse_output=False)
    texts = make_pipeline(SimpleImputer(strategy="most_frequent", missing_values=None), one_hot, StandardScaler())
    steps = [(name, numbers if name in NUMBERS else texts, [name]) for name in frame.columns]
    return ColumnTransformer(steps)


def for_sklearn(frame: pd.DataFrame) -> pd.DataFrame:
    days = (frame["boarded"] - pd.Timestamp("1970-01-01")) / pd.Timedelta(days=1)
    texts = {name: frame[name].astype(object).where(frame[name].notna(), None) for name in ("sex", "port")}
    return frame.assign(boarded=days, cabin=frame["cabin"].astype(str).astype(object), **texts)


@pytest.mark.parametrize("impute", ["mean", "median"])
@pytest.mark.parametrize("kind", ["csv", "frame"])
def test_features_are_those_of_a_pipeline_that_learned_from_the_same_rows(
    tmp_path: Path, rng: np.random.Generator, impute: str, kind: str
) -> None:
    frame = frame_of(rng)
    features = frame.drop(columns=["name", "survived"])
    how: dict[str, Any] = {"impute": impute, "categorical": ["cabin"], "seed": 3}
    if kind == "csv":
        data = load_file(written(tmp_path / "p.csv", frame), "survived", drop=["name"], **how)
    else:
        data = Dataset.from_arrays(features, frame["survived"], **how)
    keys = frame.assign(row=np.arange(len(frame)), of=frame["survived"])
    places = Dataset.from_arrays(keys[["row"]].to_numpy(), keys["of"], seed=3, standardise=False)
    training, validation = places.x[:, 0].astype(int), places.x_validation[:, 0].astype(int)
    table = for_sklearn(features)
    transformer = pipeline_on(table, impute).fit(table.iloc[training])
    np.testing.assert_allclose(data.x, transformer.transform(table.iloc[training]), rtol=0, atol=1e-12)
    np.testing.assert_allclose(data.x_validation, transformer.transform(table.iloc[validation]), rtol=0, atol=1e-12)
    assert data.feature_names[:2] == ("sex = male", "age")
    filled = data.preprocessing.inputs(features.iloc[training])
    np.testing.assert_array_equal(filled, data.x)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_a_frame_of_numbers_is_what_its_array_is(tmp_path: Path, load: Any) -> None:
    bunch = load(as_frame=True)
    texts = bunch.target.map(dict(enumerate(bunch.target_names)))
    framed = Dataset.from_arrays(bunch.data, texts)
    filed = load_file(written(tmp_path / "d.csv", bunch.data.assign(kind=texts)), "kind")
    plain = Dataset.from_arrays(bunch.data.to_numpy(), texts)
    for data in (framed, filed):
        assert data.encoding is None
        assert data.feature_names == tuple(bunch.data.columns)
        for name in ("x", "y", "x_validation", "y_validation", "classes", "mean", "scale"):
            np.testing.assert_array_equal(getattr(data, name), getattr(plain, name))


def test_nothing_is_learned_from_validation_samples(rng: np.random.Generator) -> None:
    """Other values in the validation rows change neither fills, nor categories, nor scales."""
    frame = frame_of(rng)
    labels, how = frame.pop("survived"), {"impute": "mean", "seed": 5}
    frame = frame.drop(columns="name")
    before = Dataset.from_arrays(frame, labels, **how)
    row = Dataset.from_arrays(np.arange(len(frame))[:, None], labels, seed=5, standardise=False).x_validation[:, 0]
    frame.loc[row.astype(int), "age"] = 1e6
    frame.loc[row.astype(int), "port"] = "Atlantis"
    with pytest.warns(QhnWarning, match=r"'port': 'Atlantis' in 75 rows was not in the training samples, and is none"):
        after = Dataset.from_arrays(frame, labels, **how)
    assert after.encoding == before.encoding
    np.testing.assert_array_equal(after.x, before.x)
    ports = [j for j, name in enumerate(after.feature_names) if name.startswith("port = ")]
    np.testing.assert_allclose(after.raw(after.x_validation)[:, ports], 0, atol=1e-12)


def table_of(**columns: list[Any]) -> tuple[dict[str, list[Any]], list[int]]:
    count = len(next(iter(columns.values())))
    return {"age": [float(7 * row % 31) for row in range(count)], **columns}, [row % 2 for row in range(count)]


def test_a_fill_is_learned_of_columns_that_lack_nothing_in_training() -> None:
    x, labels = table_of(sex=["f", "m", "m", "f", "m", "m"])
    data = Dataset.from_arrays(x, labels, impute="median", validation_fraction=0)
    full = data.preprocessing.features({"age": [np.nan], "sex": [None]})
    assert full.tolist() == [[np.median(x["age"]), 1.0]]
    refusing = Dataset.from_arrays(x, labels, validation_fraction=0)
    with pytest.raises(QhnError, match="x row 1, column 'sex' is empty, and nothing was learned to stand in"):
        refusing.preprocessing.features({"age": [1.0], "sex": [None]})


def test_values_that_were_never_seen_count_as_none_with_a_warning() -> None:
    x, labels = table_of(sex=["f", "m"] * 6, town=["A", "B", "C"] * 4)
    data = Dataset.from_arrays(x, labels, validation_fraction=0)
    with pytest.warns(QhnWarning) as caught:
        found = data.preprocessing.features({"age": [1.0] * 3, "sex": ["x", "f", "m"], "town": ["A", "D", "E"]})
    assert found.tolist() == [[1, 0.5, 1, 0, 0], [1, 0, 0, 0, 0], [1, 1, 0, 0, 0]]
    assert [str(one.message) for one in caught] == [
        "column 'sex': 'x' in 1 row was not in the training samples, and is none of its categories",
        "column 'town': 'D' (and 1 other value) in 2 rows were not in the training samples, and are none of its "
        "categories",
    ]


def test_an_empty_column_gives_no_feature_and_says_so() -> None:
    x, labels = table_of(gone=[None] * 12)
    with pytest.warns(QhnWarning, match="column 'gone' is empty in all training samples, and gives no feature"):
        data = Dataset.from_arrays(x, labels, impute="median", validation_fraction=0)
    assert data.feature_names == ("age",)
    with pytest.warns(QhnWarning, match="column 'gone': '3.5' in 1 row was not in the training samples, and no f"):
        assert data.preprocessing.features({"age": [1.0], "gone": [3.5]}).tolist() == [[1.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert data.preprocessing.features({"age": [1.0], "gone": [None]}).tolist() == [[1.0]]


def test_many_categories_need_a_limit() -> None:
    x, labels = table_of(name=[f"n{row}" for row in range(40)])
    with pytest.raises(QhnError, match=r"'name' has 40 different texts in 40 training .*data\.drop.*data\.max_categ"):
        Dataset.from_arrays(x, labels, validation_fraction=0)
    x, labels = table_of(code=[f"c{row % 65}" for row in range(650)])
    with pytest.raises(QhnError, match="'code' has 65 different texts in 650 training samples"):
        Dataset.from_arrays(x, labels, validation_fraction=0)
    x["code"] = ["a"] * 300 + ["b"] * 200 + ["c"] * 100 + x["code"][:50]
    data = Dataset.from_arrays(x, labels, validation_fraction=0, max_categories=2)
    assert data.feature_names == ("age", "code = a", "code = b")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # others were in training
        found = data.preprocessing.features({"age": [0.0] * 3, "code": ["b", "c", "z"]})
    assert found[:, 1:].tolist() == [[0, 1], [0, 0], [0, 0]]


def test_a_column_of_one_value_in_training_is_named(tmp_path: Path) -> None:
    x, labels = table_of(kind=["a"] * 12)
    with pytest.warns(
        QhnWarning, match="column 'kind' has the same value in all rows, and tells nothing; leave it out of x"
    ):
        Dataset.from_arrays(x, labels)
    row = int(Dataset.from_arrays(np.arange(12.0)[:, None], labels, standardise=False).x_validation[0, 0])
    x["kind"][row] = "b"
    path = written(tmp_path / "d.csv", pd.DataFrame(x).assign(label=labels))
    with pytest.warns(QhnWarning) as caught:
        load_file(path)
    assert "'kind' has the same value in all training samples, and tells nothing; leave it out with data.drop" in str(
        caught[0].message
    )


def test_missing_codes_are_the_same_in_texts_and_in_numbers(tmp_path: Path) -> None:
    x, labels = table_of(height=[1.5, -999, 1.7, 1.8, -999, 1.6])
    how: dict[str, Any] = {"missing": ["", "-999"], "impute": "mean", "validation_fraction": 0}
    framed = Dataset.from_arrays(pd.DataFrame(x), labels, **how)
    filed = load_file(written(tmp_path / "d.csv", pd.DataFrame(x).assign(label=labels)), **how)
    np.testing.assert_array_equal(framed.x, filed.x)
    for height in (-999, "-999", None, np.nan):
        found = framed.preprocessing.features({"age": 1.0, "height": height})
        np.testing.assert_allclose(found, [1.0, 1.65])


def test_codes_are_the_same_category_however_they_are_written(tmp_path: Path) -> None:
    x, labels = table_of(code=[1, 2, 30, 1, 2, 30], paid=[True, False] * 3)
    path = written(tmp_path / "d.csv", pd.DataFrame(x).assign(label=labels))
    how: dict[str, Any] = {"categorical": ["code"], "validation_fraction": 0}
    filed, framed = load_file(path, **how), Dataset.from_arrays(pd.DataFrame(x), labels, **how)
    assert filed.encoding == framed.encoding
    for code in (30, 30.0, "30", "30.0"):
        for paid in (True, "True", "true", "TRUE"):
            found = filed.preprocessing.features({"age": 0, "code": code, "paid": paid})
            assert found.tolist() == [0, 0, 0, 1, 1]


FORMS = {
    "frame": lambda frame: frame,
    "other order": lambda frame: frame[list(reversed(frame.columns))].assign(more="x"),
    "mapping": lambda frame: {name: frame[name].tolist() for name in frame},
    "rows": lambda frame: frame.astype(object).to_numpy().tolist(),
    "records": lambda frame: frame.to_records(index=False),
    "texts": lambda frame: frame.astype(object).where(frame.notna(), None).map(lambda v: "" if v is None else str(v)),
}


@pytest.mark.parametrize("form", FORMS)
def test_the_same_samples_in_any_form_have_the_same_features(rng: np.random.Generator, form: str) -> None:
    frame = frame_of(rng, 60)
    labels = frame.pop("survived")
    frame = frame.drop(columns="name")
    data = Dataset.from_arrays(frame, labels, impute="median", categorical=["cabin"], validation_fraction=0)
    found = data.preprocessing.inputs(FORMS[form](frame))
    np.testing.assert_array_equal(found, data.x)
    one = frame.iloc[7]
    for row in (one, one.to_dict(), one.tolist(), frame.to_records(index=False)[7]):
        np.testing.assert_array_equal(data.preprocessing.inputs(row), data.x[7])


def test_the_summary_says_what_became_of_columns(rng: np.random.Generator) -> None:
    frame = frame_of(rng)
    labels = frame.pop("survived")
    data = Dataset.from_arrays(frame.drop(columns="name"), labels, impute="median", validation_fraction=0)
    head, *lines = data.summary()
    assert head == "8 features of 6 columns"
    age = frame["age"]
    assert f"age: {age.isna().sum()} of 300 missing, median {age.median():g} stands in" in lines
    assert "sex: 0 is female, 1 is male" in lines
    assert any(line.startswith("boarded: days since 1970-01-01") for line in lines)
    space = qhn.SearchSpace(8)
    problem = qhn.BinnProblem(space, data, "mse")
    words = problem.network(np.ones(space.num_qubits, dtype=np.uint8)).describe()
    assert "[sex = male]" in words
    assert all(line in words for line in data.summary())


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"drop": ["agee"]}, r"d\.csv has no column 'agee', which drop names; did you mean 'age'\?"),
        ({"columns": ["agee"]}, "which columns names; did you mean 'age'"),
        ({"categorical": ["sexx"]}, "which categorical names; did you mean 'sex'"),
        ({"drop": ["label"]}, "drop names 'label', the label, from which nothing is learned"),
        ({"columns": ["label", "age"]}, "columns names 'label', the label"),
        ({"drop": ["age", "age"]}, "drop names 'age' twice"),
        ({"columns": ["age"], "drop": ["age"]}, "columns and drop both name 'age'"),
        ({"drop": ["sex"], "categorical": ["sex"]}, "drop and categorical both name 'sex'"),
        ({"columns": ["age"], "categorical": ["sex"]}, "categorical names 'sex', which columns leaves out"),
        ({"impute": "mode"}, "impute must be one of none, mean, median, got 'mode'"),
        ({"max_categories": 0}, "max_categories must be at least 1, got 0"),
        ({"drop": "age"}, "drop must be a list of texts, got 'age'"),
    ],
)
def test_what_is_said_of_columns_is_checked_at_the_door(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    path = tmp_path / "d.csv"
    path.write_text("age,sex,label\n1,f,0\n2,m,1\n3,f,0\n5,m,1\n")
    with pytest.raises(QhnError, match=words):
        load_file(path, **options)


def test_labels_of_frames_keep_their_type(rng: np.random.Generator) -> None:
    x, _ = table_of(sex=["f", "m"] * 6)
    for labels, own in (
        (pd.Series(["a", "b"] * 6), ["a", "b"]),
        (pd.Series(["a", "b"] * 6, dtype="category"), ["a", "b"]),
        (pd.Series([True, False] * 6), [False, True]),
        (pd.Series([True, False] * 6, dtype="boolean"), [False, True]),
        (pd.Series([3, 5] * 6, dtype="Int64"), [3, 5]),
    ):
        classes = Dataset.from_arrays(x, labels).classes.tolist()
        assert classes == own
        assert [type(one) for one in classes] == [type(one) for one in own]
    with pytest.raises(QhnError, match=r"'labels' must hold numbers or text, got object: None at \[3\]"):
        Dataset.from_arrays(x, ["a", "b", "a", None] * 3)


def test_a_label_that_looks_missing_is_named(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("age,label\n" + "".join(f"{row * row},{['yes', 'no', 'NA'][row % 3]}\n" for row in range(12)))
    with pytest.warns(
        QhnWarning, match=r"d\.csv: 'NA' is a class of its own; remove its samples if it stands for none"
    ):
        assert load_file(path).classes.tolist() == ["NA", "no", "yes"]
    path.write_text("age,label\n1,0\n2,1\n3,-999\n")
    with pytest.raises(QhnError, match=r"d\.csv line 4: 'label' is '-999', which data\.missing lists; fill in the"):
        load_file(path, missing=["-999"])
