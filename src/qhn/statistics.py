"""Confidence intervals for success rates."""

from __future__ import annotations

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
