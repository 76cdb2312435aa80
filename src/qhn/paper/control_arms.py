"""The arms of the controls: circuits and classical models trained on the exact E, or by samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.baseline.score_function import Model
from qhn.circuit.hypernetwork import Hypernetwork, Order
from qhn.circuit.initial import Uniform
from qhn.exact.energy import Energy
from qhn.exact.state_vector import StateVectorEnergy
from qhn.optimize.lbfgs import descend
from qhn.paper.control_circuits import scattered
from qhn.paper.lab import Lab
from qhn.paper.optima import GRADIENT
from qhn.problem.landscape import Landscape
from qhn.seeds import Key, Purpose
from qhn.sweep.survey import Rate, rate_of

STEPS = 500  # of L-BFGS, as in the paper
BATCH = 50  # starts that advance together, and one job of a worker
RESAMPLED = 2_000  # series of restarts from which the chance of a success is taken
Method = Hypernetwork | Model | tuple[int, Order]
PLACEMENT = 100  # step of the random numbers that place CX gates


@dataclass(frozen=True)
class Arm:
    """The ends of trainings from random starts by one method.

    Attributes:
        name: name of the method.
        num_parameters: number of trained parameters that have an effect.
        rows: number of circuits to measure for a gradient by parameter shift; None for what is no circuit.
        above: the differences E − C* at the end, ``[starts]``.
        gradients: numbers of evaluations of E with its gradient, ``[starts]``.
        converged: rate of starts that converged.
    """

    name: str
    num_parameters: int
    rows: int | None
    above: Floats
    gradients: Integers
    converged: Rate

    def success(self, epsilon: float) -> Rate:
        """The rate of starts that end closer to C* than ``epsilon``."""
        return success_of(self.above, epsilon)

    def gradients_to_success(self, epsilon: float) -> float:
        """The mean number of gradients, over restarts, until a start succeeds; infinite if none does."""
        successes = self.success(epsilon).successes
        return float(self.gradients.sum() / successes) if successes else float("inf")

    def chance(self, epsilon: float, budgets: Floats) -> Floats:
        """The chance that restarts have succeeded after given numbers of gradients, from resampled starts.

        Args:
            epsilon: distance of E from C* for a success.
            budgets: numbers of gradients, ``[n]``.
        """
        if not (self.above < epsilon).any():
            return np.zeros(len(budgets))
        rng, last = np.random.default_rng(0), float(budgets.max())
        spent, going, succeeded = np.zeros(RESAMPLED), np.ones(RESAMPLED, dtype=bool), np.zeros(RESAMPLED, dtype=bool)
        while going.any():
            drawn = rng.integers(len(self.above), size=RESAMPLED)
            spent[going] += self.gradients[drawn][going]
            succeeded |= going & (self.above[drawn] < epsilon)
            going &= ~succeeded & (spent < last)
        chance: Floats = (np.where(succeeded, spent, np.inf)[:, None] <= budgets).mean(axis=0)
        return chance


def success_of(above: Floats, epsilon: float) -> Rate:
    """The rate of differences E − C* that are below ``epsilon``."""
    return rate_of(above < epsilon)


def rows_of(circuit: Hypernetwork) -> int:
    """The number of circuits to measure for a gradient by parameter shift, the unshifted one included."""
    return 1 + 2 * int(circuit.active.sum())


def best_of_restarts(pool: Arm, budgets: Floats) -> list[Floats]:
    """The lowest E − C* of as many starts of a pool as each budget of gradients pays for, at least one.

    Starts are taken one after the other, and none twice, so that the values are independent of each other. A start that
    a budget does not pay to its end is dropped, for whoever came next would find the long ones more often.

    Args:
        pool: the starts.
        budgets: numbers of gradients, ``[n]``.

    Returns:
        The values of E − C* among which each budget has its choice, as many as the pool lasts for, at most n.
    """
    paid = np.concatenate([[0], np.cumsum(pool.gradients)])
    found, first = [], 0
    for budget in budgets:
        if first >= len(pool.above) or paid[first] + budget > paid[-1]:
            break
        end = int(np.searchsorted(paid, paid[first] + budget, side="right")) - 1
        found.append(pool.above[first : max(end, first + 1)])
        first = end + 1
    return found


# ---------------------------------------------------------------- training on the exact E


@dataclass(frozen=True)
class Starts:
    """Some starts of one method, a job of a worker.

    Attributes:
        method: a circuit, a model, or the number of layers and the order of a circuit with CX gates on random pairs.
        seeds: seeds of the starts.
    """

    method: Method
    seeds: range


def trained(lab: Lab, name: str, method: Method, seeds: range, landscape: Landscape) -> Arm:
    """Train a circuit or a model on the exact E from random starts.

    Args:
        lab: the workers.
        name: name of the method.
        method: a circuit, a model, or the number of layers and the order of a circuit with CX gates on random pairs.
        seeds: seeds of the starts.
        landscape: the costs of all bitstrings.
    """
    jobs = [Starts(method, seeds[first : first + BATCH]) for first in range(0, len(seeds), BATCH)]
    ends = lab.map(partial(train, costs=landscape.costs), jobs, f"controls, {name}")
    values, gradients, converged = (np.concatenate(parts) for parts in zip(*ends, strict=True))
    above, rate = values - landscape.optimum, rate_of(converged)
    circuit = Hypernetwork(landscape.num_qubits, *method) if isinstance(method, tuple) else method
    if isinstance(circuit, Hypernetwork):
        return Arm(name, int(circuit.active.sum()), rows_of(circuit), above, gradients, rate)
    return Arm(name, circuit.num_parameters, None, above, gradients, rate)


def train(job: Starts, costs: Floats) -> tuple[Floats, Integers, Bools]:
    """The last E of some starts, their numbers of gradients, and whether they converged: ``[starts]`` each.

    Args:
        job: the starts.
        costs: the costs of all bitstrings, ``[2**num_qubits]``.
    """
    if isinstance(job.method, tuple):
        ends = [_on_random_pairs(job.method, seed, costs) for seed in job.seeds]
        values, gradients, converged = (np.concatenate(parts) for parts in zip(*ends, strict=True))
        return values, gradients, converged
    if isinstance(job.method, Hypernetwork):
        thetas = np.stack([initial(job.method, seed) for seed in job.seeds])
        return _minimum(Energy(job.method, costs, num_threads=1).value_and_grad, thetas)
    first = [job.method.initial(1, Key(seed, Purpose.INITIAL_THETA).generator()) for seed in job.seeds]
    return _minimum(partial(job.method.mean_and_grad, costs=costs), np.concatenate(first))


def initial(circuit: Hypernetwork, seed: int) -> Floats:
    """The angles from which the run of a seed starts, those of Fig. 2."""
    return Uniform().draw(circuit, Key(seed, Purpose.INITIAL_THETA).generator())


def _on_random_pairs(method: tuple[int, Order], seed: int, costs: Floats) -> tuple[Floats, Integers, Bools]:
    """What :func:`train` returns, of a single start whose seed also places the CX gates."""
    num_qubits = len(costs).bit_length() - 1
    circuit = scattered(num_qubits, *method, Key(seed, Purpose.BASELINE, PLACEMENT).generator())
    energy = StateVectorEnergy(circuit, costs, num_threads=1)
    return _minimum(energy.value_and_grad, initial(circuit, seed)[None])


def _minimum(fn: Callable[[Floats], tuple[Floats, Floats]], first: Floats) -> tuple[Floats, Integers, Bools]:
    *_, found = descend(fn, first, max_steps=STEPS, tolerance=GRADIENT)
    return found.value, found.num_evaluations, found.converged
