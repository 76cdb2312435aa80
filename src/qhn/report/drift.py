"""Whether a device drifts along a run: E at the first θ, measured again and again, and χ² about its weighted mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.estimator.means import with_error
from qhn.run.step import Step

SIGNIFICANT = 0.003  # chance of a larger χ² without drift, below which there is one: three standard deviations


@dataclass(frozen=True)
class Drift:
    """E(θ₀) of some steps. Of mitigated ones the errors are in part common, so that χ² is rather too small.

    Attributes:
        steps: in which it was measured ``[n]``.
        mean: E(θ₀) ``[n]``.
        std_error: its standard error ``[n]``.

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
        """That of a run; None if no step has one."""
        found = [(step.step, step.drift, step.drift_std_error or np.nan) for step in steps if step.drift is not None]
        if not found:
            return None
        numbers, mean, std_error = zip(*found, strict=True)
        return cls(np.array(numbers), np.array(mean), np.array(std_error))

    @property
    def weighted_mean(self) -> float:
        """By inverse squares of the errors; nan if one of them is unknown, or 0."""
        return float(np.average(self.mean, weights=self.std_error**-2.0))

    @property
    def chi2(self) -> float:
        """The sum of the squares of distances from the weighted mean, in units of the errors."""
        return float((((self.mean - self.weighted_mean) / self.std_error) ** 2).sum())

    @property
    def freedom(self) -> int:
        """Degrees of freedom of χ²."""
        return len(self.steps) - 1

    @property
    def p_value(self) -> float:
        """The chance of a χ² at least as large if nothing drifts."""
        from scipy.stats import chi2  # half a second to import

        return float(chi2.sf(self.chi2, self.freedom))

    def words(self) -> str:
        """First and last value, and what the spread of all says."""
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
