"""Rules for steps, with and without looking ahead, and the meter that counts the rows of angles they measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.carleman.jets import EnergyJet
from qhn.carleman.look_ahead import look_ahead
from qhn.config import RunConfig
from qhn.exact.engine import energy_of
from qhn.exact.protocol import ExactEnergy
from qhn.optimize.optimizer import Adam
from qhn.paper.courses import exact_of

STEPS = 20  # steps of descent that a jump predicts at most


class Meter:
    """E of rows of angles with normal shot noise of the exact variance, and a count of what was measured.

    Args:
        config: the configuration of the task.
        shots: number of shots of a row; 0 for E without noise.
        budget: number of rows after which training ends.
        seed: seed of the noise.

    Attributes:
        rows: number of rows that were measured.
        jobs: number of batches in which they were measured.
    """

    def __init__(self, config: RunConfig, shots: int, budget: int, seed: int) -> None:
        self.exact = exact_of(config)
        self._squares = _squares_of(config)
        self.shots, self.budget, self.rows, self.jobs = shots, budget, 0, 0
        self._rng = np.random.default_rng([seed, shots])

    def __call__(self, thetas: Floats) -> tuple[Floats, Floats]:
        """E and its standard error at rows of angles: ``[B, num_parameters]`` → ``[B]`` each."""
        self.rows, self.jobs = self.rows + len(thetas), self.jobs + 1
        mean = self.exact(thetas).mean
        if not self.shots:
            return mean, np.zeros(len(mean))
        error = np.sqrt(np.maximum(self._squares(thetas) - mean**2, 0.0) / self.shots)
        return mean + error * self._rng.normal(size=len(mean)), error

    @property
    def spent(self) -> float:
        """The share of the rows that has been measured."""
        return self.rows / self.budget

    def jet(self, theta: Floats, angles: Integers | None = None) -> EnergyJet:
        """The jet of E at angles, whose circuits are counted here."""
        return EnergyJet(self, self.exact.ansatz, theta, angles)


@cache
def _squares_of(config: RunConfig) -> ExactEnergy:
    """The function that computes the mean of C², made once in a process."""
    exact = exact_of(config)
    return energy_of(exact.ansatz.unrolled, np.square(exact.landscape.costs))


Rule = Callable[[Meter, Floats], Iterator[Floats]]  # the angles after each step, from those before the first
Move = Callable[[float, Floats, Floats], Floats]  # of all angles, from the share of rows spent and both derivatives


def adam() -> Move:
    """The moves of the program's default, Adam, whose learning rate falls to 0 over the budget."""
    state = None

    def move(spent: float, slope: Floats, curvature: Floats) -> Floats:
        nonlocal state
        here = np.zeros_like(slope)
        optimizer = Adam(learning_rate=0.5 * max(1 - spent, 0.01), decay_steps=None)
        there, state = optimizer.update(here, slope, state or optimizer.init(here))
        return there

    return move


def sinusoid() -> Move:
    """The moves towards the minima of the sinusoids of all angles, whose share falls to 0 over the budget."""
    return lambda spent, slope, curvature: 0.5 * (1 - spent) * np.arctan2(-slope, curvature)


def stepwise(moves: Callable[[], Move], num_angles: int = 0) -> Rule:
    """Steps from a gradient each, in which the angles that could lower E most look ahead.

    They go where a jet of them predicts a descent to end, if a measurement agrees, and move like the others if not.
    """

    def rule(meter: Meter, theta: Floats) -> Iterator[Floats]:
        move = moves()
        while (spent := meter.spent) < 1:
            jet = meter.jet(theta)
            slope, curvature = along_each(jet)
            displacement = move(spent, slope, curvature)
            if num_angles:
                chosen = np.sort(np.argsort(-_gain(slope, curvature))[:num_angles])
                jump = look_ahead(jet.restricted(chosen.tolist()), STEPS).displacement
                if jump.any():
                    displacement[chosen] = jump
            theta = displaced(theta, jet, displacement)
            yield theta

    return rule


def blocks(num_angles: int) -> Rule:
    """Jumps of a few angles at a time: those that could lower E most when a gradient was last measured."""

    def rule(meter: Meter, theta: Floats) -> Iterator[Floats]:
        while meter.spent < 1:
            whole = meter.jet(theta)
            order = np.argsort(-_gain(*along_each(whole)))
            for block in range(max(len(order) // (2 * num_angles), 1)):  # half of the angles, then a new gradient
                chosen = np.sort(order[block * num_angles : (block + 1) * num_angles])
                angles = np.array(whole.angles)[chosen]
                jet = meter.jet(theta, angles) if block else whole.restricted(chosen.tolist())
                theta = displaced(theta, jet, look_ahead(jet, STEPS).displacement)
                yield theta
                if meter.spent >= 1:
                    return

    return rule


AGAINST = ("Adam", "sinusoid jumps")
RULES: dict[str, Rule] = {
    "Adam": stepwise(adam),
    "sinusoid jumps": stepwise(sinusoid),
    "Adam, look-ahead on 4": stepwise(adam, 4),
    "Adam, look-ahead on 10": stepwise(adam, 10),
    "sinusoid, look-ahead on 4": stepwise(sinusoid, 4),
    "look-ahead on blocks of 4": blocks(4),
}


def along_each(jet: EnergyJet) -> tuple[Floats, Floats]:
    """The first and the second derivative by each angle of a jet, ``[num_angles]`` each."""
    jet.measure(0)
    places = range(len(jet.angles))
    first, second = (np.array([jet.derivative({i: order})[0] for i in places]) for order in (1, 2))
    return first, second


def _gain(slope: Floats, curvature: Floats) -> Floats:
    """How far E would fall if one angle alone went to the minimum of its sinusoid."""
    return np.hypot(slope, curvature) - curvature


def displaced(theta: Floats, jet: EnergyJet, displacement: Floats) -> Floats:
    """Angles of which those of a jet are displaced."""
    moved = theta.copy()
    moved[list(jet.angles)] += displacement
    return moved
