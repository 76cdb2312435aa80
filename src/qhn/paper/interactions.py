"""Fig. 5: the interactions of qubits that make up the cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from qhn.arrays import Floats
from qhn.config.file import load_config
from qhn.paper.claims import verdict_of
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.pictures import interactions
from qhn.paper.plan import INTERACTIONS
from qhn.paper.section import Writer
from qhn.problem.cost import networks_of
from qhn.problem.landscape import Landscape, enumerate_costs

GAUSSIANS = ("gaussian-activation", "gaussian-width")
DIGITS = ("mnist-01", "mnist-01-published", "mnist-37-encoding")
SHOWN = 5  # orders of interaction in the table


def figure_5(lab: Lab) -> Writer:
    """The section on Fig. 5, with W(S) of all tasks and their landscapes."""
    page = Writer("Fig. 5: interactions W(S) of all tasks")
    page.text(
        "W(S) (Eq. 9) is the sum of the squared Walsh–Fourier coefficients of C over sets of S qubits. Shares of the "
        "variance of C, computed from all costs; the signs of σ_z, on which the text is inconsistent, do not matter."
    )
    page.plan(INTERACTIONS)
    landscapes, names = {}, {}
    for task in GAUSSIANS + DIGITS:
        data = {"data.directory": str(lab.mnist)} if lab.mnist and task in DIGITS else {}
        problem = networks_of(load_config(task, data).problem())
        landscapes[task] = Landscape(enumerate_costs(problem))
        names[task] = f"{task} ({len(problem.dataset.y):,} samples)"
    shares = {task: shares_of(found) for task, found in landscapes.items()}
    page.picture(
        lambda: interactions(lab.folder / "figure-5.png", {names[task]: share for task, share in shares.items()}),
        "Share of the variance of C that interactions of S qubits make up; shares below the dotted line, of 1e-8, are "
        "not drawn.",
    )
    head = ["task", "qubits", *(f"S = {size}" for size in range(1, SHOWN + 1)), "S ≤ 2", "S ≤ 4"]
    rows = []
    for task, found in landscapes.items():
        cells = [f"{share:.4f}" for share in shares[task][:SHOWN]]
        sums = [f"{shares[task][:size].sum():.4f}" for size in (2, 4)]
        minima = len(found.local_minima)
        rows.append([names[task], found.num_qubits, *cells, *sums, f"{found.optimum:.6f}", found.degeneracy, minima])
    page.table((*head, "C*", "fold", "one-flip minima"), rows)
    seeds = range(1, 1 + INTERACTIONS.data_sets)
    jobs = [(task, seed) for task in GAUSSIANS for seed in seeds]
    drawn = lab.map(shares_of_data_set, jobs, "interactions of other data sets")
    samples = {
        task: [share for (name, _), share in zip(jobs, drawn, strict=True) if name == task] for task in GAUSSIANS
    }
    judge(page, samples, {task: shares[task] for task in DIGITS})
    return page


def shares_of(landscape: Landscape) -> Floats:
    """The shares W(S) / Σ W of the variance of the costs, from S = 1 on: ``[num_qubits]``."""
    weights = landscape.walsh_weights[1:]
    shares: Floats = weights / weights.sum()
    return shares


def shares_of_data_set(job: tuple[str, int]) -> Floats:
    """The shares W(S) / Σ W of a task whose data are drawn with the given seed: ``[num_qubits]``."""
    task, seed = job
    problem = load_config(task, {"data.seed": seed}).problem()
    return shares_of(Landscape(enumerate_costs(problem)))


def judge(page: Writer, samples: Mapping[str, Sequence[Floats]], digits: Mapping[str, Floats]) -> None:
    """Add the claims on the orders of interaction to a section.

    Args:
        page: the section.
        samples: the shares W(S) / Σ W of the Gaussian tasks, of several data sets each.
        digits: the shares W(S) / Σ W of the tasks of digits, of which there is one data set.
    """
    family = Family("orders of interaction of the Gaussian tasks, over data sets")
    most, few, half = INTERACTIONS.most, INTERACTIONS.few, INTERACTIONS.half
    for statement, size, bound, others in (
        (f"The cost is dominated by interactions of few qubits (S ≤ {few} above {most:g})", few, most, True),
        (f"The cost is nearly pairwise (S ≤ 2 above {most:g})", 2, most, True),
        (f"The cost is mostly a sum over single qubits (S = 1 above {half:g})", 1, half, False),
    ):
        each = {task: float(np.sum(share[:size])) for task, share in digits.items()}
        page.claim(
            "Fig. 5",
            f"{statement}: the digits",
            verdict_of(min(each.values()) > bound),
            "of all costs, without an error: " + ", ".join(f"{task} {share:.3f}" for task, share in each.items()),
        )
        sums = {task: [float(np.sum(share[:size])) for share in some] for task, some in samples.items()}
        means = {task: Difference.of_means(some) for task, some in sums.items()}
        family.add(
            "Fig. 5",
            f"{statement}: the Gaussian tasks" if others else f"{statement}: not so the Gaussian tasks",
            {task: mean.above(bound) if others else mean.inside(0.0, bound) for task, mean in means.items()},
            evidence="; ".join(
                f"{task} {mean.words(3)}, mean of {len(sums[task])} data sets" for task, mean in means.items()
            ),
        )
    family.judge(page)
