"""Beyond the paper: training from samples compared with classical searches, at the same number of evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.baseline.classical import METHODS, Trace, passes
from qhn.baseline.straight_through import PASSES
from qhn.paper.control_searches import above_within
from qhn.paper.lab import Lab
from qhn.paper.pictures import name_of, search_curves
from qhn.paper.plan import CONTROLS
from qhn.paper.section import Writer
from qhn.sweep.classical import Searches
from qhn.sweep.survey import Group


def equal_evaluations(lab: Lab) -> Writer:
    """The section on sampled training and classical searches, counted in different networks evaluated."""
    page = Writer("Sampled training beside classical search, at equal evaluations (gaussian-activation)")
    survey = lab.survey("shots", seeds=min(lab.seeds or CONTROLS.sampled, CONTROLS.sampled))
    searches = lab.searches(survey)
    group = survey.groups[0]
    landscape = group.landscape
    assert landscape is not None
    page.text(
        f"Parameter-shift gradients from ideal shots, Adam, {group.config.train.steps} steps, {len(group)} starts "
        "each; one gradient is the unshifted row and two for each active angle. **Evaluations are counted in "
        "different networks whose C was computed**: one met again costs nothing. The product-Bernoulli model "
        "(`product`) *is* the product ansatz, trained by score-function gradients; the other searches use no "
        "circuit. Best sampled C and E, which is computed exactly for the last θ, are shown apart: at these sizes the "
        "best sample says little about training. "
        "**The second price is passes over the samples**: a network's C takes one forward; a straight-through step "
        f"takes a gradient as well, whose pass backward counts as two, so that each network costs {PASSES} passes."
    )
    traces = searches.traces[group.config.problem_id]
    budget = max(max(other.budgets) for other in survey.groups)
    counts = np.unique(np.geomspace(1, budget, 80).round().astype(np.int64))
    random = np.array([landscape.expected_best_of_random(int(count)) for count in counts])
    curves = {"random (expected)": (counts.astype(np.float64), random)}
    for method in METHODS:
        found = [trace for trace in traces if trace.method == method]
        if found and method != "random":
            curves[method] = (counts.astype(np.float64), _mean_best(found, counts))
    for circuit in survey.groups:
        num_layers, shots = circuit.values
        curves[f"{name_of(num_layers)}, {shots} shot{'s' * (shots > 1)} a row"] = _sampled(circuit)
    marks = {name: "-" if "row" in name else "--" for name in curves}
    page.picture(
        lambda: search_curves(
            lab.folder / "search.png", curves, landscape.optimum, marks, {n: passes(n) for n in curves}
        ),
        "Mean over repeats of the best C so far (solid: circuits trained by samples; dashed: classical searches), "
        "against different networks evaluated and against passes over the samples. 10⁻⁵ stands for less.",
    )
    head = ["circuit", "shots a row", "distinct networks", "E − C* median", "best sampled is optimal"]
    head += ["… polished", "by so many networks more, at most"]
    rows: list[list[Any]] = []
    for circuit in survey.groups:
        num_layers, shots = circuit.values
        row: list[Any] = [name_of(num_layers), shots, f"{circuit.budgets[0]:,}"]
        row += [f"{np.median(above_within(survey, circuit)):.4f}"]
        row += [str(circuit.finds(circuit.columns["best_cost"])), str(circuit.finds(circuit.polished))]
        row.append(f"{circuit.polish_distinct:,.0f}")
        for method in METHODS:
            row.append(_share(searches, circuit, method, circuit.budgets[0]))
        row.append(_share(searches, circuit, "straight-through", max(circuit.budgets[0] // PASSES, 1)))
        rows.append(row)
    page.table([*head, *METHODS, "straight-through at as many passes"], rows)
    width = landscape.optimum + landscape.width
    medians = {m: float(np.median([t.count_to(width) for t in traces if t.method == m])) for m in METHODS}
    quickest = min(medians, key=lambda method: medians[method])
    cheapest = min(medians, key=lambda method: passes(method) * medians[method])
    listed = ", ".join(_spelled(method, count) for method, count in medians.items())
    page.text(
        "The last columns are the shares of classical searches that found the optimum at the same number of different "
        f"networks, the very last at the same number of passes. Median number of networks until a search finds the "
        f"optimum: {listed}; quickest in networks is {quickest}, in passes {cheapest}. A "
        "search that draws without repetition must find it within the whole space, so at these sizes nothing here says "
        "that a circuit searches better, or worse, where enumeration is impossible."
    )
    return page


def _share(searches: Searches, circuit: Group, method: str, budget: int) -> str:
    """The share of searches that found the optimum within some number of different networks; a dash if unknown."""
    share = searches.facts(circuit, method, budget).get("best_is_optimal")
    return "–" if share is None else f"{share:.2f}"


def _spelled(method: str, count: float) -> str:
    """A method and its number of networks, with that of passes where it is another."""
    if not np.isfinite(count):
        return f"{method} –"
    price = passes(method)
    return f"{method} {count:,g}" + (f" ({price * count:,g} passes)" if price > 1 else "")


def _mean_best(traces: list[Trace], counts: Integers) -> Floats:
    mean: Floats = np.mean([trace.best_at(counts) for trace in traces], axis=0)
    return mean


def _sampled(group: Group) -> tuple[Floats, Floats]:
    """The mean over starts of the best C against the mean number of distinct networks, step by step."""
    return group.columns["distinct_at"].mean(axis=0), group.columns["best_costs"].mean(axis=0)
