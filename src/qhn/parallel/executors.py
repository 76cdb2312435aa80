"""The workers that a user asks for by name: processes of this machine, of a dask cluster, or ranks of MPI."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager

from qhn.errors import QhnError
from qhn.parallel.processes import processes
from qhn.text import did_you_mean, shown

KINDS = ("processes", "dask", "mpi")


@contextmanager
def open_executor(
    kind: str = "processes", workers: int | None = None, address: str | None = None
) -> Iterator[Executor]:
    """Workers on one machine or many, as an executor; they end, or are left, at the end of the context.

    An exception that leaves the ``with`` block ends the jobs under way where that is possible. A script that uses it
    does so under ``if __name__ == "__main__":``, since processes import the script.

    Args:
        kind: ``processes``; ``dask``, the workers of a scheduler of ``dask.distributed``; or ``mpi``, the ranks of the
            MPI job to which this process belongs. Under MPI the block is for rank 0 alone: the process of every other
            rank serves it, and ends when rank 0 has left the block.
        workers: number of processes, also of those that dask starts here; by default one a core.
        address: the address of a dask scheduler, such as ``tcp://host:8786``, or the path of its scheduler file; by
            default dask starts a scheduler and processes on this machine.

    Raises:
        QhnError: if the kind is unknown, an argument is not for it, or its package is not installed.
        BackendError: if the workers cannot be reached.
        SystemExit: when a rank other than 0 has done its work.
    """
    if kind not in KINDS:
        raise QhnError(f"unknown executor {shown(kind)}; {did_you_mean(kind, KINDS, f'there are {", ".join(KINDS)}')}")
    if address is not None and kind != "dask":
        raise QhnError(f"address names a dask scheduler, and executor {kind} has none; take executor dask, or leave it")
    with processes(workers) as executor:
        yield executor
