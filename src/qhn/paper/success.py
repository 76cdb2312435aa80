"""Success rates of circuits: pictures and tables of a survey, and claims that compare depths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qhn.baseline.classical import METHODS
from qhn.paper.contrast import Contrast, pooled
from qhn.paper.depth_pictures import success
from qhn.paper.family import APART, Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.pairing import Paired
from qhn.paper.pictures import ORDERS, energies, name_of
from qhn.paper.section import Writer
from qhn.sweep.report import gradients_words
from qhn.sweep.survey import Group, Rate, Survey


def add_rates(page: Writer, lab: Lab, survey: Survey, name: str) -> None:
    """Add pictures and tables of success rates to a section."""
    page.picture(
        lambda: success(lab.folder / f"{name}.png", {survey.sweep.experiment: survey}),
        "Success rate against depth, with 95 % Wilson intervals.",
    )
    page.picture(
        lambda: energies(lab.folder / f"{name}-energies.png", survey),
        "Histograms of E − C* over starts, and of C − C* over the 200 lowest configurations; the first bin holds all "
        "that is not above 1e-8.",
    )
    table(page, lab, survey)


def table(page: Writer, lab: Lab, survey: Survey) -> None:
    """Add a table of every circuit's success rates, with those of classical searches beside them."""
    epsilons = survey.epsilon
    head = [*survey.names, *(f"E − C* < {epsilon:g}" for epsilon in epsilons), "best E − C*"]
    head += ["most probable is optimal", "… after a one-flip polish", "gradients a start"]
    head += [f"gradients to E − C* < {epsilon:g}" for epsilon in epsilons]
    rows = []
    for group in survey.groups:
        row: list[Any] = [*survey.labels(group).values()]
        row += [str(group.success(epsilon)) for epsilon in epsilons]
        row += [f"{max((group.mean - group.optimum).min(), 0):.2g}"]
        row += [str(group.finds(group.columns["best_cost"])), str(group.finds(group.polished))]
        row += [f"{group.columns['num_gradients'].mean():,.0f}"]
        rows.append([*row, *(gradients_words(group, epsilon) for epsilon in epsilons)])
    page.table(head, rows)
    page.text(cheapest(survey))
    searches = lab.searches(survey)
    group = survey.groups[0]
    found = [[_chance(searches.facts(group, m, b)) for b in group.budgets] for m in METHODS]
    page.text(
        "An exact gradient is a sum over all networks, so no search can be given as many evaluations. Classical "
        "searches that may evaluate only a small share of them find the optimum (share of "
        f"{survey.sweep.config.repeats} repeats, with 95 % intervals):"
    )
    size = 2**group.problem.num_qubits
    head = ["search", *(f"{budget:,} networks ({budget / size:.1%})" for budget in group.budgets)]
    page.table(head, [[method, *cells] for method, cells in zip(METHODS, found, strict=True)])


def cheapest(survey: Survey) -> str:
    """Text that names the circuit with the fewest gradients until a start succeeds, for every ε."""
    words = []
    for epsilon in survey.epsilon:
        best = min(survey.groups, key=lambda group: group.gradients_to_solution(epsilon))
        *order, num_layers = best.values
        where = f", {order[0]}" if order and num_layers else ""
        words.append(f"at ε = {epsilon:g} {name_of(num_layers)}{where}, {gradients_words(best, epsilon)}")
    return (
        "Counted in gradients until a start succeeds, failed starts included, with 95 % intervals, the cheapest "
        f"circuit is {' and '.join(words)}; and a gradient by parameter shift takes more rows the deeper the circuit."
    )


def _chance(facts: dict[str, Any]) -> str:
    low, high = facts["best_is_optimal_low"], facts["best_is_optimal_high"]
    return f"{facts['best_is_optimal']:.2f} ({low:.2f}–{high:.2f})"


def compare(
    family: Family,
    survey: Survey,
    source: str,
    statement: str,
    higher: tuple[int, ...],
    lower: tuple[int, ...],
    epsilon: float | None = None,
) -> None:
    """Add the claim that some depths succeed more often than others, in each order and between the orders.

    The distance ε of a success is the survey's first by default.
    """
    gains = {order: arm(survey, order, higher, epsilon) - arm(survey, order, lower, epsilon) for order in ORDERS}
    family.order(
        source,
        statement,
        {order: Difference.contrast(gain) for order, gain in gains.items()},
        Difference.contrast(gains["eq5"] - gains["authors"]),
        f"{in_words(higher)} minus {in_words(lower)}",
        paired(survey, higher, lower, epsilon),
    )


def paired(
    survey: Survey, higher: Sequence[int], lower: Sequence[int], epsilon: float | None = None
) -> dict[str, Paired]:
    """The mean rate of some depths minus that of others, paired by start, in each order and between the orders."""
    groups = [survey.group(order, depth) for order in ORDERS for depth in (*higher, *lower)]
    seeds = {member.id: member.config.train.seed for member in survey.sweep.members}
    starts = {tuple(seeds[str(member)] for member in group.columns["member"]) for group in groups}
    assert len(starts) == 1  # each start of a circuit has its partner in the same row of every other
    limit = epsilon or survey.sweep.config.epsilon[0]
    outcomes = {_runs(*group.values): group.mean - group.optimum < limit for group in groups}
    weights = {
        order: {_runs(order, depth): 1 / len(higher) for depth in higher}
        | {_runs(order, depth): -1 / len(lower) for depth in lower}
        for order in ORDERS
    }
    text, authors = weights["eq5"], weights["authors"]
    weights[APART] = {runs: text.get(runs, 0.0) - authors.get(runs, 0.0) for runs in text | authors}
    return {name: Paired.of(outcomes, one) for name, one in weights.items()}


def different(survey: Survey) -> list[Group]:
    """The circuits of a survey whose runs differ: the product state counts once, in the first order of gates."""
    return [group for group in survey.groups if group.values[1] or group.values[0] == ORDERS[0]]


def _runs(order: str, num_layers: int) -> tuple[str, int]:
    """The name of a circuit's runs; the product state is the same runs in both orders of gates."""
    return order if num_layers else "", num_layers


def arm(survey: Survey, order: str, depths: Sequence[int], epsilon: float | None = None) -> Contrast:
    """The rate of some depths together; the product state is the same runs in both orders of gates."""
    runs = "" if tuple(depths) == (0,) else order
    rates = (rate(survey, order, depth, epsilon) for depth in depths)
    return Contrast.of(f"{survey.sweep.config.experiment} {runs} {depths} {epsilon}", pooled(*rates))


def mean_arm(survey: Survey, order: str, depths: Sequence[int]) -> Contrast:
    """The mean of the rates of some depths, in which runs that both orders share are the same."""
    arms = [(1 / len(depths)) * arm(survey, order, (depth,)) for depth in depths]
    return sum(arms[1:], start=arms[0])


def in_words(depths: tuple[int, ...]) -> str:
    """Some depths in words.

    >>> in_words((0,)), in_words((1,)), in_words((2, 3, 4))
    ('product', '1 layer', '2, 3 and 4 layers')
    """
    if depths == (0,):
        return "product"
    *others, last = map(str, depths)
    return f"{', '.join(others)}{' and ' * bool(others)}{last} layer{'s' * (depths != (1,))}"


def rate(survey: Survey, order: str, num_layers: int, epsilon: float | None = None) -> Rate:
    """The rate of success of a circuit, by default at the first ε of a survey."""
    group: Group = survey.group(order, num_layers)
    return group.success(epsilon or survey.sweep.config.epsilon[0])
