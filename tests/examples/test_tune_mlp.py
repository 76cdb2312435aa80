"""The example of a study of networks: promoted networks are those that were never paused, whatever was killed."""

from __future__ import annotations

import importlib.util
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import qhn
from qhn.scheduling.journal import JOURNAL
from qhn.scheduling.study import Study
from qhn.scheduling.trial import Trial

pytest.importorskip("sklearn")
EXAMPLE = Path(__file__).parents[2] / "examples" / "tune_mlp.py"


@pytest.fixture(scope="module")
def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tune_mlp", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def trial(folder: Path, reached: int, until: int, batch: int = 64) -> Trial:
    values = {"width": 12, "rate": 0.01, "alpha": 1e-4, "batch": batch}
    return Trial(0, values, seed=5, reached=reached, until=until, folder=folder)


def content(network: Any) -> list[bytes]:
    """All that decides what a network does next: weights, moments of the optimizer, and the state of its generator."""
    optimizer = network._optimizer
    arrays = [*network.coefs_, *network.intercepts_, *optimizer.ms, *optimizer.vs]
    return [*(array.tobytes() for array in arrays), pickle.dumps((optimizer.t, network._random_state.get_state()))]


def test_a_promoted_network_is_that_of_an_uninterrupted_training(example: ModuleType, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    expected = example.train(trial(whole, 0, 6))
    losses = []
    for reached, until in [(0, 1), (1, 2), (2, 2 + 3), (5, 6)]:
        losses += example.train(trial(parts, reached, until))
        if until == 5:  # killed before it was told
            assert losses[reached:] == example.train(trial(parts, reached, until))
    assert losses == expected
    networks = [pickle.loads(example.kept(folder, 6).read_bytes()) for folder in (whole, parts)]
    assert content(networks[0]) == content(networks[1])
    assert sorted(path.name for path in parts.iterdir()) == ["after-0005.pickle", "after-0006.pickle"]


def test_every_epoch_is_shuffled_anew(example: ModuleType, tmp_path: Path) -> None:
    network = example.new_network(trial(tmp_path, 0, 1))
    images, digits = example.data()["train"]
    states = []
    for _ in range(3):
        network.partial_fit(images, digits, classes=example.DIGITS)
        states.append(pickle.dumps(network._random_state.get_state()))
    assert len(set(states)) == 3


def test_the_parts_of_the_data_are_disjoint(example: ModuleType) -> None:
    parts = example.data()
    assert [len(digits) for _, digits in parts.values()] == [1000, 400, 397]
    together = np.concatenate([images for images, _ in parts.values()])
    assert len(np.unique(together, axis=0)) == len(together) == 1797


def run(folder: Path, *words: str) -> subprocess.Popen[str]:
    paths = os.pathsep.join([str(Path(qhn.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, str(EXAMPLE), "--epochs", "8", "--predictor", "last", "--folder", str(folder), *words]
    pipe, environment = subprocess.PIPE, os.environ | {"PYTHONPATH": paths, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        command, stdout=pipe, stderr=pipe, encoding="utf-8", env=environment, start_new_session=True
    )


@pytest.mark.slow
def test_it_can_be_killed_and_takes_any_number_of_workers(example: ModuleType, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    out, err = (process := run(whole, "--workers", "1")).communicate()
    assert process.returncode == 0, err
    assert "% saved" in out
    process, journal = run(killed, "--workers", "2"), killed / JOURNAL
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") > 3):
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert run(killed, "--workers", "2").communicate()[0] == out
    studies = [
        Study(qhn.SwiftHyperband(8, example.predictor("last")), example.SPACE, folder=f) for f in (whole, killed)
    ]
    best = studies[0].best()
    assert best is not None
    networks = [pickle.loads(example.kept(study.best().folder, 8).read_bytes()) for study in studies]
    assert content(networks[0]) == content(networks[1])


@pytest.mark.slow
def test_it_runs_on_dask(tmp_path: Path) -> None:
    pytest.importorskip("distributed")
    out = [
        run(tmp_path / kind, "--executor", kind, "--workers", "2").communicate()[0] for kind in ("processes", "dask")
    ]
    assert out[0] == out[1] != ""
