"""The workers that a user asks for by name: processes of this machine, of a dask cluster, or ranks of MPI."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path

from qhn.errors import QhnError
from qhn.parallel.processes import processes
from qhn.parallel.remote import refuse_address
from qhn.text import did_you_mean, shown

KINDS = ("processes", "dask", "mpi")


@contextmanager
def open_executor(
    kind: str = "processes", workers: int | None = None, address: str | None = None, shared: str | Path | None = None
) -> Iterator[Executor]:
    """Workers on one machine or many, as an executor; they end, or are left, at the end of the context.

    An exception that leaves the ``with`` block cancels the jobs that wait, and ends those under way where that is
    possible. A script that uses it does so under ``if __name__ == "__main__":``, since processes import the script.

    Args:
        kind: ``processes``; ``dask``, the workers of a scheduler of ``dask.distributed``; or ``mpi``, the ranks of the
            MPI job to which this process belongs. Under MPI the block is for rank 0 alone: the process of every other
            rank serves it, and ends when rank 0 has left the block.
        workers: number of processes, also of those that dask starts here; by default one a core.
        address: the address of a dask scheduler, such as ``tcp://host:8786``, or the path of its scheduler file; by
            default dask starts a scheduler and processes on this machine.
        shared: directory that the workers must see, on whatever machines they are; by default that is not checked.

    Raises:
        QhnError: if the kind is unknown, an argument is not for it, a package is not installed, or a worker has other
            versions than this process or does not see the directory.
        BackendError: if the workers cannot be reached.
        SystemExit: when a rank other than 0 has done its work.

    >>> with open_executor(workers=1) as executor:
    ...     executor.submit(pow, 2, 10).result()
    1024
    """
    if kind not in KINDS:
        raise QhnError(f"unknown executor {shown(kind)}; {did_you_mean(kind, KINDS, 'there are ' + ', '.join(KINDS))}")
    if kind == "mpi":
        from qhn.parallel.mpi import mpi_ranks

        opened = mpi_ranks(workers, address, shared)
    elif kind == "dask":
        from qhn.parallel.dask import dask_workers

        opened = dask_workers(workers, address, shared)
    else:
        refuse_address(kind, address)
        opened = processes(workers)
    with opened as executor:
        yield executor
