"""Where θ begins: the distributions from which the first angles are drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qhn.arrays import Floats
from qhn.circuit.hypernetwork import Ansatz
from qhn.errors import QhnError


class Initial(Protocol):
    """A distribution of first angles."""

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        """θ ``[num_parameters]`` in radians."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Independent angles, uniform in [low, high) radians: the paper's choice."""

    low: float = 0.0
    high: float = 2 * np.pi

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        return rng.uniform(self.low, self.high, ansatz.num_parameters)


@dataclass(frozen=True)
class Normal:
    """Independent angles, normal around 0 with standard deviation ``width``: near the bitstring of zeros."""

    width: float = 0.1

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        return rng.normal(0.0, self.width, ansatz.num_parameters)


@dataclass(frozen=True)
class Superposition:
    """As :class:`Normal`, but around the state in which all bitstrings are equally likely.

    That is π/2 for the first RY of every qubit: RZ by 0 and CX leave the state as it is.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> theta = Superposition(0.0).draw(hypernetwork(2, 1), np.random.default_rng(1))
    >>> theta.reshape(2, 2, 2).round(3).tolist()  # block, axis y then z, qubit
    [[[1.571, 1.571], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """

    width: float = 0.1

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        theta = rng.normal(0.0, self.width, ansatz.num_parameters)
        theta[: ansatz.num_qubits] += np.pi / 2
        return theta


@dataclass(frozen=True)
class Given:
    """Angles that are known: those at which another run ended.

    Attributes:
        theta: ``[num_parameters]`` in radians.
        source: where they are from, in words.
    """

    theta: tuple[float, ...]
    source: str

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        """θ, whatever the random numbers.

        Raises:
            ValueError: if the circuit takes another number of angles.
        """
        if len(self.theta) != ansatz.num_parameters:
            raise QhnError(f"{self.source} has {len(self.theta)} angles, the circuit takes {ansatz.num_parameters}")
        return np.array(self.theta)
