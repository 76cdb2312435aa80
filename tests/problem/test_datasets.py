from __future__ import annotations

from csv import writer as csv_writer
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qhn.errors import QhnWarning
from qhn.problem.built_in_data import digits_8x8, gaussian_mixture, mnist_4x4
from qhn.problem.datasets import Dataset, load_file
from qhn.problem.network import Network, load_network


def test_mixture_has_the_stated_moments() -> None:
    data = gaussian_mixture(40_000, seed=5, validation_samples=10)
    assert abs(data.y.mean() - 0.5) < 5 * 0.5 / 200
    red = data.x[data.y == 0]
    np.testing.assert_allclose(red.mean(axis=0), [-1, -2], atol=5 * np.sqrt(0.1 / len(red)))
    np.testing.assert_allclose(np.cov(red.T), 0.1 * np.eye(2), atol=5e-3)
    blue = data.x[data.y == 1]
    centres = np.array([[-2, 1], [1, 1], [2, -2]])
    nearest = np.argmin(((blue[:, None] - centres) ** 2).sum(axis=-1), axis=1)
    np.testing.assert_allclose(np.bincount(nearest) / len(blue), 1 / 3, atol=5 * np.sqrt(2 / 9 / len(blue)))
    np.testing.assert_allclose(blue[nearest == 2].mean(axis=0), [2, -2], atol=0.03)


def test_mixture_repeats_and_its_training_part_does_not_depend_on_validation() -> None:
    first, second = gaussian_mixture(20, seed=3), gaussian_mixture(20, seed=3, validation_samples=0)
    np.testing.assert_array_equal(first.x, second.x)
    assert not second.has_validation
    assert not np.array_equal(first.x, gaussian_mixture(20, seed=4).x)
    assert not np.array_equal(first.x, first.x_validation[:20])


@pytest.mark.parametrize("name", ["samples", "validation_samples"])
def test_more_samples_than_memory_holds_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} must be at most 100,000,000, got 100,000,001"):
        gaussian_mixture(**{"samples": 5, name: 100_000_001})


def test_means_scale_moves_the_classes_together() -> None:
    plain, close = gaussian_mixture(500, seed=3), gaussian_mixture(500, seed=3, means_scale=0.5)
    np.testing.assert_allclose(plain.x[plain.y == 0] - close.x[plain.y == 0], [[-0.5, -1.0]] * (plain.y == 0).sum())


def test_digits_are_real_and_labelled_by_the_second_digit() -> None:
    data = mnist_4x4((3, 7), validation_fraction=0.2)
    assert data.x.shape == (800, 16)
    assert data.x_validation.shape == (200, 16)
    assert data.y.mean() == data.y_validation.mean() == 0.5
    assert 0 <= data.x.min() < data.x.max() <= 1
    assert data.classes.tolist() == [3, 7]
    swapped = mnist_4x4((7, 3))
    assert swapped.y.sum() == 500
    sevens = mnist_4x4((3, 7)).x[mnist_4x4((3, 7)).y == 1]
    np.testing.assert_array_equal(sevens, swapped.x[swapped.y == 0])


def test_digits_0_and_1_have_six_blank_pixels() -> None:
    assert (mnist_4x4((0, 1)).x.max(axis=0) == 0).sum() == 6


def test_several_digits_are_classes_in_the_order_given() -> None:
    three, pair = mnist_4x4((7, 3, 0), validation_fraction=0.2), mnist_4x4((3, 7))
    assert three.classes.tolist() == [7, 3, 0]
    assert np.bincount(three.y.astype(int)).tolist() == [400, 400, 400]
    assert np.bincount(three.y_validation.astype(int)).tolist() == [100, 100, 100]
    np.testing.assert_array_equal(mnist_4x4((7, 3, 0)).x[mnist_4x4((7, 3, 0)).y == 1], pair.x[pair.y == 0])


