"""One call of the user's function: its value checked, and what goes wrong in one line that names the bits."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.errors import QhnError
from qhn.problem.cost import as_costs
from qhn.text import in_line, shown


def value_of(function: Callable[[Bits], Any], bits: Bits) -> float:
    """The value of a function of one bitstring ``[num_qubits]``; an exception of the function passes.

    Raises:
        QhnError: if it is not one number.

    >>> value_of(lambda bits: bits.sum(), np.array([1, 0, 1], dtype=np.uint8))
    2.0
    """
    found = function(bits.copy())
    if np.shape(found) != ():
        raise QhnError(f"must return one number, got {_shape(found)}")
    return float(_numbers(found))


def values_of(function: Callable[[Bits], Any], bits: Bits) -> Floats:
    """The values of a vectorised function of bitstrings ``[n, num_qubits]``: ``[n]``; its exceptions pass.

    Raises:
        QhnError: if they are not one number a bitstring.
    """
    found = function(bits.copy())
    if np.shape(found) != (len(bits),):
        raise QhnError(f"must return one number a bitstring, {[len(bits)]}, got {_shape(found)}")
    return _numbers(found)


def named(bits: Bits) -> str:
    """Bitstrings ``[n, num_qubits]`` of one call in words.

    >>> named(np.array([[1, 0], [1, 1]], dtype=np.uint8))
    'the 2 bitstrings from 10'
    """
    first = bitstrings.text(bits[0])
    return f"bitstring {first}" if len(bits) == 1 else f"the {len(bits):,} bitstrings from {first}"


def raised(error: BaseException, source: str) -> str:
    """An exception of the user's code in one line: its type, its message, and the line of the user's file.

    Args:
        error: the exception.
        source: path of the user's file; another file is named if the exception did not pass through this one.
    """
    try:
        message = " ".join(str(error).split())
    except Exception:  # the exception is the user's as well
        message = ""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((one for one in reversed(frames) if one.filename == source), frames[-1] if frames else None)
    if isinstance(error, SyntaxError) and error.filename:
        place = f"{error.filename}, line {error.lineno}"
    else:
        place = "" if frame is None else f"{frame.filename}, line {frame.lineno}"
    words = type(error).__name__ + (f": {in_line(message)}" if message else "")
    return f"{words} ({place})" if place else words


def _shape(found: Any) -> str:
    return f"shape {list(np.shape(found))}"


def _numbers(found: Any) -> Floats:
    try:
        return as_costs(found)
    except QhnError:
        raise QhnError(f"must return numbers, got {shown(found)}") from None
