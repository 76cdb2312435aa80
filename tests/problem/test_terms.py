"""Sums over pairs of variables: against the plain sum of a matrix, in any order, and at the edges of what is taken."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

from qhn import QhnError
from qhn.problem.terms import (
    Terms,
    as_reals,
    check_size,
    dictionary_terms,
    label_texts,
    labelled_terms,
    matrix_terms,
    ordered,
    sums,
)


def matrix_of(terms: Terms) -> np.ndarray:
    """The upper triangle of the sums."""
    matrix = np.diag(terms.linear)
    matrix[terms.pairs[:, 0], terms.pairs[:, 1]] = terms.couplings
    return matrix


@pytest.mark.parametrize("make", [np.asarray, scipy.sparse.coo_array, scipy.sparse.csc_matrix])
def test_pairs_and_linear_terms_are_the_upper_triangle(make, rng: np.random.Generator) -> None:
    matrix = rng.integers(-2, 3, (9, 9)).astype(float)
    found = matrix_terms(make(matrix), "Q")
    assert (found.size, found.labels) == (9, ())
    expected = np.triu(matrix) + np.tril(matrix, -1).T
    np.testing.assert_array_equal(matrix_of(found), expected)
    assert found.pairs.tolist() == np.argwhere(np.triu(expected, 1)).tolist()  # ascending, without zeros
    assert found.couplings.all()
    assert found.linear.shape == (9,)


def test_entries_of_a_sparse_matrix_that_are_stored_twice_add_up() -> None:
    matrix = scipy.sparse.coo_array(([1.0, 2.0, -4.0], ([0, 0, 1], [1, 1, 1])), (2, 2))
    assert matrix_of(matrix_terms(matrix, "Q")).tolist() == [[0.0, 3.0], [0.0, -4.0]]


def test_the_order_of_weights_changes_no_bit_of_a_sum(rng: np.random.Generator) -> None:
    weights = rng.normal(size=2000) * 10.0 ** rng.integers(-9, 9, 2000)
    rows, columns = rng.integers(0, 4, (2, 2000))
    first, *others = (
        Terms(4, *np.where(rng.random(2000) < 0.5, [rows, columns], [columns, rows])[:, order], weights[order])
        for order in (rng.permutation(2000) for _ in range(4))
    )
    for other in others:
        assert (other.linear.tobytes(), other.couplings.tobytes()) == (
            first.linear.tobytes(),
            first.couplings.tobytes(),
        )
        assert other.pairs.tolist() == first.pairs.tolist()
    np.testing.assert_allclose(first.linear.sum() + first.couplings.sum(), weights.sum(), rtol=1e-9)


def test_weights_that_cancel_are_no_pair_and_a_variable_without_weight_has_a_zero() -> None:
    terms = labelled_terms([(0, 1, 2.0), (1, 0, -2.0), (2, 1, 1.0)], "Q", also=[3])
    assert (terms.pairs.tolist(), terms.couplings.tolist(), terms.linear.tolist()) == ([[1, 2]], [1.0], [0.0] * 4)
    empty = Terms(2, *np.empty((2, 0), dtype=np.int64), np.empty(0))
    assert (empty.pairs.shape, empty.couplings.shape, empty.linear.tolist()) == ((0, 2), (0,), [0.0, 0.0])
    nothing = np.empty(0, dtype=np.int64)
    assert sums(nothing, np.empty(0), 2).dtype == np.float64


@pytest.mark.parametrize(
    ("labels", "order", "texts"),
    [
        ([2, 0, 1], [0, 1, 2], ()),
        ([3, 1], [1, 3], ("1", "3")),
        (["b", "a", "b"], ["a", "b"], ("a", "b")),
        ([(1, 0), (0, 9)], [(0, 9), (1, 0)], ("(0, 9)", "(1, 0)")),
        (["b", 0, "a"], ["b", 0, "a"], ("b", "0", "a")),
    ],
)
def test_labels_are_sorted_if_they_can_be_compared(labels: list, order: list, texts: tuple[str, ...]) -> None:
    assert ordered(labels) == order
    assert label_texts(order) == texts
    terms = labelled_terms([(label, label, place + 1.0) for place, label in enumerate(labels)], "Q")
    assert terms.labels == texts
    by_hand = [sum(place + 1.0 for place, one in enumerate(labels) if one == label) for label in order]
    assert terms.linear.tolist() == by_hand


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([("a", "b", 1e151)], r"Q \('a', 'b'\) must be a finite number in .*1e.150.*, got 1e\+151"),
        ([("a", "b", float("nan"))], r"Q \('a', 'b'\) must be .*, got nan"),
        ([("a", "b", True)], r"Q \('a', 'b'\) must be .*, got True"),
        ([(["a"], "b", 1.0)], "Q must name variables by numbers, text or tuples: .*list"),
        ([], "Q names no variable"),
        ([(0, k, 1.0) for k in range(20_001)], "Q has 20,001 variables, one qubit each; at most 20,000 are taken"),
    ],
)
def test_weights_that_are_none_are_refused_by_their_pair(weights: list, words: str) -> None:
    with pytest.raises(QhnError, match=words):
        labelled_terms(weights, "Q")


@pytest.mark.parametrize("key", [("a",), ("a", "b", "c"), "ab", 3])
def test_keys_of_a_dictionary_are_pairs(key: object) -> None:
    with pytest.raises(QhnError, match=r"Q must have pairs of variables as keys, such as \('a', 'b'\), got"):
        dictionary_terms({("a", "b"): 1.0, key: 2.0}, "Q")


def test_numbers_up_to_1e150_are_taken_as_real_ones() -> None:
    assert as_reals([[True, 2], [-1e150, 1e150]], "h").tolist() == [[1.0, 2.0], [-1e150, 1e150]]
    with pytest.raises(QhnError, match=r"h must be finite numbers up to 1e\+150, got -2e\+150 at \[0, 1\]"):
        as_reals([[0.0, -2e150]], "h")
    with pytest.raises(QhnError, match=r"h must be finite numbers up to 1e\+150, got inf at \[1\]"):
        as_reals(np.array([0.0, np.longdouble("1e4000")]), "h")
    check_size(20_000, "h")


@pytest.mark.parametrize("matrix", [np.ones((2, 3)), np.ones(4), np.ones((2, 2, 2)), np.ones((0, 0)), 1.0])
def test_only_a_square_matrix_is_one(matrix: object) -> None:
    with pytest.raises(QhnError, match=r"Q must be a square matrix \[num_qubits, num_qubits\], got shape \["):
        matrix_terms(matrix, "Q")
