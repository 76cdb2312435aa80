"""Workers on one machine or on many, through ``concurrent.futures.Executor``, and the loop that hands them jobs."""

from __future__ import annotations

from qhn.parallel.executors import open_executor
from qhn.parallel.jobs import Failure, work_through
from qhn.parallel.processes import processes

__all__ = ["Failure", "open_executor", "processes", "work_through"]
