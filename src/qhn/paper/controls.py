"""Beyond the paper: controls of the claim that entanglement helps, on the task of Fig. 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.baseline.autoregressive import Autoregressive
from qhn.baseline.born_machine import BornMachine
from qhn.baseline.score_function import Model
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.paper.control_arms import Arm, best_of_restarts, rows_of, success_of, trained
from qhn.paper.control_circuits import unentangled
from qhn.paper.control_claims import (
    AUTOREGRESSIVE,
    LOGISTIC,
    MIDDLE,
    PRODUCT,
    add_claims,
    add_sampled_claims,
    born_name,
    circuit_name,
    restarted,
    scattered_name,
    unentangled_name,
)
from qhn.paper.control_searches import Search, above_within, search_with
from qhn.paper.controls_pictures import chances, rates
from qhn.paper.family import Family
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.pictures import ORDERS, name_of
from qhn.paper.plan import CONTROLS, DEPTH
from qhn.paper.section import Writer
from qhn.problem.landscape import Landscape
from qhn.sweep.survey import Group, Rate, Survey

MARGIN = 1.2  # of product starts, over the number that the gradients of all circuits pay for on average


def controls(lab: Lab) -> Writer:
    """The section on the controls of the claim that entanglement helps."""
    page = Writer("Is it the entanglement? Controls on the task of Fig. 2 (gaussian-activation)")
    survey = lab.survey("figure-2", seeds=lab.seeds or DEPTH.starts)
    landscape = survey.groups[0].landscape
    assert landscape is not None
    page.text(
        "Fig. 2 compares circuits start by start. But a deeper circuit also has more parameters and takes more "
        "gradients a start, and each of them more circuit rows. So here stand beside its circuits: restarts of the "
        "product state that spend the same; the same angles with as many CX on random pairs of qubits, placed anew for "
        "every start; a product state with as many rotations and no CX; and classical hypernetworks with at most as "
        "many parameters, an autoregressive network and a matrix-product Born machine. All minimise the exact E by the "
        "same L-BFGS, in at most 500 steps."
    )
    page.plan(CONTROLS)
    page.text(
        "Not all of it was: after a first run the random placements became 200 and the searches 30, both with other "
        "seeds, and searches by samples a family of their own, judged at ε = 0.03 alone. After a second the circuits "
        "of Fig. 2 had all of their starts instead of the first 200, and searches by samples were judged at equal "
        "numbers of networks."
    )
    circuits = circuit_arms(survey)
    arms = circuits | control_arms(lab, landscape)
    spent = restarts_of_product(lab, circuits, landscape)
    _success_table(page, lab, arms)
    _restarts_table(page, circuits, spent)
    family = Family("controls of entanglement")
    for epsilon in CONTROLS.epsilons:
        add_claims(family, arms, spent, epsilon)
    family.judge(page)
    by_samples = Family("controls of entanglement, trained by samples")
    _by_samples(page, lab, by_samples, landscape)
    by_samples.judge(page)
    return page


# ---------------------------------------------------------------- arms


def circuit_arms(survey: Survey) -> dict[str, Arm]:
    """The circuits of Fig. 2 by name."""
    found = {}
    for group in survey.groups:
        order, num_layers = group.values
        name, circuit = circuit_name(num_layers, order), circuit_of(group.config, group.problem)
        above = group.mean - group.optimum
        active = int(circuit.active.sum())
        converged = group.converged_by(group.config.train.steps)
        found[name] = Arm(name, active, rows_of(circuit), above, group.columns["num_gradients"], converged)
    return found


def control_arms(lab: Lab, landscape: Landscape) -> dict[str, Arm]:
    """The arms beside the circuits of Fig. 2, by name."""
    num_qubits = landscape.num_qubits
    angles = {num_layers: hypernetwork(num_qubits, num_layers).num_parameters for num_layers in MIDDLE}
    methods: dict[str, Any] = {scattered_name(order): (2, order) for order in ORDERS}
    methods |= {unentangled_name(num_layers): unentangled(num_qubits, num_layers) for num_layers in MIDDLE}
    methods[AUTOREGRESSIVE] = Autoregressive(num_qubits)
    methods[LOGISTIC] = Autoregressive(num_qubits, "logistic")
    methods |= {born_name(layers): BornMachine.of_parameters(num_qubits, most) for layers, most in angles.items()}
    found = {}
    for name, method in methods.items():
        starts = CONTROLS.scattered if isinstance(method, tuple) else CONTROLS.starts
        found[name] = trained(lab, name, method, range(min(lab.seeds or starts, starts)), landscape)
    return found


def restarts_of_product(
    lab: Lab, circuits: Mapping[str, Arm], landscape: Landscape
) -> dict[str, dict[str, list[Floats]]]:
    """The product starts that the gradients, or the circuit rows, of each entangled circuit's starts pay for.

    No product start is used for two circuits where gradients are equal, so that these arms are independent.

    Returns:
        The values of E − C* of the product starts, by the circuit that pays for them and by what is equal.
    """
    product, num_qubits = circuits[PRODUCT], landscape.num_qubits
    deep = {name: arm for name, arm in circuits.items() if name != PRODUCT}
    budgets = {name: arm.gradients[: CONTROLS.restarts].astype(np.float64) for name, arm in deep.items()}
    needed = int(MARGIN * sum((1 + part / product.gradients.mean()).sum() for part in budgets.values()))
    circuit = product_state(num_qubits)
    pool = trained(lab, "restarts of the product state", circuit, range(needed), landscape)
    found: dict[str, dict[str, list[Floats]]] = {}
    ends = best_of_restarts(pool, np.concatenate(list(budgets.values())))
    first = 0
    for name, part in budgets.items():
        rows = part[: CONTROLS.row_restarts] * ((deep[name].rows or 1) / rows_of(circuit))
        found[name] = {"gradients": ends[first : first + len(part)], "rows": best_of_restarts(pool, rows)}
        first += len(part)
    return found


# ---------------------------------------------------------------- tables


def _success_table(page: Writer, lab: Lab, arms: Mapping[str, Arm]) -> None:
    """Add the pictures and the table of all arms, start by start."""
    page.picture(
        lambda: rates(lab.folder / "controls.png", arms, CONTROLS.epsilons),
        "Success of a single start, with 95 % intervals: circuits of Fig. 2 (filled) and controls (open).",
    )
    page.picture(
        lambda: chances(lab.folder / "controls-restarts.png", shown(arms), CONTROLS.epsilons),
        "Chance that restarts have succeeded, against the gradients and the circuit rows spent on them, resampled from "
        "the starts (dashed: classical models, which take no circuit rows).",
    )
    head = [
        "arm",
        "starts",
        "converged",
        "parameters with effect",
        *(f"E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons),
    ]
    head += ["gradients a start", *(f"gradients to E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons)]
    head += ["rows a gradient", *(f"rows to E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons)]
    rows = []
    for arm in arms.values():
        row: list[Any] = [arm.name, len(arm.above), f"{arm.converged.value:.3f}", arm.num_parameters]
        row += [_rate(arm.success(epsilon)) for epsilon in CONTROLS.epsilons]
        to_success = [arm.gradients_to_success(epsilon) for epsilon in CONTROLS.epsilons]
        row += [f"{arm.gradients.mean():,.0f}", *map(_count, to_success)]
        in_rows = ["–"] * 3 if arm.rows is None else [arm.rows, *(_count(arm.rows * count) for count in to_success)]
        rows.append([*row, *in_rows])
    page.table(head, rows)
    cheapest = "; ".join(_cheapest(arms, epsilon) for epsilon in CONTROLS.epsilons)
    page.text(
        f"Fewest until a success, failed starts included: {cheapest}. "
        "A gradient by parameter shift takes the unshifted row and two for each angle that has an effect. The "
        "classical models have exact gradients, and no rows. The logistic link saturates: where all probabilities are "
        "near 0 or 1 every slope vanishes, and L-BFGS may end there at networks that a flip improves. The link by "
        "angles, which contains the product state, has no such flats, and is the one that is judged."
    )


def shown(arms: Mapping[str, Arm]) -> dict[str, Arm]:
    """The arms that the picture of restarts shows."""
    names = [PRODUCT, *(circuit_name(2, order) for order in ORDERS), scattered_name("eq5")]
    return {name: arms[name] for name in (*names, unentangled_name(2), AUTOREGRESSIVE, born_name(2))}


def _restarts_table(page: Writer, circuits: Mapping[str, Arm], spent: Mapping[str, Mapping[str, list[Floats]]]) -> None:
    """Add the table of what restarts of the product state reach with what each circuit spends."""
    page.text(
        "**Restarts of the product state** that spend what a start of each circuit spends: the best of as many starts "
        "as its gradients pay for, one after the other, and of as many as its circuit rows pay for."
    )
    head = ["instead of a start of", *(f"itself, ε = {epsilon:g}" for epsilon in CONTROLS.epsilons)]
    for price in ("gradients", "rows"):
        head += [f"product starts for its {price}"]
        head += [f"best of them, ε = {epsilon:g}" for epsilon in CONTROLS.epsilons]
    rows = []
    for name, paid in spent.items():
        row = [name, *(_rate(circuits[name].success(epsilon)) for epsilon in CONTROLS.epsilons)]
        for ends in paid.values():
            row += [f"{np.mean([len(values) for values in ends]):.1f}"]
            row += [_rate(restarted(ends, epsilon)) for epsilon in CONTROLS.epsilons]
        rows.append(row)
    page.table(head, rows)


def _by_samples(page: Writer, lab: Lab, family: Family, landscape: Landscape) -> None:
    """Add the table and the claims on training by samples at as many different networks."""
    survey = lab.survey("shots", seeds=min(lab.seeds or CONTROLS.sampled, CONTROLS.sampled))
    num_qubits, most = landscape.num_qubits, CONTROLS.evaluations
    circuit = survey.group(2, CONTROLS.shots)
    all_of_it = int(np.median(circuit.columns["distinct"]))
    first = int(np.median(circuit.columns["distinct_at"][:, 0]))
    product, pairs = "the product state (a Born machine of bond dimension 1)", "a Born machine of bond dimension 2"
    models: dict[str, Model] = {
        product: BornMachine((1,) * (num_qubits - 1)),
        pairs: BornMachine((2,) * (num_qubits - 1)),
        "an autoregressive network (angles)": Autoregressive(num_qubits),
        "an autoregressive network (logistic)": Autoregressive(num_qubits, "logistic"),
    }
    few = {name: Search(model, most, 0) for name, model in models.items()}
    many = {
        name: Search(model, all_of_it, 0, CONTROLS.equal_together) for name, model in models.items() if name != pairs
    }
    found = search_with(lab, few, min(lab.seeds or CONTROLS.searches, CONTROLS.searches), landscape)
    repeats = min(lab.seeds or CONTROLS.equal_searches, CONTROLS.equal_searches)
    found_at_end = search_with(lab, many, repeats, landscape)
    page.text(
        "**Trained by samples.** The models learn by the score function, with Adam and the mean cost of the other "
        "samples as baseline; they are restarted until they have evaluated so many different networks, and the run "
        "whose last samples had the lowest mean is taken. The circuits learn by parameter shift (the section on "
        "search). E − C* is that of the whole distribution, computed exactly; best sampled C is apart, and says little "
        f"at this size. **Claims compare at equal numbers of networks.** At {most:,} the circuit of 2 layers is hardly "
        f"trained, whatever its shots: the first gradient with {CONTROLS.shots} shots a row alone evaluates {first:,} "
        f"in the median, and the whole training {all_of_it:,} of {landscape.costs.size:,}. So the models search on as "
        "many, too, all but the Born machine of bond dimension 2, whose search takes two to four times as long."
    )
    head = ["trained by samples", "repeats", "different networks", "E − C*, median"]
    head += [*(f"E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons), "best sampled is optimal"]
    rows: list[list[Any]] = []
    within = {group.values: above_within(survey, group, most) for group in survey.groups if group.values[0]}
    for group in survey.groups:
        rows.append(_sampled_circuit(group, above_within(survey, group)))
        if group.values in within:
            rows.append(_sampled_circuit(group, within[group.values], most))
    for name, ends in (*found.items(), *found_at_end.items()):
        above = np.array([one.above for one in ends])
        best = success_of(np.array([one.best_above for one in ends]), landscape.width)
        row: list[Any] = [f"{name}, {np.mean([one.runs for one in ends]):.0f} runs", len(ends)]
        row += [f"{int(np.median([one.distinct for one in ends])):,}", f"{np.median(above):.4f}"]
        rows.append([*row, *(_rate(success_of(above, epsilon)) for epsilon in CONTROLS.epsilons), _rate(best)])
    page.table(head, rows)
    best_of_shots = max(within.values(), key=lambda above: success_of(above, CONTROLS.epsilons[0]).successes)
    add_sampled_claims(family, best_of_shots, found, most)
    add_sampled_claims(family, above_within(survey, circuit), found_at_end, all_of_it)


def _sampled_circuit(group: Group, above: Floats, most: int | None = None) -> list[Any]:
    """A row of the table on training by samples: a circuit at its end, or within a number of different networks."""
    num_layers, shots = group.values
    row: list[Any] = [f"{name_of(num_layers)}, eq5, {shots} shot{'s' * (shots > 1)} a row", len(group)]
    row += [f"{int(np.median(group.columns['distinct'])):,}" if most is None else f"at most {most:,}"]
    row += [f"{np.median(above):.4f}", *(_rate(success_of(above, epsilon)) for epsilon in CONTROLS.epsilons)]
    return [*row, _rate(group.finds(group.columns["best_cost"])) if most is None else "–"]


def _cheapest(arms: Mapping[str, Arm], epsilon: float) -> str:
    """The arms that take the fewest gradients, and the fewest circuit rows, until a success, in words."""
    gradients = {name: arm.gradients_to_success(epsilon) for name, arm in arms.items()}
    rows = {name: arm.rows * gradients[name] for name, arm in arms.items() if arm.rows}
    least, fewest = min(gradients, key=lambda name: gradients[name]), min(rows, key=lambda name: rows[name])
    return (
        f"ε = {epsilon:g}, {least} with {_count(gradients[least])} gradients, {fewest} with {_count(rows[fewest])} "
        "circuit rows"
    )


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "∞"


def _rate(rate: Rate) -> str:
    """A rate with its interval; three digits tell rare successes apart."""
    low, high = rate.interval
    return f"{rate.value:.3f} ({low:.3f}–{high:.3f})"
