"""Quadratic costs against the formula, against dimod, and in every form in which the same cost can be given."""

from __future__ import annotations

import dimod
import numpy as np
import pytest
import scipy.sparse

import qhn
from qhn import bitstrings
from qhn.problem.landscape import Landscape, enumerate_costs
from qhn.problem.quadratic import QuadraticProblem

SIZE = 7
MATRIX = np.random.default_rng(3).integers(-6, 7, (SIZE, SIZE)).astype(float)
EVERY = bitstrings.from_integers(np.arange(2**SIZE), SIZE)
ENERGIES = np.einsum("bi,ij,bj->b", EVERY, MATRIX, EVERY, dtype=float) + 1.5
DICTIONARY = {(i, j): MATRIX[i, j] for i in range(SIZE) for j in range(SIZE)}
MODEL = dimod.BinaryQuadraticModel.from_qubo(DICTIONARY, offset=1.5)
LINEAR, QUADRATIC, OFFSET = MODEL.to_ising()


@pytest.mark.parametrize(
    "problem",
    [
        QuadraticProblem.from_qubo(MATRIX, 1.5),
        QuadraticProblem.from_qubo(MATRIX.T, 1.5),
        QuadraticProblem.from_qubo((MATRIX + MATRIX.T) / 2, 1.5),
        QuadraticProblem.from_qubo(np.triu(MATRIX) + np.tril(MATRIX, -1).T, 1.5),
        QuadraticProblem.from_qubo(scipy.sparse.csr_array(MATRIX), 1.5),
        QuadraticProblem.from_qubo(dict(reversed(DICTIONARY.items())), 1.5),
        QuadraticProblem.from_ising(LINEAR, QUADRATIC, OFFSET),
        QuadraticProblem.from_ising([LINEAR[i] for i in range(SIZE)], QUADRATIC, OFFSET),
        QuadraticProblem.from_bqm(MODEL),
        QuadraticProblem.from_bqm(MODEL.spin),
    ],
)
def test_the_same_energy_in_any_form_is_the_same_problem(problem):
    assert problem.cost(EVERY).tolist() == ENERGIES.tolist()
    assert problem.polynomial(EVERY).tolist() == ENERGIES.tolist()
    assert problem.digest == QuadraticProblem.from_qubo(MATRIX, 1.5).digest
    assert problem.labels == ()


