"""Shared by all tests."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pictures import print_blank
from qhn import cli
from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.report import plotting
from service.fixtures import service  # noqa: F401

# as in a terminal, also where all is run by nohup, or in the background of a shell without jobs: children inherit it
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler if _number is signal.SIGINT else signal.SIG_DFL)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20230119)


@pytest.fixture
def small_config() -> RunConfig:
    """A run of four qubits that takes a fraction of a second."""
    settings = {"train.shots": 60, "train.steps": 4, "ansatz.num_layers": 1}
    return load_config("figure-1", settings | {"data.samples": 40, "data.validation_samples": 30})


@pytest.fixture(autouse=True)
def _away_from_the_users_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QHN_RESULTS", str(tmp_path / "results"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _blank_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures are drawn only for tests with the mark ``pictures``."""
    if request.node.get_closest_marker("pictures") is None:
        monkeypatch.setattr(plotting, "print_figure", print_blank)


class Result:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


@pytest.fixture
def qhn(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """The command line, in this process."""

    def call(*words: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["qhn", *words])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        captured = capsys.readouterr()
        return Result(stopped.value.code or 0, captured.out, captured.err)

    return call
