"""E(θ) and its gradient on a long chain, exactly, for a cost that is a polynomial of spins.

The state is a product of matrices A_k[s], one for the two bits s of each pair (:mod:`qhn.exact.pairs`), and the cost a
matrix product operator on the same pairs (:mod:`qhn.exact.operator`). From the left end on, an *environment* L of the
pairs behind belongs to each state of the operator; a pair adds to it by a transfer,

    L ↦ Σ_s σ_p(s) A[s]† L A[s],

σ_p(s) the product of those spins of the pair that a term asks for. At the right end, E is the environment of the
complete terms. A dense quadratic polynomial of N spins takes some N²/4 transfers, and nothing grows as 2^N.

Environments are Hermitian, and are kept as D² real numbers: the real part of entry (i, j) at (j, i) for i ≤ j, and its
imaginary part at (i, j). A transfer is then a real matrix of D² rows and columns. The gradient runs the same transfers
backwards, collects the slopes of E with them, and hands these down to the matrices and to the angles.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Bits, Complexes, Floats
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.compiled import compiled, inlined
from qhn.errors import QhnError
from qhn.exact.chain import Chain
from qhn.exact.operator import START, folded, operator_of
from qhn.exact.pairs import Pairs
from qhn.exact.protocol import check_thetas
from qhn.problem.polynomial import SpinPolynomial
from qhn.threads import check_threads, in_parallel

MAX_BOND_DIMENSION = 32  # a transfer is a matrix of D² rows and columns
MAX_NUMBERS = 2**27  # numbers in all environments, and again in their slopes: 1 GiB each
SMALL = 16  # rows and columns up to which plain loops multiply matrices faster than linear algebra
MAX_PRODUCTS = 2**34  # multiplications of all transfers, of which a gradient takes four times as many: half a minute


class ChainEnergy:
    """The mean ⟨C⟩ of a polynomial cost on a hypernetwork circuit of any number of qubits, and its gradient.

    Args:
        ansatz: the circuit.
        polynomial: the cost as a polynomial of spins.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Attributes:
        ansatz: the circuit.
        polynomial: the cost as a polynomial of spins.

    Raises:
        ValueError: if the numbers of qubits differ, or the circuit is too deep for a polynomial of as many terms.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> ring = SpinPolynomial.of(100, {(k, (k + 1) % 100): 1.0 for k in range(100)})
    >>> energy = ChainEnergy(hypernetwork(100, 2), ring)
    >>> theta = np.zeros((1, 800))
    >>> theta[0, 1] = np.pi  # RY on qubit 1, in the first block; CX gates pass its bit on
    >>> value, grad = energy.value_and_grad(theta)
    >>> value.round(12), grad.shape
    (array([92.]), (1, 800))
    """

    def __init__(self, ansatz: Hypernetwork, polynomial: SpinPolynomial, *, num_threads: int | None = None) -> None:
        if polynomial.num_qubits != ansatz.num_qubits:
            raise QhnError(f"the ansatz has {ansatz.num_qubits} qubits, the polynomial {polynomial.num_qubits} spins")
        self.ansatz = ansatz
        self.polynomial = polynomial
        self.num_threads = check_threads(num_threads)
        self._pairs = Pairs(ansatz)
        self._operator = operator_of(folded(polynomial, ansatz.folded_brick), self._pairs.num_pairs, self._pairs.place)
        self._check_size()

    def __call__(self, thetas: ArrayLike) -> Floats:
        """The mean cost E at each row of angles: ``[B, num_parameters]`` → ``[B]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """

        def mean(theta: Floats) -> float:
            return self._mean(self._environments(self._pairs.matrices(theta)))

        rows = check_thetas(thetas, self.ansatz)
        return np.array(in_parallel(mean, list(rows), self.num_threads), dtype=np.float64)

    def value_and_grad(self, thetas: ArrayLike) -> tuple[Floats, Floats]:
        """E and its gradient ∂E/∂θ at each row: ``[B, num_parameters]`` → ``[B]``, ``[B, num_parameters]``.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        rows = check_thetas(thetas, self.ansatz)
        values, grads = np.empty(len(rows)), np.empty(rows.shape)

        def fill(row: int) -> None:
            matrices = self._pairs.matrices(rows[row])
            environments, slopes = self._environments(matrices), np.zeros_like(matrices)
            _backward(matrices, self._operator, environments, slopes)
            values[row] = self._mean(environments)
            grads[row] = self._pairs.pull_back(matrices, slopes, rows[row])

        in_parallel(fill, range(len(rows)), self.num_threads)
        return values, grads

    def likely_bits(self, theta: ArrayLike) -> Bits:
        """The most probable bitstring ``[num_qubits]`` that a beam search finds at ``theta[num_parameters]``.

        See :meth:`qhn.exact.chain.Chain.most_probable`.

        Raises:
            ValueError: if ``theta`` has a wrong shape.
        """
        return self._chain.most_probable(theta)[0]

    @cached_property
    def _chain(self) -> Chain:
        return Chain(self.ansatz)

    def _environments(self, matrices: Complexes) -> Floats:
        """The environments of all states of the operator, ``[num_states, D²]``."""
        environments = np.zeros((self._operator.num_states, self._pairs.bond_dimension**2))
        environments[START, 0] = 1.0
        _forward(matrices, self._operator, environments)
        return environments

    def _mean(self, environments: Floats) -> float:
        """E, of which the operator leaves out the constant term; START is final if there are no other terms."""
        final = self._operator.final
        return self.polynomial.constant + (float(environments[final, 0]) if final != START else 0.0)

    def _check_size(self) -> None:
        size, known = self._pairs.bond_dimension, self._operator
        numbers, products = size**2 * known.num_states, size**4 * len(known.patterns)
        if size > MAX_BOND_DIMENSION or numbers > MAX_NUMBERS or products > MAX_PRODUCTS:
            raise QhnError(
                f"exact E of {len(self.polynomial.terms):,} terms on {self.ansatz.num_qubits} qubits and "
                f"{self.ansatz.num_layers} layers takes {len(known.patterns):,} transfers of bond dimension {size:,}, "
                "too many or too large; use fewer layers, or give --shots"
            )


