"""Runs whose loss weighs the classes: their records, and what is begun again from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qhn import bitstrings
from qhn.config import RunConfig
from qhn.config.file import with_settings
from qhn.problem.cost import BinnProblem
from qhn.run.record import load_run
from qhn.run.training import resume
from runs import finished

WEIGHTS = {"low": 1.0, "high": 20.0}


@pytest.fixture
def config(tmp_path: Path, rng: np.random.Generator) -> RunConfig:
    y = np.arange(200) % 20 == 0
    x = rng.normal(size=(200, 3)) + 0.8 * y[:, None]
    lines = [",".join([*map(str, row), "high" if label else "low"]) for row, label in zip(x, y, strict=True)]
    (tmp_path / "rare.csv").write_text("\n".join(["a,b,c,level", *lines]))
    return RunConfig(
        data={"file": tmp_path / "rare.csv", "label": "level"},
        network={"loss": "cross-entropy", "class_weight": WEIGHTS},
        train={"backend": "exact", "steps": 4},
    )


@pytest.mark.parametrize("settings", [{}, {"train.backend": "aer", "train.shots": 50}])
def test_a_run_minimises_the_weighted_loss_and_goes_on_with_it(
    config: RunConfig, settings: dict[str, Any], tmp_path: Path
) -> None:
    config = with_settings(config, settings)
    whole = finished(config, tmp_path / "whole")
    part = finished(with_settings(config, {"train.steps": 2}), tmp_path / "part")
    training = resume(part.directory, settings={"train.steps": 4})
    list(training)
    training.close()
    assert [step.mean for step in load_run(part.directory).steps()] == [step.mean for step in whole.steps()]
    problem = config.problem()
    assert isinstance(problem, BinnProblem)
    plain = BinnProblem(problem.space, problem.dataset, "cross-entropy")
    best = whole.steps()[-1]
    bits = bitstrings.from_text(best.best_bits)
    assert best.best_cost == pytest.approx(float(problem.cost(bits)), rel=1e-12)
    assert abs(best.best_cost - float(plain.cost(bits))) > 1e-3


def test_the_page_says_the_weights(config: RunConfig, tmp_path: Path, qhn) -> None:
    record = finished(config, tmp_path)
    assert "loss cross-entropy with weights of classes high 20, low 1" in qhn("show", str(record.directory)).out
    balanced = finished(with_settings(config, {"network.class_weight": "balanced"}), tmp_path)
    assert "with weights of classes high 9.375, low 0.5282" in qhn("show", str(balanced.directory)).out
