"""Figures of descents of many parameters, and of one segment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from qhn.quantum_sgd import figures
from qhn.quantum_sgd.load import load_descent
from qhn.quantum_sgd.loop import QuantumDescent


@pytest.mark.parametrize("keep", [4, 17])
def test_at_most_twelve_parameters_are_named_and_segments_are_whole(
    keep: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[Axes, ...]] = []
    real = figures.save
    monkeypatch.setattr(figures, "save", lambda figure, path: drawn.append(tuple(figure.axes)) or real(figure, path))
    settings = {"solver": "classical", "prune.keep": keep, "descent.segments": 1, "lift.order": 1}
    descent = QuantumDescent(load_descent("digits", settings))
    segments = list(descent)
    assert figures.parameters(tmp_path, descent.start, segments).is_file()
    left, right = drawn[0]
    named = [text.get_text() for text in left.get_legend().get_texts()]
    change = np.abs(np.subtract(segments[0].after, descent.start.theta))
    most = sorted(np.argsort(-change)[:12])
    assert named == [descent.start.names[place].replace(" ", " ") for place in most]
    low, high = right.get_xlim()
    assert [tick for tick in right.get_xticks() if low <= tick <= high] == [1]
