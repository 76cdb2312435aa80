"""Data sets to learn from: a seeded mixture of Gaussians, small images of real digits, or a user's own file."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError, QhnWarning
from qhn.npz import open_npz
from qhn.problem.mnist_files import read_mnist
from qhn.table.columns import MISSING, Column, Table
from qhn.table.csv_files import Dialect
from qhn.table.encoding import Encoding, Impute
from qhn.table.files import read_table
from qhn.table.suspicion import Suspicion, suspicion_of
from qhn.table.values import MAX_FEATURE, typed
from qhn.text import clipped, did_you_mean, in_line, shown

RED_MEAN = np.array([-1.0, -2.0])
BLUE_MEANS = np.array([[-2.0, 1.0], [1.0, 1.0], [2.0, -2.0]])
MIXTURE_VARIANCE = 0.1
MAX_CLASSES = 64  # of a user's file
MAX_NAME = 10_000  # characters of a class or a feature
MAX_NAMED = 3  # columns that a warning names
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
    ) -> Dataset:
        """The data set of features and labels in memory, split and standardised as a file's (:func:`load_file`).

        Args:
            x: the features, an array ``[num_samples, num_features]`` or a data frame, whose columns name the features.
            labels: the class of each sample, ``[num_samples]``: numbers, truth values or text.
            feature_names: one name per feature; by default ``x 1``, ``x 2``, …
            validation_fraction: share of the samples of each class that is held out for validation, in [0, 1).
            standardise: shift and scale every feature to mean 0 and standard deviation 1 over the training samples.
            seed: seed of the split into training and validation samples.
            name: name of the data set, for tables and records.

        Raises:
            QhnError: if shapes do not fit, features are no finite numbers, or labels are no classes.

        >>> data = Dataset.from_arrays([[0.0], [1.0], [2.0], [3.0]], ["a", "a", "b", "b"], validation_fraction=0)
        >>> data.classes.tolist(), data.feature_names
        (['a', 'b'], ('x 1',))
        """
        columns = getattr(x, "columns", None)
        if columns is not None and not feature_names:
            feature_names = tuple(map(str, columns))
        values, classes = _as_array("x", x), _as_array("labels", labels)
        if classes.dtype.kind == "O" and all(isinstance(one, str) for one in classes.flat):  # as data frames hold text
            classes = classes.astype(np.str_)
        values = _checked(name, "x", values, "labels", classes)
        names = _feature_names(name, values, feature_names)
        return _dataset(name, values, classes, names, "labels", _Split(validation_fraction, standardise, seed), name)

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
        values = _checked(name, "x", x, "labels", y)
        names = _feature_names(name, values, feature_names)
        return _of_classes(values, y, classes, names, _Split(validation_fraction, standardise, seed), name)

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
        """Convert standardised features ``[..., num_features]`` to the units of the source."""
        return x * self.scale + self.mean


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
    training, validation = _split(y, fraction, seed)
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

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if the file cannot be read as described, holds values that are missing or infinite, has one class
            only, or so many that the labels must be something else; the message names the place.
    """
    path = Path(path)
    split = _Split(validation_fraction, standardise, seed)
    if path.suffix.lower() == ".npz" and path.is_file():
        x, labels, names = _read_npz(path, label)
        found = _dataset(path, x, labels, names, label, split, path.name)
        _warn_of_columns(path, x, names)
        return found
    dialect = dialect or Dialect()
    table = read_table(path, dialect)
    _find(label, list(table.names), "column", path)
    labels = _labels_of(path, table[label])
    table = (table.only(columns) if columns else table.without([label])).without(drop)
    if not table.columns:
        raise QhnError(f"{path} has no feature columns beside {label!r}")
    kinds = [(column, column.name in categorical) for column in table]
    table = Table(
        table.source,
        tuple(typed(one, is_category=chosen, missing=missing) for one, chosen in kinds),
    )
    return _encoded(table, labels, label, split, path.name, impute, tuple(missing))


@dataclass(frozen=True)
class _Split:
    """How samples are split and scaled; see :func:`load_file`."""

    validation_fraction: float
    standardise: bool
    seed: int


def _dataset(
    source: Path | str, x: Floats, labels: NDArray[Any], names: tuple[str, ...], label: str, split: _Split, name: str
) -> Dataset:
    """The data set of features ``[num_samples, num_features]`` and labels ``[num_samples]``, split and standardised.

    Args:
        source: where they come from, for messages.
        x: the features.
        labels: the classes of the samples.
        names: one name per feature.
        label: what holds the labels, for messages.
        split: how the samples are split and scaled.
        name: name of the data set.
    """
    classes, y = np.unique(labels, return_inverse=True)
    listed = clipped(", ".join(in_line(c) for c in classes[:5]) + (", …" if len(classes) > 5 else ""))
    if len(classes) < 2:
        raise QhnError(f"{source}: {label!r} must hold two classes or more, found {len(classes)}: {listed}")
    if len(classes) > MAX_CLASSES or (len(classes) > 2 and 2 * len(classes) > len(y)):
        raise QhnError(
            f"{source}: {label!r} must hold classes, found {len(classes)} different values in {len(y)} samples: "
            f"{listed}; name another column with label, or make of its values at most {MAX_CLASSES} classes"
        )
    longest = max(map(str, (*classes, *names)), key=len)
    if len(longest) > MAX_NAME:
        raise QhnError(
            f"{source}: names of classes and features must have up to {MAX_NAME:,} characters, got {len(longest):,}: "
            f"{in_line(longest)}; is {label!r} the column of classes?"
        )
    return _of_classes(x, y, classes, names, split, name)


