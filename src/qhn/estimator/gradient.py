"""Gradients from shifted angles: construct the rows of angles to measure, and combine the means measured for them.

Nothing here sees a machine. A rule turns θ into rows of angles (:meth:`Gradient.shifted`) and the means measured for
those rows into value, gradient and their errors (:meth:`Gradient.combine_means`). Row 0 is always θ itself, so that the
value comes with its gradient from one job; then come pairs of rows. A machine may measure on several tiles
(:mod:`qhn.backend.samples`), whose errors differ: both rows of a pair are measured on the same tile, and compared with
θ itself on that tile.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from qhn.arrays import Bools, Floats, Integers
from qhn.estimator.means import Estimates, Means
from qhn.fields import Number, Whole, settle
from qhn.problem.aggregation import Aggregation
from qhn.seeds import Key, Purpose


@dataclass(frozen=True)
class ValueAndGrad:
    """An objective at angles θ with its gradient; leading axes ``...`` are those of θ.

    Attributes:
        value: value of the objective ``[...]``.
        std_error: standard error of the value ``[...]``.
        grad: gradient per radian ``[..., num_parameters]``; 0 for inert angles, which change no probability.
        grad_std_error: standard error of each component of the gradient ``[..., num_parameters]``; 0 for inert angles.
            For SPSA it is the shot noise along the random direction, not the spread over directions.
        hessian_diag: second derivatives by each angle ``[..., num_parameters]``; None if the rule does not yield them.
        hessian_diag_std_error: standard errors of the second derivatives, shaped as ``hessian_diag``.
        trace_std_error: standard error of the sum of the second derivatives, which share the errors of E at θ itself on
            each tile, ``[...]``; None if the rule does not yield them.
        estimates: estimates for all measured rows ``[..., num_rows]``; row 0 is θ itself.
        drift, drift_std_error: E at fixed angles, with its standard error, ``[...]``; None unless the rule is
            :class:`WithDrift`.
    """

    value: Floats
    std_error: Floats
    grad: Floats
    grad_std_error: Floats
    hessian_diag: Floats | None
    hessian_diag_std_error: Floats | None
    estimates: Estimates
    drift: Floats | None = None
    drift_std_error: Floats | None = None
    trace_std_error: Floats | None = None

    @property
    def discarded(self) -> float:
        """The largest share of a state's weight that truncation in a simulation left out; 0 without truncation."""
        return self.estimates.discarded


class Gradient(Protocol):
    """A rule that estimates the gradient of an objective from its means at shifted angles.

    Attributes:
        active: mask ``bool[num_parameters]`` of the angles that are shifted; the gradient of all others is 0.
    """

    # The rows are of the angles of gates, of which a circuit with shared angles has more than angles θ
    # (:mod:`qhn.estimator.chain_rule`).

    @property
    def active(self) -> Bools:
        """The mask ``bool[num_parameters]`` of the angles that are shifted."""
        ...

    def on(self, angles: Bools) -> Gradient:
        """A rule of this kind on those of its angles that a mask ``bool[num_parameters]`` holds."""
        ...

    @property
    def num_rows(self) -> int:
        """The number of rows of angles that one gradient measures, θ itself included."""
        ...

    def shifted(self, theta: Floats, key: Key) -> Floats:
        """The rows to measure: ``[..., num_parameters]`` → ``[..., num_rows, num_parameters]``, θ itself first."""
        ...

    def combine_means(
        self, rows: Means, unshifted: Means, estimates: Estimates, objective: Aggregation, theta: Floats, key: Key
    ) -> ValueAndGrad:
        """Value and gradient from the means measured for the rows ``shifted(theta, key)``.

        Args:
            rows: means of the objective's linearised cost C̃ (see :mod:`qhn.problem.objective`), ``[..., num_rows]``.
            unshifted: means of C̃ at θ itself on the tile of each row, ``[..., num_rows]``.
            estimates: estimates for all rows, which become part of the result.
            objective: the objective whose C̃ has been averaged.
            theta: angles in radians, ``[..., num_parameters]``.
            key: key of the random numbers that was given to :meth:`shifted`.
        """
        ...


