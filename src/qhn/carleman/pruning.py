"""Pruning by magnitude: which parameters are kept, and how many of them after each round of gradual pruning."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.fields import Whole


def magnitude_support(theta: ArrayLike, keep: int, within: ArrayLike | None = None) -> Integers:
    """The indices of the parameters of largest magnitude, ``[keep]``, ascending; of equal ones the first are kept.

    Args:
        theta: the parameters, ``[n]``.
        keep: number of parameters that are kept, from 1 to n.
        within: indices from which is chosen, such as those that an earlier round kept; None for all.

    Raises:
        QhnError: if ``theta`` is no vector of finite numbers, ``within`` names no parameters of it, or there are fewer
            than ``keep``.

    >>> magnitude_support([0.5, -2.0, 0.1, 2.0, 0.5], 3).tolist()
    [0, 1, 3]
    >>> magnitude_support([0.5, -2.0, 0.1, 2.0, 0.5], 1, within=[0, 2, 4]).tolist()
    [0]
    """
    values = _vector(theta)
    candidates = np.arange(len(values)) if within is None else check_support(within, len(values))
    number = Whole(1, len(candidates))("keep", keep)
    order = np.argsort(-np.abs(values[candidates]), kind="stable")
    return np.sort(candidates[order[:number]])


def gradual_schedule(num_parameters: int, keep: int, rounds: int) -> tuple[int, ...]:
    """The number of parameters kept after each round, by the cubic schedule of Zhu and Gupta (arXiv:1710.01878, Eq. 1).

    The share of pruned parameters after round r of R is s·(1 − (1 − r/R)³), where s is the final share: most are pruned
    early, when there are many that do not matter. Numbers are rounded to the nearest; the last one is ``keep``.

    Args:
        num_parameters: number of parameters before pruning.
        keep: number of parameters kept after the last round, from 1 to ``num_parameters``.
        rounds: number of rounds R; 1 prunes in one shot.

    Raises:
        QhnError: if a number is out of bounds.

    >>> gradual_schedule(289, 29, 4)
    (139, 61, 33, 29)
    >>> gradual_schedule(17, 4, 1)
    (4,)
    """
    total = Whole(1)("num_parameters", num_parameters)
    last = Whole(1, total)("keep", keep)
    number = Whole(1)("rounds", rounds)
    return tuple(last + round((total - last) * (1 - done / number) ** 3) for done in range(1, number + 1))


def prune(
    theta: ArrayLike, keep: int, rounds: int = 1, train: Callable[[Floats, Integers], Floats] | None = None
) -> tuple[Floats, Integers]:
    """Set the parameters of smallest magnitude to 0, in one shot or in rounds with training between them.

    Args:
        theta: the parameters, ``[n]``.
        keep: number of parameters that are kept at the end, from 1 to n.
        rounds: number of rounds, each of which chooses from what the one before it kept.
        train: what trains the parameters ``[n]`` of a support between two rounds, and returns them, ``[n]``; those off
            the support are set to 0 whatever it returns. None for no training.

    Returns:
        The parameters ``[n]``, 0 off the support, as they are just after the last pruning, and the support, ``[keep]``.

    Raises:
        QhnError: if a number is out of bounds, or ``theta`` no vector of finite numbers.

    >>> values, support = prune([0.5, -2.0, 0.1, 1.0], 2)
    >>> values.tolist(), support.tolist()
    ([0.0, -2.0, 0.0, 1.0], [1, 3])
    """
    values = _vector(theta)
    support: Integers = np.arange(len(values))
    schedule = gradual_schedule(len(values), keep, rounds)
    for done, number in enumerate(schedule, start=1):
        support = magnitude_support(values, number, support)
        values = on_support(values[support], support, len(values))
        if train is not None and done < len(schedule):
            trained = _vector(train(values, support))
            values = on_support(trained[support], support, len(values))
    return values, support


def on_support(values: ArrayLike, support: ArrayLike, num_parameters: int) -> Floats:
    """The vector ``[num_parameters]`` that has the given values on a support, and is 0 elsewhere.

    Args:
        values: the values on the support, ``[k]``.
        support: different indices of parameters, ``[k]``.
        num_parameters: number of all parameters.

    Raises:
        QhnError: if the support names parameters that are not there, or names one twice, or has another length.

    >>> on_support([3.0, 4.0], [0, 2], 4).tolist()
    [3.0, 0.0, 4.0, 0.0]
    """
    indices, inside = check_support(support, num_parameters), _vector(values)
    if len(indices) != len(inside):
        raise QhnError(f"there must be a value for each index of the support, got {len(inside)} for {len(indices)}")
    full = np.zeros(num_parameters)
    full[indices] = inside
    return full


def _vector(theta: ArrayLike) -> Floats:
    values = np.asarray(theta, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise QhnError(f"parameters must be a vector of finite numbers, got an array of shape {values.shape}")
    return values


def check_support(support: ArrayLike, num_parameters: int) -> Integers:
    """A support as an array of indices, ``[k]``.

    Args:
        support: the indices.
        num_parameters: number of all parameters.

    Raises:
        QhnError: if there is none, one is given twice, or there is no such parameter.

    >>> check_support([2, 0], 3).tolist()
    [2, 0]
    """
    given = np.asarray(support)
    if given.ndim != 1 or not np.issubdtype(given.dtype, np.integer):
        raise QhnError(f"a support must be a list of whole numbers, got an array of {given.dtype} of {given.shape}")
    if not len(given) or len(np.unique(given)) != len(given) or given.min() < 0 or given.max() >= num_parameters:
        raise QhnError(f"a support must name different parameters from 0 to {num_parameters - 1}, got {given.tolist()}")
    return given.astype(np.int64)
