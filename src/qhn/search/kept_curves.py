"""The learning curves of a study in a file of their own, from which later studies can learn."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from qhn.arrays import Floats
from qhn.config import RunConfig
from qhn.learning_curves.curve import LearningCurve, quantity_of, settings_of, without_repeats
from qhn.learning_curves.sources import curve_of_run
from qhn.learning_curves.store import SUFFIX, save_curves
from qhn.run.record import Record
from qhn.search.batches import StoredStates, losses_of
from qhn.search.study import Study, Trial, seed_of
from qhn.search.trials import RunTrials
from qhn.sweep.batch import BatchState

KEPT = f"trials{SUFFIX}"  # in the directory of a study


def keep_curves(study: Study, trials: RunTrials) -> Path | None:
    """Write the learning curves of a study's trials, as far as they were trained; None if there are none.

    The same curves stand in the records of runs, which may be deleted, and in the states of batches, which nothing else
    reads.

    Args:
        study: the study.
        trials: its trials as runs.

    Returns:
        The path of the file.

    Raises:
        RecordError: if a record or the state of a batch is damaged.
        OSError: if the file cannot be written.
    """
    configs = {}
    for number, facts in study.facts.items():
        if facts.get("steps"):
            reached = study.curves.reached(number)
            config = trials.config(Trial(number, study.values(number), seed_of(study.seed, number), reached, reached))
            configs[config.run_id] = config
    curves = [*_curves_of_batches(configs, trials), *_curves_of_runs(configs, trials)]
    if not curves:
        return None
    path = trials.folder / KEPT
    save_curves(path, without_repeats(curves))
    return path


def _curves_of_runs(configs: Mapping[str, RunConfig], trials: RunTrials) -> Iterator[LearningCurve]:
    for config in configs.values():
        directory = trials.results / config.experiment / config.run_id
        if Record(directory, config).exists:
            curve = curve_of_run(Record.load(directory), trials.plan.config.loss)
            if curve is not None:
                yield curve


def _curves_of_batches(configs: Mapping[str, RunConfig], trials: RunTrials) -> Iterator[LearningCurve]:
    for state in StoredStates(trials.folder).all():
        losses = losses_of(state, trials.plan.config.loss)
        for row, name in enumerate(state.run_ids.tolist()):
            if name in configs:
                yield _curve(state, row, losses[row], configs[name], trials.plan.config.loss)


def _curve(state: BatchState, row: int, losses: Floats, config: RunConfig, loss: str) -> LearningCurve:
    number = int(state.num_steps[row])
    return LearningCurve(
        losses[:number],
        {"steps": np.arange(1.0, number + 1)},
        settings_of(config),
        problem=config.problem_id,
        quantity=quantity_of(config, loss),
        name=config.run_id,
        is_settled=bool(state.converged[row]),
    )
