"""The options of verbs that have work for many workers, and the context in which such a verb does it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from qhn.cli.options import INTERRUPTED
from qhn.cli.signals import at_signals_to_end, stop_at_once
from qhn.cli.terminal import tell

WorkersOption = Annotated[int | None, typer.Option(help="Processes of this machine; one a core by default.")]
ExecutorOption = Annotated[
    str, typer.Option(metavar="processes|dask|mpi", help="Who does the work; mpi under mpiexec -n 3 qhn …")
]
AddressOption = Annotated[
    str | None,
    typer.Option(metavar="tcp://HOST:PORT|FILE", help="A dask scheduler, or its file; else one starts here."),
]


@contextmanager
def executor_of_options(
    kind: str, workers: int | None, address: str | None, results: Path | None
) -> Iterator[Executor]:
    """Context of the workers that the command line asks for.

    A signal to end stops them, with a message and exit code 130, as Ctrl-C does; what is finished is kept. A verb
    enters it before it does or prints anything else: under MPI only rank 0 goes on into the block, and the process of
    any other rank ends here when rank 0 has left it.

    Args:
        kind: the value of ``--executor``.
        workers: the value of ``--workers``; None if it is not given.
        address: the value of ``--address``; None if it is not given.
        results: the value of ``--results``, which all workers must see; None if it is not given.

    Raises:
        QhnError: if the options do not fit one another, or a package is not installed.
        BackendError: if the workers cannot be reached.
        Exit: when a signal to end came, with exit code 130.
    """
    from qhn.parallel import open_executor
    from qhn.run.directories import results_directory

    try:
        with (
            at_signals_to_end(stop_at_once),
            open_executor(kind, workers, address, results_directory(results)) as executor,
        ):
            yield executor
    except KeyboardInterrupt:
        tell("\nqhn: stopped; what is finished is kept, and the same command goes on")
        raise typer.Exit(INTERRUPTED) from None
