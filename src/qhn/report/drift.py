"""The drift of a device along a run: E at the first θ, measured repeatedly, and χ² about its weighted mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.estimator.means import with_error
from qhn.run.step import Step

SIGNIFICANT = 0.003  # p-value of χ² below which the device drifted: three standard deviations


@dataclass(frozen=True)
class Drift:
    """The mean cost E(θ₀) at the first θ, measured again at some steps of a run.

    Mitigated values have errors that are in part common, so that χ² is rather too small.

    Attributes:
        steps: the steps at which it was measured, ``[n]``.
        mean: the mean costs E(θ₀), ``[n]``.
        std_error: the standard errors of the mean costs, ``[n]``.

    >>> from dataclasses import replace
    >>> same = Drift(np.arange(3), np.array([0.5, 0.51, 0.5]), np.full(3, 0.01))
    >>> round(same.chi2, 3), same.freedom, round(same.p_value, 3)
    (0.667, 2, 0.717)
    >>> replace(same, mean=np.array([0.5, 0.51, 0.57])).words()
    'E(θ₀) 0.500 ± 0.010 at step 0, 0.570 ± 0.010 at step 2, 3 in all; χ² 28.7 with 2 degrees of freedom, p = 6e-07:
    more than the errors allow, the device drifted'
    """

    steps: Integers
    mean: Floats
    std_error: Floats

    @classmethod
    def of(cls, steps: Sequence[Step]) -> Drift | None:
        """The drift measured along a run's steps, or None if no step measured E(θ₀)."""
        found = [(step.step, step.drift, step.drift_std_error or np.nan) for step in steps if step.drift is not None]
        if not found:
            return None
        numbers, mean, std_error = zip(*found, strict=True)
        return cls(np.array(numbers), np.array(mean), np.array(std_error))

    @property
    def weighted_mean(self) -> float:
        """The mean of E(θ₀) weighted by inverse squared errors; nan if an error is unknown or 0."""
        return float(np.average(self.mean, weights=self.std_error**-2.0))

    @property
    def chi2(self) -> float:
        """The sum of squared distances from the weighted mean, in units of the standard errors."""
        return float((((self.mean - self.weighted_mean) / self.std_error) ** 2).sum())

    @property
    def freedom(self) -> int:
        """The number of degrees of freedom of χ²."""
        return len(self.steps) - 1

    @property
    def p_value(self) -> float:
        """The probability of a χ² at least as large if nothing drifts."""
        from scipy.stats import chi2  # half a second to import

        return float(chi2.sf(self.chi2, self.freedom))

    def words(self) -> str:
        """The first and the last value, and the conclusion from χ², in words."""
        ends = sorted({0, len(self.steps) - 1})
        values = [f"{with_error(float(self.mean[k]), float(self.std_error[k]))} at step {self.steps[k]}" for k in ends]
        said = f"E(θ₀) {', '.join(values)}"
        if not self.freedom:
            return said
        said += f", {len(self.steps):,} in all" * (self.freedom > 1)
        if not np.isfinite(self.chi2):
            return f"{said}; their errors are not known"
        drifted = self.p_value < SIGNIFICANT
        verdict = "more than the errors allow, the device drifted" if drifted else "a spread as the errors allow"
        freedom = f"{self.freedom:,} degree{'s' * (self.freedom > 1)} of freedom"
        return f"{said}; χ² {self.chi2:.1f} with {freedom}, p = {self.p_value:.2g}: {verdict}"
