"""Resource estimates against exact small systems, samples, and tables; and verdicts that come out both ways."""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import pytest

from carleman.polynomials import quartic
from qhn.carleman.closure import GradientMap, lift
from qhn.carleman.condition_model import extrapolated_condition
from qhn.carleman.history import HistorySystem
from qhn.carleman.inverse_polynomial import inverse_polynomial
from qhn.carleman.loading import LOADING, qrom, select_swap
from qhn.carleman.qsvt import qsvt
from qhn.carleman.question import Rates, ResourceQuestion
from qhn.carleman.regimes import Regime
from qhn.carleman.resource_report import PRESETS, qubit_table, resource_table, rows, scaling_rows, words
from qhn.carleman.resources import estimate_resources, lifted_system
from qhn.carleman.solver_cost import hhl_cost, inverse_peak, qsvt_cost
from qhn.carleman.verdict import judge
from qhn.errors import QhnError

MODELS = tuple(LOADING)
SMALL = ResourceQuestion(17, order=2, num_steps=7, kappa=7.7, sparsity=17)
WINNING = PRESETS["contrived"]


def test_system_qubits_at_three_sizes() -> None:
    found = {(n, order): tuple(qubits) for n, order, *qubits in qubit_table()[1]}
    assert found == {
        ("17", 1): (8, 11, 15),
        ("17", 2): (11, 14, 18),
        ("17", 3): (14, 17, 21),
        ("7,451,044", 1): (26, 29, 33),
        ("7,451,044", 2): (48, 51, 55),
        ("7,451,044", 3): (69, 72, 76),
        ("103,000,000", 1): (30, 33, 37),
        ("103,000,000", 2): (56, 59, 63),
        ("103,000,000", 3): (81, 84, 88),
    }


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("order", [1, 2, 3])
def test_dimension_counts_the_monomials(n: int, order: int) -> None:
    monomials = [m for k in range(1, order + 1) for m in combinations_with_replacement(range(n), k)]
    assert lifted_system(n, order, 3).dimension == len(monomials)


@pytest.mark.parametrize(("num_steps", "num_times"), [(3, 4), (7, 16), (5, 8)])
def test_system_is_as_large_as_the_one_that_is_solved(num_steps: int, num_times: int) -> None:
    system = HistorySystem.of(lift(GradientMap(quartic((1.0, 0.5)), 0.2), 2), np.ones(2), num_steps, num_times)
    assert 2 ** lifted_system(2, 2, num_steps, system.num_idle).qubits == system.size


def test_every_count_of_a_small_question_is_that_by_hand() -> None:
    question = ResourceQuestion(
        4, 2, 3, kappa=2, epsilon=0.1, sparsity=2, kept=3, success_probability=0.5, loading="qrom", encoding_ancillas=3
    )
    found = estimate_resources(question)
    assert asdict(found.system) == {"dimension": 14, "component_qubits": 4, "time_qubits": 2}
    assert asdict(found.qsvt) == {"ancillas": 4, "degree": 5, "phase_qubits": None, "queries": 5}
    assert asdict(found.hhl) == {"ancillas": 7, "degree": None, "phase_qubits": 5, "queries": 62}
    assert (found.readout.runs, found.readout.shots, found.readout.preparations) == (200, 600, 600)
    assert found.t_gates is not None
    per_query = 2 * 8 * 19 + (24 + 1) * 32 + 4 * (6 + 4)  # look-ups among 20, rotations, shift and reflection
    per_preparation = 5 * per_query + 2 * 8 * 6 + 24 * 32  # the right side holds 3 + 4 numbers
    assert asdict(found.t_gates) == {
        "bits": 6,
        "entries": 20,
        "qubits": 2 * 5 + 6 + 2 * 2,
        "per_query": per_query,
        "per_preparation": per_preparation,
        "per_download": 600 * per_preparation,
    }
    assert (found.qubits, found.queries) == (6 + 4 + 20, 3000)
    assert asdict(found.classical) == {
        "entries": 20,
        "descent": 3 * (4 + 4 * (2 + 4)),
        "memory": 20 * (8 + 2) + 2 * 4 * 8,
        "carleman": 3 * 14 * 14,
        "carleman_memory": 14 * 8,
    }
    verdict = judge(found)
    assert verdict.log_classical_seconds == pytest.approx(math.log10(2 * 84 / 1e12))
    assert verdict.log_run_seconds == pytest.approx(math.log10(per_preparation * 1e-6))
    assert verdict.log_quantum_seconds == pytest.approx(math.log10(600 * per_preparation * 1e-6 + 2 * 20 / 1e12))


