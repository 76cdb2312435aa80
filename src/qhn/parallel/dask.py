"""Workers of a ``dask.distributed`` scheduler, on any number of machines or as processes of this one."""

from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import json
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qhn.backend import BackendError
from qhn.errors import QhnError
from qhn.parallel.jobs import FAILURES, Failure, WorkersLost
from qhn.parallel.processes import check_workers
from qhn.parallel.remote import Requirements, do_patiently, prepare, requirements
from qhn.text import in_line, read_text, shown

if TYPE_CHECKING:
    import distributed

ADDRESS = re.compile(r"((tcp|tls|ucx|wss?)://)?[^/\s]+:[0-9]{1,5}")
SECONDS_TO_CONNECT = 20.0
SECONDS_FOR_WORKERS = 120.0  # without a worker, at the start or later
SECONDS_BETWEEN_LOOKS = 0.5
LOOKS_BETWEEN_QUESTIONS = 4  # to the scheduler; the others are at the connection
SECONDS_TO_ANSWER = 60.0  # of the scheduler, about its workers
GOES_ON = "the same command goes on"


@contextmanager
def dask_workers(
    workers: int | None = None, address: str | None = None, shared: str | Path | None = None
) -> Iterator[Executor]:
    """The workers of a dask scheduler as an executor.

    Args:
        workers: number of processes to start on this machine; None for one a core.
        address: the address of a running scheduler, or the path of its scheduler file; None to start one here.
        shared: directory that every worker must see; None if there is none.

    Raises:
        QhnError: if ``dask.distributed`` is not installed, an argument is wrong, or a worker lacks what is required.
        BackendError: if the scheduler cannot be reached or has no workers.
    """
    try:
        import distributed
    except ImportError as error:
        raise QhnError(f"executor dask needs dask.distributed ({in_line(error)}): pip install 'qhn[dask]'") from None

    if workers is not None and address is not None:
        raise QhnError("workers are started with the dask scheduler that address names; leave out workers, or address")
    with ExitStack() as stack:
        stack.enter_context(_silence())
        if address is None:
            number = check_workers(workers)
            local = {"n_workers": number, "threads_per_worker": 1, "processes": True, "memory_limit": 0}
            cluster = stack.enter_context(distributed.LocalCluster(**local, dashboard_address="127.0.0.1:0"))
            address = cluster.scheduler_address
        required = stack.enter_context(requirements(shared))
        client = stack.enter_context(_client(distributed, _scheduler(address), address))
        _check(client, required, address)
        executor = DaskExecutor(client, required, address)
        try:
            yield executor
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
        executor.shutdown()


@contextmanager
def _silence() -> Iterator[None]:
    """Context without the log of dask on standard error; what matters of it comes back as errors."""
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] in ("distributed", "tornado")]
    before = {log: log.level for log in map(logging.getLogger, names)}  # dask gives each a level of its own
    for log in before:
        log.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for log, level in before.items():
            log.setLevel(level)


def _scheduler(address: str) -> str:
    """The address of a scheduler, read from its scheduler file if it is a path.

    Raises:
        QhnError: if it is neither.
        BackendError: if there is no such file, also after a while.
    """
    if ADDRESS.fullmatch(address):
        return address
    if "://" in address or not address:
        raise QhnError(f"address must be tcp://HOST:PORT, or a scheduler file of dask, got {shown(address)}")
    end = time.monotonic() + SECONDS_TO_CONNECT
    while not os.path.exists(address):  # a scheduler that has just been started writes it soon
        if time.monotonic() >= end:
            words = f"address {shown(address)} is no tcp://HOST:PORT, and as a scheduler file there is none"
            raise BackendError(f"{words}; start dask scheduler --scheduler-file {address}")
        time.sleep(SECONDS_BETWEEN_LOOKS)
    try:
        found = json.loads(read_text(Path(address)))["address"]
    except (ValueError, KeyError, TypeError):
        found = ""
    if not (isinstance(found, str) and ADDRESS.fullmatch(found)):
        raise QhnError(f"{address} is no scheduler file of dask; dask scheduler --scheduler-file {address} writes one")
    return found


