"""Figs. 2 and 3: how often training from a random θ ends near the optimum, against the depth of the circuit."""

from __future__ import annotations

from qhn.paper.claims import Verdict, by_order
from qhn.paper.convergence import convergence
from qhn.paper.family import Family
from qhn.paper.inference import Difference, above, pooled
from qhn.paper.lab import Lab
from qhn.paper.pictures import ORDERS, best_of, name_of
from qhn.paper.section import Writer
from qhn.paper.success import add_rates, arm, compare, rate
from qhn.report.figures import decision_boundary
from qhn.sweep.survey import Survey

HIGH = 0.25  # a rate above this is that of a method that works: four starts find it once


def figure_2(lab: Lab) -> Writer:
    """The section on Fig. 2, the four-Gaussian task with a searched activation."""
    page = Writer("Fig. 2: the activation is searched (gaussian-activation, 14 qubits)")
    survey = lab.survey("figure-2")
    group = survey.groups[0]
    landscape = group.landscape
    assert landscape is not None
    space = group.networks.space
    near = int((landscape.costs < landscape.optimum + 0.03).sum())
    activations = {space.decode(bits).activation for bits in landscape.optimal_bits}
    page.text(
        f"{len(group)} starts with θ uniform in [0, 2π), exact E, L-BFGS to a gradient of "
        f"{group.config.train.tolerance:g} or {group.config.train.steps} steps, {len(group.networks.dataset.y):,} "
        f"samples, mean squared error. The optimum C* = {landscape.optimum:.6f} is {landscape.degeneracy}-fold "
        "(permutations of hidden units). "
        f"**Within the paper's ε = 0.03 of it lie {near} of {landscape.costs.size:,} networks**, the next level "
        f"{landscape.levels(2)[1][0] - landscape.optimum:.4f} above C*; so we also judge by ε = 0.003, which only "
        "optimal networks satisfy. Success is judged on E, the mean over the trained distribution."
    )
    add_rates(page, lab, survey, "figure-2")
    convergence(page, lab, survey, "Fig. 2")
    best, row = best_of(survey.groups)
    bits = best.columns["best_bits"][row]
    page.picture(
        lambda: decision_boundary(
            lab.folder / "figure-2-decision.png",
            best.networks.network(bits),
            best.networks.dataset,
            f"best start: C = {best.columns['best_cost'][row]:.5f}",
        ),
        f"The best start of all ({name_of(best.values[1])}, {best.values[0]}): its most probable network.",
    )
    page.claim(
        "Fig. 2, text",
        "The best network has C ≈ 0.008, and its activation is ReLU",
        Verdict.REPRODUCED
        if activations == {"relu"} and abs(landscape.optimum - 0.008) < 0.001
        else Verdict.NOT_REPRODUCED,
        f"by enumeration C* = {landscape.optimum:.5f}, {landscape.degeneracy}-fold, {', '.join(activations)}",
    )
    family = Family("success against depth, Fig. 2")
    _shape(page, family, survey, "Fig. 2")
    compare(
        family,
        survey,
        "text, elsewhere",
        "Three and four layers are better than two (it contradicts the claim of two to three)",
        (3, 4),
        (2,),
    )
    family.judge(page)
    strict = {order: pooled(*(rate(survey, order, d, 0.003) for d in (1, 2, 3, 4))) for order in ORDERS}
    product = rate(survey, "eq5", 0, 0.003)
    loose = pooled(*(other.success(0.03) for other in survey.groups))
    exact = pooled(*(other.success(0.003) for other in survey.groups))
    page.claim(
        "abstract",
        "Training finds the optimal parameters and choices with high probability (here on the Gaussian task)",
        by_order({order: above(strict[order], HIGH) for order in ORDERS}),
        f"the optimum itself (ε = 0.003): product {product}, 1 to 4 layers "
        + "; ".join(f"{order} {rate}" for order, rate in strict.items())
        + f". Of all starts {loose.value:.0%} succeed at ε = 0.03, and {exact.value:.0%} in an optimal network.",
    )
    return page


def figure_3(lab: Lab) -> Writer:
    """The section on Fig. 3, the four-Gaussian task with a searched width."""
    page = Writer("Fig. 3: the width is searched as well (gaussian-width, 15 qubits)")
    survey = lab.survey("figure-3")
    landscape = survey.groups[0].landscape
    assert landscape is not None
    space = survey.groups[0].networks.space
    chosen = [space.decode(bits) for bits in landscape.optimal_bits]
    shapes = {f"{network.shape}, {network.activation}" for network in chosen}
    page.text(
        f"As Fig. 2, {len(survey.groups[0])} starts, with one more qubit, which chooses 2 or 3 hidden units. The "
        f"optimum C* = {landscape.optimum:.6f} is {landscape.degeneracy}-fold: {', '.join(sorted(shapes))}."
    )
    add_rates(page, lab, survey, "figure-3")
    convergence(page, lab, survey, "Fig. 3")
    family = Family("success against depth, Fig. 3")
    _shape(page, family, survey, "Fig. 3")
    before = lab.survey("figure-2")
    depths = sorted({group.values[1] for group in survey.groups})
    totals = {order: arm(before, order, depths, "Fig. 2") - arm(survey, order, depths, "Fig. 3") for order in ORDERS}
    family.order(
        "Fig. 3",
        "Success is rarer than in Fig. 2",
        {order: Difference.contrast(total) for order, total in totals.items()},
        Difference.contrast(totals["eq5"] - totals["authors"]),
        "Fig. 2 minus Fig. 3 over all depths",
    )
    family.judge(page)
    return page


def _shape(page: Writer, family: Family, survey: Survey, source: str) -> None:
    """Add the claims on how success depends on depth to a section and a family of tests."""
    product = {order: rate(survey, order, 0) for order in ORDERS}
    page.claim(
        source,
        "The product state, without entanglement, already works (ε = 0.03)",
        by_order({order: above(product[order], HIGH) for order in ORDERS}),
        f"{product['eq5']} of {product['eq5'].trials} starts",
    )
    statements = (
        ("One layer is worse than the product state", (0,), (1,)),
        ("Two or three layers are better than the product state", (2, 3), (0,)),
        ("Two or three layers are better than one", (2, 3), (1,)),
        ("With four layers success falls again", (2, 3), (4,)),
    )
    for statement, higher, lower in statements:
        compare(family, survey, source, statement, higher, lower)
