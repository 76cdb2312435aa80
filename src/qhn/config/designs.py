"""Designs of networks for a data set: the qubits that each takes, how it would be trained, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qhn.config.network import NetworkConfig

Way = Literal["exact", "sampled", "directions"]

HIDDEN: tuple[tuple[int, ...], ...] = ((), (2,), (3,), (2, 2))
MAX_EXACT_QUBITS = 22  # up to which a step takes some tenths of a second
NUM_LAYERS = 2  # of the circuit
DIRECTED_LAYERS = 1  # of the circuit where random directions are taken
STEPS, SHOTS = 60, 200
DIRECTIONS, DIRECTED_STEPS, DIRECTED_SHOTS = 20, 150, 100  # of SPSA, where parameter shift takes too long

# seconds on one core of a machine of 2026, measured with 1,000 to 100,000 rows
TABULATED = 1e-9  # a network and sample, all networks together: no hidden layer, or one and two classes
GENERAL = 25e-9  # a network and sample, of any design
OUTPUT = 7e-9  # an output, network and sample, which is more where classes are many
EXACT_STEP = 20e-9  # an amplitude: a gradient of the CVaR
DRAWN = 30e-9  # a shot and qubit
SEEN_ANEW = 0.4  # share of the measured networks that were not measured before; along random directions all are new
OVERHEAD = 3.0  # to load and to draw the pictures
SHORT = 120.0  # a run that a newcomer waits for


@dataclass(frozen=True)
class Design:
    """A design of networks for a data set, and how it would be trained.

    Attributes:
        hidden: the width of each hidden layer.
        num_qubits: the number of qubits, one a bit of a network.
        way: ``"exact"``: all networks are enumerated; ``"sampled"``: networks are measured, and each angle is shifted;
            ``"directions"``: networks are measured, and random directions are taken (SPSA).
        seconds: how long a run should take, roughly.
    """

    hidden: tuple[int, ...]
    num_qubits: int
    way: Way
    seconds: float

    @classmethod
    def of(cls, hidden: tuple[int, ...], num_features: int, num_classes: int, num_samples: int) -> Design:
        """The design of networks with these hidden layers.

        Args:
            hidden: the width of each hidden layer.
            num_features: the number of features of a sample.
            num_classes: the number of classes.
            num_samples: the number of training samples.

        >>> Design.of((3,), num_features=2, num_classes=2, num_samples=1000).num_qubits
        13
        """
        num_qubits = NetworkConfig(hidden=hidden).space(num_features, num_classes).num_qubits
        exact = _exact_seconds(hidden, num_qubits, num_classes, num_samples)
        if num_qubits <= MAX_EXACT_QUBITS and exact <= SHORT:
            return cls(hidden, num_qubits, "exact", exact)
        rows = shifted_rows(num_qubits, NUM_LAYERS)
        cost = _general(num_classes) * num_samples
        sampled = _sampled_seconds(STEPS * rows * SHOTS, num_qubits, SEEN_ANEW * cost)
        if sampled <= SHORT:
            return cls(hidden, num_qubits, "sampled", sampled)
        shots = DIRECTED_STEPS * (1 + 2 * DIRECTIONS) * DIRECTED_SHOTS
        return cls(hidden, num_qubits, "directions", _sampled_seconds(shots, num_qubits, cost))


def shifted_rows(num_qubits: int, num_layers: int) -> int:
    """The number of rows of angles of a gradient by parameter shift on a hypernetwork circuit.

    These are the angles themselves, and two rows for each angle that is not inert: each layer has four a qubit, and of
    the first layer one a qubit is inert.

    Args:
        num_qubits: the number of qubits.
        num_layers: the number of layers.
    """
    return 1 + 2 * num_qubits * (4 * num_layers - 1)


def _exact_seconds(hidden: tuple[int, ...], num_qubits: int, num_classes: int, num_samples: int) -> float:
    """How long it takes to compute the cost of every network, and to train without shots."""
    is_tabulated = not hidden or (num_classes == 2 and len(hidden) == 1)
    each = (TABULATED if is_tabulated else _general(num_classes)) * num_samples + EXACT_STEP * STEPS
    return OVERHEAD + min(2.0**num_qubits, 1e18) * each


def _sampled_seconds(num_shots: int, num_qubits: int, cost: float) -> float:
    """How long it takes to draw networks, and to compute their costs, which take so many seconds a shot."""
    return OVERHEAD + num_shots * (cost + DRAWN * num_qubits)


def _general(num_classes: int) -> float:
    """The seconds that the loss of a network of any design on a sample takes."""
    return max(GENERAL, OUTPUT * num_classes)
