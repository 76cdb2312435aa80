"""Runs on the cloud of a made-up vendor, which bills: figure-1 with one layer, for a few steps of few shots."""

from __future__ import annotations

from pathlib import Path

from qhn.config import RunConfig
from qhn.config.file import load_config
from vendors import submitted

ROWS = 25  # of angles in a step of figure-1 with one layer
SHOTS = 20
STEPS = ("--layers", "1", "--shots", f"{SHOTS}", "--steps", "2")
TEST = 4 * 100  # shots of the self-test
ENOUGH = ("--set", f"train.max_shots={TEST + 2 * ROWS * SHOTS}")


def jobs(tmp_path: Path) -> list[str]:
    """The ids of all jobs that the cloud of a test was asked to run."""
    return submitted(tmp_path / "cloud")


def configured(name: str, **limits: float) -> RunConfig:
    settings = {"train.backend": name, "train.shots": SHOTS, "train.steps": 3, "ansatz.num_layers": 1}
    return load_config("figure-1", settings | {f"train.{key}": value for key, value in limits.items()})
