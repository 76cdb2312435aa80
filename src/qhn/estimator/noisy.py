"""E(θ) and its gradient on a simulated noisy machine that knows the distribution of its bits, without shots."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from qhn import bitstrings
from qhn.arrays import Bits, Floats, Integers
from qhn.backend import Sampler
from qhn.backend.sampler import KnownDistribution
from qhn.backend.samples import ReadoutCounts
from qhn.circuit.angles import as_angles
from qhn.circuit.ansatz import Ansatz, gate_angles
from qhn.errors import QhnError
from qhn.estimator.chain_rule import parameter_shift
from qhn.estimator.exact import ExactEstimator
from qhn.estimator.gradient import ValueAndGrad
from qhn.estimator.means import Estimates, Means
from qhn.estimator.measurement import Measurement
from qhn.estimator.polynomial import PolynomialEstimator
from qhn.estimator.protocol import check_fit
from qhn.problem.aggregation import Aggregation, Outcomes
from qhn.problem.cost import Problem, as_costs
from qhn.problem.evaluations import Evaluations
from qhn.problem.landscape import Landscape, check_enumerable, enumerate_costs, polynomial_for_table
from qhn.problem.objective import as_objective
from qhn.seeds import Key


@runtime_checkable
class Noisy(KnownDistribution, Protocol):
    """A sampler that knows the distribution of its bits, and computes means over it.

    Attributes:
        discarded_weight: share of the state's weight that truncation left out in the last call; 0 if nothing was.
    """

    @property
    def discarded_weight(self) -> float:
        """The share of the state's weight that truncation left out in the last call; 0 without truncation."""
        ...

    def energies(self, thetas: Floats, costs: Floats) -> Floats:
        """The means of ``costs[2**num_qubits]`` over the bits' distribution: ``[B, num_parameters]`` → ``[B]``."""
        ...


