"""The course of training with a rule for its steps: how near each step is to a solution, and what it cost by then."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import astuple, dataclass, replace
from functools import cache, partial
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qhn.arrays import Bools, Floats, Integers
from qhn.backend import Backend, Settings, open_backend
from qhn.backend.device.price import Task, price
from qhn.baseline.classical import Trace, search
from qhn.budget.forecast import self_test_amount
from qhn.config import RunConfig
from qhn.config.device import DeviceConfig
from qhn.config.file import with_settings
from qhn.config.train import TrainConfig
from qhn.estimator.exact import ExactEstimator
from qhn.optimize.lbfgs import minimize
from qhn.paper.curve_pool import kept
from qhn.paper.lab import Lab, circuit_of
from qhn.paper.optima import GRADIENT
from qhn.problem.cost import TableProblem
from qhn.run.plan import prepare
from qhn.run.recorder import Unrecorded
from qhn.run.training import Training
from qhn.sweep.survey import Rate

PART = 5  # starts that a worker does at a time
Job = tuple[RunConfig, range]  # a configuration, and the seeds of the starts that are trained with it


@dataclass(frozen=True)
class Course:
    """The course of training from several starts; E and probabilities are those of the ideal circuit, without shots.

    Attributes:
        gap: E − C* at the angles that each step measured, ``[starts, steps]``.
        optimal: whether the most probable network at these angles is optimal, ``[starts, steps]``.
        rows: number of rows of angles that each step measured, ``[starts, steps]``.
        shots: number of shots of each of these rows, ``[starts, steps]``; 0 if E was computed without shots.
        best: the lowest C − C* of any network that was sampled, ``[starts]``; nan without shots.
        distinct: number of different networks that were evaluated, ``[starts]``.
    """

    gap: Floats
    optimal: Bools
    rows: Integers
    shots: Integers
    best: Floats
    distinct: Integers

    @classmethod
    def joined(cls, parts: Sequence[Course]) -> Course:
        """The course of the starts of several parts, one after the other."""
        return cls(*(np.concatenate(side) for side in zip(*map(astuple, parts), strict=True)))

    def solved(self, epsilon: float | None) -> Bools:
        """Whether each step has solved the task, ``[starts, steps]``.

        Args:
            epsilon: the E − C* below which a step has; None if its most probable network must be optimal.
        """
        return self.optimal if epsilon is None else self.gap < epsilon

    def rates(self, epsilon: float | None) -> list[Rate]:
        """The rate of starts whose task is solved at each step; see :meth:`solved`."""
        solved = self.solved(epsilon)
        return [Rate(int(count), len(solved)) for count in solved.sum(axis=0)]

    def taken(self) -> Floats:
        """The mean number of shots of all rows by the end of each step, ``[steps]``."""
        mean: Floats = (self.rows * self.shots).cumsum(axis=1).mean(axis=0)
        return mean

    def bill(self, task: Task) -> tuple[Floats, Floats]:
        """The mean QPU seconds and jobs by the end of each step, the self-test included: ``[steps]`` each.

        They are 0 without shots.

        Args:
            task: the work of any measurement of the circuit on the device, from which prices follow.
        """
        pairs, index = np.unique(np.stack([self.rows.ravel(), self.shots.ravel()]), axis=1, return_inverse=True)
        if not pairs[1].any():
            return np.zeros(self.rows.shape[1]), np.zeros(self.rows.shape[1])
        prices = [price(task.measuring(num_rows, shots)) for num_rows, shots in pairs.T.tolist()]
        test = self_test_amount(task.seconds_per_shot)
        each = np.array([(one.seconds, one.jobs) for one in prices])[index.ravel()].reshape(*self.rows.shape, 2)
        seconds, jobs = each.cumsum(axis=1).mean(axis=0).T
        return test.seconds + seconds, test.jobs + jobs


def by_training(job: Job) -> Course:
    """The course of training as it is configured, with shots."""
    config, seeds = job
    return Course.joined([_trained(with_settings(config, {"train.seed": seed})) for seed in seeds])


def kept_course(lab: Lab, config: RunConfig, starts: int, what: str) -> Course:
    """The course of training of the first starts, which workers compute; what was kept in files is read instead.

    Args:
        lab: the workers, and the folder where courses are kept.
        config: the configuration, of which the seed is not used.
        starts: number of starts, with the seeds 0, 1, …
        what: what is computed, for messages.
    """
    key = {"course": config.run_id, "steps": config.train.steps, "qhn": version("qhn")}
    return Course(**kept(lab, key, starts, partial(_arrays_of, config), what, PART))


def _arrays_of(config: RunConfig, seeds: range) -> dict[str, NDArray[Any]]:
    return vars(by_training((config, seeds)))


def by_minimising(job: Job) -> Course:
    """The ends of L-BFGS on the exact E as a course of one step, which measures nothing."""
    config, seeds = job
    exact = exact_of(config)
    initial = [with_settings(config, {"train.seed": seed}).initial_theta(exact.ansatz) for seed in seeds]
    found = minimize(exact.value_and_grad, np.stack(initial), tolerance=GRADIENT)
    nothing = np.zeros((len(seeds), 1), dtype=np.int64)
    gap, optimal = ideal(exact, found.theta)
    return Course(gap[:, None], optimal[:, None], nothing, nothing, np.full(len(seeds), np.nan), nothing[:, 0])


def by_searching(job: tuple[RunConfig, str, int, range]) -> list[Trace]:
    """The traces of classical searches, which end at the optimum.

    Args:
        job: the configuration with the problem, the method, the largest number of different networks that a search
            evaluates, and the seeds.
    """
    config, method, max_distinct, seeds = job
    landscape = exact_of(config).landscape
    problem, target = TableProblem(landscape.costs), landscape.optimum + landscape.width
    return [search(problem, method, max_distinct, seed, target=target) for seed in seeds]


def exact_of(config: RunConfig) -> ExactEstimator:
    """The exact estimator of a configuration's problem and circuit, made once in a process."""
    return _exact_of(config.model_copy(update={"train": TrainConfig(), "device": DeviceConfig()}))


