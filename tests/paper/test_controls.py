"""Controls of "entanglement helps": the circuits, what restarts are paid, and verdicts where the right one is known."""

from __future__ import annotations

import csv
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qhn.baseline.autoregressive import Autoregressive
from qhn.baseline.born_machine import BornMachine
from qhn.baseline.classical import passes
from qhn.circuit.hypernetwork import Hypernetwork, Order, hypernetwork, product_state
from qhn.config.file import load_config
from qhn.exact.energy import Energy
from qhn.exact.state_vector import StateVectorEnergy
from qhn.paper import controls
from qhn.paper.claims import Verdict
from qhn.paper.control_arms import Arm, Starts, best_of_restarts, initial, rows_of, train
from qhn.paper.control_circuits import Rewired, scattered, unentangled
from qhn.paper.control_claims import (
    AUTOREGRESSIVE,
    MIDDLE,
    PRODUCT,
    add_claims,
    add_sampled_claims,
    born_name,
    circuit_name,
    scattered_name,
    unentangled_name,
)
from qhn.paper.control_searches import Sampled, Search, above_within, sampled
from qhn.paper.family import Family
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.pictures import ORDERS, search_curves
from qhn.paper.section import Writer
from qhn.problem.landscape import enumerate_costs
from qhn.run.training import train as train_run
from qhn.sweep.plan import make_sweep
from qhn.sweep.survey import Rate, Survey
from qhn.sweep.workers import advance


def probabilities_of_qiskit(circuit: Hypernetwork, theta: np.ndarray) -> np.ndarray:
    return Statevector(circuit.circuit.assign_parameters(theta)).probabilities()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("num_qubits", [5, 6])
def test_circuits_with_cx_on_random_pairs_are_those_of_qiskit(
    num_qubits: int, order: Order, rng: np.random.Generator
) -> None:
    usual, circuit = Hypernetwork(num_qubits, 2, order), scattered(num_qubits, 2, order, rng)
    assert circuit.bricks != tuple(map(tuple, map(usual.brick, range(4))))
    for block in range(4):
        pairs = circuit.brick(block)
        assert len(pairs) == len(usual.brick(block))
        assert len({qubit for pair in pairs for qubit in pair}) == 2 * len(pairs)
    theta, costs = rng.uniform(0, 2 * np.pi, (3, circuit.num_parameters)), rng.normal(size=2**num_qubits)
    values, grads = StateVectorEnergy(circuit, costs).value_and_grad(theta)
    expected = [probabilities_of_qiskit(circuit, row) @ costs for row in theta]
    assert values == pytest.approx(expected, abs=1e-12)
    for index in range(circuit.num_parameters):
        shift = 0.5 * np.pi * (np.arange(circuit.num_parameters) == index)
        up, down = (probabilities_of_qiskit(circuit, theta[0] + sign * shift) @ costs for sign in (1, -1))
        assert grads[0, index] == pytest.approx(0.5 * (up - down), abs=1e-12)


