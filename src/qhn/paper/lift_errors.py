"""What truncating the Carleman lift of gradient descent costs: by order, regime, length of a segment and batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.carleman.closure import Closure, GradientMap, Lift, lift
from qhn.carleman.descent import Descent, descend
from qhn.carleman.glm import GeneralisedLinearModel
from qhn.carleman.history import HistorySystem
from qhn.carleman.polynomial import PolynomialGradient, symmetrised
from qhn.carleman.pruning import prune
from qhn.carleman.regimes import Diagnosis, diagnose, truncation_bound
from qhn.problem.built_in_data import mnist_4x4

ORDERS = (1, 2, 3, 4, 5)
RATE, STEPS = 0.2, 20
CURVATURES = {"dissipative": 1.0, "flat": 0.0, "divergent": -0.5}
HORIZONS = (3, 7, 15, 31, 63)
SEGMENTS = (40, 20, 10, 5, 2)  # steps between two expansions
DECAY, KEPT = 0.05, 4  # weight decay and number of parameters of the digits


def quartic(curvature: float, strength: float = 0.2) -> PolynomialGradient:
    """A function of two parameters with a cubic and a quartic part, stationary at its reference.

    Args:
        curvature: curvature along both parameters.
        strength: size of the quartic part; the cubic one has half of it.
    """
    cubic = symmetrised(np.arange(8.0).reshape(2, 2, 2))
    fourth = np.zeros((2, 2, 2, 2))
    fourth[0, 0, 0, 0] = fourth[1, 1, 1, 1] = strength
    tensors = (np.zeros(2), curvature * np.eye(2), cubic * strength / (2 * np.linalg.norm(cubic)), fourth)
    return PolynomialGradient(np.zeros(2), 0.0, tensors)


@dataclass(frozen=True, eq=False)
class Truncation:
    """The error of lifts of several orders against true descent on the same polynomial.

    Attributes:
        name: name of the problem.
        diagnosis: what was known before.
        errors: norm of the error of the last displacement, by order, ``[num_orders]``.
        euler: norm of the error of the last displacement by the Euler closure, ``[num_orders]``.
        bounds: rigorous bounds on ``errors``; infinite where they say nothing.
    """

    name: str
    diagnosis: Diagnosis
    errors: Floats
    euler: Floats
    bounds: Floats


def truncation(name: str, step: GradientMap, displacement: Floats, num_steps: int) -> Truncation:
    """The truncation errors of all orders of ``ORDERS`` after ``num_steps`` steps from a displacement."""
    true = step.trajectory(displacement, num_steps)[-1]

    def errors(closure: Closure) -> Floats:
        lifts = [lift(step, order, closure) for order in ORDERS]
        return np.array([np.linalg.norm(_last(one, displacement, num_steps) - true) for one in lifts])

    bounds = [truncation_bound(step, displacement, order, num_steps) for order in ORDERS]
    found = diagnose(step, displacement, num_steps)
    return Truncation(name, found, errors("exact"), errors("euler"), np.array(bounds))


def truncations() -> list[Truncation]:
    """The truncation errors of a quartic function at three distances from its minimum, and of pruned digits."""
    direction = np.array([0.8, 0.6])
    step = GradientMap(quartic(1.0), RATE)
    found = [truncation(f"quartic, ‖u₀‖ = {size}", step, size * direction, STEPS) for size in (0.3, 0.8, 2.5)]
    model, theta, kept = pruned_digits()
    expanded = model.expand(theta, 2).restricted(kept)
    return [*found, truncation(f"digits, {KEPT} kept", GradientMap(expanded, 0.5), np.zeros(KEPT), STEPS)]


@dataclass(frozen=True, eq=False)
class Horizon:
    """What the length of a descent does in one of the regimes.

    Attributes:
        name: name of the regime.
        condition_numbers: condition number of the history by number of steps, ``[num_horizons]``.
        errors: relative truncation error of order 2 in the whole history, ``[num_horizons]``.
        weights: share of the last displacement in the history's square norm without idle times, ``[num_horizons]``.
    """

    name: str
    condition_numbers: Floats
    errors: Floats
    weights: Floats


def horizons() -> list[Horizon]:
    """The three regimes on the quartic function, from a displacement of 0.3, by number of steps."""
    start, found = 0.3 * np.array([0.8, 0.6]), []
    for name, curvature in CURVATURES.items():
        step = GradientMap(quartic(curvature), RATE)
        one = lift(step, 2)
        systems = [HistorySystem.of(one, start, num_steps, num_steps + 1) for num_steps in HORIZONS]
        solutions = [system.solution() for system in systems]
        errors = [
            _relative(one.displacement(one.trajectory(start, num_steps)), step.trajectory(start, num_steps))
            for num_steps in HORIZONS
        ]
        numbers = [system.condition_number() for system in systems]
        weights = [system.weight_of_last(solution) for system, solution in zip(systems, solutions, strict=True)]
        found.append(Horizon(name, np.array(numbers), np.array(errors), np.array(weights)))
    return found


@dataclass(frozen=True, eq=False)
class Reexpansion:
    """The error of a descent of 40 steps by the number of steps between two expansions.

    Attributes:
        name: name of the problem.
        errors: distance of the last θ from that of true descent, in units of the distance that it covered, ``[.]``.
    """

    name: str
    errors: Floats


def reexpansions() -> list[Reexpansion]:
    """Descent on the digits' logistic regression from θ = 0, all 17 parameters and pruned ones, by segment length."""
    model, theta, kept = pruned_digits()
    return [
        Reexpansion("17 parameters", _by_segment(model, np.zeros(17), np.arange(17))),
        Reexpansion(f"{KEPT} kept", _by_segment(model, theta, kept)),
    ]


