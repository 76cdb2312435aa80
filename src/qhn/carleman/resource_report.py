"""A resource estimate for readers: rows of a table, the verdict in words, and what others claim or counted beside it.

>>> print(words(estimate_resources(PRESETS["ResNet-like 7,451,044"])).splitlines()[0])
7,451,044 parameters, 745,104 of them read, 63 steps, truncation N = 2, sparsity 100, error 0.01
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from qhn.carleman.loading import LOADING
from qhn.carleman.question import ResourceQuestion
from qhn.carleman.resources import Resources, estimate_resources, lifted_system
from qhn.carleman.verdict import Verdict, judge
from qhn.text import Row, aligned, counted

YEAR = 365.25 * 86_400  # seconds
EXACT_BELOW = 10**7  # counts below are printed digit by digit
NOT_STATED = "not stated"
PENUEL = (
    "Penuel et al. (arXiv:2406.06323) counted 1e21 to 1e39 logical qubits x T gates for drag forces by Carleman "
    "linearisation of fluid dynamics, and found no exponential advantage"
)
PRESETS = {  # 90 % pruned; the sparsity, the regime and the absence of decay are assumptions
    "ResNet-like 7,451,044": ResourceQuestion(7_451_044, 2, 63, regime="dissipative", sparsity=100, kept=745_104),
    "103,000,000": ResourceQuestion(103_000_000, 2, 63, regime="dissipative", sparsity=100, kept=10_300_000),
    "contrived": ResourceQuestion(10**9, 1, 10**6, kappa=5, epsilon=0.3, sparsity=10**9, kept=1, loading="select-swap"),
}
QUBIT_TABLE_STEPS = (7, 63, 1023)
QUBIT_TABLE_PARAMETERS = (17, 7_451_044, 103_000_000)
QUBIT_TABLE_ORDERS = (1, 2, 3)


def qubit_table() -> tuple[Row, list[Row]]:
    """The head and the rows of a table of system qubits by parameters, truncation and steps.

    >>> qubit_table()[1][3]
    ('7,451,044', 1, 26, 29, 33)
    """
    rows: list[Row] = [
        (f"{n:,}", order, *(lifted_system(n, order, steps).qubits for steps in QUBIT_TABLE_STEPS))
        for n in QUBIT_TABLE_PARAMETERS
        for order in QUBIT_TABLE_ORDERS
    ]
    return ("parameters", "N", *(f"qubits, T = {steps:,}" for steps in QUBIT_TABLE_STEPS)), rows


def resource_table(names: Sequence[str] = tuple(PRESETS)) -> tuple[Row, list[Row]]:
    """The head and the rows of a table of the presets' estimates under every model of data loading.

    Args:
        names: presets that are shown.
    """
    head = (
        "preset",
        "loading",
        "qubits",
        "queries",
        "p_T",
        "shots",
        "T gates",
        "qubits x T gates",
        "classical",
        "verdict",
    )
    rows: list[Row] = []
    for name in names:
        for loading in LOADING:
            found = estimate_resources(replace(PRESETS[name], loading=loading))
            gates = found.t_gates
            rows.append(
                (
                    name,
                    loading,
                    count(found.qubits),
                    count(found.queries),
                    f"{found.readout.probability:.2g}",
                    count(found.readout.shots),
                    NOT_STATED if gates is None else count(gates.per_download),
                    NOT_STATED if found.volume is None else count(found.volume),
                    count(found.classical.descent),
                    verdict_in_brief(judge(found)),
                )
            )
    return head, rows


def rows(resources: Resources) -> list[tuple[str, str, str]]:
    """The rows of a table of an estimate: quantity, value, and the formula or assumption behind it."""
    return [*_circuit_rows(resources), *_readout_rows(resources), *_gate_rows(resources), *_classical_rows(resources)]


def _circuit_rows(resources: Resources) -> list[tuple[str, str, str]]:
    question, system, qsvt, hhl = resources.question, resources.system, resources.qsvt, resources.hhl
    source = "given" if question.regime is None else f"extrapolated from two-parameter models, {question.regime} regime"
    encoded = "" if question.subnormalisation == 1 else f", times {question.subnormalisation:g} by the block encoding"
    return [
        ("components of the lift", count(system.dimension), "C(n + N, N) - 1"),
        (
            "system qubits",
            count(system.qubits),
            f"{system.component_qubits} of components, {system.time_qubits} of time",
        ),
        ("condition number", f"{question.condition:.3g}", source + encoded),
        (
            "QSVT ancillas",
            count(qsvt.ancillas),
            "block encoding, and one for phases and real part; without data loading",
        ),
        (
            "QSVT degree = queries = depth",
            count(qsvt.queries),
            "least degree of the Chebyshev residual, ~ kappa ln(2/epsilon)",
        ),
        ("HHL ancillas", count(hhl.ancillas), f"{hhl.phase_qubits} of phase, log2(kappa/epsilon): a rule of thumb"),
        ("HHL evolutions", count(hhl.queries), "2 (2^m - 1) controlled evolutions, each of several queries"),
    ]


def _readout_rows(resources: Resources) -> list[tuple[str, str, str]]:
    readout, question = resources.readout, resources.question
    found = (
        [] if readout.success is None else [("success of the solver", f"{readout.success:.2g}", "upper bound, |A| = 2")]
    )
    if readout.weight is not None:
        found.append(("weight of u(T)", f"{readout.weight:.2g}", f"geometric decay by {question.decay:g} in all"))
    how = "success x weight" if readout.success is not None else "given"
    return [
        *found,
        ("probability p_T of a useful run", f"{readout.probability:.2g}", how),
        ("runs for one amplitude", count(readout.runs), "1/(p_T epsilon^2)"),
        ("shots a download", count(readout.shots), "2 K max(1/(4 epsilon^2), 50)/p_T: magnitudes and signs"),
        ("shots a parameter read", count(readout.shots_per_parameter), f"K = {count(question.num_read)}"),
        (
            "shots, amplified",
            count(readout.amplified_shots),
            f"{counted(readout.rounds, 'round')} of amplitude amplification: depth {count(resources.amplified_depth)}",
        ),
        (
            "queries a download",
            count(resources.queries),
            "the fewer of both; amplitude estimation, not counted, could save up to 1/epsilon",
        ),
    ]


def _gate_rows(resources: Resources) -> list[tuple[str, str, str]]:
    gates, statement = resources.t_gates, LOADING[resources.question.loading].statement
    if gates is None:
        return [("T gates", NOT_STATED, statement)]
    return [
        ("data loading", resources.question.loading, statement),
        ("numbers to load", count(gates.entries), f"constants and terms, {gates.bits} bits each, and their indices"),
        ("logical qubits in all", count(resources.qubits), f"{count(gates.qubits)} of data loading"),
        ("T gates a query", count(gates.per_query), "4 a Toffoli gate, 3 log2(1/delta) a rotation"),
        ("T gates a preparation", count(gates.per_preparation), ""),
        ("T gates a download", count(gates.per_download), ""),
        ("logical qubits x T gates", count(resources.qubits * gates.per_download), ""),
    ]


def _classical_rows(resources: Resources) -> list[tuple[str, str, str]]:
    classical = resources.classical
    return [
        ("classical descent", count(classical.descent), "multiply-adds of T true steps, j for a term of degree j"),
        ("classical memory", f"{count(classical.memory)} bytes", "the same sparse tensors"),
        ("classical Carleman", count(classical.carleman), "multiply-adds of T steps of the lift, at most"),
        ("classical Carleman memory", f"{count(classical.carleman_memory)} bytes", "one vector of the lift"),
    ]


def words(resources: Resources) -> str:
    """The estimate as text: the question, its table, the verdict, the paper's claims and a published costing."""
    question = resources.question
    first = (
        f"{question.num_parameters:,} parameters, {question.num_read:,} of them read, "
        f"{counted(question.num_steps, 'step')}, truncation N = {question.order}, sparsity {question.sparsity:,}, "
        f"error {question.epsilon:g}"
    )
    table = aligned(("quantity", "value", "how"), rows(resources))
    claims = aligned(("claim", "its leading factor", "what is unknown"), scaling_rows(question))
    ours = NOT_STATED if resources.volume is None else count(resources.volume)
    return "\n\n".join(
        (first, table, verdict_in_words(resources, judge(resources)), claims, f"{PENUEL}; here it is {ours}.")
    )


