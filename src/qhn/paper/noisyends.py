"""Training on a noisy machine, in several ways from the same θ, and where it ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import cache, partial
from pathlib import Path

import numpy as np

from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.backend import NoiseSettings, RehearsalSettings, Sampler, open_backend
from qhn.backend.rehearsal import FakeDevice, open_fake
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.estimator.gradient import ParameterShift, Spsa, ValueAndGrad
from qhn.estimator.measurement import Measurement
from qhn.estimator.noisy import Noisy, NoisyEstimator
from qhn.optimize.lbfgs import descend
from qhn.optimize.optimizer import SpsaGains
from qhn.paper.chances import random_share
from qhn.paper.lab import Lab
from qhn.paper.optima import GRADIENT, MNIST, optima
from qhn.paper.pictures import ORDERS
from qhn.paper.plan import NOISE
from qhn.seeds import Key

Machine = float | str  # the strength of depolarising noise, or the name of a stored device
P1, P2 = 0.001, 0.00375  # total probability of a Pauli error at strength 1, after a gate on one qubit and on two
CHUNK = 2  # starts that a worker trains at a time
STEPS, MORE_STEPS, SPSA_STEPS = 120, 30, 400
GAINS = SpsaGains(learning_rate=10.0, stability=50.0)  # with twice that rate it does not converge, without noise either
WITHOUT, SHIFT, AFTERWARDS, SPSA, WRITTEN = METHODS = (
    "without noise",
    "with noise, parameter shift",
    "without, then with noise",
    "with noise, SPSA",
    "not trained, an optimum written",
)


@dataclass(frozen=True)
class Ends:
    """The ends of training with one method; each entry is a start.

    Attributes:
        noisy: E − C* with noise, ``[starts]``.
        ideal: E − C* without noise at the same θ, ``[starts]``.
        optimal: the share of shots with noise that are optimal, ``[starts]``.
        likely: whether the most probable bitstring with noise is optimal, ``[starts]``.
        untrained: the share of shots with noise that are optimal at the initial θ, ``[starts]``.
        random: the share of all bitstrings that are optimal, ``[starts]``.
        gradients: number of evaluations of E with its gradient on the noisy machine, ``[starts]``.
        circuits: number of rows of angles that these evaluations measured, ``[starts]``.
    """

    noisy: Floats
    ideal: Floats
    optimal: Floats
    likely: Bools
    untrained: Floats
    random: Floats
    gradients: Integers
    circuits: Integers

    @property
    def price(self) -> Floats:
        """The mean C − C* of shots that are not optimal: ``[starts]``."""
        return self.noisy / np.maximum(1 - self.optimal, np.finfo(np.float64).eps)


Results = Mapping[tuple[Machine, str], Mapping[str, Ends]]


def study(
    lab: Lab, machines: Sequence[Machine], what: str, task: str = MNIST, methods: Sequence[str] = METHODS
) -> Results:
    """The ends of training by machine and order of gates, and by method."""
    starts = lab.seeds or NOISE.noisy_starts
    jobs = [(machine, order, first) for machine in machines for order in ORDERS for first in range(0, starts, CHUNK)]
    work = partial(ends, starts=starts, mnist=lab.mnist, task=task, methods=methods)
    parts: dict[tuple[Machine, str], list[dict[str, Ends]]] = {}
    for (machine, order, _), part in zip(jobs, lab.map(work, jobs, what), strict=True):
        parts.setdefault((machine, order), []).append(part)
    return {key: {name: _joined([part[name] for part in some if name in part]) for name in some[0]}
            for key, some in parts.items()}  # fmt: skip


def ends(
    job: tuple[Machine, str, int], starts: int, mnist: Path | None, task: str = MNIST, methods: Sequence[str] = METHODS
) -> dict[str, Ends]:
    """The ends of training of some starts on a machine in an order of gates, by method.

    SPSA and the written optimum come with the first starts only.
    """
    machine, order, first = job
    trained = optima(task, order, range(first, min(first + CHUNK, starts)), mnist)
    ansatz, landscape = trained.ansatz, trained.exact.landscape
    sampler = sampler_of(machine, ansatz)
    assert isinstance(sampler, Noisy)
    estimator = NoisyEstimator(ansatz, trained.problem, sampler, costs=landscape.costs)
    num_shifts = ParameterShift(ansatz.active).num_rows
    reached: dict[str, tuple[Floats, Integers, int]] = {}
    none = np.zeros(len(trained.initial), dtype=np.int64)
    if WITHOUT in methods:
        reached[WITHOUT] = trained.found.theta, none, 0
    for method, theta, steps in ((SHIFT, trained.initial, STEPS), (AFTERWARDS, trained.found.theta, MORE_STEPS)):
        if method in methods and machine != 0:
            *_, found = descend(estimator.value_and_grad, theta, max_steps=steps, tolerance=GRADIENT)
            reached[method] = found.theta, found.num_evaluations, num_shifts
    if SPSA in methods and first == 0:
        rule = Spsa(ansatz.active)
        reached[SPSA] = by_spsa(estimator, trained.initial, rule), none + SPSA_STEPS, rule.num_rows
    if WRITTEN in methods and first == 0:
        reached[WRITTEN] = writing(ansatz, landscape.optimal_bits[0])[None], none[:1], 0
    optimal = landscape.costs <= landscape.optimum + landscape.width
    untrained = estimator.probabilities(trained.initial)[:, optimal].sum(axis=1)
    result = {}
    for method, (theta, gradients, rows) in reached.items():
        probabilities = estimator.probabilities(theta)
        result[method] = Ends(
            noisy=sampler.energies(theta, landscape.costs) - landscape.optimum,
            ideal=trained.exact(theta).mean - landscape.optimum,
            optimal=probabilities[:, optimal].sum(axis=1),
            likely=optimal[probabilities.argmax(axis=1)],
            untrained=untrained[: len(theta)],
            random=np.full(len(theta), random_share(landscape)),
            gradients=gradients,
            circuits=gradients * rows,
        )
    return result


@cache
def rehearsal_of(name: str) -> FakeDevice:
    """The stored device of that name, whose calibration takes a while to read."""
    return open_fake(name, RehearsalSettings())


@cache
def sampler_of(machine: Machine, ansatz: Hypernetwork) -> Sampler:
    """The sampler of a circuit on a machine: the literal circuit under depolarising noise, or as a device runs it."""
    if isinstance(machine, str):
        return rehearsal_of(machine).compile(ansatz)
    return open_backend("depolarising", NoiseSettings(p1=P1 * machine, p2=P2 * machine)).compile(ansatz)


def by_spsa(estimator: NoisyEstimator, thetas: Floats, rule: Spsa) -> Floats:
    """The angles that ``SPSA_STEPS`` steps of SPSA reach from each row."""
    theta, state = thetas, GAINS.init(thetas)
    for step in range(SPSA_STEPS):

        def gradient(rows: Floats, key: Key = Key(0, step=step)) -> ValueAndGrad:  # noqa: B008 – of this step
            return estimator.value_and_grad(rows, key, Measurement(rule, shots=0))

        theta, state, _ = GAINS.step(gradient, theta, state)
    return theta


def writing(ansatz: Hypernetwork, bits: Bits) -> Floats:
    """The angles ``[num_parameters]`` whose last RY layer prepares the bits ``[num_qubits]``, all others 0."""
    theta = np.zeros((ansatz.num_blocks, 2, ansatz.num_qubits))
    theta[-1, 0] = np.pi * ansatz.relabel(bits)
    return theta.ravel()


def _joined(parts: Sequence[Ends]) -> Ends:
    return Ends(*(np.concatenate(side) for side in zip(*map(astuple, parts), strict=True)))
