"""Distributions of the initial angles θ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qhn.arrays import Floats
from qhn.circuit.angles import MAX_ANGLE
from qhn.circuit.ansatz import Ansatz
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.errors import QhnError
from qhn.fields import Number, each, settle

ANGLE = Number(-MAX_ANGLE, MAX_ANGLE)
WIDTH = Number(0, MAX_ANGLE / 100)  # so that no angle is beyond the largest


class Initial(Protocol):
    """A distribution of initial angles."""

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        """Draw initial angles θ ``[num_parameters]`` in radians."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Independent angles, uniform in [low, high) radians, as in the paper."""

    low: float = 0.0
    high: float = 2 * np.pi

    def __post_init__(self) -> None:
        settle(self, low=ANGLE, high=ANGLE)
        if not self.low < self.high:
            raise QhnError(f"low must be below high, got {self.low:g} and {self.high:g}")

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        """Draw initial angles θ ``[num_parameters]`` in radians."""
        return rng.uniform(self.low, self.high, ansatz.num_parameters)


@dataclass(frozen=True)
class Normal:
    """Independent angles, normal around 0 with standard deviation ``width`` in radians.

    The state of a hypernetwork is then near the bitstring of zeros.
    """

    width: float = 0.1

    def __post_init__(self) -> None:
        settle(self, width=WIDTH)

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        """Draw initial angles θ ``[num_parameters]`` in radians."""
        return rng.normal(0.0, self.width, ansatz.num_parameters)


@dataclass(frozen=True)
class Superposition:
    """Independent angles, normal with standard deviation ``width`` around those of the uniform superposition.

    In the uniform superposition all bitstrings are equally likely. Its angles are π/2 for the first RY of every qubit
    and 0 for the others: RZ by 0 and CX leave it as it is.

    >>> from qhn.circuit.hypernetwork import hypernetwork
    >>> theta = Superposition(0.0).draw(hypernetwork(2, 1), np.random.default_rng(1))
    >>> theta.reshape(2, 2, 2).round(3).tolist()  # block, axis y then z, qubit
    [[[1.571, 1.571], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]
    """

    width: float = 0.1

    def __post_init__(self) -> None:
        settle(self, width=WIDTH)

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        """Draw initial angles θ ``[num_parameters]`` in radians.

        Raises:
            QhnError: if the ansatz is no hypernetwork.
        """
        if not isinstance(ansatz, Hypernetwork):
            raise QhnError(
                f"angles of the uniform superposition are known of a hypernetwork, not of ansatz {ansatz.name}; set "
                "train.initial to uniform or normal"
            )
        theta = rng.normal(0.0, self.width, ansatz.num_parameters)
        theta[: ansatz.num_qubits] += np.pi / 2
        return theta


@dataclass(frozen=True)
class Given:
    """Given angles, such as those at which another run ended.

    Attributes:
        theta: the angles ``[num_parameters]`` in radians.
        source: a phrase that says where the angles are from, for messages.
    """

    theta: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        settle(self, theta=each(ANGLE))

    def draw(self, ansatz: Ansatz, rng: np.random.Generator) -> Floats:
        """Return the given angles θ ``[num_parameters]`` in radians; the random generator is not used.

        Raises:
            ValueError: if the circuit takes another number of angles.
        """
        if len(self.theta) != ansatz.num_parameters:
            raise QhnError(f"{self.source} has {len(self.theta)} angles, the circuit takes {ansatz.num_parameters}")
        return np.array(self.theta)
