"""Whole runs, for tests of what they leave behind."""

from __future__ import annotations

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