# ---------------------------------------------------------------- the loops; s = first bit + 2·second bit


@compiled
def _forward(matrices, operator, environments):
    """Compute the environments of all states, ``[num_states, D²]``, from that of the first."""
    size = environments.shape[1]
    transfers = np.empty((4, size, size))
    shape = (np.diff(operator.sites).max(), size)
    x, y = np.empty(shape), np.empty(shape)
    for k in range(len(matrices)):
        _fill_transfers(matrices[k], transfers)
        for pattern in range(4):
            num = _gather(operator, k, pattern, environments, x)
            _multiply(x[:num], transfers[pattern], y[:num])
            n = 0
            for group in range(operator.sites[k], operator.sites[k + 1]):
                if operator.patterns[group] == pattern:
                    environments[operator.targets[group]] += y[n]
                    n += 1


@compiled
def _backward(matrices, operator, environments, slopes):
    """Compute the slopes of E with all matrices, dE = Re Σ S·dA, into zeros ``[pairs, 4, D, D]``."""
    size = environments.shape[1]
    transfers, turned = np.empty((4, size, size)), np.empty((4, size, size))  # turned: the slopes with the transfers
    shape = (np.diff(operator.sites).max(), size)
    x, y, above = np.empty(shape), np.empty(shape), np.empty(shape)
    adjoints = np.zeros_like(environments)
    adjoints[operator.final, 0] = 1.0
    for k in range(len(matrices) - 1, -1, -1):
        _fill_transfers(matrices[k], transfers)
        for pattern in range(4):
            num = _gather(operator, k, pattern, environments, x)
            n = 0
            for group in range(operator.sites[k], operator.sites[k + 1]):
                if operator.patterns[group] == pattern:
                    above[n] = adjoints[operator.targets[group]]
                    n += 1
            _multiply(np.ascontiguousarray(x[:num].T), above[:num], turned[pattern])
            _multiply(above[:num], np.ascontiguousarray(transfers[pattern].T), y[:num])
            n = 0
            for group in range(operator.sites[k], operator.sites[k + 1]):
                if operator.patterns[group] == pattern:
                    for one in range(operator.starts[group], operator.starts[group + 1]):
                        below, weight = adjoints[operator.sources[one]], operator.weights[one]
                        for a in range(size):
                            below[a] += weight * y[n, a]
                    n += 1
        _pull_transfers_back(matrices[k], turned, slopes[k])


@compiled
def _gather(operator, k, pattern, environments, x):
    """Add up the environments that come into each group of a pattern at a site, ``x[n, D²]``; return their number n."""
    n = 0
    for group in range(operator.sites[k], operator.sites[k + 1]):
        if operator.patterns[group] == pattern:
            x[n] = 0.0
            for one in range(operator.starts[group], operator.starts[group + 1]):
                source, weight = environments[operator.sources[one]], operator.weights[one]
                for a in range(source.size):
                    x[n, a] += weight * source[a]
            n += 1
    return n


