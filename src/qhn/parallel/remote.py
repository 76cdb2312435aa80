"""Jobs in processes that qhn did not start: whether they fit the process that sends the jobs, and how they do them."""

from __future__ import annotations

import os
import platform
import secrets
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from qhn.errors import BusyError, QhnError, QhnWarning
from qhn.run.session import PACKAGES
from qhn.text import shown

SECONDS_FOR_OTHERS = 600.0  # for which a job waits for another process that writes its run
SECONDS_BETWEEN_TRIES = 1.0


@dataclass(frozen=True)
class Requirements:
    """What a process must have that does jobs for another one.

    Attributes:
        versions: versions of Python and of packages by name, as pairs.
        mark: a file that it must see; None if it needs none.
    """

    versions: tuple[tuple[str, str], ...]
    mark: str | None = None

    def unmet(self) -> str | None:
        """What this process lacks, in words that follow its name; None if it lacks nothing.

        >>> Requirements((("numpy", "1.0"),)).unmet()
        'has numpy ..., not 1.0; start all from one environment'
        """
        here = dict(_versions())
        for name, version in self.versions:
            if here.get(name) != version:
                return f"has {name} {here.get(name)}, not {version}; start all from one environment"
        if self.mark is not None and not os.path.exists(self.mark):
            folder = os.path.dirname(self.mark)
            return f"does not see the directory {folder}; give --results on a file system that all machines share"
        return None


def _versions() -> tuple[tuple[str, str], ...]:
    """The versions on which the numbers and the files of runs depend, of this process."""
    return (("python", platform.python_version()), *((name, metadata.version(name)) for name in PACKAGES))


@contextmanager
def requirements(shared: str | Path | None = None) -> Iterator[Requirements]:
    """Context of what is required of processes that do jobs for this one: its versions, and a directory that all see.

    Args:
        shared: a directory that they must see, which is made if it does not exist; None if there is none.

    Raises:
        OSError: if the directory cannot be written.
    """
    if shared is None:
        yield Requirements(_versions())
        return
    folder = Path(shared).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / f".seen-{secrets.token_hex(8)}"
    mark.touch(exist_ok=False)
    try:
        yield Requirements(_versions(), str(mark))
    finally:
        mark.unlink(missing_ok=True)


def refuse_address(kind: str, address: str | None) -> None:
    """Refuse an address of a scheduler for workers that have none.

    Args:
        kind: the kind of executor.
        address: the address; None if it is not given, which is right.

    Raises:
        QhnError: if there is an address.
    """
    if address is not None:
        words = f"address {shown(address)} names a dask scheduler, which executor {kind} does not have"
        raise QhnError(f"{words}; take executor dask, or leave out address")


def prepare() -> None:
    """Set this process up for jobs: one thread for linear algebra, and no warnings, which the one that asks says."""
    import qiskit  # noqa: F401 – Qiskit 2.6 crashes later if a thread that ends was the first to import it

    threadpool_limits(1, user_api="blas")
    warnings.simplefilter("ignore", QhnWarning)


def do_patiently(job: Callable[[], Any]) -> Any:
    """Do a job; while another process writes what it would write, wait and try again.

    That other process may be at the same job, if it was given up for dead too early, or its client has gone.

    Args:
        job: the job.

    Raises:
        BusyError: if the other process has not ended after ten minutes.
    """
    end = time.monotonic() + SECONDS_FOR_OTHERS
    while True:
        try:
            return job()
        except BusyError:
            if time.monotonic() >= end:
                raise
            time.sleep(SECONDS_BETWEEN_TRIES)
