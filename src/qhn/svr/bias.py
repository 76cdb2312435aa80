"""The bias of a support vector regression f(x) = Σ_n (α_n − α̂_n)·K(x_n, x) + b, from multipliers of its dual."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qhn.arrays import Bools, Floats
from qhn.svr.dual import Dual

ROUNDING = 1e-9  # relative to the bound, up to which a multiplier is at it

Bias = Callable[[Dual, Floats, Floats, float], float]


def textbook(dual: Dual, alpha: Floats, alpha_hat: Floats, largest: float) -> float:
    """The mean of what the Karush–Kuhn–Tucker conditions say of b at each free multiplier.

    A multiplier is free strictly between 0 and the bound. Its sample then lies on the edge of the tube: y − ε − Σ for a
    free α, y + ε − Σ for a free α̂, with Σ the sum over the kernel. Without a free one it is the mean residual.

    Args:
        dual: the dual problem.
        alpha: the multipliers α, ``[num_samples]``.
        alpha_hat: the multipliers α̂, ``[num_samples]``.
        largest: the bound of the multipliers.
    """
    residuals = _residuals(dual, alpha, alpha_hat)
    edges = [(residuals - dual.epsilon)[_free(alpha, largest)], (residuals + dual.epsilon)[_free(alpha_hat, largest)]]
    return _mean(np.concatenate(edges), residuals)


def published(dual: Dual, alpha: Floats, alpha_hat: Floats, largest: float) -> float:
    """The mean of y − ε − Σ at each multiplier above 0, as the code published with QT-SVR takes it.

    It differs from :func:`textbook` in two respects: ε has the same sign for α and α̂, and multipliers at the bound
    count as free, because the C = 67.61 to which the code compares them is above any that three bits encode. Where
    no α, or no α̂, is above 0 that code does not end; here the other ones, or the mean residual, decide.

    Args:
        dual: the dual problem.
        alpha: the multipliers α, ``[num_samples]``.
        alpha_hat: the multipliers α̂, ``[num_samples]``.
        largest: the bound of the multipliers, which has no effect.
    """
    residuals = _residuals(dual, alpha, alpha_hat)
    return _mean(np.concatenate([residuals[alpha > 0], residuals[alpha_hat > 0]]) - dual.epsilon, residuals)


def mean_residual(dual: Dual, alpha: Floats, alpha_hat: Floats, largest: float) -> float:
    """The mean of y − Σ over all samples, which makes the squared error of the training samples smallest.

    Args:
        dual: the dual problem.
        alpha: the multipliers α, ``[num_samples]``.
        alpha_hat: the multipliers α̂, ``[num_samples]``.
        largest: the bound of the multipliers, which has no effect.
    """
    return float(_residuals(dual, alpha, alpha_hat).mean())


BIASES: dict[str, Bias] = {"textbook": textbook, "published": published, "mean-residual": mean_residual}


def _residuals(dual: Dual, alpha: Floats, alpha_hat: Floats) -> Floats:
    """The residuals y − Σ of the samples without a bias, ``[num_samples]``."""
    found: Floats = dual.targets - dual.kernel @ (alpha - alpha_hat)
    return found


def _free(multipliers: Floats, largest: float) -> Bools:
    """Whether each multiplier is strictly between 0 and the bound, ``[num_samples]``."""
    margin = ROUNDING * largest
    found: Bools = (multipliers > margin) & (multipliers < largest - margin)
    return found


def _mean(values: Floats, otherwise: Floats) -> float:
    return float((values if values.size else otherwise).mean())
