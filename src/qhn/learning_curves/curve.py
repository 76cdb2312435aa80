"""A learning curve: the losses of a training after each of its steps, what they cost, and how it was configured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.fields import Number, Whole, truth
from qhn.text import shown

ROUNDING = 1e-9  # relative: ten tenths of a unit are a unit
ELSEWHERE = {
    "experiment",
    "naming",
    "data",
    "problem",
    "network",
    "instance",
}  # names, and what the problem's id covers
WITHOUT_EFFECT = {"ansatz.file", "ansatz.directory", "train.optimizer.force", "train.initial.run"}  # on any number


@dataclass(frozen=True, eq=False)
class LearningCurve:
    """The losses of one training, after each of its steps.

    Attributes:
        losses: the loss after each step, ``[steps]``; lower is better.
        costs: what the training has taken by the end of each step, ``[steps]``, by the unit in which it is counted:
            ``"steps"``, ``"shots"``, ``"qpu_seconds"``, or a unit of the user's own.
        settings: the settings of the training by dotted key, as JSON values.
        problem: a name of what was minimised; curves of different problems are never mixed.
        quantity: a name of what the losses are, such as ``"mean"`` for E.
        name: a name of the training, the same wherever its curve is read.
        source: where the curve was read, for messages.
        is_settled: whether further steps would not have changed the loss, since the training had converged.

    Raises:
        QhnError: at construction, if losses and costs are not as many numbers, or the costs do not rise.

    >>> curve = LearningCurve([0.9, 0.5, 0.4], {"shots": [100, 200, 300]}, {"rate": 0.1}, problem="mine")
    >>> curve.on_grid("shots", unit=150, length=2)
    array([0.9, 0.4])
    """

    losses: Floats
    costs: Mapping[str, Floats]
    settings: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""
    quantity: str = "loss"
    name: str = ""
    source: str = ""
    is_settled: bool = False

    def __post_init__(self) -> None:
        losses = _numbers("losses", self.losses)
        costs = {str(unit): _numbers(f"the costs in {unit}", values) for unit, values in self.costs.items()}
        for unit, values in costs.items():
            if len(values) != len(losses):
                raise QhnError(f"the costs in {unit} must be one a loss, got {len(values)} for {len(losses)} losses")
            if not (np.isfinite(values).all() and (np.diff(values, prepend=0.0) >= 0).all()):
                raise QhnError(
                    f"the costs in {unit} must be finite, at least 0 and never fall, got {shown(values.tolist())}"
                )
        object.__setattr__(self, "losses", losses)
        object.__setattr__(self, "costs", costs)
        object.__setattr__(self, "is_settled", truth("is_settled", self.is_settled))

    def __len__(self) -> int:
        """The number of steps."""
        return len(self.losses)

    def reaches(self, unit_of_cost: str, unit: float, length: int) -> bool:
        """Whether the training took a resource of ``length`` units, or had converged before.

        Args:
            unit_of_cost: the unit of the costs, such as ``"shots"``.
            unit: the cost that is a resource of 1.
            length: the resource.
        """
        spent = self.costs.get(unit_of_cost, np.empty(0))
        if not len(spent):
            return False
        next_step = spent[-1] + (spent[-1] - (spent[-2] if len(spent) > 1 else 0.0))
        return self.is_settled or bool(next_step > length * unit * (1 + ROUNDING))

    def on_grid(self, unit_of_cost: str, unit: float, length: int) -> Floats:
        """The losses on the grid of resource 1 to ``length``, each that of the last step that is paid for by then.

        Args:
            unit_of_cost: the unit of the costs, such as ``"shots"``.
            unit: the cost that is a resource of 1, above 0.
            length: the number of points of the grid.

        Returns:
            The losses ``[length]``; nan before the first step is paid for.

        Raises:
            QhnError: if the costs are not known in this unit.
        """
        if unit_of_cost not in self.costs:
            raise QhnError(f"{self.source or 'the curve'} has no costs in {unit_of_cost}")
        return on_grid(self.losses, self.costs[unit_of_cost], unit, length)


def on_grid(losses: ArrayLike, costs: ArrayLike, unit: float, length: int) -> Floats:
    """The losses of a training on the grid of resource 1 to ``length``.

    Args:
        losses: the loss after each step, ``[steps]``.
        costs: what the training has taken by the end of each step, ``[steps]``, never falling.
        unit: the cost that is a resource of 1, above 0.
        length: the number of points of the grid.

    Returns:
        The loss of the last step that is paid for at each resource, ``[length]``; nan before the first one, and the
        last loss where the training had ended.

    Raises:
        QhnError: if ``unit`` or ``length`` is out of bounds.

    >>> on_grid([0.9, 0.5, 0.4], [200, 400, 600], unit=100, length=5)
    array([nan, 0.9, 0.9, 0.5, 0.5])
    """
    unit, length = Number(above=0)("unit", unit), Whole(1)("length", length)
    resource = np.arange(1, length + 1) * unit * (1 + ROUNDING)
    done = np.searchsorted(np.asarray(costs, dtype=np.float64), resource, side="right")
    return np.concatenate([[np.nan], np.asarray(losses, dtype=np.float64)])[done]


def quantity_of(config: RunConfig, loss: str) -> str:
    """The name of what the losses of a run are: ``loss``, or ``"mean"`` for an objective that is the mean.

    Args:
        config: the configuration of the run.
        loss: ``"mean"`` for E, ``"value"`` for the objective, ``"validation"`` or ``"best_cost"``.

    >>> quantity_of(RunConfig(), "value"), quantity_of(RunConfig(train={"objective": "cvar"}), "value")
    ('mean', 'value')
    """
    return "mean" if loss == "value" and config.train.objective.build().is_mean else loss


def settings_of(config: RunConfig) -> dict[str, Any]:
    """The settings of a run by dotted key, as JSON values: circuit, training and machine, without the stop rules.

    The problem has its own id, ``config.problem_id``.

    >>> settings = settings_of(RunConfig(train={"seed": 3, "steps": 50}))
    >>> settings["train.seed"], settings["train.optimizer.name"], "train.steps" in settings
    (3, 'adam', False)
    """
    tree = config.model_dump(mode="json", exclude={"train": set(config.STOP_RULES)})
    named = dict(flat({key: value for key, value in tree.items() if key not in ELSEWHERE}))
    return {key: value for key, value in named.items() if key not in WITHOUT_EFFECT}


def flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested tables by dotted key.

    >>> dict(flat({"train": {"optimizer": {"name": "adam"}, "seed": 1}}))
    {'train.optimizer.name': 'adam', 'train.seed': 1}
    """
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def without_repeats(curves: Sequence[LearningCurve]) -> list[LearningCurve]:
    """The curves, of those of one training only the longest, in the order in which the trainings first appear.

    A curve without a name is taken for that of a training of its own.
    """
    longest: dict[object, LearningCurve] = {}
    for place, curve in enumerate(curves):
        key = (curve.problem, curve.quantity, curve.name) if curve.name else place
        if key not in longest or len(curve) > len(longest[key]):
            longest[key] = curve
    return list(longest.values())


def _numbers(name: str, values: ArrayLike) -> Floats:
    """Values as an array of numbers, of their own.

    Raises:
        QhnError: if they are no list of numbers.
    """
    try:
        numbers = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise QhnError(f"{name} must be a list of numbers, got {shown(values)}") from None
    if numbers.ndim != 1:
        raise QhnError(f"{name} must be a list of numbers, got an array of the shape {numbers.shape}")
    return numbers
