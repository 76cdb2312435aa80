"""Uploads: the linear system of a segment of descent, expanded about a point, and what is known before it is solved."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.carleman.closure import Closure, GradientMap, lift
from qhn.carleman.descent import Descent
from qhn.carleman.glm import GeneralisedLinearModel
from qhn.carleman.history import HistorySystem, power_of_two
from qhn.carleman.regimes import Diagnosis, diagnose, truncation_bound
from qhn.quantum_sgd.config import QsgdConfig

ROOM = 2.0  # ratio of the unit of displacements to the farthest that the descent could get; 1 to 4 serve as well
Batches = tuple[Integers | None, ...]  # the samples of each step; None for all


@dataclass(frozen=True, eq=False)
class Upload:
    """The linear system of a segment.

    Attributes:
        theta: kept parameters at the start, ``[num_kept]``.
        reference: point of expansion, ``[num_kept]``.
        step: step of descent on all samples, from which the diagnosis is made.
        system: history system of the lifted descent.
        is_stochastic: whether each step has samples, and so a map, of its own.
        closure: closure of the lift.
    """

    theta: Floats
    reference: Floats
    step: GradientMap
    system: HistorySystem
    is_stochastic: bool
    closure: Closure = "exact"

    @property
    def displacement(self) -> Floats:
        """The displacement from the point of expansion at the start, ``[num_kept]``."""
        return self.theta - self.reference

    @cached_property
    def diagnosis(self) -> Diagnosis:
        """The regime, the ratio R and the curvatures."""
        return diagnose(self.step, self.displacement, self.system.num_steps)

    @cached_property
    def condition(self) -> float:
        """The condition number κ of the system."""
        return self.system.condition_number()

    @cached_property
    def truncation_bound(self) -> float | None:
        """The bound on the truncation error of the polynomial's descent; None where none is proven.

        That is where each step has its own map, and for the Euler closure, whose error of first order in the learning
        rate no order removes.
        """
        if self.is_stochastic or self.closure != "exact":
            return None
        order = self.system.lifts[0].basis.order
        return truncation_bound(self.step, self.displacement, order, self.system.num_steps)

    def landed(self, displacement: Floats) -> Floats:
        """The parameters at a displacement from the point of expansion, ``[..., num_kept]``."""
        return self.reference + displacement

    def carleman(self) -> Floats:
        """The parameters after the segment by forward substitution: classical Carleman linearisation."""
        return self.landed(self.system.last(self.system.solution()))


def upload(config: QsgdConfig, model: GeneralisedLinearModel, theta: Floats, segment: int) -> Upload | None:
    """The system of a segment; None if the gradient is zero there, and nothing moves.

    Args:
        config: the configuration.
        model: model of the kept parameters.
        theta: kept parameters at the start, ``[num_kept]``.
        segment: number of the segment, from 0.

    Raises:
        ValueError: if the lift is too large.
    """
    rate, told = config.descent.learning_rate, config.lift
    batches = batches_of(config, model, segment)
    pulls = rate * np.array([model.gradient(theta, rows) for rows in batches])
    farthest = float(np.linalg.norm(pulls, axis=1).sum())
    if not farthest > np.finfo(np.float64).tiny:
        return None
    scale = ROOM * farthest if told.scale == "auto" else told.scale
    reference = theta - told.ahead * pulls.sum(axis=0)
    whole = GradientMap(model.expand(reference, told.chosen_degree), rate, scale)
    if config.descent.batch:
        maps = [GradientMap(model.expand(reference, told.chosen_degree, rows), rate, scale) for rows in batches]
        lifts = tuple(lift(one, told.order, told.closure) for one in maps)
    else:
        lifts = (lift(whole, told.order, told.closure),) * len(batches)
    num_times = power_of_two(len(lifts) + 1 + told.idle)
    system = HistorySystem.of(lifts, theta - reference, num_times=num_times)
    return Upload(theta, reference, whole, system, bool(config.descent.batch), told.closure)


def batches_of(config: QsgdConfig, model: GeneralisedLinearModel, segment: int) -> Batches:
    """The samples of each step of a segment, drawn without replacement from the seed and the number of the step."""
    steps, size = config.descent.steps, config.descent.batch
    if not size:
        return (None,) * steps
    whole = Descent(config.descent.learning_rate, (segment + 1) * steps, batch=size, seed=config.descent.seed)
    return tuple(whole.rows(segment * steps + step, len(model.labels)) for step in range(steps))


def descended(model: GeneralisedLinearModel, theta: Floats, rate: float, batches: Batches) -> Floats:
    """The parameters after steps of true gradient descent, one for each batch."""
    found = np.array(theta, dtype=np.float64)
    for rows in batches:
        found = found - rate * model.gradient(found, rows)
    return found
