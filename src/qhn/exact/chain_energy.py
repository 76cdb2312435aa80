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
    transfers, x = np.empty((4, size, size)), np.empty(size)
    for k in range(len(matrices)):
        _fill_transfers(matrices[k], transfers)
        for group in range(operator.sites[k], operator.sites[k + 1]):
            _gather(operator, group, environments, x)
            out, transfer = environments[operator.targets[group]], transfers[operator.patterns[group]]
            for a in range(size):
                for b in range(size):
                    out[b] += x[a] * transfer[a, b]


@compiled
def _backward(matrices, operator, environments, slopes):
    """Compute the slopes of E with all matrices, dE = Re Σ S·dA, into zeros ``[pairs, 4, D, D]``."""
    size = environments.shape[1]
    transfers, x, y = np.empty((4, size, size)), np.empty(size), np.empty(size)
    turned = np.empty((4, size, size))  # the slopes of E with the transfers
    adjoints = np.zeros_like(environments)
    adjoints[operator.final, 0] = 1.0
    for k in range(len(matrices) - 1, -1, -1):
        _fill_transfers(matrices[k], transfers)
        turned[:] = 0.0
        for group in range(operator.sites[k], operator.sites[k + 1]):
            _gather(operator, group, environments, x)
            pattern, above = operator.patterns[group], adjoints[operator.targets[group]]
            transfer, slope = transfers[pattern], turned[pattern]
            for a in range(size):
                total = 0.0
                for b in range(size):
                    total += transfer[a, b] * above[b]
                y[a] = total
            for a in range(size):
                for b in range(size):
                    slope[a, b] += x[a] * above[b]
            for one in range(operator.starts[group], operator.starts[group + 1]):
                below = adjoints[operator.sources[one]]
                for a in range(size):
                    below[a] += operator.weights[one] * y[a]
        _pull_transfers_back(matrices[k], turned, slopes[k])


@compiled
def _gather(operator, group, environments, x):
    """Add up the environments from which the transitions of a group come, into ``x[D²]``."""
    x[:] = 0.0
    for one in range(operator.starts[group], operator.starts[group + 1]):
        source, weight = environments[operator.sources[one]], operator.weights[one]
        for a in range(x.size):
            x[a] += weight * source[a]


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
                    for pattern in range(4):
                        plus, minus = complex(0.0), complex(0.0)
                        for s in range(4):
                            sign = _sign(pattern, s)
                            plus += sign * np.conj(a[s, i, k]) * a[s, j, n]
                            minus += sign * np.conj(a[s, j, k]) * a[s, i, n]
                        transfer = transfers[pattern]
                        if i == j:
                            minus = complex(0.0)
                        else:
                            transfer[imag, to_real] = (minus - plus).imag
                            if k < n:
                                transfer[imag, to_imag] = (plus - minus).real
                        transfer[real, to_real] = (plus + minus).real
                        if k < n:
                            transfer[real, to_imag] = (plus + minus).imag


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
                    for s in range(4):
                        plus, minus = complex(0.0), complex(0.0)  # the slopes with M(i, j) and M(j, i)
                        for pattern in range(4):
                            slope, sign = turned[pattern], _sign(pattern, s)
                            even, odd = sign * slope[real, to_real], 0.0
                            if k < n:
                                odd = sign * slope[real, to_imag]
                            plus += complex(even, -odd)
                            minus += complex(even, -odd)
                            if i < j:
                                even, odd = 0.0, sign * slope[imag, to_real]
                                if k < n:
                                    even = sign * slope[imag, to_imag]
                                plus += complex(even, odd)
                                minus -= complex(even, odd)
                        slopes[s, j, n] += plus * np.conj(a[s, i, k])
                        slopes[s, i, k] += np.conj(plus) * np.conj(a[s, j, n])
                        if i < j:
                            slopes[s, i, n] += minus * np.conj(a[s, j, k])
                            slopes[s, j, k] += np.conj(minus) * np.conj(a[s, i, n])


@inlined
def _sign(pattern, s):
    """The product σ_p(s) of the spins of a pattern, for two bits s; bit 1 is spin +1."""
    first = 1.0 if s & 1 or not pattern & 1 else -1.0
    second = 1.0 if s & 2 or not pattern & 2 else -1.0
    return first * second
