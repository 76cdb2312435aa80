"""The dual problem of a support vector regression, as a function of the multipliers and as a QUBO of their bits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.errors import QhnError
from qhn.fields import Number, settle
from qhn.problem.quadratic import QuadraticProblem
from qhn.svr.encoding import Encoding


@dataclass(frozen=True, eq=False)
class Dual:
    """The dual of ε-insensitive support vector regression, with its equality constraint as a penalty.

    The energy to be minimised is E = ½(α−α̂)ᵀK(α−α̂) + ε·Σ(α+α̂) − yᵀ(α−α̂) + ξ·(Σ(α−α̂))² + β·αᵀα̂ of two multipliers
    a sample, α and α̂, from 0 to a bound (Pasetto et al., IEEE Geosci. Remote Sens. Lett. 19, 2022). With a large ξ
    it is that of scikit-learn's ``SVR`` whose C is the bound. For any ξ it is that of a regression without a bias and
    with the kernel K + 2ξ, so that at the minimum over all multipliers the bias is 2ξ·Σ(α−α̂).

    Attributes:
        kernel: the kernel K of each pair of samples, symmetric, ``[num_samples, num_samples]``.
        targets: the targets y, ``[num_samples]``.
        epsilon: ε, half of the width of the tube in which errors do not count.
        xi: ξ, the factor of the penalty on Σ(α−α̂), which is 0 in a regression with a free bias.
        beta: β, the factor of the penalty on samples of which both multipliers are above 0.

    Raises:
        QhnError: at construction, if the shapes differ, the kernel is not symmetric, a number is not finite, or a
            factor is below 0.

    >>> dual = Dual(np.eye(2), np.array([1.0, -1.0]), epsilon=0.1, xi=0.0, beta=0.0)
    >>> round(dual.energy([1.0, 0.0], [0.0, 1.0]), 12)
    np.float64(-0.8)
    """

    kernel: Floats
    targets: Floats
    epsilon: float
    xi: float
    beta: float

    def __post_init__(self) -> None:
        settle(self, **dict.fromkeys(("epsilon", "xi", "beta"), Number(low=0)))
        kernel, targets = np.asarray(self.kernel, dtype=np.float64), np.asarray(self.targets, dtype=np.float64)
        if targets.ndim != 1 or not targets.size or kernel.shape != (targets.size, targets.size):
            raise QhnError(
                f"a kernel must have a row and a column for each target, got shapes {list(kernel.shape)} and "
                f"{list(targets.shape)}"
            )
        if not (np.isfinite(kernel).all() and np.isfinite(targets).all()):
            raise QhnError("kernel and targets must be finite numbers, and some are not; remove or impute them")
        if not (kernel == kernel.T).all():
            raise QhnError("the kernel must be symmetric, K[n, m] = K[m, n]")
        object.__setattr__(self, "kernel", kernel)
        object.__setattr__(self, "targets", targets)

    @property
    def num_samples(self) -> int:
        """The number of samples, to each of which two multipliers belong."""
        return len(self.targets)

    @property
    def curvature(self) -> Floats:
        """P = K/2 + ξ·11ᵀ, the quadratic form of the differences α−α̂: ``[num_samples, num_samples]``."""
        found: Floats = self.kernel / 2 + self.xi
        return found

    def energy(self, alpha: ArrayLike, alpha_hat: ArrayLike) -> Floats:
        """The energy E of multipliers: ``[..., num_samples]`` → ``[...]``.

        Args:
            alpha: the multipliers α of the samples above the tube.
            alpha_hat: the multipliers α̂ of the samples below the tube.
        """
        above, below = np.asarray(alpha, dtype=np.float64), np.asarray(alpha_hat, dtype=np.float64)
        difference = above - below
        found: Floats = (
            np.einsum("...n,nm,...m->...", difference, self.kernel, difference) / 2
            + self.epsilon * (above + below).sum(axis=-1)
            - difference @ self.targets
            + self.xi * difference.sum(axis=-1) ** 2
            + self.beta * (above * below).sum(axis=-1)
        )
        return found[()]

    def qubo(self, encoding: Encoding) -> Floats:
        """The upper triangular matrix Q whose xᵀQx is the energy of the multipliers that bits x encode.

        It is kron(M, bbᵀ) + diag(kron([ε−y, ε+y], b)) with b the weights of the bits and M = [[P, −P], [−P, P]], to the
        diagonals of whose off-diagonal blocks β/2 is added; what is below the diagonal is folded onto what is above.

        Args:
            encoding: the encoding of the multipliers.

        Returns:
            Q, ``[num_variables, num_variables]``.
        """
        weights, overlap = encoding.weights, self.beta / 2 * np.eye(self.num_samples)
        same, opposite = self.curvature, overlap - self.curvature
        quadratic = np.kron(np.block([[same, opposite], [opposite, same]]), np.outer(weights, weights))
        linear = np.kron(np.concatenate([self.epsilon - self.targets, self.epsilon + self.targets]), weights)
        matrix: Floats = np.triu(quadratic) + np.tril(quadratic, -1).T + np.diag(linear)
        return matrix

    def problem(self, encoding: Encoding) -> QuadraticProblem:
        """The energy of encoded multipliers as a problem, whose qubits are the bits.

        Args:
            encoding: the encoding of the multipliers.

        Raises:
            QhnError: if energies may be beyond ±1e150.
        """
        return QuadraticProblem.from_qubo(self.qubo(encoding))
