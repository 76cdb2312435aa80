"""Prediction of the rows of a file with a table, by a network or an ensemble in a file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.errors import QhnError
from qhn.npz import open_npz, read_npz
from qhn.predict.ensemble import Ensemble, load_ensemble
from qhn.problem.network import Network, load_network
from qhn.problem.preprocessing import Preprocessing
from qhn.table.columns import Table
from qhn.table.csv_files import Dialect, sniffed
from qhn.table.files import is_text, read_table
from qhn.table.number_marks import USUAL
from qhn.text import clipped

Predictor = Network | Ensemble


def load_predictor(path: Path) -> Predictor:
    """The network or the ensemble of an ``.npz`` file, whichever it holds.

    Raises:
        FileNotFoundError: if there is no such file.
        QhnError: if it holds neither.
    """
    try:
        with open_npz(path) as stored:
            is_ensemble = "space" in stored.files
    except Exception:  # a damaged archive, or none at all: the message is that of a network
        is_ensemble = False
    return load_ensemble(path) if is_ensemble else load_network(path)


def predict_file(predictor: Predictor, path: Path, dialect: dict[str, str]) -> Iterator[str]:
    """The predictions for the rows of a table as lines of CSV: the row from 1, the class, each class's probability.

    Columns that the network did not learn from are left out, such as the label. Numbers are written so that they are
    read as the same numbers.

    Args:
        predictor: the network or ensemble.
        path: the table, or an ``.npz`` file with one array of features ``[num_rows, num_features]``.
        dialect: how a text file is written, by the attributes of a :class:`~qhn.table.csv_files.Dialect`; what is not
            given is told from its first rows.

    Raises:
        FileNotFoundError: if there is no such file.
        QhnError: if it cannot be read, a column is missing, or a value is missing and nothing stands in for it.
    """
    x = _samples(path, dialect, predictor.preprocessing)
    inputs = predictor.preprocessing.inputs(x)
    probabilities = predictor.probabilities_of_inputs(inputs)
    labels = [_text(label) for label in predictor.classes.tolist()]
    chosen = predictor.classes_of_inputs(inputs)
    yield _line(["row", "predicted", *(f"p({label})" for label in labels)])
    for row, (place, each) in enumerate(zip(chosen.tolist(), probabilities.tolist(), strict=True), start=1):
        yield _line([row, labels[place], *map(repr, each)])


def _samples(path: Path, dialect: dict[str, str], preprocessing: Preprocessing) -> Table | NDArray[Any]:
    """The raw samples of a file; numbers that can be read in several ways are read as those learned from."""
    if dialect.keys() - {"sheet"} and not is_text(path):
        raise QhnError(f"--{next(iter(dialect))} says how a text file is written, and {path} is none; leave it out")
    if "sheet" in dialect and path.suffix.lower() != ".xlsx":
        raise QhnError(f"--sheet is for Excel files, and {path} is none; leave it out")
    if path.suffix.lower() == ".npz" and path.is_file():
        return _array_of(path, preprocessing.num_inputs)
    usual = preprocessing.encoding.marks if preprocessing.encoding else USUAL
    told = sniffed(path, usual) if is_text(path) and path.is_file() else Dialect()
    if "decimal" in dialect:  # beside which another mark between thousands would be told
        told = replace(told, thousands="")
    return read_table(path, replace(told, **dialect))


def _array_of(path: Path, num_inputs: int) -> NDArray[Any]:
    """The only array of an ``.npz`` file that can be samples of so many features."""
    try:
        arrays = read_npz(path)
    except QhnError as error:
        raise QhnError(f"{path} is not an NPZ file of plain arrays: {clipped(str(error))}") from None
    found = [array for array in arrays.values() if array.ndim == 2 and array.shape[1] == num_inputs]
    if len(found) != 1:
        shapes = ", ".join(f"{name} {list(np.shape(array))}" for name, array in arrays.items())
        raise QhnError(f"{path} must hold one array of shape [num_rows, {num_inputs}], it has {clipped(shapes)}")
    return found[0]


def _text(label: Any) -> str:
    """A class as text, as Python's ``str`` writes it; bytes are taken for UTF-8."""
    return label.decode("utf-8", "backslashreplace") if isinstance(label, bytes) else str(label)


def _line(fields: list[Any]) -> str:
    """The fields of a row as a line of CSV, without its end."""
    text = io.StringIO()
    csv.writer(text).writerow(fields)  # a field with a line break is quoted if that is in the line's own end
    return text.getvalue().removesuffix("\r\n")
