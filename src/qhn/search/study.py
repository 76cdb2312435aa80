"""A study: trials that a scheduler pauses, promotes and stops, with a journal from which it goes on where it was.

A trial is any Python function that trains something::

    study = Study(Hyperband(max_resource=81), Space({"rate": Range(1e-4, 1e-1, log=True)}), folder="results/mlp")
    while trial := study.ask():
        study.tell(trial, train(trial.values, trial.reached, trial.until))   # a loss for each unit of resource

or a run as ``qhn run`` makes it (:mod:`qhn.search.runs`). The journal holds the losses that were told, one line a job.
Everything else follows from them: telling the scheduler again what it was told leads it to where it stopped.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qhn import durable
from qhn.errors import QhnError, RecordError
from qhn.fields import Whole, is_number, plain
from qhn.lock import Lock
from qhn.parallel.jobs import Failure, work_through
from qhn.search.curves import Curves, Decision
from qhn.search.scheduler import Rule, Scheduler
from qhn.search.space import Space
from qhn.seeds import Key, Purpose
from qhn.text import clipped, parse_json, shown

JOURNAL, DEFINITION = "trials.jsonl", "study.json"


@dataclass(frozen=True)
class Trial:
    """A trial that is to be trained further.

    Attributes:
        number: the number of the trial in the study, from 0.
        values: the hyper-parameters by name.
        seed: a seed of its own for its random numbers.
        reached: the resource that it has taken, in units; 0 if it has not begun.
        until: the resource until which it is to be trained, in units.
        folder: a folder of its own for what it needs to go on later; None if the study is not kept on disk.
    """

    number: int
    values: Mapping[str, Any]
    seed: int
    reached: int
    until: int
    folder: Path | None = None


@dataclass(frozen=True)
class Result:
    """The result of training a trial further.

    Attributes:
        losses: the loss at each unit of resource that it took, in order.
        facts: what else is to be kept of it: numbers, texts and truth values by name.
    """

    losses: Sequence[float]
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StudyProgress:
    """The progress of a study.

    Attributes:
        units: the resource that all trials have taken so far, in units.
        most_units: the most that they can take, in units; trials that are stopped take less.
        trials: number of trials that have begun.
        best: the lowest loss at the most resource that any trial has reached; nan before that.
        failures: the jobs that failed in this session, each with the message of its error.
    """

    units: int
    most_units: int
    trials: int
    best: float
    failures: tuple[tuple[tuple[Trial, ...], str], ...] = ()


Job = tuple[Trial, ...]
Grouping = Callable[[Sequence[Trial]], Sequence[Job]]


def seed_of(seed: int, trial: int) -> int:
    """The seed of a trial.

    Args:
        seed: the seed of the study.
        trial: the number of the trial.
    """
    return Key(seed, Purpose.TRIAL, trial, 1).uint32()


def one_by_one(trials: Sequence[Trial]) -> list[Job]:
    """A job for each trial."""
    return [(trial,) for trial in trials]


class Study:
    """Trials and the scheduler that says which of them are trained, and until when.

    Args:
        rule: the rule of the scheduler.
        space: the hyper-parameters from which trials are drawn.
        folder: the folder in which the study is kept; None to keep it in memory. If there is a study of the same
            definition in it, it goes on.
        seed: the seed from which the hyper-parameters and seeds of the trials derive.
        definition: what defines the study, as JSON values; by default rule, space and seed in words.
        group: a function that puts the trials of a stage into jobs, which are done and told as a whole.

    Attributes:
        rule: the rule of the scheduler.
        space: the hyper-parameters from which trials are drawn.
        folder: the folder of the study, or None.
        facts: what is known of each trial but its losses, by its number.

    Raises:
        QhnError: if the folder holds another study.
        RecordError: if the study in the folder is damaged.

    >>> from qhn.search.hyperband import Hyperband
    >>> study = Study(Hyperband(max_resource=9, eta=3), Space({"slope": [1.0, 2.0, 3.0]}))
    >>> while trial := study.ask():
    ...     study.tell(trial, [trial.values["slope"] / unit for unit in range(trial.reached + 1, trial.until + 1)])
    >>> study.best().values, study.units, study.rule.most_units
    ({'slope': 1.0}, 69, 69)
    """

    def __init__(
        self,
        rule: Rule,
        space: Space | Mapping[str, Any],
        *,
        folder: str | Path | None = None,
        seed: int = 0,
        definition: Mapping[str, Any] | None = None,
        group: Grouping = one_by_one,
    ) -> None:
        self.rule = rule
        self.space = space if isinstance(space, Space) else Space(space)
        self.folder = None if folder is None else Path(folder)
        self.seed = Whole(0)("seed", seed)
        self.facts: dict[int, dict[str, Any]] = {}
        self._definition = definition or {"rule": repr(rule), "space": repr(self.space.dimensions), "seed": self.seed}
        self._group = group
        self._scheduler = Scheduler(rule, lambda trial: self.space.as_numbers(self.values(trial)))
        self._jobs: list[Job] = []  # opened, and not handed out
        self._open: dict[int, Job] = {}  # the job of each trial that is to be trained
        self._told: dict[int, Result] = {}  # of jobs that are not whole
        self._lock: Lock | None = None
        self._end = 0  # bytes of the journal that were read
        self._take_up()
        self._read()

    # ------------------------------------------------------------ ask and tell

    def ask(self) -> Trial | None:
        """A trial to be trained further; None if there is none until others have been told, or at the end.

        Raises:
            QhnError: if another process goes on with the study.
            OSError: if its folder cannot be written.
        """
        if self._jobs and len(self._jobs[0]) > 1:
            raise QhnError("the trials of this study are trained in jobs of several; use ask_job")
        job = self.ask_job()
        return None if job is None else job[0]

    def ask_job(self) -> Job | None:
        """Trials that are to be trained together; None if there are none until others have been told, or at the end.

        Raises:
            QhnError: if another process goes on with the study.
            OSError: if its folder cannot be written.
        """
        self._hold()
        return self._jobs.pop(0) if self._jobs else None

    def tell(self, trial: Trial, losses: Sequence[float], **facts: Any) -> None:
        """Take the losses of a trial.

        Args:
            trial: the trial, as it was asked for.
            losses: the loss at each unit of resource from ``trial.reached + 1`` to ``trial.until``; lower is better.
                A loss that is no number stands for a trial that failed.
            facts: what else is to be kept of it: numbers, texts and truth values by name.

        Raises:
            QhnError: if the trial was not asked for, or there are more or fewer losses.
            OSError: if the journal cannot be written.
        """
        self.tell_job((trial,), [Result(losses, facts)])

    def tell_job(self, job: Job, results: Sequence[Result]) -> None:
        """Take the losses of the trials of a job.

        Args:
            job: the trials, as they were asked for.
            results: the result of each.

        Raises:
            QhnError: if a trial was not asked for, or there are more or fewer losses.
            OSError: if the journal cannot be written.
        """
        checked = [self._checked(trial, result) for trial, result in zip(job, results, strict=True)]
        self._hold()
        if self.folder is not None:
            line = _line(job, checked)
            durable.append(self.folder / JOURNAL, line)
            self._end += len(line)
        self._apply(job[0].until, {trial.number: result for trial, result in zip(job, checked, strict=True)})

    def close(self) -> None:
        """Let other processes go on with the study; closing twice does no harm."""
        if self._lock is not None:
            self._lock.__exit__()
            self._lock = None

    # ------------------------------------------------------------ what is known

    @property
    def is_done(self) -> bool:
        """Whether no trial will be trained any more."""
        return self._scheduler.is_done

    @property
    def curves(self) -> Curves:
        """The learning curves of all trials."""
        return self._scheduler.curves

    @property
    def decisions(self) -> Sequence[Decision]:
        """The decisions of the scheduler so far."""
        return tuple(self._scheduler.decisions)

    @property
    def units(self) -> int:
        """The resource that all trials have taken so far, in units."""
        return sum(self.curves.reached(trial) for trial in range(self.rule.num_trials))

    def values(self, trial: int) -> dict[str, Any]:
        """The hyper-parameters of a trial by name.

        Args:
            trial: the number of the trial.
        """
        return self.space.draw(self.seed, trial)

    def best(self) -> Trial | None:
        """The trial with the lowest loss at the most resource that any has reached; None if none has begun."""
        best = self._scheduler.best()
        return None if best is None else self._trial(best, self.curves.reached(best))

    def progress(self, failures: Sequence[tuple[Job, str]] = ()) -> StudyProgress:
        """The progress of the study.

        Args:
            failures: the jobs that failed in this session, each with the message of its error.
        """
        best = self._scheduler.best()
        loss = math.nan if best is None else self.curves.loss(best, self.curves.reached(best))
        begun = sum(self.curves.reached(trial) > 0 for trial in range(self.rule.num_trials))
        return StudyProgress(self.units, self.rule.most_units, begun, loss, tuple(failures))

    # ------------------------------------------------------------ within

    def _trial(self, number: int, until: int) -> Trial:
        folder = None if self.folder is None else self.folder / "trials" / f"{number:04d}"
        return Trial(
            number, self.values(number), seed_of(self.seed, number), self.curves.reached(number), until, folder
        )

    def _take_up(self) -> None:
        """Put the trials of new stages into jobs."""
        while stage := self._scheduler.ask():
            for job in self._group([self._trial(number, stage.until) for number in stage.trials]):
                self._jobs.append(job)
                self._open |= dict.fromkeys((trial.number for trial in job), job)

    def _checked(self, trial: Trial, result: Result) -> Result:
        """A result whose losses are as many numbers as the trial needs.

        Raises:
            QhnError: if the trial was not asked for, or the losses are not.
        """
        job = self._open.get(trial.number, ())
        if trial not in job:
            raise QhnError(f"trial {trial.number} until {trial.until} is not to be trained now; ask for trials first")
        losses, needed = [plain(loss) for loss in result.losses], trial.until - trial.reached
        if len(losses) != needed:
            words = f"trial {trial.number} needs {needed} losses, one a unit from {trial.reached + 1} to {trial.until}"
            raise QhnError(f"{words}, got {len(losses)}")
        for loss in losses:
            if not is_number(loss):
                raise QhnError(f"a loss must be a number, got {shown(loss)}")
        return Result([float(loss) for loss in losses], dict(result.facts))

    def _apply(self, until: int, told: Mapping[int, Result]) -> None:
        for number, result in told.items():
            self._scheduler.tell(number, result.losses)
            self.facts[number] = self.facts.get(number, {}) | dict(result.facts)
            job = self._open.pop(number)
            if job in self._jobs:
                self._jobs.remove(job)
        self._take_up()

    # ------------------------------------------------------------ on disk

    def _hold(self) -> None:
        """Be the only process that goes on with the study, and know what others have told before."""
        if self.folder is None or self._lock is not None:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = Lock(self.folder)
        lock.__enter__()
        self._lock = lock
        durable.clear_abandoned(self.folder)
        self._read()
        path = self.folder / JOURNAL
        if path.exists() and path.stat().st_size > self._end:
            durable.truncate(path, self._end)  # a line that was torn when its writer died
        if not (self.folder / DEFINITION).exists():
            text = json.dumps(self._definition, indent=2, ensure_ascii=False) + "\n"
            durable.replace(self.folder / DEFINITION, lambda file: file.write(text.encode()))

    def _read(self) -> None:
        """Take what the journal holds beyond what is known.

        Raises:
            QhnError: if it is that of another study.
            RecordError: if it is damaged.
        """
        if self.folder is None or not (self.folder / DEFINITION).exists():
            return
        path = self.folder / DEFINITION
        try:
            definition = parse_json(path.read_bytes())
        except ValueError as error:
            raise RecordError(f"{path} is damaged ({error}); restore it, or move the study's folder away") from None
        if definition != json.loads(json.dumps(self._definition)):
            changed = _difference(definition, self._definition)
            raise QhnError(f"{self.folder} holds another study ({changed}); give this one another name or folder")
        journal = self.folder / JOURNAL
        content = journal.read_bytes()[self._end :] if journal.exists() else b""
        for line in content.splitlines(keepends=True):
            if not line.endswith(b"\n"):
                return
            try:
                until, told = _parsed(line)
                self._apply(until, told)
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                words = f"{journal} is damaged at byte {self._end:,} ({clipped(str(error))})"
                raise RecordError(f"{words}; restore it, or move the study's folder away") from None
            self._end += len(line)


def advance(
    study: Study, train: Callable[[Job], Sequence[Result]], executor: Executor, *, in_flight: int | None = None
) -> Iterator[StudyProgress]:
    """Train the trials of a study on workers until its scheduler has decided about all, and yield its progress.

    A job that fails leaves the others alone; since the scheduler waits for it, the study then ends early, and the same
    call does the job again.

    Args:
        study: the study.
        train: a function that trains the trials of a job and returns the result of each; for workers that are
            processes a function of a module, or a ``functools.partial`` of one, such as ``partial(train_each, mine)``.
        executor: the workers.
        in_flight: number of jobs that are handed to the executor and have not ended, at most.

    Raises:
        QhnError: if another process goes on with the study.
        RecordError: if the study is damaged.
        OSError: if its folder cannot be written.
        BackendError: if a worker died.
    """
    failures: list[tuple[Job, str]] = []

    def jobs() -> Iterator[Job | None]:
        while not study.is_done:
            job = study.ask_job()
            if job is None and failures:
                return
            yield job

    yield study.progress()
    try:
        for job, results in work_through(train, jobs(), executor, in_flight=in_flight):
            if isinstance(results, Failure):
                failures.append((job, str(results.error)))
            else:
                study.tell_job(job, results)
            yield study.progress(failures)
    finally:
        study.close()


def train_each(function: Callable[[Trial], Sequence[float]], job: Job) -> list[Result]:
    """Train each trial of a job by a function of the user's; a trial whose function raises an error has failed.

    Args:
        function: a function that trains a trial until ``trial.until`` and returns its loss at each unit of resource
            from ``trial.reached + 1`` on. What it needs to go on later it keeps in ``trial.folder``.
        job: the trials.
    """
    return [_trained(function, trial) for trial in job]


def _trained(function: Callable[[Trial], Sequence[float]], trial: Trial) -> Result:
    if trial.folder is not None:
        trial.folder.mkdir(parents=True, exist_ok=True)
    try:
        return Result([float(loss) for loss in function(trial)])
    except Exception as error:
        words = clipped(f"{type(error).__name__}: {error}")
        return Result([math.inf] * (trial.until - trial.reached), {"error": words})


def _line(job: Job, results: Sequence[Result]) -> bytes:
    """The line of the journal on a job."""
    told = [
        {"trial": trial.number, "losses": [_as_json(loss) for loss in result.losses]} | {"facts": dict(result.facts)}
        for trial, result in zip(job, results, strict=True)
    ]
    return (json.dumps({"until": job[0].until, "told": told}, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _parsed(line: bytes) -> tuple[int, dict[int, Result]]:
    tree = parse_json(line)
    told = {one["trial"]: Result([float(loss) for loss in one["losses"]], one["facts"]) for one in tree["told"]}
    return tree["until"], told


def _as_json(loss: float) -> float | str:
    """A loss as JSON has it, where numbers are finite."""
    return loss if math.isfinite(loss) else str(loss)


def _difference(before: Any, now: Mapping[str, Any]) -> str:
    """The first key in which two definitions differ, in words."""
    if not isinstance(before, dict):
        return f"{DEFINITION} is no table"
    key = next(name for name in [*now, *before] if before.get(name) != now.get(name))
    return f"its {key} is {shown(before.get(key))}, not {shown(now.get(key))}"
