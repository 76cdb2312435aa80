from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qhn.problem.datasets import digits_8x8, gaussian_mixture, load_file, mnist_4x4


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


def test_npz_with_integer_labels_and_a_constant_feature(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", features=np.array([[1.0, 2], [3, 2], [5, 2]]), y=np.array([4, 9, 9]))
    data = load_file(tmp_path / "d.npz", "y", validation_fraction=0.0)
    assert data.classes.tolist() == [4, 9]
    assert data.y.tolist() == [0, 1, 1]
    assert data.x[:, 1].tolist() == [0, 0, 0]
    assert not load_file(tmp_path / "d.npz", "y", validation_fraction=0.0, standardise=False).mean.any()


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
