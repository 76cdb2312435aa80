"""Files of QUBOs and Ising energies: every format of the same model, and what is malformed, by line and value."""

from __future__ import annotations

import dimod
import numpy as np
import pytest
import scipy.sparse
from dimod.serialization import coo

import qhn
from qhn.problem.model_files import read_ising, read_qubo

MATRIX = np.array([[1.0, -2.0, 0.0], [0.0, 1.0, 3.0], [0.0, 0.0, -1.0]])
TERMS = "0 0 1\n1 0 -2  # a coupling\n\n1 1 1\n1 2 3\n2 2 -1\n"
FROM_ONE = "1 1 1\n1 2 -2\n2 2 1\n2 3 3\n3 3 -1\n"
QBSOLV = "c a comment\np qubo 0 3 3 2\n0 0 1\n1 1 1\n2 2 -1\n0 1 -2\n1 2 3\n"


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("q.npy", lambda path: np.save(path, MATRIX)),
        ("q.npz", lambda path: np.savez(path, MATRIX)),
        ("csr.npz", lambda path: scipy.sparse.save_npz(path, scipy.sparse.csr_matrix(MATRIX))),
        ("coo.npz", lambda path: scipy.sparse.save_npz(path, scipy.sparse.coo_array(MATRIX))),
        ("dia.npz", lambda path: scipy.sparse.save_npz(path, scipy.sparse.dia_matrix(MATRIX))),
        ("q.csv", lambda path: np.savetxt(path, MATRIX, delimiter=",")),
        ("q.txt", lambda path: path.write_text(TERMS)),
        ("one.coo", lambda path: path.write_text(FROM_ONE)),
        ("q.qubo", lambda path: path.write_text(QBSOLV)),
    ],
)
def test_the_same_qubo_in_every_format(tmp_path, name, write):
    write(tmp_path / name)
    problem = read_qubo(tmp_path / name)
    assert problem.digest == qhn.QuadraticProblem.from_qubo(MATRIX).digest
    assert problem.noun == "assignment"


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_what_dimod_writes_is_read_as_dimod_reads_it(tmp_path, vartype):
    model = dimod.BinaryQuadraticModel({0: 1.0, 1: 0.5, 4: -2.0}, {(0, 1): 1.0, (1, 4): -1.0}, 0.0, vartype)
    path = tmp_path / "model.coo"
    path.write_text(coo.dumps(model, vartype_header=True))
    problem = (read_ising if vartype == "SPIN" else read_qubo)(path)
    assert problem.digest == qhn.QuadraticProblem.from_bqm(coo.loads(path.read_text())).digest
    assert problem.labels == ("0", "1", "4")
    other, kind = (read_qubo, "ising") if vartype == "SPIN" else (read_ising, "qubo")
    with pytest.raises(qhn.QhnError, match=f"model.coo says vartype={vartype}, .* set name = '{kind}'"):
        other(path)


