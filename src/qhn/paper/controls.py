"""Beyond the paper: controls of the claim that entanglement helps, on the task of Fig. 2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.baseline.autoregressive import Autoregressive
from qhn.baseline.born_machine import BornMachine
from qhn.baseline.score_function import Model
from qhn.circuit.hypernetwork import hypernetwork, product_state
from qhn.paper.control_arms import Arm, Sampled, best_of_restarts, rows_of, sampled_arms, success_of, trained
from qhn.paper.control_circuits import unentangled
from qhn.paper.controls_pictures import chances, rates
from qhn.paper.family import Family
from qhn.paper.inference import Contrast, Difference, pooled
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.pictures import ORDERS, name_of
from qhn.paper.plan import CONTROLS
from qhn.paper.section import Writer
from qhn.problem.landscape import Landscape
from qhn.sweep.survey import Group, Rate, Survey

PRODUCT, AUTOREGRESSIVE, LOGISTIC = "product", "autoregressive, angles", "autoregressive, logistic"
MIDDLE = (2, 3)  # the depths at which the paper sees the most successes
SOURCE = "Fig. 2, controls"
MARGIN = 1.2  # of product starts, over the number that the gradients of all circuits pay for on average


def controls(lab: Lab) -> Writer:
    """The section on the controls of the claim that entanglement helps."""
    page = Writer("Is it the entanglement? Controls on the task of Fig. 2 (gaussian-activation)")
    survey = lab.survey("figure-2")
    landscape = survey.groups[0].landscape
    assert landscape is not None
    page.text(
        "Fig. 2 compares circuits start by start. But a deeper circuit also has more parameters and takes more "
        "gradients a start, and each of them more circuit rows. So here stand beside its circuits: restarts of the "
        "product state that spend the same; the same angles with as many CX on random pairs of qubits, placed anew for "
        "every start; a product state with as many rotations and no CX; and classical hypernetworks with at most as "
        "many parameters, an autoregressive network and a matrix-product Born machine. All minimise the exact E by the "
        "same L-BFGS. Fixed before looking:"
    )
    page.table(("", "value", "why"), CONTROLS.rows())
    circuits = circuit_arms(survey)
    arms = circuits | control_arms(lab, landscape)
    spent = restarts_of_product(lab, circuits, landscape)
    _success_table(page, lab, arms)
    _restarts_table(page, circuits, spent)
    family = Family("controls of entanglement")
    for epsilon in CONTROLS.epsilons:
        add_claims(family, arms, spent, epsilon)
    _by_samples(page, lab, family, landscape)
    family.judge(page)
    return page


# ---------------------------------------------------------------- arms


def circuit_name(num_layers: int, order: str) -> str:
    """The name of a circuit's arm; the product state is the same in both orders."""
    return f"{name_of(num_layers)}, {order}" if num_layers else PRODUCT


def circuit_arms(survey: Survey) -> dict[str, Arm]:
    """The circuits of Fig. 2 by name."""
    found = {}
    for group in survey.groups:
        order, num_layers = group.values
        name, circuit = circuit_name(num_layers, order), circuit_of(group.config, group.problem)
        above = group.mean - group.optimum
        active = int(circuit.active.sum())
        found[name] = Arm(name, active, rows_of(circuit), above, group.columns["num_gradients"])
    return found


def scattered_name(order: str) -> str:
    """The name of the arm of 2 layers with CX gates on random pairs."""
    return f"2 layers, {order}, CX on random pairs"


def unentangled_name(num_layers: int) -> str:
    """The name of the arm of a product state with as many rotations as a circuit."""
    return f"{name_of(num_layers)} without CX"


def born_name(num_layers: int) -> str:
    """The name of the arm of a Born machine with at most as many parameters as a circuit."""
    return f"Born machine, as {name_of(num_layers)}"


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


def restarted(spent: Sequence[Floats], epsilon: float) -> Rate:
    """The rate at which the best of the starts that each budget paid for ends closer to C* than ``epsilon``."""
    return success_of(np.array([values.min() for values in spent]), epsilon)


