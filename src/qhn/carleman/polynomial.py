"""Gradients as polynomials: a function and all derivatives of it that a Carleman lift needs, about one point."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations
from math import factorial

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.errors import QhnError
from qhn.text import shown

MAX_ENTRIES = 2**26  # numbers in one tensor, half a gigabyte
SYMMETRY = 1e-9  # relative to the largest entry


@dataclass(frozen=True, eq=False)
class PolynomialGradient:
    """The gradient of a function L as a polynomial of the displacement u from a reference point.

    With θ = reference + u, ∇L(θ) = Σ_k G_k u^{⊗k}, where G_k is the derivative tensor of L of order k + 1, divided by
    k!, so that L = value + Σ_k G_k u^{⊗(k+1)} / (k + 1). Where L is no polynomial this is its Taylor expansion, and
    holds only near the reference.

    Attributes:
        reference: the point about which L is expanded, ``[num_parameters]``.
        value: L at the reference.
        tensors: G_0, G_1, …, G_d; G_k has k + 1 axes of length ``num_parameters``, and is symmetric
            under their exchange.

    Raises:
        ValueError: at construction, if a tensor has another shape, is not finite, or is not symmetric.

    >>> bowl = PolynomialGradient(np.zeros(1), 0.0, (np.array([0.0]), np.array([[2.0]])))
    >>> float(bowl.loss(np.array([3.0]))), bowl.gradient(np.array([3.0]))
    (9.0, array([6.]))
    """

    reference: Floats
    value: float
    tensors: tuple[Floats, ...]

    def __post_init__(self) -> None:
        reference = _finite("reference", self.reference)
        if reference.ndim != 1 or not len(reference):
            raise QhnError(f"reference must be [num_parameters] with at least one, got shape {reference.shape}")
        tensors = tuple(_finite(f"G_{order}", tensor) for order, tensor in enumerate(self.tensors))
        if not tensors:
            raise QhnError("a polynomial gradient needs at least G_0")
        for order, tensor in enumerate(tensors):
            if tensor.shape != (len(reference),) * (order + 1):
                raise QhnError(f"G_{order} must have {order + 1} axes of length {len(reference)}, got {tensor.shape}")
            if not is_symmetric(tensor):
                raise QhnError(f"G_{order} must be symmetric under the exchange of axes, as derivatives of a function")
        for name, value in (("reference", reference), ("value", float(self.value)), ("tensors", tensors)):
            object.__setattr__(self, name, value)

    @property
    def num_parameters(self) -> int:
        """The number of parameters."""
        return len(self.reference)

    @property
    def degree(self) -> int:
        """The degree of the gradient in the displacement."""
        return len(self.tensors) - 1

    @cached_property
    def hessian(self) -> Floats:
        """The Hessian at the reference, ``[num_parameters, num_parameters]``."""
        n = self.num_parameters
        return self.tensors[1] if self.degree else np.zeros((n, n))

    def gradient(self, displacement: Floats) -> Floats:
        """The gradient at displacements ``[..., num_parameters]``, of the same shape."""
        terms = [contracted(tensor, displacement, order) for order, tensor in enumerate(self.tensors)]
        return np.asarray(np.sum(terms, axis=0))

    def loss(self, displacement: Floats) -> Floats:
        """The function at displacements ``[..., num_parameters]``: ``[...]``."""
        terms = [contracted(tensor, displacement, k + 1) / (k + 1) for k, tensor in enumerate(self.tensors)]
        return np.asarray(self.value + np.sum(terms, axis=0))

    def restricted(self, support: Sequence[int] | Integers) -> PolynomialGradient:
        """The function of some parameters alone, while all others stay at the reference.

        Args:
            support: numbers of the parameters that are free, ``[num_kept]``, in ascending order.

        Raises:
            ValueError: if there are none, or one is out of range, or they do not ascend.
        """
        kept = np.asarray(support)
        if kept.ndim != 1 or not kept.size or kept.dtype.kind not in "iu" or (np.diff(kept) <= 0).any():
            raise QhnError(f"support must be ascending numbers of parameters, got {shown(support)}")
        if kept[0] < 0 or kept[-1] >= self.num_parameters:
            raise QhnError(f"support must be within 0 … {self.num_parameters - 1}, got {shown(support)}")
        tensors = tuple(tensor[np.ix_(*(kept,) * tensor.ndim)] for tensor in self.tensors)
        return PolynomialGradient(self.reference[kept], self.value, tensors)


def contracted(tensor: Floats, displacement: Floats, times: int) -> Floats:
    """A tensor with its last ``times`` axes contracted with displacements ``[..., num_parameters]``.

    The axes of the displacements but the last come first in the result, and then those left of the tensor.
    """
    u = np.asarray(displacement, dtype=np.float64)
    batch, n, left = u.shape[:-1], u.shape[-1], tensor.ndim - times
    rows = u.reshape(-1, n)
    found = np.broadcast_to(tensor, (len(rows), *tensor.shape)).reshape(len(rows), -1)
    for _ in range(times):
        found = np.einsum("bmi,bi->bm", found.reshape(len(rows), -1, n), rows)
    return found.reshape((*batch, *(n,) * left))


def is_symmetric(tensor: Floats) -> bool:
    """Whether a tensor does not change when any two axes are exchanged, up to rounding."""
    scale = np.abs(tensor).max(initial=0.0)
    pairs = ((axis, axis + 1) for axis in range(tensor.ndim - 1))
    return all(np.abs(tensor - np.swapaxes(tensor, *pair)).max(initial=0.0) <= SYMMETRY * scale for pair in pairs)


def symmetrised(tensor: Floats) -> Floats:
    """The mean of a tensor over all orders of its axes."""
    orders = permutations(range(tensor.ndim))
    return np.asarray(sum(np.transpose(tensor, order) for order in orders) / factorial(tensor.ndim))


def check_tensors(num_parameters: int, degree: int) -> None:
    """Refuse derivative tensors that would not fit into memory.

    Raises:
        ValueError: if G_degree would have more than 2^26 entries; the message names the largest degree that fits.
    """
    if num_parameters ** (degree + 1) > MAX_ENTRIES:
        fits = max(k for k in range(degree) if num_parameters ** (k + 1) <= MAX_ENTRIES or not k)
        raise QhnError(
            f"degree {degree} of {num_parameters} parameters takes a tensor of {num_parameters ** (degree + 1):,} "
            f"numbers, more than {MAX_ENTRIES:,}; at most degree {fits}, or keep fewer parameters"
        )


def _finite(name: str, values: object) -> Floats:
    try:
        array = np.array(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise QhnError(f"{name} must be numbers, got {shown(values)}") from None
    if not np.isfinite(array).all():
        raise QhnError(f"{name} must be finite")
    return array
