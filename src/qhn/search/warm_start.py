"""Curves of earlier trainings from which the predictor of a study learns as well, kept as the study began with them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from qhn.errors import QhnError
from qhn.learning_curves.curve import LearningCurve, without_repeats
from qhn.learning_curves.earlier import EarlierCurves, Wanted, fitting
from qhn.learning_curves.sources import find_curves
from qhn.learning_curves.store import load_curves, save_curves
from qhn.search.config import StudyPlan
from qhn.search.resource import Grid
from qhn.search.space import Range
from qhn.search.study import seed_of

EARLIER = "earlier.npz"  # the curves, in the directory of a study
UNITS = {"shots": "shots", "qpu-seconds": "qpu_seconds", "steps": "steps"}


def earlier_curves(plan: StudyPlan, grid: Grid, results: Path, folder: Path) -> EarlierCurves | None:
    """The curves of earlier trainings for the predictor of a study; None if it asks for none.

    Which curves these are is written down when the study begins, so that it goes on with the same ones.

    Args:
        plan: the plan of the study.
        grid: the common grid of resource.
        results: directory of all runs.
        folder: the directory of the study.

    Raises:
        NotFoundError: if there is no such sweep, study or run.
        QhnError: if none of the curves fits the study.
        OSError: if they cannot be written.
    """
    if not plan.config.warm_start:
        return None
    path = folder / EARLIER
    if path.exists():
        found = _fitting(plan, grid, load_curves(path))
    else:
        found = _fitting(plan, grid, _found(plan, results))
        folder.mkdir(parents=True, exist_ok=True)
        save_curves(path, found.taken)
    return found


def _found(plan: StudyPlan, results: Path) -> list[LearningCurve]:
    """The curves of the same problem in the places that the study names."""
    places = [results] if plan.config.warm_start == "all" else [Path(place) for place in plan.config.warm_start]
    problem = next(iter(plan.configs.values())).problem_id
    return [curve for place in places for curve in find_curves(place, plan.config.loss, problem).curves]


def _fitting(plan: StudyPlan, grid: Grid, curves: list[LearningCurve]) -> EarlierCurves:
    """The curves that fit one kind of trial or another, whose learning rates may fall over other numbers of steps.

    Raises:
        QhnError: if there is none.
    """
    first = {kind: trial for trial, kind in reversed(list(grid.kind_of.items()))}
    parts, left = list[EarlierCurves](), without_repeats(curves)
    for trial in first.values():
        found = fitting(left, _wanted(plan, grid, trial))
        taken = {id(curve) for curve in found.taken}
        left = [curve for curve in left if id(curve) not in taken]
        parts.append(found)
    joined = EarlierCurves(
        tuple(curve for part in parts for curve in part.taken),
        np.concatenate([part.losses for part in parts]),
        np.concatenate([part.settings for part in parts if len(part.taken)] or [np.empty((0, 0))]),
        fitting(left, _wanted(plan, grid, next(iter(first.values())))).refused,
    )
    if not joined.taken:
        raise QhnError(f"warm_start: {joined.words()}")
    return joined


def _wanted(plan: StudyPlan, grid: Grid, trial: int) -> Wanted:
    """What a curve must be to be like those of a trial."""
    seed, dimensions = plan.config.seed, plan.space.dimensions
    config = plan.trained(plan.space.draw(seed, trial), seed_of(seed, trial), grid.most_steps(trial))
    return Wanted.of_runs(
        config,
        plan.config.loss,
        unit_of_cost=UNITS[grid.resource],
        unit=grid.unit,
        length=grid.max_resource,
        varied={key: None if isinstance(values, Range) else values for key, values in dimensions.items()},
        as_numbers=plan.space.as_numbers,
    )