@compiled
def _multiply(a, b, out):
    """Compute the product of two matrices; for small ones, calls of linear algebra take longer than loops."""
    if max(b.shape) > SMALL:
        np.dot(a, b, out)
        return
    for i in range(len(a)):
        for j in range(b.shape[1]):
            out[i, j] = 0.0
        for m in range(len(b)):
            for j in range(b.shape[1]):
                out[i, j] += a[i, m] * b[m, j]


@compiled
def _fill_transfers(a, transfers):
    """Compute the transfers through one pair by all patterns, ``[4, D², D²]``, from its matrices ``[4, D, D]``.

    With M(i, j) = Σ_s σ_p(s) A*[s, i, k] A[s, j, n], entry (k, n) becomes Σ_i M(i, i)·L(i, i) and, for each i < j, the
    sum of (M(i, j) + M(j, i))·Re L(i, j) and √−1·(M(i, j) − M(j, i))·Im L(i, j).
    """
    size = a.shape[1]
    for i in range(size):
        for j in range(i, size):
            real, imag = j * size + i, i * size + j
            for k in range(size):
                for n in range(k, size):
                    to_real, to_imag = n * size + k, k * size + n
                    forth = _of_patterns(
                        np.conj(a[0, i, k]) * a[0, j, n],
                        np.conj(a[1, i, k]) * a[1, j, n],
                        np.conj(a[2, i, k]) * a[2, j, n],
                        np.conj(a[3, i, k]) * a[3, j, n],
                    )
                    if i == j:
                        for pattern in range(4):
                            transfers[pattern, real, to_imag] = forth[pattern].imag
                            transfers[pattern, real, to_real] = forth[pattern].real
                        continue
                    back = _of_patterns(
                        np.conj(a[0, j, k]) * a[0, i, n],
                        np.conj(a[1, j, k]) * a[1, i, n],
                        np.conj(a[2, j, k]) * a[2, i, n],
                        np.conj(a[3, j, k]) * a[3, i, n],
                    )
                    for pattern in range(4):  # on the diagonal the imaginary part is 0, and the real one is set last
                        plus, minus = forth[pattern] + back[pattern], forth[pattern] - back[pattern]
                        transfers[pattern, real, to_imag] = plus.imag
                        transfers[pattern, imag, to_imag] = minus.real
                        transfers[pattern, real, to_real] = plus.real
                        transfers[pattern, imag, to_real] = -minus.imag


@compiled
def _pull_transfers_back(a, turned, slopes):
    """Add the slopes of E with one pair's matrices, ``[4, D, D]``, from those with its transfers, ``[4, D², D²]``.

    The names are those of :func:`_fill_transfers`.
    """
    size = a.shape[1]
    for i in range(size):
        for j in range(i, size):
            real, imag = j * size + i, i * size + j
            for k in range(size):
                for n in range(k, size):
                    to_real, to_imag = n * size + k, k * size + n
                    plus_real, plus_imag = _of_bits(turned, real, to_real), _of_bits(turned, real, to_imag)
                    minus_imag, minus_real = _of_bits(turned, imag, to_real), _of_bits(turned, imag, to_imag)
                    for s in range(4):
                        plus = complex(plus_real[s], -plus_imag[s] if k < n else 0.0)
                        minus = complex(minus_real[s] if k < n else 0.0, minus_imag[s])
                        forth, back = (plus + minus, plus - minus) if i < j else (plus, complex(0.0))
                        slopes[s, j, n] += forth * np.conj(a[s, i, k])
                        slopes[s, i, k] += np.conj(forth) * np.conj(a[s, j, n])
                        slopes[s, i, n] += back * np.conj(a[s, j, k])
                        slopes[s, j, k] += np.conj(back) * np.conj(a[s, i, n])


@inlined
def _of_patterns(a, b, c, d):
    """The sums Σ_s σ_p(s)·x_s of four numbers for all patterns p; bit 1 is spin +1."""
    return a + b + c + d, b - a + d - c, c - a + d - b, a - b - c + d


@inlined
def _of_bits(turned, row, column):
    """The sums Σ_p σ_p(s)·x_p of an entry of four matrices for all pairs of bits s."""
    a, b, c, d = turned[0, row, column], turned[1, row, column], turned[2, row, column], turned[3, row, column]
    return a - b - c + d, a + b - c - d, a - b + c - d, a + b + c + d
