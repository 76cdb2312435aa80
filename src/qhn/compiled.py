"""Compilation of loops by numba; the machine code is cached beside the source, or in the user's cache folder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

# sums may be reordered, and products fused with sums; signed zeros are not promised
OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


def compiled(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function with numba when it is first called.

    Where neither cache folder can be written, every process compiles it anew.
    """
    try:
        return njit(cache=True, **OPTIONS, **options)(function)
    except RuntimeError:  # neither the source's directory nor the user's cache can be written
        return njit(**OPTIONS, **options)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a function like :func:`compiled` and inline it wherever compiled code calls it."""
    return compiled(function, forceinline=True)
