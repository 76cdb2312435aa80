"""Data sets to learn from, of a user's own file or of arrays: samples, their classes, and how they were prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.problem.column_choice import ColumnChoice, refuse_unused
from qhn.problem.column_warnings import warn_of_columns
from qhn.problem.labels import Unlabelled, as_labels, is_unlabelled, labels_of, numbered, refuse_long
from qhn.problem.preprocessing import Preprocessing
from qhn.problem.sample_arrays import (
    as_array,
    check_labels,
    checked_features,
    feature_names_of,
    find_label,
    read_samples,
)
from qhn.problem.splitting import Split
from qhn.table.column_encoding import Impute
from qhn.table.columns import MISSING, Column, Table
from qhn.table.csv_files import Dialect
from qhn.table.encoding import Encoding
from qhn.table.files import read_table
from qhn.table.frames import table_of


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
