"""Who wins, the quantum or the classical computer, by how much, and what would have to change.

Times are compared as decimal logarithms, since some of them are beyond every floating-point number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from qhn.carleman.condition_model import MAX_CONDITION, extrapolated_condition
from qhn.carleman.question import MAX_COUNT, ResourceQuestion
from qhn.carleman.regimes import Regime
from qhn.carleman.resources import Resources, estimate_resources

FLOPS_PER_MULTIPLY_ADD = 2
BISECTIONS = 60


@dataclass(frozen=True)
class Verdict:
    """The comparison of the times of a download and of the same steps classically.

    Attributes:
        winner: ``"classical"`` or ``"quantum"``; None where only a model of data loading could tell.
        is_bound: whether the quantum time is a lower bound, one T gate a query, for want of a model of data loading.
        log_ratio: log₁₀ of quantum time over classical time; above 0 the classical computer is faster.
        log_quantum_seconds, log_classical_seconds: log₁₀ of either time in seconds; the quantum one includes the
            classical computation of the numbers that are loaded, one multiply-add each.
        log_run_seconds: log₁₀ of the time in seconds of one use of the solver, without any download.
        log_best: log₁₀ of the largest gain, that of a quantum computer which takes no time after those numbers.
        query_seconds: time of a query below which the quantum computer would win; None if at no time.
        kappa: largest κ at which the quantum computer wins, all else equal; None if at none.
        num_steps: a number of steps, T times a power of two, from which on it wins, κ by its regime or held; None if
            at none.
    """

    winner: str | None
    is_bound: bool
    log_ratio: float
    log_quantum_seconds: float
    log_classical_seconds: float
    log_run_seconds: float
    log_best: float
    query_seconds: float | None
    kappa: float | None
    num_steps: int | None


def judge(resources: Resources) -> Verdict:
    """The verdict on an estimate, with what would have to change for the quantum computer to win.

    >>> question = ResourceQuestion(7_451_044, order=2, num_steps=63, regime="dissipative", sparsity=100)
    >>> judge(estimate_resources(question)).winner
    'classical'
    """
    question = resources.question
    quantum, classical, preparing = _times(resources)
    is_bound = resources.t_gates is None
    run = resources.t_gates.per_preparation if resources.t_gates else resources.depth
    log_ratio = quantum - classical
    winner = "classical" if log_ratio > 0 else None if is_bound else "quantum"
    spare = _log_difference(classical, preparing)
    return Verdict(
        winner,
        is_bound,
        log_ratio,
        quantum,
        classical,
        math.log10(run) + math.log10(question.rates.t_gate_seconds),
        classical - preparing,
        None if spare is None else 10 ** (spare - math.log10(resources.queries)),
        _largest_kappa(question),
        _least_steps(question),
    )


def _times(resources: Resources) -> tuple[float, float, float]:
    """The logarithms of the quantum time, the classical time and the classical part of the quantum time."""
    rates = resources.question.rates
    flop = math.log10(FLOPS_PER_MULTIPLY_ADD / rates.flops)
    gates = resources.t_gates.per_download if resources.t_gates else resources.queries
    preparing = math.log10(resources.classical.entries) + flop
    quantum = _log_sum(math.log10(gates) + math.log10(rates.t_gate_seconds), preparing)
    return quantum, math.log10(resources.classical.descent) + flop, preparing


def _quantum_wins(question: ResourceQuestion) -> bool:
    quantum, classical, _ = _times(estimate_resources(question))
    return quantum <= classical


def _largest_kappa(question: ResourceQuestion) -> float | None:
    """The largest κ at which the quantum computer wins, by bisection of its logarithm."""

    def wins(logarithm: float) -> bool:
        return _quantum_wins(replace(question, kappa=10**logarithm, regime=None))

    low, high = 0.0, math.log10(MAX_CONDITION) - 1e-9  # 10**60.0 may round up, out of bounds
    if not wins(low):
        return None
    if wins(high):
        return MAX_CONDITION
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if wins(middle) else (low, middle)
    return float(10**low)


def _least_steps(question: ResourceQuestion) -> int | None:
    """The first of T, 2T, 4T, … at which the quantum computer wins."""
    steps = question.num_steps
    while steps <= MAX_COUNT and (
        question.regime is None or _is_in_reach(Regime(question.regime), steps, question.idle)
    ):
        if _quantum_wins(replace(question, num_steps=steps)):
            return steps
        steps *= 2
    return None


def _is_in_reach(regime: Regime, num_steps: int, idle: int) -> bool:
    return extrapolated_condition(regime, num_steps, idle) <= MAX_CONDITION


def _log_sum(first: float, second: float) -> float:
    """The logarithm of a sum, from the logarithms of its terms."""
    larger, smaller = max(first, second), min(first, second)
    return larger + math.log10(1 + 10 ** (smaller - larger))


def _log_difference(first: float, second: float) -> float | None:
    """The logarithm of a difference, from the logarithms of its terms; None if it is not above 0."""
    return first + math.log10(1 - 10 ** (second - first)) if first > second else None
