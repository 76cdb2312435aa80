"""Silence about what clients tell of themselves: their warnings and log lines can hold account data."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

LOGS = ("urllib3",)  # by which most clients ask their services


@contextmanager
def silent(logs: Sequence[str] = LOGS) -> Iterator[None]:
    """Suppress all warnings, and the log lines of a client.

    Args:
        logs: names of the loggers to which the client writes.
    """
    loggers = [logging.getLogger(name) for name in logs]
    levels = [one.level for one in loggers]
    try:
        for one in loggers:
            one.setLevel(logging.CRITICAL + 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for one, level in zip(loggers, levels, strict=True):
            one.setLevel(level)
