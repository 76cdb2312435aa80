"""The trainings behind the part on objectives that hold the distribution close to a uniform prior.

Every function takes the seeds that one worker does, and trains all objectives from the same initial angles on the same
data set, so that differences between objectives are paired.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np

from qhn.arrays import Floats
from qhn.backend import open_backend
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.config.file import load_config
from qhn.exact.energy import Energy
from qhn.paper import plan
from qhn.paper.lab import circuit_of
from qhn.paper.objective_ends import (
    QUANTITIES,
    distribution_at,
    divergence,
    elbo,
    ends_of,
    entropy,
    optimal,
    population,
    posterior,
    train,
)
from qhn.paper.optima import GAUSSIANS
from qhn.paper.overfitting import costs_on
from qhn.predict.calibration import Calibration
from qhn.problem.aggregation import Aggregation
from qhn.problem.cost import BinnProblem, networks_of
from qhn.problem.landscape import enumerate_costs
from qhn.problem.objective import Objective
from qhn.problem.prior import STRENGTH, WIDTH, Elbo, Mmd
from qhn.run.plan import prepare
from qhn.run.recorder import Unrecorded
from qhn.run.training import Training

TRAINED = ("mean", "elbo", "mmd")  # objectives, as a configuration names them
ARMS = ("prior", *TRAINED, "posterior")
SIDES = ("training", "validation")
SUCCESS = ("gap", "near", "optimal", "mode_is_optimal", "mode_gap", "entropy", "steps")
INITIAL = ("uniform", "superposition")  # distributions of the initial angles that look for the posterior
DRAWN = 2 * max(plan.OVERFITTING.samples)  # samples of a data set of Fig. 6, of which the first are taken


def objectives_at(samples: int, num_qubits: int) -> dict[str, Aggregation]:
    """The objectives that are trained, with the settings that follow from a number of samples."""
    return {"mean": Objective(), "elbo": Elbo(samples), "mmd": Mmd(_weight(samples, num_qubits))}


def _weight(samples: int, num_qubits: int) -> float:
    """The default λ of the surrogate."""
    return STRENGTH * num_qubits * math.log(2) / samples


def _task(seed: int, **settings: Any) -> tuple[BinnProblem, Hypernetwork, Floats]:
    """The networks, circuit and initial angles of a seed; settings have ``__`` for the dot of a key."""
    keys = {name.replace("__", "."): value for name, value in settings.items()}
    config = load_config(GAUSSIANS, {"data.seed": seed, "data.validation_samples": 1, "train.seed": seed} | keys)
    problem = networks_of(config.problem())
    ansatz = circuit_of(config, problem)
    return problem, ansatz, config.initial_theta(ansatz)


@dataclass(frozen=True)
class FewSamples:
    """What each objective comes to on few samples of many data sets.

    Attributes:
        samples: the numbers N_s of samples.
        values: the quantities of every end, ``[data sets, numbers of samples, arms, quantities]``.
        curves: E along the training on both sides, ``[data sets, numbers of samples, objectives, sides, steps]``.
        bins: number of points by confidence, and sums of confidence and of right predictions, ``[data sets, numbers of
            samples, arms, 3, bins]``.
    """

    samples: tuple[int, ...]
    values: Floats
    curves: Floats
    bins: Floats

    def of(self, quantity: str, arm: str, samples: int) -> Floats:
        """A quantity of one arm on all data sets: ``[data sets]``."""
        place = self.samples.index(samples), ARMS.index(arm), QUANTITIES.index(quantity)
        found: Floats = self.values[:, *place]
        return found

    def curve(self, side: str, arm: str, samples: int) -> Floats:
        """E along the training of one arm: ``[data sets, steps]``."""
        place = self.samples.index(samples), TRAINED.index(arm), SIDES.index(side)
        found: Floats = self.curves[:, *place]
        return found

    @cached_property
    def largest_error(self) -> float:
        """The largest deviation from F(q) − F(posterior) = KL/N_s, in nats."""
        gaps = self.values[..., QUANTITIES.index("surplus")] - self.values[..., QUANTITIES.index("divergence")]
        return float(np.abs(gaps).max())


def few_samples(seeds: range, fixed: plan.ObjectivesPlan) -> tuple[Floats, Floats, Floats]:
    """The values, curves and bins of :class:`FewSamples` of some data sets."""
    parts = [_few_samples(seed, fixed) for seed in seeds]
    values, curves, bins = (np.stack(side) for side in zip(*parts, strict=True))
    return values, curves, bins


def _few_samples(seed: int, fixed: plan.ObjectivesPlan) -> tuple[Floats, Floats, Floats]:
    judges = population(fixed.means_scale, fixed.points)
    problem, ansatz, start = _task(seed, data__samples=DRAWN, data__means_scale=fixed.means_scale)
    unseen = Energy(ansatz, judges.costs, num_threads=1)
    curves = np.empty((len(fixed.samples), len(TRAINED), len(SIDES), fixed.iterations + 1))
    values, bins = [], []
    for curve, samples in zip(curves, fixed.samples, strict=True):
        costs = costs_on(problem, slice(samples))
        energy = Energy(ansatz, costs, num_threads=1)
        ends = []
        for sides, objective in zip(curve, objectives_at(samples, ansatz.num_qubits).values(), strict=True):
            thetas = train(energy, objective, start, fixed.iterations)
            for side, table in zip(sides, (energy, unseen), strict=True):
                side[:] = np.pad(table(thetas), (0, len(side) - len(thetas)), mode="edge")
            ends.append(distribution_at(ansatz, thetas[-1]))
        uniform = np.full(len(costs), 1 / len(costs))
        found, judged = ends_of([uniform, *ends, posterior(costs, samples)], costs, samples, judges)
        values.append(found)
        bins.append([_bins(one) for one in judged])
    return np.stack(values), curves, np.array(bins)


def _bins(judged: Calibration) -> Floats:
    """The counts of a calibration's bins, and the sums of confidence and of right predictions: ``[3, bins]``."""
    sums = judged.counts * np.nan_to_num(np.stack([judged.confidence, judged.right]))
    return np.concatenate([judged.counts[None], sums])


