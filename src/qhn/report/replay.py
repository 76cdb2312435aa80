"""A run recomputed from its bits, checked against its record, or beside it as a table and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from qhn.config import RunConfig
from qhn.errors import RecordError
from qhn.estimator.means import with_error
from qhn.problem.capabilities import noun_of
from qhn.report.attempt import attempt
from qhn.report.folder import figures_folder
from qhn.run.record import Record
from qhn.run.recorded_problem import problem_of
from qhn.run.replay import Replayed, disagreement, replay, replayed_config
from qhn.text import aligned


def checked_replay(
    record: Record, settings: Mapping[str, Any], *, python: str | None = None, trust: bool = False
) -> Iterator[Replayed]:
    """The steps of a run, recomputed one by one from its bits, and checked against the record if nothing was changed.

    Args:
        record: record of the run.
        settings: other values by dotted key; see :func:`qhn.run.replay.replay`.
        python: ``"module:function"`` of a run that evaluates this function; None if it is not named.
        trust: whether every program that the record names may be run.

    Raises:
        RecordError: if a step does not follow from its bits, or the bits are damaged.
        ValueError: if the run kept no bits, or a setting concerns more than they tell.
    """
    steps = record.steps()
    is_same = replayed_config(record.config, dict(settings)).run_id == record.config.run_id
    is_mean = record.config.train.objective.build().is_mean
    for one in replay(record, dict(settings), python=python, trust=trust):
        yield one
        if is_same and (words := disagreement(steps[one.step], one, is_mean=is_mean)):
            raise RecordError(f"{record.directory}: {words}")


@dataclass(frozen=True)
class ReplayReport:
    """What became of a run under other settings, or that the same ones give its record again.

    Attributes:
        record: record of the run.
        config: what it was recomputed under.
        found: the recomputed steps, one per step of the run.
    """

    record: Record
    config: RunConfig
    found: Sequence[Replayed]

    @classmethod
    def of(cls, record: Record, settings: Mapping[str, Any], found: Sequence[Replayed]) -> ReplayReport:
        """The report on steps that were recomputed with some settings.

        Args:
            record: record of the run.
            settings: other values by dotted key that the steps were recomputed with.
            found: the steps, as :func:`checked_replay` gives them.
        """
        return cls(record, replayed_config(record.config, dict(settings)), found)

    @property
    def is_check(self) -> bool:
        """Whether nothing was changed, so that the steps were compared with the record."""
        return self.config.run_id == self.record.config.run_id

    def page(self) -> str:
        """Whether the record agrees, in one line; under other settings a table of both, one row a step."""
        steps, found = self.record.steps(), self.found
        if self.is_check:
            noun = noun_of(problem_of(self.record))
            return _agreement(len(steps), noun, found[0].grad is not None, steps[0].raw_mean is not None)
        objective = self.config.train.objective.build()
        tail = [objective.label] if objective.label else []
        rows = [
            [
                step.step,
                with_error(step.mean, step.mean_std_error),
                with_error(one.mean, one.mean_std_error),
                *[with_error(one.value, one.std_error) for _ in tail],
                f"{one.best_cost:.6g}",
            ]
            for step, one in zip(steps, found, strict=True)
        ]
        return aligned(["step", "E as recorded", "recomputed", *tail, "best C"], rows)

    def write(self, output: Path | None = None) -> list[Path]:
        """Draw E as recorded and as recomputed into the run's ``figures/``; nothing if it was only checked.

        Returns:
            The picture, ``replay-<digest of the configuration>.png``, and its data, unless it could not be drawn, which
            a warning says.
        """
        if self.is_check:
            return []
        paths = []
        with attempt(f"replay-{self.config.run_id}.png"):
            path = write_replay(self.record, self.config, self.found, output)
            paths += [path, path.with_suffix(".csv")]
        return paths


def _agreement(count: int, noun: str, has_gradients: bool, is_mitigated: bool) -> str:
    what = f"E, its gradient and the best {noun} follow from the bits again"
    if not has_gradients:
        raw = " without mitigation" * is_mitigated
        kept = "the bits of gradients are kept of paid runs only"
        what = f"E{raw} and the best {noun} follow from the bits again; {kept}"
    return f"{f'all {count:,} steps agree' if count > 1 else 'the one step agrees'} with the record: {what}"


def write_replay(record: Record, config: RunConfig, found: Sequence[Replayed], output: Path | None = None) -> Path:
    """Draw E as recorded and as recomputed under another configuration.

    Args:
        record: the record of the run.
        config: the configuration under which the steps were recomputed.
        found: the recomputed steps, one per step of the run.
        output: the folder to draw into; None for the run's own (:func:`qhn.report.folder.figures_folder`).

    Returns:
        The path of the PNG file, ``replay-<run id of the configuration>.png``; a PDF and the data as CSV are beside it.
    """
    from qhn.report.figures import replayed_curve

    steps = record.steps()
    folder = figures_folder(record, output)
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
