"""The Carleman lift: a step of gradient descent as a linear map of the powers of the displacement.

A step of gradient descent u' = Σ_j F_j u^{⊗j} is polynomial in the displacement u. The powers y_k = u^{⊗k} therefore
obey y'_k = Σ_m A_{k,m} y_m with A_{k,m} = Σ_{j1+…+jk=m} F_{j1} ⊗ … ⊗ F_{jk}: the exact discrete closure, which is
linear but infinite, and is cut off at m ≤ N. The Euler closure keeps of it what is of first order in the learning rate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, Protocol

import numpy as np
from scipy import sparse

from qhn.arrays import Floats, Integers
from qhn.carleman.polynomial import PolynomialGradient, contracted
from qhn.carleman.symmetric import SymmetricBasis, multinomials
from qhn.errors import QhnError
from qhn.fields import Number
from qhn.text import shown

Closure = Literal["exact", "euler"]


@dataclass(frozen=True, eq=False)
class GradientMap:
    """One step of gradient descent, as a polynomial of the displacement: v' = Σ_j F_j v^{⊗j} with u = scale · v.

    F_0 = −ηG_0 / scale, F_1 = I − ηG_1, and F_j = −ηG_j scale^{j−1} above.

    Attributes:
        polynomial: the gradient.
        learning_rate: the learning rate η, above 0.
        scale: unit γ of the displacement, above 0. About twice the norm of the first displacement makes components of
            high degree small, and raises the weight of the component that is read out.
    """

    polynomial: PolynomialGradient
    learning_rate: float
    scale: float = 1.0

    def __post_init__(self) -> None:
        for name in ("learning_rate", "scale"):
            object.__setattr__(self, name, Number(above=0)(name, getattr(self, name)))

    @property
    def num_parameters(self) -> int:
        """The number of parameters."""
        return self.polynomial.num_parameters

    @cached_property
    def steps(self) -> tuple[Floats, ...]:
        """The tensors −ηG_j scale^{j−1}: what a step adds to the displacement v, by its degree."""
        return tuple(
            -self.learning_rate * self.scale ** (order - 1) * tensor
            for order, tensor in enumerate(self.polynomial.tensors)
        )

    @cached_property
    def factors(self) -> tuple[Floats, ...]:
        """The tensors F_0, F_1, …, F_d; at least F_0 and F_1."""
        n = self.num_parameters
        linear = self.steps[1] if len(self.steps) > 1 else np.zeros((n, n))
        return (self.steps[0], np.eye(n) + linear, *self.steps[2:])

    def __call__(self, v: Floats) -> Floats:
        """The displacement after a step, in units of the scale: ``[..., num_parameters]`` → the same shape."""
        terms = [contracted(factor, v, order) for order, factor in enumerate(self.factors)]
        return np.asarray(np.sum(terms, axis=0))

    def trajectory(self, displacement: Floats, num_steps: int) -> Floats:
        """The displacements of steps 0 … num_steps of this descent itself, without a lift.

        Args:
            displacement: displacement before the first step, ``[num_parameters]``, not in units of the scale.
            num_steps: number of steps.

        Returns:
            The displacements, ``[num_steps + 1, num_parameters]``, not in units of the scale.

        >>> bowl = PolynomialGradient(np.zeros(1), 0.0, (np.zeros(1), np.ones((1, 1))))
        >>> GradientMap(bowl, 0.5, scale=4.0).trajectory(np.array([1.0]), 2).tolist()
        [[1.0], [0.5], [0.25]]
        """
        found = [np.asarray(displacement, dtype=np.float64) / self.scale]
        for _ in range(num_steps):
            found.append(self(found[-1]))
        return self.scale * np.array(found)


class Basis(Protocol):
    """A choice of components of the powers of a vector, of which the first are the vector itself."""

    @property
    def num_parameters(self) -> int:
        """The length of the vector."""
        ...

    @property
    def order(self) -> int:
        """The largest power."""
        ...

    @property
    def dimension(self) -> int:
        """The number of components."""
        ...

    def lift(self, u: Floats) -> Floats:
        """The components of vectors ``u[..., num_parameters]``: ``[..., dimension]``."""
        ...


@dataclass(frozen=True, eq=False)
class Lift:
    """A step of gradient descent, linear in the lifted displacement: y' = matrix · y + offset.

    Attributes:
        basis: components of the lifted displacement.
        matrix: the linear part, ``[dimension, dimension]``, sparse.
        offset: the inhomogeneity, ``[dimension]``.
        scale: unit of the displacement.
    """

    basis: Basis
    matrix: sparse.csr_array
    offset: Floats
    scale: float = 1.0

    def start(self, displacement: Floats) -> Floats:
        """The lifted displacement before the first step: ``[num_parameters]`` → ``[dimension]``.

        Raises:
            ValueError: if the displacement has another length, or is not finite.
        """
        u = np.asarray(displacement, dtype=np.float64)
        if u.shape != (self.basis.num_parameters,) or not np.isfinite(u).all():
            raise QhnError(
                f"displacement must be {self.basis.num_parameters} finite numbers, got {shown(displacement)}"
            )
        return self.basis.lift(u / self.scale)

    def displacement(self, components: Floats) -> Floats:
        """The displacement in lifted components ``[..., dimension]``: ``[..., num_parameters]``."""
        return np.asarray(self.scale * components[..., : self.basis.num_parameters])

    def trajectory(self, displacement: Floats, num_steps: int) -> Floats:
        """The lifted displacements of steps 0 … num_steps, step by step: ``[num_steps + 1, dimension]``."""
        found = [self.start(displacement)]
        for _ in range(num_steps):
            found.append(self.matrix @ found[-1] + self.offset)
        return np.array(found)


def lift(step: GradientMap, order: int, closure: Closure = "exact") -> Lift:
    """The Carleman lift of a step of gradient descent in the isometric symmetric basis.

    Args:
        step: the step.
        order: truncation order N; at least the degree d of the gradient, since a smaller one drops G_d unnoticed.
        closure: ``"exact"``, or ``"euler"``, which is right to first order in the learning rate alone and so leaves an
            error that no order removes.

    Raises:
        ValueError: if the order is below 1, there is no such closure, or the lift is too large.

    >>> quadratic = PolynomialGradient(np.zeros(1), 0.0, (np.array([0.0]), np.array([[1.0]]), np.array([[[1.0]]])))
    >>> lift(GradientMap(quadratic, 0.5), 2).matrix.toarray().tolist()
    [[0.5, -0.5], [0.0, 0.25]]
    """
    if closure not in ("exact", "euler"):
        raise QhnError(f"closure must be exact or euler, got {shown(closure)}")
    basis = SymmetricBasis(step.num_parameters, order)
    rows = _exact_rows(basis, step) if closure == "exact" else _euler_rows(basis, step)
    weights = basis.weights
    scaled = sparse.diags_array(weights[1:]) @ rows[1:] @ sparse.diags_array(1 / weights)
    found = sparse.csr_array(scaled)
    found.eliminate_zeros()
    return Lift(basis, sparse.csr_array(found[:, 1:]), found[:, [0]].toarray()[:, 0], step.scale)


def _exact_rows(basis: SymmetricBasis, step: GradientMap) -> sparse.csr_array:
    """The coefficients of the products of the displacements after a step, a row for each monomial."""
    multiply = _multiplications(basis, step.factors)
    rows = [sparse.csr_array(([1.0], ([0], [0])), shape=(1, len(basis.words)))]  # the constant monomial
    for degree in range(1, basis.order + 1):
        shorter = rows[-1]
        rows.append(sparse.csr_array(sparse.vstack(list(_longer(basis, degree, shorter, multiply)))))
    return sparse.csr_array(sparse.vstack(rows))


def _longer(
    basis: SymmetricBasis, degree: int, shorter: sparse.csr_array, multiply: list[sparse.csr_array]
) -> Iterator[sparse.csr_array]:
    """The rows of all monomials of a degree in order, from those of the degree below."""
    below = _degree(basis, degree - 1)
    firsts = basis.words[below][:, 0]
    for parameter in range(basis.num_parameters):  # a word is its first letter before one that begins no earlier
        rest = np.flatnonzero(firsts >= parameter)
        if len(rest):
            yield shorter[rest] @ multiply[parameter]


def _euler_rows(basis: SymmetricBasis, step: GradientMap) -> sparse.csr_array:
    """The coefficients to first order in the learning rate: u^α + Σ_i α_i u^{α − e_i} (u'_i − u_i)."""
    size = len(basis.words)
    multiply = _multiplications(basis, step.steps)
    found = sparse.eye_array(size, format="csr")
    codes = {tuple(word): place for place, word in enumerate(basis.words.tolist())}
    for parameter in range(basis.num_parameters):
        counts = (basis.words == parameter).sum(axis=1)
        having = np.flatnonzero(counts)
        rest = [codes[_without(word, parameter, basis.num_parameters)] for word in basis.words[having].tolist()]
        shape = (size, size)
        lowered = sparse.csr_array((counts[having].astype(np.float64), (having, rest)), shape=shape)
        found = found + lowered @ multiply[parameter]
    return sparse.csr_array(found)


def _without(word: list[int], parameter: int, blank: int) -> tuple[int, ...]:
    left = list(word)
    left.remove(parameter)
    return (*left, blank)


def _multiplications(basis: SymmetricBasis, tensors: tuple[Floats, ...]) -> list[sparse.csr_array]:
    """For each parameter i, the matrix that multiplies a polynomial, as a row of coefficients, by Σ_j F_j[i] u^{⊗j}."""
    size, order = len(basis.words), basis.order
    coefficients = [_monomial_coefficients(basis, tensor, degree) for degree, tensor in enumerate(tensors[: order + 1])]
    places: list[tuple[Integers, Integers, Integers, int]] = []
    for degree in range(len(coefficients)):
        for other in range(order - degree + 1):
            left, right = _degree(basis, other), _degree(basis, degree)
            product = basis.products(left, right)
            source = np.repeat(np.arange(left.start, left.stop), product.shape[1])
            factor = np.tile(np.arange(product.shape[1]), product.shape[0])
            places.append((source, product.ravel(), factor, degree))
    sources = np.concatenate([source for source, _, _, _ in places])
    targets = np.concatenate([target for _, target, _, _ in places])
    found = []
    for parameter in range(basis.num_parameters):
        values = np.concatenate([coefficients[degree][parameter, factor] for _, _, factor, degree in places])
        is_there = values != 0
        entries = (values[is_there], (sources[is_there], targets[is_there]))
        found.append(sparse.csr_array(entries, shape=(size, size)))
    return found


def _monomial_coefficients(basis: SymmetricBasis, tensor: Floats, degree: int) -> Floats:
    """The coefficients of a form Σ T[i, …] u^{⊗degree} by monomial: ``[num_parameters, number of monomials]``."""
    words = basis.words[_degree(basis, degree)][:, :degree]
    entries = tensor[(slice(None), *words.T)].reshape(len(tensor), -1)
    return np.asarray(entries * multinomials(words, basis.num_parameters))


def _degree(basis: SymmetricBasis, degree: int) -> slice:
    """The place of the monomials of a degree, counted from the constant one."""
    if degree == 0:
        return slice(0, 1)
    own = basis.degree_slice(degree)
    return slice(own.start + 1, own.stop + 1)
