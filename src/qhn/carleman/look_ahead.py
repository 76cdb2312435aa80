"""Many steps of descent predicted from one jet of E, and believed only if one measured E agrees.

The Taylor polynomial of second derivatives and the :class:`PairModel` are made of the same circuits. The first holds
near the angles of the jet; the second is exact along each angle and each pair of angles, however far. To descend on it
is quantum analytic descent (Koczor and Benjamin, Phys. Rev. Research 4, 023017, 2022), here on some of the angles.

It is no optimizer of runs, because it saves no shots there. From a point near a minimum ten steps of four angles are
predicted well from 34 circuits instead of 80, but a run has tens of angles, and with the same number of rows of 300
shots it ended nowhere significantly lower than sinusoid jumps, near minima higher, and took 1.7 to 8.5 times as many
jobs (:mod:`qhn.paper.look_ahead`; ``figure-1`` and ``gaussian-activation``, 24 and 40 starts).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np

from qhn.arrays import Floats
from qhn.carleman.jets import EnergyJet, lattice
from qhn.fields import Number, Whole


class Predictor(Protocol):
    """A model of E about given angles."""

    def loss(self, displacement: Floats) -> Floats:
        """E at displacements ``[..., num_angles]``: ``[...]``."""
        ...

    def gradient(self, displacement: Floats) -> Floats:
        """The gradient of E at displacements ``[..., num_angles]``, of the same shape."""
        ...


@dataclass(frozen=True, eq=False)
class PairModel:
    """E as a sum of functions of one and of two angles: exact wherever at most two angles have moved.

    In each angle alone, f(u) = cos u·f(0) + ½(1 − cos u + sin u)·f(π/2) + ½(1 − cos u − sin u)·f(−π/2). The functions
    of two angles are products of such sums, and those of three and more are left out.

    Attributes:
        means: E at the points of ``lattice(num_angles, 2)``, in that order, ``[num_points]``.
        errors: standard errors of ``means``, ``[num_points]``.
        num_angles: number of angles.
    """

    means: Floats
    errors: Floats
    num_angles: int

    @classmethod
    def of(cls, jet: EnergyJet) -> PairModel:
        """The model from the circuits of a jet of degree 1, which are measured if they have not been."""
        jet.measure(1)
        num_angles = len(jet.angles)
        return cls(*jet.measured(lattice(num_angles, 2)), num_angles)

    def loss(self, displacement: Floats) -> Floats:
        """E at displacements ``[..., num_angles]``: ``[...]``."""
        return np.asarray(self._weights(displacement) @ self.means)

    def std_error(self, displacement: Floats) -> Floats:
        """The standard error of :meth:`loss` by those of the circuits; what the model leaves out is not in it."""
        return np.asarray(np.sqrt(np.square(self._weights(displacement)) @ np.square(self.errors)))

    def gradient(self, displacement: Floats) -> Floats:
        """The gradient at displacements ``[..., num_angles]``, by the parameter-shift rule, which is exact here too."""
        shifts = np.pi / 2 * np.eye(self.num_angles)
        at = np.asarray(displacement)[..., None, :]
        return np.asarray(0.5 * (self.loss(at + shifts) - self.loss(at - shifts)))

    def _weights(self, displacement: Floats) -> Floats:
        """The factor of E at each point of the lattice, ``[..., num_points]``."""
        n, u = self.num_angles, np.asarray(displacement, dtype=np.float64)
        stay = np.cos(u)
        shifted = 0.5 * np.stack([1 - stay + np.sin(u), 1 - stay - np.sin(u)], axis=-1)  # by +π/2 and by −π/2
        first, second = self._pairs
        pairs = shifted[..., first, :, None] * shifted[..., second, None, :]
        total = stay.sum(axis=-1, keepdims=True)
        singles = shifted * (total - stay - (n - 2))[..., None]
        none = 0.5 * (total**2 - np.square(stay).sum(axis=-1, keepdims=True)) - (n - 2) * total + (n - 1) * (n - 2) / 2
        batch = u.shape[:-1]
        return np.concatenate([none, singles.reshape(*batch, -1), pairs.reshape(*batch, -1)], axis=-1)

    @cached_property
    def _pairs(self) -> tuple[list[int], list[int]]:
        pairs = list(itertools.combinations(range(self.num_angles), 2))
        return [first for first, _ in pairs], [second for _, second in pairs]


class Jump(NamedTuple):
    """A predicted displacement that a measurement was asked about.

    Attributes:
        displacement: the displacement of the angles, ``[num_angles]``; 0 if no prediction agreed.
        predicted: E that was predicted there.
        measured: E that was measured there; that before the jump if no prediction agreed.
        asked: number of energies that were measured.
    """

    displacement: Floats
    predicted: float
    measured: float
    asked: int


def descended(predictor: Predictor, num_angles: int, learning_rate: float, steps: int) -> Floats:
    """The displacements of steps of gradient descent on a predictor, ``[steps + 1, num_angles]``, the first zero.

    Raises:
        QhnError: if the learning rate is not above 0, or there are no steps.
    """
    learning_rate, steps = Number(above=0)("learning_rate", learning_rate), Whole(1)("steps", steps)
    path = np.zeros((steps + 1, num_angles))
    for step in range(steps):
        path[step + 1] = path[step] - learning_rate * predictor.gradient(path[step])
    return path


def look_ahead(
    jet: EnergyJet, steps: int, *, learning_rate: float | None = None, share: float = 0.3, tries: int = 3
) -> Jump:
    """Predict steps of gradient descent from a jet, and measure one E at their end, which must agree.

    Measured and predicted E agree if they differ by at most a share of the predicted decrease, and twice their standard
    error. If they do not, half as many steps are tried.

    Args:
        jet: the jet of E by the angles that move; its second derivatives are measured if they have not been.
        steps: the number of steps to predict.
        learning_rate: the learning rate of the descent; None for one over the largest curvature that the jet shows.
        share: the share of the predicted decrease by which measured and predicted E may differ.
        tries: the largest number of energies that are measured.

    Raises:
        QhnError: if an argument is out of range, or measuring fails.
    """
    share, tries = Number(low=0)("share", share), Whole(1)("tries", tries)
    model = PairModel.of(jet)
    rate = 1 / _curvature(jet) if learning_rate is None else learning_rate
    path = descended(model, len(jet.angles), rate, steps)
    before, end = float(model.loss(path[0])), len(path) - 1
    for asked in range(1, tries + 1):
        predicted, error = float(model.loss(path[end])), float(model.std_error(path[end]))
        measured, own_error = jet.at(path[end])
        if abs(measured - predicted) <= share * max(before - predicted, 0.0) + 2 * np.hypot(error, own_error):
            return Jump(path[end], predicted, measured, asked)
        end = max(end // 2, 1)
    return Jump(path[0], before, before, tries)


def _curvature(jet: EnergyJet) -> float:
    """The largest curvature that a jet shows: of its Hessian, and of the sinusoid in each angle."""
    polynomial = jet.polynomial(1)
    amplitudes = np.hypot(polynomial.tensors[0], np.diagonal(polynomial.hessian))
    largest = max(np.abs(np.linalg.eigvalsh(polynomial.hessian)).max(), amplitudes.max())
    return float(largest) or 1.0
