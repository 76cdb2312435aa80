"""Lanczos: eigenvalues at both ends of a spectrum, quadratures of random quadratic forms, and a bound of their bias."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from qhn.arrays import Floats
from qhn.errors import QhnError

Product = Callable[[Floats], Floats]  # vectors [k, n] to their products with a symmetric matrix, [k, n]
CHUNK = 8_000_000  # numbers in the bases of probes that are treated at once, 64 MB
SERIES = 20_000  # terms of the Chebyshev series that are summed; the remaining ones are bounded
POWERS = 20  # products after which the size of the largest eigenvalue is known but for a factor of about 2
TOLERANCE = 1e-8  # of the eigenvalues at both ends, relative to about four times the largest magnitude
ROUNDING = 1e-13  # relative to the largest eigenvalue: a shorter vector of Lanczos is none


def both_ends(product: Product, size: int, number: int, rng: np.random.Generator) -> tuple[Floats, Floats, Floats]:
    """Eigenvalues at both ends, ascending, their vectors as columns ``[size, 2·number]``, and norms of residuals."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh  # half a second to import

    start = rng.normal(size=size)
    shift = 4 * _magnitude(product, start) or 1.0  # ARPACK's tolerance is relative: now to the largest eigenvalue

    def shifted(vector: Floats) -> Floats:
        row = vector.reshape(1, -1)
        moved: Floats = product(row)[0] + shift * row[0]
        return moved

    operator = LinearOperator((size, size), matvec=shifted, dtype=np.float64)
    try:
        _, vectors = eigsh(operator, 2 * number, which="BE", v0=start, tol=TOLERANCE)
    except ArpackError as error:
        raise QhnError(f"the eigenvalues at the ends of a spectrum were not found: {error}; ask for fewer") from None
    vectors, _ = np.linalg.qr(vectors)
    products = product(vectors.T)
    values = np.einsum("ij,ji->i", products, vectors)
    residuals = np.linalg.norm(products - values[:, None] * vectors.T, axis=1)
    order = np.argsort(values)
    return values[order], vectors[:, order], residuals[order]


def _magnitude(product: Product, vector: Floats) -> float:
    """The size of the largest eigenvalue, from below, by a few products."""
    row, size = vector.reshape(1, -1), 0.0
    for _ in range(POWERS):
        row = product(row / np.linalg.norm(row))
        size = float(np.linalg.norm(row))
        if size == 0:
            break
    return size


def quadratures(
    product: Product, vectors: Floats, number: int, steps: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Nodes and weights ``[number, steps]`` of vᵀ f(A) v for random unit vectors v orthogonal to known eigenvectors."""
    nodes, weights = [], []
    chunk = max(1, CHUNK // (steps * len(vectors)))
    for start in range(0, number, chunk):
        starts = rng.normal(size=(min(chunk, number - start), len(vectors)))
        values, bases = np.linalg.eigh(_lanczos(product, vectors, starts, steps))
        nodes.append(values)
        weights.append(bases[:, 0, :] ** 2)
    return np.concatenate(nodes), np.concatenate(weights)


def _lanczos(product: Product, vectors: Floats, starts: Floats, steps: int) -> Floats:
    """The tridiagonal matrices ``[p, steps, steps]`` of Lanczos from p vectors, with full reorthogonalisation.

    Where a sequence ends early, the rest of its matrix is zero and has no weight.
    """
    bases = np.zeros((len(starts), steps, len(vectors)))
    found = np.zeros((len(starts), steps, steps))
    current = _outside(starts, vectors)
    norms = np.linalg.norm(current, axis=1)
    scale = 0.0
    for step in range(steps):
        bases[:, step] = np.divide(current, norms[:, None], out=np.zeros_like(current), where=norms[:, None] > 0)
        current = _outside(product(bases[:, step]), vectors)
        found[:, step, step] = np.einsum("pi,pi->p", bases[:, step], current)
        scale = max(scale, float(np.abs(found[:, step, step]).max()), float(norms.max()) if step else 0.0)
        for _ in range(2):  # twice is enough (Kahan and Parlett)
            known = bases[:, : step + 1]
            inside = known @ current[:, :, None]
            current = _outside(current - (inside.transpose(0, 2, 1) @ known)[:, 0], vectors)
        norms = np.linalg.norm(current, axis=1)
        norms[norms <= ROUNDING * scale * len(vectors)] = 0.0
        if step + 1 < steps:
            found[:, step, step + 1] = found[:, step + 1, step] = norms
    return found


def _outside(rows: Floats, vectors: Floats) -> Floats:
    """The parts of rows ``[p, n]`` that are orthogonal to orthonormal columns ``[n, k]``."""
    found: Floats = rows - (rows @ vectors) @ vectors.T
    return found


def kink_error(low: float, high: float, steps: int) -> float:
    """A bound of the bias of a quadrature of max(x, 0) or max(−x, 0) with unit weight on ``[low, high]``.

    On [−1, 1] the Chebyshev coefficient k ≥ 2 of |x − cos φ| is ∓(2/πk)·(sin((k+1)φ)/(k+1) − sin((k−1)φ)/(k−1)), and
    the distance from polynomials of degree 2·steps − 1 is at most the sum of the magnitudes of those above it.

    Args:
        low: lower end of the range.
        high: upper end of the range.
        steps: number of nodes of the quadrature.
    """
    if low >= 0 or high <= 0:
        return 0.0
    centre, half = (low + high) / 2, (high - low) / 2
    angle = np.arccos(-centre / half)
    k = np.arange(2.0 * steps, 2 * steps + SERIES)
    terms = (np.sin((k + 1) * angle) / (k + 1) - np.sin((k - 1) * angle) / (k - 1)) / k
    distance = 2 / np.pi * float(np.abs(terms).sum()) + 4 / np.pi / (k[-1] - 1)
    return float(half * distance)  # twice the distance of |x|/2, which is what has the kink