def verdict_in_brief(verdict: Verdict) -> str:
    """The verdict in a few words, for a cell of a table."""
    if verdict.winner is None:
        return "open: no loading model"
    bound = "at least " if verdict.is_bound else ""
    return f"{verdict.winner} wins by {bound}10^{abs(verdict.log_ratio):.1f}"


def verdict_in_words(resources: Resources, verdict: Verdict) -> str:
    """The verdict as sentences: who wins and by how much, and at which query time, κ and T it would be otherwise."""
    rates = resources.question.rates
    speeds = f"{rates.t_gate_seconds:g} s a T gate in sequence, {rates.flops:g} floating-point operations a second"
    times = f"{duration(verdict.log_quantum_seconds)} against {duration(verdict.log_classical_seconds)} ({speeds})"
    if verdict.is_bound:
        bound = "if a query took one T gate only, which is a lower bound"
        head = {
            "classical": f"Classical wins by at least 10^{verdict.log_ratio:.1f}, even {bound}: {times}.",
            None: f"No verdict without a model of data loading: {bound}, it would be {times}.",
        }[verdict.winner]
    else:
        head = f"{str(verdict.winner).capitalize()} wins by 10^{abs(verdict.log_ratio):.1f}: {times}."
    return " ".join((head, *_conditions(resources, verdict)))