def test_dense_tensors_have_as_many_terms_as_monomials() -> None:
    found = estimate_resources(ResourceQuestion(17, 2, 3, kappa=2, sparsity=17 * 18 // 2)).classical
    assert found.entries == 17 * (1 + 17 + 153)
    assert found.descent == 3 * 17 * (1 + 17 + 2 * 153)


def test_rows_of_a_sparse_lift_are_sparse() -> None:
    found = estimate_resources(ResourceQuestion(100, 2, 3, kappa=2, sparsity=1, degree=1))
    assert found.classical.carleman == 3 * 5150 * (1 + 1) ** 2


def test_large_counts_are_exact() -> None:
    n, order = 10**18, 64
    dimension = lifted_system(n, order, 10**18).dimension
    assert (dimension + 1) * math.factorial(order) == math.prod(range(n + 1, n + order + 1))
    found = estimate_resources(
        ResourceQuestion(n, order, 10**18, kappa=1e60, epsilon=1e-12, sparsity=n, loading="qrom", decay=1e-30)
    )
    assert found.classical.entries == n * (1 + 64 * n)
    assert found.classical.descent == n * (n + n * n * 64 * 65 // 2)
    assert found.t_gates is not None
    assert all(isinstance(value, int) for value in asdict(found.t_gates).values())
    assert found.t_gates.per_download == found.t_gates.per_preparation * found.readout.preparations
    assert judge(found).winner == "classical"
    assert "Classical wins" in words(found)


@pytest.mark.parametrize(
    ("n", "order", "num_steps", "kappa", "qsvt", "hhl", "degrees"),
    [
        (2, 1, 3, 4.5, 5, 14, (13, 23, 43)),
        (2, 2, 3, 4.6, 7, 16, (13, 23, 45)),
        (2, 2, 7, 7.7, 8, 17, (23, 41, 75)),
    ],
)
def test_solvers_take_what_circuits_took(n, order, num_steps, kappa, qsvt, hhl, degrees) -> None:
    system = lifted_system(n, order, num_steps).qubits
    found = [qsvt_cost(kappa, epsilon) for epsilon in (0.1, 0.01, 1e-4)]
    assert tuple(cost.degree for cost in found) == degrees
    assert system + found[0].ancillas == qsvt
    nine = hhl_cost(kappa, kappa / 2**9)
    assert (nine.phase_qubits, system + nine.ancillas, nine.queries) == (9, hhl, 2 * 511)
    assert estimate_resources(ResourceQuestion(n, order, num_steps, kappa=5.1, epsilon=0.01)).hhl.phase_qubits == 9


@pytest.mark.parametrize(("encoding", "ancillas"), [("dilation", 1), ("structured", 3)])
def test_qubits_are_those_of_the_circuit_of_each_encoding(encoding: str, ancillas: int) -> None:
    system = HistorySystem.of(lift(GradientMap(quartic((1.0, 0.5)), 0.2), 2), np.ones(2), 3)
    circuit = qsvt(system, epsilon=0.1, encoding=encoding)
    found = lifted_system(2, 2, 3).qubits + qsvt_cost(4.5, 0.1, ancillas).ancillas
    assert found == circuit.num_qubits


def test_degree_is_the_rule_of_thumb_for_large_condition_numbers() -> None:
    for kappa in (1e3, 1e9, 1e60):
        assert qsvt_cost(kappa, 1e-4).queries == pytest.approx(kappa * math.log(2 / 1e-4), rel=1e-3)


@pytest.mark.parametrize("kappa", [1.0, 1.5, 4.5, 77.0])
@pytest.mark.parametrize("epsilon", [0.5, 0.1, 1e-4])
def test_peak_is_that_of_the_whole_polynomial(kappa: float, epsilon: float) -> None:
    assert inverse_peak(kappa, epsilon) == pytest.approx(inverse_polynomial(kappa, epsilon).maximum, rel=1e-4)


def test_peak_scales_beyond_what_a_grid_resolves() -> None:
    assert inverse_peak(500, 0.01) == pytest.approx(inverse_polynomial(500, 0.01).maximum, rel=1e-4)
    assert inverse_peak(5e50, 0.01) == pytest.approx(1e48 * inverse_peak(500, 0.01), rel=1e-3)


@pytest.mark.parametrize("curvatures", [(1.0, 0.5), (0.2, 0.1), (0.0, 0.0)])
@pytest.mark.parametrize(("num_steps", "num_times"), [(3, 4), (7, 8), (7, 16), (15, 16)])
@pytest.mark.parametrize("subnormalisation", [1.0, 3.0])
def test_probability_bounds_that_of_an_exact_solver_closely(curvatures, num_steps, num_times, subnormalisation) -> None:
    start = np.array([0.3, -0.2])
    system = HistorySystem.of(lift(GradientMap(quartic(curvatures), 0.2), 1), start, num_steps, num_times)
    left, values, right = np.linalg.svd(system.matrix.toarray())
    kappa, scaled = values[0] / values[-1], values / (values[0] * subnormalisation)
    polynomial = inverse_polynomial(kappa * subnormalisation, 0.01)
    solution = right.T @ (polynomial(scaled) * (left.T @ system.right_side))
    success = np.sum(solution**2) / np.sum(system.right_side**2) / polynomial.maximum**2
    exact = success * system.weight_of_last(solution)
    decay = np.linalg.norm(system.last(system.solution())) / np.linalg.norm(start)
    question = ResourceQuestion(2, 1, num_steps, kappa=kappa, decay=min(1.0, float(decay)), idle=system.num_idle)
    bound = estimate_resources(replace(question, subnormalisation=subnormalisation)).readout.probability
    assert exact <= bound * 1.01**2  # the residual
    assert bound <= 1.5 * exact


def test_shots_give_the_error_that_was_asked_for() -> None:
    """Magnitudes from multinomial counts, half of the shots being for them."""
    question = ResourceQuestion(20, 1, 7, kappa=5, epsilon=0.05, success_probability=0.2)
    rng = np.random.default_rng(1)
    amplitudes = np.abs(rng.normal(size=20)) + 0.5
    amplitudes /= np.linalg.norm(amplitudes)
    shots = estimate_resources(question).readout.shots // 2
    counts = rng.multinomial(shots, [*(0.2 * amplitudes**2), 0.8], size=400)[:, :-1]
    errors = np.linalg.norm(np.sqrt(counts / counts.sum(axis=1, keepdims=True)) - amplitudes, axis=1)
    assert np.sqrt(np.mean(errors**2)) == pytest.approx(0.05, rel=0.05)


def test_no_parameter_has_fewer_than_fifty_expected_counts() -> None:
    readout = estimate_resources(ResourceQuestion(20, 1, 7, kappa=5, epsilon=0.5, success_probability=0.1)).readout
    assert readout.shots / 2 * 0.1 / 20 >= 50
    assert readout.shots_per_parameter * 20 == readout.shots
    assert readout.runs == 40


def test_amplification_is_the_one_with_fewer_uses_of_the_solver() -> None:
    rare = estimate_resources(replace(SMALL, success_probability=1e-6))
    assert rare.readout.rounds == 785
    assert rare.readout.preparations == rare.readout.amplified_shots * 1571 < rare.readout.shots
    assert rare.readout.shots / rare.readout.amplified_shots == pytest.approx(1e6, rel=1e-4)
    assert rare.amplified_depth == 1571 * rare.depth
    sure = estimate_resources(replace(SMALL, success_probability=0.9)).readout
    assert sure.preparations == sure.shots


def test_without_a_loading_model_there_is_no_t_count() -> None:
    found = estimate_resources(SMALL)
    assert found.t_gates is None
    assert found.volume is None
    (row,) = [row for row in rows(found) if "T gate" in row[0]]
    assert row[1] == "not stated"
    assert "here it is not stated" in words(found)
    head, table = resource_table(["103,000,000"])
    cells = {line[1]: line[head.index("T gates")] for line in table}
    assert cells.keys() == set(MODELS)
    assert [model for model, cell in cells.items() if cell == "not stated"] == ["none"]


@pytest.mark.parametrize("entries", [1, 2, 3, 1000, 2**20, 10**6 + 3])
@pytest.mark.parametrize("bits", [1, 8, 50])
def test_select_swap_is_the_best_of_all_blocks(entries: int, bits: int) -> None:
    blocks = [2**p for p in range(22)]
    loading = min(math.ceil(entries / k) + bits * (k - 1) for k in blocks)
    undoing = min(math.ceil(entries / k) + k for k in blocks)
    assert select_swap(entries, bits).t_gates == 4 * (loading + undoing)
    assert select_swap(entries, bits).qubits >= bits


def test_select_swap_trades_qubits_for_t_gates() -> None:
    plain, swapped = qrom(10**9, 32), select_swap(10**9, 32)
    assert swapped.t_gates < plain.t_gates / 1000
    assert swapped.qubits > 1000 * plain.qubits
    assert swapped.t_gates == pytest.approx(8 * math.sqrt(10**9 * 32) + 8 * math.sqrt(10**9), rel=0.1)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("num_parameters", (17, 1000, 10**8)),
        ("order", (1, 2, 3)),
        ("kappa", (2.0, 20.0, 2e3)),
        ("epsilon", (0.1, 0.01, 1e-4)),
        ("sparsity", (1, 4, 17)),
        ("kept", (1, 4, 17)),
        ("subnormalisation", (1.0, 4.0, 100.0)),
        ("decay", (1.0, 0.1, 1e-3)),
        ("stochastic", (False, True)),
        ("encoding_ancillas", (1, 2, 9)),
    ],
)
@pytest.mark.parametrize("loading", ["qrom", "select-swap", "hypothetical-qram"])
def test_t_gates_grow_with_every_difficulty(field: str, values: tuple[Any, ...], loading: str) -> None:
    start = replace(SMALL, sparsity=17, kept=17, loading=loading)
    found = [estimate_resources(replace(start, **{field: value})) for value in values]
    gates = [one.t_gates.per_download for one in found if one.t_gates]
    assert gates == sorted(gates)
    assert gates[0] < gates[-1]
    assert [one.qubits for one in found] == sorted(one.qubits for one in found)


def test_condition_number_follows_the_measured_regimes() -> None:
    at = {regime: [extrapolated_condition(regime, steps) for steps in (3, 63, 1023)] for regime in Regime}
    assert at[Regime.DISSIPATIVE] == pytest.approx([4.5, 17, 20.6], rel=0.01)
    assert at[Regime.ALMOST] == pytest.approx([5.6, 140, 2290], rel=0.01)
    assert at[Regime.DIVERGENT][:2] == pytest.approx([6.8, 18_454], rel=0.01)
    assert at[Regime.DIVERGENT][2] > 1e50
    assert extrapolated_condition(Regime.DIVERGENT, 10**6) == math.inf
    assert extrapolated_condition(Regime.DISSIPATIVE, 1) >= 1
    assert extrapolated_condition(Regime.DISSIPATIVE, 7, idle=56) == pytest.approx(77, rel=0.01)
    assert "extrapolated from two-parameter models, almost dissipative" in words(
        estimate_resources(ResourceQuestion(17, 1, 7, regime="almost dissipative"))
    )


@pytest.mark.parametrize("preset", ["ResNet-like 7,451,044", "103,000,000"])
@pytest.mark.parametrize("loading", MODELS)
def test_classical_wins_at_the_sizes_of_the_paper(preset: str, loading: str) -> None:
    verdict = judge(estimate_resources(replace(PRESETS[preset], loading=loading)))
    assert verdict.winner == "classical"
    assert verdict.log_ratio > 5
    assert verdict.is_bound == (loading == "none")
    text = words(estimate_resources(replace(PRESETS[preset], loading=loading)))
    assert "Classical wins by" in text
    assert "2406.06323" in text
    assert "1e21 to 1e39" in text


def test_quantum_wins_where_nothing_is_realistic() -> None:
    found = estimate_resources(WINNING)
    verdict = judge(found)
    assert verdict.winner == "quantum"
    assert "Quantum wins by 10^" in words(found)
    assert found.qubits > 10**9  # and it is a dense linear map, of which one parameter is read
    assert found.question.order == found.question.num_read == 1
    assert found.question.sparsity == found.question.num_parameters
    assert verdict.log_quantum_seconds > math.log10(1000 * 3e7)  # a thousand years


@pytest.mark.parametrize(
    "change",
    [{"kept": 10**6}, {"kappa": 1e3}, {"num_steps": 100}, {"sparsity": 100}, {"loading": "qrom"}, {"epsilon": 1e-4}],
)
def test_each_realistic_value_turns_the_verdict(change: dict[str, Any]) -> None:
    assert judge(estimate_resources(replace(WINNING, **change))).winner == "classical"


def test_without_a_loading_model_quantum_never_wins() -> None:
    found = estimate_resources(replace(WINNING, loading="none"))
    assert judge(found).winner is None
    assert "No verdict without a model of data loading" in words(found)


def test_break_even_values_are_where_the_verdict_turns() -> None:
    losing = replace(WINNING, num_steps=2000)
    verdict = judge(estimate_resources(losing))
    assert verdict.winner == "classical"
    assert verdict.kappa is not None
    assert verdict.num_steps is not None
    assert judge(estimate_resources(replace(losing, kappa=verdict.kappa * 0.99))).winner == "quantum"
    assert judge(estimate_resources(replace(losing, kappa=verdict.kappa * 1.2))).winner == "classical"
    assert judge(estimate_resources(replace(losing, num_steps=verdict.num_steps))).winner == "quantum"
    assert judge(estimate_resources(replace(losing, num_steps=verdict.num_steps // 2))).winner == "classical"


def test_query_time_is_where_the_verdict_turns() -> None:
    found = estimate_resources(replace(SMALL, sparsity=17, loading="none"))
    limit = judge(found).query_seconds
    assert limit is not None
    for factor, winner in ((0.99, None), (1.01, "classical")):
        faster = replace(SMALL, rates=Rates(t_gate_seconds=limit * factor))
        assert judge(estimate_resources(faster)).winner == winner


def test_faster_machines_win_at_most_what_computing_the_numbers_leaves() -> None:
    question = replace(PRESETS["103,000,000"], loading="select-swap", rates=Rates(t_gate_seconds=1e-30))
    verdict = judge(estimate_resources(question))
    assert verdict.winner == "quantum"
    assert -verdict.log_ratio == pytest.approx(verdict.log_best, abs=1e-6)
    assert verdict.log_best < math.log10(63 * 2)
    assert judge(estimate_resources(ResourceQuestion(17, 1, 1, kappa=2))).query_seconds is None
    assert "would not win with queries that take no time" in words(
        estimate_resources(ResourceQuestion(17, 1, 1, kappa=2))
    )


def test_claims_of_the_paper_are_factors_not_counts() -> None:
    claims = scaling_rows(ResourceQuestion(1024, 1, 10, kappa=5, sparsity=2, epsilon=0.1))
    assert [row[1] for row in claims[:3]] == ["10", "100", "80,000"]
    assert all("constant, and the power of log n (log2 n = 10.0)" in row[2] for row in claims[:3])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"num_parameters": 0}, "num_parameters must be at least 1, got 0"),
        ({"num_parameters": 2.5}, "num_parameters must be an integer"),
        ({"num_parameters": 10**19}, "num_parameters must be at most"),
        ({"order": 0}, "order must be at least 1, got 0"),
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"kappa": 0.5}, "kappa must be a finite number in [1, 1e+60], got 0.5"),
        ({"kappa": math.nan}, "kappa must be a finite number"),
        ({"kappa": "few"}, "kappa must be a number"),
        ({"kappa": None}, "give either kappa or a regime from which it is extrapolated, got neither"),
        ({"regime": "divergent"}, "got kappa 7.7 and regime 'divergent'"),
        ({"kappa": None, "regime": "disipative"}, "got 'disipative'; did you mean 'dissipative'?"),
        ({"kappa": None, "regime": "divergent", "num_steps": 10**4}, "take fewer steps between two re-uploads"),
        ({"epsilon": 0}, "epsilon must be a finite number in [1e-12, 0.5], got 0"),
        ({"sparsity": 154}, "sparsity must be at most 153, got 154"),
        ({"sparsity": 18, "degree": 1}, "sparsity must be at most 17, got 18"),
        ({"kept": 18}, "kept must be at most 17, got 18"),
        ({"idle": -1}, "idle must be at least 0, got -1"),
        ({"decay": 1.5}, "decay must be a finite number"),
        ({"success_probability": 0}, "success_probability must be a finite number"),
        ({"subnormalisation": 0.5}, "subnormalisation must be a finite number"),
        ({"loading": "qroms"}, "loading must be one of none, qrom, select-swap, hypothetical-qram, got 'qroms'; did"),
        ({"loading": ["qrom"]}, "loading must be one of"),
        ({"stochastic": 1}, "stochastic must be True or False, got 1"),
        ({"rates": 1e-6}, "rates must be Rates(t_gate_seconds, flops), got 1e-06"),
    ],
)
def test_bad_questions_are_refused_at_the_door(values: dict[str, Any], message: str) -> None:
    with pytest.raises(QhnError) as error:
        ResourceQuestion(**{"num_parameters": 17, "order": 2, "num_steps": 7, "kappa": 7.7, **values})
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_numbers_of_numpy_are_numbers() -> None:
    question = ResourceQuestion(np.int64(17), np.int64(2), 7.0, kappa=np.float32(8), sparsity=np.uint8(17))
    assert question == replace(SMALL, kappa=8.0)
    assert isinstance(estimate_resources(question).classical.descent, int)
