"""Whole runs, for tests of what they leave behind, and waiting for what another process does."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from qhn.config import RunConfig
from qhn.run.record import Record
from qhn.run.training import train


def finished(config: RunConfig, results: Path) -> Record:
    """The record of a run that was trained to its end."""
    training = train(config, results=results)
    list(training)
    training.close()
    assert training.record is not None
    return training.record


def wait_until(happened: Callable[[], bool], seconds: float = 300) -> None:
    """Until it did; the deadline is there to end a test that would hang, and no machine is that slow."""
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.01)
