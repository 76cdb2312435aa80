"""Studies whose trials are runs as ``qhn run`` makes them, paused and continued by their own checkpoints.

A trial is a run in the directory that its configuration determines. Where it is paused, its record is that of a run
which was interrupted after a complete step; a promoted one goes on from its checkpoint, and is in the end the same
bytes as if it had never been paused. Steps that are on disk already are read and not made again, whoever made them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from qhn import durable
from qhn.backend.sampler import BackendError, QuotaError
from qhn.config import RunConfig
from qhn.config.defaults import FIRST, NAMING
from qhn.errors import EvaluationError, QhnError, RecordError
from qhn.run.checks import BudgetNeeded
from qhn.run.directories import results_directory
from qhn.run.plan import Plan
from qhn.run.record import Record
from qhn.run.step import Ending, Outcome, Step
from qhn.run.training import train
from qhn.search.batches import StoredStates, advance_together, company_of, facts_of, in_jobs, losses_of
from qhn.search.config import StudyPlan
from qhn.search.resource import Grid, default_resource, grid_of
from qhn.search.study import DEFINITION, Job, Result, Study, StudyProgress, Trial, advance
from qhn.text import parse_json, shown

GRID = "resource.json"  # the grid of a study, in its directory
NO_FAULT_OF_A_TRIAL = (EvaluationError, RecordError, BudgetNeeded)  # errors that may not happen again


@dataclass(frozen=True)
class RunTrials:
    """The trials of a study as runs: what a worker needs to train them.

    Attributes:
        plan: the plan of the study.
        grid: the common grid of resource.
        results: directory of all runs.
    """

    plan: StudyPlan
    grid: Grid
    results: str

    def config(self, trial: Trial) -> RunConfig:
        """The configuration of the run that a trial is, with the steps that it takes if it is not stopped."""
        return self.plan.trained(trial.values, trial.seed, self.grid.most_steps(trial.number))

    @property
    def folder(self) -> Path:
        """The directory of the study's files."""
        return self.plan.directory(self.results)

    def is_batch(self, job: Job) -> bool:
        """Whether the trials of a job advance together and are no recorded runs, also if it is a single one."""
        return self._company(job[0]) is not None

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
        return _failed(trial, str(error))


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
    if config.train.machine.has_chip:
        billed = [entry["qpu_seconds"] for entry in record.timing()[: len(steps)]]
        facts["qpu_seconds"] = sum(seconds for seconds in billed if seconds is not None)
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
    directory = Path(trials.results) / config.experiment / config.run_id
    if Record(directory, config).exists:
        record = Record.load(directory)
        if record.checkpoint().num_steps >= number:
            return record, record.steps()[:number], None
    training = train(config, results=trials.results)
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


def _paused(study: str, number: int, planned: int) -> Outcome:
    words = f"paused by the study {study} after {number:,} of {planned:,} steps"
    return Outcome(Ending.PAUSED, f"{words}; qhn search goes on with it if it is promoted, qhn resume in any case")


def _check_ending(config: RunConfig, outcome: Outcome) -> None:
    """Refuse the end of a run that is the machine's and not its own.

    Raises:
        BackendError: if the account or a budget has too few QPU seconds left.
    """
    if outcome.name is Ending.QUOTA:
        raise QuotaError(outcome.message)
    if outcome.name is Ending.BUDGET and config.train.machine.bills:
        raise BackendError(f"run {config.run_id}: {outcome.message}; the same command goes on with a larger budget")


def _loss(step: Step, name: str) -> float:
    return float(getattr(step, name))


def _finite(loss: float) -> float:
    """A loss that can be compared: one that is no number is infinite."""
    return loss if math.isfinite(loss) else math.inf