@cache
def _exact_of(config: RunConfig) -> ExactEstimator:
    problem = config.problem()
    return ExactEstimator(circuit_of(config, problem), problem)


@cache
def _machine(name: str, settings: Settings) -> Backend:
    """The machine of that name, which keeps the circuits that it has compiled, opened once in a process."""
    return open_backend(name, settings)


def _trained(config: RunConfig) -> Course:
    """The course of one training, unrecorded, whose networks have their C from the table of all."""
    exact = exact_of(config)
    plan = replace(prepare(config), problem=TableProblem(exact.landscape.costs))
    with closing(Training(plan, Unrecorded(), _machine(config.train.backend, config.machine_settings))) as training:
        steps, strategy = list(training), config.strategy(exact.ansatz)
    gap, optimal = ideal(exact, np.stack([step.theta for step in steps]))
    return Course(
        gap=gap[None],
        optimal=optimal[None],
        rows=np.array([[step.measurement(strategy).num_rows for step in steps]]),
        shots=np.array([[step.row_shots or 0 for step in steps]]),
        best=np.array([steps[-1].best_cost - exact.landscape.optimum]),
        distinct=np.array([steps[-1].distinct]),
    )


def ideal(exact: ExactEstimator, thetas: Floats) -> tuple[Floats, Bools]:
    """E − C* at angles ``[B, num_parameters]``, and whether the most probable network there is optimal."""
    landscape = exact.landscape
    likely = landscape.costs[exact.probabilities(thetas).argmax(axis=1)]
    return exact(thetas).mean - landscape.optimum, likely <= landscape.optimum + landscape.width
