"""Journals of the runs that are kept in the same results directory as a given one."""

from __future__ import annotations

from pathlib import Path

from qhn.run.checkpoint import JOURNAL
from qhn.run.directories import run_directories
from qhn.run.record import Record


def journals_beside(record: Record) -> list[Path]:
    """The paths of the journals of all other runs in the same results directory.

    Args:
        record: the record of the run that asks.
    """
    directory = record.directory.resolve()
    found = [other / JOURNAL for other in run_directories(directory.parents[1]) if other != directory]
    return [path for path in found if path.exists()]