def many_samples(seeds: range, fixed: plan.ObjectivesPlan) -> Floats:
    """Whether each objective finds the optimum: ``[data sets, objectives, success]``, by :data:`SUCCESS`."""
    found = []
    for seed in seeds:
        problem, ansatz, start = _task(seed, data__samples=fixed.many)
        costs = costs_on(problem, slice(fixed.many))
        energy, is_optimal = Energy(ansatz, costs, num_threads=1), optimal(costs)
        rows = []
        for objective in objectives_at(fixed.many, ansatz.num_qubits).values():
            thetas = train(energy, objective, start, fixed.many_iterations)
            q = distribution_at(ansatz, thetas[-1])
            gap, mode = float(q @ costs - costs.min()), q.argmax()
            found_it = float(q[is_optimal].sum()), float(is_optimal[mode]), float(costs[mode] - costs.min())
            rows.append((gap, gap < fixed.epsilon, *found_it, entropy(q), len(thetas) - 1))
        found.append(rows)
    return np.array(found, dtype=np.float64)


def depths(seeds: range, fixed: plan.ObjectivesPlan) -> tuple[Floats, Floats]:
    """How near circuits of all depths come to the posterior by the ELBO.

    Returns:
        KL(q, posterior) at the end of each start, ``[data sets, numbers of samples, depths, starts]``, and
        N_s·(F(q) − F(posterior)), the same by the objective.
    """
    shape = len(seeds), len(fixed.deep_samples), len(fixed.layers), len(INITIAL)
    found, surplus = np.empty(shape), np.empty(shape)
    for place in np.ndindex(shape):
        seed, samples = seeds[place[0]], fixed.deep_samples[place[1]]
        settings = {"ansatz__num_layers": fixed.layers[place[2]], "train__initial": INITIAL[place[3]]}
        problem, ansatz, start = _task(seed, data__samples=DRAWN, data__means_scale=fixed.means_scale, **settings)
        costs = costs_on(problem, slice(samples))
        thetas = train(Energy(ansatz, costs, num_threads=1), Elbo(samples), start, fixed.deep_iterations)
        q, best = distribution_at(ansatz, thetas[-1]), posterior(costs, samples)
        found[place] = divergence(q, best)
        surplus[place] = samples * (elbo(q, costs, samples) - elbo(best, costs, samples))
    return found, surplus


def uniform_divergences(seeds: range, fixed: plan.ObjectivesPlan) -> dict[int, Floats]:
    """KL(uniform, posterior) of the data sets of :func:`depths`, ``[data sets]`` by number of samples."""
    found: dict[int, Floats] = {samples: np.empty(len(seeds)) for samples in fixed.deep_samples}
    for place, seed in enumerate(seeds):
        problem, _, _ = _task(seed, data__samples=DRAWN, data__means_scale=fixed.means_scale)
        for samples, values in found.items():
            costs = costs_on(problem, slice(samples))
            values[place] = divergence(np.full(len(costs), 1 / len(costs)), posterior(costs, samples))
    return found


