"""The spectrum of a Hessian: exact when it is small, else its ends exactly and its masses within error bars.

The positive mass is the sum of the positive eigenvalues, the negative mass the sum of the magnitudes of the negative
ones; the trace is their difference. Of a large Hessian only products with vectors are used:

- SciPy's Lanczos solver (ARPACK) finds some eigenvalues at both ends, which are then taken out.
- Stochastic Lanczos quadrature (Ubaru, Chen and Saad, SIAM J. Matrix Anal. Appl. 38, 1075, 2017) estimates the rest.

An error bar has two parts. The scatter over random probes is bounded by what is known of the eigenvalues that are left:
they are not beyond those taken out. Of all that sum up to a mass T and are at most μ, T/μ equal ones scatter most, by a
χ² distribution of T/μ degrees of freedom a probe, from which the interval is taken as that of a Gamma variable.
(Student's interval over probes at 99 % held the mass in .90 of repetitions where one dominating eigenvalue was left.)
And a quadrature of m steps is exact for polynomials up to the degree 2m − 1, so that its bias is at most twice the
distance of the function from them: it is bounded by the Chebyshev series of |x| on the range that is left.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Floats
from qhn.carleman.lanczos import ROUNDING, Product, both_ends, kink_error, quadratures
from qhn.errors import QhnError
from qhn.fields import Number, Whole

EXACT = 500  # parameters up to which all eigenvalues are computed


@dataclass(frozen=True)
class Estimate:
    """A number with the ends of its confidence interval, which are equal to it if it is exact."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g}" if self.low == self.high else f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True, eq=False)
class Spectrum:
    """Eigenvalues of a symmetric matrix of ``num_parameters`` rows, and sums of them.

    Attributes:
        num_parameters: number of rows, and of all eigenvalues.
        eigenvalues: the known eigenvalues, ascending: all of them, or those at both ends.
        residual: largest distance of a known eigenvalue from one of the matrix, but for rounding.
        trace: the sum of all eigenvalues.
        positive: the positive mass.
        negative: the negative mass, as a number of at least 0.
        confidence: confidence level of the intervals of the masses and the trace; 1 if all eigenvalues are known.
    """

    num_parameters: int
    eigenvalues: Floats
    residual: float
    trace: Estimate
    positive: Estimate
    negative: Estimate
    confidence: float

    @property
    def is_exact(self) -> bool:
        """Whether all eigenvalues are known, and so the masses and the trace."""
        return len(self.eigenvalues) == self.num_parameters

    @property
    def smallest(self) -> float:
        """The smallest eigenvalue, which is always known."""
        return float(self.eigenvalues[0])

    @property
    def largest(self) -> float:
        """The largest eigenvalue, which is always known."""
        return float(self.eigenvalues[-1])


