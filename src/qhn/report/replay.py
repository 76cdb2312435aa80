"""The picture of a replay: E as recorded, and as recomputed from the bits of the run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from qhn.config import RunConfig
from qhn.report.figures import replayed_curve
from qhn.run.record import Record
from qhn.run.replay import Replayed


def write_replay(record: Record, config: RunConfig, found: Sequence[Replayed]) -> Path:
    """Draw E as recorded and as recomputed under another configuration into the run's ``figures/``.

    Args:
        record: the record of the run.
        config: the configuration under which the steps were recomputed.
        found: the recomputed steps, one per step of the run.

    Returns:
        The path of the PNG file, ``replay-<run id of the configuration>.png``; a PDF and the data as CSV are beside it.
    """
    steps = record.steps()
    folder = record.directory / "figures"
    folder.mkdir(exist_ok=True)
    columns = {
        "step": np.array([step.step for step in steps]),
        "recorded": np.array([step.mean for step in steps]),
        "recorded_std_error": np.array([step.mean_std_error for step in steps]),
        "mean": np.array([one.mean for one in found]),
        "std_error": np.array([one.mean_std_error for one in found]),
        "objective": np.array([one.value for one in found]),
        "objective_std_error": np.array([one.std_error for one in found]),
        "raw_mean": np.array([np.nan if one.raw_mean is None else one.raw_mean for one in found]),
        "best_cost": np.array([one.best_cost for one in found]),
        "distinct": np.array([one.distinct for one in found]),
    }
    return replayed_curve(folder / f"replay-{config.run_id}.png", columns, config.train.objective.build().label)
