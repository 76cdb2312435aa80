"""Hyper-parameters: the draws follow their distributions, and depend on seed and number of a trial alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from qhn.errors import QhnError
from qhn.search.space import Range, Space

DRAWS = 4000


def draws(dimension: object) -> np.ndarray:
    space = Space({"a": dimension})
    return np.array([space.draw(0, trial)["a"] for trial in range(DRAWS)])


def test_a_range_is_uniform() -> None:
    assert stats.kstest(draws(Range(-2, 3)), "uniform", args=(-2, 5)).pvalue > 1e-3


def test_a_logarithmic_range_is_uniform_in_the_logarithm() -> None:
    drawn = np.log10(draws(Range(1e-5, 1e-1, log=True)))
    assert stats.kstest(drawn, "uniform", args=(-5, 4)).pvalue > 1e-3


def test_integers_are_equally_frequent_with_both_ends() -> None:
    values, counts = np.unique(draws(Range(3, 7, integer=True)), return_counts=True)
    assert values.tolist() == [3, 4, 5, 6, 7]
    assert stats.chisquare(counts).pvalue > 1e-3


def test_logarithmic_integers_have_both_ends_and_the_frequencies_of_rounding() -> None:
    drawn = draws(Range(1, 8, log=True, integer=True))
    ends = np.log(np.arange(1, 10) - 0.5)
    expected = np.diff(ends) / (ends[-1] - ends[0]) * DRAWS
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == list(range(1, 9))
    assert stats.chisquare(counts, expected).pvalue > 1e-3


def test_values_of_a_list_are_equally_frequent() -> None:
    values, counts = np.unique(draws(["relu", "tanh", "logistic"]), return_counts=True)
    assert len(values) == 3
    assert stats.chisquare(counts).pvalue > 1e-3


def test_draws_are_pythons_own_types() -> None:
    space = Space({"a": Range(1, 9, integer=True), "b": Range(0, 1), "c": [True, None, "x"]})
    drawn = space.draw(3, 5)
    assert [type(drawn["a"]), type(drawn["b"])] == [int, float]
    assert drawn == space.draw(3, 5)
    assert drawn != space.draw(4, 5)
    assert any(drawn[name] != space.draw(3, 6)[name] for name in drawn)


def test_numbers_stand_for_themselves_logarithms_and_categories() -> None:
    space = Space(
        {
            "rate": Range(1e-4, 1, log=True),
            "width": Range(4, 8, integer=True),
            "batch": [8, 32, 128],
            "layers": [1, 2],
            "kind": ["relu", "tanh"],
            "only": ["one"],
        }
    )
    values = {"rate": 0.1, "width": 5, "batch": 32, "layers": 2, "kind": "tanh", "only": "one"}
    assert space.as_numbers(values) == (math.log(0.1), 5.0, math.log(32), 2.0, 0.0, 1.0)
    assert Space({}).as_numbers({}) == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Range(0, 1, log=True), "low must be a finite number above 0, got 0"),
        (lambda: Range(2, 1), "high must be a finite number of at least 2, got 1"),
        (lambda: Range(0.5, 2, integer=True), "a range of integers needs integers at its ends, got 0.5 and 2"),
        (lambda: Range("0", 2), "low must be a number, got '0'"),
        (lambda: Range(0, math.inf), "high must be a finite number"),
        (lambda: Range(0, 1, log=1), "log must be True or False, got 1"),
        (lambda: Space({"a": []}), r"a must have a range or a list of at least one value, got \[\]"),
        (lambda: Space({"a": "relu"}), "a must have a range or a list of at least one value, got 'relu'"),
        (lambda: Space({"a": 3}), "a must have a range or a list of at least one value, got 3"),
        (lambda: Space(["a"]), "a space must be a table of hyper-parameters by name, got"),
        (lambda: Space({1: [2]}), "the name of a hyper-parameter must be a text, got 1"),
    ],
)
def test_spaces_are_refused_at_the_door(make: object, message: str) -> None:
    with pytest.raises(QhnError, match=message):
        make()  # type: ignore[operator]
