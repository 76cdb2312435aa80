"""A chain of qubits as a row of pairs: the state as a matrix product, and the slopes of a function with its angles.

Half of the bonds of the chain are crossed by one brick fewer than the others: layers − 1 times. Cut there, every time,
the chain is a row of pairs of qubits. As each crossing is a sum of two products (:mod:`qhn.exact.cut`), the state is

    ψ[s_1, s_2, …] = A_1[s_1] A_2[s_2] … ,   s_k = 0 … 3 the two bits of pair k, s = first bit + 2·second bit,

with matrices of D = 2^(layers − 1) rows and columns, one for each choice at every crossing of a cut: the matrix product
state of the circuit, exactly. Its entries are amplitudes of two qubits with gates of their own, so that the slopes of
any function with the entries become those with the angles gate by gate, backwards through the gates of each pair.

The trailing CX brick of the circuit, which only relabels bits, is left out: the bits of the pairs are those before
:meth:`qhn.circuit.hypernetwork.Hypernetwork.relabel`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Bits, Complexes, Floats, Integers
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.compiled import compiled
from qhn.errors import QhnError
from qhn.exact.cut import Op, num_crossings

MAX_NUMBERS = 2**23  # numbers in the matrices of one row of angles: 128 MiB, and as much for what is made of them
RY, RZ, CX, COPY, FLIP = (int(op) for op in (Op.RY, Op.RZ, Op.CX, Op.COPY, Op.FLIP))


class Pairs:
    """The pairs of qubits of an ansatz, whose state is a matrix product.

    Args:
        ansatz: the circuit.

    Attributes:
        first: the first qubit of the first pair; −1 if that pair has only a second one. Qubits beyond the ends of the
            chain stay 0.
        num_pairs: number of pairs.
        bond_dimension: bond dimension D of the matrix product state.

    Raises:
        ValueError: if the circuit is too deep for its number of qubits.
    """

    def __init__(self, ansatz: Hypernetwork) -> None:
        self.ansatz = ansatz
        self.first = 0 if ansatz.order == "authors" else -1
        self.num_pairs = (ansatz.num_qubits - self.first + 1) // 2
        self.bond_dimension = 2 ** num_crossings(ansatz, self.first + 2)
        if self.num_pairs * 4 * self.bond_dimension**2 > MAX_NUMBERS:
            raise QhnError(
                f"{ansatz.num_qubits} qubits and {ansatz.num_layers} layers make matrix products of bond dimension "
                f"{self.bond_dimension:,}, with more than 2^{MAX_NUMBERS.bit_length() - 1} numbers; use fewer layers, "
                "or backend aer-mps"
            )
        self._ops, self._starts = self._program()

    def matrices(self, theta: Floats) -> Complexes:
        """The matrices A[s] of all pairs at ``theta[num_parameters]``: ``[pairs, 4, D, D]``."""
        size = self.bond_dimension
        matrices = np.zeros((self.num_pairs, 4, size, size), dtype=np.complex128)
        _fill_matrices(self._ops, self._starts, theta, matrices)
        return matrices

    def pull_back(self, matrices: Complexes, slopes: Complexes, theta: Floats) -> Floats:
        """The slopes of a real function with the angles ``[num_parameters]``, from those with the matrices.

        Args:
            matrices: the matrices at ``theta``, which are overwritten.
            slopes: the slopes S of the function with them, dE = Re Σ S·dA, in their shape; they are overwritten.
            theta: angles in radians, ``[num_parameters]``.
        """
        grad = np.zeros_like(theta)
        _pull_back(self._ops, self._starts, theta, matrices, slopes, grad)
        return grad

    def place(self, qubit: int) -> tuple[int, int]:
        """The pair of a qubit, and its place in it: 0 or 1."""
        return divmod(qubit - self.first, 2)

    def bits(self, pairs: NDArray[np.uint8]) -> Bits:
        """Convert the numbers 0 … 3 of pairs of bits to bits: ``[pairs, shots]`` → ``[shots, num_qubits]``.

        The bits of a qubit are consecutive in memory.
        """
        bits = np.empty((2 * len(pairs), pairs.shape[1]), dtype=np.uint8)
        bits[::2], bits[1::2] = pairs & 1, pairs >> 1
        return bits[-self.first :][: self.ansatz.num_qubits].T

    def numbers(self, bits: Bits) -> NDArray[np.uint8]:
        """Convert bits to the numbers 0 … 3 of pairs of bits: ``[shots, num_qubits]`` → ``[pairs, shots]``."""
        padded = np.zeros((2 * self.num_pairs, len(bits)), dtype=np.uint8)
        padded[-self.first :][: self.ansatz.num_qubits] = bits.T
        padded[::2] |= padded[1::2] << 1
        return np.ascontiguousarray(padded[::2])

    def _program(self) -> tuple[Integers, Integers]:
        """The ops ``[num_ops, 3]`` of all pairs, and the index at which those of each pair begin.

        An op names a qubit of its pair by its bit, 1 or 2, and an angle of θ. Only a first qubit is the target of a
        crossing, and only a second one its control.
        """
        ops: list[list[tuple[int, int, int]]] = [[] for _ in range(self.num_pairs)]
        for gate in self.ansatz.gates(prune=True, fold=True):
            places = [self.place(qubit) for qubit in gate.qubits]
            if gate.angle is not None:
                (pair, second), kind = places[0], RY if gate.name == "ry" else RZ
                ops[pair].append((kind, 1 << second, gate.angle))
            elif places[0][0] == places[1][0]:
                ops[places[0][0]].append((CX, 0, 0))
            else:
                ops[places[0][0]].append((COPY, 0, 0))
                ops[places[1][0]].append((FLIP, 0, 0))
        starts = np.cumsum([0, *map(len, ops)], dtype=np.int64)
        return np.array([op for pair in ops for op in pair], dtype=np.int64).reshape(-1, 3), starts


@compiled
def _fill_matrices(ops, starts, theta, matrices):
    """Compute the amplitudes of each pair, for all choices at its crossings to the left and to the right.

    Args:
        ops: the ops of all pairs, ``[num_ops, 3]``.
        starts: the index in ``ops`` at which those of each pair begin.
        theta: angles in radians, ``[num_parameters]``.
        matrices: zeros ``[pairs, 4, D, D]``, replaced by the matrices A[s].
    """
    for k in range(len(matrices)):
        a = matrices[k]
        a[0, 0, 0] = 1.0
        left, right = 1, 1
        for kind, bit, angle in ops[starts[k] : starts[k + 1]]:
            if kind == RY:
                c, s = np.cos(0.5 * theta[angle]), np.sin(0.5 * theta[angle])
                for low in (0, 3 - bit):
                    for i in range(left):
                        for j in range(right):
                            x, y = a[low, i, j], a[low + bit, i, j]
                            a[low, i, j] = c * x - s * y
                            a[low + bit, i, j] = s * x + c * y
            elif kind == RZ:  # diag(1, e^{iθ}), but for a global phase
                phase = complex(np.cos(theta[angle]), np.sin(theta[angle]))
                for low in (0, 3 - bit):
                    for i in range(left):
                        for j in range(right):
                            a[low + bit, i, j] *= phase
            elif kind == CX:
                for i in range(left):
                    for j in range(right):
                        a[1, i, j], a[3, i, j] = a[3, i, j], a[1, i, j]
            elif kind == COPY:  # the second bit is 0, or 1
                for s in (2, 3):
                    for i in range(left):
                        for j in range(right):
                            a[s, i, right + j] = a[s, i, j]
                            a[s, i, j] = 0.0
                right *= 2
            else:  # the first bit stays, or is flipped
                for s in range(4):
                    for i in range(left):
                        for j in range(right):
                            a[s, left + i, j] = a[s ^ 1, i, j]
                left *= 2


@compiled
def _pull_back(ops, starts, theta, matrices, slopes, grad):
    """Undo the gates of each pair, on its amplitudes and on the slopes with them; add up the slopes with the angles.

    Args:
        ops: the ops of all pairs, ``[num_ops, 3]``.
        starts: the index in ``ops`` at which those of each pair begin.
        theta: angles in radians, ``[num_parameters]``.
        matrices: the matrices A[s] of all pairs, ``[pairs, 4, D, D]``, overwritten.
        slopes: the slopes S with the matrices, dE = Re Σ S·dA, in their shape, overwritten.
        grad: zeros ``[num_parameters]``, replaced by the slopes with the angles.
    """
    for k in range(len(matrices)):
        a, g = matrices[k], slopes[k]
        left = right = 1
        for kind, _, _ in ops[starts[k] : starts[k + 1]]:
            left *= 2 if kind == FLIP else 1
            right *= 2 if kind == COPY else 1
        for n in range(starts[k + 1] - 1, starts[k] - 1, -1):
            kind, bit, angle = ops[n]
            if kind == RY:
                c, s = np.cos(0.5 * theta[angle]), np.sin(0.5 * theta[angle])
                for low in (0, 3 - bit):
                    for i in range(left):
                        for j in range(right):
                            x, y = a[low, i, j], a[low + bit, i, j]
                            u, v = g[low, i, j], g[low + bit, i, j]
                            grad[angle] += 0.5 * (v * x - u * y).real
                            a[low, i, j] = c * x + s * y
                            a[low + bit, i, j] = c * y - s * x
                            g[low, i, j] = c * u + s * v
                            g[low + bit, i, j] = c * v - s * u
            elif kind == RZ:
                phase = complex(np.cos(theta[angle]), np.sin(theta[angle]))
                for low in (0, 3 - bit):
                    for i in range(left):
                        for j in range(right):
                            grad[angle] -= (g[low + bit, i, j] * a[low + bit, i, j]).imag
                            a[low + bit, i, j] *= np.conj(phase)
                            g[low + bit, i, j] *= phase
            elif kind == CX:
                for i in range(left):
                    for j in range(right):
                        a[1, i, j], a[3, i, j] = a[3, i, j], a[1, i, j]
                        g[1, i, j], g[3, i, j] = g[3, i, j], g[1, i, j]
            elif kind == COPY:
                right //= 2
                for s in (2, 3):
                    for i in range(left):
                        for j in range(right):
                            a[s, i, j] = a[s, i, right + j]
                            g[s, i, j] = g[s, i, right + j]
            else:
                left //= 2
                for s in range(4):
                    for i in range(left):
                        for j in range(right):
                            g[s, i, j] += g[s ^ 1, left + i, j]