@contextmanager
def _client(distributed: Any, scheduler: str, address: str) -> Iterator[distributed.Client]:
    """A connection to a scheduler.

    Raises:
        BackendError: if no scheduler answers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other versions are an error of ours, if they matter
            asyncio.run(_greet(distributed, scheduler))
            client = distributed.Client(scheduler, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except Exception as error:  # also what dask makes of the words of another kind of server
        words = f"no dask scheduler answers at {address} within {SECONDS_TO_CONNECT:.0f} s"
        why = f" ({in_line(error)})" if str(error) else ""
        raise BackendError(f"{words}{why}; {GOES_ON} when it does") from None
    try:
        yield client
    finally:
        with suppress(Exception):  # of a scheduler that has gone
            client.close(timeout=2)


async def _greet(distributed: Any, scheduler: str) -> None:
    """Wait for the greeting of a scheduler, for which a client of dask would wait without end.

    Raises:
        TimeoutError: if it does not come in time.
        OSError: if nothing listens there.
    """
    async with asyncio.timeout(SECONDS_TO_CONNECT + 1):
        secure = distributed.Security().get_connection_args("client")
        connection = await distributed.comm.connect(scheduler, timeout=SECONDS_TO_CONNECT, **secure)
    connection.abort()


def _check(client: distributed.Client, required: Requirements, address: str) -> None:
    """Wait for a worker, and refuse workers that lack what is required."""
    import distributed

    try:
        client.wait_for_workers(1, timeout=SECONDS_FOR_WORKERS)
    except (TimeoutError, distributed.TimeoutError):
        words = f"the dask scheduler at {address} has had no workers for {SECONDS_FOR_WORKERS:.0f} s"
        raise BackendError(f"{words}; start some with dask worker: {GOES_ON}") from None
    try:
        answers = client.run(_ready, required, on_error="return")
    except OSError as error:
        raise BackendError(f"the dask scheduler at {address} has gone ({in_line(error)}); {GOES_ON}") from None
    for worker, answer in answers.items():
        if isinstance(answer, OSError):  # it has gone since; others do its work
            continue
        if isinstance(answer, Exception):
            words = f"the dask worker at {worker} cannot import what this process has ({in_line(answer)})"
            raise QhnError(f"{words}; start all from one environment")
        if answer is not None:
            raise QhnError(f"the dask worker at {worker} {answer}")


def _ready(required: Requirements) -> str | None:
    """Set this worker up for jobs; returns what it lacks."""
    unmet = required.unmet()
    if unmet is None:
        prepare()
    return unmet


_met: set[Requirements] = set()  # what this worker has been found to have; it may have joined after all were asked


def _work(required: Requirements, call: Callable[[], Any]) -> Any:
    """Do one job on a worker; a failure comes back as a value, for dask would print an error that is raised."""
    if required not in _met:
        unmet = _ready(required)
        if unmet is not None:
            return Failure(WorkersLost(f"the dask worker of process {os.getpid()} on {os.uname().nodename} {unmet}"))
        _met.add(required)
    try:
        return do_patiently(call)
    except FAILURES as error:
        return Failure(error)


class DaskExecutor(Executor):
    """The workers of a dask scheduler as an executor; dask gives the job of a worker that dies to another one.

    Args:
        client: the connection to the scheduler.
        required: what every worker must have.
        address: the scheduler, as the user named it.
    """

    def __init__(self, client: distributed.Client, required: Requirements, address: str) -> None:
        self._client, self._required, self._address = client, required, address
        self._lock = threading.Lock()
        self._waiting: dict[Future[Any], distributed.Future] = {}
        self._lost: WorkersLost | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a job to the scheduler.

        Raises:
            WorkersLost: if the scheduler or its workers have gone.
        """
        ours: Future[Any] = Future()
        try:
            theirs = self._client.submit(_work, self._required, partial(fn, *args, **kwargs), pure=False)
        except Exception as error:  # whatever a client raises that is being closed
            raise self._lost or self._scheduler_gone(error) from None
        with self._lock:
            if self._lost is not None:
                raise self._lost
            self._waiting[ours] = theirs
        ours.add_done_callback(self._forget)
        theirs.add_done_callback(lambda theirs: self._settle(ours, theirs))
        return ours

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Leave the workers; a job that is cancelled under way goes on there, and its result is dropped."""
        for future in list(self._waiting) if cancel_futures else ():
            future.cancel()
        if wait:
            concurrent.futures.wait(list(self._waiting))
        self._ended.set()

    def _forget(self, ours: Future[Any]) -> None:
        """Let dask cancel a job, or drop its result, once nobody waits for it here."""
        with self._lock:
            theirs = self._waiting.pop(ours, None)
        if ours.cancelled() and theirs is not None:
            with suppress(Exception):
                theirs.cancel()

    def _settle(self, ours: Future[Any], theirs: distributed.Future) -> None:
        """Give a job that has ended on a worker its result here."""
        if theirs.status == "cancelled":
            self._lose(self._scheduler_gone())
            return
        try:
            result = theirs.result()
            error = result.error if isinstance(result, Failure) else None
        except Exception as raised:
            error = raised
        if isinstance(error, WorkersLost):
            self._lose(error)
        elif error is None:
            with suppress(Exception):  # it was cancelled here
                ours.set_result(result)
        else:
            with suppress(Exception):
                ours.set_exception(self._explained(error))

    def _explained(self, error: Exception) -> Exception:
        """The error of a job; that of dask about its worker in words of ours."""
        kind = type(error).__name__
        if kind == "KilledWorker":
            return BackendError("the workers that did it died, one after the other, perhaps for want of memory")
        if kind in ("FutureCancelledError", "CancelledError", "FuturesCancelledError"):
            return self._scheduler_gone()
        if isinstance(error, ImportError) or "deserializ" in str(error):
            words = f"a dask worker cannot import what this process has ({in_line(error.__cause__ or error)})"
            return BackendError(f"{words}; start all from one environment")
        return error

    def _watch(self) -> None:
        """Look now and then whether the scheduler and workers are there, and give up all jobs if they are not."""
        seen = time.monotonic()
        for look in itertools.count():
            if self._ended.wait(SECONDS_BETWEEN_LOOKS):
                return
            try:
                if self._client.status not in ("running", "closing"):
                    raise ConnectionError
                if look % LOOKS_BETWEEN_QUESTIONS == 0 and self._num_cores() > 0:
                    seen = time.monotonic()
            except Exception as error:  # whatever dask raises without a scheduler
                if not self._ended.is_set():
                    self._lose(self._scheduler_gone(error))
                return
            if time.monotonic() - seen > SECONDS_FOR_WORKERS:
                words = f"all workers of the dask scheduler at {self._address} have gone; start some with dask worker"
                self._lose(WorkersLost(f"{words}: {GOES_ON}"))
                return

    def _num_cores(self) -> int:
        """The number of cores of all workers, asked of the scheduler."""
        cores: dict[str, int] = self._client.sync(self._client.scheduler.ncores, callback_timeout=SECONDS_TO_ANSWER)
        return sum(cores.values())

    def _scheduler_gone(self, error: Exception | None = None) -> WorkersLost:
        why = f" ({in_line(error)})" if str(error or "") else ""
        return WorkersLost(f"the dask scheduler at {self._address} has gone{why}; {GOES_ON} when it is back")

    def _lose(self, error: WorkersLost) -> None:
        """Give up all jobs."""
        with self._lock:
            self._lost = self._lost or error
            left = list(self._waiting)
        for future in left:
            with suppress(Exception):  # it has ended meanwhile
                future.set_exception(self._lost)
