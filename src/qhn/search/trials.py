"""Trials that are runs as ``qhn run`` makes them, trained, paused and continued by workers.

A trial is a run in the directory that its configuration determines. Where it is paused, its record is that of a run
which was interrupted after a complete step; a promoted one goes on from its checkpoint, and is in the end the same
bytes as if it had never been paused. Steps that are on disk already are read and not made again, whoever made them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from qhn.backend.sampler import QuotaError
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.errors import EvaluationError, QhnError, RecordError
from qhn.report.jobs import ledger_of
from qhn.run.checks import BudgetNeeded
from qhn.run.record import Record
from qhn.run.step import Ending, Outcome, Step
from qhn.run.training import Training, train
from qhn.scheduling.trial import Job, Result, Trial, seed_of
from qhn.search.batches import StoredStates, advance_together, company_of, facts_of, in_jobs, losses_of
from qhn.search.config import StudyPlan
from qhn.search.price import OverBudget, spent_by
from qhn.search.resource import Grid

MORE = "with a larger max_qpu_seconds the same command goes on"
NO_FAULT_OF_A_TRIAL = (EvaluationError, RecordError, BudgetNeeded)  # errors that may not happen again


@dataclass(frozen=True)
class RunTrials:
    """The trials of a study as runs: what a worker needs to train them.

    Attributes:
        plan: the plan of the study.
        grid: the common grid of resource.
        results: directory of all runs.
        folder: the directory of the study's files.
    """

    plan: StudyPlan
    grid: Grid
    results: Path
    folder: Path

    @classmethod
    def of(cls, plan: StudyPlan, grid: Grid, results: Path) -> RunTrials:
        """The trials of a study; what a plan has computed so far is not sent to workers.

        Args:
            plan: the plan of the study.
            grid: the common grid of resource.
            results: directory of all runs.
        """
        return cls(replace(plan), grid, results.absolute(), plan.directory(results).absolute())

    def config(self, trial: Trial) -> RunConfig:
        """The configuration of the run that a trial is, with the steps that it takes if it is not stopped."""
        return self.plan.trained(trial.values, trial.seed, self.grid.most_steps(trial.number))

    def is_batch(self, job: Job) -> bool:
        """Whether the trials of a job advance together and are no recorded runs, also if it is a single one."""
        return self._company(job[0]) is not None

    def others(self, config: RunConfig) -> list[Path]:
        """The directories of the runs of all trials but one."""
        seed, found = self.plan.config.seed, list[Path]()
        for number in self.grid.kind_of:
            values = self.plan.space.draw(seed, number)
            other = self.plan.trained(values, seed_of(seed, number), self.grid.most_steps(number))
            found.append(self.results / other.experiment / other.run_id)
        return [path for path in found if path.name != config.run_id]

    def jobs(self, trials: Sequence[Trial]) -> list[Job]:
        """The trials of a stage in jobs: exact ones that advance together, or a single one."""
        return in_jobs(trials, [self._company(trial) for trial in trials])

    def _company(self, trial: Trial) -> str | None:
        return None if trial.number in self.grid.faults else company_of(self.config(trial), self.plan.config.loss)

    def losses(self, trial: Trial, steps: Sequence[float]) -> list[float]:
        """The losses of a trial at the units of resource that it takes.

        Args:
            trial: the trial.
            steps: the loss at each step that the run has taken; a run that ended early keeps its last one.
        """
        taken = [self.grid.steps(trial.number, unit) for unit in range(trial.reached + 1, trial.until + 1)]
        return [_finite(steps[min(number, len(steps)) - 1]) if number else math.nan for number in taken]


def train_runs(trials: RunTrials, job: Job) -> list[Result]:
    """Train the runs of a job until their resource, and return their losses.

    Args:
        trials: what is known of all trials.
        job: the trials to be trained.

    Raises:
        BackendError: if a machine fails; what is complete is kept.
        QhnError: if a run fails by no fault of its configuration.
    """
    if trials.is_batch(job):
        return _train_batch(trials, job)
    return [_train_run(trials, trial) for trial in job]


def _train_batch(trials: RunTrials, job: Job) -> list[Result]:
    configs, number = [trials.config(trial) for trial in job], trials.grid.steps(job[0].number, job[0].until)
    stored = StoredStates(trials.folder)
    try:
        state = advance_together(job, configs, number, stored, trials.results)
    except NO_FAULT_OF_A_TRIAL:
        raise
    except QhnError as error:
        return [_failed(trial, str(error)) for trial in job]
    losses = losses_of(state, trials.plan.config.loss).tolist()
    return [Result(trials.losses(trial, losses[row]), facts_of(state, row, number)) for row, trial in enumerate(job)]


def _train_run(trials: RunTrials, trial: Trial) -> Result:
    fault = trials.grid.faults.get(trial.number)
    if fault is not None:
        return _failed(trial, fault)
    try:
        return _trained(trials, trial)
    except NO_FAULT_OF_A_TRIAL:
        raise
    except QhnError as error:
        return _failed_within(trials, trial, str(error))


def _failed_within(trials: RunTrials, trial: Trial, words: str) -> Result:
    """The result of a trial whose run raised an error: what its complete steps took is spent."""
    config = trials.config(trial)
    directory = trials.results / config.experiment / config.run_id
    steps = Record.load(directory).steps() if Record(directory, config).exists else []
    if not steps:
        return _failed(trial, words)
    losses = [_loss(step, trials.plan.config.loss) for step in steps] + [math.inf]
    facts = {"run": config.run_id, "steps": len(steps), "shots": steps[-1].shots, "error": words}
    return Result(trials.losses(trial, losses), facts)


def _failed(trial: Trial, words: str) -> Result:
    return Result([math.inf] * (trial.until - trial.reached), {"error": words})


def _trained(trials: RunTrials, trial: Trial) -> Result:
    config, number = trials.config(trial), trials.grid.steps(trial.number, trial.until)
    facts: dict[str, Any] = {"run": config.run_id}
    if not number:
        return Result(trials.losses(trial, []), facts | {"steps": 0})
    record, steps, outcome = _steps_of_run(config, number, trials)
    losses = [_loss(step, trials.plan.config.loss) for step in steps]
    facts |= {"steps": len(steps), "shots": steps[-1].shots}
    if outcome is not None and len(steps) < number:
        facts["outcome"] = str(outcome.name)
    if config.train.machine.is_priced:
        facts["qpu_seconds"] = ledger_of(record).spent.seconds
    return Result(trials.losses(trial, losses), facts)


def _steps_of_run(config: RunConfig, number: int, trials: RunTrials) -> tuple[Record, list[Step], Outcome | None]:
    """The first steps of a run, which is trained until it has taken them or ends, and paused there.

    Args:
        config: the configuration of the run.
        number: number of steps.
        trials: what is known of all trials.

    Returns:
        The record of the run, its first steps, at most ``number``, and why it ended.
    """
    directory = trials.results / config.experiment / config.run_id
    if Record(directory, config).exists:
        record = Record.load(directory)
        if record.checkpoint().num_steps >= number:
            return record, record.steps()[:number], None
    training = _begun(config, trials)
    try:
        for step in training:
            if number == step.step + 1 < training.config.train.steps:
                training.request_stop(_paused(trials.plan.config.name, number, training.config.train.steps))
        steps, outcome, kept = training.steps(), training.outcome, training.record
    finally:
        training.close()
    assert outcome is not None
    assert kept is not None
    _check_ending(config, outcome)
    return kept, steps[:number], outcome


def recorded(trials: RunTrials, trial: Trial) -> Path:
    """The directory of the run of a trial until its resource, whose steps are made if they are not on disk.

    Args:
        trials: what is known of all trials.
        trial: the trial.

    Raises:
        RecordError: if the record is damaged, or another process is writing it.
        OSError: if it cannot be written.
    """
    number = trials.grid.steps(trial.number, trial.until)
    return _steps_of_run(trials.config(trial), number, trials)[0].directory


def _begun(config: RunConfig, trials: RunTrials) -> Training:
    """The training of a run; on a QPU with the QPU seconds that are left of the study's budget.

    Raises:
        OverBudget: if that is too few for a step.
    """
    if not config.train.machine.bills:
        return train(config, results=trials.results)
    budget = (trials.plan.config.max_qpu_seconds or 0.0) - spent_by(trials.others(config))
    if budget <= 0:
        raise OverBudget(f"the budget of the study, max_qpu_seconds, is spent; {MORE}")
    try:
        return train(with_settings(config, {"train.max_qpu_seconds": budget}), results=trials.results)
    except NO_FAULT_OF_A_TRIAL:
        raise
    except QhnError as error:  # what can be known without the account was checked before the study began
        raise OverBudget(f"{error}; {MORE}") from None


def _paused(study: str, number: int, planned: int) -> Outcome:
    words = f"paused by the study {study} after {number:,} of {planned:,} steps"
    return Outcome(Ending.PAUSED, f"{words}; qhn search goes on with it if it is promoted, qhn resume in any case")


def _check_ending(config: RunConfig, outcome: Outcome) -> None:
    """Refuse the end of a run that is the machine's and not its own.

    Raises:
        BackendError: if the account or the budget of the study has too few QPU seconds left.
    """
    if outcome.name is Ending.QUOTA:
        raise QuotaError(outcome.message)
    if outcome.name is Ending.BUDGET and config.train.machine.bills:
        raise OverBudget(f"run {config.run_id}: {outcome.message}; {MORE}")


def _loss(step: Step, name: str) -> float:
    return float(getattr(step, name))


def _finite(loss: float) -> float:
    """A loss that can be compared: one that is no number is infinite."""
    return loss if math.isfinite(loss) else math.inf
