"""Angles of one run as the beginning of another: taken as they are, or refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.run.record import Record
from qhn.run.training import train
from qhn.run.warm_start import angles_of

EXACT = {"train.backend": "exact"}


@pytest.fixture
def trained(small_config: RunConfig) -> Record:
    training = train(with_settings(small_config, EXACT))
    list(training)
    training.close()
    assert training.record is not None
    return training.record


def test_a_run_begins_where_another_was_last_measured(trained: Record, small_config: RunConfig, tmp_path: Path) -> None:
    config = with_settings(small_config, {"train.initial": angles_of(trained, small_config)})
    assert config.run_id != small_config.run_id
    training = train(config)
    step = next(training)
    training.close()
    np.testing.assert_array_equal(step.theta, trained.steps()[-1].theta)
    assert training.record is not None
    again = Record.load(training.record.directory).config
    assert again.train.initial.name == "run"
    assert again.train.initial.run == trained.config.run_id
    assert again.run_id == config.run_id


def test_only_the_angles_name_the_run(trained: Record, small_config: RunConfig) -> None:
    angles = angles_of(trained, small_config)
    renamed = with_settings(small_config, {"train.initial": angles | {"run": "elsewhere"}})
    moved = with_settings(small_config, {"train.initial": angles | {"theta": [0.5, *angles["theta"][1:]]}})
    original = with_settings(small_config, {"train.initial": angles})
    assert renamed.run_id == original.run_id != moved.run_id


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ansatz.order": "authors"}, "order eq5, this one authors: .* no conversion is known"),
        ({"ansatz.num_layers": 2}, "num_layers 1, this one 2"),
        ({"network.bias": False}, "num_qubits 4, this one 3"),
        ({"network.alphabet": [0, 1]}, "other networks"),
    ],
)
def test_angles_that_mean_something_else_are_refused(
    settings: dict[str, object], message: str, trained: Record, small_config: RunConfig
) -> None:
    with pytest.raises(ValueError, match=message):
        angles_of(trained, with_settings(small_config, settings))


def test_a_wrong_number_of_angles_is_refused_before_anything_is_written(small_config: RunConfig) -> None:
    config = with_settings(small_config, {"train.initial": {"name": "run", "run": "x", "theta": [0.0, 1.0]}})
    with pytest.raises(ValueError, match="x has 2 angles, the circuit takes 16"):
        train(config)
    assert not Path("results").exists()
