"""Many exact trainings of one circuit at once: members of a sweep that differ in their seed advance together.

Each member takes the steps that a run of its own would take (:mod:`qhn.run.training`); the engine serves all of them
with the same products with the table of costs, and a member that has converged costs nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from qhn.arrays import Bits, Bools, Floats, Integers
from qhn.config import RunConfig
from qhn.errors import QhnError
from qhn.estimator.exact import ExactEstimator
from qhn.optimize.lbfgs import Lbfgs, Minima, descend
from qhn.optimize.optimizer import Optimizer
from qhn.problem.landscape import enumerate_costs


@dataclass(frozen=True)
class Batch:
    """Exact trainings that have ended; axis 0 is the member.

    Attributes:
        theta: at the last step, ``[B, num_parameters]``.
        mean: E at every step, ``[B, steps]``; once a member has ended, its last.
        validation: E of the validation cost likewise, or None without validation data.
        num_steps: ``[B]``.
        num_gradients: evaluations of E and its gradient, ``[B]``.
        converged: whether the gradient vanished, or E no longer fell, ``[B]``.
        most_probable: the most probable bitstring, ``[B, num_qubits]``.
        entropy: of the distribution over bitstrings in bits, ``[B]``.
        estimator: of E, with the table of costs.
    """

    theta: Floats
    mean: Floats
    validation: Floats | None
    num_steps: Integers
    num_gradients: Integers
    converged: Bools
    most_probable: Bits
    entropy: Floats
    estimator: ExactEstimator


def can_advance_together(config: RunConfig) -> bool:
    """Whether a run can be a member of a batch: exact, with no stop rule but steps and tolerance."""
    train = config.train
    return train.is_ideal and train.target is None and train.plateau is None and train.patience is None


def circuit_and_problem(config: RunConfig) -> str:
    """What the members of a batch have in common: everything but the seed."""
    shared = config.model_copy(update={"train": config.train.model_copy(update={"seed": 0})})
    return shared.run_id + shared.stop_rules_id


def train_together(configs: Sequence[RunConfig]) -> Batch:
    """Train all of them, exactly.

    Raises:
        ValueError: if they differ in more than their seed, take shots, or have too many qubits.

    >>> from qhn.config.file import load_config
    >>> settings = {"train.backend": "exact", "train.optimizer": "lbfgs", "train.steps": 200}
    >>> configs = [load_config("figure-1", settings | {"train.seed": seed}) for seed in range(20)]
    >>> batch = train_together(configs)
    >>> batch.theta.shape, bool(batch.converged.all())
    ((20, 32), True)
    """
    first = configs[0]
    for config in configs:
        if not can_advance_together(config) or circuit_and_problem(config) != circuit_and_problem(first):
            raise QhnError(
                "a batch takes exact runs that differ in their seed only, without target, plateau and patience"
            )
    problem = first.problem()
    ansatz = first.circuit(problem.num_qubits)
    estimator = ExactEstimator(ansatz, problem, objective=first.train.objective.build())
    held_out = None
    if problem.dataset.has_validation:
        held_out = ExactEstimator(ansatz, problem, costs=enumerate_costs(problem.held_out))
    thetas = np.stack([config.initial_theta(ansatz) for config in configs])
    mean: list[Floats] = []
    validation: list[Floats] = []
    for number, standing in enumerate(_standings(first, estimator, thetas)):
        moved = standing.num_steps == number
        mean.append(mean[-1].copy() if mean else np.empty(len(thetas)))
        is_mean = estimator.objective.is_mean
        mean[-1][moved] = standing.value[moved] if is_mean else estimator.energy(standing.theta[moved])
        if held_out is not None:
            validation.append(validation[-1].copy() if validation else np.empty(len(thetas)))
            validation[-1][moved] = held_out.energy(standing.theta[moved])
    return Batch(
        theta=standing.theta,
        mean=np.stack(mean, axis=1),
        validation=np.stack(validation, axis=1) if validation else None,
        num_steps=standing.num_steps + 1,
        num_gradients=standing.num_evaluations,
        converged=standing.converged,
        most_probable=np.stack([estimator.distribution.most_probable(theta)[0] for theta in standing.theta]),
        entropy=estimator.distribution.entropy(standing.theta),
        estimator=estimator,
    )


def _standings(config: RunConfig, estimator: ExactEstimator, thetas: Floats) -> Iterator[Minima]:
    """Where all members stand at each step."""
    rules, optimizer = config.train, config.train.optimizer.build()
    if isinstance(optimizer, Lbfgs):
        return descend(
            estimator.value_and_grad, thetas, max_steps=rules.steps - 1, tolerance=rules.tolerance, optimizer=optimizer
        )
    return _steps(optimizer, estimator, thetas, rules.steps, rules.tolerance)


def _steps(
    optimizer: Optimizer, estimator: ExactEstimator, thetas: Floats, steps: int, tolerance: float
) -> Iterator[Minima]:
    """The same for an optimizer whose steps take one gradient each."""
    theta, state = thetas, optimizer.init(thetas)
    num_steps, converged = np.full(len(theta), -1), np.zeros(len(theta), dtype=bool)
    for _ in range(steps):
        following, state, info = optimizer.step(estimator.value_and_grad, theta, state)
        num_steps[~converged] += 1
        converged = np.abs(info.grad).max(axis=1) <= tolerance
        yield Minima(theta, info.value, info.grad, converged, num_steps, num_steps + 1)
        if converged.all():
            return
        theta = np.where(converged[:, None], theta, following)
