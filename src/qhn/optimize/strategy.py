"""The strategy of a run: what each step measures, and how it moves θ.

A strategy puts together an optimizer, a rule for the gradient, a selection of angles and a number of shots. Before a
step it states what the step will measure as a :class:`qhn.estimator.measurement.Measurement`; estimators, forecasts,
budgets, the journal of a QPU and the record read that value and nothing else. Like an optimizer it is a pure pair of
``init`` and ``step``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.estimator.gradient import Gradient, ValueAndGrad, WithDrift
from qhn.estimator.measurement import Measurement
from qhn.optimize.angles import Selection
from qhn.optimize.optimizer import Optimizer
from qhn.optimize.shots import Shots

Measure = Callable[[Floats, Measurement], ValueAndGrad]
OF_ANGLES = "angles_"  # begins the names of a selection's arrays


class StrategyState(NamedTuple):
    """The state of a strategy between two steps.

    Attributes:
        optimizer: state of the optimizer, a named tuple of arrays.
        angles: state of the selection of angles, a named tuple of arrays.
    """

    optimizer: Any
    angles: Any

    def arrays(self) -> dict[str, Any]:
        """The arrays of the state by name, for a checkpoint."""
        of_angles = {f"{OF_ANGLES}{name}": value for name, value in self.angles._asdict().items()}
        return {**self.optimizer._asdict(), **of_angles}

    def restored(self, stored: Mapping[str, Any]) -> StrategyState:
        """The state of the same strategy from the arrays of :meth:`arrays`."""
        optimizer, angles = self.optimizer, self.angles
        return StrategyState(
            type(optimizer)(**{name: stored[name] for name in optimizer._fields}),
            type(angles)(**{name: stored[f"{OF_ANGLES}{name}"] for name in angles._fields}),
        )


@dataclass(frozen=True)
class Strategy:
    """What the steps of a run measure, and how they move θ.

    Attributes:
        optimizer: the rule that turns θ and its gradient into the next θ.
        gradient: the rule for the gradient, on all angles that change a probability.
        angles: the rule that selects the angles which a step shifts.
        shots: the rule that says how many shots each row takes.
        fixed: angles ``[num_parameters]`` in radians at which E is measured again for the drift of the machine; None if
            it is not.
        drift_every: number of steps between two such measurements; None for never.
    """

    optimizer: Optimizer
    gradient: Gradient
    angles: Selection
    shots: Shots
    fixed: Floats | None = None
    drift_every: int | None = None

    def init(self, theta: Floats) -> StrategyState:
        """The state before the first step at ``theta[num_parameters]``."""
        return StrategyState(self.optimizer.init(theta), self.angles.init(theta))

    def measurement(self, step: int, state: StrategyState, evaluation: int = 0) -> Measurement:
        """What an evaluation of a step measures.

        Args:
            step: number of the step, from 0.
            state: the state before the step.
            evaluation: number of the evaluation within the step, from 0; only the first measures the drift.
        """
        return self.on(self.angles.selected(self.gradient.active, state.angles), self.shots.at(step), step, evaluation)

    def measurements(self, step: int, state: StrategyState | None = None) -> list[Measurement]:
        """The most that a step measures, evaluation by evaluation: a line search may end earlier.

        Args:
            step: number of the step, from 0.
            state: the state before the step; None if it is not known yet, and all angles may be measured.
        """
        active = self.gradient.active if state is None else self.angles.selected(self.gradient.active, state.angles)
        shots, most = self.shots.at(step), self.optimizer.max_evaluations
        return [self.on(active, shots, step, evaluation) for evaluation in range(most)]

    def on(self, angles: Bools, shots: int, step: int, evaluation: int = 0) -> Measurement:
        """What an evaluation of a step measures if its angles and shots are given.

        Args:
            angles: mask ``bool[num_parameters]`` of the angles to shift.
            shots: number of shots of each row.
            step: number of the step, from 0.
            evaluation: number of the evaluation within the step, from 0; only the first measures the drift.
        """
        rule = self.gradient.on(angles)
        if evaluation == 0 and self.fixed is not None and self.drift_every and step % self.drift_every == 0:
            rule = WithDrift(rule, self.fixed)
        return Measurement(rule, shots)

    def step(
        self, fn: Measure, theta: Floats, state: StrategyState, step: int
    ) -> tuple[Floats, StrategyState, ValueAndGrad]:
        """Take one step: the next θ and state, and what was measured at the old θ.

        Angles that are not measured keep their value, and the optimizer its state of them.

        Args:
            fn: measures what it is told at given angles.
            theta: the angles in radians, ``[num_parameters]``.
            state: the state before the step.
            step: number of the step, from 0.
        """
        evaluations = 0

        def value_and_grad(at: Floats) -> ValueAndGrad:
            nonlocal evaluations
            evaluations += 1
            return fn(at, self.measurement(step, state, evaluations - 1))

        following, optimizer, info = self.optimizer.step(value_and_grad, theta, state.optimizer)
        measured = self.measurement(step, state).rule.active
        if (resting := self.gradient.active & ~measured).any():
            following = np.where(resting, theta, following)
            optimizer = _keeping(optimizer, state.optimizer, resting)
        angles = self.angles.updated(info, measured, self.gradient.active, state.angles)
        return following, StrategyState(optimizer, angles), info


def _keeping(state: Any, earlier: Any, resting: Bools) -> Any:
    """An optimizer's state in which the entries of angles that were not measured are those of an earlier state."""
    pairs = zip(state, earlier, strict=True)
    return type(state)(*(np.where(resting, old, new) if np.shape(new) == resting.shape else new for new, old in pairs))