def test_placements_differ_from_seed_to_seed_and_are_drawn_again() -> None:
    first, again, other = (scattered(14, 2, "eq5", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_without_cx_a_circuit_is_the_product_state_of_the_total_rotation(
    num_layers: int, rng: np.random.Generator
) -> None:
    circuit, costs = unentangled(6, num_layers), rng.normal(size=64)
    theta = rng.uniform(0, 2 * np.pi, (4, circuit.num_blocks, 2, 6))
    values = Energy(circuit, costs)(theta.reshape(4, -1))
    assert values == pytest.approx([probabilities_of_qiskit(circuit, row.ravel()) @ costs for row in theta], abs=1e-12)
    theta[:, :, 1] = 0.0  # without RZ, rotations about one axis add up
    total = np.concatenate([theta[:, :, 0].sum(axis=1), np.zeros((4, 6))], axis=1)
    expected = Energy(product_state(6), costs)(total)
    assert Energy(circuit, costs)(theta.reshape(4, -1)) == pytest.approx(expected, abs=1e-12)


def test_the_usual_bricks_make_the_usual_circuit(rng: np.random.Generator) -> None:
    usual = hypernetwork(5, 2)
    same = Rewired(5, 2, bricks=tuple(tuple(usual.brick(block)) for block in range(4)))
    theta, costs = rng.uniform(0, 2 * np.pi, (2, usual.num_parameters)), rng.normal(size=32)
    for ours, theirs in zip(
        StateVectorEnergy(same, costs).value_and_grad(theta), Energy(usual, costs).value_and_grad(theta), strict=True
    ):
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_controls_start_where_the_runs_of_figure_2_do() -> None:
    config = load_config("gaussian-activation", {"train.seed": 7, "ansatz.num_layers": 2})
    circuit = hypernetwork(14, 2)
    assert np.array_equal(initial(circuit, 7), config.initial_theta(circuit))


@pytest.mark.parametrize(
    "method", [product_state(4), (1, "authors"), Autoregressive(4), BornMachine((2, 2, 2))], ids=str
)
def test_training_lowers_e_and_does_not_depend_on_the_company_of_a_start(method, rng: np.random.Generator) -> None:
    costs = rng.normal(size=16)
    values, gradients, converged = train(Starts(method, range(6)), costs)
    assert converged.all()
    assert values.min() >= costs.min() - 1e-12
    assert (values < costs.mean()).mean() > 0.5
    assert (gradients > 1).all()
    again, *_ = train(Starts(method, range(4, 6)), costs)
    assert again == pytest.approx(values[4:], abs=1e-6)


# ---------------------------------------------------------------- what is paid


def arm(above: list[float], gradients: list[int], rows: int | None = 1) -> Arm:
    return Arm("planted", 1, rows, np.array(above), np.array(gradients), Rate(1, 1))


def test_restarts_get_what_they_are_paid_for_and_no_start_twice() -> None:
    pool = arm([0.5, 0.1, 0.4, 0.3, 0.2, 0.9], [10, 10, 30, 10, 10, 10])
    found = best_of_restarts(pool, np.array([25.0, 5.0, 20.0, 100.0]))
    assert [values.tolist() for values in found] == [[0.5, 0.1], [0.3], [0.2, 0.9]]  # and none is left for the last


def test_starts_that_budgets_pay_for_are_a_fair_sample(rng: np.random.Generator) -> None:
    long = rng.random(200_000) < 0.5  # starts that take ten times as long, and succeed
    pool = Arm("planted", 1, 1, np.where(long, 0.0, 1.0), np.where(long, 100, 10), Rate(1, 1))
    found = best_of_restarts(pool, np.full(10_000, 100.0))
    assert len(found) == 10_000
    first = np.array([values[0] == 0.0 for values in found])
    assert abs(first.mean() - 0.5) < 5 * np.sqrt(0.25 / len(found))


def test_the_chance_of_restarts_is_that_of_the_geometric_distribution() -> None:
    share, price = 0.2, 7
    pool = arm([0.0] * 20 + [1.0] * 80, [price] * 100)
    budgets = np.array([3.0, 7.0, 13.0, 14.0, 70.0, 700.0])
    exact = 1 - (1 - share) ** (budgets // price)
    assert np.abs(pool.chance(0.5, budgets) - exact).max() < 5 * np.sqrt(0.25 / 2000)
    assert not pool.chance(-1.0, budgets).any()
    assert pool.gradients_to_success(0.5) == price / share
    assert pool.gradients_to_success(-1.0) == np.inf


def test_rows_of_a_gradient_are_those_of_the_parameter_shift() -> None:
    assert (rows_of(product_state(14)), rows_of(hypernetwork(14, 2)), rows_of(unentangled(14, 2))) == (29, 197, 197)


def test_a_search_by_samples_ends_at_its_budget_and_reports_its_distribution() -> None:
    costs = np.arange(64.0)
    search = Search(BornMachine((1,) * 5), 40, 0)
    found = sampled(search, costs)
    assert found.distinct == 40
    assert 0 <= found.best_above <= found.above
    assert found == sampled(search, costs)
    assert sampled(replace(search, together=20), costs).runs == 20  # all of which the limit stops at once


def test_circuits_are_judged_by_the_angles_that_so_many_networks_led_to(tmp_path: Path) -> None:
    sweep = make_sweep(
        name="small", experiment="figure-1", seeds=3, epsilon=[0.1],
        set={"train.backend": "exact", "train.shots": 3, "train.steps": 6}, vary={"ansatz.num_layers": [1]},
    )  # fmt: skip
    with ThreadPoolExecutor(1) as executor:
        list(advance(sweep, executor, results=tmp_path))
    survey = Survey(sweep, tmp_path)
    (group,) = survey.groups
    runs = [list(train_run(member.config, results=tmp_path / "again")) for member in sweep.members]
    circuit = circuit_of(group.config, group.problem)
    costs = enumerate_costs(group.problem)

    def exact(theta: np.ndarray) -> float:
        return float(probabilities_of_qiskit(circuit, np.asarray(theta)) @ costs - costs.min())

    counts = sorted({step.distinct for run in runs for step in run})
    assert len(counts) > 2
    for most in (counts[0] - 1, counts[1], counts[-1]):
        expected = []
        for run in runs:
            taken = sum(step.distinct <= most for step in run)
            expected.append(exact(run[min(taken, len(run) - 1)].theta))
        np.testing.assert_allclose(above_within(survey, group, most), expected, atol=1e-9)
    np.testing.assert_allclose(above_within(survey, group), [exact(run[-1].theta) for run in runs], atol=1e-9)
    assert np.abs(above_within(survey, group) - (group.mean - group.optimum)).max() > 1e-3  # which 3 shots measured


# ---------------------------------------------------------------- verdicts


def planted(circuits: float, others: float, starts: int = 300) -> tuple[dict[str, Arm], dict]:
    """Arms of which a share succeeds at ε = 0.5."""

    def with_share(share: float) -> Arm:
        return arm(np.where(np.arange(starts) < share * starts, 0.0, 1.0).tolist(), [10] * starts)

    deep = {circuit_name(layers, order): with_share(circuits) for layers in MIDDLE for order in ORDERS}
    names = [PRODUCT, AUTOREGRESSIVE, *map(scattered_name, ORDERS)]
    names += [name(layers) for layers in MIDDLE for name in (unentangled_name, born_name)]
    spent = {name: {"gradients": [np.array([value]) for value in with_share(others).above]} for name in deep}
    return deep | {name: with_share(others) for name in names}, spent


def verdicts(arms: dict[str, Arm], spent: dict) -> list[Verdict]:
    family, page = Family("planted"), Writer("planted")
    add_claims(family, arms, spent, 0.5)
    family.judge(page)
    assert len(page.claims) == 5
    return [claim.verdict for claim in page.claims]


@pytest.mark.parametrize(
    ("circuits", "others", "verdict"),
    [
        (0.7, 0.4, Verdict.REPRODUCED),
        (0.4, 0.7, Verdict.NOT_REPRODUCED),
        (0.55, 0.55, Verdict.UNDECIDED),
        (0.0, 0.0, Verdict.UNDECIDED),
        (0.06, 0.0, Verdict.REPRODUCED),
    ],
)
def test_verdicts_on_planted_data(circuits: float, others: float, verdict: Verdict) -> None:
    assert verdicts(*planted(circuits, others)) == [verdict] * 5


def test_each_claim_looks_at_its_own_control() -> None:
    arms, spent = planted(0.55, 0.55)
    worse = planted(0.55, 0.2)
    cases = (
        {name: worse[1][name] for name in spent},
        [scattered_name(order) for order in ORDERS],
        [unentangled_name(layers) for layers in MIDDLE],
        [AUTOREGRESSIVE],
        [born_name(layers) for layers in MIDDLE],
    )
    for place, names in enumerate(cases):
        given = (arms, names) if isinstance(names, dict) else (arms | {name: worse[0][name] for name in names}, spent)
        found = verdicts(*given)
        assert found[place] is Verdict.REPRODUCED
        assert found[:place] + found[place + 1 :] == [Verdict.UNDECIDED] * 4


def test_an_effect_in_one_order_is_not_claimed_of_both() -> None:
    arms, spent = planted(0.4, 0.4)
    better = planted(0.8, 0.4)[0]
    arms |= {circuit_name(layers, "authors"): better[circuit_name(layers, "authors")] for layers in MIDDLE}
    assert verdicts(arms, spent) == [Verdict.AUTHORS_ONLY] * 5


@pytest.mark.slow
def test_with_no_effect_a_family_asserts_something_in_one_of_twenty_reports(rng: np.random.Generator) -> None:
    wrong, reports = 0, 60
    for _ in range(reports):
        arms, spent = planted(0.5, 0.5)
        arms = {name: replace(one, above=(rng.random(300) < 0.5) * 1.0) for name, one in arms.items()}
        spent = {name: {"gradients": list((rng.random((300, 1)) < 0.5) * 1.0)} for name in spent}
        wrong += any(verdict is not Verdict.UNDECIDED for verdict in verdicts(arms, spent))
    assert wrong / reports < 0.05 + 5 * np.sqrt(0.05 * 0.95 / reports)


@pytest.mark.parametrize(
    ("circuit", "model", "verdict"),
    [(18, 2, Verdict.REPRODUCED), (2, 18, Verdict.NOT_REPRODUCED), (10, 10, Verdict.UNDECIDED)],
)
def test_verdicts_on_planted_searches(circuit: int, model: int, verdict: Verdict) -> None:
    family, page = Family("planted"), Writer("planted")
    searches = [Sampled(0.0 if number < model else 1.0, 0.0, 100, 3) for number in range(20)]
    add_sampled_claims(family, (np.arange(20) >= circuit) * 1.0, {"a model": searches}, 100)
    family.judge(page)
    assert [claim.verdict for claim in page.claims] == [verdict]


@pytest.mark.slow
def test_the_part_on_a_small_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controls, "CONTROLS", replace(controls.CONTROLS, evaluations=100, restarts=2, row_restarts=1))
    with ThreadPoolExecutor(1) as executor:
        page = controls.controls(Lab(executor, tmp_path, seeds=2))
    section = page.section(0.0)
    assert len(section.claims) == 2 * 5 + 4 + 3
    assert {"controls.png", "controls.csv", "controls-restarts.png", "controls-restarts.csv"} <= {
        path.name for path in (tmp_path / "paper").iterdir()
    }
    text = section.markdown()
    assert all(name in text for name in (PRODUCT, AUTOREGRESSIVE, scattered_name("eq5"), born_name(3)))


def test_searches_are_drawn_against_both_prices(tmp_path: Path) -> None:
    counts = np.array([1.0, 10.0])
    curves = {
        name: (counts, np.array([0.3, 0.1])) for name in ("descent", "straight-through", "2 layers, 1 shot a row")
    }
    prices = {name: passes(name) for name in curves}
    search_curves(tmp_path / "search.png", curves, 0.0, dict.fromkeys(curves, "-"), prices)
    with (tmp_path / "search.csv").open() as file:
        found = [(row["search"], float(row["distinct"]), float(row["passes"])) for row in csv.DictReader(file)]
    expected = [(name, count, (3 if name == "straight-through" else 1) * count) for name in curves for count in counts]
    assert found == expected
