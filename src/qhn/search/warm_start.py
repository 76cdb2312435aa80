"""Curves of earlier trainings from which the predictor of a study learns as well, kept as the study began with them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np

from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.learning_curves.curve import LearningCurve
from qhn.learning_curves.earlier import Wanted, fitting
from qhn.learning_curves.sources import find_curves
from qhn.learning_curves.store import load_curves, save_curves
from qhn.scheduling.curves import KnownCurves
from qhn.scheduling.journal import DEFINITION
from qhn.scheduling.space import Range
from qhn.scheduling.trial import seed_of
from qhn.search.batches import StoredStates, curves_of
from qhn.search.config import StudyPlan, has_whole_decay
from qhn.search.resource import GRID, Grid
from qhn.search.study_file import StudyConfig
from qhn.text import in_line, parse_json

EARLIER = "earlier.npz"  # the curves, in the directory of a study
UNITS = {"shots": "shots", "qpu-seconds": "qpu_seconds", "steps": "steps"}


def earlier_curves(plan: StudyPlan, grid: Grid, results: Path, folder: Path) -> KnownCurves | None:
    """The curves of earlier trainings for the predictor of a study; None if it asks for none, or predicts nothing.

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
    if not plan.config.warm_start or "warm_start" in plan.config.unread:
        return None
    path = folder / EARLIER
    if path.exists():
        found = fitting(load_curves(path), wanted(plan, grid))
    else:
        found = fitting(_found(plan, results), wanted(plan, grid))
        if not found.taken:
            raise QhnError(f"warm_start: {found.words()}")
        save_curves(path, found.taken)
    return KnownCurves(found.losses, found.settings)


def _found(plan: StudyPlan, results: Path) -> list[LearningCurve]:
    """The curves of the same problem in the places that the study names."""
    problem, loss = next(iter(plan.configs.values())).problem_id, plan.config.loss
    curves: list[LearningCurve] = []
    for place in [results] if plan.config.warm_start == "all" else map(Path, plan.config.warm_start):
        curves += find_curves(place, loss, problem).curves
        if (place / DEFINITION).exists():
            curves += curves_of_batches(place, loss)
            continue
        for path in sorted(place.glob(f"*/*/{DEFINITION}")):
            with suppress(QhnError, OSError):  # of another study than those that are named
                curves += curves_of_batches(path.parent, loss)
    return curves


def curves_of_batches(folder: Path, loss: str) -> list[LearningCurve]:
    """The learning curves of the trials of a study that advanced in batches and took the most resource.

    Args:
        folder: the directory of the study.
        loss: what the losses are; of any but E and the validation cost there are no batches.

    Raises:
        FileNotFoundError: if its experiment is the user's own file and is gone.
        QhnError: if a file of the study is damaged.
    """
    stored = StoredStates(folder)
    if not stored.exists or loss not in ("mean", "value", "validation"):
        return []
    try:
        tree = parse_json((folder / DEFINITION).read_bytes())
        naming, _ = tree.pop("naming"), tree.pop("runs")
        plan = StudyPlan(StudyConfig.model_validate(tree), naming)
        grid = Grid.from_json(parse_json((folder / GRID).read_bytes()))
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise QhnError(f"{folder} holds no study of runs that can be read ({in_line(error)})") from None
    configs = {config.run_id: config for config in (trained(plan, grid, trial) for trial in grid.kind_of)}
    curves: list[LearningCurve] = []
    for state in stored.at(grid.max_resource):
        known = state.select(np.isin(state.run_ids, list(configs)))
        curves += curves_of(known, [configs[name] for name in known.run_ids.tolist()], loss, str(folder))
    return curves


def trained(plan: StudyPlan, grid: Grid, trial: int) -> RunConfig:
    """The configuration of the run that a trial is.

    Args:
        plan: the plan of the study.
        grid: the common grid of resource.
        trial: the number of the trial.
    """
    seed = plan.config.seed
    return plan.trained(plan.space.draw(seed, trial), seed_of(seed, trial), grid.most_steps(trial))


def wanted(plan: StudyPlan, grid: Grid) -> Wanted:
    """What a curve of an earlier training must be, to be like those of the trials of a study.

    Args:
        plan: the plan of the study.
        grid: the common grid of resource.
    """
    return Wanted.of_runs(
        trained(plan, grid, next(iter(grid.kind_of))),
        plan.config.loss,
        unit_of_cost=UNITS[grid.resource],
        unit=grid.unit,
        length=grid.max_resource,
        varied={key: None if isinstance(one, Range) else one for key, one in plan.space.dimensions.items()},
        has_whole_decay=any(has_whole_decay(config) for config in plan.configs.values()),
        as_numbers=plan.space.as_numbers,
    )
