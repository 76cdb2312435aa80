"""Fig. 4 and the search of an alphabet: how often training on digits ends near the optimum, against the depth."""

from __future__ import annotations

from qhn.paper.claims import Verdict, by_order
from qhn.paper.family import Family
from qhn.paper.inference import pooled
from qhn.paper.lab import Lab
from qhn.paper.pictures import ORDERS, energies, success
from qhn.paper.section import Writer
from qhn.paper.success import compare, rate, table
from qhn.sweep.survey import Rate

MNIST_01, MNIST_37 = 12_665, 12_396  # training images of these digits in all of MNIST


def figure_4(lab: Lab) -> Writer:
    """The section on Fig. 4, the task of digits 0 and 1."""
    page = Writer("Fig. 4: digits 0 and 1 (17 qubits)")
    data = {"data.directory": str(lab.mnist)} if lab.mnist else {}
    surveys = {
        "weights −3, +1 (published figure)": lab.survey("figure-4-published", data),
        "weights −1, +1 (text)": lab.survey("figure-4", data),
    }
    published, _text = surveys.values()
    count = len(published.groups[0].networks.dataset.y)
    full = count == MNIST_01
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
    page.picture(
        lambda: success(lab.folder / "figure-4.png", surveys), "Success rate against depth, with 95 % intervals."
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
    page.picture(
        lambda: energies(lab.folder / "figure-4-energies.png", published),
        "Weights −3, +1: histograms of E − C* over starts, and of C − C* over the 200 lowest configurations; the first "
        "bin holds all that is not above 1e-8.",
    )
    claimed = (
        ("The product state succeeds in about 60 % of the starts (ε = 5·10⁻⁵)", (0,), 0.6),
        ("Two and three layers succeed in about 90 %", (2, 3), 0.9),
    )
    for statement, depths, share in claimed:
        for title, survey in surveys.items():
            rates = {order: pooled(*(rate(survey, order, depth) for depth in depths)) for order in ORDERS}
            holds = {order: _close(rate, share) for order, rate in rates.items()}
            page.claim(
                "Fig. 4",
                f"{statement}; {title}",
                by_order(holds) if full else Verdict.UNTESTABLE,
                "; ".join(f"{order} {rate}" for order, rate in rates.items())
                + ("" if full else f" on {count:,} images"),
            )
    family = Family("layers against the product state, Fig. 4")
    for title, survey in surveys.items():
        statement = f"Two and three layers succeed more often than the product state; {title}"
        if full:
            compare(family, survey, "Fig. 4", statement, (2, 3), (0,))
        else:
            page.claim("Fig. 4", statement, Verdict.UNTESTABLE, f"{count:,} images")
    if full:
        family.judge(page)
    return page


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
    found = f"{{{low:g}, {high:g}}} with C* = {landscape.optimum:.5f}"
    page.text(
        f"Two qubits choose the two values of all weights: {{0, 1}}, {{−1, 1}}, {{−2, 1}} or {{−3, 1}}. On "
        f"{len(problem.dataset.y):,} images of 3 and 7 the optimum takes {found}; accuracy {float(training):.3f} in "
        f"training{held_out}."
    )
    table(page, lab, survey)
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


def _close(rate: Rate, share: float) -> bool | None:
    """Whether a share read off a published figure to about ±0.03 lies within a rate's interval; None if it is wide."""
    low, high = rate.interval
    return None if high - low > 0.2 else low - 0.03 <= share <= high + 0.03
