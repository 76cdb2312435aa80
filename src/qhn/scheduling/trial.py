"""The trials of a study: what is to be trained further, and the result of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qhn.errors import QhnError
from qhn.fields import is_number, plain
from qhn.seeds import Key, Purpose
from qhn.text import clipped, shown


@dataclass(frozen=True)
class Trial:
    """A trial that is to be trained further.

    Attributes:
        number: the number of the trial in the study, from 0.
        values: the hyper-parameters by name.
        seed: a seed of its own for its random numbers.
        reached: the resource that it has taken, in units; 0 if it has not begun.
        until: the resource until which it is to be trained, in units.
        folder: a folder of its own for what it needs to go on later; None if the study is not kept on disk.
    """

    number: int
    values: Mapping[str, Any]
    seed: int
    reached: int
    until: int
    folder: Path | None = None

    def is_same_as(self, other: Trial) -> bool:
        """Whether another object is this trial, also if it comes from another process.

        Values are compared in words, since those of a user's own need not be comparable; those without words of their
        own are not.

        Args:
            other: a trial as it was told.
        """
        mine, its = ((one.number, one.seed, one.reached, list(one.values)) for one in (self, other))
        words = [(repr(self.values[name]), repr(other.values.get(name))) for name in self.values]
        return mine == its and all(one == two for one, two in words if " at 0x" not in one)


@dataclass(frozen=True)
class Result:
    """The result of training a trial further.

    Attributes:
        losses: the loss at each unit of resource that it took, in order.
        facts: what else is to be kept of it: numbers, texts and truth values by name.
    """

    losses: Sequence[float]
    facts: Mapping[str, Any] = field(default_factory=dict)


Job = tuple[Trial, ...]  # trials that are trained together


def seed_of(seed: int, trial: int) -> int:
    """The seed of a trial.

    Args:
        seed: the seed of the study.
        trial: the number of the trial.
    """
    return Key(seed, Purpose.TRIAL, trial, 1).uint32()


def checked(trial: Trial, result: Result) -> Result:
    """A result whose losses and facts are of Python's own types.

    Raises:
        QhnError: if there are more or fewer losses than the trial needs, or one is no number, or a fact is none.
    """
    return Result(
        checked_losses(trial, result.losses), {name: _fact(name, value) for name, value in result.facts.items()}
    )


def checked_losses(trial: Trial, losses: Iterable[float]) -> list[float]:
    """The losses of a trial as floating-point numbers.

    Raises:
        QhnError: if there are more or fewer than the trial needs, or one is no number.
    """
    words = f"trial {trial.number} needs a list of {trial.until - trial.reached} losses, one a unit of resource from "
    words += f"{trial.reached + 1} to {trial.until}"
    if isinstance(losses, (str, bytes, Mapping, Set)) or not isinstance(losses, Iterable):
        raise QhnError(f"{words}, got {shown(losses)}")
    numbers = [plain(loss) for loss in losses]
    if len(numbers) != trial.until - trial.reached:
        raise QhnError(f"{words}, got {len(numbers)}")
    for number in numbers:
        if not is_number(number):
            raise QhnError(f"a loss of trial {trial.number} must be a number, got {shown(number)}")
    try:
        return [float(number) for number in numbers]
    except OverflowError:
        raise QhnError(f"a loss of trial {trial.number} is above all floating-point numbers") from None


def _fact(name: str, value: object) -> Any:
    """A fact as JSON keeps it; a number that is not finite becomes a text.

    Raises:
        QhnError: if it is no number, text or truth value.
    """
    fact = plain(value)
    if not (is_number(fact) or isinstance(fact, (bool, str))):
        raise QhnError(f"the fact {name} must be a number, a text or a truth value, got {shown(fact)}")
    if isinstance(fact, (bool, str, int)):
        return fact
    return float(fact) if math.isfinite(fact) else str(float(fact))


def train_each(function: Callable[[Trial], Iterable[float]], job: Job) -> list[Result]:
    """Train each trial of a job by a function of the user's; a trial whose function raises an error has failed.

    Args:
        function: a function that trains a trial until ``trial.until`` and returns its loss at each unit of resource
            from ``trial.reached + 1`` on. What it needs to go on later it keeps in ``trial.folder``.
        job: the trials.

    Raises:
        QhnError: if the function returns anything but as many numbers; that is a defect of it, and no trial has failed.
    """
    return [_trained(function, trial) for trial in job]


def _trained(function: Callable[[Trial], Iterable[float]], trial: Trial) -> Result:
    if trial.folder is not None:
        trial.folder.mkdir(parents=True, exist_ok=True)
    try:
        losses = function(trial)
    except Exception as error:
        words = clipped(f"{type(error).__name__}: {error}")
        return Result([math.inf] * (trial.until - trial.reached), {"error": words})
    return Result(checked_losses(trial, losses))
