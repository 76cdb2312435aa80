"""Whether trainings had converged when the paper's iterations ended, and what more of them would have changed.

Starts that had not converged go on from where they ended, with L-BFGS whose memory begins anew, so that every start is
its own control. McNemar's exact test (Psychometrika 12, 153, 1947) compares the starts that became successful with
those that ceased to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.config import RunConfig
from qhn.optimize.lbfgs import descend
from qhn.paper.courses import exact_of
from qhn.paper.family import Family
from qhn.paper.inference import Difference
from qhn.paper.lab import Lab
from qhn.paper.pairing import mcnemar, rise
from qhn.paper.pictures import name_of
from qhn.paper.plan import CONVERGENCE
from qhn.paper.section import Writer
from qhn.sweep.survey import Group, Rate, Survey, rate_of

CHUNK = 25  # starts that a worker trains at a time
Job = tuple[RunConfig, Floats, tuple[int, ...]]


@dataclass(frozen=True)
class Continued:
    """The starts of a circuit, trained beyond the steps of their sweep until they converged.

    Attributes:
        group: the starts as the sweep left them.
        marks: numbers of steps beyond those of the sweep, ascending.
        values: E of each start after as many steps, ``[starts, marks]``; of one that had converged, the last one.
        converged: whether each start had converged after as many steps, ``[starts, marks]``.
    """

    group: Group
    marks: tuple[int, ...]
    values: Floats
    converged: Bools

    @property
    def steps(self) -> int:
        """The number of steps of the sweep."""
        return self.group.config.train.steps

    def succeeded_by(self, step: int, epsilon: float) -> Bools:
        """Whether E of each start was closer to C* than ``epsilon`` after some steps, those of the sweep or a mark."""
        if step <= self.steps:
            return self.group.succeeded_by(step, epsilon)
        found: Bools = self.values[:, self.marks.index(step)] - self.group.optimum < epsilon
        return found

    def success(self, step: int, epsilon: float) -> Rate:
        """The rate of starts that had succeeded after some steps, those of the sweep or a mark."""
        return rate_of(self.succeeded_by(step, epsilon))

    def converged_by(self, step: int) -> Rate:
        """The rate of starts that had converged after some steps, those of the sweep or a mark."""
        if step <= self.steps:
            return self.group.converged_by(step)
        return rate_of(self.converged[:, self.marks.index(step)])

    def change(self, first: int, last: int, epsilon: float) -> tuple[int, int]:
        """The number of starts that succeed after ``last`` steps and not after ``first``, and that of the reverse."""
        before, after = self.succeeded_by(first, epsilon), self.succeeded_by(last, epsilon)
        return int((after & ~before).sum()), int((before & ~after).sum())


def convergence(page: Writer, lab: Lab, survey: Survey, name: str) -> list[Continued]:
    """Add to a section how many starts had converged, what more steps change, and whether success has its plateau.

    Args:
        page: the section.
        lab: the workers.
        survey: the survey of a sweep of exact trainings by L-BFGS, whose settings vary order and number of layers.
        name: what was trained, in words, such as ``"Fig. 2"``.

    Returns:
        The starts of each circuit, in the order of the survey's groups, trained on until they converged.
    """
    plan, epsilon = CONVERGENCE, survey.epsilon[0]
    found = continued(lab, survey, name)
    steps, most = found[0].steps, plan.most_steps
    before = tuple(mark for mark in plan.checkpoints if mark < steps)
    checkpoints = (*before, steps, *found[0].marks)
    left = [one for one in found if one.converged_by(steps).value < 1]
    page.text(
        f"**Convergence.** A start has converged when no component of its gradient exceeds "
        f"{found[0].group.config.train.tolerance:g}. Those that had not after the paper's {steps} iterations went on, "
        f"with L-BFGS that begins anew where they stood, for up to {most:,} in all. *Changed* counts the starts that "
        f"became successful and those that ceased to be between {steps} and {most:,} steps, with the two-sided p of "
        "McNemar's exact test; success is that of E at the given step. Claims of the paper are judged at its "
        f"{steps} iterations, and the last columns show what they would be judged by if all were trained to the end. "
        "Circuits of which all starts had converged are not tested."
    )
    head = ["circuit", "order", f"converged at {steps}", f"at {most:,}"]
    head += [f"E − C* < {epsilon:g} at {mark:,}" for mark in checkpoints] + ["changed", "p"]
    head += [f"< {other:g} at {mark:,}" for other in survey.epsilon[1:] for mark in (steps, most)]
    page.table(head, [_row(one, checkpoints, survey.epsilon, most) for one in found])
    family = Family(f"{name}: success after more steps")
    for first, words in ((steps, f"the paper's {steps} iterations"), (checkpoints[-2], f"{checkpoints[-2]:,} steps")):
        family.add(
            f"{name}, convergence",
            f"After {words} success (ε = {epsilon:g}) has its plateau: {most:,} change it by less than {plan.margin:g}",
            {_title(one): gain(one, first, most, epsilon).inside(-plan.margin, plan.margin) for one in left},
            evidence="" if left else f"all starts had converged after {steps} steps",
        )
    family.judge(page)
    return found


def continued(lab: Lab, survey: Survey, name: str) -> list[Continued]:
    """Train the starts of a sweep that had not converged until they have, or to the most steps of the plan."""
    steps = survey.groups[0].config.train.steps
    marks = tuple(mark for mark in CONVERGENCE.checkpoints if steps < mark < CONVERGENCE.most_steps)
    marks += (CONVERGENCE.most_steps,)
    jobs: list[Job] = []
    places = []
    for number, group in enumerate(survey.groups):
        left = np.flatnonzero(group.columns["outcome"] == "done")
        for rows in np.array_split(left, -(-len(left) // CHUNK)) if len(left) else []:
            beyond = tuple(mark - steps for mark in marks)
            jobs.append((group.config, group.columns["theta"][rows], beyond))
            places.append((number, rows))
    shape = [(len(group), len(marks)) for group in survey.groups]
    values = [np.repeat(group.mean[:, None], len(marks), axis=1) for group in survey.groups]
    converged = [
        np.broadcast_to((g.columns["outcome"] != "done")[:, None], s).copy()
        for g, s in zip(survey.groups, shape, strict=True)
    ]
    for (number, rows), (value, flags) in zip(places, lab.map(_train_on, jobs, f"{name}: to convergence"), strict=True):
        values[number][rows], converged[number][rows] = value, flags
    return [Continued(*facts) for facts in zip(survey.groups, [marks] * len(shape), values, converged, strict=True)]


def gain(one: Continued, first: int, last: int, epsilon: float) -> Difference:
    """The rise of a circuit's success rate from one number of steps to another, paired by start."""
    return rise(*one.change(first, last, epsilon), len(one.group))


