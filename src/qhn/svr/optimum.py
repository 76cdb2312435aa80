"""The minimum of the dual over all multipliers of a box, against which the multipliers that bits encode are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats
from qhn.svr.dual import Dual

MOST_ITERATIONS = 100
ACCURACY = 1e-12  # relative
NEAR = 0.995  # share of the way to a bound that a step goes


@dataclass(frozen=True)
class Optimum:
    """The minimum of a dual over multipliers from 0 to a bound.

    Attributes:
        alpha, alpha_hat: the multipliers at the minimum, ``[num_samples]``.
        energy: the energy there.
        accuracy: a bound of how far this energy may lie above the true minimum: the minimum of a convex function is
            not below that of its tangent over the box, which is known (the gap of Frank and Wolfe).
    """

    alpha: Floats
    alpha_hat: Floats
    energy: float
    accuracy: float


def optimum(dual: Dual, largest: float) -> Optimum:
    """The minimum of a dual over all multipliers from 0 to ``largest``, by an interior-point method.

    At the minimum one multiplier of each sample is 0, because ε and β are not negative. It is therefore that of the
    dual with β = 0, whose energy is convex, whatever β is. The method is Mehrotra's predictor and corrector, which a
    large ξ does not slow down.

    Args:
        dual: the dual problem; its kernel must be positive semidefinite.
        largest: the largest multiplier.

    >>> dual = Dual(np.eye(2), np.array([1.0, -4.0]), epsilon=0.1, xi=0.0, beta=0.3)
    >>> found = optimum(dual, largest=1.5)
    >>> found.alpha.round(6), found.alpha_hat.round(6), round(found.energy, 6), found.accuracy < 1e-9
    (array([0.9, 0. ]), array([0. , 1.5]), -5.13, True)
    """
    same = 2 * dual.curvature
    quadratic = np.block([[same, -same], [-same, same]])
    linear = np.concatenate([dual.epsilon - dual.targets, dual.epsilon + dual.targets])
    best: Optimum | None = None
    point = _Interior.middle(linear, largest)
    for _ in range(MOST_ITERATIONS):
        found = _judged(dual, point.z, largest)
        if best is None or found.accuracy < best.accuracy:
            best = found
        if best.accuracy <= ACCURACY * max(abs(best.energy), np.finfo(np.float64).tiny):
            break
        following = point.step(quadratic, linear, largest)
        if following is None:
            break
        point = following
    assert best is not None, "at least one point was judged"
    return best


def _judged(dual: Dual, multipliers: Floats, largest: float) -> Optimum:
    """The point of the box without what is common to both multipliers of a sample, with its energy and accuracy."""
    above, below = np.split(np.clip(multipliers, 0, largest), 2)
    common = np.minimum(above, below)
    alpha, alpha_hat = above - common, below - common
    slope = 2 * dual.curvature @ (alpha - alpha_hat) - dual.targets
    gap = 0.0
    for values, gradient in ((alpha, dual.epsilon + slope), (alpha_hat, dual.epsilon - slope)):
        gap += float(gradient @ values - largest * np.minimum(gradient, 0).sum())
    return Optimum(alpha, alpha_hat, float(dual.energy(alpha, alpha_hat)), max(gap, 0.0))


@dataclass(frozen=True)
class _Interior:
    """A point inside of the box 0 < z < largest, with the prices of both bounds, all of them positive."""

    z: Floats
    low: Floats
    high: Floats

    @classmethod
    def middle(cls, linear: Floats, largest: float) -> _Interior:
        prices = np.full(len(linear), max(float(np.abs(linear).max()), 1e-300))
        return cls(np.full(len(linear), largest / 2), prices, prices)

    def step(self, quadratic: Floats, linear: Floats, largest: float) -> _Interior | None:
        """The next point; None where rounding leaves no way on."""
        from scipy.linalg import LinAlgError, cho_factor, cho_solve

        rest, slope = largest - self.z, quadratic @ self.z + linear
        with np.errstate(all="ignore"):
            curvature = quadratic + np.diag(self.low / self.z + self.high / rest)
        try:
            factor = cho_factor(curvature)
        except (LinAlgError, ValueError):
            return None

        def towards(low: Floats, high: Floats) -> tuple[Floats, Floats, Floats]:
            """The step after which price times distance is ``low`` and ``high``, to first order."""
            move = cho_solve(factor, low / self.z - high / rest - slope)
            return move, (low - self.low * move) / self.z - self.low, (high + self.high * move) / rest - self.high

        product = self._product(rest)
        move, low, high = towards(np.zeros_like(rest), np.zeros_like(rest))
        reach = self._reach(move, low, high, rest)
        predicted = self._moved(move, low, high, reach)
        aim = product * (predicted._product(largest - predicted.z) / product) ** 3
        move, low, high = towards(aim - move * low, aim + move * high)
        following = self._moved(move, low, high, NEAR * self._reach(move, low, high, rest))
        inside = (following.z > 0).all() and (following.z < largest).all()
        return following if inside and np.isfinite(following.low + following.high).all() else None

    def _product(self, rest: Floats) -> float:
        """The mean of price times distance over all bounds, which falls to 0 at the minimum."""
        return float((self.low @ self.z + self.high @ rest) / (2 * len(rest)))

    def _reach(self, move: Floats, low: Floats, high: Floats, rest: Floats) -> float:
        """The share of a step, at most 1, at which the first distance or price is 0."""
        values = np.concatenate([self.z, rest, self.low, self.high])
        changes = np.concatenate([move, -move, low, high])
        falling = changes < 0
        return min(1.0, float((values[falling] / -changes[falling]).min(initial=1.0 / NEAR)))

    def _moved(self, move: Floats, low: Floats, high: Floats, share: float) -> _Interior:
        return _Interior(self.z + share * move, self.low + share * low, self.high + share * high)
