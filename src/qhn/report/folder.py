"""The folder of a run's pictures: its own, or another one if the run cannot or should not be written."""

from __future__ import annotations

import os
from pathlib import Path

from qhn.durable import subfolder
from qhn.run.record import Record


def is_writable(record: Record) -> bool:
    """Whether pictures and what else can be made again may be written into a run's directory."""
    places = (record.directory, record.directory / "figures")
    return all(os.access(place, os.W_OK | os.X_OK) for place in places if place.exists())


def figures_folder(record: Record, output: Path | None = None) -> Path:
    """The folder for pictures of a run, which is made if it does not exist.

    Args:
        record: the record of the run.
        output: a folder that the user chose; None for ``figures/`` of the run, or, if the run is read-only, for
            ``<run id>-figures`` in the working directory.

    Raises:
        QhnError: if there is a link or a file in place of the run's folder.
        OSError: if the folder cannot be made.
    """
    if output is None and is_writable(record):
        return subfolder(record.directory / "figures")
    folder = output or Path(f"{record.directory.name}-figures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder
