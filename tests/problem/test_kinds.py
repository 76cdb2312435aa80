"""Problems as arrays and back: what a file of numpy keeps is the same problem, and nothing else is read."""

from __future__ import annotations

import io

import networkx as nx
import numpy as np
import pytest

from qhn import bitstrings
from qhn.problem.cost import TableProblem
from qhn.problem.kinds import KINDS, arrays_of, problem_from
from qhn.problem.labs import LabsProblem
from qhn.problem.max_cut import max_cut
from qhn.problem.quadratic import QuadraticProblem

EVERY = bitstrings.from_integers(np.arange(32), 5)
PROBLEMS = {
    "energy": QuadraticProblem.from_qubo(np.random.default_rng(1).normal(size=(5, 5)), -0.3),
    "spins": QuadraticProblem.from_ising({"a": 0.1, "e": 2.0}, {("a", "b"): 1.5, ("d", "c"): -1.0}),
    "constant": QuadraticProblem.from_qubo(np.zeros((5, 5)), 2.5),
    "cut": max_cut(nx.petersen_graph().subgraph(range(5))),
    "named": max_cut([("à la", "b", 0.1), ("b", "c", -2.5), ("d", "e", 1e-9)]),
    "alone": max_cut(nx.empty_graph(5)),
    "labs": LabsProblem(5),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_of_a_file_is_the_same_in_numbers_and_words(name: str) -> None:
    problem, file = PROBLEMS[name], io.BytesIO()
    written = arrays_of(problem)
    assert written is not None
    np.savez(file, **written)
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = problem_from(type(problem).__name__, arrays)
    assert type(again) is type(problem)
    assert again.cost(EVERY).tobytes() == problem.cost(EVERY).tobytes()
    assert (again.digest, again.summary(), again.noun) == (problem.digest, problem.summary(), problem.noun)
    assert (again.cost_range, again.describe(EVERY[5])) == (problem.cost_range, problem.describe(EVERY[5]))


def test_every_kind_is_one_of_these() -> None:
    assert {type(problem).__name__ for problem in PROBLEMS.values()} == set(KINDS)


def test_others_are_no_arrays() -> None:
    class Mine(LabsProblem):
        """A cost that arrays of the sequence's length do not hold."""

    assert arrays_of(Mine(5)) is None
    assert arrays_of(TableProblem([1.0, 2.0])) is None


@pytest.mark.parametrize("name", PROBLEMS)
def test_an_array_that_is_missing_or_of_another_form_is_told(name: str) -> None:
    kind, arrays = type(PROBLEMS[name]).__name__, arrays_of(PROBLEMS[name])
    assert arrays is not None
    for missing in arrays:
        with pytest.raises(KeyError, match=missing):
            problem_from(kind, {key: value for key, value in arrays.items() if key != missing})
        if missing not in ("labels", "variables"):  # which are texts
            with pytest.raises((ValueError, TypeError, IndexError)):
                problem_from(kind, arrays | {missing: np.array([[["x", "y"]]])})
    with pytest.raises(KeyError):
        problem_from("TableProblem", arrays)
