"""Statistics of distributions and of shares of successes."""

from __future__ import annotations

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """The lower and upper end of the Wilson interval of a success probability, from ``successes`` in ``trials``.

    Args:
        successes: number of successes, from 0 to ``trials``.
        trials: number of independent trials, at least 1.
        z: half width of the interval in standard deviations, above 0; 1.96 is a confidence level of 95 %.

    Raises:
        ValueError: if the counts are impossible or ``z`` is not above 0.

    >>> low, high = wilson(8, 10)
    >>> print(f"{low:.3f} to {high:.3f}")
    0.490 to 0.943
    """
    from scipy.special import erf
    from scipy.stats import binomtest  # half a second to import

    if trials < 1 or not 0 <= successes <= trials:
        raise QhnError(f"successes must be from 0 to trials, trials at least 1, got {successes} of {trials}")
    if z <= 0:
        raise QhnError(f"z must be above 0, got {z}")
    level = float(erf(z / 2**0.5))
    interval = binomtest(successes, trials).proportion_ci(confidence_level=level, method="wilson")
    return float(interval.low), float(interval.high)


def entropy(probabilities: Floats) -> float:
    """Shannon's entropy of a distribution in bits.

    Args:
        probabilities: numbers of at least 0 that sum up to 1, in an array of any shape.

    >>> entropy(np.array([0.5, 0.25, 0.25, 0.0]))
    1.5
    """
    positive = probabilities[probabilities > 0].ravel()
    return float(-(positive @ np.log2(positive)))
