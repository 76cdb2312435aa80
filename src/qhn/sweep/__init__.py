"""Many runs: every combination of some settings, on workers, and what they found together."""

from __future__ import annotations

from qhn.sweep.plan import Sweep, load_sweep, sweeps
from qhn.sweep.survey import Survey
from qhn.sweep.workers import advance, processes

__all__ = ["Survey", "Sweep", "advance", "load_sweep", "processes", "sweeps"]
