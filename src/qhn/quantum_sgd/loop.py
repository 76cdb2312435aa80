"""The loop of a quantum gradient descent, as an iterator of segments: upload, T steps solved at once, download."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.backend.machines import named_by_user
from qhn.backend.sampler import QuotaError
from qhn.backend.terms import WAITING_FOR_JOBS, BudgetExceeded, Conduct, Detached
from qhn.quantum_sgd.beside import segment_of
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.reading import Task
from qhn.quantum_sgd.record import DescentRecord
from qhn.quantum_sgd.segment import Segment
from qhn.quantum_sgd.start import Start, start_of
from qhn.quantum_sgd.upload import upload
from qhn.run.checks import check_conduct
from qhn.run.circuit_machine import CircuitMachine
from qhn.run.directories import journals_beside
from qhn.run.step import Ending, Outcome
from qhn.run.stopping import stopped_by
from qhn.text import counted


class QuantumDescent:
    """A quantum gradient descent that advances segment by segment, and goes on where a killed one stopped.

    Args:
        config: the configuration; that of the record, if there is one.
        record: the record; None to keep nothing.
        conduct: what is done with jobs that are billed.

    Attributes:
        config: the configuration.
        record: the record; None if nothing is kept.
        segments: segments that are complete, those on disk included.
        outcome: why the descent ended; None while it has not.
        machine: what measures circuits; None without shots.

    >>> from qhn.quantum_sgd.load import load_descent
    >>> config = load_descent("digits", {"solver": "classical", "descent.segments": 2})
    >>> descent = QuantumDescent(config)
    >>> losses = [segment.loss for segment in descent]
    >>> losses[1] < losses[0], descent.outcome.name == "done"
    (True, True)
    """

    def __init__(
        self, config: QsgdConfig, record: DescentRecord | None = None, *, conduct: Conduct = WAITING_FOR_JOBS
    ) -> None:
        self.config = config if record is None else record.config
        self.record = record
        self.segments: list[Segment] = [] if record is None else record.segments()
        self.outcome: Outcome | None = None
        self.machine = _machine_of(self.config, record, conduct)
        self._task: Task | None = None
        self._is_to_stop = False

    @cached_property
    def start(self) -> Start:
        """Where the descent starts: the dense parameters, and what is kept of them."""
        return start_of(self.config)

    @property
    def num_stored(self) -> int:
        """The number of complete segments."""
        return len(self.segments)

    @property
    def is_done(self) -> bool:
        """Whether all segments are complete."""
        return self.num_stored >= self.config.descent.segments

    @property
    def theta(self) -> Floats:
        """The kept parameters now, ``[num_kept]``."""
        return np.array(self.segments[-1].after) if self.segments else self.start.theta

    def request_stop(self) -> None:
        """Ask for an end after the segment under way."""
        self._is_to_stop = True

    def task(self, *, force: bool = False) -> Task | None:
        """The next segment, ready to be solved; None if the gradient is zero and nothing moves.

        Args:
            force: whether a saddle or a divergent descent is no reason to refuse, as ``lift.force`` says, too.

        Raises:
            ValueError: if it begins at a saddle or diverges, and is not forced, or its system is too large.
        """
        number = self.num_stored
        if self._task is None or self._task.number != number:
            found = upload(self.config, self.start.model, self.theta, number)
            if found is None:
                return None
            found.diagnosis.check(force=force or self.config.lift.force)
            self._task = Task(self.config, number, found)
        return self._task

    def check(self) -> None:
        """Refuse a descent that cannot begin, or whose machine cannot measure its next segment within its budget.

        Raises:
            ValueError: if the next segment begins at a saddle, diverges or is too large, also for its solver or its
                machine, its shots would say too little, or it exceeds a budget.
            BudgetNeeded: if what is paid for has no budget.
            BackendError: if the service of the machine cannot be reached.
        """
        if self.is_done or (task := self.task()) is None:
            return
        if self.machine is None:
            task.build()
            return
        if self.machine.kind.is_priced:
            task.price(self.machine)  # that circuits are too large for it is said before that shots are too few
        task.check_counts()
        self.machine.check([task.price(self.machine)], self.config.descent.segments - self.num_stored)

    def __iter__(self) -> Iterator[Segment]:
        """The segments that are not complete yet, one after the other; each is on the disk before it is given.

        Raises:
            ValueError: if a segment cannot be solved or read; complete ones are kept.
            BackendError: if the machine fails.
            RecordError: if another process writes the record.
        """
        if self.record is None:
            yield from self._advance()
            return
        with self.record.open_for_writing():
            self.segments = self.record.segments()
            if self.machine is not None and not self.is_done:
                self.machine.take_up(self.record.timing())
            yield from self._advance()
            self.record.write_outcome(self.outcome)

    def _advance(self) -> Iterator[Segment]:
        is_begun, self.outcome = False, None
        try:
            while self.outcome is None and not self.is_done:
                task = self.task()
                if task is None:
                    words = f"the gradient is zero after {counted(self.num_stored, 'segment')}"
                    self.outcome = Outcome(Ending.CONVERGED, words)
                elif self._is_to_stop:
                    words = f"stopped after {counted(self.num_stored, 'segment')}; the same command goes on"
                    self.outcome = Outcome(Ending.INTERRUPTED, words)
                elif self.machine is not None:
                    self.outcome = self.machine.stop([task.price(self.machine)])
                if task is None or self.outcome is not None:
                    return
                if self.record is not None and not is_begun:
                    self.record.append_session({"name": self.config.machine.backend})
                    is_begun = True
                yield self._complete(task)
            self.outcome = Outcome(Ending.DONE, f"{counted(self.config.descent.segments, 'segment')} done")
        except Detached as error:
            self.outcome = Outcome(Ending.DETACHED, _on_the_way(error))
        except (BudgetExceeded, QuotaError) as error:
            self.outcome = stopped_by(error)
        finally:
            if self.machine is not None:
                self.machine.close()

    def _complete(self, task: Task) -> Segment:
        """Solve and read a segment, compare it, and write it down."""
        began = time.monotonic()
        reading = task.read(self.machine)
        path = self.segments[-1].beside.true_path if self.segments else self.start.theta
        model = self.start.model
        segment = segment_of(self.config, model, task.upload, reading, task.number, np.asarray(path))
        timing: dict[str, Any] = {"segment": task.number, "seconds": round(time.monotonic() - began, 3)}
        if self.machine is not None:
            timing |= self.machine.complete()
        if self.record is not None:
            self.record.append(segment, timing)
        self.segments.append(segment)
        return segment


def quantum_descent(
    config: QsgdConfig,
    results: str | Path | None = None,
    *,
    record: bool = True,
    restart: bool = False,
    detach: bool = False,
    retry_self_test: bool = False,
    resubmit: bool = False,
) -> QuantumDescent:
    """The segments of a quantum gradient descent as an iterator; those already on disk are in its ``segments``.

    Nothing is written before the first segment begins.

    Args:
        config: the configuration.
        results: directory of all runs; by default ``$QHN_RESULTS`` or ``results``. The descent has a directory of its
            own in it, which its configuration determines: calling again goes on with it.
        record: whether the descent is kept on disk; a machine that bills its jobs is refused otherwise.
        restart: whether an existing record of the same configuration is set aside.
        detach: whether the descent ends once jobs are submitted to a QPU, instead of waiting for them.
        retry_self_test: whether to pay for another self-test of a QPU that has failed one with the same versions.
        resubmit: whether jobs that the service no longer has are measured, and paid for, once more.

    Raises:
        ValueError: if the data cannot be read, or the descent cannot begin (:meth:`QuantumDescent.check`).
        RecordError: if the record is damaged.
        BackendError: if the service of the machine cannot be reached.

    >>> from qhn.quantum_sgd.load import load_descent
    >>> config = load_descent("digits", {"solver": "classical", "descent.segments": 1})
    >>> [segment.number for segment in quantum_descent(config, record=False)]
    [0]
    """
    named_by_user(config.machine.backend)
    kept = DescentRecord.of(config, results, restart=restart) if record else None
    conduct = Conduct(detach, retry_self_test, resubmit)
    check_conduct(config.machine.backend, conduct)
    descent = QuantumDescent(config, kept, conduct=conduct)
    descent.check()
    return descent


def _machine_of(config: QsgdConfig, record: DescentRecord | None, conduct: Conduct) -> CircuitMachine | None:
    """The machine that measures the circuits of a descent, which is not opened yet; None without shots."""
    rules = config.machine
    if rules.shots is None:
        return None
    others: Callable[[], Sequence[Path]] = tuple
    if record is not None:
        others = partial(journals_beside, record.directory)
    return CircuitMachine(
        rules.backend,
        config.device.settings(rules.kind),
        None if record is None else record.journal,
        limits=rules,
        conduct=conduct,
        other_journals=others,
    )


def _on_the_way(error: Detached) -> str:
    """What is said of jobs that are not waited for."""
    if not error.job_ids:
        return "as many jobs wait as the account's plan allows; try the same command later"
    return f"{counted(len(error.job_ids), 'job')} on the way; the same command goes on with what comes of it"