# ---------------------------------------------------------------- claims


def add_claims(
    family: Family, arms: Mapping[str, Arm], spent: Mapping[str, Mapping[str, list[Floats]]], epsilon: float
) -> None:
    """Add the claims that circuits of 2 and 3 layers succeed more often than each of the controls.

    Args:
        family: the tests that are judged together.
        arms: the circuits and their controls, by name.
        spent: the product starts that the gradients of each circuit pay for (:func:`restarts_of_product`).
        epsilon: distance of E from C* for a success.
    """

    def together(*names: str) -> Contrast:
        return Contrast.of(" and ".join(names), pooled(*(arms[name].success(epsilon) for name in names)))

    deep = {order: together(*(circuit_name(num_layers, order) for num_layers in MIDDLE)) for order in ORDERS}
    two = {order: together(circuit_name(2, order)) for order in ORDERS}
    restarts = {
        order: Contrast.of(
            f"restarts, {order}",
            pooled(*(restarted(spent[circuit_name(layers, order)]["gradients"], epsilon) for layers in MIDDLE)),
        )
        for order in ORDERS
    }
    wide = together(*map(unentangled_name, MIDDLE))
    born = together(*map(born_name, MIDDLE))
    compared = (
        ("Two or three layers", "restarts of the product state at equal gradients", deep, restarts),
        ("Two layers", "as many CX on random pairs", two, {order: together(scattered_name(order)) for order in ORDERS}),
        ("Two or three layers", "a product state with as many rotations", deep, dict.fromkeys(ORDERS, wide)),
        (
            "Two layers",
            "an autoregressive network with as many parameters",
            two,
            dict.fromkeys(ORDERS, together(AUTOREGRESSIVE)),
        ),
        ("Two or three layers", "a Born machine with as many parameters", deep, dict.fromkeys(ORDERS, born)),
    )
    for subject, control, higher, lower in compared:
        gains = {order: higher[order] - lower[order] for order in ORDERS}
        family.order(
            SOURCE,
            f"{subject} succeed more often than {control} (ε = {epsilon:g})",
            {order: Difference.contrast(gain) for order, gain in gains.items()},
            Difference.contrast(gains["eq5"] - gains["authors"]),
            "circuit minus control",
        )


def add_sampled_claims(
    family: Family, circuit: Floats, models: Mapping[str, Sequence[Sampled]], seen: int, most: int
) -> None:
    """Add the claims that a circuit trained by samples succeeds more often than models that evaluate fewer networks.

    Args:
        family: the tests that are judged together.
        circuit: the differences E − C* of the circuit's starts.
        models: the searches of each model, by its name.
        seen: number of different networks that the circuit evaluated, in the median.
        most: number of different networks that each search evaluated.
    """
    for epsilon in CONTROLS.epsilons:
        for name, found in models.items():
            lower = success_of(np.array([one.above for one in found]), epsilon)
            family.add(
                SOURCE,
                f"Trained by samples, two layers (eq5, {seen:,} networks) succeed more often than {name} with restarts "
                f"({most:,} networks; ε = {epsilon:g})",
                Difference.of(success_of(circuit, epsilon), lower).above(),
            )


# ---------------------------------------------------------------- tables


