"""The kinds of problems that are data themselves: written as arrays, they are made again without the user's program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from qhn.problem.cost import Problem
from qhn.problem.labs import LabsProblem
from qhn.problem.max_cut import MaxCutProblem
from qhn.problem.quadratic import QuadraticProblem

KINDS = {kind.__name__: kind for kind in (QuadraticProblem, MaxCutProblem, LabsProblem)}


def arrays_of(problem: Problem) -> dict[str, NDArray[Any]] | None:
    """A problem as plain arrays by name, from which :func:`problem_from` makes it again; None for other kinds.

    >>> arrays_of(LabsProblem(5))
    {'num_qubits': array(5)}
    """
    kind: Any = type(problem)
    return kind.arrays(problem) if kind in KINDS.values() else None


def problem_from(kind: str, arrays: Mapping[str, NDArray[Any]]) -> Problem:
    """The problem that :func:`arrays_of` wrote.

    Args:
        kind: the name of the problem's class, one of :data:`KINDS`.
        arrays: arrays of the problem by name.

    Raises:
        ValueError, KeyError, TypeError, IndexError: if an array is missing, or has another form.

    >>> problem_from("LabsProblem", arrays_of(LabsProblem(5))).num_qubits
    5
    """
    return KINDS[kind].from_arrays(arrays)
