"""Errors, sizes and success of quantum linear solvers on histories of a lifted descent, as their own circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from qhn.arrays import Floats
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.gate_counts import gate_counts
from qhn.carleman.hhl import hhl
from qhn.carleman.history import HistorySystem
from qhn.carleman.linear_solver import SolverCircuit
from qhn.carleman.polynomial import PolynomialGradient
from qhn.carleman.qsvt import ENCODINGS, qsvt
from qhn.paper.lift_errors import RATE, quartic

SYSTEMS = ((1, 3), (2, 3), (2, 7))  # truncation orders and steps: 8, 32 and 64 unknowns
EPSILONS = (0.3, 0.1, 0.01, 1e-3, 1e-4, 1e-6)  # relative errors that QSVT is asked for
PHASE_QUBITS = (4, 5, 6, 7, 8, 9)  # of HHL
SMALL_EPSILONS = (0.3, 0.1, 0.01)  # that are asked for on three qubits
AS_WRITTEN, SHORTEST = 1, 3  # levels of the compiler: gate for gate, and whatever has the same matrix


@dataclass(frozen=True)
class Solution:
    """The solution of a system by one circuit, without shots.

    Attributes:
        num_unknowns: number of unknowns of the system.
        kappa: its condition number κ.
        method: name of the solver.
        encoding: how the matrix is made a circuit.
        asked: relative error that was asked for, or the number of phase qubits.
        qubits: number of qubits of the circuit.
        subnormalisation: factor α by which the matrix is divided.
        degree: degree of the polynomial, or the largest power of the evolution.
        queries: uses of the block encoding or of the evolution.
        error: distance of the solution from that by forward substitution, relative to its norm.
        bound: bound on ``error`` that was stated before.
        success: probability that all ancillas are measured 0.
    """

    num_unknowns: int
    kappa: float
    method: str
    encoding: str
    asked: float
    qubits: int
    subnormalisation: float
    degree: int
    queries: int
    error: float
    bound: float
    success: float


@cache
def system_of(order: int, num_steps: int) -> HistorySystem:
    """The history of the quartic function's descent from a displacement of 0.3, with one idle time at most."""
    return HistorySystem.of(lift(GradientMap(quartic(1.0), RATE), order), 0.3 * np.array([0.8, 0.6]), num_steps)


def solutions_of(shape: tuple[int, int]) -> list[Solution]:
    """The solutions of one system, given by its order and its steps, by all solvers and settings."""
    system = system_of(*shape)
    found = [
        _solution(system, qsvt(system, epsilon=epsilon, encoding=encoding), epsilon)
        for encoding in ENCODINGS
        for epsilon in EPSILONS
    ]
    return found + [_solution(system, hhl(system.matrix, system.right_side, bits), bits) for bits in PHASE_QUBITS]


def _solution(system: HistorySystem, circuit: SolverCircuit, asked: float) -> Solution:
    found, success = circuit.amplitudes()
    true, facts = system.solution(), circuit.facts
    return Solution(
        num_unknowns=system.size,
        kappa=system.condition_number(),
        method=facts.method,
        encoding=facts.encoding,
        asked=asked,
        qubits=circuit.num_qubits,
        subnormalisation=facts.subnormalisation,
        degree=facts.degree,
        queries=facts.queries,
        error=float(np.linalg.norm(found - true) / np.linalg.norm(true)),
        bound=np.inf if facts.error_bound is None else facts.error_bound,
        success=success,
    )


def selected(found: Sequence[Solution], num_unknowns: int, encoding: str) -> list[Solution]:
    """The solutions of a system with one encoding, in the order of what was asked."""
    return [one for one in found if (one.num_unknowns, one.encoding) == (num_unknowns, encoding)]


@dataclass(frozen=True)
class SmallCircuit:
    """The circuit of one step of one parameter, the smallest there is.

    Attributes:
        epsilon: relative error that was asked for.
        qubits: number of qubits.
        degree: degree of the polynomial.
        gates: CX of the circuit as it is written.
        shortest: CX of the shortest circuit that the compiler finds for the product of its matrices.
        update: update of the parameter by the circuit.
        true: update by true descent.
    """

    epsilon: float
    qubits: int
    degree: int
    gates: int
    shortest: int
    update: float
    true: float


def small_circuits() -> list[SmallCircuit]:
    """One step from 0.3 on a parabola of curvature 1, in order 1, by the error that is asked for."""
    start, parabola = np.array([0.3]), PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.eye(1)))
    system = HistorySystem.of(lift(GradientMap(parabola, RATE), 1), start, 1)
    true = float(-RATE * parabola.gradient(start)[0])
    found = []
    for epsilon in SMALL_EPSILONS:
        solver = qsvt(system, epsilon=epsilon)
        end: Floats = system.last(solver.amplitudes().vector)
        gates, shortest = (gate_counts(solver.circuit, level).two_qubit_gates for level in (AS_WRITTEN, SHORTEST))
        update = float(end[0] - start[0])
        found.append(SmallCircuit(epsilon, solver.num_qubits, solver.facts.degree, gates, shortest, update, true))
    return found
