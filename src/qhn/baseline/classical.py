"""Classical searches for the lowest C, counted in different bitstrings evaluated: what a circuit has to beat.

Every search proposes bitstrings in batches and learns their costs; a bitstring met again costs nothing. It goes on,
with restarts, until so many different bitstrings are known or all of them are. The first restarts come one after the
other; later ones advance together, a ninth of all so far at most (:func:`qhn.baseline.tally.rounds`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Bools, Floats
from qhn.baseline.straight_through import PASSES, straight_through
from qhn.baseline.tally import Spent, Tally, rounds
from qhn.baseline.tally import Trace as Trace
from qhn.errors import QhnError
from qhn.optimize.optimizer import Adam
from qhn.problem.cost import BinnProblem, Problem
from qhn.problem.evaluations import Evaluations
from qhn.seeds import Key, Purpose
from qhn.statistics import wilson

METHODS = ("random", "descent", "annealing", "cross-entropy", "product", "straight-through")
MAX_STEPS = 200  # steps of a search that follows a distribution
PILOT = 16  # random bitstrings whose costs set the temperatures of annealing
SWEEPS = 10  # flips per qubit that one annealing tries
COLDEST = 0.01  # last temperature of annealing, relative to the first
SHOTS = 16  # bitstrings per gradient of the product state
LEARNING_RATE = 0.2  # step of the product state's angles, in radians
ELITE, SMOOTHING = 0.2, 0.7  # share of a population that the next one is drawn after, and how closely


def methods_for(problem: Problem) -> tuple[str, ...]:
    """The names of the searches that a problem allows: ``straight-through`` takes networks with weights.

    >>> from qhn.problem.cost import TableProblem
    >>> methods_for(TableProblem([3.0, 1.0]))
    ('random', 'descent', 'annealing', 'cross-entropy', 'product')
    """
    return METHODS if isinstance(problem, BinnProblem) else tuple(_SEARCHES)


def passes(method: str) -> int:
    """The number of passes over the samples that a search takes for each different network.

    A pass forward through the network gives C. ``straight-through`` follows gradients, and a pass backward, which
    multiplies by the weights twice where the pass forward does once, takes two more. A network met again takes none:
    its cost and its gradient are what they were.

    >>> passes("descent"), passes("straight-through")
    (1, 3)
    """
    return PASSES if method == "straight-through" else 1


def search(problem: Problem, method: str, max_distinct: int, seed: int = 0, *, target: float = -np.inf) -> Trace:
    """Search for the lowest C with one of ``METHODS`` until ``max_distinct`` different bitstrings, or all, are known.

    It ends sooner if a C of at most ``target`` is found.

    ``random`` draws bitstrings without replacement up to 20 qubits. ``descent`` goes to the lowest neighbour by one
    flip until none is lower. ``annealing`` is Metropolis with one-flip proposals and temperatures falling geometrically
    from the spread of a few random costs. ``cross-entropy`` draws bits independently and moves their probabilities
    towards those of the best fifth. ``product`` trains the product state by gradients of its mean cost: *this is the
    hypernetwork without entanglement*, num_layers = 0, sampled. ``straight-through`` trains real weights behind the
    binary ones of a ``BinnProblem`` by gradients (:mod:`qhn.baseline.straight_through`).

    Raises:
        ValueError: if the method is unknown, ``max_distinct`` is below 1, or ``straight-through`` is asked of a problem
            other than a ``BinnProblem``.

    >>> from qhn.problem.cost import TableProblem
    >>> trace = search(TableProblem([3.0, 1.0, 4.0, 1.5]), "descent", max_distinct=4)
    >>> trace.best_cost, bitstrings.text(trace.bits), trace.distinct
    (1.0, '10', 4)
    """
    if method not in METHODS:
        raise QhnError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
    if max_distinct < 1:
        raise QhnError(f"max_distinct must be at least 1, got {max_distinct}")
    rng = Key(seed, Purpose.BASELINE, METHODS.index(method)).generator()
    tally = Tally(problem, max_distinct, rng, target)
    try:
        if method == "straight-through":
            if not isinstance(problem, BinnProblem):
                kind = type(problem).__name__
                raise QhnError(
                    f"straight-through trains the weights of networks, and this is a {kind}; use another method"
                )
            straight_through(problem, tally, rng)
        else:
            _SEARCHES[method](tally, rng)
    except Spent:
        pass
    return tally.trace(method)


@dataclass(frozen=True)
class Polished:
    """The end of a descent by one flip at a time.

    Attributes:
        bits: a bitstring without a lower neighbour, ``[num_qubits]``.
        cost: the cost C of ``bits``.
        distinct: number of different bitstrings that the descent evaluated and that were not known before.
    """

    bits: Bits
    cost: float
    distinct: int


def polish(problem: Problem, bits: ArrayLike) -> Polished:
    """Follow the steepest one-flip descent from a bitstring ``[num_qubits]`` to its end.

    Given :class:`~qhn.problem.evaluations.Evaluations` as the problem, it adds its evaluations to them, and computes no
    known cost again.

    >>> from qhn.problem.cost import TableProblem
    >>> polish(TableProblem([3.0, 1.0, 4.0, 1.5]), [0, 1])
    Polished(bits=array([1, 0], dtype=uint8), cost=1.0, distinct=4)
    """
    known = problem if isinstance(problem, Evaluations) else Evaluations(problem)
    before = known.distinct
    here = bitstrings.as_bits(bits, known.num_qubits)
    cost = float(known.cost(here))
    while True:
        neighbours = _neighbours(here)
        costs = known.cost(neighbours)
        lowest = int(costs.argmin())
        if costs[lowest] >= cost:
            return Polished(here, cost, known.distinct - before)
        here, cost = neighbours[lowest], float(costs[lowest])


def success_rate(
    traces: Sequence[Trace], cost: float, counts: ArrayLike, z: float = 1.96
) -> tuple[Floats, Floats, Floats]:
    """The share of searches that reached a C of at most ``cost`` within ``counts`` different bitstrings.

    Returns:
        The shares and the lower and upper ends of their Wilson intervals, each in the shape of ``counts``.
    """
    reached = np.sum([trace.best_at(counts) <= cost for trace in traces], axis=0)
    ends = np.array([wilson(int(hits), len(traces), z) for hits in np.ravel(reached)])
    low, high = ends.T.reshape(2, *np.shape(counts))
    return reached / len(traces), low, high


def product_gradient(theta: Floats, bits: Bits, costs: Floats) -> Floats:
    """An unbiased estimate of the gradient of E of a product state by its RY angles: ``[..., num_qubits]``.

    Qubit i is 1 with probability p_i = sin²(θ_i/2). E[C·∂ log p] is estimated from S bitstrings and their costs alone,
    each with the mean cost of the others as its baseline.

    Args:
        theta: RY angles in radians, ``[..., num_qubits]``.
        bits: bitstrings drawn from the product state, ``[..., S, num_qubits]``.
        costs: costs C of these bitstrings, ``[..., S]``.
    """
    half = 0.5 * theta[..., None, :]
    sine, cosine = np.sin(half), np.cos(half)
    tiny = np.finfo(float).tiny  # a bit of probability 0 is never drawn
    score = np.where(bits, cosine / np.where(bits, sine + tiny, 1.0), -sine / np.where(bits, 1.0, cosine + tiny))
    above = costs - costs.mean(axis=-1, keepdims=True)
    grad: Floats = np.einsum("...s,...sn->...n", above, score) / (costs.shape[-1] - 1)
    return grad


# ---------------------------------------------------------------- the searches; each goes on until Spent is raised


def _random(tally: Tally, rng: np.random.Generator) -> None:
    """Draw bitstrings uniformly."""
    while True:
        tally.cost(tally.starts(1024))


def _descent(tally: Tally, rng: np.random.Generator) -> None:
    """Go to the lowest neighbour by one flip until none is lower, from random bitstrings."""
    for runs in rounds():
        bits = tally.starts(runs)
        costs = tally.cost(bits)
        while len(bits):
            neighbours = _neighbours(bits)
            around = tally.cost(neighbours)
            lower = around.min(axis=1) < costs
            bits = neighbours[lower, around[lower].argmin(axis=1)]
            costs = around[lower].min(axis=1)


def _annealing(tally: Tally, rng: np.random.Generator) -> None:
    """Run the Metropolis algorithm with one-flip proposals at falling temperatures."""
    spread = tally.cost(tally.starts(PILOT)).std()
    temperatures = spread * np.geomspace(1.0, COLDEST, SWEEPS * tally.num_qubits)
    for runs in rounds():
        bits = tally.starts(runs)
        costs = tally.cost(bits)
        for temperature in temperatures:
            flipped = bits.copy()
            flipped[np.arange(runs), rng.integers(tally.num_qubits, size=runs)] ^= 1
            proposed = tally.cost(flipped)
            accepted = proposed <= costs + temperature * rng.exponential(size=runs)
            bits[accepted], costs[accepted] = flipped[accepted], proposed[accepted]


def _cross_entropy(tally: Tally, rng: np.random.Generator) -> None:
    """Draw independent bits and move their probabilities towards those of the best bitstrings."""
    population = max(20, 5 * tally.num_qubits)
    elite = round(ELITE * population)
    for runs in rounds():
        probabilities = np.full((runs, tally.num_qubits), 0.5)
        bits = tally.starts(runs * population).reshape(runs, population, -1)
        for _ in range(MAX_STEPS):
            costs = tally.cost(bits)
            best = np.argpartition(costs, elite, axis=1)[:, :elite]
            share = np.take_along_axis(bits, best[..., None], axis=1).mean(axis=1)
            probabilities = ((1 - SMOOTHING) * probabilities + SMOOTHING * share)[~_settled(costs)]
            if not len(probabilities):
                break
            bits = _draw(rng, probabilities, population)


def _product(tally: Tally, rng: np.random.Generator) -> None:
    """Train product states by gradients estimated from sampled bitstrings."""
    adam = Adam(LEARNING_RATE, beta1=0.9, decay_steps=None)  # without a horizon: a search goes on until it has settled
    for runs in rounds():
        theta = rng.uniform(0.0, 2 * np.pi, (runs, tally.num_qubits))
        state = adam.init(theta)
        for _ in range(MAX_STEPS):
            bits = _draw(rng, np.sin(0.5 * theta) ** 2, SHOTS)
            costs = tally.cost(bits)
            theta, state = adam.update(theta, product_gradient(theta, bits, costs), state)
            on = ~_settled(costs)
            theta, state = theta[on], state.rows(on)
            if not len(theta):
                break


_SEARCHES: dict[str, Callable[[Tally, np.random.Generator], None]] = {
    "random": _random,
    "descent": _descent,
    "annealing": _annealing,
    "cross-entropy": _cross_entropy,
    "product": _product,
}


def _neighbours(bits: Bits) -> Bits:
    """All bitstrings one flip away from each bitstring: ``[..., num_qubits]`` → ``[..., num_qubits, num_qubits]``."""
    return bits[..., None, :] ^ np.eye(bits.shape[-1], dtype=np.uint8)


def _draw(rng: np.random.Generator, probabilities: Floats, count: int) -> Bits:
    """Draw independent bits from their probabilities of being 1, ``[R, num_qubits]``: ``[R, count, num_qubits]``."""
    return (rng.random((len(probabilities), count, probabilities.shape[1])) < probabilities[:, None]).astype(np.uint8)


def _settled(costs: Floats) -> Bools:
    """Whether nine of ten costs of each batch ``[R, S]`` are equal, which leaves nothing to follow: ``[R]``."""
    middle = np.sort(costs, axis=1)[:, costs.shape[1] // 2, None]
    settled: Bools = (np.abs(costs - middle) <= 1e-12 * np.abs(middle)).mean(axis=1) >= 0.9
    return settled