class NoisyEstimator:
    """E and other objectives with their gradients under known noise, without shots and with errors of 0.

    The gradient combines rows of shifted angles (:class:`qhn.estimator.gradient.Gradient`), each computed exactly.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings, of at most 24 qubits.
        sampler: the simulated machine, compiled for the ansatz: ``open_backend("fake_torino").compile(ansatz)``, the
            same of backend ``depolarising``, or a :class:`qhn.backend.noise.twin.Twin`.
        costs: the costs of all bitstrings ``[2**num_qubits]``, qubit 0 the least significant bit of the index; computed
            from ``problem`` by default.
        objective: the function of the costs to minimise, or the name of a kind, such as ``"cvar"``; the mean by
            default.

    Attributes:
        landscape: the costs of all bitstrings, with their optimum.
        discarded_weight: the largest share of a state's weight that truncation left out of what the last call returned;
            0 without truncation.

    Raises:
        ValueError: if the numbers of qubits of ansatz and problem differ or are above 24, or the machine only draws
            shots.

    >>> from qhn.circuit.hypernetwork import product_state
    >>> from qhn.backend.noise.channels import Depolarising
    >>> from qhn.circuit.measurement import with_measurement
    >>> from qhn.backend.noise.twin import Twin
    >>> from qhn.problem.cost import TableProblem
    >>> twin = Twin(with_measurement(product_state(1).circuit), Depolarising(p1=0.03, p2=0.0))
    >>> estimator = NoisyEstimator(product_state(1), TableProblem([0.0, 1.0]), twin)
    >>> found = estimator.value_and_grad(np.array([np.pi / 2, 0.0]))
    >>> float(found.value.round(12)), found.grad.round(12)  # two gates, each of which leaves 0.96 of the contrast
    (0.5, array([0.4608, 0.    ]))
    """

    readout_counts: ReadoutCounts | None = None

    def __init__(
        self,
        ansatz: Ansatz,
        problem: Problem,
        sampler: Noisy,
        *,
        costs: ArrayLike | None = None,
        objective: Aggregation | str | None = None,
    ) -> None:
        if not isinstance(sampler, Noisy):
            raise QhnError("the sampler must know its distribution: give open_backend('fake_torino').compile(ansatz)")
        check_fit(ansatz, problem)
        check_enumerable(ansatz.num_qubits)
        self.ansatz = ansatz
        self.sampler = sampler
        self.objective = as_objective(objective, problem)
        self.landscape = Landscape(enumerate_costs(problem) if costs is None else as_costs(costs))
        self._ascending = np.argsort(self.landscape.costs)
        self.discarded_weight = 0.0
        self._other: tuple[Problem, Floats] | None = None

    @property
    def scale(self) -> float:
        """How far a typical cost lies above the optimum, which tolerances of a minimisation are relative to."""
        return self.landscape.scale

    def __call__(self, thetas: ArrayLike, key: Key | None = None) -> Estimates:
        """E and the objective at angles in radians: ``[B, num_parameters]`` → ``[B]``, ``[num_parameters]`` → scalars.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
        """
        self.discarded_weight = 0.0
        thetas = as_angles(thetas, self.ansatz.num_parameters)
        rows = thetas.reshape(-1, self.ansatz.num_parameters)
        rows = gate_angles(self.ansatz, rows)
        mean = self._energies(rows, self.landscape.costs)
        objective = mean if self.objective.is_mean else self._objectives(rows[:, None])
        return self._estimates(mean.reshape(thetas.shape[:-1]), objective.reshape(thetas.shape[:-1]))

    def value_and_grad(
        self, theta: ArrayLike, key: Key | None = None, measurement: Measurement | None = None
    ) -> ValueAndGrad:
        """The objective and its gradient by the angles: ``[..., num_parameters]`` → values of shape ``[...]``.

        Args:
            theta: angles in radians.
            key: key of the random directions of a random rule such as SPSA; ``Key(0)`` by default.
            measurement: the rule for the gradient; parameter shift of the active angles by default. Its shots have no
                effect here.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
        """
        self.discarded_weight = 0.0
        rule = measurement.rule if measurement else parameter_shift(self.ansatz)
        theta = as_angles(theta, self.ansatz.num_parameters)
        starts, name = theta.reshape(-1, self.ansatz.num_parameters), key or Key(0)
        shifted = rule.shifted(starts, name)
        values = self._objectives(shifted)
        mean = values[:, 0] if self.objective.is_mean else self._energies(shifted[:, 0], self.landscape.costs)
        shape = theta.shape[:-1]
        rows = Means.alone(values, np.zeros_like(values)).reshape(*shape, rule.num_rows)
        unshifted = rows[np.zeros(rule.num_rows, dtype=np.int64)]
        estimates = self._estimates(mean.reshape(shape)[..., None], values[:, 0].reshape(shape)[..., None])
        return rule.combine_means(rows, unshifted, estimates, self.objective, theta, name)

    def probabilities(self, thetas: Floats) -> Floats:
        """The probabilities of all bitstrings: ``[B, num_parameters]`` → ``[B, 2**num_qubits]``.

        Bitstrings are indexed with qubit 0 as the least significant bit.
        """
        self.discarded_weight = 0.0
        return self._probabilities(gate_angles(self.ansatz, thetas))

    def most_probable(self, theta: ArrayLike) -> tuple[Bits, float]:
        """The most probable bitstring ``[num_qubits]`` at angles ``theta[num_parameters]``, and its probability.

        Raises:
            ValueError: if the last axis does not have length ``num_parameters``.
        """
        self.discarded_weight = 0.0
        angles = gate_angles(self.ansatz, as_angles(theta, self.ansatz.num_parameters))
        probabilities = self._probabilities(angles[None])[0]
        likely = int(probabilities.argmax())
        return bitstrings.from_integers(likely, self.ansatz.num_qubits), float(probabilities[likely])

    def solutions(self, theta: Floats, found: Estimates) -> Bits:
        """The most probable bitstring at ``theta[num_parameters]``, ``[1, num_qubits]``."""
        return self.most_probable(theta)[0][None]

    def expectation(self, problem: Problem, theta: Floats, found: Estimates) -> float:
        """The mean ⟨C⟩ of another problem at angles ``theta[num_parameters]``; its costs are computed once."""
        if self._other is None or self._other[0] is not problem:
            self._other = problem, enumerate_costs(problem)
        self.discarded_weight = 0.0
        return float(self._energies(gate_angles(self.ansatz, theta)[None], self._other[1])[0])

    def _objectives(self, groups: Floats) -> Floats:
        """Means of the costs linearised at each group's first row of gate angles: ``[B, rows, …]`` → ``[B, rows]``."""
        if self.objective.is_mean:
            flat = groups.reshape(-1, groups.shape[-1])
            return self._energies(flat, self.landscape.costs).reshape(groups.shape[:-1])
        means = np.empty(groups.shape[:-1])
        for place, rows in enumerate(groups):
            probabilities = self._probabilities(rows[:1])[0]
            outcomes = Outcomes(self.landscape.costs, self._bits, probabilities, self._ascending, self._integers)
            means[place] = self._energies(rows, self.objective.linearise(outcomes, outcomes))
        return means

    def _energies(self, thetas: Floats, costs: Floats) -> Floats:
        found = self.sampler.energies(thetas, costs)
        self.discarded_weight = max(self.discarded_weight, self.sampler.discarded_weight)
        return found

    def _probabilities(self, thetas: Floats) -> Floats:
        found = self.sampler.probabilities(thetas)
        self.discarded_weight = max(self.discarded_weight, self.sampler.discarded_weight)
        return found

    def _bits(self) -> Bits:
        """All bitstrings in the order of their integers, ``[2**num_qubits, num_qubits]``."""
        return bitstrings.from_integers(self._integers(), self.ansatz.num_qubits)

    def _integers(self) -> Integers:
        """The integers of all bitstrings in their order, ``[2**num_qubits]``."""
        return np.arange(self.landscape.costs.size)

    def _estimates(self, mean: Floats, objective: Floats) -> Estimates:
        zero, known = np.zeros_like(mean), self.landscape
        return Estimates(
            mean,
            zero,
            objective,
            zero,
            None,
            known.optimum,
            known.optimal_bits[0],
            known.costs.size,
            discarded=self.discarded_weight,
            interval=(mean, mean),
        )


