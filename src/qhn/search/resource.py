"""The resource of trials that are runs: what each step takes, and the common grid on which their curves are read.

The unit of the grid is a step of the cheapest trial, at its dearest if its steps differ, so that this trial has a loss
at every unit. A trial at a resource has taken the whole steps that fit; a deep circuit, whose steps take more, has
taken fewer. What a step takes is the forecast's: with shots the most that it can measure, on a device its price by the
calibration at which the study began.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from qhn.budget.forecast import Forecast
from qhn.config import RunConfig
from qhn.errors import QhnError, RecordError
from qhn.run.plan import Plan, prepare
from qhn.sweep.batch import shared_by_members
from qhn.text import counted

GRID = "resource.json"  # the grid of a study, in its directory
ROUNDING = 1e-9  # relative: three steps fit into three units
MAX_STEPS = 1_000_000  # of a run
NAMES = {"shots": "shots", "qpu-seconds": "QPU seconds", "steps": "steps"}


@dataclass(frozen=True)
class Grid:
    """The common grid of resource of a study's trials.

    Attributes:
        resource: what is counted: ``"shots"``, ``"qpu-seconds"`` or ``"steps"``.
        max_resource: the most resource R that a trial takes, in units.
        unit: the resource of a unit.
        kinds: for every kind of trial the resource that its first 1, 2, … steps take together, as many as fit R units.
        kind_of: the place in ``kinds`` of each trial by its number; trials that cannot be run have none.
        faults: what is wrong with the trials that cannot be run, by number.
    """

    resource: str
    max_resource: int
    unit: float
    kinds: tuple[tuple[float, ...], ...]
    kind_of: Mapping[int, int]
    faults: Mapping[int, str]

    def steps(self, trial: int, units: int) -> int:
        """The number of steps that a trial has taken at a resource.

        Args:
            trial: the number of the trial.
            units: the resource in units.
        """
        return bisect_right(self.kinds[self.kind_of[trial]], self.unit * units * (1 + ROUNDING))

    def most_steps(self, trial: int) -> int:
        """The number of steps of a trial that is not stopped."""
        return len(self.kinds[self.kind_of[trial]])

    def spent(self, trial: int, steps: int) -> float:
        """The resource that the first steps of a trial take: shots, QPU seconds or steps.

        Args:
            trial: the number of the trial.
            steps: number of steps.
        """
        return self.kinds[self.kind_of[trial]][steps - 1] if steps else 0.0

    def words(self) -> str:
        """One line that says what a unit is, and how many steps trials can take."""
        lengths = sorted({len(kind) for kind in self.kinds})
        longest = counted(lengths[0], "step") if len(lengths) == 1 else f"{lengths[0]:,} to {lengths[-1]:,} steps"
        verb = "is" if self.max_resource == 1 else "are"
        return f"a unit is {self.unit_words()}; R = {counted(self.max_resource, 'unit')} {verb} {longest}"

    def unit_words(self) -> str:
        """What a unit is, such as ``"1,800 shots"``."""
        noun = NAMES[self.resource]
        return f"{self.unit:,.6g} {noun.removesuffix('s') if self.unit == 1 else noun}"

    def to_json(self) -> dict[str, Any]:
        """The grid as JSON values."""
        return {
            "resource": self.resource,
            "max_resource": self.max_resource,
            "unit": self.unit,
            "kinds": [list(kind) for kind in self.kinds],
            "kind_of": [[trial, kind] for trial, kind in self.kind_of.items()],
            "faults": [[trial, words] for trial, words in self.faults.items()],
        }

    @classmethod
    def from_json(cls, tree: Mapping[str, Any]) -> Grid:
        """The inverse of :meth:`to_json`.

        Raises:
            RecordError: if ``tree`` is no grid.
        """
        try:
            kinds = tuple(tuple(map(float, kind)) for kind in tree["kinds"])
            kind_of = {int(trial): int(kind) for trial, kind in tree["kind_of"]}
            faults = {int(trial): str(words) for trial, words in tree["faults"]}
            unit, most = float(tree["unit"]), int(tree["max_resource"])
            if not all(0 <= kind < len(kinds) for kind in kind_of.values()) or not unit > 0:
                raise QhnError("a trial has no kind, or the unit is not above 0")
            return cls(str(tree["resource"]), most, unit, kinds, kind_of, faults)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RecordError(f"not a grid of resource ({type(error).__name__}: {error})") from None


def default_resource(configs: Mapping[int, RunConfig]) -> str:
    """The resource that is counted unless another one is asked for: shots, or steps if no trial takes shots."""
    return "steps" if all(config.train.shots is None for config in configs.values()) else "shots"


def grid_of(
    configs: Mapping[int, RunConfig],
    resource: str,
    max_resource: int,
    faults: Mapping[int, str],
    check: Callable[[Plan], None],
) -> Grid:
    """The grid of trials.

    Args:
        configs: the configurations of the trials by number.
        resource: what is counted.
        max_resource: the most resource R that a trial takes, in units.
        faults: what is wrong with trials that cannot be configured, by number.
        check: a function that refuses the plan of a run by a QhnError.

    Raises:
        QhnError: if no trial can be run, or the machine of one does not count the resource.
        BackendError: if a machine cannot be reached.
    """
    price_of: dict[str, Callable[[int], float]] = {}
    key_of, wrong = dict[int, str](), dict(faults)
    for trial, config in configs.items():
        key = shared_by_members(config)
        try:
            if key not in price_of:
                price_of[key] = _price_of_steps(config, resource, check)
            key_of[trial] = key
        except FileNotFoundError:
            raise
        except QhnError as error:
            wrong[trial] = str(error)
    if not key_of:
        raise QhnError(next(iter(wrong.values())))
    unit = min(max(map(price, range(max_resource))) for price in price_of.values())
    steps = {key: _together(price, unit * max_resource) for key, price in price_of.items()}
    for trial, key in key_of.items():
        if not steps[key]:
            took = f"{price_of[key](0):,.6g} {NAMES[resource]}"
            wrong[trial] = f"its first step takes {took}, more than max_resource = {max_resource} units of {unit:,.6g}"
    kinds = [key for key in steps if steps[key]]
    kind_of = {trial: kinds.index(key) for trial, key in key_of.items() if trial not in wrong}
    return Grid(resource, max_resource, unit, tuple(steps[key] for key in kinds), kind_of, wrong)


def _price_of_steps(config: RunConfig, resource: str, check: Callable[[Plan], None]) -> Callable[[int], float]:
    """A function that tells the resource that a step of a run takes by its number, from 0.

    Raises:
        QhnError: if the run cannot be made, or its machine does not count the resource.
    """
    plan, train = prepare(config, named=True), config.train
    check(plan)
    if resource == "steps":
        return lambda step: 1.0
    if train.shots is None:
        raise QhnError(f"resource = {resource!r} is not counted where E is exact; take resource = 'steps'")
    if resource == "qpu-seconds" and not train.machine.is_priced:
        raise QhnError(f"resource = 'qpu-seconds' is not counted on {train.backend}; take resource = 'shots'")
    placement = config.backend().compile(plan.ansatz.unrolled).placement if train.machine.is_priced else None
    forecast = Forecast(config, plan.ansatz, placement)
    strategy = forecast.strategy

    known: dict[tuple[int, bool], float] = {}

    def price(step: int) -> float:
        every = strategy.drift_every
        key = (strategy.shots.at(step), every is not None and step % every == 0)
        if key not in known:
            amount = forecast.amount(strategy.measurements(step))
            known[key] = amount.seconds if resource == "qpu-seconds" else float(amount.shots)
        return known[key]

    return price


def _together(price: Callable[[int], float], most: float) -> tuple[float, ...]:
    """The resource that the first 1, 2, … steps take together, as long as it is no more than ``most``."""
    total, found = 0.0, list[float]()
    while len(found) < MAX_STEPS and (total := total + price(len(found))) <= most * (1 + ROUNDING):
        found.append(total)
    return tuple(found)