def test_optical_digits_are_those_of_scikit_learn() -> None:
    """As counted in UCI's description of them: 1,797 images, 178 of them zeros, 183 threes, 174 eights."""
    data = digits_8x8((0, 3, 8))
    assert np.bincount(data.y.astype(int)).tolist() == [178, 183, 174]
    assert sum(len(digits_8x8((d, d + 1)).y) for d in range(0, 10, 2)) == 1797
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert data.image_shape == (8, 8)
    np.testing.assert_array_equal(data.x[0].reshape(8, 8)[0] * 16, [0, 0, 5, 13, 9, 1, 0, 0])  # its first image, a zero
    part = digits_8x8((3, 8), validation_fraction=0.25)
    assert (len(part.y), len(part.y_validation)) == (267, 90)


@pytest.mark.parametrize("digits", [(1, 1), (0, 10), (-1, 3), (1, 2, 1), (1,)])
def test_wrong_digits_are_refused(digits: tuple[int, ...]) -> None:
    for source in (mnist_4x4, digits_8x8):
        with pytest.raises(ValueError, match="two different digits"):
            source(digits)


def csv(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_csv_is_split_by_class_and_standardised_over_training(tmp_path: Path, rng: np.random.Generator) -> None:
    x = rng.normal(5, [1, 10], (100, 2))
    labels = np.where(np.arange(100) < 40, "yes", "no")
    lines = [f"{a},{label},{b}" for (a, b), label in zip(x, labels, strict=True)]
    data = load_file(csv(tmp_path / "d.csv", "one,sick,two\n" + "\n".join(lines)), "sick", validation_fraction=0.25)
    assert data.classes.tolist() == ["no", "yes"]
    assert data.feature_names == ("one", "two")
    assert (data.y.sum(), data.y_validation.sum()) == (30, 10)
    np.testing.assert_allclose(data.x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(data.x.std(axis=0), 1)
    both = np.concatenate([data.raw(data.x), data.raw(data.x_validation)])
    np.testing.assert_allclose(np.sort(both, axis=0), np.sort(x, axis=0))


@pytest.mark.filterwarnings("ignore:.*column 'features 2' has the same value")
def test_npz_with_integer_labels_and_a_constant_feature(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", features=np.array([[1.0, 2], [3, 2], [5, 2]]), y=np.array([4, 9, 9]))
    data = load_file(tmp_path / "d.npz", "y", validation_fraction=0.0)
    assert data.classes.tolist() == [4, 9]
    assert data.y.tolist() == [0, 1, 1]
    assert data.x[:, 1].tolist() == [0, 0, 0]
    assert not load_file(tmp_path / "d.npz", "y", validation_fraction=0.0, standardise=False).mean.any()


@pytest.mark.filterwarnings("ignore:.*looks like an identifier")
def test_a_file_of_several_classes(tmp_path: Path) -> None:
    text = "a,label\n" + "".join(f"{i},{['wet', 'dry', 'cold'][i % 3]}\n" for i in range(30))
    data = load_file(csv(tmp_path / "d.csv", text), validation_fraction=0.2)
    assert data.classes.tolist() == ["cold", "dry", "wet"]
    assert np.bincount(data.y.astype(int)).tolist() == [8, 8, 8]
    assert np.bincount(data.y_validation.astype(int)).tolist() == [2, 2, 2]
    rows = data.raw(data.x)[:, 0].round().astype(int)
    np.testing.assert_array_equal(np.array([2, 1, 0])[data.y.astype(int)], rows % 3)
    many = "a,label\n" + "".join(f"{i},{i % 65}\n" for i in range(650))
    with pytest.raises(ValueError, match="found 65 different values in 650 samples: 0, 1, 2, 3, 4, …; name another"):
        load_file(csv(tmp_path / "m.csv", many))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,labell\n1,2,0\n1,2,1\n", "did you mean 'labell'"),
        ("a,label\n1,0\n,1\n", "line 3, column 'a' is empty"),
        ("a,label\n1,0\nnan,1\n", "line 3, column 'a': 'nan' is not finite"),
        ("a,label\n1,0\n1e300,1\n", "'1e300' is not finite, or too large"),
        ("a;label\n1;0\n2;1\n", "must be separated by commas"),
        ("a,label\n1,0\nx,1\n", "'x' is not a number"),
        ("a,label\n1,0\n1,0\n", "two classes or more, found 1"),
        ("a,label\n1,0.5\n1,0.7\n1,0.2\n", r"must hold classes, found 3 different values in 3 samples: 0\.2, .*column"),
        ("a,label\n1,0\n1,1,1\n", "line 3 has 3 fields, the header has 2"),
        ("a,label\n1,\n1,1\n", "'label' is empty"),
        ("label\n0\n1\n", "no feature columns"),
        ("a,label,label\n1,0,0\n1,1,1\n", "several columns named 'label'"),
        ("", "header line"),
    ],
)
def test_wrong_csv_files_are_refused_with_the_place(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_file(csv(tmp_path / "d.csv", text))


def test_other_wrong_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist"):
        load_file(tmp_path / "none.csv")
    with pytest.raises(ValueError, match=r"must be \.csv or \.npz"):
        load_file(csv(tmp_path / "d.txt", "a"))
    with pytest.raises(ValueError, match="not an NPZ file"):
        load_file(csv(tmp_path / "d.npz", "a"))
    np.savez(tmp_path / "e.npz", x=np.ones((3, 2)), label=np.ones(2))
    with pytest.raises(ValueError, match=r"got \[3, 2\] and \[2\]"):
        load_file(tmp_path / "e.npz")
    np.savez(tmp_path / "f.npz", x=np.array([[1, np.inf], [1, 2]]), label=np.array([0, 1]))
    with pytest.raises(ValueError, match=r"not finite at \[0, 1\]"):
        load_file(tmp_path / "f.npz")
    np.savez(tmp_path / "i.npz", x=np.array([["1", "a"], ["1", "2"]]), label=np.array([0, 1]))
    with pytest.raises(ValueError, match="'x' must hold real numbers, got <U1"):
        load_file(tmp_path / "i.npz")
    np.savez(tmp_path / "j.npz", x=np.array([[1j], [2]]), label=np.array([0, 1]))
    with pytest.raises(ValueError, match="must hold real numbers, got complex128"):
        load_file(tmp_path / "j.npz")
    (tmp_path / "g.csv").write_bytes(b"a,label\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match="UTF-8"):
        load_file(tmp_path / "g.csv")
    with pytest.raises(ValueError, match="leaves a class"):
        load_file(csv(tmp_path / "h.csv", "a,label\n1,0\n1,1\n"), validation_fraction=0.9)


@pytest.mark.parametrize(
    ("written", "own"),
    [
        (("0", "1"), [0, 1]),
        (("-3", "12"), [-3, 12]),
        (("01", "1"), ["01", "1"]),
        (("+1", "-1"), ["+1", "-1"]),
        (("1_0", "10"), ["10", "1_0"]),
        (("٣", "3"), ["3", "٣"]),
        (("9" * 30, "1"), ["1", "9" * 30]),
        (("True", "False"), [False, True]),
        (("true", "false"), ["false", "true"]),
        (("True", "0"), ["0", "True"]),
        (("0.0", "1.0"), [0.0, 1.0]),
        (("0.5", "1"), ["0.5", "1"]),
        (("1.0", "1.00"), ["1.0", "1.00"]),
        (("0.0", "-0.0"), ["-0.0", "0.0"]),
        (("1e-05", "0.25"), [1e-05, 0.25]),
        (("nan", "inf"), ["inf", "nan"]),
        (("Nan", "none"), ["Nan", "none"]),
    ],
)
def test_labels_come_back_as_python_writes_them_and_stay_different(
    tmp_path: Path, written: tuple[str, str], own: list[object]
) -> None:
    text = "a,label\n" + "".join(f"{value},{written[i % 2]}\n" for i, value in enumerate([1, 3, 2, 9, 4, 7, 5, 8]))
    data = load_file(csv(tmp_path / "d.csv", text), validation_fraction=0)
    assert data.classes.tolist() == own
    assert [type(label) for label in data.classes.tolist()] == [type(label) for label in own]
    assert sorted(map(str, data.classes.tolist())) == sorted(written)
    np.testing.assert_array_equal(data.classes[data.y.astype(int)].astype(str), [written[i % 2] for i in range(8)])


@pytest.mark.parametrize(
    "classes",
    [
        np.array([False, True]),
        np.array([0.5, 1.5], dtype=np.float32),
        np.array([3, 200], dtype=np.uint8),
        np.array([b"no", b"yes"]),
        np.array(["no", "yes"]),
        np.array(["2026-01-01", "2026-01-02"], dtype="datetime64[D]"),
        np.array([1, 2], dtype="timedelta64[s]"),
    ],
    ids=lambda classes: str(classes.dtype),
)
def test_labels_of_an_npz_file_keep_their_type_to_the_prediction(tmp_path: Path, classes: np.ndarray) -> None:
    place = np.array([0, 1] * 4)
    np.savez(tmp_path / "d.npz", x=np.c_[place, [1, 3, 2, 9, 4, 7, 5, 8]], label=classes[place])
    data = load_file(tmp_path / "d.npz", validation_fraction=0)
    assert data.classes.dtype == classes.dtype
    network = Network((np.array([[1.0], [0.0]]),), (np.zeros(1),), "sigmoid", (-1.0, 1.0), data.classes)
    network = replace(network, mean=data.mean, scale=data.scale, feature_names=data.feature_names)
    network.save(tmp_path / "network.npz")
    predicted = load_network(tmp_path / "network.npz").predict(np.c_[place, place])
    np.testing.assert_array_equal(predicted, classes[place])
    assert predicted.dtype == classes.dtype


@pytest.mark.parametrize("labels", [np.array(["a", "", "b"]), np.array([b"a", b"", b"b"]), np.array([0, np.nan, 1.0])])
def test_an_empty_label_is_refused_with_its_place(tmp_path: Path, labels: np.ndarray) -> None:
    np.savez(tmp_path / "d.npz", x=np.ones((3, 2)), label=labels)
    with pytest.raises(ValueError, match=r"'label' is empty at \[1\]"):
        load_file(tmp_path / "d.npz")
    for empty in ("", "  ", '""'):
        with pytest.raises(ValueError, match="line 3: 'label' is empty"):
            load_file(csv(tmp_path / "d.csv", f"a,label\n1,x\n2,{empty}\n3,y\n"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"": range(12)}, "column '' has no name and counts the rows"),
        ({"Unnamed: 0": range(5, 17)}, "column 'Unnamed: 0' has no name and counts the rows"),
        ({"patient_id": [7, 3, 99, 12, 5, 1, 4, 44, 8, 9, 77, 6]}, "column 'patient_id' looks like an identifier"),
        ({"patientId": [7, 3, 99, 12, 5, 1, 4, 44, 8, 9, 77, 6]}, "column 'patientId' looks like an identifier"),
        ({"row": range(100, 112)}, "column 'row' looks like an identifier"),
        ({"flat": [3.5] * 12}, "column 'flat' has the same value in all rows"),
        ({f"flat {j}": [j] * 12 for j in range(5)}, r"'flat 2' \(and 2 more like it\) has the same value"),
        ({"a\x1b\nb": [1] * 12}, r"column 'a\\x1b\\nb' has the same value"),
    ],
)
def test_columns_that_are_no_features_are_named_in_a_warning(
    tmp_path: Path, columns: dict[str, list[float]], message: str
) -> None:
    rows = zip(*columns.values(), [2, 7, 1, 8, 2, 8, 1, 8, 2, 8, 4, 5], "ab" * 6, strict=True)
    with (tmp_path / "d.csv").open("w", encoding="utf-8", newline="") as file:
        csv_writer(file).writerows([[*columns, "size", "label"], *rows])
    with pytest.warns(QhnWarning, match=message) as caught:
        load_file(tmp_path / "d.csv")
    assert len(caught) == 1


def test_ordinary_columns_cause_no_warning(tmp_path: Path) -> None:
    text = "age,paid,grid\n" + "".join(f"{20 + i * i},{'yn'[i % 2]},{i % 3}\n" for i in range(12))
    assert load_file(csv(tmp_path / "d.csv", text), "paid").num_features == 2


@pytest.mark.parametrize(
    ("written", "own"),
    [
        (("yes", "no"), ["no", "yes"]),
        ((" yes", "no"), [" yes", "no"]),
        ((" yes", " no"), [" no", " yes"]),
        (("a", "a "), ["a", "a "]),
        (("a\u00a0", "a"), ["a", "a\u00a0"]),
        (("True", "True "), ["True", "True "]),
        ((" 1", "1"), [" 1", "1"]),
        ((" 1", " 2"), [1, 2]),
        ((" True", "False"), [False, True]),
        (("0.5 ", "1.5"), [0.5, 1.5]),
    ],
)
def test_spaces_around_text_are_part_of_a_label(tmp_path: Path, written: tuple[str, str], own: list[object]) -> None:
    path = csv(tmp_path / "d.csv", "a,label\n" + "".join(f"{i * i},{written[i % 2]}\n" for i in range(8)))
    if len({label.strip() for label in written}) == 2:
        data = load_file(path, validation_fraction=0)
    else:
        with pytest.warns(QhnWarning, match="classes '.*' and '.*' differ by spaces alone, and stay two classes"):
            data = load_file(path, validation_fraction=0)
    assert data.classes.tolist() == own
    assert [str(data.classes[int(y)]).strip() for y in data.y] == [written[i % 2].strip() for i in range(8)]


def test_a_name_that_no_array_of_numpy_keeps_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"the name 'a\\x00' of a column holds a NUL character"):
        load_file(csv(tmp_path / "d.csv", "a\0,label\n1,0\n2,1\n"))


