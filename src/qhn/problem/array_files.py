"""Files of arrays of the user's own: matrices of numbers in NumPy's formats, in scipy's, and in text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.npz import load_npy, read_npz
from qhn.problem.terms import MAX_VARIABLES
from qhn.problem.text_lines import lines_of
from qhn.text import counted

SPARSE_LAYOUT = {"format", "shape", "data"}  # arrays that scipy.sparse.save_npz writes, in all but one format
Arrays = Mapping[str, NDArray[Any]]


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` file of the user by name.

    Raises:
        QhnError: if it cannot be read, is too large, or holds Python objects.
    """
    try:
        return read_npz(path)
    except (ValueError, OSError) as error:
        raise QhnError(f"{path} is not an NPZ file of plain arrays: {error}") from None


def read_array(path: Path) -> NDArray[Any]:
    """The array of an ``.npy`` file of the user.

    Raises:
        QhnError: if it cannot be read, is too large, or holds Python objects.
    """
    try:
        return load_npy(path)
    except (ValueError, EOFError, OSError) as error:
        raise QhnError(f"{path} is not an NPY file of a plain array: {error}") from None


def read_rows(path: Path, kind: str) -> Floats:
    """The matrix of a text with one row of numbers a line.

    Args:
        path: the file.
        kind: what the file is, for messages.

    Raises:
        QhnError: if there is no row, rows differ in length, or a field is no finite number.
    """
    lines = list(lines_of(path, kind))
    if not lines:
        raise QhnError(f"{path} is empty; give one row of numbers a line")
    width = len(lines[0].fields)
    for line in lines:
        line.expect((width,), f"a row of {counted(width, 'number')}, as line {lines[0].number}")
    return np.array([[line.value(place) for place in range(width)] for line in lines])


def matrix_in(path: Path, arrays: Arrays, name: str) -> Any:
    """The matrix that is the only array of an ``.npz`` file, or that ``scipy.sparse.save_npz`` wrote, as it is.

    Args:
        path: the file.
        arrays: the arrays of the file.
        name: the matrix's name, for messages.

    Raises:
        QhnError: if there is no such matrix, or a sparse one has too many rows.
    """
    if arrays.keys() >= SPARSE_LAYOUT:
        return _sparse(path, arrays["shape"])
    if len(arrays) != 1:
        raise QhnError(f"{path} must hold one matrix {name}, got arrays {', '.join(sorted(arrays)) or 'none'}")
    return next(iter(arrays.values()))


def _sparse(path: Path, shape: NDArray[Any]) -> Any:
    """The matrix that scipy wrote; one that is too large is refused before it is made."""
    from scipy.sparse import load_npz

    if shape.dtype.kind not in "iu" or shape.shape != (2,) or not 0 < shape.min() <= shape.max() <= MAX_VARIABLES:
        raise QhnError(f"{path}: a sparse matrix must have from 1 to {MAX_VARIABLES:,} rows and columns, got {shape}")
    try:
        found = load_npz(path)
        if hasattr(found, "check_format"):  # compressed rows or columns, whose places compiled code follows unchecked
            found.check_format(full_check=True)
        return found.tocoo()
    except Exception as error:  # scipy raises ValueError, KeyError, TypeError, IndexError or NotImplementedError here
        raise QhnError(f"{path} is not a matrix of scipy.sparse.save_npz: {error}") from None


@contextmanager
def named(path: Path) -> Iterator[None]:
    """A context whose errors about values begin with the name of the file that holds them."""
    try:
        yield
    except QhnError as error:
        raise QhnError(f"{path}: {error}") from None
