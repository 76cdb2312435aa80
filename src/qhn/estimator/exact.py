"""E(θ) and its gradient computed from the state vector of an ideal circuit, without shots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Floats
from qhn.backend.samples import ReadoutCounts
from qhn.circuit.angles import as_angles
from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.means import Estimates
from qhn.estimator.measurement import Measurement
from qhn.estimator.protocol import check_fit
from qhn.problem.aggregation import Aggregation
from qhn.problem.cost import Problem, as_costs
from qhn.problem.landscape import Landscape, check_enumerable, enumerate_costs
from qhn.problem.objective import as_objective
from qhn.seeds import Key

if TYPE_CHECKING:
    from qhn.exact.protocol import ExactEnergy


class ExactEstimator:
    """E, CVaR and their gradients of a noiseless circuit, computed exactly from the costs C of all bitstrings.

    All costs are computed once. The results have the form of those of :class:`SamplingEstimator`, with standard errors
    of 0 and without second derivatives; keys of shots and rules for the gradient have no effect.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings, of at most 24 qubits.
        objective: the function of the costs to minimise, or the name of a kind, such as ``"cvar"``; the mean by
            default.
        costs: the costs of all bitstrings ``[2**num_qubits]``, qubit 0 the least significant bit of the index; computed
            from ``problem`` by default.

    Attributes:
        energy: the function that computes E and its gradient.
        distribution: the distribution of the bits: probabilities, entropy, most probable bitstring.
        landscape: the costs of all bitstrings, with their optimum.

    Raises:
        ValueError: if the numbers of qubits of ansatz and problem differ, or are above 24.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> from qhn.problem.cost import TableProblem
    >>> estimator = ExactEstimator(product_state(1), TableProblem([0.0, 1.0]))
    >>> estimator(np.array([[0.0, 0.0], [np.pi / 2, 0.0]])).mean.round(12)
    array([0. , 0.5])
    >>> estimator.value_and_grad(np.array([np.pi / 2, 0.0])).grad.round(12)
    array([0.5, 0. ])
    """

    readout_counts: ReadoutCounts | None = None

    def __init__(
        self,
        ansatz: Ansatz,
        problem: Problem,
        *,
        objective: Aggregation | str | None = None,
        costs: ArrayLike | None = None,
    ) -> None:
        from qhn.exact.engine import distribution_of, energy_of  # with numba, for which sampling does not wait

        check_fit(ansatz, problem)
        if costs is None:
            check_enumerable(ansatz.num_qubits)
        self.ansatz = ansatz
        self.objective = as_objective(objective, problem)
        table = enumerate_costs(problem) if costs is None else as_costs(costs)
        self.energy = energy_of(ansatz.unrolled, table)
        self.distribution = distribution_of(ansatz.unrolled)
        self.landscape = Landscape(table)
        self._other: tuple[Problem, ExactEnergy] | None = None
        self._best_bits = bitstrings.from_integers(int(table.argmin()), ansatz.num_qubits)

    @property
    def scale(self) -> float:
        """How far a typical cost lies above the optimum, which tolerances of a minimisation are relative to."""
        return self.landscape.scale

    def __call__(self, thetas: ArrayLike, key: Key | None = None) -> Estimates:
        """E and the objective at angles in radians: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
        """
        thetas = as_angles(thetas, self.ansatz.num_parameters)
        rows = self._gate_angles(thetas.reshape(-1, self.ansatz.num_parameters))
        mean = self.energy(rows)
        objective = mean if self.objective.is_mean else self.energy.objective(rows, self.objective)
        return self._estimates(mean.reshape(thetas.shape[:-1]), objective.reshape(thetas.shape[:-1]))

    def probabilities(self, thetas: ArrayLike) -> Floats:
        """The probabilities of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``.

        Bitstrings are indexed with qubit 0 as the least significant bit.
        """
        return self.distribution.probabilities(self._gate_angles(thetas))

    def most_probable(self, theta: ArrayLike) -> tuple[Bits, float]:
        """The most probable bitstring ``[num_qubits]`` at angles ``theta[num_parameters]``, and its probability."""
        return self.distribution.most_probable(self._gate_angles(theta))

    def value_and_grad(
        self, theta: ArrayLike, key: Key | None = None, measurement: Measurement | None = None
    ) -> ValueAndGrad:
        """The objective and its gradient by the angles: ``[..., num_parameters]`` → values of shape ``[...]``.

        The arguments ``key`` and ``measurement`` are those of every estimator, and have no effect here.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
        """
        theta = as_angles(theta, self.ansatz.num_parameters)
        rows = self._gate_angles(theta.reshape(-1, self.ansatz.num_parameters))
        if self.objective.is_mean:
            values, grads = self.energy.value_and_grad(rows)
            mean = values
        else:
            values, grads = self.energy.objective_and_grad(rows, self.objective)
            mean = self.energy(rows)
        if self.ansatz.angle_map is not None:
            grads = self.ansatz.angle_map.pull_back(grads)
        value, grad = values.reshape(theta.shape[:-1]), grads.reshape(theta.shape)
        estimates = self._estimates(mean.reshape(value.shape)[..., None], value[..., None])
        return ValueAndGrad(value, np.zeros_like(value), grad, np.zeros_like(grad), None, None, estimates)

    def hessian(self, theta: ArrayLike) -> Floats:
        """All second derivatives of E by the angles: ``[num_parameters]`` → ``[num_parameters, num_parameters]``.

        Parameter shift of the exact gradient: row i is ½[∇E(φ + π/2·e_i) − ∇E(φ − π/2·e_i)] for the angle φ_i of each
        gate, so that it takes two gradients a gate; angles that turn several gates follow by the chain rule.

        Raises:
            ValueError: if ``theta`` does not have shape ``[num_parameters]``.
        """
        phi, active = self._gate_angles(theta), self.ansatz.unrolled.active
        shifts = 0.5 * np.pi * np.eye(len(phi))[active]
        _, grads = self.energy.value_and_grad(np.concatenate([phi + shifts, phi - shifts]))
        found = np.zeros((len(phi), len(phi)))
        found[active] = 0.5 * (grads[: len(shifts)] - grads[len(shifts) :])
        found = 0.5 * (found + found.T)
        if self.ansatz.angle_map is None:
            return found
        pull_back = self.ansatz.angle_map.pull_back
        return pull_back(pull_back(found).T)

    def solutions(self, theta: Floats, found: Estimates) -> Bits:
        """The most probable bitstring at ``theta[num_parameters]``, ``[1, num_qubits]``."""
        return self.most_probable(theta)[0][None]

    def expectation(self, problem: Problem, theta: Floats, found: Estimates) -> float:
        """The mean ⟨C⟩ of another problem at angles ``theta[num_parameters]``; its costs are computed once."""
        if self._other is None or self._other[0] is not problem:
            from qhn.exact.engine import energy_of

            self._other = problem, energy_of(self.ansatz.unrolled, enumerate_costs(problem))
        return float(self._other[1](self._gate_angles(theta)[None])[0])

    def _gate_angles(self, thetas: ArrayLike) -> Floats:
        """The angles of the gates, ``[..., num_gate_angles]``, at angles θ ``[..., num_parameters]``."""
        return gate_angles(self.ansatz, as_angles(thetas, self.ansatz.num_parameters))

    def _estimates(self, mean: Floats, objective: Floats) -> Estimates:
        zero = np.zeros_like(mean)
        costs, best = self.landscape.costs, self._best_bits
        return Estimates(
            mean, zero, objective, zero, None, self.landscape.optimum, best, costs.size, interval=(mean, mean)
        )
