"""The ranks of an MPI job as workers: rank 0 hands out jobs, and every other rank does them in a process of its own.

A job that crashes, or that the system kills for want of memory, thus ends its process and not its rank: MPI goes on
working, and the sweep ends in order. The process that does a job knows nothing of MPI.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, wait
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from queue import Empty, Queue
from typing import TYPE_CHECKING, Any

from qhn.backend import BackendError
from qhn.errors import QhnError
from qhn.parallel.jobs import WorkersLost
from qhn.parallel.processes import processes
from qhn.parallel.remote import Requirements, do_patiently, refuse_address, requirements
from qhn.text import in_line

if TYPE_CHECKING:
    from mpi4py.MPI import Comm, Status

SECONDS_BETWEEN_LOOKS = 0.005  # at messages; MPI itself would wait with a busy core
SECONDS_BETWEEN_SIGNS = 5.0  # of life, from every rank
SECONDS_SILENT = 90.0  # after which a rank is taken for dead
SECONDS_OF_GRACE = 2.0  # before a rank says that it ends, since a signal may have told all ranks to
SECONDS_TO_END = 15.0  # for all ranks; after that the MPI job is aborted
FAILED = 4  # exit code of an MPI job that is aborted
READY, DONE, LOST, ALIVE, LEFT = "ready", "done", "lost", "alive", "left"  # what ranks say
GOES_ON = "the same command goes on"


@contextmanager
def mpi_ranks(
    workers: int | None = None, address: str | None = None, shared: str | Path | None = None
) -> Iterator[Executor]:
    """Ranks of this MPI job as an executor, on rank 0; on any other rank the process serves it and ends.

    Args:
        workers: must be None: ``mpiexec`` says how many there are.
        address: must be None: there is no scheduler.
        shared: directory that every rank must see; None if there is none.

    Raises:
        QhnError: if MPI is not installed, there is one rank alone, an argument is given, or a rank has other versions
            than rank 0 or does not see the directory.
        SystemExit: when a rank other than 0 has done its work.
    """
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise QhnError(f"executor mpi needs mpi4py ({in_line(error)}): pip install 'qhn[mpi]'") from None
    except RuntimeError as error:
        words = f"executor mpi finds no MPI library ({in_line(error)})"
        raise QhnError(f"{words}: pip install 'qhn[mpi]', or load the module of your own") from None

    comm = MPI.COMM_WORLD
    if comm.Get_rank() != 0:
        _Rank(comm).serve()
        raise SystemExit(0)
    with requirements(shared) as required, _executor(comm) as executor:
        if workers is not None:
            raise QhnError(f"executor mpi takes its workers from mpiexec -n {max(workers, 1) + 1}; leave out workers")
        refuse_address("mpi", address)
        if comm.Get_size() == 1:
            words = "executor mpi needs at least 2 ranks, and this process is alone: mpiexec -n 3 qhn …"
            raise QhnError(f"{words}, with the mpiexec of the MPI that mpi4py uses ({MPI.get_vendor()[0]})")
        executor.check(required)
        yield executor


@contextmanager
def _executor(comm: Comm) -> Iterator[MpiExecutor]:
    """Context of the executor on rank 0; in whatever way it is left, the other ranks end."""
    executor = MpiExecutor(comm)
    try:
        yield executor
    except BaseException:
        executor.stop()
        raise
    executor.shutdown()


class MpiExecutor(Executor):
    """An executor of the ranks of an MPI job, without this one, rank 0.

    Args:
        comm: the communicator of the job.
    """

    def __init__(self, comm: Comm) -> None:
        self._comm = comm
        self._ranks = range(1, comm.Get_size())
        self._max_workers = len(self._ranks)  # as the pools of the standard library have it
        self._lacks: dict[int, str | None] = {}  # of the ranks that have answered
        self._queue: Queue[tuple[Future[Any], Any]] = Queue()
        self._busy: dict[int, Future[Any]] = {}
        self._lost: WorkersLost | None = None
        self._heard = dict.fromkeys(self._ranks, time.monotonic())
        self._left: set[int] = set()  # ranks that have ended
        self._is_ending = self._is_stopping = False
        self._thread = threading.Thread(target=self._serve, daemon=True)  # the only one that exchanges messages
        self._required: Requirements | None = None

    def check(self, required: Requirements) -> None:
        """Wait for all ranks, and refuse those that lack what is required.

        Args:
            required: what every rank must have.

        Raises:
            QhnError: if a rank lacks something.
            BackendError: if a rank does not answer.
        """
        self._required = required
        self._thread.start()
        while len(self._lacks) < len(self._ranks):
            if self._lost is not None:
                raise BackendError(str(self._lost))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        for rank, unmet in sorted(self._lacks.items()):
            if unmet is not None:
                raise QhnError(f"rank {rank} of MPI {unmet}")

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a job to the next rank that has none.

        Raises:
            WorkersLost: if a rank has gone.
        """
        future: Future[Any] = Future()
        if self._lost is not None:
            raise self._lost
        self._queue.put((future, partial(fn, *args, **kwargs)))
        if self._lost is not None:  # since
            self._give_up()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the ranks when they have done all jobs."""
        self._is_ending = True
        if wait:
            self._thread.join()

    def stop(self) -> None:
        """End the ranks and the jobs under way; if they do not end in time, the MPI job is aborted when this one ends.

        MPI would otherwise wait at the end of this process until all others have ended, which a dead one never does.
        """
        self._is_stopping = True
        if self._required is None:
            self._thread.start()
        self._thread.join(SECONDS_TO_END)
        if self._left != set(self._ranks):
            atexit.register(self._comm.Abort, FAILED)

    def _serve(self) -> None:
        """Exchange messages with the other ranks until they have ended."""
        for rank in self._ranks if self._required is not None else ():
            self._comm.send(self._required, dest=rank)
        while not (self._is_stopping or (self._is_ending and not self._busy and self._queue.empty())):
            self._hand_out()
            self._listen()
            self._miss()
        for rank in self._ranks:
            self._comm.send(None, dest=rank)
        end = time.monotonic() + SECONDS_TO_END
        while self._left != set(self._ranks) and time.monotonic() < end:
            self._listen()

    def _hand_out(self) -> None:
        """Give a job to each rank that has none."""
        for rank in self._ranks:
            if rank in self._busy or self._lacks.get(rank, "") is not None:
                continue
            with suppress(Empty):
                future, call = self._queue.get_nowait()
                if future.set_running_or_notify_cancel():
                    self._busy[rank] = future
                    self._comm.send(call, dest=rank)

    def _listen(self) -> None:
        """Take one message of a rank, or wait for a moment if there is none."""
        status = self._status()
        if not self._comm.iprobe(status=status):
            time.sleep(SECONDS_BETWEEN_LOOKS)
            return
        rank = status.Get_source()
        what, value, error = self._comm.recv(source=rank)
        self._heard[rank] = time.monotonic()
        if what == READY:
            self._lacks[rank] = value
        elif what == LEFT:
            self._left.add(rank)
        elif what == LOST:
            self._lose(f"{value}; {GOES_ON}")
        elif what == DONE:
            future = self._busy.pop(rank)
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

    def _status(self) -> Status:
        from mpi4py import MPI

        return MPI.Status()

    def _miss(self) -> None:
        """Give up if a rank has said nothing for long."""
        silent = [rank for rank, at in self._heard.items() if time.monotonic() - at > SECONDS_SILENT]
        if silent:
            self._lose(f"rank {silent[0]} of MPI has not answered for {SECONDS_SILENT:.0f} s; {GOES_ON}")

    def _lose(self, words: str) -> None:
        """Fail all jobs, those under way too."""
        self._lost = self._lost or WorkersLost(words)
        self._give_up()
        for future in self._busy.values():
            if not future.done():
                future.set_exception(self._lost)

    def _give_up(self) -> None:
        """Fail the jobs that wait."""
        with suppress(Empty):
            while True:
                future, _ = self._queue.get_nowait()
                if future.set_running_or_notify_cancel():
                    future.set_exception(self._lost)


class _Ended(Exception):
    """The signal that rank 0 has ended, while a job is under way."""


class _Rank:
    """A rank other than 0, which does what rank 0 says, in a process of its own, and prints nothing.

    Args:
        comm: the communicator of the job.
    """

    def __init__(self, comm: Comm) -> None:
        self._comm = comm
        self._next_sign = time.monotonic() + SECONDS_BETWEEN_SIGNS
        self._told_to_end: float | None = None  # when

    def serve(self) -> None:
        """Do jobs until rank 0 says that there are no more."""
        for number in (signal.SIGINT, signal.SIGHUP):  # the terminal sends them to all; rank 0 decides
            signal.signal(number, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, self._note)
        required = self._hear()
        if required is not None:
            self._say(READY, required.unmet())
            with suppress(_Ended), processes(1, threads=1) as process:
                while (call := self._hear()) is not None:
                    self._do(call, process)
        self._say(LEFT)

    def _note(self, number: int, frame: Any) -> None:
        self._told_to_end = time.monotonic()

    def _say(self, what: str, value: Any = None, error: Exception | None = None) -> None:
        self._comm.send((what, value, error), dest=0)
        self._next_sign = time.monotonic() + SECONDS_BETWEEN_SIGNS

    def _hear(self) -> Any:
        """The next message of rank 0: a job, or None when there are no more."""
        while not self._comm.iprobe(source=0):
            self._show_life()
            time.sleep(SECONDS_BETWEEN_LOOKS)
        return self._comm.recv(source=0)

    def _show_life(self) -> None:
        """Say now and then that this rank is alive, or that it was told to end and rank 0 was not."""
        now = time.monotonic()
        if self._told_to_end is not None and now - self._told_to_end > SECONDS_OF_GRACE:
            self._told_to_end = None
            self._say(LOST, f"{self._name()} was told to end")
        elif now > self._next_sign:
            self._say(ALIVE)

    def _name(self) -> str:
        return f"rank {self._comm.Get_rank()} of MPI on {os.uname().nodename}"

    def _do(self, call: Callable[[], Any], process: Executor) -> None:
        """Do a job, and say what came of it.

        Raises:
            _Ended: if rank 0 ends meanwhile.
        """
        try:
            future = process.submit(do_patiently, call)
            while not wait([future], timeout=SECONDS_BETWEEN_LOOKS).done:
                self._show_life()
                if self._comm.iprobe(source=0):
                    self._comm.recv(source=0)
                    raise _Ended
            self._say(DONE, future.result())
        except BrokenExecutor:
            self._told_to_end = None
            end = time.monotonic() + SECONDS_OF_GRACE
            while time.monotonic() < end and not self._comm.iprobe(source=0):
                time.sleep(SECONDS_BETWEEN_LOOKS)
            self._say(LOST, f"the process of {self._name()} died, perhaps for want of memory; take fewer ranks")
        except Exception as error:
            if isinstance(error, _Ended):
                raise
            self._say(DONE, None, error)
