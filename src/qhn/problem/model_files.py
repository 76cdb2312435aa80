"""Files of quadratic models: QUBOs and Ising energies as matrices, or as a line ``i j value`` a term."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.errors import QhnError
from qhn.problem.array_files import matrix_in, named, read_array, read_arrays, read_rows
from qhn.problem.quadratic import QuadraticProblem
from qhn.problem.terms import Terms, as_reals, labelled_terms, matrix_terms
from qhn.problem.text_lines import Line, lines_of
from qhn.text import in_line, read_text

VARTYPE = re.compile(r"^\s*#\s*vartype\s*=\s*(\w+)", re.MULTILINE)  # as dimod writes it
NAMES = {"BINARY": "qubo", "SPIN": "ising"}  # of the tables [problem], by dimod's kind of variables


def read_qubo(path: Path, offset: float = 0.0) -> QuadraticProblem:
    """The QUBO E(x) = xᵀQx + offset of a file.

    A ``.npy`` file holds the matrix Q; an ``.npz`` file holds it as its only array, or as ``scipy.sparse.save_npz``
    writes it, and beside it a number ``offset`` if need be; a ``.csv`` file has one row of Q a line. Any other file is
    text with a line ``i j value`` a term, linear ones with i = j, as dimod and qbsolv write it: its variables are the
    different numbers that occur, in ascending order, whether they begin at 0 or at 1.

    Args:
        path: the file.
        offset: a constant that is added to that of the file.

    Raises:
        QhnError: if the file is no such matrix or text; the message names the place.
    """
    suffix = path.suffix.lower()
    if suffix not in (".npz", ".npy", ".csv"):
        return QuadraticProblem.of_bits(_read_terms(path, "BINARY"), offset)
    if suffix == ".npz":
        arrays = read_arrays(path)
        offset += _taken_offset(path, arrays)
        matrix = matrix_in(path, arrays, "Q")
    else:
        matrix = read_array(path) if suffix == ".npy" else read_rows(path, "QUBO file")
    with named(path):
        return QuadraticProblem.of_bits(matrix_terms(matrix, "Q"), offset)


def read_ising(path: Path, offset: float = 0.0) -> QuadraticProblem:
    """The energy E(s) = Σ h_i·s_i + Σ J_ij·s_i·s_j + offset of a file.

    An ``.npz`` file holds the arrays ``h`` and ``J``, and beside them a number ``offset`` if need be; what is missing
    is zero, both J_ij and J_ji count, and J alone may be as ``scipy.sparse.save_npz`` writes it. Any other file is text
    with a line ``i j value`` a coupling and ``i i value`` a field, as dimod writes it; its variables are the different
    numbers that occur.

    Args:
        path: the file.
        offset: a constant that is added to that of the file.

    Raises:
        QhnError: if the file is no such arrays or text; the message names the place.
    """
    suffix = path.suffix.lower()
    if suffix in (".npy", ".csv"):
        raise QhnError(f"{path}: an Ising energy is read from .npz with h and J, or from text with lines 'i j value'")
    if suffix != ".npz":
        terms = _read_terms(path, "SPIN")
        first, second = terms.pairs.T
        couplings = Terms(terms.size, first, second, terms.couplings, terms.labels)
        return QuadraticProblem.of_spins(terms.linear, couplings, offset)
    arrays = read_arrays(path)
    offset += _taken_offset(path, arrays)
    if not arrays:
        raise QhnError(f"{path} must hold h, J or both, got no array")
    matrix = arrays.get("J") if arrays.keys() <= {"h", "J"} else matrix_in(path, arrays, "J")
    with named(path):
        if matrix is None:
            return QuadraticProblem.from_ising(arrays["h"], {}, offset)
        size = matrix_terms(matrix, "J").size
        return QuadraticProblem.from_ising(arrays.get("h", np.zeros(size)), matrix, offset)


def _taken_offset(path: Path, arrays: dict[str, NDArray[Any]]) -> float:
    """The number ``offset`` of a file, which is taken out of its arrays; 0 if there is none."""
    with named(path):
        found = as_reals(arrays.pop("offset", 0.0), "offset")
    if found.size != 1:
        raise QhnError(f"{path}: offset must be one number, got shape {list(found.shape)}")
    return float(found.item())


def _read_terms(path: Path, vartype: str) -> Terms:
    """The terms of a text with a line ``i j value`` each, refused if it says that its variables are of another kind."""
    noted = VARTYPE.search(read_text(path, "file of terms"))
    if noted and noted[1].upper() != vartype:
        other = NAMES.get(noted[1].upper(), "qubo' or 'ising")
        raise QhnError(f"{path} says vartype={in_line(noted[1])}, and name is '{NAMES[vartype]}'; set name = '{other}'")
    header, *lines = [None, *(line for line in lines_of(path, "file of terms") if line.fields[0] != "c")]
    if lines and lines[0].fields[0] == "p":
        header, *lines = lines
    for line in lines:
        line.expect((3,), "'i j value'")
    found = [(line.index(0), line.index(1), line.value(2)) for line in lines]
    if not found:
        raise QhnError(f"{path} holds no term; give a line 'i j value' for each")
    if header is not None:
        _check_header(header, found)
    return labelled_terms(found, str(path))


def _check_header(header: Line, found: list[tuple[int, int, float]]) -> None:
    """Refuse a file in qbsolv's format whose header says another number of terms than follow.

    The header is ``p qubo 0 maxNodes nNodes nCouplers``; comments begin with a ``c``.
    """
    header.expect((6,), "'p qubo 0 maxNodes nNodes nCouplers'")
    linear = sum(i == j for i, j, _ in found)
    asked, got = (header.index(4), header.index(5)), (linear, len(found) - linear)
    if header.fields[1] != "qubo" or asked != got:
        raise QhnError(
            f"{header.place} must be 'p qubo 0 maxNodes nNodes nCouplers', and {got[0]} nodes and {got[1]} couplers "
            f"follow, got {in_line(' '.join(header.fields))!r}; correct it, or restore what is missing"
        )
