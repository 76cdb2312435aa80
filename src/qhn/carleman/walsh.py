"""C of a binary problem as a multilinear polynomial of the means of its spins, and its gradient about any means.

The costs of all bitstrings are C(σ) = Σ_S f_S Π_{j∈S} σ_j with spins σ_j = ±1, bit 1 being +1. For independent bits of
means m_j = ⟨σ_j⟩ in [−1, 1] the mean cost is the same polynomial of m, so that descent on the means is a relaxation of
the search: without weight decay its minimum lies at a corner of the cube, a bitstring.

A multilinear polynomial is linear in each mean: its Hessian has zeros on the diagonal, and no trace. Where it is not
zero altogether it has a negative eigenvalue, so that **gradient descent on C alone is never dissipative**; weight decay
λ/2·‖m‖² adds λ to every eigenvalue, and pulls the means away from the corners.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import factorial

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.carleman.polynomial import PolynomialGradient, check_tensors
from qhn.carleman.tensors import symmetric_tensor
from qhn.errors import QhnError
from qhn.fields import Number, Whole, settle
from qhn.problem.cost import Problem
from qhn.problem.polynomial import SpinPolynomial
from qhn.problem.spectrum import low_degree

UNBOUNDED = "without weight decay the Hessian of a multilinear cost has trace 0: gradient descent is never dissipative"


@dataclass(frozen=True, eq=False)
class WalshCost:
    """The mean cost of independent bits as a polynomial of their means, truncated, with weight decay.

    Without weight decay its Hessian has trace 0, and descent on it is never dissipative; see the module.

    Attributes:
        polynomial: the polynomial of spins whose variables are the means; no term has more spins than the truncation.
        shares: the share of the variance of C over all bitstrings that is due to terms of 0, 1, 2, … spins, of those
            left out as well, ``[num_qubits + 1]``; all 0 if C is constant.
        weight_decay: the factor λ of λ/2·‖m‖², at least 0.

    Raises:
        QhnError: at construction, if the weight decay is negative.

    >>> from qhn.problem.cost import TableProblem
    >>> parity = walsh_cost(TableProblem([3.0, 1.0, 1.0, 3.0]), degree=2)  # 2 + σ_0·σ_1
    >>> float(parity.loss(np.array([0.5, -1.0]))), parity.shares, parity.hessian_trace
    (1.5, array([0., 0., 1.]), 0.0)
    """

    polynomial: SpinPolynomial
    shares: Floats
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        settle(self, weight_decay=Number(low=0))

    @property
    def num_parameters(self) -> int:
        """The number of means, one for each bit."""
        return self.polynomial.num_qubits

    @property
    def kept(self) -> float:
        """The share of the variance of C that the terms of the polynomial make up."""
        return float(self.shares[: self.polynomial.degree + 1].sum())

    @property
    def hessian_trace(self) -> float:
        """The trace of the Hessian, the same at all means: that of the weight decay alone."""
        return self.num_parameters * self.weight_decay

    @property
    def remark(self) -> str | None:
        """The reason why descent on this cost is never dissipative, in words; None with weight decay."""
        return None if self.weight_decay else UNBOUNDED

    def loss(self, means: ArrayLike) -> Floats:
        """The mean cost with its weight decay at means ``[..., num_parameters]``: ``[...]``."""
        m = self._as_means(means)
        return np.asarray(self.polynomial.at_spins(m) + 0.5 * self.weight_decay * np.square(m).sum(axis=-1))

    def expand(self, reference: ArrayLike, degree: int) -> PolynomialGradient:
        """The gradient as a polynomial of the displacement from a reference.

        It is exact if the degree is at least that of the polynomial of spins, less one. Its Hessian has the trace
        :attr:`hessian_trace`.

        Args:
            reference: the means about which the cost is expanded, ``[num_parameters]``.
            degree: the degree of the gradient in the displacement; tensors beyond the exact one are zero.

        Raises:
            QhnError: if the reference has another shape, or the degree is negative or its tensors too large.
        """
        point, degree = self._as_means(reference), Whole(0)("degree", degree)
        if point.ndim != 1:
            raise QhnError(f"reference must have shape [{self.num_parameters}], got {list(point.shape)}")
        check_tensors(self.num_parameters, degree)
        slopes = self._slopes(point, degree + 1)
        tensors = [self._tensor(slopes, k) for k in range(degree + 1)]
        tensors[0] += self.weight_decay * point
        if degree:
            tensors[1] += self.weight_decay * np.eye(self.num_parameters)
        return PolynomialGradient(point, float(self.loss(point)), tuple(tensors))

    def _slopes(self, point: Floats, most: int) -> dict[tuple[int, ...], float]:
        """The derivative of C by each set of at most that many different means: Σ_{S ⊇ T} f_S Π_{j∈S∖T} m_j."""
        slopes: dict[tuple[int, ...], float] = {}
        for term, factor in zip(self.polynomial.terms, self.polynomial.coefficients.tolist(), strict=True):
            for size in range(1, min(len(term), most) + 1):
                for chosen in itertools.combinations(term, size):
                    others = [qubit for qubit in term if qubit not in chosen]
                    slopes[chosen] = slopes.get(chosen, 0.0) + factor * float(point[others].prod())
        return slopes

    def _tensor(self, slopes: dict[tuple[int, ...], float], k: int) -> Floats:
        """The tensor G_k of C, whose only components are those of different means."""
        sets = [chosen for chosen in slopes if len(chosen) == k + 1]
        indices = np.array(sets, dtype=np.int64).reshape(len(sets), k + 1)
        components = np.array([slopes[chosen] for chosen in sets], dtype=np.float64) / factorial(k)
        return symmetric_tensor(self.num_parameters, indices, components)

    def _as_means(self, means: ArrayLike) -> Floats:
        found = np.asarray(means, dtype=np.float64)
        if found.ndim == 0 or found.shape[-1] != self.num_parameters:
            raise QhnError(f"means must have shape [..., {self.num_parameters}], got {list(found.shape)}")
        return found


def walsh_cost(problem: Problem, degree: int, weight_decay: float = 0.0) -> WalshCost:
    """The mean cost of independent bits of a problem, of its terms with a few spins.

    Args:
        problem: the problem; if it does not offer its polynomial, it is found from the costs of all bitstrings.
        degree: the largest number of spins of a term that is kept.
        weight_decay: the factor λ of λ/2·‖m‖²; without it descent is never dissipative.

    Raises:
        QhnError: if the degree is below 1 or the weight decay negative, or if the problem neither offers its polynomial
            nor has costs that can be enumerated.
    """
    polynomial, weights = low_degree(problem, Whole(1)("degree", degree))
    variance = weights[1:].sum()
    shares = np.concatenate([[0.0], weights[1:] / variance if variance else weights[1:]])
    return WalshCost(polynomial, shares, weight_decay)
