"""The loop of a quantum gradient descent, as an iterator of segments: upload, T steps solved at once, download."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import cached_property

import numpy as np

from qhn.arrays import Floats
from qhn.quantum_sgd.beside import segment_of
from qhn.quantum_sgd.config import QsgdConfig
from qhn.quantum_sgd.machine import DescentMachine
from qhn.quantum_sgd.reading import Task
from qhn.quantum_sgd.record import DescentRecord
from qhn.quantum_sgd.segment import Segment
from qhn.quantum_sgd.start import Start, start_of
from qhn.quantum_sgd.upload import upload
from qhn.run.step import Ending, Outcome
from qhn.text import counted


class QuantumDescent:
    """A quantum gradient descent that advances segment by segment, and goes on where a killed one stopped.

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

    def __init__(self, config: QsgdConfig, record: DescentRecord | None = None) -> None:
        self.config = config if record is None else record.config
        self.record = record
        self.segments: list[Segment] = [] if record is None else record.segments()
        self.outcome: Outcome | None = None
        self.machine: DescentMachine | None = None
        if self.config.machine.shots is not None:
            self.machine = DescentMachine(self.config, None if record is None else record.journal)
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
            yield from self._advance()
            self.record.write_outcome(self.outcome)

    def _advance(self) -> Iterator[Segment]:
        is_begun = False
        while not self.is_done:
            if self._is_to_stop:
                self.outcome = Outcome(Ending.INTERRUPTED, f"stopped after {counted(self.num_stored, 'segment')}")
                return
            task = self.task()
            if task is None:
                self.outcome = Outcome(
                    Ending.CONVERGED, f"the gradient is zero after {counted(self.num_stored, 'segment')}"
                )
                return
            if self.record is not None and not is_begun:
                self.record.append_session({"name": self.config.machine.backend})
                is_begun = True
            yield self._complete(task)
        self.outcome = Outcome(Ending.DONE, f"{counted(self.config.descent.segments, 'segment')} done")

    def _complete(self, task: Task) -> Segment:
        """Solve and read a segment, compare it, and write it down."""
        began = time.monotonic()
        reading = task.read(self.machine)
        path = self.segments[-1].beside.true_path if self.segments else self.start.theta
        model = self.start.model
        segment = segment_of(self.config, model, task.upload, reading, task.number, np.asarray(path))
        self.segments.append(segment)
        if self.record is not None:
            timing = {"segment": task.number, "seconds": round(time.monotonic() - began, 3)}
            self.record.append(segment, timing | ({} if self.machine is None else self.machine.take_timing()))
        return segment