def exact_spectrum(matrix: ArrayLike) -> Spectrum:
    """The spectrum of a symmetric matrix ``[n, n]``, all of it.

    Args:
        matrix: the matrix, of finite numbers.

    Raises:
        QhnError: if it is not a symmetric matrix of finite numbers.

    >>> found = exact_spectrum([[0.0, 2.0], [2.0, 3.0]])
    >>> found.eigenvalues.tolist(), str(found.positive), str(found.negative), str(found.trace)
    ([-1.0, 4.0], '4', '1', '3')
    """
    values = np.asarray(matrix, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or not values.size or not np.isfinite(values).all():
        raise QhnError(f"a spectrum needs a square matrix of finite numbers, got an array of shape {values.shape}")
    if np.abs(values - values.T).max() > 1e-8 * np.abs(values).max():
        raise QhnError("a spectrum needs a symmetric matrix; take the mean of it and its transpose")
    found = np.asarray(np.linalg.eigvalsh(values), dtype=np.float64)
    positive, negative = float(found[found > 0].sum()), float(-found[found < 0].sum())
    trace, above, below = (Estimate(one, one, one) for one in (positive - negative, positive, negative))
    return Spectrum(len(found), found, 0.0, trace, above, below, confidence=1.0)


def spectrum(
    product: Product,
    num_parameters: int,
    *,
    probes: int = 60,
    steps: int = 100,
    ends: int = 20,
    confidence: float = 0.99,
    seed: int = 0,
) -> Spectrum:
    """The spectrum of a symmetric matrix that is given by its products: exact up to 500 rows, else estimated.

    Args:
        product: what returns the products ``[k, n]`` of the matrix with vectors ``[k, n]``.
        num_parameters: number n of rows.
        probes: number of random vectors, at least 1.
        steps: number of Lanczos steps of each of them, at least 2.
        ends: number of eigenvalues that are computed at each end, at least 1.
        confidence: confidence level of the intervals, in (0, 1).
        seed: seed of the random vectors, at least 0.

    Raises:
        QhnError: if a number is out of bounds, or the eigenvalues at an end were not found.

    >>> matrix = np.diag(np.linspace(-1.0, 2.0, 601))
    >>> found = spectrum(lambda vectors: vectors @ matrix, 601)
    >>> found.is_exact, round(found.smallest, 8), round(found.largest, 8)
    (False, -1.0, 2.0)
    >>> 375 < found.positive.low < 400.2 < found.positive.high < 425
    True
    """
    size = Whole(1)("num_parameters", num_parameters)
    number, length = Whole(1)("probes", probes), Whole(2)("steps", steps)
    each_end, level = Whole(1)("ends", ends), Number(above=0, below=1)("confidence", confidence)
    if size <= max(EXACT, 2 * each_end + 1):
        return exact_spectrum(product(np.eye(size)))
    rng = np.random.default_rng(np.random.SeedSequence(Whole(0)("seed", seed)))
    eigenvalues, vectors, residuals = both_ends(product, size, each_end, rng)
    dimension = size - len(eigenvalues)
    length = min(length, dimension)
    nodes, weights = quadratures(product, vectors, number, length, rng)
    slack = 2 * float(residuals.sum())  # of the trace norm of what couples the ends to the rest
    low, high = float(eigenvalues[each_end - 1]), float(eigenvalues[each_end])  # the range of what is left
    bias = dimension * kink_error(low, high, length) + slack
    rounding = ROUNDING * float(np.abs(eigenvalues).max())
    parts = []
    for sign, end in ((1.0, high), (-1.0, -low)):
        known = float(np.maximum(sign * eigenvalues, 0.0).sum())
        samples = dimension * (weights * np.maximum(sign * nodes, 0.0)).sum(axis=1)
        rest = _mass(samples, max(end, 0.0) + rounding, level, bias)
        parts.append(Estimate(known + rest.value, max(known - slack, 0.0) + rest.low, known + rest.high))
    positive, negative = parts
    trace = _minus(positive, negative)
    return Spectrum(size, eigenvalues, float(residuals.max()), trace, positive, negative, level)


def _mass(samples: Floats, most: float, confidence: float, bias: float) -> Estimate:
    """The sum of eigenvalues in [0, most] whose quadratic forms at random unit vectors, times n, are the samples.

    As many eigenvalues of the size ``most`` as have this sum scatter most; if the sum is below it, a single one does.

    Args:
        samples: the quadratic forms times their dimension, ``[probes]``.
        most: the largest possible eigenvalue; at 0 the sum is 0.
        confidence: confidence level of the interval.
        bias: a bound of the bias of the samples.
    """
    from scipy.special import chdtri, chdtriv

    mean, number = float(samples.mean()), len(samples)
    if most == 0:
        return Estimate(0.0, 0.0, bias)
    ends = []
    for total, below in (
        (number * max(mean - bias, 0.0), (1 + confidence) / 2),
        (number * (mean + bias), (1 - confidence) / 2),
    ):
        single = total / float(chdtri(number, 1 - below))
        ends.append(single if single <= most else most / number * float(chdtriv(below, total / most)))
    return Estimate(mean, *ends)


def _minus(positive: Estimate, negative: Estimate) -> Estimate:
    """The difference of two estimates whose errors are independent: quadratic forms of orthogonal parts of a vector."""
    value = positive.value - negative.value
    below = np.hypot(positive.value - positive.low, negative.high - negative.value)
    above = np.hypot(positive.high - positive.value, negative.value - negative.low)
    return Estimate(value, float(value - below), float(value + above))


def interlacing_breach(whole: Floats, part: Floats) -> float:
    """The largest distance by which eigenvalues break Cauchy's interlacing; at most rounding for a principal submatrix.

    The i-th smallest eigenvalue of a principal submatrix of k of n rows lies between the i-th and the (i + n − k)-th
    smallest one of the matrix. So neither its positive nor its negative mass can be larger: this is what pruning
    provably does, if nothing else changes.

    Args:
        whole: all eigenvalues of the matrix, ``[n]``.
        part: all eigenvalues of the submatrix, ``[k]``.

    Raises:
        QhnError: if the part has more eigenvalues than the whole.

    >>> interlacing_breach(np.array([-1.0, 4.0]), np.array([3.0])), interlacing_breach(np.zeros(2), np.ones(1))
    (0.0, 1.0)
    """
    if len(part) > len(whole):
        raise QhnError(f"a part must have at most the {len(whole)} eigenvalues of the whole, got {len(part)}")
    all_of_them, some = np.sort(whole), np.sort(part)
    below = all_of_them[: len(some)] - some
    above = some - all_of_them[len(whole) - len(some) :]
    return float(max(below.max(), above.max(), 0.0))