def test_an_ising_energy_from_arrays(tmp_path):
    path = tmp_path / "h.npz"
    np.savez(path, h=[1.0, 2.0], J=[[0.0, 1.0], [0.0, 0.0]], offset=3.0)
    assert read_ising(path, 0.5).cost([1, 0]) == 1 - 2 - 1 + 3.5
    np.savez(path, h=[1.0, 2.0])
    assert read_ising(path).cost([1, 0]) == -1
    np.savez(path, J=[[0.0, 1.0], [1.0, 0.0]])
    assert read_ising(path).cost([1, 0]) == -2
    scipy.sparse.save_npz(path, scipy.sparse.coo_array([[0.0, 1.0], [1.0, 0.0]]))
    assert read_ising(path).cost([1, 0]) == -2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "holds no term; give a line 'i j value' for each"),
        ("# nothing\n", "holds no term"),
        ("0 1\n", "line 1 must be 'i j value', got 2 fields: '0 1'"),
        ("0 0 1\n\n0 1 x\n", "line 3: 'x' is not a number; write it as 1, -0.5 or 2e3"),
        ("0 1 nan", "line 1: 'nan' must be a finite number up to 1e.150"),
        ("0 1 1e200", "line 1: '1e200' must be a finite number"),
        ("0 1 1j", "line 1: '1j' is not a number"),
        ("0 1 1_0", "line 1: '1_0' is not a number"),
        ("-1 0 2", "line 1: '-1' must be a whole number from 0"),
        ("0.5 1 2", "line 1: '0.5' must be a whole number from 0"),
        (
            "9999999999999999999 0 1",
            "line 1: .9999999999999999999. must be a whole number from 0",
        ),
        ("p qubo 0 3 2 1\n0 0 1\n0 1 1\n", "line 1 must be .* and 1 nodes and 1 couplers follow"),
        ("p ising 0 1 1 0\n0 0 1", "line 1 must be 'p qubo"),
        ("p qubo\n0 0 1", "line 1 must be 'p qubo 0 maxNodes nNodes nCouplers', got 2 fields"),
        ("# vartype=FOO\n0 0 1", "says vartype=FOO, and name is 'qubo'; set name = 'qubo' or 'ising'"),
    ],
)
def test_a_malformed_text_is_refused_by_line_and_value(tmp_path, text, words):
    path = tmp_path / "q.txt"
    path.write_text(text)
    with pytest.raises(qhn.QhnError, match=rf"q\.txt:? ?{words}"):
        read_qubo(path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2\n3\n", "line 2 must be a row of 2 numbers, as line 1, got 1 field: '3'"),
        ("1,2\n3,nan\n", "line 2: 'nan' must be a finite number"),
        ("1,\n3,4\n", "line 1: '' is not a number"),
        ("1,2\n", r": Q must be a square matrix .* got shape \[1, 2\]"),
        ("", "is empty; give one row of numbers a line"),
    ],
)
def test_a_malformed_table_is_refused_by_line_and_value(tmp_path, text, words):
    path = tmp_path / "q.csv"
    path.write_text(text)
    with pytest.raises(qhn.QhnError, match=rf"q\.csv:? ?{words.removeprefix(': ')}"):
        read_qubo(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"a": MATRIX, "b": MATRIX}, "must hold one matrix Q, got arrays a, b"),
        ({"Q": MATRIX * 1j}, "Q must be real numbers, got an array of complex128"),
        ({"Q": MATRIX, "offset": [1.0, 2.0]}, r"offset must be one number, got shape \[2\]"),
        ({"Q": np.array([[object()]])}, "holds Python objects, which are not read"),
        (
            {"format": b"coo", "shape": [10**9, 10**9], "data": [1.0], "row": [10**9 - 1], "col": [0]},
            "a sparse matrix must have from 1 to 20,000 rows and columns",
        ),
        (
            {"format": b"csr", "shape": [2, 2], "data": [1.0], "indices": [5], "indptr": [0, 1, 1]},
            "is not a matrix of scipy.sparse.save_npz: indices must be < 2",
        ),
        (
            {"format": b"csr", "shape": [2, 2], "data": [1.0], "indices": [0], "indptr": [0, 9 * 10**8, 1]},
            "is not a matrix of scipy.sparse.save_npz: ",
        ),
        ({"format": b"no", "shape": [2, 2], "data": [1.0]}, "is not a matrix of scipy.sparse.save_npz: Unknown format"),
    ],
)
def test_a_malformed_archive_is_refused_by_name(tmp_path, arrays, words):
    path = tmp_path / "q.npz"
    np.savez(path, **arrays)
    with pytest.raises(qhn.QhnError, match=rf"q\.npz.*{words}"):
        read_qubo(path)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"h": [1.0, 2.0], "J": [[0.0]]}, "h must be 1 number, as many as J has rows, got shape"),
        ({"g": [1.0], "J": [[0.0]]}, "must hold one matrix J, got arrays J, g"),
        ({"offset": 1.0}, "must hold h, J or both, got no array"),
        ({"h": 1.0}, r"h must be one number a variable, got shape \[\]"),
    ],
)
def test_fields_and_couplings_that_do_not_fit_are_refused(tmp_path, arrays, words):
    path = tmp_path / "h.npz"
    np.savez(path, **arrays)
    with pytest.raises(qhn.QhnError, match=words):
        read_ising(path)


@pytest.mark.parametrize("name", ["q.npy", "q.npz"])
def test_what_is_no_archive_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"junk")
    with pytest.raises(qhn.QhnError, match=f"{name} is not an NP. file of"):
        read_qubo(tmp_path / name)


def test_one_array_is_no_ising_energy(tmp_path):
    with pytest.raises(qhn.QhnError, match="an Ising energy is read from"):
        read_ising(tmp_path / "j.npy")
