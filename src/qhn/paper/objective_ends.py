"""What a distribution of all networks is worth: alone, as an ensemble, and beside the exact posterior.

At 14 qubits all networks can be enumerated. So the minimiser of the ELBO over *all* distributions is known, the
posterior q(w) ∝ exp(−N_s·C(w)), and F(q) − F(posterior) = KL(q, posterior)/N_s says how far a distribution is from it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from functools import cache

import numpy as np
from scipy.special import ndtri, rel_entr, xlogy
from scipy.stats import qmc

from qhn import bitstrings
from qhn.arrays import Bools, Floats
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.config.file import load_config
from qhn.exact.distribution import Distribution
from qhn.exact.energy import Energy
from qhn.optimize.lbfgs import descend
from qhn.paper.optima import GAUSSIANS, GRADIENT
from qhn.predict.calibration import Calibration, calibration
from qhn.problem.aggregation import Aggregation, Outcomes
from qhn.problem.built_in_data import BLUE_MEANS, MIXTURE_VARIANCE, RED_MEAN
from qhn.problem.cost import networks_of
from qhn.problem.landscape import Landscape
from qhn.problem.prior import Elbo

POINTS_AT_A_TIME = 64  # whose predictions by all networks are computed at a time


@dataclass(frozen=True)
class Population:
    """What all networks predict on points that stand for all samples of the four Gaussians.

    Attributes:
        label: the class of each point, 0 or 1, ``[points]``.
        blue: the probability of class 1 that each network gives each point, ``[2**num_qubits, points]``.
        costs: the mean squared error of each network over the points, ``[2**num_qubits]``.
    """

    label: Floats
    blue: Floats
    costs: Floats

    def judge(self, q: Floats) -> list[Calibration]:
        """How well ensembles predict the points.

        Args:
            q: the probability of each network in each ensemble, ``[ensembles, 2**num_qubits]``.
        """
        blue = np.clip(q @ self.blue, 0, 1)
        return [calibration(np.stack([1 - p, p], axis=1), self.label) for p in blue]


@cache
def population(means_scale: float, points: int) -> Population:
    """The population of a factor on the means, computed once in a process.

    Args:
        means_scale: factor on the means of the Gaussians.
        points: number of points, six times a power of 2.
    """
    x, label = population_points(means_scale, points)
    space = networks_of(load_config(GAUSSIANS, {"data.samples": 1}).problem()).space
    bits = bitstrings.from_integers(np.arange(2**space.num_qubits), space.num_qubits)
    blue = np.empty((len(bits), len(x)))
    for start in range(0, len(x), POINTS_AT_A_TIME):
        part = slice(start, start + POINTS_AT_A_TIME)
        blue[:, part] = space.probabilities(bits, x[part])[..., 1]
    return Population(label, blue, np.square(blue - label).mean(axis=1))


def population_points(means_scale: float, points: int) -> tuple[Floats, Floats]:
    """The points ``[points, 2]`` that stand for all samples, and their classes ``[points]``.

    Three sixths of them are red, a sixth belongs to each blue Gaussian, and each sixth is a scrambled Sobol sequence:
    a mean over them has a far smaller error than one over as many random samples.

    Args:
        means_scale: factor on the means of the Gaussians.
        points: number of points, six times a power of 2.
    """
    means = means_scale * np.stack([RED_MEAN] * 3 + list(BLUE_MEANS))
    power = (points // 6).bit_length() - 1
    parts = [
        mean + np.sqrt(MIXTURE_VARIANCE) * ndtri(qmc.Sobol(2, seed=number).random_base2(power))
        for number, mean in enumerate(means)
    ]
    return np.concatenate(parts), np.repeat([0.0, 1.0], 3 * 2**power)


@dataclass(frozen=True)
class End:
    """What a distribution q of all networks is worth.

    Attributes:
        training: E on the training samples.
        validation: E on the population, the mean of what each network loses alone.
        brier, log_loss, accuracy, calibration_error: losses of the ensemble on the population.
        entropy: entropy of q in nats.
        divergence: KL(q, posterior) in nats.
        surplus: N_s·(F(q) − F(posterior)), in which F is the objective ``elbo``: another way to the divergence.
        optimal: probability of the optimal networks.
        mode_is_optimal: 1 if the most probable network is optimal, otherwise 0.
    """

    training: float
    validation: float
    brier: float
    log_loss: float
    accuracy: float
    calibration_error: float
    entropy: float
    divergence: float
    surplus: float
    optimal: float
    mode_is_optimal: float


QUANTITIES = tuple(field.name for field in fields(End))


def ends_of(q: Sequence[Floats], costs: Floats, samples: int, judges: Population) -> tuple[Floats, list[Calibration]]:
    """What some distributions are worth, and the calibration of their ensembles.

    Args:
        q: the distributions, each ``[2**num_qubits]``.
        costs: C of every network on the training samples.
        samples: number N_s of them.
        judges: the population on which the ensembles predict.

    Returns:
        The :data:`QUANTITIES` of each distribution, ``[distributions, quantities]``, and the calibrations.
    """
    best, is_optimal = posterior(costs, samples), optimal(costs)
    least = elbo(best, costs, samples)
    found = judges.judge(np.stack(q))
    ends = [
        End(
            training=float(one @ costs),
            validation=float(one @ judges.costs),
            brier=judged.brier,
            log_loss=judged.cross_entropy,
            accuracy=judged.accuracy,
            calibration_error=judged.error,
            entropy=entropy(one),
            divergence=divergence(one, best),
            surplus=samples * (elbo(one, costs, samples) - least),
            optimal=float(one[is_optimal].sum()),
            mode_is_optimal=float(is_optimal[one.argmax()]),
        )
        for one, judged in zip(q, found, strict=True)
    ]
    return np.array([astuple(end) for end in ends]), found


def posterior(costs: Floats, samples: float) -> Floats:
    """The minimiser of the ELBO over all distributions, q(w) ∝ exp(−N_s·C(w)): ``[2**num_qubits]`` → the same.

    Args:
        costs: C of every network.
        samples: number N_s of samples.

    >>> posterior(np.array([0.0, np.log(3)]), 1)
    array([0.75, 0.25])
    """
    q = np.exp(-samples * (costs - costs.min()))
    found: Floats = q / q.sum()
    return found


def divergence(q: Floats, other: Floats) -> float:
    """The divergence KL(q, other) of two distributions ``[n]`` in nats.

    >>> round(divergence(np.array([1.0, 0.0]), np.array([0.5, 0.5])), 4)
    0.6931
    """
    return float(rel_entr(q, other).sum())


def entropy(q: Floats) -> float:
    """The entropy of a distribution ``[n]`` in nats.

    >>> round(entropy(np.array([0.5, 0.5, 0.0])), 4)
    0.6931
    """
    return -float(xlogy(q, q).sum())


def elbo(q: Floats, costs: Floats, samples: float) -> float:
    """The value at a distribution of the objective ``elbo`` that a run minimises.

    Args:
        q: probability of every bitstring, ``[2**num_qubits]``.
        costs: C of every bitstring.
        samples: number N_s of samples.
    """
    outcomes = Outcomes(costs, lambda: bitstrings.from_integers(np.arange(len(q)), len(q).bit_length() - 1), q)
    return float(q @ Elbo(samples).linearise(outcomes, outcomes))


def optimal(costs: Floats) -> Bools:
    """Whether each network of the given costs is optimal: ``[2**num_qubits]`` → the same.

    >>> optimal(np.array([0.1, 0.5, 0.1])).tolist()
    [True, False, True]
    """
    landscape = Landscape(costs)
    found: Bools = costs <= landscape.optimum + landscape.width
    return found


def train(energy: Energy, objective: Aggregation, start: Floats, max_steps: int) -> Floats:
    """The angles along the training of one start by L-BFGS, ``[steps + 1, num_parameters]``.

    Args:
        energy: E of the circuit for the costs of all networks.
        objective: what is minimised.
        start: the initial angles, ``[num_parameters]``.
        max_steps: the largest number of steps; it ends earlier when the gradient is as small as the paper asks.
    """

    def by_objective(rows: Floats) -> tuple[Floats, Floats]:
        return energy.objective_and_grad(rows, objective)

    function = energy.value_and_grad if objective.is_mean else by_objective
    standings = descend(function, start[None], max_steps=max_steps, tolerance=GRADIENT)
    return np.stack([at.theta[0].copy() for at in standings])


def distribution_at(ansatz: Hypernetwork, theta: Floats) -> Floats:
    """The probability of every network at angles ``theta[num_parameters]``: ``[2**num_qubits]``."""
    found: Floats = Distribution(ansatz, num_threads=1).probabilities(theta[None])[0]
    return found
