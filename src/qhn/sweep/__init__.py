"""Sweeps: runs for every combination of some settings and many seeds, done by workers, and their joint results."""

from __future__ import annotations

from qhn.sweep.batch import Batch, BatchState
from qhn.sweep.plan import Member, Sweep, load_sweep, make_sweep, sweeps
from qhn.sweep.survey import Survey
from qhn.sweep.workers import Failure, Progress, advance, processes, work_through

__all__ = [
    "Batch",
    "BatchState",
    "Failure",
    "Member",
    "Progress",
    "Survey",
    "Sweep",
    "advance",
    "load_sweep",
    "make_sweep",
    "processes",
    "sweeps",
    "work_through",
]
