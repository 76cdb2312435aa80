"""Models of bitstrings trained by the score function: from the costs of the bitstrings that they draw, and no more.

The gradient of E = Σ p(x) C(x) is the mean of (C(x) − c)·∂ log p(x), whatever the number c (REINFORCE; Williams,
Machine Learning 8, 229, 1992). Here c is the mean cost of the other bitstrings drawn, which leaves the gradient
unbiased and takes off most of its noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from qhn.arrays import Bits, Floats
from qhn.baseline.tally import Spent, Tally
from qhn.fields import Number, Whole, settle
from qhn.optimize.optimizer import Adam


class Model(Protocol):
    """A distribution of bitstrings whose probabilities have parameters."""

    @property
    def num_bits(self) -> int:
        """The number of bits."""
        ...

    @property
    def num_parameters(self) -> int:
        """The number of parameters."""
        ...

    def initial(self, count: int, rng: np.random.Generator) -> Floats:
        """Draw initial parameters ``[count, num_parameters]``."""
        ...

    def probabilities(self, parameters: ArrayLike) -> Floats:
        """The probabilities of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_bits]``."""
        ...

    def mean_and_grad(self, parameters: ArrayLike, costs: ArrayLike) -> tuple[Floats, Floats]:
        """The mean of costs ``[2**num_bits]`` and its gradient, exactly: ``[B]``, ``[B, num_parameters]``."""
        ...

    def sample(self, parameters: ArrayLike, count: int, rng: np.random.Generator) -> Bits:
        """Draw bitstrings: ``[B, num_parameters]`` → ``[B, count, num_bits]``."""
        ...

    def score(self, parameters: ArrayLike, bits: Bits) -> Floats:
        """The gradient of log p(bits): ``[B, S, num_bits]`` → ``[B, S, num_parameters]``."""
        ...


@dataclass(frozen=True)
class Training:
    """How a model is trained by samples.

    Attributes:
        shots: number of bitstrings drawn for a gradient, at least 2.
        steps: number of steps of a run, at most.
        learning_rate: step of a parameter, with Adam.
        together: number of runs that advance together.
    """

    shots: int = 16
    steps: int = 200
    learning_rate: float = 0.1
    together: int = 8

    def __post_init__(self) -> None:
        settle(self, shots=Whole(2), steps=Whole(1), learning_rate=Number(above=0), together=Whole(1))


@dataclass(frozen=True)
class Run:
    """The end of one training by samples.

    Attributes:
        parameters: the last parameters, ``[num_parameters]``.
        mean: the mean cost of the bitstrings that they drew last, what the training itself knows of E.
    """

    parameters: Floats
    mean: float


def score_gradient(model: Model, parameters: Floats, bits: Bits, costs: Floats) -> Floats:
    """An unbiased estimate of the gradient of E from bitstrings and their costs: ``[B, num_parameters]``.

    Args:
        model: the model that drew the bitstrings.
        parameters: the parameters of the model, ``[B, num_parameters]``.
        bits: bitstrings, ``[B, S, num_bits]``.
        costs: the costs of the bitstrings, ``[B, S]``.
    """
    above = costs - costs.mean(axis=-1, keepdims=True)
    grad: Floats = np.einsum("bs,bsp->bp", above, model.score(parameters, bits)) / (costs.shape[-1] - 1)
    return grad


def restarts(model: Model, tally: Tally, rng: np.random.Generator, training: Training) -> Iterator[Run]:
    """Train a model from random starts until the tally's limit, some runs at a time; yield the end of each.

    A run ends after its steps, or when all bitstrings that it draws are the same one, since nothing moves it then. The
    last runs end where the limit stops them.
    """
    adam = Adam(training.learning_rate, beta1=0.9, decay_steps=None)
    while True:
        parameters = model.initial(training.together, rng)
        state, means = adam.init(parameters), np.full(training.together, np.inf)
        try:
            for _ in range(training.steps):
                bits = model.sample(parameters, training.shots, rng)
                costs = tally.cost(bits)
                means = costs.mean(axis=1)
                on = (bits != bits[:, :1]).any(axis=(1, 2))
                yield from map(Run, parameters[~on], means[~on].tolist())
                parameters, state, means = parameters[on], state.rows(on), means[on]
                if not len(parameters):
                    break
                grad = score_gradient(model, parameters, bits[on], costs[on])
                parameters, state = adam.update(parameters, grad, state)
        except Spent:
            yield from map(Run, parameters, means.tolist())
            return
        yield from map(Run, parameters, means.tolist())
