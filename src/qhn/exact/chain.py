"""The state of a long chain as a matrix product, without truncation: shots and probabilities at hundreds of qubits.

The state is a product of matrices A[s], one for the two bits s of each pair of qubits (:mod:`qhn.exact.pairs`). Let v
be the product of the matrices of the bits drawn so far. The probability of the next two bits is a quadratic form of v,
p(s) = v F[s] v†, with F[s] = A[s] E A[s]† and E the sum of F over the bits of the next pair, from the end of the chain.
A pair costs about 10·D² multiplications per shot, and shots advance side by side.

These sums do not lose digits where it matters: a cut's control side is a measurement, so that Σ |v|² over all bits to
its left is 1, and rounding changes the distribution by no more than some 10⁻¹⁶·D a cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.compiled import compiled
from qhn.errors import QhnError
from qhn.exact.cut import check_chain
from qhn.exact.pairs import Pairs
from qhn.exact.protocol import check_thetas
from qhn.threads import check_threads, in_parallel

SMALL = 8  # bond dimensions up to which plain loops multiply matrices faster than linear algebra
BLOCK = 1024  # shots that advance side by side
BEAM = 64  # beginnings of bitstrings that the search for the most probable one keeps


class Chain:
    """The distribution p(bits) = |⟨bits|U(θ)|0⟩|² of an ansatz of many qubits and few layers, to draw from.

    Args:
        ansatz: the circuit.
        num_threads: number of threads to use, by default the number of cores; results do not depend on it.

    Attributes:
        pairs: the pairs of qubits, with the matrices of the matrix product state.
        bond_dimension: bond dimension D of the matrix product state.

    Raises:
        ValueError: if the circuit is no hypernetwork, or too deep for its number of qubits.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> chain = Chain(hypernetwork(100, 2))
    >>> theta = np.zeros((1, chain.ansatz.num_parameters))
    >>> theta[0, 1] = np.pi  # RY on qubit 1, in the first block; CX gates pass its bit on
    >>> bits = chain.sample(theta, 3, np.random.default_rng(1))
    >>> bits.shape, bitstrings.text(bits[0, 0, :8])
    ((1, 3, 100), '01011100')
    >>> chain.log_probabilities(theta, bits).round(12)
    array([[0., 0., 0.]])
    """

    def __init__(self, ansatz: Hypernetwork, *, num_threads: int | None = None) -> None:
        check_chain(ansatz)
        self.ansatz = ansatz
        self.num_threads = check_threads(num_threads)
        self.pairs = Pairs(ansatz)
        self.bond_dimension = self.pairs.bond_dimension

    @property
    def method(self) -> str:
        """The method of computation in words."""
        return f"matrix product state, bond dimension {self.bond_dimension}"

    def sample(self, thetas: ArrayLike, shots: int, rng: np.random.Generator) -> Bits:
        """Draw measured bits: ``[B, num_parameters]`` → ``uint8[B, shots, num_qubits]``.

        Each row of angles has its own stream of random numbers.

        Raises:
            ValueError: if ``thetas`` has a wrong shape.
        """
        rows = check_thetas(thetas, self.ansatz)
        streams = rng.spawn(len(rows))
        result = np.empty((len(rows), shots, self.ansatz.num_qubits), dtype=np.uint8)

        def draw(row: int) -> None:
            matrices = self.pairs.matrices(rows[row])
            forms = np.empty_like(matrices)
            _fill_forms(matrices, forms)
            for start in range(0, shots, BLOCK):
                uniforms = streams[row].random((self.pairs.num_pairs, min(BLOCK, shots - start)))
                pairs = np.empty(uniforms.shape, dtype=np.uint8)
                _draw(matrices, forms, uniforms, pairs)
                result[row, start : start + BLOCK] = self.ansatz.relabel(self.pairs.bits(pairs))

        in_parallel(draw, range(len(rows)), self.num_threads)
        return result

    def log_probabilities(self, thetas: ArrayLike, bits: Bits) -> Floats:
        """The logarithm ln p of bitstrings ``[B, shots, num_qubits]`` at ``thetas[B, num_parameters]``: ``[B, shots]``.

        Its mean over bits drawn from the distribution, divided by −ln 2, estimates the entropy in bits.

        Raises:
            ValueError: if ``thetas`` or ``bits`` has a wrong shape, or a bit is neither 0 nor 1.
        """
        rows = check_thetas(thetas, self.ansatz)
        strings = bitstrings.as_bits(bits, self.ansatz.num_qubits)
        if strings.ndim != 3 or len(strings) != len(rows):
            raise QhnError(
                f"bits must have shape [{len(rows)}, shots, {self.ansatz.num_qubits}], got {list(strings.shape)}"
            )
        result = np.empty(strings.shape[:2])

        def fill(row: int) -> None:
            matrices = self.pairs.matrices(rows[row])
            for start in range(0, strings.shape[1], BLOCK):
                block = slice(start, start + BLOCK)
                folded = self.ansatz.relabel(strings[row, block])  # the folded brick is its own inverse
                _add_up(matrices, self.pairs.numbers(folded), result[row, block])

        in_parallel(fill, range(len(rows)), self.num_threads)
        return result

    def most_probable(self, theta: ArrayLike) -> tuple[Bits, float]:
        """The most probable bitstring ``[num_qubits]`` that a beam search finds, and the logarithm ln p of it.

        From the left end on, only the most probable beginnings are kept, 64 of them. So the bitstring is the most
        probable one of all where correlations are short or the distribution is narrow; the search does not prove it.

        Args:
            theta: angles in radians, ``[num_parameters]``.

        Raises:
            ValueError: if ``theta`` has a wrong shape.
        """
        matrices = self.pairs.matrices(check_thetas(np.asarray(theta)[None], self.ansatz)[0])
        forms = np.empty_like(matrices)
        _fill_forms(matrices, forms)
        v = np.zeros((1, self.bond_dimension), dtype=np.complex128)
        v[0, 0] = 1.0
        logs, beam = np.zeros(1), np.empty((1, 0), dtype=np.uint8)
        for form, matrix in zip(forms, matrices, strict=True):
            weights = np.maximum(((v @ form) * v.conj()).real.sum(axis=2), 0.0)  # [4, beam]
            with np.errstate(divide="ignore"):
                ahead = np.log(weights) + logs
            best = np.argsort(-ahead, axis=None, kind="stable")[:BEAM]
            drawn, parents = np.divmod(best[np.isfinite(ahead.flat[best])], len(v))
            v = np.einsum("bi,bij->bj", v[parents], matrix[drawn]) / np.sqrt(weights[drawn, parents])[:, None]
            logs = ahead[drawn, parents]
            beam = np.concatenate([beam[parents], drawn[:, None].astype(np.uint8)], axis=1)
        return self.ansatz.relabel(self.pairs.bits(beam[:1].T))[0], float(logs[0])


# ---------------------------------------------------------------- the loops; s = first bit + 2·second bit


@compiled
def _fill_forms(matrices, forms):
    """Compute F[s] = A[s] E A[s]† from the last pair to the first; both arrays are ``[pairs, 4, D, D]``."""
    size = matrices.shape[2]
    ahead = np.zeros((size, size), dtype=np.complex128)
    ahead[0, 0] = 1.0
    for k in range(len(matrices) - 1, -1, -1):
        for s in range(4):
            if size <= SMALL:
                _enclose(matrices[k, s], ahead, forms[k, s])
            else:
                adjoint = np.ascontiguousarray(matrices[k, s].T).conj()
                np.dot(matrices[k, s] @ ahead, adjoint, forms[k, s])
        ahead = forms[k, 0] + forms[k, 1] + forms[k, 2] + forms[k, 3]


@compiled
def _enclose(a, ahead, form):
    """Compute A E A† for small matrices, for which calls of linear algebra take longer."""
    size = len(a)
    row = np.empty(size, dtype=np.complex128)
    for i in range(size):
        for k in range(size):
            row[k] = 0.0
            for m in range(size):
                row[k] += a[i, m] * ahead[m, k]
        for j in range(size):
            total = complex(0.0)
            for k in range(size):
                total += row[k] * np.conj(a[j, k])
            form[i, j] = total


@compiled
def _draw(matrices, forms, uniforms, pairs):
    """Draw pair after pair of all shots, ``[pairs, shots]``, from uniform numbers in [0, 1) of the same shape."""
    size, shots = matrices.shape[2], pairs.shape[1]
    v, w = np.zeros((2, size, shots)), np.empty((2, size, shots))
    v[0, 0] = 1.0
    probabilities, scale = np.empty((4, shots)), np.empty(shots)
    for k in range(len(matrices)):
        _weigh(forms[k], v, probabilities)
        _choose(probabilities, uniforms[k], pairs[k], scale)
        _advance(matrices[k], pairs[k], scale, v, w)
        v, w = w, v


@compiled
def _choose(probabilities, uniforms, pair, scale):
    """Draw the next pair of bits of each shot.

    Choices between two numbers, unlike a look-up of one of four, become vector instructions.

    Args:
        probabilities: the probabilities of the four pairs of bits, but for a factor, ``[4, shots]``.
        uniforms: a uniform number in [0, 1) for each shot.
        pair: the drawn pairs, filled here.
        scale: one over the root of the probability of the drawn pair, filled here.
    """
    for n in range(pair.size):
        a, b, c, d = probabilities[0, n], probabilities[1, n], probabilities[2, n], probabilities[3, n]
        first = max(a, 0.0)
        second = first + max(b, 0.0)
        third = second + max(c, 0.0)
        target = uniforms[n] * (third + max(d, 0.0))
        pair[n] = np.uint8(target >= first) + np.uint8(target >= second) + np.uint8(target >= third)
        chosen = (a if target < first else b) if target < second else (c if target < third else d)
        scale[n] = 1.0 / np.sqrt(chosen)


@compiled
def _weigh(form, v, probabilities):
    """Compute the probabilities v F[s] v† of each shot: ``[4, shots]``."""
    size, shots = v.shape[1:]
    probabilities[:] = 0.0
    for i in range(size):
        for j in range(i + 1):
            factor = 1.0 if i == j else 2.0
            a, b, c, d = factor * form[0, i, j], factor * form[1, i, j], factor * form[2, i, j], factor * form[3, i, j]
            for n in range(shots):
                even = v[0, i, n] * v[0, j, n] + v[1, i, n] * v[1, j, n]
                odd = v[0, i, n] * v[1, j, n] - v[1, i, n] * v[0, j, n]
                probabilities[0, n] += a.real * even + a.imag * odd
                probabilities[1, n] += b.real * even + b.imag * odd
                probabilities[2, n] += c.real * even + c.imag * odd
                probabilities[3, n] += d.real * even + d.imag * odd


@compiled
def _advance(matrix, pair, scale, v, w):
    """Compute w = scale·v A[s] with the drawn s of each shot.

    Choosing among four numbers is faster than looking one up.
    """
    size, shots = v.shape[1:]
    for j in range(size):
        w[0, j] = 0.0
        w[1, j] = 0.0
        for i in range(size):
            a, b, c, d = matrix[0, i, j], matrix[1, i, j], matrix[2, i, j], matrix[3, i, j]
            for n in range(shots):
                s = pair[n]
                even_real, even_imag = a.real if s < 2 else c.real, a.imag if s < 2 else c.imag
                odd_real, odd_imag = b.real if s < 2 else d.real, b.imag if s < 2 else d.imag
                real, imag = odd_real if s & 1 else even_real, odd_imag if s & 1 else even_imag
                w[0, j, n] += real * v[0, i, n] - imag * v[1, i, n]
                w[1, j, n] += real * v[1, i, n] + imag * v[0, i, n]
        for n in range(shots):
            w[0, j, n] *= scale[n]
            w[1, j, n] *= scale[n]


@compiled
def _add_up(matrices, pairs, logs):
    """Add ln |A_1[s_1] A_2[s_2] …|² of the bits ``[pairs, shots]`` of each shot to ``logs[shots]``."""
    size, shots = matrices.shape[2], pairs.shape[1]
    v, w = np.zeros((2, size, shots)), np.empty((2, size, shots))
    v[0, 0] = 1.0
    scale = np.ones(shots)
    logs[:] = 0.0
    for k in range(len(matrices)):
        _advance(matrices[k], pairs[k], scale, v, w)
        v, w = w, v
        for n in range(shots):
            square = 0.0
            for i in range(size):
                square += v[0, i, n] * v[0, i, n] + v[1, i, n] * v[1, i, n]
            logs[n] += np.log(square)
            scale[n] = 1.0 / np.sqrt(square) if square > 0.0 else 0.0