def _success_table(page: Writer, lab: Lab, arms: Mapping[str, Arm]) -> None:
    """Add the pictures and the table of all arms, start by start."""
    page.picture(
        lambda: rates(lab.folder / "controls.png", arms, CONTROLS.epsilons),
        "Success of a single start, with 95 % intervals: circuits of Fig. 2 (filled) and controls (open).",
    )
    page.picture(
        lambda: chances(lab.folder / "controls-restarts.png", shown(arms), CONTROLS.epsilons),
        "Chance that restarts have succeeded, against the gradients spent on them (resampled from the starts).",
    )
    head = ["arm", "starts", "parameters with effect", *(f"E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons)]
    head += ["gradients a start", *(f"gradients to E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons)]
    head += ["rows a gradient", *(f"rows to E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons)]
    rows = []
    for arm in arms.values():
        row: list[Any] = [arm.name, len(arm.above), arm.num_parameters]
        row += [_rate(arm.success(epsilon)) for epsilon in CONTROLS.epsilons]
        to_success = [arm.gradients_to_success(epsilon) for epsilon in CONTROLS.epsilons]
        row += [f"{arm.gradients.mean():,.0f}", *map(_count, to_success)]
        in_rows = ["–"] * 3 if arm.rows is None else [arm.rows, *(_count(arm.rows * count) for count in to_success)]
        rows.append([*row, *in_rows])
    page.table(head, rows)
    page.text(
        "A gradient by parameter shift takes the unshifted row and two for each angle that has an effect. The "
        "classical models have exact gradients, and no rows. The logistic link saturates: where all probabilities are "
        "near 0 or 1 every slope vanishes, and L-BFGS ends there; the link by angles, which contains the product "
        "state, does not, and is the one that is judged."
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
    """Add the table and the claims on training by samples at no more different networks."""
    survey = lab.survey("shots", seeds=min(lab.seeds or CONTROLS.sampled, CONTROLS.sampled))
    circuit = survey.group(2, CONTROLS.shots)
    seen = int(np.median(circuit.columns["distinct"]))
    most = min(CONTROLS.evaluations, seen)
    num_qubits = landscape.num_qubits
    models: list[tuple[str, Model]] = [
        ("a Born machine of bond dimension 1, which is a product state", BornMachine((1,) * (num_qubits - 1))),
        ("a Born machine of bond dimension 2", BornMachine((2,) * (num_qubits - 1))),
        ("an autoregressive network by angles", Autoregressive(num_qubits)),
        ("a logistic autoregressive network", Autoregressive(num_qubits, "logistic")),
    ]
    found = sampled_arms(lab, models, most, min(lab.seeds or CONTROLS.sampled, CONTROLS.sampled), landscape)
    page.text(
        "**Trained by samples.** The models learn by the score function, with Adam and the mean cost of the other "
        "samples as baseline; they are restarted until they have evaluated so many different networks, and the run "
        "whose last samples had the lowest mean is taken. The circuits learn by parameter shift (the section on "
        "search). E − C* is that of the whole distribution; best sampled C is apart, and says little at this size."
    )
    head = ["trained by samples", "repeats", "different networks", "E − C*, median"]
    head += [*(f"E − C* < {epsilon:g}" for epsilon in CONTROLS.epsilons), "best sampled is optimal"]
    rows = [_sampled_circuit(group) for group in survey.groups]
    for name, ends in found.items():
        above = np.array([one.above for one in ends])
        best = success_of(np.array([one.best_above for one in ends]), landscape.width)
        row: list[Any] = [f"{name}, {np.mean([one.runs for one in ends]):.0f} runs", len(ends)]
        row += [f"{np.median([one.distinct for one in ends]):,.0f}", f"{np.median(above):.4f}"]
        rows.append([*row, *(_rate(success_of(above, epsilon)) for epsilon in CONTROLS.epsilons), _rate(best)])
    page.table(head, rows)
    add_sampled_claims(family, circuit.mean - circuit.optimum, found, seen, most)


def _sampled_circuit(group: Group) -> list[Any]:
    num_layers, shots = group.values
    row: list[Any] = [f"{name_of(num_layers)}, eq5, {shots} shot{'s' * (shots > 1)} a row", len(group)]
    row += [f"{np.median(group.columns['distinct']):,.0f}", f"{np.median(group.mean - group.optimum):.4f}"]
    row += [_rate(group.success(epsilon)) for epsilon in CONTROLS.epsilons]
    return [*row, _rate(group.finds(group.columns["best_cost"]))]


def _count(value: float) -> str:
    return f"{value:,.0f}" if np.isfinite(value) else "∞"


def _rate(rate: Rate) -> str:
    """A rate with its interval; three digits tell rare successes apart."""
    low, high = rate.interval
    return f"{rate.value:.3f} ({low:.3f}–{high:.3f})"
