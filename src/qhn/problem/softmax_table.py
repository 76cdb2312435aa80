"""The costs C of all networks of several outputs without a hidden layer, from the contributions of two sets of outputs.

Each output has bits of its own, and the sum of the exponentials of all logits is a sum P + Q over two sets of outputs,
one read from a table of the patterns of the bits of the first set, the other from a table of those of the second. So no
network needs an exponential of its own. The cross-entropy of a sample of class y is log(P + Q) − z_y; logarithms are
taken of products of all samples. With p_c = e^(z_c)/(P + Q) its squared error is Σ_c p_c² − 2 p_y + 1, where the
sums of squares, too, are sums over both sets.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qhn import bitstrings
from qhn.arrays import Floats
from qhn.compiled import compiled
from qhn.problem.log_products import TOGETHER, blocks_of, take_exponents
from qhn.problem.samples import Samples
from qhn.problem.search_space import SearchSpace
from qhn.threads import in_parallel, num_cores

LARGEST = 200.0  # the largest |z|: factors are up to e^(2·200) times the number of classes
TABLE = 2**18  # numbers in the table of the first set for a part of the samples: 2 MiB, which stay in a core's cache
SAMPLES = 64  # the fewest samples of a part
ROWS = 64  # patterns of the first set that one thread takes at a time


def table_of_softmax_costs(space: SearchSpace, samples: Samples, loss: str) -> Floats | None:
    """The costs C of all bitstrings, ``[2**num_qubits]``, qubit 0 least significant; None with hidden layers.

    None is also returned if logits are too large.

    Args:
        space: a family of networks of more than two classes.
        samples: the samples and their weights.
        loss: name of the loss, ``"mse"`` or ``"cross-entropy"``.
    """
    largest = space.largest_logits(samples.x)
    outputs = space.output_groups()
    if outputs is None or largest.max() > LARGEST:
        return None
    half = (len(outputs) + 1) // 2
    sets = [range(half), range(half, len(outputs))]
    rows, columns = (bitstrings.on_qubits([q for output in found for q in outputs[output]]) for found in sets)
    costs = np.empty(2**space.num_qubits)
    for choice in bitstrings.on_qubits(space.choice_qubits):
        sums = np.zeros((len(rows), len(columns)))
        for weight, places in samples.groups:
            step = max(SAMPLES, TABLE // len(rows))
            for start in range(0, len(places), step):
                part = places[start : start + step]
                logits = [_logits(space, qubits, c, int(choice), samples.x[part]) for c, qubits in enumerate(outputs)]
                first, second = (
                    Exponentials.of([logits[c] for c in found], samples.y[part] - found[0]) for found in sets
                )
                of_part = _squares(first, second) if loss == "mse" else _cross_entropies(first, second, largest[part])
                sums += weight * of_part
        costs[(rows[:, None] + columns + choice).ravel()] = sums.ravel() / samples.total
    return costs


@dataclass(frozen=True)
class Exponentials:
    """What a set of outputs contributes to the losses of samples, for each pattern of its bits.

    Attributes:
        sums: the sums of e^z over the outputs, ``[patterns, samples]``.
        squares: the sums of e^(2z), ``[patterns, samples]``.
        right: e^z of the output of the sample's class, 0 where it is in the other set, ``[patterns, samples]``.
        logits: z of the output of the sample's class, summed over samples, ``[patterns]``.
    """

    sums: Floats
    squares: Floats
    right: Floats
    logits: Floats

    @classmethod
    def of(cls, logits: list[Floats], y: Floats) -> Exponentials:
        """The contributions of some outputs.

        Args:
            logits: the logit of each output for each pattern of its bits, ``[patterns, samples]`` each.
            y: the place of each sample's class among the outputs, ``[samples]``.
        """
        sums, squares, right = np.zeros((3, 1, len(y)))
        totals = np.zeros(1)
        for output, z in enumerate(logits):
            e, is_right = np.exp(z), y == output
            sums, squares, right = (
                (new[:, None] + known).reshape(-1, len(y))
                for new, known in ((e, sums), (e * e, squares), (e * is_right, right))
            )
            totals = (z @ is_right.astype(np.float64))[:, None] + totals
            totals = totals.ravel()
        return cls(sums, squares, right, totals)


def _logits(space: SearchSpace, qubits: tuple[int, ...], output: int, choice: int, x: Floats) -> Floats:
    """The logit of one output for each pattern of its bits: ``[patterns, samples]``."""
    names = bitstrings.on_qubits(qubits) + choice
    return np.ascontiguousarray(space.forward(bitstrings.from_integers(names, space.num_qubits), x)[..., output])


def _squares(first: Exponentials, second: Exponentials) -> Floats:
    """The sums of squared errors of all networks over some samples: ``[patterns, patterns]``."""
    sums = np.full((len(first.sums), len(second.sums)), float(first.sums.shape[1]))

    def add(rows: slice) -> None:
        _add_squares(
            *(first.sums[rows], first.squares[rows], first.right[rows]),
            *(second.sums, second.squares, second.right, sums[rows]),
        )

    in_parallel(add, _slices(len(sums)), num_cores())
    return sums


def _cross_entropies(first: Exponentials, second: Exponentials, largest: Floats) -> Floats:
    """The sums of cross-entropies of all networks over some samples: ``[patterns, patterns]``.

    Args:
        first: the contributions of the first set of outputs.
        second: the contributions of the second set of outputs.
        largest: a bound of the magnitude of the logits, ``[samples]``.
    """
    raised = np.exp(largest)  # so that no factor is below 1
    p, q = first.sums * raised, np.ascontiguousarray((second.sums * raised).T)
    edges, is_full = blocks_of(np.log(p.max(axis=0) + q.max(axis=1)))
    sums = np.empty((len(p), q.shape[1]))

    def multiply(rows: slice) -> None:
        products = np.ones(sums[rows].shape)
        exponents = np.zeros(products.shape, dtype=np.int64)
        _multiply(p[rows], q, edges, is_full, products, exponents)
        sums[rows] = np.log(products) + np.log(2.0) * exponents

    in_parallel(multiply, _slices(len(sums)), num_cores())
    sums -= largest.sum()
    sums -= first.logits[:, None] + second.logits
    return sums


def _slices(count: int) -> list[slice]:
    """The slices into which patterns are divided."""
    return [slice(start, start + ROWS) for start in range(0, count, ROWS)]


@compiled
def _add_squares(p, p_squares, p_right, q, q_squares, q_right, sums):
    """Add Σ_c p_c² − 2 p_y to ``sums`` for sums P and Q of exponentials, sums of squares, and those of class y."""
    for i in range(p.shape[0]):
        for j in range(q.shape[0]):
            total = 0.0
            for s in range(p.shape[1]):
                scale = 1.0 / (p[i, s] + q[j, s])
                squares, right = p_squares[i, s] + q_squares[j, s], p_right[i, s] + q_right[j, s]
                total += (squares * scale - 2.0 * right) * scale
            sums[i, j] += total


@compiled
def _multiply(p, q, edges, is_full, products, exponents):
    """Multiply ``products`` by P + Q, where ``p`` has samples as columns, and ``q`` as rows."""
    for i in range(p.shape[0]):
        row = products[i]
        for block in range(len(is_full)):
            s = edges[block]
            if edges[block + 1] - s == TOGETHER:
                a, b, c, d = p[i, s], p[i, s + 1], p[i, s + 2], p[i, s + 3]
                e, f, g, h = q[s], q[s + 1], q[s + 2], q[s + 3]
                for j in range(row.size):
                    row[j] *= (a + e[j]) * (b + f[j]) * ((c + g[j]) * (d + h[j]))
            else:
                for one in range(s, edges[block + 1]):
                    for j in range(row.size):
                        row[j] *= p[i, one] + q[one, j]
            if is_full[block]:
                take_exponents(row.view(np.int64), exponents[i])