class Frame:
    """What a data frame offers of itself."""

    def __init__(self, values: np.ndarray, columns: list[str]) -> None:
        self.values, self.columns = values, columns

    def to_numpy(self) -> np.ndarray:
        return self.values


def test_arrays_in_memory_are_split_and_scaled_as_the_same_file(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    x, labels = rng.normal(size=(40, 3)), np.repeat(["no", "yes"], 20)
    np.savez(tmp_path / "mine.npz", x=x, label=labels)
    filed = load_file(tmp_path / "mine.npz", validation_fraction=0.3, seed=4)
    given = Dataset.from_arrays(x, labels.tolist(), validation_fraction=0.3, seed=4)
    for name in ("x", "y", "x_validation", "y_validation", "classes", "mean", "scale"):
        np.testing.assert_array_equal(getattr(filed, name), getattr(given, name))
    assert filed.feature_names == given.feature_names == ("x 1", "x 2", "x 3")


def test_a_data_frame_names_the_features_and_may_hold_text_as_objects() -> None:
    frame = Frame(np.arange(12.0).reshape(6, 2), ["age", "pulse"])
    column = Frame(np.array(["a", "b"] * 3, dtype=object), ["sick"])
    data = Dataset.from_arrays(frame, column, validation_fraction=0)
    assert (data.feature_names, data.classes.tolist()) == (("age", "pulse"), ["a", "b"])


@pytest.mark.parametrize(
    ("x", "labels", "words"),
    [
        ([[1.0], [2.0]], [0], r"'x' must have shape \[num_samples, num_features\] and 'labels' \[num_samples\]"),
        ([1.0, 2.0], [0, 1], "'x' must have shape"),
        ([[1.0], [np.nan]], [0, 1], r"'x' is not finite at \[1, 0\]"),
        ([["a"], ["b"]], [0, 1], "'x' must hold real numbers"),
        ([[1.0], [2.0]], [0, 0], "'labels' must hold two classes or more"),
        ([[1.0], [2.0]], [None, 1], "'labels' must hold numbers or text"),
        ([[1.0], [2.0, 3.0]], [0, 1], "x must be an array, all rows of the same length"),
    ],
)
def test_arrays_that_are_no_data_are_refused(x: object, labels: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Dataset.from_arrays(x, labels)