def test_arrays_of_spins_count_both_halves_and_the_diagonal():
    couplings = np.array([[2.0, 1.0, 0.0], [3.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    problem = QuadraticProblem.from_ising([1.0, 0.0, -1.0], couplings, 0.5)
    spins = 2.0 * EVERY[:8, :3] - 1
    by_hand = spins @ [1.0, 0.0, -1.0] + np.einsum("bi,ij,bj->b", spins, couplings, spins) + 0.5
    assert problem.cost(EVERY[:8, :3]).tolist() == by_hand.tolist()


def test_the_lowest_energy_is_that_of_dimods_exact_solver():
    best = dimod.ExactSolver().sample(MODEL).first
    problem = QuadraticProblem.from_bqm(MODEL)
    assert enumerate_costs(problem).min() == best.energy
    assert problem.cost(np.array([best.sample[i] for i in range(SIZE)])) == best.energy


def test_interactions_of_the_landscape_are_those_of_the_polynomial():
    problem = QuadraticProblem.from_qubo(MATRIX)
    polynomial = problem.polynomial
    weights = np.zeros(SIZE + 1)
    for term, factor in zip(polynomial.terms, polynomial.coefficients, strict=True):
        weights[len(term)] += factor**2
    assert Landscape(enumerate_costs(problem)).walsh_weights == pytest.approx(weights)


def test_all_energies_lie_in_the_range():
    low, high = QuadraticProblem.from_qubo(MATRIX, 1.5).cost_range
    assert low <= ENERGIES.min()
    assert ENERGIES.max() <= high


def test_a_problem_of_a_hundred_variables_is_sparse_or_dense_alike():
    rng = np.random.default_rng(5)
    bits = rng.integers(0, 2, (9, 100), dtype=np.uint8)
    for share in (0.02, 1.0):
        matrix = rng.normal(size=(100, 100)) * (rng.random((100, 100)) < share)
        by_hand = np.einsum("bi,ij,bj->b", bits, matrix, bits)
        assert QuadraticProblem.from_qubo(matrix).cost(bits) == pytest.approx(by_hand)


def test_labels_are_kept_and_told():
    model = dimod.BinaryQuadraticModel({"pear": 1.0, "apple": -2.0}, {("pear", "apple"): 0.5}, 0.0, "SPIN")
    problem = QuadraticProblem.from_bqm(model)
    assert problem.labels == ("apple", "pear")
    assert problem.describe([1, 0]) == ["energy -3.5", "spins +−", "spins that are +1: apple"]
    assert problem.noun == "spin configuration"
    assert "qubits in this order: apple, pear" in problem.summary()
    assert QuadraticProblem.from_bqm(model.binary).describe([0, 0])[1] == "variables that are 1: none"


def test_variables_that_cannot_be_compared_keep_their_order():
    assert QuadraticProblem.from_qubo({("b", 1): 1.0, ("a", "b"): 2.0}).labels == ("b", "1", "a")


@pytest.mark.parametrize(
    "problem",
    [
        QuadraticProblem(np.ones(1), np.empty((0, 2), dtype=np.int64), np.empty(0)),
        QuadraticProblem.from_ising({0: 1.0}, {}),
        QuadraticProblem.from_qubo({(0, 0): 2.0}, -1.0),
    ],
)
def test_a_spin_in_a_field_has_the_energies_of_the_field(problem):
    assert enumerate_costs(problem).tolist() == [-1.0, 1.0]


def test_a_variable_without_any_term_is_a_qubit_too():
    assert QuadraticProblem.from_bqm(dimod.BinaryQuadraticModel({0: 0.0, 1: 0.0}, {}, "BINARY")).num_qubits == 2


@pytest.mark.parametrize(
    "problem", [QuadraticProblem.from_qubo({("a", "b"): 1.5}, 2.0), QuadraticProblem.from_qubo(MATRIX)]
)
def test_written_as_arrays_it_is_the_same_problem_in_the_same_words(problem):
    again = QuadraticProblem.from_arrays(problem.arrays())
    assert (again.digest, again.summary(), again.noun) == (problem.digest, problem.summary(), problem.noun)


@pytest.mark.parametrize(
    ("matrix", "words"),
    [
        ([[1.0, 2.0]], r"Q must be a square matrix \[num_qubits, num_qubits\], got shape \[1, 2\]"),
        ([], "Q must be a square matrix"),
        ([[0.0, 1.0], [np.nan, 0.0]], r"Q must be finite numbers up to 1e\+150, got nan at \[1, 0\]"),
        ([[1j]], "Q must be real numbers, got an array of complex128"),
        ([[1.0], [2.0, 3.0]], "Q must be an array of numbers, all rows of the same length"),
        ([["one"]], "Q must be real numbers"),
        ({}, "Q names no variable"),
        ({1: 2.0}, r"Q must have pairs of variables as keys, such as \('a', 'b'\), got 1"),
        ({("a", "b"): "x"}, r"Q \('a', 'b'\) must be a number in .*, got 'x'"),
        (scipy.sparse.coo_array((10**6, 10**6)), "Q has 1,000,000 variables, one qubit each; at most 20,000 are taken"),
        ([[1e150, 1e150], [1e150, 1e150]], "energies must be from -1e.150 to 1e.150, these reach .*; scale them"),
    ],
)
def test_what_is_no_matrix_of_energies_is_refused_by_name(matrix, words):
    with pytest.raises(qhn.QhnError, match=words):
        QuadraticProblem.from_qubo(matrix)


@pytest.mark.parametrize(
    ("fields", "couplings", "words"),
    [
        ([1.0, 2.0], [[1.0]], "h must be 1 number, as many as J has rows, got shape"),
        ({"a": 1.0}, [[1.0]], "h is a dictionary of labels and J is none"),
        ([[1.0]], {}, "h must be one number a variable"),
        ({}, {}, "J names no variable"),
    ],
)
def test_fields_that_do_not_fit_the_couplings_are_refused(fields, couplings, words):
    with pytest.raises(qhn.QhnError, match=words):
        QuadraticProblem.from_ising(fields, couplings)


def test_only_binary_quadratic_models_are_taken_from_dimod():
    with pytest.raises(qhn.QhnError, match="model of dimod is needed, got a ConstrainedQuadraticModel"):
        QuadraticProblem.from_bqm(dimod.ConstrainedQuadraticModel())
