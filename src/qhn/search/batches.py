"""Exact trials that share a circuit and a problem, which advance as one batch and are paused in files of the study.

A job holds at most 100 of them, of one stage: which ones follows from the rule alone, so that the numbers, whose last
bits depend on the company, are the same for any number of workers. Their states after a stage are in one file a job,
from which those that are promoted are gathered again. No run is recorded of them but that of the winner, at the end.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn import durable
from qhn.config import RunConfig
from qhn.errors import QhnError, RecordError
from qhn.learning_curves.curve import LearningCurve, quantity_of, settings_of
from qhn.run.step import Ending
from qhn.scheduling.trial import Job, Trial
from qhn.sweep.batch import Batch, BatchState, can_advance_together, shared_by_members
from qhn.sweep.plan import TOGETHER

FOLDER = "batches"  # of the states, in the directory of a study


def can_be_in_batch(config: RunConfig, loss: str) -> bool:
    """Whether a trial can advance with others.

    Args:
        config: the configuration of its run.
        loss: what is compared; a batch knows E and the validation cost of every step.
    """
    is_known = loss in ("mean", "validation") or (loss == "value" and config.train.objective.build().is_mean)
    return is_known and can_advance_together(config)


def in_jobs(trials: Sequence[Trial], companies: Sequence[str | None]) -> list[Job]:
    """The trials of a stage in jobs: those of one company, at most 100 of them, or a single one.

    Args:
        trials: the trials.
        companies: a name for what each shares with others; None for a trial that is trained alone.
    """
    together: dict[tuple[str, int], list[Trial]] = {}
    jobs: list[list[Trial]] = []
    for trial, company in zip(trials, companies, strict=True):
        if company is None:
            jobs.append([trial])
            continue
        key = (company, trial.reached)
        if key not in together or len(together[key]) == TOGETHER:
            jobs.append(together.setdefault(key, []) if key not in together else [])
            together[key] = jobs[-1]
        together[key].append(trial)
    return [tuple(job) for job in jobs]


def company_of(config: RunConfig, loss: str) -> str | None:
    """A name for what a trial shares with those with which it advances; None if it is trained alone.

    Args:
        config: the configuration of its run.
        loss: what is compared.

    Raises:
        QhnError: if its problem cannot be loaded.
    """
    return shared_by_members(config) if can_be_in_batch(config, loss) else None


@dataclass(frozen=True)
class StoredStates:
    """The states of the batches of a study, in files that are written once each.

    Attributes:
        folder: the directory of the study.
    """

    folder: Path

    @property
    def exists(self) -> bool:
        """Whether a batch of the study was paused or has ended."""
        return (self.folder / FOLDER).is_dir()

    def path(self, job: Job) -> Path:
        """The path of the state of a job's trials after it."""
        names = hashlib.sha256(" ".join(str(trial.number) for trial in job).encode()).hexdigest()[:10]
        return self.folder / FOLDER / f"{job[0].until:06d}-{names}.npz"

    def load(self, job: Job) -> BatchState | None:
        """The state after a job that was done, but not told; None if it was not done, or its file is damaged."""
        try:
            return BatchState.load(self.path(job))
        except (FileNotFoundError, RecordError):
            return None

    def save(self, job: Job, state: BatchState) -> None:
        """Keep the state after a job.

        Raises:
            OSError: if it cannot be written.
        """
        durable.subfolder(self.folder / FOLDER)
        state.save(self.path(job))

    def at(self, reached: int) -> Iterator[BatchState]:
        """The states of all trials that were paused at a resource.

        Raises:
            RecordError: if a file is damaged.
        """
        for path in sorted((self.folder / FOLDER).glob(f"{reached:06d}-*.npz")):
            yield BatchState.load(path)

    def gathered(self, run_ids: Sequence[str], reached: int) -> BatchState:
        """The state of some runs that were paused at a resource, in their order.

        Raises:
            RecordError: if the state of one is missing or damaged.
        """
        found = [state.select(np.isin(state.run_ids, run_ids)) for state in self.at(reached)]
        parts = [state for state in found if len(state)]
        rows = {name: row for row, name in enumerate(name for state in parts for name in state.run_ids.tolist())}
        missing = [name for name in run_ids if name not in rows]
        if missing:
            words = f"the state of run {missing[0]} at a resource of {reached} is missing in {self.folder / FOLDER}"
            raise RecordError(f"{words}; restore it, or move the study's folder away")
        return BatchState.joined(parts).select([rows[name] for name in run_ids])


def advance_together(
    job: Job, configs: Sequence[RunConfig], steps: int, stored: StoredStates, results: Path
) -> BatchState:
    """The state of the trials of a job after a number of steps, which is kept in a file.

    Args:
        job: the trials.
        configs: the configurations of their runs.
        steps: number of steps that each has then taken, unless it has ended before.
        stored: the states of the study.
        results: directory of results in which costs of a function of the user's are kept.

    Raises:
        QhnError: if they cannot be trained as they are configured.
        RecordError: if the state of one is missing or damaged.
        OSError: if the state cannot be written.
    """
    known = stored.load(job)
    if known is not None and known.run_ids.tolist() == [config.run_id for config in configs]:
        return known
    batch = Batch(configs, results)
    before = stored.gathered(list(batch.configs), job[0].reached) if job[0].reached else batch.begin()
    after = batch.advance(before, until=steps)
    stored.save(job, after)
    return after


def curves_of(state: BatchState, configs: Sequence[RunConfig], loss: str, source: str) -> Iterator[LearningCurve]:
    """The learning curves of the members of a batch, from which later studies can learn.

    Args:
        state: the state of the members.
        configs: the configurations of the members.
        loss: what the losses are.
        source: where they were found, for messages.
    """
    for row, config in enumerate(configs):
        number = int(state.num_steps[row])
        losses = losses_of(state, loss)[row, :number]
        yield LearningCurve(
            losses,
            {"steps": np.arange(1.0, number + 1)},
            settings_of(config),
            problem=config.problem_id,
            quantity=quantity_of(config, loss),
            name=config.run_id,
            source=source,
            is_settled=bool(state.converged[row]),
        )


def losses_of(state: BatchState, loss: str) -> Any:
    """The losses of all members at every step, ``[B, steps]``.

    Raises:
        QhnError: if there are no validation data, and their costs are to be compared.
    """
    if loss != "validation":
        return state.mean
    if state.validation is None:
        raise QhnError("loss = 'validation' needs validation samples; give some, or take loss = 'mean'")
    return state.validation


def facts_of(state: BatchState, row: int, steps: int) -> dict[str, Any]:
    """What is kept of a member beside its losses: its run, its steps, and how it ended if it has.

    Args:
        state: the state of all members.
        row: the place of the member.
        steps: number of steps that it was to take.
    """
    facts: dict[str, Any] = {"run": str(state.run_ids[row]), "steps": int(state.num_steps[row])}
    if state.ended[row] and facts["steps"] < steps:
        facts["outcome"] = str(Ending.CONVERGED if state.converged[row] else Ending.PLATEAU)
    return facts