def _row(one: Continued, checkpoints: Sequence[int], epsilons: Sequence[float], most: int) -> list[str]:
    became, ceased = one.change(one.steps, most, epsilons[0])
    row = [name_of(one.group.values[1]), one.group.values[0]]
    row += [f"{one.converged_by(step).value:.3f}" for step in (one.steps, most)]
    row += [f"{one.success(mark, epsilons[0]).value:.3f}" for mark in checkpoints]
    row += [f"+{became} −{ceased}", f"{mcnemar(became, ceased).p_value:.2g}"]
    return row + [f"{one.success(mark, other).value:.3f}" for other in epsilons[1:] for mark in (one.steps, most)]


def _title(one: Continued) -> str:
    return f"{one.group.values[0]}, {name_of(one.group.values[1])}"


def _train_on(job: Job) -> tuple[Floats, Bools]:
    """E, and whether a start has converged, after numbers of further steps, ``[starts, marks]`` each."""
    config, thetas, marks = job
    values, converged = np.empty((len(thetas), len(marks))), np.empty((len(thetas), len(marks)), dtype=bool)
    exact = exact_of(config)
    for step, at in enumerate(
        descend(exact.value_and_grad, thetas, max_steps=marks[-1], tolerance=config.train.tolerance)
    ):
        later = np.array(marks) >= step
        values[:, later], converged[:, later] = at.value[:, None], at.converged[:, None]
    return values, converged