def _least(verdict: Verdict) -> str:
    return " at least" if verdict.is_bound else ""


def _conditions(resources: Resources, verdict: Verdict) -> list[str]:
    """The sentences that say what a quantum computer needs to win."""
    question = resources.question
    query = verdict.query_seconds
    found = [
        f"One run of the solver, which yields one sample, takes {duration(verdict.log_run_seconds)}{_least(verdict)}.",
        "The numbers to load are computed classically first, so that quantum could win by "
        f"10^{verdict.log_best:.1f} at most, however fast it were.",
    ]
    if query is None:
        found.append("Quantum would not win with queries that take no time.")
    else:
        gates = query / question.rates.t_gate_seconds
        found.append(f"Quantum wins if a query takes less than {query:.2g} s, the time of {gates:.2g} T gates.")
    under = "" if resources.t_gates is None else " with this data loading"
    found.append(
        f"No condition number, not even 1, would be small enough{under}."
        if verdict.kappa is None
        else f"The condition number may be {verdict.kappa:.3g} at most{under}; it is {question.condition:.3g}."
    )
    held = (
        f"kappa stayed at {question.condition:.3g}"
        if question.regime is None
        else f"kappa followed its {question.regime} curve"
    )
    held += ", nothing decayed and the truncation held"
    found.append(
        f"No number of steps would be large enough, if {held}."
        if verdict.num_steps is None
        else f"It takes {count(verdict.num_steps)} steps or fewer, if {held}."
        if verdict.num_steps == question.num_steps
        else f"It would take about {count(verdict.num_steps)} steps, if {held}."
    )
    return found


def scaling_rows(question: ResourceQuestion) -> list[tuple[str, str, str]]:
    """The scaling that the paper claims, which is no count: its constants and powers of log n are unknown."""
    steps, log_n = question.num_steps, math.log2(question.num_parameters)
    unknown = f"constant, and the power of log n (log2 n = {log_n:.1f})"
    precise = question.sparsity**3 * steps**2 / question.epsilon**2
    return [
        ("paper, fully dissipative: T polylog n", count(steps), unknown),
        ("paper, almost dissipative: T^2 polylog n", count(steps**2), unknown),
        ("paper, with precision: s^3 T^2/epsilon^2 polylog n", count(round(precise)), unknown),
        (
            "this estimate: queries a download",
            count(estimate_resources(question).queries),
            "none, under its assumptions",
        ),
    ]


def count(number: float | Decimal) -> str:
    """A count in text: digit by digit if it is small, else two significant digits.

    >>> count(7_451_044), count(2 * 10**400)
    ('7,451,044', '2.0e400')
    """
    if number < EXACT_BELOW and number == int(number):
        return f"{int(number):,}"
    return f"{Decimal(number):.1e}".replace("e+", "e")


def duration(log_seconds: float) -> str:
    """A time in text from its decimal logarithm in seconds: in seconds or, if it is long, in years.

    >>> duration(-3), duration(12.0), duration(400.0)
    ('0.001 s', '3.2e4 years', '3.2e392 years')
    """
    if log_seconds < math.log10(YEAR):
        return f"{10**log_seconds:.2g} s"
    log_years = log_seconds - math.log10(YEAR)
    return f"{10**log_years:.2g} years" if log_years < 2 else f"{count(Decimal(10) ** Decimal(log_years))} years"
