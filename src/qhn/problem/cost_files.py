"""Files with the costs of all bitstrings."""

from __future__ import annotations

from pathlib import Path

from qhn.errors import QhnError
from qhn.problem.array_files import matrix_in, named, read_array, read_arrays, read_rows
from qhn.problem.cost import TableProblem

MAX_QUBITS = 24  # up to which costs are enumerated


def read_costs(path: Path) -> TableProblem:
    """The problem whose costs of all bitstrings a file holds, qubit 0 being the least significant bit of a place.

    A ``.npy`` file holds them as an array, an ``.npz`` file as its only array; any other file is text with one number a
    line.

    Raises:
        QhnError: if the file cannot be read, or does not hold 2^num_qubits finite numbers for 1 to 24 qubits.
    """
    suffix = path.suffix.lower()
    if suffix == ".npz":
        costs = matrix_in(path, read_arrays(path), "of costs")
    elif suffix == ".npy":
        costs = read_array(path)
    else:
        rows = read_rows(path, "table of costs")
        costs = rows[:, 0] if rows.shape[1] == 1 else rows
    with named(path):
        found = TableProblem(costs)
        if found.num_qubits > MAX_QUBITS:
            raise QhnError(f"a table of costs may have up to 2^{MAX_QUBITS} numbers, got 2^{found.num_qubits}")
    return found
