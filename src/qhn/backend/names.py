"""The beginnings of names of machines that stand for another machine, or for an object of this process."""

from __future__ import annotations

OBJECT = "object:"  # before the name of an object that a process gave, of which another may have the same name later
TWIN = "twin_"  # before the name of the machine whose calibration is simulated
