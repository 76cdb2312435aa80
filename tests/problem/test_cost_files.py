"""Files of the costs of all bitstrings."""

from __future__ import annotations

import numpy as np
import pytest

import qhn
from qhn.problem.cost_files import read_costs

COSTS = [3.0, 1.0, 4.0, 1.5]


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.npy", lambda path: np.save(path, COSTS)),
        ("t.npz", lambda path: np.savez(path, COSTS)),
        ("t.txt", lambda path: path.write_text("3\n1 # lowest\n\n4\n1.5\n")),
        ("t.csv", lambda path: path.write_text("3\n1\n4\n1.5\n")),
    ],
)
def test_the_same_costs_in_every_format(tmp_path, name, write):
    write(tmp_path / name)
    assert read_costs(tmp_path / name).digest == qhn.TableProblem(COSTS).digest


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", " is empty; give one row of numbers a line"),
        ("1\n2\n3\n", r": a table of costs must hold 2\^num_qubits numbers, got shape \[3\]"),
        ("1\n", r": a table of costs must hold 2\^num_qubits numbers, got shape \[1\]"),
        ("1 2\n", r": a table of costs must hold 2\^num_qubits numbers, got shape \[1, 2\]"),
        ("1\nx\n", " line 2: 'x' is not a number"),
        ("1\nnan\n", " line 2: 'nan' must be a finite number"),
    ],
)
def test_a_malformed_text_is_refused_by_line_and_value(tmp_path, text, words):
    path = tmp_path / "t.txt"
    path.write_text(text)
    with pytest.raises(qhn.QhnError, match=rf"t\.txt{words}"):
        read_costs(path)


@pytest.mark.parametrize(
    ("costs", "words"),
    [
        (np.zeros(2**25, dtype=np.float32), r"may have up to 2\^24 numbers, got 2\^25"),
        (np.array([1.0, np.inf]), "costs must be finite, got inf for entry 1"),
        (np.array([1j, 2.0]), "costs must be real numbers, got an array of complex128"),
        (np.array([object(), None]), "holds Python objects"),
    ],
)
def test_what_is_no_table_of_costs_is_refused(tmp_path, costs, words):
    np.save(tmp_path / "t.npy", costs)
    with pytest.raises(qhn.QhnError, match=rf"t\.npy.*{words}"):
        read_costs(tmp_path / "t.npy")