def _by_segment(model: GeneralisedLinearModel, start: Floats, kept: Integers) -> Floats:
    total, rate = SEGMENTS[0], 1.0
    *_, true = descend(model, start, Descent(rate, total), kept)
    errors = []
    for length in SEGMENTS:
        theta = start.copy()
        for _ in range(total // length):
            one = lift(GradientMap(model.expand(theta, 2).restricted(kept), rate), 2)
            theta[kept] += _last(one, np.zeros(len(kept)), length)
        errors.append(np.linalg.norm(theta - true) / np.linalg.norm(true - start))
    return np.array(errors)


@dataclass(frozen=True, eq=False)
class Batches:
    """Stochastic descent, one lift a step, against true descent with the same batches.

    Attributes:
        num_steps: number of steps.
        orders: truncation orders.
        errors: distance from the true θ after a segment in units of the distance covered, ``[num_seeds, num_orders]``.
    """

    num_steps: int
    orders: tuple[int, ...]
    errors: Floats


def stochastic(seeds: int = 8, size: int = 32, num_steps: int = 15) -> Batches:
    """Stochastic descent on the pruned digits with batches of ``size`` images, of several seeds."""
    model, start, kept = pruned_digits()
    orders, errors = (1, 2, 3), []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        rows = [rng.choice(len(model.labels), size, replace=False) for _ in range(num_steps)]
        expansions = [model.expand(start, 2, batch).restricted(kept) for batch in rows]
        true = np.zeros(len(kept))
        for one in expansions:
            true = true - RATE * one.gradient(true)
        ends = [_stochastic_end([lift(GradientMap(one, RATE), order) for one in expansions]) for order in orders]
        errors.append([np.linalg.norm(end - true) / np.linalg.norm(true) for end in ends])
    return Batches(num_steps, orders, np.array(errors))


def _stochastic_end(lifts: Sequence[Lift]) -> Floats:
    system = HistorySystem.of(lifts, np.zeros(lifts[0].basis.num_parameters))
    return system.last(system.solution())


def pruned_digits() -> tuple[GeneralisedLinearModel, Floats, Integers]:
    """The logistic regression of the bundled 4×4 digits 0 and 1, and its parameters just after pruning.

    Returns:
        The model of all parameters; these after 300 steps of descent and pruning, 0 off the support; and the support.
    """
    data = mnist_4x4()
    model = GeneralisedLinearModel.with_bias(data.x, data.y, "logistic", DECAY)
    *_, theta = descend(model, np.zeros(model.num_parameters), Descent(1.0, 300))
    return model, *prune(theta, KEPT)


def _last(one: Lift, start: Floats, num_steps: int) -> Floats:
    return one.displacement(one.trajectory(start, num_steps)[-1])


def _relative(found: Floats, true: Floats) -> float:
    return float(np.linalg.norm(found - true) / np.linalg.norm(true))
