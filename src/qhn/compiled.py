"""Loops compiled by numba, once: the machine code is kept on disk beside the source, or in the user's cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# sums may be reordered, and products fused with sums; signed zeros are not promised
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """The function, compiled when first called; in every process anew where there is no place to keep it."""
    try:
        return njit(cache=True, **OPTIONS, **options)(function)
    except RuntimeError:  # neither the source's directory nor the user's cache can be written
        return njit(**OPTIONS, **options)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """As :func:`compiled`, and put into the place of its calls."""
    return compiled(function, forceinline=True)
