"""A network of 289 parameters trained dense, pruned, fine-tuned and trained from scratch: its Hessian's spectra."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np

from qhn.arrays import Floats, Integers
from qhn.carleman.dense_network import DenseNetwork
from qhn.carleman.descent import Descent, descend
from qhn.carleman.pruning import on_support, prune
from qhn.carleman.spectrum import Spectrum, exact_spectrum, interlacing_breach
from qhn.paper.qsgd_plan import PRUNED
from qhn.problem.built_in_data import mnist_4x4
from qhn.threads import in_parallel

LAYERS = (16, 16, 1)
WEIGHT_DECAY = 1e-3
RATE, STEPS = 0.5, 1000  # learning rate and number of steps of each training
AT = (0, 10, 100, 1000)  # steps at which spectra are taken
SHARES = PRUNED.shares  # of the parameters that are pruned, in one shot
SHARE = PRUNED.share  # that is also trained from scratch
SEEDS = PRUNED.seeds
HORIZON = PRUNED.horizon  # steps along which the linearised descent is compared with the true one
NEW = 1000  # added to a seed for new first weights


class Training(StrEnum):
    """A training of some or all parameters."""

    DENSE = "dense"
    FINE_TUNED = "fine-tuned"
    SAME_START = "from scratch, first weights as before"
    NEW_START = "from scratch, new first weights"


@dataclass(frozen=True, eq=False)
class Moment:
    """The state of a network at a step of a training.

    Attributes:
        training: the training.
        pruned: share of the parameters that are pruned; 0 for the dense training.
        seed: seed of the first weights before pruning.
        step: step of the training; 0 of a fine-tuning is just after pruning.
        loss: the loss with weight decay.
        accuracy: share of the images that are classified right.
        full: spectrum of the Hessian by all parameters, at the pruned ones' value 0.
        kept: spectrum of the Hessian by the kept parameters alone.
        errors: distance of the linearised descent from the true one after 1, 2, … steps from here, as a share of the
            distance that the true one has gone, ``[HORIZON]``.
        way: the distance that the true descent has gone after ``HORIZON`` steps from here.
    """

    training: Training
    pruned: float
    seed: int
    step: int
    loss: float
    accuracy: float
    full: Spectrum
    kept: Spectrum
    errors: Floats
    way: float

    @property
    def ratio(self) -> float:
        """The negative mass of the kept parameters' Hessian as a share of the positive one."""
        return self.kept.negative.value / self.kept.positive.value

    @property
    def mean_growth(self) -> float:
        """The root mean square factor over directions by which a disturbance of the kept parameters grows.

        It is that of the linearised descent over ``HORIZON`` steps: (1 − ηλ)^HORIZON along an eigenvector.
        """
        return float(np.sqrt(np.mean((1 - RATE * self.kept.eigenvalues) ** (2 * HORIZON))))

    @property
    def worst_growth(self) -> float:
        """The factor along the direction in which a disturbance grows most."""
        return float(np.abs(1 - RATE * self.kept.eigenvalues).max() ** HORIZON)


@dataclass(frozen=True, eq=False)
class Trainings:
    """Moments of the trainings of several seeds.

    Attributes:
        moments: the moments, all seeds having the same ones.
    """

    moments: tuple[Moment, ...]

    def values(self, quantity: Callable[[Moment], Any], training: Training, step: int, pruned: float = SHARE) -> Floats:
        """A number, or an array, of a moment for each seed: ``[seeds, ...]``.

        Args:
            quantity: what gives the number of a moment.
            training: the training.
            step: the step.
            pruned: share of pruned parameters; without a meaning for the dense training.
        """
        share = 0.0 if training is Training.DENSE else pruned
        wanted = (training, step, share)
        found = [quantity(one) for one in self.moments if (one.training, one.step, one.pruned) == wanted]
        return np.array(found, dtype=np.float64)

    @property
    def breach(self) -> float:
        """The largest distance by which eigenvalues of kept and of all parameters break Cauchy's interlacing."""
        return max(interlacing_breach(one.full.eigenvalues, one.kept.eigenvalues) for one in self.moments)


@cache
def network(hidden: int = LAYERS[1]) -> DenseNetwork:
    """The network on every other one of the bundled images of the digits 0 and 1, 500 of 4×4 pixels.

    Args:
        hidden: number of units of the hidden layer.
    """
    data = mnist_4x4((0, 1))
    return DenseNetwork(data.x[::2], data.y[::2], (LAYERS[0], hidden, 1), weight_decay=WEIGHT_DECAY)


def trainings_of(seed: int) -> tuple[Moment, ...]:
    """All moments of one seed, computed on one thread."""
    return tuple(in_parallel(lambda one: list(_moments(one)), [seed], 1)[0])


def num_kept(share: float, num_parameters: int) -> int:
    """The number of parameters that are kept if a share of them is pruned."""
    return round((1 - share) * num_parameters)


def _moments(seed: int) -> Iterator[Moment]:
    model = network()
    first, everything = model.initial(seed), np.arange(model.num_parameters)
    trained = yield from _train(Training.DENSE, 0.0, seed, first, everything)
    for share in SHARES:
        pruned, support = prune(trained, num_kept(share, model.num_parameters))
        yield from _train(Training.FINE_TUNED, share, seed, pruned, support)
        if share == SHARE:
            for training, start in ((Training.SAME_START, first), (Training.NEW_START, model.initial(seed + NEW))):
                masked = on_support(start[support], support, model.num_parameters)
                yield from _train(training, share, seed, masked, support)


def _train(
    training: Training, share: float, seed: int, start: Floats, support: Integers
) -> Generator[Moment, None, Floats]:
    """Yield the moments of a training, and return its last parameters."""
    model, theta = network(), start
    for step, theta in enumerate(descend(model, start, Descent(RATE, STEPS), support)):
        if step in AT:
            hessian = model.hessian(theta)
            inside = hessian[np.ix_(support, support)]
            full, kept = exact_spectrum(hessian), exact_spectrum(inside)
            errors, way = _linearisation_errors(theta, support, inside)
            yield Moment(
                training, share, seed, step, model.loss(theta), model.accuracy(theta), full, kept, errors, way
            )  # fmt: skip
    return theta


def _linearisation_errors(start: Floats, support: Integers, hessian: Floats) -> tuple[Floats, float]:
    """The errors of the descent whose gradient is linear about the start, by the way of the true one; and that way."""
    model = network()
    slope = model.gradient(start)[support]
    linear, gone, errors = np.zeros(len(support)), np.zeros(len(support)), []
    path = descend(model, start, Descent(RATE, HORIZON), support)
    next(path)
    for theta in path:
        linear = linear - RATE * (slope + hessian @ linear)
        gone = (theta - start)[support]
        errors.append(np.linalg.norm(linear - gone) / np.linalg.norm(gone))
    return np.array(errors), float(np.linalg.norm(gone))
