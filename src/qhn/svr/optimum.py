"""The minimum of the dual over all multipliers of a box, against which the multipliers that bits encode are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.svr.dual import Dual

MOST_ITERATIONS = 20_000
CORRECTIONS = 50  # of the limited memory: kernels of few hundred samples are badly conditioned


@dataclass(frozen=True)
class Optimum:
    """The minimum of a dual over multipliers from 0 to a bound.

    Attributes:
        alpha, alpha_hat: the multipliers at the minimum, ``[num_samples]``.
        energy: the energy there.
        accuracy: a bound of how far this energy may lie above the true minimum, which is a linear programme at the
            point found (the gap of Frank and Wolfe).
    """

    alpha: Floats
    alpha_hat: Floats
    energy: float
    accuracy: float


def optimum(dual: Dual, largest: float) -> Optimum:
    """The minimum of a dual over all multipliers from 0 to ``largest``, by L-BFGS-B.

    At the minimum one multiplier of each sample is 0, because ε and β are not negative. It is therefore that of the
    dual with β = 0, whose energy is convex, whatever β is.

    Args:
        dual: the dual problem; its kernel must be positive semidefinite.
        largest: the largest multiplier.

    >>> dual = Dual(np.eye(2), np.array([1.0, -4.0]), epsilon=0.1, xi=0.0, beta=0.3)
    >>> found = optimum(dual, largest=1.5)
    >>> found.alpha.round(6), found.alpha_hat.round(6), round(found.energy, 6), found.accuracy < 1e-6
    (array([0.9, 0. ]), array([0. , 1.5]), -5.13, True)
    """
    from scipy.optimize import minimize

    curvature, targets, epsilon, num_samples = dual.curvature, dual.targets, dual.epsilon, dual.num_samples

    def energy_and_gradient(multipliers: Floats) -> tuple[float, Floats]:
        difference = multipliers[:num_samples] - multipliers[num_samples:]
        force = curvature @ difference
        slope = 2 * force - targets
        energy = difference @ (force - targets) + epsilon * multipliers.sum()
        return float(energy), np.concatenate([epsilon + slope, epsilon - slope])

    found = minimize(
        energy_and_gradient,
        np.zeros(2 * num_samples),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, largest)] * (2 * num_samples),
        options={
            "maxiter": MOST_ITERATIONS,
            "maxfun": 10 * MOST_ITERATIONS,
            "maxcor": CORRECTIONS,
            "ftol": 1e-16,
            "gtol": 1e-12 * max(1.0, float(np.abs(targets).max())),
        },
    ).x
    common = np.minimum(found[:num_samples], found[num_samples:])  # which only costs energy
    multipliers = found - np.concatenate([common, common])
    energy, gradient = energy_and_gradient(multipliers)
    accuracy = float(gradient @ multipliers - largest * np.minimum(gradient, 0).sum())
    return Optimum(multipliers[:num_samples], multipliers[num_samples:], energy, max(accuracy, 0.0))
