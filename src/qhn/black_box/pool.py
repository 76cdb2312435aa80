"""Processes that evaluate the user's function, so that it can be slow, print, run out of time or crash."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

import numpy as np

from qhn.arrays import Bits, Floats
from qhn.black_box.call import named
from qhn.black_box.function import UserFunction
from qhn.black_box.worker import Answer
from qhn.errors import EvaluationError, QhnError
from qhn.threads import num_cores

MOST_AT_ONCE = 1024  # bitstrings in a call of a vectorised function, and in a message to a worker
SECONDS_TO_START = 600.0  # for the user's module to be imported
MOMENT, SHORTEST = 0.1, 1e-6  # seconds that a message to a worker should take, and an evaluation takes at least
POLL = 0.5  # seconds between two looks at processes that say nothing
START = """
import sys, json
sys.path[:] = json.loads(sys.argv[1])
from qhn.black_box.worker import main
main(int(sys.argv[2]))
"""
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Worker:
    """A process that evaluates the user's function.

    Args:
        function: the function.
        vectorised: whether it takes several bitstrings at once.
        num_threads: number of threads that linear algebra in it may use.

    Attributes:
        place: index of the bitstring whose cost comes next.
        end: index behind the last bitstring of its call; equal to ``place`` if it has nothing to do.
        since: time at which it began with that bitstring, by the monotonic clock.
    """

    def __init__(self, function: UserFunction, vectorised: bool, num_threads: int) -> None:
        here, there = socket.socketpair()
        path = [os.path.abspath(place) for place in sys.path]
        with there:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", START, json.dumps(path), str(there.fileno())],
                stdin=subprocess.PIPE,  # which closes when this process ends
                pass_fds=[there.fileno()],
                start_new_session=True,  # Ctrl-C is for this process to hear
                env={name: str(num_threads) for name in THREADS} | dict(os.environ),
            )
        self.connection = Connection(here.detach())
        self.close = weakref.finalize(self, _end, self._process, self.connection)
        self.place = self.end = 0
        self.since = time.monotonic()
        self._send((function, vectorised))

    def call(self, bits: Bits, start: int, stop: int) -> None:
        """Begin to evaluate the bitstrings from ``start`` to ``stop`` of ``bits[n, num_qubits]``."""
        self.place, self.end, self.since = start, stop, time.monotonic()
        self._send(bits[start:stop])

    def answer(self) -> Answer | None:
        """The next answer; None if the process has ended without one."""
        try:
            answer: Answer = self.connection.recv()
        except (EOFError, OSError):
            return None
        return answer

    def ended(self) -> str:
        """How the process has ended, in words."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(POLL)
        code = self._process.returncode
        if code is None:
            return "closed its connection"
        if code >= 0:
            return f"ended with exit code {code}"
        memory = ", perhaps for lack of memory" if -code == signal.SIGKILL else ""
        return f"was killed by {signal.Signals(-code).name}{memory}"

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended."""
        return self._process.poll() is None

    def _send(self, what: object) -> None:
        with suppress(OSError):  # the process has ended, which the missing answer tells
            self.connection.send(what)


class WorkerPool:
    """Processes that evaluate the user's function; they are started when they are first needed.

    Args:
        function: the function.
        vectorised: whether it takes several bitstrings at once.
        count: number of processes.
        time_limit: seconds that a bitstring may take; None for no limit.
    """

    def __init__(self, function: UserFunction, vectorised: bool, count: int, time_limit: float | None) -> None:
        self.function, self.count = function, count
        self._vectorised, self._limit = vectorised, time_limit
        self._workers: list[Worker] = []
        self._seconds = 0.0  # that the last evaluation took

    def start(self) -> None:
        """Start the processes, and wait until they have loaded the function.

        Raises:
            QhnError: if the function cannot be loaded; the message says why.
        """
        if self._workers:
            return
        num_threads = max(1, num_cores() // self.count)
        try:
            for _ in range(self.count):
                self._workers.append(Worker(self.function, self._vectorised, num_threads))
            for worker in self._workers:
                self._check_loaded(worker)
        except BaseException:
            self.close()
            raise

    def _check_loaded(self, worker: Worker) -> None:
        has_answered = worker.connection.poll(SECONDS_TO_START)
        answer = worker.answer() if has_answered else None
        if answer is None:
            how = worker.ended() if has_answered else f"took longer than {SECONDS_TO_START:g} s"
            raise QhnError(f"the import of {self.function.source} {how}")
        if answer.raised:
            raise QhnError(f"the import of {self.function.module} raised {answer.raised}")
        if answer.wrong:
            raise QhnError(answer.wrong)

    def evaluate(self, bits: Bits, wanted: Callable[[int], bool]) -> Generator[tuple[int, Floats], None, None]:
        """Evaluate bitstrings ``[n, num_qubits]``, and yield costs as they come.

        After an error, or if the caller stops before the end, the processes are ended.

        Args:
            bits: the bitstrings.
            wanted: whether the cost of one of them, by its index, is still wanted when its turn comes.

        Yields:
            The index of a bitstring, and the costs from there on.

        Raises:
            QhnError: if the function returns something else than numbers.
            EvaluationError: if it raises an exception, takes too long, or ends its process.
        """
        self.start()
        begun, workers = 0, self._workers
        try:
            while begun < len(bits) or any(worker.place < worker.end for worker in workers):
                for worker in workers:
                    while begun < len(bits) and not wanted(begun):
                        begun += 1
                    if worker.place == worker.end and begun < len(bits):
                        size = self._size(len(bits), begun)
                        worker.call(bits, begun, begun + size)
                        begun += size
                busy = [worker for worker in workers if worker.place < worker.end]
                if busy:
                    yield from self._arrived(busy, bits)
        except BaseException:
            self.close()
            raise

    def _size(self, total: int, begun: int) -> int:
        """The number of bitstrings of the next call.

        Those of a vectorised function depend on the number of bitstrings alone, since its rounding may depend on them.
        Others are as many as take a moment, and fewer towards the end, so that all workers end at about the same time.
        """
        left = total - begun
        if self._vectorised:
            return min(MOST_AT_ONCE, left, -(-total // self.count))
        soon = MOMENT / self._seconds if self._seconds else 1
        return max(1, min(MOST_AT_ONCE, int(soon), left // (4 * self.count)))

    def _arrived(self, busy: Sequence[Worker], bits: Bits) -> Iterator[tuple[int, Floats]]:
        """Wait a moment, and yield the costs that have come."""
        deadlines = [] if self._limit is None else [self._deadline(worker) for worker in busy]
        seconds = max(0.0, min([POLL, *(deadline - time.monotonic() for deadline in deadlines)]))
        ready = wait([worker.connection for worker in busy], seconds)
        for worker in busy:
            if worker.connection in ready or not worker.is_alive:
                place, costs = worker.place, self._costs(worker.answer(), worker, bits)
                now = time.monotonic()
                self._seconds = max(now - worker.since, SHORTEST) / len(costs)
                worker.place, worker.since = place + len(costs), now
                yield place, costs
            elif self._is_late(worker) and not worker.connection.poll():  # it may have answered since
                raise EvaluationError(
                    f"{self.function} took longer than problem.time_limit = {self._limit:g} s for "
                    f"{named(self._at_work(worker, bits))}"
                )

    def _costs(self, answer: Answer | None, worker: Worker, bits: Bits) -> Floats:
        what = named(self._at_work(worker, bits))
        if answer is None:
            raise EvaluationError(f"the process in which {self.function} evaluated {what} {worker.ended()}")
        if answer.raised:
            raise EvaluationError(f"{self.function} raised {answer.raised} for {what}")
        if answer.wrong:
            raise QhnError(f"{self.function} {answer.wrong} for {what}")
        return np.asarray(answer.costs, dtype=np.float64)

    def _at_work(self, worker: Worker, bits: Bits) -> Bits:
        """The bitstrings that a worker evaluates at the moment."""
        return bits[worker.place : worker.end if self._vectorised else worker.place + 1]

    def _is_late(self, worker: Worker) -> bool:
        """Whether the time of a worker's call is over."""
        return self._limit is not None and time.monotonic() > self._deadline(worker)

    def _deadline(self, worker: Worker) -> float:
        """The time up to which a worker must answer; a call of several bitstrings may take as many times as long."""
        assert self._limit is not None
        return worker.since + self._limit * (worker.end - worker.place if self._vectorised else 1)

    def close(self) -> None:
        """End the processes; the next evaluation starts others."""
        for worker in self._workers:
            worker.close()
        self._workers = []


def _end(process: subprocess.Popen[bytes], connection: Connection) -> None:
    """End a process and whatever it has started."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    connection.close()
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()
