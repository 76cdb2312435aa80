"""Studies whose trials are runs (:mod:`qhn.search.trials`): opened, advanced on workers, and kept within a budget."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from qhn import durable
from qhn.config.defaults import FIRST, NAMING
from qhn.errors import QhnError, RecordError
from qhn.run.directories import results_directory
from qhn.run.plan import Plan
from qhn.run.training import train
from qhn.scheduling.curves import KnownCurves
from qhn.scheduling.hyperband import with_trials
from qhn.scheduling.journal import DEFINITION
from qhn.scheduling.study import Study, StudyProgress, advance
from qhn.search.account import planned_brackets
from qhn.search.config import StudyPlan, has_whole_decay
from qhn.search.price import StudyPrice, bills, price_of
from qhn.search.resource import GRID, Grid, default_resource, grid_of
from qhn.search.trials import RunTrials, train_runs
from qhn.search.warm_start import earlier_curves
from qhn.text import counted, parse_json, shown


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

    def notes(self) -> list[str]:
        """What a reader of the study should know of its trials, a line each: the first says what a unit is."""
        lines = [self.grid.words()]
        if any(has_whole_decay(config) for config in self.plan.configs.values()):
            lines.append("the learning rate of a trial falls over the steps that it takes if it is not stopped")
        if idle := self._without_first_step():
            words = "have made no step at the end of their first round, and rank last there"
            lines.append(f"{idle:,} of {self.plan.num_trials:,} trials {words}")
        if unread := self.plan.config.unread:
            lines.append(f"scheduler = {self.plan.config.scheduler!r} does not read {', '.join(unread)}")
        known: KnownCurves | None = getattr(self.study.rule, "earlier", None)
        if known is not None:
            lines.append(
                f"{counted(len(known.curves), 'learning curve')} of earlier trainings teach the predictor as well"
            )
        return lines

    def _without_first_step(self) -> int:
        """The number of trials whose first step takes more than their first round."""
        brackets = with_trials(planned_brackets(self.study.rule))
        firsts = {trial: bracket.rounds[0].resource for bracket, trials in brackets for trial in trials}
        return sum(not self.grid.steps(trial, firsts[trial]) for trial in self.grid.kind_of if trial in firsts)

    @property
    def trials(self) -> RunTrials:
        """What a worker needs to train trials."""
        return RunTrials.of(self.plan, self.grid, self.results)

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

        if bills(self.plan):
            self.check_budget()
            in_flight = 1  # what is left of the budget is known only if nothing else spends it
        yield from advance(self.study, partial(train_runs, self.trials), executor, in_flight=in_flight)

    def price(self) -> StudyPrice | None:
        """The price of the study on a QPU; None if nothing is billed, or the study is done.

        Raises:
            QhnError: if the QPU cannot run a trial.
            BackendError: if its service cannot be reached.
        """
        return price_of(self.plan, self.grid) if not self.study.is_done and bills(self.plan) else None

    def check_budget(self) -> None:
        """Refuse to spend anything on a QPU without a budget for the whole study.

        Raises:
            QhnError: if there is none; the message says the price.
        """
        price = self.price()
        if price is not None and self.plan.config.max_qpu_seconds is None:
            needed = f"a study on a QPU needs a budget, such as max_qpu_seconds = {math.ceil(price.most)}"
            raise QhnError(f"{price.words()}; {needed}. At a terminal it is asked for, and --yes agrees")

    def with_budget(self, seconds: float) -> RunStudy:
        """The study with a budget of QPU seconds."""
        config = self.plan.config.model_copy(update={"max_qpu_seconds": seconds})
        return replace(self, plan=replace(self.plan, config=config))

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
    earlier = earlier_curves(plan, grid, place, folder)
    study = Study(
        plan.config.rule(earlier),
        plan.space,
        folder=folder,
        seed=plan.config.seed,
        definition=plan.definition(),
        group=RunTrials.of(plan, grid, place).jobs,
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
