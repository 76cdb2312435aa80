"""The learning curves of earlier trainings that a study may learn from, and why others may not be learnt from."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.config import RunConfig
from qhn.fields import Number, Whole, is_number, settle
from qhn.learning_curves.curve import ROUNDING, LearningCurve, flat, quantity_of, settings_of, without_repeats
from qhn.text import clipped, counted, shown

SEED, DECAY = "train.seed", "train.optimizer.decay_steps"
Options = Sequence[Any] | None
MAX_REASONS = 400  # characters
NOTHING = object()  # in place of a value that a curve does not have


def _no_numbers(values: Mapping[str, Any]) -> Sequence[float]:
    return ()


@dataclass(frozen=True)
class Wanted:
    """What an earlier learning curve must be to teach the predictor of a study.

    It must be of the same problem and quantity, and reach as far as the study's trials do: a loss at the end of a
    shorter one says nothing of theirs. Settings that the study varies may have other numbers, and the seed may differ;
    every other setting, such as the shots, the machine or the decay of the learning rate, shapes the curve and must be
    the study's. Where the learning rate of the study's trials falls over all of their steps, that of an earlier
    training must have fallen over as many as fit the most resource.

    Attributes:
        problem: the name of the problem; of runs it is ``config.problem_id``.
        quantity: the name of what the losses are.
        unit_of_cost: the unit in which resource is counted, such as ``"shots"``.
        unit: the cost that is a resource of 1, above 0.
        length: the most resource that a trial takes, in units.
        varied: the options of each setting that the study varies, by dotted key; None for a range of numbers.
        settings: the values of all other settings by dotted key.
        has_whole_decay: whether the learning rate of each trial falls over all of its steps, however many they are.
        as_numbers: a function that turns the values of the varied settings into numbers, for predictors.

    Raises:
        QhnError: at construction, if a number is out of bounds.

    >>> wanted = Wanted("mine", "loss", "steps", 1, 3, varied={"rate": None}, settings={"shots": 100})
    >>> wanted.mismatch(LearningCurve([0.5, 0.4], {"steps": [1, 2]}, {"rate": 0.1, "shots": 100}, problem="mine"))
    'they end before a resource of 3 units'
    """

    problem: str
    quantity: str
    unit_of_cost: str
    unit: float
    length: int
    varied: Mapping[str, Options] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    has_whole_decay: bool = False
    as_numbers: Callable[[Mapping[str, Any]], Sequence[float]] = _no_numbers

    def __post_init__(self) -> None:
        settle(self, unit=Number(above=0), length=Whole(1))

    @classmethod
    def of_runs(cls, config: RunConfig, loss: str = "mean", **rest: Any) -> Wanted:
        """What a learning curve of an earlier run must be to teach the predictor of a study of runs.

        Args:
            config: the configuration of the study's runs, in which the varied settings have any value.
            loss: what the losses are: ``"mean"``, ``"value"``, ``"validation"`` or ``"best_cost"``.
            rest: the attributes that do not follow from these, by name.
        """
        quantity = quantity_of(config, loss)
        return cls(problem=config.problem_id, quantity=quantity, settings=settings_of(config), **rest)

    def mismatch(self, curve: LearningCurve) -> str:
        """Why a curve cannot be learnt from, as the end of a sentence on several of its kind; empty if it can.

        Args:
            curve: the learning curve of an earlier training.
        """
        if curve.problem != self.problem:
            return f"they are of another problem, {shown(curve.problem)} in place of {shown(self.problem)}"
        if curve.quantity != self.quantity:
            return f"their losses are {shown(curve.quantity)}, and those of the study {shown(self.quantity)}"
        return self._different(curve) or self._foreign(curve) or self._unlike(curve)

    def values(self, curve: LearningCurve) -> dict[str, Any]:
        """The values of the varied settings of a curve that fits, by dotted key, as the study spells them."""
        return {key: _value(curve.settings, key, options) for key, options in self.varied.items()}

    def _different(self, curve: LearningCurve) -> str:
        """The first setting that is not varied and has another value than the study's; empty if there is none."""
        free = (SEED, *self.varied, *((DECAY,) if self.has_whole_decay else ()))
        for key in [*self.settings, *curve.settings]:
            mine, other = self.settings.get(key), curve.settings.get(key)
            if mine != other and not any(key == one or key.startswith(f"{one}.") for one in free):
                return f"their {key} is {shown(other)}, and the study's {shown(mine)}"
        return ""

    def _foreign(self, curve: LearningCurve) -> str:
        """The first varied setting whose value the study could not have; empty if there is none."""
        for key, options in self.varied.items():
            if _value(curve.settings, key, options) is NOTHING:
                kind = "no number" if options is None else "none of the study's"
                return f"their {key} is {kind}"
        try:
            is_told = all(map(math.isfinite, self.as_numbers(self.values(curve))))
        except (ValueError, TypeError, OverflowError):  # such as the logarithm of 0
            is_told = False
        return "" if is_told else "their hyper-parameters cannot be told in numbers as the study's"

    def _unlike(self, curve: LearningCurve) -> str:
        """Why the losses cannot be put beside those of the study; empty if they can."""
        if self.unit_of_cost not in curve.costs:
            return f"their cost in {self.unit_of_cost} is not known"
        if not curve.reaches(self.unit_of_cost, self.unit, self.length):
            return f"they end before a resource of {counted(self.length, 'unit')}"
        grid = curve.on_grid(self.unit_of_cost, self.unit, self.length)
        if np.isnan(grid[-1]):
            return f"they have no step within a resource of {counted(self.length, 'unit')}, or no loss"
        if not np.isfinite(grid[~np.isnan(grid)]).all():
            return "they have losses that are not finite"
        return self._decaying_otherwise(curve)

    def _decaying_otherwise(self, curve: LearningCurve) -> str:
        """Why the learning rate has not fallen as in the study, where it falls over all steps; empty if it has."""
        most = self.length * self.unit * (1 + ROUNDING)
        number = int((curve.costs[self.unit_of_cost] <= most).sum())
        decay = curve.settings.get(DECAY, number)
        is_same = decay == number or (curve.is_settled and number == len(curve))
        if is_same or not self.has_whole_decay:
            return ""
        over = "never" if decay is None else f"over {decay} steps"
        return f"their learning rate falls {over}, and the study's over all of its steps"


