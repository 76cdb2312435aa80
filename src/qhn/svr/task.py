"""The work that a solver of a QUBO is given, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits
from qhn.errors import QhnError
from qhn.problem.quadratic import QuadraticProblem
from qhn.text import did_you_mean, shown

MOST_READS = 10_000_000


@dataclass(frozen=True)
class Task:
    """The work that a solver is given.

    Attributes:
        problem: the energies of bitstrings.
        num_solutions: number of different bitstrings that are wanted.
        options: the options of the solver by name.
        seed: the seed of its random numbers.
        is_repeatable: whether the seed was given, so that the same task has it again.
        results: directory in which a hypernetwork keeps the record of its training; None to keep none.
    """

    problem: QuadraticProblem
    num_solutions: int
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    is_repeatable: bool = True
    results: str | Path | None = None


@dataclass(frozen=True)
class Found:
    """The result of a solver.

    Attributes:
        bits: bitstrings, in any order and with repetitions, ``[n, num_qubits]``.
        info: what the solver tells of its work, by name.
    """

    bits: Bits
    info: dict[str, Any] = field(default_factory=dict)


Solver = Callable[[Task], Found]


def best(task: Task, found: Found) -> Bits:
    """The different bitstrings of the lowest energies that a solver found, of ascending energy.

    Args:
        task: the task, which says how many are wanted.
        found: the result of the solver, which may hold fewer.

    Returns:
        Bitstrings ``[n, num_qubits]``, n at most ``task.num_solutions``.
    """
    bits, _ = bitstrings.distinct(found.bits)
    lowest: Bits = bits[np.argsort(task.problem.cost(bits), kind="stable")[: task.num_solutions]]
    return lowest


def check_options(solver: str, options: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse options that a solver does not have.

    Args:
        solver: the name of the solver.
        options: the options by name.
        known: the names of the options that it has.

    Raises:
        QhnError: if there is another.
    """
    for name in options:
        if name not in known:
            listed = ", ".join(sorted(known))
            hint = did_you_mean(str(name), known, otherwise=f"it has {listed}" if listed else "it has none")
            raise QhnError(f"solver {solver!r} has no option {shown(name)}; {hint}")
