"""The solvers of a QUBO by name: enumeration, uniform random bits, annealers, and a hypernetwork."""

from __future__ import annotations

from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.problem.landscape import MAX_ENUMERABLE_QUBITS, enumerate_costs
from qhn.seeds import Key, Purpose
from qhn.svr.task import MOST_READS, Found, Solver, Task, check_options
from qhn.text import did_you_mean, shown

RANDOM_READS = 1000


def exact(task: Task) -> Found:
    """The bitstrings of the lowest energies, by enumeration of all.

    Raises:
        QhnError: if there are more than 24 bits, or an option is given.
    """
    check_options("exact", task.options, ())
    num_qubits = task.problem.num_qubits
    if num_qubits > MAX_ENUMERABLE_QUBITS:
        raise QhnError(
            f"solver 'exact' enumerates up to {MAX_ENUMERABLE_QUBITS} bits, the multipliers have {num_qubits}; take "
            "fewer samples, a smaller num_bits or solver 'simulated-annealing'"
        )
    costs = enumerate_costs(task.problem)
    number = min(task.num_solutions, len(costs))
    highest = np.partition(costs, number - 1)[number - 1]
    candidates = np.flatnonzero(costs <= highest)  # equal costs included, of which the order decides
    chosen = candidates[np.argsort(costs[candidates], kind="stable")[:number]]
    return Found(bitstrings.from_integers(chosen, num_qubits))


def uniform(task: Task) -> Found:
    """Uniform random bitstrings, 1,000 unless the option ``num_reads`` says otherwise: the control of all solvers.

    Raises:
        QhnError: if an option is wrong.
    """
    check_options("random", task.options, ("num_reads",))
    number = Whole(1, MOST_READS)("num_reads", task.options.get("num_reads", RANDOM_READS))
    generator = Key(task.seed, Purpose.RANDOM_SEARCH).generator()
    return Found(generator.integers(0, 2, (number, task.problem.num_qubits), dtype=np.uint8))


def simulated_annealing(task: Task) -> Found:
    """Bitstrings from simulated annealing by dwave-samplers, 100 reads of 200 sweeps unless options say otherwise."""
    from qhn.svr import annealing  # with dimod

    return annealing.simulated(task)


def quantum_annealing(task: Task) -> Found:
    """Bitstrings from a quantum annealer of D-Wave, to which the user's own configuration of D-Wave's client leads."""
    from qhn.svr import annealing  # with dimod

    return annealing.on_annealer(task)


def hypernetwork(task: Task) -> Found:
    """Bitstrings measured of a hypernetwork that is trained on the energies, with settings by dotted key as options."""
    from qhn.svr import circuit  # with qiskit

    return circuit.trained(task)


SOLVERS: dict[str, Solver] = {
    "simulated-annealing": simulated_annealing,
    "exact": exact,
    "random": uniform,
    "dwave": quantum_annealing,
    "hypernetwork": hypernetwork,
}


def solver_of(solver: Any) -> Solver:
    """The solver of a name, or that of a sampler of dimod.

    Raises:
        QhnError: if it is neither.

    >>> solver_of("exact") is exact
    True
    """
    if isinstance(solver, str):
        if solver not in SOLVERS:
            hint = did_you_mean(solver, SOLVERS, otherwise=f"choose {', '.join(SOLVERS)} or give a sampler of dimod")
            raise QhnError(f"unknown solver {shown(solver)}; {hint}")
        return SOLVERS[solver]
    if not callable(getattr(solver, "sample", None)) or not hasattr(solver, "parameters"):
        raise QhnError(f"solver must be one of {', '.join(SOLVERS)}, or a sampler of dimod, got {shown(solver)}")
    from qhn.svr import annealing  # with dimod

    return lambda task: annealing.sampled(solver, task)
