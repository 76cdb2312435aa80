"""Learning curves of hypernetworks with shot noise: other depths, learning rates and first angles, equal shots."""

from __future__ import annotations

from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.backend import open_backend
from qhn.config import RunConfig
from qhn.config.file import load_config
from qhn.learning_curves.curve import on_grid
from qhn.paper.courses import exact_of
from qhn.paper.curve_pool import Pool, kept
from qhn.paper.lab import Lab
from qhn.problem.cost import TableProblem
from qhn.run.plan import prepare
from qhn.run.recorder import Unrecorded
from qhn.run.training import Training

DEPTHS = (0, 1, 2)
RATES = (0.05, 0.1, 0.2, 0.4, 0.8)
SHOTS = 200  # of each row of angles
UNITS = 81  # of resource: a power of 3, which lies near one of 2
STEPS = 3  # of the shallowest circuit, whose shots are a unit of resource


@dataclass(frozen=True)
class Recipe:
    """A cycle of trials through depths and learning rates, each with first angles and shots of its own.

    Attributes:
        task: name of the task.
        units: the resource of a trial.
        steps_per_unit: number of steps of the shallowest circuit whose shots are a unit of resource.
        mnist: folder of the original files of MNIST; None for the bundled images.
        shots: number of shots of each row of angles.
        depths: numbers of layers, the shallowest circuit first.
        rates: learning rates of the first step, which fall to 0 over the trial's own steps.
    """

    task: str
    units: int = UNITS
    steps_per_unit: int = STEPS
    mnist: str | None = None
    shots: int = SHOTS
    depths: tuple[int, ...] = DEPTHS
    rates: tuple[float, ...] = RATES

    @property
    def unit(self) -> int:
        """The number of shots that are a unit of resource."""
        return self.steps_per_unit * self._step(self.depths[0])

    def setting(self, trial: int) -> tuple[int, float]:
        """The number of layers and the learning rate of a trial.

        >>> recipe = Recipe("mnist-01")
        >>> [recipe.setting(trial) for trial in (0, 1, 3, 16)]
        [(0, 0.05), (1, 0.05), (0, 0.1), (1, 0.05)]
        """
        place = trial % (len(self.depths) * len(self.rates))
        return self.depths[place % len(self.depths)], self.rates[place // len(self.depths)]

    def config(self, trial: int) -> RunConfig:
        """The configuration of a trial, whose seed is its number; it makes the whole steps that fit."""
        num_layers, rate = self.setting(trial)
        steps = self.units * self.unit // self._step(num_layers)
        optimizer = {"name": "adam", "learning_rate": rate, "decay_steps": steps}
        return self._of_depth(num_layers, {"train.seed": trial, "train.steps": steps, "train.optimizer": optimizer})

    def _of_depth(self, num_layers: int, settings: dict[str, Any]) -> RunConfig:
        fixed: dict[str, Any] = {"train.backend": "exact", "train.shots": self.shots, "ansatz.num_layers": num_layers}
        files = {"data.directory": self.mnist} if self.mnist and self.task.startswith("mnist") else {}
        return load_config(self.task, fixed | files | settings)

    def _step(self, num_layers: int) -> int:
        """The number of shots of a step."""
        config = self._of_depth(num_layers, {})
        (measurement, *_) = config.strategy(exact_of(config).ansatz).measurements(0)
        return int(measurement.num_rows * measurement.shots)


def hypernetwork_pool(lab: Lab, recipe: Recipe, trials: int) -> Pool:
    """The learning curves of the first trials of a recipe.

    Args:
        lab: the workers, and the folder where curves are kept.
        recipe: what the trials are.
        trials: number of trials.
    """
    arrays = kept(lab, asdict(recipe), trials, partial(curves_of, recipe), f"prediction, {recipe.task}, curves")
    settings = np.array([recipe.setting(trial) for trial in range(trials)], dtype=np.float64)
    return Pool(
        name=recipe.task,
        unit=f"{recipe.unit:,} shots",
        loss="E",
        curves=arrays["curves"],
        truth=arrays["truth"],
        settings=np.column_stack([settings[:, 0], np.log(settings[:, 1])]),
        groups=settings[:, 0].astype(np.int64),
    )


def curves_of(recipe: Recipe, trials: range) -> dict[str, Floats]:
    """E on the grid of resource of some trials: as each step measured it, and the exact one at its angles."""
    found = [_trained(recipe, trial) for trial in trials]
    return {"curves": np.array([measured for measured, _ in found]), "truth": np.array([truth for _, truth in found])}


def _trained(recipe: Recipe, trial: int) -> tuple[Floats, Floats]:
    config = recipe.config(trial)
    exact = exact_of(config)
    plan = replace(prepare(config), problem=TableProblem(exact.landscape.costs))
    with closing(Training(plan, Unrecorded(), open_backend("exact", config.machine_settings))) as training:
        steps = list(training)
    taken = [step.shots for step in steps]
    truth = exact(np.stack([step.theta for step in steps])).mean
    measured = [step.mean for step in steps]
    return on_grid(measured, taken, recipe.unit, recipe.units), on_grid(truth, taken, recipe.unit, recipe.units)