@dataclass(frozen=True)
class ParameterShift:
    """The parameter-shift rule (arXiv:2301.08292, Eq. 6) on the active angles.

    ∂E/∂θ_i = ½[E(θ + π/2·e_i) − E(θ − π/2·e_i)], exact for half-angle rotations. For the mean, the same rows give the
    diagonal of the Hessian, ½[E(θ + π/2·e_i) + E(θ − π/2·e_i)] − E(θ). For CVaR the rule is applied to ⟨C̃⟩ with the
    quantile of the unshifted row (see :mod:`qhn.problem.objective`), which is the gradient of CVaR but has no such
    diagonal.

    Attributes:
        active: mask ``bool[num_parameters]`` of the angles to shift; the gradient of all others is 0.
    """

    active: Bools

    def on(self, angles: Bools) -> ParameterShift:
        """A rule of this kind on those of its angles that a mask ``bool[num_parameters]`` holds."""
        return ParameterShift(self.active & angles)

    @property
    def num_rows(self) -> int:
        """The number of rows: θ itself, and two per active angle."""
        return 1 + 2 * int(self.active.sum())

    def shifted(self, theta: Floats, key: Key) -> Floats:
        """Rows to measure ``[..., num_rows, num_parameters]``: θ, then θ_i + π/2 and θ_i − π/2 of each active angle."""
        shifts = np.zeros((self.num_rows, len(self.active)))
        indices = np.flatnonzero(self.active)
        rows = 1 + 2 * np.arange(len(indices))
        shifts[rows, indices] = np.pi / 2
        shifts[rows + 1, indices] = -np.pi / 2
        return theta[..., None, :] + shifts

    def combine_means(
        self, rows: Means, unshifted: Means, estimates: Estimates, objective: Aggregation, theta: Floats, key: Key
    ) -> ValueAndGrad:
        """Value, gradient and, for the mean, second derivatives; see :meth:`Gradient.combine_means`."""
        slopes, value = self.slopes(rows), rows[0]
        hessian_diag = hessian_diag_std_error = None
        if objective.is_mean:
            curvature = 0.5 * (rows[1::2] + rows[2::2]) - unshifted[1::2]
            hessian_diag, hessian_diag_std_error = self._scatter(curvature.mean), self._scatter(curvature.std_error)
        return ValueAndGrad(
            value.mean,
            value.std_error,
            slopes.mean,
            slopes.std_error,
            hessian_diag,
            hessian_diag_std_error,
            estimates,
            trace_std_error=self.trace_std_error(rows, unshifted, estimates) if objective.is_mean else None,
        )

    def trace_std_error(
        self, rows: Means, unshifted: Means, estimates: Estimates, weights: Floats | None = None
    ) -> Floats:
        """The standard error of the sum of all second derivatives, of which all of a tile share the error of E at θ.

        With S_i = ½[E(θ + π/2·e_i) + E(θ − π/2·e_i)] and E_t at θ on the tile t of pair i, the sum Σ w_i (S_i − E_t)
        has the variance Σ w_i² var(S_i) + Σ_t (Σ_{i on t} w_i)² var(E_t), and that of what mitigation shares.

        Args:
            rows: means of the rows, ``[..., num_rows]``.
            unshifted: means at θ itself on the tile of each row, ``[..., num_rows]``.
            estimates: estimates for all rows, whose samples say on which tile each was measured.
            weights: weight of each second derivative in the sum, ``[num_parameters]``; 1 by default.
        """
        sums, here = 0.5 * (rows[1::2] + rows[2::2]), unshifted[1::2]
        weight = np.ones(len(self.active)) if weights is None else weights
        weight = weight[self.active]
        variance = np.square(weight * sums.own_error).sum(axis=-1)
        tiles = self._tiles(here.mean.shape, estimates)
        for tile in np.unique(tiles):
            on_tile = np.where(tiles == tile, weight, 0.0)
            variance = variance + np.square((on_tile * here.own_error).sum(axis=-1))
        moved = (weight[:, None] * (sums - here).shared).sum(axis=-2)
        error: Floats = np.sqrt(variance + np.square(moved).sum(axis=-1))
        return error

    def _tiles(self, shape: tuple[int, ...], estimates: Estimates) -> Integers:
        """The index of the tile on which each pair of rows was measured, in the shape of their means."""
        if estimates.samples is None or estimates.samples.tiles is None:
            return np.zeros(shape, dtype=np.int64)
        rows = estimates.samples.tiles.reshape(*shape[:-1], -1)  # a drift's rows come last
        return rows[..., 1 : self.num_rows : 2]

    def slopes(self, rows: Means) -> Means:
        """The derivatives by all angles with their errors, from the means of ``num_rows`` rows; 0 for inert angles."""
        slopes = 0.5 * (rows[1::2] - rows[2::2])
        shared = np.swapaxes(self._scatter(np.swapaxes(slopes.shared, -1, -2)), -1, -2)
        return Means(self._scatter(slopes.mean), self._scatter(slopes.own_error), shared)

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
        active: mask ``bool[num_parameters]`` of the angles to perturb; the gradient of all others is 0.
        perturbation: size of the perturbation in the first step, in radians, above 0.
        decay: exponent by which the perturbation shrinks, at least 0; Spall recommends 0.101.
        num_directions: number of random directions per gradient, at least 1.
    """

    active: Bools
    perturbation: float = 0.2
    decay: float = 0.101
    num_directions: int = 1

    def __post_init__(self) -> None:
        settle(self, perturbation=Number(above=0), decay=Number(low=0), num_directions=Whole(1))

    def on(self, angles: Bools) -> Spsa:
        """A rule of this kind on those of its angles that a mask ``bool[num_parameters]`` holds."""
        return replace(self, active=self.active & angles)

    @property
    def num_rows(self) -> int:
        """The number of rows: θ itself, and two per random direction."""
        return 1 + 2 * self.num_directions

    def shifted(self, theta: Floats, key: Key) -> Floats:
        """Rows to measure ``[..., num_rows, num_parameters]``: θ, then θ + cΔ and θ − cΔ of each direction."""
        offset = self._c(key) * self._directions(theta, key)
        pairs = np.stack([theta[..., None, :] + offset, theta[..., None, :] - offset], axis=-2)
        pairs = pairs.reshape(*theta.shape[:-1], 2 * self.num_directions, theta.shape[-1])
        return np.concatenate([theta[..., None, :], pairs], axis=-2)

    def combine_means(
        self, rows: Means, unshifted: Means, estimates: Estimates, objective: Aggregation, theta: Floats, key: Key
    ) -> ValueAndGrad:
        """Value and gradient, averaged over the directions; see :meth:`Gradient.combine_means`."""
        directions, value = self._directions(theta, key), rows[0]
        slopes = (0.5 / self._c(key)) * (rows[1::2] - rows[2::2])
        grad = (slopes.mean[..., None] * directions).mean(axis=-2)
        own_error = np.linalg.norm(slopes.own_error, axis=-1, keepdims=True) / self.num_directions * self.active
        shared = np.swapaxes(directions, -1, -2) @ slopes.shared / self.num_directions
        grad_std_error = Means(grad, own_error, shared).std_error
        return ValueAndGrad(value.mean, value.std_error, grad, grad_std_error, None, None, estimates)

    def _c(self, key: Key) -> float:
        return float(self.perturbation / (key.step + 1) ** self.decay)

    def _directions(self, theta: Floats, key: Key) -> Floats:
        """Random signs ``[..., num_directions, num_parameters]``, 0 for inert angles; equal keys give equal signs."""
        rng = Key(key.seed, Purpose.DIRECTION, key.step, key.evaluation).generator()
        shape = (*theta.shape[:-1], self.num_directions, theta.shape[-1])
        return np.where(rng.random(shape) < 0.5, -1.0, 1.0) * self.active


@dataclass(frozen=True)
class WithDrift:
    """A rule for the gradient with two more rows at fixed angles, where a change of E shows a drift of the machine.

    The two rows are a pair, so that they are measured on one tile; it stays the same while the number of rows does.

    Attributes:
        rule: the rule for the gradient.
        fixed: the fixed angles of the gates, in radians.
    """

    rule: Gradient
    fixed: Floats

    @property
    def active(self) -> Bools:
        """The mask ``bool[num_parameters]`` of the angles that are shifted."""
        return self.rule.active

    def on(self, angles: Bools) -> WithDrift:
        """A rule of this kind on those of its angles that a mask ``bool[num_parameters]`` holds."""
        return WithDrift(self.rule.on(angles), self.fixed)

    @property
    def num_rows(self) -> int:
        """The number of rows: those of the rule, and two at the fixed angles."""
        return self.rule.num_rows + 2

    def shifted(self, theta: Floats, key: Key) -> Floats:
        """Rows to measure ``[..., num_rows, num_parameters]``: those of the rule, then twice the fixed angles."""
        pair = np.broadcast_to(self.fixed, (*theta.shape[:-1], 2, self.fixed.shape[-1]))
        return np.concatenate([self.rule.shifted(theta, key), pair], axis=-2)

    def combine_means(
        self, rows: Means, unshifted: Means, estimates: Estimates, objective: Aggregation, theta: Floats, key: Key
    ) -> ValueAndGrad:
        """Value and gradient by the rule, with E at the fixed angles; see :meth:`Gradient.combine_means`."""
        num_rows = self.rule.num_rows
        known, alike = rows[:num_rows], unshifted[:num_rows]
        found = self.rule.combine_means(known, alike, estimates, objective, theta, key)
        # the drift is that of E also for a CVaR; errors that corrected means share do not average out
        energies = rows if objective.is_mean else Means.alone(estimates.mean, estimates.std_error)
        drift = 0.5 * (energies[num_rows] + energies[num_rows + 1])
        return replace(found, drift=drift.mean, drift_std_error=drift.std_error)
