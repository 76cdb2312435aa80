"""Cross-entropies of single logistic networks, from tables of e^z for a few weights at a time.

A logit z is a sum over the weights and the bias. With its sign changed for samples of the second class, the
cross-entropy of a sample is log(1 + e^z), and e^z a product with one factor for each chunk of a few bits, which is read
from a table. No network needs an exponential of its own, and one logarithm serves for all samples. The cost of a
network does not depend on the networks that are computed with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.compiled import compiled
from qhn.problem.log_products import full_after, take_exponents
from qhn.problem.samples import Samples
from qhn.problem.search_space import SearchSpace

LARGEST = 300.0  # the largest |z|: e^300 is far from an overflow
TABLE = 2**18  # numbers in the tables: 2 MiB, which stay in a core's cache
MAX_BITS = 8  # bits of a chunk
LANES = 16  # samples whose products are taken side by side


@dataclass(frozen=True)
class LogisticLosses:
    """The cross-entropies of logistic networks on a data set, prepared as tables of exponentials.

    Attributes:
        num_qubits: the number of bits of a network.
        total: the sum of the weights of all samples.
        choice_qubits: the qubits of the choices of a network, the first of them least significant in its number.
        qubits: the qubits of each chunk, filled up with −1, ``[chunks, bits]``.
        tables: what the bits of a chunk contribute to e^z as a factor, ``[choices, chunks, 2**bits, samples]``, where
            samples of the same weight are neighbours, followed by as many of e^z = 0 as make their number a multiple of
            16.
        is_full: after which 16 samples the exponents of products are taken off.
        weights: the different weights of samples, ``[weights]``.
        edges: the numbers of 16 samples before those of each weight, and of all, ``[weights + 1]``.
    """

    num_qubits: int
    total: float
    choice_qubits: tuple[int, ...]
    qubits: Integers
    tables: Floats
    is_full: NDArray[np.bool_]
    weights: Floats
    edges: Integers

    @classmethod
    def of(cls, space: SearchSpace, samples: Samples) -> LogisticLosses | None:
        """The losses on samples, or None where networks have hidden layers, several outputs or large logits.

        Args:
            space: the family of networks.
            samples: the samples of two classes.

        >>> samples = Samples.of(np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([0.0, 1.0]))
        >>> LogisticLosses.of(SearchSpace(2), samples).means(np.array([[1, 0, 1]], dtype=np.uint8)).round(6)
        array([0.349931])
        """
        if space.layers or space.num_classes > 2 or not len(samples):
            return None
        largest = space.largest_logits(samples.x)
        if largest.max() > LARGEST:
            return None
        sizes = [-(-len(places) // LANES) for _, places in samples.groups]
        edges = np.cumsum([0, *sizes])
        is_sample = np.zeros(LANES * edges[-1], dtype=bool)
        for start, (_, places) in zip(edges, samples.groups, strict=False):
            is_sample[LANES * start : LANES * start + len(places)] = True
        order = np.concatenate([places for _, places in samples.groups])
        factors = np.ones((len(is_sample), space.num_inputs + 1))
        factors[is_sample, :-1] = samples.x[order]
        factors[is_sample] *= (1.0 - 2.0 * samples.y[order])[:, None]
        qubits = [group[0] for group in space.additive_groups() or []]  # of the weights, then of the bias
        num_choices = 2 ** len(space.choice_qubits)
        chunks = _chunks(len(qubits), TABLE // (num_choices * len(factors)))
        tables = np.empty((num_choices, len(chunks), 2 ** chunks.shape[1], len(factors)))
        for choice in range(num_choices):
            ends = np.stack([_weights(space, choice, bit) for bit in (0, 1)])
            for chunk, columns in enumerate(chunks):
                tables[choice, chunk] = np.exp(_logits(factors, ends, columns[columns >= 0], chunks.shape[1]))
        tables[..., ~is_sample] = 0.0
        bounds = np.zeros(len(factors))
        bounds[is_sample] = largest[order] + np.log(2.0)
        bounds = bounds.reshape(-1, LANES).max(axis=1)
        is_full = np.concatenate([full_after(bounds[start:stop]) for start, stop in pairwise(edges)])
        named = np.where(chunks < 0, -1, np.array(qubits)[chunks])
        weights = np.array([weight for weight, _ in samples.groups])
        return cls(space.num_qubits, samples.total, space.choice_qubits, named, tables, is_full, weights, edges)

    def means(self, bits: Bits) -> Floats:
        """The mean cross-entropy of each network over the samples: bits ``[B, num_qubits]`` → ``[B]``."""
        choices = np.zeros(len(bits), dtype=np.int64)
        for place, qubit in enumerate(self.choice_qubits):
            choices += bits[:, qubit].astype(np.int64) << place
        sums = np.empty(len(bits))
        samples = self.tables, self.is_full, self.weights, self.edges
        _add_logarithms(np.ascontiguousarray(bits), choices, self.qubits, *samples, sums)
        return sums / self.total


def _chunks(num_bits: int, most: int) -> Integers:
    """Numbers of bits in chunks whose patterns are no more than ``most`` in all, if possible: ``[chunks, bits]``.

    The last chunk is filled up with −1.
    """
    sizes = [size for size in range(1, min(MAX_BITS, num_bits) + 1) if 2**size * -(-num_bits // size) <= most]
    size = max(sizes, default=1)
    chunks = np.full((-(-num_bits // size), size), -1)
    chunks.ravel()[:num_bits] = np.arange(num_bits)
    return chunks


def _weights(space: SearchSpace, choice: int, bit: int) -> Floats:
    """The weights and the bias of the network of one choice all of whose other bits are equal: ``[num_inputs + 1]``."""
    bits = np.full(space.num_qubits, bit, dtype=np.uint8)
    bits[list(space.choice_qubits)] = bitstrings.from_integers(choice, len(space.choice_qubits))
    network = space.decode(bits)
    return np.append(network.weights[0][:, 0], network.biases[0])


def _logits(factors: Floats, ends: Floats, columns: Integers, num_bits: int) -> Floats:
    """What the weights of a chunk contribute to the logits for each pattern of its bits: ``[2**num_bits, samples]``.

    Args:
        factors: the features of the samples and a one for the bias, ``[samples, num_inputs + 1]``.
        ends: the weights whose bits are 0 and those whose bits are 1, ``[2, num_inputs + 1]``.
        columns: the columns of ``factors`` to which the bits of the chunk belong.
        num_bits: the number of bits of a pattern; those beyond the chunk's change nothing.
    """
    patterns = bitstrings.from_integers(np.arange(2**num_bits), num_bits)[:, : len(columns)]
    weights = np.where(patterns, ends[1, columns], ends[0, columns])
    logits: Floats = weights @ factors[:, columns].T
    return logits


@compiled
def _add_logarithms(bits, choices, qubits, tables, is_full, weights, edges, sums):
    """Write Σ w log(1 + e^z) of each network into ``sums``."""
    num_chunks, num_bits = qubits.shape
    exponentials, names = np.empty(tables.shape[3]), np.zeros(num_chunks, dtype=np.int64)
    products, exponents = np.empty(LANES), np.empty(LANES, dtype=np.int64)
    for network in range(len(bits)):
        table = tables[choices[network]]
        for chunk in range(num_chunks):
            names[chunk] = 0
            for bit in range(num_bits):
                if qubits[chunk, bit] >= 0:
                    names[chunk] |= np.int64(bits[network, qubits[chunk, bit]]) << bit
        exponentials[:] = table[0, names[0]]
        chunk = 1
        while chunk + 4 <= num_chunks:
            a, b = table[chunk, names[chunk]], table[chunk + 1, names[chunk + 1]]
            c, d = table[chunk + 2, names[chunk + 2]], table[chunk + 3, names[chunk + 3]]
            for s in range(exponentials.size):
                exponentials[s] *= (a[s] * b[s]) * (c[s] * d[s])
            chunk += 4
        for rest in range(chunk, num_chunks):
            exponentials *= table[rest, names[rest]]
        sums[network] = 0.0
        for group in range(len(weights)):
            products[:] = 1.0
            exponents[:] = 0
            for block in range(edges[group], edges[group + 1]):
                for lane in range(LANES):
                    products[lane] *= 1.0 + exponentials[block * LANES + lane]
                if is_full[block]:
                    take_exponents(products.view(np.int64), exponents)
            sums[network] += weights[group] * (np.log(products.prod()) + np.log(2.0) * exponents.sum())
