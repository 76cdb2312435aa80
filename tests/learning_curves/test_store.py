from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn import checksums
from qhn.errors import NotFoundError, QhnError
from qhn.learning_curves.curve import LearningCurve
from qhn.learning_curves.store import load_curves, save_curves

CURVES = [
    LearningCurve(
        [0.9, 0.5, 0.1 + 0.2],
        {"shots": [100, 200, 300], "steps": [1, 2, 3]},
        {"train.seed": 3, "train.optimizer.name": "adam", "widths": [2, 3], "none": None, "on": True, "rate": 1e-3},
        problem="0123456789",
        quantity="mean",
        name="abcdef0123",
        source="results/größe/abcdef0123",
        is_settled=True,
    ),
    LearningCurve([np.nan, np.inf], {"steps": [1, 2]}),
    LearningCurve([], {"qpu_seconds": []}),
    LearningCurve([0.25], {"qpu_seconds": [2.5], "steps": [1]}),
]


def facts(curve: LearningCurve) -> tuple[Any, ...]:
    costs = {unit: values.tolist() for unit, values in curve.costs.items()}
    named = (curve.problem, curve.quantity, curve.name, curve.source, curve.is_settled)
    return (repr(curve.losses.tolist()), costs, dict(curve.settings), named)


def test_curves_are_read_as_they_were_written(tmp_path: Path) -> None:
    path = tmp_path / "mine.curves.npz"
    save_curves(path, CURVES)
    assert [facts(one) for one in load_curves(path)] == [facts(one) for one in CURVES]
    content = path.read_bytes()
    save_curves(path, load_curves(path))
    assert path.read_bytes() == content
    save_curves(path, [])
    assert load_curves(path) == []


def test_numpy_reads_the_file_without_qhn(tmp_path: Path) -> None:
    save_curves(tmp_path / "c.npz", CURVES)
    with np.load(tmp_path / "c.npz") as stored:
        np.testing.assert_array_equal(stored["losses"][:3], CURVES[0].losses)


def test_any_changed_byte_is_found(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "c.npz"
    save_curves(path, CURVES)
    content = path.read_bytes()
    for place in rng.integers(len(content), size=60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1 << int(rng.integers(8))]) + content[place + 1 :])
        with pytest.raises(QhnError, match="no file of learning curves that can be read"):
            load_curves(path)


@pytest.mark.parametrize("kept", [0, 1, 200, -1])
def test_a_file_that_was_cut_short_is_refused_in_one_line(tmp_path: Path, kept: int) -> None:
    path = tmp_path / "c.npz"
    save_curves(path, CURVES)
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(QhnError, match=r"c\.npz is no file of learning curves that can be read") as caught:
        load_curves(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema": 2}', "it has schema 2, and this version of qhn reads 1"),
        ('{"schema": 1, "units": []}', "KeyError: 'curves'"),
        ("[1]", "TypeError"),
        ("{", "JSONDecodeError"),
        ('{"schema": 1, "units": ["steps"], "curves": []}', "KeyError: 'costs_0'"),
        ('{"schema": 1, "units": [], "curves": [{"steps": 2, "units": [], "colour": 1}]}', "TypeError"),
        ('{"schema": 1, "units": ["shots"], "curves": []}', "KeyError"),
    ],
)
def test_an_archive_of_other_content_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "c.npz"
    path.write_bytes(checksums.arrays(facts=np.frombuffer(text.encode(), dtype=np.uint8), losses=np.ones(1)))
    with pytest.raises(QhnError, match=words):
        load_curves(path)


def test_a_missing_file_is_one(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"gone\.npz does not exist"):
        load_curves(tmp_path / "gone.npz")
    with pytest.raises(NotFoundError, match="is no file"):
        load_curves(tmp_path)


def test_settings_that_no_json_can_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(QhnError, match="the settings of a learning curve must be JSON values"):
        save_curves(tmp_path / "c.npz", [LearningCurve([0.5], {}, {"shots": np.int64(3)})])
    assert not list(tmp_path.iterdir())