def _of_classes(
    x: Floats, y: NDArray[np.intp], classes: NDArray[Any], names: tuple[str, ...], split: _Split, name: str
) -> Dataset:
    """The data set of features and numbers of classes, split and standardised.

    Args:
        x: the features ``[num_samples, num_features]``.
        y: the number of each sample's class, ``[num_samples]``, from 0.
        classes: the label of each class.
        names: one name per feature.
        split: how the samples are split and scaled.
        name: name of the data set.
    """
    training, validation = _split(y, split.validation_fraction, split.seed)
    mean, scale = np.zeros(x.shape[1]), np.ones(x.shape[1])
    if split.standardise:
        mean, deviation = x[training].mean(axis=0), x[training].std(axis=0)
        constant = deviation <= 1e-12 * np.abs(x[training]).max(axis=0)
        scale = np.where(constant, 1.0, deviation)
    x = (x - mean) / scale
    target = y.astype(np.float64)
    return Dataset(
        x[training], target[training], x[validation], target[validation], classes, names, mean, scale, name=name
    )


def _encoded(
    table: Table,
    labels: NDArray[Any],
    label: str,
    split: _Split,
    name: str,
    impute: Impute,
    missing: tuple[str, ...],
) -> Dataset:
    """The data set of the columns of a table, encoded as the training samples say."""
    y = np.unique(labels, return_inverse=True)[1]
    training, _ = _split(y, split.validation_fraction, split.seed)
    encoding = Encoding.fit(table.rows(training), impute, missing)
    x = encoding.features(table)
    found = _dataset(table.source, x, labels, encoding.feature_names, label, split, name)
    _warn_of_columns(Path(table.source), x, encoding.feature_names)
    return replace(found, encoding=None if encoding.is_plain else encoding)


def _labels_of(path: Path, column: Column) -> NDArray[Any]:
    """The classes of a column, in their own types.

    Raises:
        QhnError: if one is missing.
    """
    is_text = column.own_values.dtype.kind == "O"
    empty = [not (text or "").strip() for text in column.values] if is_text else column.is_missing
    if any(empty):
        place = column.line(int(np.argmax(empty)))
        raise QhnError(f"{place}: {in_line(repr(column.name))} is empty; fill in the class or remove the sample")
    return _without_spaces(path, column.values.tolist()) if is_text else column.own_values


def _feature_names(name: str, x: Floats, given: Sequence[str]) -> tuple[str, ...]:
    """The names of the features ``[num_samples, num_features]`` of a data set: those given, or else ``x 1`` and so on.

    Raises:
        QhnError: if names are given, and there is not one per feature.
    """
    if len(given) not in (0, x.shape[1]):
        raise QhnError(f"{name}: x has {x.shape[1]} features, and {len(given)} feature_names are given")
    return tuple(map(str, given)) or tuple(f"x {j + 1}" for j in range(x.shape[1]))


def _as_array(name: str, values: Any) -> NDArray[Any]:
    """The values of an array, a list, or a data frame or column of one."""
    try:
        return np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except ValueError:
        raise QhnError(f"{name} must be an array, all rows of the same length") from None


def _without_spaces(path: Path, labels: list[str]) -> NDArray[Any]:
    """The user's own labels: spaces around booleans and numbers are no part of them, those around text are.

    A warning names two labels that differ by nothing else.
    """
    different = sorted(set(labels))
    bare = [label.strip() for label in labels]
    if len(set(bare)) == len(different):
        own = _own_labels(bare)
        return np.array(labels) if own.dtype.kind == "U" else own
    pairs = pairwise(sorted(different, key=str.strip))
    first, second = next((first, second) for first, second in pairs if first.strip() == second.strip())
    words = f"{path}: classes {shown(first)} and {shown(second)} differ by spaces alone, and stay two classes"
    warnings.warn(words, QhnWarning, stacklevel=4)
    return np.array(labels)


