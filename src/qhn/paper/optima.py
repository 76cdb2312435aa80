"""Circuits trained without noise, for all that is asked of them with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from qhn.arrays import Floats
from qhn.config.file import load_config
from qhn.estimator.exact import ExactEstimator
from qhn.optimize.lbfgs import Minima, minimize
from qhn.problem.cost import Problem

MNIST = "mnist-01-published"  # 17 qubits
EPSILON = 5e-5  # of the paper, for that
GAUSSIANS = "gaussian-activation"  # 14 qubits


@dataclass(frozen=True)
class Optima:
    """What L-BFGS on the exact E came to.

    Attributes:
        problem: whose E it is.
        exact: E without noise, of the circuit of 2 layers.
        initial: where the starts began, ``[starts, num_parameters]``.
        found: where they ended, one row a start.
    """

    problem: Problem
    exact: ExactEstimator
    initial: Floats
    found: Minima

    @property
    def gap(self) -> Floats:
        """E − C* without noise: ``[starts]``."""
        return self.found.value - self.exact.landscape.optimum


@cache
def optima(task: str, order: str, seeds: range, mnist: Path | None) -> Optima:
    """The starts of those seeds in an order of gates; found once in a process.

    Args:
        task: ``MNIST`` or ``GAUSSIANS``.
        order: of the gates.
        seeds: of the starts.
        mnist: directory of the original IDX files, or None for the bundled images.
    """
    settings = {"ansatz.order": order} | ({"data.directory": str(mnist)} if mnist and task == MNIST else {})
    config = load_config(task, settings)
    problem = config.problem()
    ansatz = config.circuit(problem.num_qubits)
    exact = ExactEstimator(ansatz, problem)
    starts = [load_config(task, settings | {"train.seed": seed}).initial_theta(ansatz) for seed in seeds]
    initial = np.stack(starts)
    return Optima(problem, exact, initial, minimize(exact.value_and_grad, initial))
