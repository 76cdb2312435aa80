"""Prediction by all networks of a step beside single ones: how right they are, and how far they can be trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from qhn import durable
from qhn.errors import QhnError
from qhn.predict.ensemble import Ensemble, predictors
from qhn.predict.metrics import Metrics, metrics
from qhn.report.attempt import attempt
from qhn.report.classification import SCORES, score_cells
from qhn.report.folder import figures_folder
from qhn.run.record import Record
from qhn.run.step import lowest_validation
from qhn.text import aligned, shown

MAX_DIGITS = 18  # of the number of a step


@dataclass(frozen=True)
class EnsembleReport:
    """How the networks measured at a step of a run predict, together and one by one.

    Attributes:
        record: record of the run.
        step: the number of the step, from 0.
        ensemble: all networks measured at it, each as often as it was.
        metrics: the metrics by set of samples, training or validation, and then by predictor.
    """

    record: Record
    step: int
    ensemble: Ensemble
    metrics: Mapping[str, Mapping[str, Metrics]]

    @classmethod
    def of(cls, record: Record, step: str = "last") -> EnsembleReport:
        """Predict the samples of a run by the networks of one of its steps.

        Args:
            record: record of the run.
            step: the number of the step, ``"last"``, or ``"best-validation"``, that of the lowest validation cost.

        Raises:
            ValueError: if the run has no such step.
        """
        number = step_number(record, step)
        found = predictors(record, number)
        data = record.config.networks().dataset
        sets = {"training": (data.x, data.y)}
        if data.has_validation:
            sets["validation"] = (data.x_validation, data.y_validation)
        judged = {
            samples: {who: metrics(one.probabilities_of_inputs(x), y) for who, one in found.items()}
            for samples, (x, y) in sets.items()
        }
        return cls(record, number, found["ensemble"], judged)

    def page(self) -> str:
        """How many networks predict, and a table of accuracies, losses and calibration."""
        one, config = self.ensemble, self.record.config
        what = f"{one.num_networks:,} networks, as many as {one.effective_number:.4g} of equal weight, "
        what += f"the heaviest has {one.weights[0]:.1%}"
        what += f"; {one.left_out:.2g} of the probability is left out" if one.left_out else ""
        rows = [
            (samples, who, *score_cells(one), f"{one.calibration.error:.4f}")
            for samples, found in self.metrics.items()
            for who, one in found.items()
        ]
        table = aligned(("samples", "predictor", *SCORES, "ECE"), rows)
        return f"{config.experiment} {config.run_id}, step {self.step}: {what}\n\n{table}"

    def write(self, output: Path | None = None) -> list[Path]:
        """Draw the calibration, and write the ensemble.

        Args:
            output: the folder for both; None for ``figures/`` of the run, with the ensemble beside the run's other
                files, or for another folder if the run is read-only (:func:`qhn.report.folder.figures_folder`).

        Returns:
            The picture and its data, unless it could not be drawn, which a warning says, and the ``.npz`` file that
            :func:`qhn.load_ensemble` reads.
        """
        folder = figures_folder(self.record, output)
        suffix = "" if self.step == self.record.steps()[-1].step else f"-step-{self.step}"
        panels = {
            samples: {who: one.calibration for who, one in found.items()} for samples, found in self.metrics.items()
        }
        path, paths = folder / f"calibration{suffix}.png", []
        with attempt(path.name):
            from qhn.report.figures import reliability

            paths += [reliability(path, panels), path.with_suffix(".csv")]
        place = self.record.directory if folder.parent == self.record.directory else folder
        file = place / f"ensemble{suffix}.npz"
        durable.replace(file, self.ensemble.write)
        return [*paths, file]


def step_number(record: Record, step: str) -> int:
    """The number of a step that was given as such, or as ``last`` or ``best-validation``.

    Args:
        record: record of the run.
        step: digits, or one of the two words.

    Raises:
        ValueError: if ``step`` is none of these, or the run has no validation samples.
    """
    if step.isdecimal() and len(step) <= MAX_DIGITS:
        return int(step)
    if step == "best-validation":
        return lowest_validation(record.steps())[0].step
    if step == "last":
        return max(0, record.checkpoint().num_steps - 1)
    raise QhnError(f"--step must be the number of a step, last or best-validation, got {shown(step)}")
