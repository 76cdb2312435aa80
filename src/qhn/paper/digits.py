"""Fig. 4 and the search of an alphabet: how often training on digits ends near the optimum, against the depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from qhn.paper.claims import Verdict, by_order
from qhn.paper.contrast import Contrast, pooled
from qhn.paper.convergence import convergence
from qhn.paper.depth_pictures import success
from qhn.paper.family import Family
from qhn.paper.inference import Difference, Hypothesis
from qhn.paper.lab import Lab
from qhn.paper.pairing import Paired
from qhn.paper.pictures import ORDERS, energies, name_of
from qhn.paper.plan import DIGITS
from qhn.paper.section import Writer
from qhn.paper.success import in_words, paired, table
from qhn.sweep.survey import Rate, Survey

MNIST_01, MNIST_37 = 12_665, 12_396  # training images of these digits in all of MNIST
Rates = Mapping[tuple[str, int, float], Rate]  # by order of gates, number of layers and ε


def figure_4(lab: Lab) -> Writer:
    """The section on Fig. 4, the task of digits 0 and 1."""
    page = Writer("Fig. 4: digits 0 and 1 (17 qubits)")
    data = {"data.directory": str(lab.mnist)} if lab.mnist else {}
    seeds = lab.seeds or (DIGITS.full_starts if lab.mnist else DIGITS.starts)
    surveys = {
        "weights −3, +1 (published figure)": lab.survey("figure-4-published", data, seeds=seeds),
        "weights −1, +1 (text)": lab.survey("figure-4", data, seeds=seeds),
    }
    published, _text = surveys.values()
    count = len(published.groups[0].networks.dataset.y)
    full = count == MNIST_01
    page.plan(DIGITS)
    page.text(
        f"Logistic regression on 4×4 pixels of {count:,} images, cross-entropy. "
        + (
            "These are all that MNIST has for training."
            if full
            else f"The paper has {MNIST_01:,}, and **its numbers are judged on full MNIST only**: give the directory "
            "of the four IDX files, `make reproduce FIG=4 MNIST=path/to/mnist`."
        )
        + " The text says weights are ±1; the published figure is of −3 and +1. Both are shown."
    )
    same = all(
        len({group.success(epsilon) for epsilon in one.epsilon}) == 1
        for one in surveys.values()
        for group in one.groups
    )
    page.picture(
        lambda: success(lab.folder / "figure-4.png", surveys),
        f"Success rate against depth, with 95 % intervals.{' At both ε it is the same.' if same else ''}",
    )
    for title, survey in surveys.items():
        landscape = survey.groups[0].landscape
        assert landscape is not None
        levels = landscape.levels(2)
        page.text(
            f"**{title.capitalize()}**: C* = {landscape.optimum:.6f}, {landscape.degeneracy}-fold (each pixel that is "
            f"always blank doubles it); the next level lies {levels[1][0] - levels[0][0]:.2e} above; "
            f"{len(landscape.local_minima)} one-flip minima."
        )
        table(page, lab, survey)
        convergence(page, lab, survey, f"Fig. 4, {title}")
    page.picture(
        lambda: energies(lab.folder / "figure-4-energies.png", published),
        "Weights −3, +1: histograms of E − C* over starts, and of C − C* over the 200 lowest configurations; the first "
        "bin holds all that is not above 1e-8.",
    )
    pairs = {
        (title, epsilon): paired(survey, (2, 3), (0,), epsilon)
        for title, survey in surveys.items()
        for epsilon in (DIGITS.paper_epsilon, DIGITS.loose_epsilon)
    }
    judge(page, {title: rates_of(survey) for title, survey in surveys.items()}, count, pairs)
    return page


def rates_of(survey: Survey) -> Rates:
    """The rates of success by order of gates, number of layers and ε."""
    return {
        (*group.values, epsilon): group.success(epsilon)
        for group in survey.groups
        for epsilon in (DIGITS.paper_epsilon, DIGITS.loose_epsilon)
    }


def judge(
    page: Writer,
    found: Mapping[str, Rates],
    count: int,
    pairs: Mapping[tuple[str, float], Mapping[str, Paired]] | None = None,
) -> None:
    """Add the claims of Fig. 4 to a section: the shares of its figure, and layers against the product state.

    Args:
        page: the section.
        found: the rates of success with both alphabets, by title.
        count: number of images.
        pairs: the gains of layers over the product state, paired by start, by title and ε.
    """
    full = count == MNIST_01
    shares = Family("shares read off Fig. 4")
    layers = Family(f"layers against the product state, Fig. 4, {count:,} images")
    for title, rates in found.items():
        for statement, depths, share in (
            ("The product state succeeds in about 60 % of the starts (ε = 5·10⁻⁵)", (0,), DIGITS.product),
            ("Two and three layers succeed in about 90 %", (2, 3), DIGITS.layers),
        ):
            arms = {order: _arm(rates, order, depths, DIGITS.paper_epsilon) for order in ORDERS}
            if full:
                tests = {order: about(arm, share) for order, arm in arms.items()}
                shares.add("Fig. 4", f"{statement}; {title}", tests, by_order)
            else:
                words = "; ".join(f"{order} {arm.value:.2f}" for order, arm in arms.items())
                evidence = f"{words} on {count:,} images"
                page.claim("Fig. 4", f"{statement}; {title}", Verdict.UNTESTABLE, evidence)
        for epsilon in (DIGITS.paper_epsilon, DIGITS.loose_epsilon):
            gains = {order: _arm(rates, order, (2, 3), epsilon) - _arm(rates, order, (0,), epsilon) for order in ORDERS}
            as_published = full and epsilon == DIGITS.paper_epsilon
            layers.order(
                "Fig. 4" if as_published else f"our question, on {count:,} images",
                f"Two and three layers succeed more often than the product state (ε = {epsilon:g}); {title}",
                {order: Difference.contrast(gain) for order, gain in gains.items()},
                Difference.contrast(gains["eq5"] - gains["authors"]),
                f"{in_words((2, 3))} minus {in_words((0,))}",
                pairs[title, epsilon] if pairs else None,
            )
    if full:
        shares.judge(page)
    else:
        statement = "Two and three layers succeed more often than the product state"
        page.claim("Fig. 4", statement, Verdict.UNTESTABLE, f"the paper's data are {MNIST_01:,} images, not {count:,}")
    layers.judge(page)


def _arm(rates: Rates, order: str, depths: Sequence[int], epsilon: float) -> Contrast:
    """The rate of some depths together; the product state is the same runs in both orders of gates."""
    runs = "" if tuple(depths) == (0,) else order
    return Contrast.of(f"{runs} {depths} {epsilon:g}", pooled(*(rates[order, depth, epsilon] for depth in depths)))


def about(found: Contrast, share: float) -> Hypothesis:
    """The statement that a rate is about a share of the paper, by a test of equivalence with the margin of the plan.

    >>> [about(Contrast.of("runs", Rate(n, 400)), 0.6).holds for n in (245, 270, 120)]
    [True, None, False]
    """
    test = Difference.contrast(found - share).inside(-DIGITS.margin, DIGITS.margin)
    return replace(test, words=f"{found.value:.2f}, off the paper's {share:g} by {test.words}")


def encoding(lab: Lab) -> Writer:
    """The section on the authors' task of digits 3 and 7 with a searched alphabet."""
    page = Writer("Encoding search (19 qubits; in the authors' program only)")
    survey = lab.survey("encoding", {"data.directory": str(lab.mnist)} if lab.mnist else {})
    group = survey.groups[0]
    landscape, problem = group.landscape, group.networks
    assert landscape is not None
    best = problem.network(landscape.optimal_bits[0])
    training, validation = problem.accuracy(landscape.optimal_bits[0])
    held_out = "" if validation is None else f", {float(validation):.3f} on the test images"
    low, high = best.alphabet
    found = f"{{{_signed(low)}, {_signed(high)}}} with C* = {landscape.optimum:.5f}"
    page.text(
        f"Two qubits choose the two values of all weights: {{0, 1}}, {{−1, 1}}, {{−2, 1}} or {{−3, 1}}. On "
        f"{len(problem.dataset.y):,} images of 3 and 7 the optimum takes {found}; accuracy {float(training):.3f} in "
        f"training{held_out}."
    )
    table(page, lab, survey)
    steps = group.config.train.steps
    converged = ", ".join(f"{name_of(one.values[0])} {one.converged_by(steps)}" for one in survey.groups)
    page.text(f"Starts that had converged after the paper's {steps} iterations: {converged}.")
    full = len(problem.dataset.y) == MNIST_37
    agrees = (low, high) == (0, 1) and abs(landscape.optimum - 0.60364) < 5e-5
    page.claim(
        "authors' program",
        "The optimum selects {0, 1} with C = 0.60364",
        (Verdict.REPRODUCED if agrees else Verdict.NOT_REPRODUCED) if full else Verdict.UNTESTABLE,
        found + ("" if full else f" on {len(problem.dataset.y):,} images; all of MNIST is needed"),
    )
    accuracies = [float(training)] + ([] if validation is None else [float(validation)])
    close = [abs(value - published) < 0.005 for value, published in zip(accuracies, (0.769, 0.755), strict=False)]
    page.claim(
        "authors' program",
        "Its accuracy is 0.769 in training and 0.755 on test images",
        (Verdict.REPRODUCED if all(close) and len(close) == 2 else Verdict.NOT_REPRODUCED)
        if full and validation is not None
        else Verdict.UNTESTABLE,
        ", ".join(f"{value:.3f}" for value in accuracies) + ("" if full else " on other images"),
    )
    return page


def _signed(value: float) -> str:
    return f"{value:g}".replace("-", "−")
