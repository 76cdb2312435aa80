"""Sweeps of many runs: every combination of some settings, done on workers, and what they found together.

:func:`load_sweep` says which runs, :func:`advance` does them on the workers of :func:`processes`, and :class:`Survey`
reads what they found. :class:`Batch` trains many exact runs together, and :func:`work_through` is the loop of all that
hands jobs to workers.
"""

from __future__ import annotations

from qhn.parallel.jobs import Failure, work_through
from qhn.parallel.processes import processes
from qhn.sweep.batch import Batch, BatchState
from qhn.sweep.plan import Member, Sweep, load_sweep, make_sweep, sweeps
from qhn.sweep.survey import Survey
from qhn.sweep.workers import Progress, advance

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
