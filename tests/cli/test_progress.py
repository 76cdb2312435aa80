"""The line of progress keeps the step and the time left, however narrow the terminal is."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from rich.console import Console

from qhn.cli.progress import fitted, progress, versions
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.estimator.means import with_error
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


def test_the_trace_of_the_hessian_is_told_where_there_is_room(small_config: RunConfig) -> None:
    training = train(small_config, record=False)
    *_, last = training
    assert last.hessian_diag is not None
    assert last.trace_std_error is not None
    full, without, narrow, mean = versions(last, training)
    assert full == f"{without}  tr H {with_error(float(last.hessian_diag.sum()), last.trace_std_error)}"
    assert [len(words) for words in (full, without, narrow, mean)] == sorted(map(len, (full, without, narrow, mean)))[
        ::-1
    ]
    exact = train(with_settings(small_config, {"train.backend": "exact", "train.shots": "none"}), record=False)
    assert "tr H" not in versions(next(exact), exact)[0]