@dataclass(frozen=True)
class RunStudy:
    """A study of runs and its state.

    Attributes:
        plan: the plan of the study.
        grid: the common grid of resource.
        study: the trials, their curves, and what was decided.
        results: directory of all runs.
    """

    plan: StudyPlan
    grid: Grid
    study: Study
    results: Path

    @property
    def trials(self) -> RunTrials:
        """What a worker needs to train trials."""
        return RunTrials(self.plan, self.grid, str(self.results.absolute()))

    @property
    def folder(self) -> Path:
        """The directory of the study's files."""
        return self.plan.directory(self.results)

    def advance(self, executor: Executor, *, in_flight: int | None = None) -> Iterator[StudyProgress]:
        """Train the trials on workers until the scheduler has decided about all, and yield the progress.

        Args:
            executor: the workers.
            in_flight: number of jobs that are handed to the executor and have not ended, at most.

        Raises:
            QhnError: if another process goes on with the study.
            RecordError: if the study is damaged.
            OSError: if its folder cannot be written.
            BackendError: if a worker died.
        """
        import qiskit  # noqa: F401 – Qiskit 2.6 crashes later if a thread that ends was the first to import it

        yield from advance(self.study, partial(train_runs, self.trials), executor, in_flight=in_flight)

    def record_winner(self) -> Path | None:
        """The directory of the winner's run, which is made if its trial advanced in a batch; None without a winner.

        Raises:
            RecordError: if its record is damaged, or another process is writing it.
            OSError: if it cannot be written.
        """
        best = self.study.best()
        if not self.study.is_done or best is None or "run" not in self.study.facts.get(best.number, {}):
            return None
        training = train(self.trials.config(best), results=self.results)
        try:
            for _ in training:
                pass
        finally:
            training.close()
        assert training.record is not None
        return training.record.directory


def open_study(plan: StudyPlan, results: str | Path | None = None) -> RunStudy:
    """Open the study of a plan: a new one, or that in its directory, which goes on.

    What steps take is written down when the study begins, so that it goes on with the prices of its beginning.

    Args:
        plan: the plan of the study.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``.

    Raises:
        FileNotFoundError: if a file of data is missing.
        QhnError: if no trial can be run as it is configured, or the directory holds another study.
        RecordError: if the study is damaged.
        OSError: if the directory cannot be written.
        BackendError: if a machine cannot be reached.

    >>> import tempfile
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> from qhn.search.config import make_study
    >>> plan = make_study(experiment="figure-1", max_resource=3, set={"train.shots": 20})
    >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as executor:
    ...     opened = open_study(plan, folder)
    ...     progress = list(opened.advance(executor))[-1]
    ...     progress.trials, progress.units, opened.study.is_done
    (5, 11, True)
    """
    plan = _as_begun(plan, results)
    folder, place = plan.directory(results), results_directory(results)
    grid = _grid(plan, folder)
    trials = RunTrials(plan, grid, str(place.absolute()))
    study = Study(
        plan.config.rule(),
        plan.space,
        folder=folder,
        seed=plan.config.seed,
        definition=plan.definition(),
        group=trials.jobs,
    )
    return RunStudy(plan, grid, study, place)


def _as_begun(plan: StudyPlan, results: str | Path | None) -> StudyPlan:
    """The plan with the naming under which its directory was begun, so that its runs are found again."""
    path = plan.directory(results) / DEFINITION
    if not path.exists():
        return plan
    try:
        naming = parse_json(path.read_bytes())["naming"]
    except (OSError, ValueError, LookupError, TypeError):
        return plan  # the study itself says what is wrong
    if naming not in range(FIRST, NAMING + 1):
        raise QhnError(f"{path} has naming {shown(naming)}, this version of qhn knows {FIRST} to {NAMING}")
    return replace(plan, naming=naming)


def _grid(plan: StudyPlan, folder: Path) -> Grid:
    """The grid of a study, from its directory, or computed and written there."""
    path = folder / GRID
    if path.exists():
        try:
            return Grid.from_json(parse_json(path.read_bytes()))
        except ValueError as error:
            raise RecordError(f"{path} is damaged ({error}); restore it, or move the study's folder away") from None
    resource = plan.config.resource or default_resource(plan.configs)
    grid = grid_of(plan.configs, resource, plan.config.max_resource, plan.faults, partial(_check, plan.config.loss))
    folder.mkdir(parents=True, exist_ok=True)
    content = (json.dumps(grid.to_json()) + "\n").encode()
    durable.replace(path, lambda file: file.write(content))
    return grid


def _check(loss: str, plan: Plan) -> None:
    """Refuse a run whose steps have no loss.

    Raises:
        QhnError: if it has no validation data, and they are to be compared.
    """
    if loss == "validation" and plan.validation is None:
        raise QhnError("loss = 'validation' needs validation samples; give some, or take loss = 'mean'")
