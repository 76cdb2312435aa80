"""What a lift will do, told before anything is solved: its regime, its truncation error, its condition number.

The step of descent is u' = Σ_j F_j u^{⊗j}. Where the norm of its linear part F_1 is below 1, displacements decay and
the history is well conditioned; where it is about 1 within the horizon of T steps, the condition number grows about as
T; where it is above, it grows exponentially, as do errors. These three regimes are called dissipative, almost
dissipative and divergent. Their thresholds, and R for a descent that starts at its reference, are this package's own
definitions: the literature (Liu et al., PNAS 118, e2026805118, 2021) defines R for differential equations and a start
away from the reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.polynomial import polynomial as powers

from qhn.arrays import Floats
from qhn.carleman.closure import GradientMap
from qhn.errors import QhnError
from qhn.fields import Whole
from qhn.text import counted

FLAT = 1e-12  # of the largest curvature, or of 1 below a growth of 1: a smaller one is rounding
NEAR = 0.01  # of the length over which the least curvature stays negative: a stationary point within it is here
LARGEST = 1e12  # size of a bound on displacements beyond which it says nothing


class Regime(StrEnum):
    """How displacements develop within the horizon of a descent."""

    DISSIPATIVE = "dissipative"
    ALMOST = "almost dissipative"
    DIVERGENT = "divergent"


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """What is known of a lift before it is solved.

    Attributes:
        eigenvalues: eigenvalues of the Hessian at the reference, ascending, ``[num_parameters]``.
        learning_rate: the learning rate η.
        num_steps: the horizon T in steps.
        growth: factor |1 − ηλ| by which a step scales the displacement at most, to first order: the norm of F_1.
        nonlinearity: the ratio R. Below 1 the ball of radius ``radius`` is never left, and no order's truncation error
            exceeds a bound below that radius, which falls with each order (:func:`truncation_bound`); at 1 and above
            nothing is promised. The error itself need not fall with every single order: it may happen to be small at
            one, and where terms of odd and of even degree differ much it falls with every second one. Infinite if the
            growth is at least 1.
        radius: radius of the ball of displacements to which R belongs.
        drive: norm of the gradient at the reference.
        reach: length of displacements up to which the least curvature stays negative for sure; 0 if it is not negative,
            or nothing changes it.
    """

    eigenvalues: Floats
    learning_rate: float
    num_steps: int
    growth: float
    nonlinearity: float
    radius: float
    drive: float
    reach: float = 0.0

    @property
    def regime(self) -> Regime:
        """The regime: dissipative if T steps scale displacements by less than 1/e, divergent if by more than e.

        >>> flat = Diagnosis(np.zeros(1), 0.1, 10, 1.0, math.inf, 1.0, 0.0)
        >>> str(flat.regime)
        'almost dissipative'
        """
        exponent = self.num_steps * math.log(self.growth) if self.growth > 0 else -math.inf
        if exponent < -1:
            return Regime.DISSIPATIVE
        return Regime.DIVERGENT if exponent > 1 else Regime.ALMOST

    @property
    def num_negative(self) -> int:
        """The number of directions of negative curvature at the reference."""
        scale = float(np.abs(self.eigenvalues).max(initial=0.0))
        return int((self.eigenvalues < -FLAT * scale).sum()) if scale else 0

    @property
    def is_saddle(self) -> bool:
        """Whether displacements near the reference are driven away: it has negative curvature that decides the descent.

        That is so if the curvature multiplies displacements by more than e within the horizon, or if the gradient at
        the reference is so small that the point where it would vanish is a hundredth of the length away over which the
        curvature, or the descent, is known to stay what it is.
        """
        if not self.num_negative:
            return False
        steepest = -float(self.eigenvalues[0])
        runs_away = self.num_steps * math.log1p(self.learning_rate * steepest) > 1
        return runs_away or self.drive <= NEAR * steepest * max(self.radius, self.reach)

    def words(self) -> str:
        """The diagnosis in one line."""
        low, high = self.eigenvalues[[0, -1]]
        ratio = "∞" if math.isinf(self.nonlinearity) else f"{self.nonlinearity:.3g}"
        negative = f", {self.num_negative} of {len(self.eigenvalues)} negative" if self.num_negative else ""
        promise = "" if self.nonlinearity < 1 else ", nothing promises that the truncation error falls"
        return (
            f"{self.regime}: curvatures {low:.3g} … {high:.3g}{negative}, growth {self.growth:.4g} a step over "
            f"{counted(self.num_steps, 'step')}, R = {ratio}{promise}"
        )

    def check(self, *, force: bool = False) -> None:
        """Refuse a descent from a saddle, and one that diverges.

        Args:
            force: whether it is allowed nevertheless.

        Raises:
            ValueError: if the reference is a saddle, or the descent is divergent, and it is not forced; the message
                names the curvature or the learning rate that is at fault.
        """
        if force:
            return
        low, high = self.eigenvalues[[0, -1]]
        if self.is_saddle:
            raise QhnError(
                f"the descent starts at a saddle: {self.num_negative} of {len(self.eigenvalues)} curvatures are "
                f"negative, the least {low:.3g}, where truncation errors do not fall; begin nearer to a minimum, "
                "raise the weight decay, or force it (in qhn qsgd lift.force = true)"
            )
        if self.regime is Regime.DIVERGENT:
            raise QhnError(
                f"the descent diverges: the curvature {high:.3g} at learning rate {self.learning_rate:g} multiplies "
                f"displacements by {self.growth:.4g} in every step; use a rate below {2 / high:.3g}, or "
                "force it (in qhn qsgd lift.force = true)"
            )


def diagnose(step: GradientMap, displacement: Floats, num_steps: int) -> Diagnosis:
    """The diagnosis of a descent of ``num_steps`` steps from a displacement, from its step alone.

    R is (Σ_{j≥2} ‖F_j‖ r^{j−1} + ‖F_0‖/r) / (1 − ‖F_1‖) at a radius r. The radius is the norm of the displacement, or,
    where it makes R smaller, a larger one: a ball around the reference that contains the start is all that is needed.
    R < 1 says that a step maps the ball into itself. With a small learning rate, no drive and degree 2 it is the ratio
    of Liu et al. (2021); where the descent starts at its reference, theirs is infinite.

    Args:
        step: a step of the descent.
        displacement: displacement before the first step, ``[num_parameters]``, not in units of the step's scale.
        num_steps: number of steps T, at least 1.

    >>> from qhn.carleman.polynomial import PolynomialGradient
    >>> quadratic = PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.ones((1, 1)), np.full((1, 1, 1), 0.5)))
    >>> found = diagnose(GradientMap(quadratic, 0.1), np.array([0.4]), 50)
    >>> str(found.regime), round(found.nonlinearity, 3)
    ('dissipative', 0.2)
    """
    horizon = Whole(1)("num_steps", num_steps)
    norms = factor_norms(step)
    eigenvalues: Floats = np.linalg.eigvalsh(step.polynomial.hessian).astype(np.float64)
    start = float(np.linalg.norm(displacement)) / step.scale
    radius, ratio = _least_ratio(norms, start)
    drive = float(np.linalg.norm(step.polynomial.tensors[0]))
    reach = _reach(step, norms, -float(eigenvalues[0])) * step.scale
    return Diagnosis(
        eigenvalues, step.learning_rate, horizon, float(norms[1]), ratio, radius * step.scale, drive, reach
    )


def factor_norms(step: GradientMap) -> Floats:
    """The spectral norms ‖F_j‖ of a step's tensors as matrices from u^{⊗j} to u: ``[degree + 1]``, at least two."""
    n = step.num_parameters
    norms = [float(np.linalg.norm(factor.reshape(n, -1), 2)) for factor in step.factors]
    return np.array(norms, dtype=np.float64)


