"""The angles θ that a user gives: real, finite, of a size at which they still mean something, and in rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qhn.arrays import Floats
from qhn.errors import QhnError

MAX_ANGLE = 1e9  # radians: a turn is resolved to 1e-7 there, and beyond it less and less


def as_angles(theta: ArrayLike, num_parameters: int | None = None, *, name: str = "theta") -> Floats:
    """Angles in radians as an array ``[..., num_parameters]``, after a check.

    Args:
        theta: the angles.
        num_parameters: number of angles of the circuit; None to allow any number.
        name: name of the argument, for the message of an error.

    Raises:
        QhnError: if they are no array of real numbers, are not finite or beyond ±1e9, or the last axis has another
            length.

    >>> as_angles([[0, 1]], 2)
    array([[0., 1.]])
    """
    try:
        given = np.asarray(theta)
    except ValueError:  # rows of different lengths
        raise QhnError(f"{name} must be an array of angles, all rows of the same length") from None
    masked = isinstance(theta, np.ma.MaskedArray) and np.ma.is_masked(theta)
    if given.dtype.kind not in "iuf" or masked:
        kind = "masked values" if masked else f"an array of {given.dtype}"
        raise QhnError(f"{name} must be real numbers, angles in radians, got {kind}")
    angles = given if given.dtype == np.float64 else _converted(given)
    if angles.ndim == 0 or num_parameters not in (None, angles.shape[-1]):
        expected = "" if num_parameters is None else f"{num_parameters}"
        raise QhnError(f"{name} must have shape [..., {expected}], got {list(angles.shape)}")
    if not np.abs(angles).max(initial=0.0) <= MAX_ANGLE:  # nan is not, either
        if not np.isfinite(angles).all():
            raise QhnError(f"{name} must be finite, got {angles[~np.isfinite(angles)][0]}")
        raise QhnError(f"{name} must be from -{MAX_ANGLE:g} to {MAX_ANGLE:g} radians, got {_largest(angles):g}")
    return angles


def as_rows(
    thetas: ArrayLike, num_parameters: int | None = None, *, may_be_none: bool = False, name: str = "thetas"
) -> Floats:
    """Rows of angles in radians as an array ``[B, num_parameters]``, after a check.

    Args:
        thetas: the rows of angles.
        num_parameters: number of angles of the circuit; None to allow any number.
        may_be_none: whether there may be no row.
        name: name of the argument, for the message of an error.

    Raises:
        QhnError: if they are no rows of angles of that number, or :func:`as_angles` refuses an angle.
    """
    angles = as_angles(thetas, name=name)
    if angles.ndim != 2 or num_parameters not in (None, angles.shape[1]):
        expected = "num_parameters" if num_parameters is None else num_parameters
        raise QhnError(f"{name} must have shape [B, {expected}], got {list(angles.shape)}")
    if not len(angles) and not may_be_none:
        raise QhnError(f"{name} must have at least one row of angles, got shape {list(angles.shape)}")
    return angles


def _converted(given: NDArray[Any]) -> Floats:
    with np.errstate(over="ignore"):  # of a wider float: what becomes infinite is refused
        return given.astype(np.float64)


def _largest(angles: Floats) -> float:
    return float(angles.flat[np.abs(angles).argmax()])
