"""The weights with which the predictions of several solutions of a dual are combined, seven rules and their mean."""

from __future__ import annotations

import numpy as np

from qhn.arrays import Floats

SEVEN = ("mse", "softmax-mse", "log-cosh", "softmax-log-cosh", "best", "mean", "minimum-energy")
MEAN_OF_SEVEN = "mean-of-seven"
RULES = (*SEVEN, MEAN_OF_SEVEN)


def log_cosh(residuals: Floats) -> Floats:
    """The logarithm of cosh of residuals of any size, natural: ``[...]`` → ``[...]``.

    >>> log_cosh(np.array([0.0, 1e4]))
    array([   0.        , 9999.30685282])
    """
    size = np.abs(residuals)
    small = np.log1p(2 * np.sinh(np.minimum(size, 1) / 2) ** 2)  # without the rounding of a difference
    found: Floats = np.where(size < 1, small, size + np.log1p(np.exp(-2 * size)) - np.log(2))
    return found


def combinations(residuals: Floats, energies: Floats) -> dict[str, Floats]:
    """The weights of solutions by the name of the rule; those of each rule sum up to 1.

    With e the mean squared error of a solution on the training samples, or the mean of log cosh of its residuals, the
    rules are 1/e normalised (``mse``, ``log-cosh``), softmax of 1/e (``softmax-mse``, ``softmax-log-cosh``), the
    solution of the lowest squared error alone (``best``), equal weights (``mean``), and the solution of the lowest
    energy alone (``minimum-energy``). The last, ``mean-of-seven``, is the mean of these, so that it weights the
    solutions by which the mean of the seven predictions is made. Solutions with e = 0 share all the weight of a rule
    of losses.

    Args:
        residuals: the residuals of each solution on the training samples, ``[num_solutions, num_samples]``.
        energies: the energy of each solution, ``[num_solutions]``.

    Returns:
        The weights by name, ``[num_solutions]``.

    >>> weights = combinations(np.array([[0.1, -0.1], [0.2, 0.2]]), np.array([-1.0, -2.0]))
    >>> weights["mse"].round(6), weights["minimum-energy"], weights["mean-of-seven"].sum().round(12)
    (array([0.8, 0.2]), array([0., 1.]), np.float64(1.0))
    """
    squared, cosh = np.square(residuals).mean(axis=1), log_cosh(residuals).mean(axis=1)
    number = len(energies)
    weights = [
        _in_inverse_proportion(squared),
        _softmax_of_inverse(squared),
        _in_inverse_proportion(cosh),
        _softmax_of_inverse(cosh),
        _only(int(squared.argmin()), number),
        np.full(number, 1 / number),
        _only(int(energies.argmin()), number),
    ]
    return dict(zip(RULES, [*weights, np.mean(weights, axis=0)], strict=True))


def _in_inverse_proportion(losses: Floats) -> Floats:
    """The weights 1/loss, normalised."""
    lowest = losses.min()
    relative = (losses == 0).astype(np.float64) if lowest == 0 else lowest / losses
    found: Floats = relative / relative.sum()
    return found


def _softmax_of_inverse(losses: Floats) -> Floats:
    """The weights exp(1/loss), normalised; the largest exponent is subtracted from all, so that none overflows."""
    if losses.min() == 0:
        return _in_inverse_proportion(losses)
    with np.errstate(over="ignore"):  # of the inverse of a tiny loss
        inverse = np.minimum(1 / losses, np.finfo(np.float64).max)
    powers = np.exp(inverse - inverse.max())
    found: Floats = powers / powers.sum()
    return found


def _only(place: int, number: int) -> Floats:
    """The weights of one of a number of solutions alone."""
    weights = np.zeros(number)
    weights[place] = 1.0
    return weights
