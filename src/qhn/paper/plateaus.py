"""Whether gradients vanish as the number of qubits grows: the paper's claim that locality avoids barren plateaus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from qhn.arrays import Floats
from qhn.circuit.hypernetwork import Order
from qhn.paper.contrast import TAIL, Interval
from qhn.paper.family import Family
from qhn.paper.gradient_variance import DIGITS, GAUSSIANS, GLOBAL, LOCAL, Case, Slopes, of_design, slopes
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.lab import Lab
from qhn.paper.plan import PLATEAUS
from qhn.paper.plateau_pictures import Depth, Found, by_position, by_size
from qhn.paper.section import Writer

ORDERS: tuple[Order, ...] = ("eq5", "authors")
AVOIDING = (GAUSSIANS, DIGITS, LOCAL)  # costs for which the paper expects no plateau
SIZES = {GAUSSIANS: (6, 10, 14, 18), DIGITS: (5, 8, 11, 14, 17), LOCAL: (8, 16, 32, 64, 96), GLOBAL: (4, 6, 8, 10, 12)}
DEEP_SIZES = {GAUSSIANS: (6, 10, 14), DIGITS: (5, 7, 9, 11, 13), LOCAL: (4, 6, 8, 10), GLOBAL: (4, 6, 8, 10, 12)}
SEEDS = {GAUSSIANS: 2, LOCAL: 2}  # data sets or couplings of each size; 1 of others
HALF, FULL = "N/2", "N"  # layers, of two blocks each
WORDS: dict[Depth, str] = {0: "product", HALF: "N/2 layers", FULL: "N layers"}


def plateaus(lab: Lab) -> Writer:
    """The section on the variance of gradients against the number of qubits and the depth."""
    plan = PLATEAUS
    page = Writer("Barren plateaus: the variance of gradients against qubits and depth")
    page.text(
        f"Exact gradients at {num_draws(lab)} random θ ~ U(0, 2π) for each cost, size and circuit. *V* is N times the "
        "median over angles of Var ∂E/∂θ, in units of the variance of C over all bitstrings (of the range of C for one "
        "bitstring, whose variance vanishes by itself): N angles of a layer share a cost of many terms, so that a "
        "gradient that only falls as 1/N keeps its V. *Bits lost a qubit* are the negative slope of log₂ V against N: "
        "0 without a plateau, and 1, less what the factor N gives back, in a circuit so deep that it is a 2-design, "
        "where Var ∂E/∂θ ≈ Var C / 2^(N+1) whatever the cost. Intervals are Student's, of the straight line, so that "
        "data sets and curvature count."
    )
    page.text(
        "*Gaussians* is the task of Fig. 2 with (N − 2)/4 hidden units, on two data sets; *digits* is logistic "
        "regression on the N − 1 most variable of 8×8 pixels; *local chain* is a sum of terms of one spin and of two "
        "neighbours with normal coefficients, drawn twice; *one bitstring* costs 1, and all others 0."
    )
    page.table(("fixed before looking", "value", "reason"), plan.rows())
    found = measure(lab)
    page.picture(
        lambda: by_size(lab.folder / "plateaus.png", found),
        "V against the number of qubits: solid eq5, dotted authors; dashed grey, the limit of a 2-design in units of "
        "the variance of C. A straight fall is a barren plateau; the chain reaches 96 qubits.",
    )
    page.picture(
        lambda: by_position(lab.folder / "plateaus-blocks.png", found),
        "N times the mean variance over the angles of the first, middle and last block, order eq5: 2 layers and N.",
    )
    page.table(
        (
            "cost",
            "layers",
            "order",
            "N",
            "V at the least and most N",
            "largest error",
            "bits lost a qubit",
            "power of N",
            "better fit",
            "shots",
        ),
        [_row(key, some) for key, some in found.items()],
    )
    page.text(
        "A slope over so few sizes does not tell an exponential fall from a power of N: *better fit* says which of "
        "both leaves the smaller residuals. *Largest error* is that of a median, relative; that of one bitstring has "
        "heavy tails in shallow circuits (in the product state Var ∂E/∂θ is (1/8)·(3/8)^(N − 1), which loses 1.42 bits "
        "a qubit). *Shots* are those of a row of parameter shift at which a "
        "gradient of median size equals its shot noise, at the least and the most N: (Var C − Var E) / 2 Var ∂E/∂θ."
    )
    page.text(_design_words(found))
    judge(page, found)
    return page


def measure(lab: Lab) -> Found:
    """The variances of all costs, sizes, depths and orders, in the order of the table."""
    cases: dict[tuple[str, Depth, Order], list[Case]] = {}
    depths: tuple[Depth, ...] = (*PLATEAUS.layers, HALF, FULL)
    draws = num_draws(lab)
    few = draws < PLATEAUS.draws
    for cost in SIZES:
        for depth in depths:
            sizes = DEEP_SIZES[cost] if isinstance(depth, str) else SIZES[cost]
            own = PLATEAUS.global_draws if cost == GLOBAL and not few and not isinstance(depth, str) else draws
            for order in ORDERS if depth != 0 else ORDERS[:1]:
                cases[cost, depth, order] = [
                    Case(cost, size, _layers(depth, size), order, own, seed)
                    for size in sizes
                    for seed in range(SEEDS.get(cost, 1))
                ]
    jobs = [case for some in cases.values() for case in some]
    results = iter(lab.map(slopes, jobs, "variance of gradients"))
    return {key: [next(results) for _ in some] for key, some in cases.items()}


def num_draws(lab: Lab) -> int:
    """The number of random θ of each cost, size and circuit: that of the plan, or 20 for each start that was asked."""
    return min(20 * lab.seeds, PLATEAUS.draws) if lab.seeds else PLATEAUS.draws


def judge(page: Writer, found: Found) -> None:
    """Add the claims on plateaus to a section, judged together."""
    plan, family = PLATEAUS, Family("bits of the gradients' variance lost a qubit")
    constant = [depth for depth in PLATEAUS.layers if depth]
    for depths, words in ((constant, "at constant depth"), ([FULL], "with as many layers as qubits")):
        for cost in AVOIDING:
            family.add(
                "text, on trainability",
                f"Locality avoids barren plateaus: {words} gradients of the {cost} lose less than {plan.flat:g} bits "
                "of variance a qubit",
                _tests(found, (cost,), depths, below=plan.flat),
            )
    family.add(
        "control",
        f"The gradients of a global cost, one bitstring of all, lose more than {plan.exponential:g} bits at any depth",
        _tests(found, (GLOBAL,), [*constant, FULL], above=plan.exponential),
    )
    family.judge(page)


def decay(sizes: Iterable[int], shares: Iterable[float]) -> Difference:
    """The bits of a variance lost a qubit, the negative slope of its log₂ against N, with Student's interval.

    >>> decay([4, 6, 8, 10], [2.0 ** -n * f for n, f in zip([4, 6, 8, 10], [1.1, 0.9, 1.0, 1.1])]).words(2)
    '0.99 (0.83 to 1.15)'
    """
    from scipy.stats import t as student_t  # half a second to import

    x, y = np.array(list(sizes), dtype=np.float64), -np.log2(list(shares))
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    rest = y - y.mean() - slope * centred
    freedom = len(x) - 2
    error = float(np.sqrt(rest @ rest / freedom / (centred @ centred))) if freedom > 0 else np.inf

    def at(tail: float) -> Interval:
        bound = error * float(student_t.isf(tail, freedom)) if freedom > 0 else np.inf
        return slope - bound, slope + bound

    return Difference(slope, *at(TAIL), at)


def loss(some: Sequence[Slopes]) -> Difference:
    """The bits of V lost a qubit of a cost, depth and order."""
    return decay([one.case.num_qubits for one in some], [one.share for one in some])


def _tests(
    found: Found, costs: Sequence[str], depths: Sequence[Depth], *, below: float | None = None, above: float = 0.0
) -> dict[str, Hypothesis]:
    """Tests of the bits lost a qubit, one a cost, depth and order of gates."""
    tests = {}
    for (cost, depth, order), some in found.items():
        if cost in costs and depth in depths:
            bits = loss(some)
            title = f"{cost}, {_words(depth)}, {order}"
            tests[title] = bits.above(above) if below is None else _not(bits.above(below))
    return tests


def _not(test: Hypothesis) -> Hypothesis:
    """The statement that a hypothesis is false."""
    return Hypothesis(test.words, supports=test.refutes, refutes=test.supports)


def _row(key: tuple[str, Depth, Order], some: Sequence[Slopes]) -> list[str]:
    cost, depth, order = key
    least, most = some[0], some[-1]
    return [
        cost,
        _words(depth),
        order if depth else "both",
        f"{least.case.num_qubits} to {most.case.num_qubits}",
        f"{least.share:.2g}, {most.share:.2g}",
        f"{max(one.error for one in some):.0%}",
        loss(some).words(2),
        *_power(some),
        f"{least.shots:,.0f}, {most.shots:,.0f}",
    ]


def _power(some: Sequence[Slopes]) -> tuple[str, str]:
    """The power of N in a fit of V, and which fit leaves the smaller residuals, in words."""
    sizes, shares = np.array([one.case.num_qubits for one in some]), np.log2([one.share for one in some])
    (_, left), (power, right) = (_fit(at, shares) for at in (sizes, np.log2(sizes)))
    return f"{power:.1f}", "exponential" if left < right else "power"


def _fit(at: Floats, values: Floats) -> tuple[float, float]:
    """The slope of a straight line through values, and the sum of the squares of its residuals."""
    slope, start = np.polyfit(at, values, 1)
    return float(slope), float(np.square(values - start - slope * at).sum())


def _design_words(found: Found) -> str:
    """How near the deepest circuits are to the limit of a 2-design, in words."""
    ratios: list[float] = []
    for (_, depth, _), some in found.items():
        if depth == FULL:
            ratios += [
                float(np.median(one.variances)) / one.cost_variance / of_design(one.case.num_qubits) for one in some
            ]
    least, middle, most = np.quantile(ratios, (0, 0.5, 1))
    return (
        f"With N layers the median of Var ∂E/∂θ is {middle:.2f} times the closed form of a 2-design in the middle of "
        f"all costs and sizes, and from {least:.2f} to {most:.2f} times. The first block keeps a few times larger "
        "gradients than the last, and no block escapes the fall."
    )


def _words(depth: Depth) -> str:
    return WORDS.get(depth) or f"{depth} layer{'s' * (depth != 1)}"


def _layers(depth: Depth, num_qubits: int) -> int:
    return {HALF: num_qubits // 2, FULL: num_qubits}[depth] if isinstance(depth, str) else depth