@dataclass(frozen=True)
class Sampled:
    """A run by shots of the surrogate, and the run of the same rule and start by exact gradients.

    Attributes:
        by_shots: exact value of the surrogate along the run by shots, ``[steps]``.
        exact: exact value of the surrogate along the run by exact gradients, ``[steps]``.
        pulls: what the run by shots states, minus the exact value, in its stated standard errors, ``[steps]``.
    """

    by_shots: Floats
    exact: Floats
    pulls: Floats

    @property
    def fallen(self) -> float:
        """How far the run by shots falls, as a share of the fall by exact gradients."""
        return float((self.by_shots[0] - self.by_shots[-1]) / (self.exact[0] - self.exact[-1]))


def sampled(seeds: range, fixed: plan.ObjectivesPlan) -> list[Sampled]:
    """Runs of the surrogate as ``qhn run`` does them, by shots and by exact gradients."""
    return [_sampled(seed, fixed) for seed in seeds]


def _sampled(seed: int, fixed: plan.ObjectivesPlan) -> Sampled:
    keys: dict[str, Any] = {
        "data.samples": fixed.sampled_samples,
        "data.seed": seed,
        "data.means_scale": fixed.means_scale,
    }
    keys |= {"train.seed": seed, "train.objective": "mmd", "train.backend": "exact", "data.validation_samples": 0}
    found = []
    for shots in (fixed.shots, "none"):
        config = load_config(GAUSSIANS, keys | {"train.shots": shots})
        prepared = prepare(config)
        machine = open_backend(config.train.backend, config.machine_settings)
        with closing(Training(prepared, Unrecorded(), machine)) as training:
            steps = list(training)
        ansatz = circuit_of(config, prepared.problem)
        energy = Energy(ansatz, enumerate_costs(prepared.problem), num_threads=1)
        values = energy.objective(np.stack([step.theta for step in steps]), Mmd().of(prepared.problem))
        found.append((steps, values))
    (steps, by_shots), (_, exact) = found
    stated, errors = np.array([(step.value, step.std_error) for step in steps]).T
    return Sampled(by_shots, exact, (stated - by_shots) / errors)


def settings_of(fixed: plan.ObjectivesPlan) -> list[tuple[str, float, float]]:
    """The settings in the table of settings: the objective or posterior, a factor on the prior, the kernel's width."""
    kinds = [(kind, strength, WIDTH) for kind in ("elbo", "posterior", "mmd") for strength in fixed.strengths]
    return kinds + [("mmd", 1.0, width) for width in fixed.widths]


def by_settings(
    seeds: range, fixed: plan.ObjectivesPlan, samples: Sequence[int], settings: Sequence[tuple[str, float, float]]
) -> Floats:
    """What training comes to with other settings: ``[data sets, numbers of samples, 1 + settings, quantities]``.

    The first entry is the plain mean.

    Args:
        seeds: seeds of data sets and initial angles.
        fixed: the plan, of which the population and the iterations are used.
        samples: numbers N_s of samples.
        settings: the objective, or the posterior, with the factor on its prior and the kernel's width; see
            :func:`settings_of`.
    """
    judges = population(fixed.means_scale, fixed.points)
    found = np.empty((len(seeds), len(samples), 1 + len(settings), len(QUANTITIES)))
    for (place, seed), (column, number) in product(enumerate(seeds), enumerate(samples)):
        problem, ansatz, start = _task(seed, data__samples=DRAWN, data__means_scale=fixed.means_scale)
        costs = costs_on(problem, slice(number))
        energy = Energy(ansatz, costs, num_threads=1)
        objectives = objectives_at(number, ansatz.num_qubits)
        q = [distribution_at(ansatz, train(energy, objectives["mean"], start, fixed.iterations)[-1])]
        for kind, strength, width in settings:
            if kind == "posterior":
                q.append(posterior(costs, number / strength))
                continue
            weight = strength * _weight(number, ansatz.num_qubits)
            objective = Elbo(number / strength) if kind == "elbo" else Mmd(weight, width)
            q.append(distribution_at(ansatz, train(energy, objective, start, fixed.iterations)[-1]))
        found[place, column] = ends_of(q, costs, number, judges)[0]
    return found
