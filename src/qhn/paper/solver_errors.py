"""Errors, sizes and success of quantum linear solvers on histories of a lifted descent, as their own circuits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.gate_counts import gate_counts
from qhn.carleman.hhl import hhl
from qhn.carleman.history import HistorySystem
from qhn.carleman.linear_solver import SolverCircuit
from qhn.carleman.qsvt import ENCODINGS, qsvt
from qhn.paper.lift_errors import RATE, quartic
from qhn.quantum_sgd.load import load_descent
from qhn.quantum_sgd.loop import QuantumDescent
from qhn.quantum_sgd.segment import Segment

SYSTEMS = ((1, 3), (2, 3), (2, 7))  # truncation orders and steps: 8, 32 and 64 unknowns
EPSILONS = (0.3, 0.1, 0.01, 1e-3, 1e-4, 1e-6)  # relative errors that QSVT is asked for
COUNTED = 0.01  # the relative error at which gates are counted
PHASE_QUBITS = (4, 5, 6, 7, 8, 9)  # of HHL
SMALL, SMALL_EPSILONS = "three-qubits", (0.3, 0.1, 0.01)  # descent on three qubits, and errors that are asked for
REHEARSAL, REHEARSAL_SHOTS = "fake_torino", 20_000
AS_WRITTEN, SHORTEST = 1, 3  # levels of the compiler: gate for gate, and whatever has the same matrix


@dataclass(frozen=True)
class Solution:
    """The solution of a system by one circuit, without shots.

    Attributes:
        num_unknowns: number of unknowns of the system.
        kappa: condition number κ of the system.
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
        gates: CX of the circuit, all qubits connected; None where they were not counted.
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
    gates: int | None


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
        gates=gate_counts(circuit.circuit).two_qubit_gates if asked == COUNTED else None,
    )


def selected(found: Sequence[Solution], num_unknowns: int, encoding: str) -> list[Solution]:
    """The solutions of a system with one encoding, in the order of what was asked."""
    return [one for one in found if (one.num_unknowns, one.encoding) == (num_unknowns, encoding)]


@dataclass(frozen=True)
class SmallCircuit:
    """The circuit of one step of one parameter of the digits, the smallest there is.

    Attributes:
        epsilon: relative error that was asked for.
        qubits: number of qubits.
        degree: degree of the polynomial.
        gates: CX of the circuit as it is written.
        shortest: CX of the shortest circuit that the compiler finds for the product of its matrices.
        success: probability that all ancillas are measured 0.
        error: error of the parameter's update, relative to that by true descent.
    """

    epsilon: float
    qubits: int
    degree: int
    gates: int
    shortest: int
    success: float
    error: float


def small_circuits() -> list[SmallCircuit]:
    """The smallest circuit with exact amplitudes, by the error that is asked for."""
    return [_small_circuit(epsilon) for epsilon in SMALL_EPSILONS]


def _small_circuit(epsilon: float) -> SmallCircuit:
    settings = {"machine.backend": "exact", "machine.shots": "none", "descent.segments": 1, "solver.epsilon": epsilon}
    descent = QuantumDescent(load_descent(SMALL, settings))
    task = descent.task()
    assert task is not None
    system = task.upload.system
    solver = task.solver(system.matrix, system.right_side)
    gates, shortest = (gate_counts(solver.circuit, level).two_qubit_gates for level in (AS_WRITTEN, SHORTEST))
    segment = next(iter(descent))
    success = solver.amplitudes().success
    return SmallCircuit(
        epsilon, solver.num_qubits, solver.facts.degree, gates, shortest, success, segment.update_error
    )  # fmt: skip


def rehearsed(backend: str = REHEARSAL, shots: int = REHEARSAL_SHOTS) -> Segment:
    """One segment of the smallest circuits on a rehearsed device, with its noise and its own basis of gates.

    Args:
        backend: name of the rehearsed device.
        shots: number of shots over both circuits.
    """
    settings = {"machine.backend": backend, "machine.shots": shots, "descent.segments": 1}
    return next(iter(QuantumDescent(load_descent(SMALL, settings))))
