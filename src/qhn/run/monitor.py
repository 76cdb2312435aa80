"""The curvature monitor of a run: what second derivatives that are measured anyhow say of the Hessian, and what not.

Parameter shift of a mean measures the diagonal of the Hessian of E beside the gradient, so that its trace is exact. By
the theorem of Schur and Horn the diagonal bounds the sums of the positive and of the negative eigenvalues, and the
extreme ones, from one side only, and often by far: no stable step and no verdict follows from it. Both come from the
curvature measured along a step, or from all second derivatives (:func:`regime_of`).
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.carleman.regimes import Regime
from qhn.carleman.spectrum import Spectrum
from qhn.run.step import Step
from qhn.statistics import TWO_SIDED

ONE_SIDED = 0.05  # probability that a bound from shots is wrong
INACTIVE = 0.1  # share of the largest amplitude, below which angles are inactive, as sparse angles take it
SLOW = 0.1  # the change of a deviation in a step, 1 − ηλ against 1, up to which a curvature of unknown sign is almost 0
FLAT = 1e-9  # share of the largest eigenvalue, below which another is 0
NEARLY = 0.01  # share of the positive mass, up to which a negative one is small
STANDSTILL = 1e-9  # length of a step in radians, below which rounding decides its curvature


@dataclass(frozen=True)
class Curvature:
    """What the diagonal of the Hessian says at one θ; with shots, of the angles that the step shifted.

    Attributes:
        step: number of the step, from 0.
        num_angles: number of angles whose second derivatives are known.
        trace, trace_std_error: the sum of the second derivatives, and its standard error; 0 without shots, nan where it
            is unknown.
        positive_mass, negative_mass: lower bounds of the sums of the positive eigenvalues of the Hessian, and of the
            magnitudes of the negative ones.
        largest: lower bound of the largest eigenvalue.
        smallest: upper bound of the smallest eigenvalue.
        fewest_inactive, most_inactive: number of angles whose amplitude A = √(g² + h²) is below a tenth of the largest
            for sure, and of those for which it can be.
        is_exact: whether the bounds hold for sure; otherwise each holds with a confidence of 95 %.

    Bounds are nan where errors are unknown. The sum of the positive entries of a noisy diagonal is too large. So bounds
    are made of the lower ends of simultaneous one-sided intervals (Bonferroni), all of which hold with 95 %, whatever
    errors the entries share; and of the upper ends for what is negative.
    """

    step: int
    num_angles: int
    trace: float
    trace_std_error: float
    positive_mass: float
    negative_mass: float
    largest: float
    smallest: float
    fewest_inactive: int
    most_inactive: int
    is_exact: bool

    @classmethod
    def of(cls, step: Step, active: Bools) -> Curvature | None:
        """The curvature that a step measured; None if it measured no second derivatives.

        Args:
            step: the step.
            active: mask ``bool[num_parameters]`` of the angles that change a probability.
        """
        if step.hessian_diag is None:
            return None
        known = active if step.angles is None else np.isin(np.arange(len(active)), step.angles)
        diagonal, errors = step.hessian_diag[known], np.zeros(int(known.sum()))
        trace_error = 0.0
        if step.shots:
            errors = np.full(len(diagonal), np.nan)
            if step.hessian_diag_std_error is not None:
                errors = step.hessian_diag_std_error[known]
            trace_error = np.nan if step.trace_std_error is None else step.trace_std_error
        grad, grad_errors = step.grad[known], step.grad_std_error[known]
        amplitude, reach = np.hypot(grad, diagonal), TWO_SIDED * np.hypot(grad_errors, errors)
        return cls._of(step.step, diagonal, errors, trace_error, amplitude, reach, not step.shots)

    @classmethod
    def exact(cls, step: Step, hessian: Floats, active: Bools) -> Curvature:
        """The curvature at the θ of a step from all second derivatives.

        Args:
            step: the step, whose gradient is exact.
            hessian: second derivatives of E, ``[num_parameters, num_parameters]``.
            active: mask ``bool[num_parameters]`` of the angles that change a probability.
        """
        diagonal = np.diag(hessian)[active]
        none = np.zeros(len(diagonal))
        return cls._of(step.step, diagonal, none, 0.0, np.hypot(step.grad[active], diagonal), none, True)

    @classmethod
    def _of(
        cls,
        step: int,
        diagonal: Floats,
        errors: Floats,
        trace_error: float,
        amplitude: Floats,
        reach: Floats,
        is_exact: bool,
    ) -> Curvature:
        each = -NormalDist().inv_cdf(ONE_SIDED / max(len(diagonal), 1)) * errors
        low, high = diagonal - each, diagonal + each
        limit = INACTIVE * float(amplitude.max(initial=0.0))
        return cls(
            step,
            len(diagonal),
            float(diagonal.sum()),
            trace_error,
            float(np.maximum(low, 0.0).sum()),
            float(np.maximum(-high, 0.0).sum()),
            float(low.max(initial=-np.inf)),
            float(high.min(initial=np.inf)),
            int((amplitude + reach <= limit).sum()),
            int((~(amplitude - reach > limit)).sum()),
            is_exact,
        )


@dataclass(frozen=True)
class AlongStep:
    """The curvature sᵀHs/|s|² of the objective along a step s, averaged over the way.

    Without shots it is the change of the gradient, (g′ − g)·s/|s|². With shots s follows the noise of g, so that this
    would be too large by about 1/η where noise moves θ. Then it is 2(E − E′ + g′·s)/|s|², none of which s depends on:
    the curvature averaged with weights that grow towards the end of the step.

    Attributes:
        step: number of the step from whose θ the angles moved.
        curvature, std_error: the mean curvature in units of C per squared radian, and its standard error.
        rate: the learning rate η = −|s|²/(g·s) with which gradient descent along the measured g goes as far along the
            step; nan for a step uphill.

    >>> AlongStep(3, curvature=0.5, std_error=0.0, rate=1.0).regime.value, AlongStep(3, 0.5, 0.0, 5.0).regime.value
    ('dissipative', 'divergent')
    """

    step: int
    curvature: float
    std_error: float
    rate: float

    @classmethod
    def of(cls, step: Step, following: Step, tile_spread: float = 0.0) -> AlongStep | None:
        """The curvature along the way to the next step; None if nothing moved, or not all that moved is measured.

        Args:
            step: a step that chose the next θ from its gradient, and not from E at its own θ.
            following: the step after it.
            tile_spread: relative standard deviation of the contrast of E between tiles, where there are several: E is
                measured on one of them, and the gradient on all.
        """
        way = following.theta - step.theta
        squared = float(way @ way)
        at_rest = following.angles is not None and not set(np.flatnonzero(way)) <= set(following.angles)
        if squared < STANDSTILL**2 or at_rest:
            return None
        slope, next_slope = float(step.grad @ way), float(following.grad @ way)
        rate = squared / -slope if slope < 0 else np.nan
        if not following.shots:
            return cls(step.step, (next_slope - slope) / squared, 0.0, rate)
        curvature = 2 * (step.value - following.value + next_slope) / squared
        of_tiles = tile_spread * abs(next_slope)
        errors = np.append(np.abs(way) * following.grad_std_error, [step.std_error, following.std_error, of_tiles])
        together = errors.sum() if step.raw_mean is not None else np.linalg.norm(errors)  # mitigated ones share errors
        return cls(step.step, curvature, 2 * float(together) / squared, rate)

    @property
    def interval(self) -> tuple[float, float]:
        """The ends of the 95 % interval of the curvature."""
        return self.curvature - TWO_SIDED * self.std_error, self.curvature + TWO_SIDED * self.std_error

    @property
    def regime(self) -> Regime | None:
        """The regime along the step; None unless the whole interval of the curvature agrees on it."""
        low, high = self.interval
        if high < 0 or low * self.rate > 2:
            return Regime.DIVERGENT
        if low > 0 and not high * self.rate > 2:
            return Regime.DISSIPATIVE
        if max(-low, high) * self.rate <= SLOW:
            return Regime.ALMOST
        return None


def stable_step(spectrum: Spectrum) -> float:
    """The learning rate 2/λmax, beyond which gradient descent diverges; infinite if nothing curves upwards.

    Args:
        spectrum: the exact spectrum of a Hessian.
    """
    return 2 / spectrum.largest if spectrum.largest > 0 else np.inf


def regime_of(spectrum: Spectrum, rate: float = 0.0) -> Regime:
    """The regime of gradient descent close to the θ of an exact Hessian.

    Args:
        spectrum: the spectrum of the Hessian.
        rate: the learning rate; 0 for any that is below the stable one.

    >>> from qhn.carleman.spectrum import exact_spectrum
    >>> saddle = exact_spectrum(np.diag([2.0, -0.5]))
    >>> stable_step(saddle), regime_of(saddle).value
    (1.0, 'divergent')
    """
    size = float(np.abs(spectrum.eigenvalues).max())
    if rate > stable_step(spectrum) or spectrum.negative.value > NEARLY * spectrum.positive.value + FLAT * size:
        return Regime.DIVERGENT
    return Regime.DISSIPATIVE if spectrum.smallest > FLAT * size else Regime.ALMOST
