"""The line of progress keeps the step and the time left, however narrow the terminal is."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from qhn.cli.progress import fitted, progress
from qhn.config import RunConfig
from qhn.run.training import train


@pytest.mark.parametrize("columns", [30, 40, 60, 80, 140])
def test_step_and_time_left_fit_any_terminal(
    small_config: RunConfig, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    screen = io.StringIO()

    def console(**_: Any) -> Console:
        return Console(file=screen, force_terminal=True, width=columns)

    monkeypatch.setattr("rich.console.Console", console)
    training = train(small_config)
    progress(training)
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    last = lines[-1].rstrip()
    assert re.match(r"step 4/4 .*E 0\.\d+.* ETA 0:00:00$", last)
    assert max(len(line.rstrip()) for line in lines) <= columns
    assert ("±" in last) == (columns >= 40)


def test_what_does_not_fit_is_cut_and_not_wrapped() -> None:
    assert fitted(5, "a text of some length", "another") == "anot…"
    assert fitted(0, "anything") == "…"