@dataclass(frozen=True)
class EarlierCurves:
    """The learning curves of earlier trainings that a study learns from.

    Attributes:
        taken: the curves.
        losses: the losses of the curves on the study's grid of resource, ``[n, length]``; nan before the first step.
        settings: the varied settings of the curves as numbers, ``[n, k]``.
        refused: the number of curves that cannot be learnt from, by the reason.
    """

    taken: tuple[LearningCurve, ...]
    losses: Floats
    settings: Floats
    refused: Mapping[str, int]

    def words(self) -> str:
        """One sentence on how many curves are taken, and why others are not.

        >>> EarlierCurves((), np.empty((0, 3)), np.empty((0, 0)), {"they are too short": 2}).words()
        '0 learning curves of earlier trainings taken; refused: they are too short (2)'
        """
        first = f"{counted(len(self.taken), 'learning curve')} of earlier trainings taken"
        reasons = ", ".join(f"{reason} ({count:,})" for reason, count in self.refused.items())
        return f"{first}; refused: {clipped(reasons, MAX_REASONS)}" if reasons else first


def fitting(curves: Iterable[LearningCurve], wanted: Wanted) -> EarlierCurves:
    """The curves that a study can learn from, each training once, on the study's grid of resource.

    Args:
        curves: learning curves of earlier trainings.
        wanted: what they must be.
    """
    refused: Counter[str] = Counter()
    taken = []
    for curve in without_repeats(list(curves)):
        if reason := wanted.mismatch(curve):
            refused[reason] += 1
        else:
            taken.append(curve)
    grids = [curve.on_grid(wanted.unit_of_cost, wanted.unit, wanted.length) for curve in taken]
    numbers = [list(wanted.as_numbers(wanted.values(curve))) for curve in taken]
    width = len(numbers[0]) if numbers else 0
    return EarlierCurves(
        tuple(taken),
        np.array(grids, dtype=np.float64).reshape(len(taken), wanted.length),
        np.array(numbers, dtype=np.float64).reshape(len(taken), width),
        dict(refused.most_common()),
    )


def _value(settings: Mapping[str, Any], key: str, options: Options) -> Any:
    """The value of a varied setting as the study spells it; ``NOTHING`` if the study could not have it.

    Numbers need not be among the options: what is learnt from them holds between and beyond.
    """
    value = settings.get(key, NOTHING)
    if options is None or all(map(is_number, options)):
        return value if is_number(value) else NOTHING
    return next((option for option in options if _is_option(settings, key, option)), NOTHING)


def _is_option(settings: Mapping[str, Any], key: str, option: Any) -> bool:
    """Whether a setting has the value of an option, which of a table may be its name alone, or a part of its keys."""
    if isinstance(option, Mapping):
        return all(settings.get(name, NOTHING) == value for name, value in flat(option, f"{key}."))
    plain = list(option) if isinstance(option, tuple) else option
    return any(type(found) is type(plain) and found == plain for found in map(settings.get, (key, f"{key}.name")))