OfAllCosts = ExactEstimator | NoisyEstimator
Shotless = OfAllCosts | PolynomialEstimator


def without_shots(
    ansatz: Ansatz,
    problem: Problem,
    sampler: Sampler,
    *,
    objective: Aggregation | str | None = None,
    costs: ArrayLike | None = None,
    evaluations: Evaluations | None = None,
) -> Shotless:
    """The estimator that computes E on a machine without shots.

    Args:
        ansatz: the circuit.
        problem: the cost of its bitstrings.
        sampler: the machine, compiled for the ansatz.
        objective: the function of the costs to minimise, or the name of a kind, such as ``"cvar"``; the mean by
            default.
        costs: the costs of all bitstrings ``[2**num_qubits]``, qubit 0 the least significant bit of the index; computed
            from ``problem`` by default.
        evaluations: bitstrings evaluated so far, to which the estimator adds if it does not know the costs of all of
            them.

    Raises:
        ValueError: if the machine only draws shots; or there are more than 24 qubits and the machine has noise, the
            problem offers no polynomial, or the objective is not the mean.
    """
    if isinstance(sampler, Noisy):
        return NoisyEstimator(ansatz, problem, sampler, objective=objective, costs=costs)
    check_knows_distribution(sampler)
    if polynomial_for_table(problem) is not None:
        return PolynomialEstimator(ansatz, problem, objective=objective, evaluations=evaluations)
    return ExactEstimator(ansatz, problem, objective=objective, costs=costs)


def check_knows_distribution(sampler: Sampler) -> None:
    """Refuse a machine that only draws shots, or does so for this circuit, to compute E without them.

    Raises:
        ValueError: if the sampler does not know the distribution of its bits.
    """
    if not isinstance(sampler, KnownDistribution):
        facts = sampler.describe()
        raise QhnError(
            f"{facts['name']} draws shots ({facts['method']}), and does not know E without them; give --shots"
        )
