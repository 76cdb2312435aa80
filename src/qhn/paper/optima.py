"""Circuits trained without noise, the starting point of all studies with noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from qhn.arrays import Floats
from qhn.circuit.hypernetwork import Hypernetwork
from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.optimize.lbfgs import Minima, minimize
from qhn.paper.lab import circuit_of
from qhn.problem.cost import Problem

MNIST = "mnist-01-published"  # 17 qubits
GRADIENT = 1e-6  # largest component of the gradient, in the unit of the costs, at which the paper ends a training
EPSILON = 5e-5  # E − C* below which the paper counts this task as solved
GAUSSIANS = "gaussian-activation"  # 14 qubits


@dataclass(frozen=True)
class Optima:
    """The ends of L-BFGS on the exact E.

    Attributes:
        problem: the problem whose E was minimised.
        ansatz: the circuit of 2 layers.
        exact: the exact estimator of E.
        initial: the initial angles, ``[starts, num_parameters]``.
        found: the minima found, one row per start.
    """

    problem: Problem
    ansatz: Hypernetwork
    exact: ExactEstimator
    initial: Floats
    found: Minima

    @property
    def gap(self) -> Floats:
        """The differences E − C* without noise: ``[starts]``."""
        return self.found.value - self.exact.landscape.optimum


@cache
def optima(task: str, order: str, seeds: range, mnist: Path | None) -> Optima:
    """Train the circuits of some seeds in an order of gates, once in a process.

    Args:
        task: name of the task, ``MNIST`` or ``GAUSSIANS``.
        order: order of the gates, ``"eq5"`` or ``"authors"``.
        seeds: seeds of the initial angles.
        mnist: folder of the original IDX files of MNIST, or None for the bundled images.
    """
    settings = {"ansatz.order": order} | ({"data.directory": str(mnist)} if mnist and task == MNIST else {})
    config = load_config(task, settings)
    problem = config.problem()
    ansatz = circuit_of(config, problem)
    exact = ExactEstimator(ansatz, problem)
    starts = [load_config(task, settings | {"train.seed": seed}).initial_theta(ansatz) for seed in seeds]
    initial = np.stack(starts)
    return Optima(problem, ansatz, exact, initial, minimize(exact.value_and_grad, initial, tolerance=GRADIENT))