def truncation_bound(step: GradientMap, displacement: Floats, order: int, num_steps: int) -> float:
    """A bound on the error of the displacement after T steps that truncation at an order N causes.

    It follows from norms alone and is rigorous for the exact closure of this polynomial; infinite if it says nothing.
    With p(x) = Σ_j ‖F_j‖ x^j, displacements obey r(t+1) ≤ p(r(t)), and the error e_k of the component of degree k obeys
    e_k(t+1) ≤ Σ_{m≤N} a_{k,m} e_m(t) + Σ_{m>N} a_{k,m} r(t)^m, where a_{k,m} is the coefficient of x^m in p(x)^k.

    Args:
        step: a step of the descent.
        displacement: displacement before the first step, ``[num_parameters]``.
        order: truncation order N, at least 1.
        num_steps: number of steps T, at least 1.
    """
    most, horizon = Whole(1)("order", order), Whole(1)("num_steps", num_steps)
    norms, radius = factor_norms(step), float(np.linalg.norm(displacement)) / step.scale
    rows = [np.array(powers.polypow(norms, power)) for power in range(1, most + 1)]
    kept = np.array([np.pad(row[1 : most + 1], (0, max(0, most + 1 - len(row)))) for row in rows])
    errors = np.zeros(most)
    for _ in range(horizon):
        cut = [float(row[most + 1 :] @ radius ** np.arange(most + 1, len(row))) for row in rows]
        errors = kept @ errors + cut
        radius = float(powers.polyval(radius, norms))
        if radius > LARGEST or errors[0] > LARGEST:
            return math.inf
    return float(step.scale * errors[0])


def _reach(step: GradientMap, norms: Floats, steepest: float) -> float:
    """A radius within which no curvature changes by more than half of the steepest negative one; 0 if none is.

    A Hessian changes by Σ_{j≥2} j ‖G_j‖ r^{j−1} at most, and its eigenvalues by no more (Weyl). Here each of the terms
    has an equal part of that.
    """
    degrees = np.arange(2, len(norms))
    slopes = degrees * norms[2:] / step.learning_rate
    if steepest <= 0 or not slopes.any():
        return 0.0
    there = slopes > 0
    return float(((steepest / 2 / there.sum() / slopes[there]) ** (1 / (degrees[there] - 1))).min())


def _least_ratio(norms: Floats, start: float) -> tuple[float, float]:
    """The radius of at least the start at which R is least, and R there."""
    drive, linear, nonlinear = float(norms[0]), float(norms[1]), norms[2:]

    def ratio(radius: float) -> float:
        pulls = float(nonlinear @ radius ** np.arange(1, len(nonlinear) + 1)) if len(nonlinear) else 0.0
        pushes = drive / radius if radius else (math.inf if drive else 0.0)
        return (pulls + pushes) / (1 - linear)

    if linear >= 1 - FLAT:
        return start, math.inf
    if not drive:
        return start, ratio(start)
    if not nonlinear.any():  # a linear step: R falls with the radius, and is 1 where the ball is just not left
        radius = max(start, 2 * drive / (1 - linear))
        return radius, ratio(radius)
    from scipy.optimize import minimize_scalar  # half a second to import

    found = minimize_scalar(lambda power: ratio(math.exp(power)), bounds=(-40.0, 40.0), method="bounded")
    assert found.success, found.message
    radius = max(start, math.exp(float(found.x)))  # R has one minimum: beyond it, the start is the best
    return radius, ratio(radius)
