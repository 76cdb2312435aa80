"""The table ``[data]`` of a configuration: the data set from which a run learns."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from qhn.config.section import Section
from qhn.config.user_file import WithFile
from qhn.errors import QhnError
from qhn.problem.built_in_data import digits_8x8, gaussian_mixture, mnist_4x4
from qhn.problem.column_choice import ColumnChoice, refuse_unused
from qhn.problem.datasets import Dataset, load_file
from qhn.problem.labels import Unlabelled
from qhn.problem.mnist_files import idx_bytes, read_mnist
from qhn.table.column_encoding import Impute
from qhn.table.columns import MISSING
from qhn.table.csv_files import Dialect


class MixtureData(Section):
    """Table ``[data]`` with ``name = "gaussian-mixture"``; see :func:`qhn.problem.built_in_data.gaussian_mixture`.

    Attributes:
        name: ``"gaussian-mixture"``.
        samples: number of training samples.
        validation_samples: number of validation samples, drawn in addition.
        means_scale: factor on the means of all Gaussians; below 1 the classes overlap more.
        seed: seed of the samples.
    """

    name: Literal["gaussian-mixture"]
    samples: int = Field(default=1000, ge=1)
    validation_samples: int = Field(default=1000, ge=0)
    means_scale: float = 1.0
    seed: int = Field(default=1, ge=0)

    def load(self) -> Dataset:
        """Draw the samples."""
        return gaussian_mixture(
            self.samples, seed=self.seed, validation_samples=self.validation_samples, means_scale=self.means_scale
        )


class MnistData(Section):
    """Table ``[data]`` with ``name = "mnist-4x4"``; see :func:`qhn.problem.built_in_data.mnist_4x4`.

    Attributes:
        name: ``"mnist-4x4"``.
        digits: digits to tell apart; the k-th is class k.
        directory: folder with the original MNIST files; None for the images that come with the package.
        validation_fraction: share of the training images of each class held out for validation, in [0, 1).
        seed: seed of the split into training and validation images.
        sha256: hash of the 4×4 pixels and labels in ``directory``, as IDX files in alphabetical order; filled in when
            the configuration is loaded.
    """

    name: Literal["mnist-4x4"]
    digits: tuple[int, ...] = (0, 1)
    directory: Path | None = None
    validation_fraction: float = Field(default=0.0, ge=0, lt=1)
    seed: int = Field(default=1, ge=0)
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _hash_the_images(cls, value: Any) -> Any:
        if isinstance(value, dict) and _is_path(value.get("directory") or None) and not value.get("sha256"):
            path = Path(value["directory"]).absolute()
            return value | {"directory": path, "sha256": _images_digest(path)}
        return value

    def load(self) -> Dataset:
        """Load the images.

        Raises:
            ValueError, FileNotFoundError: if the files cannot be read, or have changed since the run was configured.
        """
        if self.directory and self.sha256 and _images_digest(self.directory) != self.sha256:
            raise QhnError(f"the images in {self.directory} have changed since the run was configured")
        return mnist_4x4(
            self.digits, directory=self.directory, validation_fraction=self.validation_fraction, seed=self.seed
        )


class DigitsData(Section):
    """Table ``[data]`` with ``name = "digits-8x8"``; see :func:`qhn.problem.built_in_data.digits_8x8`.

    Attributes:
        name: ``"digits-8x8"``.
        digits: digits to tell apart; the k-th is class k.
        validation_fraction: share of the images of each class held out for validation, in [0, 1).
        seed: seed of the split into training and validation images.
    """

    name: Literal["digits-8x8"]
    digits: tuple[int, ...] = (3, 8)
    validation_fraction: float = Field(default=0.0, ge=0, lt=1)
    seed: int = Field(default=1, ge=0)

    def load(self) -> Dataset:
        """Load the images."""
        return digits_8x8(self.digits, validation_fraction=self.validation_fraction, seed=self.seed)


class FileData(WithFile):
    """Table ``[data]`` with ``file = "…"``, a data file of the user's own; see :func:`qhn.problem.datasets.load_file`.

    Attributes:
        file: path of the file.
        label: name of the column or array of labels.
        validation_fraction: share of the samples held out for validation, in [0, 1).
        standardise: whether each feature is shifted and scaled to mean 0 and standard deviation 1.
        seed: seed of the split into training and validation samples.
        separator: the mark between two fields of a text file; empty for a tab in ``.tsv`` files, and else a comma.
        decimal: the mark between a number of a text file and its decimals.
        thousands: the mark between thousands of a number of a text file, of which a space stands for any kind of
            space; empty for none.
        encoding: how the bytes of a text file stand for characters, by Python's name.
        sheet: the name of the sheet of an Excel file; the first one if empty.
        columns: names of the columns that are learned from; all but the label if empty.
        drop: names of columns that are left out.
        categorical: names of columns whose numbers stand for categories.
        missing: texts that stand for a missing value.
        impute: what stands in for a missing value: ``"mean"`` or ``"median"`` of the numbers of the training samples,
            and the most frequent one of categories; ``"none"`` refuses missing values.
        max_categories: the number of categories of a column that become features, the most frequent ones of the
            training samples; None, written ``"none"``, for all, which may not be more than 64, nor nearly as many as
            there are samples.
        unlabelled: what becomes of rows without a class: ``"refuse"`` the table, or ``"leave-out"`` the rows.
        sha256: hash of the bytes of the file; filled in when the configuration is loaded.
    """

    KIND: ClassVar[str] = "data file"

    label: str = "label"
    validation_fraction: float = Field(default=0.25, ge=0, lt=1)
    standardise: bool = True
    seed: int = Field(default=1, ge=0)
    separator: str = ""
    decimal: Literal[".", ","] = "."
    thousands: str = ""
    encoding: str = "utf-8"
    sheet: str = ""
    columns: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    missing: tuple[str, ...] = MISSING
    impute: Impute = "none"
    max_categories: int | None = Field(default=None, ge=1)
    unlabelled: Unlabelled = "refuse"

    @field_validator("max_categories", mode="before")
    @classmethod
    def _none_keeps_all(cls, value: Any) -> Any:
        return None if value == "none" else value

    @model_validator(mode="after")
    def _check_keys(self) -> FileData:
        choice = ColumnChoice(
            self.label, self.columns, self.drop, self.categorical, self.missing, self.impute, self.max_categories
        )
        refuse_unused(self.file, self.dialect, choice)
        return self

    @property
    def dialect(self) -> Dialect:
        """How a text file is written, and which sheet of an Excel file is read."""
        return Dialect(self.separator, self.decimal, self.encoding, self.sheet, self.thousands)

    def load(self) -> Dataset:
        """Load the file.

        Raises:
            ValueError, FileNotFoundError: if the file cannot be read, or has changed since the run was configured.
        """
        return load_file(
            self.unchanged(),
            self.label,
            validation_fraction=self.validation_fraction,
            standardise=self.standardise,
            seed=self.seed,
            dialect=self.dialect,
            columns=self.columns,
            drop=self.drop,
            categorical=self.categorical,
            missing=self.missing,
            impute=self.impute,
            max_categories=self.max_categories,
            unlabelled=self.unlabelled,
        )


def _is_path(value: Any) -> bool:
    """Whether a value is a path; values of other types are left for the validation of types to refuse."""
    return isinstance(value, (str, Path))


def _data_kind(value: Any) -> str:
    if isinstance(value, FileData) or (isinstance(value, dict) and "file" in value):
        return "file"
    return str(value.get("name") if isinstance(value, dict) else getattr(value, "name", None))


DATA_SECTIONS = (MixtureData, MnistData, DigitsData, FileData)
Data = Annotated[
    Annotated[MixtureData, Tag("gaussian-mixture")]
    | Annotated[MnistData, Tag("mnist-4x4")]
    | Annotated[DigitsData, Tag("digits-8x8")]
    | Annotated[FileData, Tag("file")],
    Discriminator(_data_kind),
]


def _images_digest(directory: Path) -> str:
    """SHA-256 of the images and labels that :func:`qhn.problem.mnist_files.read_mnist` reads, in hexadecimal."""
    return hashlib.sha256(b"".join(map(idx_bytes, read_mnist(directory).values()))).hexdigest()
