"""A study: trials that a scheduler pauses, promotes and stops, with a journal from which it goes on where it was.

A trial is any Python function that trains something::

    with Study(Hyperband(max_resource=81), {"rate": Range(1e-4, 1e-1, log=True)}, folder="results/mlp") as study:
        while trial := study.ask():
            study.tell(trial, train(trial))   # a loss for each unit from trial.reached + 1 to trial.until

or a run as ``qhn run`` makes it (:mod:`qhn.search.runs`). The journal holds the losses that were told, one line a job.
Everything else follows from them: telling the scheduler again what it was told leads it to where it stopped.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.parallel.jobs import Failure, work_through
from qhn.scheduling.curves import Curves, Decision
from qhn.scheduling.journal import StudyJournal
from qhn.scheduling.scheduler import Rule, Scheduler, Stage
from qhn.scheduling.space import Space
from qhn.scheduling.trial import Job, Result, Trial, checked, seed_of, train_each
from qhn.text import clipped


@dataclass(frozen=True)
class StudyProgress:
    """The progress of a study.

    Attributes:
        units: the resource that all trials have taken so far, in units.
        most_units: the most that they can take, in units; trials that are stopped take less.
        trials: number of trials that have begun.
        best: the lowest loss at the most resource that any trial has reached; nan before that.
        failures: the jobs that failed in this session, each with its error.
    """

    units: int
    most_units: int
    trials: int
    best: float
    failures: tuple[tuple[tuple[Trial, ...], Exception], ...] = ()


Grouping = Callable[[Sequence[Trial]], Sequence[Job]]


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
        seed: the seed of the study.
        facts: what is known of each trial but its losses, by its number.

    Raises:
        QhnError: if the folder holds another study, or the rule cannot be kept in words.
        RecordError: if the study in the folder is damaged.

    >>> from qhn.scheduling.hyperband import Hyperband
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
        self._group = group
        self._scheduler = Scheduler(rule, lambda trial: self.space.as_numbers(self.values(trial)))
        self._open: dict[int, Trial] = {}  # trials that are to be trained and were not told, by number
        self._queue: deque[Job] = deque()  # jobs that were not handed out; trials that were told drop out
        self._handed_out: list[Job] = []
        self._journal: StudyJournal | None = None
        if self.folder is not None:
            self._journal = StudyJournal(self.folder, definition or self._in_words())
        self._take_up()
        self._read()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    # ------------------------------------------------------------ ask and tell

    def ask(self) -> Trial | None:
        """A trial to be trained further; None if there is none until others have been told, or at the end.

        Its folder exists, if it has one.

        Raises:
            QhnError: if trials are trained in jobs of several.
            RecordError: if another process goes on with the study, or its journal is damaged.
            OSError: if its folder cannot be written.
        """
        job = self.ask_job()
        if job is None:
            return None
        if len(job) > 1:
            self._queue.appendleft(job)
            raise QhnError("the trials of this study are trained in jobs of several; use ask_job")
        if job[0].folder is not None:
            job[0].folder.mkdir(parents=True, exist_ok=True)
        return job[0]

    def ask_job(self) -> Job | None:
        """Trials that are to be trained together; None if there are none until others have been told, or at the end.

        Raises:
            RecordError: if another process goes on with the study, or its journal is damaged.
            OSError: if its folder cannot be written.
        """
        self._hold()
        while self._queue:
            if job := self._left_of(self._queue.popleft()):
                self._handed_out.append(job)
                return job
        return None

    def tell(self, trial: Trial, losses: Sequence[float], **facts: Any) -> None:
        """Take the losses of a trial.

        Args:
            trial: the trial, as it was asked for.
            losses: the loss at each unit of resource from ``trial.reached + 1`` to ``trial.until``; lower is better.
                nan stands for a unit before its first step; any other loss that is not finite for a trial that has
                failed, which is never trained further.
            facts: what else is to be kept of it: numbers, texts and truth values by name.

        Raises:
            QhnError: if the trial was not asked for, there are more or fewer losses, or one is no number.
            RecordError: if another process goes on with the study, or its journal is damaged.
            OSError: if the journal cannot be written.
        """
        self.tell_job((trial,), [Result(losses, facts)])

    def tell_job(self, job: Job, results: Sequence[Result]) -> None:
        """Take the losses of the trials of a job.

        Args:
            job: the trials, as they were asked for.
            results: the result of each.

        Raises:
            QhnError: if a trial was not asked for, there are more or fewer losses, or one is no number.
            RecordError: if another process goes on with the study, or its journal is damaged.
            OSError: if the journal cannot be written.
        """
        self._hold()
        if len(results) != len(job):
            raise QhnError(f"a job of {len(job)} trials needs as many results, got {len(results)}")
        told = self._checked(job[0].until, {one.number: result for one, result in zip(job, results, strict=True)})
        if self._journal is not None:
            self._journal.append(job, list(told.values()))
        self._apply(told)

    def close(self) -> None:
        """Let other processes go on with the study; closing twice does no harm.

        What was asked for and not told is asked for again if this process goes on.
        """
        self._queue.extendleft(reversed(self._handed_out))
        self._handed_out.clear()
        if self._journal is not None:
            self._journal.release()

    def train(
        self, function: Callable[[Trial], Sequence[float]], executor: Executor, *, in_flight: int | None = None
    ) -> Iterator[StudyProgress]:
        """Train the trials on workers by a function of one's own, and yield the progress of the study.

        A trial whose function raises an error has failed.

        Args:
            function: a function that trains a trial until ``trial.until`` and returns its loss at each unit of resource
                from ``trial.reached + 1`` on. What it needs to go on later it keeps in ``trial.folder``, beside what
                it needs to begin again from ``trial.reached`` if it is killed. For workers that are processes it is a
                function of a module.
            executor: the workers.
            in_flight: number of trials that are handed to the executor and have not ended, at most.

        Raises:
            RecordError: if another process goes on with the study, or its journal is damaged.
            OSError: if its folder cannot be written.
            BackendError: if a worker died.

        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from qhn.scheduling.hyperband import RunAll
        >>> def losses(trial):
        ...     return [trial.values["slope"] / unit for unit in range(trial.reached + 1, trial.until + 1)]
        >>> study = Study(RunAll(num_trials=5, max_resource=3), {"slope": [1.0, 2.0]})
        >>> with ThreadPoolExecutor(2) as executor:
        ...     print(list(study.train(losses, executor))[-1])
        StudyProgress(units=15, most_units=15, trials=5, best=0.333..., failures=())
        """
        return advance(self, partial(train_each, function), executor, in_flight=in_flight)

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
    def stages(self) -> Sequence[Stage]:
        """The stages of the scheduler that were opened so far, in order."""
        return tuple(self._scheduler.stages)

    @property
    def units(self) -> int:
        """The resource that all trials have taken so far, in units."""
        return self._scheduler.units

    def values(self, trial: int) -> dict[str, Any]:
        """The hyper-parameters of a trial by name.

        Args:
            trial: the number of the trial.
        """
        return self.space.draw(self.seed, trial)

    def best(self) -> Trial | None:
        """The trial with the lowest loss at the most resource that any has reached without having failed.

        It is None if none has a loss yet. Its ``until`` is what it has reached.
        """
        best = self._scheduler.best()
        return None if best is None else self._trial(best, self.curves.reached(best))

    def progress(self, failures: Sequence[tuple[Job, Exception]] = ()) -> StudyProgress:
        """The progress of the study.

        Args:
            failures: the jobs that failed in this session, each with its error.
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

    def _in_words(self) -> dict[str, Any]:
        """What defines the study: rule, space and seed in words.

        Raises:
            QhnError: if the words of an object say where it lies in memory, and not what it is.
        """
        words = {"rule": repr(self.rule), "space": repr(dict(self.space.dimensions))}
        for name, text in words.items():
            if " at 0x" in text:
                raise QhnError(f"the {name} is kept in words, which must say what it is, got {clipped(text)}")
        return words | {"seed": self.seed}

    def _take_up(self) -> None:
        """Put the trials of new stages into jobs."""
        while stage := self._scheduler.ask():
            trials = [self._trial(number, stage.until) for number in stage.trials]
            self._open |= {trial.number: trial for trial in trials}
            self._queue.extend(self._group(trials))

    def _left_of(self, job: Job) -> Job:
        """The trials of a job that were not told."""
        return tuple(trial for trial in job if self._open.get(trial.number) is trial)

    def _checked(self, until: int, told: Mapping[int, Result]) -> dict[int, Result]:
        """The results of trials that are to be trained now.

        Raises:
            QhnError: if a trial is not, or has the wrong losses.
        """
        results = {}
        for number, result in told.items():
            trial = self._open.get(number)
            if trial is None or trial.until != until:
                raise QhnError(f"trial {number} is not to be trained until {until} now; ask for trials first")
            results[number] = checked(trial, result)
        return results

    def _apply(self, told: Mapping[int, Result]) -> None:
        for number, result in told.items():
            self.facts[number] = self.facts.get(number, {}) | dict(result.facts)
            del self._open[number]
        self._handed_out = [left for job in self._handed_out if (left := self._left_of(job))]
        for number, result in told.items():
            self._scheduler.tell(number, result.losses)
        self._take_up()

    def _hold(self) -> None:
        """Be the only process that goes on with the study, and know what others have told before."""
        if self._journal is None or self._journal.is_held:
            return
        self._journal.hold()
        try:
            self._read()
            self._journal.begin()
        except BaseException:
            self._journal.release()
            raise

    def _read(self) -> None:
        """Take what the journal holds beyond what is known."""
        if self._journal is None:
            return
        for until, told in self._journal.read():
            try:
                results = self._checked(until, told)
            except QhnError as error:
                raise self._journal.damage(clipped(str(error))) from None
            self._apply(results)


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
        QhnError: if ``train`` returns what is no result.
        RecordError: if another process goes on with the study, or its journal is damaged.
        OSError: if its folder cannot be written.
        BackendError: if a worker died.
    """
    failures: list[tuple[Job, Exception]] = []
    under_way = 0

    def jobs() -> Iterator[Job | None]:
        nonlocal under_way
        while not study.is_done:
            job = study.ask_job()
            if job is None and not under_way:
                return  # others wait for jobs that failed
            under_way += job is not None
            yield job

    yield study.progress()
    try:
        for job, results in work_through(train, jobs(), executor, in_flight=in_flight):
            under_way -= 1
            if isinstance(results, Failure):
                failures.append((job, results.error))
            else:
                study.tell_job(job, results)
            yield study.progress(failures)
    finally:
        study.close()
