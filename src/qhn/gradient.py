"""Gradients from shifted angles: construct the rows, and later combine the costs measured for them.

Nothing here sees a machine. A rule turns θ into rows of angles (:meth:`shifted`) and the costs measured for those rows
into value, gradient and their errors (:meth:`combine`). Row 0 is always θ itself, so that the value comes with its
gradient from one job.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from qhn.objective import Estimates, Objective, mean_and_error
from qhn.seeds import Key, Purpose

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ValueAndGrad:
    """An objective at θ with its gradient; leading axes are those of θ.

    Attributes:
        value: the objective ``[...]``.
        std_error: its standard error.
        grad: gradient ``[..., num_parameters]``; 0 for inert angles.
        grad_std_error: its standard error a component; 0 for inert angles. For SPSA it is the shot noise along the
            random direction, not the spread over directions.
        hessian_diag: second derivatives ``[..., num_parameters]``, None where the rule does not give them.
        hessian_diag_std_error: their standard error.
        estimates: of all rows ``[..., num_rows]``; row 0 is θ itself.
    """

    value: Floats
    std_error: Floats
    grad: Floats
    grad_std_error: Floats
    hessian_diag: Floats | None
    hessian_diag_std_error: Floats | None
    estimates: Estimates


class Gradient(Protocol):
    """A rule for gradients. Costs are ``float64[..., num_rows, shots]``."""

    @property
    def num_rows(self) -> int:
        """Rows of angles that one gradient measures."""
        ...

    def shifted(self, theta: Floats, key: Key) -> Floats:
        """The rows to measure: ``[..., num_parameters]`` → ``[..., num_rows, num_parameters]``, θ itself first."""
        ...

    def combine(
        self, costs: Floats, estimates: Estimates, objective: Objective, theta: Floats, key: Key
    ) -> ValueAndGrad:
        """Value and gradient from the costs measured for ``shifted(theta, key)``."""
        ...


@dataclass(frozen=True)
class ParameterShift:
    """The parameter-shift rule (arXiv:2301.08292, Eq. 6) on the active angles.

    ∂E/∂θ_i = ½[E(θ + π/2·e_i) − E(θ − π/2·e_i)], exact for half-angle rotations. For the mean, the same rows give the
    diagonal of the Hessian, ½[E(θ + π/2·e_i) + E(θ − π/2·e_i)] − E(θ). For CVaR the rule is applied to ⟨C̃⟩ with the
    quantile of the unshifted row (see :mod:`qhn.objective`), which is the gradient of CVaR but has no such diagonal.

    Attributes:
        active: ``bool[num_parameters]``, the angles to shift; the others have zero gradient.
    """

    active: NDArray[np.bool_]

    @property
    def num_rows(self) -> int:
        return 1 + 2 * int(self.active.sum())

    def shifted(self, theta: Floats, key: Key) -> Floats:
        shifts = np.zeros((self.num_rows, len(self.active)))
        indices = np.flatnonzero(self.active)
        rows = 1 + 2 * np.arange(len(indices))
        shifts[rows, indices] = np.pi / 2
        shifts[rows + 1, indices] = -np.pi / 2
        return theta[..., None, :] + shifts

    def combine(
        self, costs: Floats, estimates: Estimates, objective: Objective, theta: Floats, key: Key
    ) -> ValueAndGrad:
        means, errors = mean_and_error(objective.transform(costs, costs[..., :1, :]))
        value, plus, minus = means[..., 0], means[..., 1::2], means[..., 2::2]
        pair_error = 0.5 * np.hypot(errors[..., 1::2], errors[..., 2::2])
        hessian_diag = hessian_diag_std_error = None
        if objective.is_mean:
            hessian_diag = self._scatter(0.5 * (plus + minus) - value[..., None])
            hessian_diag_std_error = self._scatter(np.hypot(pair_error, errors[..., :1]))
        return ValueAndGrad(
            value,
            errors[..., 0],
            self._scatter(0.5 * (plus - minus)),
            self._scatter(pair_error),
            hessian_diag,
            hessian_diag_std_error,
            estimates,
        )

    def _scatter(self, components: Floats) -> Floats:
        full = np.zeros((*components.shape[:-1], len(self.active)))
        full[..., self.active] = components
        return full


@dataclass(frozen=True)
class Spsa:
    """Simultaneous-perturbation gradients (Spall 1992): a few rows, whatever the number of angles.

    Each of ``num_directions`` random sign vectors Δ on the active angles gives [E(θ + cΔ) − E(θ − cΔ)] / (2c) · Δ;
    their mean is the gradient. The perturbation shrinks with the step k as c = perturbation / (k + 1)^decay.

    Attributes:
        active: ``bool[num_parameters]``.
        perturbation: in radians, above 0.
        decay: exponent, at least 0; Spall recommends 0.101.
        num_directions: at least 1.
    """

    active: NDArray[np.bool_]
    perturbation: float = 0.2
    decay: float = 0.101
    num_directions: int = 1

    @property
    def num_rows(self) -> int:
        return 1 + 2 * self.num_directions

    def shifted(self, theta: Floats, key: Key) -> Floats:
        offset = self._c(key) * self._directions(theta, key)
        pairs = np.stack([theta[..., None, :] + offset, theta[..., None, :] - offset], axis=-2)
        pairs = pairs.reshape(*theta.shape[:-1], 2 * self.num_directions, theta.shape[-1])
        return np.concatenate([theta[..., None, :], pairs], axis=-2)

    def combine(
        self, costs: Floats, estimates: Estimates, objective: Objective, theta: Floats, key: Key
    ) -> ValueAndGrad:
        means, errors = mean_and_error(objective.transform(costs, costs[..., :1, :]))
        directions = self._directions(theta, key)
        slopes = (means[..., 1::2] - means[..., 2::2]) / (2 * self._c(key))
        slope_errors = np.hypot(errors[..., 1::2], errors[..., 2::2]) / (2 * self._c(key))
        grad = (slopes[..., None] * directions).mean(axis=-2)
        error = np.sqrt(np.square(slope_errors).sum(axis=-1)) / self.num_directions
        grad_std_error = error[..., None] * self.active
        return ValueAndGrad(means[..., 0], errors[..., 0], grad, grad_std_error, None, None, estimates)

    def _c(self, key: Key) -> float:
        return float(self.perturbation / (key.step + 1) ** self.decay)

    def _directions(self, theta: Floats, key: Key) -> Floats:
        """Random signs, ``[..., num_directions, num_parameters]``, the same whenever asked for with the same key."""
        rng = Key(key.seed, Purpose.DIRECTION, key.step, key.evaluation).generator()
        shape = (*theta.shape[:-1], self.num_directions, theta.shape[-1])
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0) * self.active
