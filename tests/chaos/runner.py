"""The command line in a process of its own, which may be killed at any moment.

A process is forked from one that has imported everything, so that it takes a second instead of five.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

HEAVY = (
    "qhn.cli",
    "qhn.run.training",
    "qhn.report.page",
    "qhn.backend.ibm.account",
    "qhn.backend.ibm.device",
    "qiskit_aer",
    "qiskit_ibm_runtime.executor_sampler",
    "matplotlib.pyplot",
)
PAUSES = {  # in seconds
    "qhn.backend.service.connection": {"FIRST_PAUSE": 0.05, "LONGEST_PAUSE": 0.2},
    "qhn.backend.service.jobs": {"LISTING_DELAY": 0.6, "FULL_QUEUE_PAUSE": 0.2},
}

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload([*HEAVY])

DIVIDED = 900  # executions of a job at most, of which an evaluation takes 1,500


def start(words: list[str], environment: Mapping[str, str], folder: Path, divided: bool = False) -> BaseProcess:
    """``qhn`` with these words, begun in a folder in which it writes ``stdout`` and ``stderr``, after what is there.

    ``divided``: an evaluation takes two jobs instead of one.
    """
    process = _context.Process(target=_live, args=(words, dict(environment), folder, divided), daemon=True)
    process.start()
    return process


def _live(words: list[str], environment: dict[str, str], folder: Path, divided: bool) -> None:
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, descriptor)
        os.close(file)
    for name in [name for name in os.environ if name.startswith("QISKIT_IBM")]:
        del os.environ[name]
    os.environ.update(environment, HOME=str(folder))
    os.chdir(folder)
    _change(folder, divided)
    sys.argv = ["qhn", *words]
    from qhn import cli

    cli.main()


def _change(folder: Path, divided: bool) -> None:
    """Everything that differs from the program as it is installed: short pauses, small jobs, and no figures, which take
    three seconds.
    """
    from qiskit_ibm_runtime.accounts import management
    from qiskit_ibm_runtime.api.session import PostForcelistRetry

    from qhn.backend.device import price as qpu_time
    from qhn.report.page import Report

    def draw_nothing(self: Any) -> list[Path]:
        return []

    for module, pauses in PAUSES.items():
        for name, seconds in pauses.items():
            assert hasattr(importlib.import_module(module), name), f"{module} has no {name} any more"
            setattr(importlib.import_module(module), name, seconds)
    PostForcelistRetry.get_backoff_time = lambda self: 0.0
    management._DEFAULT_ACCOUNT_CONFIG_JSON_FILE = str(folder / "no-account.json")
    Report.figures = draw_nothing
    if divided:
        qpu_time.MAX_EXECUTIONS = DIVIDED
