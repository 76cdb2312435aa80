"""Data sets to learn from: a seeded mixture of Gaussians, small images of real digits, or a user's own file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.problem.column_choice import ColumnChoice, refuse_unused
from qhn.problem.column_warnings import warn_of_columns
from qhn.problem.labels import Unlabelled, as_labels, is_unlabelled, labels_of, numbered, refuse_long
from qhn.problem.mnist_files import read_mnist
from qhn.problem.preprocessing import Preprocessing
from qhn.problem.sample_arrays import (
    as_array,
    check_labels,
    checked_features,
    feature_names_of,
    find_label,
    read_samples,
)
from qhn.problem.splitting import Split, split
from qhn.table.columns import MISSING, Column, Table
from qhn.table.csv_files import Dialect
from qhn.table.encoding import Encoding, Impute
from qhn.table.files import read_table
from qhn.table.frames import table_of
from qhn.table.values import MAX_FEATURE

RED_MEAN = np.array([-1.0, -2.0])
BLUE_MEANS = np.array([[-2.0, 1.0], [1.0, 1.0], [2.0, -2.0]])
MIXTURE_VARIANCE = 0.1
MAX_SAMPLES = 100_000_000  # of a mixture: two numbers each, 1.6 GB


@dataclass(frozen=True)
class Dataset:
    """Labelled samples of two or more classes, split into training and validation samples.

    Attributes:
        x: training features ``[num_samples, num_features]``, already standardised to (raw − mean) / scale.
        y: training labels ``[num_samples]``, from 0.0 to ``num_classes − 1``.
        x_validation, y_validation: validation features and labels, shaped as ``x`` and ``y``; empty if none are held
            out.
        classes: the labels as the source writes them, ``[num_classes]``; y = c stands for ``classes[c]``.
        feature_names: one name per feature.
        mean, scale: numbers ``[num_features]`` that give the raw features, ``x * scale + mean``.
        image_shape: numbers of rows and columns if the features are the pixels of an image, otherwise None.
        name: name of the data set, for tables and records.
        encoding: how the columns of the source became features; None if they are the features.
    """

    x: Floats
    y: Floats
    x_validation: Floats
    y_validation: Floats
    classes: NDArray[Any]
    feature_names: tuple[str, ...]
    mean: Floats
    scale: Floats
    image_shape: tuple[int, int] | None = None
    name: str = field(default="data")
    encoding: Encoding | None = None

    @classmethod
    def from_arrays(
        cls,
        x: Any,
        labels: Any,
        *,
        feature_names: Sequence[str] = (),
        validation_fraction: float = 0.25,
        standardise: bool = True,
        seed: int = 1,
        name: str = "arrays",
        categorical: Sequence[str] = (),
        missing: Sequence[str] = MISSING,
        impute: Impute = "none",
        max_categories: int | None = None,
    ) -> Dataset:
        """The data set of features and labels in memory, split and standardised as a file's (:func:`load_file`).

        Args:
            x: the features: an array ``[num_samples, num_features]``, or a data frame, a mapping or a structured array,
                whose columns may hold numbers, dates or texts, and name the features.
            labels: the class of each sample, ``[num_samples]``: numbers, truth values or text.
            feature_names: one name per feature of an array; by default ``x 1``, ``x 2``, …
            validation_fraction: share of the samples of each class that is held out for validation, in [0, 1).
            standardise: shift and scale every feature to mean 0 and standard deviation 1 over the training samples.
            seed: seed of the split into training and validation samples.
            name: name of the data set, for tables and records.
            categorical: names of columns of a data frame whose numbers stand for categories.
            missing: texts of a data frame that stand for a missing value.
            impute: what stands in for a missing value of a data frame; see :func:`load_file`.
            max_categories: number of categories of a column that become features; see :func:`load_file`.

        Raises:
            QhnError: if shapes do not fit, features are no finite numbers and cannot be encoded, or labels are no
                classes.

        >>> data = Dataset.from_arrays([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"], validation_fraction=0)
        >>> data.classes.tolist(), data.feature_names
        (['a', 'b'], ('x 1',))
        >>> frame = {"age": [31, None, 40, 52], "sex": ["f", "m", "m", "f"]}
        >>> Dataset.from_arrays(frame, [0, 0, 1, 1], impute="median", validation_fraction=0).feature_names
        ('age', 'sex = m')
        """
        choice = ColumnChoice("", (), (), categorical, missing, impute, max_categories)
        how, classes = Split(validation_fraction, standardise, seed), as_labels(as_array("labels", labels))
        if _is_table(x, choice):
            if len(feature_names):
                raise QhnError(f"{name}: feature_names are for arrays, and the columns of x have names")
            table = table_of(x)
            check_labels(name, "x", (table.num_rows, len(table.columns)), "labels", classes)
            return _encoded(table, classes, choice, how, name, name, "leave it out of x")
        if choice.given:
            raise QhnError(f"{name}: {choice.given[0]} is for columns with names, and x is an array; give a data frame")
        columns = getattr(x, "columns", None)
        if columns is not None and not feature_names:
            feature_names = tuple(map(str, columns))
        values = checked_features(name, "x", as_array("x", x), "labels", classes)
        names = feature_names_of(name, values, feature_names)
        found, y = numbered(name, classes, "labels")
        refuse_long(name, names)
        return _of_classes(values, y, found, names, how, name)

    @classmethod
    def of_classes(
        cls,
        x: Floats,
        y: NDArray[np.intp],
        classes: NDArray[Any],
        *,
        feature_names: Sequence[str] = (),
        validation_fraction: float = 0.25,
        standardise: bool = True,
        seed: int = 1,
        name: str = "arrays",
    ) -> Dataset:
        """The data set of features and of numbers that are known to stand for classes, however many there are.

        Args:
            x: the features, ``[num_samples, num_features]``.
            y: the number of each sample's class, ``[num_samples]``, from 0.
            classes: the label of each class.
            feature_names: one name per feature; by default ``x 1``, ``x 2``, …
            validation_fraction: share of the samples of each class that is held out for validation, in [0, 1).
            standardise: shift and scale every feature to mean 0 and standard deviation 1 over the training samples.
            seed: seed of the split into training and validation samples.
            name: name of the data set, for tables and records.

        Raises:
            QhnError: if shapes do not fit, or features are no finite numbers.

        >>> Dataset.of_classes(np.eye(2), np.array([1, 0]), np.array(["a", "b"]), validation_fraction=0).y
        array([1., 0.])
        """
        values = checked_features(name, "x", x, "labels", y)
        names = feature_names_of(name, values, feature_names)
        return _of_classes(values, y, classes, names, Split(validation_fraction, standardise, seed), name)

    @property
    def num_features(self) -> int:
        """The number of features of a sample."""
        return int(self.x.shape[1])

    @property
    def num_classes(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def has_validation(self) -> bool:
        """Whether any samples are held out for validation."""
        return len(self.y_validation) > 0

    def raw(self, x: Floats) -> Floats:
        """Convert standardised features ``[..., num_features]`` to the units of the source.

        With an :attr:`encoding` these are encoded features, such as ``sex = male``, and not yet the columns of the
        source: of those a network predicts, of features that were encoded it has ``output_of_inputs``.
        """
        return x * self.scale + self.mean

    def standardised(self, features: Floats) -> Floats:
        """Convert features ``[..., num_features]`` in the units of the source to those of :attr:`x`."""
        return (features - self.mean) / self.scale

    def summary(self) -> list[str]:
        """How many features the columns of the source became, and what stands in for missing values, as lines.

        There are none if the columns are the features.
        """
        return self.encoding.summary() if self.encoding else []

    @property
    def preprocessing(self) -> Preprocessing:
        """How raw samples become the features of :attr:`x`."""
        return Preprocessing(self.num_features, self.mean, self.scale, self.feature_names, self.encoding)


def gaussian_mixture(
    samples: int = 1000, *, seed: int = 1, validation_samples: int = 1000, means_scale: float = 1.0
) -> Dataset:
    """The four-Gaussian task of arXiv:2301.08292: "red" (y = 0) is one Gaussian, "blue" (y = 1) one of three.

    Red is centred at (−1, −2), blue at (−2, 1), (1, 1) or (2, −2) with equal probability; every covariance is 0.1·I;
    a sample is red or blue with probability ½.

    Args:
        samples: number of training samples.
        seed: seed of the training and the validation samples; the training samples do not depend on
            ``validation_samples``.
        validation_samples: number of validation samples, drawn in addition to ``samples``.
        means_scale: factor on the means of all Gaussians; below 1 the classes overlap (the paper's overfitting study).

    Raises:
        ValueError: if ``samples`` is below 1 or ``validation_samples`` below 0, either is above 100 million, or
            ``means_scale`` so large that squares of features overflow.

    >>> gaussian_mixture(5, seed=3).x.shape
    (5, 2)
    """
    if samples < 1:
        raise QhnError(f"samples must be at least 1, got {samples}")
    if validation_samples < 0:
        raise QhnError(f"validation_samples must be at least 0, got {validation_samples}")
    for name, count in (("samples", samples), ("validation_samples", validation_samples)):
        if count > MAX_SAMPLES:
            raise QhnError(f"{name} must be at most {MAX_SAMPLES:,}, got {count:,}")
    if not abs(means_scale) <= MAX_FEATURE:
        raise QhnError(f"means_scale must be a number up to {MAX_FEATURE:g}, got {means_scale:g}")
    training, validation = np.random.SeedSequence(seed).spawn(2)
    x, y = _draw_mixture(samples, means_scale, np.random.default_rng(training))
    x_validation, y_validation = _draw_mixture(validation_samples, means_scale, np.random.default_rng(validation))
    return Dataset(
        x,
        y,
        x_validation,
        y_validation,
        np.array(["red", "blue"]),
        ("x1", "x2"),
        np.zeros(2),
        np.ones(2),
        name="gaussian-mixture",
    )


def _draw_mixture(samples: int, means_scale: float, rng: np.random.Generator) -> tuple[Floats, Floats]:
    blue = rng.random(samples) < 0.5
    means = np.where(blue[:, None], BLUE_MEANS[rng.integers(0, 3, samples)], RED_MEAN)
    noise = rng.normal(0.0, np.sqrt(MIXTURE_VARIANCE), (samples, 2))
    return means_scale * means + noise, blue.astype(np.float64)


def mnist_4x4(
    digits: Sequence[int] = (0, 1),
    *,
    directory: str | Path | None = None,
    validation_fraction: float = 0.0,
    seed: int = 1,
) -> Dataset:
    """MNIST digits of 4×4 pixels with values in [0, 1], one class per digit, in the order of ``digits``.

    The bundled images are 500 real MNIST images of each digit, not all of MNIST: see ``data/README.md`` in the package.

    Args:
        digits: two or more different digits, each from 0 to 9.
        directory: a folder with the original MNIST files, read by :func:`qhn.problem.mnist_files.read_mnist`; all their
            images are used, the ``train`` files for training and the ``t10k`` files, if there are any, for validation.
            None takes the bundled images.
        validation_fraction: share of the training images of each class that is held out for validation, in [0, 1). If
            it is above 0, the ``t10k`` files are not used.
        seed: seed of the split into training and validation images.

    Raises:
        ValueError: if the digits are equal or not digits, the fraction is out of range, or a file of MNIST is wrong.
    """
    if directory is None:
        images, labels = _bundled("digits_4x4.npz")
        return _digits("mnist-4x4", images / 255.0, labels, digits, validation_fraction, seed)
    stored = read_mnist(Path(directory))
    images, labels = stored["train-images-idx3-ubyte"], stored["train-labels-idx1-ubyte"]
    data = _digits("mnist-4x4", images / 255.0, labels, digits, validation_fraction, seed)
    if validation_fraction > 0 or "t10k-images-idx3-ubyte" not in stored:
        return data
    images, labels = stored["t10k-images-idx3-ubyte"], stored["t10k-labels-idx1-ubyte"]
    held_out = _digits("mnist-4x4", images / 255.0, labels, digits, 0.0, seed)
    return replace(data, x_validation=held_out.x, y_validation=held_out.y)


def digits_8x8(digits: Sequence[int] = (3, 8), *, validation_fraction: float = 0.0, seed: int = 1) -> Dataset:
    """Handwritten digits of 8×8 pixels with values in [0, 1], one class per digit, in the order of ``digits``.

    The bundled images are scikit-learn's 1,797 of UCI's optical digits: see ``data/README.md`` in the package.

    Args:
        digits: two or more different digits, each from 0 to 9.
        validation_fraction: share of the images of each class that is held out for validation, in [0, 1).
        seed: seed of the split into training and validation images.

    Raises:
        ValueError: if the digits are equal or not digits, or the fraction is out of range.

    >>> digits_8x8((0, 1, 2)).x.shape
    (537, 64)
    """
    images, labels = _bundled("digits_8x8.npz")
    return _digits("digits-8x8", images / 16.0, labels, digits, validation_fraction, seed)


def _bundled(name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the bundled images ``[n, rows, columns]`` of a data set and their digits ``[n]``."""
    with resources.files("qhn").joinpath(f"data/{name}").open("rb") as file, np.load(file) as stored:
        return stored["pixels"], stored["digits"]


def _digits(
    name: str, images: Floats, labels: NDArray[np.uint8], digits: Sequence[int], fraction: float, seed: int
) -> Dataset:
    """The data set of the images ``[n, rows, columns]`` whose label is one of ``digits``."""
    if not 2 <= len(set(digits)) == len(digits) or not all(0 <= digit <= 9 for digit in digits):
        raise QhnError(f"digits must be two different digits from 0 to 9, or more, got {list(digits)}")
    missing = [digit for digit in digits if digit not in labels]
    if missing:
        raise QhnError(f"there are no images of the digit {missing[0]}")
    chosen = np.isin(labels, digits)
    rows, columns = images.shape[1:]
    x = images[chosen].reshape(-1, rows * columns)
    y = (labels[chosen][:, None] == np.array(digits)).argmax(axis=1).astype(np.float64)
    training, validation = split(y, fraction, seed)
    return Dataset(
        x[training],
        y[training],
        x[validation],
        y[validation],
        np.array(digits),
        tuple(f"pixel {row + 1},{column + 1}" for row in range(rows) for column in range(columns)),
        np.zeros(rows * columns),
        np.ones(rows * columns),
        image_shape=(rows, columns),
        name=f"{name} digits {', '.join(map(str, digits[:-1]))} and {digits[-1]}",
    )


def load_file(
    path: str | Path,
    label: str = "label",
    *,
    validation_fraction: float = 0.25,
    standardise: bool = True,
    seed: int = 1,
    dialect: Dialect | None = None,
    columns: Sequence[str] = (),
    drop: Sequence[str] = (),
    categorical: Sequence[str] = (),
    missing: Sequence[str] = MISSING,
    impute: Impute = "none",
    max_categories: int | None = None,
    unlabelled: Unlabelled = "refuse",
) -> Dataset:
    """Read a user's data of two or more classes from a table, or from an NPZ file.

    What is learned from a table, such as categories and what stands in for missing values, is learned from the training
    samples alone.

    Args:
        path: the file: a table with a header line (:func:`qhn.table.files.read_table`), one of whose columns holds the
            classes, or an ``.npz`` file in which one array holds the classes ``[num_samples]`` and the only other array
            the features ``[num_samples, num_features]``.
        label: name of the column, or of the array, of classes. Sorted, the first class becomes y = 0. Classes of a
            text file are booleans, integers or floats if Python writes each of them as it stands there between
            spaces, and otherwise the text of the file; those of other files keep their type.
        validation_fraction: share of the samples of each class that is held out for validation, in [0, 1).
        standardise: shift and scale every feature to mean 0 and standard deviation 1 over the training samples.
        seed: seed of the split into training and validation samples.
        dialect: how a text file is written.
        columns: names of the columns that are learned from; all but the label if empty.
        drop: names of columns that are left out.
        categorical: names of columns whose numbers stand for categories.
        missing: texts that stand for a missing value.
        impute: what stands in for a missing number: ``"mean"`` or ``"median"`` of the training samples, with the most
            frequent one for a missing category; ``"none"`` refuses missing values.
        max_categories: the number of categories of a column that are kept, the most frequent ones, while the others
            count as none of them; None keeps all, which may not be more than 64, nor nearly as many as there are
            samples.
        unlabelled: what becomes of rows of a table without a class: ``"refuse"`` the table, or ``"leave-out"`` the
            rows.

    Raises:
        FileNotFoundError: if there is no such file.
        QhnError: if the file cannot be read as described, holds values that are missing or infinite, has one class
            only, or so many that the labels must be something else; the message names the place.
    """
    path = Path(path)
    dialect = dialect or Dialect()
    choice = ColumnChoice(label, columns, drop, categorical, missing, impute, max_categories)
    refuse_unused(path, dialect, choice)
    how = Split(validation_fraction, standardise, seed)
    if path.suffix.lower() == ".npz" and path.is_file():
        return _of_npz(path, label, how)
    table = read_table(path, dialect)
    find_label(label, list(table.names), "column", path)
    if unlabelled == "leave-out":
        table = table.rows(~is_unlabelled(table[label], missing))
    labels = labels_of(str(path), table[label], choice.missing)
    return _encoded(table, labels, choice, how, path.name, str(path), "leave it out with data.drop")


def _of_npz(path: Path, label: str, how: Split) -> Dataset:
    """The data set of an ``.npz`` file with an array of features and one of labels."""
    x, labels, names = read_samples(path, label)
    classes, y = numbered(str(path), labels, label)
    table = Table(str(path), tuple(Column(name, column) for name, column in zip(names, x.T, strict=True)))
    warn_of_columns(str(path), table, how.places(y)[0], "leave it out of the file")
    return _of_classes(x, y, classes, names, how, path.name)


def _encoded(
    table: Table, labels: NDArray[Any], choice: ColumnChoice, how: Split, name: str, source: str, remedy: str
) -> Dataset:
    """The data set of the columns of a table, encoded as the training samples say.

    Args:
        table: the table, which may hold other columns, too.
        labels: the classes of the samples.
        choice: the choice of the columns that are learned from.
        how: how the samples are split and scaled.
        name: name of the data set.
        source: where the table comes from, for messages.
        remedy: how a column is left out, for messages.

    Raises:
        QhnError: if the labels are no classes, or the columns cannot be encoded.
    """
    classes, y = numbered(source, labels, choice.label or "labels")
    features = choice.features_of(table)
    training, _ = how.places(y)
    encoding = Encoding.fit(features.rows(training), choice.impute, choice.missing, choice.max_categories)
    if not encoding.feature_names:
        raise QhnError(f"{source}: all columns are empty in the training samples")
    refuse_long(source, encoding.feature_names)
    warn_of_columns(source, features, training, remedy)
    found = _of_classes(encoding.features(features), y, classes, encoding.feature_names, how, name)
    return replace(found, encoding=None if encoding.is_plain else encoding)


def _of_classes(
    x: Floats, y: NDArray[np.intp], classes: NDArray[Any], names: tuple[str, ...], how: Split, name: str
) -> Dataset:
    """The data set of features and numbers of classes, split and standardised.

    Args:
        x: the features ``[num_samples, num_features]``.
        y: the number of each sample's class, ``[num_samples]``, from 0.
        classes: the label of each class.
        names: one name per feature.
        how: how the samples are split and scaled.
        name: name of the data set.
    """
    training, validation = how.places(y)
    mean, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if how.standardise:
        mean, deviation = x[training].mean(axis=0), x[training].std(axis=0)
        constant = deviation <= 1e-12 * np.abs(x[training]).max(axis=0)
        scale = np.where(constant, 1.0, deviation)
    x = (x - mean) / scale
    target = y.astype(np.float64)
    return Dataset(
        x[training], target[training], x[validation], target[validation], classes, names, mean, scale, name=name
    )


def _is_table(x: Any, choice: ColumnChoice) -> bool:
    """Whether an object has columns by name that must be encoded; a data frame of numbers needs no encoding."""
    if isinstance(x, (Mapping, Table)) or (isinstance(x, np.ndarray) and x.dtype.names):
        return True
    return hasattr(x, "columns") and (bool(choice.given) or as_array("x", x).dtype.kind not in "biuf")