def _own_labels(labels: list[str]) -> NDArray[Any]:
    """The labels as booleans, integers or floats if Python writes every label of the file so; otherwise as text.

    Predictions then are equal to the labels that the user's own program reads, and different labels stay different.

    >>> _own_labels(["0.0", "1.0"]), _own_labels(["01", "1"])
    (array([0., 1.]), array(['01', '1'], dtype='<U2'))
    """
    for read in (_boolean, int, float):
        try:
            values = [read(label) for label in labels]
            array: NDArray[Any] = np.array(values, dtype={_boolean: np.bool_, int: np.int64, float: np.float64}[read])
        except (ValueError, OverflowError):  # a text of another type, or an integer beyond 64 bits
            continue
        is_same = list(map(str, values)) == labels and np.isfinite(array).all()
        if is_same and len(np.unique(array)) == len(set(labels)):  # 0.0 and -0.0 are equal numbers
            return array
    return np.array(labels)


def _boolean(text: str) -> bool:
    """The boolean that Python writes as ``text``.

    Raises:
        ValueError: if there is none.
    """
    if text not in ("True", "False"):
        raise ValueError(text)
    return text == "True"


def _warn_of_columns(path: Path, x: Floats, names: tuple[str, ...]) -> None:
    """Warn of features that most likely are none: numbers of rows, identifiers, and columns of one value."""
    found = [suspicion_of(name, column, j == 0) for j, (name, column) in enumerate(zip(names, x.T, strict=True))]
    for suspicion in Suspicion:
        chosen = [name for name, one in zip(names, found, strict=True) if one is suspicion]
        if chosen:
            listed = ", ".join(in_line(repr(name)) for name in chosen[:MAX_NAMED])
            more = f" (and {len(chosen) - MAX_NAMED:,} more like it)" if len(chosen) > MAX_NAMED else ""
            effect = "and tells nothing" if suspicion is Suspicion.CONSTANT else "and is used as a feature"
            words = f"column {listed}{more} {suspicion.value}, {effect}"
            warnings.warn(
                f"{path}: {words}; leave it out of the file if it should not be learnt from", QhnWarning, stacklevel=3
            )


def _read_npz(path: Path, label: str) -> tuple[Floats, NDArray[Any], tuple[str, ...]]:
    try:
        with open_npz(path) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except Exception as error:  # numpy raises BadZipFile, ValueError, OSError or EOFError here
        raise QhnError(f"{path} is not an NPZ file of plain arrays: {clipped(str(error))}") from None
    _find(label, list(arrays), "array", path)
    labels = arrays.pop(label)
    if len(arrays) != 1:
        raise QhnError(f"{path} must hold one array of features beside {label!r}, found {sorted(arrays) or 'none'}")
    name, x = arrays.popitem()
    x = _checked(path, name, x, label, labels)
    return x, labels, tuple(f"{name} {j + 1}" for j in range(x.shape[1]))


def _checked(source: Path | str, name: str, x: NDArray[Any], label: str, labels: NDArray[Any]) -> Floats:
    """The features as finite numbers, one row for each label.

    Args:
        source: where both come from, for messages.
        name: name of the features.
        x: the features ``[num_samples, num_features]``.
        label: name of the labels.
        labels: the labels ``[num_samples]``.

    Raises:
        QhnError: if the shapes do not fit, a feature is no finite real number, or a label is empty.
    """
    if x.ndim != 2 or x.shape[1] == 0 or labels.shape != x.shape[:1]:
        raise QhnError(
            f"{source}: {name!r} must have shape [num_samples, num_features] and {label!r} [num_samples], "
            f"got {list(x.shape)} and {list(labels.shape)}"
        )
    if x.dtype.kind not in "biuf":
        raise QhnError(f"{source}: {name!r} must hold real numbers, got {x.dtype}")
    if labels.dtype.kind not in "biufmMUS":
        raise QhnError(f"{source}: {label!r} must hold numbers or text, got {labels.dtype}")
    with np.errstate(over="ignore"):  # of a wider float: what becomes infinite is refused
        x = x.astype(np.float64)
    wrong = np.argwhere(~(np.abs(x) <= MAX_FEATURE))
    if len(wrong):
        place = wrong[0].tolist()
        raise QhnError(f"{source}: {name!r} is not finite at {place}, or too large; fill in or remove the sample")
    missing = labels == labels.dtype.type() if labels.dtype.kind in "US" else ~np.isfinite(labels)
    if missing.any():
        raise QhnError(f"{source}: {label!r} is empty at [{missing.argmax()}]; fill in the class or remove the sample")
    return x


def _find(label: str, names: list[str], what: str, path: Path) -> int:
    if label not in names:
        hint = did_you_mean(label, names, otherwise=clipped(f"it has {', '.join(names)}"))
        raise QhnError(f"{path} has no {what} {label!r} for the label; {hint}")
    return names.index(label)


def _split(y: NDArray[Any], fraction: float, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Indices of training and of validation samples, with the same share of each class held out."""
    if not 0 <= fraction < 1:
        raise QhnError(f"validation_fraction must be in [0, 1), got {fraction}")
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(y), dtype=bool)
    for value in np.unique(y):
        members = rng.permutation(np.flatnonzero(y == value))
        held_out[members[: round(fraction * len(members))]] = True
    if len(set(y[~held_out])) < len(set(y)):
        raise QhnError(f"validation_fraction {fraction} leaves a class without training samples; lower it")
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)
