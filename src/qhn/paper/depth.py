"""Figs. 2 and 3: how often training from a random θ ends near the optimum, against the depth of the circuit."""

from __future__ import annotations

from qhn.paper.claims import Verdict, by_order
from qhn.paper.contrast import above, detectable, pooled
from qhn.paper.convergence import convergence
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.optimum import Found, optimum_itself
from qhn.paper.pictures import ORDERS, best_of, name_of
from qhn.paper.plan import DEPTH
from qhn.paper.section import Writer
from qhn.paper.success import add_rates, arm, compare, different, mean_arm, rate
from qhn.report.figures import decision_boundary
from qhn.sweep.survey import Survey

OURS = "our question"
DEEP = (2, 3, 4)  # the depths from the paper's best on


def figure_2(lab: Lab) -> Writer:
    """The section on Fig. 2, the four-Gaussian task with a searched activation."""
    page = Writer("Fig. 2: the activation is searched (gaussian-activation, 14 qubits)")
    survey = lab.survey("figure-2", seeds=lab.seeds or DEPTH.starts)
    group = survey.groups[0]
    landscape = group.landscape
    assert landscape is not None
    space = group.networks.space
    near = int((landscape.costs < landscape.optimum + 0.03).sum())
    activations = {space.decode(bits).activation for bits in landscape.optimal_bits}
    page.text(
        f"{len(group):,} starts with θ uniform in [0, 2π), exact E, L-BFGS to a gradient of "
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
    page.plan(DEPTH)
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
    for number, words in (((1,), "One layer makes"), (DEEP, "Two to four layers make")):
        compare(
            family,
            survey,
            OURS,
            f"{words} finding the optimum itself rarer (ε = {DEPTH.strict:g})",
            (0,),
            number,
            DEPTH.strict,
        )
    for epsilon in survey.epsilon:
        layers = {order: arm(survey, order, (1, 2, 3, 4), epsilon) - DEPTH.high for order in ORDERS}
        deep = {order: pooled(*(rate(survey, order, depth, epsilon) for depth in (1, 2, 3, 4))) for order in ORDERS}
        total = pooled(*(other.success(epsilon) for other in different(survey)))
        tests = {order: Difference.contrast(one).above() for order, one in layers.items()}
        family.add(
            "abstract",
            f"Training finds the optimal parameters and choices with high probability (here ε = {epsilon:g})",
            tests,
            by_order,
            f"product {rate(survey, 'eq5', 0, epsilon)}, 1 to 4 layers "
            + "; ".join(f"{order} {found}" for order, found in deep.items())
            + f"; {total.value:.0%} of all starts",
        )
    page.text(_power(survey, family))
    family.judge(page)
    optimum_itself(page, lab, "figure-2", "Fig. 2", Found.of_starts(survey), DEEP, [landscape])
    return page


def figure_3(lab: Lab) -> Writer:
    """The section on Fig. 3, the four-Gaussian task with a searched width."""
    page = Writer("Fig. 3: the width is searched as well (gaussian-width, 15 qubits)")
    survey = lab.survey("figure-3", seeds=lab.seeds or DEPTH.starts)
    landscape = survey.groups[0].landscape
    assert landscape is not None
    space = survey.groups[0].networks.space
    chosen = [space.decode(bits) for bits in landscape.optimal_bits]
    shapes = {f"{network.shape}, {network.activation}" for network in chosen}
    page.text(
        f"As Fig. 2, {len(survey.groups[0]):,} starts, with one more qubit, which chooses 2 or 3 hidden units. The "
        f"optimum C* = {landscape.optimum:.6f} is {landscape.degeneracy}-fold: {', '.join(sorted(shapes))}."
    )
    add_rates(page, lab, survey, "figure-3")
    convergence(page, lab, survey, "Fig. 3")
    page.plan(DEPTH)
    family = Family("success against depth, Fig. 3")
    _shape(page, family, survey, "Fig. 3")
    before = lab.survey("figure-2", seeds=lab.seeds or DEPTH.starts)
    depths = sorted({group.values[1] for group in survey.groups})
    totals = {order: mean_arm(before, order, depths) - mean_arm(survey, order, depths) for order in ORDERS}
    family.order(
        "Fig. 3",
        "Success is rarer than in Fig. 2",
        {order: Difference.contrast(total) for order, total in totals.items()},
        Difference.contrast(totals["eq5"] - totals["authors"]),
        "Fig. 2 minus Fig. 3 over all depths",
    )
    page.text(_power(survey, family))
    family.judge(page)
    optimum_itself(page, lab, "figure-3", "Fig. 3", Found.of_starts(survey), DEEP, [landscape])
    return page


def _power(survey: Survey, family: Family) -> str:
    """Text that says how small a difference the starts find."""
    starts, tests = len(survey.groups[0]), sum(len(claim.tests) for claim in family.claims)
    least = detectable(starts, 0.5, tests=tests)
    return (
        f"A difference of {least:.2f} between the rates near ½ of two circuits, with {starts:,} starts each, is found "
        f"in nine of ten cases after correction for the {tests} tests; a smaller one may stay undecided."
    )


def _shape(page: Writer, family: Family, survey: Survey, source: str) -> None:
    """Add the claims on how success depends on depth to a section and a family of tests."""
    product = {order: rate(survey, order, 0) for order in ORDERS}
    page.claim(
        source,
        "The product state, without entanglement, already works (ε = 0.03)",
        by_order({order: above(product[order], DEPTH.high) for order in ORDERS}),
        f"{product['eq5']} of {product['eq5'].trials:,} starts",
    )
    statements = (
        ("One layer is worse than the product state", (0,), (1,)),
        ("Two or three layers are better than the product state", (2, 3), (0,)),
        ("Two or three layers are better than one", (2, 3), (1,)),
        ("With four layers success falls again", (2, 3), (4,)),
    )
    for statement, higher, lower in statements:
        compare(family, survey, source, statement, higher, lower)
